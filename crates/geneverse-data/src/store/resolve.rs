//! From a text to the gene it names.
//!
//! Order: the approved symbol as written; the approved symbol in another case; previous symbols and
//! aliases, which must point at one gene only; identifiers (`HGNC:4317`, `ENSG00000111087`, `LOC2735`,
//! `2735`). A symbol that was one gene's once and is another's alias now is ambiguous: literature of
//! either time uses it.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use serde::{Deserialize, Serialize};

use super::{GeneStore, StoreError};
use crate::gene::{EnsemblId, EntrezId, GeneRecord, GeneSymbol, HgncId};

/// How many near symbols an unknown text is answered with.
const NEAR: usize = 5;

/// As what a text belongs to a gene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SymbolRole {
    /// The symbol in force.
    Approved = 0,
    /// A symbol that was in force once.
    Previous = 1,
    /// A symbol in use that never was in force.
    Alias = 2,
}

impl SymbolRole {
    /// The role in words: "previous symbol".
    pub fn words(self) -> &'static str {
        match self {
            Self::Approved => "approved symbol",
            Self::Previous => "previous symbol",
            Self::Alias => "alias",
        }
    }
}

impl FromSql for SymbolRole {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self::Approved),
            1 => Ok(Self::Previous),
            2 => Ok(Self::Alias),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

/// One of several genes that a text may mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its approved symbol.
    pub symbol: GeneSymbol,
    /// Its full name.
    pub name: String,
    /// As what the text belongs to it.
    pub role: SymbolRole,
}

/// What a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// A gene by its approved symbol (in any case) or its identifier.
    Approved(GeneRecord),
    /// A gene by another symbol.
    ByAlias {
        /// The gene.
        record: GeneRecord,
        /// The symbol as the database has it.
        alias: String,
        /// Previous symbol or alias.
        role: SymbolRole,
    },
    /// Several genes; previous symbols first, then aliases, each in symbol order.
    Ambiguous {
        /// The genes.
        candidates: Vec<Candidate>,
    },
    /// None.
    Unknown {
        /// Symbols that look like it, nearest first.
        near: Vec<String>,
    },
}

impl Resolution {
    /// The gene, where the text names exactly one.
    pub fn into_record(self) -> Option<GeneRecord> {
        match self {
            Self::Approved(record) | Self::ByAlias { record, .. } => Some(record),
            Self::Ambiguous { .. } | Self::Unknown { .. } => None,
        }
    }
}

pub(super) fn resolve(store: &GeneStore, text: &str) -> Result<Resolution, StoreError> {
    match known(store, text)? {
        Some(known) => Ok(known),
        None => Ok(Resolution::Unknown { near: near(store, text.trim())? }),
    }
}

/// What a text names; nothing where it is unknown. What it may have been meant for is not looked for, which takes long.
pub(super) fn known(store: &GeneStore, text: &str) -> Result<Option<Resolution>, StoreError> {
    let text = text.trim();
    if let Ok(symbol) = GeneSymbol::parse(text)
        && let Some(record) = store.get(&symbol)?
    {
        return Ok(Some(Resolution::Approved(record)));
    }
    let named = named(store, text)?;
    let approved: Vec<&Named> = named.iter().filter(|n| n.role == SymbolRole::Approved).collect();
    let considered = if approved.is_empty() { named.iter().collect() } else { approved };
    match considered.as_slice() {
        [] => {}
        // Sorted by role: of a gene that has it as both, the first is the previous symbol.
        [first, rest @ ..] if rest.iter().all(|n| n.gene == first.gene) => {
            let record = store.one("SELECT symbol, record FROM gene WHERE id = ?1", [first.gene])?;
            if let Some(record) = record {
                let (alias, role) = (first.text.clone(), first.role);
                return Ok(Some(match role {
                    SymbolRole::Approved => Resolution::Approved(record),
                    _ => Resolution::ByAlias { record, alias, role },
                }));
            }
        }
        several => {
            let mut candidates: Vec<Candidate> = Vec::new();
            let mut genes = Vec::new();
            for named in several {
                if !genes.contains(&named.gene)
                    && let Some(record) =
                        store.one("SELECT symbol, record FROM gene WHERE id = ?1", [named.gene])?
                {
                    genes.push(named.gene);
                    candidates.push(Candidate { symbol: record.symbol, name: record.name, role: named.role });
                }
            }
            return Ok(Some(Resolution::Ambiguous { candidates }));
        }
    }
    Ok(by_identifier(store, text)?.map(Resolution::Approved))
}

struct Named {
    text: String,
    role: SymbolRole,
    gene: i64,
}

fn named(store: &GeneStore, text: &str) -> Result<Vec<Named>, StoreError> {
    let select = "SELECT text, role, gene FROM symbol WHERE text = ?1 ORDER BY role, gene";
    let mut statement = store.ok(store.connection.prepare_cached(select))?;
    let rows = statement
        .query_map([text], |row| Ok(Named { text: row.get(0)?, role: row.get(1)?, gene: row.get(2)? }));
    store.ok(store.ok(rows)?.collect())
}

fn by_identifier(store: &GeneStore, text: &str) -> Result<Option<GeneRecord>, StoreError> {
    if text.starts_with("HGNC:") {
        return HgncId::parse(text).map_or(Ok(None), |id| store.by_hgnc(id));
    }
    if text.starts_with("ENS") {
        return EnsemblId::parse(text).map_or(Ok(None), |id| store.by_ensembl(id));
    }
    EntrezId::parse(text.trim_start_matches("LOC")).map_or(Ok(None), |id| store.by_entrez(id))
}

/// Approved symbols at most two edits away (one for short texts), then those that begin with the text.
fn near(store: &GeneStore, text: &str) -> Result<Vec<String>, StoreError> {
    let wanted: Vec<char> = text.to_uppercase().chars().take(40).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let allowed = if wanted.len() <= 4 { 1 } else { 2 };
    let mut statement = store.ok(store.connection.prepare_cached("SELECT symbol FROM gene"))?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0));
    let mut found: Vec<(usize, usize, String)> = Vec::new();
    for symbol in store.ok(rows)? {
        let symbol = store.ok(symbol)?;
        let letters: Vec<char> = symbol.to_uppercase().chars().collect();
        let edits = edits(&wanted, &letters);
        if edits <= allowed {
            found.push((edits, letters.len().abs_diff(wanted.len()), symbol));
        } else if wanted.len() >= 2 && letters.starts_with(&wanted) {
            found.push((allowed + 1, letters.len(), symbol));
        }
    }
    found.sort();
    Ok(found.into_iter().take(NEAR).map(|(_, _, symbol)| symbol).collect())
}

/// Edits between two texts: a letter more, less, changed, or two neighbours swapped
/// (optimal string alignment distance).
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = last;
        last = row;
    }
    last[b.len()]
}
