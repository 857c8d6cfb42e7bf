//! GeneTuring and GeneHop: questions on genomics with short answers, scored as published.
//!
//! A file of questions is GeneGPT's: `{"Gene alias": {"What is …?": "PSMB10", …}, …}`, some answers being lists
//! (github.com/ncbi/GeneGPT, `data/`; GeneTuring by Hou and Ji, 2023). Scores are those of its `evaluate.py`, to the letter:
//!
//! | module | the answer is brought into form by | a question's score |
//! |---|---|---|
//! | Gene location, SNP location | its last word, `chr` put before it where it lacks it | 1 if equal |
//! | Protein-coding genes | `Yes` is TRUE, `No` is NA | 1 if equal |
//! | Multi-species DNA aligment | Latin names of seven species are their English ones | 1 if equal |
//! | Human genome DNA aligment | – | 1 if equal, ½ if the chromosome is |
//! | Gene disease association, Disease gene location | cut at `, ` | the share of what is wanted that is there |
//! | all others | – | 1 if equal |
//!
//! Blanks around it and `Answer: ` go first, but for the locations. Two modules of GeneHop that program does not score. Of the
//! aliases of a sequence's gene ours is the share that is there; of a gene's function ROUGE-1, which says little.
//!
//! A model that answers in a sentence scores 0 there. So [`Scored::contained`] is told beside it: whether what is wanted stands
//! somewhere in the answer, as a word.

pub mod grounded;

use std::collections::BTreeMap;
use std::path::Path;

use geneverse_data::stage::{FileError, read_json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::text::rouge1;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Unique in its file: the module's name and a number from 1.
    pub id: String,
    /// The module, as the file names it.
    pub module: String,
    /// What is asked.
    pub question: String,
    /// What is wanted; several where the file has a list.
    pub wanted: Wanted,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    /// One text.
    One(String),
    /// A list.
    Several(Vec<String>),
}

impl Wanted {
    /// In one line.
    pub fn words(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Several(texts) => texts.join(", "),
        }
    }

    fn each(&self) -> Vec<&str> {
        match self {
            Self::One(text) => text.split(", ").collect(),
            Self::Several(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

/// Whose rule gives a module's score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// `evaluate.py`'s.
    Published,
    /// Ours, where that has none.
    Ours,
}

/// The rule of a module.
pub fn rule(module: &str) -> Rule {
    match module {
        "sequence gene alias" | "SNP gene function" => Rule::Ours,
        _ => Rule::Published,
    }
}

/// The score of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// As published, in [0, 1].
    pub score: f64,
    /// The share of what is wanted that stands somewhere in the answer, as a word.
    pub contained: f64,
}

/// Reads a file of questions, in its order.
///
/// # Errors
/// The file cannot be read, or is of another form.
pub fn read(path: &Path) -> Result<Vec<Question>, FileError> {
    let modules: Map<String, Value> = read_json(path)?;
    let mut questions = Vec::new();
    for (module, entries) in modules {
        let Value::Object(entries) = entries else {
            let reason = format!("{module:?} is no object, expected questions with their answers");
            return Err(FileError::whole(path, reason));
        };
        for (number, (question, wanted)) in entries.into_iter().enumerate() {
            let wanted = serde_json::from_value(wanted).map_err(|_| {
                let reason = format!("the answer to {question:?} is neither a text nor a list of texts");
                FileError::whole(path, reason)
            })?;
            let id = format!("{}-{}", module.replace(' ', "-"), number + 1);
            questions.push(Question { id, module: module.clone(), question, wanted });
        }
    }
    if questions.is_empty() {
        return Err(FileError::whole(path, "found no question, expected modules of questions and answers"));
    }
    Ok(questions)
}

/// The score of an answer to a question.
pub fn score(question: &Question, answer: &str) -> Scored {
    let wanted = question.wanted.each();
    let share = |there: &dyn Fn(&str) -> bool| {
        wanted.iter().filter(|one| there(one)).count() as f64 / wanted.len().max(1) as f64
    };
    let stripped = answer.trim().replace("Answer: ", "");
    let equal = |answer: &str| f64::from(u8::from(answer == question.wanted.words()));
    let listed = || {
        let given: Vec<&str> = stripped.split(", ").collect();
        share(&|one| given.contains(&one))
    };
    let score = match question.module.as_str() {
        "Gene location" | "SNP location" => {
            let last = answer.split_whitespace().last().unwrap_or_default();
            let prefix = if last.contains("chr") { "" } else { "chr" };
            equal(&format!("{prefix}{last}"))
        }
        "Protein-coding genes" => equal(match stripped.as_str() {
            "Yes" => "TRUE",
            "No" => "NA",
            other => other,
        }),
        "Multi-species DNA aligment" => equal(english(&stripped)),
        "Human genome DNA aligment" => {
            let wanted = question.wanted.words();
            let chromosome = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
            let half = if chromosome(&stripped) == chromosome(&wanted) { 0.5 } else { 0.0 };
            equal(&stripped).max(half)
        }
        "Gene disease association" | "Disease gene location" | "sequence gene alias" => listed(),
        "SNP gene function" => rouge1(&stripped, &question.wanted.words()),
        _ => equal(&stripped),
    };
    Scored { score, contained: share(&|one| contains(answer, one)) }
}

fn english(species: &str) -> &str {
    match species {
        "Caenorhabditis elegans" => "worm",
        "Homo sapiens" => "human",
        "Danio rerio" => "zebrafish",
        "Mus musculus" => "mouse",
        "Saccharomyces cerevisiae" => "yeast",
        "Rattus norvegicus" => "rat",
        "Gallus gallus" => "chicken",
        other => other,
    }
}

/// Whether a text has another as a word of its own, in this case.
fn contains(text: &str, word: &str) -> bool {
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            apart(text[..at].chars().next_back()) && apart(text[at + word.len()..].chars().next())
        })
}

