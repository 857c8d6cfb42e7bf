//! `quickstart`: a whole pipeline, offline, on the bundled base model: of genes on the bundled records (here), of markers and
//! proteins on pictures of the laboratory (`quickstart/seeing.rs`).
//!
//! ```text
//! OUT/records.jsonl → OUT/genes.db → OUT/dataset/ → OUT/finetuned/{adapter,metrics.jsonl}
//!   → OUT/{base,finetuned}/answers.{seen,held-out}[.clean].jsonl → …/scores.….json → OUT/report.html
//! ```
//!
//! Every arrow is the stage of a command of its own, so a second run finds the finished ones finished.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use geneverse_data::dataset::genes::{GenesDataset, genes_scored};
use geneverse_data::dataset::{Example, read_examples, write_examples};
use geneverse_data::import::{ImportFiles, import};
use geneverse_data::progress::Progress;
use geneverse_data::stage::{atomic_write, hash_bytes};
use geneverse_eval::postprocess::postprocess_file;
use geneverse_eval::report::{Collect, Row, collect, render, table_row};
use geneverse_eval::scores::evaluate_file;
use geneverse_model::heap::peak_rss_mib;
use geneverse_model::recipe::Recipe;
use serde::Serialize;

use crate::answer::AnswerArgs;
use crate::bundled;
use crate::commands::generate::{self, GenerateArgs};
use crate::commands::postprocess::read_index;
use crate::commands::report::run_of;
use crate::commands::train::{Resume, finetune};
use crate::stop;
use crate::ui::Ui;

mod questions;
mod seeing;

/// What is learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TaskArg {
    /// To describe genes, on the bundled records
    Gene,
    /// To say whether a gene marks a cell type, on pictures of a simulated tissue
    Marker,
    /// To name a protein, on pictures of ideal folds
    Protein,
}

/// Arguments of `quickstart`.
#[derive(Debug, Args)]
#[command(after_help = "\
Run it again and finished steps are skipped; interrupt it with Ctrl-C and it goes on where it was.

Examples:
  geneverse quickstart --out geneverse-quickstart
  geneverse quickstart --task marker --out marker-quickstart
  geneverse quickstart --task protein --out protein-quickstart
  geneverse quickstart --task marker --with my-markers --out my-quickstart")]
pub(crate) struct QuickstartArgs {
    /// What is learnt
    #[arg(long, value_enum, value_name = "TASK", default_value_t = TaskArg::Gene)]
    task: TaskArg,
    /// The folder for everything that is made
    #[arg(long, default_value = "geneverse-quickstart")]
    out: PathBuf,
    /// How many genes of each split are asked about; of pictures, how many that were learnt from (of those held out, all)
    /// [default: 20, and 60 of pictures]
    #[arg(long, value_name = "N")]
    questions: Option<usize>,
    /// Passes over the training examples [default: those of recipes/quickstart.toml, or quickstart-marker.toml, …]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Also learn from this dataset of your own, made by `dataset markers --dark` or `dataset proteins`, and answer
    /// what it holds out
    #[arg(long, value_name = "DIR")]
    with: Option<PathBuf>,
}

/// The splits that are asked about: a file's name part, and what it is called.
const SPLITS: [(&str, &str); 2] = [("seen", "genes seen in finetuning"), ("held-out", "genes held out")];

/// What a quickstart ends with.
#[derive(Debug, Serialize)]
struct Summary {
    splits: Vec<Split>,
    meaning: Vec<String>,
    report: PathBuf,
    seconds: f64,
    peak_rss_mib: u64,
}

#[derive(Debug, Serialize)]
struct Split {
    name: String,
    rows: Vec<Row>,
}

/// Runs `quickstart`.
pub(crate) fn run(args: &QuickstartArgs, ui: &Ui) -> Result<ExitCode> {
    match args.task {
        TaskArg::Gene if args.with.is_some() => {
            bail!("--with takes pictures, and the task is gene; say --task marker or --task protein")
        }
        TaskArg::Gene => genes(args, ui),
        TaskArg::Marker => seeing::run(args, seeing::Seeing::Marker, ui),
        TaskArg::Protein => seeing::run(args, seeing::Seeing::Protein, ui),
    }
}

