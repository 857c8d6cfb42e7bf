//! The Gene Ontology as a graph: terms, how each leads to more general ones, and how much a term says.
//!
//! A gene that is annotated with a term is thereby annotated with every term that is reached from it by `is_a` and
//! `part_of` (<https://geneontology.org/docs/ontology-relations/>); `regulates` and the others are kept, and lead
//! nowhere here. Files of several releases can be put together: of a term that an earlier file describes, a later one
//! adds the relations of kinds about which the earlier one says nothing. So no term gets the parents of two releases.

mod build;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use build::{Builder, Refused};

use crate::gene::{GoAspect, GoId};

/// How a term leads to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// It is a special case of it.
    IsA,
    /// It is always a part of it.
    PartOf,
    /// It changes its rate or extent.
    Regulates,
    /// It raises it.
    PositivelyRegulates,
    /// It lowers it.
    NegativelyRegulates,
    /// It always has it as a part.
    HasPart,
    /// It takes place there.
    OccursIn,
    /// It takes place while the other does.
    HappensDuring,
    /// It ends while the other goes on.
    EndsDuring,
}

impl RelationKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::IsA,
        Self::PartOf,
        Self::Regulates,
        Self::PositivelyRegulates,
        Self::NegativelyRegulates,
        Self::HasPart,
        Self::OccursIn,
        Self::HappensDuring,
        Self::EndsDuring,
    ];

    /// The kind's name in OBO files: `is_a`, `part_of`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::IsA => "is_a",
            Self::PartOf => "part_of",
            Self::Regulates => "regulates",
            Self::PositivelyRegulates => "positively_regulates",
            Self::NegativelyRegulates => "negatively_regulates",
            Self::HasPart => "has_part",
            Self::OccursIn => "occurs_in",
            Self::HappensDuring => "happens_during",
            Self::EndsDuring => "ends_during",
        }
    }

    /// The kind for its name, or for its id in the Relation Ontology.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim().trim_start_matches("OBO_REL:");
        let by_id = match name {
            "BFO:0000050" => Some(Self::PartOf),
            "BFO:0000051" => Some(Self::HasPart),
            "BFO:0000066" => Some(Self::OccursIn),
            "RO:0002211" => Some(Self::Regulates),
            "RO:0002213" => Some(Self::PositivelyRegulates),
            "RO:0002212" => Some(Self::NegativelyRegulates),
            "RO:0002092" => Some(Self::HappensDuring),
            "RO:0002093" => Some(Self::EndsDuring),
            _ => None,
        };
        by_id.or_else(|| Self::ALL.into_iter().find(|kind| kind.name() == name))
    }

    /// Whether an annotation with the one is an annotation with the other.
    pub fn carries_annotations(self) -> bool {
        matches!(self, Self::IsA | Self::PartOf)
    }
}

/// A term of the ontology.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Its identifier.
    pub id: GoId,
    /// Its name.
    pub name: String,
    /// Which ontology it belongs to; obsolete terms may belong to none.
    pub aspect: Option<GoAspect>,
    /// Out of use.
    pub obsolete: bool,
}

/// What an identifier stands for today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A term in use.
    Term(usize),
    /// Another identifier of a term in use: one that was merged into it, or whose successor it is.
    Successor(usize),
    /// A term out of use, without a single successor.
    Obsolete,
    /// No term.
    Unknown,
}

/// Terms in the order of their ids; a *place* is an index into them.
#[derive(Debug, Clone, Default)]
pub struct Ontology {
    terms: Vec<Term>,
    relations: Vec<Vec<(RelationKind, usize)>>,
    places: HashMap<GoId, usize>,
    alternatives: HashMap<GoId, usize>,
}

impl Ontology {
    /// All terms.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The terms to which the one at `place` leads, by kind and then by id.
    pub fn relations(&self, place: usize) -> &[(RelationKind, usize)] {
        &self.relations[place]
    }

    /// Identifiers that stand for a term with another identifier, in their order.
    pub fn alternatives(&self) -> Vec<(GoId, usize)> {
        let mut all: Vec<_> = self.alternatives.iter().map(|(id, place)| (*id, *place)).collect();
        all.sort_unstable();
        all
    }

    /// The place of a term by its own identifier.
    pub fn place(&self, id: GoId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// What an identifier stands for.
    pub fn meaning(&self, id: GoId) -> Meaning {
        let own = self.place(id);
        match (own, self.alternatives.get(&id)) {
            (Some(place), _) if !self.terms[place].obsolete => Meaning::Term(place),
            (_, Some(&place)) => Meaning::Successor(place),
            (Some(_), None) => Meaning::Obsolete,
            (None, None) => Meaning::Unknown,
        }
    }

    /// The places of all terms that hold where the one at `place` holds, itself left out, in their order.
    pub fn ancestors(&self, place: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut seen = vec![false; self.terms.len()];
        self.climb(place, &mut seen, &mut found);
        found.retain(|ancestor| *ancestor != place);
        found.sort_unstable();
        found
    }

    /// Adds `place` and what it leads to, as far as it is not `seen` yet.
    fn climb(&self, place: usize, seen: &mut [bool], found: &mut Vec<usize>) {
        let mut open = vec![place];
        while let Some(place) = open.pop() {
            if !std::mem::replace(&mut seen[place], true) {
                found.push(place);
                let upwards = self.relations[place].iter().filter(|(kind, _)| kind.carries_annotations());
                open.extend(upwards.map(|(_, parent)| *parent));
            }
        }
    }

    /// For each gene's terms, given as places: how many genes have each term, directly or through a more special one.
    pub fn genes_per_term<'a>(&self, genes: impl Iterator<Item = &'a [usize]>) -> Vec<u32> {
        let mut counts = vec![0; self.terms.len()];
        let mut seen = vec![false; self.terms.len()];
        let mut found = Vec::new();
        for terms in genes {
            for &place in terms {
                self.climb(place, &mut seen, &mut found);
            }
            for place in found.drain(..) {
                counts[place] += 1;
                seen[place] = false;
            }
        }
        counts
    }
}

/// How much a term says: −ln of the share of annotated genes that have it (Resnik 1995). 0 for a term of all genes;
/// a term of none says as much as one of a single gene.
pub fn information(genes: u32, annotated: u32) -> f64 {
    let share = f64::from(genes.max(1)) / f64::from(annotated.max(1));
    (-share.ln()).max(0.0)
}

#[cfg(test)]
mod tests;
