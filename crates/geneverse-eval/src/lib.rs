//! Answers to numbers. No tensors, no network.
