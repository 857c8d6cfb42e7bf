//! The real records of ../shared/data, joined for tests.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;
use std::path::{Path, PathBuf};

use geneverse_data::gene::GeneRecord;
use geneverse_data::import::{ImportFiles, import};
use geneverse_data::progress::Silent;
use geneverse_data::stage::open;
use geneverse_data::store::{GeneStore, GoKnowledge};

#[allow(dead_code, reason = "not every test makes cases")]
pub(crate) mod cases;

pub(crate) struct RealGenes {
    /// The records of a database imported from HGNC, RefSeq's summaries and GO annotations, in symbol order.
    pub(crate) records: Vec<GeneRecord>,
    /// The database itself, which goes when this does.
    #[allow(dead_code, reason = "not every test reads it")]
    pub(crate) store: GeneStore,
    /// Symbol → narrative synopsis.
    pub(crate) narrative: HashMap<String, String>,
    /// Symbol → synopsis made from ontology annotations.
    pub(crate) ontological: HashMap<String, String>,
    _folder: tempfile::TempDir,
}

/// Where the shared data lies, or `None` (said on stdout) where it is absent.
pub(crate) fn shared() -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.join("genes/hgnc_complete_set.txt.gz").exists() {
        println!("skipped: {} is absent", data.display());
        return None;
    }
    Some(data)
}

/// The records, or `None` where the shared data is absent.
pub(crate) fn real_genes() -> Option<RealGenes> {
    let data = shared()?;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| data.join(name);
    let files = ImportFiles {
        hgnc: Some(file("genes/hgnc_complete_set.txt.gz")),
        summaries: Some(file("genes/refseq_summaries.tsv.gz")),
        go: vec![file("go/go_terms.tsv.gz")],
        go_annotations: vec![file("go/gene_GO_terms.tsv.gz")],
        out: folder.path().join("genes.db"),
        ..ImportFiles::default()
    };
    import(&files, &Silent).unwrap();
    let store = GeneStore::open(&files.out).unwrap();
    let records: Vec<GeneRecord> = store.iter().collect::<Result<_, _>>().unwrap();
    let vocabulary = vocabulary(&records, &store.go_knowledge().unwrap());
    let narrative = synopses(&data.join("genes/narrative_synopses.txt.gz"), &vocabulary);
    let ontological = synopses(&data.join("genes/ontological_synopses.txt.gz"), &vocabulary);
    Some(RealGenes { records, store, narrative, ontological, _folder: folder })
}

/// Synopses by symbol. A gene has several lines, many of them cut off ("...") and with the blanks at line ends missing
/// ("severalprocesses"): the longest is taken, the blanks are put back, and a text that is cut off after a few words is
/// left out, for it is no description.
fn synopses(path: &Path, vocabulary: &HashSet<String>) -> HashMap<String, String> {
    let lines = open(path).unwrap().lines().map(Result::unwrap);
    let mut longest: HashMap<String, String> = HashMap::new();
    for line in lines {
        let Some((symbol, text)) = line.trim_end().split_once(": ") else { continue };
        let text = text.split(" [provided").next().unwrap_or(text);
        let kept = longest.entry(symbol.to_owned()).or_default();
        if text.len() > kept.len() {
            text.clone_into(kept);
        }
    }
    longest.retain(|_, text| !text.ends_with("...") || text.len() > CUT_OFF);
    longest.values_mut().for_each(|text| *text = with_blanks(text, vocabulary));
    longest
}

/// A text that is cut off has to be longer than this to be used.
const CUT_OFF: usize = 100;

/// The words of all records.
fn vocabulary(records: &[GeneRecord], go: &GoKnowledge) -> HashSet<String> {
    let summaries = records.iter().filter_map(|gene| Some(gene.summary.as_ref()?.text.as_str()));
    let terms = records.iter().flat_map(|gene| go.annotated(&gene.symbol)).filter_map(|id| go.name(*id));
    let words = summaries.chain(terms).flat_map(|text| text.split(|c: char| !c.is_alphabetic()));
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in words.filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts.into_iter().filter(|(_, n)| *n >= 3).map(|(word, _)| word).collect()
}

/// Words that are no words and two words are ones: with the blank between them.
fn with_blanks(text: &str, vocabulary: &HashSet<String>) -> String {
    let apart = |word: &str| {
        let known = |part: &str| {
            part.split(|c: char| !c.is_alphabetic())
                .all(|p| p.is_empty() || vocabulary.contains(&p.to_lowercase()))
        };
        if word.len() < 5 || !word.is_ascii() || known(word) {
            return word.to_owned();
        }
        let cut = (2..word.len() - 1).rev().find(|at| known(&word[..*at]) && known(&word[*at..]));
        cut.map_or_else(|| word.to_owned(), |at| format!("{} {}", &word[..at], &word[at..]))
    };
    text.split(' ').map(apart).collect::<Vec<_>>().join(" ")
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
