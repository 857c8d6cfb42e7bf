//! `genes import`, `genes show` and `genes search`: the gene database.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use geneverse_data::gene::{GeneRecord, GoAspect, HUMAN};
use geneverse_data::import::{ImportFiles, ImportReport, import};
use geneverse_data::store::{Candidate, GeneStore, Hit, Resolution};
use serde_json::json;

use crate::ui::Ui;

/// Exit status of `genes show` for a symbol that names several genes.
const AMBIGUOUS: u8 = 2;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Join HGNC, NCBI and our own records into one database
    Import(ImportArgs),
    /// Fetch public files into a cache, or single genes from NCBI
    Fetch(super::fetch::FetchArgs),
    /// Print the record of a gene, by symbol, alias, previous symbol or identifier
    Show(ShowArgs),
    /// Find genes by words of their names, groups, GO terms and summaries
    Search(SearchArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Any of the files may be left out, as long as one of --hgnc, --gene-info and --records is there. Files may be \
gzipped; formats are told by what is in a file, columns are found by name. Running it again with the same files does \
nothing. Of the annotations each record keeps what a reader is told, at most eight terms of an aspect; the database \
has all of them.

Examples:
  geneverse genes import --hgnc hgnc_complete_set.txt --gene-info Homo_sapiens.gene_info.gz \\
      --summaries gene_summary.gz --go go-basic.obo --go-annotations goa_human.gaf.gz --out genes.db
  geneverse genes import --tax-id 10090 --gene-info gene_info.gz --go go-basic.obo \\
      --go-annotations gene2go.gz --out mouse.db")]
pub(crate) struct ImportArgs {
    /// The database to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// HGNC's complete set, or a custom download of it
    #[arg(long, value_name = "FILE")]
    hgnc: Option<PathBuf>,
    /// NCBI Gene's gene_info, of one species or of all
    #[arg(long, value_name = "FILE")]
    gene_info: Option<PathBuf>,
    /// Functional summaries: NCBI's gene_summary, or a table with `symbol` or `Gene_ID`, and `summary`
    #[arg(long, value_name = "FILE")]
    summaries: Option<PathBuf>,
    /// Gene records as JSON Lines, such as the bundled ones; they fill what the other files lack
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
    /// The Gene Ontology: go-basic.obo, or a table of terms; again for a table of relations. What an earlier file says
    /// of a term stands
    #[arg(long, value_name = "FILE")]
    go: Vec<PathBuf>,
    /// Annotations with GO terms: GAF, GPAD, gene2go, or a table of symbols or accessions and their terms; again for more
    #[arg(long, value_name = "FILE", requires = "go")]
    go_annotations: Vec<PathBuf>,
    /// Gene products (GPI): which genes the identifiers in a GPAD file are
    #[arg(long, value_name = "FILE", requires = "go_annotations")]
    gpi: Vec<PathBuf>,
    /// UniProt's idmapping.dat: which genes its accessions are
    #[arg(long, value_name = "FILE")]
    id_mapping: Option<PathBuf>,
    /// The species, as its id in NCBI Taxonomy; rows of others are skipped
    #[arg(long, value_name = "N", default_value_t = HUMAN)]
    tax_id: u32,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The exit status is 0 for one gene, 2 for a symbol that names several, 1 for one that names none.

Examples:
  geneverse genes show GLI1
  geneverse genes show HGNC:4317 --db genes.db --json")]
pub(crate) struct ShowArgs {
    /// Symbol, alias, previous symbol, or identifier (HGNC:4317, ENSG00000111087, 2735)
    symbol: String,
    /// The database, as made by `genes import`
    #[arg(long, value_name = "FILE", default_value = "genes.db")]
    db: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Words are joined by \"or\", and the genes that fit best come first; any text is a good query.

Examples:
  geneverse genes search hedgehog signaling zinc finger
  geneverse genes search 'DNA repair helicase' --limit 20 --db genes.db --json")]
pub(crate) struct SearchArgs {
    /// What to look for
    #[arg(required = true)]
    words: Vec<String>,
    /// The database, as made by `genes import`
    #[arg(long, value_name = "FILE", default_value = "genes.db")]
    db: PathBuf,
    /// How many genes to print at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
}

pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Import(args) => run_import(args, ui),
        Command::Fetch(args) => super::fetch::run(args, ui),
        Command::Show(args) => run_show(&args, ui),
        Command::Search(args) => run_search(&args, ui),
    }
}

fn run_import(args: ImportArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let ImportArgs { out, hgnc, gene_info, summaries, records, go, go_annotations, gpi, id_mapping, tax_id } =
        args;
    let files =
        ImportFiles { hgnc, gene_info, summaries, records, go, go_annotations, gpi, id_mapping, tax_id, out };
    let report = import(&files, ui)?;
    ui.result(&report, || import_text(&files, &report))?;
    Ok(ExitCode::SUCCESS)
}

fn import_text(files: &ImportFiles, report: &ImportReport) -> String {
    let mut text = String::new();
    let done = if report.already_done { ", made earlier from the same files" } else { "" };
    let _ = writeln!(
        text,
        "{}: {} genes, {} with a functional summary ({:.1} s{done})",
        files.out.display(),
        report.genes,
        report.with_summary,
        report.seconds
    );
    if let Some(go) = &report.go {
        let _ = writeln!(
            text,
            "  {} GO terms, {} annotations of {} genes; {} terms told",
            go.terms, go.annotations, go.annotated_genes, go.told
        );
    }
    for source in &report.sources {
        let reading = &source.reading;
        let _ = writeln!(
            text,
            "  {:<14} {}: {} rows, {} joined, {} new {}, {} skipped",
            source.role,
            source.file,
            reading.rows,
            source.joined,
            source.added,
            if source.role == "go" { "terms" } else { "genes" },
            reading.skipped.total
        );
        for (reason, count) in &reading.skipped.reasons {
            let _ = writeln!(text, "                 skipped {count}: {reason}");
        }
        for (reason, count) in &reading.dropped_values.reasons {
            let _ = writeln!(text, "                 left out {count} values: {reason}");
        }
        for (reason, count) in &reading.replaced_values.reasons {
            let _ = writeln!(text, "                 replaced {count} values: {reason}");
        }
    }
    text
}

fn run_search(args: &SearchArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let SearchArgs { words, db, limit } = args;
    let query = words.join(" ");
    let hits = GeneStore::open(db)?.search(&query, *limit)?;
    let said: Vec<_> = hits
        .iter()
        .map(|Hit { record, score, snippet }| {
            json!({"symbol": record.symbol, "name": record.name, "score": score, "snippet": snippet})
        })
        .collect();
    ui.result(&json!({"query": query, "hits": said}), || {
        if hits.is_empty() {
            return format!("no gene fits {query:?}");
        }
        let mut text = String::new();
        for Hit { record, score, snippet } in &hits {
            let _ = writeln!(text, "{:<12} {score:>6.2}  {}", record.symbol.as_str(), record.name);
            if let Some(snippet) = snippet {
                let _ = writeln!(text, "{:21}{}: {}", "", snippet.field, snippet.text);
            }
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

fn run_show(args: &ShowArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let ShowArgs { symbol, db } = args;
    let (said, text, code) = match GeneStore::open(db)?.resolve(symbol)? {
        Resolution::Approved(record) => {
            let text = record_text(&record, None);
            (json!({"query": symbol, "found": "approved", "record": record}), text, ExitCode::SUCCESS)
        }
        Resolution::ByAlias { record, alias, role } => {
            let remark =
                format!("{alias} is {} {} of {}", article(role.words()), role.words(), record.symbol);
            let text = record_text(&record, Some(&remark));
            let said = json!({"query": symbol, "found": role, "alias": alias, "record": record});
            (said, text, ExitCode::SUCCESS)
        }
        Resolution::Ambiguous { candidates } => {
            let text = candidates_text(symbol, &candidates);
            let said = json!({"query": symbol, "found": "ambiguous", "candidates": candidates});
            (said, text, ExitCode::from(AMBIGUOUS))
        }
        Resolution::Unknown { near } if ui.json() => {
            (json!({"query": symbol, "found": "unknown", "near": near}), String::new(), ExitCode::FAILURE)
        }
        Resolution::Unknown { near } if near.is_empty() => {
            anyhow::bail!("{}: no gene goes by {symbol:?}", db.display());
        }
        Resolution::Unknown { near } => {
            anyhow::bail!("{}: no gene goes by {symbol:?}; near it are {}", db.display(), near.join(", "));
        }
    };
    ui.result(&said, || text)?;
    Ok(code)
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with('a') { "an" } else { "a" }
}

/// The genes that a text may name.
pub(crate) fn candidates_text(symbol: &str, candidates: &[Candidate]) -> String {
    let mut text = format!("{symbol} names {} genes; ask for one of them:\n", candidates.len());
    for Candidate { symbol, name, role } in candidates {
        let _ = writeln!(text, "  {:<12} {name} ({})", symbol.as_str(), role.words());
    }
    text
}

/// A record, for people to read.
pub(crate) fn record_text(record: &GeneRecord, remark: Option<&str>) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {label:<12} {value}");
        }
    };
    line("kind", record.kind.noun().to_owned());
    if record.tax_id != HUMAN {
        line("species", format!("taxon {}", record.tax_id));
    }
    line("location", record.location.clone().unwrap_or_default());
    let ids = [
        record.hgnc_id.map(|id| id.to_string()),
        record.entrez_id.map(|id| format!("Entrez Gene:{id}")),
        record.ensembl_id.map(|id| format!("Ensembl:{id}")),
    ];
    let mut ids: Vec<String> = ids.into_iter().flatten().collect();
    ids.extend(record.omim_ids.iter().map(|id| format!("MIM:{id}")));
    ids.extend(record.uniprot_ids.iter().map(|id| format!("UniProt:{id}")));
    line("identifiers", ids.join(", "));
    line("aliases", record.aliases.join(", "));
    line("previously", record.previous_symbols.join(", "));
    line("other names", record.other_names.join("; "));
    line("groups", record.groups.join("; "));
    for (label, aspect) in [
        ("functions", GoAspect::MolecularFunction),
        ("processes", GoAspect::BiologicalProcess),
        ("components", GoAspect::CellularComponent),
    ] {
        let terms = record.go_terms.iter().filter(|term| term.aspect == aspect);
        line(label, terms.map(|term| format!("{} ({})", term.name, term.id)).collect::<Vec<_>>().join("; "));
    }
    line("pathways", record.pathways.join("; "));
    line("RefSeq", record.refseq_status.clone().unwrap_or_default());
    line("expression", record.expression.clone().unwrap_or_default());
    line("orthologs", record.orthologs.join(", "));
    if let Some(summary) = &record.summary {
        line("summary", format!("{} [{}]", summary.text, summary.source));
    }
    let remark = remark.map(|remark| format!("{remark}\n")).unwrap_or_default();
    format!("{remark}{}: {}\n{text}", record.symbol, record.name)
}
