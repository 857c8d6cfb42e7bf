//! Grade of truth for the gene task.
//!
//! An answer is true when it
//! 1. *names* the gene: its symbol (or an alias that is no other gene's symbol) and its full name, or a close form of it;
//! 2. *states its major function*. Compared with every record of the database it is nearest to its own or close behind,
//!    and a relative's record (one of the same gene group) is not much nearer; it has enough of the record's key terms;
//!    and enough of what it says is in the record, so that a list of everybody's functions gains nothing. The gene's own
//!    names, identifiers and boilerplate sentences are taken out first. Of a gene whose function nobody knows, the kind
//!    has to be said instead;
//! 3. *contradicts* nothing: kind, organism, official symbol and name, and no statement of the record, by denying it or
//!    by turning it round (see `statements.rs`).

pub(crate) mod contradiction;
mod names;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use geneverse_data::gene::{GeneKind, GeneRecord};
use geneverse_data::store::GoKnowledge;
use rayon::prelude::*;

use crate::form::repetition;
use crate::grade::Grade;
use crate::hash::Map;
use crate::index::GeneIndex;
use crate::prose::words;
use crate::statements::{GoStatements, Statement, of_go, of_record, statements};
use crate::terms::{KeyTerms, TermId, TermIndex, document, function_text};
pub(crate) use names::{has_name, name_words, without_names};

/// What an answer has to reach. Chosen on half of the gene synopses in `tests/graders.rs`, which measures it on the
/// other half: of all that come within a hundredth of the best worst case, what rejects the most relatives.
pub const ENOUGH: Measure = Measure { nearest: 0.5, kin: 0.6, coverage: 0.06, focus: 0.3 };

/// The same for a record without GO terms. It says less, and true answers have less in common with it.
pub const ENOUGH_WITHOUT_GO: Measure = Measure { nearest: 0.3, kin: 0.4, coverage: 0.02, focus: 0.08 };

/// A record with fewer distinct terms of function than this says nothing that an answer could be held to.
const SPARSE: usize = 5;

/// An answer about such a gene may not cover more than this of an unrelated gene's function.
const FOREIGN_COVERAGE: f64 = 0.25;

/// So many contradicted statements are told.
const SHOWN: usize = 3;

/// A database made ready for grading. Threads may share one.
#[derive(Debug)]
pub struct GeneGrader {
    index: GeneIndex,
    terms: TermIndex,
    /// What GO terms state.
    go: GoStatements,
    /// Genes by their groups.
    groups: Map<String, Vec<usize>>,
    /// What is worked out of a record when it is first graded by.
    prepared: Vec<OnceLock<Prepared>>,
}

/// A record as answers are compared with it.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What it says of the function.
    function: KeyTerms,
    /// All that it says: the same with names, groups, kind and all GO terms. In the order of ids.
    pub(crate) document: Vec<TermId>,
    pub(crate) statements: Vec<Arc<Statement>>,
    /// Genes that share a group with it, in their order.
    kin: Vec<usize>,
}

/// How an answer compares with its gene's record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// Own score over the best of an unrelated gene. It may be below 1, because paraphrases of one gene often score a
    /// better-described neighbour higher.
    pub nearest: f64,
    /// Own score over the best of a relative, a gene of the same group. Infinite without one.
    pub kin: f64,
    /// The share of the record's key terms, by weight, that the answer has.
    pub coverage: f64,
    /// The share of the answer's terms, by weight, that the record has.
    pub focus: f64,
}

impl Measure {
    /// Whether all four reach what is wanted.
    pub fn reaches(&self, wanted: &Self) -> bool {
        self.nearest >= wanted.nearest
            && self.kin >= wanted.kin
            && self.coverage >= wanted.coverage
            && self.focus >= wanted.focus
    }
}

impl GeneGrader {
    /// Indexes the terms of every record.
    pub fn new(index: GeneIndex) -> Self {
        let documents: Vec<String> =
            index.genes().par_iter().map(|gene| whole_document(gene, index.go())).collect();
        let terms = TermIndex::new(&documents);
        let mut groups: Map<String, Vec<usize>> = Map::default();
        for (place, gene) in index.genes().iter().enumerate() {
            for group in &gene.groups {
                groups.entry(group.clone()).or_default().push(place);
            }
        }
        let prepared = index.genes().iter().map(|_| OnceLock::new()).collect();
        let go = of_go(index.go(), &terms);
        Self { index, terms, go, groups, prepared }
    }

    /// The genes.
    pub fn index(&self) -> &GeneIndex {
        &self.index
    }

    pub(crate) fn terms(&self) -> &TermIndex {
        &self.terms
    }

