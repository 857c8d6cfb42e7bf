//! Cutting a piece out of a sentence so that the rest still reads as one.

use std::ops::Range;

use crate::prose::sentences;

/// A clause of more words than this says something worth keeping: only the piece itself is cut from it.
const LONG_CLAUSE: usize = 9;

/// Separators before which a clause ends and after which the next one starts, longest first.
const SEPARATORS: [&str; 7] = [", and ", "; and ", ", or ", ", ", "; ", " and ", " – "];

/// Removes `piece` from `text` together with its clause. Returns the new text and the bytes that went.
///
/// `instead` takes the place of the piece when its clause is too long to lose.
pub(super) fn cut(text: &str, piece: Range<usize>, instead: &str) -> (String, String) {
    if let Some(bracket) = whole_bracket(text, &piece) {
        return remove(text, bracket);
    }
    let sentence = sentence_around(text, &piece);
    let (inner, bracketed) = bracket_around(text, &piece, &sentence);
    let start = clause_start(text, inner.start, piece.start);
    let end = clause_end(text, piece.end, inner.end);
    let words =
        text[start..piece.start].split_whitespace().count() + text[piece.end..end].split_whitespace().count();
    if words > LONG_CLAUSE {
        let mut out = text.to_owned();
        out.replace_range(piece.clone(), instead);
        return (out, text[piece].to_owned());
    }
    let body_end = inner.start + text[inner.clone()].trim_end_matches(['.', '!', '?', ' ']).len();
    let at_start = start == inner.start;
    let at_end = end >= body_end.max(piece.end);
    match (at_start, at_end) {
        // The clause was everything: the bracket or the sentence goes.
        (true, true) if bracketed => remove(text, widen_bracket(text, &inner)),
        (true, true) => remove_sentence(text, sentence),
        // The first clause: the separator after it goes too, and the next one starts the sentence.
        (true, false) => {
            let after = end + separator_at(&text[end..]).unwrap_or(0);
            let (mut out, gone) = remove(text, start..after);
            if !bracketed {
                capitalise(&mut out, start);
            }
            (out, gone)
        }
        // A later clause goes with the separator before it.
        (false, _) => {
            let before = separator_before(text, start, inner.start);
            remove(text, before..end)
        }
    }
}

fn remove(text: &str, range: Range<usize>) -> (String, String) {
    let gone = text[range.clone()].to_owned();
    let mut out = text.to_owned();
    out.replace_range(range, "");
    (out, gone)
}

fn remove_sentence(text: &str, sentence: Range<usize>) -> (String, String) {
    let blanks_after = text[sentence.end..].len() - text[sentence.end..].trim_start_matches(' ').len();
    let mut range = sentence.start..sentence.end + blanks_after;
    if range.end == text.len() {
        range.start = text[..range.start].trim_end_matches(' ').len();
    }
    remove(text, range)
}

fn capitalise(text: &mut String, at: usize) {
    let word: String = text[at..].chars().take_while(|c| c.is_alphanumeric()).collect();
    // "mRNA" and "p53" keep their case; an ordinary word takes a capital.
    if word.chars().all(char::is_lowercase)
        && let Some(first) = word.chars().next()
    {
        text.replace_range(at..at + first.len_utf8(), &first.to_uppercase().to_string());
    }
}

fn sentence_around(text: &str, piece: &Range<usize>) -> Range<usize> {
    let around = sentences(text).into_iter().find(|s| s.start <= piece.start && piece.end <= s.end);
    around.unwrap_or_else(|| piece.clone())
}

/// `(piece)` or `[piece]` with the blank before it, where the bracket holds nothing else.
fn whole_bracket(text: &str, piece: &Range<usize>) -> Option<Range<usize>> {
    let before = text[..piece.start].trim_end();
    let after = text[piece.end..].trim_start();
    let opens = before.ends_with(['(', '[']);
    let closes = after.starts_with([')', ']']);
    (opens && closes).then(|| widen_bracket(text, &(before.len()..text.len() - after.len())))
}

/// From the inside of a bracket to the bracket itself and the blank before it.
fn widen_bracket(text: &str, inner: &Range<usize>) -> Range<usize> {
    let start = text[..inner.start - 1].trim_end_matches(' ').len();
    let end = (inner.end + 1).min(text.len());
    start..end
}

/// The inside of the innermost bracket that holds the piece, or the sentence.
fn bracket_around(text: &str, piece: &Range<usize>, sentence: &Range<usize>) -> (Range<usize>, bool) {
    let mut depth = 0_usize;
    for (at, c) in text[sentence.start..piece.start].char_indices().rev() {
        match c {
            ')' | ']' => depth += 1,
            '(' | '[' if depth > 0 => depth -= 1,
            '(' | '[' => {
                let start = sentence.start + at + 1;
                if let Some(end) = text[piece.end..sentence.end].find([')', ']']) {
                    return (start..piece.end + end, true);
                }
            }
            _ => {}
        }
    }
    (sentence.clone(), false)
}

/// Where the clause that holds the piece starts: after the last separator outside brackets.
fn clause_start(text: &str, from: usize, piece: usize) -> usize {
    let mut start = from;
    let mut depth = 0_usize;
    let mut at = from;
    while at < piece {
        let c = text[at..].chars().next().unwrap_or(' ');
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => {
                if let Some(length) = separator_at(&text[at..piece]) {
                    at += length;
                    start = at;
                    continue;
                }
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    start
}

/// Where the clause that holds the piece ends: before the next separator outside brackets, or the full stop.
fn clause_end(text: &str, piece: usize, to: usize) -> usize {
    let body = text[..to].trim_end_matches(['.', '!', '?', ' ']).len().max(piece);
    let mut depth = 0_usize;
    for (offset, c) in text[piece..body].char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 && separator_at(&text[piece + offset..body]).is_some() => return piece + offset,
            _ => {}
        }
    }
    body
}

fn separator_at(text: &str) -> Option<usize> {
    SEPARATORS.iter().find(|separator| text.starts_with(**separator)).map(|separator| separator.len())
}

/// The start of the separator that ends at `at`.
fn separator_before(text: &str, at: usize, from: usize) -> usize {
    let before = &text[from..at];
    let length = SEPARATORS.iter().filter(|separator| before.ends_with(**separator)).map(|s| s.len()).max();
    at - length.unwrap_or(0)
}
