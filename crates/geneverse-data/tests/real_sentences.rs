//! The sentences of every real gene, where the public files are: `../shared/data` beside the project.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that says why it is skipped")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use geneverse_data::gene::GeneRecord;
use geneverse_data::import::{ImportFiles, import};
use geneverse_data::progress::Silent;
use geneverse_data::sentences::{Part, parts};
use geneverse_data::store::GeneStore;

fn real_genes() -> Option<Vec<GeneRecord>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/genes");
    if !data.is_dir() {
        println!("skipped: ../shared/data is not here");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("genes.db");
    let files = ImportFiles {
        hgnc: Some(data.join("hgnc_complete_set.txt.gz")),
        gene_info: Some(data.join("Homo_sapiens.gene_info.gz")),
        summaries: Some(data.join("refseq_summaries.tsv.gz")),
        out: out.clone(),
        ..ImportFiles::default()
    };
    import(&files, &Silent).unwrap();
    let store = GeneStore::open(&out).unwrap();
    Some(store.iter().map(Result::unwrap).collect())
}

/// What never stands in a paragraph, whatever the record.
const WRONG: [&str; 12] = ["None", "null", " ,", " .", " ;", "..", "  ", "()", "\"\"", ",.", "( ", " and ."];

/// The article that a word takes, told by the few beginnings that our own words have.
fn takes_an(word: &str) -> bool {
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']);
    vowel || ["RNA", "H/ACA", "18S", "8", "11S"].iter().any(|start| word.starts_with(start))
}

/// Our own words of a part: the gene's symbol and name are taken out.
fn own_words(text: &str, gene: &GeneRecord) -> String {
    text.replace(gene.name.trim_end_matches(['.', ' ']), "NAME").replace(gene.symbol.as_str(), "SYMBOL")
}

#[test]
fn every_real_gene_is_told_in_clean_sentences() {
    let Some(genes) = real_genes() else { return };
    assert!(genes.len() > 55_000);
    let mut faults: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut openings = BTreeSet::new();
    for gene in &genes {
        for seed in 0..3 {
            let told = parts(gene, seed);
            let mut fault = |what: String, text: &str| {
                let entry = faults.entry(what).or_insert_with(|| (0, format!("{}: {text}", gene.symbol)));
                entry.0 += 1;
            };
            let (first, opening) = &told[0];
            if *first != Part::Name || !opening.contains(gene.symbol.as_str()) {
                fault("the opening does not name the gene".to_owned(), opening);
            }
            if told.iter().map(|(_, text)| text.split_whitespace().count()).sum::<usize>() < 20 {
                fault("under 20 words".to_owned(), opening);
            }
            let own = own_words(opening, gene);
            let words: Vec<&str> = own.split(' ').collect();
            openings.insert((words[..words.len().min(3)].join(" "), words[words.len() - 1].to_owned()));
            // A summary is another's text.
            for (part, text) in told.iter().filter(|(part, _)| *part != Part::Summary) {
                let own = own_words(text, gene);
                for wrong in WRONG.iter().filter(|wrong| own.contains(**wrong)) {
                    fault(format!("{part:?} holds {wrong:?}"), text);
                }
                if text.starts_with(char::is_lowercase) && !text.starts_with(gene.symbol.as_str()) {
                    fault(format!("{part:?} begins in lower case"), text);
                }
                if !text.ends_with('.') {
                    fault(format!("{part:?} does not end with a stop"), text);
                }
                let words: Vec<&str> = own.split(' ').collect();
                for pair in words.windows(2).filter(|pair| matches!(pair[0], "a" | "an") && pair[1] != "NAME")
                {
                    if takes_an(pair[1]) != (pair[0] == "an") {
                        fault(format!("article: {} {}", pair[0], pair[1]), text);
                    }
                }
            }
        }
    }
    println!("{} openings", openings.len());
    for (what, (count, example)) in &faults {
        println!("{count} times {what}: {example}");
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(openings.len() >= 6);
}
