//! Whether a text that a model wrote about a gene may be learned from.
//!
//! Unlike a grade this is asked before there is a dataset, and it is strict where a mistake would be taught: a text about
//! another gene, of another kind, with foreign identifiers. What a server says of an answer (cut off, filtered) is
//! known before this; here it is the text alone that is judged, against the record and the question.

pub(crate) mod accessions;

use std::collections::HashSet;

use geneverse_data::gene::GeneRecord;
use geneverse_data::synthesize::{Question, Reason, Rejection};

use crate::facts::{GeneGrader, Measure, contradiction};
use crate::form::grade_form;
use crate::index::GeneIndex;
use crate::postprocess::{repair, wrong_identifiers};
use crate::prose::{contains_word, ends_complete, sentences, words};

/// The rules' version: part of what a screened dataset depends on. Raised with every change of a verdict.
pub const RULES: u32 = 2;

/// How models decline, lower-cased. In the first person wherever they stand.
const REFUSALS: [&str; 24] = [
    "i cannot",
    "i can't",
    "i can not",
    "i'm sorry",
    "i am sorry",
    "i apologize",
    "i'm unable",
    "i am unable",
    "i'm not able",
    "i am not able",
    "i won't",
    "i do not have",
    "i don't have",
    "i do not know",
    "i don't know",
    "i'm not aware",
    "i am not aware",
    "i'm not familiar",
    "i am not familiar",
    "i could not find",
    "i couldn't find",
    "i must decline",
    "as an ai",
    "as a language model",
];

/// Further ways, which mean this at the start of an answer only.
const REFUSALS_AT_START: [&str; 12] = [
    "sorry",
    "unfortunately",
    "unable to",
    "cannot provide",
    "please provide",
    "could you",
    "not a recognized",
    "not a recognised",
    "not a valid gene",
    "does not appear to be",
    "there is no information",
    "no information is available",
];

/// How many letters are the start of an answer.
const START: usize = 120;

/// Words that may stand before the subject of a first sentence.
const BEFORE_SUBJECT: [&str; 5] = ["the", "human", "gene", "protein", "a"];

/// A rephrasing of which this share of the five-word phrases stands in the record is the record. Prose rewritten by
/// hand keeps below a half; identifiers and lineage stay as they are in any rephrasing.
const COPIED: f64 = 0.9;

/// Letters of other scripts than the Latin one, as a share of all letters; Greek ones are common in names.
const FOREIGN: f64 = 0.1;

/// Judges a text that a model gave in answer to `question` about `gene`, a record of the grader's index.
pub fn screen(
    text: &str,
    question: &Question,
    gene: &GeneRecord,
    grader: &GeneGrader,
) -> Result<(), Rejection> {
    let index = grader.index();
    let checks: [(Reason, &dyn Fn() -> Option<String>); 10] = [
        (Reason::Refusal, &|| refusal(text)),
        (Reason::Form, &|| other_script(text)),
        (Reason::OtherGene, &|| other_gene(text, gene, index)),
        (Reason::OtherKind, &|| contradiction::kind::other_kind(text, gene)),
        (Reason::SymbolLost, &|| symbol_lost(text, question, gene)),
        (Reason::Identifiers, &|| foreign_identifiers(text, question, gene, index)),
        (Reason::Echo, &|| echo(text, question)),
        (Reason::CutOff, &|| cut_off(text)),
        (Reason::Form, &|| bad_form(text)),
        (Reason::OtherGene, &|| other_function(text, gene, grader)),
    ];
    let found = checks.into_iter().find_map(|(reason, check)| Some(Rejection::new(reason, check()?)));
    found.map_or(Ok(()), Err)
}

fn refusal(text: &str) -> Option<String> {
    let lower = text.to_lowercase().replace('’', "'");
    let end = lower.char_indices().nth(START).map_or(lower.len(), |(at, _)| at);
    let stands = |text: &str, phrase: &str| {
        text.match_indices(phrase).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + phrase.len()..].chars().next();
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        })
    };
    let anywhere = REFUSALS.into_iter().find(|phrase| stands(&lower, phrase));
    let found = anywhere.or_else(|| REFUSALS_AT_START.into_iter().find(|p| stands(&lower[..end], p)));
    found.map(|phrase| format!("says {phrase:?}"))
}

/// What a text says of who it is about, where that is another gene than this one.
fn other_gene(text: &str, gene: &GeneRecord, index: &GeneIndex) -> Option<String> {
    let lower = text.to_lowercase();
    if let Some(found) = contradiction::other_symbol(text, &lower, gene) {
        return Some(found);
    }
    if let Some(found) = contradiction::organism::other_organism(text, gene) {
        return Some(found);
    }
    let first = sentences(text).into_iter().next().map_or("", |range| &text[range]);
    if let Some(subject) = subject(first, gene, index).filter(|_| !names(first, gene)) {
        return Some(format!("begins with {subject} and not with {}", gene.symbol));
    }
    if names(text, gene) {
        return None;
    }
    let others = words(text).into_iter().map(|(_, word)| word).filter(|word| is_other(word, gene, index));
    let others: Vec<&str> = others.take(3).collect();
    (!others.is_empty()).then(|| format!("names {} and not {}", others.join(", "), gene.symbol))
}

