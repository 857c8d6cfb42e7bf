//! What a text says that a gene makes, against what it does.

use geneverse_data::gene::{GeneKind, GeneRecord};

use crate::facts::contradiction;
use crate::prose::sentences;

/// Ways to say what a gene is or makes; its subject stands before.
const SAYING: [&str; 14] = [
    " is a ",
    " is an ",
    " is the ",
    " is classified as a ",
    " is considered a ",
    " is annotated as a ",
    " represents a ",
    " represents an ",
    " encodes a ",
    " encodes an ",
    " produces a ",
    " produces an ",
    " gives rise to a ",
    " gives rise to an ",
];

/// Subjects that are this gene, apart from its symbols. Lower-cased.
const SUBJECTS: [&str; 6] = ["it", "gene", "locus", "this", "which", "transcript"];

/// What a protein-coding gene neither is nor makes.
const NOT_PROTEIN: [&str; 20] = [
    "pseudogene",
    "microrna",
    "mirna",
    "non-coding rna",
    "noncoding rna",
    "non-protein-coding rna",
    "non-protein coding rna",
    "non-coding gene",
    "noncoding gene",
    "lncrna",
    "lincrna",
    "antisense rna",
    "ribosomal rna",
    "rrna",
    "transfer rna",
    "trna",
    "small nucleolar rna",
    "snorna",
    "small nuclear rna",
    "snrna",
];

/// Phrases that deny a protein whatever stands before them.
const DENIALS: [&str; 5] = [
    "does not encode a protein",
    "does not encode any protein",
    "does not code for a protein",
    "is not translated into",
    "has no protein product",
];

/// The words in which a text makes the gene another kind of gene. Words that the gene's own summary has are no
/// contradiction of the record: a few genes are called both.
pub(super) fn other_kind(text: &str, gene: &GeneRecord) -> Option<String> {
    let lower = text.to_lowercase();
    let found = contradiction::other_kind(&lower, gene).or_else(|| denied_protein(&lower, gene))?;
    let own = gene.summary.as_ref().map(|summary| summary.text.to_lowercase()).unwrap_or_default();
    let in_record = contradiction::other_kind(&own, gene).or_else(|| denied_protein(&own, gene)).is_some();
    (!in_record).then(|| format!("says {found:?}, while the record says {}", gene.kind.noun()))
}

fn denied_protein(lower: &str, gene: &GeneRecord) -> Option<String> {
    if gene.kind != GeneKind::ProteinCoding {
        return None;
    }
    if let Some(phrase) = DENIALS.into_iter().find(|phrase| lower.contains(phrase)) {
        return Some(phrase.to_owned());
    }
    let symbols: Vec<String> = gene.all_symbols().iter().map(|symbol| symbol.to_lowercase()).collect();
    let is_subject = |before: &str| {
        // "GLI1 (also known as GLI) is a …".
        let before = match before.trim_end().strip_suffix(')').and_then(|inside| inside.rfind('(')) {
            Some(open) => &before[..open],
            None => before,
        };
        let before = before.trim_end();
        let ends_with = |word: &str| {
            before.strip_suffix(word).is_some_and(|rest| {
                !rest.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '-')
            })
        };
        SUBJECTS.iter().any(|word| ends_with(word))
            || symbols.iter().any(|symbol| ends_with(symbol))
            || ends_with(&gene.name.to_lowercase())
    };
    sentences(lower).into_iter().find_map(|range| {
        let sentence = &lower[range];
        SAYING.iter().find_map(|saying| {
            sentence.match_indices(saying).find_map(|(at, _)| {
                let predicate = contradiction::predicate(&sentence[at + saying.len()..]);
                let noun = predicate.trim_end_matches(" gene").trim_end_matches(" locus");
                let claims = |word: &str| {
                    contradiction::ends_with_word(noun, word)
                        || contradiction::ends_with_word(&predicate, word)
                };
                let claimed = NOT_PROTEIN.iter().any(|word| claims(word));
                (claimed && is_subject(&sentence[..at]))
                    .then(|| format!("{}{predicate}", saying.trim_start()))
            })
        })
    })
}
