//! What a text asserts, clause by clause: about which things, whether it is denied, and in which direction.
//!
//! Words alone do not tell "activates the hedgehog pathway" from "inhibits the hedgehog pathway", nor "is involved in
//! DNA repair" from "is not involved in DNA repair". Here a clause is its terms (see [`terms`](crate::terms)), what
//! stands behind a negation in it, and its *turns*: words that say that something is raised or lowered, each with the
//! terms it is said of. Two statements contradict each other when one denies what the other says, or when they turn the
//! same thing in opposite directions.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use geneverse_data::gene::{GeneRecord, GoId, GoTerm};
use geneverse_data::store::GoKnowledge;
use rayon::prelude::*;

use crate::hash::Map;
use crate::phrases::Phrases;
use crate::prose::{sentences, words};
use crate::terms::{TermId, TermIndex, fold_phrases};

/// The field of GO terms that the gene has beyond those that its record tells.
pub(crate) const GO_BEYOND: &str = "go_annotations";

/// A clause.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// As it is written.
    pub(crate) text: String,
    /// Which part of the record it is, where it is of one.
    pub(crate) field: &'static str,
    /// Its distinct terms, in the order of their ids.
    pub(crate) terms: Vec<TermId>,
    /// The distinct terms that it denies, likewise; empty where it denies nothing.
    pub(crate) denied: Vec<TermId>,
    turns: Vec<Turn>,
    /// The directions of all its words that have one, in their order.
    ways: Vec<bool>,
    /// Its distinct terms without those words, in the order of their ids; empty where it has none of them.
    still: Vec<TermId>,
}

/// Something is raised or lowered.
#[derive(Debug, Clone, PartialEq)]
struct Turn {
    up: bool,
    /// "Is activated by": the other way round.
    passive: bool,
    /// What it is said of: the terms behind, or before where none are behind.
    object: Vec<TermId>,
}

/// Starts of words that say that something is raised.
const UP: [&str; 17] = [
    "activat",
    "stimulat",
    "promot",
    "enhanc",
    "increas",
    "induc",
    "upregulat",
    "up-regulat",
    "potentiat",
    "facilitat",
    "trigger",
    "elevat",
    "augment",
    "agonist",
    "positive",
    "strengthen",
    "accelerat",
];

/// Starts of words that say that it is lowered.
const DOWN: [&str; 18] = [
    "inhibit",
    "repress",
    "suppress",
    "block",
    "decreas",
    "reduces",
    "reducing",
    "downregulat",
    "down-regulat",
    "attenuat",
    "antagoni",
    "prevent",
    "silenc",
    "negative",
    "diminish",
    "abolish",
    "inactivat",
    "deactivat",
];

/// Words that deny what stands behind them.
const NEGATIONS: [&str; 13] = [
    "not",
    "cannot",
    "never",
    "neither",
    "nor",
    "no",
    "lacks",
    "lack",
    "lacking",
    "unable",
    "fails",
    "incapable",
    "devoid",
];

/// A clause with one of these speaks of what is known, and denies nothing of the gene.
const OF_KNOWLEDGE: [&str; 20] = [
    "known",
    "unknown",
    "determined",
    "clear",
    "understood",
    "established",
    "characterized",
    "reported",
    "described",
    "identified",
    "elucidated",
    "been",
    "yet",
    "only",
    "fully",
    "necessarily",
    "found",
    "clearly",
    "observed",
    "shown",
];

/// Behind these a new clause begins, outside of brackets. Longest first.
const SEPARATORS: [&str; 22] = [
    ", whereas ",
    ", although ",
    ", but also ",
    " but also ",
    ", while ",
    ", which ",
    ", where ",
    "; and ",
    ", and ",
    " and is ",
    " and are ",
    " and plays ",
    " and acts ",
    " and may ",
    " and functions ",
    " and regulates ",
    " whereas ",
    " although ",
    ", but ",
    " while ",
    " but ",
    "; ",
];

/// A part of fewer words is no clause.
const SHORTEST: usize = 3;

/// As many terms behind a turn are its object.
const OBJECT: usize = 4;

/// The clauses of a text, as byte ranges.
#[cfg(test)]
fn clauses(text: &str) -> Vec<Range<usize>> {
    sentences(text).into_iter().flat_map(|sentence| clauses_of(text, &sentence)).collect()
}

