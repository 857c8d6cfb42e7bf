//! Moses' tokenizer and detokenizer for English, as BioGPT's training text went through them.
//!
//! A port of the Python port, sacremoses 0.2 (`MosesTokenizer("en").tokenize(text, aggressive_dash_splits=True)`
//! and `MosesDetokenizer("en")`, <https://github.com/hplt-project/sacremoses>), rule by rule and in its order,
//! its oddities included: a literal `DOTMULTI` in a text becomes a dot there and here. Characters are letters,
//! numbers or symbols as Moses' lists have them, `moses.txt`, not as today's Unicode does: Chinese is not a letter.

use std::collections::HashSet;
use std::sync::LazyLock;

/// A character of the text in the making, and the byte of the source that it stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mark {
    pub(super) char: char,
    pub(super) at: usize,
}

/// The words of a text, escaped for XML as Moses does.
pub(super) fn tokenize(text: &str) -> Vec<Vec<Mark>> {
    let text: Vec<Mark> = text.char_indices().map(|(at, char)| Mark { char, at }).collect();
    let mut text = single_spaces(&text);
    text.retain(|mark| mark.char >= ' ');
    let text = HYPHEN.apply(&pad_symbols(trim(&text)));
    let text = COMMAS_AND_APOSTROPHES.iter().fold(mark_dots(&text), |text, rule| rule.apply(&text));
    let text = split_last_quote(join(split_periods(words(&text))));
    words(&escape(&restore_dots(&text)))
}

/// Text of words: spaces before closing and after opening punctuation go, quotes are paired.
pub(super) fn detokenize(words: &[&str]) -> String {
    let mut text = format!(" {} ", words.join(" ")).replace(" @-@ ", "-");
    for (escaped, plain) in UNESCAPE {
        text = text.replace(escaped, plain);
    }
    let words: Vec<&str> = text.split(space).filter(|word| !word.is_empty()).collect();
    let mut out = String::new();
    let mut quotes: HashSet<&str> = HashSet::new();
    let mut gap = " ";
    for (index, &word) in words.iter().enumerate() {
        let before = index.checked_sub(1).map(|i| words[i]);
        let all = |belongs: fn(char) -> bool| word.chars().all(belongs);
        // What stands before the word, and what before the one after it.
        let (mine, next) = if word.starts_with(cjk) {
            (if before.is_some_and(|w| w.ends_with(cjk)) { "" } else { gap }, " ")
        } else if all(|c| currency(c) || "([{¿¡".contains(c)) {
            (gap, "")
        } else if all(|c| ",.?!:;\\%}])".contains(c)) || (before.is_some() && contraction(word)) {
            ("", " ")
        } else if all(|c| "'\"„“`".contains(c)) {
            let quote = if all(|c| "„“".contains(c)) { "\"" } else { word };
            let possessive = word == "'" && before.is_some_and(|w| w.ends_with('s'));
            if quotes.remove(quote) || possessive {
                ("", " ")
            } else {
                quotes.insert(quote);
                (gap, "")
            }
        } else {
            (gap, " ")
        };
        out.push_str(mine);
        out.push_str(word);
        gap = next;
    }
    out.trim_matches(' ').to_owned()
}

/// `left` `mark` `right` becomes `left` `by` `right`, from left to right, what is taken being taken once only.
struct Rule {
    left: Side,
    mark: char,
    right: Side,
    by: &'static str,
}

#[derive(Clone, Copy)]
enum Side {
    /// Anything, or nothing.
    Free,
    /// A character of the class, which no other match can use.
    Takes(fn(char) -> bool),
    /// A character of the class.
    Sees(fn(char) -> bool),
    End,
}

const HYPHEN: Rule = Rule { left: Side::Takes(alnum), mark: '-', right: Side::Sees(alnum), by: " @-@ " };

