//! An answer as the assistant gives it: repaired from the database, each identifier looked up, each claim beside the field of
//! the record that says so.
//!
//! Whom it is about is taken from the question. An answer about one gene is repaired by its record. Where several genes are
//! named, or none, nothing says whose an identifier was meant to be, so none is put in another's place; but one that is no
//! gene's in the database is struck out in any case. What a language model says of an identifier is never to be believed.

use std::collections::BTreeSet;

use geneverse_data::gene::GeneRecord;
use serde::{Deserialize, Serialize};

use crate::claims::{Claim, claims};
use crate::facts::GeneGrader;
use crate::identifier::{Authority, Mention, find};
use crate::index::{GeneIndex, Resolved};
use crate::postprocess::{Edit, Repaired, repair};
use crate::retriever::named_in;

/// An answer that has been held against the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The answer, repaired.
    pub text: String,
    /// The genes that the question names.
    pub genes: Vec<String>,
    /// What the question names like a gene, and the database does not know.
    pub unknown: Vec<String>,
    /// Every change to the answer.
    pub edits: Vec<Edit>,
    /// What was left alone, and why.
    pub notes: Vec<String>,
    /// The identifiers that are in the repaired answer, each once.
    pub identifiers: Vec<Identified>,
    /// What it claims of the gene, and what the record says to that; empty where it is not about one gene.
    pub claims: Vec<Claim>,
}

/// An identifier and the gene whose it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identified {
    /// Who gave it out.
    pub authority: Authority,
    /// As it stands in the answer.
    pub text: String,
    /// The gene's symbol.
    pub gene: String,
}

/// Holds an answer against the database.
pub fn check(question: &str, answer: &str, grader: &GeneGrader) -> Checked {
    let index = grader.index();
    let genes = named_in(question, index);
    let about = match genes[..] {
        [gene] => Some(gene),
        _ => None,
    };
    let untouched = || (answer.to_owned(), Vec::new(), Vec::new());
    let (text, mut edits, notes) = about.map_or_else(untouched, |gene| {
        let Repaired { text, edits, notes, status: _ } = repair(answer, gene, index);
        (text, edits, notes)
    });
    let (text, identifiers) = strike(&text, index, &mut edits);
    let claims = about.map(|gene| claims(&text, gene, grader).list).unwrap_or_default();
    Checked {
        text,
        genes: genes.iter().map(|gene| gene.symbol.as_str().to_owned()).collect(),
        unknown: unknown(question, index, &genes),
        edits,
        notes,
        identifiers,
        claims,
    }
}

/// Strikes out what is no gene's; what is left, with whose it is.
fn strike(text: &str, index: &GeneIndex, edits: &mut Vec<Edit>) -> (String, Vec<Identified>) {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    let mut known = BTreeSet::new();
    for Mention { authority, span, value: _, canonical } in find(text) {
        let found = &text[span.clone()];
        match canonical.and_then(|value| index.owner(authority, &value)) {
            Some(GeneRecord { symbol, .. }) => {
                let (text, gene) = (found.to_owned(), symbol.as_str().to_owned());
                known.insert(Identified { authority, text, gene });
            }
            None if span.start >= at => {
                let to = format!("[{} not in the database]", authority.noun());
                out.push_str(&text[at..span.start]);
                out.push_str(&to);
                at = span.end;
                edits.push(Edit { what: authority.noun().to_owned(), from: found.to_owned(), to });
            }
            None => {}
        }
    }
    out.push_str(&text[at..]);
    (out, known.into_iter().collect())
}

/// Words that are written as symbols are, in capitals with a digit, and are none that the database knows.
fn unknown(question: &str, index: &GeneIndex, genes: &[&GeneRecord]) -> Vec<String> {
    let mut unknown: Vec<String> = Vec::new();
    let ids = find(question);
    for word in question.split(|c: char| c.is_whitespace() || ",;:?!()\"'".contains(c)) {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let capitals = word.chars().filter(char::is_ascii_uppercase).count();
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let written = word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-');
        if !written || capitals < 2 || digits == 0 || word.len() > 16 {
            continue;
        }
        let of_id = ids.iter().any(|mention| question[mention.span.clone()].contains(word));
        let known = genes.iter().any(|gene| gene.symbol.as_str() == word);
        if !of_id && !known && index.resolve(word) == Resolved::Unknown && !unknown.iter().any(|w| w == word)
        {
            unknown.push(word.to_owned());
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Verdict;
    use geneverse_data::gene::{EntrezId, GeneKind, GeneSymbol, HgncId};

    fn grader() -> GeneGrader {
        let gene = |symbol: &str, name: &str, hgnc: u32, entrez: u32| {
            let symbol = GeneSymbol::parse(symbol).unwrap();
            let record = GeneRecord::new(symbol, name, GeneKind::ProteinCoding);
            GeneRecord {
                hgnc_id: Some(HgncId(hgnc)),
                entrez_id: Some(EntrezId(entrez)),
                location: Some("12q13.3".to_owned()),
                ..record
            }
        };
        let genes =
            [gene("GLI1", "GLI family zinc finger 1", 4317, 2735), gene("CASP10", "caspase 10", 1500, 843)];
        GeneGrader::new(genes.into_iter().collect())
    }

    fn checked(question: &str, answer: &str) -> Checked {
        check(question, answer, &grader())
    }

    #[test]
    fn an_answer_about_one_gene_is_repaired_and_its_claims_are_held_against_the_record() {
        let found = checked("What is GLI1?", "GLI1 (HGNC:9999) is a gene at 12q13.3.");
        assert!(found.text.contains("HGNC:4317"), "{}", found.text);
        assert_eq!(found.genes, ["GLI1"]);
        let own = Identified { authority: Authority::Hgnc, text: "HGNC:4317".into(), gene: "GLI1".into() };
        assert_eq!(found.identifiers, [own]);
        assert!(found.claims.iter().any(|claim| claim.verdict == Verdict::Supported), "{:?}", found.claims);
        assert!(!found.edits.is_empty());
    }

    #[test]
    fn an_identifier_that_is_no_genes_is_struck_out_whatever_is_asked() {
        for question in ["Tell me something.", "Compare GLI1 and CASP10."] {
            let found = checked(question, "See HGNC:4317, HGNC:999999 and Entrez Gene:843.");
            assert_eq!(found.text, "See HGNC:4317, [HGNC id not in the database] and Entrez Gene:843.");
            let whose: Vec<&str> = found.identifiers.iter().map(|id| id.gene.as_str()).collect();
            assert_eq!(whose, ["GLI1", "CASP10"]);
            let edit = Edit {
                what: "HGNC id".into(),
                from: "HGNC:999999".into(),
                to: "[HGNC id not in the database]".into(),
            };
            assert_eq!((found.edits, found.claims), (vec![edit], Vec::new()));
        }
    }

    #[test]
    fn what_is_written_as_a_symbol_and_is_none_is_told() {
        let unknown = |question: &str| checked(question, "").unknown;
        assert_eq!(unknown("What is ABCDE12, and what is GLI1 (HGNC:4317)?"), ["ABCDE12"]);
        assert_eq!(unknown("Is DNA a gene? What of p53 and IL-6?"), ["IL-6"]);
        assert_eq!(unknown("What is CASP10's role?"), Vec::<String>::new());
    }
}
