//! What the quickstarts that see are trained on and asked.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use geneverse_data::answers::Task;
use geneverse_data::dataset::{Example, read_examples, write_examples};
use geneverse_data::stage::hash_bytes;
use geneverse_eval::protein::overlap;

use super::seeing::Seeing;

/// What is asked: a file's name part, and what it is called. The last only where there is another dataset.
pub(super) const SPLITS: [(&str, &str); 4] = [
    ("seen", "seen in finetuning"),
    ("held-out", "held out"),
    ("shuffled", "held out, with another's picture"),
    ("with", "held out of the dataset of --with"),
];

/// A picture dataset of the user's own.
pub(super) struct Others {
    /// None where it has no `train.json`.
    train: Vec<Example>,
    test: Vec<Example>,
}

impl Others {
    pub(super) fn read(folder: &Path, seeing: Seeing) -> Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("{}: cannot read", folder.display()))?;
        let (wanted, name) = match seeing {
            Seeing::Marker => (Task::Marker, "marker"),
            Seeing::Protein => (Task::Protein, "protein"),
        };
        let read = |file_name: &str| -> Result<Vec<Example>> {
            let file = folder.join(file_name);
            let mut examples = read_examples(&file)?;
            for example in &mut examples {
                if example.task != wanted || example.images.is_empty() {
                    bail!(
                        "{}: {} does not ask the {name} question about a picture; make the dataset with `geneverse dataset \
                         {name}s`",
                        file.display(),
                        example.id,
                    );
                }
                for image in &mut example.images {
                    *image = folder.join(&*image).display().to_string();
                }
            }
            Ok(examples)
        };
        let train = if folder.join("train.json").exists() { read("train.json")? } else { Vec::new() };
        Ok(Self { train, test: read("test.json")? })
    }
}

/// What is learnt from: the dataset's examples, and another dataset's beside them.
pub(super) fn training_file(dataset: &Path, others: Option<&Others>, out: &Path) -> Result<PathBuf> {
    let own = dataset.join("train.json");
    let Some(others) = others else { return Ok(own) };
    let mut examples = read_examples(&own)?;
    examples.iter_mut().for_each(beside);
    examples.extend(others.train.iter().cloned());
    let joined = out.join("train.json");
    write_new(&joined, &examples)?;
    Ok(joined)
}

/// An example of the dataset as a file beside its folder names it.
fn beside(example: &mut Example) {
    example.images.iter_mut().for_each(|image| *image = format!("dataset/{image}"));
}

/// Writes examples where they are not there already, so that what was made of them stays good.
fn write_new(path: &Path, examples: &[Example]) -> Result<()> {
    if !read_examples(path).is_ok_and(|there: Vec<Example>| there == examples) {
        write_examples(path, examples)?;
    }
    Ok(())
}

/// The questions of the splits, and what answers that do not depend on the picture would score on the held-out ones.
pub(super) fn questions(
    dataset: &Path,
    others: Option<&Others>,
    out: &Path,
    seeing: Seeing,
    count: usize,
) -> Result<(Vec<PathBuf>, f64)> {
    let mut seen = read_examples(&dataset.join("train.json"))?;
    let mut held_out = read_examples(&dataset.join("test.json"))?;
    for examples in [&mut seen, &mut held_out] {
        examples.sort_by_cached_key(|example| hash_bytes(example.id.as_bytes()));
        examples.iter_mut().for_each(beside);
    }
    seen.truncate(count.max(1));
    if held_out.len() < 2 {
        bail!("{}: fewer than two held-out questions", dataset.display());
    }
    let (shuffled, chance) = (shuffled(&held_out), chance(&held_out, seeing));
    let mut paths = Vec::new();
    let asked = [seen, held_out, shuffled].into_iter().chain(others.map(|others| others.test.clone()));
    for ((split, _), examples) in SPLITS.iter().zip(asked) {
        let path = out.join(format!("questions.{split}.json"));
        write_new(&path, &examples)?;
        paths.push(path);
    }
    Ok((paths, chance))
}

/// Each question with the picture of another: that half the list further on, which is as good as drawn, for the order is by hash.
fn shuffled(examples: &[Example]) -> Vec<Example> {
    let half = examples.len() / 2;
    let other = |place: usize| examples[(place + half) % examples.len()].images.clone();
    let with_other =
        |(place, example): (usize, &Example)| Example { images: other(place), ..example.clone() };
    examples.iter().enumerate().map(with_other).collect()
}

/// The mean score of another question's right answer.
fn chance(examples: &[Example], seeing: Seeing) -> f64 {
    let score = |own: &Example, other: &Example| match seeing {
        Seeing::Marker => f64::from(u8::from(own.label == other.label)),
        Seeing::Protein => overlap(name(other), name(own)),
    };
    let pairs = (examples.len() * (examples.len() - 1)).max(1) as f64;
    let all = examples.iter().enumerate().flat_map(|(place, own)| {
        examples
            .iter()
            .enumerate()
            .filter(move |(other, _)| *other != place)
            .map(move |(_, other)| score(own, other))
    });
    all.sum::<f64>() / pairs
}

pub(super) fn name(example: &Example) -> &str {
    geneverse_data::dataset::proteins::name_in(&example.output)
}
