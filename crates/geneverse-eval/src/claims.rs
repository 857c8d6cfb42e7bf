//! An answer as atomic claims, each held against the gene's record.
//!
//! Sentences are cut into clauses and lists into their items. What is said in a known way is *typed*: symbol, name,
//! kind, place, identifier, alias, group, organism, RefSeq status, ortholog. The rest is a claim about function,
//! process, component, pathway, interaction, expression or disease, and is compared with the record's statements (see
//! `statements.rs`). A claim is
//!
//! - *supported* where one field of the record says it, or nearly all of it;
//! - *contradicted* where the record says something else: another value of a field that has one, the denial of one of its
//!   statements, or the opposite direction;
//! - *not in the record* otherwise. It may be true: no record is complete.
//!
//! *Precision* is the share of supported claims among those that are decided, *recall* the share of the record's facts
//! (name, kind, place, groups, GO terms, pathways, expression, clauses of the summary) that the answer states. A
//! *hallucinated* identifier does not exist in the database or belongs to another gene.

mod functions;
mod identifiers;
mod typed;

use geneverse_data::gene::GeneRecord;
use serde::{Deserialize, Serialize};

use crate::facts::{GeneGrader, Prepared, has_name, short};
use crate::prose::sentences;
use crate::statements::{GO_BEYOND, Statement, says_enough, share};

/// What a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// Which symbol is the official one.
    Symbol,
    /// The full name.
    Name,
    /// What kind of gene it is.
    Kind,
    /// Chromosome or band.
    Location,
    /// An identifier of the gene, or of a term, transcript or paper.
    Identifier,
    /// Another symbol.
    Alias,
    /// A gene group or family.
    Group,
    /// The species.
    Organism,
    /// RefSeq status.
    Status,
    /// A gene of another species.
    Ortholog,
    /// What the product does.
    Function,
    /// What it takes part in.
    Process,
    /// Where in the cell it is.
    Component,
    /// A pathway.
    Pathway,
    /// What it binds or forms a complex with.
    Interaction,
    /// Where the gene is expressed.
    Expression,
    /// A disease.
    Disease,
    /// Anything else.
    Other,
}

impl ClaimKind {
    /// Whether a record can say of such a claim that it is wrong: it has a field of its own.
    pub fn is_typed(self) -> bool {
        use ClaimKind::*;
        matches!(
            self,
            Symbol | Name | Kind | Location | Identifier | Alias | Group | Organism | Status | Ortholog
        )
    }
}

/// What the record says of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It says so.
    Supported,
    /// It says otherwise.
    Contradicted,
    /// It says nothing of it.
    NotInRecord,
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What it is about.
    pub kind: ClaimKind,
    /// Its words.
    pub text: String,
    /// What the record says.
    pub verdict: Verdict,
    /// The record's field that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What stands there, where it is not what the claim says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

impl Claim {
    fn new(kind: ClaimKind, text: &str, verdict: Verdict, field: &str) -> Self {
        let field = (verdict != Verdict::NotInRecord).then(|| field.to_owned());
        Self { kind, text: short(text), verdict, field, record: None }
    }

    fn against(self, record: &str) -> Self {
        let record = (self.verdict == Verdict::Contradicted).then(|| short(record));
        Self { record, ..self }
    }
}

/// All claims of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// In the order in which they are made, identifiers first.
    pub list: Vec<Claim>,
    /// Facts of the record.
    pub facts: usize,
    /// How many of them the answer states.
    pub stated: usize,
    /// Identifiers that the answer gives.
    pub identifiers: usize,
    /// How many of them do not exist, or belong to another gene.
    pub hallucinated: usize,
}

impl Claims {
    /// How many claims have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.list.iter().filter(|claim| claim.verdict == verdict).count()
    }
}

/// An answer's claims in `scores.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClaimScores {
    /// Supported ones.
    pub supported: usize,
    /// Contradicted ones.
    pub contradicted: usize,
    /// Those of which the record says nothing.
    pub not_in_record: usize,
    /// Facts of the record.
    pub facts: usize,
    /// How many of them the answer states.
    pub stated: usize,
    /// Identifiers that the answer gives.
    pub identifiers: usize,
    /// How many of them are hallucinated.
    pub hallucinated: usize,
    /// The claims.
    pub list: Vec<Claim>,
}

