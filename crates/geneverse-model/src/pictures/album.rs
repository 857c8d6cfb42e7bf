//! The features of many pictures, each looked at once, in memory or in a file that outlives the process.
//!
//! ```text
//! features-HASH.json     what made them: the tower, the processor, the pictures, by what is in them
//! features-HASH.f32      (pictures · tokens, width), little-endian, in the order of the pictures
//! ```
//!
//! Pictures with the same bytes are one. The file grows picture by picture, so that a process that was killed loses the
//! pictures it was looking at. The names have the hash of what is in the first file: another tower's features, or other
//! pictures', lie in other files.

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
use serde_json::{Value, json};

use super::Eyes;
use crate::arch::projector::PICTURE;
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
    /// Tokens of a picture.
    tokens: usize,
    /// The number of each file's picture.
    places: HashMap<PathBuf, usize>,
    /// Features, or the pixels of which a tower that is trained makes them.
    numbers: Numbers,
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
        let mut by_hash: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut files, mut hashes): (Vec<&Path>, Vec<&str>) = (Vec::new(), Vec::new());
        let mut places = HashMap::new();
        for PictureFile { path, hash } in shown {
            let number = *by_hash.entry(hash).or_insert_with(|| {
                files.push(path);
                hashes.push(hash);
                files.len() - 1
            });
            places.insert(path.clone(), number);
        }
        let record = eyes.record();
        if (files.len() * eyes.tokens()) as u64 >= u64::from(u32::MAX - PICTURE) {
            let most = (u32::MAX - PICTURE) as usize / eyes.tokens().max(1);
            return Err(ModelError::Run(format!("{} pictures, expected at most {most}", files.len())));
        }
        let mut store = match kept {
            None => Store::Memory(Vec::with_capacity(files.len() * record)),
            Some(Kept { folder, key }) => {
                Store::open(folder, &json!({"eyes": key, "pictures": hashes, "numbers": record}), record)?
            }
        };
        let done = store.len() / record.max(1);
        progress.start("look at pictures", Some(files.len() as u64), "pictures");
        progress.set(done as u64);
        for (number, files) in files[done..].chunks(TOGETHER).enumerate() {
            if stop() {
                return Ok(None);
            }
            let pictures = files.iter().map(|file| Ok(Picture::read(file)?)).collect::<Result<Vec<_>>>()?;
            store.push(&eyes.look(pictures)?)?;
            progress.set((done + number * TOGETHER + files.len()) as u64);
        }
        progress.finish();
        Ok(Some(Self { tokens: eyes.tokens(), places, numbers: store.finish()? }))
    }

    /// The tokens that are a picture; `None` for a file that was not looked at.
    pub fn ids(&self, path: &Path) -> Option<Range<u32>> {
        let first = PICTURE + (self.places.get(path)? * self.tokens) as u32;
        Some(first..first + self.tokens as u32)
    }

    /// What the decoder has to be shown.
    pub(crate) fn numbers(&self) -> Numbers {
        self.numbers.clone()
    }
}

/// Features as they are made.
enum Store {
    Memory(Vec<f32>),
    File { path: PathBuf, file: BufWriter<File>, len: usize },
}

impl Store {
    /// Opens a file of features, with the whole records of `record` numbers that it has if they are of this key.
    fn open(folder: &Path, key: &Value, record: usize) -> Result<Self> {
        let name = format!("features-{}", &hash_bytes(key.to_string().as_bytes())[..16]);
        write_json(&folder.join(format!("{name}.json")), key)?;
        let path = folder.join(format!("{name}.f32"));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|e| FileError::io(&path, "open", e))?;
        let bytes = file.metadata().map_err(|e| FileError::io(&path, "read", e))?.len() as usize;
        let len = bytes / (4 * record).max(1) * record;
        file.set_len(4 * len as u64).map_err(|e| FileError::io(&path, "shorten", e))?;
        Ok(Self::File { path, file: BufWriter::new(file), len })
    }

    /// Numbers in it.
    fn len(&self) -> usize {
        match self {
            Self::Memory(numbers) => numbers.len(),
            Self::File { len, .. } => *len,
        }
    }

    fn push(&mut self, numbers: &[f32]) -> Result<()> {
        match self {
            Self::Memory(all) => all.extend_from_slice(numbers),
            Self::File { path, file, len } => {
                let written = numbers.iter().try_for_each(|x| file.write_all(&x.to_le_bytes()));
                written.and_then(|()| file.flush()).map_err(|e| FileError::io(path, "write", e))?;
                *len += numbers.len();
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Numbers> {
        match self {
            Self::Memory(numbers) => Ok(Numbers::new(numbers)),
            Self::File { len: 0, .. } => Ok(Numbers::new(Vec::new())),
            Self::File { path, file, len } => {
                drop(file);
                let file = File::open(&path).map_err(|e| FileError::io(&path, "open", e))?;
                // SAFETY: the file is this run's own, and is only appended to before this; a program that shortens it
                // under a running one breaks both, as with any memory-mapped file.
                let map = unsafe { Mmap::map(&file) }.map_err(|e| FileError::io(&path, "map", e))?;
                Ok(Numbers::mapped(&Arc::new(map), 0..4 * len, Precision::F32))
            }
        }
    }
}