    pub(crate) fn prepared(&self, place: usize) -> &Prepared {
        self.prepared[place].get_or_init(|| {
            let gene = &self.index.genes()[place];
            let kin = gene.groups.iter().filter_map(|group| self.groups.get(group)).flatten().copied();
            let mut kin: Vec<usize> = kin.collect();
            kin.sort_unstable();
            kin.dedup();
            let statements = of_record(gene, self.index.go(), &self.go, &self.terms);
            let mut whole = self.terms.ids(&document(gene));
            whole.extend(statements.iter().flat_map(|statement| &statement.terms));
            whole.sort_unstable();
            whole.dedup();
            Prepared {
                function: self.terms.key_terms(&function_text(gene)),
                document: whole,
                statements,
                kin,
            }
        })
    }

    /// Grades the truth of an answer about `gene`, a record of this grader's index.
    pub fn grade(&self, answer: &str, gene: &GeneRecord) -> Grade {
        self.grade_of(answer, repetition(answer).as_deref(), gene)
    }

    /// [`Self::grade`] of an answer of which it is known what it repeats.
    pub(crate) fn grade_of(&self, answer: &str, repeated: Option<&str>, gene: &GeneRecord) -> Grade {
        if words(answer).is_empty() {
            return Grade::fail("is empty");
        }
        let symbol = gene.symbol.as_str();
        let Some(own) = self.index.place(symbol) else {
            return Grade::fail(format!("{symbol} is not in the database"));
        };
        let mut good = Vec::new();
        let mut bad = Vec::new();
        let mut note = |verdict: Result<String, String>| match verdict {
            Ok(reason) => good.push(reason),
            Err(reason) => bad.push(reason),
        };
        note(names::names_gene(answer, gene, &self.index));
        let text = without_names(answer, gene);
        for verdict in self.states_function(answer, &text, own) {
            note(verdict);
        }
        bad.extend(contradiction::find(answer, gene));
        bad.extend(self.contradicted(&text, own));
        bad.extend(repeated.map(|what| format!("repeats itself: {what}")));
        if bad.is_empty() { Grade { score: 1.0, reasons: good } } else { Grade { score: 0.0, reasons: bad } }
    }

    /// How an answer compares with its gene's record. `None` for a gene whose function is not known. What the
    /// thresholds are chosen on.
    pub fn measure(&self, answer: &str, gene: &GeneRecord) -> Option<Measure> {
        let own = self.index.place(gene.symbol.as_str())?;
        let query = self.terms.ids(&without_names(answer, gene));
        let record = self.prepared(own);
        (record.function.len() >= SPARSE).then(|| self.compare(&query, own).measure)
    }

    /// What an answer about a gene has to reach.
    pub fn wanted(&self, gene: &GeneRecord) -> Measure {
        let annotated = !gene.go_terms.is_empty() || !self.index.go().annotated(&gene.symbol).is_empty();
        if annotated { ENOUGH } else { ENOUGH_WITHOUT_GO }
    }

    fn compare(&self, query: &[TermId], own: usize) -> Compared {
        let record = self.prepared(own);
        let found = self.terms.compare(query, own, &record.kin);
        let over = |other: f64| match (found.own > 0.0, other > 0.0) {
            (false, _) => 0.0,
            (true, false) => f64::INFINITY,
            (true, true) => found.own / other,
        };
        let (coverage, covered) = record.function.coverage(query);
        let focus = crate::statements::share(query, &record.document, &self.terms);
        let measure = Measure { nearest: over(found.best_other), kin: over(found.best_kin), coverage, focus };
        Compared { measure, covered, other: found.best_other_document, kin: found.best_kin_document }
    }

    fn states_function(&self, answer: &str, text: &str, own: usize) -> Vec<Result<String, String>> {
        let genes = self.index.genes();
        let gene = &genes[own];
        let symbol = gene.symbol.as_str();
        let query = self.terms.ids(text);
        let compared = self.compare(&query, own);
        let symbol_of = |place: Option<usize>| place.map_or("no gene", |place| genes[place].symbol.as_str());
        if self.prepared(own).function.len() < SPARSE {
            return vec![self.states_kind(answer, &query, own, compared.other)];
        }
        let Measure { nearest, kin, coverage, focus } = compared.measure;
        let wanted = self.wanted(gene);
        let mut verdicts = Vec::new();
        let rival = symbol_of(compared.other);
        verdicts.push(if nearest >= wanted.nearest {
            Ok(format!("is nearest to the record of {symbol} or close behind ({nearest:.2} of {rival})"))
        } else {
            let least = wanted.nearest;
            Err(format!("fits another gene better than {symbol} ({nearest:.2} of {rival}, expected {least})"))
        });
        if kin < wanted.kin {
            let (relative, least) = (symbol_of(compared.kin), wanted.kin);
            verdicts
                .push(Err(format!("fits its relative {relative} much better ({kin:.2}, expected {least})")));
        }
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        verdicts.push(if coverage >= wanted.coverage {
            let shown = self.as_written(text, &compared.covered).join(", ");
            Ok(format!("has {} of the record's key terms by weight: {shown}", percent(coverage)))
        } else {
            let (has, least) = (percent(coverage), percent(wanted.coverage));
            Err(format!("has only {has} of the record's key terms by weight, expected {least}"))
        });
        if focus < wanted.focus {
            let (has, least) = (percent(focus), percent(wanted.focus));
            verdicts.push(Err(format!(
                "says much that the record does not: {has} of its terms by weight are in it, expected {least}"
            )));
        }
        verdicts
    }

