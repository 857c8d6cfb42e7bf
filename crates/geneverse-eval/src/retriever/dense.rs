//! Texts as dense vectors: by a model that is handed in, or from the words of the passages themselves.

use rayon::prelude::*;

use super::kept::{number, singles};
use crate::svd::{Effort, truncated};
use crate::vectorize::{TfIdf, Words, tf_idf, words_of};

/// Makes vectors of texts.
pub trait Encoder: Send + Sync {
    /// Numbers of a vector.
    fn width(&self) -> usize;
    /// (texts, width), one text after another.
    ///
    /// # Errors
    /// Why there are none, in words.
    fn encode(&self, texts: &[&str]) -> Result<Vec<f32>, String>;
    /// What it is.
    fn describe(&self) -> String;
    /// What it was made of, for another to be made of the same: nothing where it does not come from the passages.
    fn state(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// Latent semantic analysis: TF-IDF of the passages and its largest singular vectors. For want of a sentence encoder.
pub struct Latent {
    /// In their order.
    words: Vec<String>,
    idf: Vec<f64>,
    /// (words, rank); in single precision, as half of what is kept for a database of 58,000 genes.
    right: Vec<f32>,
    rank: usize,
}

/// Singular vectors that are kept; usual numbers are 100 to 300.
const RANK: usize = 128;

impl Latent {
    /// From the passages that are to be found.
    pub fn new(texts: &[&str]) -> Self {
        let settings = Words { sublinear: true, without_stop_words: true, ..Words::default() };
        let model = tf_idf(texts, settings);
        let svd = truncated(&model.matrix, RANK, Effort { powers: 2, ..Effort::default() });
        let right = svd.right.into_iter().map(|x| x as f32).collect();
        let TfIdf { words, idf, matrix: _ } = model;
        Self { words, idf, right, rank: svd.values.len() }
    }

    /// Names how the vectors are made: [`new`](Self::new) with other settings has another.
    pub fn kind() -> String {
        format!("latent semantic analysis 1, rank {RANK}")
    }

    /// Of what [`state`](Encoder::state) gave.
    ///
    /// # Errors
    /// Where it did not give this.
    pub fn from_state(state: &[u8]) -> Result<Self, String> {
        let wrong = || "does not hold the words that it should".to_owned();
        let (sizes, rest) = state.split_at_checked(16).ok_or_else(wrong)?;
        let (rank, count) = (number(&sizes[..8]), number(&sizes[8..]));
        if rank > RANK {
            return Err(wrong());
        }
        let (idf, rest) = rest.split_at_checked(count.checked_mul(8).ok_or_else(wrong)?).ok_or_else(wrong)?;
        let bytes = count.checked_mul(rank).and_then(|n| n.checked_mul(4)).ok_or_else(wrong)?;
        let (right, words) = rest.split_at_checked(bytes).ok_or_else(wrong)?;
        let eight = |bytes: &[u8]| bytes.try_into().map_or(f64::NAN, f64::from_le_bytes);
        let words = std::str::from_utf8(words).map_err(|_| wrong())?.lines().map(str::to_owned);
        let words: Vec<String> = words.collect();
        if words.len() != count {
            return Err(wrong());
        }
        Ok(Self { words, idf: idf.chunks_exact(8).map(eight).collect(), right: singles(right), rank })
    }
}

impl Encoder for Latent {
    fn width(&self) -> usize {
        self.rank
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<f32>, String> {
        let one = |text: &&str| -> Vec<f32> {
            let mut counts: std::collections::BTreeMap<usize, f64> = std::collections::BTreeMap::new();
            let lower = text.to_lowercase();
            for word in words_of(&lower) {
                if let Ok(column) = self.words.binary_search_by(|known| known.as_str().cmp(word)) {
                    *counts.entry(column).or_default() += 1.0;
                }
            }
            let mut vector = vec![0.0; self.rank];
            for (column, count) in counts {
                let weight = (1.0 + count.ln()) * self.idf[column];
                let row = &self.right[column * self.rank..(column + 1) * self.rank];
                vector.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * f64::from(*x));
            }
            vector.into_iter().map(|x| x as f32).collect()
        };
        Ok(texts.par_iter().map(one).collect::<Vec<_>>().concat())
    }

    fn describe(&self) -> String {
        format!("TF-IDF and {} singular vectors of the passages", self.rank)
    }

    fn state(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(16 + 8 * self.idf.len() + 4 * self.right.len());
        all.extend((self.rank as u64).to_le_bytes());
        all.extend((self.words.len() as u64).to_le_bytes());
        self.idf.iter().for_each(|x| all.extend(x.to_le_bytes()));
        self.right.iter().for_each(|x| all.extend(x.to_le_bytes()));
        all.extend(self.words.join("\n").bytes());
        all
    }
}

/// Rows at length 1; a row of zeros stays.
pub(super) fn normalised(mut vectors: Vec<f32>, width: usize) -> Vec<f32> {
    for row in vectors.chunks_mut(width.max(1)) {
        let length = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
        }
    }
    vectors
}
