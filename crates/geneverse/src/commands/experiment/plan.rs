//! What an experiment comes to: for each row its commands, what they need, and what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use geneverse_data::chat::Sampling;
use geneverse_data::dataset::genes::instruction;
use geneverse_data::gene::{GeneKind, GeneRecord, GoAspect, GoTerm};
use geneverse_data::sentences::sentences;
use geneverse_data::stage::{atomic_write, hash_bytes, write_lines};
use geneverse_data::synthesize::{Mode, SyntheticText};
use serde::Serialize;

use super::base::{self, Base};
use super::estimate::{self, BUNDLED_PARAMETERS, Model};
use super::file::{Common, Experiment, Row};
use super::measure::Measured;
use super::{Scale, parse};
use crate::bundled;

/// How an experiment is run.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) out: PathBuf,
    pub(super) scale: Scale,
    pub(super) models: PathBuf,
    pub(super) endpoint: Option<String>,
    pub(super) limit: Option<usize>,
    /// The folder above the experiment's: recipes lie there.
    pub(super) recipes: PathBuf,
}

/// A resolved experiment, and, once it has run, what came of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Plan {
    pub(super) title: String,
    pub(super) note: String,
    /// Whether every base model is the bundled one.
    pub(super) bundled: bool,
    pub(super) setting: Option<String>,
    /// Commands before the rows, and what they may take.
    pub(super) prepare: Vec<Vec<String>>,
    pub(super) prepare_seconds: f64,
    pub(super) paper_correlation: BTreeMap<String, f64>,
    pub(super) rows: Vec<Planned>,
    pub(super) seconds: f64,
}

/// A resolved row.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) commands: Vec<Vec<String>>,
    /// What is not here and has to be.
    pub(super) missing: Vec<String>,
    /// Its base model as the file has it, whichever is asked.
    pub(super) base: Option<Base>,
    /// Whether it is asked for.
    #[serde(skip)]
    pub(super) wanted: bool,
    /// A row before it that comes to the same commands.
    pub(super) same_as: Option<String>,
    /// What it may take, in seconds and in GiB.
    pub(super) estimated_seconds: f64,
    pub(super) estimated_gib: f64,
    /// Of which training takes so many.
    #[serde(skip)]
    pub(super) training_seconds: f64,
    pub(super) paper: BTreeMap<String, f64>,
    pub(super) series: Option<String>,
    pub(super) x: Option<f64>,
    /// The file of scores, and other values to read.
    pub(super) scores: Option<String>,
    pub(super) measures: BTreeMap<String, String>,
    /// The manifest of its training.
    pub(super) trained: Option<String>,
    pub(super) measured: Option<Measured>,
    pub(super) failure: Option<String>,
    pub(super) seconds: Option<f64>,
}

impl Planned {
    /// Whether it may not fit into this machine's memory.
    pub(super) fn too_large(&self, available: Option<usize>) -> bool {
        available.is_some_and(|bytes| self.estimated_gib * f64::from(1 << 30) > bytes as f64)
    }
}

/// Where the bundled model and records lie in an experiment's folder.
fn bundled_model(out: &Path) -> PathBuf {
    out.join("base-model")
}

/// Writes the bundled model and records, and what stands for files that are not at hand offline: `synthetic.jsonl`, the bundled
/// summaries, which people wrote, in the place of a language model's texts; `texts.records.tsv` and `texts.summaries.tsv`, what
/// the records say without and only by these; `annotations.tsv` and `terms.obo`, the records' GO terms without their relations.
pub(super) fn lay_out_bundled(out: &Path) -> Result<()> {
    bundled::write_model(&bundled_model(out))?;
    bundled::write_records(&out.join("records.jsonl"))?;
    let records: Vec<GeneRecord> = bundled::RECORDS
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .context("the bundled records")?;
    let mut synthetic = Vec::new();
    let [mut of_records, mut of_summaries, mut of_both, mut annotations] = [(); 4].map(|()| String::new());
    let mut terms: BTreeMap<&str, &GoTerm> = BTreeMap::new();
    for record in &records {
        let symbol = record.symbol.as_str();
        let ids: Vec<&str> = record.go_terms.iter().map(|term| term.id.as_str()).collect();
        if !ids.is_empty() {
            let _ = writeln!(annotations, "{symbol}\t{}", ids.join(";"));
        }
        terms.extend(record.go_terms.iter().map(|term| (term.id.as_str(), term)));
        let bare = GeneRecord { summary: None, pathways: Vec::new(), expression: None, ..record.clone() };
        let told = sentences(&bare, 42);
        let summary = record.summary.as_ref().map_or("", |summary| summary.text.as_str());
        let _ = writeln!(of_records, "{symbol}\t{told}");
        let _ = writeln!(of_summaries, "{symbol}\t{summary}");
        let _ = writeln!(of_both, "{symbol}\t{told} {summary}");
        if record.kind == GeneKind::ProteinCoding && !summary.is_empty() {
            synthetic.push(SyntheticText {
                symbol: symbol.to_owned(),
                kind: record.kind,
                mode: Mode::Describe,
                model: "people, for this project".to_owned(),
                prompt: instruction(symbol),
                text: summary.to_owned(),
                sampling: Sampling::default(),
            });
        }
    }
    let mut obo = "format-version: 1.2\n".to_owned();
    for (id, GoTerm { name, aspect, .. }) in terms {
        let aspect = match aspect {
            GoAspect::MolecularFunction => "molecular_function",
            GoAspect::BiologicalProcess => "biological_process",
            GoAspect::CellularComponent => "cellular_component",
        };
        let _ = write!(obo, "\n[Term]\nid: {id}\nname: {name}\nnamespace: {aspect}\n");
    }
    write_lines(&out.join("synthetic.jsonl"), synthetic)?;
    for (name, text) in [
        ("texts.records.tsv", of_records),
        ("texts.summaries.tsv", of_summaries),
        ("texts.both.tsv", of_both),
        ("annotations.tsv", annotations),
        ("terms.obo", obo),
    ] {
        atomic_write(&out.join(name), |file| std::io::Write::write_all(file, text.as_bytes()))?;
    }
    Ok(())
}

