//! `evaluate`: grades of truth and form, BLEU, ROUGE and identifiers.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use geneverse_data::stage::{Found, Manifest, finish, hash_file, look, manifest_path, read_json};
use geneverse_eval::index::GeneIndex;
use geneverse_eval::measure::Intervals;
use geneverse_eval::scores::{RULES, Scores, evaluate_file};
use geneverse_eval::text::Bleu;
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

BLEU is sacrebleu's (nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp) / 100, ROUGE rouge-score's F1 without stemming. In
brackets are the middle 95 % of 1000 bootstrap resamples of the answers: two runs whose brackets overlap may still differ,
`analyze compare` says whether.

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
    refuse_older(out)?;
    // A large database is hashed while it is read. Where the grades may be there already, it need not be read.
    let read = || db.as_deref().map(read_index).transpose();
    let new = !manifest_path(out).is_file();
    let (db_hash, early) =
        rayon::join(|| db.as_deref().map(hash_file).transpose(), || if new { read() } else { Ok(None) });
    let key = json!({"answers": hash_file(answers)?, "db": db_hash?, "rules": RULES});
    let scores: Scores = match look(out, STAGE, &key)? {
        Found::Done(_) if out.is_file() => read_json(out)?,
        Found::Done(_) | Found::Unfinished => {
            let index = match early? {
                Some(index) => Some(index),
                None => read()?,
            };
            let index = index.unwrap_or_else(GeneIndex::default);
            let scores = evaluate_file(index, answers, out)?;
            let signature = Bleu::default().signature(Some(1));
            let facts = json!({"n": scores.n, "average": scores.average, "bleu_signature": signature});
            finish(out, STAGE, key, facts)?;
            scores
        }
    };
    ui.result(&scores, || text(out, &scores))?;
    Ok(ExitCode::SUCCESS)
}

/// Scores by other rules are neither shown as finished nor overwritten.
fn refuse_older(out: &Path) -> anyhow::Result<()> {
    let path = manifest_path(out);
    if !path.is_file() {
        return Ok(());
    }
    let manifest: Manifest = read_json(&path)?;
    let then = manifest.key.get("rules").and_then(serde_json::Value::as_u64).unwrap_or(1);
    if manifest.stage == STAGE && then != u64::from(RULES) {
        bail!(
            "{}: found grades by the rules of version {then}, expected version {RULES}, with which they are not to be \
             compared; remove it to grade anew, or choose another --out",
            out.display()
        );
    }
    Ok(())
}

fn text(out: &Path, scores: &Scores) -> String {
    let Scores { n, factual, structural, average, bleu, rouge1, rouge2, rouge_l, intervals, .. } = scores;
    let mut text = format!("{}: {n} answers\n", out.display());
    let mut line = |name: &str, score: f64, interval: Option<[f64; 2]>| {
        let interval = interval.map(|[low, high]| format!(" [{low:.3}, {high:.3}]")).unwrap_or_default();
        let _ = writeln!(text, "  {name:<11} {score:.3}{interval}");
    };
    let of = |which: fn(&Intervals) -> [f64; 2]| intervals.as_ref().map(which);
    line("factual", *factual, of(|i| i.factual));
    line("structural", *structural, of(|i| i.structural));
    line("average", *average, of(|i| i.average));
    line("BLEU", *bleu, of(|i| i.bleu));
    line("ROUGE-1", *rouge1, of(|i| i.rouge1));
    for (name, score) in [("ROUGE-2", rouge2), ("ROUGE-L", rouge_l)] {
        score.iter().for_each(|score| line(name, *score, None));
    }
    let right = scores.identifiers_right.map_or_else(|| "–".to_owned(), |right| format!("{right:.3}"));
    let _ = writeln!(text, "  identifiers {right} right of {}", scores.identifiers);
    text.push_str(&claims_text(scores));
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_by_other_rules_are_refused_with_a_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("scores.json");
        assert!(refuse_older(&out).is_ok());
        finish(&out, STAGE, json!({"answers": "a", "db": null}), json!({})).unwrap();
        let error = refuse_older(&out).unwrap_err().to_string();
        let wanted = format!(
            "{}: found grades by the rules of version 1, expected version {RULES}, with which they are not to be compared; \
             remove it to grade anew, or choose another --out",
            out.display()
        );
        assert_eq!(error, wanted);
        finish(&out, STAGE, json!({"answers": "a", "db": null, "rules": RULES}), json!({})).unwrap();
        assert!(refuse_older(&out).is_ok());
    }
}
