//! Answers to numbers. No tensors, no network.

pub mod identifier;
pub mod index;
pub mod postprocess;
pub mod prose;
pub mod text;