/// A comma is part of a number and otherwise alone; an apostrophe begins the `'s` of a word.
const COMMAS_AND_APOSTROPHES: [Rule; 8] = [
    Rule { left: Side::Takes(not_number), mark: ',', right: Side::Free, by: " , " },
    Rule { left: Side::Free, mark: ',', right: Side::Takes(not_number), by: " , " },
    Rule { left: Side::Takes(number), mark: ',', right: Side::End, by: " , " },
    Rule { left: Side::Takes(not_alpha), mark: '\'', right: Side::Takes(not_alpha), by: " ' " },
    Rule { left: Side::Takes(neither), mark: '\'', right: Side::Takes(alpha), by: " ' " },
    Rule { left: Side::Takes(alpha), mark: '\'', right: Side::Takes(not_alpha), by: " ' " },
    Rule { left: Side::Takes(alpha), mark: '\'', right: Side::Takes(alpha), by: " '" },
    Rule { left: Side::Takes(number), mark: '\'', right: Side::Takes(|c| c == 's'), by: " '" },
];

impl Rule {
    fn apply(&self, text: &[Mark]) -> Vec<Mark> {
        let mut out = Vec::with_capacity(text.len() + 16);
        let mut rest = text;
        while let Some(&first) = rest.first() {
            let (left, after) = match self.left {
                Side::Takes(class) if class(first.char) => (Some(first), &rest[1..]),
                Side::Takes(_) => (None, &[][..]),
                _ => (None, rest),
            };
            let found = after.split_first().filter(|(mark, _)| mark.char == self.mark);
            let fits = found.filter(|(_, after)| match (self.right, after.first()) {
                (Side::Free, _) | (Side::End, None) => true,
                (Side::Takes(class) | Side::Sees(class), Some(next)) => class(next.char),
                _ => false,
            });
            let Some((mark, after)) = fits else {
                out.push(first);
                rest = &rest[1..];
                continue;
            };
            out.extend(left);
            out.extend(self.by.chars().map(|char| Mark { char, at: mark.at }));
            rest = after;
            if let (Side::Takes(_), Some((next, after))) = (self.right, rest.split_first()) {
                out.push(*next);
                rest = after;
            }
        }
        out
    }
}

/// A run of dots becomes `DOT` for each and `MULTI`, so that no rule about full stops sees it.
fn mark_dots(text: &[Mark]) -> Vec<Mark> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&first) = rest.first() {
        let dots = rest.iter().take_while(|mark| mark.char == '.').count();
        rest = &rest[dots.max(1)..];
        if dots < 2 {
            out.push(first);
            continue;
        }
        let marker = format!(" {}MULTI{}", "DOT".repeat(dots), if rest.is_empty() { "" } else { " " });
        out.extend(marker.chars().map(|char| Mark { char, at: first.at }));
    }
    out
}

fn restore_dots(text: &[Mark]) -> Vec<Mark> {
    let starts = |text: &[Mark], word: &str| {
        text.len() >= word.len() && text.iter().zip(word.chars()).all(|(mark, char)| mark.char == char)
    };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&first) = rest.first() {
        let mut dots = 0;
        while starts(&rest[3 * dots..], "DOT") {
            dots += 1;
        }
        if dots > 0 && starts(&rest[3 * dots..], "MULTI") {
            out.extend(std::iter::repeat_n(Mark { char: '.', at: first.at }, dots));
            rest = &rest[3 * dots + "MULTI".len()..];
        } else {
            out.push(first);
            rest = &rest[1..];
        }
    }
    out
}

/// Whatever is neither a letter, a digit, a space nor one of `.` `'` `` ` `` `,` `-` stands alone.
fn pad_symbols(text: &[Mark]) -> Vec<Mark> {
    let mut out = Vec::with_capacity(text.len() + 16);
    for &mark in text {
        if alnum(mark.char) || space(mark.char) || ".'`,-".contains(mark.char) {
            out.push(mark);
        } else {
            let gap = Mark { char: ' ', at: mark.at };
            out.extend([gap, mark, gap]);
        }
    }
    out
}