impl ClaimScores {
    /// Counts claims.
    pub fn of(claims: Claims) -> Self {
        Self {
            supported: claims.count(Verdict::Supported),
            contradicted: claims.count(Verdict::Contradicted),
            not_in_record: claims.count(Verdict::NotInRecord),
            facts: claims.facts,
            stated: claims.stated,
            identifiers: claims.identifiers,
            hallucinated: claims.hallucinated,
            list: claims.list,
        }
    }
}

/// Shares over all answers; `None` where there is nothing to share.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClaimTotals {
    /// Supported claims among those that are decided.
    pub precision: Option<f64>,
    /// Supported claims among all.
    pub support: Option<f64>,
    /// Facts that the answers state.
    pub recall: Option<f64>,
    /// Identifiers that are hallucinated.
    pub hallucinated: Option<f64>,
}

impl ClaimTotals {
    /// Adds answers up.
    pub fn of<'a>(answers: impl Iterator<Item = &'a ClaimScores> + Clone) -> Self {
        let sum = |of: fn(&ClaimScores) -> usize| answers.clone().map(of).sum::<usize>();
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        let (supported, contradicted) = (sum(|c| c.supported), sum(|c| c.contradicted));
        Self {
            precision: share(supported, supported + contradicted),
            support: share(supported, supported + contradicted + sum(|c| c.not_in_record)),
            recall: share(sum(|c| c.stated), sum(|c| c.facts)),
            hallucinated: share(sum(|c| c.hallucinated), sum(|c| c.identifiers)),
        }
    }
}

/// The claims of an answer about `gene`, a record of the grader's index; none for another gene.
pub fn claims(answer: &str, gene: &GeneRecord, grader: &GeneGrader) -> Claims {
    let Some(place) = grader.index().place(gene.symbol.as_str()) else { return Claims::default() };
    let record = grader.prepared(place);
    let mut claims = Claims::default();
    let masked = identifiers::claim(answer, gene, grader.index(), &mut claims);
    let mut said: Vec<Statement> = Vec::new();
    for claim in typed::aliases(&masked, gene, grader.index()) {
        push(claim, &mut claims.list);
    }
    for (n, range) in sentences(&masked).into_iter().enumerate() {
        let sentence = &masked[range];
        let typed = typed::claim(sentence, n == 0, gene);
        // "It is a pseudogene at 3p21 in Mus musculus" says who the gene is, and nothing else.
        let placed = |claim: &Claim| matches!(claim.kind, ClaimKind::Location | ClaimKind::Organism);
        let who = typed.iter().any(placed) && typed.iter().any(|claim| claim.kind == ClaimKind::Kind);
        typed.into_iter().for_each(|claim| push(claim, &mut claims.list));
        if who {
            continue;
        }
        let found = functions::claim(sentence, gene, record, grader.terms());
        for (claim, statement) in found {
            push(claim, &mut claims.list);
            said.push(statement);
        }
    }
    (claims.facts, claims.stated) = recall(answer, gene, record, &claims.list, &said, grader);
    claims
}

/// The same claim twice is one.
fn push(claim: Claim, list: &mut Vec<Claim>) {
    if !list.iter().any(|other| other.kind == claim.kind && other.text == claim.text) {
        list.push(claim);
    }
}

/// An answer states a fact where one of its statements has this share of the fact's terms, by weight.
const STATED: f64 = 0.6;

/// Facts of a record, and how many of them an answer states.
fn recall(
    answer: &str,
    gene: &GeneRecord,
    record: &Prepared,
    list: &[Claim],
    said: &[Statement],
    grader: &GeneGrader,
) -> (usize, usize) {
    let supported = |kind: ClaimKind| list.iter().any(|c| c.kind == kind && c.verdict == Verdict::Supported);
    let mut facts = vec![supported(ClaimKind::Kind)];
    if !gene.name.trim().is_empty() {
        facts.push(has_name(answer, &gene.name));
    }
    if gene.location.is_some() {
        facts.push(supported(ClaimKind::Location));
    }
    let index = grader.terms();
    for fact in record.statements.iter().filter(|fact| fact.field != GO_BEYOND) {
        let told = fact.field != "summary" || says_enough(&fact.terms, index);
        if told && !fact.terms.is_empty() {
            let as_group = || {
                let text = short(&fact.text);
                list.iter().any(|c| c.kind == ClaimKind::Group && c.text == text)
            };
            facts.push(said.iter().any(|s| share(&fact.terms, &s.terms, index) >= STATED) || as_group());
        }
    }
    (facts.len(), facts.iter().filter(|stated| **stated).count())
}

#[cfg(test)]
mod tests;
