//! `genes fetch`: public files into a cache, and single genes from NCBI. Nothing else reaches the network, and this only
//! when it is called.
//!
//! The cache is a folder of the files under the names that their publishers give them, each with its
//! [`Provenance`] beside it. A file is there only once it is whole and is what it claims to be.

mod checksum;
mod download;
pub mod genes;
pub mod table;
mod verify;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::http::{Client, HttpError, clean};
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::stage::{FileError, hash_file};
use download::Download;
use table::{SOURCES, Source};

/// What can go wrong with a fetch.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A file of the cache.
    #[error(transparent)]
    File(#[from] FileError),
    /// The network, or the server.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// What came is not what was asked for. Nothing of it was kept.
    #[error("{address}: {reason}")]
    Refused {
        /// Where it came from.
        address: String,
        /// What was found and what was expected.
        reason: String,
    },
}

impl FetchError {
    /// Whether it was asked to stop.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Http(HttpError::Stopped))
    }
}

/// How a file came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It was fetched.
    Fetched,
    /// It was fetched, from where an earlier fetch had ended.
    Resumed,
    /// The publisher has no other version.
    Unchanged,
    /// It was there; nobody was asked.
    Cached,
}

/// A file that is there.
#[derive(Debug, Clone, Serialize)]
pub struct FetchedFile {
    /// The source's name.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// How it came to be there.
    pub state: State,
    /// What was looked at.
    pub checked: Vec<String>,
    /// Where it is from.
    #[serde(flatten)]
    pub provenance: Provenance,
    #[serde(skip)]
    import_flag: &'static str,
}

/// A file that is not there, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The source's name.
    pub name: String,
    /// The error, in words.
    pub error: String,
}

/// What came of a fetch.
#[derive(Debug, Clone, Serialize)]
pub struct FetchReport {
    /// The cache.
    pub cache: PathBuf,
    /// The files that are there, in the order of the table.
    pub files: Vec<FetchedFile>,
    /// The others.
    pub failed: Vec<Failure>,
    /// Whether it was stopped before the end.
    pub stopped: bool,
    /// The arguments of `geneverse` that make a database of these files.
    pub import: Vec<String>,
}

/// Other places for the files.
#[derive(Debug, Clone, Default)]
pub struct Mirrors {
    /// A folder of all files under their own names.
    pub all: Option<String>,
    /// Addresses of single files, by the source's name.
    pub single: Vec<(String, String)>,
}

impl Mirrors {
    /// Reads `NAME=ADDRESS`, or `ADDRESS` of a folder with all files.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let is_address = |text: &str| text.starts_with("http://") || text.starts_with("https://");
        if is_address(text) {
            self.all = Some(text.trim_end_matches('/').to_owned());
            return Ok(());
        }
        let expected =
            "expected NAME=ADDRESS or the address of a folder, such as https://mirror.example.org/genes";
        let (name, address) = text.split_once('=').ok_or_else(|| format!("found {text:?}, {expected}"))?;
        if !is_address(address) {
            return Err(format!("found {:?}, {expected}", clean::address(address)));
        }
        if name != genes::NAME && table::source(name).is_none() {
            return Err(format!("no source is named {name:?}; there are {}, {}", names(), genes::NAME));
        }
        self.single.push((name.to_owned(), address.trim_end_matches('/').to_owned()));
        Ok(())
    }

    /// The mirror's address of a single name.
    pub(crate) fn of(&self, name: &str) -> Option<&str> {
        self.single.iter().rev().find(|(n, _)| n == name).map(|(_, address)| address.as_str())
    }

    /// Where a source is asked for, and whether that is a mirror.
    pub fn address(&self, source: &Source) -> (String, bool) {
        let all = || self.all.as_ref().map(|all| format!("{all}/{}", source.file));
        match self.of(source.name).map(str::to_owned).or_else(all) {
            Some(mirror) => (mirror, true),
            None => (source.address.to_owned(), false),
        }
    }
}

/// What is to be fetched.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// The sources.
    pub sources: Vec<&'static Source>,
    /// The cache.
    pub cache: PathBuf,
    /// Use what is there, ask nobody.
    pub offline: bool,
    /// Fetch even what has not changed.
    pub force: bool,
    /// Other places for the files.
    pub mirrors: Mirrors,
}

