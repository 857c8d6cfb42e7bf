//! Structure files to a folder of pictures.
//!
//! ```text
//! OUT/NAME.png          a picture for each structure, named after its file
//! OUT/pictures.jsonl    a line for each: picture, structure, hash, residues, view
//! OUT/skipped.jsonl     a line for each file that has no picture, and why
//! OUT/manifest.json     when all is done
//! ```
//!
//! While pictures are made, `unfinished.jsonl` has a line for each that is done, so that a run that was stopped, or
//! killed, goes on where it was. A run with more files adds their pictures. Other settings, or another structure under
//! the name of one that is drawn, are refused: no picture is drawn over.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::picture::Picture;
use crate::progress::Progress;
use crate::render::protein::{Settings, draw_from};
use crate::stage::{FileError, Manifest, finish, first_difference, hash_bytes, open, read_json, write_lines};
use crate::structure::{ReadOptions, SecondaryFrom, read_bytes, stem};
use crate::threads;

/// The stage's name in its manifest.
pub const STAGE: &str = "render protein";
/// Endings of the files that are taken from a folder, each also with `.gz`.
const ENDINGS: [&str; 5] = ["pdb", "ent", "cif", "mmcif", "pdb1"];
const PICTURES: &str = "pictures.jsonl";
const SKIPPED: &str = "skipped.jsonl";
const UNFINISHED: &str = "unfinished.jsonl";

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
    let named = named(files(inputs)?);
    let look = json!({"settings": settings, "reading": format!("{reading:?}")});
    let done = done(out, &look)?;
    fs::create_dir_all(out).map_err(|e| FileError::io(out, "create", e))?;
    let mut log = Log::open(out, &look)?;

    progress.start("Drawing structures", Some(named.len() as u64), "structures");
    let failed = AtomicBool::new(false);
    let halt = || failed.load(Ordering::Relaxed) || stop();
    let (sender, receiver) = channel();
    let mut drawn = BTreeMap::new();
    let mut skipped = Vec::new();
    let mut new = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| work(&named, &done, folder, sender, &halt));
        let mut error = None;
        for outcome in receiver {
            match outcome {
                Ok(Outcome::Had(picture)) => drop(drawn.insert(picture.picture.clone(), picture)),
                Ok(Outcome::Drew(picture)) => {
                    error = error.or(log.add(&picture).err());
                    new += 1;
                    drawn.insert(picture.picture.clone(), picture);
                }
                Ok(Outcome::Skipped(file)) => skipped.push(file),
                Err(why) => error = error.or(Some(why)),
            }
            failed.fetch_or(error.is_some(), Ordering::Relaxed);
            progress.set((drawn.len() + skipped.len()) as u64);
            if !skipped.is_empty() {
                progress.state(&format!("{} skipped", skipped.len()));
            }
        }
        progress.finish();
        error.map_or(Ok(()), Err)
    })?;
    let stopped = drawn.len() + skipped.len() < named.len();
    skipped.sort_by(|a, b| a.structure.cmp(&b.structure));
    // Pictures of an earlier run, of files that this one was not given, stay.
    for (name, picture) in done {
        drawn.entry(name).or_insert(picture);
    }
    let report = FolderReport {
        out: out.to_owned(),
        pictures: drawn.len(),
        drawn: new,
        skipped: skipped.len(),
        stopped,
        reasons: skipped.iter().take(REASONS).cloned().collect(),
    };
    if !stopped {
        write_lines(&out.join(PICTURES), drawn.values())?;
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
    Had(Drawn),
    Drew(Drawn),
    Skipped(SkippedFile),
}

/// Draws on all threads; nothing is begun once `halt` says so.
fn work(
    named: &[(String, PathBuf)],
    done: &HashMap<String, Drawn>,
    folder: &Folder<'_>,
    sender: Sender<Result<Outcome, FileError>>,
    halt: &(dyn Fn() -> bool + Sync),
) {
    threads::for_each(named.len(), |place| {
        let (picture, path) = &named[place];
        let go_on = !halt();
        if go_on {
            // Nobody listens only after an error, which is told already.
            let _ = sender.send(one(picture, path, done, folder));
        }
        go_on
    });
}

