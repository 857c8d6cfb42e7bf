//! A record in lines, in the words in which the paragraph says them.
//!
//! A model copies tokens, not facts: a name in brackets and the same name behind a blank begin with different tokens, and so do
//! `Entrez 2735` and `Entrez Gene:2735`. So a value stands here as it stands in a sentence: behind a blank, lists with "and",
//! identifiers with their authority.

use super::words::{and_list, clause, listing, lower_start};
use super::{Teller, kind, told_aliases};
use crate::gene::{GeneRecord, GoAspect};

/// The record, a line for each thing that is known.
pub fn lines(record: &GeneRecord) -> String {
    let teller = Teller::new(record, 0);
    let mut told = vec![format!("Gene: {}", record.symbol)];
    let mut line = |what: &str, value: Option<String>| {
        told.extend(value.map(|value| format!("{what}: {value}")));
    };
    line("Full name", clause(&record.name));
    line("Kind", Some(format!("{}{}", kind::noun(record), teller.place)));
    line("Also known as", and_list(&told_aliases(record)));
    line("Identifiers", and_list(&teller.related()));
    line("RefSeq status", record.refseq_status.as_deref().and_then(clause));
    line("Groups", listing(&teller.told_groups()));
    line("Function", teller.summary());
    for (what, aspect) in [
        ("Processes", GoAspect::BiologicalProcess),
        ("Activities", GoAspect::MolecularFunction),
        ("Places in the cell", GoAspect::CellularComponent),
    ] {
        line(what, listing(&teller.terms(aspect)));
    }
    line("Pathways", listing(&teller.told_pathways()));
    line("Expression", record.expression.as_deref().and_then(clause).map(|text| lower_start(&text)));
    line("Orthologs", and_list(&teller.told_orthologs()));
    told.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentences::sentences;

    fn gli1() -> GeneRecord {
        serde_json::from_str(
            r#"{"symbol":"GLI1","name":"GLI family zinc finger 1","kind":"protein_coding","location":"12q13.3",
            "hgnc_id":"HGNC:4317","entrez_id":"2735","ensembl_id":"ENSG00000111087","omim_ids":["165220"],
            "uniprot_ids":["P08151"],"aliases":["GLI","PPD1"],"groups":["Zinc fingers C2H2-type"],
            "go_terms":[{"id":"GO:0007224","name":"smoothened signaling pathway","aspect":"biological_process"}],
            "pathways":["Hedgehog signaling","cell cycle"],"expression":"Broad expression in testis",
            "orthologs":["MGI:95727","RGD:1307080"],
            "summary":{"text":"A zinc finger protein of the Hedgehog pathway.","source":"test"}}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_record_is_a_line_for_each_thing_that_is_known() {
        let told = "Gene: GLI1\nFull name: GLI family zinc finger 1\nKind: protein-coding gene at 12q13.3\n\
            Also known as: GLI and PPD1\nIdentifiers: Ensembl:ENSG00000111087, MIM:165220, AllianceGenome:HGNC:4317, \
            Entrez Gene:2735 and UniProt:P08151\nGroups: Zinc fingers C2H2-type\n\
            Function: A zinc finger protein of the Hedgehog pathway.\nProcesses: smoothened signaling pathway\n\
            Pathways: Hedgehog signaling and cell cycle\nExpression: broad expression in testis\n\
            Orthologs: mouse MGI:95727 and rat RGD:1307080";
        assert_eq!(lines(&gli1()), told);
    }

    #[test]
    fn a_value_stands_there_as_the_paragraph_says_it() {
        let record = gli1();
        let values: Vec<String> = lines(&record)
            .lines()
            .filter_map(|line| Some(line.split_once(": ")?.1.to_owned()))
            .filter(|value| !value.starts_with("mouse"))
            .collect();
        for seed in 0..40 {
            let paragraph = sentences(&record, seed).replace(" found at", " at").replace(", at", " at");
            for value in values.iter().filter(|value| !value.contains(" at ")) {
                let value = if value.starts_with("broad") { &value[1..] } else { value };
                assert!(paragraph.contains(value), "{seed}: {value:?} in {paragraph}");
            }
        }
    }
}