/// What a module came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModuleScore {
    /// The module.
    pub module: String,
    /// Its questions.
    pub questions: usize,
    /// How many of them got an answer; the others score 0.
    pub answered: usize,
    /// The mean score over all of its questions.
    pub score: f64,
    /// The mean share of what is wanted that stands in the answers.
    pub contained: f64,
    /// Whose rule the score is by.
    pub rule: Rule,
    /// Why questions got no answer, and how many for each reason.
    pub failures: BTreeMap<String, usize>,
}

/// What a question came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemScore {
    /// The question.
    #[serde(flatten)]
    pub question: Question,
    /// What was answered, or why nothing was.
    pub answer: Result<String, String>,
    /// Its score.
    #[serde(flatten)]
    pub scored: Scored,
}

/// What a set of answers came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkScores {
    /// Who answered.
    pub model: String,
    /// Each module, in the file's order.
    pub modules: Vec<ModuleScore>,
    /// The mean over the modules that the published program scores.
    pub published: Option<f64>,
    /// The mean over those of them of which any question got an answer.
    pub attempted: Option<f64>,
    /// Each question.
    pub items: Vec<ItemScore>,
}

/// Scores answers; `answer` gives a question's, or why there is none.
pub fn scores(
    model: &str,
    questions: &[Question],
    answer: impl Fn(&Question) -> Result<String, String>,
) -> BenchmarkScores {
    let nothing = Scored { score: 0.0, contained: 0.0 };
    let items: Vec<ItemScore> = questions
        .iter()
        .map(|question| {
            let answer = answer(question);
            let scored = answer.as_ref().map_or(nothing, |answer| score(question, answer));
            ItemScore { question: question.clone(), answer, scored }
        })
        .collect();
    let mut modules: Vec<ModuleScore> = Vec::new();
    for item in &items {
        let name = &item.question.module;
        let place = match modules.iter().position(|module| module.module == *name) {
            Some(place) => place,
            None => {
                let (module, rule) = (name.clone(), rule(name));
                let failures = BTreeMap::new();
                let fresh = ModuleScore {
                    module,
                    questions: 0,
                    answered: 0,
                    score: 0.0,
                    contained: 0.0,
                    rule,
                    failures,
                };
                modules.push(fresh);
                modules.len() - 1
            }
        };
        let module = &mut modules[place];
        module.questions += 1;
        module.score += item.scored.score;
        module.contained += item.scored.contained;
        match &item.answer {
            Ok(_) => module.answered += 1,
            Err(why) => *module.failures.entry(why.clone()).or_default() += 1,
        }
    }
    for module in &mut modules {
        module.score /= module.questions as f64;
        module.contained /= module.questions as f64;
    }
    let mean = |of: &dyn Fn(&ModuleScore) -> bool| {
        let scores: Vec<f64> = modules
            .iter()
            .filter(|module| module.rule == Rule::Published && of(module))
            .map(|module| module.score)
            .collect();
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    };
    let (published, attempted) = (mean(&|_| true), mean(&|module| module.answered > 0));
    BenchmarkScores { model: model.to_owned(), modules, published, attempted, items }
}

#[cfg(test)]
mod tests;
