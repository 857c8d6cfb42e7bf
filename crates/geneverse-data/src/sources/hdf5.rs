//! HDF5 files, as far as single-cell formats use them: groups, datasets of numbers and texts, attributes.
//!
//! The format (HDF5 File Format Specification, version 3.0) is read by `hdf5-pure`. What is added here: errors that name
//! the file and the dataset, a limit to what a damaged file can make us allocate, and long datasets read by all threads.

use std::path::{Path, PathBuf};

use hdf5_pure::{AttrValue, DType, Dataset, File, VlenStringReadOptions};
use rayon::prelude::*;

use crate::stage::FileError;

/// What HDF5 files begin with, at 0 or at 512, 1024, … where something else lies before.
pub(crate) const MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Deflate's best: 1,032 bytes from one. A dataset that claims to hold more than the file could unpack to is damaged.
const EXPANSION: u64 = 1032;
/// Values that one thread reads at a time, at least.
const PIECE: u64 = 1 << 18;

/// An open file.
pub(crate) struct Hdf5 {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Hdf5 {
    /// Opens a file.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let size = std::fs::metadata(path).map_err(|e| FileError::io(path, "open", e))?.len();
        let file = File::open(path).map_err(|e| {
            FileError::whole(
                path,
                format!("cannot be read as HDF5 ({e}): it may be truncated, fetch it again"),
            )
        })?;
        Ok(Self { path: path.to_owned(), file, size })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the groups in a group; `""` is the root.
    pub(crate) fn groups(&self, group: &str) -> Vec<String> {
        let mut names = self.group(group).and_then(|group| group.groups().ok()).unwrap_or_default();
        names.sort_unstable();
        names
    }

    /// Names of the datasets in a group.
    pub(crate) fn datasets(&self, group: &str) -> Vec<String> {
        self.group(group).and_then(|group| group.datasets().ok()).unwrap_or_default()
    }

    /// Whether there is a group of that name.
    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.group(group).is_some()
    }

    /// Whether there is a dataset of that name.
    pub(crate) fn has_dataset(&self, dataset: &str) -> bool {
        self.file.dataset(dataset).is_ok()
    }

    /// Whether a dataset holds texts.
    pub(crate) fn is_text(&self, dataset: &str) -> bool {
        let kind = self.file.dataset(dataset).and_then(|dataset| dataset.dtype());
        matches!(kind, Ok(DType::String | DType::VariableLengthString))
    }

    /// Whether a dataset holds records of several fields each.
    pub(crate) fn is_compound(&self, dataset: &str) -> bool {
        matches!(self.file.dataset(dataset).and_then(|dataset| dataset.dtype()), Ok(DType::Compound(_)))
    }

    /// The lengths of a dataset's sides.
    pub(crate) fn shape(&self, dataset: &str) -> Result<Vec<usize>, FileError> {
        let shape = self.dataset(dataset)?.shape().map_err(|e| self.broken(dataset, e))?;
        Ok(shape.into_iter().map(|side| usize::try_from(side).unwrap_or(usize::MAX)).collect())
    }

    /// All values, row by row, as 32-bit floats.
    pub(crate) fn floats(&self, dataset: &str) -> Result<Vec<f32>, FileError> {
        self.pieces(dataset, |set, start, count| set.read_f32_rows(start, count))
    }

    /// All values as places in a list; what is beyond 32 bits becomes the nearest number that is not, which no list has.
    pub(crate) fn places(&self, dataset: &str) -> Result<Vec<i32>, FileError> {
        self.pieces(dataset, |set, start, count| set.read_i32_rows(start, count))
    }

    /// All values as counts; a negative one is an error.
    pub(crate) fn indexes(&self, dataset: &str) -> Result<Vec<u64>, FileError> {
        let values = self.pieces(dataset, |set, start, count| set.read_i64_rows(start, count))?;
        let negative = values.par_iter().position_first(|value| *value < 0);
        match negative {
            None => Ok(values.into_iter().map(|value| value as u64).collect()),
            Some(at) => {
                let reason = format!("{dataset}: value {at} is {}, expected none below 0", values[at]);
                Err(FileError::whole(&self.path, reason))
            }
        }
    }

    /// All values as whole numbers; codes of missing values are negative.
    pub(crate) fn integers(&self, dataset: &str) -> Result<Vec<i64>, FileError> {
        self.pieces(dataset, |set, start, count| set.read_i64_rows(start, count))
    }

