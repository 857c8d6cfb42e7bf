//! Sentences and words of English scientific prose, as byte ranges.

use std::ops::Range;

use memchr::memmem;

/// Abbreviations whose full stop does not end a sentence, lower-cased and without the stop.
const ABBREVIATIONS: [&str; 13] =
    ["e.g", "i.e", "al", "vs", "cf", "approx", "ca", "fig", "dr", "no", "subsp", "var", "resp"];

/// The sentences of a text. Together they cover all but the white space between them.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    // All three are ASCII, and no byte of another character is.
    for at in memchr::memchr3_iter(b'.', b'!', b'?', text.as_bytes()) {
        if at < start {
            continue;
        }
        let mut end = at + 1;
        while let Some(closing) =
            text[end..].chars().next().filter(|c| matches!(c, ')' | ']' | '"' | '”' | '\''))
        {
            end += closing.len_utf8();
        }
        if ends_sentence(text, at, end) {
            push_trimmed(text, start..end, &mut found);
            start = end;
        }
    }
    push_trimmed(text, start..text.len(), &mut found);
    found
}

fn push_trimmed(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let part = &text[range.clone()];
    let trimmed = part.trim_start();
    let start = range.end - trimmed.len();
    let end = start + trimmed.trim_end().len();
    if start < end {
        found.push(start..end);
    }
}

/// Whether the mark at `at` (with its closing brackets up to `end`) ends a sentence.
fn ends_sentence(text: &str, at: usize, end: usize) -> bool {
    let next = text[end..].chars().next();
    let Some(next) = next else { return true };
    let before = &text[..at];
    let word = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    if !next.is_whitespace() {
        // A missing blank, as in "finger proteins.The encoded".
        let lower_before = before.chars().next_back().is_some_and(char::is_lowercase);
        let mut after = text[end..].chars();
        return lower_before
            && after.next().is_some_and(char::is_uppercase)
            && after.next().is_some_and(char::is_lowercase);
    }
    if text.as_bytes()[at] != b'.' {
        return true;
    }
    let abbreviation = ABBREVIATIONS.contains(&word.to_lowercase().as_str());
    // "E. coli", "S. cerevisiae"; but "type I. The" ends a sentence before a capital.
    let next_word = text[end..].split_whitespace().next().unwrap_or_default();
    let begins = next_word.chars().next();
    // "p21", "mRNA", "miR-1": names that keep their small letter at the start of a sentence.
    let name = next_word.chars().any(|c| c.is_ascii_digit() || c.is_uppercase());
    let initial =
        word.len() == 1 && word.chars().all(char::is_uppercase) && begins.is_some_and(char::is_lowercase);
    !abbreviation && !initial && begins.is_none_or(|c| name || !c.is_lowercase())
}

/// Whether a text ends as a finished sentence does: with `.`, `!` or `?`, and perhaps a closing bracket or quote.
pub fn ends_complete(text: &str) -> bool {
    let closed = text.trim_end().trim_end_matches([')', ']', '"', '”', '\'']);
    closed.ends_with(['.', '!', '?']) && !closed.ends_with("..") && !closed.ends_with("…")
}

/// The words of a text with their places: runs of letters and digits, joined by `-`, `'`, `.` or `/` inside.
pub fn words(text: &str) -> Vec<(Range<usize>, &str)> {
    let mut found = Vec::with_capacity(text.len() / 6);
    let bytes = text.as_bytes();
    let mut start = None;
    let mut last = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let c = if byte.is_ascii() { byte as char } else { text[at..].chars().next().unwrap_or_default() };
        let next = at + c.len_utf8();
        if is_alphanumeric(c) {
            start.get_or_insert(at);
            last = next;
        } else if let Some(begin) = start {
            let joins = matches!(c, '-' | '\'' | '’' | '.' | '/' | '_' | '@') && last == at;
            if !joins || !text[next..].chars().next().is_some_and(is_alphanumeric) {
                found.push((begin..last, &text[begin..last]));
                start = None;
            }
        }
        at = next;
    }
    if let Some(begin) = start {
        found.push((begin..last, &text[begin..last]));
    }
    found
}

/// [`char::is_alphanumeric`], quick for ASCII.
pub(crate) fn is_alphanumeric(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() }
}

/// Whether `word` stands in `text` as a word of its own, in this case.
pub fn contains_word(text: &str, word: &str) -> bool {
    find_word(text, word, 0).is_some()
}

/// The place of the first `word` at or after `from` that is a word of its own.
pub fn find_word(text: &str, word: &str, from: usize) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    let mut at = from;
    let bytes = text.as_bytes();
    while let Some(found) = memmem::find(bytes.get(at..)?, word.as_bytes()).map(|offset| at + offset) {
        let joined = |c: char| c.is_alphanumeric() || matches!(c, '_');
        let before = text[..found].chars().next_back();
        let after = text[found + word.len()..].chars().next();
        // "GLI" is no word of "GLI-1": a digit or letter after the hyphen makes another symbol.
        let hyphen = |c: Option<char>, next: Option<char>| {
            c == Some('-') && next.is_some_and(|n| n.is_ascii_digit() || n.is_ascii_uppercase())
        };
        let after_next = text[found + word.len()..].chars().nth(1);
        if !before.is_some_and(joined) && !after.is_some_and(joined) && !hyphen(after, after_next) {
            return Some(found);
        }
        at = found + text[found..].chars().next().map_or(1, char::len_utf8);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        check(
            "It binds DNA (e.g. AT-rich). It is found in E. coli too.  Done",
            &["It binds DNA (e.g. AT-rich).", "It is found in E. coli too.", "Done"],
        );
        check(
            "Kruppel family proteins.The encoded factor, v1.2, is type I. It acts.",
            &["Kruppel family proteins.", "The encoded factor, v1.2, is type I.", "It acts."],
        );
        check("MDA-6. p21 inhibits CDK2. mRNA", &["MDA-6.", "p21 inhibits CDK2.", "mRNA"]);
        check("", &[]);
        check(" (Smith et al. 2002). ", &["(Smith et al. 2002)."]);
    }

    #[test]
    fn words_keep_their_inner_hyphens() {
        let found: Vec<&str> = words("5-HT2A, HLA-A's 'x' v1.2.").into_iter().map(|(_, w)| w).collect();
        assert_eq!(found, ["5-HT2A", "HLA-A's", "x", "v1.2"]);
        assert!(contains_word("the GLI1 gene", "GLI1"));
        assert!(contains_word("GLI1-mediated", "GLI1"));
        assert!(!contains_word("GLI12 and GLI-1", "GLI"));
    }

    #[test]
    fn a_cut_off_sentence_is_not_complete() {
        assert!(ends_complete("It binds (DNA.)"));
        assert!(!ends_complete("It plays a central role i..."));
        assert!(!ends_complete("It plays a"));
    }
}
