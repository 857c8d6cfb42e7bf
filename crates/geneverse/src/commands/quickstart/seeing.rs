//! `quickstart --task marker` and `--task protein`: a small LLaVA learns to see, offline, on pictures of the laboratory.
//!
//! ```text
//! marker:  OUT/lab/ (simulated tissue) → OUT/dataset/ (pictures, questions; genes held out)
//! protein: OUT/lab/ (ideal folds)      → OUT/dataset/ (pictures, questions; proteins held out)
//! bundled base model + fresh tower → OUT/llava → OUT/finetuned/model
//!   → OUT/{before,finetuned}/answers.{seen,held-out,shuffled}.jsonl → …/scores.….json → OUT/report.html
//! ```
//!
//! The shuffled questions are the held-out ones, each with another one's picture, and the answer that was right for its own. Who
//! sees falls to chance there; who recalls a name does not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use geneverse_data::answers::{self, Answer, Task};
use geneverse_data::dataset::markers::{Known, MarkersDataset, markers};
use geneverse_data::dataset::pictures::{InputFile, PictureSet};
use geneverse_data::dataset::proteins::{Helpers, Names, ProteinsDataset, SplitBy, proteins};
use geneverse_data::progress::Progress;
use geneverse_data::render::tissue::Layout;
use geneverse_data::stage::atomic_write;
use geneverse_data::structure::laboratory::{LabProteins, lab_proteins};
use geneverse_data::tissue::simulate::{Simulation, lab_tissue};
use geneverse_eval::index::GeneIndex;
use geneverse_eval::protein::overlap;
use geneverse_eval::report::{Collect, Row, collect, render, table_row};
use geneverse_eval::scores::evaluate_file;
use geneverse_model::heap::peak_rss_mib;
use geneverse_model::recipe::Recipe;
use serde::Serialize;
use serde_json::json;

use super::questions::{Others, SPLITS, questions, training_file};
use super::{QuickstartArgs, interrupted, program, wrapped};
use crate::answer::AnswerArgs;
use crate::bundled;
use crate::commands::dataset::{accept, structure_files};
use crate::commands::generate::{self, GenerateArgs};
use crate::commands::lab::llava::{TowerArgs, colours_of, make};
use crate::commands::report::run_of;
use crate::commands::tissue::{TissueArgs, input, truth};
use crate::commands::train::{Resume, finetune};
use crate::stop;
use crate::ui::Ui;

/// Which pictures are learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seeing {
    Marker,
    Protein,
}

/// What a quickstart ends with.
#[derive(Debug, Serialize)]
struct Summary {
    task: Task,
    splits: Vec<Split>,
    /// What answers without a look at the picture would score on the held-out questions.
    chance: f64,
    meaning: Vec<String>,
    report: PathBuf,
    seconds: f64,
    peak_rss_mib: u64,
}

#[derive(Debug, Serialize)]
struct Split {
    name: String,
    rows: Vec<Row>,
    /// By model, the share of answers that are the reference word for word.
    exact: Vec<f64>,
}

