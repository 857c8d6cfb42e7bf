//! The words that carry a gene's function, and which gene of a database a text speaks of.
//!
//! Each gene is a document: its summary, GO terms, pathways, groups, names and kind. A text is compared with all
//! of them by BM25 (Robertson & Zaragoza 2009), score(q, d) = Σ idf(t) · tf·(k₁+1) / (tf + k₁·(1 − b + b·|d|/avg)),
//! over the distinct terms of the text. Terms are stemmed words without those that every description has.

use std::collections::HashMap;

use geneverse_data::gene::{GeneRecord, GoAspect};

/// Saturation of repeated terms, and how much a document's length counts. Usual values; descriptions of genes
/// differ in length by how well the gene is studied, not by verbosity, hence the lower `B`.
const K1: f64 = 1.2;
const B: f64 = 0.5;

/// As many of a record's heaviest terms make up its major function.
const KEY_TERMS: usize = 20;

/// Function words, and words that descriptions of genes have whatever the gene does.
const STOP_WORDS: &str = " a about above acid acids act acts after all also although among amino an and another any \
    are as associated at based be because been before being belong belongs below between both but by called can \
    cause caused causes characterized chromosome common contain containing contains could defect defects describe \
    described different do does due during each either encode encoded encodes encoding enables enable evidence \
    exhibit exhibits factor family few for form formed forms found from full function functional functions further \
    gene genes had has have having highly his homo how however human id identified implicated important in include \
    included includes including into involved is isoform isoforms it its itself known large like likely linked \
    located locus main mainly majority many may member members might more most multiple mutation mutations name \
    near necessary no not novel nucleotide number observed occur of official often on one only or organism other \
    others part participate particular plays play possible possibly predicted present probably product products \
    protein proteins provided reading reference refseq region related repeat required result resulting results \
    reviewed role roles sapiens several shown similar similarity similarly single site sites small so some source \
    specific splice spliced splicing status structural structure subfamily such suggest suggested suggests summary \
    superfamily symbol than that the their them then there therefore these they this those three through thus \
    to together transcript transcripts two type under unknown unlike up upon upstream used using variant variants \
    various via was well were what when where which while who whose will with within without would yet \
    acts activity process biological molecular cellular component cell alternative alternatively additional \
    eukaryota metazoa chordata craniata vertebrata euteleostomi mammalia eutheria euarchontoglires primates \
    haplorrhini catarrhini hominidae ncbi hgnc ensembl alliance entrez uniprot omim mim coding ";

/// Endings that a stem loses, longest first; at least four letters stay.
const ENDINGS: [&str; 36] = [
    "ations", "ically", "ation", "ative", "ating", "ators", "ities", "ional", "ating", "ments", "ator",
    "ated", "ates", "ions", "ings", "ment", "ical", "ance", "ence", "able", "ible", "ious", "ion", "ing",
    "ous", "ity", "ate", "ive", "ies", "ed", "es", "al", "ic", "ly", "y", "s",
];

/// The stemmed terms of a text, in order, stop words left out.
pub fn terms(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 1 && !word.chars().all(|c| c.is_ascii_digit()))
        .filter(|word| !is_stop_word(word))
        .map(stem_of)
        .collect()
}

fn is_stop_word(word: &str) -> bool {
    use std::collections::HashSet;
    use std::sync::LazyLock;
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP_WORDS.split_whitespace().collect());
    WORDS.contains(word)
}

/// A crude stem, the same for "phosphorylates" and "phosphorylation"; it is compared, never shown.
pub(crate) fn stem_of(word: &str) -> String {
    let mut stem = word;
    // Twice: "transcription|al|ly", "signal|ing|s".
    for _ in 0..2 {
        let shorter =
            ENDINGS.iter().filter_map(|ending| stem.strip_suffix(ending)).find(|rest| rest.len() >= 4);
        match shorter.filter(|rest| rest.is_ascii()) {
            Some(rest) => stem = rest,
            None => break,
        }
    }
    stem.to_owned()
}

/// A gene's documents as terms, with where each term stands.
#[derive(Debug, Default)]
pub struct TermIndex {
    term_ids: HashMap<String, u32>,
    /// For each term, the documents that have it and how often.
    postings: Vec<Vec<(u32, u16)>>,
    /// For each document, its length in terms and the weight of its heaviest [`KEY_TERMS`].
    lengths: Vec<u32>,
    average_length: f64,
}

/// How a text compares with one document and with the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// BM25 against the asked document.
    pub own: f64,
    /// The best BM25 of a document that may not win, and which one.
    pub best_other: f64,
    /// Its number.
    pub best_other_document: Option<usize>,
}