/// Resolves and checks every row.
pub(super) fn resolve(experiment: &Experiment, settings: &Settings) -> Result<Plan> {
    let Experiment { title, note, full, bundled, setting, paper_correlation, row } = experiment;
    let is_bundled = settings.scale == Scale::Bundled;
    let common = if is_bundled { bundled } else { full };
    let prepare: Vec<Vec<String>> = common.prepare.iter().map(|command| words(command, settings)).collect();
    for command in &prepare {
        parse(command).with_context(|| command.join(" "))?;
    }
    let mut rows: Vec<Planned> = Vec::new();
    for row in row {
        let base = Base::of(row, full, settings);
        let row = if is_bundled { row.at_bundled_scale() } else { row.clone() };
        let mut planned =
            resolve_row(&row, common, settings).with_context(|| format!("row {:?}", row.name))?;
        planned.base = base;
        for command in &planned.commands {
            parse(command).with_context(|| format!("row {:?}: {}", row.name, command.join(" ")))?;
        }
        let same = rows.iter().find(|other| {
            !planned.commands.is_empty() && other.commands == planned.commands && other.missing.is_empty()
        });
        planned.same_as = same.map(|other| other.name.clone());
        rows.push(planned);
    }
    Ok(Plan {
        title: title.clone(),
        note: note.clone(),
        bundled: is_bundled,
        setting: setting.clone(),
        prepare_seconds: prepare.iter().map(|words| estimate::command(words)).sum(),
        prepare,
        paper_correlation: paper_correlation.clone(),
        rows,
        seconds: 0.0,
    })
}

/// A command in words, its places filled in.
fn words(command: &str, settings: &Settings) -> Vec<String> {
    let out = settings.out.display().to_string();
    let base = bundled_model(&settings.out).display().to_string();
    let models = settings.models.display().to_string();
    let recipes = settings.recipes.display().to_string();
    let places = [("{out}", &out), ("{base}", &base), ("{models}", &models), ("{recipes}", &recipes)];
    let fill =
        |word: &str| places.iter().fold(word.to_owned(), |word, (name, place)| word.replace(name, place));
    command.split_whitespace().map(fill).collect()
}

pub(super) fn one(text: &str, settings: &Settings) -> String {
    words(text, settings).join(" ")
}

