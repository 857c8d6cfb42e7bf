//! What datasets with pictures have in common: pictures drawn once and kept over an interruption, what of one split is in
//! another, and the dataset card's parts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Example;
use super::compare::Finding;
use super::format::Format;
use super::genes::SPLITS;
use super::select::prepare_folder;
use crate::progress::Progress;
use crate::stage::{FileError, atomic_write, hash_file};

/// The folder of the pictures, below the dataset's.
pub(super) const FOLDER: &str = "images";
/// Says whose the pictures of an unfinished attempt are.
const KEY: &str = "pictures.key";
/// Pictures drawn between two looks at whether to stop.
const AT_ONCE: usize = 64;

/// Whether the user wants to stop.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);
/// Whether the grades of an example's task understand its own reference; else why not. `geneverse-eval` says.
pub type Accept<'a> = &'a (dyn Fn(&Example) -> Result<(), String> + Sync);

/// One split of a dataset with pictures; the examples and what is beside them are in the same order.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) examples: Vec<Example>,
    /// What is related: a protein's cluster; empty where nothing is known.
    pub(super) clusters: Vec<String>,
    /// HGNC groups of each example's gene.
    pub(super) groups: Vec<Vec<String>>,
}

/// What of a later split is in an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PictureLeakage {
    /// The split that a model learns from.
    pub from: String,
    /// The split that it is asked.
    pub into: String,
    /// Examples of the second.
    pub examples: usize,
    /// Those about the same gene or protein.
    pub same_subject: Finding,
    /// Those with a picture of the same bytes.
    pub same_picture: Finding,
    /// Those with the same question or the same answer, where a question or an answer names what it is about.
    pub same_text: Finding,
    /// Those of the same cluster of sequences; `None` where clusters are not known.
    pub same_cluster: Option<Finding>,
    /// Those about a gene of the same HGNC group; `None` where no group is known.
    pub same_group: Option<Finding>,
}

/// Measures what of later splits is in earlier ones. `by_answer` compares answers, else questions: the one of them that is
/// not the same in all examples.
pub(super) fn measure(out: &Path, parts: &[Part], by_answer: bool) -> Result<Vec<PictureLeakage>, FileError> {
    let hashes = |part: &Part| -> Result<Vec<String>, FileError> {
        part.examples
            .par_iter()
            .map(|example| {
                example.images.first().map_or(Ok(String::new()), |image| hash_file(&out.join(image)))
            })
            .collect()
    };
    let pictures = parts.iter().map(hashes).collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::new();
    for (earlier, from) in parts.iter().enumerate() {
        for (later, into) in parts.iter().enumerate().skip(earlier + 1) {
            if from.examples.is_empty() || into.examples.is_empty() {
                continue;
            }
            let alike = |keys: &dyn Fn(usize, usize) -> Vec<String>| {
                let mut first: HashMap<String, usize> = HashMap::new();
                for at in 0..from.examples.len() {
                    for key in keys(earlier, at) {
                        first.entry(key).or_insert(at);
                    }
                }
                let pairs = (0..into.examples.len()).filter_map(|at| {
                    let place = keys(later, at).iter().find_map(|key| first.get(key))?;
                    Some([into.examples[at].id.clone(), from.examples[*place].id.clone()])
                });
                Finding::of_ids(pairs.collect(), into.examples.len())
            };
            let text = |part: usize, at: usize| {
                let example = &parts[part].examples[at];
                let text = if by_answer { &example.output } else { &example.instruction };
                vec![text.to_lowercase()]
            };
            let known = |of: &dyn Fn(&Part) -> bool| of(from) && of(into);
            let clustered = known(&|part| part.clusters.iter().any(|cluster| !cluster.is_empty()));
            let grouped = known(&|part| part.groups.iter().any(|groups| !groups.is_empty()));
            let cluster = |part: usize, at: usize| {
                parts[part]
                    .clusters
                    .get(at)
                    .filter(|cluster| !cluster.is_empty())
                    .cloned()
                    .into_iter()
                    .collect()
            };
            found.push(PictureLeakage {
                from: from.name.to_owned(),
                into: into.name.to_owned(),
                examples: into.examples.len(),
                same_subject: alike(&|part, at| vec![parts[part].examples[at].subject.to_uppercase()]),
                same_picture: alike(&|part, at| vec![pictures[part][at].clone()]),
                same_text: alike(&text),
                same_cluster: clustered.then(|| alike(&cluster)),
                same_group: grouped
                    .then(|| alike(&|part, at| parts[part].groups.get(at).cloned().unwrap_or_default())),
            });
        }
    }
    Ok(found)
}

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
    for some in missing.chunks(AT_ONCE) {
        let stopped = AtomicBool::new(false);
        some.par_iter().try_for_each(|index| {
            if stopped.load(Ordering::Relaxed) || stop() {
                stopped.store(true, Ordering::Relaxed);
                return Ok(());
            }
            draw(*index, &out.join(&names[*index]))
        })?;
        if stopped.into_inner() {
            progress.finish();
            return Ok(false);
        }
        done += some.len();
        progress.set(done as u64);
    }
    progress.finish();
    Ok(true)
}

/// Writes the splits that have examples; the files' names.
pub(super) fn write_parts(out: &Path, parts: &[Part], formats: &[Format]) -> Result<Vec<String>, FileError> {
    let mut files = Vec::new();
    for part in parts.iter().filter(|part| !part.examples.is_empty()) {
        for format in formats {
            let file = format.file(part.name);
            format.write(&out.join(&file), &part.examples)?;
            files.push(file);
        }
    }
    Ok(files)
}

