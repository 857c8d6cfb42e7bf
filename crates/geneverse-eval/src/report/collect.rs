//! From run folders to what the page shows.
//!
//! In a folder, `answers[.SPLIT].jsonl` holds what the model said, `answers[.SPLIT].clean.jsonl` the same repaired
//! (its edits beside it), `scores[.SPLIT][.clean].json` the grades of each, and `metrics.jsonl` the losses.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use geneverse_data::answers::{self, Answer};
use geneverse_data::stage::{FileError, open, read_json};

use super::{Question, RepairedAnswer, ReportInput, ShownAnswer, SplitTable, read_curve, table_row};
use crate::postprocess::{Edit, EditedAnswer, edits_path};
use crate::scores::{Item, Scores};

/// What one folder has of one split.
#[derive(Debug, Default)]
struct SplitFiles {
    answers: Option<PathBuf>,
    clean: Option<PathBuf>,
    scores: Option<PathBuf>,
    clean_scores: Option<PathBuf>,
}

/// Reads run folders; each is called by its own name. Title and summary are left for the caller.
pub fn collect(runs: &[PathBuf]) -> Result<ReportInput, FileError> {
    let mut input = ReportInput::default();
    for run in runs {
        let model = run
            .canonicalize()
            .ok()
            .and_then(|path| path.file_name().map(|n| n.to_string_lossy().into_owned()));
        let model = model.unwrap_or_else(|| run.display().to_string());
        let metrics = run.join("metrics.jsonl");
        let has_metrics = metrics.is_file();
        if has_metrics {
            input.curves.push(read_curve(&model, &metrics)?);
        }
        let splits = find_splits(run)?;
        if splits.is_empty() && !has_metrics {
            let reason = "found no metrics.jsonl, scores*.json or answers*.jsonl, expected a run's folder";
            return Err(FileError::whole(run, reason));
        }
        for (split, files) in splits {
            add_split(&mut input, &model, &split, &files)?;
        }
    }
    Ok(input)
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

fn add_split(input: &mut ReportInput, model: &str, split: &str, files: &SplitFiles) -> Result<(), FileError> {
    let title = if split.is_empty() { "All questions".to_owned() } else { split.replace(['-', '_'], " ") };
    let scores: Option<Scores> = files.scores.as_deref().map(read_json).transpose()?;
    let clean_scores: Option<Scores> = files.clean_scores.as_deref().map(read_json).transpose()?;
    let place = input.splits.iter().position(|known| known.name == title).unwrap_or_else(|| {
        input.splits.push(SplitTable { name: title.clone(), ..SplitTable::default() });
        input.splits.len() - 1
    });
    let rows = &mut input.splits[place].rows;
    rows.extend(scores.as_ref().map(|scores| table_row(model, scores)));
    rows.extend(clean_scores.as_ref().map(|scores| table_row(&format!("{model} + repaired"), scores)));
    if rows.is_empty() {
        input.splits.remove(place);
    }

    let said = files.answers.as_deref().map(answers::read).transpose()?.unwrap_or_default();
    let clean = files.clean.as_deref().map(answers::read).transpose()?.unwrap_or_default();
    let edits = files.clean.as_deref().map(read_edits).transpose()?.unwrap_or_default();
    add_answers(input, &title, model, &said, scores.as_ref(), &clean, clean_scores.as_ref(), &edits);
    Ok(())
}

/// The edits beside a repaired file; none where that file is gone.
fn read_edits(clean: &Path) -> Result<HashMap<String, Vec<Edit>>, FileError> {
    let path = edits_path(clean);
    let mut edits = HashMap::new();
    if !path.is_file() {
        return Ok(edits);
    }
    for (place, line) in std::io::BufRead::lines(open(&path)?).enumerate() {
        let line = line.map_err(|e| FileError::io(&path, "read", e))?;
        let edited: EditedAnswer =
            serde_json::from_str(&line).map_err(|e| FileError::row(&path, place + 1, e.to_string()))?;
        edits.insert(edited.id, edited.edits);
    }
    Ok(edits)
}

/// Adds one model's answers to the questions of a split, making those that are not there yet.
#[expect(clippy::too_many_arguments, reason = "answers, repaired answers, and the grades and edits of each")]
pub fn add_answers(
    input: &mut ReportInput,
    split: &str,
    model: &str,
    said: &[Answer],
    scores: Option<&Scores>,
    clean: &[Answer],
    clean_scores: Option<&Scores>,
    edits: &HashMap<String, Vec<Edit>>,
) {
    let by_id = |scores: Option<&Scores>| -> HashMap<String, Item> {
        let items = scores.map(|scores| scores.items.as_slice()).unwrap_or_default();
        items.iter().map(|item| (item.id.clone(), item.clone())).collect()
    };
    let (mut grades, mut clean_grades) = (by_id(scores), by_id(clean_scores));
    let mut repaired: HashMap<&str, &Answer> = clean.iter().map(|a| (a.id.as_str(), a)).collect();
    let known: HashMap<(String, String), usize> = input
        .questions
        .iter()
        .enumerate()
        .filter(|(_, question)| question.split == split)
        .map(|(place, question)| ((question.subject.clone(), question.prompt.clone()), place))
        .collect();
    for answer in if said.is_empty() { clean } else { said } {
        let repaired = repaired.remove(answer.id.as_str()).filter(|_| !said.is_empty());
        let shown = ShownAnswer {
            model: model.to_owned(),
            text: answer.answer.clone(),
            grade: if said.is_empty() { clean_grades.remove(&answer.id) } else { grades.remove(&answer.id) },
            repaired: repaired.map(|clean| RepairedAnswer {
                text: clean.answer.clone(),
                edits: edits.get(&answer.id).cloned().unwrap_or_default(),
                grade: clean_grades.remove(&answer.id),
            }),
        };
        match known.get(&(answer.subject.clone(), answer.prompt.clone())) {
            Some(&place) => input.questions[place].answers.push(shown),
            None => input.questions.push(Question {
                split: split.to_owned(),
                subject: answer.subject.clone(),
                prompt: answer.prompt.clone(),
                reference: answer.reference.clone(),
                answers: vec![shown],
            }),
        }
    }
}
