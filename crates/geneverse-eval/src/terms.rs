//! The words that carry a gene's function, and which gene of a database a text speaks of.
//!
//! Each gene is a document: its summary, GO terms, pathways, groups, names and kind. A text is compared with all
//! of them by BM25 (Robertson & Zaragoza 2009), score(q, d) = Σ idf(t) · tf·(k₁+1) / (tf + k₁·(1 − b + b·|d|/avg)),
//! over the distinct terms of the text. Terms are stemmed words without those that every description has.

mod synonyms;

use std::borrow::Cow;
use std::sync::LazyLock;

use compact_str::CompactString;
use geneverse_data::gene::{GeneRecord, GoAspect};
use rayon::prelude::*;

use crate::hash::{Map, Set};
use crate::phrases::Phrases;
use crate::prose::is_alphanumeric;

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

/// Phrases with a word of the same meaning. Lower-cased; each holds "cell " or "break", by which they are looked for.
const PHRASES: [(&str, &str); 9] = [
    ("programmed cell death", "apoptosis"),
    ("cell death", "apoptosis"),
    ("cell surface", "plasma membrane"),
    ("cell membrane", "plasma membrane"),
    ("cell movement", "migration"),
    ("cell motility", "migration"),
    ("cell cycle progression", "cell cycle"),
    ("break down", "degradation"),
    ("breaks down", "degradation"),
];

/// A lower-cased text with each phrase that has a word of the same meaning replaced by that word.
pub(crate) fn fold_phrases(text: &str) -> Cow<'_, str> {
    static NEAR: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(["cell ", "break"]));
    if !NEAR.any(text) {
        return Cow::Borrowed(text);
    }
    PHRASES.iter().fold(Cow::Borrowed(text), |text, (phrase, word)| match text.contains(phrase) {
        true => Cow::Owned(text.replace(phrase, word)),
        false => text,
    })
}

/// A term as a number: its place in the index, or a hash with the highest bit set where no document has it.
pub(crate) type TermId = u32;

/// The stemmed terms of a text, in order, stop words left out; synonyms are one term.
pub fn terms(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    written(&fold_phrases(&lower)).filter(|word| is_telling(word)).map(term_of).collect()
}

/// The words of a lower-cased text: runs of letters and digits.
fn written(lower: &str) -> impl Iterator<Item = &str> {
    lower.split(|c: char| !is_alphanumeric(c)).filter(|word| !word.is_empty())
}

/// Whether a lower-cased word says anything of a function: no single letter, number or stop word does.
fn is_telling(word: &str) -> bool {
    static STOP: LazyLock<Set<&str>> = LazyLock::new(|| STOP_WORDS.split_whitespace().collect());
    let letter = word.chars().nth(1).is_none();
    !letter && !word.bytes().all(|b| b.is_ascii_digit()) && !STOP.contains(word)
}

/// The term that a lower-cased word is, whether it is a stop word or not.
fn term_of(word: &str) -> String {
    synonyms::fold(stem_of(word))
}

/// A crude stem, the same for "phosphorylates" and "phosphorylation"; it is compared, never shown.
fn stem_of(word: &str) -> String {
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
    term_ids: Map<String, TermId>,
    /// The terms by their numbers.
    names: Vec<String>,
    /// The words of the documents as they are written, in lower case; short ones lie in the table itself, where they are
    /// found without another look into memory.
    words: Map<CompactString, Word>,
    /// For each term, the documents that have it and what it adds to their score.
    postings: Vec<Vec<(u32, f32)>>,
    /// For each term, how rare it is.
    weights: Vec<f64>,
    documents: usize,
}

/// A word of a text.
#[derive(Debug, Clone, Copy)]
struct Word {
    /// The term that it is.
    id: TermId,
    /// Whether it is one of those that are compared.
    telling: bool,
}

/// How a text compares with one document and with the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// BM25 against the asked document.
    pub own: f64,
    /// The best BM25 of a document that is neither the asked one nor its kin.
    pub best_other: f64,
    /// Its number.
    pub best_other_document: Option<usize>,
    /// The best BM25 of its kin.
    pub best_kin: f64,
    /// Its number.
    pub best_kin_document: Option<usize>,
    /// What the asked document would get if it had every term of the text once, in a document of usual length.
    pub whole: f64,
}

/// So many documents are taken apart by one thread at a time.
const BATCH: usize = 2048;

/// Documents as numbers of terms of their own.
#[derive(Default)]
struct Batch {
    /// Terms in the order in which they come.
    terms: Vec<String>,
    /// Words, each with its term's place in `terms`; `None` for those that are not compared.
    words: Map<CompactString, Option<u32>>,
    /// For each document its length, and how often it has which term.
    documents: Vec<(u32, Vec<(u32, u16)>)>,
}

