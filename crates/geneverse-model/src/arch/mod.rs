//! Model architectures, made of fused operations.

pub(crate) mod bert;
pub mod decoder;
pub(crate) mod device;
mod grow;
