//! `dataset inspect`: what a file of examples is like, and what of one is in another.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use geneverse_data::dataset::compare::{Finding, Leakage};
use geneverse_data::dataset::describe::{Description, Lengths};
use geneverse_data::dataset::inspect::{Inspection, Set, inspect, read_sets};
use geneverse_data::dataset::near::NEAR;
use geneverse_data::dataset::retrieval::{Overlap, RetrievalScores};
use geneverse_data::prompt::Template;
use geneverse_eval::facts::GeneGrader;
use geneverse_eval::retrieval::score;
use geneverse_model::tokens::Tokenizer;
use serde::Serialize;

use crate::commands::postprocess::read_index;
use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Reads Alpaca, ShareGPT, messages, and prompt with completion, as a JSON array or JSON Lines. With a dataset's folder, or with \
two files, it measures what of the later sets is in the first (the same text but for names and numbers, nearly the same \
text, the same gene, the same HGNC group), and what looking up the nearest answer of the first set would score on them.

Examples:
  geneverse dataset inspect dataset --db genes.db
  geneverse dataset inspect train.json benchmark.jsonl --model models/geneverse-nano")]
pub(crate) struct InspectArgs {
    /// A file of examples, or a dataset's folder
    #[arg(value_name = "FILE|DIR")]
    first: PathBuf,
    /// Another file, asked of a model that learned from the first
    #[arg(value_name = "FILE")]
    second: Option<PathBuf>,
    /// The database, as made by `genes import`: aliases, kinds, groups and names of genes are known then
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Count tokens too, with this model's tokenizer and the Alpaca template
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    inspection: Inspection,
    /// Tokens of question and answer, for each set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<Lengths>,
}

pub(crate) fn run(args: InspectArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let InspectArgs { first, second, db, model } = args;
    let paths: Vec<PathBuf> = std::iter::once(first).chain(second).collect();
    let sets = read_sets(&paths, db.as_deref())?;
    let tokens = match &model {
        Some(folder) => {
            let tokenizer = Tokenizer::read(folder)?;
            sets.iter().map(|set| token_lengths(&tokenizer, set)).collect::<anyhow::Result<_>>()?
        }
        None => Vec::new(),
    };
    let grader = match &db {
        Some(db) if sets.len() > 1 => Some(GeneGrader::new(read_index(db)?)),
        _ => None,
    };
    let inspection =
        inspect(&sets, db.is_some(), Some(&|train, asked| score(train, asked, grader.as_ref())), ui);
    let report = Report { inspection, tokens };
    ui.result(&report, || text(&report))?;
    Ok(ExitCode::SUCCESS)
}

fn token_lengths(tokenizer: &Tokenizer, set: &Set) -> anyhow::Result<Lengths> {
    let length = |example: &geneverse_data::dataset::Example| -> anyhow::Result<usize> {
        let prompt = Template::Alpaca.render(&example.instruction, &example.input);
        Ok(tokenizer.encode_pair(&prompt, &example.output)?.0.len())
    };
    set.examples.iter().map(length).collect()
}

fn text(report: &Report) -> String {
    let Inspection { sets, leakage, retrieval } = &report.inspection;
    let mut text = String::new();
    for (index, set) in sets.iter().enumerate() {
        let Description { examples, genes, words, characters, .. } = &set.description;
        let path = set.path.display().to_string();
        let path = if path == set.name { String::new() } else { format!(" ({path})") };
        let unknown = set.unknown_genes.filter(|unknown| *unknown > 0);
        let unknown =
            unknown.map(|n| format!(", {n} examples about no gene of the database")).unwrap_or_default();
        let _ = writeln!(text, "{}{path}: {examples} examples about {genes} genes{unknown}", set.name);
        let mut row = |what: &str, Lengths { least, median, mean, p95, most }: &Lengths| {
            let _ = writeln!(
                text,
                "  {what:<11} {least} to {most}, median {median}, mean {mean:.0}, 95 % up to {p95}"
            );
        };
        row("words", words);
        row("characters", characters);
        report.tokens.get(index).iter().for_each(|tokens| row("tokens", tokens));
        text.push_str(&description_text(&set.description));
        text.push('\n');
    }
    text.push_str(&leakage_text(leakage));
    text.push_str(&retrieval_text(retrieval));
    text
}

