//! The stage `dataset proteins`: pictures of protein structures with the question for the protein's name, out of structure
//! files and a list of names.
//!
//! A file is an example. Files of one protein, such as the fragments F1, F2, … of a long AlphaFold model, have the same
//! answer and are in one split; so are proteins of one cluster of sequences, or of one group of genes. A name is taken as
//! the list or the gene database writes it. Files without a name, files that cannot be read, and names that the answer's
//! grade would not understand are skipped and listed.
//!
//! Written are the splits in LLaVA's form (or others), `images/`, `skipped.jsonl`, a dataset card in `README.md`, and
//! `manifest.json` last. A call that was broken off goes on with the pictures that it lacks.

mod card;
mod names;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Example;
use super::near::Sets;
use super::pictures::{self, Accept, Part, PictureLeakage, PictureSet, Stop};
use crate::answers::Task;
use crate::progress::Progress;
use crate::render::colour::Colouring;
use crate::render::protein::{Settings, draw};
use crate::seeded::mix;
use crate::stage::{FileError, hash_bytes, hash_file};
use crate::structure::cluster::{Kinship, cluster};
use crate::structure::{Chain, ProteinName, ReadOptions, proteins as by_protein, read, read_with};

pub use names::{Named, Names};

/// The stage's name in manifests.
pub const STAGE: &str = "dataset proteins";
/// The question of the protein task.
pub const INSTRUCTION: &str =
    "What is the name of this protein? Please summarize your answer in one sentence.";

/// What stays on one side of the split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitBy {
    /// A protein.
    Protein,
    /// Proteins of genes that HGNC groups connect.
    Group,
    /// Proteins whose sequences are alike.
    #[default]
    Cluster,
}

/// What to make a dataset of.
#[derive(Debug, Clone, Default)]
pub struct ProteinsDataset {
    /// The structure files, in the order in which they are told.
    pub files: Vec<PathBuf>,
    /// Folder, other files, splits (proteins go by accessions, names or files' names), size and forms.
    pub set: PictureSet,
    /// What stays on one side of the split.
    pub split: SplitBy,
    /// What colours tell.
    pub colour: Colouring,
    /// Pictures of each structure: the first as it is aligned, the others turned about the vertical axis.
    pub views: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProteinsReport {
    /// Examples and proteins of each split.
    pub splits: BTreeMap<String, SplitCounts>,
    /// Pictures, one for each example.
    pub pictures: usize,
    /// Files that are one of several of their protein.
    pub fragments: usize,
    /// Files that gave no example, by reason.
    pub skipped: BTreeMap<String, usize>,
    /// Clusters of related proteins, and how many proteins the largest has.
    pub clusters: usize,
    /// Proteins of the largest cluster.
    pub largest_cluster: usize,
    /// Names that several proteins have.
    pub shared_names: usize,
    /// What of a later split is in an earlier one.
    pub leakage: Vec<PictureLeakage>,
    /// What answers without looking would score.
    pub blind: Vec<BlindScores>,
    /// The files written, below the dataset's folder, without the pictures.
    pub files: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// The dataset was there already, made from the same input: nothing was done.
    #[serde(skip)]
    pub already_done: bool,
}

/// A split in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitCounts {
    /// Examples.
    pub examples: usize,
    /// Proteins.
    pub proteins: usize,
    /// Different names.
    pub names: usize,
}

/// Mean truth (share of the name in one piece) of an answer that is the same for all pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlindScores {
    /// The split.
    pub split: String,
    /// The training name that scores best on the training set; that is what is answered.
    pub name: String,
    /// Its mean score on the split.
    pub score: f64,
}

/// Scores an answer's name against the true one, in [0, 1]; `geneverse-eval` does.
pub type Overlap<'a> = &'a (dyn Fn(&str, &str) -> f64 + Sync);

/// What the stage is given of what it does not know.
#[derive(Clone, Copy)]
pub struct Helpers<'a> {
    /// Names of proteins.
    pub names: &'a Names,
    /// Whether the grades of the task understand an example's own reference.
    pub accept: Accept<'a>,
    /// Scores a name.
    pub overlap: Overlap<'a>,
    /// Whether to stop.
    pub stop: Stop<'a>,
}

/// The reference answer.
pub fn answer(name: &str) -> String {
    format!("The name of this protein is {name}.")
}

