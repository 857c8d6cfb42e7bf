//! What a row came to, read from the files that its commands left.

use std::collections::BTreeMap;
use std::path::Path;

use geneverse_data::stage::read_json;
use geneverse_eval::scores::Scores;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::Planned;

/// The values of a row, by their names in `scores.json` or in the experiment's file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Measured {
    pub(super) n: usize,
    pub(super) values: BTreeMap<String, f64>,
    pub(super) intervals: BTreeMap<String, [f64; 2]>,
    /// What was looked up, where records were.
    pub(super) lookup: Option<LookedUp>,
}

/// What retrieval found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct LookedUp {
    /// Share of questions whose own record is among what was found.
    pub(super) found: f64,
    /// Share whose own record comes first.
    pub(super) first: f64,
    /// Share whose first record is of a look-alike: another symbol with the same letters before its first digit.
    pub(super) look_alike: f64,
    /// Mean tokens of the question as the model read it.
    pub(super) prompt_tokens: Option<f64>,
}

/// The scores of the table, by their names in `scores.json`, and what they are called.
pub(super) const SCORES: [(&str, &str); 5] = [
    ("factual", "Factual"),
    ("structural", "Structural"),
    ("average", "Average"),
    ("bleu", "BLEU"),
    ("rouge1", "ROUGE-1"),
];

/// The validation loss of a row that was trained; lower is better.
pub(super) const LOSS: &str = "validation loss";

/// The best validation loss of a run, else the last there is of training.
fn loss(outcome: &Value) -> Option<f64> {
    outcome.pointer("/best/eval_loss").or_else(|| outcome.get("last_loss"))?.as_f64()
}

impl Planned {
    /// Reads what is there; what is not there is left out.
    pub(super) fn read(&mut self) {
        let mut measured = Measured::default();
        if let Some(path) = &self.scores
            && let Ok(scores) = read_json::<Scores>(Path::new(path))
        {
            let Scores { n, factual, structural, average, bleu, rouge1, intervals, .. } = scores;
            measured.n = n;
            let values = [factual, structural, average, bleu, rouge1];
            measured
                .values
                .extend(SCORES.iter().zip(values).map(|((name, _), value)| ((*name).to_owned(), value)));
            if let Some(i) = intervals {
                let all = [i.factual, i.structural, i.average, i.bleu, i.rouge1];
                measured
                    .intervals
                    .extend(SCORES.iter().zip(all).map(|((name, _), i)| ((*name).to_owned(), i)));
            }
            let answers = Path::new(path).with_file_name("answers.jsonl");
            measured.lookup = looked_up(&answers);
        }
        let manifest = self.trained.as_ref().and_then(|path| read_json::<Value>(Path::new(path)).ok());
        if let Some(loss) = manifest.and_then(|manifest| loss(&manifest["facts"]["outcome"])) {
            measured.values.insert(LOSS.to_owned(), loss);
        }
        for (name, place) in &self.measures {
            let (file, pointer) = place.split_once('#').unwrap_or((place, ""));
            let value = read_json::<Value>(Path::new(file)).ok();
            if let Some(value) = value.and_then(|value| value.pointer(pointer)?.as_f64()) {
                measured.values.insert(name.clone(), value);
            }
        }
        self.measured = (!measured.values.is_empty()).then_some(measured);
    }
}

#[derive(Deserialize)]
struct Line {
    id: String,
    #[serde(default)]
    sources: Vec<Found>,
    #[serde(default)]
    prompt_tokens: Option<f64>,
}

#[derive(Deserialize)]
struct Found {
    symbol: String,
}

/// What `answers.jsonl.trace.jsonl` tells of the records found.
fn looked_up(answers: &Path) -> Option<LookedUp> {
    let trace = std::fs::read_to_string(crate::answer::part::beside(answers, "trace.jsonl")).ok()?;
    let subjects: BTreeMap<String, String> =
        geneverse_data::answers::read(answers).ok()?.into_iter().map(|a| (a.id, a.subject)).collect();
    let lines: Vec<Line> = trace.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if lines.is_empty() || lines.iter().all(|line| line.sources.is_empty()) {
        return None;
    }
    let share = |is: &dyn Fn(&Line, &str) -> bool| {
        let hits =
            lines.iter().filter(|line| subjects.get(&line.id).is_some_and(|subject| is(line, subject)));
        hits.count() as f64 / lines.len() as f64
    };
    let first = |line: &Line| line.sources.first().map_or(String::new(), |found| found.symbol.clone());
    let tokens: Vec<f64> = lines.iter().filter_map(|line| line.prompt_tokens).collect();
    Some(LookedUp {
        found: share(&|line, subject| line.sources.iter().any(|found| found.symbol == subject)),
        first: share(&|line, subject| first(line) == subject),
        look_alike: share(&|line, subject| {
            let first = first(line);
            first != subject && !letters(&first).is_empty() && letters(&first) == letters(subject)
        }),
        prompt_tokens: (!tokens.is_empty()).then(|| tokens.iter().sum::<f64>() / tokens.len() as f64),
    })
}

/// What a family's symbols begin with: the letters before the first digit.
fn letters(symbol: &str) -> &str {
    &symbol[..symbol.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(symbol.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookalikes_and_right_records_are_counted_from_the_trace() {
        let folder = tempfile::tempdir().unwrap();
        let answers = folder.path().join("answers.jsonl");
        let answer = |id: &str, subject: &str| {
            format!(
                r#"{{"id":"{id}","task":"gene","subject":"{subject}","prompt":"","answer":"","reference":"","model":"m"}}"#
            )
        };
        std::fs::write(
            &answers,
            [answer("1", "RPS27AP8"), answer("2", "GLI1"), answer("3", "KDR")].join("\n"),
        )
        .unwrap();
        let trace = "{\"id\":\"1\",\"prompt_tokens\":100,\"sources\":[{\"symbol\":\"RPS4XP1\"},{\"symbol\":\"RPS27AP8\"}]}\n\
                     {\"id\":\"2\",\"prompt_tokens\":200,\"sources\":[{\"symbol\":\"GLI1\"}]}\n\
                     {\"id\":\"3\",\"prompt_tokens\":300,\"sources\":[{\"symbol\":\"EGFR\"}]}\n";
        std::fs::write(folder.path().join("answers.jsonl.trace.jsonl"), trace).unwrap();
        let third = 1.0 / 3.0;
        let expected =
            LookedUp { found: 2.0 * third, first: third, look_alike: third, prompt_tokens: Some(200.0) };
        assert_eq!(looked_up(&answers), Some(expected));
        assert_eq!(looked_up(&folder.path().join("none.jsonl")), None);
    }
}
