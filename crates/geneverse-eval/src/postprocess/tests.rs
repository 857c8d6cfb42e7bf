//! Repairs case by case, and what must hold of any text: untouched without identifiers, the same when repaired twice.

use geneverse_data::answers::{self, Answer, Task};
use geneverse_data::gene::*;
use proptest::prelude::*;

use super::*;

fn record(symbol: &str, name: &str, ids: Option<(u32, u32, u64, u32, &str)>, aliases: &[&str]) -> GeneRecord {
    let mut gene = GeneRecord::new(GeneSymbol::parse(symbol).unwrap(), name, GeneKind::ProteinCoding);
    if let Some((hgnc, entrez, ensembl, omim, uniprot)) = ids {
        gene.hgnc_id = Some(HgncId(hgnc));
        gene.entrez_id = Some(EntrezId(entrez));
        gene.ensembl_id = Some(EnsemblId(ensembl));
        gene.omim_ids = vec![OmimId(omim)];
        gene.uniprot_ids = vec![UniprotAccession::parse(uniprot).unwrap()];
    }
    gene.aliases = aliases.iter().map(|a| (*a).to_owned()).collect();
    gene
}

fn index() -> GeneIndex {
    let mut orphan = record("MIR6721", "microRNA 6721", None, &[]);
    orphan.entrez_id = Some(EntrezId(102466190));
    let mut gli1 = record(
        "GLI1",
        "GLI family zinc finger 1",
        Some((4317, 2735, 111087, 165220, "P08151")),
        &["GLI", "PAPA8"],
    );
    gli1.orthologs = vec!["MGI:95727".to_owned()];
    [
        gli1,
        record("GLI2", "GLI family zinc finger 2", Some((4318, 2736, 74047, 165230, "P10070")), &["THP1"]),
        orphan,
    ]
    .into_iter()
    .collect()
}

#[track_caller]
fn check(subject: &str, before: &str, after: &str) -> Repaired {
    let index = index();
    let repaired = repair_subject(before, subject, &index);
    assert_eq!(repaired.text, after);
    assert_eq!(repair_subject(after, subject, &index).text, after, "repairing twice");
    assert_eq!(repaired.edits.is_empty(), before == after);
    repaired
}

const TRUE_GLI1: &str = "The official symbol of this gene is GLI1 and its official full name is GLI family zinc \
    finger 1 (provided by HGNC). The primary source is HGNC:4317, and related identifiers are \
    Ensembl:ENSG00000111087, MIM:165220, AllianceGenome:HGNC:4317, Entrez Gene:2735 and UniProt:P08151. It is a \
    protein-coding gene, and it is also known as GLI and PAPA8. It mediates hedgehog signaling.";

#[test]
fn the_true_answer_is_untouched() {
    let repaired = check("GLI1", TRUE_GLI1, TRUE_GLI1);
    assert_eq!(repaired.status, Status::Unchanged);
}

#[test]
fn wrong_identifiers_take_the_gene_s_own_in_the_style_written() {
    let wrong = TRUE_GLI1
        .replace("source is HGNC:4317", "source is HGNC:HGNC:43x")
        .replace("ENSG00000111087", "ENSG0000011")
        .replace("MIM:165220", "OMIM: 999999")
        .replace("AllianceGenome:HGNC:4317", "AllianceGenome:5")
        .replace("2735", "1")
        .replace("P08151", "Q9Y6K9");
    let right = TRUE_GLI1
        .replace("source is HGNC:4317", "source is HGNC:HGNC:4317")
        .replace("MIM:165220", "OMIM: 165220");
    let repaired = check("GLI1", &wrong, &right);
    assert_eq!(repaired.edits.len(), 6);
    assert_eq!(repaired.edits[0].what, "HGNC id");
    assert_eq!(repaired.edits[0].from, "HGNC:HGNC:43x");
    assert_eq!(repaired.edits[0].to, "HGNC:HGNC:4317");
}

