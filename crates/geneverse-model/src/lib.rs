//! The finetuning engine: checkpoints in, adapters and answers out. The only crate that names candle.
//!
//! [`arch::decoder::Decoder`] is a model; [`batch`] turns examples into packs of tokens; [`train`] is the one
//! training loop; [`generate`] answers prompts, [`serving`] those that come at any time; [`embed`] makes vectors of texts;
//! [`merge`] makes one checkpoint of a model and its adapter, [`gguf`] a file for llama.cpp; [`pictures`] are what a LLaVA sees. `ops` holds the fused
//! operations and their reference.

pub mod adapter;
pub mod arch;
pub mod batch;
mod checkpoint;
pub mod config;
pub mod embed;
pub mod error;
pub mod families;
pub mod generate;
pub mod gguf;
pub mod heap;
pub mod memory;
pub mod merge;
mod ops;
pub mod optim;
pub mod pictures;
pub mod recipe;
mod rng;
pub mod run;
pub mod serving;
pub mod tokens;
pub mod train;
mod weights;

#[cfg(test)]
mod goldens;

pub use arch::decoder::Decoder;
pub use arch::llava::{Sight, TowerShape, new_llava};
pub use checkpoint::write_matrix;
pub use error::{ModelError, Result};
pub use weights::Precision;
