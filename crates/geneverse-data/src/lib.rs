//! Gene records: from public files to instruction data.
//!
//! Bytes in, examples out. No tensors. The network is reached through [`http`] alone, by the commands that are named
//! for it; parsers never touch it. Every parser returns records *and* the rows it skipped with file, line and reason,
//! because bad records are data too.

pub mod annotation;
pub mod answers;
pub mod chat;
pub mod dataset;
pub mod draw;
pub mod embeddings;
pub mod fetch;
pub mod gene;
pub mod http;
pub mod import;
pub mod ontology;
pub mod picture;
pub mod progress;
pub mod prompt;
pub mod provenance;
pub mod render;
mod seeded;
pub mod sentences;
pub mod sources;
pub mod stage;
pub mod store;
pub mod structure;
pub mod synthesize;
#[cfg(test)]
mod testing;
pub mod texts;
mod threads;
pub mod tissue;
