//! Answers to numbers. No tensors, no network.

pub mod agreement;
pub mod enrich;
pub mod facts;
pub mod figure;
pub mod form;
pub mod grade;
pub mod identifier;
pub mod index;
pub mod ngram;
pub mod postprocess;
pub mod prose;
pub mod report;
pub mod retrieval;
pub mod scores;
pub mod screen;
pub mod stats;
pub mod terms;
pub mod text;
