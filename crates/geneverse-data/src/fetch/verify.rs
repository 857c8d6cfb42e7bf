//! Whether a file is what it claims to be. It is read once: for its checksums, through gzip to the end, and for its
//! first line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use md5::Md5;
use sha2::{Digest, Sha256};

use super::checksum::{Expected, Kind};
use super::table::Source;
use crate::http::clean::page_title;
use crate::stage::FileError;

/// How much of a line is looked at.
const LONGEST_LINE: u64 = 1 << 16;

/// What a file that passed is known by.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// What was looked at, in words.
    pub(super) checked: Vec<String>,
}

/// Reads the file at `path`; `Ok(Err(reason))` where it is not what it claims to be. `seen` hears how many bytes were
/// read, and says whether to go on: `Ok(Ok(None))` where it did not.
pub(super) fn verify(
    path: &Path,
    source: &Source,
    expected: Option<&Expected>,
    seen: &mut dyn FnMut(u64) -> bool,
) -> Result<Result<Option<Verified>, String>, FileError> {
    let reading = |e| FileError::io(path, "read", e);
    let file = File::open(path).map_err(|e| FileError::io(path, "open", e))?;
    let length = file.metadata().map_err(reading)?.len();
    if let Err(reason) = size_fits(length, source) {
        return Ok(Err(reason));
    }
    let md5 = expected.is_some_and(|e| e.kind == Kind::Md5);
    let summing = Summing {
        inner: file,
        sha256: Sha256::new(),
        md5: md5.then(Md5::new),
        read: 0,
        seen,
        stopped: false,
    };
    let mut plain = BufReader::with_capacity(1 << 17, summing);
    let packed = source.file.ends_with(".gz");
    let mut line = Vec::new();
    let looked = if packed {
        let mut unpacked = BufReader::with_capacity(1 << 17, MultiGzDecoder::new(&mut plain));
        read_line_and_rest(&mut unpacked, &mut line)
    } else {
        read_line_and_rest(&mut plain, &mut line)
    };
    if plain.get_ref().stopped {
        return Ok(Ok(None));
    }
    let text = String::from_utf8_lossy(&line);
    let text = text.trim_end();
    match looked {
        Ok(_) => {}
        Err(e) if packed && e.kind() == io::ErrorKind::UnexpectedEof => {
            return Ok(Err(
                "its gzip ends in the middle: the publisher's file, or a copy on the way, is cut off"
                    .to_owned(),
            ));
        }
        Err(e) if packed && matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            return Ok(Err(format!("its gzip cannot be unpacked ({e})")));
        }
        Err(e) => return Err(reading(e)),
    }
    // What follows a gzip's end is read by the decoder too; this is for the checksums alone.
    io::copy(&mut plain, &mut io::sink()).map_err(reading)?;
    let Summing { sha256, md5, stopped, .. } = plain.into_inner();
    if stopped {
        return Ok(Ok(None));
    }
    if !source.first_line.fits(text) {
        let found = page_title(text).map_or_else(|| shortened(text), |title| format!("a page, {title:?}"));
        return Ok(Err(format!("its first line is {found}, expected {}", source.first_line.expected())));
    }
    let sha256 = hex(&sha256.finalize());
    let mut checked = vec!["size".to_owned(), "first line".to_owned()];
    if packed {
        checked.push("gzip to its end".to_owned());
    }
    if let Some(Expected { kind, sum, says }) = expected {
        let found = md5.map_or_else(|| sha256.clone(), |md5| hex(&md5.finalize()));
        if found != *sum {
            let kind = kind.words();
            return Ok(Err(format!("its {kind} is {found}, expected {sum} as {says} says")));
        }
        checked.push(format!("{} as {says} says", kind.words()));
    }
    Ok(Ok(Some(Verified { bytes: length, sha256, checked })))
}

/// Whether a file of so many bytes may be the source's.
pub(super) fn size_fits(length: u64, source: &Source) -> Result<(), String> {
    let Source { smallest, largest, .. } = source;
    if (*smallest..=*largest).contains(&length) {
        return Ok(());
    }
    Err(format!("it has {length} bytes, expected {smallest} to {largest}"))
}

/// What the first bytes of an answer give away: a page in place of a file, or no gzip where one should be.
pub(super) fn beginning_fits(start: &[u8], source: &Source) -> Result<(), String> {
    if let Some(title) = page_title(&String::from_utf8_lossy(&start[..start.len().min(1 << 14)])) {
        return Err(format!(
            "the server sends a page, {title:?}, in place of the file: a sign-in, an error, or a wrong address; open it \
             in a browser to see"
        ));
    }
    if source.file.ends_with(".gz") && start.len() >= 2 && !start.starts_with(&[0x1f, 0x8b]) {
        return Err("the answer is not gzip, though the file's name says so".to_owned());
    }
    Ok(())
}

fn read_line_and_rest(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    reader.by_ref().take(LONGEST_LINE).read_until(b'\n', line)?;
    io::copy(reader, &mut io::sink())
}

/// Passes bytes on, and sums them up.
struct Summing<'a> {
    inner: File,
    sha256: Sha256,
    md5: Option<Md5>,
    read: u64,
    seen: &'a mut dyn FnMut(u64) -> bool,
    stopped: bool,
}

impl Read for Summing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sha256.update(&buffer[..read]);
        if let Some(md5) = &mut self.md5 {
            md5.update(&buffer[..read]);
        }
        self.read += read as u64;
        if !(self.seen)(self.read) {
            self.stopped = true;
            return Err(io::Error::other("stopped"));
        }
        Ok(read)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn shortened(line: &str) -> String {
    let start: String = line.chars().take(60).collect();
    if start.len() < line.len() { format!("{start:?}…") } else { format!("{start:?}") }
}
