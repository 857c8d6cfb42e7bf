//! Tokens as sacrebleu makes them before it counts n-grams: `13a`, `intl`, `char`, `none`.
//!
//! - `13a` is mteval-v13a's: entities are resolved, a hyphen at a line's end is joined, then four rewrites part
//!   punctuation from words, but not the point and comma of a number;
//! - `intl` is mteval-v14's: punctuation beside anything but a number, and every symbol, by Unicode's categories P, N, S;
//! - `char` is every character, `none` what stands between blanks.
//!
//! sacrebleu's tokenizers for Chinese, Japanese, Korean and SentencePiece are not here: answers are in English.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

use Side::{After, Before};

/// How a text is cut before n-grams are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tokenizer {
    /// mteval-v13a, sacrebleu's default.
    #[default]
    Mteval13a,
    /// mteval-v14, international.
    International,
    /// Characters.
    Character,
    /// What stands between blanks.
    Blank,
}

impl Tokenizer {
    /// Its name in sacrebleu, as a signature has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mteval13a => "13a",
            Self::International => "intl",
            Self::Character => "char",
            Self::Blank => "none",
        }
    }

    /// A text as one line of tokens with blanks between them: [`tokens`] takes it apart.
    pub(super) fn line(self, text: &str) -> String {
        let text = text.trim_end_matches(is_blank);
        match self {
            Self::Mteval13a => mteval_13a(text),
            Self::International => international(text),
            Self::Character => text.chars().flat_map(|c| [c, ' ']).collect(),
            Self::Blank => text.to_owned(),
        }
    }
}

/// The tokens of a line.
pub(super) fn tokens(line: &str) -> impl Iterator<Item = &str> {
    line.split(is_blank).filter(|token| !token.is_empty())
}

/// By the same four rewrites that sacrebleu applies one after the other.
fn mteval_13a(text: &str) -> String {
    let mut line = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if line.contains('&') {
        line = line.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    }
    // Bytes serve: what is looked for is ASCII, and all a character beyond it has to be is something else.
    let mut spaced = Vec::with_capacity(line.len() * 2);
    spaced.push(b' ');
    for byte in line.bytes() {
        if matches!(byte, b'{'..=b'~' | b'['..=b'`' | b' '..=b'&' | b'('..=b'+' | b':'..=b'@' | b'/') {
            spaced.extend([b' ', byte, b' ']);
        } else {
            spaced.push(byte);
        }
    }
    spaced.push(b' ');
    let digit = |byte: u8| byte.is_ascii_digit();
    let stop = |byte: u8| matches!(byte, b'.' | b',');
    let spaced = part_pairs(&spaced, |a, b| !digit(a) && stop(b), After);
    let spaced = part_pairs(&spaced, |a, b| stop(a) && !digit(b), Before);
    let spaced = part_pairs(&spaced, |a, b| digit(a) && b == b'-', After);
    String::from_utf8_lossy(&spaced).into_owned()
}

/// On which side a pair that is parted gets a blank besides.
enum Side {
    Before,
    After,
}

/// Puts a blank into each pair of neighbours that `matches`, and one on a side of it; from the left and without overlap, as
/// `re.sub` does. Where a pair ends within a character beyond ASCII, its other bytes match nothing.
fn part_pairs(text: &[u8], matches: impl Fn(u8, u8) -> bool, side: Side) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 4);
    let mut place = 0;
    while place < text.len() {
        match text.get(place + 1) {
            Some(&second) if matches(text[place], second) => {
                match side {
                    Before => out.extend([b' ', text[place], b' ', second]),
                    After => out.extend([text[place], b' ', second, b' ']),
                }
                place += 2;
            }
            _ => {
                out.push(text[place]);
                place += 1;
            }
        }
    }
    out
}

/// By mteval-v14's three rewrites. A point after a last number stays with it, as it does there.
fn international(text: &str) -> String {
    let number = |c: char| NUMBERS.has(c);
    let punctuation = |c: char| PUNCTUATION.has(c);
    let spaced = rewrite_pairs(
        text,
        |a, b| !number(a) && punctuation(b),
        |a, b, out| {
            out.extend([a, ' ', b, ' ']);
        },
    );
    let spaced = rewrite_pairs(
        &spaced,
        |a, b| punctuation(a) && !number(b),
        |a, b, out| {
            out.extend([' ', a, ' ', b]);
        },
    );
    let mut line = String::with_capacity(spaced.len() * 2);
    for c in spaced.chars() {
        if SYMBOLS.has(c) {
            line.extend([' ', c, ' ']);
        } else {
            line.push(c);
        }
    }
    line
}

/// Rewrites each pair of neighbours that `matches`, from the left and without overlap, as `re.sub` does.
fn rewrite_pairs(
    text: &str,
    matches: impl Fn(char, char) -> bool,
    rewrite: impl Fn(char, char, &mut String),
) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        match chars.peek() {
            Some(&second) if matches(first, second) => {
                rewrite(first, second, &mut out);
                chars.next();
            }
            _ => out.push(first),
        }
    }
    out
}

/// What Python's `str.split` takes for white space: Unicode's, and the four separators U+001C to U+001F.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

static PUNCTUATION: LazyLock<Category> = LazyLock::new(|| Category::read(r"\p{P}"));
static NUMBERS: LazyLock<Category> = LazyLock::new(|| Category::read(r"\p{N}"));
static SYMBOLS: LazyLock<Category> = LazyLock::new(|| Category::read(r"\p{S}"));

/// The characters of one of Unicode's general categories.
struct Category {
    /// First and last characters of its stretches, in order.
    ranges: Vec<(char, char)>,
}

impl Category {
    fn read(pattern: &str) -> Self {
        // The patterns are the three above; one that cannot be read would be an empty category, and no test would pass.
        let class = regex_syntax::parse(pattern).ok().map(|parsed| parsed.into_kind());
        let ranges = match class {
            Some(HirKind::Class(Class::Unicode(class))) => {
                class.iter().map(|range| (range.start(), range.end())).collect()
            }
            _ => Vec::new(),
        };
        Self { ranges }
    }

    fn has(&self, c: char) -> bool {
        let after = self.ranges.partition_point(|&(first, _)| first <= c);
        after > 0 && c <= self.ranges[after - 1].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(tokenizer: Tokenizer, text: &str) -> String {
        tokens(&tokenizer.line(text)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tokens_follow_mteval() {
        let check = |text: &str, wanted: &str| assert_eq!(cut(Tokenizer::Mteval13a, text), wanted);
        check("p53 (TP53), 1,000.5 bp.", "p53 ( TP53 ) , 1,000.5 bp .");
        check("5-HT &quot;x&quot; a..b", "5 - HT \" x \" a . . b");
        check("beta-\ncatenin\nWnt", "betacatenin Wnt");
        check("", "");
    }

    #[test]
    fn categories_are_unicodes() {
        assert!(
            PUNCTUATION.has('.') && PUNCTUATION.has('“') && PUNCTUATION.has('-') && !PUNCTUATION.has('+')
        );
        assert!(NUMBERS.has('7') && NUMBERS.has('Ⅻ') && NUMBERS.has('½') && !NUMBERS.has('x'));
        assert!(SYMBOLS.has('+') && SYMBOLS.has('€') && SYMBOLS.has('^') && !SYMBOLS.has('!'));
        assert_eq!(
            cut(Tokenizer::International, "β-catenin: 1,5±2 (p<0.05)."),
            "β - catenin : 1,5 ± 2 ( p < 0.05 ) ."
        );
        assert_eq!(cut(Tokenizer::Character, "a β\n"), "a β");
    }
}
