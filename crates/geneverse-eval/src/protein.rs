//! Grades of the protein task: "What is the name of this protein? Please summarize your answer in one sentence."
//!
//! *Truth* is the length of the longest common substring of the true name and the name that the answer gives, divided
//! by the length of the true name, as in the Geneverse paper (arXiv 2406.15534): a share in [0, 1], in characters
//! (Unicode scalar values). Case does not count, as names are written both ways; runs of white space are one blank.
//! Compared is what the answer gives as the name ("The name of this protein is …"); where it has no such form, all of
//! it. An answer that gives no name ("cannot be determined") or several to choose from gets 0.
//! *Form* is 1 for exactly one finished sentence that names a protein in the asked form.

use crate::form::one_sentence_faults;
use crate::grade::Grade;
use crate::prose::sentences;

/// What stands before the name, lower-cased; the longest that fits is taken. "This" and "the" are the same here.
const LEADS: [&str; 26] = [
    "the name of the protein is",
    "the name of the protein shown is",
    "the name of the protein in the picture is",
    "the name of the protein in the image is",
    "the protein is",
    "the protein is called",
    "the protein is named",
    "the protein is known as",
    "the protein is identified as",
    "the protein's name is",
    "the protein shown is",
    "the protein shown here is",
    "the protein in the image is",
    "the protein in the picture is",
    "the protein depicted is",
    "the protein shown in the image is",
    "the protein shown in the picture is",
    "the protein depicted in the image is",
    "the protein structure is",
    "the structure is",
    "the structure shows",
    "the image shows",
    "the picture shows",
    "its name is",
    "it is",
    "the is",
];

/// What stands behind the name.
const TAILS: [&str; 4] =
    [" is the name of the protein", " is the protein shown", " is the protein's name", " is the protein"];

/// A "name" that holds one of these names nothing.
const NO_NAME: [&str; 15] = [
    "cannot",
    "can't",
    "can not",
    "unknown",
    "unclear",
    "not known",
    "not possible",
    "impossible",
    "not available",
    "not identified",
    "not determined",
    "unidentified",
    "unable",
    "difficult to",
    "not sure",
];

/// Words between several names to choose from.
const CHOICES: [&str; 3] = ["either ", " or maybe ", " or possibly "];

/// Grades the truth of an answer: [`overlap`] of the name that it gives with the true one.
pub fn grade_truth(answer: &str, name: &str) -> Grade {
    let given = given_name(answer);
    let text = given.as_deref().unwrap_or(answer);
    if !text.chars().any(char::is_alphanumeric) {
        return Grade::fail("is empty");
    }
    if names_nothing(text) && !names_nothing(name) {
        return Grade::fail(format!("gives no name; the name is {name}"));
    }
    if let Some(choice) = choice(text, name) {
        return Grade::fail(format!("leaves the choice between names (\"{}\")", choice.trim()));
    }
    let (common, whole) = common(text, name);
    let score = if whole == 0 { 0.0 } else { common as f64 / whole as f64 };
    let reason = format!("shares {common} of {whole} characters in a row with the name {name}");
    Grade { score, reasons: vec![reason] }
}

/// Grades the form of an answer.
pub fn grade_form(answer: &str) -> Grade {
    let text = answer.trim();
    if !text.chars().any(char::is_alphanumeric) {
        return Grade::fail("is empty");
    }
    let mut faults = one_sentence_faults(text);
    match given_name(text) {
        None => faults.push("does not say \"the name of this protein is …\"".to_owned()),
        Some(name) if names_nothing(&name) => faults.push("names no protein".to_owned()),
        Some(name) if CHOICES.iter().any(|choice| name.to_lowercase().contains(choice)) => {
            faults.push("leaves the choice between names".to_owned());
        }
        Some(_) => {}
    }
    match faults.is_empty() {
        true => Grade::pass("is one sentence that names a protein"),
        false => Grade { score: 0.0, reasons: faults },
    }
}

