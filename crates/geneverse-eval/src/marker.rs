//! Grades of the marker task: "Is gene KDR a marker gene of cell type STAB2+ Endothelial? Please summarize your answer
//! in one sentence."
//!
//! *Truth* is 1 where the answer's yes or no is the annotation's. Read are the word that it begins with ("Yes", "No")
//! and every statement about a marker: a clause with "marker", and whether an odd number of negations stands in it
//! before the marker, the gene or the cell type ("is not a marker", "cannot be considered", "fails to serve as",
//! "there is no evidence that"). An answer that says both, hedges ("may be", "it depends") or states neither gets 0.
//! Statements about other cell types and other genes are no answer to the question and are passed over.
//! *Form* is 1 for exactly one finished sentence that names gene and cell type and says yes or no of them.
//!
//! A cell type is compared word by word, without regard to case, plural, "cell", "+" and the marks between words, so
//! that `CD8+_T_Cells` is "CD8+ T cells"; "Prolif Invasive Tumor" is not `Invasive_Tumor`.

mod tokens;

use crate::form::one_sentence_faults;
use crate::grade::Grade;
use tokens::{GENE, TYPE, Token, tokens};

/// What an answer comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The gene is a marker.
    Yes,
    /// It is not.
    No,
    /// It is and it is not.
    Both,
    /// Perhaps.
    Hedge,
    /// No statement about it.
    Nothing,
}

/// Reads an annotation's label: `yes`, `no`, `true`, `false`, `1`, `0`, `marker`, `not a marker`, in any case.
pub fn parse_label(label: &str) -> Option<bool> {
    let label = label.trim().trim_end_matches('.').to_lowercase().replace(['_', '-'], " ");
    match label.as_str() {
        "yes" | "true" | "1" | "marker" | "positive" | "is a marker" => Some(true),
        "no" | "false" | "0" | "not a marker" | "no marker" | "non marker" | "not marker" | "negative"
        | "is not a marker" => Some(false),
        _ => None,
    }
}

/// Grades the truth of an answer against the annotation.
pub fn grade_truth(answer: &str, gene: &str, cell_type: &str, is_marker: bool) -> Grade {
    let (yes, no) = (
        format!("says that {gene} is a marker of {cell_type}"),
        format!("says that {gene} is no marker of {cell_type}"),
    );
    let so = if is_marker { "and it is annotated as one" } else { "and it is not annotated as one" };
    match said(answer, gene, cell_type) {
        Said::Yes if is_marker => Grade::pass(format!("{yes}, {so}")),
        Said::No if !is_marker => Grade::pass(format!("{no}, {so}")),
        Said::Yes => Grade::fail(format!("{yes}, {so}")),
        Said::No => Grade::fail(format!("{no}, {so}")),
        Said::Both => {
            Grade::fail(format!("says both that {gene} is a marker of {cell_type} and that it is not"))
        }
        Said::Hedge => Grade::fail(format!("leaves open whether {gene} is a marker of {cell_type}")),
        Said::Nothing => Grade::fail(format!("does not say whether {gene} is a marker of {cell_type}")),
    }
}

/// Grades the form of an answer.
pub fn grade_form(answer: &str, gene: &str, cell_type: &str) -> Grade {
    let text = answer.trim();
    if !text.chars().any(char::is_alphanumeric) {
        return Grade::fail("is empty");
    }
    let mut faults = one_sentence_faults(text);
    let tokens = tokens(text, gene, cell_type);
    if !tokens.iter().any(|token| token.is(GENE)) {
        faults.push(format!("does not name the gene {gene}"));
    }
    if !tokens.iter().any(|token| token.is(TYPE)) {
        faults.push(format!("does not name the cell type {cell_type}"));
    }
    if !matches!(said(text, gene, cell_type), Said::Yes | Said::No) || !tokens.iter().any(is_marker_word) {
        faults.push("does not state that the gene is or is not a marker".to_owned());
    }
    match faults.is_empty() {
        true => {
            Grade::pass("is one sentence that says of gene and cell type whether the one marks the other")
        }
        false => Grade { score: 0.0, reasons: faults },
    }
}

