//! Grade of form for the gene task: is the answer one finished paragraph of academic prose about a function?

use std::collections::HashMap;

use crate::grade::Grade;
use crate::prose::{ends_complete, sentences, words};

/// Shortest and longest sensible answers, in words. RefSeq-like descriptions run from some 30 to 400.
const MIN_WORDS: usize = 20;
/// See [`MIN_WORDS`].
const MAX_WORDS: usize = 700;

/// Words of function, or of kind and family where no function is known: one that starts so has to be there.
const FUNCTION_STEMS: [&str; 39] = [
    "pathway",
    "signal",
    "process",
    "function",
    "regulat",
    "involve",
    "role",
    "activ",
    "encod",
    "cataly",
    "bind",
    "transport",
    "mediat",
    "metabol",
    "biosynthe",
    "respon",
    "participat",
    "control",
    "modulat",
    "inhibit",
    "silenc",
    "transcri",
    "translat",
    "recogni",
    "phosphorylat",
    "contribut",
    "implicat",
    "associat",
    "expressi",
    "produc",
    "form",
    "pseudogene",
    "rna",
    "microrna",
    "lncrna",
    "segment",
    "member",
    "belong",
    "famil",
];

/// What an assistant says to its user, and what templates leave behind. Lower-cased.
const CHAT_PHRASES: [&str; 27] = [
    "as an ai",
    "as a language model",
    "i'm sorry",
    "i apologize",
    "certainly!",
    "certainly,",
    "sure!",
    "sure,",
    "of course!",
    "here is a",
    "here's",
    "here are",
    "let me know",
    "hope this helps",
    "feel free",
    "happy to help",
    "great question",
    "thank you for",
    "you asked",
    "your question",
    "would you like",
    "### response",
    "### instruction",
    "<|",
    "[inst]",
    "</s>",
    "in summary, the gene you",
];

/// Words after "I" that make it a person and not a numeral ("type I collagen").
const VERBS_OF_I: [&str; 18] = [
    "am",
    "have",
    "will",
    "can",
    "cannot",
    "could",
    "would",
    "think",
    "believe",
    "was",
    "do",
    "don't",
    "hope",
    "know",
    "should",
    "may",
    "must",
    "apologize",
];

/// Grades the form of an answer of the gene task.
pub fn grade_form(answer: &str) -> Grade {
    let text = answer.trim();
    let mut faults = Vec::new();
    let count = words(text).len();
    if count == 0 {
        return Grade::fail("the answer is empty");
    }
    if count < MIN_WORDS {
        faults.push(format!("is too short: {count} words, expected at least {MIN_WORDS}"));
    }
    if count > MAX_WORDS {
        faults.push(format!("is too long: {count} words, expected at most {MAX_WORDS}"));
    }
    let paragraphs = count_paragraphs(text);
    if paragraphs != 1 {
        faults.push(format!("has {paragraphs} paragraphs, expected one"));
    }
    faults.extend(markup(text).map(|what| format!("holds {what}, expected prose")));
    faults.extend(chat_phrase(text).map(|phrase| format!("speaks to the reader: {phrase:?}")));
    faults.extend(first_person(text).map(|word| format!("speaks in the first person: {word:?}")));
    let lower = text.to_lowercase();
    let functional = |word: &(_, &str)| FUNCTION_STEMS.iter().any(|stem| word.1.starts_with(stem));
    if !words(&lower).iter().any(functional) {
        faults.push("says nothing of a pathway, process or function".to_owned());
    }
    if !ends_complete(text) {
        faults.push("breaks off in the middle of a sentence".to_owned());
    }
    faults.extend(repetition(text).map(|what| format!("repeats itself: {what}")));
    if faults.is_empty() {
        Grade::pass("is one finished paragraph of academic prose")
    } else {
        Grade { score: 0.0, reasons: faults }
    }
}

/// Paragraphs: blocks between blank lines, and lines that end as a sentence does. A wrapped line starts none.
fn count_paragraphs(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let ends = lines.iter().enumerate().filter(|(place, line)| {
        let next = lines.get(place + 1);
        !line.is_empty()
            && (ends_complete(line) || line.ends_with(':') || next.is_none_or(|next| next.is_empty()))
    });
    ends.count().max(1)
}

fn markup(text: &str) -> Option<&'static str> {
    for line in text.lines().map(str::trim_start) {
        let numbered = line.find(['.', ')']).is_some_and(|at| {
            (1..=2).contains(&at)
                && line[..at].bytes().all(|b| b.is_ascii_digit())
                && line[at + 1..].starts_with(' ')
        });
        if numbered || ["- ", "* ", "• ", "– ", "+ "].iter().any(|bullet| line.starts_with(bullet)) {
            return Some("a list");
        }
        if line.starts_with('#') {
            return Some("a heading");
        }
        if line.starts_with('|') {
            return Some("a table");
        }
    }
    if text.contains("```") {
        return Some("a code block");
    }
    (text.contains("**") || text.contains("__")).then_some("markdown emphasis")
}

