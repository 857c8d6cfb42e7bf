//! Grades by another model, and how far they agree with the deterministic ones.
//!
//! Optional, and part of no score: a judge may be wrong, may change with its version, and costs money. What it is asked
//! is the rubric in `judge/rubric.txt` with task, question, reference and answer; what it replies is
//! `{"truth": 0|1, "form": 0|1, "reason": "…"}`. This file makes the questions and reads the replies, and never sees the
//! network. Agreement is Cohen's kappa (1960), κ = (pₒ − pₑ) / (1 − pₑ), with pₒ the share on which both agree and pₑ what
//! two graders would agree on by chance who give as many ones as these two.

use geneverse_data::answers::{Answer, Task};
use geneverse_data::chat::{ChatAnswer, ChatRequest, Message, Sampling};
use geneverse_data::stage::hash_bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agreement::cohens_kappa;
use crate::scores::Item;

/// What a judge is told.
pub const RUBRIC: &str = include_str!("judge/rubric.txt");

/// A share counts as a grade of 1 from here on: proteins are graded by a share of the name.
const HALF: f64 = 0.5;

/// SHA-256 of the rubric: part of what a judgement depends on.
pub fn rubric_hash() -> String {
    hash_bytes(RUBRIC.as_bytes())
}

/// The question about one answer.
pub fn question(answer: &Answer, model: &str, sampling: Sampling) -> ChatRequest {
    let task = match answer.task {
        Task::Gene => "gene",
        Task::Protein => "protein",
        Task::Marker => "marker",
    };
    let Answer { prompt, reference, answer, .. } = answer;
    let user = format!(
        "Task: {task}\n\nQuestion:\n{prompt}\n\nReference answer:\n{reference}\n\nAnswer to grade:\n<answer>\n{answer}\n</answer>"
    );
    ChatRequest {
        model: model.to_owned(),
        messages: vec![Message::system(RUBRIC), Message::user(user)],
        sampling,
    }
}

/// A judge's verdict on one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// 0 or 1.
    pub truth: u8,
    /// 0 or 1.
    pub form: u8,
    /// Why, in the judge's words.
    pub reason: String,
}

/// Reads a reply; an error says what stands there instead.
pub fn read(reply: &ChatAnswer) -> Result<Judgement, String> {
    let (text, _) = reply.without_thoughts();
    let shown = || text.chars().take(80).collect::<String>();
    // Judges wrap their JSON into code blocks and sentences: the last object that has both grades counts.
    let mut objects = text.match_indices('{').filter_map(|(at, _)| {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        values.next()?.ok()
    });
    let found = objects.rfind(|value| value.get("truth").is_some());
    let value = found.ok_or_else(|| format!("found no JSON with grades in {:?}", shown()))?;
    let grade = |name: &str| match &value[name] {
        Value::Number(number) if number.as_f64() == Some(0.0) => Ok(0),
        Value::Number(number) if number.as_f64() == Some(1.0) => Ok(1),
        Value::Bool(given) => Ok(u8::from(*given)),
        Value::String(text) if text.trim() == "0" => Ok(0),
        Value::String(text) if text.trim() == "1" => Ok(1),
        other => Err(format!("found {name} {other}, expected 0 or 1")),
    };
    let reason = value["reason"].as_str().unwrap_or_default().trim().to_owned();
    Ok(Judgement { truth: grade("truth")?, form: grade("form")?, reason })
}

/// How two graders agree on grades of 0 and 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Both gave 1.
    pub both: usize,
    /// Only the judge did.
    pub judge_only: usize,
    /// Only the grader did.
    pub grader_only: usize,
    /// Neither did.
    pub neither: usize,
    /// Cohen's kappa; `None` where both gave the same grade to everything, or there is nothing.
    pub kappa: Option<f64>,
}

impl Agreement {
    /// Counts pairs of the judge's grade and the grader's.
    pub fn of(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let pairs: Vec<(bool, bool)> = pairs.into_iter().collect();
        let count = |wanted: (bool, bool)| pairs.iter().filter(|pair| **pair == wanted).count();
        let (judge, grader): (Vec<bool>, Vec<bool>) = pairs.iter().copied().unzip();
        Self {
            both: count((true, true)),
            judge_only: count((true, false)),
            grader_only: count((false, true)),
            neither: count((false, false)),
            kappa: cohens_kappa(&judge, &grader).ok().flatten(),
        }
    }
}

/// An answer with its judgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The answer's id.
    pub id: String,
    /// What it is about.
    pub subject: String,
    /// The verdict; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// `judged.json`: all judgements, and how they agree with the deterministic grades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgements {
    /// The task.
    pub task: Task,
    /// Answers.
    pub n: usize,
    /// The judge's name.
    pub judge: String,
    /// [`rubric_hash`].
    pub rubric: String,
    /// Answers with a verdict.
    pub judged: usize,
    /// Replies that could not be read.
    pub malformed: usize,
    /// Questions without a reply.
    pub unanswered: usize,
    /// Mean grade of truth, of the answers with a verdict.
    pub truth: Option<f64>,
    /// Mean grade of form.
    pub form: Option<f64>,
    /// How the judge agrees with the deterministic grade of truth, where that is at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth_agreement: Option<Agreement>,
    /// The same of form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form_agreement: Option<Agreement>,
    /// Each answer.
    pub items: Vec<Judged>,
}

