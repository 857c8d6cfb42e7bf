//! Model architectures, made of fused operations.

pub mod decoder;
pub(crate) mod device;
mod grow;
