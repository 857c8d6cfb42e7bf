//! Which of a gene's GO terms a reader is told.
//!
//! A gene may have hundreds of annotations, most of which follow from others or say little. Told are, of each aspect,
//! at most [`TOLD`] terms that hold for the gene product itself, of which no other one follows, experiments before
//! programs; and first those that say most, by their information over the annotations of all genes.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::annotation::{Evidence, Qualifier, Support};
use crate::gene::{GoAspect, GoId, GoTerm};
use crate::ontology::{Ontology, information};

/// How many terms of one aspect a record has at most.
pub(super) const TOLD: usize = 8;

/// "Binding" and "protein binding" are true of nearly everything and tell nothing.
const UNINFORMATIVE: [GoId; 2] = [GoId(5488), GoId(5515)];

/// An annotation of a gene: the place of its term, in which way, and how it is known.
pub(super) type Known = (usize, Qualifier, Evidence);

/// Chooses for one gene after the other.
pub(super) struct Teller<'a> {
    ontology: &'a Ontology,
    information: Vec<f64>,
    ancestors: HashMap<usize, Vec<usize>>,
}

impl<'a> Teller<'a> {
    /// `genes_per_term` is what [`Ontology::genes_per_term`] gives.
    pub(super) fn new(ontology: &'a Ontology, genes_per_term: &[u32]) -> Self {
        let terms = || ontology.terms().iter().zip(genes_per_term);
        let most =
            |aspect| terms().filter(|(t, _)| t.aspect == Some(aspect)).map(|(_, n)| *n).max().unwrap_or(0);
        let annotated = GoAspect::ALL.map(|aspect| (aspect, most(aspect)));
        let of = |aspect| annotated.iter().find(|(a, _)| Some(*a) == aspect).map_or(0, |(_, n)| *n);
        let information = terms().map(|(term, genes)| information(*genes, of(term.aspect))).collect();
        Self { ontology, information, ancestors: HashMap::new() }
    }

    /// The terms to tell, function first, then process, then component.
    pub(super) fn tell(&mut self, known: &[Known]) -> Vec<GoTerm> {
        let mut best: HashMap<usize, Support> = HashMap::new();
        for (place, qualifier, evidence) in known {
            if qualifier.is_direct() {
                let support = best.entry(*place).or_insert(evidence.support());
                *support = evidence.support().min(*support);
            }
        }
        let ontology = self.ontology;
        for place in best.keys() {
            self.ancestors.entry(*place).or_insert_with(|| ontology.ancestors(*place));
        }
        let term = |place: usize| &ontology.terms()[place];
        let follows = |place: usize| {
            best.keys().any(|other| {
                term(*other).aspect == term(place).aspect
                    && self.ancestors[other].binary_search(&place).is_ok()
            })
        };
        let mut told = Vec::new();
        for aspect in GoAspect::ALL {
            let mut chosen: Vec<(usize, Support)> = best
                .iter()
                .map(|(place, support)| (*place, *support))
                .filter(|(place, _)| term(*place).aspect == Some(aspect) && term(*place).id != aspect.root())
                .filter(|(place, _)| !UNINFORMATIVE.contains(&term(*place).id) && !follows(*place))
                .collect();
            let says_most = |place: usize| (Reverse(Ordered(self.information[place])), term(place).id);
            chosen.sort_by_key(|(place, support)| (*support, says_most(*place)));
            chosen.truncate(TOLD);
            chosen.sort_by_key(|(place, _)| says_most(*place));
            told.extend(chosen.into_iter().map(|(place, _)| GoTerm {
                id: term(place).id.to_string(),
                name: term(place).name.clone(),
                aspect,
            }));
        }
        told
    }
}

/// A number that can be sorted by.
#[derive(PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ontology::{Builder, RelationKind};
    use crate::sources::ontology::TermRow;

    fn ontology() -> Ontology {
        let term = |id, name: &str, aspect, parents: &[u32]| TermRow {
            line: 1,
            id: GoId(id),
            name: name.to_owned(),
            aspect: Some(aspect),
            obsolete: false,
            successors: Vec::new(),
            alternatives: Vec::new(),
            relations: parents.iter().map(|p| (RelationKind::IsA, GoId(*p))).collect(),
            kinds: &RelationKind::ALL,
        };
        let mut builder = Builder::default();
        for row in [
            term(8150, "biological_process", GoAspect::BiologicalProcess, &[]),
            term(1, "repair", GoAspect::BiologicalProcess, &[8150]),
            term(2, "excision repair", GoAspect::BiologicalProcess, &[1]),
            term(3, "growth", GoAspect::BiologicalProcess, &[8150]),
            term(3674, "molecular_function", GoAspect::MolecularFunction, &[]),
            term(5488, "binding", GoAspect::MolecularFunction, &[3674]),
            term(5515, "protein binding", GoAspect::MolecularFunction, &[5488]),
            term(4, "kinase activity", GoAspect::MolecularFunction, &[3674]),
        ] {
            builder.term(row, 0);
        }
        for more in 0..10 {
            builder.term(term(100 + more, "process", GoAspect::BiologicalProcess, &[8150]), 0);
        }
        builder.finish().0
    }

    fn known(ontology: &Ontology, id: u32, qualifier: &str, evidence: &str) -> Known {
        let place = ontology.place(GoId(id)).unwrap();
        (place, Qualifier::parse(qualifier).unwrap(), Evidence::parse(evidence).unwrap())
    }

    fn told(ontology: &Ontology, known: &[Known]) -> Vec<String> {
        let genes: Vec<Vec<usize>> = (0..9).map(|n| (0..=n).collect()).collect();
        let counts = ontology.genes_per_term(genes.iter().map(Vec::as_slice));
        Teller::new(ontology, &counts).tell(known).into_iter().map(|term| term.id).collect()
    }

    #[test]
    fn what_follows_from_another_or_says_nothing_is_not_told() {
        let go = ontology();
        let all = [
            known(&go, 8150, "", "IEA"),
            known(&go, 1, "involved_in", "IDA"),
            known(&go, 2, "", "IEA"),
            known(&go, 3, "acts_upstream_of", "IMP"),
            known(&go, 5515, "enables", "IPI"),
            known(&go, 5488, "", ""),
            known(&go, 4, "contributes_to", "IDA"),
        ];
        assert_eq!(told(&go, &all), ["GO:0000002"]);
    }

    #[test]
    fn of_many_the_best_supported_are_told_and_those_first_that_say_most() {
        let go = ontology();
        let mut all: Vec<Known> = (0..10).map(|n| known(&go, 100 + n, "involved_in", "IEA")).collect();
        all.push(known(&go, 1, "involved_in", "IMP"));
        let told = told(&go, &all);
        assert_eq!(told.len(), TOLD);
        // Nine genes have it, so it says least; but an experiment says it.
        assert_eq!(told.last().unwrap(), "GO:0000001");
    }
}
