//! From run folders to what the page shows.
//!
//! In a folder, `answers[.SPLIT].jsonl` holds what the model said, `answers[.SPLIT].clean.jsonl` the same repaired
//! (its edits beside it), `scores[.SPLIT][.clean].json` the grades of each, `metrics.jsonl` the losses, and `manifest.json`
//! how the run was made.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use geneverse_data::answers::{self, Answer};
use geneverse_data::dataset::Example;
use geneverse_data::progress::Progress;
use geneverse_data::stage::{FileError, read_json};
use serde_json::Value;

use super::compare::{Graded, add_intervals, differences, graded};
use super::context::{Dataset, find_train, train_of_folder};
use super::pictures::Pictures;
use super::read::{ScoresFile, read_curve, read_edits, run_facts};
use super::{Grade, Question, ReportInput, Run, ShownAnswer, SplitTable, baseline};
use crate::postprocess::Edit;

/// What to collect.
#[derive(Debug, Clone, Default)]
pub struct Collect {
    /// The runs.
    pub runs: Vec<Run>,
    /// The dataset's folder or training file; where `None`, those that the runs name, else `dataset` beside a run.
    pub dataset: Option<PathBuf>,
    /// Bytes of pictures that are put into the page at most.
    pub pictures: u64,
}

/// What one folder has of one split.
#[derive(Debug, Default)]
struct SplitFiles {
    answers: Option<PathBuf>,
    clean: Option<PathBuf>,
    scores: Option<PathBuf>,
    clean_scores: Option<PathBuf>,
}

/// Reads run folders; each is called by its own name, with as much of its path as tells it from the others. Title and
/// summary are left for the caller.
pub fn collect(what: &Collect, progress: &dyn Progress) -> Result<ReportInput, FileError> {
    let names = names(&what.runs);
    let runs: Vec<(String, Run)> = names.into_iter().zip(what.runs.iter().cloned()).collect();
    let datasets = datasets(what, &runs, progress)?;
    let mut pictures = Pictures::new(what.pictures);
    let mut gathered = Gathered::default();
    progress.start("read runs", Some(runs.len() as u64), "runs");
    for (place, (name, run)) in runs.iter().enumerate() {
        progress.set(place as u64);
        let folder = &run.folder;
        let metrics = folder.join("metrics.jsonl");
        let has_metrics = metrics.is_file();
        if has_metrics {
            gathered.page.curves.push(read_curve(name, &metrics)?);
        }
        let splits = find_splits(folder)?;
        if splits.is_empty() && !has_metrics {
            let reason = "found no metrics.jsonl, scores*.json or answers*.jsonl, expected a run's folder";
            return Err(FileError::whole(folder, reason));
        }
        let manifest = folder.join("manifest.json");
        if manifest.is_file() {
            let facts = run_facts(&read_json::<Value>(&manifest)?);
            if !facts.is_empty() {
                gathered.page.runs.push((name.clone(), facts));
            }
        }
        let near: Vec<PathBuf> = datasets.iter().map(|(dataset, _)| dataset.folder.clone()).collect();
        for (split, files) in splits {
            gathered.add_split(name, &split, &files, folder, &mut pictures, &near)?;
        }
    }
    progress.finish();
    let Gathered { mut page, grades, .. } = gathered;
    page.pictures = pictures.data;
    for (table, rows) in page.splits.iter_mut().zip(&grades) {
        table.rows.iter_mut().zip(rows).for_each(|(row, (_, graded))| add_intervals(row, graded));
        table.differences = differences(rows);
        let questions: Vec<&Question> = page.questions.iter().filter(|q| q.split == table.name).collect();
        for (dataset, of) in datasets.iter().filter(|_| !questions.is_empty()) {
            let trained: Vec<&(String, Run)> = of.iter().map(|place| &runs[*place]).collect();
            table.contexts.push(dataset.context(&questions, &trained, progress));
        }
        let training: Vec<(&str, &[Example])> =
            datasets.iter().map(|(dataset, _)| (dataset.name(), dataset.training())).collect();
        table.baselines = baseline::rows(&questions, &training);
    }
    Ok(page)
}