    /// All texts; numbers are written as text.
    pub(crate) fn texts(&self, dataset: &str) -> Result<Vec<String>, FileError> {
        let set = self.dataset(dataset)?;
        self.check_size(dataset, &set)?;
        let broken = |e| self.broken(dataset, e);
        match set.dtype().map_err(broken)? {
            DType::VariableLengthString => {
                // A text may be named by many cells; all of them together are held to what the file could hold.
                let limit = usize::try_from(self.size.saturating_mul(EXPANSION)).unwrap_or(usize::MAX);
                let limits = VlenStringReadOptions::new().with_max_payload_bytes(limit);
                set.read_vlen_strings(limits).map_err(broken)
            }
            DType::String => set.read_string().map_err(broken),
            DType::F32 | DType::F64 => {
                Ok(set.read_f64().map_err(broken)?.into_iter().map(|value| value.to_string()).collect())
            }
            _ => Ok(set.read_i64().map_err(broken)?.into_iter().map(|value| value.to_string()).collect()),
        }
    }

    /// A text attribute of a group or dataset.
    pub(crate) fn text_attribute(&self, object: &str, name: &str) -> Option<String> {
        match self.attribute(object, name)? {
            AttrValue::String(text)
            | AttrValue::AsciiString(text)
            | AttrValue::VarLenString(text)
            | AttrValue::VarLenAsciiString(text) => Some(text),
            _ => None,
        }
    }

    /// An attribute that is a list of whole numbers.
    pub(crate) fn integer_attribute(&self, object: &str, name: &str) -> Option<Vec<u64>> {
        let whole = |value: i64| u64::try_from(value).ok();
        match self.attribute(object, name)? {
            AttrValue::I64Array(values) => values.into_iter().map(whole).collect(),
            AttrValue::I32Array(values) => values.into_iter().map(|value| whole(value.into())).collect(),
            AttrValue::U64Array(values) => Some(values),
            _ => None,
        }
    }

    fn attribute(&self, object: &str, name: &str) -> Option<AttrValue> {
        let mut attributes = match self.group(object) {
            Some(group) => group.attrs().ok()?,
            None => self.file.dataset(object).ok()?.attrs().ok()?,
        };
        attributes.remove(name)
    }

    fn group(&self, group: &str) -> Option<hdf5_pure::Group> {
        if group.is_empty() { Some(self.file.root()) } else { self.file.group(group).ok() }
    }

    fn dataset(&self, dataset: &str) -> Result<Dataset, FileError> {
        self.file.dataset(dataset).map_err(|e| self.broken(dataset, e))
    }

    /// Reads a dataset in pieces of whole chunks along its first side, on all threads.
    fn pieces<T: Send + Copy>(
        &self,
        dataset: &str,
        read: impl Fn(&Dataset, u64, u64) -> Result<Vec<T>, hdf5_pure::Error> + Sync,
    ) -> Result<Vec<T>, FileError> {
        let set = self.dataset(dataset)?;
        self.check_size(dataset, &set)?;
        let broken = |e| self.broken(dataset, e);
        let shape = set.shape().map_err(broken)?;
        let rows = shape.first().copied().unwrap_or(1);
        let row: u64 = shape.iter().skip(1).product::<u64>().max(1);
        let chunk =
            set.chunk_shape().map_err(broken)?.and_then(|chunk| chunk.first().copied()).unwrap_or(1).max(1);
        let piece = (PIECE / row).max(1).div_ceil(chunk).saturating_mul(chunk);
        if piece >= rows {
            return read(&set, 0, rows).map_err(broken);
        }
        let starts: Vec<u64> = (0..rows).step_by(usize::try_from(piece).unwrap_or(usize::MAX)).collect();
        // Each thread has a handle of its own, so that none waits for another's cache of chunks.
        let parts = starts.into_par_iter().map_init(
            || self.file.dataset(dataset),
            |set, start| match set {
                Ok(set) => read(set, start, piece).map_err(|e| self.broken(dataset, e)),
                Err(e) => Err(self.broken(dataset, &*e)),
            },
        );
        let parts: Vec<Vec<T>> = parts.collect::<Result<_, _>>()?;
        Ok(parts.concat())
    }

    /// Refuses a dataset that claims to hold more than the file could.
    fn check_size(&self, name: &str, set: &Dataset) -> Result<(), FileError> {
        let broken = |e| self.broken(name, e);
        let shape = set.shape().map_err(broken)?;
        let each = set.element_size().map_err(broken)?;
        let size = shape.iter().try_fold(each.max(1), |size, side| size.checked_mul(*side));
        let limit = self.size.saturating_mul(EXPANSION);
        match size {
            Some(size) if size <= limit => Ok(()),
            _ => {
                let reason = format!(
                    "{name}: claims {shape:?} values, more than a file of {} bytes can hold; it is damaged, fetch it again",
                    self.size
                );
                Err(FileError::whole(&self.path, reason))
            }
        }
    }

    fn broken(&self, dataset: &str, error: impl std::fmt::Display) -> FileError {
        let error = error.to_string();
        // Newer libraries have newer forms of everything, with a version each.
        let newer =
            if error.contains("version") { "; h5repack --high=3 writes it in an older form" } else { "" };
        FileError::whole(&self.path, format!("{dataset}: cannot be read ({error}){newer}"))
    }
}