fn chat_phrase(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase().replace('’', "'");
    CHAT_PHRASES.into_iter().find(|phrase| {
        lower.match_indices(phrase).any(|(at, _)| {
            !phrase.starts_with(char::is_alphabetic)
                || !lower[..at].chars().next_back().is_some_and(char::is_alphanumeric)
        })
    })
}

fn first_person(text: &str) -> Option<&str> {
    let words = words(text);
    words.iter().enumerate().find_map(|(place, (_, word))| {
        let next = words.get(place + 1).map_or("", |(_, next)| *next);
        let person = match *word {
            "we" | "We" | "our" | "Our" | "my" | "My" | "us" | "me" | "I'm" | "I’m" | "I've" | "I'll" => {
                true
            }
            "I" => VERBS_OF_I.contains(&next),
            _ => false,
        };
        person.then_some(*word)
    })
}

/// Degenerate repetition, in words: a sentence twice, a phrase over and over, or few new four-word phrases.
pub(crate) fn repetition(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let tokens: Vec<&str> = words(&lower).into_iter().map(|(_, word)| word).collect();
    for length in 1..=8 {
        // A word alone may follow itself in a name: "MAP kinase kinase kinase kinase".
        let times = if length == 1 { 5 } else { 3 };
        for start in 0..tokens.len().saturating_sub(length * times - 1) {
            let phrase = &tokens[start..start + length];
            let repeated =
                (1..times).all(|n| &tokens[start + n * length..start + (n + 1) * length] == phrase);
            if repeated {
                return Some(format!("{:?} {times} times in a row", phrase.join(" ")));
            }
        }
    }
    let mut seen: HashMap<Vec<String>, usize> = HashMap::new();
    for range in sentences(text) {
        let sentence: Vec<String> = words(&text[range]).iter().map(|(_, word)| word.to_lowercase()).collect();
        if sentence.len() >= 5 {
            let times = seen.entry(sentence).or_default();
            *times += 1;
            if *times == 2 {
                return Some("a sentence stands there twice".to_owned());
            }
        }
    }
    let grams: Vec<&[&str]> = tokens.windows(4).collect();
    let mut distinct = grams.clone();
    distinct.sort_unstable();
    distinct.dedup();
    // Real summaries keep above 0.85; a looping model falls to a half soon.
    let share = distinct.len() as f64 / grams.len().max(1) as f64;
    (grams.len() >= 20 && share < 0.7)
        .then(|| format!("only {:.0} % of its four-word phrases are new", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "The official symbol of this gene is GLI1. The encoded type I transcription factor is \
        activated by the sonic hedgehog signal transduction cascade and regulates stem cell proliferation.";

    #[track_caller]
    fn check(answer: &str, reason: &str) {
        let grade = grade_form(answer);
        assert_eq!(grade.score, 0.0, "{answer}");
        assert!(grade.reasons.iter().any(|r| r.contains(reason)), "{:?} lacks {reason:?}", grade.reasons);
    }

    #[test]
    fn academic_prose_passes() {
        assert_eq!(grade_form(GOOD).score, 1.0, "{:?}", grade_form(GOOD).reasons);
        let wrapped = GOOD.replace(" activated by", "\nactivated by");
        assert_eq!(grade_form(&wrapped).score, 1.0);
    }

    #[test]
    fn each_fault_of_form_is_named() {
        check("", "empty");
        check("GLI1 regulates things.", "too short");
        check(&format!("{GOOD}\n\n{GOOD}"), "2 paragraphs");
        check(&format!("{GOOD}\nIt acts in the nucleus."), "2 paragraphs");
        check(&format!("- {GOOD}"), "a list");
        check(&format!("1. {GOOD}"), "a list");
        check(&format!("# GLI1\n{GOOD}"), "a heading");
        check(&GOOD.replace("GLI1", "**GLI1**"), "markdown");
        check(&format!("Sure, {GOOD}"), "speaks to the reader");
        check(&format!("{GOOD} We find it in the brain."), "first person");
        check(&format!("{GOOD} I think it is important."), "first person");
        check(GOOD.trim_end_matches('.'), "breaks off");
        check(&format!("{GOOD} {GOOD}"), "twice");
        check(&format!("{GOOD} It binds the binds the binds the DNA."), "3 times in a row");
        check(
            &"The blue house near the quiet river has a large green door and one old window. ".repeat(2),
            "nothing of",
        );
    }
}