/// Each run's name: the end of its path, as long as it has to be to differ from the others'.
fn names(runs: &[Run]) -> Vec<String> {
    let paths: Vec<PathBuf> =
        runs.iter().map(|run| run.folder.canonicalize().unwrap_or_else(|_| run.folder.clone())).collect();
    let end = |path: &Path, parts: usize| -> String {
        let mut parts: Vec<String> =
            path.iter().rev().take(parts).map(|part| part.to_string_lossy().into_owned()).collect();
        parts.reverse();
        parts.join("/")
    };
    let name = |place: usize| {
        let path = &paths[place];
        let others = || paths.iter().enumerate().filter(|(other, _)| *other != place);
        let parts = (1..=path.iter().count())
            .find(|parts| others().all(|(_, other)| end(other, *parts) != end(path, *parts)));
        match parts {
            Some(parts) => end(path, parts),
            // The same folder twice.
            None => format!("{} ({})", end(path, 1), place + 1),
        }
    };
    (0..paths.len()).map(name).collect()
}

/// The datasets, each with the places of the runs that were trained on it.
fn datasets(
    what: &Collect,
    runs: &[(String, Run)],
    progress: &dyn Progress,
) -> Result<Vec<(Dataset, Vec<usize>)>, FileError> {
    if let Some(path) = &what.dataset {
        let train = if path.is_file() { Some(path.clone()) } else { train_of_folder(path) };
        let reason =
            "found no training file, expected a dataset's folder with train.json or its training file";
        let train = train.ok_or_else(|| FileError::whole(path, reason))?;
        let of = (0..runs.len()).filter(|place| runs[*place].1.train.is_some()).collect();
        return Ok(vec![(Dataset::read(&train)?, of)]);
    }
    let mut found: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (place, (_, run)) in runs.iter().enumerate() {
        if let Some(train) = find_train(run) {
            found.entry(train.canonicalize().unwrap_or(train)).or_default().push(place);
        }
    }
    if found.is_empty() {
        let beside = runs
            .iter()
            .find_map(|(_, run)| train_of_folder(&run.folder.canonicalize().ok()?.parent()?.join("dataset")));
        found.extend(beside.map(|train| (train, Vec::new())));
    }
    let mut datasets = Vec::new();
    for (train, of) in found {
        match Dataset::read(&train) {
            Ok(dataset) => datasets.push((dataset, of)),
            // Nobody asked for it by name, and the rest of the page is right without it.
            Err(error) => progress.note(&format!("leakage and retrieval are not shown: {error}")),
        }
    }
    Ok(datasets)
}

fn find_splits(run: &Path) -> Result<Vec<(String, SplitFiles)>, FileError> {
    let entries = fs::read_dir(run).map_err(|e| FileError::io(run, "read", e))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let mut splits: Vec<(String, SplitFiles)> = Vec::new();
    for name in names {
        let answers = name.strip_prefix("answers").and_then(|rest| rest.strip_suffix(".jsonl"));
        let scores = name.strip_prefix("scores").and_then(|rest| rest.strip_suffix(".json"));
        let Some(suffix) = answers.or(scores) else { continue };
        // Manifests and edits lie beside the files that they speak of.
        if suffix.ends_with(".edits") || suffix.ends_with(".manifest") || suffix.contains(".jsonl") {
            continue;
        }
        let clean = suffix == ".clean" || suffix.ends_with(".clean");
        let split = suffix.trim_end_matches(".clean").trim_start_matches(['.', '-', '_']).to_owned();
        let place = splits.iter().position(|(known, _)| *known == split).unwrap_or_else(|| {
            splits.push((split, SplitFiles::default()));
            splits.len() - 1
        });
        let files = &mut splits[place].1;
        let slot = match (answers.is_some(), clean) {
            (true, false) => &mut files.answers,
            (true, true) => &mut files.clean,
            (false, false) => &mut files.scores,
            (false, true) => &mut files.clean_scores,
        };
        *slot = Some(run.join(&name));
    }
    Ok(splits)
}

