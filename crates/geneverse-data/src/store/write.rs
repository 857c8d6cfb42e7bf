//! Writes a `genes.db` in one transaction, beside its place.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::{APPLICATION_ID, Contents, SCHEMA_VERSION, StoreError, SymbolRole, sqlite_error};
use crate::annotation::Annotation;
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
CREATE TABLE go_term (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    aspect INTEGER,
    obsolete INTEGER NOT NULL,
    genes INTEGER NOT NULL
);
CREATE TABLE go_alternative (
    id INTEGER PRIMARY KEY,
    term INTEGER NOT NULL REFERENCES go_term (id)
);
CREATE TABLE go_relation (
    term INTEGER NOT NULL REFERENCES go_term (id),
    kind INTEGER NOT NULL,
    parent INTEGER NOT NULL REFERENCES go_term (id),
    PRIMARY KEY (term, kind, parent)
) WITHOUT ROWID;
CREATE TABLE go_annotation (
    gene INTEGER NOT NULL REFERENCES gene (id),
    term INTEGER NOT NULL REFERENCES go_term (id),
    qualifier TEXT NOT NULL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (gene, term, qualifier, evidence)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE gene_text USING fts5 (
    symbol, aliases, name, other_names, groups, go, summary, content = '', tokenize = 'unicode61'
);
";
/// After the rows: building an index at once is faster than keeping it while inserting.
const INDEXES: &str = "
CREATE INDEX gene_hgnc ON gene (hgnc) WHERE hgnc IS NOT NULL;
CREATE INDEX gene_entrez ON gene (entrez) WHERE entrez IS NOT NULL;
CREATE INDEX go_relation_parent ON go_relation (parent, kind);
CREATE INDEX go_annotation_term ON go_annotation (term, gene);
CREATE INDEX gene_ensembl ON gene (ensembl) WHERE ensembl IS NOT NULL;
INSERT INTO gene_text (gene_text) VALUES ('optimize');
";

pub(super) fn create(
    path: &Path,
    contents: &Contents<'_>,
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
        fill(&beside, contents, progress).map_err(|source| sqlite_error(path, source))?;
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

fn fill(path: &Path, contents: &Contents<'_>, progress: &dyn Progress) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    // No journal: the file is nobody's until it is whole, synced and renamed.
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", -64_000)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    let ids = insert_records(&transaction, contents.records, progress)?;
    insert_ontology(&transaction, contents)?;
    insert_annotations(&transaction, contents.annotations, &ids, progress)?;
    for source in contents.sources {
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

/// Genes first, then the other two tables from sorted rows: each table is filled in its own order. Returns the id of
/// each record.
fn insert_records(
    connection: &Connection,
    records: &[GeneRecord],
    progress: &dyn Progress,
) -> rusqlite::Result<Vec<i64>> {
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by(|a, b| records[*a].symbol.cmp(&records[*b].symbol));
    let mut ids = vec![0; records.len()];
    progress.start("writing genes", Some(order.len() as u64), "genes");

    let mut gene = connection.prepare(
        "INSERT INTO gene (id, symbol, hgnc, entrez, ensembl, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut text = connection.prepare(
        "INSERT INTO gene_text (rowid, symbol, aliases, name, other_names, groups, go, summary)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut symbols: Vec<(String, SymbolRole, i64)> = Vec::with_capacity(order.len() * 4);
    for (id, place) in (1_i64..).zip(order) {
        let record = &records[place];
        ids[place] = id;
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
        let go: Vec<&str> = record.go_terms.iter().map(|term| term.name.as_str()).collect();
        let summary = record.summary.as_ref().map_or("", |s| s.text.as_str());
        text.execute(params![
            id,
            record.symbol.as_str(),
            other_symbols,
            record.name,
            record.other_names.join("; "),
            record.groups.join("; "),
            go.join("; "),
            summary
        ])?;

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
    Ok(ids)
}

fn insert_ontology(connection: &Connection, contents: &Contents<'_>) -> rusqlite::Result<()> {
    let ontology = contents.ontology;
    let terms = ontology.terms();
    let mut insert = connection
        .prepare("INSERT INTO go_term (id, name, aspect, obsolete, genes) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (place, term) in terms.iter().enumerate() {
        let genes = contents.genes_per_term.get(place).copied().unwrap_or_default();
        let aspect = term.aspect.map(|aspect| aspect as i64);
        insert.execute(params![term.id.0, term.name, aspect, term.obsolete, genes])?;
    }
    let mut insert = connection.prepare("INSERT INTO go_alternative (id, term) VALUES (?1, ?2)")?;
    for (id, place) in ontology.alternatives() {
        insert.execute(params![id.0, terms[place].id.0])?;
    }
    let mut insert =
        connection.prepare("INSERT INTO go_relation (term, kind, parent) VALUES (?1, ?2, ?3)")?;
    for (place, term) in terms.iter().enumerate() {
        for (kind, parent) in ontology.relations(place) {
            insert.execute(params![term.id.0, *kind as i64, terms[*parent].id.0])?;
        }
    }
    Ok(())
}

fn insert_annotations(
    connection: &Connection,
    annotations: &[(usize, Annotation)],
    ids: &[i64],
    progress: &dyn Progress,
) -> rusqlite::Result<()> {
    if annotations.is_empty() {
        return Ok(());
    }
    progress.start("writing annotations", Some(annotations.len() as u64), "annotations");
    let mut rows: Vec<(i64, &Annotation)> = annotations.iter().map(|(gene, a)| (ids[*gene], a)).collect();
    rows.sort_by_key(|(gene, a)| (*gene, a.term, a.qualifier.name(), a.evidence.code()));
    let mut insert = connection
        .prepare("INSERT INTO go_annotation (gene, term, qualifier, evidence) VALUES (?1, ?2, ?3, ?4)")?;
    for (done, (gene, a)) in (1_u64..).zip(rows) {
        insert.execute(params![gene, a.term.0, a.qualifier.name(), a.evidence.code()])?;
        if done % 10_000 == 0 {
            progress.set(done);
        }
    }
    progress.finish();
    Ok(())
}
