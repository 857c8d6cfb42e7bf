//! Dense vectors of passages, kept in a file beside the database, so that they are computed once and not by each run.
//!
//! ```text
//! "geneverse passages 1\n"
//! key: 64 bytes          SHA-256, hexadecimal, of what makes the vectors and of every passage's text
//! width, count, state    three u64, little-endian: numbers of a vector, vectors, bytes of the state
//! vectors                count · width f32, little-endian, each vector of length 1
//! state                  what the encoder needs besides, to look at questions
//! SHA-256                64 bytes, hexadecimal, of all before
//! ```
//!
//! A file that is of other passages, of another encoder, or broken is told, and written anew. One that cannot be written costs
//! nothing but the time of the next run.

use std::io::Write;
use std::path::{Path, PathBuf};

use geneverse_data::progress::Progress;
use geneverse_data::stage::{atomic_write, hash_bytes};

const BEGINS: &[u8] = b"geneverse passages 1\n";
const HASH: usize = 64;
/// Three numbers.
const SIZES: usize = 24;

/// Where vectors are kept, and what they depend on but for the texts.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// What makes the vectors: whatever changes them changes this.
    pub encoder: String,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) width: usize,
    /// (passages, width).
    pub(super) vectors: Vec<f32>,
    pub(super) state: Vec<u8>,
}

impl Place {
    /// What vectors of these texts are known by.
    pub(super) fn key(&self, texts: &[&str]) -> String {
        let mut all = Vec::with_capacity(texts.iter().map(|text| text.len() + 8).sum());
        for text in [self.encoder.as_str()].iter().chain(texts) {
            all.extend((text.len() as u64).to_le_bytes());
            all.extend(text.as_bytes());
        }
        hash_bytes(&all)
    }

    /// What is kept under a key for so many texts; why there is nothing of use is told.
    pub(super) fn read(&self, key: &str, count: usize, progress: &dyn Progress) -> Option<Kept> {
        if !self.file.exists() {
            return None;
        }
        let read = std::fs::read(&self.file).map_err(|e| format!("cannot read: {e}"));
        match read.and_then(|bytes| parse(&bytes, key, count)) {
            Ok(kept) => Some(kept),
            Err(why) => {
                progress.note(&format!("{}: {why}; it is made anew", self.file.display()));
                None
            }
        }
    }

    /// Keeps vectors; where that cannot be, it is told.
    pub(super) fn write(&self, key: &str, kept: &Kept, progress: &dyn Progress) {
        // Under a name of this process first: several may make the same file at once.
        let mut name = self.file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let own = self.file.with_file_name(name);
        let bytes = bytes(key, kept);
        let written = atomic_write(&own, |out| out.write_all(&bytes)).map_err(|e| e.to_string());
        let moved = written.and_then(|()| rename(&own, &self.file));
        if let Err(why) = moved {
            progress.note(&format!("vectors of passages are not kept: {why}"));
        }
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), String> {
    std::fs::rename(from, to).map_err(|e| {
        // Of no use to anybody; that it stays changes nothing.
        let _ = std::fs::remove_file(from);
        format!("{}: cannot write: {e}", to.display())
    })
}

fn bytes(key: &str, kept: &Kept) -> Vec<u8> {
    let Kept { width, vectors, state } = kept;
    let count = vectors.len() / (*width).max(1);
    let mut all = Vec::with_capacity(BEGINS.len() + 2 * HASH + SIZES + 4 * vectors.len() + state.len());
    all.extend(BEGINS);
    all.extend(key.as_bytes());
    for size in [*width, count, state.len()] {
        all.extend((size as u64).to_le_bytes());
    }
    vectors.iter().for_each(|x| all.extend(x.to_le_bytes()));
    all.extend(state);
    let hash = hash_bytes(&all);
    all.extend(hash.as_bytes());
    all
}

/// Reads a file's bytes, or says what is wrong with them.
pub(super) fn parse(bytes: &[u8], key: &str, count: usize) -> Result<Kept, String> {
    let rest = bytes.strip_prefix(BEGINS).ok_or("is no file of kept vectors")?;
    let broken = || "is broken or cut off".to_owned();
    let (known_by, rest) = rest.split_at_checked(HASH).ok_or_else(broken)?;
    if known_by != key.as_bytes() {
        return Err("is of other records, or of another encoder".to_owned());
    }
    let (sizes, rest) = rest.split_at_checked(SIZES).ok_or_else(broken)?;
    let mut sizes = sizes.chunks_exact(8).map(number);
    let (width, vectors, state) = (sizes.next(), sizes.next(), sizes.next());
    let (Some(width), Some(vectors), Some(state)) = (width, vectors, state) else { return Err(broken()) };
    let numbers = vectors.checked_mul(width).and_then(|n| n.checked_mul(4)).ok_or_else(broken)?;
    let (numbers, rest) = rest.split_at_checked(numbers).ok_or_else(broken)?;
    let (state, hash) = rest.split_at_checked(state).ok_or_else(broken)?;
    if vectors != count && width > 0 || hash.len() != HASH {
        return Err(broken());
    }
    if hash_bytes(&bytes[..bytes.len() - HASH]).as_bytes() != hash {
        return Err(broken());
    }
    Ok(Kept { width, vectors: singles(numbers), state: state.to_vec() })
}

/// A u64 of eight bytes; one that this machine cannot count to is more than any file has.
pub(super) fn number(bytes: &[u8]) -> usize {
    let eight = bytes.try_into().map_or(u64::MAX, u64::from_le_bytes);
    usize::try_from(eight).unwrap_or(usize::MAX)
}

/// f32 numbers, little-endian.
pub(super) fn singles(bytes: &[u8]) -> Vec<f32> {
    let four = |bytes: &[u8]| bytes.try_into().map_or(f32::NAN, f32::from_le_bytes);
    bytes.chunks_exact(4).map(four).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept() -> Kept {
        Kept {
            width: 2,
            vectors: vec![0.6, -0.8, 1.0, 0.0, f32::MIN_POSITIVE, 1.0],
            state: b"words".to_vec(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_every_broken_byte_is_seen() {
        let key = hash_bytes(b"x");
        let all = bytes(&key, &kept());
        assert_eq!(parse(&all, &key, 3).unwrap(), kept());
        let why = |bytes: &[u8], key: &str| parse(bytes, key, 3).unwrap_err();
        for place in BEGINS.len() + HASH..all.len() {
            let mut other = all.clone();
            other[place] ^= 1;
            assert_eq!(why(&other, &key), "is broken or cut off", "byte {place}");
            assert_eq!(why(&all[..place], &key), "is broken or cut off", "cut at {place}");
        }
        assert_eq!(why(&all, &hash_bytes(b"y")), "is of other records, or of another encoder");
        assert_eq!(why(b"SQLite format 3", &key), "is no file of kept vectors");
        assert!(parse(&all, &key, 4).is_err(), "one vector is missing");
    }

    #[test]
    fn whatever_changes_texts_or_encoder_changes_the_key() {
        let place = |encoder: &str| Place { file: "f".into(), encoder: encoder.to_owned() };
        let keys = [
            place("a").key(&["b", "c"]),
            place("a").key(&["bc"]),
            place("ab").key(&["c"]),
            place("a").key(&["c", "b"]),
            place("a").key(&["b", "c", ""]),
        ];
        for (number, key) in keys.iter().enumerate() {
            assert!(!keys[..number].contains(key), "{number}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let key = hash_bytes(b"x");
            let _ = parse(&[BEGINS, key.as_bytes(), &tail].concat(), &key, 1);
        }
    }
}
