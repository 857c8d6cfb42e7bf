//! `scores.json`: what a set of answers comes to. All grades and overlaps are in [0, 1].

use std::path::Path;

use geneverse_data::answers::{self, Answer, Task};
use geneverse_data::gene::{GeneKind, GeneRecord, GeneSymbol, Summary};
use geneverse_data::stage::{FileError, write_json};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::claims::{ClaimScores, ClaimTotals, claims};
use crate::facts::GeneGrader;
use crate::form::{grade_form_of, repetition};
use crate::grade::{Grade, Truth};
use crate::identifier::{find, own_values};
use crate::index::{GeneIndex, Resolved};
use crate::measure::Intervals;
use crate::text::{Bleu, BleuCounts, Rouge};

/// The version of the rules behind `scores.json`: raised by whatever changes a grade, a claim or a field of it. Scores of
/// two versions are not to be compared.
///
/// - 2: orthologs' identifiers are identifiers; intervals, claims.
pub const RULES: u32 = 2;

/// Why answers were not graded.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is nothing to grade.
    #[error("found no answers, expected at least one line")]
    Empty,
    /// Answers of two tasks.
    #[error("answer {id}: found task {task:?} among answers of task {first:?}, expected one task in a file")]
    Task {
        /// The answer.
        id: String,
        /// Its task.
        task: Task,
        /// The first answer's.
        first: Task,
    },
    /// An answer without what it is to be graded by.
    #[error("answer {id}: {what}")]
    Truth {
        /// The answer.
        id: String,
        /// What was found and expected.
        what: String,
    },
}

/// The scores of a set of answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The task.
    pub task: Task,
    /// How many answers.
    pub n: usize,
    /// Mean grade of truth.
    pub factual: f64,
    /// Mean grade of form.
    pub structural: f64,
    /// Mean of `factual` and `structural`.
    pub average: f64,
    /// Corpus BLEU (sacrebleu, 13a) / 100.
    pub bleu: f64,
    /// Mean ROUGE-1 F1.
    pub rouge1: f64,
    /// Each answer.
    pub items: Vec<Item>,
    /// Mean ROUGE-2 F1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rouge2: Option<f64>,
    /// Mean ROUGE-L F1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rouge_l: Option<f64>,
    /// How far the scores above may be off with as few answers as these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervals: Option<Intervals>,
    /// Identifiers written in the answers.
    pub identifiers: usize,
    /// The share of them that is the gene's own, or right for the gene named beside it; `None` without any.
    pub identifiers_right: Option<f64>,
    /// Which model answered: the first answer's.
    #[serde(default)]
    pub model: String,
    /// The share of supported claims among those that a record decides, over all answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_precision: Option<f64>,
    /// The share of supported claims among all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_support: Option<f64>,
    /// The share of the records' facts that the answers state, over all answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_recall: Option<f64>,
    /// The share of identifiers written that do not exist in the database or belong to another gene.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hallucinated_identifiers: Option<f64>,
    /// The version of the rules, [`RULES`]; files from before it was written down do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<u32>,
}

/// The scores of one answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The answer's id.
    pub id: String,
    /// The gene asked about.
    pub subject: String,
    /// Grade of truth.
    pub factual: f64,
    /// Grade of form.
    pub structural: f64,
    /// Sentence BLEU / 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bleu: Option<f64>,
    /// ROUGE-1 F1.
    pub rouge1: f64,
    /// ROUGE-2 F1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rouge2: Option<f64>,
    /// ROUGE-L F1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rouge_l: Option<f64>,
    /// What corpus BLEU adds up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bleu_counts: Option<BleuCounts>,
    /// Why the grades are what they are; "the answer" is understood.
    pub reasons: Vec<String>,
    /// Identifiers in this answer.
    #[serde(default)]
    pub identifiers: usize,
    /// How many of them are right.
    #[serde(default)]
    pub identifiers_right: usize,
    /// What it claims, and what the record says of it (gene task).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimScores>,
}

