//! `render protein`: structure files to pictures.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use geneverse_data::render::colour::Colouring;
use geneverse_data::render::folder::{Folder, FolderReport, render_folder};
use geneverse_data::render::protein::Settings;
use geneverse_data::structure::{ReadOptions, SecondaryWanted};

use crate::stop;
use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Reads PDB and mmCIF, plain or gzip, AlphaFold's and experimental ones. Each structure is turned so that its longest axis \
lies from left to right and its shortest points to the eye, whatever the frame of its file; --rotate turns it from \
there. Writes NAME.png for each, pictures.jsonl (with the view for PyMOL's set_view), skipped.jsonl with the files that \
have no picture and why, and manifest.json. Ctrl-C stops, the same command goes on; with more files it adds theirs.

Examples:
  geneverse render protein AF-P08151-F1-model_v4.cif.gz --out pictures
  geneverse render protein structures/ --out pictures --color plddt --size 336 --background transparent
  geneverse render protein 1ubq.cif --out side --rotate 0,90,0")]
pub(crate) struct ProteinArgs {
    /// Structure files, and folders of them
    #[arg(value_name = "FILE|DIR", required = true)]
    structures: Vec<PathBuf>,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Pixels along each side
    #[arg(long, value_name = "N", default_value_t = 512)]
    size: usize,
    /// What colours tell
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ColourArg::Secondary)]
    color: ColourArg,
    /// What is behind the structure
    #[arg(long, value_enum, value_name = "GROUND", default_value_t = BackgroundArg::White)]
    background: BackgroundArg,
    /// Degrees about the picture's x, y and z axis, in this order
    #[arg(long, value_name = "X,Y,Z", value_parser = angles, default_value = "0,0,0", allow_hyphen_values = true)]
    rotate: [f32; 3],
    /// Where helices and strands come from
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = SecondaryArg::File)]
    secondary: SecondaryArg,
    /// Draw what is farther away as strongly as what is near
    #[arg(long)]
    flat_depth: bool,
    /// Draw no shadows
    #[arg(long)]
    shadowless: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ColourArg {
    /// Helix, strand, coil
    Secondary,
    /// Confidence of a prediction, in the colours of the AlphaFold database; other structures are skipped
    Plddt,
    /// Blue at the N-terminus to red at the C-terminus
    Rainbow,
    /// A colour for each chain
    Chain,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BackgroundArg {
    White,
    Transparent,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SecondaryArg {
    /// The file's records; computed where it has none
    File,
    /// Computed from hydrogen bonds
    Computed,
}

fn angles(text: &str) -> Result<[f32; 3], String> {
    let expected = || format!("found {text:?}, expected three angles in degrees such as 0,90,0");
    let mut angles = [0.0; 3];
    let mut parts = text.split(',');
    for angle in &mut angles {
        let part = parts.next().ok_or_else(expected)?;
        *angle = part.trim().parse().ok().filter(|a: &f32| a.is_finite()).ok_or_else(expected)?;
    }
    if parts.next().is_some() { Err(expected()) } else { Ok(angles) }
}

pub(super) fn run(args: ProteinArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let ProteinArgs { structures, out, size, color, background, rotate, secondary, flat_depth, shadowless } =
        args;
    let settings = Settings {
        size,
        colour: match color {
            ColourArg::Secondary => Colouring::Secondary,
            ColourArg::Plddt => Colouring::Plddt,
            ColourArg::Rainbow => Colouring::Rainbow,
            ColourArg::Chain => Colouring::Chain,
        },
        transparent: matches!(background, BackgroundArg::Transparent),
        rotate,
        depth_cue: !flat_depth,
        shadows: !shadowless,
    };
    settings.check()?;
    let reading = ReadOptions {
        model: None,
        secondary: match secondary {
            SecondaryArg::File => SecondaryWanted::FileElseComputed,
            SecondaryArg::Computed => SecondaryWanted::Computed,
        },
    };
    stop::listen();
    let folder = Folder { inputs: &structures, out: &out, settings: &settings, reading: &reading };
    let report = render_folder(&folder, &stop::asked, ui)?;
    ui.result(&report, || text(&report))?;
    if report.stopped {
        return Ok(stop::exit());
    }
    // Nothing but skipped files is no result.
    Ok(if report.pictures == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn text(report: &FolderReport) -> String {
    let FolderReport { out, pictures, drawn, skipped, stopped, reasons } = report;
    let mut text = format!("{}: {pictures} pictures, {drawn} of them new\n", out.display());
    if *stopped {
        text.push_str("  stopped; the same command goes on\n");
    }
    if *skipped > 0 {
        // The list is written when all is done.
        let listed = if *stopped { "" } else { " (skipped.jsonl)" };
        let _ = writeln!(text, "  {skipped} files have no picture{listed}:");
        for file in reasons {
            let _ = writeln!(text, "    {}", file.reason);
        }
    }
    text
}
