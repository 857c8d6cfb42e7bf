//! `analyze enrich`: GO terms of a study, or of each cluster.

mod told;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use geneverse_data::gene::HUMAN;
use geneverse_data::progress::Progress;
use geneverse_data::stage::{Found, Manifest, atomic_write, finish, hash_file, look, read_json, write_json};
use geneverse_data::store::GeneStore;
use geneverse_eval::enrich::clusters::{ClusterTerms, Membership, enrich_clusters, read_clusters};
use geneverse_eval::enrich::inputs::{Knowledge, read_genes, resolve};
use geneverse_eval::enrich::{
    Alternative, Background, Correction, HEADER, Propagation, Tally, Test, enrich, row, top,
};
use geneverse_eval::figure::terms;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::stop;
use crate::ui::Ui;

const STAGE: &str = "analyze enrich";
/// A table with all tested terms of ten clusters is mostly terms that no gene of the cluster has. What is left out by
/// default are those that are not even rarer than chance would have them.
const RARER: f64 = 0.05;
/// Terms of a cluster in the figure that has clusters side by side; all top terms are in the panels.
const DOTS_EACH: usize = 3;

#[derive(Debug, Args)]
#[command(after_help = "\
Genes, ontology and annotations come from a database (--db), or from files (--population, --associations, --obo). With \
files genes are compared as they are written. With --db they are looked up by symbol, alias or identifier, and without \
--population all genes with an annotation are the population. Clusters are compared with all that were clustered.

Annotations count for all terms above by is_a, with --part-of by part_of too. Each term is tested by Fisher's exact test; \
p-values, counts and corrections are those of goatools. Writes into --out:
  terms.tsv       a row per term: counts, p, p corrected in three ways, depth, genes; with --all also terms that the study
                  has nothing of
  enrichment.json the top terms, and what was read
  enrichment.svg, .png, .csv   bars of the top terms; of clusters also dots.svg, .png, .csv

Examples:
  geneverse analyze enrich --study genes.txt --db genes.db --out enriched
  geneverse analyze enrich --clusters clusters/clusters.csv --db genes.db --out clusters/enriched
  geneverse analyze enrich --study study --population population --associations goa_human.gaf.gz \\
      --obo go-basic.obo --alternative greater --correction bonferroni --out enriched")]
