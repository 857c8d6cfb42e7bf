//! The bundled records, `data/genes.jsonl`: well formed, true to their sources, and in our own words.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy allows these in test functions, but not in their helpers"
)]

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use geneverse_data::gene::{GeneKind, GeneRecord};
use serde_json::Value;

/// The genes that the paper asks about.
const PAPER_GENES: [&str; 20] = [
    "HEATR5B",
    "ZNF385A",
    "ZNF226",
    "IGKV2D-36",
    "RPL37P24",
    "FGF7",
    "LRRC7",
    "MIR6721",
    "SRD5A3",
    "MIR608",
    "EOGT",
    "CASP10",
    "CYCSP32",
    "HSPA1L",
    "SLC30A10",
    "GLI1",
    "RPS4XP1",
    "RPS27AP8",
    "CCL23",
    "ACSS3",
];

const EVERY_KIND: [GeneKind; 12] = [
    GeneKind::ProteinCoding,
    GeneKind::MicroRna,
    GeneKind::LongNoncodingRna,
    GeneKind::Pseudogene,
    GeneKind::ImmunoglobulinSegment,
    GeneKind::TcellReceptorSegment,
    GeneKind::TransferRna,
    GeneKind::SmallNucleolarRna,
    GeneKind::SmallNuclearRna,
    GeneKind::RibosomalRna,
    GeneKind::OtherRna,
    GeneKind::Other,
];

/// Locations that differ from HGNC's, with HGNC's: it has 1q13.1 for SCARNA2, and chromosome 1 has no band
/// 1q13; gene_info has the band of the gene's coordinates.
const CORRECTED_LOCATIONS: [(&str, &str, &str); 1] = [("SCARNA2", "1p13.3", "1q13.1")];

/// A summary is a copy when it shares this many words in a row with its source.
const COPIED_WORDS: usize = 9;

#[test]
fn every_line_is_a_record_as_we_write_it() {
    for line in bundled_text().lines() {
        let record: GeneRecord = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let found: Value = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_value(&record).unwrap(), found, "{}", record.symbol);
    }
}

#[test]
fn the_genes_are_sorted_and_of_every_kind_and_include_the_papers() {
    let records = bundled_records();
    assert!(records.len() >= 240, "found {} records", records.len());
    let symbols: Vec<&str> = records.iter().map(|record| record.symbol.as_str()).collect();
    assert!(symbols.is_sorted_by(|one, next| one < next), "symbols are unique and in order");
    for symbol in PAPER_GENES {
        assert!(symbols.contains(&symbol), "{symbol} is missing");
    }
    for kind in EVERY_KIND {
        assert!(records.iter().any(|record| record.kind == kind), "no {}", kind.noun());
    }
}

#[test]
fn every_gene_has_a_name_a_location_and_a_summary_of_its_own() {
    let records = bundled_records();
    let mut summaries = HashSet::new();
    for record in &records {
        let symbol = &record.symbol;
        assert!(!record.name.trim().is_empty(), "{symbol}: no name");
        assert!(
            record.location.as_deref().is_some_and(|location| !location.is_empty()),
            "{symbol}: no location"
        );
        assert_eq!(
            record.locus_type.as_deref().map(GeneKind::from_hgnc_locus_type),
            Some(record.kind),
            "{symbol}"
        );
        let summary = record.summary.as_ref().unwrap_or_else(|| panic!("{symbol}: no summary"));
        assert_eq!(summary.source, "Geneverse", "{symbol}");
        let text = summary.text.as_str();
        assert!(!text.contains(['\n', '\r', '\t']) && text.trim() == text, "{symbol}: not one paragraph");
        assert!(text.ends_with('.') && !text.contains("  "), "{symbol}: {text}");
        assert!((20..=100).contains(&text.split(' ').count()), "{symbol}: {text}");
        assert!(summaries.insert(text), "{symbol}: the summary of another gene");
        assert!(record.pathways.len() <= 4, "{symbol}: {:?}", record.pathways);
        let go_ids: HashSet<&str> = record.go_terms.iter().map(|term| term.id.as_str()).collect();
        assert!(go_ids.len() == record.go_terms.len() && go_ids.len() <= 6, "{symbol}: {go_ids:?}");
        assert!(go_ids.iter().all(|id| id.starts_with("GO:") && id.len() == 10), "{symbol}: {go_ids:?}");
    }
}