fn genes(args: &QuickstartArgs, ui: &Ui) -> Result<ExitCode> {
    let begun = Instant::now();
    stop::listen();
    let out = &args.out;
    let step = |number: usize, what: &str| ui.note(&format!("[{number}/6] {what}"));

    step(1, "records → database");
    let (records, db) = (out.join("records.jsonl"), out.join("genes.db"));
    bundled::write_records(&records)?;
    let files = ImportFiles { records: Some(records), out: db.clone(), ..ImportFiles::default() };
    let imported = import(&files, ui)?;
    ui.note(&format!("  {} genes in {}", imported.genes, db.display()));

    step(2, "database → instruction data");
    let dataset = out.join("dataset");
    let report = genes_scored(
        &GenesDataset {
            db: db.clone(),
            out: dataset.clone(),
            hold_out: bundled::PAPER_GENES.map(str::to_owned).to_vec(),
            validation_size: 15,
            seed: 42,
            ..GenesDataset::default()
        },
        Some(&|train, asked| geneverse_eval::retrieval::score(train, asked, None)),
        ui,
    )?;
    ui.note(&format!(
        "  {} examples to train on, {} to validate, {} genes held out",
        report.train, report.validation, report.test
    ));
    let questions = questions(&dataset, out, args.questions.unwrap_or(20))?;

    step(3, "base model + instruction data → LoRA adapter");
    let model = out.join("base-model");
    bundled::write_model(&model)?;
    let finetuned = out.join("finetuned");
    let trained = finetune(&recipe(args, &model, &dataset)?, &finetuned, Resume::Same, ui)?;
    if !trained.outcome.finished {
        return interrupted(ui);
    }

    step(4, "questions → answers");
    for (run, adapter) in [("base", None), ("finetuned", Some(trained.result.clone()))] {
        for ((split, _), prompts) in SPLITS.iter().zip(&questions) {
            let ask = GenerateArgs {
                by: AnswerArgs {
                    model: Some(model.display().to_string()),
                    adapter: adapter.clone(),
                    prompt: Some("plain".into()),
                    max_new_tokens: 768,
                    name: Some(run.to_owned()),
                    ..AnswerArgs::default()
                },
                prompts: prompts.clone(),
                out: out.join(run).join(format!("answers.{split}.jsonl")),
                stream: false,
                limit: None,
            };
            if !generate::answer_all(&ask, ui)?.finished {
                return interrupted(ui);
            }
        }
    }

    step(5, "answers → repaired answers → grades");
    let mut splits = Vec::new();
    for (split, name) in SPLITS {
        splits.push(Split { name: name.to_owned(), rows: grade(out, &db, split)? });
    }

    step(6, "grades → report");
    let meaning = meaning(&splits);
    let runs = [out.join("base"), finetuned].map(run_of).to_vec();
    let mut page = collect(&Collect { runs, dataset: Some(dataset), ..Collect::default() }, ui)?;
    page.title = "Geneverse quickstart".to_owned();
    page.summary.clone_from(&meaning);
    for table in &mut page.splits {
        table.note = match table.name.as_str() {
            "seen" => "Drawn from the genes that the adapter was trained on.".to_owned(),
            _ => "The paper's twenty test genes; neither finetuning nor the base model's text had them."
                .to_owned(),
        };
    }
    // As in the text: what was seen first, what tells more last.
    page.splits.sort_by_key(|table| table.name != "seen");
    let report = out.join("report.html");
    let html = render(&page);
    atomic_write(&report, |file| file.write_all(html.as_bytes()))?;

    let summary = Summary {
        splits,
        meaning,
        report,
        seconds: begun.elapsed().as_secs_f64(),
        peak_rss_mib: peak_rss_mib(),
    };
    ui.result(&summary, || text(&summary, out))?;
    Ok(ExitCode::SUCCESS)
}

fn interrupted(ui: &Ui) -> Result<ExitCode> {
    ui.note("stopped; the same command goes on where it was");
    Ok(stop::exit())
}

/// The bundled recipe with this folder's files.
fn recipe(args: &QuickstartArgs, model: &Path, dataset: &Path) -> Result<Recipe> {
    let mut recipe: Recipe = toml::from_str(bundled::RECIPE).context("the bundled recipe")?;
    recipe.model.base = Some(model.display().to_string());
    recipe.data.train = dataset.join("train.json").display().to_string();
    recipe.data.validation = Some(dataset.join("validation.json").display().to_string());
    recipe.optim.epochs = args.epochs.unwrap_or(recipe.optim.epochs);
    recipe.check()?;
    Ok(recipe)
}

/// The questions of both splits: genes drawn from training by the hash of their symbol, and the held-out ones.
fn questions(dataset: &Path, out: &Path, count: usize) -> Result<[PathBuf; 2]> {
    let mut seen = read_examples(&dataset.join("train.json"))?;
    seen.sort_by_cached_key(|example| hash_bytes(example.subject.as_bytes()));
    let held_out = read_examples(&dataset.join("test.json"))?;
    let paths = SPLITS.map(|(split, _)| out.join(format!("questions.{split}.json")));
    for (path, mut examples) in paths.iter().zip([seen, held_out]) {
        examples.truncate(count.max(1));
        let same = read_examples(path).is_ok_and(|there: Vec<Example>| there == examples);
        if !same {
            write_examples(path, &examples)?;
        }
    }
    Ok(paths)
}

