//! Grade of form for the gene task: is the answer one finished paragraph of academic prose about a function?

mod repetition;

use std::sync::LazyLock;

use crate::grade::Grade;
use crate::phrases::Phrases;
use crate::prose::{ends_complete, sentences, words};
pub(crate) use repetition::repetition;

/// Shortest and longest sensible answers, in words. RefSeq-like descriptions run from some 30 to 400.
const MIN_WORDS: usize = 20;
/// See [`MIN_WORDS`].
const MAX_WORDS: usize = 700;

/// Words of a pathway, process or function: one that starts so has to be there.
const FUNCTION_STEMS: [&str; 84] = [
    "pathway",
    "signal",
    "cascade",
    "process",
    "function",
    "regulat",
    "involve",
    "role",
    "activ",
    "cataly",
    "bind",
    "bound",
    "transport",
    "mediat",
    "metaboli",
    "biosynthe",
    "synthe",
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
    "express",
    "produc",
    "interact",
    "degrad",
    "repair",
    "replicat",
    "recombin",
    "remodel",
    "secret",
    "adhes",
    "differentiat",
    "develop",
    "prolifer",
    "apopto",
    "immun",
    "defen",
    "inflamm",
    "growth",
    "receptor",
    "ligand",
    "enzyme",
    "kinase",
    "hydroly",
    "cleav",
    "convert",
    "oxid",
    "reduc",
    "transfer",
    "channel",
    "carrier",
    "conduct",
    "structur",
    "assembl",
    "organiz",
    "maint",
    "formation",
    "stabili",
    "locali",
    "target",
    "import",
    "export",
    "splic",
    "essential",
    "required",
    "necessary",
    "acts",
    "acting",
    "induc",
    "suppress",
    "repress",
    "promot",
    "stimulat",
    "component",
    "linked",
];

/// Where no function is known, the kind has to be told instead: one of these does.
const KIND_PHRASES: [&str; 20] = [
    "pseudogene",
    "microrna",
    "mirna",
    "lncrna",
    "snorna",
    "trna",
    "rrna",
    "snrna",
    "y rna",
    " rna ",
    "non-coding",
    "noncoding",
    "segment",
    "uncharacterized",
    "uncharacterised",
    "not known",
    "unknown",
    "fragile site",
    "not been determined",
    "provirus",
];

/// What an assistant says to its user, and what templates leave behind. Lower-cased.
const CHAT_PHRASES: [&str; 31] = [
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
    "i'd be",
    "please note",
    "please let",
    "absolutely!",
];

/// Words for the reader. "You" in a name would be a capital's.
const SECOND_PERSON: [&str; 5] = ["you", "your", "yours", "yourself", "You"];

/// What an answer begins with that is a label and no prose. Lower-cased.
const LABELS: [&str; 12] = [
    "answer:",
    "response:",
    "output:",
    "summary:",
    "gene summary:",
    "description:",
    "gene:",
    "title:",
    "function:",
    "assistant:",
    "gene name:",
    "gene symbol:",
];

