//! Stages: from files and settings to files, with a manifest written last.
//!
//! A stage's output without a manifest is unfinished. With one whose key equals the key of what is
//! asked now, the stage is done and is not run again; with another key the user is told, and nothing is
//! overwritten. A folder's manifest is `manifest.json` inside it; a file's is `FILE.manifest.json`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What can go wrong with a file. Always names the file, and the row where there is one.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system said no.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: "read", "write", …
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// A row is not what it should be.
    #[error("{path}:{line}: {reason}")]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was found and what was expected.
        reason: String,
    },
    /// The file as a whole is not what it should be.
    #[error("{path}: {reason}")]
    Whole {
        /// The file.
        path: PathBuf,
        /// What was found, what was expected, and a way out.
        reason: String,
    },
}

impl FileError {
    /// An operating system error about `path`.
    pub fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), action, source }
    }
    /// An error met while reading `path`; a gzip stream that stops short is told apart.
    pub fn reading(path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            Self::whole(path, "ends in the middle of its compressed data: it looks truncated, fetch it again")
        } else {
            Self::io(path, "read", source)
        }
    }
    /// An error about line `line` (from 1) of `path`.
    pub fn row(path: &Path, line: usize, reason: impl Into<String>) -> Self {
        Self::Row { path: path.to_owned(), line, reason: reason.into() }
    }
    /// An error about the whole of `path`.
    pub fn whole(path: &Path, reason: impl Into<String>) -> Self {
        Self::Whole { path: path.to_owned(), reason: reason.into() }
    }
}

/// Opens a file for reading, unpacking gzip where the first two bytes say so (whatever the name says).
pub fn open(path: &Path) -> Result<Box<dyn BufRead>, FileError> {
    let file = File::open(path).map_err(|e| FileError::io(path, "open", e))?;
    let mut plain = BufReader::with_capacity(1 << 16, file);
    let start = plain.fill_buf().map_err(|e| FileError::io(path, "read", e))?;
    if start.starts_with(&[0x1f, 0x8b]) {
        Ok(Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(plain))))
    } else {
        Ok(Box::new(plain))
    }
}

/// Writes a file beside its place, then renames it in, so that a reader never sees half of it.
pub fn atomic_write(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), FileError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".writing");
    let beside = path.with_file_name(name);
    let attempt = || -> io::Result<()> {
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let mut out = BufWriter::new(File::create(&beside)?);
        fill(&mut out)?;
        out.flush()?;
        out.get_ref().sync_all()?;
        fs::rename(&beside, path)
    };
    attempt().map_err(|e| {
        // The half-written neighbour is of no use to anybody; failing to remove it changes nothing.
        let _ = fs::remove_file(&beside);
        FileError::io(path, "write", e)
    })
}

/// Writes values as JSON, one a line.
///
/// # Errors
/// What the file system refuses.
pub fn write_lines<T: Serialize>(path: &Path, values: impl IntoIterator<Item = T>) -> Result<(), FileError> {
    atomic_write(path, |out| {
        for value in values {
            serde_json::to_writer(&mut *out, &value)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// Writes pretty JSON atomically, with a line end.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    atomic_write(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// Reads JSON; an error names the file and the place in it.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let reader = open(path)?;
    serde_json::from_reader(reader).map_err(|e| FileError::whole(path, format!("not the JSON expected: {e}")))
}

/// SHA-256 of a file's bytes, in hexadecimal.
pub fn hash_file(path: &Path) -> Result<String, FileError> {
    let mut file = File::open(path).map_err(|e| FileError::io(path, "open", e))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(|e| FileError::io(path, "read", e))? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// SHA-256 of some bytes, in hexadecimal.
pub fn hash_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What a finished stage leaves beside its output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The stage: "genes import", "train", …
    pub stage: String,
    /// The program's version.
    pub version: String,
    /// What the output depends on: input names to hashes, and the settings.
    pub key: serde_json::Value,
    /// What a reader wants to know: counts, seconds, skipped rows.
    pub facts: serde_json::Value,
}

/// Where the manifest of an output (folder or file) lies.
pub fn manifest_path(output: &Path) -> PathBuf {
    if output.is_dir() || output.extension().is_none() {
        output.join("manifest.json")
    } else {
        let mut name = output.file_name().unwrap_or_default().to_owned();
        name.push(".manifest.json");
        output.with_file_name(name)
    }
}

/// What stands at an output's place.
#[derive(Debug, PartialEq)]
pub enum Found {
    /// Nothing, or an unfinished attempt: run the stage.
    Unfinished,
    /// The same stage with the same key has finished here: there is nothing to do.
    Done(Box<Manifest>),
}

/// Looks at an output's place. A finished output of something else is an error that says what differs.
pub fn look(output: &Path, stage: &str, key: &serde_json::Value) -> Result<Found, FileError> {
    let path = manifest_path(output);
    if !path.exists() {
        return Ok(Found::Unfinished);
    }
    let manifest: Manifest = read_json(&path)?;
    if manifest.stage != stage {
        let reason =
            format!("holds the output of `{}`, not of `{stage}`; choose another --out", manifest.stage);
        return Err(FileError::whole(output, reason));
    }
    if let Some(difference) = first_difference(&manifest.key, key, "") {
        let reason =
            format!("finished earlier with other inputs ({difference}); choose another --out or remove it");
        return Err(FileError::whole(output, reason));
    }
    Ok(Found::Done(Box::new(manifest)))
}

/// Marks an output as finished.
pub fn finish(
    output: &Path,
    stage: &str,
    key: serde_json::Value,
    facts: serde_json::Value,
) -> Result<Manifest, FileError> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest { stage: stage.to_owned(), version, key, facts };
    write_json(&manifest_path(output), &manifest)?;
    Ok(manifest)
}

/// The first place where two JSON values differ, in words; `None` when they are equal.
pub fn first_difference(then: &serde_json::Value, now: &serde_json::Value, place: &str) -> Option<String> {
    use serde_json::Value::Object;
    if let (Object(a), Object(b)) = (then, now) {
        let keys = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
        for key in keys {
            let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            let null = serde_json::Value::Null;
            let (x, y) = (a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null));
            if let Some(found) = first_difference(x, y, &place) {
                return Some(found);
            }
        }
        return None;
    }
    (then != now).then(|| format!("{place}: then {then}, now {now}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_finished_stage_is_found_done_and_a_changed_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("dataset");
        let key = json!({"inputs": {"genes.db": "abc"}, "seed": 1});
        assert_eq!(look(&out, "dataset genes", &key).unwrap(), Found::Unfinished);
        finish(&out, "dataset genes", key.clone(), json!({"examples": 3})).unwrap();
        assert!(matches!(look(&out, "dataset genes", &key).unwrap(), Found::Done(_)));

        let changed = json!({"inputs": {"genes.db": "abc"}, "seed": 2});
        let error = look(&out, "dataset genes", &changed).unwrap_err().to_string();
        assert!(error.contains("seed: then 1, now 2"), "{error}");
        assert!(look(&out, "train", &key).unwrap_err().to_string().contains("choose another --out"));
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.json");
        atomic_write(&path, |out| out.write_all(b"old")).unwrap();
        let result = atomic_write(&path, |out| {
            out.write_all(b"half of the n")?;
            Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on device"))
        });
        assert!(result.unwrap_err().to_string().ends_with("cannot write: no space left on device"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