impl TermIndex {
    /// Counts the terms of documents.
    pub fn new<T: AsRef<str>>(documents: impl IntoIterator<Item = T>) -> Self {
        let mut index = Self::default();
        for document in documents {
            let number = index.lengths.len() as u32;
            let words = terms(document.as_ref());
            index.lengths.push(words.len() as u32);
            let mut counts: HashMap<u32, u16> = HashMap::new();
            for word in words {
                let next = index.term_ids.len() as u32;
                let id = *index.term_ids.entry(word).or_insert(next);
                let count = counts.entry(id).or_default();
                *count = count.saturating_add(1);
            }
            index.postings.resize_with(index.term_ids.len(), Vec::new);
            for (id, count) in counts {
                index.postings[id as usize].push((number, count));
            }
        }
        let total: f64 = index.lengths.iter().map(|&length| f64::from(length)).sum();
        index.average_length = (total / index.lengths.len().max(1) as f64).max(1.0);
        index
    }

    /// The number of documents.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are no documents.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// How rare a term is: ln(1 + (N − n + ½) / (n + ½)). A term of no document is as rare as can be.
    pub fn idf(&self, term: &str) -> f64 {
        let found = self.term_ids.get(term).map_or(0, |&id| self.postings[id as usize].len());
        idf(self.len(), found)
    }

    /// Compares terms with every document; `may_win(i)` says which documents count as the asked one's kin.
    pub fn compare(&self, query: &[String], own: usize, is_kin: impl Fn(usize) -> bool) -> Match {
        let mut scores = vec![0.0_f64; self.len()];
        for id in self.distinct(query) {
            let postings = &self.postings[id];
            let idf = idf(self.len(), postings.len());
            for &(document, count) in postings {
                scores[document as usize] += idf * self.saturation(document as usize, count);
            }
        }
        let mut best = (0.0, None);
        for (document, &score) in scores.iter().enumerate() {
            if score > best.0 && document != own && !is_kin(document) {
                best = (score, Some(document));
            }
        }
        let own = scores.get(own).copied().unwrap_or(0.0);
        Match { own, best_other: best.0, best_other_document: best.1 }
    }

    fn saturation(&self, document: usize, count: u16) -> f64 {
        let count = f64::from(count);
        let length = f64::from(self.lengths[document]) / self.average_length;
        count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length))
    }

    fn distinct(&self, query: &[String]) -> Vec<usize> {
        let mut ids: Vec<usize> =
            query.iter().filter_map(|term| self.term_ids.get(term)).map(|&id| id as usize).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The share of a record's key terms, by weight, that a text has; 1 where it has as much as the heaviest
    /// 20 of them weigh. Also the terms found, the heaviest first.
    pub fn coverage(&self, text: &[String], record: &[String]) -> (f64, Vec<String>) {
        let mut counts: HashMap<&str, f64> = HashMap::new();
        for term in record {
            *counts.entry(term).or_default() += 1.0;
        }
        let mut weights: Vec<(&str, f64)> =
            counts.into_iter().map(|(term, n)| (term, self.idf(term) * (1.0 + f64::ln(n)))).collect();
        weights.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let whole: f64 = weights.iter().take(KEY_TERMS).map(|(_, weight)| weight).sum();
        let found: Vec<&(&str, f64)> =
            weights.iter().filter(|(term, _)| text.iter().any(|word| word == term)).collect();
        let covered = found.iter().fold(0.0, |sum, (_, weight)| sum + weight);
        let share = if whole > 0.0 { (covered / whole).min(1.0) } else { 0.0 };
        (share, found.into_iter().map(|(term, _)| (*term).to_owned()).collect())
    }
}

fn idf(documents: usize, with_term: usize) -> f64 {
    let (all, with) = (documents as f64, with_term as f64);
    (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
}

/// What a database says of a gene, in one text: the document that answers are compared with.
pub fn document(gene: &GeneRecord) -> String {
    let names = std::iter::once(gene.name.as_str()).chain(gene.other_names.iter().map(String::as_str));
    let groups = gene.groups.iter().map(String::as_str).chain([gene.kind.noun()]);
    let names: Vec<&str> = names.chain(groups).collect();
    format!("{} . {}", names.join(" . "), function_text(gene))
}

/// What a database says of a gene's function: summary, pathways, GO functions and processes.
pub fn function_text(gene: &GeneRecord) -> String {
    let summary = gene.summary.iter().map(|summary| summary.text.as_str());
    let go = gene.go_terms.iter().filter(|term| term.aspect != GoAspect::CellularComponent);
    let parts: Vec<&str> = summary
        .chain(gene.pathways.iter().map(String::as_str))
        .chain(go.map(|term| term.name.as_str()))
        .collect();
    parts.join(" . ")
}
