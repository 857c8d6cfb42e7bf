//! `genes.db`: the gene records in one SQLite file, found by symbol, alias, identifier or words.
//!
//! | table | holds |
//! |---|---|
//! | `gene` | a record as JSON, its symbol and its HGNC, Entrez and Ensembl numbers |
//! | `symbol` | every text a gene goes by → the gene, as approved symbol, previous symbol or alias |
//! | `gene_text` | FTS5 over symbol, aliases, name, other names, groups, names of GO terms, and summary |
//! | `go_term` | the Gene Ontology's terms, each with how many genes have it, directly or through a more special one |
//! | `go_alternative` | identifiers of terms that were merged or replaced → the term in use |
//! | `go_relation` | how terms lead to each other: `is_a`, `part_of`, `regulates`, … |
//! | `go_annotation` | a gene, a term, in which way it holds, and how that is known |
//! | `source` | the files it was made from: name, SHA-256, rows, used, skipped, licence, where and when fetched |
//!
//! A database is written once and then only read. `PRAGMA user_version` is the schema's version.

mod go;
mod knowledge;
mod resolve;
mod search;
mod write;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Params};
use serde::{Deserialize, Serialize};

pub use go::{GoAnnotation, StoredTerm};
pub use knowledge::GoKnowledge;
pub use resolve::{Candidate, Resolution, SymbolRole};
pub use search::{Hit, Snippet};

use crate::annotation::Annotation;
use crate::gene::{EnsemblId, EntrezId, GeneRecord, GeneSymbol, HgncId};
use crate::ontology::Ontology;
use crate::progress::Progress;
use crate::stage::FileError;

/// The schema's version; a database of another version is refused.
pub const SCHEMA_VERSION: u32 = 2;
/// "GVGD" in `PRAGMA application_id`: tells a `genes.db` from any other SQLite file.
const APPLICATION_ID: u32 = 0x4756_4744;
/// Records fetched at once while iterating.
const PAGE: usize = 500;

/// What can go wrong with a database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is not there, or not one of ours.
    #[error(transparent)]
    File(#[from] FileError),
    /// SQLite said no.
    #[error("{path}: {source}")]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// A record inside cannot be read.
    #[error("{path}: the record of {symbol} cannot be read ({source}); import it again")]
    Record {
        /// The database.
        path: PathBuf,
        /// The gene.
        symbol: String,
        /// What is wrong with its JSON.
        source: serde_json::Error,
    },
}

/// A file that a database was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What it is: `hgnc`, `gene_info`, `summaries`, `records`, `go`, …
    pub role: String,
    /// The file's name, without folders.
    pub file: String,
    /// SHA-256 of its bytes.
    pub hash: String,
    /// Rows in it.
    pub rows: usize,
    /// Rows that were used.
    pub used: usize,
    /// Rows that were skipped.
    pub skipped: usize,
    /// The terms under which it may be used, where they are known: `CC0-1.0`, `CC-BY-4.0`, `public domain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Where it was fetched from, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it was fetched, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<String>,
}

/// What a database is made of.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// The genes; their symbols are distinct.
    pub records: &'a [GeneRecord],
    /// The files they come from.
    pub sources: &'a [Source],
    /// The Gene Ontology, or an empty one.
    pub ontology: &'a Ontology,
    /// For each of its terms, how many genes have it; see [`Ontology::genes_per_term`].
    pub genes_per_term: &'a [u32],
    /// What is said of a gene, which is given as a place in `records`. No two are equal.
    pub annotations: &'a [(usize, Annotation)],
}

/// An open database.
pub struct GeneStore {
    path: PathBuf,
    connection: Connection,
}

impl GeneStore {
    /// Writes a database beside `path` and renames it into place; on failure, what stood there stays.
    /// Symbols must be distinct.
    pub fn create(
        path: &Path,
        records: &[GeneRecord],
        sources: &[Source],
        progress: &dyn Progress,
    ) -> Result<(), StoreError> {
        let ontology = Ontology::default();
        let contents =
            Contents { records, sources, ontology: &ontology, genes_per_term: &[], annotations: &[] };
        Self::create_with(path, &contents, progress)
    }

    /// Writes a database with the Gene Ontology and annotations, as [`GeneStore::create`] does.
    pub fn create_with(
        path: &Path,
        contents: &Contents<'_>,
        progress: &dyn Progress,
    ) -> Result<(), StoreError> {
        write::create(path, contents, progress)
    }

    /// Opens a database for reading.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let not_ours = |reason: String| StoreError::File(FileError::whole(path, reason));
        if !path.is_file() {
            let reason = "not found; make a gene database with `geneverse genes import`".to_owned();
            return Err(not_ours(reason));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(|source| sqlite_error(path, source))?;
        let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
        match (pragma("application_id"), pragma("user_version")) {
            (Ok(APPLICATION_ID), Ok(SCHEMA_VERSION)) => {}
            (Ok(APPLICATION_ID), Ok(other)) => {
                return Err(not_ours(format!(
                    "found gene database schema {other}, expected {SCHEMA_VERSION}; import it again"
                )));
            }
            _ => {
                let reason =
                    "not a gene database; expected a file made by `geneverse genes import`".to_owned();
                return Err(not_ours(reason));
            }
        }
        Ok(Self { path: path.to_owned(), connection })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many genes it holds.
    pub fn len(&self) -> Result<usize, StoreError> {
        let count = self.connection.query_row("SELECT count(*) FROM gene", [], |row| row.get::<_, i64>(0));
        Ok(usize::try_from(self.ok(count)?).unwrap_or_default())
    }

    /// Whether it holds no gene at all.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.len()? == 0)
    }