/// Puts replies and grades together. `replies` are in the order of the answers; `grades` are found by id.
pub fn judgements(
    answers: &[Answer],
    replies: &[Option<ChatAnswer>],
    grades: Option<&[Item]>,
    judge: &str,
) -> Judgements {
    let mut malformed = 0;
    let items: Vec<Judged> = answers
        .iter()
        .zip(replies)
        .map(|(answer, reply)| {
            let read = reply.as_ref().map(read);
            malformed += usize::from(matches!(read, Some(Err(_))));
            let (judgement, fault) = match read {
                None => (None, Some("no reply".to_owned())),
                Some(Err(fault)) => (None, Some(fault)),
                Some(Ok(judgement)) => (Some(judgement), None),
            };
            Judged { id: answer.id.clone(), subject: answer.subject.clone(), judgement, fault }
        })
        .collect();
    let verdicts: Vec<(&str, &Judgement)> =
        items.iter().filter_map(|item| Some((item.id.as_str(), item.judgement.as_ref()?))).collect();
    let mean = |of: fn(&Judgement) -> u8| {
        let sum: f64 = verdicts.iter().map(|(_, verdict)| f64::from(of(verdict))).sum();
        (!verdicts.is_empty()).then(|| sum / verdicts.len() as f64)
    };
    let by_id: Option<std::collections::HashMap<&str, &Item>> =
        grades.map(|grades| grades.iter().map(|item| (item.id.as_str(), item)).collect());
    let agreement = |of: fn(&Judgement) -> u8, grade: fn(&Item) -> f64| {
        let by_id = by_id.as_ref()?;
        let pairs = verdicts
            .iter()
            .filter_map(|(id, verdict)| Some((of(verdict) == 1, grade(by_id.get(id)?) >= HALF)));
        Some(Agreement::of(pairs))
    };
    Judgements {
        task: answers.first().map_or(Task::Gene, |answer| answer.task),
        n: answers.len(),
        judge: judge.to_owned(),
        rubric: rubric_hash(),
        judged: verdicts.len(),
        malformed,
        unanswered: replies.iter().filter(|reply| reply.is_none()).count(),
        truth: mean(|verdict| verdict.truth),
        form: mean(|verdict| verdict.form),
        truth_agreement: agreement(|verdict| verdict.truth, |item| item.factual),
        form_agreement: agreement(|verdict| verdict.form, |item| item.structural),
        items,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> ChatAnswer {
        ChatAnswer { text: text.to_owned(), ..ChatAnswer::default() }
    }

    #[test]
    fn replies_are_read_however_they_are_wrapped() {
        for text in [
            r#"{"truth": 1, "form": 0, "reason": "two paragraphs"}"#,
            "<think>It {might} be.</think>```json\n{\"truth\": true, \"form\": \"0\", \"reason\": \"two paragraphs\"}\n```",
            r#"Here it is: {"truth": 1.0, "form": false, "reason": " two paragraphs "} as asked."#,
        ] {
            let expected = Judgement { truth: 1, form: 0, reason: "two paragraphs".to_owned() };
            assert_eq!(read(&reply(text)), Ok(expected), "{text}");
        }
        for (text, fault) in [
            ("", "found no JSON with grades in \"\""),
            ("I would say 1.", "found no JSON with grades in \"I would say 1.\""),
            (r#"{"truth": 2, "form": 0}"#, "found truth 2, expected 0 or 1"),
            (r#"{"truth": 1}"#, "found form null, expected 0 or 1"),
        ] {
            assert_eq!(read(&reply(text)).unwrap_err(), fault);
        }
    }

    #[test]
    fn kappa_is_agreement_beyond_chance() {
        let pairs = |counts: [usize; 4]| {
            let kinds = [(true, true), (true, false), (false, true), (false, false)];
            kinds
                .into_iter()
                .zip(counts)
                .flat_map(|(pair, n)| std::iter::repeat_n(pair, n))
                .collect::<Vec<_>>()
        };
        // The example of many textbooks: pₒ = 0.7, pₑ = 0.5.
        let kappa = Agreement::of(pairs([20, 5, 10, 15])).kappa.unwrap();
        assert!((kappa - 0.4).abs() < 1e-12);
        assert_eq!(Agreement::of(pairs([5, 0, 0, 5])).kappa, Some(1.0));
        assert_eq!(Agreement::of(pairs([0, 5, 5, 0])).kappa, Some(-1.0));
        assert_eq!(Agreement::of(pairs([5, 0, 0, 0])).kappa, None);
        assert_eq!(Agreement::of([]).kappa, None);
    }

    #[test]
    fn a_question_holds_rubric_reference_and_answer() {
        let answer: Answer = serde_json::from_str(
            r#"{"id":"a","task":"marker","subject":"KDR","prompt":"Is it?","answer":"Yes.","reference":"No.","model":"m"}"#,
        )
        .unwrap();
        let asked = question(&answer, "judge", Sampling::default());
        assert_eq!(asked.messages[0].words(), RUBRIC);
        let words = asked.messages[1].words();
        for part in ["Task: marker", "Is it?", "No.", "<answer>\nYes.\n</answer>"] {
            assert!(words.contains(part), "{words}");
        }
        assert_eq!(rubric_hash().len(), 64);
    }
}