/// A word's full stop is its own word, but after an abbreviation or before a word in lower case.
fn split_periods(mut words: Vec<Vec<Mark>>) -> Vec<Vec<Mark>> {
    for index in 0..words.len() {
        let Some((stop, prefix)) = words[index].split_last().filter(|(m, p)| m.char == '.' && !p.is_empty())
        else {
            continue;
        };
        let next = words.get(index + 1).and_then(|word| word.first());
        let text: String = prefix.iter().map(|mark| mark.char).collect();
        let initials = text.contains('.') && text.contains(alpha);
        let abbreviation = LISTS.abbreviations.contains(text.as_str());
        let before_number = LISTS.before_number.contains(text.as_str());
        let kept = initials
            || (abbreviation && !before_number)
            || next.is_some_and(|mark| lower(mark.char))
            || (before_number && next.is_some_and(|mark| mark.char.is_ascii_digit()));
        if !kept {
            let mut split = prefix.to_vec();
            split.extend([Mark { char: ' ', at: stop.at }, *stop]);
            words[index] = split;
        }
    }
    words
}

/// `.'` at the end, perhaps with a space after it, becomes two words.
fn split_last_quote(text: Vec<Mark>) -> Vec<Mark> {
    let chars = |n: usize| text.iter().rev().take(n).map(|mark| mark.char);
    let end = if chars(2).eq(['\'', '.']) {
        text.len() - 2
    } else if chars(3).eq([' ', '\'', '.']) {
        text.len() - 3
    } else {
        return text;
    };
    let (dot, quote) = (text[end].at, text[end + 1].at);
    let mut out = text[..end].to_vec();
    out.extend(
        [(' ', dot), ('.', dot), (' ', quote), ('\'', quote), (' ', quote)]
            .map(|(char, at)| Mark { char, at }),
    );
    out
}

fn escape(text: &[Mark]) -> Vec<Mark> {
    let mut out = Vec::with_capacity(text.len());
    for &mark in text {
        let escaped = match mark.char {
            '&' => "&amp;",
            '|' => "&#124;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\'' => "&apos;",
            '"' => "&quot;",
            '[' => "&#91;",
            ']' => "&#93;",
            _ => {
                out.push(mark);
                continue;
            }
        };
        out.extend(escaped.chars().map(|char| Mark { char, at: mark.at }));
    }
    out
}

