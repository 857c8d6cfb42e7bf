//! The Gene Ontology and its annotations in a database.
//!
//! "Has" means propagated: a gene that is annotated with a term has that term and every one that is reached from it by
//! `is_a` and `part_of`.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Params, Row};
use serde::{Deserialize, Serialize};

use super::{GeneStore, StoreError};
use crate::annotation::{Evidence, Qualifier};
use crate::gene::{GeneSymbol, GoAspect, GoId};
use crate::ontology::{Builder, Ontology, RelationKind, Term, information};
use crate::sources::ontology::TermRow;

/// A term and how many genes have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTerm {
    /// The term.
    #[serde(flatten)]
    pub term: Term,
    /// Genes that have it.
    pub genes: u32,
}

/// What is said of a gene.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoAnnotation {
    /// The term.
    pub term: Term,
    /// In which way it holds.
    pub qualifier: Qualifier,
    /// How it is known.
    pub evidence: Evidence,
}

/// All terms that are reached from ?1 by `is_a` (0) and `part_of` (1), in either direction, ?1 among them.
const UPWARDS: &str = "WITH RECURSIVE reached (id) AS (VALUES (?1) UNION
    SELECT parent FROM go_relation JOIN reached ON term = reached.id WHERE kind IN (0, 1))";
const DOWNWARDS: &str = "WITH RECURSIVE reached (id) AS (VALUES (?1) UNION
    SELECT term FROM go_relation JOIN reached ON parent = reached.id WHERE kind IN (0, 1))";

impl GeneStore {
    /// The term of an identifier; one that was merged or replaced gives the term in use.
    pub fn go_term(&self, id: GoId) -> Result<Option<StoredTerm>, StoreError> {
        let term = |id: u32| {
            let select = "SELECT id, name, aspect, obsolete, genes FROM go_term WHERE id = ?1";
            let mut statement = self.connection.prepare_cached(select)?;
            statement
                .query_row([id], |row| Ok(StoredTerm { term: term_of(row)?, genes: row.get(4)? }))
                .optional()
        };
        let own = self.ok(term(id.0))?;
        if own.as_ref().is_some_and(|own| !own.term.obsolete) {
            return Ok(own);
        }
        let select = "SELECT term FROM go_alternative WHERE id = ?1";
        let successor = self.connection.query_row(select, [id.0], |row| row.get(0)).optional();
        match self.ok(successor)? {
            Some(successor) => self.ok(term(successor)),
            None => Ok(own),
        }
    }

    /// What a term leads to, kind by kind, each in the order of ids.
    pub fn go_relations(&self, id: GoId) -> Result<Vec<(RelationKind, GoId)>, StoreError> {
        let select = "SELECT kind, parent FROM go_relation WHERE term = ?1 ORDER BY kind, parent";
        self.all(select, [id.0], |row| {
            let number: i64 = row.get(0)?;
            let kind = RelationKind::ALL.into_iter().find(|kind| *kind as i64 == number);
            Ok((kind.ok_or(rusqlite::Error::IntegralValueOutOfRange(0, number))?, GoId(row.get(1)?)))
        })
    }

    /// The terms that every gene with this term has too, itself left out, in the order of ids.
    pub fn go_ancestors(&self, id: GoId) -> Result<Vec<GoId>, StoreError> {
        let select = format!("{UPWARDS} SELECT id FROM reached WHERE id <> ?1 ORDER BY id");
        self.all(&select, [id.0], |row| Ok(GoId(row.get(0)?)))
    }

    /// The terms from which this one follows, itself left out, in the order of ids.
    pub fn go_descendants(&self, id: GoId) -> Result<Vec<GoId>, StoreError> {
        let select = format!("{DOWNWARDS} SELECT id FROM reached WHERE id <> ?1 ORDER BY id");
        self.all(&select, [id.0], |row| Ok(GoId(row.get(0)?)))
    }

    /// What is said of the gene with this approved symbol, in the order of terms.
    pub fn go_annotations(&self, symbol: &GeneSymbol) -> Result<Vec<GoAnnotation>, StoreError> {
        let select = "SELECT go_term.id, name, aspect, obsolete, qualifier, evidence
            FROM gene JOIN go_annotation ON gene = gene.id JOIN go_term ON go_term.id = term
            WHERE symbol = ?1 ORDER BY term, qualifier, evidence";
        self.all(select, [symbol.as_str()], |row| {
            let (qualifier, evidence): (String, String) = (row.get(4)?, row.get(5)?);
            Ok(GoAnnotation {
                term: term_of(row)?,
                qualifier: Qualifier::parse(&qualifier).unwrap_or(Qualifier::NONE),
                evidence: Evidence::parse(&evidence).unwrap_or(Evidence::NONE),
            })
        })
    }