/// Repairs and grades one split's answers: base, finetuned, finetuned + repaired.
fn grade(out: &Path, db: &Path, split: &str) -> Result<Vec<Row>> {
    let file = |run: &str, kind: &str, end: &str| out.join(run).join(format!("{kind}.{split}{end}"));
    let mut rows = Vec::new();
    for run in ["base", "finetuned"] {
        let scores =
            evaluate_file(read_index(db)?, &file(run, "answers", ".jsonl"), &file(run, "scores", ".json"))?;
        rows.push(table_row(run, &scores));
    }
    let (said, clean) =
        (file("finetuned", "answers", ".jsonl"), file("finetuned", "answers", ".clean.jsonl"));
    let index = read_index(db)?;
    postprocess_file(&index, &said, &clean)?;
    let scores = evaluate_file(index, &clean, &file("finetuned", "scores", ".clean.json"))?;
    rows.push(table_row("finetuned + repaired", &scores));
    Ok(rows)
}

/// What the table says, in words; drawn from its numbers.
fn meaning(splits: &[Split]) -> Vec<String> {
    let [seen, held_out] = splits else { return Vec::new() };
    let ([base, tuned, repaired], [unseen_base, unseen, unseen_repaired]) =
        (seen.rows.as_slice(), held_out.rows.as_slice())
    else {
        return Vec::new();
    };
    let share = |x: f64| format!("{:.0} %", 100.0 * x);
    let ids = |row: &Row| row.identifiers_right.map_or("none".to_owned(), share);
    let wording = format!(
        "Wording: ROUGE-1 goes from {:.2} to {:.2} on genes seen in finetuning and from {:.2} to {:.2} on \
         genes held out. Much of that is phrases that every record shares; it says nothing of truth.",
        base.rouge1, tuned.rouge1, unseen_base.rouge1, unseen.rouge1,
    );
    let form = format!(
        "Form: {} of the base model's answers are one finished paragraph of prose without endless repetition, {} of \
         the finetuned one's, {} after repair ({}, {} and {} on genes held out).",
        share(base.structural),
        share(tuned.structural),
        share(repaired.structural),
        share(unseen_base.structural),
        share(unseen.structural),
        share(unseen_repaired.structural),
    );
    let mut truth = format!(
        "Truth: {} of the finetuned model's answers about seen genes are true, {} of those about genes held out. \
         Judge a model by the second number.",
        share(tuned.factual),
        share(unseen.factual),
    );
    if unseen.factual < 0.5 {
        truth.push_str(
            " A model of this size does not know a gene that it has not read about: what it then writes about \
             function is mostly invented, however well it reads.",
        );
    }
    let identifiers = format!(
        "Identifiers are looked up, not remembered: of those written about seen genes {} are right before repair and \
         {} after ({} and {} on genes held out). Repair changes nothing of what is said about function.",
        ids(tuned),
        ids(repaired),
        ids(unseen),
        ids(unseen_repaired),
    );
    vec![wording, form, truth, identifiers]
}

fn text(summary: &Summary, out: &Path) -> String {
    let mut text = String::new();
    for split in &summary.splits {
        let n = split.rows.first().map_or(0, |row| row.n);
        let _ = writeln!(text, "\n{} (n = {n})", split.name);
        let _ = writeln!(
            text,
            "  {:<22} {:>8} {:>10} {:>8} {:>6} {:>8} {:>10}",
            "", "factual", "structural", "average", "BLEU", "ROUGE-1", "ids right"
        );
        for row in &split.rows {
            let ids = row.identifiers_right.map_or("–".to_owned(), |x| format!("{x:.2}"));
            let _ = writeln!(
                text,
                "  {:<22} {:>8.2} {:>10.2} {:>8.2} {:>6.3} {:>8.3} {ids:>10}",
                row.model, row.factual, row.structural, row.average, row.bleu, row.rouge1
            );
        }
    }
    for paragraph in &summary.meaning {
        let _ = write!(text, "\n{}", wrapped(paragraph, 100));
    }
    let _ = writeln!(text, "\n{:.0} s, {} MiB at the peak", summary.seconds, summary.peak_rss_mib);
    let _ = writeln!(text, "report: {}", summary.report.display());
    let program = program();
    let of = |name: &str| out.join(name).display().to_string();
    let _ = writeln!(text, "next:   {program} genes show GLI1 --db {}", of("genes.db"));
    let _ = writeln!(
        text,
        "and, to ask it in a browser:\n        {program} serve --model {} --adapter finetuned={} --db {} --runs {}",
        of("base-model"),
        of("finetuned/adapter"),
        of("genes.db"),
        out.display()
    );
    text
}

/// The program as it was called: on the day of the clone it is not on the path yet.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "geneverse".to_owned())
}

/// Lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            lines.push('\n');
            column = 0;
        }
        if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines.push('\n');
    lines
}
