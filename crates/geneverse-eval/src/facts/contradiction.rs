//! What an answer says that its record denies: another kind of gene, another organism, another name.

use std::collections::HashSet;

use geneverse_data::gene::{GeneKind, GeneRecord};

use crate::prose::words;

/// Ways to say "this gene is a …". Lower-cased; the symbol is added.
const SUBJECTS: [&str; 7] = [
    "this is ",
    "this gene is ",
    "it is ",
    "the gene is ",
    "gene type is ",
    "this locus is ",
    "type of gene is ",
];

/// Words at which the predicate noun is over.
const PREDICATE_ENDS: [&str; 17] = [
    "that", "at", "which", "located", "on", "of", "and", "with", "in", "from", "whose", "encoding", "found",
    "for", "by", "related", "derived",
];

/// Predicate nouns, each with the kind that it claims.
const CLAIMS: [(&str, GeneKind); 17] = [
    ("protein-coding", GeneKind::ProteinCoding),
    ("protein coding", GeneKind::ProteinCoding),
    ("pseudogene", GeneKind::Pseudogene),
    ("pseudo", GeneKind::Pseudogene),
    ("microrna", GeneKind::MicroRna),
    ("mirna", GeneKind::MicroRna),
    ("long non-coding rna", GeneKind::LongNoncodingRna),
    ("long noncoding rna", GeneKind::LongNoncodingRna),
    ("lncrna", GeneKind::LongNoncodingRna),
    ("transfer rna", GeneKind::TransferRna),
    ("trna", GeneKind::TransferRna),
    ("small nucleolar rna", GeneKind::SmallNucleolarRna),
    ("snorna", GeneKind::SmallNucleolarRna),
    ("small nuclear rna", GeneKind::SmallNuclearRna),
    ("ribosomal rna", GeneKind::RibosomalRna),
    ("immunoglobulin gene segment", GeneKind::ImmunoglobulinSegment),
    ("t cell receptor gene segment", GeneKind::TcellReceptorSegment),
];

/// Phrases that claim a protein whatever their subject.
const PROTEIN_CLAIMS: [&str; 3] =
    ["protein encoded by this gene", "this gene encodes a protein", "the encoded protein"];

/// Every contradiction, in words.
pub(super) fn find(answer: &str, gene: &GeneRecord) -> Vec<String> {
    let lower = answer.to_lowercase();
    let mut found = Vec::new();
    let said = other_kind(&lower, gene);
    found.extend(said.map(|said| format!("says {said:?}, while the record says {}", gene.kind.noun())));
    found.extend(other_organism(&lower));
    found.extend(other_symbol(answer, &lower, gene));
    found.extend(other_name(&lower, gene));
    found
}

/// The words in which a lower-cased text makes the gene one of another kind.
pub(crate) fn other_kind(lower: &str, gene: &GeneRecord) -> Option<String> {
    let claims = claimed_kinds(lower, gene);
    claims.into_iter().find(|(_, kind)| !agrees(gene, *kind)).map(|(said, _)| said)
}

fn claimed_kinds(lower: &str, gene: &GeneRecord) -> Vec<(String, GeneKind)> {
    let symbol = format!("{} is ", gene.symbol.as_str().to_lowercase());
    let mut claims = Vec::new();
    for subject in SUBJECTS.into_iter().chain([symbol.as_str()]) {
        for (at, _) in lower.match_indices(subject) {
            let predicate = predicate(&lower[at + subject.len()..]);
            let noun = predicate.trim_end_matches(" gene").trim_end_matches(" locus");
            if noun.starts_with("not ") {
                continue;
            }
            // The longest noun wins: "immunoglobulin pseudogene" is a pseudogene.
            let claim = CLAIMS
                .iter()
                .filter(|(word, _)| ends_with_word(noun, word))
                .max_by_key(|(word, _)| word.len());
            claims.extend(claim.map(|(_, kind)| (format!("{}{predicate}", subject), *kind)));
        }
    }
    let protein = PROTEIN_CLAIMS.iter().find(|phrase| lower.contains(**phrase));
    claims.extend(protein.map(|phrase| ((*phrase).to_owned(), GeneKind::ProteinCoding)));
    claims
}

