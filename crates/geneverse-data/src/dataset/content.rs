//! What an answer says of its gene, in a form in which two answers can be compared.
//!
//! Three things make different genes' paragraphs look alike, or alike ones different, and are taken away first:
//!
//! 1. sentences that say who the gene is (symbol, identifiers, lineage, groups, other symbols): every paragraph has
//!    them, so that unrelated genes would share a third of their text;
//! 2. names and numbers: a word with a digit or with a capital after its first letter becomes a blank, and so does
//!    the gene's own symbol in any case. Some 1,900 microRNA summaries differ in nothing else;
//! 3. case, punctuation and white space.
//!
//! What remains is a list of words, and the set of its *shingles*: all runs of [`SHINGLE`] words. Two answers are as
//! alike as the Jaccard index of these sets, |A ∩ B| / |A ∪ B| (Broder 1997). Runs of words, not single words: all
//! summaries share a vocabulary, and only copied ones its order.

use crate::seeded::mix;

/// Words in a shingle. Five are seldom in the same order by chance, and one changed word costs only five of them.
pub const SHINGLE: usize = 5;
/// A text with fewer words left says too little of its own to be called a copy of another.
pub const FEWEST_WORDS: usize = 8;

/// A sentence with one of these says who the gene is. In small letters; [`sentences`](crate::sentences) keeps to them.
const SAYS_WHO: [&str; 18] = [
    "official symbol",
    "official full name",
    "full name is",
    "has the full name",
    "gene symbol",
    "uncharacterized locus",
    "primary source",
    "related identifier",
    "see related",
    "refseq status",
    "also known as",
    "homo sapiens",
    "lineage",
    "hgnc gene group",
    "hgnc places this",
    "gene groups of hgnc",
    "ortholog",
    "hgnc:",
];

/// A text made comparable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// A number for the sequence of words: equal for one text, else different.
    pub(super) whole: u64,
    /// The shingles' numbers, ascending, each once.
    pub(super) shingles: Vec<u64>,
}

impl Content {
    /// The content of an answer about `subject` (empty where that is not known). `None` where too little is left.
    pub fn of(answer: &str, subject: &str) -> Option<Self> {
        let words = words(answer, subject);
        // Blanks are no words: a list of numbers is not a copy of another list of numbers.
        if words.iter().filter(|word| **word != BLANK).count() < FEWEST_WORDS {
            return None;
        }
        let whole = words.iter().fold(0, |state, &word| join(state, word));
        let run = |run: &[u64]| run.iter().fold(1, |state, &word| join(state, word));
        let mut shingles: Vec<u64> = words.windows(SHINGLE).map(run).collect();
        shingles.sort_unstable();
        shingles.dedup();
        Some(Self { whole, shingles })
    }

    /// |A ∩ B| / |A ∪ B| of the shingles.
    pub fn jaccard(&self, other: &Self) -> f64 {
        let (mut a, mut b) = (self.shingles.as_slice(), other.shingles.as_slice());
        let mut shared = 0;
        while let ([x, rest_a @ ..], [y, rest_b @ ..]) = (a, b) {
            shared += usize::from(x == y);
            (a, b) = (if x <= y { rest_a } else { a }, if y <= x { rest_b } else { b });
        }
        let all = self.shingles.len() + other.shingles.len() - shared;
        if all == 0 { 0.0 } else { shared as f64 / all as f64 }
    }
}

/// What stands for a name or a number.
const BLANK: u64 = 0;

/// The words as numbers; a run of blanks is one.
fn words(answer: &str, subject: &str) -> Vec<u64> {
    let mut words = Vec::new();
    let mut lower = String::new();
    for sentence in told(answer) {
        for word in sentence.split(|c: char| !c.is_alphanumeric() && c != '-').map(|w| w.trim_matches('-')) {
            if word.is_empty() {
                continue;
            }
            let number = if is_name(word) || (!subject.is_empty() && word.eq_ignore_ascii_case(subject)) {
                BLANK
            } else {
                lower.clear();
                lower.extend(word.chars().flat_map(char::to_lowercase));
                mix(1, &lower).max(1)
            };
            if number != BLANK || words.last() != Some(&BLANK) {
                words.push(number);
            }
        }
    }
    words
}

/// The sentences of an answer that say more than who the gene is.
pub(super) fn told(answer: &str) -> impl Iterator<Item = &str> {
    sentences(answer).filter(|sentence| {
        let lower = sentence.to_lowercase();
        !SAYS_WHO.iter().any(|phrase| lower.contains(phrase))
    })
}

/// Whether a word is a name or a number by its letters: `GLI1`, `p53`, `C1orf43`, `DNA`, `20-24`.
fn is_name(word: &str) -> bool {
    word.chars().enumerate().any(|(place, c)| c.is_numeric() || (place > 0 && c.is_uppercase()))
}

/// Sentences, roughly: a mark, a blank, and anything but a word in small letters ("microRNAs" begins a sentence). A wrong
/// cut costs nothing here.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.match_indices(['.', '!', '?']).map(|(at, _)| at + 1).find(|&end| {
            let after = &rest[end..];
            let next = after.split_whitespace().next().unwrap_or_default();
            after.starts_with(char::is_whitespace)
                && !next.chars().all(|c| c.is_lowercase() || !c.is_alphanumeric())
        });
        let (sentence, others) = rest.split_at(end.unwrap_or(rest.len()));
        rest = others;
        Some(sentence)
    })
}

fn join(state: u64, word: u64) -> u64 {
    let mixed = (state ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).rotate_left(17)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIR: &str = "microRNAs (miRNAs) are short (20-24 nt) non-coding RNAs that are involved in \
                       post-transcriptional regulation of gene expression. ";

    #[test]
    fn boilerplate_with_other_names_is_one_text() {
        let told = |symbol: &str, id: u32| {
            format!(
                "{symbol} is the official gene symbol for microRNA {id}, provided by HGNC. Its primary source is \
                 HGNC:{id}. It is a microRNA gene of Homo sapiens. {MIR}{symbol} is one of them, at {id} nt."
            )
        };
        let (one, two) = (told("MIR17", 17), told("MIR4521", 31_415));
        let one = Content::of(&one, "MIR17").unwrap();
        assert_eq!(one, Content::of(&two, "MIR4521").unwrap());
        assert_eq!(one.jaccard(&one), 1.0);
        let lower = Content::of(&format!("{MIR}It acts in the eye, as kit does."), "Kit");
        assert_eq!(lower, Content::of(&format!("{MIR}It acts in the eye, as MET does."), "MET"));
    }

    #[test]
    fn what_says_only_who_a_gene_is_has_no_content() {
        let bare =
            "MIR17 is the official gene symbol for microRNA 17, provided by HGNC. It is a microRNA gene.";
        assert_eq!(Content::of(bare, "MIR17"), None);
        assert_eq!(Content::of("", ""), None);
        assert_eq!(Content::of("1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 12", ""), None);
    }

    #[test]
    fn jaccard_by_hand() {
        // Ten words are six shingles; of another last word one shingle differs on each side: 5 of 7.
        let one = Content::of("a protein binds the promoter and turns on transcription there", "").unwrap();
        let two = Content::of("A protein binds the promoter and turns on transcription here.", "").unwrap();
        assert_eq!((one.shingles.len(), two.shingles.len()), (6, 6));
        assert_eq!(one.jaccard(&two), 5.0 / 7.0);
        assert_ne!(one.whole, two.whole);
    }
}
