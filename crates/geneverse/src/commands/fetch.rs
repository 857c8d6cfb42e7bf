//! `genes fetch`: public files into a cache, or records of single genes from NCBI. The only command that asks them.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use geneverse_data::fetch::genes::{
    ADDRESS, GenesOptions, GenesReport, NAME, fetch_genes, identity_from_environment, paced,
};
use geneverse_data::fetch::table::SOURCES;
use geneverse_data::fetch::{FetchOptions, FetchReport, Mirrors, State, fetch, in_cache, sources};
use geneverse_data::gene::HUMAN;
use geneverse_data::http::{Client, Settings};
use serde_json::json;

use crate::config::cache_folder;
use crate::stop;
use crate::ui::Ui;

/// Exit status where some of the genes that were asked for are not in the file.
const SOME_NOT_FOUND: u8 = 2;

#[derive(Debug, Args)]
#[command(after_help = "\
Without names the usual files come: hgnc, gene_info, summaries, go, goa. A download that broke off goes on where it \
ended; a file that the publisher has not changed is not fetched again; every file is checked (size, gzip, first line, \
checksum where one is published) before it takes its place, and FILE.source.json beside it says where it is from. \
Proxies come from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, certificates from SSL_CERT_FILE.

With --gene NCBI's E-utilities are asked for single genes. With a key in NCBI_API_KEY they allow ten requests a second \
in place of three; NCBI_EMAIL tells them who asks. The exit status is 2 where some of the genes were not found.

Examples:
  geneverse genes fetch --list
  geneverse genes fetch
  geneverse genes fetch hgnc goa --cache /data/genes --mirror https://mirror.example.org/genes
  geneverse genes fetch --offline
  geneverse genes fetch --gene GLI1,CASP10 --out records.jsonl")]
pub(crate) struct FetchArgs {
    /// The files to fetch, by their names in --list; `all` for all
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Where files are kept [default: genes/ in $GENEVERSE_CACHE, else in $XDG_CACHE_HOME/geneverse or
    /// ~/.cache/geneverse]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Use what is in the cache and say what is missing; ask nobody
    #[arg(long)]
    offline: bool,
    /// Fetch even what has not changed
    #[arg(long, conflicts_with = "offline")]
    force: bool,
    /// Another place: NAME=ADDRESS of one file, or the ADDRESS of a folder with all of them. FILE.sha256 or FILE.md5
    /// beside a file there is compared. May be repeated
    #[arg(long, value_name = "[NAME=]ADDRESS")]
    mirror: Vec<String>,
    /// Print the files that can be fetched, and those that are in the cache
    #[arg(long, conflicts_with_all = ["names", "gene", "offline", "force"])]
    list: bool,
    /// Genes to ask NCBI for, by symbol, alias or NCBI's id, separated by commas
    #[arg(long, value_name = "SYMBOL,…", value_delimiter = ',', requires = "out", conflicts_with = "names")]
    gene: Vec<String>,
    /// The records of those genes, JSON Lines for `genes import --records`
    #[arg(long, value_name = "FILE", requires = "gene")]
    out: Option<PathBuf>,
    /// The species of those genes, as its id in NCBI Taxonomy
    #[arg(long, value_name = "N", default_value_t = HUMAN, requires = "gene")]
    tax_id: u32,
}

pub(crate) fn run(args: FetchArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let FetchArgs { names, cache, offline, force, mirror, list, gene, out, tax_id } = args;
    let cache = cache.map_or_else(default_cache, Ok)?;
    let mut mirrors = Mirrors::default();
    for text in &mirror {
        mirrors.add(text).map_err(|reason| anyhow::anyhow!("--mirror: {reason}"))?;
    }
    if list {
        return run_list(&cache, &mirrors, ui);
    }
    stop::listen();
    let settings = Settings { stop: Arc::new(stop::asked), ..Settings::default() };
    if let Some(out) = out {
        let genes: Vec<String> = gene.iter().map(|g| g.trim().to_owned()).filter(|g| !g.is_empty()).collect();
        if genes.is_empty() {
            bail!("--gene: found no symbol, expected some such as GLI1,CASP10");
        }
        let identity = identity_from_environment();
        let client = Client::new(paced(settings, &identity))?;
        let options = GenesOptions { genes, tax_id, out, cache, offline, force, mirrors, identity };
        return match fetch_genes(&client, &options, ui) {
            Ok(report) => tell_genes(&report, ui),
            Err(error) if error.is_stop() => {
                ui.say("stopped; the same command goes on with the genes that are still missing\n");
                Ok(stop::exit())
            }
            Err(error) => Err(error.into()),
        };
    }
    let sources = sources(&names).map_err(|reason| anyhow::anyhow!(reason))?;
    let client = Client::new(settings)?;
    let options = FetchOptions { sources, cache, offline, force, mirrors };
    let report = fetch(&client, &options, ui);
    ui.result(&report, || text(&report))?;
    if report.stopped {
        ui.say("stopped; what has come of the file is kept, and the same command goes on with it\n");
        return Ok(stop::exit());
    }
    match report.failed.as_slice() {
        [] => Ok(ExitCode::SUCCESS),
        [one] => bail!("{}", one.error),
        several => {
            let lines: Vec<String> = several.iter().map(|f| format!("\n  {}: {}", f.name, f.error)).collect();
            bail!("{} of {} files are not there:{}", several.len(), options.sources.len(), lines.concat())
        }
    }
}

/// `genes/` in the program's own cache, or in the user's.
fn default_cache() -> anyhow::Result<PathBuf> {
    Ok(cache_folder()
        .context("no folder for a cache: neither GENEVERSE_CACHE nor HOME is set; say --cache DIR")?
        .join("genes"))
}

fn run_list(cache: &std::path::Path, mirrors: &Mirrors, ui: &Ui) -> anyhow::Result<ExitCode> {
    let mut text = format!("cache: {}\n", cache.display());
    let mut listed = Vec::new();
    for source in &SOURCES {
        let (address, mirrored) = mirrors.address(source);
        let shown = geneverse_data::http::clean::address(&address);
        let present = in_cache(source, cache);
        let sums = if mirrored { "FILE.sha256 or FILE.md5, if there" } else { source.checksum.words() };
        let usual = if source.usual { "" } else { " (only when named)" };
        let (least, most) = (size(source.smallest), size(source.largest));
        let _ = writeln!(text, "\n{}: {}{usual}\n  from      {shown}", source.name, source.what);
        let _ = writeln!(text, "  format    {}, {least} to {most}", source.format);
        let _ = writeln!(text, "  licence   {}\n  checksum  {sums}", source.licence);
        if let Some(found) = &present {
            let _ = writeln!(text, "  in cache  {}, fetched {}", size(found.bytes), found.fetched);
        }
        let mut value = serde_json::to_value(source)?;
        value["address"] = shown.into();
        value["checksum"] = sums.into();
        value["cached"] = serde_json::to_value(&present)?;
        listed.push(value);
    }
    let _ = writeln!(text, "\n{NAME}: NCBI's E-utilities, for single genes (--gene)\n  from      {ADDRESS}");
    ui.result(&json!({"cache": cache, "sources": listed}), || text)?;
    Ok(ExitCode::SUCCESS)
}

fn text(report: &FetchReport) -> String {
    let mut text = format!("cache: {}\n", report.cache.display());
    for file in &report.files {
        let state = match file.state {
            State::Fetched => "fetched",
            State::Resumed => "fetched, from where it had ended",
            State::Unchanged => "unchanged at its publisher",
            State::Cached => "from the cache",
        };
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(
            text,
            "  {:<14} {name}: {}, {state} ({}; checked: {})",
            file.name,
            size(file.provenance.bytes),
            file.provenance.licence,
            file.checked.join(", ")
        );
    }
    for failure in &report.failed {
        let _ = writeln!(text, "  {:<14} not there", failure.name);
    }
    if !report.import.is_empty() {
        let _ = writeln!(text, "\nA database of these:\n  geneverse {}", shell(&report.import));
    }
    text
}

/// Arguments as a shell takes them, a flag and its value to a line.
fn shell(arguments: &[String]) -> String {
    let mut text = String::new();
    for (at, argument) in arguments.iter().enumerate() {
        let plain = argument.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c));
        let quoted = if plain { argument.clone() } else { format!("'{}'", argument.replace('\'', "'\\''")) };
        text.push_str(match at {
            0 => "",
            _ if argument.starts_with("--") => " \\\n      ",
            _ => " ",
        });
        text.push_str(&quoted);
    }
    text
}

