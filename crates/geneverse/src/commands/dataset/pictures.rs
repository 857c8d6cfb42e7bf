//! What `dataset markers` and `dataset proteins` have in common: arguments, what can be graded, and what is told.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use geneverse_data::answers::Task;
use geneverse_data::dataset::Example;
use geneverse_data::dataset::format::Format;
use geneverse_data::dataset::pictures::{InputFile, PictureLeakage, PictureSet};
use geneverse_data::dataset::proteins::name_in;
use geneverse_data::progress::Progress;
use geneverse_eval::{marker, protein};
use serde::Serialize;

use super::symbol_list;
use crate::stop;
use crate::ui::Ui;

#[derive(Debug, Args)]
pub(super) struct PictureArgs {
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// What is kept for the test set: genes by symbol; proteins, with their relatives, by accession, symbol, name or file
    /// name. A comma-separated list, or a file with one per line
    #[arg(long, value_name = "LIST|FILE")]
    hold_out: Option<String>,
    /// How many other genes or proteins are for testing
    #[arg(long, value_name = "N", default_value_t = 0)]
    test_size: usize,
    /// How many of the rest are for validation
    #[arg(long, value_name = "N", default_value_t = 0)]
    validation_size: usize,
    /// Pixels of a picture's side
    #[arg(long, value_name = "N", default_value_t = 336, value_parser = clap::value_parser!(u64).range(16..=4096))]
    size: u64,
    /// Chooses the splits, and what else is drawn by lot
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The terms on which what the pictures show may be used, for the dataset card; CC0-1.0 and CC-BY-4.0 go into its
    /// machine-readable head too
    #[arg(long, value_name = "TEXT")]
    pub(super) licence: Option<String>,
    /// The forms to write: a comma-separated list
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',', default_value = "llava")]
    format: Vec<PictureFormat>,
}

/// Forms that hold pictures.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum PictureFormat {
    /// train.json: conversations and the picture's file
    Llava,
    /// train.messages.jsonl: messages with parts of text and pictures
    Messages,
    /// data/train.jsonl, as on the Hugging Face hub
    Hf,
}

impl PictureArgs {
    /// What is asked of a dataset that is made from `inputs`.
    pub(super) fn set(&self, inputs: Vec<InputFile>) -> Result<PictureSet> {
        let Self { out, hold_out, test_size, validation_size, size, seed, licence: _, format } = self;
        let form = |format: &PictureFormat| match format {
            PictureFormat::Llava => Format::Llava,
            PictureFormat::Messages => Format::Messages,
            PictureFormat::Hf => Format::Hf,
        };
        let mut formats: Vec<Format> = format.iter().map(form).collect();
        formats.sort_unstable();
        formats.dedup();
        Ok(PictureSet {
            out: out.clone(),
            inputs,
            hold_out: hold_out.as_deref().map(symbol_list).transpose()?.unwrap_or_default(),
            test_size: *test_size,
            validation_size: *validation_size,
            size: *size as usize,
            seed: *seed,
            formats,
        })
    }
}

/// Tells what came of a dataset; `None` is one that was stopped.
pub(super) fn tell<R: Serialize>(
    report: Option<&R>,
    text: impl Fn(&R) -> String,
    ui: &Ui,
) -> Result<ExitCode> {
    match report {
        Some(report) => {
            ui.result(report, || text(report))?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            ui.note("stopped; the same command goes on");
            Ok(stop::exit())
        }
    }
}

/// Whether the grades of truth and form give a reference all points.
pub(crate) fn accept(example: &Example) -> Result<(), String> {
    let Example { task, subject, output, cell_type, label, .. } = example;
    let grades = match task {
        Task::Marker => {
            let cell_type = cell_type.as_deref().unwrap_or_default();
            let is_marker = label.as_deref() == Some("yes");
            [
                marker::grade_truth(output, subject, cell_type, is_marker),
                marker::grade_form(output, subject, cell_type),
            ]
        }
        _ => {
            let name = name_in(output);
            [protein::grade_truth(output, name), protein::grade_form(output)]
        }
    };
    match grades.into_iter().find(|grade| grade.score < 1.0) {
        None => Ok(()),
        Some(grade) => Err(grade.reasons.join("; ")),
    }
}

/// What of a split is in an earlier one, a line each.
pub(super) fn leakage_text(leakage: &[PictureLeakage], subject: &str) -> String {
    let mut text = String::new();
    for found in leakage {
        let PictureLeakage { from, into, examples, .. } = found;
        let known = found.findings(subject).into_iter().filter_map(|(what, finding)| Some((what, finding?)));
        let parts: Vec<String> =
            known.map(|(what, finding)| format!("{} by {what}", finding.count)).collect();
        let _ = writeln!(text, "  of {examples} examples of {into} in {from}: {}", parts.join(", "));
    }
    text
}
