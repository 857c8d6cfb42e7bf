//! What answers say, in many words.

use super::*;

const TYPE: &str = "STAB2+ Endothelial";

#[track_caller]
fn check(answer: &str, expected: Said) {
    assert_eq!(said(answer, "KDR", TYPE), expected, "{answer}");
}

#[test]
fn yes_in_many_words() {
    for answer in [
        "Yes, gene KDR is a marker gene of cell type STAB2+ Endothelial.",
        "Yes.",
        "yes",
        "KDR is a marker gene of STAB2+ endothelial cells.",
        "Gene KDR is indeed a well-known marker of STAB2-positive endothelial cells.",
        "Yes, it is.",
        "Yes, KDR marks STAB2+ Endothelial.",
        "KDR can be considered a marker gene for the cell type STAB2+ Endothelial.",
        "KDR is not only a marker of STAB2+ Endothelial but also of other vessels.",
        "There is no doubt that KDR is a marker gene of STAB2+ Endothelial.",
        "KDR is, without any doubt, a marker gene of STAB2+ Endothelial cells.",
        "In STAB2+ Endothelial, KDR serves as a marker gene.",
        "The marker gene of STAB2+ Endothelial is KDR.",
        "Is gene KDR a marker gene of cell type STAB2+ Endothelial? Yes, it is a marker gene.",
        "KDR is a marker gene of STAB2+ Endothelial, but it is not a marker gene of T cells.",
        "KDR is a marker of STAB2+ Endothelial, not of T cells.",
        "KDR is a marker gene of STAB2+ Endothelial, while CD3E is not a marker gene of it.",
        "It is not true that KDR is not a marker gene of STAB2+ Endothelial.",
        "KDR is a marker gene of this cell type.",
        "KDR is a marker gene of STAB2+ Endothelial, which may take part in angiogenesis.",
    ] {
        check(answer, Said::Yes);
    }
}

#[test]
fn no_in_many_words() {
    for answer in [
        "No, gene KDR is not a marker gene of cell type STAB2+ Endothelial.",
        "No.",
        "No, it is not.",
        "KDR is not a marker gene of STAB2+ Endothelial.",
        "KDR isn't a marker gene of STAB2+ endothelial cells.",
        "KDR cannot be considered a marker gene of STAB2+ Endothelial.",
        "KDR can't be considered a marker.",
        "KDR could not be considered a marker gene of STAB2+ Endothelial.",
        "KDR should not be regarded as a marker of the cell type STAB2+ Endothelial.",
        "KDR fails to serve as a marker gene of STAB2+ Endothelial.",
        "KDR does not mark STAB2+ Endothelial.",
        "There is no evidence that KDR is a marker gene of STAB2+ Endothelial.",
        "It is incorrect that KDR is a marker gene of STAB2+ Endothelial.",
        "Neither KDR nor CD3E is a marker gene of STAB2+ Endothelial.",
        "KDR is a non-marker gene of STAB2+ Endothelial.",
        "The marker gene of STAB2+ Endothelial is not KDR.",
        "KDR is a marker gene not of STAB2+ Endothelial but of T cells.",
        "No, KDR is a marker gene of T cells.",
        "KDR is not a marker gene of STAB2+ Endothelial, but it is a marker gene of T cells.",
        "KDR is never used as a marker of STAB2+ Endothelial.",
        "It is false that KDR is a marker of STAB2+ Endothelial.",
        "KDR lacks the specificity of a marker gene for STAB2+ Endothelial.",
    ] {
        check(answer, Said::No);
    }
}

#[test]
fn both_ways_hedges_and_nothing_are_no_answer() {
    for answer in [
        "Yes, KDR is not a marker gene of STAB2+ Endothelial.",
        "No, KDR is a marker gene of STAB2+ Endothelial.",
        "KDR is a marker gene of STAB2+ Endothelial. KDR is not a marker gene of STAB2+ Endothelial.",
        "KDR is and is not a marker gene of STAB2+ Endothelial.",
        "Yes and no.",
        "KDR is a marker gene, and it is not a marker gene, of STAB2+ Endothelial.",
    ] {
        check(answer, Said::Both);
    }
    for answer in [
        "KDR may be a marker gene of STAB2+ Endothelial.",
        "Yes, KDR might be a marker gene of STAB2+ Endothelial.",
        "KDR is possibly a marker gene of STAB2+ Endothelial.",
        "KDR could be a marker gene of STAB2+ Endothelial.",
        "KDR seems to be a marker gene of STAB2+ Endothelial.",
        "KDR is a potential marker of STAB2+ Endothelial.",
        "It is unclear whether KDR is a marker gene of STAB2+ Endothelial.",
        "It cannot be determined from the picture whether KDR is a marker gene.",
        "It depends on the tissue.",
        "KDR is either a marker gene of STAB2+ Endothelial or it is not.",
        "I am not sure.",
        "KDR is a marker gene of STAB2+ Endothelial, possibly.",
        "KDR may not be a marker gene of STAB2+ Endothelial.",
        "If expressed, KDR is a marker gene of STAB2+ Endothelial.",
    ] {
        check(answer, Said::Hedge);
    }
    for answer in [
        "",
        "KDR is expressed in the picture.",
        "Is gene KDR a marker gene of cell type STAB2+ Endothelial?",
        "KDR is a marker gene of T cells.",
        "CD3E is a marker gene of T cells.",
        "PECAM1 is a marker gene of STAB2+ Endothelial.",
        "The picture shows STAB2+ Endothelial.",
        "No gene was given.",
    ] {
        check(answer, Said::Nothing);
    }
}

