//! `analyze figures`: pictures from what other commands wrote, or from any table.

mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use geneverse_data::progress::Progress;
use geneverse_data::stage::read_json;
use geneverse_data::store::GeneStore;
use geneverse_eval::clusters::Clustering;
use geneverse_eval::enrich::clusters::Membership;
use geneverse_eval::figure::Figure;
use geneverse_eval::figure::axis::{Kind, count};
use geneverse_eval::figure::bars::{Bars, grouped};
use geneverse_eval::figure::lines::{Losses, Reading, Series, losses, sweep};
use geneverse_eval::figure::scatter::{Scatter, scatter};
use geneverse_eval::figure::table::{Cell, ScoreTable, scores};
use geneverse_eval::h5ad;
use geneverse_eval::measure::Intervals;
use geneverse_eval::report::read_curve;
use geneverse_eval::scores::Scores;
use serde_json::json;

use crate::ui::Ui;
use table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Points of a plane, coloured by each of the table's columns
    Scatter(ScatterArgs),
    /// Loss curves of training runs in one plot
    Losses(LossesArgs),
    /// Scores of models as a table and as bars, with intervals
    Scores(ScoresArgs),
    /// Scores against a setting that was swept
    Sweep(SweepArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
The table is a CSV with `id`, `x`, `y` and further columns, such as umap.csv of `analyze clusters`. Every further column \
gives a figure, NAME.svg, NAME.png and NAME.csv; --columns chooses. Beyond 4,000 points the SVG holds them as a picture.

Example:
  geneverse analyze figures scatter clusters/umap.csv --title 'Summaries of human genes' --out figures")]
pub(crate) struct ScatterArgs {
    /// The table
    #[arg(value_name = "FILE")]
    table: PathBuf,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The columns to colour by [default: all but id, x and y]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    columns: Vec<String>,
    /// The title
    #[arg(long, default_value = "")]
    title: String,
    /// What the axes are
    #[arg(long, default_value = "UMAP")]
    axes: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Reads metrics.jsonl of each run; a run is called by its folder's name. Writes losses.svg, losses.png and losses.csv.

Example:
  geneverse analyze figures losses runs/lora runs/full --out figures")]
pub(crate) struct LossesArgs {
    /// Folders of runs
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The title
    #[arg(long, default_value = "Loss in training")]
    title: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Files are scores.json as `evaluate` writes them, each with a name before it: NAME=FILE; without one its path is its name. \
Intervals are those of `evaluate`: they hold 95 % of 1,000 bootstrap samples of the questions. Writes table.* and bars.*, each as \
.svg, .png and .csv.

Example:
  geneverse analyze figures scores base=runs/base/scores.json finetuned=runs/lora/scores.json --out figures")]
pub(crate) struct ScoresArgs {
    /// Scores of models
    #[arg(value_name = "[NAME=]FILE", required = true)]
    scores: Vec<String>,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The title [default: the number of questions]
    #[arg(long)]
    title: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The table is a CSV with a column for the setting and one for the score; columns called `low` and `high` are the ends of \
intervals, and --series names the column that tells series apart. Writes sweep.svg, sweep.png and sweep.csv.

Example:
  geneverse analyze figures sweep ranks.csv --setting rank --score average --series model --log --out figures")]
pub(crate) struct SweepArgs {
    /// The table
    #[arg(value_name = "FILE")]
    table: PathBuf,
    /// The column of the setting
    #[arg(long, value_name = "COLUMN")]
    setting: String,
    /// The column of the score
    #[arg(long, value_name = "COLUMN")]
    score: String,
    /// The column that tells series apart
    #[arg(long, value_name = "COLUMN")]
    series: Option<String>,
    /// Settings stand by their logarithms
    #[arg(long)]
    log: bool,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The title [default: score against setting]
    #[arg(long)]
    title: Option<String>,
}

/// Runs `analyze figures`.
pub(crate) fn run(command: Command, ui: &Ui) -> Result<ExitCode> {
    let (out, figures) = match command {
        Command::Scatter(args) => run_scatter(args)?,
        Command::Losses(args) => run_losses(args)?,
        Command::Scores(args) => run_scores(args)?,
        Command::Sweep(args) => run_sweep(args)?,
    };
    let mut written = Vec::new();
    for (name, figure) in figures {
        written.extend(figure.write(&out, &name)?);
    }
    ui.result(&json!({"figures": written}), || {
        written.iter().map(|path| format!("{}\n", path.display())).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}

type Drawn = (PathBuf, Vec<(String, Figure)>);

fn run_scatter(args: ScatterArgs) -> Result<Drawn> {
    let ScatterArgs { table: path, out, columns, title, axes } = args;
    let table = Table::read(&path)?;
    let ids = table.texts("id")?;
    let (xs, ys) = (table.numbers("x")?, table.numbers("y")?);
    let places: Vec<[f32; 2]> = xs.iter().zip(&ys).map(|(x, y)| [*x as f32, *y as f32]).collect();
    let columns = if columns.is_empty() {
        let others = table.columns().iter().filter(|name| !["id", "x", "y"].contains(&name.as_str()));
        others.cloned().collect()
    } else {
        columns
    };
    if columns.is_empty() {
        bail!("{}: found columns id, x and y alone, expected one more to colour by", path.display());
    }
    let mut figures = Vec::new();
    for name in columns {
        let groups = table.texts(&name)?;
        let input = Scatter {
            title: &title,
            axes: &axes,
            group: &name,
            ids: &ids,
            places: &places,
            groups: &groups,
            words: &[],
        };
        figures.push((file_name(&name), scatter(&input)));
    }
    Ok((out, figures))
}

fn run_losses(args: LossesArgs) -> Result<Drawn> {
    let LossesArgs { runs, out, title } = args;
    let mut all = Vec::new();
    for run in &runs {
        let path = if run.is_dir() { run.join("metrics.jsonl") } else { run.clone() };
        let folder = if run.is_dir() { run.as_path() } else { run.parent().unwrap_or(run) };
        let name = folder
            .canonicalize()
            .ok()
            .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        let curve = read_curve(&name.unwrap_or_else(|| run.display().to_string()), &path)?;
        if curve.train.is_empty() && curve.validation.is_empty() {
            bail!("{}: found no loss, expected lines such as {{\"step\": 1, \"loss\": 2.3}}", path.display());
        }
        all.push(Losses { name: curve.name, train: curve.train, validation: curve.validation });
    }
    Ok((out, vec![("losses".to_owned(), losses(&title, &all))]))
}

const METRICS: [&str; 5] = ["Factual", "Structural", "Average", "BLEU", "ROUGE-1"];

fn run_scores(args: ScoresArgs) -> Result<Drawn> {
    let ScoresArgs { scores: files, out, title } = args;
    let mut rows: Vec<(String, Vec<Option<Cell>>)> = Vec::new();
    let mut counts = Vec::new();
    for file in &files {
        let (name, path) = match file.split_once('=') {
            Some((name, path)) if !name.is_empty() => (name, path),
            _ => (file.as_str(), file.as_str()),
        };
        let found: Scores = read_json(Path::new(path))?;
        counts.push(found.n);
        rows.push((name.to_owned(), cells(&found)));
    }
    counts.sort_unstable();
    counts.dedup();
    let count: Vec<String> = counts.iter().map(ToString::to_string).collect();
    let title = title.unwrap_or_else(|| format!("Scores of {} questions", count.join(" or ")));
    let bars: Vec<Bars> =
        rows.iter().map(|(name, cells)| Bars { name: name.clone(), values: cells.clone() }).collect();
    let columns = METRICS.map(str::to_owned).to_vec();
    let note = "All from 0 to 1, higher is better; the best of a column is bold. Below a score stands the interval that \
        holds 95 % of 1,000 bootstrap samples of the questions."
        .to_owned();
    let bars = grouped(&title, "score", &columns, &bars);
    let table = scores(&ScoreTable { title, rows_are: "Model".to_owned(), columns, rows, note });
    Ok((out, vec![("table".to_owned(), table), ("bars".to_owned(), bars)]))
}

/// A model's scores with their intervals: those that `scores.json` has, or, where it is older, the same computed now.
fn cells(found: &Scores) -> Vec<Option<Cell>> {
    let intervals = found.intervals.clone().or_else(|| Intervals::of(&found.items));
    let counted = found.items.iter().all(|item| item.bleu_counts.is_some());
    let cell = |value: f64, of: fn(&Intervals) -> [f64; 2], known: bool| {
        let interval = intervals.as_ref().filter(|_| known).map(of).map(|[low, high]| (low, high));
        Some(Cell { value, interval })
    };
    vec![
        cell(found.factual, |i| i.factual, true),
        cell(found.structural, |i| i.structural, true),
        cell(found.average, |i| i.average, true),
        cell(found.bleu, |i| i.bleu, counted),
        cell(found.rouge1, |i| i.rouge1, true),
    ]
}

fn run_sweep(args: SweepArgs) -> Result<Drawn> {
    let SweepArgs { table: path, setting, score, series, log, out, title } = args;
    let table = Table::read(&path)?;
    let (xs, ys) = (table.numbers(&setting)?, table.numbers(&score)?);
    if log && let Some(at) = xs.iter().position(|x| *x <= 0.0) {
        bail!("{}: row {} has {setting} {}, expected more than 0 with --log", path.display(), at + 1, xs[at]);
    }
    let ends = if table.has("low") && table.has("high") {
        Some((table.numbers("low")?, table.numbers("high")?))
    } else {
        None
    };
    let names = series.as_deref().map(|name| table.texts(name)).transpose()?;
    let mut all: Vec<Series> = Vec::new();
    for at in 0..xs.len() {
        let name = names.as_ref().map_or(score.clone(), |names| names[at].clone());
        let interval = ends.as_ref().map(|(low, high)| (low[at], high[at]));
        let reading = Reading { x: xs[at], y: ys[at], interval };
        match all.iter_mut().find(|series| series.name == name) {
            Some(series) => series.readings.push(reading),
            None => all.push(Series { name, readings: vec![reading] }),
        }
    }
    for series in &mut all {
        series.readings.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    let title = title.unwrap_or_else(|| format!("{score} against {setting}"));
    let kind = if log { Kind::Log } else { Kind::Linear };
    Ok((out, vec![("sweep".to_owned(), sweep(&title, &setting, &score, kind, &all))]))
}

/// What belongs to clusters that have been found: `figures/umap-cluster` and a figure for each labelling, the clusters' GO
/// terms in `enrichment/` where there is a database with annotations, and `clusters.h5ad` for scanpy.
pub(super) fn of_clusters(
    out: &Path,
    clustering: &Clustering,
    store: Option<&GeneStore>,
    ui: &Ui,
) -> Result<()> {
    let names: Vec<String> = clustering.clusters.iter().map(ToString::to_string).collect();
    let mut words = Vec::new();
    if let Some(store) = store {
        let member =
            |(id, cluster): (&String, &String)| Membership { id: id.clone(), cluster: cluster.clone() };
        let members = clustering.subjects.iter().zip(&names).map(member).collect();
        let found = super::enrich::of_clusters(&out.join("enrichment"), members, store, ui)?;
        // A cluster is called by its most significant process or function: where its products are says less.
        for study in found.unwrap_or_default() {
            let telling = study.top.iter().find(|term| term.namespace != "CC").or(study.top.first());
            words.extend(telling.map(|term| (study.cluster.clone(), term.name.clone())));
        }
    }
    let folder = out.join("figures");
    let draw = |group: &str, groups: &[String], words: &[(String, String)]| {
        let title = format!("{} items by {group}", count(clustering.ids.len()));
        let (ids, places) = (&clustering.ids, &clustering.coordinates);
        scatter(&Scatter { title: &title, axes: "UMAP", group, ids, places, groups, words })
            .write(&folder, &format!("umap-{}", file_name(group)))
    };
    ui.start("figures", Some(clustering.labels.len() as u64 + 1), "figures");
    draw("cluster", &names, &words)?;
    for (at, (name, labels)) in clustering.labels.iter().enumerate() {
        ui.set(at as u64 + 1);
        draw(name, labels, &[])?;
    }
    ui.finish();
    h5ad::write(&out.join("clusters.h5ad"), clustering)?;
    Ok(())
}

/// A column's name as a file's.
fn file_name(column: &str) -> String {
    column.chars().map(|c| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '-' }).collect()
}
