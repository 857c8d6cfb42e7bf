//! Answers that are true, and every way in which one is not.

use geneverse_data::gene::{GeneSymbol, Summary};

use super::*;

fn gene(symbol: &str, name: &str, kind: GeneKind, groups: &[&str], summary: &str) -> GeneRecord {
    let mut gene = GeneRecord::new(GeneSymbol::parse(symbol).unwrap(), name, kind);
    gene.groups = groups.iter().map(|g| (*g).to_owned()).collect();
    gene.summary =
        (!summary.is_empty()).then(|| Summary { text: summary.to_owned(), source: "test".to_owned() });
    gene
}

fn grader() -> GeneGrader {
    GeneGrader::new(
        [
            gene(
                "GLI1",
                "GLI family zinc finger 1",
                GeneKind::ProteinCoding,
                &["GLI family zinc fingers"],
                "A zinc finger transcription factor activated by the sonic hedgehog cascade that regulates stem \
                 cell proliferation and embryonic patterning.",
            ),
            gene(
                "FGF7",
                "fibroblast growth factor 7",
                GeneKind::ProteinCoding,
                &["Fibroblast growth factors"],
                "A potent mitogen for epithelial cells and keratinocytes that acts in morphogenesis, wound \
                 reepithelialization, hair development and lung organogenesis.",
            ),
            gene("RPL37P24", "ribosomal protein L37 pseudogene 24", GeneKind::Pseudogene, &[], ""),
        ]
        .into_iter()
        .collect(),
    )
}

#[track_caller]
fn check(symbol: &str, answer: &str, score: f64, reason: &str) {
    let grader = grader();
    let gene = grader.index().resolve(symbol).gene().unwrap();
    let grade = grader.grade(answer, gene);
    assert_eq!(grade.score, score, "{:?}", grade.reasons);
    assert!(grade.reasons.iter().any(|r| r.contains(reason)), "{:?} lacks {reason:?}", grade.reasons);
}

const GLI1: &str = "The official symbol of this gene is GLI1 and its official full name is GLI family zinc finger 1. \
    It is a protein-coding gene. Sonic hedgehog signaling activates this transcriptional regulator of stem cells.";

#[test]
fn a_true_description_passes() {
    check("GLI1", GLI1, 1.0, "names GLI1 and its full name");
    check("GLI1", GLI1, 1.0, "hedgehog");
}

#[test]
fn another_gene_s_description_under_this_name_fails() {
    let swapped = "The official symbol of this gene is GLI1 and its official full name is GLI family zinc finger 1. \
        It is a mitogen for epithelial cells that acts in wound reepithelialization and hair development.";
    check("GLI1", swapped, 0.0, "fits another gene better than GLI1");
}

#[test]
fn names_have_to_be_given_and_right() {
    check("GLI1", "It is activated by sonic hedgehog and regulates stem cells.", 0.0, "does not name GLI1");
    check("GLI1", "GLI1 is activated by sonic hedgehog and regulates stem cells.", 0.0, "full name");
    check("GLI1", &GLI1.replace("gene is GLI1", "gene is GLI9 (or GLI1)"), 0.0, "official symbol is GLI9");
    check("GLI1", "", 0.0, "is empty");
}

#[test]
fn contradictions_fail() {
    check(
        "GLI1",
        &GLI1.replace("a protein-coding gene", "a processed pseudogene"),
        0.0,
        "while the record says",
    );
    check("GLI1", &format!("{GLI1} The organism is Mus musculus."), 0.0, "organism is mus musculus");
    let aside = format!("{GLI1} There is a pseudogene of this gene on chromosome 2.");
    check("GLI1", &aside, 1.0, "names GLI1");
}

#[test]
fn a_gene_of_unknown_function_is_known_by_its_kind() {
    let right =
        "RPL37P24, ribosomal protein L37 pseudogene 24, is a processed pseudogene without a known product.";
    check("RPL37P24", right, 1.0, "what kind of gene");
    check(
        "RPL37P24",
        "RPL37P24 (ribosomal protein L37 pseudogene 24). The protein encoded by this gene acts.",
        0.0,
        "record says pseudogene",
    );
    let foreign = "RPL37P24 (ribosomal protein L37 pseudogene 24) is a potent mitogen for epithelial cells and \
        keratinocytes that acts in wound reepithelialization, hair development and lung organogenesis.";
    check("RPL37P24", foreign, 0.0, "describes FGF7");
}
