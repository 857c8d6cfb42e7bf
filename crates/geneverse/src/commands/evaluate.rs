//! `evaluate`: grades of truth and form, BLEU, ROUGE-1 and identifiers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use geneverse_data::stage::{Found, finish, hash_file, look, read_json};
use geneverse_eval::index::GeneIndex;
use geneverse_eval::scores::{Scores, evaluate_file};
use serde_json::json;

use super::postprocess::read_index;
use crate::ui::Ui;

const STAGE: &str = "evaluate";

#[derive(Debug, Args)]
#[command(after_help = "\
A file holds answers of one task. An answer about a gene is true when it names the gene, states its major function so
that its own record is nearest among all genes of the database, and contradicts nothing in the record; its claims are
listed, each supported, contradicted or not in the record. Without --db the reference answers stand in for the records.
A protein's name is graded by the longest piece of it that the answer gives, a marker by the annotation's yes or no
(\"label\").

Example:
  geneverse evaluate answers.clean.jsonl --db genes.db --out scores.clean.json")]
pub(crate) struct EvaluateArgs {
    /// The answers, as written by `generate` or `postprocess`
    #[arg(value_name = "ANSWERS")]
    answers: PathBuf,
    /// The database, as made by `genes import`
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(args: &EvaluateArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let EvaluateArgs { answers, db, out } = args;
    let db_hash = db.as_deref().map(hash_file).transpose()?;
    let key = json!({"answers": hash_file(answers)?, "db": db_hash});
    let scores: Scores = match look(out, STAGE, &key)? {
        Found::Done(_) if out.is_file() => read_json(out)?,
        Found::Done(_) | Found::Unfinished => {
            let index = db.as_deref().map(read_index).transpose()?.unwrap_or_else(GeneIndex::default);
            let scores = evaluate_file(index, answers, out)?;
            finish(out, STAGE, key, json!({"n": scores.n, "average": scores.average}))?;
            scores
        }
    };
    ui.result(&scores, || text(out, &scores))?;
    Ok(ExitCode::SUCCESS)
}

fn text(out: &Path, scores: &Scores) -> String {
    let Scores { n, factual, structural, average, bleu, rouge1, identifiers, identifiers_right, .. } = scores;
    let right = identifiers_right.map_or_else(|| "–".to_owned(), |right| format!("{right:.3}"));
    format!(
        "{}: {n} answers\n  factual     {factual:.3}\n  structural  {structural:.3}\n  average     {average:.3}\n  \
         BLEU        {bleu:.3}\n  ROUGE-1     {rouge1:.3}\n  identifiers {right} right of {identifiers}\n{}",
        out.display(),
        claims_text(scores)
    )
}

/// What the answers' claims come to, where there are any.
fn claims_text(scores: &Scores) -> String {
    let Scores { claim_precision, claim_support, claim_recall, hallucinated_identifiers, .. } = scores;
    let Some(support) = claim_support else { return String::new() };
    let share = |share: &Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format!("{share:.3}"));
    format!(
        "  claims      {} right of those decided, {support:.3} of all; {} of the records' facts stated; {} of identifiers \
         hallucinated\n",
        share(claim_precision),
        share(claim_recall),
        share(hallucinated_identifiers)
    )
}
