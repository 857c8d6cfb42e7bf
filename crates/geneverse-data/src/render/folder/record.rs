//! What a folder says is drawn, and of which files.
//!
//! A structure's file is known again without being read by its *stamp*: its size, the time of its last change and, on
//! Unix, that of its entry (`ctime`), which nobody can set back. A stamp is believed only where the file was left alone
//! for a while before it was read, since two changes within one tick of a file system's clock leave the same times (as git
//! has it of its index). Without a stamp that fits, the file is read and its hash decides.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Drawn, PICTURES, STAGE};
use crate::stage::{FileError, Manifest, first_difference, read_json};

/// Stamps by picture, beside `pictures.jsonl`.
pub(super) const STAMPS: &str = "stamps.json";
/// What a run that has not finished has drawn.
pub(super) const UNFINISHED: &str = "unfinished.jsonl";
/// How long a file was left alone before its times are believed: FAT's tick, the longest there is.
const SETTLED: Duration = Duration::from_secs(2);

/// A picture that is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Recorded {
    #[serde(flatten)]
    pub(super) drawn: Drawn,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stamp: Option<String>,
}

impl Recorded {
    /// Whether a picture is whole and its structure's file the one that it was drawn of, without reading that.
    pub(super) fn is_of(&self, path: &Path, out: &Path) -> bool {
        let Recorded { drawn, stamp: then } = self;
        then.is_some()
            && drawn.structure == path.to_string_lossy()
            && fs::metadata(path).is_ok_and(|about| stamp(&about) == *then)
            && is_whole(&out.join(&drawn.picture))
    }
}

/// Size and times of a file; none where the system does not tell.
fn stamp(about: &Metadata) -> Option<String> {
    Some(format!("{} {}", about.len(), times(about)?.map(|time| time.as_nanos().to_string()).join(" ")))
}

/// When a file and its entry were last changed, since 1970.
fn times(about: &Metadata) -> Option<[Duration; 2]> {
    let modified = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    #[cfg(unix)]
    let changed = {
        use std::os::unix::fs::MetadataExt;
        Duration::new(u64::try_from(about.ctime()).ok()?, u32::try_from(about.ctime_nsec()).ok()?)
    };
    #[cfg(not(unix))]
    let changed = modified;
    Some([modified, changed])
}

/// Whether a PNG file has its end.
pub(super) fn is_whole(place: &Path) -> bool {
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

/// The pictures that are in `out`, finished or not. Pictures that look otherwise are an error.
pub(super) fn known(out: &Path, look: &Value) -> Result<HashMap<String, Recorded>, FileError> {
    let refuse = |then: &Value| match first_difference(then, look, "") {
        Some(difference) => {
            let reason = format!("holds pictures of other settings ({difference}); choose another --out");
            Err(FileError::whole(out, reason))
        }
        None => Ok(()),
    };
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
    let mut known: HashMap<String, Recorded> = HashMap::new();
    // Without stamps, or with stamps that cannot be read, files are.
    let mut stamps: HashMap<String, String> = read_json(&out.join(STAMPS)).unwrap_or_default();
    for name in [PICTURES, UNFINISHED] {
        let path = out.join(name);
        let Ok(file) = File::open(&path) else { continue };
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|e| FileError::reading(&path, e))?;
            // A line that a kill cut off is a picture that is drawn again.
            match serde_json::from_str(&line) {
                Ok(Line::Drawn(mut recorded)) => {
                    let picture = recorded.drawn.picture.clone();
                    recorded.stamp = recorded.stamp.or_else(|| stamps.remove(&picture));
                    known.insert(picture, *recorded);
                }
                Ok(Line::Forgotten { forgotten }) => drop(known.remove(&forgotten)),
                Ok(Line::Look { look }) => refuse(&look)?,
                Err(_) => {}
            }
        }
    }
    Ok(known)
}

/// A line of `pictures.jsonl` or `unfinished.jsonl`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Drawn(Box<Recorded>),
    Look {
        look: Value,
    },
    /// A picture whose structure has changed.
    Forgotten {
        forgotten: String,
    },
}

/// Writes the stamps of finished pictures.
pub(super) fn write_stamps<'a>(
    out: &Path,
    pictures: impl Iterator<Item = &'a Recorded>,
) -> Result<(), FileError> {
    let stamps: BTreeMap<&str, &str> = pictures
        .filter_map(|recorded| Some((recorded.drawn.picture.as_str(), recorded.stamp.as_deref()?)))
        .collect();
    crate::stage::write_json(&out.join(STAMPS), &stamps)
}

/// `unfinished.jsonl`, a line for each picture as it is drawn; the first says how they look.
pub(super) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    pub(super) fn open(out: &Path, look: &Value) -> Result<Self, FileError> {
        let path = out.join(UNFINISHED);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let mut log = Self { file: file.map_err(|e| FileError::io(&path, "write", e))?, path };
        // After a line that was cut off the next begins on its own.
        log.line(&format!("\n{}\n", json!({ "look": look })))?;
        Ok(log)
    }

    /// Stamps of files that were left alone long enough before now, by the clock of the folder's file system.
    pub(super) fn stamps(&self) -> impl Fn(&Path) -> Option<String> + Sync + use<> {
        let now = self.file.metadata().ok().and_then(|about| times(&about)).map(|[modified, _]| modified);
        move |path| {
            let about = fs::metadata(path).ok()?;
            let settled = |time: Duration| Some(time + SETTLED <= now?);
            (times(&about)?.into_iter().all(|time| settled(time) == Some(true))).then(|| stamp(&about))?
        }
    }

    pub(super) fn add(&mut self, picture: &Recorded) -> Result<(), FileError> {
        self.line(&format!("{}\n", json!(picture)))
    }

    pub(super) fn forget(&mut self, picture: &str) -> Result<(), FileError> {
        self.line(&format!("{}\n", json!({ "forgotten": picture })))
    }

    fn line(&mut self, line: &str) -> Result<(), FileError> {
        self.file.write_all(line.as_bytes()).map_err(|e| FileError::io(&self.path, "write", e))
    }

    pub(super) fn remove(self) -> Result<(), FileError> {
        fs::remove_file(&self.path).map_err(|e| FileError::io(&self.path, "remove", e))
    }
}
