//! What training data has of the questions, and what looking up a training answer would score.
//!
//! A score means little without both. Where a table asks exactly one of the dataset's held-out splits, the dataset's own
//! manifest has the facts (with HGNC groups, for which it had the genes' records); else they are measured here, with the same
//! functions, on the questions asked.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use geneverse_data::answers::Task;
use geneverse_data::dataset::compare::{Item, Leakage, leakage};
use geneverse_data::dataset::retrieval::{Asked, RetrievalScores};
use geneverse_data::dataset::{Example, read_examples};
use geneverse_data::progress::Progress;
use geneverse_data::stage::{FileError, hash_file, read_json};
use rayon::prelude::*;
use serde_json::Value;

use super::{Context, Question, Run, baseline};
use crate::retrieval::score;

/// The splits' names; the first is what models learn from.
const SPLITS: [&str; 3] = ["train", "validation", "test"];

/// A dataset that runs were trained on.
#[derive(Debug)]
pub(super) struct Dataset {
    /// What it is called on the page.
    name: String,
    /// The folder it lies in.
    pub(super) folder: PathBuf,
    train: PathBuf,
    splits: Vec<(&'static str, Vec<Example>)>,
    leakage: Vec<Leakage>,
    retrieval: Vec<RetrievalScores>,
}

/// The training file of a run: where its recipe says, or below the folders around the run's, where both may have moved.
pub(super) fn find_train(run: &Run) -> Option<PathBuf> {
    let train = run.train.as_ref()?;
    if train.is_file() {
        return Some(train.clone());
    }
    let folder = run.folder.canonicalize().ok()?;
    let short: PathBuf = train.iter().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
    let places = folder.ancestors().flat_map(|around| [around.join(train), around.join(&short)]);
    places.into_iter().find(|place| place.is_file())
}

/// The training file of a dataset's folder; without one named, that of the folder `dataset` beside a run.
pub(super) fn train_of_folder(folder: &Path) -> Option<PathBuf> {
    ["train.json", "train.jsonl", "train.sharegpt.json", "train.messages.jsonl", "data/train.jsonl"]
        .iter()
        .map(|name| folder.join(name))
        .chain(listed_train(folder))
        .find(|place| place.is_file())
}

/// The training file that a dataset's manifest lists.
fn listed_train(folder: &Path) -> Option<PathBuf> {
    let manifest: Value = read_json(&folder.join("manifest.json")).ok()?;
    let files = manifest.pointer("/facts/files")?.as_array()?;
    let train = files.iter().filter_map(Value::as_str).find(|file| file.contains("train"))?;
    Some(folder.join(train))
}

impl Dataset {
    /// Reads a training file, the splits beside it, and the dataset's manifest where there is one.
    pub(super) fn read(train: &Path) -> Result<Self, FileError> {
        let folder = train.parent().map(Path::to_path_buf).unwrap_or_default();
        let file = train.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut splits = vec![(SPLITS[0], read_examples(train)?)];
        for split in SPLITS[1..].iter().filter(|_| file.starts_with(SPLITS[0])) {
            let path = folder.join(file.replacen(SPLITS[0], split, 1));
            if path.is_file() {
                splits.push((*split, read_examples(&path)?));
            }
        }
        // In the hub's own layout the files lie one folder further down.
        let top = if folder.ends_with("data") { folder.join("..") } else { folder.clone() };
        let manifest = top.join("manifest.json");
        let manifest: Value = if manifest.is_file() { read_json(&manifest)? } else { Value::Null };
        // Another program's manifest tells nothing, and nothing is told from it.
        let fact = |name: &str| manifest.pointer(&format!("/facts/{name}")).cloned();
        let measured = |name: &str| fact(name).unwrap_or(Value::Array(Vec::new()));
        let whole = top.canonicalize().unwrap_or(top);
        let name = match fact("leakage") {
            Some(_) => whole.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            None => file,
        };
        Ok(Self {
            name,
            train: train.to_owned(),
            splits,
            leakage: serde_json::from_value(measured("leakage")).unwrap_or_default(),
            retrieval: serde_json::from_value(measured("retrieval")).unwrap_or_default(),
            folder,
        })
    }

