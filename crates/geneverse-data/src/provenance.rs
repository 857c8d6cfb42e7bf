//! Where a file comes from: what `genes fetch` leaves beside each file it brings, and what `genes.db` and every
//! dataset made from it keep.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::stage::{FileError, read_json, write_json};

/// The origin of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The source's name in the table of sources: `hgnc`, `gene_info`, …
    pub source: String,
    /// Where it was fetched from.
    pub url: String,
    /// When, in UTC: `2026-11-22T20:45:21Z`.
    pub fetched: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// The terms under which it may be used: `CC0-1.0`, `CC-BY-4.0`, `public domain`.
    pub licence: String,
    /// The server's tag for this version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The server's date of this version, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

impl Provenance {
    /// Where the provenance of `file` lies: `FILE.source.json`.
    pub fn beside(file: &Path) -> PathBuf {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".source.json");
        file.with_file_name(name)
    }

    /// The provenance of `file`, where something left one and it is of these bytes: a file that was changed or
    /// replaced since is of unknown origin.
    pub fn of(file: &Path, sha256: &str) -> Result<Option<Self>, FileError> {
        let beside = Self::beside(file);
        if !beside.is_file() {
            return Ok(None);
        }
        let found: Self = read_json(&beside)?;
        Ok((found.sha256 == sha256).then_some(found))
    }

    /// Writes it beside `file`.
    pub fn write(&self, file: &Path) -> Result<(), FileError> {
        write_json(&Self::beside(file), self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{atomic_write, hash_file};
    use std::io::Write;

    #[test]
    fn a_changed_file_is_of_unknown_origin() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hgnc.txt");
        atomic_write(&file, |out| out.write_all(b"symbol")).unwrap();
        let hash = hash_file(&file).unwrap();
        assert_eq!(Provenance::of(&file, &hash).unwrap(), None);
        let provenance = Provenance {
            source: "hgnc".into(),
            url: "https://example.org/hgnc.txt".into(),
            fetched: "2026-11-22T20:45:21Z".into(),
            sha256: hash.clone(),
            bytes: 6,
            licence: "CC0-1.0".into(),
            etag: None,
            last_modified: None,
        };
        provenance.write(&file).unwrap();
        assert_eq!(Provenance::of(&file, &hash).unwrap(), Some(provenance));
        assert_eq!(Provenance::of(&file, "another").unwrap(), None);
    }
}
