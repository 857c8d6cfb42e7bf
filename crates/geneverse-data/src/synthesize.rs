//! The stage `dataset synthesize`: a model's texts about genes, from an OpenAI-compatible endpoint.
//!
//! A model is asked to rephrase the record, or to describe the gene from the task's own question. Only protein-coding
//! genes are asked about: records of non-coding genes and pseudogenes are used as they are. Writes
//!
//! - `FILE`, a line for each text that may be learned from, in symbol order:
//!   `{"symbol":"GLI1","kind":"protein_coding","mode":"rephrase","model":"…","prompt":"…","text":"…","sampling":{…}}`;
//! - `FILE.rejected.jsonl`, a line for each answer that may not, with the reason;
//! - `FILE.manifest.json` last.
//!
//! Every answer goes into a cache as it comes (`cache.rs`), so that the same command goes on after whatever ended it, and
//! pays for nothing twice. What answers may cost is limited (`budget.rs`) and estimated before the first request. The
//! output is a function of the answers: how many were asked for at once, and in how many runs, does not matter.

mod ask;
mod budget;
pub(crate) mod cache;
mod plan;
mod question;
mod reject;
mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use ask::{Asked, Query, ask_all};
pub use budget::{Estimate, Limits, Prices, Range};
pub use plan::{Plan, Planned, plan};
pub use question::{Mode, Question};
pub use reject::{Reason, Rejection};
pub use run::Ended;

use crate::chat::{ChatError, Sampling};
use crate::gene::{GeneKind, GeneRecord};
use crate::stage::FileError;
use crate::store::StoreError;

/// The stage's name in manifests.
pub const STAGE: &str = "dataset synthesize";

/// What to ask, of whom, and about which genes.
#[derive(Debug, Clone)]
pub struct Synthesis {
    /// The gene database.
    pub db: PathBuf,
    /// The file to write.
    pub out: PathBuf,
    /// The folder of answers; beside the output where `None`.
    pub cache: Option<PathBuf>,
    /// The model's name at the endpoint.
    pub model: String,
    /// What it is asked for.
    pub mode: Mode,
    /// Only these genes (symbols, aliases or identifiers); all where `None`.
    pub symbols: Option<Vec<String>>,
    /// Genes that are not asked about: the test set.
    pub hold_out: Vec<String>,
    /// Leave out genes without a functional summary.
    pub only_with_summary: bool,
    /// At most so many genes, the first in symbol order.
    pub limit: Option<usize>,
    /// How answers are drawn; its seed chooses the phrasing of records too.
    pub sampling: Sampling,
    /// How often a question is asked again, with another seed, whose answer was rejected.
    pub retry_rejected: u32,
    /// How many questions may be under way at once.
    pub concurrency: usize,
    /// What the answers may cost.
    pub limits: Limits,
    /// Requests in a minute, where they are limited; for the estimate of time.
    pub requests_per_minute: Option<f64>,
    /// Finish without the genes whose question got no answer.
    pub skip_failed: bool,
    /// The version of the rules by which `check` judges.
    pub rules: u32,
}

/// Judges the text of an answer: the record, the question, the text.
pub type Check<'a> = &'a dyn Fn(&GeneRecord, &Question, &str) -> Result<(), Rejection>;

/// A line of the output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyntheticText {
    /// The gene.
    pub symbol: String,
    /// Its kind.
    pub kind: GeneKind,
    /// What was asked for.
    pub mode: Mode,
    /// Who wrote it.
    pub model: String,
    /// What was asked, without the words on how to behave.
    pub prompt: String,
    /// The text.
    pub text: String,
    /// How it was drawn.
    pub sampling: Sampling,
}

/// A line of the list of rejected answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedText {
    /// The gene.
    pub symbol: String,
    /// Which attempt it was, from 0.
    pub attempt: u32,
    /// The class of what is wrong.
    pub reason: Reason,
    /// What was found.
    pub detail: String,
    /// The answer, thoughts included.
    pub text: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SynthesisReport {
    /// Genes asked about.
    pub genes: usize,
    /// Texts written.
    pub accepted: usize,
    /// Genes without a text, by the reason for which their last answer was rejected.
    pub rejected: BTreeMap<Reason, usize>,
    /// Genes whose first answer was rejected and a later one was not.
    pub saved_by_retries: usize,
    /// Genes not asked about, by reason.
    pub not_asked: BTreeMap<String, usize>,
    /// Answers asked for in this run.
    pub asked: usize,
    /// Answers that were there from earlier runs.
    pub cached: usize,
    /// Tokens of the questions, those of earlier runs included.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
    /// Answers whose tokens are estimated, because the server did not count them.
    pub tokens_estimated: usize,
    /// What it cost in US dollars, where prices are known.
    pub cost: Option<f64>,
    /// Answers that began with thoughts, which were taken out.
    pub with_thoughts: usize,
    /// The models that answered, in the servers' words, and how often.
    pub models: BTreeMap<String, usize>,
    /// The endpoint's host; none was asked where all answers were there.
    pub endpoint: Option<String>,
    /// What the server does not know, and what was done instead.
    pub adjustments: Vec<String>,
    /// How long this run took.
    pub seconds: f64,
    /// The output was there already, made from the same input: nothing was done.
    #[serde(skip)]
    pub already_done: bool,
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub enum SynthesisError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The endpoint.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// What is asked for costs more than it may, before or after it began.
    #[error("{0}")]
    Budget(String),
    /// Some questions got no answer.
    #[error(
        "{failed} of {genes} questions got no answer, the last because of: {last}. All other answers are kept: the same \
         command asks these again, and with --skip-failed it finishes without them"
    )]
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        genes: usize,
        /// Why the last of them failed.
        last: String,
    },
    /// Nothing but failures for a while.
    #[error("{row} questions in a row got no answer, the last because of: {last}. The same command goes on")]
    Down {
        /// How many.
        row: usize,
        /// Why the last of them failed.
        last: String,
    },
}

/// Where the rejected answers of an output are listed.
pub fn rejected_path(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".rejected.jsonl");
    out.with_file_name(name)
}

#[cfg(test)]
mod tests;
