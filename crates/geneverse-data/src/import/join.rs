//! One table of genes, into which each source is joined.
//!
//! Ids change between releases: a gene_info row that NCBI has since replaced still names an HGNC id that is
//! in the table, and must add to that gene instead of standing beside it. So a row joins by Entrez id, else by
//! HGNC id, and only then is it a gene of its own. What HGNC says stands; others add.

use std::collections::HashMap;
use std::hash::Hash;

use crate::gene::{EntrezId, GeneRecord, GeneSymbol, HgncId, Summary};
use crate::sources::gene_info::GeneInfo;
use crate::sources::hgnc::Successor;
use crate::sources::summaries::SummaryRow;

/// Genes and where each is found.
#[derive(Default)]
pub(super) struct Table {
    records: Vec<GeneRecord>,
    by_hgnc: HashMap<HgncId, usize>,
    by_entrez: HashMap<EntrezId, usize>,
    by_symbol: HashMap<String, usize>,
}

impl Table {
    pub(super) fn into_records(self) -> Vec<GeneRecord> {
        self.records
    }

    /// Adds a gene whose symbol is not in the table yet.
    pub(super) fn push(&mut self, record: GeneRecord) {
        let place = self.records.len();
        if let Some(id) = record.hgnc_id {
            self.by_hgnc.entry(id).or_insert(place);
        }
        if let Some(id) = record.entrez_id {
            self.by_entrez.entry(id).or_insert(place);
        }
        self.by_symbol.entry(record.symbol.to_string()).or_insert(place);
        self.records.push(record);
    }

    /// Adds a symbol that was withdrawn to the gene that went by it; false where that gene is not here.
    pub(super) fn add_previous(&mut self, symbol: &GeneSymbol, successor: &Successor) -> bool {
        let place = match successor {
            Successor::Symbol(successor) => self.by_symbol.get(successor.as_str()),
            Successor::Id(id) => self.by_hgnc.get(id),
        };
        let Some(&place) = place else { return false };
        let record = &mut self.records[place];
        if !record.all_symbols().iter().any(|known| known.eq_ignore_ascii_case(symbol.as_str())) {
            record.previous_symbols.push(symbol.to_string());
        }
        true
    }

    /// Joins all rows of a gene_info file; returns how many joined a gene and how many became one.
    /// `refuse` hears of rows that could do neither: line, kind, detail.
    pub(super) fn join_gene_info(
        &mut self,
        rows: Vec<GeneInfo>,
        refuse: &mut dyn FnMut(usize, &'static str, &str),
    ) -> (usize, usize) {
        let has_hgnc = !self.by_hgnc.is_empty();
        let (mut joined, mut added) = (0, 0);
        let (direct, rest): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| found(&self.by_entrez, row.record.entrez_id).is_some());
        for row in direct {
            if let Some(place) = found(&self.by_entrez, row.record.entrez_id) {
                fill(&mut self.records[place], row.record);
                joined += 1;
            }
        }
        let (stale, mut own): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|row| has_hgnc && found(&self.by_hgnc, row.record.hgnc_id).is_some());
        for row in stale {
            if let Some(place) = found(&self.by_hgnc, row.record.hgnc_id) {
                if let Some(id) = row.record.entrez_id {
                    self.by_entrez.entry(id).or_insert(place);
                }
                fill(&mut self.records[place], row.record);
                joined += 1;
            }
        }
        // "MEMO1" is a gene, and a locus known from a family's pedigree only: of two with the same symbol, the
        // one that the nomenclature committee knows keeps it.
        own.sort_by_key(|row| (row.record.hgnc_id.is_none(), row.record.entrez_id));
        for GeneInfo { line, mut record } in own {
            if let Some(owner) = self.by_symbol.get(record.symbol.as_str()).map(|&place| &self.records[place])
            {
                let id =
                    owner.entrez_id.map_or_else(|| "another gene".to_owned(), |id| format!("Entrez id {id}"));
                refuse(line, "its symbol belongs to another gene", &format!("{} is {id}", record.symbol));
                continue;
            }
            // With HGNC's table at hand, an HGNC id that is not in it has been withdrawn.
            if has_hgnc || found(&self.by_hgnc, record.hgnc_id).is_some() {
                record.hgnc_id = None;
            }
            self.push(record);
            added += 1;
        }
        (joined, added)
    }

    /// Gives a summary to its gene, by Entrez id, else by symbol.
    pub(super) fn add_summary(&mut self, row: SummaryRow) -> Result<(), (&'static str, String)> {
        let by_symbol = || row.symbol.as_ref().and_then(|s| self.by_symbol.get(s.as_str()).copied());
        let named = || match (&row.symbol, row.entrez_id) {
            (Some(symbol), Some(id)) => format!("{symbol} (Entrez id {id})"),
            (Some(symbol), None) => symbol.to_string(),
            (None, Some(id)) => format!("Entrez id {id}"),
            (None, None) => String::new(),
        };
        let place = found(&self.by_entrez, row.entrez_id).or_else(by_symbol);
        let place = place.ok_or_else(|| ("no such gene in the other files", named()))?;
        let summary = &mut self.records[place].summary;
        if summary.is_some() {
            return Err(("its gene has a summary already", named()));
        }
        *summary = Some(Summary { text: row.text, source: row.source });
        Ok(())
    }

    /// Joins a record of our own by HGNC id, Entrez id or symbol, or adds it; true when it joined.
    pub(super) fn join_record(&mut self, record: GeneRecord) -> bool {
        let place = found(&self.by_hgnc, record.hgnc_id)
            .or_else(|| found(&self.by_entrez, record.entrez_id))
            .or_else(|| self.by_symbol.get(record.symbol.as_str()).copied());
        match place {
            Some(place) => fill(&mut self.records[place], record),
            None => self.push(record),
        }
        place.is_some()
    }
}