fn clauses_of(text: &str, sentence: &Range<usize>) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut start, mut at, mut depth) = (sentence.start, sentence.start, 0_usize);
    while at < sentence.end {
        let rest = &text[at..sentence.end];
        let c = rest.chars().next().unwrap_or(' ');
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            ' ' | ',' | ';' if depth == 0 => {
                let separator = may_separate(rest.as_bytes())
                    .then(|| SEPARATORS.iter().find(|separator| rest.starts_with(**separator)))
                    .flatten();
                let long = |range: Range<usize>| words(&text[range]).len() >= SHORTEST;
                if let Some(separator) = separator.filter(|_| long(start..at) && long(at..sentence.end)) {
                    found.push(start..at);
                    // Its first words belong to the clause: "but not in muscle".
                    start = at + separator.len() - separator.trim_start_matches([',', ';', ' ']).len();
                    at += separator.len();
                    continue;
                }
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    found.push(start..sentence.end);
    found
}

/// Whether one of [`SEPARATORS`] may stand here, by what its words begin with.
fn may_separate(rest: &[u8]) -> bool {
    match rest {
        [b' ', word, ..] | [b',', b' ', word, ..] => matches!(word, b'a' | b'b' | b'w'),
        [b';', b' ', ..] => true,
        _ => false,
    }
}

impl Statement {
    /// A clause as a statement.
    pub(crate) fn of(text: &str, field: &'static str, index: &TermIndex) -> Self {
        let mut lower = text.to_lowercase();
        if lower.contains('’') {
            lower = lower.replace('’', "'");
        }
        let lower = fold_phrases(&lower);
        let placed = words(&lower);
        let written: Vec<&str> = placed.iter().map(|(_, word)| *word).collect();
        let ways: Vec<bool> = written.iter().filter_map(|word| direction(word)).collect();
        // Few clauses turn anything.
        let (turns, still) = if ways.is_empty() {
            (Vec::new(), Vec::new())
        } else {
            let mark = |from: usize, to: usize| lower[from..to].contains([',', ';', ':', '(', ')']);
            let before = |n: usize| if n == 0 { 0 } else { placed[n - 1].0.end };
            let breaks: Vec<bool> = (0..placed.len()).map(|n| mark(before(n), placed[n].0.start)).collect();
            let still = written.iter().copied().filter(|word| direction(word).is_none());
            let still = index.ids_of_lower(&still.collect::<Vec<_>>().join(" "));
            (turns(&written, &breaks, index), still)
        };
        let terms = index.ids_of_lower(&lower);
        let denied = denied(&written, index);
        Self { text: text.trim().to_owned(), field, terms, denied, turns, ways, still }
    }

    /// The record's statement whose opposite this one says, where none of them says the same.
    pub(crate) fn contradicted<'a>(
        &self,
        record: &'a [Arc<Statement>],
        index: &TermIndex,
    ) -> Option<&'a Statement> {
        let turned = || self.turned(record, index).or_else(|| self.twin(record, index));
        self.denies(record, index).or_else(turned)
    }

    /// The record's statement that this one denies.
    fn denies<'a>(&self, record: &'a [Arc<Statement>], index: &TermIndex) -> Option<&'a Statement> {
        // A word that the database does not have is no evidence.
        let denied: Vec<TermId> = self.denied.iter().copied().filter(|&id| TermIndex::is_known(id)).collect();
        if !says_enough(&denied, index) {
            return None;
        }
        let also_denied = record.iter().any(|r| share(&denied, &r.denied, index) >= SAME_DENIAL);
        let said = |r: &&Statement| {
            r.denied.is_empty()
                && (share(&denied, &r.terms, index) >= DENIED
                    || says_enough(&r.terms, index) && share(&r.terms, &denied, index) >= WHOLLY_DENIED)
        };
        record.iter().map(Arc::as_ref).find(said).filter(|_| !also_denied)
    }

    /// The record's statement that turns the same thing the other way.
    fn turned<'a>(&self, record: &'a [Arc<Statement>], index: &TermIndex) -> Option<&'a Statement> {
        let least = ENOUGH_TURNED * index.heaviest();
        self.turns.iter().filter(|turn| index.weight(&turn.object) >= least).find_map(|turn| {
            let of = |other: &Turn| share(&turn.object, &other.object, index);
            let same = |other: &Turn| {
                other.passive == turn.passive
                    && of(other).min(share(&other.object, &turn.object, index)) >= SAME_OBJECT
            };
            let confirmed =
                |r: &Statement| r.turns.iter().any(|other| other.up == turn.up && of(other) >= CLOSE_OBJECT);
            if record.iter().any(|r| confirmed(r)) {
                return None;
            }
            record
                .iter()
                .map(Arc::as_ref)
                .find(|r: &&Statement| r.turns.iter().any(|other| other.up != turn.up && same(other)))
        })
    }

    /// The record's statement that says the same of the same things but for the directions, where none says the same with
    /// these: "its activation prevents apoptosis", "its activation promotes apoptosis".
    fn twin<'a>(&self, record: &'a [Arc<Statement>], index: &TermIndex) -> Option<&'a Statement> {
        let least = ENOUGH_TURNED * index.heaviest();
        if self.ways.is_empty() || !self.denied.is_empty() || index.weight(&self.still) < least {
            return None;
        }
        let alike = |r: &&Statement| {
            r.ways.len() == self.ways.len()
                && r.denied.is_empty()
                && share(&self.still, &r.still, index) >= TWIN
                && share(&r.still, &self.still, index) >= TWIN
        };
        let twins: Vec<&Statement> = record.iter().map(Arc::as_ref).filter(alike).collect();
        let confirmed = twins.iter().any(|twin| twin.ways == self.ways);
        twins.into_iter().next().filter(|_| !confirmed)
    }
}