impl Batch {
    fn of<T: AsRef<str>>(documents: &[T]) -> Self {
        let mut batch = Self::default();
        let mut places: Map<String, u32> = Map::default();
        let mut found: Vec<u32> = Vec::new();
        for document in documents {
            found.clear();
            let lower = document.as_ref().to_lowercase();
            for word in written(&fold_phrases(&lower)) {
                let place = match batch.words.get(word) {
                    Some(&place) => place,
                    None => {
                        let place = is_telling(word).then(|| {
                            let next = batch.terms.len() as u32;
                            let term = term_of(word);
                            *places.entry(term).or_insert_with_key(|term| {
                                batch.terms.push(term.clone());
                                next
                            })
                        });
                        batch.words.insert(word.into(), place);
                        place
                    }
                };
                found.extend(place);
            }
            let length = found.len() as u32;
            found.sort_unstable();
            let count = |same: &[u32]| (same[0], u16::try_from(same.len()).unwrap_or(u16::MAX));
            batch.documents.push((length, found.chunk_by(|a, b| a == b).map(count).collect()));
        }
        batch
    }
}

impl TermIndex {
    /// Counts the terms of documents.
    pub fn new<T: AsRef<str> + Sync>(documents: &[T]) -> Self {
        let mut index = Self { documents: documents.len(), ..Self::default() };
        let mut counted: Vec<Vec<(u32, u16)>> = Vec::new();
        let mut lengths: Vec<u32> = Vec::new();
        let batches: Vec<Batch> = documents.par_chunks(BATCH).map(Batch::of).collect();
        for Batch { terms, words, documents } in batches {
            let ids: Vec<TermId> = terms.into_iter().map(|term| index.new_id(term)).collect();
            counted.resize_with(index.names.len(), Vec::new);
            for (length, counts) in documents {
                let number = lengths.len() as u32;
                lengths.push(length);
                for (place, count) in counts {
                    counted[ids[place as usize] as usize].push((number, count));
                }
            }
            for (word, place) in words {
                // The term of a stop word is looked for when all are known.
                let word_of = |place: u32| Word { id: ids[place as usize], telling: true };
                index
                    .words
                    .entry(word)
                    .or_insert(place.map_or(Word { id: UNKNOWN, telling: false }, word_of));
            }
        }
        let untold: Vec<(CompactString, TermId)> = index
            .words
            .iter()
            .filter(|(_, word)| !word.telling)
            .map(|(written, _)| (written.clone(), index.id(&term_of(written))))
            .collect();
        for (written, id) in untold {
            index.words.insert(written, Word { id, telling: false });
        }
        let total: f64 = lengths.iter().map(|&length| f64::from(length)).sum();
        let average = (total / lengths.len().max(1) as f64).max(1.0);
        index.weights = counted.iter().map(|found| idf(index.documents, found.len())).collect();
        let scored = counted.into_par_iter().zip(&index.weights).map(|(found, weight)| {
            let score = |(number, count): (u32, u16)| {
                let relative = f64::from(lengths[number as usize]) / average;
                (number, (weight * saturation(f64::from(count), relative)) as f32)
            };
            found.into_iter().map(score).collect()
        });
        index.postings = scored.collect();
        index
    }

    fn new_id(&mut self, term: String) -> TermId {
        if let Some(&known) = self.term_ids.get(&term) {
            return known;
        }
        let next = self.names.len() as TermId;
        self.names.push(term.clone());
        self.term_ids.insert(term, next);
        next
    }

    /// The number of documents.
    pub fn len(&self) -> usize {
        self.documents
    }

    /// Whether there are no documents.
    pub fn is_empty(&self) -> bool {
        self.documents == 0
    }

    /// How rare a term is: ln(1 + (N − n + ½) / (n + ½)). A term of no document is as rare as can be.
    pub fn idf(&self, term: &str) -> f64 {
        self.weight_of(self.id(term))
    }

    /// The distinct terms of a text, in the order of their numbers.
    pub(crate) fn ids(&self, text: &str) -> Vec<TermId> {
        self.ids_of_lower(&text.to_lowercase())
    }

