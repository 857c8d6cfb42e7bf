//! What can go wrong between a checkpoint folder and an answer.

use std::path::{Path, PathBuf};

use geneverse_data::stage::FileError;

/// An error of the engine. Names the file and the key, what was found, what was expected.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A configuration that this engine does not run, named by its field.
    #[error("{path}: {field} is {found}; expected {expected}")]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The field.
        field: String,
        /// Its value.
        found: String,
        /// What this engine runs.
        expected: String,
    },
    /// A checkpoint's tensors are not those of its configuration.
    #[error("{path}: {reason}")]
    Tensors {
        /// The checkpoint or adapter.
        path: PathBuf,
        /// Which tensor, what was found, what was expected.
        reason: String,
    },
    /// The data cannot be trained on or the run cannot go on.
    #[error("{0}")]
    Run(String),
    /// The tokenizer's own error.
    #[error("{path}: {reason}")]
    Tokenizer {
        /// The tokenizer file.
        path: PathBuf,
        /// The library's reason.
        reason: String,
    },
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

impl ModelError {
    /// An error about a checkpoint's tensors.
    pub(crate) fn tensors(path: &Path, reason: impl Into<String>) -> Self {
        Self::Tensors { path: path.to_owned(), reason: reason.into() }
    }
}

/// The engine's result.
pub type Result<T, E = ModelError> = std::result::Result<T, E>;
