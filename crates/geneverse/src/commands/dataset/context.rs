//! `dataset context`: a dataset whose questions come with records that were looked up, so that a model learns to read them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use geneverse_data::dataset::{Example, read_examples, write_examples};
use geneverse_data::stage::{Found, finish, hash_bytes, hash_file, look};
use geneverse_eval::retriever::tokens;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::{Lookup, RetrieveArg};
use crate::ui::Ui;

const STAGE: &str = "dataset context";
const SPLITS: [&str; 3] = ["train.json", "validation.json", "test.json"];
/// One question in so many is left without records, so that a model asked without any answers still.
const BARE: u64 = 8;

#[derive(Debug, Args)]
#[command(after_help = "\
Reads train.json, validation.json and test.json of a dataset and writes them with the records found for each question: from \
none to --top-k of them, drawn for each example, so that the form of an answer does not hang on how many there are. One in \
eight is left without. A model trained on it is asked with `generate --retrieve` and the same recipe.

Example:
  geneverse dataset context dataset --db genes.db --top-k 5 --out dataset-context
  geneverse train recipes/lora-genes.toml --set data.train=dataset-context/train.json --out runs/with-context")]
pub(crate) struct ContextArgs {
    /// The dataset's folder
    #[arg(value_name = "DIR")]
    dataset: PathBuf,
    /// The gene database, as made by `genes import`
    #[arg(long, value_name = "FILE", default_value = "genes.db")]
    db: PathBuf,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How records are looked up
    #[arg(long, value_enum, value_name = "RECIPE", default_value = "symbol")]
    retrieve: RetrieveArg,
    /// At most so many passages for a question
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=50))]
    top_k: u64,
    /// The length of a passage in tokens, of four characters each
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u64).range(16..))]
    chunk: u64,
    /// With --retrieve symbol: the longest input in tokens of four characters
    #[arg(long, value_name = "N", default_value_t = 512)]
    context: usize,
    /// A model whose vectors passages are found by [default: TF-IDF and singular vectors]
    #[arg(long, value_name = "DIR")]
    embedder: Option<PathBuf>,
    /// Chooses how many records each question has
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Report {
    out: PathBuf,
    /// Examples by file.
    files: Vec<(String, usize)>,
    /// Of all questions with records, those whose first is of a gene that they name.
    named: usize,
    with_records: usize,
    /// The longest input, in tokens of four characters.
    longest: usize,
}

pub(crate) fn run(args: ContextArgs, ui: &Ui) -> Result<ExitCode> {
    let ContextArgs { dataset, db, out, retrieve, top_k, chunk, context, embedder, seed } = args;
    let files: Vec<&str> = SPLITS.into_iter().filter(|name| dataset.join(name).is_file()).collect();
    if files.is_empty() {
        bail!("{}: found no {}, expected a dataset's folder", dataset.display(), SPLITS.join(", "));
    }
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let lookup = Lookup {
        db,
        recipe: retrieve.recipe(),
        top_k: number(top_k),
        chunk: number(chunk),
        context,
        embedder,
    };
    let hashes: Vec<_> = files.iter().map(|name| hash_file(&dataset.join(name))).collect::<Result<_, _>>()?;
    let key = json!({"files": hashes, "db": hash_file(&lookup.db)?, "retrieve": lookup.key()?, "seed": seed});
    let report = match look(&out, STAGE, &key)? {
        Found::Done(manifest) => serde_json::from_value(manifest.facts)?,
        Found::Unfinished => {
            let report = write(&dataset, &out, &files, &lookup, seed, ui)?;
            finish(&out, STAGE, key, serde_json::to_value(&report)?)?;
            report
        }
    };
    ui.result(&report, || {
        let Report { out, files, named, with_records, longest } = &report;
        let files: Vec<String> = files.iter().map(|(name, count)| format!("{count} in {name}")).collect();
        format!(
            "{}: {}\n  {named} of {with_records} questions with records have one of a gene that they name first; the longest \
             input has some {longest} tokens",
            out.display(),
            files.join(", ")
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn write(dataset: &Path, out: &Path, files: &[&str], lookup: &Lookup, seed: u64, ui: &Ui) -> Result<Report> {
    let retriever = lookup.open(ui)?;
    let mut report = Report { out: out.to_owned(), ..Report::default() };
    for name in files {
        let mut examples: Vec<Example> = Vec::new();
        for example in read_examples(&dataset.join(name))? {
            let count = count(&example.id, lookup.top_k, seed);
            let (asked, sources) = lookup.ask(&retriever, &example, count)?;
            report.with_records += usize::from(!sources.is_empty());
            report.named += usize::from(sources.first().is_some_and(|source| source.named));
            report.longest = report.longest.max(tokens(&asked.input));
            examples.push(asked);
        }
        write_examples(&out.join(name), &examples)?;
        report.files.push(((*name).to_owned(), examples.len()));
    }
    Ok(report)
}

/// How many records an example has: drawn from its id.
fn count(id: &str, most: usize, seed: u64) -> usize {
    let hash = hash_bytes(format!("{seed}\0{id}").as_bytes());
    let drawn = u64::from_str_radix(&hash[..12], 16).unwrap_or_default();
    if drawn.is_multiple_of(BARE) { 0 } else { 1 + (drawn / BARE) as usize % most.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_drawn_from_none_to_the_most_and_the_same_each_time() {
        let mut seen = [0_usize; 6];
        for n in 0..4000 {
            let id = format!("gene-{n}");
            seen[count(&id, 5, 1)] += 1;
            assert_eq!(count(&id, 5, 1), count(&id, 5, 1));
        }
        assert!((400..600).contains(&seen[0]), "{seen:?}");
        assert!(seen[1..].iter().all(|n| (600..800).contains(n)), "{seen:?}");
    }
}