    /// [`Self::ids`] of a text in lower case.
    pub(crate) fn ids_of_lower(&self, lower: &str) -> Vec<TermId> {
        let mut ids: Vec<TermId> = self.come(&fold_phrases(lower)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The terms of a text as they come: [`terms`] as numbers.
    pub(crate) fn ids_in_order(&self, text: &str) -> Vec<TermId> {
        self.come(&fold_phrases(&text.to_lowercase())).collect()
    }

    fn come(&self, folded: &str) -> impl Iterator<Item = TermId> {
        written(folded).filter_map(|word| match self.words.get(word) {
            Some(word) => word.telling.then_some(word.id),
            None => is_telling(word).then(|| self.id(&term_of(word))),
        })
    }

    /// The term that a word is, whether it is a stop word or not.
    pub(crate) fn id_of_word(&self, word: &str) -> TermId {
        let lower = word.to_lowercase();
        self.words.get(lower.as_str()).map_or_else(|| self.id(&term_of(&lower)), |word| word.id)
    }

    /// A term's number.
    pub(crate) fn id(&self, term: &str) -> TermId {
        let known = self.term_ids.get(term).copied();
        // FNV-1a; two unknown terms of a text that meet in one number cost a little of a share.
        known.unwrap_or_else(|| {
            let hash =
                term.bytes().fold(0x811c_9dc5_u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
            hash | UNKNOWN
        })
    }

    /// Whether any document has a term.
    pub(crate) fn is_known(id: TermId) -> bool {
        id & UNKNOWN == 0
    }

    /// [`idf`](Self::idf) of a term by its number.
    pub(crate) fn weight_of(&self, id: TermId) -> f64 {
        self.weights.get(id as usize).copied().unwrap_or_else(|| idf(self.documents, 0))
    }

    /// What a term weighs that one document alone has.
    pub(crate) fn heaviest(&self) -> f64 {
        idf(self.documents, 1)
    }

    /// What several terms weigh together.
    pub(crate) fn weight(&self, ids: &[TermId]) -> f64 {
        ids.iter().map(|&id| self.weight_of(id)).sum()
    }

    /// Compares distinct terms with every document; `kin` are the asked one's kin, in their order.
    pub(crate) fn compare(&self, query: &[TermId], own: usize, kin: &[usize]) -> Match {
        SCORES.with_borrow_mut(|scores| {
            scores.clear();
            scores.resize(self.documents, 0.0);
            let mut whole = 0.0;
            for &id in query.iter().filter(|&&id| Self::is_known(id)) {
                whole += self.weight_of(id);
                for &(document, score) in &self.postings[id as usize] {
                    scores[document as usize] += score;
                }
            }
            let of_kin = kin.iter().filter(|&&document| document != own);
            let (best_kin, best_kin_document) = best(of_kin.map(|&document| (document, scores[document])));
            let is_other = |document: usize| document != own && kin.binary_search(&document).is_err();
            let (best_other, best_other_document) = best_of_blocks(scores, is_other);
            Match {
                own: scores.get(own).copied().map_or(0.0, f64::from),
                best_other: f64::from(best_other),
                best_other_document,
                best_kin: f64::from(best_kin),
                best_kin_document,
                whole,
            }
        })
    }

    /// The heaviest terms of a text come first: rarity times 1 + ln of how often the text says it.
    pub(crate) fn key_terms(&self, text: &str) -> KeyTerms {
        let mut ids = self.ids_in_order(text);
        ids.sort_unstable();
        let weigh = |same: &[TermId]| (same[0], self.weight_of(same[0]) * (1.0 + f64::ln(same.len() as f64)));
        let mut terms: Vec<(TermId, f64)> = ids.chunk_by(|a, b| a == b).map(weigh).collect();
        let name = |id: TermId| self.names.get(id as usize);
        terms.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| name(a.0).cmp(&name(b.0))));
        let whole = terms.iter().take(KEY_TERMS).map(|(_, weight)| weight).sum();
        KeyTerms { terms, whole }
    }
}

thread_local! {
    /// Scores of all documents, kept from one comparison to the next.
    static SCORES: std::cell::RefCell<Vec<f32>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// The first of the highest scores above 0.
fn best(scores: impl Iterator<Item = (usize, f32)>) -> (f32, Option<usize>) {
    let higher = |best: (f32, Option<usize>), (document, score): (usize, f32)| {
        if score > best.0 { (score, Some(document)) } else { best }
    };
    scores.fold((0.0, None), higher)
}

/// The same of those documents that count. Most blocks of documents have none as high as the best so far.
fn best_of_blocks(scores: &[f32], counts: impl Fn(usize) -> bool) -> (f32, Option<usize>) {
    const BLOCK: usize = 64;
    const LANES: usize = 16;
    let mut best = (0.0_f32, None);
    for (block, scores) in scores.chunks(BLOCK).enumerate() {
        let mut highest = [0.0_f32; LANES];
        for row in scores.chunks(LANES) {
            for (high, &score) in highest.iter_mut().zip(row) {
                *high = if score > *high { score } else { *high };
            }
        }
        if !highest.iter().any(|&high| high > best.0) {
            continue;
        }
        for (place, &score) in scores.iter().enumerate() {
            let document = block * BLOCK + place;
            if score > best.0 && counts(document) {
                best = (score, Some(document));
            }
        }
    }
    best
}

/// A record's distinct terms with their weights, the heaviest first.
#[derive(Debug)]
pub(crate) struct KeyTerms {
    terms: Vec<(TermId, f64)>,
    /// What the heaviest [`KEY_TERMS`] weigh together.
    whole: f64,
}

impl KeyTerms {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.terms.len()
    }

    /// The share of the key terms, by weight, that a text has; 1 where it has as much as the heaviest 20 of them
    /// weigh. Also the terms found, the heaviest first. `text` is in the order of ids.
    pub(crate) fn coverage(&self, text: &[TermId]) -> (f64, Vec<TermId>) {
        let found = || self.terms.iter().filter(|(id, _)| text.binary_search(id).is_ok());
        let covered = found().fold(0.0, |sum, (_, weight)| sum + weight);
        let share = if self.whole > 0.0 { (covered / self.whole).min(1.0) } else { 0.0 };
        (share, found().map(|(id, _)| *id).collect())
    }
}

/// Set in the numbers of terms that no document has.
const UNKNOWN: TermId = 1 << 31;

fn saturation(count: f64, relative_length: f64) -> f64 {
    count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * relative_length))
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
