//! What may be concluded from scores: correlation with p-values, bootstrap intervals, paired tests between two runs.
//!
//! Correlations and their p-values equal scipy's to 1e-9 (`tests/stats.rs`). What is random is drawn from a seed and a
//! place: the same numbers on any machine, with any number of threads.

pub mod correlation;
pub mod normal;
pub mod random;
pub mod rank_sum;
pub mod resample;
mod student;

/// Numbers from which nothing follows.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// Two lists that are no pairs.
    #[error("found {first} numbers in one list and {second} in the other, expected as many")]
    Lengths {
        /// Numbers in the first.
        first: usize,
        /// Numbers in the second.
        second: usize,
    },
    /// Too few for the question.
    #[error("found {found}, expected at least {needed}")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// All numbers of a list are equal: nothing can go with it.
    #[error(
        "all {n} numbers of the {which} list are {value}, expected some that differ: correlation is not defined"
    )]
    Constant {
        /// "first" or "second".
        which: &'static str,
        /// How many there are.
        n: usize,
        /// What they all are.
        value: f64,
    },
    /// Infinite, or not a number.
    #[error("number {place} of the {which} list is {value}, expected a finite one")]
    NotFinite {
        /// "first" or "second".
        which: &'static str,
        /// Its place, from 1.
        place: usize,
        /// What it is.
        value: f64,
    },
}