/// The last things before the manifest: the card, and that the pictures are nobody's unfinished ones any more.
pub(super) fn close(out: &Path, card: &str) -> Result<(), FileError> {
    atomic_write(&out.join("README.md"), |file| file.write_all(card.as_bytes()))?;
    let key = out.join(KEY);
    fs::remove_file(&key).map_err(|e| FileError::io(&key, "remove", e))
}

/// A file's name from what it shows: letters, digits and `-_.+`, everything else `_`.
pub(super) fn file_name(parts: &[&str]) -> String {
    let plain = |part: &&str| -> String {
        part.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.+".contains(c) { c } else { '_' }).collect()
    };
    format!("{FOLDER}/{}.png", parts.iter().map(plain).collect::<Vec<_>>().join("--"))
}

/// The YAML at the top of the card, which the Hugging Face hub reads.
pub(super) fn front_matter(title: &str, tags: &[&str], formats: &[Format], parts: &[Part]) -> String {
    let mut yaml = format!(
        "---\npretty_name: {title}\nlanguage:\n- en\nlicense: other\ntask_categories:\n- visual-question-answering\ntags:\n"
    );
    for tag in tags {
        let _ = writeln!(yaml, "- {tag}");
    }
    yaml.push_str("configs:\n");
    for (index, format) in formats.iter().enumerate() {
        let name = if index == 0 { "default" } else { format.name() };
        let _ = writeln!(yaml, "- config_name: {name}\n  data_files:");
        for part in parts.iter().filter(|part| !part.examples.is_empty()) {
            let _ = writeln!(yaml, "  - split: {}\n    path: {}", part.name, format.file(part.name));
        }
    }
    yaml.push_str("---\n");
    yaml
}

/// The card's table of inputs.
pub(super) fn inputs_table(card: &mut String, inputs: &[InputFile]) {
    card.push_str("\n## Sources\n\n| what | file | licence | SHA-256 |\n|---|---|---|---|\n");
    for InputFile { what, file, licence, hash } in inputs {
        let licence = licence.as_deref().unwrap_or("not known: say it with --licence");
        let _ = writeln!(card, "| {what} | {file} | {licence} | `{hash}` |");
    }
}

/// A file that a dataset is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// What it is: "tissue", "truth", "gene database".
    pub what: String,
    /// Its name, without its place.
    pub file: String,
    /// On what terms it may be used, where that was said.
    pub licence: Option<String>,
    /// SHA-256 of its bytes; of a folder, of its files' names and hashes.
    pub hash: String,
}

/// The card's table of what is in two splits.
pub(super) fn leakage_table(card: &mut String, leakage: &[PictureLeakage], subject: &str) {
    if leakage.is_empty() {
        return;
    }
    let _ = write!(
        card,
        "\n## Leakage\n\nExamples of a split of which an earlier one has something. Every number above 0 makes a score look \
         better than it is.\n\n| of | in | same {subject} | same picture | same text | same cluster | same HGNC group |\n\
         |---|---|---:|---:|---:|---:|---:|\n"
    );
    for PictureLeakage {
        from,
        into,
        examples,
        same_subject,
        same_picture,
        same_text,
        same_cluster,
        same_group,
    } in leakage
    {
        let cell = |finding: &Finding| format!("{} ({:.1} %)", finding.count, 100.0 * finding.share);
        let known = |finding: &Option<Finding>| finding.as_ref().map_or("not known".to_owned(), cell);
        let _ = writeln!(
            card,
            "| {into} ({examples}) | {from} | {} | {} | {} | {} | {} |",
            cell(same_subject),
            cell(same_picture),
            cell(same_text),
            known(same_cluster),
            known(same_group)
        );
    }
}

/// Places in `0..n`, ordered so that any number of them from the front has of each stratum its share: by how far along its
/// stratum each is, in an order that `order` gives.
pub(super) fn stratified(strata: &[usize], order: &[u64]) -> Vec<usize> {
    let mut of_stratum: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, stratum) in strata.iter().enumerate() {
        of_stratum.entry(*stratum).or_default().push(place);
    }
    let mut along: Vec<(f64, u64, usize)> = Vec::with_capacity(strata.len());
    for places in of_stratum.values_mut() {
        places.sort_by_key(|place| (order[*place], *place));
        let size = places.len() as f64;
        along.extend(
            places.iter().enumerate().map(|(nth, place)| ((nth as f64 + 0.5) / size, order[*place], *place)),
        );
    }
    along.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    along.into_iter().map(|(_, _, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_front_has_its_share_of_every_stratum(
            strata in prop::collection::vec(0_usize..5, 1..80),
            front in 0.0..1.0_f64,
            seed in any::<u64>(),
        ) {
            let order: Vec<u64> = (0..strata.len() as u64).map(|n| crate::draw::mix(seed ^ n)).collect();
            let places = stratified(&strata, &order);
            let mut sorted = places.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..strata.len()).collect::<Vec<_>>());
            let taken = (front * strata.len() as f64) as usize;
            for stratum in 0..5 {
                let all = strata.iter().filter(|of| **of == stratum).count();
                let some = places[..taken].iter().filter(|place| strata[**place] == stratum).count();
                let share = all as f64 * taken as f64 / strata.len() as f64;
                prop_assert!((some as f64 - share).abs() <= 3.1, "{some} of {all}, expected some {share}");
            }
        }
    }

    #[test]
    fn names_of_files_have_no_odd_letters() {
        assert_eq!(file_name(&["HLA-A", "Stromal & T/Cell+"]), "images/HLA-A--Stromal___T_Cell+.png");
    }
}
