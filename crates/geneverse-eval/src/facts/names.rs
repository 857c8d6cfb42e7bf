//! Who an answer says it is about, and the answer without that.

use std::sync::LazyLock;

use geneverse_data::gene::GeneRecord;
use memchr::memmem;

use crate::hash::Set;
use crate::identifier;
use crate::index::GeneIndex;
use crate::phrases::Phrases;
use crate::prose::{contains_word, find_word, sentences};

/// Sentences with one of these say who the gene is, not what it does. Lower-cased.
const BOILERPLATE: [&str; 15] = [
    "official symbol",
    "gene symbol",
    "full name",
    "primary source",
    "related identifiers",
    "see related",
    "refseq status",
    "also known as",
    "the organism is",
    "in homo sapiens",
    "of homo sapiens",
    "lineage",
    "ortholog",
    "provided by hgnc",
    "gene type is",
];

/// Stands where the gene's name stood: a stop word, with a capital, so that a sentence still begins there.
const GENE: &str = "It";

/// Whether a lower-cased sentence says who the gene is, not what it does.
pub(crate) fn is_boilerplate(lower: &str) -> bool {
    static PHRASES: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(BOILERPLATE));
    PHRASES.any(lower)
}

/// Whether an answer gives a symbol and the name of its gene.
pub(super) fn names_gene(answer: &str, gene: &GeneRecord, index: &GeneIndex) -> Result<String, String> {
    let own = |symbol: &&str| {
        // An alias that is another gene's symbol names that gene.
        *symbol == gene.symbol.as_str() || index.approved(symbol).is_none()
    };
    let symbol = gene.all_symbols().into_iter().filter(own).find(|symbol| contains_word(answer, symbol));
    let Some(symbol) = symbol else { return Err(format!("does not name {}", gene.symbol)) };
    if gene.name.trim().is_empty() {
        return Ok(format!("names {symbol}"));
    }
    let names = std::iter::once(&gene.name).chain(&gene.other_names);
    if names.into_iter().any(|name| has_name(answer, name)) {
        Ok(format!("names {symbol} and its full name"))
    } else {
        Err(format!("does not give the full name, {}", gene.name))
    }
}

/// Whether three quarters of a name's words stand in one sentence.
pub(crate) fn has_name(answer: &str, name: &str) -> bool {
    let wanted = name_words(name);
    if wanted.is_empty() {
        return false;
    }
    sentences(answer).into_iter().any(|range| {
        let words = name_words(&answer[range]);
        let found = wanted.iter().filter(|word| words.contains(*word)).count();
        found * 4 >= wanted.len() * 3
    })
}

/// The lower-cased words of a name.
pub(crate) fn name_words(text: &str) -> Set<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The answer without what says who the gene is: boilerplate sentences, identifiers, symbols and full names.
pub(crate) fn without_names(answer: &str, gene: &GeneRecord) -> String {
    let mut kept = String::with_capacity(answer.len());
    for range in sentences(answer) {
        let sentence = &answer[range];
        if !is_boilerplate(&sentence.to_lowercase()) {
            kept.push_str(sentence);
            kept.push(' ');
        }
    }
    for mention in identifier::find(&kept).into_iter().rev() {
        kept.replace_range(mention.span, " ");
    }
    // ASCII lower-casing keeps every byte in its place.
    let mut lower = kept.to_ascii_lowercase();
    for name in std::iter::once(&gene.name).chain(&gene.other_names) {
        let name = name.trim().to_ascii_lowercase();
        if name.len() < 3 {
            continue;
        }
        while let Some(at) = memmem::find(lower.as_bytes(), name.as_bytes()) {
            kept.replace_range(at..at + name.len(), GENE);
            lower.replace_range(at..at + name.len(), GENE);
        }
    }
    for symbol in gene.all_symbols() {
        let mut from = 0;
        while let Some(at) = find_word(&kept, symbol, from) {
            kept.replace_range(at..at + symbol.len(), GENE);
            from = at + GENE.len();
        }
    }
    kept
}