/// The name that the reference of an example gives.
pub fn name_in(reference: &str) -> &str {
    let name = reference.strip_prefix("The name of this protein is ").unwrap_or(reference);
    name.strip_suffix('.').unwrap_or(name)
}

/// A file that gave no example; a line of `skipped.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedFile {
    /// Its name.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// A file that gives examples.
struct Entry {
    path: PathBuf,
    /// The file's name without endings.
    stem: String,
    identity: ProteinName,
    named: Named,
    sequence: String,
}

/// Makes the dataset. `None` where it was stopped: the same call goes on.
pub fn proteins(
    options: &ProteinsDataset,
    helpers: Helpers<'_>,
    progress: &dyn Progress,
) -> Result<Option<ProteinsReport>, FileError> {
    let begun = Instant::now();
    let ProteinsDataset { set, colour, views, .. } = options;
    let key = key(options)?;
    if let Some(report) = set.finished(STAGE, &key)? {
        return Ok(Some(ProteinsReport { already_done: true, ..report }));
    }
    let (entries, skipped) = read_all(options, helpers, progress)?;
    let identities: Vec<ProteinName> = entries.iter().map(|entry| entry.identity.clone()).collect();
    let groups = by_protein(&identities);
    let related = related(options, &entries, &groups);
    let clusters = related.clone().into_lists();
    let splits = split(options, &entries, &groups, &clusters)?;

    let mut parts = pictures::empty_parts();
    let mut drawn: Vec<(usize, usize)> = Vec::new();
    let mut files = Vec::new();
    for (cluster, members) in clusters.iter().enumerate() {
        for &protein in members {
            for &place in &groups[protein] {
                let entry = &entries[place];
                for view in 0..(*views).max(1) {
                    let suffix = if view == 0 { String::new() } else { format!("-view{}", view + 1) };
                    let file = pictures::file_name(&[&format!("{}{suffix}", entry.stem)]);
                    let part = &mut parts[splits[protein]];
                    part.clusters.push(format!("cluster {cluster}"));
                    part.groups.push(entry.named.groups.clone());
                    part.examples.push(example(entry, &suffix, &file));
                    files.push(file);
                    drawn.push((place, view));
                }
            }
        }
    }
    let paint = |index: usize, path: &Path| {
        let (place, view) = drawn[index];
        let (structure, _) = read(&entries[place].path)?;
        let turn = 360.0 * view as f32 / (*views).max(1) as f32;
        let settings =
            Settings { size: set.size, colour: *colour, rotate: [0.0, turn, 0.0], ..Settings::default() };
        let picture = draw(&structure, &settings);
        picture.map_err(|e| FileError::whole(&entries[place].path, e.to_string()))?.write_png(path)
    };
    if !set.draw(&key, &files, &paint, helpers.stop, progress)? {
        return Ok(None);
    }
    let (written, leakage) = set.write(&parts, &skipped, true, progress)?;
    let mut names_of: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (protein, group) in groups.iter().enumerate() {
        for place in group {
            names_of.entry(&entries[*place].named.name).or_default().insert(protein);
        }
    }
    let mut report = ProteinsReport {
        splits: parts.iter().filter(|part| !part.examples.is_empty()).map(counts).collect(),
        pictures: files.len(),
        fragments: groups.iter().filter(|group| group.len() > 1).map(Vec::len).sum(),
        skipped: reasons(&skipped),
        clusters: clusters.len(),
        largest_cluster: clusters.iter().map(Vec::len).max().unwrap_or_default(),
        shared_names: names_of.values().filter(|proteins| proteins.len() > 1).count(),
        leakage,
        blind: blind(&parts, helpers.overlap),
        files: written,
        ..ProteinsReport::default()
    };
    report.seconds = begun.elapsed().as_secs_f64();
    set.finish(STAGE, key, &card::card(options, &parts, &report), &report)?;
    Ok(Some(report))
}

fn example(entry: &Entry, suffix: &str, file: &str) -> Example {
    let subject = entry.identity.accession.as_ref().map_or(entry.stem.clone(), ToString::to_string);
    Example {
        id: format!("protein-{}{suffix}", entry.stem),
        task: Task::Protein,
        subject,
        instruction: INSTRUCTION.to_owned(),
        output: answer(&entry.named.name),
        images: vec![file.to_owned()],
        ..Example::default()
    }
}

