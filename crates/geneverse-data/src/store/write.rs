//! Writes a `genes.db` in one transaction, beside its place.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::{APPLICATION_ID, SCHEMA_VERSION, Source, StoreError, SymbolRole, sqlite_error};
use crate::gene::GeneRecord;
use crate::progress::Progress;
use crate::stage::FileError;

const SCHEMA: &str = "
CREATE TABLE gene (
    id INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL UNIQUE,
    hgnc INTEGER,
    entrez INTEGER,
    ensembl INTEGER,
    record TEXT NOT NULL
);
CREATE TABLE symbol (
    text TEXT NOT NULL COLLATE NOCASE,
    role INTEGER NOT NULL,
    gene INTEGER NOT NULL REFERENCES gene (id),
    PRIMARY KEY (text, role, gene)
) WITHOUT ROWID;
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    role TEXT NOT NULL,
    file TEXT NOT NULL,
    hash TEXT NOT NULL,
    rows INTEGER NOT NULL,
    used INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    licence TEXT,
    url TEXT,
    fetched TEXT
);
CREATE VIRTUAL TABLE gene_text USING fts5 (symbol, aliases, name, summary, content = '', tokenize = 'unicode61');
";
/// After the rows: building an index at once is faster than keeping it while inserting.
const INDEXES: &str = "
CREATE INDEX gene_hgnc ON gene (hgnc) WHERE hgnc IS NOT NULL;
CREATE INDEX gene_entrez ON gene (entrez) WHERE entrez IS NOT NULL;
CREATE INDEX gene_ensembl ON gene (ensembl) WHERE ensembl IS NOT NULL;
INSERT INTO gene_text (gene_text) VALUES ('optimize');
";

pub(super) fn create(
    path: &Path,
    records: &[GeneRecord],
    sources: &[Source],
    progress: &dyn Progress,
) -> Result<(), StoreError> {
    let beside = beside(path);
    let attempt = || -> Result<(), StoreError> {
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|e| FileError::io(folder, "make the folder", e))?;
        }
        if beside.exists() {
            fs::remove_file(&beside).map_err(|e| FileError::io(&beside, "remove", e))?;
        }
        fill(&beside, records, sources, progress).map_err(|source| sqlite_error(path, source))?;
        let synced = File::open(&beside).and_then(|file| file.sync_all());
        synced.and_then(|()| fs::rename(&beside, path)).map_err(|e| FileError::io(path, "write", e).into())
    };
    attempt().inspect_err(|_| {
        // The half-written neighbour is of no use to anybody; failing to remove it changes nothing.
        let _ = fs::remove_file(&beside);
    })
}

fn beside(path: &Path) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(".writing");
    path.with_file_name(name)
}

fn fill(
    path: &Path,
    records: &[GeneRecord],
    sources: &[Source],
    progress: &dyn Progress,
) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    // No journal: the file is nobody's until it is whole, synced and renamed.
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", -64_000)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    insert_records(&transaction, records, progress)?;
    for source in sources {
        transaction.execute(
            "INSERT INTO source (role, file, hash, rows, used, skipped, licence, url, fetched)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                source.role,
                source.file,
                source.hash,
                source.rows as i64,
                source.used as i64,
                source.skipped as i64,
                source.licence,
                source.url,
                source.fetched
            ],
        )?;
    }
    transaction.execute_batch(INDEXES)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

/// Genes first, then the other two tables from sorted rows: each table is filled in its own order.
fn insert_records(
    connection: &Connection,
    records: &[GeneRecord],
    progress: &dyn Progress,
) -> rusqlite::Result<()> {
    let mut order: Vec<&GeneRecord> = records.iter().collect();
    order.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    progress.start("writing genes", Some(order.len() as u64), "genes");

    let mut gene = connection.prepare(
        "INSERT INTO gene (id, symbol, hgnc, entrez, ensembl, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut text = connection.prepare(
        "INSERT INTO gene_text (rowid, symbol, aliases, name, summary) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut symbols: Vec<(String, SymbolRole, i64)> = Vec::with_capacity(order.len() * 4);
    for (id, record) in (1_i64..).zip(&order) {
        let json = serde_json::to_string(record)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
        gene.execute(params![
            id,
            record.symbol.as_str(),
            record.hgnc_id.map(|i| i.0),
            record.entrez_id.map(|i| i.0),
            record.ensembl_id.and_then(|i| i64::try_from(i.0).ok()),
            json
        ])?;
        let other_symbols = record.all_symbols()[1..].join(" ");
        let summary = record.summary.as_ref().map_or("", |s| s.text.as_str());
        text.execute(params![id, record.symbol.as_str(), other_symbols, record.name, summary])?;

        symbols.push((record.symbol.to_string(), SymbolRole::Approved, id));
        symbols.extend(record.previous_symbols.iter().map(|s| (s.clone(), SymbolRole::Previous, id)));
        symbols.extend(record.aliases.iter().map(|s| (s.clone(), SymbolRole::Alias, id)));
        if id % 1000 == 0 {
            progress.set(id.unsigned_abs());
        }
    }

    symbols.sort_by_cached_key(|(text, role, gene)| (text.to_ascii_lowercase(), *role, *gene));
    let mut symbol =
        connection.prepare("INSERT OR IGNORE INTO symbol (text, role, gene) VALUES (?1, ?2, ?3)")?;
    for (text, role, gene) in &symbols {
        symbol.execute(params![text, *role as i64, gene])?;
    }
    progress.finish();
    Ok(())
}
