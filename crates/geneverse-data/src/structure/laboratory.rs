//! A folder of ideal folds with their names: the protein task where no structure is at hand.
//!
//! Stage: the key is count and seed. Files are `0001.pdb`, …, and `names.tsv` says what each is.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ideal::{Fold, build};
use super::write_pdb;
use crate::progress::Progress;
use crate::seeded::mix;
use crate::stage::{FileError, Found, atomic_write, finish, look};

const STAGE: &str = "lab proteins";
/// Files between two words to whoever waits.
const PIECE: usize = 64;

/// What is wanted.
#[derive(Debug, Clone)]
pub struct LabProteins {
    /// The folder.
    pub out: PathBuf,
    /// How many proteins.
    pub count: usize,
    /// Chooses lengths, tilts, residues, and the order of the classes.
    pub seed: u64,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabProteinsReport {
    /// Files written.
    pub proteins: usize,
    /// Residues in all of them.
    pub residues: usize,
    /// How many of each class.
    pub classes: BTreeMap<String, usize>,
    /// Whether nothing was done, because it was all there.
    #[serde(default, skip_deserializing)]
    pub already_done: bool,
}

/// Writes the folder. All classes come equally often, in an order drawn from the seed.
///
/// # Errors
/// A folder that holds the output of something else, or cannot be written.
pub fn lab_proteins(options: &LabProteins, progress: &dyn Progress) -> Result<LabProteinsReport, FileError> {
    let LabProteins { out, count, seed } = options;
    let key = json!({"count": count, "seed": seed});
    if let Found::Done(manifest) = look(out, STAGE, &key)? {
        let earlier: Result<LabProteinsReport, _> = serde_json::from_value(manifest.facts);
        if let Ok(mut earlier) = earlier {
            earlier.already_done = true;
            return Ok(earlier);
        }
    }
    let folds = drawn(*count, *seed);
    let width = count.to_string().len().max(4);
    let name = |place: usize| format!("{:0width$}.pdb", place + 1);
    progress.start("ideal folds", Some(*count as u64), "files");
    let mut residues = 0;
    for from in (0..*count).step_by(PIECE) {
        let to = (from + PIECE).min(*count);
        let of_piece: Result<Vec<usize>, FileError> = (from..to)
            .into_par_iter()
            .map(|place| {
                let structure = build(folds[place], mix(*seed, &place.to_string()));
                atomic_write(&out.join(name(place)), |file| write_pdb(&structure, file))?;
                Ok(structure.residue_count())
            })
            .collect();
        residues += of_piece?.into_iter().sum::<usize>();
        progress.set(to as u64);
    }
    progress.finish();
    write_names(out, &folds, name)?;
    let mut classes = BTreeMap::new();
    for fold in &folds {
        *classes.entry(fold.name()).or_default() += 1;
    }
    let report = LabProteinsReport { proteins: *count, residues, classes, already_done: false };
    finish(out, STAGE, key, json!(report))?;
    Ok(report)
}

fn drawn(count: usize, seed: u64) -> Vec<Fold> {
    let all = Fold::all();
    let mut folds: Vec<(u64, Fold)> =
        (0..count).map(|place| (mix(seed, &format!("order {place}")), all[place % all.len()])).collect();
    folds.sort_by_key(|(order, _)| *order);
    folds.into_iter().map(|(_, fold)| fold).collect()
}

fn write_names(out: &Path, folds: &[Fold], name: impl Fn(usize) -> String) -> Result<(), FileError> {
    atomic_write(&out.join("names.tsv"), |file| {
        writeln!(file, "file\tname")?;
        for (place, fold) in folds.iter().enumerate() {
            writeln!(file, "{}\t{}", name(place), fold.name())?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::structure::{Secondary, SecondaryFrom, read};

    #[test]
    fn a_folder_is_written_once_and_reads_back_as_it_was_built() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("lab");
        let options = LabProteins { out: out.clone(), count: 20, seed: 7 };
        let report = lab_proteins(&options, &Silent).unwrap();
        assert_eq!((report.proteins, report.classes.len()), (20, Fold::all().len()));
        let names = std::fs::read_to_string(out.join("names.tsv")).unwrap();
        let mut residues = 0;
        for row in names.lines().skip(1) {
            let (file, name) = row.split_once('\t').unwrap();
            let (structure, notes) = read(&out.join(file)).unwrap();
            assert_eq!(structure.title.as_deref(), Some(name));
            assert_eq!(notes.name.molecule.as_deref(), Some(name));
            assert_eq!(notes.secondary, SecondaryFrom::HydrogenBonds);
            assert!(notes.skipped.total == 0 && notes.left_out.is_empty() && !structure.predicted);
            assert!(structure.chains[0].residues.iter().skip(1).all(|r| r.joined), "{file} {name} is broken");
            let ordered = structure.chains[0].residues.iter().any(|r| r.secondary != Secondary::Coil);
            assert_eq!(ordered, name != "Disordered protein", "{file} {name}");
            residues += structure.residue_count();
        }
        assert_eq!(residues, report.residues);
        let bytes = std::fs::read(out.join("0003.pdb")).unwrap();
        assert!(bytes.split(|b| *b == b'\n').all(|line| line.is_empty() || line.len() == 80));

        assert!(lab_proteins(&options, &Silent).unwrap().already_done);
        let error = lab_proteins(&LabProteins { seed: 8, ..options }, &Silent).unwrap_err().to_string();
        assert!(error.contains("seed: then 7, now 8"), "{error}");
        let again = folder.path().join("again");
        lab_proteins(&LabProteins { out: again.clone(), count: 20, seed: 7 }, &Silent).unwrap();
        assert_eq!(std::fs::read(again.join("0003.pdb")).unwrap(), bytes);
    }
}
