//! `analyze clusters`: texts or vectors → nearest neighbours → Leiden → UMAP.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use geneverse_data::gene::GeneRecord;
use geneverse_data::progress::Progress;
use geneverse_data::stage::{Found, finish, hash_file, look, read_json};
use geneverse_data::store::GeneStore;
use geneverse_data::texts::{self, Text};
use geneverse_eval::clusters::{self, Items, Labelling, Metrics, Settings, cluster, embed};
use geneverse_eval::embedding;
use geneverse_eval::leiden::{Leiden, Quality};
use geneverse_eval::neighbors::{Method, Metric};
use geneverse_eval::umap::Umap;
use serde_json::{Value, json};

use crate::stop;
use crate::ui::Ui;

const STAGE: &str = "analyze clusters";

#[derive(Debug, Args)]
#[command(after_help = "\
One source is needed: the summaries of a database (--db), texts (--texts), answers (--answers) or vectors that are there \
already (--embeddings). Texts become vectors by TF-IDF and truncated SVD. Writes into --out:
  clusters.csv    id, cluster (0 is the largest)
  umap.csv        id, x, y, cluster, and a column for each labelling
  embedding.npy   the vectors (numpy.load), their ids in embedding.npy.ids.txt
  metrics.json    numbers of items, edges and clusters, modularity, agreement with each labelling (NMI)
  figures/        the plane by cluster and by each labelling, as .svg, .png and .csv
  clusters.h5ad   all of it as AnnData, which scanpy opens
  enrichment/     GO terms of the ten largest clusters, where --db has annotations: see `analyze enrich`,
                  --annotated-only

