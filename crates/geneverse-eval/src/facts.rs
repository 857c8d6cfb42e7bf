//! Grade of truth for the gene task.
//!
//! An answer is true when it
//! 1. *names* the gene: its symbol (or a known alias) and its full name, or a close form of it;
//! 2. *states its major function*: compared with every record of the database it is nearest to its own (or to
//!    one of the same gene group), and it has enough of the record's key terms. The gene's own names, identifiers
//!    and boilerplate sentences are taken out first, so that a description of another gene under this gene's name
//!    gains nothing. Of a gene whose function nobody knows, the kind has to be said instead;
//! 3. *contradicts* nothing: kind, organism, official symbol and name.

pub(crate) mod contradiction;

use std::collections::HashSet;

use geneverse_data::gene::{GeneKind, GeneRecord};

use crate::form::repetition;
use crate::grade::Grade;
use crate::identifier;
use crate::index::GeneIndex;
use crate::prose::{contains_word, sentences, words};
use crate::terms::{TermIndex, document, function_text, stem_of, terms};

/// An answer's own record has to score at least this share of the best unrelated record. Below 1 because
/// paraphrases of one gene often score a better-described neighbour higher. Chosen with [`COVERAGE`] on half of
/// the gene synopses in `tests/graders.rs`, which measures both on the other half.
pub const NEAREST: f64 = 0.45;

/// The least share of the record's key terms, by weight.
pub const COVERAGE: f64 = 0.04;

/// A record with fewer distinct terms of function than this says nothing that an answer could be held to.
const SPARSE: usize = 5;

/// An answer about such a gene may not cover more than this of an unrelated gene's function.
const FOREIGN_COVERAGE: f64 = 0.25;

/// Sentences with one of these say who the gene is, not what it does. Lower-cased.
const BOILERPLATE: [&str; 15] = [
    "official symbol",
    "gene symbol",
    "full name",
    "primary source",
    "related identifiers",
    "see related",
    "refseq status",
    "also known as",
    "the organism is",
    "in homo sapiens",
    "of homo sapiens",
    "lineage",
    "ortholog",
    "provided by hgnc",
    "gene type is",
];

/// A database made ready for grading.
#[derive(Debug)]
pub struct GeneGrader {
    index: GeneIndex,
    terms: TermIndex,
}

impl GeneGrader {
    /// Indexes the terms of every record.
    pub fn new(index: GeneIndex) -> Self {
        let terms = TermIndex::new(index.genes().iter().map(document));
        Self { index, terms }
    }

    /// The genes.
    pub fn index(&self) -> &GeneIndex {
        &self.index
    }

    /// Grades the truth of an answer about `gene`, a record of this grader's index.
    pub fn grade(&self, answer: &str, gene: &GeneRecord) -> Grade {
        if words(answer).is_empty() {
            return Grade::fail("is empty");
        }
        let mut good = Vec::new();
        let mut bad = Vec::new();
        let mut note = |verdict: Result<String, String>| match verdict {
            Ok(reason) => good.push(reason),
            Err(reason) => bad.push(reason),
        };
        note(names_gene(answer, gene));
        for verdict in self.states_function(answer, gene) {
            note(verdict);
        }
        bad.extend(contradiction::find(answer, gene));
        bad.extend(repetition(answer).map(|what| format!("repeats itself: {what}")));
        if bad.is_empty() { Grade { score: 1.0, reasons: good } } else { Grade { score: 0.0, reasons: bad } }
    }

    /// How an answer compares with its gene's record: own score over the best unrelated one, and the share of key
    /// terms. `None` for a gene whose function is not known. What [`NEAREST`] and [`COVERAGE`] are chosen on.
    pub fn measure(&self, answer: &str, gene: &GeneRecord) -> Option<(f64, f64)> {
        let own = self.index.place(gene.symbol.as_str())?;
        let query = terms(&without_names(answer, gene));
        let record = terms(&function_text(gene));
        let distinct: HashSet<&String> = record.iter().collect();
        let found = self.terms.compare(&query, own, self.kin(gene));
        let nearest = if found.own > 0.0 { found.own / found.best_other.max(f64::MIN_POSITIVE) } else { 0.0 };
        (distinct.len() >= SPARSE).then(|| (nearest, self.terms.coverage(&query, &record).0))
    }

    /// Tells the genes that share a gene group with this one.
    fn kin<'a>(&'a self, gene: &'a GeneRecord) -> impl Fn(usize) -> bool + 'a {
        let genes = self.index.genes();
        move |other| genes[other].groups.iter().any(|group| gene.groups.contains(group))
    }

