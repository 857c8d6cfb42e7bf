//! Answers to numbers. No tensors, no network.

pub mod clusters;
mod draw;
pub mod embedding;
pub mod facts;
pub mod form;
pub mod grade;
pub mod identifier;
pub mod index;
pub mod leiden;
pub mod neighbors;
pub mod ngram;
pub mod postprocess;
mod product;
pub mod prose;
pub mod report;
pub mod retrieval;
pub mod scores;
pub mod screen;
pub mod sparse;
pub mod svd;
pub mod terms;
pub mod text;
pub mod umap;
pub mod vectorize;
