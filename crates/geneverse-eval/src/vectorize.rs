//! TF-IDF: texts as sparse vectors of words, a rare word weighing more than a common one.
//!
//! As scikit-learn's `TfidfVectorizer`, to the last digits:
//!
//! - *words* are runs of two or more letters, digits and `_` in the lower-cased text (`(?u)\b\w\w+\b`). What a letter
//!   is follows Unicode's `Alphabetic`, which counts the vowel signs of Indic scripts where Python's `\w` does not;
//! - *stop words* are the 318 English ones of the Glasgow information retrieval group, as scikit-learn has them;
//! - words in fewer than `least` or more than `most` of the texts are left out;
//! - a word that occurs `t` times in a text has the weight `t · idf`, or with `sublinear` `(1 + ln t) · idf`, and
//!   `idf = 1 + ln((1 + n) / (1 + d))` for a word that is in `d` of `n` texts;
//! - each text's vector is divided by its Euclidean length; one without words stays zero.
//!
//! Columns are the words in the order of their code points.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use crate::sparse::Sparse;

/// English words that say nothing by themselves.
const STOP_WORDS: &str = include_str!("vectorize/stop_words.txt");
/// Texts whose words are numbered together before all are joined; any number gives the same result.
const PIECE: usize = 512;

/// In how many texts a word is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// So many texts.
    Texts(usize),
    /// So large a share of the texts.
    Share(f64),
}

impl Limit {
    fn texts(self, all: usize) -> f64 {
        match self {
            Self::Texts(texts) => texts as f64,
            Self::Share(share) => share * all as f64,
        }
    }
}

/// How texts are turned into vectors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Words {
    /// The logarithm of how often a word occurs in a text, plus one, instead of that number.
    pub sublinear: bool,
    /// Leave English stop words out.
    pub without_stop_words: bool,
    /// Leave words out that are in fewer texts.
    pub least: Limit,
    /// Leave words out that are in more texts.
    pub most: Limit,
}

impl Default for Words {
    /// scikit-learn's: every word, as often as it occurs.
    fn default() -> Self {
        Self { sublinear: false, without_stop_words: false, least: Limit::Texts(1), most: Limit::Share(1.0) }
    }
}

/// Texts as vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct TfIdf {
    /// The word of each column.
    pub words: Vec<String>,
    /// How much each word weighs.
    pub idf: Vec<f64>,
    /// (texts, words); each row has length 1 or 0.
    pub matrix: Sparse,
}

/// Counts words and weighs them. No word at all gives a matrix without columns.
pub fn tf_idf<T: AsRef<str> + Sync>(texts: &[T], settings: Words) -> TfIdf {
    let stop: HashSet<&str> = match settings.without_stop_words {
        true => STOP_WORDS.split_whitespace().collect(),
        false => HashSet::new(),
    };
    let pieces: Vec<Piece> = texts.par_chunks(PIECE).map(|texts| Piece::count(texts, &stop)).collect();

    // Every word with the number of texts it is in.
    let mut texts_with: HashMap<&str, usize> = HashMap::new();
    for piece in &pieces {
        for (word, texts) in piece.words.iter().zip(&piece.texts_with) {
            *texts_with.entry(word).or_default() += texts;
        }
    }
    let n = texts.len();
    let (least, most) = (settings.least.texts(n), settings.most.texts(n));
    let mut kept: Vec<(&str, usize)> =
        texts_with.into_iter().filter(|(_, texts)| (least..=most).contains(&(*texts as f64))).collect();
    kept.sort_unstable();
    let place: HashMap<&str, u32> =
        kept.iter().enumerate().map(|(place, (word, _))| (*word, place as u32)).collect();
    let idf: Vec<f64> =
        kept.iter().map(|(_, texts)| ((1 + n) as f64 / (1 + texts) as f64).ln() + 1.0).collect();

    let weighed = |piece: &Piece| -> Vec<Vec<(u32, f64)>> {
        let places: Vec<Option<u32>> =
            piece.words.iter().map(|word| place.get(word.as_str()).copied()).collect();
        piece.counts.iter().map(|counts| weigh(counts, &places, &idf, settings.sublinear)).collect()
    };
    let rows: Vec<Vec<(u32, f64)>> = pieces.par_iter().flat_map_iter(weighed).collect();
    let matrix = Sparse::from_rows(idf.len(), &rows);
    let words = kept.iter().map(|(word, _)| (*word).to_owned()).collect();
    TfIdf { words, idf, matrix }
}

/// A text's vector from its words and how often each occurs.
fn weigh(counts: &[(u32, u32)], places: &[Option<u32>], idf: &[f64], sublinear: bool) -> Vec<(u32, f64)> {
    let weight = |times: u32| match sublinear {
        true => f64::from(times).ln() + 1.0,
        false => f64::from(times),
    };
    let mut row: Vec<(u32, f64)> = counts
        .iter()
        .filter_map(|(word, times)| {
            let place = places[*word as usize]?;
            Some((place, weight(*times) * idf[place as usize]))
        })
        .collect();
    row.sort_unstable_by_key(|(place, _)| *place);
    let length = row.iter().map(|(_, value)| value * value).sum::<f64>().sqrt();
    if length > 0.0 {
        row.iter_mut().for_each(|(_, value)| *value /= length);
    }
    row
}

/// Some texts with their words, numbered as they came.
struct Piece {
    words: Vec<String>,
    /// How many of these texts have each word.
    texts_with: Vec<usize>,
    /// For each text, its words and how often each occurs.
    counts: Vec<Vec<(u32, u32)>>,
}

impl Piece {
    fn count<T: AsRef<str>>(texts: &[T], stop: &HashSet<&str>) -> Self {
        let mut number: HashMap<String, u32> = HashMap::new();
        let mut piece = Self { words: Vec::new(), texts_with: Vec::new(), counts: Vec::new() };
        for text in texts {
            let lower = text.as_ref().to_lowercase();
            let mut found: Vec<u32> = Vec::new();
            for word in words_of(&lower).filter(|word| !stop.contains(word)) {
                let next = number.len() as u32;
                found.push(match number.get(word) {
                    Some(known) => *known,
                    None => {
                        number.insert(word.to_owned(), next);
                        piece.words.push(word.to_owned());
                        piece.texts_with.push(0);
                        next
                    }
                });
            }
            found.sort_unstable();
            let counts: Vec<(u32, u32)> =
                found.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect();
            counts.iter().for_each(|(word, _)| piece.texts_with[*word as usize] += 1);
            piece.counts.push(counts);
        }
        piece
    }
}

/// The words of a text, in its order: runs of two or more letters, digits and `_`.
pub fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|run| run.chars().nth(1).is_some())
}

#[cfg(test)]
mod tests;
