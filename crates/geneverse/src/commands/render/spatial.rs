//! `render spatial`: pictures of the marker task.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use geneverse_data::render::tissue::Settings;
use geneverse_data::render::tissue::series::{Series, SeriesReport, WantedGene, render_series};
use geneverse_data::store::GeneStore;
use geneverse_data::tissue::Inputs;
use geneverse_eval::figure::legend;

use crate::commands::dataset::symbol_list;
use crate::commands::tissue::LayoutArg;
use crate::stop;
use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Reads Xenium output folders, 10x matrices (mtx folder, h5), AnnData (.h5ad, places in obsm/spatial), and tables of counts \
or of transcripts (csv, tsv, parquet; plain or gzip), MERSCOPE's and CosMx's among them. Writes a picture for each gene and \
cell type, GENE__TYPE.png, pictures.jsonl with what each shows, and manifest.json. Ctrl-C stops, the same command goes on. \
With a .png for --out one picture is written, and nothing else.

Examples:
  geneverse render spatial outs/ --cell-types types.csv --gene KDR --cell-type Endothelial --legend --out kdr.png
  geneverse render spatial section.h5ad --gene panel.txt --skip-missing --size 224 --out pictures")]
pub(crate) struct SpatialArgs {
    /// Counts of genes in cells: a Xenium or 10x folder, .h5, .h5ad, or a table
    #[arg(value_name = "FILE|DIR")]
    data: PathBuf,
    /// Genes: a comma-separated list, or a file with one symbol per line
    #[arg(long, value_name = "LIST|FILE", required = true)]
    gene: String,
    /// A cell type; may be given several times [default: all]
    #[arg(long, value_name = "TYPE")]
    cell_type: Vec<String>,
    /// The folder to write, or FILE.png for one picture
    #[arg(long, value_name = "DIR|FILE")]
    out: PathBuf,
    /// A table with places of cells, where the counts have none
    #[arg(long, value_name = "FILE")]
    cells: Option<PathBuf>,
    /// A table with types of cells
    #[arg(long, value_name = "FILE")]
    cell_types: Option<PathBuf>,
    /// The column with the types, where its name does not tell
    #[arg(long, value_name = "NAME")]
    type_column: Option<String>,
    /// The genome, where a matrix has several
    #[arg(long, value_name = "NAME")]
    genome: Option<String>,
    /// A gene database: genes are found by their aliases too
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Draw the others where some genes are not there
    #[arg(long)]
    skip_missing: bool,
    /// Pixels along each side
    #[arg(long, value_name = "N", default_value_t = 336, value_parser = clap::value_parser!(u16).range(16..=8192))]
    size: u16,
    /// How gene and cell type are shown
    #[arg(long, value_enum, value_name = "LAYOUT", default_value_t = LayoutArg::Hues)]
    layout: LayoutArg,
    /// Draw on black
    #[arg(long)]
    dark: bool,
    /// Add a strip below that says which colour is how much, for people; pictures for training have no text
    #[arg(long)]
    legend: bool,
}

pub(crate) fn run(args: SpatialArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let SpatialArgs {
        data,
        gene,
        cell_type,
        out,
        cells,
        cell_types,
        type_column,
        genome,
        db,
        skip_missing,
        size,
        layout,
        dark,
        legend,
    } = args;
    let genes = wanted_genes(symbol_list(&gene)?, db.as_deref())?;
    let series = Series {
        inputs: &Inputs { data, cells, cell_types, type_column, genome, unplaced: false },
        genes: &genes,
        cell_types: &cell_type,
        settings: Settings { size: size.into(), layout: layout.into(), dark },
        legend: legend.then_some(legend::below),
        out: &out,
        skip_missing,
    };
    stop::listen();
    let report = render_series(&series, ui, &stop::asked)?;
    ui.result(&report, || text(&out, &report))?;
    Ok(if report.stopped { stop::exit() } else { ExitCode::SUCCESS })
}

/// Symbols as typed, each with what else the database knows its gene by.
fn wanted_genes(symbols: Vec<String>, db: Option<&Path>) -> anyhow::Result<Vec<WantedGene>> {
    let store = db.map(GeneStore::open).transpose()?;
    symbols
        .into_iter()
        .map(|symbol| {
            let record = match &store {
                Some(store) => store.resolve(&symbol)?.into_record(),
                None => None,
            };
            let others = record.map(|record| {
                let own = std::iter::once(record.symbol.to_string());
                own.chain(record.previous_symbols).chain(record.aliases).collect()
            });
            Ok(WantedGene { symbol, others: others.unwrap_or_default() })
        })
        .collect()
}

fn text(out: &Path, report: &SeriesReport) -> String {
    let SeriesReport {
        pictures,
        kept,
        cells,
        renamed,
        missing,
        readings,
        seconds_reading,
        seconds_drawing,
        stopped,
        already_done,
    } = report;
    let mut text = format!(
        "{}: {pictures} pictures of {cells} cells (read in {seconds_reading:.1} s, drawn in {seconds_drawing:.1} s{}{})\n",
        out.display(),
        if *kept > 0 { format!(", {kept} of them earlier") } else { String::new() },
        match (already_done, stopped) {
            (true, _) => ", made earlier from the same input",
            (_, true) => "; stopped, the same command goes on",
            _ => "",
        }
    );
    for reading in readings {
        let name = reading.file.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(
            text,
            "  {name} ({}): {} of {} rows",
            reading.what, reading.reading.used, reading.reading.rows
        );
        let left_out = [&reading.reading.skipped, &reading.reading.dropped_values];
        for (reason, count) in left_out.iter().flat_map(|skips| &skips.reasons) {
            let _ = writeln!(text, "    left out {count}: {reason}");
        }
    }
    for (symbol, name) in renamed {
        let _ = writeln!(text, "  {symbol} is {name} there");
    }
    if !missing.is_empty() {
        let _ = writeln!(text, "  not there: {}", missing.join(", "));
    }
    text
}
