//! An answer's words and marks, with the gene and the cell type as one each.
//!
//! A cell type is compared word by word, without regard to case, plural, "cell", "+" and the marks between words.

/// Stand for the gene and for the cell type among an answer's words.
pub(super) const GENE: &str = "<gene>";
pub(super) const TYPE: &str = "<type>";

/// A word or a mark of punctuation.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// Lower-cased.
    pub(super) text: String,
    /// Written as symbols of genes are: capitals and digits.
    pub(super) like_symbol: bool,
}

impl Token {
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(super) fn is_one_of(&self, texts: &[&str]) -> bool {
        texts.contains(&self.text.as_str())
    }
}

/// Words that do not tell cell types apart.
const SKIPPED: [&str; 5] = ["cell", "cells", "type", "types", "positive"];

/// Takes an answer apart.
pub(super) fn tokens(text: &str, gene: &str, cell_type: &str) -> Vec<Token> {
    let all = split(text);
    let kind: Vec<Token> =
        split(cell_type).into_iter().filter(|token| !token.is_one_of(&SKIPPED) && is_word(token)).collect();
    let kind = if kind.is_empty() { split(cell_type) } else { kind };
    let symbol: Vec<Token> = split(gene);
    let mut out: Vec<Token> = Vec::with_capacity(all.len());
    let mut at = 0;
    while at < all.len() {
        let marked = |text: &str| Token { text: text.to_owned(), like_symbol: false };
        if let Some(end) = type_at(&all, at, &kind, out.last()) {
            out.push(marked(TYPE));
            at = end;
        } else if let Some(end) = exactly_at(&all, at, &symbol) {
            out.push(marked(GENE));
            at = end;
        } else {
            out.push(all[at].clone());
            at += 1;
        }
    }
    out
}

fn is_word(token: &Token) -> bool {
    token.text.chars().any(char::is_alphanumeric)
}

fn exactly_at(all: &[Token], at: usize, wanted: &[Token]) -> Option<usize> {
    let end = at + wanted.len();
    let same = !wanted.is_empty() && all.get(at..end)?.iter().zip(wanted).all(|(a, b)| a.text == b.text);
    same.then_some(end)
}

/// Where a cell type that begins at `at` ends.
fn type_at(all: &[Token], at: usize, kind: &[Token], before: Option<&Token>) -> Option<usize> {
    // "Prolif Invasive Tumor" is another type than "Invasive Tumor".
    const BEFORE: [&str; 30] = [
        "of",
        "for",
        "in",
        "the",
        "a",
        "an",
        "type",
        "types",
        "cell",
        "cells",
        "within",
        "among",
        "to",
        "by",
        "with",
        "from",
        "population",
        "called",
        "named",
        "is",
        "are",
        "as",
        "on",
        "and",
        "between",
        "distinguishing",
        "marks",
        "mark",
        "identifying",
        "human",
    ];
    if before.is_some_and(|token| is_word(token) && !token.is_one_of(&BEFORE)) {
        return None;
    }
    let mut end = at;
    for wanted in kind {
        while end > at && all.get(end).is_some_and(|token| token.is_one_of(&SKIPPED)) {
            end += 1;
        }
        if singular(&all.get(end)?.text) != singular(&wanted.text) {
            return None;
        }
        end += 1;
    }
    while all.get(end).is_some_and(|token| token.is_one_of(&SKIPPED)) {
        end += 1;
    }
    // "Macrophages 2" is another type than "Macrophages".
    let numbered = all.get(end).is_some_and(|token| token.text.bytes().all(|b| b.is_ascii_digit()));
    (end > at && !numbered).then_some(end)
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s').filter(|rest| rest.len() > 2 && !rest.ends_with('s')).unwrap_or(word)
}

/// Lower-cased words and marks. "Can't" and "cannot" are two words; a "+" is dropped, a "-" behind a word is kept.
fn split(text: &str) -> Vec<Token> {
    let letters: Vec<char> = text.chars().map(|c| if c == '’' { '\'' } else { c }).collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let c = letters[at];
        let next = letters.get(at + 1).copied();
        if c.is_alphanumeric() {
            let joined = |place: usize| {
                let c = letters[place];
                let goes_on = letters.get(place + 1).is_some_and(|c| c.is_alphanumeric());
                c.is_alphanumeric() || (matches!(c, '\'' | '.') && goes_on)
            };
            let end = (at..letters.len()).find(|place| !joined(*place)).unwrap_or(letters.len());
            push_word(&letters[at..end], &mut out);
            at = end;
            continue;
        }
        let mark = match c {
            '.' | '!' if next.is_none_or(|n| !n.is_alphanumeric()) => Some("."),
            '?' => Some("?"),
            ',' | '(' | ')' | ':' => Some(","),
            ';' => Some(";"),
            '–' | '—' => Some("—"),
            '&' => Some("and"),
            '-' | '−'
                if at > 0
                    && letters[at - 1].is_alphanumeric()
                    && next.is_none_or(|n| !n.is_alphanumeric()) =>
            {
                Some("negative")
            }
            _ => None,
        };
        out.extend(mark.map(|mark| Token { text: mark.to_owned(), like_symbol: false }));
        at += 1;
    }
    out
}

fn push_word(letters: &[char], out: &mut Vec<Token>) {
    let word: String = letters.iter().collect();
    let capitals = letters.iter().filter(|c| c.is_uppercase()).count();
    let digits = letters.iter().filter(|c| c.is_ascii_digit()).count();
    let like_symbol = letters.len() > 2 && capitals > 1 || capitals > 0 && digits > 0;
    let lower = word.to_lowercase();
    let mut push = |text: &str| out.push(Token { text: text.to_owned(), like_symbol });
    match lower.strip_suffix("n't").or_else(|| lower.strip_suffix("not").filter(|stem| *stem == "can")) {
        Some(stem) => {
            push(if stem == "ca" { "can" } else { stem });
            push("not");
        }
        None => push(&lower),
    }
}
