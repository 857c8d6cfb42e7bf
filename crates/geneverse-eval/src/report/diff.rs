//! Which words an edit took out and which it put in.

/// A stretch of text in both, in the first only, or in the second only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Same(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// Longer texts than this (in words) are not compared word by word: the table would take too much memory.
const MOST_WORDS: usize = 2000;

/// The difference of two texts by words: their longest common subsequence stays.
pub(super) fn diff<'a>(before: &'a str, after: &'a str) -> Vec<Piece<'a>> {
    let (a, b) = (split(before), split(after));
    let same_start = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let rest = a.len().min(b.len()) - same_start;
    let same_end = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(x, y)| x == y).count();
    let (inner_a, inner_b) = (&a[same_start..a.len() - same_end], &b[same_start..b.len() - same_end]);
    let mut pieces: Vec<Piece<'a>> = a[..same_start].iter().map(|word| Piece::Same(word)).collect();
    if inner_a.len().max(inner_b.len()) > MOST_WORDS {
        pieces.extend(inner_a.iter().map(|word| Piece::Removed(word)));
        pieces.extend(inner_b.iter().map(|word| Piece::Added(word)));
    } else {
        subsequence(inner_a, inner_b, &mut pieces);
    }
    pieces.extend(a[a.len() - same_end..].iter().map(|word| Piece::Same(word)));
    pieces
}

fn subsequence<'a>(a: &[&'a str], b: &[&'a str], pieces: &mut Vec<Piece<'a>>) {
    // longest[i][j]: the longest common subsequence of a[i..] and b[j..].
    let width = b.len() + 1;
    let mut longest = vec![0_u16; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if a[i] == b[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            pieces.push(Piece::Same(a[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < a.len() && (j == b.len() || longest[(i + 1) * width + j] >= longest[i * width + j + 1])
        {
            pieces.push(Piece::Removed(a[i]));
            i += 1;
        } else {
            pieces.push(Piece::Added(b[j]));
            j += 1;
        }
    }
}

/// Words, blanks and marks, each a token; identifiers such as `HGNC:4317` stay whole.
fn split(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    let class = |c: char| {
        if c.is_alphanumeric() || matches!(c, ':' | '-' | '_') {
            0
        } else if c == ' ' {
            1
        } else {
            2
        }
    };
    let mut previous: Option<char> = None;
    for (at, c) in text.char_indices() {
        if previous.is_some_and(|p| class(p) != class(c) || class(c) == 2) {
            tokens.push(&text[start..at]);
            start = at;
        }
        previous = Some(c);
    }
    if start < text.len() {
        tokens.push(&text[start..]);
    }
    tokens
}