    /// The files it was made from.
    pub fn sources(&self) -> Result<Vec<Source>, StoreError> {
        let select =
            "SELECT role, file, hash, rows, used, skipped, licence, url, fetched FROM source ORDER BY id";
        let mut statement = self.ok(self.connection.prepare_cached(select))?;
        let count = |row: &rusqlite::Row<'_>, column| -> rusqlite::Result<usize> {
            Ok(usize::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
        };
        let rows = statement.query_map([], |row| {
            Ok(Source {
                role: row.get(0)?,
                file: row.get(1)?,
                hash: row.get(2)?,
                rows: count(row, 3)?,
                used: count(row, 4)?,
                skipped: count(row, 5)?,
                licence: row.get(6)?,
                url: row.get(7)?,
                fetched: row.get(8)?,
            })
        });
        self.ok(self.ok(rows)?.collect())
    }

    /// The gene with this approved symbol, exactly as written.
    pub fn get(&self, symbol: &GeneSymbol) -> Result<Option<GeneRecord>, StoreError> {
        self.one("SELECT symbol, record FROM gene WHERE symbol = ?1", [symbol.as_str()])
    }

    /// The gene with this HGNC id.
    pub fn by_hgnc(&self, id: HgncId) -> Result<Option<GeneRecord>, StoreError> {
        self.one("SELECT symbol, record FROM gene WHERE hgnc = ?1 ORDER BY id", [id.0])
    }

    /// The gene with this NCBI id.
    pub fn by_entrez(&self, id: EntrezId) -> Result<Option<GeneRecord>, StoreError> {
        self.one("SELECT symbol, record FROM gene WHERE entrez = ?1 ORDER BY id", [id.0])
    }

    /// The gene with this Ensembl id; where several share one, the first in symbol order.
    pub fn by_ensembl(&self, id: EnsemblId) -> Result<Option<GeneRecord>, StoreError> {
        let number = i64::try_from(id.0).unwrap_or(i64::MAX);
        self.one("SELECT symbol, record FROM gene WHERE ensembl = ?1 ORDER BY id", [number])
    }

    /// The gene that a text names: approved symbol, previous symbol, alias or identifier.
    pub fn resolve(&self, text: &str) -> Result<Resolution, StoreError> {
        resolve::resolve(self, text)
    }

    /// The approved symbol of the gene that a text names; nothing where it names none, or several. Quicker than
    /// [`GeneStore::resolve`] where it names none.
    pub fn symbol_of(&self, text: &str) -> Result<Option<GeneSymbol>, StoreError> {
        let known = resolve::known(self, text)?;
        Ok(known.and_then(Resolution::into_record).map(|record| record.symbol))
    }

    /// All genes in symbol order.
    pub fn iter(&self) -> Records<'_> {
        Records { store: self, after: String::new(), page: VecDeque::new(), ended: false }
    }

    /// All genes in symbol order and the Gene Ontology, in memory: for what looks at every one of them. Two threads read.
    pub fn everything(&self) -> Result<(Vec<GeneRecord>, GoKnowledge), StoreError> {
        let path = self.path.as_path();
        let (records, go) = rayon::join(|| Self::open(path)?.records(), || Self::open(path)?.go_knowledge());
        Ok((records?, go?))
    }

    /// All genes in symbol order; their JSON is taken apart by all threads.
    fn records(&self) -> Result<Vec<GeneRecord>, StoreError> {
        let select = "SELECT symbol, record FROM gene ORDER BY symbol";
        let rows: Vec<(String, String)> = self.all(select, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let path = self.path.as_path();
        rows.into_par_iter().map(|(symbol, json)| parse(path, &symbol, &json)).collect()
    }

    fn one(&self, select: &str, params: impl Params) -> Result<Option<GeneRecord>, StoreError> {
        let mut statement = self.ok(self.connection.prepare_cached(select))?;
        let found = statement
            .query_row(params, |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            .optional();
        self.ok(found)?.map(|(symbol, json)| parse(&self.path, &symbol, &json)).transpose()
    }

    fn many(&self, select: &str, params: impl Params) -> Result<Vec<GeneRecord>, StoreError> {
        let mut statement = self.ok(self.connection.prepare_cached(select))?;
        let rows =
            statement.query_map(params, |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        let mut records = Vec::new();
        for row in self.ok(rows)? {
            let (symbol, json) = self.ok(row)?;
            records.push(parse(&self.path, &symbol, &json)?);
        }
        Ok(records)
    }

    fn ok<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|source| sqlite_error(&self.path, source))
    }
}

fn parse(path: &Path, symbol: &str, json: &str) -> Result<GeneRecord, StoreError> {
    serde_json::from_str(json).map_err(|source| StoreError::Record {
        path: path.to_owned(),
        symbol: symbol.to_owned(),
        source,
    })
}

/// All genes of a database in symbol order, fetched a page at a time.
pub struct Records<'a> {
    store: &'a GeneStore,
    after: String,
    page: VecDeque<GeneRecord>,
    ended: bool,
}

impl Iterator for Records<'_> {
    type Item = Result<GeneRecord, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.ended {
            let select = "SELECT symbol, record FROM gene WHERE symbol > ?1 ORDER BY symbol LIMIT ?2";
            match self.store.many(select, (&self.after, PAGE as i64)) {
                Ok(records) => {
                    self.ended = records.len() < PAGE;
                    self.after = records.last().map(|r| r.symbol.to_string()).unwrap_or_default();
                    self.page = records.into();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.page.pop_front().map(Ok)
    }
}

fn sqlite_error(path: &Path, source: rusqlite::Error) -> StoreError {
    StoreError::Sqlite { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
