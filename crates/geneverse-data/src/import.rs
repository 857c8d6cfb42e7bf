//! The stage `genes import`: public files and our own records, joined into one `genes.db`.
//!
//! HGNC says which genes there are and what they are called. NCBI's gene_info adds synonyms,
//! cross-references and the genes that HGNC does not name. Summaries come by NCBI id, else by symbol. Our
//! own records fill what is still missing. Any of the files may be left out.

mod join;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::gene::{GeneKind, GeneRecord};
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::sources::{Reading, gene_info, hgnc, records, summaries};
use crate::stage::{FileError, Found, finish, hash_file, look};
use crate::store::{GeneStore, SCHEMA_VERSION, Source, StoreError};
use join::Table;

/// The stage's name in manifests.
pub const STAGE: &str = "genes import";

/// What to import, and where to.
#[derive(Debug, Clone, Default)]
pub struct ImportFiles {
    /// HGNC's complete set.
    pub hgnc: Option<PathBuf>,
    /// NCBI's gene_info.
    pub gene_info: Option<PathBuf>,
    /// RefSeq's summaries.
    pub summaries: Option<PathBuf>,
    /// Our own records, JSON Lines.
    pub records: Option<PathBuf>,
    /// The database to write.
    pub out: PathBuf,
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Genes in the database.
    pub genes: usize,
    /// Genes by kind.
    pub kinds: BTreeMap<String, usize>,
    /// Genes with a functional summary.
    pub with_summary: usize,
    /// Protein-coding genes without one.
    pub protein_coding_without_summary: usize,
    /// Genes without an HGNC id.
    pub without_hgnc_id: usize,
    /// Genes without an NCBI id.
    pub without_entrez_id: usize,
    /// Each file, in the order it was read.
    pub sources: Vec<SourceReport>,
    /// Wall time of the import.
    pub seconds: f64,
    /// The database was there already, made from the same files: nothing was done.
    #[serde(skip)]
    pub already_done: bool,
}

/// What came of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceReport {
    /// What it is: `hgnc`, `gene_info`, `summaries`, `records`.
    pub role: String,
    /// The file's name, without folders.
    pub file: String,
    /// SHA-256 of its bytes.
    pub hash: String,
    /// The terms under which it may be used, where they are known.
    pub licence: Option<String>,
    /// Where it was fetched from, where that is known.
    pub url: Option<String>,
    /// When it was fetched, in UTC.
    pub fetched: Option<String>,
    /// Rows: how many, used, skipped and why.
    pub reading: Reading,
    /// Rows that added to a gene that was there.
    pub joined: usize,
    /// Rows that became a gene of their own.
    pub added: usize,
}

/// Imports the files into `files.out`; does nothing where that was finished before with the same files.
pub fn import(files: &ImportFiles, progress: &dyn Progress) -> Result<ImportReport, StoreError> {
    let ImportFiles { hgnc, gene_info, summaries, records, out } = files;
    if hgnc.is_none() && gene_info.is_none() && records.is_none() {
        let reason = "nothing to import; give at least one of an HGNC, a gene_info or a records file";
        return Err(FileError::whole(out, reason).into());
    }
    if out.extension().is_none() || out.is_dir() {
        let reason = "the output of an import is a file, expected a name such as genes.db";
        return Err(FileError::whole(out, reason).into());
    }
    let mut hashes = BTreeMap::new();
    let inputs = [("hgnc", hgnc), ("gene_info", gene_info), ("summaries", summaries), ("records", records)];
    for (role, path) in inputs {
        if let Some(path) = path {
            hashes.insert(role, hash_file(path)?);
        }
    }
    let key = json!({"schema": SCHEMA_VERSION, "inputs": hashes});
    if let Some(report) = finished_before(out, &key)? {
        return Ok(report);
    }

    let begun = Instant::now();
    let mut table = Table::default();
    let mut sources = Vec::new();
    for (role, path) in inputs {
        let Some(path) = path else { continue };
        let file = name_of(path);
        progress.start(&format!("reading {file}"), None, "rows");
        let (reading, joined, added) = match role {
            "hgnc" => read_hgnc(path, &mut table)?,
            "gene_info" => read_gene_info(path, &mut table)?,
            "summaries" => read_summaries(path, &mut table)?,
            _ => read_records(path, &mut table)?,
        };
        progress.finish();
        let hash = hashes.get(role).cloned().unwrap_or_default();
        let provenance = Provenance::of(path, &hash)?;
        let usual = usual_licence(role).map(str::to_owned);
        sources.push(SourceReport {
            role: role.to_owned(),
            file,
            hash,
            licence: provenance.as_ref().map(|p| p.licence.clone()).or(usual),
            url: provenance.as_ref().map(|p| p.url.clone()),
            fetched: provenance.map(|p| p.fetched),
            reading,
            joined,
            added,
        });
    }

    let genes = table.into_records();
    let stored: Vec<Source> = sources.iter().map(SourceReport::stored).collect();
    GeneStore::create(out, &genes, &stored, progress)?;
    let report = report(&genes, sources, begun.elapsed().as_secs_f64());
    let facts = serde_json::to_value(&report).map_err(|e| FileError::whole(out, e.to_string()))?;
    finish(out, STAGE, key, facts)?;
    Ok(report)
}

