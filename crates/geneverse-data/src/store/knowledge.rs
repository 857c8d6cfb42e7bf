//! The Gene Ontology's terms of all genes at once, in memory, with what follows from them.
//!
//! For what asks of many genes: a query each would take longer than reading all of it.

use std::collections::HashMap;

use super::{GeneStore, StoreError};
use crate::gene::{GeneSymbol, GoId};

/// Terms, what each follows to by `is_a` and `part_of`, and the terms with which each gene is annotated.
#[derive(Debug, Clone, Default)]
pub struct GoKnowledge {
    names: HashMap<GoId, String>,
    parents: HashMap<GoId, Vec<GoId>>,
    genes: HashMap<String, Vec<GoId>>,
}

impl GeneStore {
    /// Reads all of it.
    pub fn go_knowledge(&self) -> Result<GoKnowledge, StoreError> {
        let mut knowledge = GoKnowledge::default();
        for (id, name) in
            self.all("SELECT id, name FROM go_term WHERE obsolete = 0 ORDER BY id", [], |row| {
                Ok((GoId(row.get(0)?), row.get::<_, String>(1)?))
            })?
        {
            knowledge.names.insert(id, name);
        }
        let upwards = "SELECT term, parent FROM go_relation WHERE kind IN (0, 1) ORDER BY term, parent";
        for (term, parent) in self.all(upwards, [], |row| Ok((GoId(row.get(0)?), GoId(row.get(1)?))))? {
            knowledge.parents.entry(term).or_default().push(parent);
        }
        let annotated = "SELECT DISTINCT symbol, term FROM go_annotation JOIN gene ON gene.id = gene ORDER BY symbol, term";
        for (symbol, term) in
            self.all(annotated, [], |row| Ok((row.get::<_, String>(0)?, GoId(row.get(1)?))))?
        {
            knowledge.genes.entry(symbol).or_default().push(term);
        }
        Ok(knowledge)
    }
}

impl GoKnowledge {
    /// Whether it holds no term at all.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// A term's name.
    pub fn name(&self, id: GoId) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    /// All terms with their names, in no order.
    pub fn names(&self) -> impl Iterator<Item = (GoId, &str)> {
        self.names.iter().map(|(id, name)| (*id, name.as_str()))
    }

    /// The terms with which a gene is annotated, in the order of ids.
    pub fn annotated(&self, symbol: &GeneSymbol) -> &[GoId] {
        self.genes.get(symbol.as_str()).map_or(&[], Vec::as_slice)
    }

    /// The terms that a gene has: those with which it is annotated and all that follow, in the order of ids.
    pub fn propagated(&self, symbol: &GeneSymbol) -> Vec<GoId> {
        let mut found = std::collections::BTreeSet::new();
        let mut open = self.annotated(symbol).to_vec();
        while let Some(id) = open.pop() {
            if found.insert(id) {
                open.extend(self.parents.get(&id).into_iter().flatten());
            }
        }
        found.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_had_too_and_once() {
        let terms = [(1, "root"), (2, "repair"), (3, "mismatch repair"), (4, "growth")];
        let knowledge = GoKnowledge {
            names: terms.iter().map(|(id, name)| (GoId(*id), (*name).to_owned())).collect(),
            parents: [(2, vec![1]), (3, vec![2, 1]), (4, vec![1])]
                .into_iter()
                .map(|(id, parents)| (GoId(id), parents.into_iter().map(GoId).collect()))
                .collect(),
            genes: HashMap::from([("MLH1".to_owned(), vec![GoId(3)])]),
        };
        let mlh1 = GeneSymbol::parse("MLH1").unwrap();
        assert_eq!(knowledge.annotated(&mlh1), [GoId(3)]);
        assert_eq!(knowledge.propagated(&mlh1), [GoId(1), GoId(2), GoId(3)]);
        assert!(knowledge.propagated(&GeneSymbol::parse("GLI1").unwrap()).is_empty());
        assert_eq!(knowledge.name(GoId(2)), Some("repair"));
        assert!(!knowledge.is_empty() && GoKnowledge::default().is_empty());
    }
}
