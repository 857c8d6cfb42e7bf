//! Structure files to a folder of pictures.
//!
//! ```text
//! OUT/NAME.png          a picture for each structure, named after its file
//! OUT/pictures.jsonl    a line for each: picture, structure, hash, residues, view
//! OUT/skipped.jsonl     a line for each file that has no picture, and why
//! OUT/stamps.json       by what an unchanged structure is known without being read
//! OUT/manifest.json     when all is done
//! ```
//!
//! While pictures are made, `unfinished.jsonl` has a line for each that is done, so that a run that was stopped, or
//! killed, goes on where it was. A run with more files adds their pictures, and a structure whose file has changed is drawn
//! again. Other settings, or another file under the name of one that is drawn, are refused.

mod record;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::record::{Log, Recorded, is_whole, known, write_stamps};
use crate::picture::{Picture, is_named_like_one};
use crate::progress::Progress;
use crate::render::protein::{Settings, draw_from};
use crate::stage::{FileError, finish, hash_bytes, open, write_lines};
use crate::structure::{ReadOptions, SecondaryFrom, read_bytes, stem};
use crate::threads;

/// The stage's name in its manifest.
pub const STAGE: &str = "render protein";
/// Endings of the files that are taken from a folder, each also with `.gz`.
const ENDINGS: [&str; 5] = ["pdb", "ent", "cif", "mmcif", "pdb1"];
const PICTURES: &str = "pictures.jsonl";
const SKIPPED: &str = "skipped.jsonl";

/// What is to be drawn, and how.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a> {
    /// Structure files, and folders of them.
    pub inputs: &'a [PathBuf],
    /// The folder to write.
    pub out: &'a Path,
    /// How pictures look.
    pub settings: &'a Settings,
    /// How files are read.
    pub reading: &'a ReadOptions,
}

/// A picture in `pictures.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    /// The picture's file in the folder.
    pub picture: String,
    /// The structure's file, as it was given.
    pub structure: String,
    /// SHA-256 of the structure's file, unpacked.
    pub sha256: String,
    /// What the file calls the entry.
    pub id: String,
    /// What it calls the molecule.
    pub title: Option<String>,
    /// Chains that are drawn.
    pub chains: usize,
    /// Residues that are drawn.
    pub residues: usize,
    /// Where helices and strands came from.
    pub secondary: String,
    /// The same view in PyMOL: `set_view`'s eighteen numbers.
    pub view: Vec<f32>,
}

/// A file without a picture, in `skipped.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkippedFile {
    /// The file, as it was given.
    pub structure: String,
    /// Why.
    pub reason: String,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FolderReport {
    /// The folder.
    pub out: PathBuf,
    /// Pictures in the folder.
    pub pictures: usize,
    /// Of these, drawn by this run.
    pub drawn: usize,
    /// Files without a picture.
    pub skipped: usize,
    /// Whether it was stopped before the end.
    pub stopped: bool,
    /// The first reasons for skipping.
    pub reasons: Vec<SkippedFile>,
}

/// How many reasons a report repeats from `skipped.jsonl`.
const REASONS: usize = 5;