/// The page as it grows, with what is needed beside it.
#[derive(Default)]
struct Gathered {
    page: ReportInput,
    /// For each table the grades of its rows.
    grades: Vec<Vec<(String, Graded)>>,
    /// Where each question is, by split, id and prompt.
    places: HashMap<(String, String, String), usize>,
}

impl Gathered {
    fn add_split(
        &mut self,
        model: &str,
        split: &str,
        files: &SplitFiles,
        folder: &Path,
        pictures: &mut Pictures,
        near: &[PathBuf],
    ) -> Result<(), FileError> {
        let title =
            if split.is_empty() { "All questions".to_owned() } else { split.replace(['-', '_'], " ") };
        let repaired = format!("{model} + repaired");
        let said = files.answers.as_deref().map(answers::read).transpose()?.unwrap_or_default();
        let clean = files.clean.as_deref().map(answers::read).transpose()?.unwrap_or_default();
        let edits = files.clean.as_deref().map(read_edits).transpose()?.unwrap_or_default();
        for (name, scores, answers) in
            [(model, &files.scores, &said), (repaired.as_str(), &files.clean_scores, &clean)]
        {
            let scores: Option<ScoresFile> = scores.as_deref().map(read_json).transpose()?;
            let mut grades = HashMap::new();
            if let Some(scores) = scores {
                self.add_row(&title, name, &scores);
                grades = scores.items.into_iter().map(|item| (item.id.clone(), item)).collect();
            }
            let before: Option<HashMap<&str, &Answer>> = (name == repaired && !said.is_empty())
                .then(|| said.iter().map(|answer| (answer.id.as_str(), answer)).collect());
            for answer in answers {
                let place = self.place(&title, answer, |path| pictures.take(path, folder, near));
                let shown = shown(name, answer, &mut grades, before.as_ref(), &edits);
                self.page.questions[place].answers.push(shown);
            }
        }
        Ok(())
    }

    fn add_row(&mut self, title: &str, name: &str, scores: &ScoresFile) {
        let place = self.page.splits.iter().position(|known| known.name == title).unwrap_or_else(|| {
            self.page.splits.push(SplitTable { name: title.to_owned(), ..SplitTable::default() });
            self.grades.push(Vec::new());
            self.grades.len() - 1
        });
        self.page.splits[place].rows.push(scores.row(name));
        self.grades[place].push((name.to_owned(), graded(&scores.items)));
    }

    /// Where an answer's question is; it is added where no run was asked it before.
    fn place(&mut self, split: &str, answer: &Answer, take: impl FnOnce(&str) -> super::Picture) -> usize {
        let key = (split.to_owned(), answer.id.clone(), answer.prompt.clone());
        *self.places.entry(key).or_insert_with(|| {
            let Answer { id, task, subject, cell_type, label, prompt, image, reference, .. } = answer;
            self.page.questions.push(Question {
                split: split.to_owned(),
                id: id.clone(),
                task: Some(*task),
                subject: subject.clone(),
                cell_type: cell_type.clone(),
                label: label.clone(),
                prompt: prompt.clone(),
                picture: image.as_deref().map(take),
                reference: reference.clone(),
                answers: Vec::new(),
            });
            self.page.questions.len() - 1
        })
    }
}

fn shown(
    model: &str,
    answer: &Answer,
    grades: &mut HashMap<String, Grade>,
    before: Option<&HashMap<&str, &Answer>>,
    edits: &HashMap<String, Vec<Edit>>,
) -> ShownAnswer {
    let before = before.and_then(|before| before.get(answer.id.as_str()));
    ShownAnswer {
        model: model.to_owned(),
        text: answer.answer.clone(),
        before: before.map(|answer| answer.answer.clone()),
        edits: before.and_then(|_| edits.get(&answer.id)).cloned().unwrap_or_default(),
        grade: grades.remove(&answer.id),
    }
}
