//! Texts as dense vectors: by a model that is handed in, or from the words of the passages themselves.

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
}

/// Latent semantic analysis: TF-IDF of the passages and its largest singular vectors. For want of a sentence encoder.
pub struct Latent {
    model: TfIdf,
    /// (words, rank).
    right: Vec<f64>,
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
        Self { rank: svd.values.len(), right: svd.right, model }
    }
}

impl Encoder for Latent {
    fn width(&self) -> usize {
        self.rank
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<f32>, String> {
        let mut out = Vec::with_capacity(texts.len() * self.rank);
        for text in texts {
            let mut counts: std::collections::BTreeMap<usize, f64> = std::collections::BTreeMap::new();
            let lower = text.to_lowercase();
            for word in words_of(&lower) {
                if let Ok(column) = self.model.words.binary_search_by(|known| known.as_str().cmp(word)) {
                    *counts.entry(column).or_default() += 1.0;
                }
            }
            let mut vector = vec![0.0; self.rank];
            for (column, count) in counts {
                let weight = (1.0 + count.ln()) * self.model.idf[column];
                let row = &self.right[column * self.rank..(column + 1) * self.rank];
                vector.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x);
            }
            out.extend(vector.into_iter().map(|x| x as f32));
        }
        Ok(out)
    }

    fn describe(&self) -> String {
        format!("TF-IDF and {} singular vectors of the passages", self.rank)
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