/// Draws every structure, on all threads, until `stop` says otherwise.
///
/// # Errors
/// Inputs that are not there, a folder without structures, an `out` with pictures of other settings or other structures,
/// and what the file system refuses. A structure that cannot be read or drawn is skipped.
pub fn render_folder(
    folder: &Folder<'_>,
    stop: &(dyn Fn() -> bool + Sync),
    progress: &dyn Progress,
) -> Result<FolderReport, FileError> {
    let Folder { inputs, out, settings, reading } = *folder;
    if is_named_like_one(out) && !out.is_dir() {
        let reason =
            "is to be a folder, in which each picture has its structure's name; name it without an ending";
        return Err(FileError::whole(out, reason));
    }
    let named = named(files(inputs)?);
    let look = json!({"settings": settings, "reading": format!("{reading:?}")});
    let mut known = known(out, &look)?;
    fs::create_dir_all(out).map_err(|e| FileError::io(out, "create", e))?;
    let mut log = Log::open(out, &look)?;

    progress.start("Drawing structures", Some(named.len() as u64), "structures");
    let unchanged = |(picture, path): &&(String, PathBuf)| {
        known.get(picture).is_some_and(|recorded| recorded.is_of(path, out))
    };
    let (there, left): (Vec<_>, Vec<_>) = named.par_iter().partition(unchanged);
    let mut pictures: BTreeMap<String, Recorded> = there
        .into_iter()
        .filter_map(|(picture, _)| Some((picture.clone(), known.get(picture)?.clone())))
        .collect();
    progress.set(pictures.len() as u64);

    let failed = AtomicBool::new(false);
    let halt = || failed.load(Ordering::Relaxed) || stop();
    let (sender, receiver) = channel();
    let mut skipped = Vec::new();
    let mut forgotten = Vec::new();
    let mut new = 0;
    let stamp = log.stamps();
    std::thread::scope(|scope| {
        let (known, left) = (&known, &left);
        scope.spawn(move || work(left, &Work { folder, known, stamp: &stamp }, sender, &halt));
        let mut error = None;
        for outcome in receiver {
            match outcome {
                Ok(Outcome::Had(picture)) => {
                    error = error.or(log.add(&picture).err());
                    pictures.insert(picture.drawn.picture.clone(), picture);
                }
                Ok(Outcome::Drew(picture)) => {
                    error = error.or(log.add(&picture).err());
                    new += 1;
                    pictures.insert(picture.drawn.picture.clone(), picture);
                }
                Ok(Outcome::Forgot(picture)) => {
                    error = error.or(log.forget(&picture).err());
                    forgotten.push(picture);
                }
                Ok(Outcome::Skipped(file)) => skipped.push(file),
                Err(why) => error = error.or(Some(why)),
            }
            failed.fetch_or(error.is_some(), Ordering::Relaxed);
            progress.set((pictures.len() + skipped.len()) as u64);
            if !skipped.is_empty() {
                progress.state(&format!("{} skipped", skipped.len()));
            }
        }
        progress.finish();
        error.map_or(Ok(()), Err)
    })?;
    let stopped = pictures.len() + skipped.len() < named.len();
    skipped.sort_by(|a, b| a.structure.cmp(&b.structure));
    // Pictures of an earlier run, of files that this one was not given, stay.
    forgotten.iter().for_each(|picture| drop(known.remove(picture)));
    for (name, picture) in known {
        pictures.entry(name).or_insert(picture);
    }
    let report = FolderReport {
        out: out.to_owned(),
        pictures: pictures.len(),
        drawn: new,
        skipped: skipped.len(),
        stopped,
        reasons: skipped.iter().take(REASONS).cloned().collect(),
    };
    if !stopped {
        write_lines(&out.join(PICTURES), pictures.values().map(|picture| &picture.drawn))?;
        write_stamps(out, pictures.values())?;
        write_lines(&out.join(SKIPPED), &skipped)?;
        let facts = json!({"pictures": report.pictures, "skipped": report.skipped});
        finish(out, STAGE, look, facts)?;
        log.remove()?;
    }
    Ok(report)
}

/// What came of a file.
enum Outcome {
    /// Its picture was there.
    Had(Recorded),
    /// Its picture was there, of other contents, and is no more. Something else follows.
    Forgot(String),
    Drew(Recorded),
    Skipped(SkippedFile),
}

/// What there is to work with.
struct Work<'a> {
    folder: &'a Folder<'a>,
    known: &'a HashMap<String, Recorded>,
    stamp: &'a (dyn Fn(&Path) -> Option<String> + Sync),
}

/// Draws on all threads; nothing is begun once `halt` says so.
fn work(
    named: &[&(String, PathBuf)],
    with: &Work<'_>,
    sender: Sender<Result<Outcome, FileError>>,
    halt: &(dyn Fn() -> bool + Sync),
) {
    threads::for_each(named.len(), |place| {
        let (picture, path) = named[place];
        let go_on = !halt();
        if go_on {
            // Nobody listens only after an error, which is told already.
            let tell = |outcome| drop(sender.send(Ok(outcome)));
            if let Err(error) = one(picture, path, with, &tell) {
                drop(sender.send(Err(error)));
            }
        }
        go_on
    });
}