/// Grades answers of one task.
///
/// A gene that the index does not have is measured against its reference answer instead, and the reasons say so;
/// with an empty index that holds for all of them.
pub fn evaluate(answers: &[Answer], index: GeneIndex) -> Result<Scores, ScoreError> {
    let first = answers.first().ok_or(ScoreError::Empty)?;
    if let Some(other) = answers.iter().find(|answer| answer.task != first.task) {
        return Err(ScoreError::Task { id: other.id.clone(), task: other.task, first: first.task });
    }
    for answer in answers {
        if let Some(Err(what)) = Truth::of(answer) {
            return Err(ScoreError::Truth { id: answer.id.clone(), what });
        }
    }
    // Only the gene task is graded by records.
    let of_genes = first.task == Task::Gene;
    let index = if of_genes { index } else { GeneIndex::default() };
    let known: Vec<bool> = answers
        .iter()
        .map(|a| !of_genes || !matches!(index.resolve(&a.subject), Resolved::Unknown))
        .collect();
    let unknown = answers.iter().zip(&known).filter(|(_, known)| !**known);
    let stand_ins: Vec<GeneRecord> = unknown.filter_map(|(answer, _)| from_reference(answer)).collect();
    let index = if stand_ins.is_empty() { index } else { index.with(stand_ins) };
    let grader = GeneGrader::new(index);
    let items: Vec<Item> =
        answers.par_iter().zip(&known).map(|(answer, &known)| grade_item(answer, known, &grader)).collect();
    let mut bleu_counts = BleuCounts::default();
    items.iter().flat_map(|item| &item.bleu_counts).for_each(|counts| bleu_counts.add(counts));
    let mean = |of: fn(&Item) -> f64| items.iter().map(of).sum::<f64>() / items.len() as f64;
    let (factual, structural) = (mean(|item| item.factual), mean(|item| item.structural));
    let identifiers: usize = items.iter().map(|item| item.identifiers).sum();
    let right: usize = items.iter().map(|item| item.identifiers_right).sum();
    let claims = ClaimTotals::of(items.iter().filter_map(|item| item.claims.as_ref()));
    let intervals = Intervals::of(&items);
    // Tens of thousands of records take a while to be given back, and nobody waits for it.
    rayon::spawn(move || drop(grader));
    Ok(Scores {
        task: first.task,
        n: items.len(),
        factual,
        structural,
        average: f64::midpoint(factual, structural),
        bleu: Bleu::default().score(&bleu_counts).score,
        rouge1: mean(|item| item.rouge1),
        rouge2: Some(mean(|item| item.rouge2.unwrap_or_default())),
        rouge_l: Some(mean(|item| item.rouge_l.unwrap_or_default())),
        intervals,
        identifiers,
        identifiers_right: (identifiers > 0).then(|| right as f64 / identifiers as f64),
        model: first.model.clone(),
        claim_precision: claims.precision,
        claim_support: claims.support,
        claim_recall: claims.recall,
        hallucinated_identifiers: claims.hallucinated,
        rules: Some(RULES),
        items,
    })
}

/// `answers.jsonl` → `scores.json`.
pub fn evaluate_file(index: GeneIndex, input: &Path, out: &Path) -> Result<Scores, ScoreError> {
    let scores = evaluate(&answers::read(input)?, index)?;
    write_json(out, &scores)?;
    Ok(scores)
}

fn grade_item(answer: &Answer, known: bool, grader: &GeneGrader) -> Item {
    let counts = Bleu::default().count(&answer.answer, &[&answer.reference]);
    let rouge = Rouge::default().scores(&answer.answer, &answer.reference);
    let repeated = repetition(&answer.answer);
    let other_task = Truth::of(answer).and_then(Result::ok).map(|truth| truth.grade(answer));
    let form = other_task
        .as_ref()
        .map_or_else(|| grade_form_of(&answer.answer, repeated.as_deref()), |(_, form)| form.clone());
    let mut reasons = Vec::new();
    let mut item = Item {
        id: answer.id.clone(),
        subject: answer.subject.clone(),
        factual: 0.0,
        structural: form.score,
        bleu: Some(Bleu::sentence().score(&counts).score),
        rouge1: rouge.rouge1.f1,
        rouge2: Some(rouge.rouge2.f1),
        rouge_l: Some(rouge.rouge_l.f1),
        bleu_counts: Some(counts),
        reasons: Vec::new(),
        identifiers: 0,
        identifiers_right: 0,
        claims: None,
    };
    if let Some((truth, form)) = other_task {
        item.factual = truth.score;
        let told = |what: &str, grade: Grade| {
            grade.reasons.into_iter().map(move |r| format!("{what}: {r}")).collect::<Vec<_>>()
        };
        item.reasons = [told("truth", truth), told("form", form)].concat();
        return item;
    }
    match grader.index().resolve(&answer.subject) {
        Resolved::Gene(gene) => {
            item.claims = Some(ClaimScores::of(claims(&answer.answer, gene, grader)));
            let truth = grader.grade_of(&answer.answer, repeated.as_deref(), gene);
            item.factual = truth.score;
            if !known {
                let note = "truth: measured against the reference answer, as the database has no such gene";
                reasons.push(note.to_owned());
            }
            reasons.extend(truth.reasons.into_iter().map(|reason| format!("truth: {reason}")));
            (item.identifiers, item.identifiers_right) =
                count_identifiers(&answer.answer, gene, grader.index());
        }
        Resolved::Ambiguous(genes) => {
            let symbols: Vec<&str> = genes.iter().map(|gene| gene.symbol.as_str()).collect();
            reasons.push(format!("truth: {} is an alias of {}", answer.subject, symbols.join(", ")));
        }
        Resolved::Unknown => {
            reasons.push(format!("truth: {} is no gene symbol and has no record", answer.subject));
        }
    }
    reasons.extend(form.reasons.into_iter().map(|reason| format!("form: {reason}")));
    item.reasons = reasons;
    item
}