/// In Moses' order: the ampersand last, so that nothing is unescaped twice. The three short ones are old Moses'.
const UNESCAPE: [(&str, &str); 11] = [
    ("&bar;", "|"),
    ("&#124;", "|"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&bra;", "["),
    ("&ket;", "]"),
    ("&quot;", "\""),
    ("&apos;", "'"),
    ("&#91;", "["),
    ("&#93;", "]"),
    ("&amp;", "&"),
];

fn single_spaces(text: &[Mark]) -> Vec<Mark> {
    let mut out: Vec<Mark> = Vec::with_capacity(text.len());
    let mut in_space = false;
    for &mark in text {
        let is_space = space(mark.char);
        if !is_space {
            out.push(mark);
        } else if !in_space {
            out.push(Mark { char: ' ', at: mark.at });
        }
        in_space = is_space;
    }
    out
}

fn trim(text: &[Mark]) -> &[Mark] {
    let start = text.iter().take_while(|mark| mark.char == ' ').count();
    let end = text[start..].iter().rev().take_while(|mark| mark.char == ' ').count();
    &text[start..text.len() - end]
}

fn words(text: &[Mark]) -> Vec<Vec<Mark>> {
    text.split(|mark| space(mark.char)).filter(|word| !word.is_empty()).map(<[Mark]>::to_vec).collect()
}

fn join(words: Vec<Vec<Mark>>) -> Vec<Mark> {
    let mut text: Vec<Mark> = Vec::new();
    for word in words {
        if let (Some(first), false) = (word.first(), text.is_empty()) {
            text.push(Mark { char: ' ', at: first.at });
        }
        text.extend(word);
    }
    text
}

/// Python's white space, which has four control characters more than Rust's.
fn space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn contraction(word: &str) -> bool {
    word.strip_prefix('\'').is_some_and(|rest| rest.starts_with(letter))
}

fn letter(c: char) -> bool {
    LISTS.letters.has(c)
}

/// A letter to the tokenizer: with the signs of Indian scripts, which the detokenizer does not know.
fn alpha(c: char) -> bool {
    letter(c) || LISTS.signs.has(c)
}

fn alnum(c: char) -> bool {
    alpha(c) || LISTS.digits.has(c)
}

fn number(c: char) -> bool {
    LISTS.numbers.has(c)
}

fn lower(c: char) -> bool {
    LISTS.lower.has(c)
}

fn currency(c: char) -> bool {
    LISTS.currency.has(c)
}

fn not_alpha(c: char) -> bool {
    !alpha(c)
}

fn not_number(c: char) -> bool {
    !number(c)
}

fn neither(c: char) -> bool {
    !alpha(c) && !number(c)
}

/// `is_cjk` of sacremoses: the blocks from Hangul Jamo to the supplementary ideographs.
fn cjk(c: char) -> bool {
    const BLOCKS: Ranges<[(u32, u32); 11]> = Ranges([
        (0x1100, 0x11FF),
        (0x2E80, 0xA4CF),
        (0xA840, 0xA87F),
        (0xAC00, 0xD7AF),
        (0xF900, 0xFAFF),
        (0xFE30, 0xFE4F),
        (0xFF65, 0xFFDC),
        (0x17000, 0x18AFF),
        (0x1B000, 0x1B12F),
        (0x1B170, 0x1B2FF),
        (0x20000, 0x2FFFF),
    ]);
    BLOCKS.has(c)
}

/// Code points from a first to a last, ascending.
struct Ranges<T>(T);

impl<T: AsRef<[(u32, u32)]>> Ranges<T> {
    fn has(&self, c: char) -> bool {
        let (c, ranges) = (u32::from(c), self.0.as_ref());
        let next = ranges.partition_point(|(_, last)| *last < c);
        ranges.get(next).is_some_and(|(first, _)| *first <= c)
    }
}

struct Lists {
    letters: Ranges<Vec<(u32, u32)>>,
    signs: Ranges<Vec<(u32, u32)>>,
    digits: Ranges<Vec<(u32, u32)>>,
    numbers: Ranges<Vec<(u32, u32)>>,
    lower: Ranges<Vec<(u32, u32)>>,
    currency: Ranges<Vec<(u32, u32)>>,
    abbreviations: HashSet<&'static str>,
    before_number: HashSet<&'static str>,
}

/// Moses' lists: a line is a name and its entries, code points (`AA`, `41-5A`, hexadecimal) or words.
static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let entries = |name: &str| {
        let mut lines = include_str!("moses.txt").lines().map(str::split_whitespace);
        lines.find_map(|mut line| (line.next() == Some(name)).then_some(line)).into_iter().flatten()
    };
    let ranges = |name: &str| {
        let point = |text: &str| u32::from_str_radix(text, 16).ok();
        let range = |entry: &str| {
            let (first, last) = entry.split_once('-').unwrap_or((entry, entry));
            point(first).zip(point(last))
        };
        Ranges(entries(name).filter_map(range).collect::<Vec<_>>())
    };
    Lists {
        letters: ranges("letters"),
        signs: ranges("signs"),
        digits: ranges("digits"),
        numbers: ranges("numbers"),
        lower: ranges("lower"),
        currency: ranges("currency"),
        abbreviations: entries("abbreviations").collect(),
        before_number: entries("before_number").collect(),
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_complete() {
        let count = |ranges: &Ranges<Vec<(u32, u32)>>| {
            ranges.0.iter().map(|(first, last)| last - first + 1).sum::<u32>()
        };
        let Lists { letters, signs, digits, numbers, lower, currency, abbreviations, before_number } =
            &*LISTS;
        // As sacremoses 0.2.0 counts them.
        let found = [letters, signs, digits, numbers, lower, currency].map(count);
        assert_eq!(found, [10286, 61, 370, 713, 2253, 53]);
        assert_eq!((abbreviations.len(), before_number.len()), (102, 3));
    }

    #[test]
    fn every_character_knows_its_place() {
        let text = "The β-catenin (CTNNB1) gene's 5' end... See Fig. 2, p. 3: \"<b>\"";
        for word in tokenize(text) {
            for mark in word {
                assert!(text.is_char_boundary(mark.at));
                let source = text[mark.at..].chars().next().unwrap();
                let escaped = "\"'<>[]|&".contains(source) || source == '-';
                assert!(mark.char == source || escaped, "{mark:?} is {source:?}");
            }
        }
        let starts: Vec<usize> = tokenize(text).iter().map(|word| word[0].at).collect();
        assert!(starts.is_sorted(), "{starts:?}");
    }
}