fn found<K: Hash + Eq>(map: &HashMap<K, usize>, key: Option<K>) -> Option<usize> {
    key.and_then(|key| map.get(&key).copied())
}

/// Adds what `from` knows and `record` does not; nothing that `record` has is changed.
fn fill(record: &mut GeneRecord, from: GeneRecord) {
    let GeneRecord {
        symbol,
        name,
        kind: _,
        tax_id: _,
        locus_type,
        location,
        hgnc_id,
        entrez_id,
        ensembl_id,
        omim_ids,
        uniprot_ids,
        aliases,
        previous_symbols,
        other_names,
        groups,
        go_terms,
        pathways,
        refseq_status,
        expression,
        orthologs,
        summary,
    } = from;

    // NCBI's "LOC…" only repeats the Entrez id.
    let placeholder = entrez_id.map(|id| format!("LOC{id}"));
    let symbol = Some(symbol.to_string()).filter(|s| placeholder.as_ref() != Some(s));
    for previous in previous_symbols {
        let known = record.all_symbols().iter().any(|s| s.eq_ignore_ascii_case(&previous));
        if !known {
            record.previous_symbols.push(previous);
        }
    }
    for alias in symbol.into_iter().chain(aliases) {
        let known = record.all_symbols().iter().any(|s| s.eq_ignore_ascii_case(&alias));
        if !known {
            record.aliases.push(alias);
        }
    }
    for other in std::iter::once(name).chain(other_names) {
        let is = |known: &String| known.eq_ignore_ascii_case(&other);
        if !is(&record.name) && !record.other_names.iter().any(is) {
            record.other_names.push(other);
        }
    }
    fill_one(&mut record.locus_type, locus_type);
    fill_one(&mut record.location, location);
    fill_one(&mut record.hgnc_id, hgnc_id);
    fill_one(&mut record.entrez_id, entrez_id);
    fill_one(&mut record.ensembl_id, ensembl_id);
    fill_one(&mut record.refseq_status, refseq_status);
    fill_one(&mut record.expression, expression);
    fill_one(&mut record.summary, summary);
    fill_list(&mut record.omim_ids, omim_ids);
    fill_list(&mut record.uniprot_ids, uniprot_ids);
    fill_list(&mut record.groups, groups);
    fill_list(&mut record.go_terms, go_terms);
    fill_list(&mut record.pathways, pathways);
    fill_list(&mut record.orthologs, orthologs);
}

fn fill_one<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}

fn fill_list<T>(place: &mut Vec<T>, values: Vec<T>) {
    if place.is_empty() {
        *place = values;
    }
}