/// Two clauses are the same but for their directions where each has this share of the other's other terms.
const TWIN: f64 = 0.8;
/// A record says what is denied where it has this share of the denied terms, by weight, in one statement.
const DENIED: f64 = 0.6;
/// Or where all but this of what it says is denied.
const WHOLLY_DENIED: f64 = 0.8;
/// A record that denies this share of them says the same.
const SAME_DENIAL: f64 = 0.5;
/// Two turns are of the same thing where each has this share of the other's object.
const SAME_OBJECT: f64 = 0.6;
/// A turn of the record confirms another where it has this share of its object.
const CLOSE_OBJECT: f64 = 0.75;

/// What is denied has to weigh this much of a term that one gene alone has: two usual terms, or a rare one.
const ENOUGH: f64 = 0.4;
/// What is turned, likewise: one term that is not everybody's.
const ENOUGH_TURNED: f64 = 0.24;

/// Whether terms say enough to be held against a record.
pub(crate) fn says_enough(terms: &[TermId], index: &TermIndex) -> bool {
    index.weight(terms) >= ENOUGH * index.heaviest()
}

/// The share of `wanted`, by weight, that `there` has; both in the order of ids.
pub(crate) fn share(wanted: &[TermId], there: &[TermId], index: &TermIndex) -> f64 {
    let mut there = there.iter().peekable();
    let (mut whole, mut found) = (0.0, 0.0);
    for &id in wanted {
        let weight = index.weight_of(id);
        whole += weight;
        while there.next_if(|other| **other < id).is_some() {}
        if there.peek().is_some_and(|other| **other == id) {
            found += weight;
        }
    }
    if whole > 0.0 { found / whole } else { 0.0 }
}

/// The statements of a text, clause by clause. What is denied goes on through a list: "does not enable A; B; and C".
pub(crate) fn statements(text: &str, field: &'static str, index: &TermIndex) -> Vec<Statement> {
    let mut all: Vec<Statement> = Vec::new();
    for sentence in sentences(text) {
        let mut denying = false;
        for range in clauses_of(text, &sentence) {
            let mut statement = Statement::of(&text[range], field, index);
            if denying && goes_on(&statement.text) {
                statement.denied.clone_from(&statement.terms);
                statement.turns.clear();
                statement.ways.clear();
            }
            denying = !statement.denied.is_empty();
            all.push(statement);
        }
    }
    all
}

/// Whether a clause is one more item of the list before it: it has no verb of its own.
fn goes_on(clause: &str) -> bool {
    const VERBS: [&str; 22] = [
        "is",
        "are",
        "was",
        "were",
        "has",
        "have",
        "may",
        "can",
        "encodes",
        "plays",
        "acts",
        "binds",
        "regulates",
        "functions",
        "contains",
        "mediates",
        "catalyzes",
        "interacts",
        "belongs",
        "but",
        "whereas",
        "while",
    ];
    !words(clause).iter().take(4).any(|(_, word)| VERBS.contains(&word.to_lowercase().as_str()))
}

/// The names of all GO terms as statements: genes share them.
pub(crate) type GoStatements = Map<GoId, Arc<Statement>>;