#[test]
fn names_ids_and_locations_are_those_of_hgnc() {
    let Some(data) = shared_data() else { return };
    let hgnc = table(&data.join("genes/hgnc_complete_set.txt.gz"), "symbol", true);
    for record in bundled_records() {
        let symbol = record.symbol.to_string();
        let row = &hgnc[&symbol];
        let cell = |column: &str| row[column].clone();
        let corrected = CORRECTED_LOCATIONS.iter().find(|(gene, _, _)| *gene == symbol);
        let location = record.location.as_deref().unwrap_or_default();
        let hgnc_location = match corrected {
            Some((_, corrected, of_hgnc)) => {
                assert_eq!(location, *corrected, "{symbol}");
                of_hgnc
            }
            None => location,
        };
        assert_eq!(hgnc_location, cell("location"), "{symbol}: location");
        assert_eq!(record.name, cell("name"), "{symbol}: name");
        assert_eq!(record.locus_type.as_deref(), Some(row["locus_type"].as_str()), "{symbol}: locus type");
        assert_eq!(text_of(record.hgnc_id), cell("hgnc_id"), "{symbol}: HGNC id");
        assert_eq!(text_of(record.entrez_id), cell("entrez_id"), "{symbol}: Entrez id");
        assert_eq!(text_of(record.ensembl_id), cell("ensembl_gene_id"), "{symbol}: Ensembl id");
        assert_eq!(texts(&record.omim_ids), list(&row["omim_id"]), "{symbol}: OMIM");
        assert_eq!(texts(&record.uniprot_ids), list(&row["uniprot_ids"]), "{symbol}: UniProt");
        assert_eq!(record.previous_symbols, list(&row["prev_symbol"]), "{symbol}: previous symbols");
        assert_eq!(record.groups, list(&row["gene_group"]), "{symbol}: groups");
        let orthologs = [list(&row["mgd_id"]), list(&row["rgd_id"])].concat();
        assert_eq!(record.orthologs, orthologs, "{symbol}: orthologs");
        let names = [list(&row["alias_name"]), list(&row["prev_name"])].concat();
        assert_same_names(&record.other_names, &names, std::slice::from_ref(&record.name), &symbol);
    }
}

/// Aliases are those of HGNC and the synonyms of gene_info; case does not tell two apart.
#[test]
fn aliases_are_those_of_hgnc_and_gene_info() {
    let Some(data) = shared_data() else { return };
    let hgnc = table(&data.join("genes/hgnc_complete_set.txt.gz"), "symbol", true);
    let ncbi = table(&data.join("genes/Homo_sapiens.gene_info.gz"), "GeneID", false);
    for record in bundled_records() {
        let symbol = record.symbol.to_string();
        let mut expected = list(&hgnc[&symbol]["alias_symbol"]);
        match (record.entrez_id, ncbi.get(&text_of(record.entrez_id))) {
            (_, Some(row)) => expected.extend(list(&row["Synonyms"])),
            (Some(id), None) => panic!("{symbol}: gene_info has no {id}"),
            (None, None) => {}
        }
        let excluded = [vec![symbol.clone()], record.previous_symbols.clone()].concat();
        assert_same_names(&record.aliases, &expected, &excluded, &symbol);
    }
}

