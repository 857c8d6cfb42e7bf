//! The Gene Ontology's terms of all genes at once, in memory, with what follows from them.
//!
//! For what asks of many genes: a query each would take longer than reading all of it.

use std::collections::HashMap;

use super::{GeneStore, StoreError};
use crate::gene::{GeneSymbol, GoId};

/// Terms, what each follows to by `is_a` and `part_of`, and the terms with which each gene is annotated.
#[derive(Debug, Clone, Default)]
pub struct GoKnowledge {
    /// All terms, in their order.
    ids: Vec<GoId>,
    /// Their names; none where a term is out of use.
    names: Vec<Option<String>>,
    /// For each term the places of those that it leads to.
    parents: Vec<Vec<u32>>,
    genes: HashMap<String, Vec<GoId>>,
}

impl GeneStore {
    /// Reads all of it.
    pub fn go_knowledge(&self) -> Result<GoKnowledge, StoreError> {
        let terms = self.all("SELECT id, name, obsolete FROM go_term ORDER BY id", [], |row| {
            Ok((GoId(row.get(0)?), row.get::<_, String>(1)?, row.get::<_, bool>(2)?))
        })?;
        let upwards = "SELECT term, parent FROM go_relation WHERE kind IN (0, 1) ORDER BY term, parent";
        let relations = self.all(upwards, [], |row| Ok((GoId(row.get(0)?), GoId(row.get(1)?))))?;
        // In the order of the table's key, so that nothing has to be sorted.
        let annotated = "SELECT DISTINCT gene, term FROM go_annotation ORDER BY gene, term";
        let annotations: Vec<(i64, GoId)> =
            self.all(annotated, [], |row| Ok((row.get(0)?, GoId(row.get(1)?))))?;
        let mut symbols: HashMap<i64, String> = self
            .all("SELECT id, symbol FROM gene", [], |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect();
        let of_genes = annotations.chunk_by(|a, b| a.0 == b.0).filter_map(|chunk| {
            Some((symbols.remove(&chunk[0].0)?, chunk.iter().map(|(_, term)| *term).collect()))
        });
        Ok(GoKnowledge::new(terms, &relations, of_genes))
    }
}

impl GoKnowledge {
    /// From terms in the order of their ids (each with its name, and whether it is out of use), what follows from what,
    /// and the terms of genes in the order of ids.
    fn new(
        terms: Vec<(GoId, String, bool)>,
        relations: &[(GoId, GoId)],
        genes: impl IntoIterator<Item = (String, Vec<GoId>)>,
    ) -> Self {
        let ids: Vec<GoId> = terms.iter().map(|(id, ..)| *id).collect();
        let mut parents = vec![Vec::new(); ids.len()];
        for (term, parent) in relations {
            if let (Ok(term), Ok(parent)) = (ids.binary_search(term), ids.binary_search(parent)) {
                parents[term].push(parent as u32);
            }
        }
        let names = terms.into_iter().map(|(_, name, obsolete)| (!obsolete).then_some(name)).collect();
        Self { ids, names, parents, genes: genes.into_iter().collect() }
    }

    /// Whether it holds no term at all.
    pub fn is_empty(&self) -> bool {
        self.names().next().is_none()
    }

    /// A term's name.
    pub fn name(&self, id: GoId) -> Option<&str> {
        self.names[self.ids.binary_search(&id).ok()?].as_deref()
    }

    /// All terms with their names, in the order of ids.
    pub fn names(&self) -> impl Iterator<Item = (GoId, &str)> {
        self.ids.iter().zip(&self.names).filter_map(|(id, name)| Some((*id, name.as_deref()?)))
    }

    /// The terms with which a gene is annotated, in the order of ids.
    pub fn annotated(&self, symbol: &GeneSymbol) -> &[GoId] {
        self.genes.get(symbol.as_str()).map_or(&[], Vec::as_slice)
    }

    /// The terms that a gene has: those with which it is annotated and all that follow, in the order of ids.
    pub fn propagated(&self, symbol: &GeneSymbol) -> Vec<GoId> {
        let annotated = self.annotated(symbol).iter();
        let mut open: Vec<u32> =
            annotated.filter_map(|id| self.ids.binary_search(id).ok()).map(|place| place as u32).collect();
        // A bit for each term: read from the lowest, they are in the order of ids.
        let mut reached = vec![0_u64; self.ids.len().div_ceil(64)];
        while let Some(place) = open.pop() {
            let (word, bit) = (place as usize / 64, 1 << (place % 64));
            if reached[word] & bit == 0 {
                reached[word] |= bit;
                let new = |place: &&u32| reached[**place as usize / 64] & 1 << (**place % 64) == 0;
                open.extend(self.parents[place as usize].iter().filter(new));
            }
        }
        let count: u32 = reached.iter().map(|word| word.count_ones()).sum();
        let mut found = Vec::with_capacity(count as usize);
        for (at, mut word) in reached.into_iter().enumerate() {
            while word != 0 {
                found.push(self.ids[at * 64 + word.trailing_zeros() as usize]);
                word &= word - 1;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_had_too_and_once() {
        let terms = [(1, "root"), (2, "repair"), (3, "mismatch repair"), (4, "growth")];
        let terms = terms.map(|(id, name)| (GoId(id), name.to_owned(), false)).to_vec();
        let gone = (GoId(9), "gone".to_owned(), true);
        let relations = [(2, 1), (3, 1), (3, 2), (4, 1)].map(|(a, b)| (GoId(a), GoId(b)));
        let genes = [("MLH1".to_owned(), vec![GoId(3)])];
        let knowledge = GoKnowledge::new([terms, vec![gone]].concat(), &relations, genes);
        let mlh1 = GeneSymbol::parse("MLH1").unwrap();
        assert_eq!(knowledge.annotated(&mlh1), [GoId(3)]);
        assert_eq!(knowledge.propagated(&mlh1), [GoId(1), GoId(2), GoId(3)]);
        assert!(knowledge.propagated(&GeneSymbol::parse("GLI1").unwrap()).is_empty());
        assert_eq!((knowledge.name(GoId(2)), knowledge.name(GoId(9))), (Some("repair"), None));
        assert_eq!(knowledge.names().count(), 4);
        assert!(!knowledge.is_empty() && GoKnowledge::default().is_empty());
    }
}