/// The sources of these names, in the order of the table; the usual ones where none is named.
pub fn sources(names: &[String]) -> Result<Vec<&'static Source>, String> {
    if let Some(unknown) = names.iter().find(|name| *name != "all" && table::source(name).is_none()) {
        return Err(format!("no source is named {unknown:?}; there are {}, and `all`", self::names()));
    }
    let all = names.iter().any(|name| name == "all");
    let wanted = |source: &&Source| {
        if names.is_empty() { source.usual } else { all || names.iter().any(|name| name == source.name) }
    };
    Ok(SOURCES.iter().filter(wanted).collect())
}

fn names() -> String {
    SOURCES.iter().map(|source| source.name).collect::<Vec<_>>().join(", ")
}

/// Fetches files into the cache. A file that fails does not keep the others from coming.
pub fn fetch(client: &Client, options: &FetchOptions, progress: &dyn Progress) -> FetchReport {
    let FetchOptions { sources, cache, offline, force, mirrors } = options;
    let mut report = FetchReport {
        cache: cache.clone(),
        files: Vec::new(),
        failed: Vec::new(),
        stopped: false,
        import: Vec::new(),
    };
    for source in sources {
        let place = cache.join(source.file);
        let (address, mirrored) = mirrors.address(source);
        let got = if *offline {
            cached(source, &place)
        } else {
            Download { client, source, address: &address, mirrored, place: &place, force: *force, progress }
                .run()
        };
        match got {
            Ok((state, provenance, checked)) => report.files.push(FetchedFile {
                name: source.name.to_owned(),
                path: place,
                state,
                checked,
                provenance,
                import_flag: source.import_flag,
            }),
            Err(error) if error.is_stop() => {
                report.stopped = true;
                break;
            }
            Err(error) => {
                let there = if !offline && place.is_file() {
                    "; the file fetched earlier is kept: --offline uses it"
                } else {
                    ""
                };
                report
                    .failed
                    .push(Failure { name: source.name.to_owned(), error: format!("{error}{there}") });
            }
        }
    }
    report.import = import_arguments(&report.files);
    report
}

/// What the cache has of a source: the provenance beside the file.
pub fn in_cache(source: &Source, cache: &Path) -> Option<Provenance> {
    let place = cache.join(source.file);
    let length = place.metadata().ok()?.len();
    let found: Provenance = crate::stage::read_json(&Provenance::beside(&place)).ok()?;
    (found.bytes == length).then_some(found)
}

fn cached(source: &Source, place: &Path) -> Result<(State, Provenance, Vec<String>), FetchError> {
    if !place.is_file() {
        let reason = format!("not in the cache; `geneverse genes fetch {}` fetches it", source.name);
        return Err(FileError::whole(place, reason).into());
    }
    if !Provenance::beside(place).is_file() {
        let reason = "nothing beside it says where it is from; a file of your own goes to `geneverse genes import` as it is";
        return Err(FileError::whole(place, reason).into());
    }
    match Provenance::of(place, &hash_file(place)?)? {
        Some(provenance) => Ok((State::Cached, provenance, vec!["bytes as fetched".to_owned()])),
        None => {
            let reason = format!(
                "its bytes are not those that were fetched; `geneverse genes fetch {} --force` fetches it again",
                source.name
            );
            Err(FileError::whole(place, reason).into())
        }
    }
}

/// `genes import` with each file under its flag. Of two files that import takes under one flag that can be given once,
/// the first: `gene_info` before the one of all species.
fn import_arguments(files: &[FetchedFile]) -> Vec<String> {
    let mut arguments: Vec<String> = Vec::new();
    for file in files {
        let again = arguments.iter().any(|argument| argument == file.import_flag);
        if again && file.import_flag != "--go-annotations" {
            continue;
        }
        arguments.extend([file.import_flag.to_owned(), file.path.display().to_string()]);
    }
    // Without genes there is nothing to annotate.
    if !arguments.iter().any(|a| a == "--hgnc" || a == "--gene-info") {
        return Vec::new();
    }
    [
        ["genes", "import"].map(str::to_owned).to_vec(),
        arguments,
        ["--out", "genes.db"].map(str::to_owned).to_vec(),
    ]
    .concat()
}

#[cfg(test)]
mod tests;
