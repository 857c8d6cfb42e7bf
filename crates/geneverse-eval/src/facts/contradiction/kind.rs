//! What a text says that a gene is or makes, against its kind.

use std::sync::LazyLock;

use geneverse_data::gene::{GeneKind, GeneRecord};

use super::{ends_with_word, is_subject, predicate};
use crate::phrases::Phrases;
use crate::prose::sentences;

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

/// Predicate nouns, each with the kind that it claims.
const CLAIMS: [(&str, GeneKind); 23] = [
    ("protein-coding", GeneKind::ProteinCoding),
    ("protein coding", GeneKind::ProteinCoding),
    ("pseudogene", GeneKind::Pseudogene),
    ("pseudo", GeneKind::Pseudogene),
    ("microrna", GeneKind::MicroRna),
    ("mirna", GeneKind::MicroRna),
    ("long non-coding rna", GeneKind::LongNoncodingRna),
    ("long noncoding rna", GeneKind::LongNoncodingRna),
    ("lncrna", GeneKind::LongNoncodingRna),
    ("lincrna", GeneKind::LongNoncodingRna),
    ("antisense rna", GeneKind::LongNoncodingRna),
    ("transfer rna", GeneKind::TransferRna),
    ("trna", GeneKind::TransferRna),
    ("small nucleolar rna", GeneKind::SmallNucleolarRna),
    ("snorna", GeneKind::SmallNucleolarRna),
    ("small nuclear rna", GeneKind::SmallNuclearRna),
    ("snrna", GeneKind::SmallNuclearRna),
    ("ribosomal rna", GeneKind::RibosomalRna),
    ("rrna", GeneKind::RibosomalRna),
    ("immunoglobulin gene segment", GeneKind::ImmunoglobulinSegment),
    ("immunoglobulin segment", GeneKind::ImmunoglobulinSegment),
    ("t cell receptor gene segment", GeneKind::TcellReceptorSegment),
    ("t cell receptor segment", GeneKind::TcellReceptorSegment),
];

/// Phrases that claim a protein whatever their subject.
const PROTEIN_CLAIMS: [&str; 3] =
    ["protein encoded by this gene", "this gene encodes a protein", "the encoded protein"];

/// Ways to say what a gene is or makes; its subject stands before.
const SAYING: [&str; 17] = [
    " is a ",
    " is an ",
    " is the ",
    " is classified as a ",
    " is considered a ",
    " is annotated as a ",
    " is categorized as a ",
    " represents a ",
    " represents an ",
    " encodes a ",
    " encodes an ",
    " produces a ",
    " produces an ",
    " gives rise to a ",
    " gives rise to an ",
    " is transcribed into a ",
    " codes for a ",
];

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

/// What a gene without a protein does not make.
const PROTEINS: [&str; 11] = [
    "protein",
    "enzyme",
    "kinase",
    "receptor",
    "transporter",
    "transcription factor",
    "polypeptide",
    "peptide",
    "hormone",
    "protease",
    "phosphatase",
];

/// Phrases that deny a protein whatever stands before them.
const DENIALS: [&str; 8] = [
    "does not encode a protein",
    "does not encode any protein",
    "does not code for a protein",
    "does not code for any protein",
    "is not a protein-coding gene",
    "is not protein-coding",
    "is not translated into",
    "has no protein product",
];

/// The words in which a text makes the gene another kind of gene. Words that the gene's own summary has are no
/// contradiction of the record: a few genes are called both.
pub(crate) fn other_kind(text: &str, gene: &GeneRecord) -> Option<String> {
    let found = said(text, gene)?;
    let in_record = gene.summary.as_ref().is_some_and(|summary| said(&summary.text, gene).is_some());
    (!in_record).then(|| format!("says {:?}, while the record says {}", found.trim(), gene.kind.noun()))
}

fn said(text: &str, gene: &GeneRecord) -> Option<String> {
    let lower = text.to_lowercase();
    let claims = claimed(&lower, gene);
    let other = claims.into_iter().find(|(_, kind)| !agrees(gene, *kind)).map(|(said, _)| said);
    other.or_else(|| denied(&lower, gene)).or_else(|| made(text, gene))
}

