//! Names given in many ways, and what they share with the true one.

use proptest::prelude::*;

use super::*;

const NAME: &str = "Transmembrane protein 115";

#[track_caller]
fn check(answer: &str, expected: f64) {
    let grade = grade_truth(answer, NAME);
    assert!((grade.score - expected).abs() < 1e-12, "{answer}: {} {:?}", grade.score, grade.reasons);
}

#[test]
fn truth_is_the_share_of_the_name_in_one_piece() {
    let whole = 25.0;
    check("The name of this protein is Transmembrane protein 115.", 1.0);
    check("The name of this protein is transmembrane  protein 115.", 1.0);
    check("This protein is called the transmembrane protein 115.", 1.0);
    check("Transmembrane protein 115", 1.0);
    check("Transmembrane protein 115 is the name of this protein.", 1.0);
    // "transmembrane protein 1" of 25 characters.
    check("The name of this protein is Transmembrane protein 132.", 23.0 / whole);
    // " protein ", with its blanks.
    check("The name of this protein is Zinc finger protein 226.", 9.0 / whole);
    // Words around the name are not the name: without them nothing but single letters is shared.
    check("The name of this protein is Keratin.", 2.0 / whole);
}

#[test]
fn no_name_and_several_names_get_nothing() {
    for answer in [
        "",
        " . ",
        "The name of this protein is unknown.",
        "The name of this transmembrane protein cannot be determined from the picture.",
        "The name of this protein is either Transmembrane protein 115 or Keratin 18.",
        "The name of this protein is Transmembrane protein 115 or Transmembrane protein 116.",
        "The name of this protein is 115.",
    ] {
        check(answer, 0.0);
    }
    // A name that holds the word is given whole.
    let or = "The name of this protein is Smoothened or frizzled homolog.";
    assert_eq!(grade_truth(or, "Smoothened or frizzled homolog").score, 1.0);
}

#[test]
fn reasons_say_what_was_compared() {
    let grade = grade_truth("The name of this protein is Transmembrane protein 132.", NAME);
    assert_eq!(
        grade.reasons,
        ["shares 23 of 25 characters in a row with the name Transmembrane protein 115"]
    );
}

#[track_caller]
fn faulty(answer: &str, fault: &str) {
    let grade = grade_form(answer);
    assert_eq!(grade.score, 0.0, "{answer}");
    assert!(grade.reasons.iter().any(|reason| reason.contains(fault)), "{:?} lacks {fault:?}", grade.reasons);
}

#[test]
fn one_sentence_that_names_a_protein() {
    for answer in [
        "The name of this protein is Transmembrane protein 115.",
        "This protein is EGF domain-specific O-linked N-acetylglucosamine transferase.",
        "This is Keratin, type I cytoskeletal 18.",
        "The protein shown in the image is Caspase-10.",
        "Caspase-10 is the name of this protein.",
        "The name of the protein is: Caspase-10.",
    ] {
        let grade = grade_form(answer);
        assert_eq!(grade.score, 1.0, "{answer} {:?}", grade.reasons);
    }
    faulty("", "empty");
    faulty("Caspase-10.", "does not say");
    faulty("The name of this protein is Caspase-10", "breaks off");
    faulty("The name of this protein is Caspase-10. It cleaves proteins.", "has 2 sentences");
    faulty("The name of this protein is unknown.", "names no protein");
    faulty("The name of this protein is either Caspase-10 or Keratin.", "the choice");
    faulty("- The name of this protein is Caspase-10.", "a list");
    faulty("I think this protein is Caspase-10.", "first person");
}

/// By trying every run of the shorter one.
fn by_trying(a: &[u8], b: &[u8]) -> usize {
    let runs = (0..a.len()).flat_map(|from| (from + 1..=a.len()).map(move |to| &a[from..to]));
    runs.filter(|run| b.windows(run.len()).any(|window| window == *run)).map(<[u8]>::len).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn the_longest_run_is_the_longest(a in "[ab]{0,12}", b in "[abc]{0,12}") {
        let found = longest_common_substring(a.as_bytes(), b.as_bytes());
        prop_assert_eq!(found, by_trying(a.as_bytes(), b.as_bytes()));
        prop_assert_eq!(found, longest_common_substring(b.as_bytes(), a.as_bytes()));
    }

    #[test]
    fn a_share_is_a_share(answer in ".{0,60}", name in ".{0,30}") {
        let share = overlap(&answer, &name);
        prop_assert!((0.0..=1.0).contains(&share));
        let _ = (grade_truth(&answer, &name), grade_form(&answer));
    }
}