#[test]
fn go_terms_are_annotated_and_of_their_aspect() {
    let Some(data) = shared_data() else { return };
    let terms = table(&data.join("go/go_terms.tsv.gz"), "go_id", false);
    let annotations = gunzip(&data.join("go/gene_GO_terms.tsv.gz"));
    let annotations: HashMap<&str, Vec<&str>> = annotations
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(gene, terms)| (gene, terms.split('|').collect()))
        .collect();
    for record in bundled_records().iter().filter(|record| !record.go_terms.is_empty()) {
        let symbol = &record.symbol;
        let accessions = record.uniprot_ids.iter().map(|accession| accession.as_str());
        let previous = record.previous_symbols.iter().map(String::as_str);
        let mut keys = std::iter::once(symbol.as_str()).chain(accessions).chain(previous);
        let annotated = keys.find_map(|key| annotations.get(key));
        let annotated = annotated.unwrap_or_else(|| panic!("{symbol}: no annotations"));
        for term in &record.go_terms {
            let row = &terms[&term.id];
            assert!(annotated.contains(&term.id.as_str()), "{symbol}: {}", term.id);
            assert_eq!((row["name"].as_str(), row["is_obsolete"].as_str()), (term.name.as_str(), "0"));
            let aspect = serde_json::to_value(term.aspect).unwrap();
            let letter = match aspect.as_str() {
                Some("molecular_function") => "F",
                Some("biological_process") => "P",
                _ => "C",
            };
            assert_eq!(row["aspect"], letter, "{symbol}: {}", term.id);
        }
    }
}

#[test]
fn no_summary_repeats_another_description_of_the_gene() {
    let Some(data) = shared_data() else { return };
    let mut sources: HashMap<String, Vec<String>> = HashMap::new();
    for line in gunzip(&data.join("genes/refseq_summaries.tsv.gz")).lines().skip(1) {
        let mut cells = line.splitn(3, '\t');
        if let (Some(symbol), Some(text)) = (cells.next(), cells.nth(1)) {
            sources.entry(symbol.to_owned()).or_default().push(text.to_owned());
        }
    }
    for file in ["genes/narrative_synopses.txt.gz", "genes/ontological_synopses.txt.gz"] {
        for line in gunzip(&data.join(file)).lines() {
            if let Some((symbol, text)) = line.split_once(':') {
                sources.entry(symbol.to_owned()).or_default().push(text.to_owned());
            }
        }
    }
    let mut compared = 0;
    for record in bundled_records() {
        let ours = record.summary.as_ref().map(|summary| words(&summary.text)).unwrap_or_default();
        // The sources may be older than the symbol.
        for text in record.all_symbols().iter().filter_map(|symbol| sources.get(*symbol)).flatten() {
            let theirs = words(text);
            let runs: HashSet<&[String]> = theirs.windows(COPIED_WORDS).collect();
            let copied = ours.windows(COPIED_WORDS).find(|run| runs.contains(run));
            assert!(copied.is_none(), "{}: {copied:?} stands in {text}", record.symbol);
            compared += 1;
        }
    }
    assert!(compared >= 200, "compared with {compared} texts");
}

/// The names found are the expected ones, each once, without the excluded ones; case is ignored.
fn assert_same_names(found: &[String], expected: &[String], excluded: &[String], symbol: &str) {
    let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<HashSet<_>>();
    let wanted: HashSet<String> = lower(expected).difference(&lower(excluded)).cloned().collect();
    assert_eq!(lower(found), wanted, "{symbol}");
    assert_eq!(lower(found).len(), found.len(), "{symbol}: a name twice");
    for name in found {
        assert!(expected.contains(name), "{symbol}: {name} is spelled otherwise in the sources");
    }
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn text_of(id: Option<impl ToString>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn texts(ids: &[impl ToString]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// A cell's `|`-separated values; `-` is gene_info's empty cell.
fn list(cell: &str) -> Vec<String> {
    cell.split('|').map(str::trim).filter(|value| !matches!(*value, "" | "-")).map(str::to_owned).collect()
}

fn bundled_text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/genes.jsonl");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn bundled_records() -> Vec<GeneRecord> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    bundled_text().lines().map(parse).collect()
}

fn shared_data() -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if data.is_dir() {
        return Some(data);
    }
    println!("skipped: ../shared/data is not here");
    None
}

fn gunzip(path: &Path) -> String {
    let mut text = String::new();
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text
}

/// A tab-separated table as rows by the values of one column.
fn table(path: &Path, key: &str, quoted: bool) -> HashMap<String, HashMap<String, String>> {
    let text = gunzip(path);
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').quoting(quoted).from_reader(text.as_bytes());
    let rows = reader.deserialize::<HashMap<String, String>>();
    rows.map(|row| row.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .map(|row| (row[key].clone(), row))
        .collect()
}