    fn states_function(&self, answer: &str, gene: &GeneRecord) -> Vec<Result<String, String>> {
        let symbol = gene.symbol.as_str();
        let Some(own) = self.index.place(symbol) else {
            return vec![Err(format!("{symbol} is not in the database"))];
        };
        let text = without_names(answer, gene);
        let query = terms(&text);
        let genes = self.index.genes();
        let found = self.terms.compare(&query, own, self.kin(gene));
        let record = terms(&function_text(gene));
        let distinct: HashSet<&String> = record.iter().collect();
        if distinct.len() < SPARSE {
            let other = found.best_other_document.map(|place| &genes[place]);
            return vec![self.states_kind(answer, &query, gene, other)];
        }
        let (share, covered) = self.terms.coverage(&query, &record);
        let mut verdicts = Vec::new();
        let rival = found.best_other_document.map_or("no gene", |place| genes[place].symbol.as_str());
        let scores = format!("BM25 {:.1} against {:.1} for {rival}", found.own, found.best_other);
        verdicts.push(if found.own > 0.0 && found.own >= NEAREST * found.best_other {
            Ok(format!("is nearest to the record of {symbol} or close behind ({scores})"))
        } else {
            Err(format!("fits another gene better than {symbol} ({scores})"))
        });
        let percent = share * 100.0;
        verdicts.push(if share >= COVERAGE {
            let shown = as_written(&text, &covered).join(", ");
            Ok(format!("has {percent:.0} % of the record's key terms by weight: {shown}"))
        } else {
            Err(format!(
                "has only {percent:.0} % of the record's key terms by weight, expected {:.0} %",
                COVERAGE * 100.0
            ))
        });
        verdicts
    }

    /// A gene without a known function: its kind is its major function, and nobody else's may be told.
    fn states_kind(
        &self,
        answer: &str,
        query: &[String],
        gene: &GeneRecord,
        other: Option<&GeneRecord>,
    ) -> Result<String, String> {
        let symbol = gene.symbol.as_str();
        if let Some(other) = other {
            let own = terms(&document(gene));
            let foreign: Vec<String> = query.iter().filter(|term| !own.contains(term)).cloned().collect();
            let (share, covered) = self.terms.coverage(&foreign, &terms(&function_text(other)));
            if share >= FOREIGN_COVERAGE && covered.len() >= SPARSE {
                return Err(format!("describes {}, while no function of {symbol} is known", other.symbol));
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
}

fn names_gene(answer: &str, gene: &GeneRecord) -> Result<String, String> {
    let symbol = gene.all_symbols().into_iter().find(|symbol| contains_word(answer, symbol));
    let Some(symbol) = symbol else { return Err(format!("does not name {}", gene.symbol)) };
    if gene.name.trim().is_empty() {
        return Ok(format!("names {symbol}"));
    }
    let names = std::iter::once(&gene.name).chain(&gene.other_names);
    if names.into_iter().any(|name| has_name(answer, name)) {
        Ok(format!("names {symbol} and its full name"))
    } else {
        Err(format!("does not give the full name, {}", gene.name))
    }
}

/// Whether three quarters of a name's words stand in one sentence.
fn has_name(answer: &str, name: &str) -> bool {
    let wanted = name_words(name);
    if wanted.is_empty() {
        return false;
    }
    sentences(answer).into_iter().any(|range| {
        let words = name_words(&answer[range]);
        let found = wanted.iter().filter(|word| words.contains(*word)).count();
        found * 4 >= wanted.len() * 3
    })
}

fn name_words(text: &str) -> HashSet<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The answer without what says who the gene is: boilerplate sentences, identifiers, symbols and full names.
fn without_names(answer: &str, gene: &GeneRecord) -> String {
    let mut kept = String::with_capacity(answer.len());
    for range in sentences(answer) {
        let sentence = &answer[range];
        let lower = sentence.to_lowercase();
        if !BOILERPLATE.iter().any(|phrase| lower.contains(phrase)) {
            kept.push_str(sentence);
            kept.push(' ');
        }
    }
    for mention in identifier::find(&kept).into_iter().rev() {
        kept.replace_range(mention.span, " ");
    }
    for name in std::iter::once(&gene.name).chain(&gene.other_names) {
        kept = remove_ignoring_case(&kept, name);
    }
    for symbol in gene.all_symbols() {
        let mut from = 0;
        while let Some(at) = crate::prose::find_word(&kept, symbol, from) {
            kept.replace_range(at..at + symbol.len(), " ");
            from = at;
        }
    }
    kept
}

fn remove_ignoring_case(text: &str, name: &str) -> String {
    let mut out = text.to_owned();
    if name.trim().len() < 3 {
        return out;
    }
    let name = name.to_ascii_lowercase();
    // ASCII lower-casing keeps every byte in its place.
    while let Some(at) = out.to_ascii_lowercase().find(&name) {
        out.replace_range(at..at + name.len(), " ");
    }
    out
}

/// Stems as the answer writes them, at most six.
fn as_written(text: &str, stems: &[String]) -> Vec<String> {
    let written: Vec<(String, &str)> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| (stem_of(&word.to_lowercase()), word))
        .collect();
    let find = |stem: &String| written.iter().find(|(s, _)| s == stem).map(|(_, word)| (*word).to_owned());
    stems.iter().filter_map(find).take(6).collect()
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