/// Makes them.
pub(crate) fn of_go(go: &GoKnowledge, index: &TermIndex) -> GoStatements {
    let names: Vec<(GoId, &str)> = go.names().collect();
    let made = names.into_par_iter().map(|(id, name)| (id, Arc::new(Statement::of(name, GO_BEYOND, index))));
    made.collect()
}

/// What a record states of a gene's function, and after that the GO terms that the gene has beyond those told in it.
pub(crate) fn of_record(
    gene: &GeneRecord,
    go: &GoKnowledge,
    of_go: &GoStatements,
    index: &TermIndex,
) -> Vec<Arc<Statement>> {
    let summary = gene.summary.iter().flat_map(|summary| statements(&summary.text, "summary", index));
    let mut all: Vec<Arc<Statement>> = summary.map(Arc::new).collect();
    // Nearly all names are the ontology's, which are taken apart already.
    let add_go = |all: &mut Vec<Arc<Statement>>, term: &GoTerm| {
        let known = GoId::parse(&term.id).ok().and_then(|id| of_go.get(&id));
        all.push(Arc::new(match known.filter(|known| known.text == term.name) {
            Some(known) => Statement { field: "go_terms", ..Statement::clone(known) },
            None => Statement::of(&term.name, "go_terms", index),
        }));
    };
    gene.go_terms.iter().for_each(|term| add_go(&mut all, term));
    let mut add = |text: &str, field| all.push(Arc::new(Statement::of(text, field, index)));
    gene.pathways.iter().for_each(|name| add(name, "pathways"));
    gene.groups.iter().for_each(|name| add(name, "groups"));
    gene.expression.iter().for_each(|text| add(text, "expression"));
    let told: Vec<GoId> = gene.go_terms.iter().filter_map(|term| GoId::parse(&term.id).ok()).collect();
    let beyond = go.propagated(&gene.symbol).into_iter().filter(|id| !told.contains(id));
    all.extend(beyond.filter_map(|id| of_go.get(&id)).cloned());
    all
}

/// The terms behind the first negation of a clause that denies something of the gene.
fn denied(words: &[&str], index: &TermIndex) -> Vec<TermId> {
    let negation = words.iter().position(|word| NEGATIONS.contains(word) || word.ends_with("n't"));
    let Some(at) = negation else { return Vec::new() };
    // "Not only", "has not been determined", "is not known".
    let near = words[at + 1..].iter().take(3).any(|word| OF_KNOWLEDGE.contains(word));
    if near {
        return Vec::new();
    }
    index.ids(&words[at + 1..].join(" "))
}

fn direction(word: &str) -> Option<bool> {
    static STARTS: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(DOWN.into_iter().chain(UP)));
    STARTS.begins(word).first().map(|first| first >= DOWN.len())
}

/// The turns of a clause; `breaks[i]` tells of a mark of punctuation before the `i`-th word.
fn turns(words: &[&str], breaks: &[bool], index: &TermIndex) -> Vec<Turn> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(up) = direction(word) else { continue };
        let begin = (0..=at).rev().find(|place| breaks[*place]).unwrap_or(0);
        // "Inhibits the activation of", "negative regulation of the induction of": the first is told, of the second.
        if words[begin..at].iter().rev().take(4).any(|word| direction(word).is_some()) {
            continue;
        }
        // A denied turn is a denial, see `denied`.
        if words[begin..at].iter().rev().take(3).any(|w| NEGATIONS.contains(w) || w.ends_with("n't")) {
            continue;
        }
        let next = words.get(at + 1).copied().unwrap_or_default();
        let passive = word.ends_with("ed") && next == "by";
        let end = (at + 1..words.len()).find(|place| breaks[*place] || direction(words[*place]).is_some());
        let behind = index.ids_in_order(&words[at + 1..end.unwrap_or(words.len())].join(" "));
        // "Activator" of what stands before it, unless an "of" follows.
        let agent = ["or", "ors", "ist", "ists"].iter().any(|ending| word.ends_with(ending)) && next != "of";
        let mut object = behind;
        if agent || object.is_empty() {
            object = index.ids_in_order(&words[begin..at].join(" "));
            object.drain(..object.len().saturating_sub(2));
        }
        object.truncate(OBJECT);
        object.sort_unstable();
        object.dedup();
        found.push(Turn { up, passive, object });
    }
    found
}

#[cfg(test)]
mod tests;
