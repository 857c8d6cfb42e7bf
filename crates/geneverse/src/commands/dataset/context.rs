//! `dataset context`: a dataset whose questions come with records that were looked up, so that a model learns to read them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use geneverse_data::dataset::genes::example;
use geneverse_data::dataset::made_up::made_up;
use geneverse_data::dataset::{Example, read_examples, write_examples};
use geneverse_data::gene::GeneRecord;
use geneverse_data::stage::{Found, finish, hash_bytes, hash_file, look};
use geneverse_eval::retriever::{Found as Hit, Passage, Recipe, Why, ask, passages, tokens};
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
eight is left without. Training questions never show a record of a validation or test gene. A model trained on it is asked with `generate --retrieve` and the same recipe.

A small model that is finetuned on a few hundred genes remembers their answers and reads no record. --made-up adds training examples of genes that do not exist, whose records are drawn anew, so that the record is all there is to answer from. It learns most from one example a step and a rate that falls in a line (optim.batch_size=1, optim.schedule=linear).

Example:
  geneverse dataset context dataset --db genes.db --top-k 5 --out dataset-context
  geneverse dataset context dataset --db genes.db --made-up 1800 --context 320 --out dataset-context
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
    /// With --retrieve symbol: so many more training examples, of genes that are made up
    #[arg(long, value_name = "N", default_value_t = 0)]
    made_up: usize,
    /// Chooses what is made up, and how many records each question has
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
    /// Training examples of genes that are made up.
    #[serde(default)]
    made_up: usize,
    /// The longest input, in tokens of four characters.
    longest: usize,
}

pub(crate) fn run(args: ContextArgs, ui: &Ui) -> Result<ExitCode> {
    let ContextArgs { dataset, db, out, retrieve, top_k, chunk, context, embedder, made_up, seed } = args;
    let files: Vec<&str> = SPLITS.into_iter().filter(|name| dataset.join(name).is_file()).collect();
    if files.is_empty() {
        bail!("{}: found no {}, expected a dataset's folder", dataset.display(), SPLITS.join(", "));
    }
    if made_up > 0 && retrieve.recipe() != Recipe::Symbol {
        bail!("--made-up needs --retrieve symbol, whose form a record of a gene that is made up is given");
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
    let mut key =
        json!({"files": hashes, "db": hash_file(&lookup.db)?, "retrieve": lookup.key()?, "seed": seed});
    key["held_out"] = json!("no record in training");
    if made_up > 0 {
        key["made_up"] = json!(made_up);
    }
    let report = match look(&out, STAGE, &key)? {
        Found::Done(manifest) => serde_json::from_value(manifest.facts)?,
        Found::Unfinished => {
            let report = write(&dataset, &out, &files, &lookup, (made_up, seed), ui)?;
            finish(&out, STAGE, key, serde_json::to_value(&report)?)?;
            report
        }
    };
    ui.result(&report, || {
        let Report { out, files, named, with_records, made_up, longest } = &report;
        let files: Vec<String> = files.iter().map(|(name, count)| format!("{count} in {name}")).collect();
        let invented = match made_up {
            0 => String::new(),
            n => format!(", of which {n} are of genes that are made up"),
        };
        format!(
            "{}: {}{invented}\n  {named} of {with_records} questions with records have one of a gene that they name first; the longest \
             input has some {longest} tokens",
            out.display(),
            files.join(", ")
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn write(
    dataset: &Path,
    out: &Path,
    files: &[&str],
    lookup: &Lookup,
    (made_up, seed): (usize, u64),
    ui: &Ui,
) -> Result<Report> {
    let retriever = lookup.open(ui)?;
    let mut report = Report { out: out.to_owned(), made_up, ..Report::default() };
    let splits: Vec<(&str, Vec<Example>)> =
        files.iter().map(|name| Ok((*name, read_examples(&dataset.join(name))?))).collect::<Result<_>>()?;
    let is_training = |name: &str| name == SPLITS[0];
    let held_out: BTreeSet<String> = splits
        .iter()
        .filter(|(name, _)| !is_training(name))
        .flat_map(|(_, examples)| examples.iter().map(|example| example.subject.clone()))
        .collect();
    let none = BTreeSet::new();
    for (name, split) in &splits {
        let left_out = if is_training(name) { &held_out } else { &none };
        let mut examples: Vec<Example> = Vec::new();
        for example in split {
            let count = count(&example.id, lookup.top_k, seed);
            let (asked, sources) = lookup.ask(&retriever, example, count, left_out)?;
            report.with_records += usize::from(!sources.is_empty());
            report.named += usize::from(sources.first().is_some_and(|source| source.named));
            examples.push(asked);
        }
        if is_training(name) {
            let known: BTreeSet<&str> = split.iter().map(|example| example.subject.as_str()).collect();
            let genes = retriever.index().genes().iter();
            let real: Vec<&GeneRecord> = genes.filter(|gene| known.contains(gene.symbol.as_str())).collect();
            examples.extend(of_made_up(&real, lookup, made_up, seed));
        }
        let longest = examples.iter().map(|example| tokens(&example.input)).max().unwrap_or_default();
        report.longest = report.longest.max(longest);
        write_examples(&out.join(name), &examples)?;
        report.files.push(((*name).to_owned(), examples.len()));
    }
    Ok(report)
}

/// Examples of genes that do not exist: the gene's own record first, as it is found by its symbol, and behind it any others.
fn of_made_up(real: &[&GeneRecord], lookup: &Lookup, wanted: usize, seed: u64) -> Vec<Example> {
    let made = made_up(real, wanted, seed);
    let all: Vec<&GeneRecord> = real.iter().copied().chain(&made).collect();
    let cut = |record: &GeneRecord| passages(record, lookup.recipe.form(), lookup.chunk);
    made.iter()
        .map(|record| {
            let example = example(record, seed);
            let count = count(&example.id, lookup.top_k, seed);
            let other = |number: usize| {
                let hash = drawn(&format!("{seed}\0{number}\0{}", example.id));
                cut(all[(hash % all.len() as u64) as usize])
            };
            let shown: Vec<Passage> = cut(record)
                .into_iter()
                .chain((1..count).flat_map(other).filter(|passage| passage.symbol != record.symbol.as_str()))
                .take(count)
                .collect();
            let found: Vec<Hit<'_>> =
                shown.iter().map(|passage| Hit { passage, why: Why::Named, score: 1.0 }).collect();
            ask(&example, &found, lookup.recipe, lookup.context)
        })
        .collect()
}

fn drawn(text: &str) -> u64 {
    u64::from_str_radix(&hash_bytes(text.as_bytes())[..12], 16).unwrap_or_default()
}

/// How many records an example has: drawn from its id.
fn count(id: &str, most: usize, seed: u64) -> usize {
    let drawn = drawn(&format!("{seed}\0{id}"));
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
