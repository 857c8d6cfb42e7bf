//! The stage `genes import`: public files and our own records, joined into one `genes.db`.
//!
//! HGNC says which genes there are and what they are called. NCBI's gene_info adds synonyms,
//! cross-references and the genes that HGNC does not name. Summaries come by NCBI id, else by symbol. Our
//! own records fill what is still missing. The Gene Ontology's terms and their annotations come by identifier, else by
//! symbol (`find.rs`); what a reader is told of them is chosen (`told.rs`). Any of the files may be left out.

mod find;
mod go;
mod join;
mod told;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::gene::{GeneKind, GeneRecord, HUMAN};
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::sources::hgnc::HgncRow;
use crate::sources::{Reading, Skips, gene_info, hgnc, records, summaries};
use crate::stage::{FileError, Found, finish, hash_file, look};
use crate::store::{Contents, GeneStore, SCHEMA_VERSION, Source, StoreError};
pub use go::GoReport;
use join::Table;

/// The stage's name in manifests.
pub const STAGE: &str = "genes import";

/// What to import, and where to.
#[derive(Debug, Clone)]
pub struct ImportFiles {
    /// HGNC's complete set.
    pub hgnc: Option<PathBuf>,
    /// NCBI's gene_info.
    pub gene_info: Option<PathBuf>,
    /// RefSeq's summaries.
    pub summaries: Option<PathBuf>,
    /// Our own records, JSON Lines.
    pub records: Option<PathBuf>,
    /// The Gene Ontology: OBO files, tables of terms and of relations. What an earlier one says of a term stands.
    pub go: Vec<PathBuf>,
    /// Annotations with its terms: GAF, GPAD, gene2go, or a table.
    pub go_annotations: Vec<PathBuf>,
    /// What the identifiers in GPAD files are.
    pub gpi: Vec<PathBuf>,
    /// UniProt accessions with their genes.
    pub id_mapping: Option<PathBuf>,
    /// The species whose genes are wanted, as its id in NCBI Taxonomy.
    pub tax_id: u32,
    /// The database to write.
    pub out: PathBuf,
}

impl Default for ImportFiles {
    fn default() -> Self {
        Self {
            hgnc: None,
            gene_info: None,
            summaries: None,
            records: None,
            go: Vec::new(),
            go_annotations: Vec::new(),
            gpi: Vec::new(),
            id_mapping: None,
            tax_id: HUMAN,
            out: PathBuf::new(),
        }
    }
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
    /// Terms of the Gene Ontology and annotations with them, where they were imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go: Option<GoReport>,
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
    /// What it is: `hgnc`, `gene_info`, `summaries`, `records`, `id_mapping`, `gpi`, `go`, `go_annotations`.
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
    let out = &files.out;
    check(files)?;
    let inputs = inputs(files)?;
    let mut hashes = serde_json::Map::new();
    for Input { role, hash, .. } in &inputs {
        match (hashes.get_mut(*role), is_list(role)) {
            (Some(Value::Array(several)), _) => several.push(json!(hash)),
            (_, true) => _ = hashes.insert((*role).to_owned(), json!([hash])),
            (_, false) => _ = hashes.insert((*role).to_owned(), json!(hash)),
        }
    }
    let key = json!({"schema": SCHEMA_VERSION, "tax_id": files.tax_id, "inputs": hashes});
    if let Some(report) = finished_before(out, &key)? {
        return Ok(report);
    }

    let begun = Instant::now();
    let mut table = Table::default();
    let mut sources = Sources { done: Vec::new(), progress };
    for input in &inputs {
        let taxon = files.tax_id;
        match input.role {
            "hgnc" => sources.read(input, |path| read_hgnc(path, &mut table))?,
            "gene_info" => sources.read(input, |path| read_gene_info(path, taxon, &mut table))?,
            "summaries" => sources.read(input, |path| read_summaries(path, taxon, &mut table))?,
            "records" => sources.read(input, |path| read_records(path, taxon, &mut table))?,
            _ => {}
        }
    }
    let mut genes = table.into_records();
    let knowledge = go::read(&inputs, files.tax_id, &mut genes, &mut sources)?;

    let sources = sources.done;
    let stored: Vec<Source> = sources.iter().map(SourceReport::stored).collect();
    let contents = Contents {
        records: &genes,
        sources: &stored,
        ontology: &knowledge.ontology,
        genes_per_term: &knowledge.genes_per_term,
        annotations: &knowledge.annotations,
    };
    GeneStore::create_with(out, &contents, progress)?;
    let report = report(&genes, knowledge.report, sources, begun.elapsed().as_secs_f64());
    let facts = serde_json::to_value(&report).map_err(|e| FileError::whole(out, e.to_string()))?;
    finish(out, STAGE, key, facts)?;
    Ok(report)
}

/// What can be seen to be wrong before a file is read.
fn check(files: &ImportFiles) -> Result<(), FileError> {
    let ImportFiles {
        hgnc,
        gene_info,
        summaries: _,
        records,
        go,
        go_annotations,
        gpi,
        id_mapping: _,
        tax_id,
        out,
    } = files;
    let refuse = |reason: String| Err(FileError::whole(out, reason));
    if hgnc.is_none() && gene_info.is_none() && records.is_none() {
        return refuse(
            "nothing to import; give at least one of an HGNC, a gene_info or a records file".to_owned(),
        );
    }
    if out.extension().is_none() || out.is_dir() {
        return refuse("the output of an import is a file, expected a name such as genes.db".to_owned());
    }
    if hgnc.is_some() && *tax_id != HUMAN {
        return refuse(format!("HGNC names human genes, found taxon {tax_id}; leave the HGNC file out"));
    }
    if go.is_empty() && !go_annotations.is_empty() {
        return refuse("annotations need the terms of the Gene Ontology; give them with --go".to_owned());
    }
    if go_annotations.is_empty() && !gpi.is_empty() {
        return refuse(
            "gene products of a GPI file join annotations to genes; give these with --go-annotations"
                .to_owned(),
        );
    }
    Ok(())
}

