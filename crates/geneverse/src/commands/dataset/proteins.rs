//! `dataset proteins`: pictures and questions of the protein task.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use geneverse_data::dataset::pictures::InputFile;
use geneverse_data::dataset::proteins::{
    BlindScores, Helpers, Names, ProteinsDataset, ProteinsReport, SplitBy, SplitCounts, proteins,
};
use geneverse_data::render::colour::Colouring;
use geneverse_data::store::GeneStore;
use geneverse_eval::protein::overlap;

use super::pictures::{PictureArgs, accept, leakage_text, tell};
use crate::commands::tissue::input;
use crate::stop;
use crate::ui::Ui;

/// Endings of structure files; `.gz` may follow.
const ENDINGS: [&str; 4] = [".pdb", ".ent", ".cif", ".mmcif"];

#[derive(Debug, Args)]
#[command(after_help = "\
A file is an example: its picture as a cartoon, the question for the name, and the answer \"The name of this protein is …\". \
Names come from a table with an accession or file name and a name in each row (--names; UniProt's downloads do), from the \
gene database by UniProt accession (--db), or from the files themselves (--names-of-files). Files of one protein (F1, F2, …) \
are in one split, and so are proteins with similar sequences (30 % identical over half of the shorter one, and whatever hangs \
together so).

Writes train.json, validation.json and test.json in LLaVA's form, images/, skipped.jsonl, a dataset card in README.md, and \
manifest.json. Ctrl-C leaves what is drawn; the same command goes on.

Examples:
  geneverse dataset proteins models --db genes.db --test-size 500 --validation-size 200 --out proteins
  geneverse dataset proteins folds --names folds/names.tsv --split protein --test-size 40 --out folds-dataset")]
pub(crate) struct ProteinsArgs {
    /// Structure files (PDB, mmCIF, plain or gzip), or folders of them
    #[arg(value_name = "PATH", required = true)]
    structures: Vec<PathBuf>,
    /// Names of proteins: a table with an accession or a file name and a name in each row
    #[arg(long, value_name = "FILE", required_unless_present_any = ["db", "names_of_files"])]
    names: Option<PathBuf>,
    /// The gene database: names by UniProt accession, where --names has none, and the genes' groups
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Take the molecule's name that the file holds, where no other is known
    #[arg(long)]
    names_of_files: bool,
    #[command(flatten)]
    pictures: PictureArgs,
    /// What stays on one side of the split: a protein, proteins of connected HGNC groups, or of similar sequence
    #[arg(long, value_enum, value_name = "BY", default_value_t = SplitArg::Cluster)]
    split: SplitArg,
    /// What colours tell
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ColourArg::Secondary)]
    colour: ColourArg,
    /// Pictures of each structure, turned about the vertical axis
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=36))]
    views: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SplitArg {
    Protein,
    Group,
    Cluster,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ColourArg {
    /// Helix, strand, coil
    Secondary,
    /// Confidence of a prediction
    Plddt,
    /// From the first residue to the last
    Rainbow,
    /// The chain
    Chain,
}

pub(super) fn run(args: &ProteinsArgs, ui: &Ui) -> Result<ExitCode> {
    let ProteinsArgs { structures, names: names_file, db, names_of_files, pictures, split, colour, views } =
        args;
    stop::listen();
    let files = structure_files(structures)?;
    let mut inputs: Vec<InputFile> = Vec::new();
    let mut names = Names::default();
    if let Some(file) = names_file {
        inputs.push(input(file, "names", pictures.licence.as_deref())?);
        names = Names::read(file)?;
    }
    if let Some(file) = db {
        inputs.push(input(file, "gene database", None)?);
        names = names.with(Names::from_store(&GeneStore::open(file)?)?);
    }
    if *names_of_files {
        names = names.or_of_files();
    }
    if matches!(split, SplitArg::Group) && db.is_none() {
        bail!("--split group needs the genes' groups: say --db, or --split cluster");
    }
    let options = ProteinsDataset {
        files,
        set: pictures.set(inputs)?,
        split: match split {
            SplitArg::Protein => SplitBy::Protein,
            SplitArg::Group => SplitBy::Group,
            SplitArg::Cluster => SplitBy::Cluster,
        },
        colour: match colour {
            ColourArg::Secondary => Colouring::Secondary,
            ColourArg::Plddt => Colouring::Plddt,
            ColourArg::Rainbow => Colouring::Rainbow,
            ColourArg::Chain => Colouring::Chain,
        },
        views: *views as usize,
    };
    let helpers = Helpers { names: &names, accept: &accept, overlap: &overlap, stop: &stop::asked };
    tell(proteins(&options, helpers, ui)?.as_ref(), |report| text(&pictures.out, report), ui)
}

/// Structure files among paths, in the order of their names; of a folder those with an ending of structures.
pub(crate) fn structure_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries =
            path.read_dir().with_context(|| format!("{}: cannot read the folder", path.display()))?;
        for entry in entries {
            let file = entry.with_context(|| format!("{}: cannot read the folder", path.display()))?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            let name = name.strip_suffix(".gz").unwrap_or(&name);
            if file.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                files.push(file);
            }
        }
    }
    if files.is_empty() {
        let named: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        bail!(
            "{}: found no structure file, expected some ending in {}",
            named.join(", "),
            ENDINGS.join(", ")
        );
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn text(out: &Path, report: &ProteinsReport) -> String {
    let done = if report.already_done { ", made earlier from the same input" } else { "" };
    let mut text =
        format!("{}: {} pictures ({:.1} s{done})\n", out.display(), report.pictures, report.seconds);
    for split in geneverse_data::dataset::genes::SPLITS {
        if let Some(SplitCounts { examples, proteins, names }) = report.splits.get(split) {
            let _ =
                writeln!(text, "  {split}: {examples} examples of {proteins} proteins with {names} names");
        }
    }
    if report.fragments > 0 {
        let _ = writeln!(text, "  {} files are one of several of their protein", report.fragments);
    }
    for (reason, count) in &report.skipped {
        let _ = writeln!(text, "  skipped {count} files: {reason}");
    }
    let _ = writeln!(
        text,
        "  {} clusters of related proteins, the largest of {}",
        report.clusters, report.largest_cluster
    );
    text.push_str(&leakage_text(&report.leakage, "protein"));
    for BlindScores { split, name, score } in &report.blind {
        let _ = writeln!(text, "  {split} without looking: {score:.3} by answering \"{name}\" to everything");
    }
    text
}
