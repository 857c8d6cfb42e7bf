//! Model architectures, made of fused operations.

pub mod decoder;
mod grow;