/// The report of an earlier import of the same files. What stands there otherwise must be a gene
/// database, or nothing: a mistyped `--out` shall not cost a file of another kind.
fn finished_before(out: &Path, key: &Value) -> Result<Option<ImportReport>, StoreError> {
    if !out.exists() {
        return Ok(None);
    }
    match look(out, STAGE, key)? {
        Found::Unfinished => GeneStore::open(out).map(|_| None),
        Found::Done(manifest) => {
            let report: ImportReport = serde_json::from_value(manifest.facts)
                .map_err(|e| FileError::whole(out, format!("its manifest cannot be read: {e}")))?;
            Ok(Some(ImportReport { already_done: true, ..report }))
        }
    }
}

impl SourceReport {
    fn stored(&self) -> Source {
        let Self { role, file, hash, licence, url, fetched, reading, joined: _, added: _ } = self;
        Source {
            role: role.clone(),
            file: file.clone(),
            hash: hash.clone(),
            rows: reading.rows,
            used: reading.used,
            skipped: reading.skipped.total,
            licence: licence.clone(),
            url: url.clone(),
            fetched: fetched.clone(),
        }
    }
}

/// The terms under which the authority of a role gives its files away; our own records are anybody's.
fn usual_licence(role: &str) -> Option<&'static str> {
    match role {
        "hgnc" => Some("CC0-1.0"),
        "gene_info" | "summaries" => Some("public domain"),
        "go" | "go_annotations" | "gpi" | "id_mapping" => Some("CC-BY-4.0"),
        _ => None,
    }
}

type Counts = (Reading, usize, usize);

fn read_hgnc(path: &Path, table: &mut Table) -> Result<Counts, FileError> {
    let reading = hgnc::read(path, |record| table.push(record))?;
    let added = reading.used;
    Ok((reading, 0, added))
}

fn read_gene_info(path: &Path, table: &mut Table) -> Result<Counts, FileError> {
    let mut rows = Vec::new();
    let mut reading = gene_info::read(path, gene_info::HUMAN, |row| rows.push(row))?;
    let (joined, added) = table.join_gene_info(rows, &mut |line, kind, detail| {
        reading.skipped.add(path, line, kind, detail);
        reading.used -= 1;
    });
    Ok((reading, joined, added))
}

fn read_summaries(path: &Path, table: &mut Table) -> Result<Counts, FileError> {
    let mut refused = Vec::new();
    let mut joined = 0;
    let mut reading = summaries::read(path, |row| {
        let line = row.line;
        match table.add_summary(row) {
            Ok(()) => joined += 1,
            Err((kind, detail)) => refused.push((line, kind, detail)),
        }
    })?;
    for (line, kind, detail) in refused {
        reading.skipped.add(path, line, kind, &detail);
        reading.used -= 1;
    }
    Ok((reading, joined, 0))
}

fn read_records(path: &Path, table: &mut Table) -> Result<Counts, FileError> {
    let (mut joined, mut added) = (0, 0);
    let reading =
        records::read(path, |record| if table.join_record(record) { joined += 1 } else { added += 1 })?;
    Ok((reading, joined, added))
}

fn report(genes: &[GeneRecord], sources: Vec<SourceReport>, seconds: f64) -> ImportReport {
    let count = |which: fn(&GeneRecord) -> bool| genes.iter().filter(|gene| which(gene)).count();
    let mut kinds = BTreeMap::new();
    for gene in genes {
        *kinds.entry(gene.kind.noun().to_owned()).or_default() += 1;
    }
    ImportReport {
        genes: genes.len(),
        kinds,
        with_summary: count(|g| g.summary.is_some()),
        protein_coding_without_summary: count(|g| g.kind == GeneKind::ProteinCoding && g.summary.is_none()),
        without_hgnc_id: count(|g| g.hgnc_id.is_none()),
        without_entrez_id: count(|g| g.entrez_id.is_none()),
        sources,
        seconds,
        already_done: false,
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