/// Runs a quickstart that sees.
pub(super) fn run(args: &QuickstartArgs, seeing: Seeing, ui: &Ui) -> Result<ExitCode> {
    let begun = Instant::now();
    stop::listen();
    let out = &args.out;
    let step = |number: usize, what: &str| ui.note(&format!("[{number}/5] {what}"));
    // First, so that what is wrong with it is told before anything is made.
    let others = args.with.as_deref().map(|folder| Others::read(folder, seeing)).transpose()?;

    step(
        1,
        match seeing {
            Seeing::Marker => "simulated tissue → pictures and questions",
            Seeing::Protein => "ideal folds → pictures and questions",
        },
    );
    let dataset = out.join("dataset");
    let made = match seeing {
        Seeing::Marker => marker_pictures(&out.join("lab"), &dataset, ui)?,
        Seeing::Protein => protein_pictures(&out.join("lab"), &dataset, ui)?,
    };
    if !made {
        return interrupted(ui);
    }
    let (questions, chance) =
        questions(&dataset, others.as_ref(), out, seeing, args.questions.unwrap_or(60))?;
    let train = training_file(&dataset, others.as_ref(), out)?;

    step(2, "base model + a tower that has seen nothing → a small LLaVA");
    let (text, llava) = (out.join("base-model"), out.join("llava"));
    bundled::write_model(&text)?;
    make(&text, &TOWER, &colours_of(&train, &TOWER)?, 1, &llava)?;

    step(3, "pictures and questions → finetuned LLaVA");
    let finetuned = out.join("finetuned");
    let trained = finetune(&recipe(args, seeing, &llava, &train, &dataset)?, &finetuned, Resume::Same, ui)?;
    if !trained.outcome.finished {
        return interrupted(ui);
    }

    step(4, "questions → answers → grades");
    let mut splits = Vec::new();
    for ((split, name), prompts) in SPLITS.iter().zip(&questions) {
        let (mut rows, mut exact) = (Vec::new(), Vec::new());
        for (run, model) in [("before", &llava), ("finetuned", &trained.result)] {
            let file = |kind: &str, end: &str| out.join(run).join(format!("{kind}.{split}{end}"));
            let ask = GenerateArgs {
                by: AnswerArgs {
                    model: Some(model.display().to_string()),
                    prompt: Some("plain".into()),
                    max_new_tokens: 48,
                    // An answer repeats the question's words.
                    no_repeat_ngram_size: Some(0),
                    name: Some(run.to_owned()),
                    ..AnswerArgs::default()
                },
                prompts: prompts.clone(),
                out: file("answers", ".jsonl"),
                stream: false,
                limit: None,
            };
            if !generate::answer_all(&ask, ui)?.finished {
                return interrupted(ui);
            }
            let scores = evaluate_file(GeneIndex::default(), &ask.out, &file("scores", ".json"))?;
            rows.push(table_row(run, &scores));
            exact.push(word_for_word(&answers::read(&ask.out)?));
        }
        splits.push(Split { name: (*name).to_owned(), rows, exact });
    }

    step(5, "grades → report");
    let meaning = meaning(&splits, seeing, chance);
    let runs = [out.join("before"), finetuned].map(run_of).to_vec();
    let mut page = collect(&Collect { runs, dataset: Some(dataset), ..Collect::default() }, ui)?;
    page.title = match seeing {
        Seeing::Marker => "Geneverse quickstart: marker genes".to_owned(),
        Seeing::Protein => "Geneverse quickstart: proteins".to_owned(),
    };
    page.summary.clone_from(&meaning);
    for table in &mut page.splits {
        table.note = match table.name.as_str() {
            "seen" => "Drawn from what the model was trained on.".to_owned(),
            "with" => "Neither these genes or proteins nor their pictures was trained on; others of the same dataset were.".to_owned(),
            "shuffled" => "Each held-out question asked with another one's picture: what is right is what was right for its \
                           own picture."
                .to_owned(),
            _ => "Neither these pictures nor anything of their genes or proteins was trained on.".to_owned(),
        };
    }
    page.splits.sort_by_key(|table| SPLITS.iter().position(|(name, _)| *name == table.name));
    let report = out.join("report.html");
    let html = render(&page);
    atomic_write(&report, |file| file.write_all(html.as_bytes()))?;
    let task = if seeing == Seeing::Marker { Task::Marker } else { Task::Protein };
    let seconds = begun.elapsed().as_secs_f64();
    let summary = Summary { task, splits, chance, meaning, report, seconds, peak_rss_mib: peak_rss_mib() };
    ui.result(&summary, || text_of(&summary))?;
    Ok(ExitCode::SUCCESS)
}

/// The tower of both: 64 pixels, 16 patches. A first guess: what sizes two cores learn from best has not been measured.
const TOWER: TowerArgs = TowerArgs { image_size: 64, patch_size: 16, hidden: 128, layers: 3, heads: 4 };

/// What the datasets of both tasks share: pictures of twice the tower's size.
fn set(out: &Path, inputs: Vec<InputFile>, test_size: usize, validation_size: usize) -> PictureSet {
    PictureSet {
        out: out.to_owned(),
        inputs,
        hold_out: Vec::new(),
        test_size,
        validation_size,
        size: 128,
        seed: 42,
        formats: Vec::new(),
    }
}

/// Pictures and questions of a simulated tissue; `false` where it was stopped.
fn marker_pictures(lab: &Path, dataset: &Path, ui: &Ui) -> Result<bool> {
    let simulation = Simulation { cells: 1500, genes: 1200, invented: true, ..Simulation::default() };
    if lab_tissue(lab, &simulation, &stop::asked, ui)?.is_none() {
        return Ok(false);
    }
    let read = TissueArgs::of_folder(lab).read(false, None, ui)?;
    let table = lab.join("truth.tsv");
    let mut inputs = read.inputs;
    inputs.push(input(&table, "truth", None)?);
    let options = MarkersDataset {
        set: set(dataset, inputs, 60, 20),
        truth: json!("table"),
        negatives_each: 1,
        min_cells: 10,
        layout: Layout::Hues,
        dark: true,
        ..MarkersDataset::default()
    };
    let truth = truth(&table, None, &read.tissue, None)?;
    let (groups, report) = (BTreeMap::new(), Some(&truth.report));
    let known = Known {
        tissue: &read.tissue,
        pairs: &truth.pairs,
        approved: &truth.approved,
        groups: &groups,
        report,
    };
    Ok(markers(&options, known, &accept, &stop::asked, ui)?.is_some())
}