/// Identifiers in an answer, and how many of them are right for this gene or the gene they are written beside.
fn count_identifiers(answer: &str, gene: &GeneRecord, index: &GeneIndex) -> (usize, usize) {
    let wrong = crate::postprocess::wrong_mentions(answer, gene, index);
    let decided = find(answer).into_iter().zip(wrong).filter(|(mention, _)| index.knows(mention.authority));
    let wrong: Vec<bool> = decided.map(|(_, wrong)| wrong).collect();
    // A stand-in record knows no identifiers; its reference text does.
    let knows_some = crate::identifier::Authority::ALL.iter().any(|a| !own_values(gene, *a).is_empty());
    let right = wrong.iter().filter(|wrong| !**wrong).count();
    if knows_some { (wrong.len(), right) } else { (0, 0) }
}

/// A record from a reference answer: its name and identifiers where it gives them, and the text as the summary.
fn from_reference(answer: &Answer) -> Option<GeneRecord> {
    use crate::identifier::Authority;
    use geneverse_data::gene::{EnsemblId, EntrezId, HgncId, OmimId, UniprotAccession};

    let symbol = GeneSymbol::parse(&answer.subject).ok()?;
    let text = &answer.reference;
    let name = ["full name is ", "official full name ", "official gene symbol for "].into_iter().find_map(
        |phrase| {
            let rest = &text[text.find(phrase)? + phrase.len()..];
            let end =
                [", provided", ", is a", " (provided", ". "].iter().filter_map(|end| rest.find(end)).min()?;
            Some(rest[..end].to_owned())
        },
    );
    // What kind of gene it is stands in the text; `Other` contradicts nothing.
    let mut gene = GeneRecord::new(symbol, name.unwrap_or_default(), GeneKind::Other);
    for mention in find(text) {
        let Some(value) = mention.canonical else { continue };
        match mention.authority {
            Authority::Hgnc | Authority::Alliance => {
                gene.hgnc_id = gene.hgnc_id.or(HgncId::parse(&value).ok())
            }
            Authority::Ensembl => gene.ensembl_id = gene.ensembl_id.or(EnsemblId::parse(&value).ok()),
            Authority::Entrez => gene.entrez_id = gene.entrez_id.or(EntrezId::parse(&value).ok()),
            Authority::Omim => gene.omim_ids.extend(OmimId::parse(&value)),
            Authority::Uniprot => gene.uniprot_ids.extend(UniprotAccession::parse(&value)),
            Authority::Mgi | Authority::Rgd => {
                let prefix = mention.authority.of_orthologs().unwrap_or_default();
                gene.orthologs.push(format!("{prefix}{value}"));
            }
        }
    }
    gene.summary = Some(Summary { text: text.clone(), source: "reference".to_owned() });
    Some(gene)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(id: &str, subject: &str, text: &str) -> Answer {
        let reference = "The official symbol of this gene is GLI1 and its official full name is GLI family zinc \
            finger 1, provided by HGNC. Its primary source is HGNC:4317. It is activated by sonic hedgehog \
            signaling and regulates stem cell proliferation in embryonic tissues and in tumors.";
        Answer {
            id: id.to_owned(),
            task: Task::Gene,
            subject: subject.to_owned(),
            cell_type: None,
            label: None,
            prompt: "p".to_owned(),
            image: None,
            answer: if text.is_empty() { reference.to_owned() } else { text.to_owned() },
            reference: reference.to_owned(),
            model: "m".to_owned(),
        }
    }

    #[test]
    fn a_perfect_and_an_empty_answer() {
        let answers = [answer("a", "GLI1", ""), answer("b", "GLI1", "GLI1 has HGNC:1.")];
        let scores = evaluate(&answers, GeneIndex::default()).unwrap();
        assert_eq!(scores.n, 2);
        assert_eq!((scores.factual, scores.structural, scores.average), (0.5, 0.5, 0.5));
        assert_eq!(scores.items[0].rouge1, 1.0);
        assert!(scores.items[0].reasons[0].contains("reference answer"));
        assert_eq!((scores.identifiers, scores.identifiers_right), (2, Some(0.5)));
        let json = serde_json::to_value(&scores).unwrap();
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).take(8).collect();
        assert_eq!(keys, ["task", "n", "factual", "structural", "average", "bleu", "rouge1", "items"]);
        assert!(scores.intervals.as_ref().unwrap().factual == [0.0, 1.0] && scores.rouge_l.unwrap() > 0.5);
        assert_eq!(serde_json::from_value::<Scores>(json).unwrap(), scores);
    }

    #[test]
    fn nothing_to_grade_and_other_tasks_are_errors() {
        assert!(matches!(evaluate(&[], GeneIndex::default()), Err(ScoreError::Empty)));
        let marker = Answer { task: Task::Marker, ..answer("b", "KDR", "") };
        let refused = |answers: &[Answer]| evaluate(answers, GeneIndex::default()).unwrap_err().to_string();
        assert_eq!(
            refused(&[answer("a", "GLI1", ""), marker.clone()]),
            "answer b: found task Marker among answers of task Gene, expected one task in a file"
        );
        assert_eq!(
            refused(std::slice::from_ref(&marker)),
            "answer b: found no cell_type, expected the cell type that was asked about"
        );
        let labelled = Answer { cell_type: Some("T cells".into()), label: Some("perhaps".into()), ..marker };
        assert_eq!(refused(&[labelled]), r#"answer b: found label "perhaps", expected "yes" or "no""#);
    }

    #[test]
    fn proteins_and_markers_are_graded_by_their_own_rules() {
        let protein = |id: &str, text: &str| Answer {
            task: Task::Protein,
            reference: "The name of this protein is Transmembrane protein 115.".to_owned(),
            ..answer(id, "Q12893", text)
        };
        let answers = [
            protein("a", "The name of this protein is Transmembrane protein 115."),
            protein("b", "The name of this protein is Transmembrane protein 132."),
            protein("c", "No idea."),
        ];
        let scores = evaluate(&answers, GeneIndex::default()).unwrap();
        assert_eq!(scores.task, Task::Protein);
        let factual: Vec<f64> = scores.items.iter().map(|item| item.factual).collect();
        assert_eq!((factual[0], factual[1]), (1.0, 23.0 / 25.0));
        assert!(factual[2] < 0.1, "{factual:?}");
        assert_eq!(scores.structural, 2.0 / 3.0);
        assert!(scores.items[1].reasons[0].starts_with("truth: shares 23 of 25 characters"));

        let marker = |id: &str, label: Option<&str>, text: &str| Answer {
            task: Task::Marker,
            cell_type: Some("CD8+_T_Cells".to_owned()),
            label: label.map(str::to_owned),
            reference: "No, gene KDR is not a marker gene of cell type CD8+ T Cells.".to_owned(),
            ..answer(id, "KDR", text)
        };
        let no = "No, gene KDR is not a marker gene of cell type CD8+ T cells.";
        let answers = [marker("a", Some("no"), no), marker("b", Some("yes"), no), marker("c", None, no)];
        let scores = evaluate(&answers, GeneIndex::default()).unwrap();
        let factual: Vec<f64> = scores.items.iter().map(|item| item.factual).collect();
        assert_eq!((factual, scores.structural), (vec![1.0, 0.0, 1.0], 1.0));
        assert!(scores.items.iter().all(|item| item.claims.is_none()));
    }
}
