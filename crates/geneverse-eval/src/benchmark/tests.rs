//! The published scoring to the letter, and what a database answers.

use geneverse_data::gene::{EnsemblId, GeneKind, GeneRecord, GeneSymbol, Summary};

use super::grounded::Knowledge;
use super::*;

fn question(module: &str, wanted: &str) -> Question {
    Question {
        id: "1".to_owned(),
        module: module.to_owned(),
        question: "?".to_owned(),
        wanted: Wanted::One(wanted.to_owned()),
    }
}

/// What GeneGPT's evaluate.py gives for the same answers, run by hand.
#[test]
fn scores_are_the_published_programs() {
    let check = |module: &str, wanted: &str, answer: &str, expected: f64| {
        assert_eq!(score(&question(module, wanted), answer).score, expected, "{module}: {answer:?}");
    };
    check("Gene alias", "PSMB10", " Answer: PSMB10\n", 1.0);
    check("Gene alias", "PSMB10", "PSMB10.", 0.0);
    check("Gene alias", "PSMB10", "psmb10", 0.0);
    check("Gene location", "chr8", "It is on chromosome 8", 1.0);
    check("Gene location", "chr8", "Answer: chr8", 1.0);
    check("Gene location", "chr8", "8.", 0.0);
    check("Gene location", "chr8", "", 0.0);
    check("SNP location", "chrX", "X", 1.0);
    check("Protein-coding genes", "TRUE", "Yes", 1.0);
    check("Protein-coding genes", "NA", "Answer: No", 1.0);
    check("Protein-coding genes", "TRUE", "yes", 0.0);
    check("Multi-species DNA aligment", "worm", "Caenorhabditis elegans", 1.0);
    check("Multi-species DNA aligment", "worm", "worm", 1.0);
    check("Human genome DNA aligment", "chr15:91950805-91950932", "chr15:91950805-91950932", 1.0);
    check("Human genome DNA aligment", "chr15:91950805-91950932", "chr15:1-2", 0.5);
    check("Human genome DNA aligment", "chr15:91950805-91950932", "chr1:91950805-91950932", 0.0);
    check("Gene disease association", "SLC4A1, ATP6V0A4", "Answer: ATP6V0A4, FOXI1", 0.5);
    check("Gene disease association", "PFKL", "PFKL and more", 0.0);
    check("Gene SNP association", "LINC01270", "LINC01270", 1.0);
    let list = Wanted::Several(vec!["17q21.31".to_owned(), "7q34".to_owned()]);
    let places = Question { wanted: list, ..question("Disease gene location", "") };
    assert_eq!(score(&places, "7q34, 1p1").score, 0.5);
}

#[test]
fn a_right_word_in_a_sentence_is_told_beside_the_score() {
    let scored = score(&question("Gene alias", "KDR"), "The symbol is KDR.");
    assert_eq!((scored.score, scored.contained), (0.0, 1.0));
    assert_eq!(score(&question("Gene alias", "KDR"), "KDR2 or AKDR").contained, 0.0);
    assert_eq!(score(&question("Gene alias", "é"), "é").contained, 1.0);
}

fn knowledge() -> Knowledge {
    let gene = |symbol: &str, kind| GeneRecord::new(GeneSymbol::parse(symbol).unwrap(), "a name", kind);
    let mut kdr = gene("KDR", GeneKind::ProteinCoding);
    kdr.aliases = vec!["VEGFR2".to_owned(), "OLD".to_owned()];
    kdr.location = Some("4q12".to_owned());
    kdr.ensembl_id = EnsemblId::parse("ENSG00000128052").ok();
    let mut other = gene("SLC4A1", GeneKind::Pseudogene);
    other.previous_symbols = vec!["OLD".to_owned()];
    other.location = Some("17q21.31".to_owned());
    other.summary = Some(Summary {
        text: "Variants result in distal renal tubular acidosis.".to_owned(),
        source: "test".to_owned(),
    });
    Knowledge::new([kdr, other].into_iter().collect())
}

#[test]
fn a_database_answers_what_is_in_it_and_says_what_is_not() {
    let knowledge = knowledge();
    let answer = |question: &str| knowledge.answer(question).unwrap();
    assert_eq!(answer("What is the official gene symbol of VEGFR2?"), Ok("KDR".to_owned()));
    assert_eq!(
        answer("What is the official gene symbol of OLD?"),
        Ok("SLC4A1".to_owned()),
        "once its symbol"
    );
    assert_eq!(answer("Convert ENSG00000128052 to official gene symbol."), Ok("KDR".to_owned()));
    assert_eq!(answer("Which chromosome is KDR gene located on human genome?"), Ok("chr4".to_owned()));
    assert_eq!(answer("Is KDR a protein-coding gene?"), Ok("TRUE".to_owned()));
    assert_eq!(answer("Is SLC4A1 a protein-coding gene?"), Ok("NA".to_owned()));
    assert_eq!(answer("What are genes related to Distal renal tubular acidosis?"), Ok("SLC4A1".to_owned()));
    let places = "List chromosome locations of the genes related to Distal renal tubular acidosis. Let's decompose the \
                  question to sub-questions and solve them step by step.";
    assert_eq!(answer(places), Ok("17q21.31".to_owned()));
    assert_eq!(
        answer("What is the official gene symbol of NOPE?").unwrap_err(),
        "the database has no such gene"
    );
    let error = answer("Which gene is SNP rs1 associated with?").unwrap_err();
    assert_eq!(error, "impossible offline: variants are in dbSNP, not in a gene database");
    assert!(answer("Align the DNA sequence to the human genome:ACGT").unwrap_err().contains("no genomes"));
    assert_eq!(knowledge.answer("Please summarize the major function of gene: KDR."), None);
}

#[test]
fn modules_count_what_got_no_answer_as_nothing() {
    let questions =
        [question("Gene alias", "A1"), question("Gene alias", "B2"), question("SNP location", "chr1")];
    let answered = scores("m", &questions, |question| match question.wanted.words().as_str() {
        "A1" => Ok("A1".to_owned()),
        _ => Err("not known".to_owned()),
    });
    let modules: Vec<_> = answered.modules.iter().map(|m| (m.module.as_str(), m.answered, m.score)).collect();
    assert_eq!(modules, [("Gene alias", 1, 0.5), ("SNP location", 0, 0.0)]);
    assert_eq!((answered.published, answered.attempted), (Some(0.25), Some(0.5)));
    assert_eq!(answered.modules[1].failures["not known"], 1);
}

#[test]
fn files_of_another_form_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.json");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        super::read(&path)
    };
    let questions = read(r#"{"B m": {"q1": "x", "q2": ["y", "z"]}, "A": {"q3": "w"}}"#).unwrap();
    let ids: Vec<&str> = questions.iter().map(|q| q.id.as_str()).collect();
    assert_eq!(ids, ["B-m-1", "B-m-2", "A-1"]);
    assert_eq!(questions[1].wanted.words(), "y, z");
    let error = |text: &str| read(text).unwrap_err().to_string();
    assert!(error("{}").ends_with("found no question, expected modules of questions and answers"));
    assert!(error(r#"{"A": 3}"#).ends_with("\"A\" is no object, expected questions with their answers"));
    assert!(
        error(r#"{"A": {"q": 3}}"#).ends_with("the answer to \"q\" is neither a text nor a list of texts")
    );
}
