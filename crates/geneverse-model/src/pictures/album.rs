//! The features of many pictures, each looked at once, in memory or in files that outlive the process.
//!
//! ```text
//! features-HASH.json     what made them: the files of tower and processor
//! features-HASH.jsonl    a line for each picture: the hash of its bytes, its first row, how its rows lie
//! features-HASH.f32      (rows, width), little-endian
//! ```
//!
//! Pictures with the same bytes are one. The files grow picture by picture, numbers first, so that a process that was killed
//! loses the pictures it was looking at; another run with other pictures finds those that are there and adds its own. The
//! names have the hash of what is in the first file: another tower's features lie in other files.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use geneverse_data::picture::Picture;
use geneverse_data::progress::Progress;
use geneverse_data::stage::{FileError, hash_bytes, hash_file, write_json};
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Eyes;
use crate::arch::projector::PICTURE;
use crate::config::qwen::Grid;
use crate::error::{ModelError, Result};
use crate::weights::{Numbers, Precision};

/// Pictures looked at together.
const TOGETHER: usize = 8;

/// A picture's file and the hash of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureFile {
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256.
    pub hash: String,
}

impl PictureFile {
    /// The pictures of these files, each path once, in the order of their paths.
    pub fn all(paths: impl IntoIterator<Item = PathBuf>) -> Result<Vec<Self>> {
        let paths: std::collections::BTreeSet<PathBuf> = paths.into_iter().collect();
        let shown = |path: PathBuf| Ok(Self { hash: hash_file(&path)?, path });
        paths.into_iter().map(shown).collect()
    }
}

/// Where features are kept.
pub struct Kept<'a> {
    /// The folder of the files.
    pub folder: &'a Path,
    /// What the features depend on beside the pictures: the files of tower and processor.
    pub key: &'a Value,
}

/// Pictures that have been looked at.
pub struct Album {
    /// Where each file's picture lies.
    places: HashMap<PathBuf, Grid>,
    /// Where every picture lies, in the order of the rows.
    grids: Arc<Vec<Grid>>,
    /// Features, or the pixels of which a tower that is trained makes them.
    features: Numbers,
}

impl Album {
    /// Looks at pictures. `stop` is asked between them; `None` where it said so.
    pub fn look(
        eyes: &Eyes,
        shown: &[PictureFile],
        kept: Option<&Kept<'_>>,
        progress: &dyn Progress,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Self>> {
        let mut store = Store::open(kept, eyes.width())?;
        let known: HashMap<String, Grid> = store.lines.iter().map(Line::known).collect();
        let mut fresh: BTreeMap<&str, &Path> = BTreeMap::new();
        for PictureFile { path, hash } in shown.iter().filter(|shown| !known.contains_key(&shown.hash)) {
            fresh.entry(hash).or_insert(path);
        }
        // By their paths, as the examples have them.
        let mut fresh: Vec<(&str, &Path)> = fresh.into_iter().collect();
        fresh.sort_by_key(|(_, path)| *path);
        let of: std::collections::HashSet<&str> = shown.iter().map(|shown| shown.hash.as_str()).collect();
        let (all, done) = (of.len(), of.len() - fresh.len());
        progress.start("look at pictures", Some(all as u64), "pictures");
        progress.set(done as u64);
        for (number, pictures) in fresh.chunks(TOGETHER).enumerate() {
            if stop() {
                return Ok(None);
            }
            let read =
                pictures.iter().map(|(_, path)| Ok(Picture::read(path)?)).collect::<Result<Vec<_>>>()?;
            let glances = eyes.glances(read).map_err(|e| {
                let names: Vec<String> =
                    pictures.iter().map(|(_, path)| path.display().to_string()).collect();
                ModelError::Run(format!("{e} (among {})", names.join(", ")))
            })?;
            for ((hash, _), glance) in pictures.iter().zip(&glances) {
                store.push(hash, &glance.features, (glance.down, glance.across))?;
            }
            progress.set((done + number * TOGETHER + pictures.len()) as u64);
        }
        progress.finish();
        let by_hash: HashMap<String, Grid> = store.lines.iter().map(Line::known).collect();
        let place = |shown: &PictureFile| Some((shown.path.clone(), *by_hash.get(&shown.hash)?));
        let places = shown.iter().filter_map(place).collect();
        let grids = Arc::new(store.lines.iter().map(|line| line.known().1).collect());
        Ok(Some(Self { places, grids, features: store.finish()? }))
    }

    /// Looks at pictures that are no files, each with the name by which it is asked for.
    pub fn of(eyes: &Eyes, pictures: Vec<(PathBuf, Picture)>) -> Result<Self> {
        let mut store = Store::open(None, eyes.width())?;
        let mut places = HashMap::new();
        for (name, picture) in pictures {
            for glance in eyes.glances(vec![picture])? {
                let grid = Grid { first: store.rows, down: glance.down, across: glance.across };
                store.push("", &glance.features, (glance.down, glance.across))?;
                places.insert(name.clone(), grid);
            }
        }
        let grids = Arc::new(store.lines.iter().map(|line| line.known().1).collect());
        Ok(Self { places, grids, features: store.finish()? })
    }

    /// One without a picture.
    pub fn empty() -> Self {
        Self { places: HashMap::new(), grids: Arc::default(), features: Numbers::new(Vec::new()) }
    }

    /// Tokens of all its pictures.
    pub fn tokens(&self) -> usize {
        self.grids.last().map_or(0, |grid| grid.first + grid.down * grid.across)
    }

    /// The tokens that are a picture; `None` for a file that was not looked at.
    pub fn ids(&self, path: &Path) -> Option<Range<u32>> {
        let Grid { first, down, across } = *self.places.get(path)?;
        let first = PICTURE + first as u32;
        Some(first..first + (down * across) as u32)
    }

    /// What the decoder has to be shown.
    pub(crate) fn numbers(&self) -> Numbers {
        self.features.clone()
    }

    /// How the rows of it lie.
    pub(crate) fn grids(&self) -> Arc<Vec<Grid>> {
        self.grids.clone()
    }
}

/// A picture in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    picture: String,
    first: usize,
    down: usize,
    across: usize,
}

