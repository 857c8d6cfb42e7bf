//! `genes import` and `genes show`: the gene database.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use geneverse_data::gene::{GeneRecord, GoAspect};
use geneverse_data::import::{ImportFiles, ImportReport, import};
use geneverse_data::store::{Candidate, GeneStore, Resolution};
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
}

#[derive(Debug, Args)]
#[command(after_help = "\
Any of the files may be left out, as long as one of --hgnc, --gene-info and --records is there. Files may be \
gzipped; columns are found by name. Running it again with the same files does nothing.

Example:
  geneverse genes import --hgnc hgnc_complete_set.txt --gene-info Homo_sapiens.gene_info.gz \\
      --summaries gene_summary.gz --out genes.db")]
pub(crate) struct ImportArgs {
    /// The database to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// HGNC's complete set, or a custom download of it
    #[arg(long, value_name = "FILE")]
    hgnc: Option<PathBuf>,
    /// NCBI Gene's gene_info; other species than human are skipped
    #[arg(long, value_name = "FILE")]
    gene_info: Option<PathBuf>,
    /// Functional summaries: NCBI's gene_summary, or a table with `symbol` or `Gene_ID`, and `summary`
    #[arg(long, value_name = "FILE")]
    summaries: Option<PathBuf>,
    /// Gene records as JSON Lines, such as the bundled ones; they fill what the other files lack
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
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

pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Import(args) => run_import(args, ui),
        Command::Fetch(args) => super::fetch::run(args, ui),
        Command::Show(args) => run_show(&args, ui),
    }
}

fn run_import(args: ImportArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let ImportArgs { out, hgnc, gene_info, summaries, records } = args;
    let files = ImportFiles { hgnc, gene_info, summaries, records, out };
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
    for source in &report.sources {
        let reading = &source.reading;
        let _ = writeln!(
            text,
            "  {:<10} {}: {} rows, {} joined, {} new genes, {} skipped",
            source.role, source.file, reading.rows, source.joined, source.added, reading.skipped.total
        );
        for (reason, count) in &reading.skipped.reasons {
            let _ = writeln!(text, "             skipped {count}: {reason}");
        }
        for (reason, count) in &reading.dropped_values.reasons {
            let _ = writeln!(text, "             left out {count} values: {reason}");
        }
    }
    text
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

fn candidates_text(symbol: &str, candidates: &[Candidate]) -> String {
    let mut text = format!("{symbol} names {} genes; ask for one of them:\n", candidates.len());
    for Candidate { symbol, name, role } in candidates {
        let _ = writeln!(text, "  {:<12} {name} ({})", symbol.as_str(), role.words());
    }
    text
}

fn record_text(record: &GeneRecord, remark: Option<&str>) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {label:<12} {value}");
        }
    };
    line("kind", record.kind.noun().to_owned());
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
