//! The real records of ../shared/data, joined for tests.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use geneverse_data::gene::*;
use geneverse_data::stage::open;

pub(crate) struct RealGenes {
    /// HGNC's genes with RefSeq summaries and GO terms.
    pub(crate) records: Vec<GeneRecord>,
    /// Symbol → narrative synopsis.
    pub(crate) narrative: HashMap<String, String>,
    /// Symbol → synopsis made from ontology annotations.
    pub(crate) ontological: HashMap<String, String>,
}

/// The records, or `None` (said on stdout) where the shared data is absent.
pub(crate) fn real_genes() -> Option<RealGenes> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.join("genes/hgnc_complete_set.txt.gz").exists() {
        println!("skipped: {} is absent", data.display());
        return None;
    }
    let go = go_terms(&data);
    let mut summaries: HashMap<String, String> = rows(&data.join("genes/refseq_summaries.tsv.gz"))
        .into_iter()
        .map(|row| (row[0].clone(), row[2].clone()))
        .collect();
    let hgnc = rows(&data.join("genes/hgnc_complete_set.txt.gz"));
    let column = |name: &str| hgnc[0].iter().position(|c| c == name).unwrap();
    let (symbol, name, locus) = (column("symbol"), column("name"), column("locus_type"));
    let (alias, previous, group) = (column("alias_symbol"), column("prev_symbol"), column("gene_group"));
    let (id, uniprot) = (column("hgnc_id"), column("uniprot_ids"));
    let (location, entrez) = (column("location"), column("entrez_id"));
    let (ensembl, omim) = (column("ensembl_gene_id"), column("omim_id"));
    let records = hgnc[1..].iter().filter_map(|row| {
        let mut gene = GeneRecord::new(
            GeneSymbol::parse(&row[symbol]).ok()?,
            row[name].clone(),
            GeneKind::from_hgnc_locus_type(&row[locus]),
        );
        gene.locus_type = Some(row[locus].clone());
        gene.hgnc_id = HgncId::parse(&row[id]).ok();
        gene.location = Some(row[location].clone()).filter(|l| !l.is_empty());
        gene.entrez_id = EntrezId::parse(&row[entrez]).ok();
        gene.ensembl_id = EnsemblId::parse(&row[ensembl]).ok();
        gene.omim_ids = list(&row[omim]).iter().filter_map(|id| OmimId::parse(id).ok()).collect();
        gene.aliases = list(&row[alias]);
        gene.previous_symbols = list(&row[previous]);
        gene.groups = list(&row[group]);
        gene.uniprot_ids =
            list(&row[uniprot]).iter().filter_map(|u| UniprotAccession::parse(u).ok()).collect();
        // The table's keys are symbols for some genes and accessions for others.
        let keys =
            [gene.symbol.as_str()].into_iter().chain(gene.uniprot_ids.iter().map(UniprotAccession::as_str));
        gene.go_terms = keys.filter_map(|key| go.get(key)).next().cloned().unwrap_or_default();
        gene.summary =
            summaries.remove(gene.symbol.as_str()).map(|text| Summary { text, source: "RefSeq".to_owned() });
        Some(gene)
    });
    let records = records.collect();
    let narrative = synopses(&data.join("genes/narrative_synopses.txt.gz"));
    let ontological = synopses(&data.join("genes/ontological_synopses.txt.gz"));
    Some(RealGenes { records, narrative, ontological })
}

fn go_terms(data: &Path) -> HashMap<String, Vec<GoTerm>> {
    let names: HashMap<String, (String, GoAspect)> = rows(&data.join("go/go_terms.tsv.gz"))
        .into_iter()
        .skip(1)
        .filter(|row| row[3] == "0")
        .map(|row| {
            let aspect = match row[2].as_str() {
                "F" => GoAspect::MolecularFunction,
                "P" => GoAspect::BiologicalProcess,
                _ => GoAspect::CellularComponent,
            };
            (row[0].clone(), (row[1].clone(), aspect))
        })
        .collect();
    let genes = rows(&data.join("go/gene_GO_terms.tsv.gz")).into_iter().map(|row| {
        let terms = row[1].split('|').filter_map(|id| {
            let (name, aspect) = names.get(id)?;
            Some(GoTerm { id: id.to_owned(), name: name.clone(), aspect: *aspect })
        });
        (row[0].clone(), terms.collect())
    });
    genes.collect()
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let lines = open(path).unwrap().lines().map(Result::unwrap);
    lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn synopses(path: &Path) -> HashMap<String, String> {
    let lines = open(path).unwrap().lines().map(Result::unwrap);
    // A gene has several lines, some of them cut off ("...") or with blanks missing: the longest is taken.
    let mut longest: HashMap<String, String> = HashMap::new();
    for line in lines {
        let Some((symbol, text)) = line.trim_end().split_once(": ") else { continue };
        let text = text.split(" [provided").next().unwrap_or(text);
        let kept = longest.entry(symbol.to_owned()).or_default();
        if text.len() > kept.len() {
            text.clone_into(kept);
        }
    }
    longest
}

fn list(cell: &str) -> Vec<String> {
    cell.trim_matches('"').split('|').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A small generator (SplitMix64), so that every run draws the same genes.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