#[test]
fn identifiers_that_the_gene_lacks_go_with_their_clause() {
    check(
        "MIR6721",
        "The primary source is HGNC:50033, and related identifiers are Ensembl:ENSG00000276311, MIM:1 and \
         Entrez Gene:5. It is a microRNA gene.",
        "Related identifiers are Entrez Gene:102466190. It is a microRNA gene.",
    );
    check(
        "MIR6721",
        "The gene type is microRNA, and related identifiers are HGNC:1, Ensembl:ENSG00000276311 and MIM:5.",
        "The gene type is microRNA.",
    );
    check("MIR6721", "MIR6721 (HGNC:50033) is a microRNA [MIM:5; HGNC:3].", "MIR6721 is a microRNA.");
    check(
        "MIR6721",
        "MIR6721 (a microRNA, HGNC:50033) acts. Its source is HGNC:7. It ends.",
        "MIR6721 (a microRNA) acts. It ends.",
    );
    check("MIR6721", "It acts. Its source is HGNC:7.", "It acts.");
    check("MIR6721", "HGNC:7", "");
    check(
        "GLI1",
        "Related identifiers are MIM:165220, MIM:165221, and MIM:1.",
        "Related identifiers are MIM:165220.",
    );
}

#[test]
fn orthologs_are_the_record_s_and_those_of_no_record_are_left() {
    let text = "It acts. Orthologs are found in the mouse (MGI:95727) and the rat (RGD:1307080).";
    // No gene of this database has a rat's.
    assert_eq!(check("GLI1", text, text).notes.len(), 1);
    check("GLI1", "It acts. Its ortholog is mouse MGI:1.", "It acts. Its ortholog is mouse MGI:95727.");
    check("MIR6721", "It acts. An ortholog is MGI:1.", "It acts.");
    check("MIR6721", "It acts (mouse ortholog MGI:1). It ends.", "It acts. It ends.");
}

#[test]
fn another_gene_s_identifier_stays_where_it_is_right() {
    let text = "GLI1 acts with its paralog GLI2 (HGNC:4318) and with GLI family zinc finger 2 (MIM:165230).";
    let repaired = check("GLI1", text, text);
    assert_eq!(repaired.notes.len(), 2);
    check(
        "GLI1",
        "GLI1 acts with its paralog GLI2 (HGNC:4317; OMIM 165220).",
        "GLI1 acts with its paralog GLI2 (HGNC:4318; OMIM 165230).",
    );
    // The same number with no other gene beside it is a mistake.
    check("GLI1", "The primary source is HGNC:4318.", "The primary source is HGNC:4317.");
    let disease = "It is mutated in Pallister-Hall syndrome (MIM 146510).";
    check("GLI1", disease, disease);
}

#[test]
fn alias_lists_are_put_right() {
    check("GLI1", "It is also known as ABC, ABC, ABC, ABC and ABC.", "It is also known as GLI and PAPA8.");
    check("GLI1", "It is also known as GLI, X1, X2, X3, X", "It is also known as GLI and PAPA8.");
    check(
        "GLI1",
        "GLI1, also known as GLI, FOO1, and BAR2, is a transcription factor.",
        "GLI1, also known as GLI and PAPA8, is a transcription factor.",
    );
    check("GLI1", "Its aliases include FOO1; BAR2. It acts.", "Its aliases include GLI and PAPA8. It acts.");
    check(
        "MIR6721",
        "It is located on chromosome 6, and it is also known as FOO, BAR and BAZ1. It acts.",
        "It is located on chromosome 6. It acts.",
    );
    check("MIR6721", "MIR6721 (also known as FOO) acts. Synonyms: FOO, BAR.", "MIR6721 acts.");
    check("GLI1", "It is also known as gli.", "It is also known as gli.");
}

#[test]
fn prose_that_only_sounds_like_an_alias_list_stays() {
    for text in [
        "The hedgehog pathway, also known as Hh signaling, acts here.",
        "It is also known as a key regulator of cell growth.",
        "The encoded protein is also called sonic mediator and it binds DNA.",
        "No identifiers here: HGNC approved it.",
    ] {
        check("GLI1", text, text);
    }
}