/// Draws a file. What is wrong with the file is a skip, what is wrong with the folder an error.
fn one(picture: &str, path: &Path, with: &Work<'_>, tell: &dyn Fn(Outcome)) -> Result<(), FileError> {
    let Work { folder, known, stamp } = *with;
    let structure = path.to_string_lossy().into_owned();
    let place = folder.out.join(picture);
    let before = known.get(picture);
    // Taken before the file is read: what changes meanwhile changes it.
    let stamp = stamp(path);
    let mut bytes = Vec::new();
    // A gigabyte is more than any entry has; what a file holds beyond it would only fill memory.
    let read = open(path)
        .and_then(|file| file.take(1 << 30).read_to_end(&mut bytes).map_err(|e| FileError::reading(path, e)));
    let sha256 = hash_bytes(&bytes);
    if let Some(before) = before {
        let same = read.is_ok() && before.drawn.sha256 == sha256;
        if same && is_whole(&place) {
            tell(Outcome::Had(Recorded { stamp, ..before.clone() }));
            return Ok(());
        }
        if before.drawn.structure == structure {
            // The file has changed, so its picture has to go before another comes.
            let removed = fs::remove_file(&place);
            removed.or_else(missing).map_err(|e| FileError::io(&place, "remove", e))?;
            tell(Outcome::Forgot(picture.to_owned()));
        } else if !same && read.is_ok() && is_whole(&place) {
            let reason = format!(
                "was drawn of {} with other contents than {} has now; choose another --out or remove it",
                before.drawn.structure,
                path.display()
            );
            return Err(FileError::whole(&place, reason));
        }
    }
    let skip = |reason: String| tell(Outcome::Skipped(SkippedFile { structure: structure.clone(), reason }));
    if let Err(error) = read {
        skip(error.to_string());
        return Ok(());
    }
    let (read, notes) = match read_bytes(path, &bytes, folder.reading) {
        Ok(read) => read,
        Err(error) => {
            skip(error.to_string());
            return Ok(());
        }
    };
    drop(bytes);
    let (image, camera) = match draw_from(&read, folder.settings) {
        Ok(drawn) => drawn,
        Err(error) => {
            skip(format!("{}: {error}", path.display()));
            return Ok(());
        }
    };
    write(&place, &image)?;
    let drawn = Drawn {
        picture: picture.to_owned(),
        structure,
        sha256,
        chains: read.chains.len(),
        residues: read.residue_count(),
        id: read.id,
        title: read.title,
        secondary: match notes.secondary {
            SecondaryFrom::File => "file",
            SecondaryFrom::HydrogenBonds => "hydrogen bonds",
            SecondaryFrom::Calpha => "Cα trace",
            SecondaryFrom::None => "none",
        }
        .to_owned(),
        view: camera.pymol_view().to_vec(),
    };
    tell(Outcome::Drew(Recorded { drawn, stamp }));
    Ok(())
}

/// A file that is not there need not be removed.
fn missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Writes a picture beside its place and renames it in, but does not wait for the disk: for thousands of small files
/// that takes longer than drawing them. What a failing machine cut off is drawn again, see [`is_whole`].
fn write(place: &Path, image: &Picture) -> Result<(), FileError> {
    let beside = place.with_extension("png.writing");
    let attempt = || -> io::Result<()> {
        fs::write(&beside, image.to_png().map_err(io::Error::other)?)?;
        fs::rename(&beside, place)
    };
    attempt().map_err(|e| {
        // The half-written neighbour is of no use to anybody; failing to remove it changes nothing.
        let _ = fs::remove_file(&beside);
        FileError::io(place, "write", e)
    })
}

/// The files of `inputs`, in order of their names within a folder, each once.
fn files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
    let mut files = Vec::new();
    for input in inputs {
        let about = fs::metadata(input).map_err(|e| FileError::io(input, "read", e))?;
        if !about.is_dir() {
            files.push(input.clone());
            continue;
        }
        let entries = fs::read_dir(input).map_err(|e| FileError::io(input, "read", e))?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| FileError::io(input, "read", e))?.path();
            if is_structure(&path) && path.is_file() {
                found.push(path);
            }
        }
        if found.is_empty() {
            let endings = ENDINGS.map(|ending| format!(".{ending}")).join(", ");
            let reason = format!("holds no structure, expected files ending in {endings}, plain or .gz");
            return Err(FileError::whole(input, reason));
        }
        found.sort();
        files.append(&mut found);
    }
    let mut seen = BTreeSet::new();
    files.retain(|path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    Ok(files)
}

fn is_structure(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// A picture's name for each file: the file's without its endings; with them where that is taken twice; with the
/// folder's name before it where that is, too; numbered where nothing else helps.
fn named(files: Vec<PathBuf>) -> Vec<(String, PathBuf)> {
    let of_file = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let of_folder = |path: &Path| {
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        format!("{folder}_{}", of_file(path))
    };
    let ways: [&dyn Fn(&Path) -> String; 3] = [&stem, &of_file, &of_folder];
    let mut counts: [HashMap<String, usize>; 3] = Default::default();
    for path in &files {
        for (way, counts) in ways.iter().zip(&mut counts) {
            // File systems that do not tell upper from lower case must not lose a picture.
            *counts.entry(way(path).to_lowercase()).or_default() += 1;
        }
    }
    let mut taken = BTreeSet::new();
    let name = |path: &Path| {
        let alone = ways.iter().zip(&counts).find(|(way, counts)| counts[&way(path).to_lowercase()] == 1);
        let mut name = alone.map_or_else(|| of_folder(path), |(way, _)| way(path));
        let plain = name.clone();
        let mut number = 2;
        while !taken.insert(name.to_lowercase()) {
            name = format!("{plain}_{number}");
            number += 1;
        }
        format!("{name}.png")
    };
    let names: Vec<String> = files.iter().map(|path| path.as_path()).map(name).collect();
    names.into_iter().zip(files).collect()
}

#[cfg(test)]
mod tests;