    /// Terms as the answer writes them, at most six.
    fn as_written<'a>(&self, text: &'a str, found: &[TermId]) -> Vec<&'a str> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let written: Vec<(TermId, &str)> = words.map(|word| (self.terms.id_of_word(word), word)).collect();
        let find = |term: &TermId| written.iter().find(|(id, _)| id == term).map(|(_, word)| *word);
        found.iter().filter_map(find).take(6).collect()
    }

    /// A gene without a known function: its kind is its major function, and nobody else's may be told.
    fn states_kind(
        &self,
        answer: &str,
        query: &[TermId],
        own: usize,
        other: Option<usize>,
    ) -> Result<String, String> {
        let gene = &self.index.genes()[own];
        let symbol = gene.symbol.as_str();
        if let Some(other) = other {
            let record = &self.prepared(own).document;
            let foreign: Vec<TermId> =
                query.iter().filter(|id| record.binary_search(id).is_err()).copied().collect();
            let (share, covered) = self.prepared(other).function.coverage(&foreign);
            if share >= FOREIGN_COVERAGE && covered.len() >= SPARSE {
                let other = &self.index.genes()[other].symbol;
                return Err(format!("describes {other}, while no function of {symbol} is known"));
            }
        }
        let lower = answer.to_lowercase();
        let wanted = kind_words(gene.kind);
        match wanted.iter().find(|word| lower.contains(**word)) {
            Some(word) => {
                Ok(format!("says what kind of gene it is ({word}); no function of {symbol} is known"))
            }
            None if wanted.is_empty() => Ok(format!("no function of {symbol} is known")),
            None => Err(format!("does not say that it is a {}", gene.kind.noun())),
        }
    }

    /// Statements whose opposite the record says, in words.
    fn contradicted(&self, text: &str, own: usize) -> Vec<String> {
        let record = &self.prepared(own).statements;
        let said = statements(text, "answer", &self.terms).into_iter();
        let found = said.filter_map(|statement| {
            let other = statement.contradicted(record, &self.terms)?;
            let said = short(&statement.text);
            Some(format!("says {said:?}, while the record says {:?}", short(&other.text)))
        });
        found.take(SHOWN).collect()
    }
}

struct Compared {
    measure: Measure,
    covered: Vec<TermId>,
    other: Option<usize>,
    kin: Option<usize>,
}

/// A statement as it is told: its first words.
pub(crate) fn short(text: &str) -> String {
    const WORDS: usize = 16;
    let words: Vec<&str> = text.split_whitespace().collect();
    let more = if words.len() > WORDS { " …" } else { "" };
    let shown = words.into_iter().take(WORDS).collect::<Vec<_>>().join(" ");
    format!("{}{more}", shown.trim_end_matches(['.', ',', ';']))
}

/// What a gene is found by: its record, and its GO terms of which the record tells only some.
fn whole_document(gene: &GeneRecord, go: &GoKnowledge) -> String {
    let told: HashSet<&str> = gene.go_terms.iter().map(|term| term.name.as_str()).collect();
    let names = go.annotated(&gene.symbol).iter().filter_map(|id| go.name(*id));
    let more: Vec<&str> = names.filter(|name| !told.contains(name)).collect();
    format!("{} . {}", document(gene), more.join(" . "))
}

/// Words of which one says the kind; none where the kind has no word of its own.
fn kind_words(kind: GeneKind) -> &'static [&'static str] {
    match kind {
        GeneKind::ProteinCoding => &["protein"],
        GeneKind::MicroRna => &["microrna", "mirna"],
        GeneKind::LongNoncodingRna => {
            &["non-coding rna", "noncoding rna", "non-protein coding", "lncrna", "antisense rna"]
        }
        GeneKind::Pseudogene => &["pseudogene"],
        GeneKind::ImmunoglobulinSegment => &["immunoglobulin"],
        GeneKind::TcellReceptorSegment => &["t cell receptor", "t-cell receptor"],
        GeneKind::TransferRna => &["transfer rna", "trna"],
        GeneKind::SmallNucleolarRna => &["small nucleolar", "snorna", "cajal body", "scarna"],
        GeneKind::SmallNuclearRna => &["small nuclear", "snrna"],
        GeneKind::RibosomalRna => &["ribosomal rna", "rrna"],
        GeneKind::OtherRna => &["rna"],
        GeneKind::Other => &[],
    }
}

#[cfg(test)]
mod tests;