fn description_text(description: &Description) -> String {
    let mut text = String::new();
    let mut kinds: Vec<(&String, &usize)> = description.kinds.iter().collect();
    kinds.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let kinds: Vec<String> = kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let _ = writeln!(text, "  kinds       {}", kinds.join(", "));
    text.push_str(&duplicates_text(description));
    for odd in &description.suspicious {
        let _ = writeln!(text, "  looks wrong {} × {} ({})", odd.count, odd.what, odd.ids.join(", "));
    }
    text
}

/// What occurs more than once in a set, and its largest clusters.
pub(super) fn duplicates_text(description: &Description) -> String {
    let d = &description.duplicates;
    let mut text = String::new();
    for (count, what) in [
        (d.rows, "rows equal an earlier one"),
        (d.questions, "rows have an earlier one's question and another answer"),
        (d.answers, "answers equal an earlier one"),
        (d.same_text, "answers equal an earlier one but for names and numbers"),
        (d.without_content, "answers say only who the gene is, and are not compared"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "  {count} {what}");
        }
    }
    if d.clusters > 0 {
        let _ = writeln!(
            text,
            "  {} clusters of nearly the same text, {} answers more than one of each; the largest:",
            d.clusters, d.near
        );
    }
    for cluster in &d.largest {
        let first: Vec<&str> = cluster.ids.iter().take(2).map(String::as_str).collect();
        let _ = writeln!(
            text,
            "    {:>5} in {} texts ({}, …): {}",
            cluster.examples,
            cluster.texts,
            first.join(", "),
            cluster.begins
        );
    }
    text
}

/// The table of leakage, with examples.
pub(super) fn leakage_text(leakage: &[Leakage]) -> String {
    if leakage.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "leakage: how many have in another set …\n  {:<34} {:>15} {:>15} {:>15} {:>15}\n",
        "", "the same text", "nearly", "the same gene", "the same group"
    );
    let cell = |finding: &Finding| format!("{} ({:.1} %)", finding.count, 100.0 * finding.share);
    for Leakage { from, into, examples, same_text, near, same_gene, same_group } in leakage {
        let _ = writeln!(
            text,
            "  {:<34} {:>15} {:>15} {:>15} {:>15}",
            format!("{into} ({examples}) in {from}"),
            cell(same_text),
            cell(near),
            cell(same_gene),
            same_group.as_ref().map_or("not known".to_owned(), cell)
        );
    }
    for leak in leakage {
        let found = [
            ("the same text as", Some(&leak.same_text)),
            ("nearly the text of", Some(&leak.near)),
            ("the gene of", Some(&leak.same_gene)),
            ("a relative of", leak.same_group.as_ref()),
        ];
        for (what, finding) in found {
            let shown = finding.map(|finding| finding.shown.as_slice()).unwrap_or_default();
            let pairs: Vec<String> =
                shown.iter().take(3).map(|[into, from]| format!("{into} {what} {from}")).collect();
            if !pairs.is_empty() {
                let _ = writeln!(text, "  {} in {}: {}", leak.into, leak.from, pairs.join("; "));
            }
        }
    }
    let _ = writeln!(
        text,
        "  (nearly: a Jaccard index of runs of five words of at least {NEAR}, equal texts apart)"
    );
    text
}

/// The table of what retrieval scores.
pub(super) fn retrieval_text(retrieval: &[RetrievalScores]) -> String {
    if retrieval.is_empty() {
        return String::new();
    }
    let function = retrieval.iter().any(|scores| scores.by_question.function.is_some());
    let mut text = format!(
        "retrieval alone: each question answered with a training answer as it stands\n  {:<40} {:>7} {:>7}{}\n",
        "",
        "BLEU",
        "ROUGE-1",
        if function { "   states the function" } else { "" }
    );
    for RetrievalScores { split, scored, of, by_question, by_name, best } in retrieval {
        let sampled = if scored < of { format!(" (a sample of {scored})") } else { String::new() };
        let _ = writeln!(text, "  {split}{sampled}");
        let mut row = |what: &str, Overlap { bleu, rouge1, function }: &Overlap| {
            let function = function.map(|share| format!("{share:>22.3}")).unwrap_or_default();
            let _ = writeln!(text, "    {what:<38} {bleu:>7.3} {rouge1:>7.3}{function}");
        };
        row("nearest to the question", by_question);
        by_name.iter().for_each(|scores| row("nearest to the question with the name", scores));
        row("most overlap with the reference", best);
    }
    text
}
