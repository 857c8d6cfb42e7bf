//! The finetuning engine. The only crate that names candle.

pub mod config;
pub mod error;
mod ops;
mod rng;

pub use error::{ModelError, Result};
pub use ops::lora::Linear;