Labels for --labels: `kind`, `locus-type` and `group` (a gene's first HGNC group) come from --db, for the symbol that an \
item is about; `go-slim` too, with the terms' ids in --go-slim: of a gene's terms the one that the fewest genes have. \
Anything else is a table of ids and labels. An item without a label counts in no agreement.

Examples:
  geneverse analyze clusters --db genes.db --labels kind,group --out clusters
  geneverse analyze clusters --answers answers.jsonl --db genes.db --labels families.tsv --out clusters
  geneverse analyze clusters --embeddings embeddings.npy --resolution 2 --out clusters")]
pub(crate) struct ClustersArgs {
    /// The database, as made by `genes import`: where labels come from, and the texts if nothing else is given
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Texts: a line `id<TAB>text` each, or JSON Lines with `id` and `text`
    #[arg(long, value_name = "FILE", group = "source")]
    texts: Option<PathBuf>,
    /// Answers, as written by `generate` or `postprocess`
    #[arg(long, value_name = "FILE", group = "source")]
    answers: Option<PathBuf>,
    /// Vectors: .npy or .safetensors with ids in FILE.ids.txt, or .csv or .tsv
    #[arg(long, value_name = "FILE", group = "source")]
    embeddings: Option<PathBuf>,
    /// The ids of --embeddings, a line each, where they do not lie beside it
    #[arg(long, value_name = "FILE", requires = "embeddings")]
    ids: Option<PathBuf>,
    /// What clusters are compared with: kind, locus-type, group, go-slim, or tables; a comma-separated list
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    labels: Vec<String>,
    /// The terms of `--labels go-slim`: an OBO file such as goslim_generic.obo, or a list of ids
    #[arg(long, value_name = "FILE")]
    go_slim: Option<PathBuf>,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Numbers of a text's vector [default: 100]
    #[arg(long, value_name = "N", conflicts_with = "embeddings")]
    dimensions: Option<usize>,
    /// How many nearest an item is linked with, itself counted
    #[arg(long, value_name = "N", default_value_t = 15)]
    neighbors: usize,
    /// What near means
    #[arg(long, value_enum, default_value_t = MetricArg::Cosine)]
    metric: MetricArg,
    /// Compare every pair, or search approximately; auto is exact up to 40,000 items
    #[arg(long, value_enum, default_value_t = SearchArg::Auto)]
    search: SearchArg,
    /// The higher, the more clusters
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    resolution: f64,
    /// What makes a division good
    #[arg(long, value_enum, default_value_t = QualityArg::Modularity)]
    quality: QualityArg,
    /// Divide so often, and keep the best
    #[arg(long, value_name = "N", default_value_t = 4)]
    runs: u64,
    /// How close points of the plane may lie, 0 to 1
    #[arg(long, value_name = "X", default_value_t = 0.1)]
    min_dist: f64,
    /// How often points are moved [default: 500 times; 200 above 10,000 items]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Where chance comes from: the same seed gives the same bytes
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MetricArg {
    /// One minus the cosine of the angle
    Cosine,
    /// The length of the difference
    Euclidean,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SearchArg {
    Auto,
    Exact,
    Approximate,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum QualityArg {
    Modularity,
    /// Constant Potts model: the resolution is the density that a cluster needs
    Cpm,
}

/// Runs `analyze clusters`.
pub(crate) fn run(args: &ClustersArgs, ui: &Ui) -> Result<ExitCode> {
    let settings = settings(args)?;
    let dimensions = args.dimensions.unwrap_or(100);
    let key = key(args, dimensions)?;
    let metrics_path = args.out.join("metrics.json");
    if let Found::Done(manifest) = look(&args.out, STAGE, &key)?
        && metrics_path.is_file()
    {
        let metrics: Metrics = read_json(&metrics_path)?;
        return said(args, &metrics, &manifest.facts["seconds"], ui);
    }
    stop::listen();
    let begun = Instant::now();
    let store = args.db.as_deref().map(GeneStore::open).transpose()?;
    let labels = labels(args, store.as_ref(), ui)?;
    let items = items(args, dimensions, store.as_ref(), ui)?;
    for labelling in &labels {
        let known = |id: &String| labelling.labels.contains_key(id);
        if !items.embedding.ids.iter().chain(&items.subjects).any(known) {
            bail!(
                "--labels {}: none of its {} ids is that of an item, such as {:?}; expected the same ids",
                labelling.name,
                labelling.labels.len(),
                items.embedding.ids.first().map_or("", String::as_str)
            );
        }
    }
    let mut seconds = vec![("vectors", begun.elapsed().as_secs_f64())];
    if stop::asked() {
        return Ok(stop::exit());
    }
    let Some((clustering, metrics, steps)) = cluster(items, labels, &settings, ui, &stop::asked)? else {
        ui.finish();
        ui.note("stopped; nothing was written");
        return Ok(stop::exit());
    };
    seconds.extend(steps);
    clusters::write(&args.out, &clustering, &metrics)?;
    super::figures::of_clusters(&args.out, &clustering, store.as_ref(), ui)?;
    seconds.push(("all", begun.elapsed().as_secs_f64()));
    let seconds: serde_json::Map<String, Value> =
        seconds.into_iter().map(|(step, seconds)| (step.to_owned(), json!(seconds))).collect();
    let mut facts = serde_json::to_value(&metrics)?;
    facts["seconds"] = Value::Object(seconds);
    let manifest = finish(&args.out, STAGE, key, facts)?;
    said(args, &metrics, &manifest.facts["seconds"], ui)
}

fn settings(args: &ClustersArgs) -> Result<Settings> {
    let ClustersArgs { neighbors, metric, search, resolution, quality, runs, min_dist, epochs, seed, .. } =
        *args;
    if args.dimensions == Some(0) {
        bail!("--dimensions is 0, expected at least 1");
    }
    if neighbors < 2 {
        bail!("--neighbors is {neighbors}, expected at least 2: an item itself and one other");
    }
    if !(resolution.is_finite() && resolution >= 0.0) {
        bail!("--resolution is {resolution}, expected 0 or more");
    }
    if runs == 0 {
        bail!("--runs is 0, expected at least 1");
    }
    if !(0.0..=1.0).contains(&min_dist) {
        bail!("--min-dist is {min_dist}, expected 0 to 1");
    }
    if epochs == Some(0) {
        bail!("--epochs is 0, expected at least 1");
    }
    let metric = match metric {
        MetricArg::Cosine => Metric::Cosine,
        MetricArg::Euclidean => Metric::Euclidean,
    };
    let method = match search {
        SearchArg::Auto => Method::Auto,
        SearchArg::Exact => Method::Exact,
        SearchArg::Approximate => Method::Approximate,
    };
    let quality = match quality {
        QualityArg::Modularity => Quality::Modularity,
        QualityArg::Cpm => Quality::ConstantPotts,
    };
    let leiden = Leiden { quality, resolution, runs, seed };
    let umap = Umap { min_dist, epochs, seed, ..Umap::default() };
    Ok(Settings { neighbors, metric, method, leiden, umap })
}

/// What the result depends on.
fn key(args: &ClustersArgs, dimensions: usize) -> Result<Value> {
    let ClustersArgs { db, texts, answers, embeddings, ids, labels, go_slim, out: _, .. } = args;
    let hash = |path: &Option<PathBuf>| path.as_deref().map(hash_file).transpose();
    let beside = embeddings.as_deref().map(embedding::ids_path).filter(|path| path.exists());
    let mut named = serde_json::Map::new();
    for label in labels {
        let hash = if from_database(label) { None } else { Some(hash_file(Path::new(label))?) };
        named.insert(label.clone(), json!(hash));
    }
    let ClustersArgs { neighbors, metric, search, resolution, quality, runs, min_dist, epochs, seed, .. } =
        args;
    Ok(json!({
        "db": hash(db)?, "texts": hash(texts)?, "answers": hash(answers)?, "embeddings": hash(embeddings)?,
        "ids": hash(&ids.clone().or(beside))?, "labels": named, "go_slim": hash(go_slim)?,
        "dimensions": embeddings.is_none().then_some(dimensions), "neighbors": neighbors,
        "metric": format!("{metric:?}").to_lowercase(), "search": format!("{search:?}").to_lowercase(),
        "resolution": resolution, "quality": format!("{quality:?}").to_lowercase(), "runs": runs,
        "min_dist": min_dist, "epochs": epochs, "seed": seed,
    }))
}

/// What is clustered, as vectors.
fn items(args: &ClustersArgs, dimensions: usize, store: Option<&GeneStore>, ui: &Ui) -> Result<Items> {
    let texts: Vec<Text> = match (&args.embeddings, &args.texts, &args.answers, store) {
        (Some(path), ..) => return Ok(embedding::read(path, args.ids.as_deref())?.into()),
        (_, Some(path), ..) => texts::read(path)?,
        (_, _, Some(path), _) => texts::of_answers(path)?,
        (.., Some(store)) => {
            let texts = texts::of_database(store)?;
            if texts.is_empty() {
                bail!("{}: found no gene with a summary, expected some", store.path().display());
            }
            texts
        }
        (.., None) => bail!("nothing to cluster: say --db, --texts, --answers or --embeddings"),
    };
    ui.start("vectors of texts", None, "texts");
    let items = embed(texts, dimensions, args.seed)?;
    ui.finish();
    Ok(items)
}

fn from_database(label: &str) -> bool {
    matches!(label, "kind" | "locus-type" | "group" | "go-slim")
}

fn labels(args: &ClustersArgs, store: Option<&GeneStore>, ui: &Ui) -> Result<Vec<Labelling>> {
    if args.go_slim.is_some() && !args.labels.iter().any(|label| label == "go-slim") {
        bail!("--go-slim has no effect without --labels go-slim");
    }
    let mut records: Vec<GeneRecord> = Vec::new();
    let mut labellings = Vec::new();
    for label in &args.labels {
        let store = match (from_database(label), store) {
            (false, _) => {
                labellings.push(clusters::from_file(Path::new(label))?);
                continue;
            }
            (true, Some(store)) => store,
            (true, None) => bail!("--labels {label} comes from a database: say --db"),
        };
        if label == "go-slim" {
            let Some(slim) = &args.go_slim else {
                bail!("--labels go-slim: say which terms with --go-slim FILE, such as goslim_generic.obo");
            };
            labellings.push(clusters::slim(store, slim)?);
            continue;
        }
        if records.is_empty() {
            ui.start("labels", None, "genes");
            records = store.iter().collect::<Result<_, _>>()?;
            ui.finish();
        }
        labellings.push(clusters::from_records(label, &records, |record| match label.as_str() {
            "kind" => Some(record.kind.noun().to_owned()),
            "locus-type" => record.locus_type.clone(),
            _ => record.groups.first().cloned(),
        }));
    }
    Ok(labellings)
}

fn said(args: &ClustersArgs, metrics: &Metrics, seconds: &Value, ui: &Ui) -> Result<ExitCode> {
    let mut value = serde_json::to_value(metrics)?;
    value["out"] = json!(args.out);
    value["seconds"] = seconds.clone();
    ui.result(&value, || text(&args.out, metrics, seconds))?;
    Ok(ExitCode::SUCCESS)
}

fn text(out: &Path, metrics: &Metrics, seconds: &Value) -> String {
    let Metrics { items, dimensions, neighbors, edges, clusters, cluster_sizes, modularity, .. } = metrics;
    let how = if metrics.exact_neighbors { "exact" } else { "approximate" };
    let sizes: Vec<String> = cluster_sizes.iter().take(8).map(ToString::to_string).collect();
    let more = if cluster_sizes.len() > 8 { ", …" } else { "" };
    let mut text = format!(
        "{}: {items} items of {dimensions} numbers, {neighbors} neighbours each ({how}), {edges} edges\n  \
         {clusters} clusters of {}{more} items, modularity {modularity:.4}\n",
        out.display(),
        sizes.join(", ")
    );
    if metrics.components > 1 {
        let _ = writeln!(text, "  {} parts of the graph do not hang together", metrics.components);
    }
    if metrics.without_words > 0 {
        let _ = writeln!(text, "  {} texts have no word that counts: these are alike", metrics.without_words);
    }
    for agreement in &metrics.labels {
        let clusters::Agreement { name, items, labels, nmi } = agreement;
        let _ = writeln!(text, "  NMI with {name} {nmi:.3} ({items} items, {labels} labels)");
    }
    let steps = seconds.as_object().into_iter().flatten();
    let steps: Vec<String> = steps
        .map(|(step, seconds)| format!("{step} {:.2} s", seconds.as_f64().unwrap_or_default()))
        .collect();
    let _ = writeln!(text, "  {}", steps.join(", "));
    text
}