fn resolve_row(row: &Row, common: &Common, settings: &Settings) -> Result<Planned> {
    let mut planned = Planned {
        name: row.name.clone(),
        paper: row.paper.clone(),
        series: row.series.clone(),
        x: row.x,
        missing: row.missing.iter().filter(|why| !why.is_empty()).cloned().collect(),
        measures: row.measures.iter().map(|(name, place)| (name.clone(), one(place, settings))).collect(),
        scores: row.scores.as_deref().map(|scores| one(scores, settings)),
        ..Planned::default()
    };
    let bundled = settings.scale == Scale::Bundled;
    let parameters = if bundled { BUNDLED_PARAMETERS } else { row.parameters.unwrap_or(7e9) };
    if !row.steps.is_empty() {
        planned.commands = row.steps.iter().map(|step| words(step, settings)).collect();
        needs_files(&mut planned);
        planned.estimated_seconds = planned.commands.iter().map(|words| estimate::command(words)).sum();
        planned.estimated_gib = 0.5;
        return Ok(planned);
    }
    let questions = common.questions.as_deref().context("the file says no questions for this scale")?;
    let questions = one(questions, settings);
    if common.prepare.is_empty() && !Path::new(&questions).exists() {
        planned.missing.push(format!("the questions {questions}, which `dataset` makes"));
    }
    let mut answer: Vec<String> = Vec::new();
    let mut train: Option<Vec<String>> = None;
    let trains = row.train.unwrap_or(false);
    if let Some(base) = &row.base {
        let folder = if bundled { bundled_model(&settings.out) } else { settings.models.join(base) };
        if !bundled && folder.join("config.json").exists() {
            planned.missing.extend(base::other_end(&folder, &row.stop));
        } else if !bundled {
            let from = row.hub.as_ref().map_or(String::new(), |hub| format!(" from huggingface.co/{hub}"));
            let size = row.gib.map_or_else(String::new, |gib| format!(" ({gib} GiB to download{from})"));
            planned.missing.push(format!("the checkpoint {}{size}", folder.display()));
        }
        let folder = folder.display().to_string();
        answer.extend(["--model".to_owned(), folder.clone()]);
        if let Some(prompt) = row.prompt.as_ref().filter(|_| !trains) {
            answer.extend(["--prompt".to_owned(), prompt.clone()]);
        }
        let full_model =
            row.set.iter().any(|set| matches!(set.trim(), "method.kind=full" | "method.kind=expand"));
        if trains {
            let recipe =
                row.recipe.as_deref().or(common.recipe.as_deref()).context("the file says no recipe")?;
            let data = row.data.as_deref().or(common.data.as_deref()).context("the file says no data")?;
            let (recipe, data) = (one(recipe, settings), one(data, settings));
            let mut command = vec!["train".to_owned(), recipe];
            let places = [("model.base", folder), ("data.train", format!("{data}/train.json"))];
            let places = places.into_iter().chain([("data.validation", format!("{data}/validation.json"))]);
            for set in places.map(|(key, value)| format!("{key}={value}")).chain(row.set.iter().cloned()) {
                command.extend(["--set".to_owned(), set]);
            }
            let run = settings.out.join("trained").join(short(&command));
            planned.trained = Some(run.join("manifest.json").display().to_string());
            command.extend(["--resume".to_owned(), "--out".to_owned(), run.display().to_string()]);
            if full_model {
                answer[1] = run.join("model").display().to_string();
            } else {
                answer.extend(["--adapter".to_owned(), run.join("adapter").display().to_string()]);
            }
            train = Some(command);
        }
        let epochs = row.set.iter().find_map(|set| set.strip_prefix("optim.epochs=")?.parse::<f64>().ok());
        let with_records = row.data.is_some() || row.answer.contains("--retrieve");
        let model = Model { parameters, bundled, with_records };
        planned.training_seconds =
            if trains { model.training(full_model, made_up(row, common), epochs) } else { 0.0 };
        planned.estimated_seconds = planned.training_seconds + model.answering();
        planned.estimated_gib = model.gib(trains && full_model);
    } else if let (Some(endpoint), Some(model)) = (&row.endpoint, &row.model) {
        let endpoint = settings.endpoint.as_ref().unwrap_or(endpoint);
        answer.extend(["--endpoint", endpoint, "--model", model].map(str::to_owned));
        let key = row.key.as_deref().unwrap_or("OPENAI_API_KEY");
        let there = std::env::var_os(key).is_some_and(|value| !value.is_empty());
        if there {
            answer.extend(["--api-key-env".to_owned(), key.to_owned()]);
        } else if settings.endpoint.is_none() {
            planned.missing.push(format!("the key of {endpoint} in the environment variable {key}"));
        }
        planned.estimated_seconds = estimate::endpoint();
        planned.estimated_gib = 0.3;
    } else {
        answer.push("--grounded".to_owned());
        planned.estimated_seconds = 1.0;
        planned.estimated_gib = 0.3;
    }
    let db = common.db.as_deref().map(|db| one(db, settings));
    let own = words(&row.answer, settings);
    let needs_db = row.grounded || own.iter().any(|word| word == "--retrieve" || word == "--tools");
    if let Some(db) = db.as_ref().filter(|_| needs_db) {
        answer.extend(["--db".to_owned(), db.clone()]);
    }
    if row.base.is_some() {
        answer.extend(words(&common.answer, settings));
    }
    answer.extend(own);
    if let Some(limit) = settings.limit {
        answer.extend(["--limit".to_owned(), limit.to_string()]);
    }
    let mut generate =
        vec!["generate".to_owned(), "--prompts".to_owned(), questions, "--skip-failed".to_owned()];
    generate.extend(answer);
    let run = settings.out.join("runs").join(short(&generate));
    let place = |name: &str| run.join(name).display().to_string();
    generate.extend(["--out".to_owned(), place("answers.jsonl")]);
    planned.commands.extend(train);
    planned.commands.push(generate);
    let mut graded = place("answers.jsonl");
    let mut evaluate = vec!["evaluate".to_owned()];
    if let Some(db) = &db {
        let clean = place("answers.clean.jsonl");
        planned
            .commands
            .push(["postprocess", "--db", db, &graded, "--out", &clean].map(str::to_owned).to_vec());
        graded = clean;
        evaluate.extend(["--db".to_owned(), db.clone()]);
    }
    evaluate.extend([graded, "--out".to_owned(), place("scores.json")]);
    planned.commands.push(evaluate);
    planned.scores = Some(place("scores.json"));
    Ok(planned)
}

