//! Degenerate repetition: what a model does that has run into a loop.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use crate::hash::Map;
use crate::prose::{sentences, words};

/// Degenerate repetition, in words: a sentence twice, a phrase over and over, or few new four-word phrases.
pub(crate) fn repetition(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let written = words(text);
    let in_lower = words(&lower);
    // Lower-casing moves the bytes of a few letters; word by word it is the same.
    let lowered: Vec<Cow<'_, str>> = match in_lower.len() == written.len() {
        true => in_lower.iter().map(|(_, word)| Cow::Borrowed(*word)).collect(),
        false => written.iter().map(|(_, word)| Cow::Owned(word.to_lowercase())).collect(),
    };
    let mut numbers: Map<&str, u32> = Map::default();
    let number = |word| {
        let next = numbers.len() as u32;
        *numbers.entry(word).or_insert(next)
    };
    let tokens: Vec<u32> = lowered.iter().map(Cow::as_ref).map(number).collect();
    // A word alone may follow itself in a name, "MAP kinase kinase kinase kinase"; a symbol may not.
    let symbol = |word: &str| {
        word.chars().any(char::is_alphabetic) && word.chars().any(|c| c.is_uppercase() || c.is_ascii_digit())
    };
    for length in 1..=8 {
        for start in 0..tokens.len() {
            let phrase = |n: usize| tokens.get(start + n * length..start + (n + 1) * length);
            if phrase(1).is_none_or(|second| Some(second) != phrase(0)) {
                continue;
            }
            let times = if length == 1 && !symbol(written[start].1) { 5 } else { 3 };
            if (2..times).all(|n| phrase(n) == phrase(0)) {
                let phrase = lowered[start..start + length].join(" ");
                return Some(format!("{phrase:?} {times} times in a row"));
            }
        }
    }
    if a_sentence_twice(text, &written, &tokens) {
        return Some("a sentence stands there twice".to_owned());
    }
    let mut distinct: Vec<&[u32]> = tokens.windows(4).collect();
    let grams = distinct.len();
    distinct.sort_unstable();
    distinct.dedup();
    // Real summaries keep above 0.85; a looping model falls to a half soon.
    let share = distinct.len() as f64 / grams.max(1) as f64;
    (grams >= 20 && share < 0.7)
        .then(|| format!("only {:.0} % of its four-word phrases are new", share * 100.0))
}

/// Whether one of at least five words does. `tokens` are the words as numbers.
fn a_sentence_twice(text: &str, words_of_text: &[(Range<usize>, &str)], tokens: &[u32]) -> bool {
    const LEAST: usize = 5;
    let ranges = sentences(text);
    let place = |at: usize| words_of_text.partition_point(|(word, _)| word.start < at);
    // "… of proteins.The …" is one word and two sentences.
    let cut = |range: &Range<usize>| {
        words_of_text[..place(range.end)].last().is_some_and(|(w, _)| w.end > range.end)
    };
    if ranges.iter().any(cut) {
        let mut seen = HashSet::new();
        let lower = |range: Range<usize>| -> Vec<String> {
            words(&text[range]).iter().map(|(_, word)| word.to_lowercase()).collect()
        };
        return ranges
            .into_iter()
            .map(lower)
            .any(|sentence| sentence.len() >= LEAST && !seen.insert(sentence));
    }
    let mut seen = HashSet::new();
    let mut sentences = ranges.iter().map(|range| &tokens[place(range.start)..place(range.end)]);
    sentences.any(|sentence| sentence.len() >= LEAST && !seen.insert(sentence))
}
