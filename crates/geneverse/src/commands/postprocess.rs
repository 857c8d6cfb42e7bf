//! `postprocess`: identifiers and aliases in answers, put right from the database.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use geneverse_data::stage::{Found, finish, hash_file, look};
use geneverse_data::store::GeneStore;
use geneverse_eval::index::GeneIndex;
use geneverse_eval::postprocess::{RepairReport, edits_path, postprocess_file};
use serde_json::json;

use crate::ui::Ui;

const STAGE: &str = "postprocess";

#[derive(Debug, Args)]
#[command(after_help = "\
Identifiers (HGNC, Ensembl, OMIM, Entrez, Alliance, UniProt) that are not the gene's own are replaced or removed, and
so are wrong alias lists; nothing else changes. Every edit is listed in FILE.edits.jsonl. Answers about genes that
the database does not have stay as they are, and are counted.

Example:
  geneverse postprocess --db genes.db answers.jsonl --out answers.clean.jsonl")]
pub(crate) struct PostprocessArgs {
    /// The answers, as written by `generate`
    #[arg(value_name = "ANSWERS")]
    answers: PathBuf,
    /// The database, as made by `genes import`
    #[arg(long, value_name = "FILE", default_value = "genes.db")]
    db: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(args: &PostprocessArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let PostprocessArgs { answers, db, out } = args;
    let key = json!({"answers": hash_file(answers)?, "db": hash_file(db)?});
    let report = match look(out, STAGE, &key)? {
        Found::Done(manifest) if out.is_file() => serde_json::from_value(manifest.facts)?,
        Found::Done(_) | Found::Unfinished => {
            let report = postprocess_file(&read_index(db)?, answers, out)?;
            finish(out, STAGE, key, serde_json::to_value(&report)?)?;
            report
        }
    };
    ui.result(&report, || text(out, &report))?;
    Ok(ExitCode::SUCCESS)
}

/// Every gene of a database and its Gene Ontology, in memory.
pub(crate) fn read_index(db: &Path) -> anyhow::Result<GeneIndex> {
    Ok(GeneIndex::read(&GeneStore::open(db)?)?)
}

fn text(out: &Path, report: &RepairReport) -> String {
    let RepairReport { answers, repaired, edits, unknown, ambiguous } = report;
    let mut text = format!(
        "{}: {repaired} of {answers} answers repaired, {edits} edits (listed in {})\n",
        out.display(),
        edits_path(out).display()
    );
    for (symbols, why) in [(unknown, "not in the database"), (ambiguous, "an alias of several genes")] {
        if !symbols.is_empty() {
            let _ = writeln!(text, "  left alone, {why}: {}", symbols.join(", "));
        }
    }
    text
}
