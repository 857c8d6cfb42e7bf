//! The folder of a dataset with pictures: pictures are drawn once, and kept over an interruption.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use super::Stop;
use crate::dataset::format::Format;
use crate::dataset::genes::SPLITS;
use crate::dataset::select::prepare_folder;
use crate::progress::Progress;
use crate::stage::{FileError, atomic_write};
use crate::threads;

/// The folder of the pictures, below the dataset's.
const FOLDER: &str = "images";
/// Says whose the pictures of an unfinished attempt are.
const KEY: &str = "pictures.key";

/// Makes the folder ready. Pictures of an unfinished attempt with the same `key` stay; other files of the dataset's go, and
/// files that are none of its are an error.
pub(super) fn prepare(out: &Path, formats: &[Format], names: &[String], key: &str) -> Result<(), FileError> {
    let mut ours: Vec<String> =
        formats.iter().flat_map(|format| SPLITS.map(|split| format.file(split))).collect();
    ours.extend(["skipped.jsonl", "README.md"].map(str::to_owned));
    let same = fs::read_to_string(out.join(KEY)).is_ok_and(|there| there == key);
    let mut expected = ours.clone();
    expected.push(KEY.to_owned());
    expected.extend(names.iter().cloned());
    if same {
        // Only what is rewritten is removed; the pictures are looked at by name.
        check_folder(out, &expected.iter().map(String::as_str).collect())?;
    } else {
        prepare_folder(out, &expected.iter().map(String::as_str).collect::<Vec<_>>())?;
        atomic_write(&out.join(KEY), |file| file.write_all(key.as_bytes()))?;
    }
    let folder = out.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|e| FileError::io(&folder, "make the folder", e))
}

/// An error where the folder of pictures holds others.
fn check_folder(out: &Path, expected: &HashSet<&str>) -> Result<(), FileError> {
    let there = out.join(FOLDER);
    if !there.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(&there).map_err(|e| FileError::io(&there, "read the folder", e))? {
        let entry = entry.map_err(|e| FileError::io(&there, "read the folder", e))?;
        let name = format!("{FOLDER}/{}", entry.file_name().to_string_lossy());
        if !expected.contains(name.trim_end_matches(".writing")) {
            return Err(FileError::whole(
                out,
                format!("holds other files ({name}); choose a new or an empty folder"),
            ));
        }
    }
    Ok(())
}

/// Calls `draw` for each picture that is not there, in parallel; `false` where it was stopped.
pub(super) fn draw_all(
    out: &Path,
    names: &[String],
    draw: &(dyn Fn(usize, &Path) -> Result<(), FileError> + Sync),
    stop: Stop<'_>,
    progress: &dyn Progress,
) -> Result<bool, FileError> {
    progress.start("drawing", Some(names.len() as u64), "pictures");
    let missing: Vec<usize> = (0..names.len()).filter(|index| !out.join(&names[*index]).is_file()).collect();
    let mut done = names.len() - missing.len();
    progress.set(done as u64);
    let (sender, receiver) = channel();
    let failed = AtomicBool::new(false);
    let halt = || failed.load(Ordering::Relaxed) || stop();
    let mut first: Option<(usize, FileError)> = None;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let sender = sender;
            threads::for_each(missing.len(), |place| {
                let go_on = !halt();
                if go_on {
                    let index = missing[place];
                    // Somebody listens until the last sender is gone.
                    let _ = sender.send((index, draw(index, &out.join(&names[index]))));
                }
                go_on
            });
        });
        for (index, drew) in receiver {
            match drew {
                Ok(()) => done += 1,
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    if first.as_ref().is_none_or(|(earlier, _)| index < *earlier) {
                        first = Some((index, error));
                    }
                }
            }
            progress.set(done as u64);
        }
    });
    progress.finish();
    first.map_or(Ok(done == names.len()), |(_, error)| Err(error))
}

/// Pictures are nobody's unfinished ones any more.
pub(super) fn close(out: &Path) -> Result<(), FileError> {
    let key = out.join(KEY);
    fs::remove_file(&key).map_err(|e| FileError::io(&key, "remove", e))
}

/// A file's name from what it shows: letters, digits and `-_.+`, everything else `_`.
pub(in crate::dataset) fn file_name(parts: &[&str]) -> String {
    let plain = |part: &&str| -> String {
        part.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.+".contains(c) { c } else { '_' }).collect()
    };
    format!("{FOLDER}/{}.png", parts.iter().map(plain).collect::<Vec<_>>().join("--"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_have_no_odd_letters() {
        assert_eq!(file_name(&["HLA-A", "Stromal & T/Cell+"]), "images/HLA-A--Stromal___T_Cell+.png");
    }
}