/// Draws a file. What is wrong with the file is a skip, what is wrong with the folder an error.
fn one(
    picture: &str,
    path: &Path,
    done: &HashMap<String, Drawn>,
    folder: &Folder<'_>,
) -> Result<Outcome, FileError> {
    let skip = |reason: String| {
        Ok(Outcome::Skipped(SkippedFile { structure: path.to_string_lossy().into_owned(), reason }))
    };
    let mut bytes = Vec::new();
    // A gigabyte is more than any entry has; what a file holds beyond it would only fill memory.
    let read = open(path)
        .and_then(|file| file.take(1 << 30).read_to_end(&mut bytes).map_err(|e| FileError::reading(path, e)));
    if let Err(error) = read {
        return skip(error.to_string());
    }
    let sha256 = hash_bytes(&bytes);
    let place = folder.out.join(picture);
    if let Some(before) = done.get(picture).filter(|_| is_whole(&place)) {
        if before.sha256 == sha256 {
            return Ok(Outcome::Had(before.clone()));
        }
        let reason = format!(
            "was drawn of {} with other contents than {} has now; choose another --out or remove it",
            before.structure,
            path.display()
        );
        return Err(FileError::whole(&place, reason));
    }
    let (structure, notes) = match read_bytes(path, &bytes, folder.reading) {
        Ok(read) => read,
        Err(error) => return skip(error.to_string()),
    };
    drop(bytes);
    let (image, camera) = match draw_from(&structure, folder.settings) {
        Ok(drawn) => drawn,
        Err(error) => return skip(format!("{}: {error}", path.display())),
    };
    write(&place, &image)?;
    Ok(Outcome::Drew(Drawn {
        picture: picture.to_owned(),
        structure: path.to_string_lossy().into_owned(),
        sha256,
        chains: structure.chains.len(),
        residues: structure.residue_count(),
        id: structure.id,
        title: structure.title,
        secondary: match notes.secondary {
            SecondaryFrom::File => "file",
            SecondaryFrom::HydrogenBonds => "hydrogen bonds",
            SecondaryFrom::Calpha => "Cα trace",
            SecondaryFrom::None => "none",
        }
        .to_owned(),
        view: camera.pymol_view().to_vec(),
    }))
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

/// Whether a PNG file has its end.
fn is_whole(place: &Path) -> bool {
    const END: [u8; 8] = *b"IEND\xae\x42\x60\x82";
    let last = || -> io::Result<[u8; 8]> {
        let mut file = File::open(place)?;
        file.seek(SeekFrom::End(-(END.len() as i64)))?;
        let mut last = [0; 8];
        file.read_exact(&mut last)?;
        Ok(last)
    };
    last().is_ok_and(|last| last == END)
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

/// The pictures that are in `out`, finished or not. Pictures that look otherwise are an error.
fn done(out: &Path, look: &Value) -> Result<HashMap<String, Drawn>, FileError> {
    let refuse = |then: &Value| match first_difference(then, look, "") {
        Some(difference) => {
            let reason = format!("holds pictures of other settings ({difference}); choose another --out");
            Err(FileError::whole(out, reason))
        }
        None => Ok(()),
    };
    let mut done = HashMap::new();
    let manifest = out.join("manifest.json");
    if manifest.exists() {
        let manifest: Manifest = read_json(&manifest)?;
        if manifest.stage != STAGE {
            let reason =
                format!("holds the output of `{}`, not of `{STAGE}`; choose another --out", manifest.stage);
            return Err(FileError::whole(out, reason));
        }
        refuse(&manifest.key)?;
    }
    for name in [PICTURES, UNFINISHED] {
        let path = out.join(name);
        let Ok(file) = File::open(&path) else { continue };
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|e| FileError::reading(&path, e))?;
            // A line that a kill cut off is a picture that is drawn again.
            let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
            if let Some(then) = value.get("look") {
                refuse(then)?;
            } else if let Ok(picture) = serde_json::from_value::<Drawn>(value) {
                done.insert(picture.picture.clone(), picture);
            }
        }
    }
    Ok(done)
}

/// `unfinished.jsonl`, a line for each picture as it is drawn; the first says how they look.
struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    fn open(out: &Path, look: &Value) -> Result<Self, FileError> {
        let path = out.join(UNFINISHED);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let mut log = Self { file: file.map_err(|e| FileError::io(&path, "write", e))?, path };
        // After a line that was cut off the next begins on its own.
        log.line(&format!("\n{}\n", json!({ "look": look })))?;
        Ok(log)
    }
    fn add(&mut self, picture: &Drawn) -> Result<(), FileError> {
        self.line(&format!("{}\n", json!(picture)))
    }
    fn line(&mut self, line: &str) -> Result<(), FileError> {
        self.file.write_all(line.as_bytes()).map_err(|e| FileError::io(&self.path, "write", e))
    }
    fn remove(self) -> Result<(), FileError> {
        fs::remove_file(&self.path).map_err(|e| FileError::io(&self.path, "remove", e))
    }
}

#[cfg(test)]
mod tests;