fn tell_genes(report: &GenesReport, ui: &Ui) -> anyhow::Result<ExitCode> {
    ui.result(report, || {
        let mut text = String::new();
        if let Some(out) = &report.out {
            let done = if report.already_done { ", made earlier for the same genes" } else { "" };
            let _ = writeln!(
                text,
                "{}: {} genes, {} of them from the cache{done}",
                out.display(),
                report.genes,
                report.cached
            );
        }
        report.by_alias.iter().for_each(|line| _ = writeln!(text, "  {line}"));
        for missing in &report.not_found {
            let candidates = if missing.candidates.is_empty() { "" } else { ": " };
            let candidates = format!("{candidates}{}", missing.candidates.join(", "));
            let _ = writeln!(text, "  not found: {} ({}{candidates})", missing.asked, missing.reason);
        }
        if let Some(out) = &report.out {
            let arguments = ["genes", "import", "--records", &out.display().to_string(), "--out", "genes.db"];
            let _ = writeln!(
                text,
                "\nA database of these:\n  geneverse {}",
                shell(&arguments.map(str::to_owned))
            );
        }
        text
    })?;
    match (report.genes, report.not_found.len()) {
        (_, 0) => Ok(ExitCode::SUCCESS),
        (0, _) => bail!("none of the genes was found; nothing was written"),
        _ => Ok(ExitCode::from(SOME_NOT_FOUND)),
    }
}

/// A number of bytes, as people say it.
fn size(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.1} GB", bytes as f64 / 1e9),
        10_000_000.. => format!("{:.0} MB", bytes as f64 / 1e6),
        1_000_000.. => format!("{:.1} MB", bytes as f64 / 1e6),
        1_000.. => format!("{:.0} kB", bytes as f64 / 1e3),
        _ => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_written_as_a_shell_takes_it() {
        let arguments =
            ["genes", "import", "--hgnc", "/my files/it's.txt", "--out", "genes.db"].map(str::to_owned);
        let expected = "genes import \\\n      --hgnc '/my files/it'\\''s.txt' \\\n      --out genes.db";
        assert_eq!(shell(&arguments), expected);
        assert_eq!(
            [size(999), size(1_500_000), size(16_400_000), size(2_340_000_000)].join(" "),
            "999 bytes 1.5 MB 16 MB 2.3 GB"
        );
    }
}
