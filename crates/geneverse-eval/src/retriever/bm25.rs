//! BM25 over the words of passages (Robertson and Zaragoza 2009), symbols being words as they are written.
//!
//! The database has an index of its own, of whole records ([`GeneStore::search`](geneverse_data::store::GeneStore::search));
//! passages are parts of them and need theirs.

use std::collections::HashMap;

/// Usual values.
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// An index of passages by their words.
pub(super) struct Bm25 {
    postings: HashMap<String, Vec<(u32, f64)>>,
    passages: usize,
}

impl Bm25 {
    pub(super) fn new(texts: &[&str]) -> Self {
        let counted: Vec<(usize, HashMap<String, u32>)> = texts
            .iter()
            .map(|text| {
                let (mut counts, mut length) = (HashMap::new(), 0);
                for word in words(text) {
                    *counts.entry(word).or_insert(0) += 1;
                    length += 1;
                }
                (length, counts)
            })
            .collect();
        let total: usize = counted.iter().map(|(length, _)| length).sum();
        let average = (total as f64 / texts.len().max(1) as f64).max(1.0);
        let mut postings: HashMap<String, Vec<(u32, f64)>> = HashMap::new();
        for (place, (length, counts)) in counted.into_iter().enumerate() {
            let norm = K1 * (1.0 - B + B * length as f64 / average);
            for (word, count) in counts {
                let count = f64::from(count);
                postings.entry(word).or_default().push((place as u32, count * (K1 + 1.0) / (count + norm)));
            }
        }
        Self { postings, passages: texts.len() }
    }

    /// The best passages, at most `k`.
    pub(super) fn best(&self, query: &str, k: usize) -> Vec<usize> {
        let mut scores = vec![0.0; self.passages];
        let mut asked: Vec<String> = words(query).collect();
        asked.sort_unstable();
        asked.dedup();
        for postings in asked.iter().filter_map(|word| self.postings.get(word)) {
            let (all, with) = (self.passages as f64, postings.len() as f64);
            let idf = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
            for (place, weight) in postings {
                scores[*place as usize] += idf * weight;
            }
        }
        let mut places: Vec<usize> = (0..self.passages).filter(|place| scores[*place] > 0.0).collect();
        places.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
        places.truncate(k);
        places
    }
}

/// Words in small letters; what hangs together by a hyphen or a full stop is one (`hla-a`), and its parts are not.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '.'))
        .map(|word| word.trim_matches(['-', '.']).to_lowercase())
        .filter(|word| !word.is_empty())
}