/// The noun phrase at the start of a text: up to a mark of punctuation or a word that ends it.
pub(crate) fn predicate(text: &str) -> String {
    let phrase = text.split(['.', ',', ';', '(', ':', '\n']).next().unwrap_or_default();
    let words = phrase.split_whitespace().take_while(|word| !PREDICATE_ENDS.contains(word));
    words.take(8).collect::<Vec<_>>().join(" ")
}

pub(crate) fn ends_with_word(text: &str, word: &str) -> bool {
    text.strip_suffix(word)
        .is_some_and(|rest| !rest.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '-'))
}

fn agrees(gene: &GeneRecord, claimed: GeneKind) -> bool {
    use GeneKind::*;
    let pseudogene = gene.locus_type.as_deref().is_some_and(|locus| locus.contains("pseudogene"));
    match (gene.kind, claimed) {
        (Other, _) => true,
        (kind, claimed) if kind == claimed => true,
        (ImmunoglobulinSegment | TcellReceptorSegment, ProteinCoding) => !pseudogene,
        (ImmunoglobulinSegment | TcellReceptorSegment, Pseudogene) => pseudogene,
        (OtherRna, LongNoncodingRna) | (LongNoncodingRna, OtherRna) => true,
        _ => false,
    }
}

pub(crate) fn other_organism(lower: &str) -> Option<String> {
    // "The nomenclature for this organism is independent of others" is another matter.
    let phrase = "the organism is ";
    let at = lower.find(phrase)? + phrase.len();
    let organism = predicate(&lower[at..]);
    let human = organism.contains("homo sapiens") || organism.contains("human");
    let other = !human && !organism.is_empty();
    other.then(|| format!("says that the organism is {organism}, while the record is human"))
}

pub(crate) fn other_symbol(answer: &str, lower: &str, gene: &GeneRecord) -> Option<String> {
    // Lower-casing moves the bytes of a few letters; the text is then read in lower case.
    let text = if lower.len() == answer.len() { answer } else { lower };
    let after = ["official symbol of this gene is ", "official symbol is ", "gene symbol is "];
    let after = after.iter().find_map(|phrase| lower.find(phrase).map(|at| &text[at + phrase.len()..]));
    let said = match after {
        Some(rest) => words(rest).first()?.1,
        None => {
            let at = lower
                .find(" is the official gene symbol")
                .or_else(|| lower.find(", with the official full name"))?;
            words(&text[..at]).last()?.1
        }
    };
    let own = gene.all_symbols().iter().any(|symbol| symbol.eq_ignore_ascii_case(said));
    (!own).then(|| format!("says that the official symbol is {said}, while it is {}", gene.symbol))
}

/// Ways to give the full name, each with what ends it.
const NAME_PHRASES: [(&str, &[&str]); 3] = [
    ("full name is ", &[", provided", " (", ". ", ";"]),
    ("official full name ", &[", is a", ", provided", " (", ". ", ";"]),
    ("official gene symbol for ", &[", provided", " (", ". ", ";"]),
];

fn other_name(lower: &str, gene: &GeneRecord) -> Option<String> {
    let (rest, ends) = NAME_PHRASES
        .iter()
        .find_map(|(phrase, ends)| Some((&lower[lower.find(phrase)? + phrase.len()..], ends)))?;
    let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    let said = rest[..end].trim().trim_end_matches('.');
    if gene.name.trim().is_empty() || said.is_empty() {
        return None;
    }
    let close = std::iter::once(&gene.name).chain(&gene.other_names).any(|name| {
        // A name with a bracket of its own is cut at the bracket above.
        name.to_lowercase().starts_with(said) || overlap(said, name) >= 0.5
    });
    (!close).then(|| format!("says that the full name is {said:?}, while it is {}", gene.name))
}

/// Shared words over all words (Jaccard).
fn overlap(a: &str, b: &str) -> f64 {
    let (a, b) = (super::name_words(a), super::name_words(b));
    let both: HashSet<_> = a.intersection(&b).collect();
    both.len() as f64 / a.union(&b).count().max(1) as f64
}