impl Line {
    fn known(&self) -> (String, Grid) {
        let Self { picture, first, down, across } = self;
        (picture.clone(), Grid { first: *first, down: *down, across: *across })
    }
}

/// Features as they are made.
struct Store {
    lines: Vec<Line>,
    width: usize,
    rows: usize,
    place: Place,
}

enum Place {
    Memory(Vec<f32>),
    File { path: PathBuf, numbers: BufWriter<File>, index: File },
}

impl Store {
    /// Opens the files of features, with the pictures that are whole in them.
    fn open(kept: Option<&Kept<'_>>, width: usize) -> Result<Self> {
        let Some(Kept { folder, key }) = kept else {
            return Ok(Self { lines: Vec::new(), width, rows: 0, place: Place::Memory(Vec::new()) });
        };
        let key = json!({"eyes": key, "width": width});
        let name = format!("features-{}", &hash_bytes(key.to_string().as_bytes())[..16]);
        write_json(&folder.join(format!("{name}.json")), &key)?;
        let [index_path, path] = ["jsonl", "f32"].map(|end| folder.join(format!("{name}.{end}")));
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).read(true).open(path);
            file.map_err(|e| FileError::io(path, "open", e))
        };
        let (index, file) = (open(&index_path)?, open(&path)?);
        if index.try_lock().is_err() {
            let reason = "another run is looking at pictures into this file; wait for it, or keep features in another folder";
            return Err(FileError::whole(&index_path, reason).into());
        }
        let text = std::fs::read_to_string(&index_path).map_err(|e| FileError::io(&index_path, "read", e))?;
        let bytes = file.metadata().map_err(|e| FileError::io(&path, "read", e))?.len() as usize;
        let (mut lines, mut rows, mut read) = (Vec::new(), 0, 0);
        for text in text.split_inclusive('\n') {
            let line: Option<Line> = serde_json::from_str(text).ok().filter(|_| text.ends_with('\n'));
            let end =
                |line: &Line| line.down.checked_mul(line.across)?.checked_add(rows)?.checked_mul(4 * width);
            let Some(line) = line.filter(|l| l.first == rows && end(l).is_some_and(|end| end <= bytes))
            else {
                break;
            };
            rows += line.down * line.across;
            read += text.len();
            lines.push(line);
        }
        index.set_len(read as u64).map_err(|e| FileError::io(&index_path, "shorten", e))?;
        file.set_len((4 * rows * width) as u64).map_err(|e| FileError::io(&path, "shorten", e))?;
        Ok(Self { lines, width, rows, place: Place::File { path, numbers: BufWriter::new(file), index } })
    }

    /// Adds a picture.
    fn push(&mut self, hash: &str, features: &[f32], (down, across): (usize, usize)) -> Result<()> {
        let rows = features.len() / self.width.max(1);
        if (self.rows + rows) as u64 >= u64::from(u32::MAX - PICTURE) {
            let most = u32::MAX - PICTURE;
            return Err(ModelError::Run(format!("pictures of more than {most} tokens; take fewer at once")));
        }
        let line = Line { picture: hash.to_owned(), first: self.rows, down, across };
        match &mut self.place {
            Place::Memory(all) => all.extend_from_slice(features),
            Place::File { path, numbers, index } => {
                let written = features.iter().try_for_each(|x| numbers.write_all(&x.to_le_bytes()));
                let written = written.and_then(|()| numbers.flush());
                let text = serde_json::to_string(&line).unwrap_or_default();
                let written = written.and_then(|()| writeln!(index, "{text}"));
                written.map_err(|e| FileError::io(path, "write", e))?;
            }
        }
        self.rows += rows;
        self.lines.push(line);
        Ok(())
    }

    fn finish(self) -> Result<Numbers> {
        let len = self.rows * self.width;
        match self.place {
            Place::Memory(numbers) => Ok(Numbers::new(numbers)),
            Place::File { .. } if len == 0 => Ok(Numbers::new(Vec::new())),
            Place::File { path, numbers, .. } => {
                drop(numbers);
                let file = File::open(&path).map_err(|e| FileError::io(&path, "open", e))?;
                // SAFETY: rows that the index knows are never changed or cut off, only others appended; a program that
                // shortens the file under a running one breaks both, as with any memory-mapped file.
                let map = unsafe { Mmap::map(&file) }.map_err(|e| FileError::io(&path, "map", e))?;
                Ok(Numbers::mapped(&Arc::new(map), 0..4 * len, Precision::F32))
            }
        }
    }
}
