//! Answers to numbers. No tensors, no network.

pub mod text;