/// Where a statement ends and the next one begins, apart from full stops.
const TURNS: [&str; 19] = [
    ";",
    "but",
    "however",
    "whereas",
    "while",
    "although",
    "though",
    "yet",
    "nevertheless",
    "which",
    "where",
    "because",
    "since",
    "so",
    "thus",
    "therefore",
    "hence",
    "—",
    "–",
];

/// Words that turn a statement round.
const NEGATIONS: [&str; 26] = [
    "not",
    "no",
    "never",
    "neither",
    "non",
    "hardly",
    "scarcely",
    "fails",
    "failed",
    "fail",
    "lacks",
    "lack",
    "lacking",
    "excluded",
    "excludes",
    "false",
    "incorrect",
    "wrong",
    "untrue",
    "inaccurate",
    "denied",
    "rejected",
    "unsuitable",
    "without",
    "nothing",
    "disqualified",
];

/// Phrases whose negation is none; they are taken out. Each ends in the word that is not to count.
const NO_NEGATIONS: [&[&str]; 9] = [
    &["not", "only"],
    &["not", "just"],
    &["not", "merely"],
    &["not", "simply"],
    &["no", "doubt"],
    &["without", "doubt"],
    &["without", "any", "doubt"],
    &["without", "question"],
    &["no", "question"],
];

/// Words that leave open what they stand in.
const HEDGES: [&str; 25] = [
    "may",
    "might",
    "possibly",
    "perhaps",
    "maybe",
    "potentially",
    "potential",
    "possible",
    "probably",
    "presumably",
    "likely",
    "unlikely",
    "appears",
    "appear",
    "seems",
    "seem",
    "seemingly",
    "apparently",
    "arguably",
    "sometimes",
    "partially",
    "partly",
    "supposedly",
    "either",
    "conceivably",
];

/// Phrases that leave everything open, wherever they stand.
const OPEN: [&[&str]; 21] = [
    &["unclear"],
    &["uncertain"],
    &["unknown"],
    &["unsure"],
    &["inconclusive"],
    &["undetermined"],
    &["depends"],
    &["not", "sure"],
    &["not", "clear"],
    &["not", "certain"],
    &["not", "known"],
    &["not", "determine"],
    &["not", "be", "determined"],
    &["not", "possible", "to"],
    &["not", "say"],
    &["not", "tell"],
    &["not", "conclude"],
    &["do", "not", "know"],
    &["difficult", "to"],
    &["hard", "to"],
    &["insufficient"],
];

/// Phrases that say both at once.
const BOTH: [&[&str]; 4] =
    [&["is", "and", "is", "not"], &["is", "or", "is", "not"], &["yes", "and", "no"], &["yes", "or", "no"]];

/// What an answer says of `gene` and `cell_type`.
pub fn said(answer: &str, gene: &str, cell_type: &str) -> Said {
    let mut tokens = tokens(answer, gene, cell_type);
    for phrase in NO_NEGATIONS {
        while let Some(at) = find(&tokens, phrase) {
            tokens.drain(at..at + phrase.len());
        }
    }
    if BOTH.iter().any(|phrase| find(&tokens, phrase).is_some()) {
        return Said::Both;
    }
    let (mut yes, mut no, mut hedged) = (false, false, false);
    let mut note = |said: Said| match said {
        Said::Yes => yes = true,
        Said::No => no = true,
        Said::Both => (yes, no) = (true, true),
        Said::Hedge => hedged = true,
        Said::Nothing => {}
    };
    for sentence in tokens.split_inclusive(|token| token.is_one_of(&[".", "?"])) {
        // The question said again is no answer.
        if sentence.last().is_some_and(|token| token.is("?")) {
            continue;
        }
        let sentence = match lead(sentence) {
            Some((said, rest)) => {
                note(said);
                rest
            }
            None => sentence,
        };
        for clause in sentence.split(|token| token.is_one_of(&TURNS)) {
            statements(clause, &mut note);
        }
    }
    let open = OPEN.iter().any(|phrase| find(&tokens, phrase).is_some());
    match (yes, no) {
        _ if hedged || open => Said::Hedge,
        (true, true) => Said::Both,
        (true, false) => Said::Yes,
        (false, true) => Said::No,
        (false, false) => Said::Nothing,
    }
}