/// The other gene that a sentence is about: its approved symbol stands where a subject does.
fn subject<'a>(sentence: &'a str, gene: &GeneRecord, index: &GeneIndex) -> Option<&'a str> {
    let mut words = words(sentence).into_iter().map(|(_, word)| word);
    let word = words.find(|word| !BEFORE_SUBJECT.contains(&word.to_lowercase().as_str()))?;
    let symbol = word.strip_suffix("'s").unwrap_or(word);
    is_other(symbol, gene, index).then_some(symbol)
}

/// Whether a word is the approved symbol of another gene, and none that this gene goes by.
fn is_other(word: &str, gene: &GeneRecord, index: &GeneIndex) -> bool {
    word.len() > 1
        && index.approved(word).is_some_and(|other| other.symbol != gene.symbol)
        && !gene.all_symbols().iter().any(|own| own.eq_ignore_ascii_case(word))
}

/// Whether a text names the gene: a symbol of it in any case, or one of its names in full. Most of a name is not
/// enough: "fibroblast growth factor" is most of two dozen genes' names.
fn names(text: &str, gene: &GeneRecord) -> bool {
    let lower = text.to_lowercase();
    if gene.all_symbols().iter().any(|symbol| contains_word(&lower, &symbol.to_lowercase())) {
        return true;
    }
    let bare = |text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        format!(" {} ", words.collect::<Vec<_>>().join(" "))
    };
    let text = bare(&lower);
    let names = std::iter::once(&gene.name).chain(&gene.other_names).map(|name| bare(&name.to_lowercase()));
    names.filter(|name| !name.trim().is_empty()).any(|name| text.contains(&name))
}

fn symbol_lost(text: &str, question: &Question, gene: &GeneRecord) -> Option<String> {
    let symbol = gene.symbol.as_str();
    if question.source.is_some() {
        return (!contains_word(text, symbol)).then(|| format!("lost the symbol {symbol}"));
    }
    (!names(text, gene)).then(|| format!("names neither {symbol} nor an alias of it nor its full name"))
}

fn foreign_identifiers(
    text: &str,
    question: &Question,
    gene: &GeneRecord,
    index: &GeneIndex,
) -> Option<String> {
    if wrong_identifiers(text, gene, index) > 0 {
        let edits = repair(text, gene, index).edits.into_iter().filter(|edit| edit.what != "alias list");
        let wrong: Vec<String> = edits.map(|edit| edit.from.trim().to_owned()).collect();
        return Some(format!("gives {}", wrong.join(", ")));
    }
    let unknown = accessions::unknown(text, question.source.as_deref(), gene);
    (!unknown.is_empty()).then(|| format!("gives {}, of which the record says nothing", unknown.join(", ")))
}

fn echo(text: &str, question: &Question) -> Option<String> {
    let phrases = |text: &str| -> Vec<Vec<String>> {
        let words: Vec<String> = words(text).iter().map(|(_, word)| word.to_lowercase()).collect();
        words.windows(5).map(<[String]>::to_vec).collect()
    };
    let said = phrases(text);
    let share = |of: &str| {
        let of: HashSet<Vec<String>> = phrases(of).into_iter().collect();
        said.iter().filter(|phrase| of.contains(*phrase)).count()
    };
    // What is asked, without the paragraph that is to be kept.
    let instructions = match &question.source {
        Some(source) => question.user.replace(source.as_str(), "\n"),
        None => question.user.clone(),
    };
    let instructions = format!("{} {instructions}", question.system.unwrap_or_default());
    if share(&instructions) >= 2 {
        return Some("repeats the words of the question".to_owned());
    }
    let source = question.source.as_deref()?;
    let copied = share(source) as f64 / said.len().max(1) as f64;
    (copied >= COPIED).then(|| format!("{:.0} % of its phrases are the record's own", copied * 100.0))
}

fn cut_off(text: &str) -> Option<String> {
    let last = text.lines().last().unwrap_or_default().trim();
    let open = !ends_complete(text) && last.ends_with(|c: char| c.is_alphanumeric() || c == ',');
    open.then(|| {
        let tail: Vec<&str> = last.split_whitespace().rev().take(4).collect();
        format!("breaks off after \"{}\"", tail.into_iter().rev().collect::<Vec<_>>().join(" "))
    })
}

fn bad_form(text: &str) -> Option<String> {
    let grade = grade_form(text);
    (grade.score < 1.0).then(|| grade.reasons.join("; "))
}

/// First of all, for without blanks between words no name in it is found.
fn other_script(text: &str) -> Option<String> {
    let latin = |c: char| c.is_ascii() || matches!(c, '\u{c0}'..='\u{24f}' | '\u{370}'..='\u{3ff}');
    let letters: Vec<char> = text.chars().filter(|c| c.is_alphabetic()).collect();
    let foreign = letters.iter().filter(|c| !latin(**c)).count();
    (foreign as f64 > FOREIGN * letters.len() as f64).then(|| "is not in English".to_owned())
}

/// A text under this gene's name whose function is another's.
fn other_function(text: &str, gene: &GeneRecord, grader: &GeneGrader) -> Option<String> {
    let Measure { nearest, coverage, .. } = grader.measure(text, gene)?;
    let wanted = grader.wanted(gene);
    if nearest < wanted.nearest {
        let least = wanted.nearest;
        return Some(format!(
            "fits another gene's record better: {nearest:.2} of the best, expected {least}"
        ));
    }
    (coverage < wanted.coverage).then(|| {
        let (has, least) = (coverage * 100.0, wanted.coverage * 100.0);
        format!("says {has:.0} % of what the record does, expected {least:.0} %")
    })
}

#[cfg(test)]
mod tests;
