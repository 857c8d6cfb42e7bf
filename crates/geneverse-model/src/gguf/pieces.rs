//! The rule of a tokenizer trained here, for a program that does not have it.
//!
//! [`PIECES`](crate::tokens::PIECES) spells symbols: of ` GLI1` the space, each capital and each digit are tokens of their own, but
//! the space of ` The` is part of the word. llama.cpp has no such rule. It has `bloom`, which cuts at spaces and a few
//! marks only, and it has two habits that are enough to say the rest with merges:
//!
//! - a merge may make a text that is no token; at the end such a text is written letter by letter;
//! - merges are taken by their place in the list, so what stands before the tokenizer's own merges is done before them.
//!
//! So before the space of ` GLI1` can join the `G`, the capitals join each other, in pairs, a lone first one with the pair after
//! it; none of that is a token, and they come out as they went in. The words that are kept whole (`RNA`) are made from left
//! to right before that, and unmade where a capital or a digit follows. The tokens that only stood on the way to such a
//! word no longer have a text to be found by; no text is ever encoded with them.
//!
//! What is not said: a lone capital before a space, a full stop or a comma (`factor X is`), whose space joins it, and capitals before
//! small letters where pairs do not come out even (`GPCRs`). `benches/hand_over.py` counts how often.

use std::collections::{HashMap, HashSet};

/// llama.cpp's name of the rule that these merges are for.
pub(super) const RULE: &str = "bloom";

/// What a user should know.
pub(super) const NOTE: &str = "its tokenizer spells symbols, for which llama.cpp has no rule: merges say it instead, and differ where \
                               a lone capital stands between spaces (\"factor X is\"); README, llama.cpp, has the count";

/// The words of capitals that the rule keeps whole, of which the last is not looked behind.
const WHOLE: [&str; 5] = ["HGNC", "NCBI", "DNA", "RNA", "ENSG00000"];

/// The letter that stands for the byte of a space.
const SPACE: &str = "Ġ";

/// Marks that end what a capital begins: it joins them so that a space before it does not join it.
const MARKS: &str = "\"#$%&'*+-/:;<=>@[\\]^_`{}~";

type Merges = Vec<(String, String)>;

/// The merges, and the ids of the tokens that are not to be found.
pub(super) fn merges(own: &[(String, String)], known: &HashMap<&str, usize>) -> (Merges, Vec<usize>) {
    let whole: Vec<&str> = WHOLE.into_iter().filter(|word| known.contains_key(word)).collect();
    let spaced = |word: &str| known.contains_key(format!("{SPACE}{word}").as_str());
    let mut list = List::default();

    // Whole words, a letter at a time.
    let mut begun: Vec<&str> = Vec::new();
    for word in &whole {
        for end in 1..word.len() {
            list.add(&word[..end], &word[end..=end]);
            begun.extend((end > 1).then_some(&word[..end]));
        }
    }
    // Not before a capital or a digit.
    let (capitals, signs) = (letters('A'..='Z'), [letters('A'..='Z'), letters('0'..='9')].concat());
    for word in whole.iter().filter(|word| !word.starts_with("ENSG")) {
        signs.iter().for_each(|sign| list.add(word, sign));
    }
    whole.iter().filter(|word| spaced(word)).for_each(|word| list.add(SPACE, word));

    // Capitals hold each other, and marks.
    let mut pairs: Vec<String> = Vec::new();
    for capital in &capitals {
        for sign in &signs {
            list.add(capital, sign);
            pairs.push(format!("{capital}{sign}"));
        }
    }
    pairs.extend(begun.into_iter().filter(|text| text.len() > 2).map(str::to_owned));
    for capital in &capitals {
        // A pair that begins with a digit is none.
        pairs.iter().for_each(|pair| list.add(capital, pair));
        MARKS.chars().for_each(|mark| list.add(capital, &mark.to_string()));
    }

    // The tokenizer's own, but for those by which it made the whole words.
    let on_the_way = |text: &str| {
        let letters = text.strip_prefix(SPACE).unwrap_or(text);
        letters.len() > 1 && whole.iter().any(|word| word.contains(letters))
    };
    for (left, right) in own.iter().filter(|(left, right)| !on_the_way(&format!("{left}{right}"))) {
        list.add(left, right);
    }
    let kept = |text: &str| whole.contains(&text.strip_prefix(SPACE).unwrap_or(text));
    let mut hidden: Vec<usize> =
        known.iter().filter(|(text, _)| on_the_way(text) && !kept(text)).map(|(_, id)| *id).collect();
    hidden.sort_unstable();
    (list.merges, hidden)
}

fn letters(range: std::ops::RangeInclusive<char>) -> Vec<String> {
    range.map(String::from).collect()
}

/// Merges in their order, each once.
#[derive(Default)]
struct List {
    merges: Merges,
    seen: HashSet<(String, String)>,
}

impl List {
    fn add(&mut self, left: &str, right: &str) {
        let pair = (left.to_owned(), right.to_owned());
        if self.seen.insert(pair.clone()) {
            self.merges.push(pair);
        }
    }
}