/// What the dataset depends on.
fn key(options: &ProteinsDataset) -> Result<Value, FileError> {
    let ProteinsDataset { files, set, split, colour, views } = options;
    let hashes: Vec<String> = files
        .par_iter()
        .map(|path| Ok(format!("{} {}", stem(path), hash_file(path)?)))
        .collect::<Result<_, FileError>>()?;
    Ok(set.key(json!({
        "structures": hash_bytes(hashes.join("\n").as_bytes()), "split": split,
        "colour": format!("{colour:?}").to_lowercase(), "views": views,
    })))
}

fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let cut = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty());
    cut.map_or(name, |(stem, _)| stem).to_owned()
}

/// Reads what every file is of; structures themselves are not kept.
fn read_all(
    options: &ProteinsDataset,
    helpers: Helpers<'_>,
    progress: &dyn Progress,
) -> Result<(Vec<Entry>, Vec<SkippedFile>), FileError> {
    let files = &options.files;
    progress.start("reading structures", Some(files.len() as u64), "files");
    let (mut entries, mut skipped) = (Vec::new(), Vec::new());
    // Pictures are named after files without their endings; of 1ubq.cif and 1ubq.pdb the first is taken.
    let mut pictured: BTreeSet<String> = BTreeSet::new();
    let mut other = |path: &PathBuf| !pictured.insert(pictures::file_name(&[&stem(path)]));
    let twice: BTreeSet<&PathBuf> = files.iter().filter(|path| other(path)).collect();
    for some in files.chunks(256) {
        let read = |path: &PathBuf| match twice.contains(path) {
            true => Err("another file has the same name".to_owned()),
            false => entry(path, helpers),
        };
        let read: Vec<Result<Entry, String>> = some.par_iter().map(read).collect();
        for (path, read) in some.iter().zip(read) {
            match read {
                Ok(entry) => entries.push(entry),
                Err(reason) => {
                    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    skipped.push(SkippedFile { file, reason });
                }
            }
        }
        progress.set((entries.len() + skipped.len()) as u64);
    }
    progress.finish();
    if entries.is_empty() {
        let first =
            skipped.first().map_or(String::new(), |one| format!("; the first, {}: {}", one.file, one.reason));
        let reason = format!("none of {} structure files gives an example{first}", files.len());
        return Err(FileError::whole(&options.set.out, reason));
    }
    Ok((entries, skipped))
}

fn entry(path: &Path, helpers: Helpers<'_>) -> Result<Entry, String> {
    let (structure, notes) = read_with(path, &ReadOptions::default()).map_err(|e| {
        // The file is named beside the reason.
        e.to_string().replace(&format!("{}: ", path.display()), "cannot be read: ")
    })?;
    let stem = stem(path);
    let proteins = structure.chains.iter().filter(|chain| chain.is_protein());
    let sequence = proteins.map(Chain::sequence).max_by_key(String::len).ok_or("holds no protein")?;
    let identity = ProteinName::from_file_name(path).or(notes.name);
    let named = helpers.names.find(&identity, &stem).ok_or("no name is known for it")?;
    let entry = Entry { path: path.to_owned(), stem, identity, named, sequence };
    (helpers.accept)(&example(&entry, "", "")).map_err(|e| format!("its name cannot be graded: {e}"))?;
    Ok(entry)
}

/// Which proteins stay together.
fn related(options: &ProteinsDataset, entries: &[Entry], groups: &[Vec<usize>]) -> Sets {
    let mut sets = Sets::new(groups.len());
    let mut join = |keys: &dyn Fn(&Entry, usize) -> Vec<String>| {
        let mut first: HashMap<String, usize> = HashMap::new();
        for (protein, group) in groups.iter().enumerate() {
            for &place in group {
                for key in keys(&entries[place], place) {
                    sets.join(*first.entry(key).or_insert(protein), protein);
                }
            }
        }
    };
    match options.split {
        SplitBy::Protein => {}
        SplitBy::Group => join(&|entry, _| entry.named.groups.clone()),
        SplitBy::Cluster => {
            let sequences: Vec<&str> = entries.iter().map(|entry| entry.sequence.as_str()).collect();
            let clusters = cluster(&sequences, Kinship::default());
            join(&|_, place| vec![clusters.of[place].to_string()]);
        }
    }
    sets
}