pub(crate) struct EnrichArgs {
    /// The genes to describe, a line each
    #[arg(long, value_name = "FILE", required_unless_present = "clusters")]
    study: Option<PathBuf>,
    /// Clusters in place of a study: a CSV with `id` and `cluster`
    #[arg(long, value_name = "FILE", conflicts_with = "study")]
    clusters: Option<PathBuf>,
    /// The genes that the study was taken from, a line each
    #[arg(long, value_name = "FILE")]
    population: Option<PathBuf>,
    /// The database, as made by `genes import` with --go and --go-annotations
    #[arg(long, value_name = "FILE", conflicts_with_all = ["associations", "obo"])]
    db: Option<PathBuf>,
    /// Annotations: GAF, GPAD, gene2go, or rows of a gene and its terms
    #[arg(long, value_name = "FILE", requires = "obo", required_unless_present = "db")]
    associations: Option<PathBuf>,
    /// The ontology, such as go-basic.obo
    #[arg(long, value_name = "FILE", requires = "associations")]
    obo: Option<PathBuf>,
    /// The species of --associations, as its id in NCBI Taxonomy, where the file says it
    #[arg(long, value_name = "N", default_value_t = HUMAN, conflicts_with = "db")]
    tax_id: u32,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Annotations count for the whole of which a term is a part, too
    #[arg(long)]
    part_of: bool,
    /// Genes without any annotation do not count as part of the population
    #[arg(long)]
    annotated_only: bool,
    /// What speaks against chance: more or fewer genes, or more alone, or fewer alone
    #[arg(long, value_enum, default_value_t = AlternativeArg::TwoSided)]
    alternative: AlternativeArg,
    /// By which corrected p a term is significant
    #[arg(long, value_enum, default_value_t = CorrectionArg::FdrBh)]
    correction: CorrectionArg,
    /// Up to which corrected p a term is significant
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    alpha: f64,
    /// Terms that fewer genes of the population have are not tested
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_genes: u32,
    /// Terms that more genes of the population have are not tested [default: no limit]
    #[arg(long, value_name = "N")]
    max_genes: Option<u32>,
    /// How many terms to print and draw, of each cluster
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// How many clusters to describe, largest first
    #[arg(long, value_name = "N", default_value_t = 10, requires = "clusters")]
    top_clusters: usize,
    /// Every tested term into terms.tsv
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AlternativeArg {
    TwoSided,
    Greater,
    Less,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CorrectionArg {
    Bonferroni,
    Holm,
    /// Benjamini and Hochberg's false discovery rate
    FdrBh,
}

/// What is written and printed.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    /// What became of the annotations.
    annotations: Tally,
    test: Test,
    propagation: Propagation,
    /// Genes of the study or of the clusters that the population does not have, or that name no gene or several.
    left_out: Vec<String>,
    /// Terms tested.
    tests: usize,
    /// The study, or each cluster.
    studies: Vec<ClusterTerms>,
}

/// Runs `analyze enrich`.
pub(crate) fn run(args: &EnrichArgs, ui: &Ui) -> Result<ExitCode> {
    let (test, propagation) = settings(args)?;
    let key = key(args, &test, propagation)?;
    let json_path = args.out.join("enrichment.json");
    if let Found::Done(manifest) = look(&args.out, STAGE, &key)?
        && json_path.is_file()
    {
        return said(args, &read_json(&json_path)?, &manifest, ui);
    }
    stop::listen();
    let begun = Instant::now();
    let genes = genes(args)?;
    let store = args.db.as_deref().map(GeneStore::open).transpose()?;
    let source = match (&store, &args.obo, &args.associations) {
        (Some(store), ..) => Source::Store(store),
        (None, Some(obo), Some(associations)) => Source::Files { obo, associations, taxon: args.tax_id },
        _ => bail!("no annotations: say --db, or --obo and --associations"),
    };
    let EnrichArgs { top, top_clusters, all, .. } = *args;
    let input = Input { genes, propagation, test, top, top_clusters, all };
    let Some((outcome, table)) = input.run(source, ui)? else {
        ui.finish();
        ui.note("stopped; nothing was written");
        return Ok(stop::exit());
    };
    write(&args.out, &outcome, &table, args.clusters.is_some())?;
    let facts = json!({
        "tests": outcome.tests, "studies": outcome.studies.len(), "left_out": outcome.left_out.len(),
        "seconds": begun.elapsed().as_secs_f64(),
    });
    let manifest = finish(&args.out, STAGE, key, facts)?;
    // What was written is said, so that a second run says the same to the last digit.
    said(args, &read_json(&json_path)?, &manifest, ui)
}

fn settings(args: &EnrichArgs) -> Result<(Test, Propagation)> {
    let EnrichArgs { alpha, min_genes, max_genes, top, top_clusters, part_of, annotated_only, .. } = *args;
    if !(alpha > 0.0 && alpha <= 1.0) {
        bail!("--alpha is {alpha}, expected more than 0 and at most 1");
    }
    if top == 0 {
        bail!("--top is 0, expected at least 1");
    }
    if top_clusters == 0 {
        bail!("--top-clusters is 0, expected at least 1");
    }
    let max_genes = max_genes.unwrap_or(u32::MAX);
    if min_genes > max_genes {
        bail!("--min-genes is {min_genes} and --max-genes {max_genes}: no term has so many genes");
    }
    if args.db.is_none() && args.clusters.is_none() && args.population.is_none() {
        bail!("--population is missing: say which genes the study was taken from");
    }
    if args.clusters.is_some() && args.population.is_some() {
        bail!(
            "--population has no effect with --clusters: clusters are compared with all that were clustered"
        );
    }
    let alternative = match args.alternative {
        AlternativeArg::TwoSided => Alternative::TwoSided,
        AlternativeArg::Greater => Alternative::Greater,
        AlternativeArg::Less => Alternative::Less,
    };
    let correction = match args.correction {
        CorrectionArg::Bonferroni => Correction::Bonferroni,
        CorrectionArg::Holm => Correction::Holm,
        CorrectionArg::FdrBh => Correction::FdrBh,
    };
    let test = Test { alternative, correction, alpha, min_genes, max_genes };
    Ok((test, Propagation { part_of, annotated_only }))
}

/// What the result depends on.
fn key(args: &EnrichArgs, test: &Test, propagation: Propagation) -> Result<Value> {
    let EnrichArgs {
        study, clusters, population, db, associations, obo, tax_id, top, top_clusters, all, ..
    } = args;
    let hash = |path: &Option<PathBuf>| path.as_deref().map(hash_file).transpose();
    Ok(json!({
        "study": hash(study)?, "clusters": hash(clusters)?, "population": hash(population)?, "db": hash(db)?,
        "associations": hash(associations)?, "obo": hash(obo)?, "tax_id": tax_id, "test": test,
        "propagation": propagation, "top": top, "top_clusters": clusters.as_ref().map(|_| top_clusters), "all": all,
    }))
}

/// Genes as the files name them.
enum Genes {
    Study { study: Vec<String>, population: Option<Vec<String>> },
    Clusters(Vec<Membership>),
}

fn genes(args: &EnrichArgs) -> Result<Genes> {
    if let Some(path) = &args.clusters {
        return Ok(Genes::Clusters(read_clusters(path)?));
    }
    let study = args.study.as_deref().map(read_genes).transpose()?.unwrap_or_default();
    let population = args.population.as_deref().map(read_genes).transpose()?;
    Ok(Genes::Study { study, population })
}

/// Where terms and annotations are.
#[derive(Clone, Copy)]
enum Source<'a> {
    Store(&'a GeneStore),
    Files { obo: &'a Path, associations: &'a Path, taxon: u32 },
}

struct Input {
    genes: Genes,
    propagation: Propagation,
    test: Test,
    top: usize,
    top_clusters: usize,
    all: bool,
}

/// The terms of clusters of genes, written into a folder as `analyze enrich --annotated-only --clusters` does, but without a
/// manifest;
/// nothing where the database has no annotations or not one of the genes, or it was stopped.
pub(super) fn of_clusters(
    out: &Path,
    members: Vec<Membership>,
    store: &GeneStore,
    ui: &Ui,
) -> Result<Option<Vec<ClusterTerms>>> {
    let annotated: HashSet<String> =
        store.go_terms_of_genes()?.into_iter().map(|(symbol, _)| symbol.to_string()).collect();
    let resolved = resolve(store, members.iter().map(|member| member.id.as_str()))?;
    if !resolved.symbols.values().any(|symbol| annotated.contains(symbol)) {
        return Ok(None);
    }
    // Genes about which nothing is known would make it the foremost term of the others that something is.
    let propagation = Propagation { part_of: false, annotated_only: true };
    let test = Test::default();
    let genes = Genes::Clusters(members);
    let input = Input { genes, propagation, test, top: 10, top_clusters: 10, all: false };
    let Some((outcome, rows)) = input.run(Source::Store(store), ui)? else { return Ok(None) };
    write(out, &outcome, &rows, true)?;
    Ok(Some(outcome.studies))
}

impl Input {
    /// The outcome and the rows of the table; nothing where it was stopped.
    fn run(mut self, source: Source<'_>, ui: &Ui) -> Result<Option<(Outcome, String)>> {
        ui.start("terms and annotations", None, "files");
        let mut left_out = Vec::new();
        if let Source::Store(store) = source {
            self.approve(store, &mut left_out)?;
        }
        let knowledge = self.knowledge(source)?;
        let annotated = knowledge.annotations.keys().map(String::as_str);
        let population: Vec<&str> = match &self.genes {
            Genes::Study { population: Some(genes), .. } => genes.iter().map(String::as_str).collect(),
            Genes::Study { population: None, .. } => annotated.collect(),
            Genes::Clusters(members) => members.iter().map(|member| member.id.as_str()).collect(),
        };
        let annotations = knowledge.annotations.iter().map(|(gene, terms)| (gene.as_str(), terms.as_slice()));
        let (background, tally) =
            Background::new(&knowledge.ontology, population, annotations, self.propagation);
        ui.finish();
        if tally.terms == 0 {
            bail!(
                "none of {} genes of the population has a term; the first is {:?}, expected genes by the names that the \
                 annotations use",
                tally.population,
                background.genes().first().map_or("", String::as_str)
            );
        }
        if stop::asked() {
            return Ok(None);
        }
        let mut rows = String::new();
        let studies = match &self.genes {
            Genes::Study { study, .. } => {
                let (places, _) = background.study(study.iter().map(String::as_str));
                let known: HashSet<&str> = background.genes().iter().map(String::as_str).collect();
                left_out.extend(study.iter().filter(|gene| !known.contains(gene.as_str())).cloned());
                if places.is_empty() {
                    bail!(
                        "none of {} genes of the study is in the population of {}; the first is {:?}",
                        study.len(),
                        tally.population,
                        study.first().map_or("", String::as_str)
                    );
                }
                let tested = enrich(&background, &places, &self.test);
                let (first, count) = top(&tested, self.test.alpha, self.top);
                let cluster = String::new();
                vec![ClusterTerms { cluster, size: places.len(), enriched: count, top: first, tested }]
            }
            Genes::Clusters(members) => {
                ui.start("clusters", Some(self.top_clusters as u64), "clusters");
                let pairs = members.iter().map(|member| (member.cluster.as_str(), member.id.as_str()));
                let each = |done: usize| {
                    ui.set(done as u64);
                    !stop::asked()
                };
                let done = enrich_clusters(&background, pairs, self.top_clusters, self.top, &self.test, each);
                ui.finish();
                if stop::asked() {
                    return Ok(None);
                }
                done
            }
        };
        let tests = studies.first().map_or(0, |study| study.tested.len());
        for study in &studies {
            let clustered = matches!(self.genes, Genes::Clusters(_));
            let name = if clustered { format!("{}\t", study.cluster) } else { String::new() };
            for term in &study.tested {
                if self.all || term.study_count > 0 || term.p <= RARER {
                    let _ = writeln!(rows, "{name}{}", row(term));
                }
            }
        }
        left_out.sort_unstable();
        left_out.dedup();
        let (test, propagation) = (self.test, self.propagation);
        let outcome = Outcome { annotations: tally, test, propagation, left_out, tests, studies };
        Ok(Some((outcome, rows)))
    }