#[test]
fn an_unknown_gene_is_said_and_left() {
    let repaired = repair_subject("Its id is HGNC:1.", "NOPE1", &index());
    assert_eq!(repaired.text, "Its id is HGNC:1.");
    assert_eq!(repaired.status, Status::UnknownGene);
    assert_eq!(repaired.notes, ["NOPE1 is not in the database; the text is unchanged"]);
}

#[test]
fn a_file_is_repaired_with_its_edits_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("answers.jsonl");
    let out = folder.path().join("answers.clean.jsonl");
    let answer = |id: &str, subject: &str, text: &str| Answer {
        id: id.to_owned(),
        task: Task::Gene,
        subject: subject.to_owned(),
        cell_type: None,
        label: None,
        prompt: "p".to_owned(),
        image: None,
        answer: text.to_owned(),
        reference: "r".to_owned(),
        model: "m".to_owned(),
    };
    answers::write(
        &input,
        &[answer("a", "GLI1", "Its id is HGNC:1."), answer("b", "NOPE1", "Its id is HGNC:1.")],
    )
    .unwrap();
    let report = postprocess_file(&index(), &input, &out).unwrap();
    assert_eq!((report.answers, report.repaired, report.edits), (2, 1, 1));
    assert_eq!(report.unknown, ["NOPE1"]);
    let clean = answers::read(&out).unwrap();
    assert_eq!(clean[0].answer, "Its id is HGNC:4317.");
    assert_eq!(clean[1].answer, "Its id is HGNC:1.");
    let edits = std::fs::read_to_string(edits_path(&out)).unwrap();
    assert!(edits.lines().next().unwrap().contains(r#""from":"HGNC:1","to":"HGNC:4317""#), "{edits}");
    assert!(matches!(postprocess_file(&index(), &out, &out), Err(PostprocessError::SameFile(_))));
}

/// Pieces from which answers with identifiers, lists and prose are put together.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "HGNC:4317",
            "HGNC:HGNC:12",
            "AllianceGenome:HGNC:7",
            "Ensembl:ENSG00000111087",
            "ENSG0012",
            "MIM:165220",
            "OMIM: 5",
            "Entrez Gene:2735",
            "NCBI Gene ID 3",
            "UniProt:P08151",
            "UniProt:Q9Y6K9",
            "GLI1",
            "GLI2",
            "(",
            ")",
            "[",
            "]",
            ",",
            ";",
            ".",
            " and ",
            ", and ",
            "; ",
            ", ",
            ". ",
            " ",
            "\n",
            "It is also known as ",
            "aliases: ",
            "Synonyms include ",
            "GLI",
            "FOO1",
            "PAPA8",
            "The",
            "primary source is ",
            "related identifiers are ",
            "syndrome ",
            "which acts in the cell",
            "β",
            "é",
            ":",
            "HGNC:",
            "MIM",
            "Gene ID: ",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z0-9 ,.;:()é]{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn repair_is_idempotent(pieces in prop::collection::vec(piece(), 0..14), known in any::<bool>()) {
        let (text, subject) = (pieces.concat(), if known { "GLI1" } else { "MIR6721" });
        let index = index();
        let once = repair_subject(&text, subject, &index);
        let twice = repair_subject(&once.text, subject, &index);
        prop_assert_eq!(&once.text, &twice.text);
        prop_assert!(twice.edits.is_empty());
    }

    #[test]
    fn plain_text_comes_through_byte_for_byte(text in "[ -9;-~\\n\u{e9}\u{3b2}]{0,200}") {
        // Without a colon or a digit-bearing prefix word there is nothing to repair.
        let lower = text.to_lowercase();
        let bare = ["hgnc", "mim", "ensg", "entrez", "gene id", "ncbi", "geneid", "uniprot", "alliance", "ensembl",
            "known", "alias", "called", "synonym", "referred", "named", "names", "symbols"];
        prop_assume!(!bare.iter().any(|word| lower.contains(word)));
        let repaired = repair_subject(&text, "GLI1", &index());
        prop_assert_eq!(repaired.text, text);
    }
}
