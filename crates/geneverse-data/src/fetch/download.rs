//! One file from its address into the cache.
//!
//! What has come lies in `FILE.part`, and beside it in `FILE.part.json` the version that it is a part of. A broken
//! download goes on where it ended (`Range` with `If-Range`, RFC 9110, 13.1.5); where the server has another version by
//! then, or sends the whole, it begins anew. A file that is there is asked for on condition that it has changed. Only
//! what passed [`verify`](super::verify) is renamed into its place.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::checksum::{self, Expected, Kind};
use super::table::{Checksum, Source};
use super::verify::{Verified, beginning_fits, size_fits, verify};
use super::{FetchError, State};
use crate::http::{Client, HttpError, Request, Response, clean, utc};
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::stage::{FileError, hash_file, read_json, write_json};

/// A file to be had, and from where.
pub(super) struct Download<'a> {
    pub(super) client: &'a Client,
    pub(super) source: &'a Source,
    /// Where it is asked for; the source's own address, or a mirror's.
    pub(super) address: &'a str,
    /// Whether that is a mirror: then checksums are looked for beside the file.
    pub(super) mirrored: bool,
    /// Where it goes.
    pub(super) place: &'a Path,
    /// Whether it is fetched even where the same version is there.
    pub(super) force: bool,
    pub(super) progress: &'a dyn Progress,
}

/// The version that a part is of.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Version {
    address: String,
    etag: Option<String>,
    last_modified: Option<String>,
    /// The size of the whole.
    total: Option<u64>,
    expected: Option<Expected>,
}

impl Version {
    fn of(response: &Response, address: &str) -> Self {
        let owned = |name: &str| response.header(name).map(str::to_owned);
        let total = match response.status {
            206 => content_range(response).and_then(|(_, total)| total),
            _ => response.length(),
        };
        Self {
            address: clean::address(address),
            etag: owned("etag"),
            last_modified: owned("last-modified"),
            total,
            expected: checksum::in_headers(response),
        }
    }

    /// What `If-Range` may hold: a strong tag, else a date; `None` where the version cannot be told from another.
    fn validator(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|tag| !tag.starts_with("W/"));
        strong.or(self.last_modified.as_deref())
    }

    fn is_same_as(&self, other: &Self) -> bool {
        let same = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
        same(&self.etag, &other.etag)
            && same(&self.last_modified, &other.last_modified)
            && (self.total.is_none() || other.total.is_none() || self.total == other.total)
    }
}

/// First byte and size of the whole, from `Content-Range: bytes 5-9/10`.
fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    let range = response.header("content-range")?.trim().strip_prefix("bytes ")?;
    let (bytes, total) = range.split_once('/')?;
    Some((bytes.split_once('-')?.0.trim().parse().ok()?, total.trim().parse().ok()))
}

/// What has come so far. Only one process may have it at a time.
struct Part {
    path: PathBuf,
    version_path: PathBuf,
    file: File,
    length: u64,
    version: Version,
    /// Whether an earlier run began it.
    resumed: bool,
}

impl Part {
    fn open(place: &Path) -> Result<Self, FileError> {
        let with = |end: &str| {
            let mut name = place.file_name().unwrap_or_default().to_owned();
            name.push(end);
            place.with_file_name(name)
        };
        let (path, version_path) = (with(".part"), with(".part.json"));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| FileError::io(folder, "create", e))?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(|e| FileError::io(&path, "open", e))?;
        match file.try_lock() {
            // Where a file system has no locks, two at once is the person's own care.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FileError::whole(&path, "another `genes fetch` is at work on it; wait for it"));
            }
        }
        let length = file.metadata().map_err(|e| FileError::io(&path, "read", e))?.len();
        // A version that cannot be read is one that is not known.
        let version = if version_path.is_file() {
            read_json(&version_path).unwrap_or_default()
        } else {
            Version::default()
        };
        Ok(Self { path, version_path, file, length, version, resumed: false })
    }

    /// Begins anew, with another version.
    fn begin(&mut self, version: Version) -> Result<(), FileError> {
        self.cut()?;
        write_json(&self.version_path, &version)?;
        self.version = version;
        Ok(())
    }

    fn cut(&mut self) -> Result<(), FileError> {
        let cut = self.file.set_len(0);
        cut.map_err(|e| FileError::io(&self.path, "write", e))?;
        self.length = 0;
        self.version = Version::default();
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let attempt = self.file.seek(SeekFrom::Start(self.length)).and_then(|_| self.file.write_all(bytes));
        attempt.map_err(|e| FileError::io(&self.path, "write", e))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Whether the server can be asked for the rest of it.
    fn can_go_on(&self, address: &str) -> bool {
        self.length > 0
            && self.version.address == clean::address(address)
            && self.version.validator().is_some()
    }

    fn is_whole(&self) -> bool {
        self.version.total == Some(self.length)
    }

    fn remove(self) {
        // What is left of it does no harm, and the next download begins anew.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.version_path);
    }
}

