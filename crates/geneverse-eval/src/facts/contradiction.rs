//! What an answer says that its record denies: another kind of gene, another organism, another name.

pub(crate) mod kind;
pub(crate) mod organism;

use geneverse_data::gene::GeneRecord;

use crate::prose::words;

/// Words at which the predicate noun is over.
const PREDICATE_ENDS: [&str; 17] = [
    "that", "at", "which", "located", "on", "of", "and", "with", "in", "from", "whose", "encoding", "found",
    "for", "by", "related", "derived",
];

/// Subjects that are this gene, apart from its symbols. Lower-cased.
const SUBJECTS: [&str; 6] = ["it", "gene", "locus", "this", "which", "transcript"];

/// Every contradiction, in words.
pub(super) fn find(answer: &str, gene: &GeneRecord) -> Vec<String> {
    let lower = answer.to_lowercase();
    let mut found = Vec::new();
    found.extend(kind::other_kind(answer, gene));
    found.extend(organism::other_organism(answer, gene));
    found.extend(other_symbol(answer, &lower, gene));
    found.extend(other_name(&lower, gene));
    found
}

/// The noun phrase at the start of a text: up to a mark of punctuation or a word that ends it.
pub(crate) fn predicate(text: &str) -> String {
    let phrase = text.split(['.', ',', ';', '(', ':', '\n']).next().unwrap_or_default();
    let words = phrase.split_whitespace().take_while(|word| !PREDICATE_ENDS.contains(word));
    words.take(8).collect::<Vec<_>>().join(" ")
}

pub(crate) fn ends_with_word(text: &str, word: &str) -> bool {
    text.strip_suffix(word)
        .is_some_and(|rest| !rest.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '-'))
}

/// Whether the gene is the subject of what follows a lower-cased text.
pub(crate) fn is_subject(before: &str, gene: &GeneRecord) -> bool {
    // "GLI1 (also known as GLI) is a …".
    let before = match before.trim_end().strip_suffix(')').and_then(|inside| inside.rfind('(')) {
        Some(open) => &before[..open],
        None => before,
    };
    let before = before.trim_end();
    let ends = |word: &str| ends_with_word(before, word);
    SUBJECTS.iter().any(|word| ends(word))
        || gene.all_symbols().iter().any(|symbol| ends(&symbol.to_lowercase()))
        || ends(&gene.name.to_lowercase())
}

pub(crate) fn other_symbol(answer: &str, lower: &str, gene: &GeneRecord) -> Option<String> {
    let said = said_symbol(answer, lower)?;
    let own = gene.all_symbols().iter().any(|symbol| symbol.eq_ignore_ascii_case(said));
    (!own).then(|| format!("says that the official symbol is {said}, while it is {}", gene.symbol))
}

/// The symbol that an answer calls the official one.
pub(crate) fn said_symbol<'a>(answer: &'a str, lower: &'a str) -> Option<&'a str> {
    // What all of these phrases hold.
    if !lower.contains("official") && !lower.contains("gene symbol is ") {
        return None;
    }
    // Lower-casing moves the bytes of a few letters; the text is then read in lower case.
    let text = if lower.len() == answer.len() { answer } else { lower };
    let after = ["official symbol of this gene is ", "official symbol is ", "gene symbol is "];
    let after = after.iter().find_map(|phrase| lower.find(phrase).map(|at| &text[at + phrase.len()..]));
    match after {
        Some(rest) => Some(words(rest).first()?.1),
        None => {
            let at = lower
                .find(" is the official gene symbol")
                .or_else(|| lower.find(", with the official full name"))?;
            Some(words(&text[..at]).last()?.1)
        }
    }
}

/// Ways to give the full name, each with what ends it.
const NAME_PHRASES: [(&str, &[&str]); 3] = [
    ("full name is ", &[", provided", " (", ". ", ";"]),
    ("official full name ", &[", is a", ", provided", " (", ". ", ";"]),
    ("official gene symbol for ", &[", provided", " (", ". ", ";"]),
];

fn other_name(lower: &str, gene: &GeneRecord) -> Option<String> {
    let said = said_name(lower)?;
    (!is_close_name(said, gene))
        .then(|| format!("says that the full name is {said:?}, while it is {}", gene.name))
}

/// The full name that a lower-cased answer gives.
pub(crate) fn said_name(lower: &str) -> Option<&str> {
    if !lower.contains("full name ") && !lower.contains("official gene symbol for ") {
        return None;
    }
    let (rest, ends) = NAME_PHRASES
        .iter()
        .find_map(|(phrase, ends)| Some((&lower[lower.find(phrase)? + phrase.len()..], ends)))?;
    let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    Some(rest[..end].trim().trim_end_matches('.')).filter(|said| !said.is_empty())
}

/// Whether a lower-cased name is one of the gene's or has half its words in common with one. A gene without a name
/// may be called anything.
pub(crate) fn is_close_name(said: &str, gene: &GeneRecord) -> bool {
    let names = || std::iter::once(&gene.name).chain(&gene.other_names);
    gene.name.trim().is_empty()
        || names().any(|name| {
            // A name with a bracket of its own is cut at the bracket above.
            name.to_lowercase().starts_with(said) || overlap(said, name) >= 0.5
        })
}

/// Shared words over all words (Jaccard).
fn overlap(a: &str, b: &str) -> f64 {
    let (a, b) = (super::name_words(a), super::name_words(b));
    a.intersection(&b).count() as f64 / a.union(&b).count().max(1) as f64
}