/// "Yes, …" and "No, …" at the start of a sentence, and what follows.
fn lead(sentence: &[Token]) -> Option<(Said, &[Token])> {
    let said = match sentence.first()?.text.as_str() {
        "yes" | "correct" | "true" => Said::Yes,
        "no" | "incorrect" | "false" => Said::No,
        _ => return None,
    };
    // "No gene is …" is no answer "no".
    let next = sentence.get(1);
    let stands_alone = next.is_none_or(|next| {
        next.is_one_of(&[",", ".", ":", ";", "!", "–", "—"])
            || next.is_one_of(&[GENE, "it", "the", "this", "that", "indeed", "because", "not", "based"])
    });
    stands_alone.then(|| (said, &sentence[1..]))
}

fn is_marker_word(token: &Token) -> bool {
    token.is_one_of(&["marker", "markers", "marks", "mark", "biomarker", "biomarkers"])
}

/// What the statements of a clause say, one for each "marker" in it.
fn statements(clause: &[Token], note: &mut impl FnMut(Said)) {
    let places: Vec<usize> = (0..clause.len()).filter(|at| is_marker_word(&clause[*at])).collect();
    let mut from = 0;
    for (n, &at) in places.iter().enumerate() {
        let to = places.get(n + 1).copied().unwrap_or(clause.len());
        let tail = &clause[at + 1..to];
        // "Marker marker gene" or "marks … as a marker": one statement.
        let head = &clause[from..at];
        from = at + 1;
        let about = |text: &str| tail.iter().position(|token| token.is(text));
        let said_before = |text: &str| clause[..at].iter().any(|token| token.is(text));
        let other_gene = head.iter().any(|token| token.like_symbol) && !clause.iter().any(|t| t.is(GENE));
        if other_gene || (about(TYPE).is_none() && !said_before(TYPE) && names_another_type(tail)) {
            continue;
        }
        if head.iter().any(|token| token.is_one_of(&["whether", "if"])) {
            note(Said::Hedge);
            continue;
        }
        // "The marker of this type is not KDR", "a marker not of this type but of another": negations count as far as
        // gene and type, where they stand behind.
        let end = [about(GENE).filter(|_| !said_before(GENE)), about(TYPE)].into_iter().flatten().max();
        let scope = head.iter().chain(&tail[..end.unwrap_or(0)]);
        let negations = scope.clone().filter(|token| token.is_one_of(&NEGATIONS)).count();
        let hedge = scope.chain(tail).any(|token| token.is_one_of(&HEDGES));
        // "Could not be considered" is as firm as "cannot".
        let could = head.windows(2).any(|pair| pair[0].is("could") && !pair[1].is("not"));
        note(match negations % 2 {
            _ if hedge || could => Said::Hedge,
            0 => Said::Yes,
            _ => Said::No,
        });
    }
}

/// Whether the words behind "marker" name a cell type, which is not the one asked about.
fn names_another_type(tail: &[Token]) -> bool {
    let Some(of) = tail.iter().position(|token| token.is_one_of(&["of", "for", "in", "to"])) else {
        return false;
    };
    let pointing =
        ["this", "that", "these", "those", "it", "them", "given", "such", "said", "question", GENE];
    let named: Vec<&Token> = tail[of + 1..].iter().take(4).collect();
    !named.is_empty() && !named.iter().any(|token| token.is_one_of(&pointing))
}

fn find(tokens: &[Token], phrase: &[&str]) -> Option<usize> {
    tokens
        .windows(phrase.len())
        .position(|window| window.iter().zip(phrase).all(|(token, word)| token.is(word)))
}

#[cfg(test)]
mod tests;