/// Pictures and questions of ideal folds; `false` where it was stopped.
fn protein_pictures(lab: &Path, dataset: &Path, ui: &Ui) -> Result<bool> {
    lab_proteins(&LabProteins { out: lab.to_owned(), count: 960, seed: 1 }, ui)?;
    let table = lab.join("names.tsv");
    let options = ProteinsDataset {
        files: structure_files(&[lab.to_owned()])?,
        set: set(dataset, vec![input(&table, "names", None)?], 96, 32),
        split: SplitBy::Protein,
        views: 1,
        ..ProteinsDataset::default()
    };
    let names = Names::read(&table)?;
    let helpers = Helpers { names: &names, accept: &accept, overlap: &overlap, stop: &stop::asked };
    Ok(proteins(&options, helpers, ui)?.is_some())
}

/// The bundled recipe with this folder's files.
fn recipe(
    args: &QuickstartArgs,
    seeing: Seeing,
    llava: &Path,
    train: &Path,
    dataset: &Path,
) -> Result<Recipe> {
    let text = match seeing {
        Seeing::Marker => bundled::MARKER_RECIPE,
        Seeing::Protein => bundled::PROTEIN_RECIPE,
    };
    let mut recipe: Recipe = toml::from_str(text).context("the bundled recipe")?;
    recipe.model.base = Some(llava.display().to_string());
    recipe.data.train = train.display().to_string();
    recipe.data.validation = Some(dataset.join("validation.json").display().to_string());
    recipe.optim.epochs = args.epochs.unwrap_or(recipe.optim.epochs);
    recipe.check()?;
    Ok(recipe)
}

fn word_for_word(answers: &[Answer]) -> f64 {
    let same = answers.iter().filter(|answer| answer.answer == answer.reference).count();
    same as f64 / answers.len().max(1) as f64
}

/// What the tables say, in words; drawn from their numbers.
fn meaning(splits: &[Split], seeing: Seeing, chance: f64) -> Vec<String> {
    let [seen, held_out, shuffled, others @ ..] = splits else { return Vec::new() };
    let truth = |split: &Split, model: usize| split.rows.get(model).map_or(0.0, |row| row.factual);
    let (what, paper) = match seeing {
        Seeing::Marker => ("genes", "0.90 with pictures of real tissue and models of 7B parameters and more"),
        Seeing::Protein => (
            "proteins",
            "0.29 with AlphaFold's models of human proteins and models of 7B parameters and more",
        ),
    };
    let learnt = format!(
        "Truth goes from {:.2} to {:.2} on {what} seen in finetuning and from {:.2} to {:.2} on {what} held out. The paper has \
         {paper}; these are pictures of the laboratory, which are easier, and the two are not to be compared.",
        truth(seen, 0),
        truth(seen, 1),
        truth(held_out, 0),
        truth(held_out, 1),
    );
    let sees = truth(held_out, 1) - truth(shuffled, 1);
    let mut looks = format!(
        "Asked with another one's picture the same model scores {:.2}, where the right answer to another question would score \
         {chance:.2}.",
        truth(shuffled, 1),
    );
    looks.push_str(match (sees > 0.1, (truth(shuffled, 1) - chance).abs() < 0.1) {
        (true, true) => " It falls to chance: what it says, it has from the picture.",
        (true, false) => " It falls, but not to chance: part of what it says does not depend on the picture.",
        (false, _) => " It does not fall: what it says does not depend on the picture.",
    });
    let mut said = vec![learnt, looks];
    said.extend(others.first().map(|with| {
        let n = with.rows.first().map_or(0, |row| row.n);
        format!("On the {n} questions that the dataset of --with holds out it scores {:.2}.", truth(with, 1))
    }));
    said
}

fn text_of(summary: &Summary) -> String {
    let mut text = String::new();
    for Split { name, rows, exact } in &summary.splits {
        let n = rows.first().map_or(0, |row| row.n);
        let _ = writeln!(text, "\n{name} (n = {n})");
        let _ = writeln!(
            text,
            "  {:<22} {:>8} {:>10} {:>8} {:>14}",
            "", "factual", "structural", "average", "word for word"
        );
        for (row, exact) in rows.iter().zip(exact) {
            let Row { model, factual, structural, average, .. } = row;
            let _ = writeln!(
                text,
                "  {model:<22} {factual:>8.2} {structural:>10.2} {average:>8.2} {exact:>14.2}"
            );
        }
    }
    let _ = writeln!(text, "\nchance, by the right answer to another question: {:.2}", summary.chance);
    for paragraph in &summary.meaning {
        let _ = write!(text, "\n{}", wrapped(paragraph, 100));
    }
    let _ = writeln!(text, "\n{:.0} s, {} MiB at the peak", summary.seconds, summary.peak_rss_mib);
    let _ = writeln!(text, "report: {}", summary.report.display());
    let program = program();
    let model = summary.report.with_file_name("finetuned").join("model");
    let _ = writeln!(
        text,
        "next:   {program} serve --model {}, and show it a picture in a browser",
        model.display()
    );
    text
}
