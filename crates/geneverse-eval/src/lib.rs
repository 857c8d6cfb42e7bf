//! Answers to numbers. No tensors, no network.

pub mod claims;
pub mod facts;
pub mod form;
pub mod grade;
pub mod identifier;
pub mod index;
pub mod judge;
pub mod marker;
pub mod ngram;
pub mod postprocess;
pub mod prose;
pub mod protein;
pub mod report;
pub mod retrieval;
pub mod scores;
pub mod screen;
mod statements;
pub mod terms;
pub mod text;