/// No sentence ends with one of these.
const OPEN_ENDS: [&str; 33] = [
    "the",
    "an",
    "of",
    "and",
    "or",
    "to",
    "by",
    "with",
    "for",
    "from",
    "in",
    "on",
    "at",
    "as",
    "that",
    "which",
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "its",
    "their",
    "this",
    "these",
    "into",
    "between",
    "including",
    "than",
    "has",
    "have",
    "such",
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

/// What HTML is told by.
const TAGS: [&str; 10] = ["<p>", "<br", "<b>", "<i>", "<li>", "<ul>", "<h1", "<h2", "<h3", "</"];

/// Grades the form of an answer of the gene task.
pub fn grade_form(answer: &str) -> Grade {
    grade_form_of(answer, repetition(answer.trim()).as_deref())
}

/// [`grade_form`] of an answer of which it is known what it repeats.
pub(crate) fn grade_form_of(answer: &str, repeated: Option<&str>) -> Grade {
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
    faults.extend(prose_faults(text));
    if !tells_function(text) {
        faults.push("says nothing of a pathway, process or function".to_owned());
    }
    if !ends_complete(text) || open_end(text) {
        faults.push("breaks off in the middle of a sentence".to_owned());
    }
    faults.extend(repeated.map(|what| format!("repeats itself: {what}")));
    if faults.is_empty() {
        Grade::pass("is one finished paragraph of academic prose")
    } else {
        Grade { score: 0.0, reasons: faults }
    }
}

/// What keeps a text of whatever length from being academic prose: lists, headings, markup, words to the reader, the
/// first person.
pub(crate) fn prose_faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    faults.extend(markup(text).map(|what| format!("holds {what}, expected prose")));
    faults.extend(chat_phrase(text).map(|phrase| format!("speaks to the reader: {phrase:?}")));
    faults.extend(first_person(text).map(|word| format!("speaks in the first person: {word:?}")));
    faults
}

/// What keeps a text from being one finished sentence of prose.
pub(crate) fn one_sentence_faults(text: &str) -> Vec<String> {
    let mut faults = prose_faults(text);
    let count = sentences(text).len();
    if count != 1 {
        faults.push(format!("has {count} sentences, expected one"));
    }
    if !ends_complete(text) {
        faults.push("breaks off in the middle of a sentence".to_owned());
    }
    faults
}

/// A process, a pathway or a function is told; or, where none is known, what kind of gene it is.
fn tells_function(text: &str) -> bool {
    let lower = text.to_lowercase();
    let functional = words(&lower).iter().any(|(_, word)| {
        // "Co-receptor", "anti-apoptotic": the part behind the hyphen counts too.
        let parts = std::iter::once(*word).chain(word.split('-'));
        parts.into_iter().any(|part| FUNCTION_STEMS.iter().any(|stem| part.starts_with(stem)))
    });
    functional || KIND_PHRASES.iter().any(|phrase| lower.contains(phrase))
}

/// "… regulates the.": a full stop behind a word that no sentence ends with.
fn open_end(text: &str) -> bool {
    let last = words(text).last().map_or("", |(_, word)| *word);
    OPEN_ENDS.contains(&last)
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
        if numbered
            || ["- ", "* ", "• ", "– ", "+ ", "▪ ", "◦ ", "‣ ", "· ", "— "]
                .iter()
                .any(|bullet| line.starts_with(bullet))
        {
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
    let start = text.trim_start().to_lowercase();
    if LABELS.iter().any(|label| start.starts_with(label)) {
        return Some("a label before it");
    }
    if text.contains('<') && TAGS.iter().any(|tag| text.contains(tag)) {
        return Some("HTML");
    }
    (text.contains("**") || text.contains("__")).then_some("markdown emphasis")
}

fn chat_phrase(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase().replace('’', "'");
    static PHRASES: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(CHAT_PHRASES));
    let held = PHRASES.held(&lower);
    let said =
        CHAT_PHRASES.into_iter().enumerate().filter(|(place, _)| held.has(*place)).map(|(_, phrase)| phrase);
    let mut said = said;
    let said = said.find(|phrase| {
        lower.match_indices(phrase).any(|(at, _)| {
            !phrase.starts_with(char::is_alphabetic)
                || !lower[..at].chars().next_back().is_some_and(char::is_alphanumeric)
        })
    });
    let words = words(text);
    said.or_else(|| SECOND_PERSON.into_iter().find(|person| words.iter().any(|(_, word)| word == person)))
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
        check(&format!("{GOOD}{GOOD}"), "twice");
        check(&format!("{GOOD} It binds the binds the binds the DNA."), "3 times in a row");
        check(
            &"The blue house near the quiet river has a large green door and one old window. ".repeat(2),
            "nothing of",
        );
    }
}