/// What one request came to.
enum Came {
    Whole,
    Unchanged,
    /// The rest is missing.
    Broken(HttpError),
    /// What is there is of no use any more: ask again for the whole.
    Anew,
}

impl Download<'_> {
    /// Fetches the file, or finds that the one that is there is still current.
    pub(super) fn run(&self) -> Result<(State, Provenance, Vec<String>), FetchError> {
        let present = if self.force { None } else { self.present()? };
        let mut part = Part::open(self.place)?;
        let got = self.complete(&mut part, present);
        // A part of nothing is of no use to a later run.
        match got {
            Ok(None) => {}
            Ok(Some(unchanged)) => {
                part.remove();
                return Ok((State::Unchanged, unchanged, vec!["bytes as fetched".to_owned()]));
            }
            Err(error) => {
                if part.length == 0 {
                    part.remove();
                }
                return Err(error);
            }
        }
        let state = if part.resumed { State::Resumed } else { State::Fetched };
        self.settle(part, state)
    }

    /// Asks until the whole has come; the provenance of the file that is there where that is still current.
    fn complete(
        &self,
        part: &mut Part,
        present: Option<Provenance>,
    ) -> Result<Option<Provenance>, FetchError> {
        part.resumed = part.can_go_on(self.address);
        if !part.resumed {
            part.cut()?;
        }
        let (mut failures, mut anew) = (0, 0);
        while !(part.is_whole() && part.can_go_on(self.address)) {
            let before = part.length;
            match self.ask(part, present.as_ref())? {
                Came::Whole => break,
                Came::Unchanged if present.is_some() => return Ok(present),
                Came::Unchanged => {
                    return Err(self.refused("the server answers 304 to an unconditional request"));
                }
                Came::Anew => {
                    anew += 1;
                    if anew > 3 {
                        return Err(
                            self.refused("the file changes while it is fetched, again and again; try later")
                        );
                    }
                    part.cut()?;
                }
                Came::Broken(error) => {
                    // As long as something comes, it is not given up.
                    failures = if part.length > before { 1 } else { failures + 1 };
                    match self.client.pause_after(&error, failures) {
                        Some(pause) => self.client.wait(pause, &error, &|line| self.progress.note(line))?,
                        None => return Err(error.after(failures).into()),
                    }
                }
            }
        }
        Ok(None)
    }

    /// The provenance of the file that is there, where it is whole and came from the same address.
    fn present(&self) -> Result<Option<Provenance>, FileError> {
        if !self.place.exists() {
            return Ok(None);
        }
        if !Provenance::beside(self.place).is_file() {
            let reason = "was not fetched by this program: nothing beside it says where it is from; --force puts the \
                          publisher's file in its place, --cache chooses another folder";
            return Err(FileError::whole(self.place, reason));
        }
        // One that cannot be read, or is of other bytes, is no reason not to fetch.
        let found = Provenance::of(self.place, &hash_file(self.place)?).ok().flatten();
        Ok(found.filter(|found| found.url == clean::address(self.address)))
    }

    fn ask(&self, part: &mut Part, present: Option<&Provenance>) -> Result<Came, FetchError> {
        let mut request = Request::get(self.address);
        if let (true, Some(validator)) = (part.can_go_on(self.address), part.version.validator()) {
            request =
                request.header("Range", format!("bytes={}-", part.length)).header("If-Range", validator);
        } else if let Some(present) = present {
            // With both, a server looks at the tag alone (RFC 9110, 13.1.3).
            let conditions =
                [("If-None-Match", &present.etag), ("If-Modified-Since", &present.last_modified)];
            for (name, value) in conditions {
                if let Some(value) = value {
                    request = request.header(name, value.as_str());
                }
            }
        }
        let mut response = match self.client.once(&request) {
            Ok(response) => response,
            Err(HttpError::Status { status: 416, .. }) if part.length > 0 => return Ok(Came::Anew),
            Err(error) if error.is_passing() => return Ok(Came::Broken(error)),
            Err(error) => return Err(error.into()),
        };
        let version = Version::of(&response, self.address);
        match response.status {
            304 => return Ok(Came::Unchanged),
            206 => {
                let starts_there = content_range(&response).is_some_and(|(start, _)| start == part.length);
                if part.length == 0 || !starts_there || !part.version.is_same_as(&version) {
                    return Ok(Came::Anew);
                }
            }
            _ => {}
        }
        self.progress.start(&format!("fetching {}", self.source.file), version.total, "bytes");
        let came = self.take(part, &mut response, version);
        self.progress.finish();
        came
    }

    /// Takes the body of an answer, of the whole or of the rest.
    fn take(&self, part: &mut Part, response: &mut Response, version: Version) -> Result<Came, FetchError> {
        let mut started = response.status == 206;
        self.progress.set(if started { part.length } else { 0 });
        loop {
            match response.next_bytes() {
                Ok(Some(bytes)) => {
                    if !started {
                        // A page first: that it is one says more than that it is small.
                        let fits = beginning_fits(&bytes, self.source);
                        let fits = fits.and_then(|()| {
                            version.total.map_or(Ok(()), |total| size_fits(total, self.source))
                        });
                        fits.map_err(|reason| self.refused(&reason))?;
                        part.begin(version.clone())?;
                        started = true;
                    }
                    part.add(&bytes)?;
                    if part.length > self.source.largest {
                        let reason =
                            format!("it has more than the {} bytes expected at most", self.source.largest);
                        part.cut()?;
                        return Err(self.refused(&reason));
                    }
                    self.progress.set(part.length);
                }
                Ok(None) if part.version.total.is_none_or(|total| total == part.length) => {
                    return Ok(Came::Whole);
                }
                Ok(None) if part.version.total.is_some_and(|total| total < part.length) => {
                    return Ok(Came::Anew);
                }
                Ok(None) => {
                    let reason = "the answer ended early".to_owned();
                    let address = clean::address(self.address);
                    return Ok(Came::Broken(HttpError::Connection {
                        address,
                        reason,
                        passing: true,
                        attempts: 1,
                    }));
                }
                Err(error) if error.is_passing() => return Ok(Came::Broken(error)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Looks at the whole, and puts it into its place.
    fn settle(&self, part: Part, state: State) -> Result<(State, Provenance, Vec<String>), FetchError> {
        let expected = self.expected(&part.version)?;
        part.file.sync_all().map_err(|e| FileError::io(&part.path, "write", e))?;
        let what = format!("checking {}", self.source.file);
        self.progress.start(&what, Some(part.length), "bytes");
        let verified = verify(&part.path, self.source, expected.as_ref(), &mut |read| {
            self.progress.set(read);
            !(self.client.settings().stop)()
        });
        self.progress.finish();
        let Verified { bytes, sha256, checked } = match verified? {
            Ok(Some(verified)) => verified,
            Ok(None) => return Err(HttpError::Stopped.into()),
            Err(reason) => {
                part.remove();
                return Err(self.refused(&reason));
            }
        };
        let provenance = Provenance {
            source: self.source.name.to_owned(),
            url: clean::address(self.address),
            fetched: utc(self.client.settings().clock.date()),
            sha256,
            bytes,
            licence: self.source.licence.to_owned(),
            etag: part.version.etag.clone(),
            last_modified: part.version.last_modified.clone(),
        };
        // In this order a file without provenance is never one of ours, wherever the program is killed.
        provenance.write(self.place)?;
        fs::rename(&part.path, self.place).map_err(|e| FileError::io(self.place, "write", e))?;
        part.remove();
        Ok((state, provenance, checked))
    }

    /// The checksum that the publisher, or the mirror, gives.
    fn expected(&self, version: &Version) -> Result<Option<Expected>, FetchError> {
        if version.expected.is_some() {
            return Ok(version.expected.clone());
        }
        if self.mirrored {
            let (start, query) = match self.address.split_once('?') {
                Some((start, query)) => (start, format!("?{query}")),
                None => (self.address, String::new()),
            };
            for (kind, end) in [(Kind::Sha256, "sha256"), (Kind::Md5, "md5")] {
                let says = format!("{}.{end}", self.source.file);
                let text = self.optional(&format!("{start}.{end}{query}"))?;
                if let Some(found) =
                    text.and_then(|text| checksum::in_text(kind, &text, self.source.file, &says))
                {
                    return Ok(Some(found));
                }
            }
            return Ok(None);
        }
        match self.source.checksum {
            Checksum::Metalink(address) => {
                Ok(self.optional(address)?.and_then(|text| checksum::in_metalink(&text, self.source.file)))
            }
            Checksum::Unpublished | Checksum::Headers => Ok(None),
        }
    }

    /// A text that may not be there.
    fn optional(&self, address: &str) -> Result<Option<String>, FetchError> {
        match self.client.bytes(&Request::get(address), &|line| self.progress.note(line)) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(HttpError::Status { status: 400..=499, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn refused(&self, reason: &str) -> FetchError {
        FetchError::Refused { address: clean::address(self.address), reason: reason.to_owned() }
    }
}