/// The split of each protein. Clusters are taken whole while they fit, in an order that the seed gives.
fn split(
    options: &ProteinsDataset,
    entries: &[Entry],
    groups: &[Vec<usize>],
    clusters: &[Vec<usize>],
) -> Result<Vec<usize>, FileError> {
    let PictureSet { out, hold_out, test_size, validation_size, seed, .. } = &options.set;
    let mut splits = vec![0; groups.len()];
    for text in hold_out {
        let named = |entry: &Entry| {
            entry.stem == *text
                || entry.named.name == *text
                || entry.named.symbol.as_deref() == Some(text)
                || entry.identity.accession.as_ref().is_some_and(|accession| accession.as_str() == text)
        };
        let found: Vec<usize> = (0..groups.len())
            .filter(|protein| groups[*protein].iter().any(|place| named(&entries[*place])))
            .collect();
        if found.is_empty() {
            let reason =
                format!("cannot hold out {text}: no structure has this accession, symbol, name or file name");
            return Err(FileError::whole(out, reason));
        }
        // Its relatives would give it away.
        for cluster in clusters.iter().filter(|cluster| cluster.iter().any(|protein| found.contains(protein)))
        {
            cluster.iter().for_each(|protein| splits[*protein] = 2);
        }
    }
    let mut order: Vec<&Vec<usize>> =
        clusters.iter().filter(|cluster| cluster.iter().all(|protein| splits[*protein] == 0)).collect();
    let name = |cluster: &[usize]| {
        let first = cluster.first().and_then(|protein| groups[*protein].first());
        first.map_or("", |place| entries[*place].stem.as_str())
    };
    order.sort_by_key(|cluster| (mix(*seed, name(cluster)), cluster.first().copied()));
    for (part, size) in [(2, *test_size), (1, *validation_size)] {
        let mut taken = 0;
        order.retain(|cluster| {
            let fits = taken + cluster.len() <= size;
            if fits {
                taken += cluster.len();
                cluster.iter().for_each(|protein| splits[*protein] = part);
            }
            !fits
        });
    }
    if splits.iter().all(|part| *part != 0) {
        let reason =
            format!("found {} proteins, and all are for validation and testing; ask for fewer", groups.len());
        return Err(FileError::whole(out, reason));
    }
    Ok(splits)
}

fn counts(part: &Part) -> (String, SplitCounts) {
    let distinct =
        |of: &dyn Fn(&Example) -> String| part.examples.iter().map(of).collect::<BTreeSet<_>>().len();
    let counts = SplitCounts {
        examples: part.examples.len(),
        proteins: distinct(&|example| example.subject.clone()),
        names: distinct(&|example| example.output.clone()),
    };
    (part.name.to_owned(), counts)
}

/// The name that scores best when it is the answer to everything: chosen on the training set, of at most 200 of its names.
fn blind(parts: &[Part], overlap: Overlap<'_>) -> Vec<BlindScores> {
    const TRIED: usize = 200;
    const ASKED: usize = 2_000;
    let names = |part: &Part| -> Vec<String> {
        part.examples.iter().map(|example| name_in(&example.output).to_owned()).collect()
    };
    let Some(train) = parts.first().map(names) else { return Vec::new() };
    let step = |all: usize, most: usize| all.div_ceil(most).max(1);
    let asked: Vec<&String> = train.iter().step_by(step(train.len(), ASKED)).collect();
    let mean = |answer: &str, names: &[&String]| {
        names.iter().map(|name| overlap(answer, name)).sum::<f64>() / names.len().max(1) as f64
    };
    let distinct: BTreeSet<&String> = train.iter().collect();
    let tried: Vec<&String> = distinct.iter().copied().step_by(step(distinct.len(), TRIED)).collect();
    let scores: Vec<f64> = tried.par_iter().map(|answer| mean(answer, &asked)).collect();
    let best = (0..tried.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a)));
    let Some(best) = best.map(|place| tried[place]) else { return Vec::new() };
    let filled = parts.iter().filter(|part| !part.examples.is_empty());
    filled
        .map(|part| {
            let names = names(part);
            let score = mean(best, &names.iter().collect::<Vec<_>>());
            BlindScores { split: part.name.to_owned(), name: best.clone(), score }
        })
        .collect()
}

fn reasons(skipped: &[SkippedFile]) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for file in skipped {
        // What follows a colon is of one file.
        let reason = file.reason.split(':').next().unwrap_or_default();
        *reasons.entry(reason.to_owned()).or_default() += 1;
    }
    reasons
}

#[cfg(test)]
mod tests;