    /// Puts approved symbols in the place of what the files say; what names no gene, or several, is left out.
    fn approve(&mut self, store: &GeneStore, left_out: &mut Vec<String>) -> Result<()> {
        let all: Vec<&str> = match &self.genes {
            Genes::Study { study, population } => {
                study.iter().chain(population.iter().flatten()).map(String::as_str).collect()
            }
            Genes::Clusters(members) => members.iter().map(|member| member.id.as_str()).collect(),
        };
        let resolved = resolve(store, all)?;
        let approve = |genes: &mut Vec<String>| {
            *genes = genes.iter().filter_map(|gene| resolved.symbols.get(gene).cloned()).collect();
        };
        match &mut self.genes {
            Genes::Study { study, population } => {
                approve(study);
                population.iter_mut().for_each(approve);
            }
            Genes::Clusters(members) => members.retain_mut(|member| {
                let symbol = resolved.symbols.get(&member.id).cloned();
                let known = symbol.is_some();
                member.id = symbol.unwrap_or_default();
                known
            }),
        }
        left_out.extend(resolved.unresolved);
        Ok(())
    }

    fn knowledge(&self, source: Source<'_>) -> Result<Knowledge> {
        Ok(match source {
            Source::Store(store) => Knowledge::from_store(store)?,
            Source::Files { obo, associations, taxon } => {
                let wanted: Option<HashSet<String>> = match &self.genes {
                    Genes::Study { population, .. } => {
                        population.as_ref().map(|genes| genes.iter().cloned().collect())
                    }
                    Genes::Clusters(members) => {
                        Some(members.iter().map(|member| member.id.clone()).collect())
                    }
                };
                Knowledge::from_files(obo, associations, taxon, wanted.as_ref())?
            }
        })
    }
}

fn write(out: &Path, outcome: &Outcome, rows: &str, clustered: bool) -> Result<()> {
    let heading = if clustered { "cluster\t" } else { "" };
    atomic_write(&out.join("terms.tsv"), |file| write!(file, "{heading}{HEADER}\n{rows}"))?;
    let (correction, alpha) = (outcome.test.correction.name(), outcome.test.alpha);
    if clustered {
        let count = outcome.studies.len();
        let of = if count == 1 {
            "the largest cluster".to_owned()
        } else {
            format!("the {count} largest clusters")
        };
        let title = format!("Enriched GO terms of {of}");
        terms::panels(&title, &outcome.studies, correction, alpha).write(out, "enrichment")?;
        terms::dots(&title, &outcome.studies, DOTS_EACH, correction, alpha).write(out, "dots")?;
    } else if let Some(study) = outcome.studies.first() {
        let title = format!("Enriched GO terms of {} genes", study.size);
        terms::bars(&title, &study.top, correction, alpha).write(out, "enrichment")?;
    }
    write_json(&out.join("enrichment.json"), outcome)?;
    Ok(())
}

fn said(args: &EnrichArgs, outcome: &Outcome, manifest: &Manifest, ui: &Ui) -> Result<ExitCode> {
    let mut value = serde_json::to_value(outcome)?;
    let seconds = &manifest.facts["seconds"];
    (value["out"], value["seconds"]) = (json!(args.out), seconds.clone());
    let clustered = args.clusters.is_some();
    ui.result(&value, || told::text(&args.out, clustered, outcome, seconds.as_f64().unwrap_or_default()))?;
    Ok(ExitCode::SUCCESS)
}
