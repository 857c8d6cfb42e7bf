//! Clauses, what they deny, and which way they turn things.

use super::*;

#[test]
fn a_sentence_is_cut_where_a_new_statement_begins() {
    let text = "It binds DNA (and RNA; both), and is found in the nucleus, whereas its paralog is cytosolic. It acts.";
    let found: Vec<&str> = clauses(text).into_iter().map(|range| &text[range]).collect();
    assert_eq!(
        found,
        [
            "It binds DNA (and RNA; both)",
            "and is found in the nucleus",
            "whereas its paralog is cytosolic.",
            "It acts."
        ]
    );
}

#[test]
fn every_separator_may_separate() {
    assert!(SEPARATORS.iter().all(|separator| may_separate(separator.as_bytes())));
    assert!(!may_separate(b", the") && !may_separate(b" "));
}

#[track_caller]
fn check(answer: &str, record: &str, contradicted: bool) {
    // Of a hundred documents one has these terms, so that each of them weighs what a rare one does.
    let others = (0..99).map(|n| format!("word{n}x"));
    let documents: Vec<String> = others.chain([format!("{answer} {record}")]).collect();
    let index = TermIndex::new(&documents);
    let record: Vec<Arc<Statement>> =
        statements(record, "summary", &index).into_iter().map(Arc::new).collect();
    let found =
        statements(answer, "answer", &index).iter().any(|s| s.contradicted(&record, &index).is_some());
    assert_eq!(found, contradicted, "{answer} / {record:?}");
}

#[test]
fn denials_and_turns_contradict() {
    let record = "This kinase activates the hedgehog pathway and is involved in DNA mismatch repair. It is inhibited \
                  by rapamycin treatment.";
    check("It activates the hedgehog pathway.", record, false);
    check("It inhibits the hedgehog pathway.", record, true);
    check("It does not activate the hedgehog pathway.", record, true);
    check("It is not involved in DNA mismatch repair.", record, true);
    check("It plays no role in mismatch repair.", record, true);
    check("It is activated by rapamycin treatment.", record, true);
    // The other way round is another statement.
    check("It is inhibited by the hedgehog pathway.", record, false);
    check("Its role in mismatch repair is not fully understood.", record, false);
    check("It is not only involved in mismatch repair.", record, false);
    check("It is not expressed in muscle fibres.", record, false);
}

#[test]
fn a_clause_that_differs_by_its_directions_alone_contradicts() {
    let record = "Its activation prevents apoptosis of motor neurons. It is linked to spastic paraplegia.";
    check("Its activation promotes apoptosis of motor neurons.", record, true);
    check("Its activation prevents apoptosis of motor neurons.", record, false);
    // Of other things.
    check("Its activation promotes growth of smooth muscle.", record, false);
    let both = format!("{record} Its activation promotes apoptosis of motor neurons.");
    check("Its activation promotes apoptosis of motor neurons.", &both, false);
}

#[test]
fn a_record_that_says_both_contradicts_neither() {
    let record =
        "Positive regulation of apoptotic process; negative regulation of apoptotic process in neurons.";
    check("It inhibits apoptosis.", record, false);
    check("It promotes apoptosis.", record, false);
    check(
        "It does not bind calcium ions.",
        "The protein does not bind calcium ions but binds zinc ions.",
        false,
    );
}
