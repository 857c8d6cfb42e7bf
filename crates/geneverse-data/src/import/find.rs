//! Which gene a gene product of an annotation file is.
//!
//! By its identifier where the database is one whose identifiers genes have; else as a GPI or a mapping file says; else
//! by its symbol, which is the gene's own, or a previous symbol or alias of one gene only. Several genes can encode the
//! same protein and then share its accession: the row's symbol decides, and where it does not, the annotation is theirs
//! all.

use std::collections::HashMap;

use crate::gene::{EnsemblId, EntrezId, GeneRecord, HgncId};
use crate::sources::annotations::Product;
use crate::sources::gpi::GpiRow;
use crate::sources::id_mapping::{Gene, IdRow};
use crate::sources::tsv::list;

/// Genes, as indices into the list of records, by all that may name them.
pub(super) struct Finder {
    /// UniProt accessions bare, all others as `DATABASE:ID`.
    products: HashMap<String, Vec<usize>>,
    hgnc: HashMap<HgncId, Vec<usize>>,
    entrez: HashMap<EntrezId, Vec<usize>>,
    ensembl: HashMap<EnsemblId, Vec<usize>>,
    approved: HashMap<String, Vec<usize>>,
    others: HashMap<String, Vec<usize>>,
}

impl Finder {
    pub(super) fn new(genes: &[GeneRecord]) -> Self {
        let mut finder = Self {
            products: HashMap::new(),
            hgnc: HashMap::new(),
            entrez: HashMap::new(),
            ensembl: HashMap::new(),
            approved: HashMap::new(),
            others: HashMap::new(),
        };
        for (place, gene) in genes.iter().enumerate() {
            for accession in &gene.uniprot_ids {
                push(finder.products.entry(accession.to_string()).or_default(), place);
            }
            if let Some(id) = gene.hgnc_id {
                push(finder.hgnc.entry(id).or_default(), place);
            }
            if let Some(id) = gene.entrez_id {
                push(finder.entrez.entry(id).or_default(), place);
            }
            if let Some(id) = gene.ensembl_id {
                push(finder.ensembl.entry(id).or_default(), place);
            }
            push(finder.approved.entry(gene.symbol.to_string()).or_default(), place);
            for other in gene.previous_symbols.iter().chain(&gene.aliases) {
                push(finder.others.entry(other.clone()).or_default(), place);
            }
        }
        finder
    }

    /// The genes that encode a product; none where it is unknown.
    pub(super) fn find(&self, product: Product<'_>) -> &[usize] {
        let Product { database, id, symbol } = product;
        if database.is_empty() {
            // A symbol may look like an accession (H2BC21), but no accession is an approved symbol.
            let approved = self.approved.get(id).or_else(|| self.products.get(accession(id)));
            return approved.map_or_else(|| self.by_symbol(id), Vec::as_slice);
        }
        let found = match self.by_identifier(database, id) {
            [] => return self.by_symbol(symbol),
            found => found,
        };
        match self.by_symbol(symbol) {
            [one] if found.len() > 1 && found.contains(one) => self.by_symbol(symbol),
            _ => found,
        }
    }

    fn by_identifier(&self, database: &str, id: &str) -> &[usize] {
        let found = match database {
            "HGNC" => HgncId::parse(id).ok().and_then(|id| self.hgnc.get(&id)),
            "NCBIGene" | "NCBI_Gene" | "EntrezGene" | "GeneID" => {
                EntrezId::parse(id).ok().and_then(|id| self.entrez.get(&id))
            }
            "ENSEMBL" | "Ensembl" => EnsemblId::parse(id).ok().and_then(|id| self.ensembl.get(&id)),
            _ => None,
        };
        let found = found.or_else(|| self.products.get(key(database, id).as_ref()));
        found.map_or(&[], Vec::as_slice)
    }

    fn by_symbol(&self, symbol: &str) -> &[usize] {
        let others = || self.others.get(symbol).filter(|genes| genes.len() == 1);
        self.approved.get(symbol).or_else(others).map_or(&[], Vec::as_slice)
    }

    /// Learns what a GPI file says of a product; false where that is no gene here.
    pub(super) fn learn_product(&mut self, row: &GpiRow<'_>) -> bool {
        let GpiRow { line: _, product, parent, xrefs } = row;
        let known = |identifier: &str| {
            identifier
                .split_once(':')
                .map(|(database, id)| self.by_identifier(database, id))
                .unwrap_or_default()
        };
        let mut genes = self.by_identifier(product.database, product.id);
        for identifier in list(xrefs).chain(list(parent)) {
            if genes.is_empty() {
                genes = known(identifier);
            }
        }
        if genes.is_empty() {
            genes = self.by_symbol(product.symbol);
        }
        let genes = genes.to_vec();
        let learned = !genes.is_empty();
        if learned {
            self.products.entry(key(product.database, product.id).into_owned()).or_insert(genes);
        }
        learned
    }

    /// Learns the gene of an accession; nothing where it is no gene here.
    pub(super) fn learn_accession(&mut self, row: &IdRow<'_>) -> Option<usize> {
        let found = match row.gene {
            Gene::Hgnc(id) => self.hgnc.get(&id),
            Gene::Entrez(id) => self.entrez.get(&id),
        };
        let gene = *found?.first()?;
        push(self.products.entry(row.accession.to_owned()).or_default(), gene);
        Some(gene)
    }
}

fn push(places: &mut Vec<usize>, place: usize) {
    if !places.contains(&place) {
        places.push(place);
    }
}

/// Under what a product is found.
fn key<'a>(database: &str, id: &'a str) -> std::borrow::Cow<'a, str> {
    if database.to_ascii_lowercase().starts_with("uniprot") {
        accession(id).into()
    } else {
        format!("{database}:{id}").into()
    }
}

/// An accession without isoform (`P08151-2`) and chain (`P08151:PRO_0000047196`).
fn accession(id: &str) -> &str {
    id.split(['-', ':']).next().unwrap_or_default()
}