/// A file to be read.
struct Input<'a> {
    role: &'static str,
    path: &'a Path,
    hash: String,
}

/// All files, in the order in which they are read. Genes have to be there before what is said of them.
fn inputs(files: &ImportFiles) -> Result<Vec<Input<'_>>, FileError> {
    let ImportFiles {
        hgnc,
        gene_info,
        summaries,
        records,
        go,
        go_annotations,
        gpi,
        id_mapping,
        tax_id: _,
        out: _,
    } = files;
    let single = [
        ("hgnc", hgnc),
        ("gene_info", gene_info),
        ("summaries", summaries),
        ("records", records),
        ("id_mapping", id_mapping),
    ];
    let several = [("gpi", gpi), ("go", go), ("go_annotations", go_annotations)];
    let single = single.into_iter().filter_map(|(role, path)| Some((role, path.as_deref()?)));
    let several =
        several.into_iter().flat_map(|(role, paths)| paths.iter().map(move |path| (role, path.as_path())));
    single.chain(several).map(|(role, path)| Ok(Input { role, path, hash: hash_file(path)? })).collect()
}

/// Whether there can be several files of a role.
fn is_list(role: &str) -> bool {
    matches!(role, "gpi" | "go" | "go_annotations")
}

/// The files read so far, and how reading goes on.
struct Sources<'a> {
    done: Vec<SourceReport>,
    progress: &'a dyn Progress,
}

impl Sources<'_> {
    /// Reads one file and notes what came of it.
    fn read(
        &mut self,
        input: &Input<'_>,
        read: impl FnOnce(&Path) -> Result<Counts, FileError>,
    ) -> Result<(), FileError> {
        let Input { role, path, hash } = input;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.progress.start(&format!("reading {file}"), None, "rows");
        let (reading, joined, added) = read(path)?;
        self.progress.finish();
        let provenance = Provenance::of(path, hash)?;
        self.done.push(SourceReport {
            role: (*role).to_owned(),
            file,
            hash: hash.clone(),
            licence: provenance
                .as_ref()
                .map(|p| p.licence.clone())
                .or(usual_licence(role).map(str::to_owned)),
            url: provenance.as_ref().map(|p| p.url.clone()),
            fetched: provenance.map(|p| p.fetched),
            reading,
            joined,
            added,
        });
        Ok(())
    }

    fn len(&self) -> usize {
        self.done.len()
    }

    fn get(&mut self, at: usize) -> &mut SourceReport {
        &mut self.done[at]
    }
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
    let mut withdrawn = Vec::new();
    let mut added = 0;
    let mut reading = hgnc::read(path, |row| match row {
        HgncRow::Approved(record) => {
            added += 1;
            table.push(*record);
        }
        // Its successor may stand further down.
        HgncRow::Withdrawn { line, symbol, successor } => withdrawn.push((line, symbol, successor)),
    })?;
    let mut joined = 0;
    for (line, symbol, successor) in withdrawn {
        if table.add_previous(&symbol, &successor) {
            joined += 1;
        } else {
            reading.used -= 1;
            reading.skipped.add(path, line, "withdrawn, and its successor is not here", symbol);
        }
    }
    Ok((reading, joined, added))
}

fn read_gene_info(path: &Path, taxon: u32, table: &mut Table) -> Result<Counts, FileError> {
    let mut rows = Vec::new();
    let mut reading = gene_info::read(path, taxon, |row| rows.push(row))?;
    let (joined, added) = table.join_gene_info(rows, &mut |line, kind, detail| {
        reading.skipped.add(path, line, kind, detail);
        reading.used -= 1;
    });
    Ok((reading, joined, added))
}

fn read_summaries(path: &Path, taxon: u32, table: &mut Table) -> Result<Counts, FileError> {
    let mut refused = Skips::default();
    let mut joined = 0;
    let mut reading = summaries::read(path, taxon, |row| {
        let line = row.line;
        match table.add_summary(row) {
            Ok(()) => joined += 1,
            Err((kind, detail)) => refused.add(path, line, kind, detail),
        }
    })?;
    reading.used -= refused.total;
    reading.skipped.merge(refused);
    Ok((reading, joined, 0))
}

fn read_records(path: &Path, taxon: u32, table: &mut Table) -> Result<Counts, FileError> {
    let (mut joined, mut added, mut others) = (0, 0, Skips::default());
    let mut reading = records::read(path, |line, record| {
        if record.tax_id != taxon {
            others.add(path, line, "another species", format_args!("taxon {}", record.tax_id));
        } else if table.join_record(record) {
            joined += 1;
        } else {
            added += 1;
        }
    })?;
    reading.used -= others.total;
    reading.skipped.merge(others);
    Ok((reading, joined, added))
}

fn report(
    genes: &[GeneRecord],
    go: Option<GoReport>,
    sources: Vec<SourceReport>,
    seconds: f64,
) -> ImportReport {
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
        go,
        sources,
        seconds,
        already_done: false,
    }
}

#[cfg(test)]
mod go_tests;
#[cfg(test)]
mod tests;