/// Examples of genes that are made up, which a command before the rows adds to a row's data.
fn made_up(row: &Row, common: &Common) -> f64 {
    let Some(data) = row.data.as_deref() else { return 0.0 };
    let adds = |command: &String| {
        let words: Vec<&str> = command.split_whitespace().collect();
        let after = |flag: &str| Some(*words.get(words.iter().position(|word| *word == flag)? + 1)?);
        after("--made-up").filter(|_| after("--out") == Some(data))?.parse::<f64>().ok()
    };
    common.prepare.iter().find_map(adds).unwrap_or_default()
}

/// Files that steps read and that nobody makes: names below no folder of the experiment's.
fn needs_files(planned: &mut Planned) {
    for command in &planned.commands {
        for pair in command.windows(2) {
            let reads = matches!(
                pair[0].as_str(),
                "--synthetic" | "--go" | "--go-annotations" | "--tissue" | "--truth"
            );
            let made = planned
                .commands
                .iter()
                .any(|other| other.iter().any(|word| word == "--out") && other.contains(&pair[1]));
            if reads
                && !made
                && !Path::new(&pair[1]).exists()
                && !planned.missing.iter().any(|m| m.contains(&pair[1]))
            {
                planned.missing.push(format!("the file {}", pair[1]));
            }
        }
    }
}

fn short(command: &[String]) -> String {
    hash_bytes(command.join("\0").as_bytes())[..10].to_owned()
}

impl Plan {
    /// Takes note of the rows that are asked for. A training that several of them share is done once, by the first.
    pub(super) fn want(&mut self, wanted: impl Fn(&str) -> bool) {
        let mut trained = BTreeSet::new();
        for row in &mut self.rows {
            row.wanted = wanted(&row.name);
            let run = row.trained.as_ref().filter(|_| row.wanted && row.missing.is_empty());
            if run.is_some_and(|run| !trained.insert(run.clone())) {
                row.estimated_seconds -= row.training_seconds;
            }
        }
    }

    /// What will be done, for a person to read before it is.
    pub(super) fn told(&self, available: Option<usize>) -> String {
        let mut text = format!("{}\n", self.title);
        if self.bundled {
            text.push_str("EVERY BASE MODEL IS THE BUNDLED ONE (6.9 M parameters): this tells nothing of the models named\n");
        }
        if let Some(bytes) = available {
            let _ = writeln!(
                text,
                "memory at hand: {:.1} GiB; times are for two cores, and rough",
                bytes as f64 / f64::from(1 << 30)
            );
        }
        let mut total = self.prepare_seconds;
        if !self.prepare.is_empty() {
            let _ = writeln!(text, "  {:<34} about {}", "the data", time(self.prepare_seconds));
        }
        for row in &self.rows {
            let _ = write!(text, "  {:<34}", row.name);
            if !row.wanted {
                text.push_str(" not asked for\n");
                continue;
            }
            let done_by =
                row.same_as.as_ref().filter(|name| self.rows.iter().any(|r| r.wanted && r.name == **name));
            if !row.missing.is_empty() {
                let _ = writeln!(text, " left out, missing: {}", row.missing.join("; "));
            } else if let Some(other) = done_by {
                let _ = writeln!(text, " the run of {other}");
            } else {
                total += row.estimated_seconds;
                let large = if row.too_large(available) { "  MORE MEMORY THAN THERE IS" } else { "" };
                let (time, gib) = (time(row.estimated_seconds), row.estimated_gib);
                let _ = writeln!(text, " about {time}, {gib:.1} GiB{large}");
            }
            if let Some(base) = &row.base {
                let _ =
                    writeln!(text, "    {}{}", if self.bundled { "stands for " } else { "" }, base.told());
            }
        }
        let all = self.rows.iter().all(|row| row.wanted);
        let whole = if all { "all that can be run" } else { "what is asked for" };
        let _ = write!(text, "  {whole:<34} about {}", time(total));
        text
    }
}

/// A time that is rough.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{:.0} s", s.max(1.0)),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}