/// The kinds that a lower-cased text claims for the gene, each with its words.
pub(crate) fn claimed(lower: &str, gene: &GeneRecord) -> Vec<(String, GeneKind)> {
    let symbol = format!("{} is ", gene.symbol.as_str().to_lowercase());
    let mut claims = Vec::new();
    static SUBJECT: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(SUBJECTS));
    let held = SUBJECT.held(lower);
    let subjects = SUBJECTS.into_iter().enumerate().filter(|(place, _)| held.has(*place));
    for subject in subjects.map(|(_, subject)| subject).chain([symbol.as_str()]) {
        for (at, _) in lower.match_indices(subject) {
            let predicate = predicate(&lower[at + subject.len()..]);
            if !predicate.starts_with("not ") {
                let kind = kind_of(&predicate);
                claims.extend(kind.map(|kind| (format!("{subject}{predicate}"), kind)));
            }
        }
    }
    static PROTEIN: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(PROTEIN_CLAIMS));
    let protein = PROTEIN.held(lower).first();
    claims.extend(protein.map(|first| (PROTEIN_CLAIMS[first].to_owned(), GeneKind::ProteinCoding)));
    claims
}

/// The kinds that a lower-cased sentence gives the gene as what it is, each with its words.
pub(crate) fn said_in(sentence: &str, gene: &GeneRecord) -> Vec<(String, GeneKind)> {
    let mut found = Vec::new();
    for saying in sayings(sentence) {
        for (at, _) in sentence.match_indices(saying) {
            let predicate = predicate(&sentence[at + saying.len()..]);
            let kind = kind_of(&predicate).filter(|_| is_subject(&sentence[..at], gene));
            found.extend(kind.map(|kind| (format!("{}{predicate}", saying.trim_start()), kind)));
        }
    }
    found
}

/// Those of [`SAYING`] that a sentence holds, in their order.
fn sayings(sentence: &str) -> impl Iterator<Item = &'static str> {
    static PHRASES: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(SAYING));
    let held = PHRASES.held(sentence);
    SAYING.into_iter().enumerate().filter(move |(place, _)| held.has(*place)).map(|(_, saying)| saying)
}

/// The kind that a noun phrase means. The longest noun wins: an "immunoglobulin pseudogene" is a pseudogene.
pub(crate) fn kind_of(phrase: &str) -> Option<GeneKind> {
    let noun = phrase.trim_end_matches(" gene").trim_end_matches(" locus");
    let claim =
        CLAIMS.iter().filter(|(word, _)| ends_with_word(noun, word)).max_by_key(|(word, _)| word.len());
    claim.map(|(_, kind)| *kind)
}

/// Whether a gene may be called one of a kind.
pub(crate) fn agrees(gene: &GeneRecord, claimed: GeneKind) -> bool {
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

fn denied(lower: &str, gene: &GeneRecord) -> Option<String> {
    let coding = gene.kind == GeneKind::ProteinCoding;
    static PHRASES: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(DENIALS));
    let first = coding.then(|| PHRASES.held(lower).first())??;
    Some(DENIALS[first].to_owned())
}

/// What a text says that the gene is or makes, where that is of another kind.
fn made(text: &str, gene: &GeneRecord) -> Option<String> {
    use GeneKind::*;
    let foreign: &[&str] = match gene.kind {
        ProteinCoding => &NOT_PROTEIN,
        Other | OtherRna | ImmunoglobulinSegment | TcellReceptorSegment => return None,
        _ => &PROTEINS,
    };
    // Sentences are told apart by their capitals.
    sentences(text).into_iter().find_map(|range| {
        let sentence = text[range].to_lowercase();
        let sentence = sentence.as_str();
        sayings(sentence).find_map(|saying| {
            sentence.match_indices(saying).find_map(|(at, _)| {
                let predicate = predicate(&sentence[at + saying.len()..]);
                let noun = predicate.trim_end_matches(" gene").trim_end_matches(" locus");
                let claims = |word: &&str| ends_with_word(noun, word) || ends_with_word(&predicate, word);
                let claimed = foreign.iter().any(claims);
                // "Ribosomal protein L37 pseudogene" ends in neither; a pseudogene may be "of a protein".
                (claimed && is_subject(&sentence[..at], gene))
                    .then(|| format!("{}{predicate}", saying.trim_start()))
            })
        })
    })
}