    /// What it has of some questions; `runs` are the runs of the table that were trained on it.
    pub(super) fn context(
        &self,
        questions: &[&Question],
        runs: &[&(String, Run)],
        progress: &dyn Progress,
    ) -> Context {
        let mut context = Context {
            dataset: self.name.clone(),
            runs: runs.iter().map(|(name, _)| name.clone()).collect(),
            questions: questions.len(),
            warnings: runs.iter().filter_map(|(name, run)| self.changed(name, run)).collect(),
            ..Context::default()
        };
        let mut whole = None;
        for (split, examples) in &self.splits {
            let known: HashSet<[&str; 3]> =
                examples.iter().map(|e| [e.id.as_str(), e.instruction.as_str(), e.output.as_str()]).collect();
            let asked =
                |q: &&&Question| known.contains(&[q.id.as_str(), q.prompt.as_str(), q.reference.as_str()]);
            let count = questions.iter().filter(asked).count();
            if count > 0 {
                context.places.push(((*split).to_owned(), count));
            }
            if count == questions.len() && count == known.len() {
                whole = Some(*split);
            }
        }
        let trained_on =
            context.places.iter().any(|(split, count)| split == SPLITS[0] && *count == questions.len());
        if let Some(split) = whole.filter(|split| *split != SPLITS[0]) {
            context.leakage =
                self.leakage.iter().find(|found| found.from == SPLITS[0] && found.into == split).cloned();
            context.retrieval = self.retrieval.iter().find(|found| found.split == split).cloned();
        }
        let genes = questions.iter().all(|question| question.task == Some(Task::Gene));
        if !trained_on && !genes {
            context.shared = baseline::shared(questions, self.training());
        }
        if !trained_on && genes && (context.leakage.is_none() || context.retrieval.is_none()) {
            let (leaked, found) = self.measure(questions, progress);
            context.leakage.get_or_insert(leaked);
            context.retrieval = context.retrieval.or(found);
        }
        context
    }

    /// What it is called on the page.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What models learn from.
    pub(super) fn training(&self) -> &[Example] {
        self.splits.first().map(|(_, examples)| examples.as_slice()).unwrap_or_default()
    }

    /// Leakage and retrieval for questions that are no split of the dataset.
    fn measure(
        &self,
        questions: &[&Question],
        progress: &dyn Progress,
    ) -> (Leakage, Option<RetrievalScores>) {
        let train = self.training();
        progress.start("questions in training data", Some(questions.len() as u64), "questions");
        let asked: Vec<Example> = questions
            .iter()
            .map(|question| Example {
                id: question.id.clone(),
                task: Task::Gene,
                subject: question.subject.clone(),
                instruction: question.prompt.clone(),
                input: String::new(),
                output: question.reference.clone(),
                ..Example::default()
            })
            .collect();
        let items = |examples: &[Example]| -> Vec<Item> {
            examples.par_iter().map(|example| Item::new(example, None)).collect()
        };
        let leaked = leakage((SPLITS[0], &items(train)), ("questions", &items(&asked)));
        let names = vec![String::new(); asked.len()];
        let sets = [Asked { name: "questions", examples: &asked, gene_names: &names }];
        let found = score(train, &sets, None).pop();
        progress.finish();
        (leaked, found)
    }

    /// Whether a run was trained on other bytes than lie there now.
    fn changed(&self, name: &str, run: &Run) -> Option<String> {
        let manifest: Value = read_json(&run.folder.join("manifest.json")).ok()?;
        let then = manifest.pointer("/key/inputs/train")?.as_str()?;
        let now = hash_file(&self.train).ok()?;
        (then != now).then(|| {
            let file = self.train.file_name().unwrap_or_default().to_string_lossy();
            format!("{name} was trained on other data than {file} holds now: what is said here may not be true of it")
        })
    }
}