/// The name that a sentence in the asked form gives: "The name of this protein is Keratin 18." → "Keratin 18".
pub fn given_name(text: &str) -> Option<String> {
    sentences(text).into_iter().find_map(|range| name_in(&text[range]))
}

fn name_in(sentence: &str) -> Option<String> {
    let sentence = sentence.trim().trim_end_matches(['.', '!', '?']).trim_end();
    let plain = plain(sentence);
    let lead = LEADS.iter().filter(|lead| {
        plain.strip_prefix(**lead).is_some_and(|rest| rest.starts_with([' ', ':']) && rest.len() > 1)
    });
    // As many words as the lead has stand before the name, whichever words they are.
    if let Some(lead) = lead.max_by_key(|lead| lead.len()) {
        let words = lead.split(' ').count();
        let rest: String = after_words(sentence, words).trim_start_matches([':', ' ']).to_owned();
        let bare = rest.trim_matches(|c: char| "\"'“”‘’ ".contains(c));
        return Some(without_article(bare).to_owned()).filter(|name| !name.is_empty());
    }
    let tail = TAILS.iter().find_map(|tail| plain.find(tail).map(|_| tail))?;
    let before = plain.split(tail).next()?.split(' ').count();
    let name: Vec<&str> = sentence.split_whitespace().take(before).collect();
    Some(name.join(" ")).filter(|name| !name.is_empty())
}

/// Lower-cased, "this" as "the", curly marks straight, one blank between words.
fn plain(text: &str) -> String {
    let lower = text.to_lowercase().replace('’', "'");
    let words = lower.split_whitespace().map(|word| match word {
        "this" | "that" => "the",
        "image:" => "image",
        _ => word,
    });
    let joined = words.collect::<Vec<_>>().join(" ");
    // A colon behind the verb stands apart: "is: Keratin".
    joined.replacen(" is: ", " is : ", 1)
}

fn after_words(text: &str, count: usize) -> &str {
    let mut rest = text.trim_start();
    for _ in 0..count {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest[end..].trim_start();
    }
    rest
}

/// "The transmembrane protein 115" names what "transmembrane protein 115" does; names begin with no article.
fn without_article(name: &str) -> &str {
    let article = ["the ", "The ", "a ", "an "].into_iter().find_map(|article| name.strip_prefix(article));
    article.unwrap_or(name)
}

fn names_nothing(name: &str) -> bool {
    let lower = name.to_lowercase().replace('’', "'");
    NO_NAME.iter().any(|word| lower.contains(word)) || !lower.chars().any(char::is_alphabetic)
}

/// The words that leave the choice, unless the true name has them.
fn choice(text: &str, name: &str) -> Option<&'static str> {
    let (text, name) = (format!("{} ", text.to_lowercase()), name.to_lowercase());
    CHOICES
        .into_iter()
        .chain([" or "])
        .find(|choice| text.contains(choice) && !name.contains(choice.trim_start()))
}

/// The share of `name` that stands in `text` in one piece.
pub fn overlap(text: &str, name: &str) -> f64 {
    match common(text, name) {
        (_, 0) => 0.0,
        (common, whole) => common as f64 / whole as f64,
    }
}

/// The length of the longest common substring, and the length of the name.
fn common(text: &str, name: &str) -> (usize, usize) {
    let letters = |text: &str| -> Vec<char> {
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").trim_end_matches('.').to_lowercase().chars().collect()
    };
    let (text, name) = (letters(text), letters(name));
    (longest_common_substring(&text, &name), name.len())
}

/// The longest run that two sequences share, by dynamic programming over the lengths of runs that end at each pair:
/// O(n·m) time, O(m) memory.
pub fn longest_common_substring<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut lengths = vec![0_usize; b.len() + 1];
    let mut longest = 0;
    for one in a {
        // From the right, so that the entry to the left is still the previous row's.
        for place in (0..b.len()).rev() {
            lengths[place + 1] = if *one == b[place] { lengths[place] + 1 } else { 0 };
            longest = longest.max(lengths[place + 1]);
        }
    }
    longest
}

#[cfg(test)]
mod tests;