#[test]
fn truth_is_the_annotation() {
    let yes = "Yes, gene KDR is a marker gene of cell type STAB2+ Endothelial.";
    assert_eq!(grade_truth(yes, "KDR", TYPE, true).score, 1.0);
    let wrong = grade_truth(yes, "KDR", TYPE, false);
    assert_eq!(wrong.score, 0.0);
    assert_eq!(
        wrong.reasons,
        ["says that KDR is a marker of STAB2+ Endothelial, and it is not annotated as one"]
    );
    for label in [true, false] {
        for answer in ["", "KDR may be a marker.", "Yes, KDR is not a marker."] {
            assert_eq!(grade_truth(answer, "KDR", TYPE, label).score, 0.0, "{answer}");
        }
    }
}

#[test]
fn labels_have_many_spellings() {
    for label in ["yes", "Yes.", "TRUE", "1", "marker", "positive"] {
        assert_eq!(parse_label(label), Some(true), "{label}");
    }
    for label in ["no", "No", "false", "0", "not_a_marker", "non-marker", "negative"] {
        assert_eq!(parse_label(label), Some(false), "{label}");
    }
    for label in ["", "perhaps", "KDR"] {
        assert_eq!(parse_label(label), None, "{label}");
    }
}

#[test]
fn cell_types_are_known_however_they_are_written() {
    for (written, cell_type, same) in [
        ("CD8+ T cells", "CD8+_T_Cells", true),
        ("CD8-positive T cells", "CD8+_T_Cells", true),
        ("cd8+ t-cells", "CD8+_T_Cells", true),
        ("CD4+ T cells", "CD8+_T_Cells", false),
        ("B cells", "B_Cells", true),
        ("the B cell", "B_Cells", true),
        ("macrophages 1", "Macrophages_1", true),
        ("macrophages 2", "Macrophages_1", false),
        ("Macrophages 2", "Macrophages", false),
        ("proliferating invasive tumor cells", "Invasive_Tumor", false),
        ("invasive tumor cells", "Invasive_Tumor", true),
        ("stromal and T cell hybrid", "Stromal_&_T_Cell_Hybrid", true),
        ("perivascular-like cells", "Perivascular-Like", true),
        ("Myoepi ACTA2+", "Myoepi_ACTA2+", true),
        ("mast cells", "Mast_Cells", true),
    ] {
        let answer = format!("KDR is not a marker gene of {written}.");
        let expected = if same { Said::No } else { Said::Nothing };
        assert_eq!(said(&answer, "KDR", cell_type), expected, "{answer} / {cell_type}");
    }
    // The gene within the type's name is no mention of the gene.
    let tokens = tokens("A marker of Myoepi ACTA2+ it is.", "ACTA2", "Myoepi_ACTA2+");
    assert!(!tokens.iter().any(|token| token.is(GENE)));
}

#[track_caller]
fn faulty(answer: &str, fault: &str) {
    let grade = grade_form(answer, "KDR", TYPE);
    assert_eq!(grade.score, 0.0, "{answer}");
    assert!(grade.reasons.iter().any(|reason| reason.contains(fault)), "{:?} lacks {fault:?}", grade.reasons);
}

#[test]
fn one_sentence_of_the_asked_form() {
    for answer in [
        "Yes, gene KDR is a marker gene of cell type STAB2+ Endothelial.",
        "KDR is not a marker gene of STAB2+ endothelial cells.",
        "No, KDR is not a marker gene of the cell type STAB2+ Endothelial, as its expression is low.",
    ] {
        let grade = grade_form(answer, "KDR", TYPE);
        assert_eq!(grade.score, 1.0, "{:?}", grade.reasons);
    }
    faulty("", "empty");
    faulty("Yes.", "does not name the gene KDR");
    faulty("Yes, KDR is a marker gene.", "does not name the cell type");
    faulty("Yes. KDR is a marker gene of STAB2+ Endothelial.", "has 2 sentences");
    faulty("Yes, KDR is a marker gene of STAB2+ Endothelial", "breaks off");
    faulty("KDR is expressed in STAB2+ Endothelial.", "does not state");
    faulty("KDR may be a marker gene of STAB2+ Endothelial.", "does not state");
    faulty("- KDR is a marker gene of STAB2+ Endothelial.", "a list");
    faulty("Sure, KDR is a marker gene of STAB2+ Endothelial.", "speaks to the reader");
    faulty("I think KDR is a marker gene of STAB2+ Endothelial.", "first person");
}