    /// The genes that have a term, in symbol order.
    pub fn genes_with_term(&self, id: GoId) -> Result<Vec<GeneSymbol>, StoreError> {
        let select = format!(
            "{DOWNWARDS} SELECT DISTINCT symbol FROM reached JOIN go_annotation ON term = reached.id
                JOIN gene ON gene.id = gene ORDER BY symbol"
        );
        let symbols: Vec<String> = self.all(&select, [id.0], |row| row.get(0))?;
        // What was written is a symbol; anything else was put there by somebody else.
        Ok(symbols.iter().filter_map(|symbol| GeneSymbol::parse(symbol).ok()).collect())
    }

    /// How much a term says: −ln of the share of genes that have it among those that have any of its aspect.
    pub fn go_information(&self, id: GoId) -> Result<Option<f64>, StoreError> {
        let Some(StoredTerm { term, genes }) = self.go_term(id)? else { return Ok(None) };
        let select = "SELECT coalesce(max(genes), 0) FROM go_term WHERE aspect IS ?1";
        let most =
            self.connection.query_row(select, [term.aspect.map(|aspect| aspect as i64)], |row| row.get(0));
        Ok(Some(information(genes, self.ok(most)?)))
    }

    /// The whole ontology, as it was imported.
    pub fn go_ontology(&self) -> Result<Ontology, StoreError> {
        let mut rows: Vec<TermRow> =
            self.all("SELECT id, name, aspect, obsolete FROM go_term ORDER BY id", [], |row| {
                let Term { id, name, aspect, obsolete } = term_of(row)?;
                let (successors, alternatives, relations) = (Vec::new(), Vec::new(), Vec::new());
                let kinds = &RelationKind::ALL;
                Ok(TermRow {
                    line: 0,
                    id,
                    name,
                    aspect,
                    obsolete,
                    successors,
                    alternatives,
                    relations,
                    kinds,
                })
            })?;
        let places: HashMap<GoId, usize> = rows.iter().enumerate().map(|(at, row)| (row.id, at)).collect();
        let relations: Vec<(u32, i64, u32)> =
            self.all("SELECT term, kind, parent FROM go_relation", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        for (term, number, parent) in relations {
            let kind = RelationKind::ALL.into_iter().find(|kind| *kind as i64 == number);
            if let (Some(kind), Some(at)) = (kind, places.get(&GoId(term))) {
                rows[*at].relations.push((kind, GoId(parent)));
            }
        }
        let alternatives: Vec<(u32, u32)> =
            self.all("SELECT id, term FROM go_alternative", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (id, term) in alternatives {
            if let Some(at) = places.get(&GoId(term)) {
                rows[*at].alternatives.push(GoId(id));
            }
        }
        let mut builder = Builder::default();
        for row in rows {
            builder.term(row, 0);
        }
        Ok(builder.finish().0)
    }

    /// Every annotated gene with the terms that it is annotated with, in the order of symbols and of ids; what follows
    /// from them is left out.
    pub fn go_terms_of_genes(&self) -> Result<Vec<(GeneSymbol, Vec<GoId>)>, StoreError> {
        let select = "SELECT DISTINCT symbol, term FROM go_annotation JOIN gene ON gene.id = gene ORDER BY symbol, term";
        let pairs: Vec<(String, u32)> = self.all(select, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let chunks = pairs.chunk_by(|a, b| a.0 == b.0);
        let gene = |chunk: &[(String, u32)]| {
            let symbol = GeneSymbol::parse(&chunk[0].0).ok()?;
            Some((symbol, chunk.iter().map(|(_, term)| GoId(*term)).collect()))
        };
        Ok(chunks.filter_map(gene).collect())
    }

    /// The approved symbols of all genes, in their order.
    pub fn symbols(&self) -> Result<Vec<GeneSymbol>, StoreError> {
        let symbols: Vec<String> =
            self.all("SELECT symbol FROM gene ORDER BY symbol", [], |row| row.get(0))?;
        Ok(symbols.iter().filter_map(|symbol| GeneSymbol::parse(symbol).ok()).collect())
    }

    pub(super) fn all<T>(
        &self,
        select: &str,
        params: impl Params,
        each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.ok(self.connection.prepare_cached(select))?;
        let rows = self.ok(statement.query_map(params, each))?;
        self.ok(rows.collect())
    }
}

/// A term from the columns `id`, `name`, `aspect`, `obsolete`.
fn term_of(row: &Row<'_>) -> rusqlite::Result<Term> {
    let aspect: Option<i64> = row.get(2)?;
    let aspect = GoAspect::ALL.into_iter().find(|known| Some(*known as i64) == aspect);
    Ok(Term { id: GoId(row.get(0)?), name: row.get(1)?, aspect, obsolete: row.get(3)? })
}
