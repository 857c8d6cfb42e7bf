//! Model architectures, made of fused operations.

pub(crate) mod bert;
pub(crate) mod clip;
pub mod decoder;
pub(crate) mod device;
mod grow;
pub mod llava;
pub mod projector;
pub(crate) mod qwen;
