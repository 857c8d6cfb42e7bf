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

/// The most times that an example of another dataset is learnt from in each pass.
const REPEATS: usize = 8;

/// What is learnt from: the dataset's examples, and another dataset's beside them. A small one would be lost among the
/// laboratory's, so its examples are repeated until they are a quarter of all, at most [`REPEATS`] times.
pub(super) fn training_file(dataset: &Path, others: Option<&Others>, out: &Path) -> Result<PathBuf> {
    let own = dataset.join("train.json");
    let Some(others) = others else { return Ok(own) };
    let mut examples = read_examples(&own)?;
    examples.iter_mut().for_each(beside);
    let times = (examples.len() / 3 / others.train.len().max(1)).clamp(1, REPEATS);
    for time in 0..times {
        let named = |example: &Example| match time {
            0 => example.clone(),
            _ => Example { id: format!("{}#{}", example.id, time + 1), ..example.clone() },
        };
        examples.extend(others.train.iter().map(named));
    }
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

#[cfg(test)]
mod tests {
    use geneverse_data::dataset::write_examples;

    use super::*;

    fn example(id: &str, task: Task, image: &str) -> Example {
        Example {
            id: id.to_owned(),
            task,
            subject: id.to_owned(),
            instruction: "What is the name of this protein?".to_owned(),
            output: "The protein is A.".to_owned(),
            images: vec![image.to_owned()],
            ..Example::default()
        }
    }

    #[test]
    fn a_small_dataset_beside_is_repeated_up_to_a_quarter_and_its_pictures_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let (own, other) = (folder.path().join("dataset"), folder.path().join("mine"));
        let proteins = |count: usize, name: &str| -> Vec<Example> {
            (0..count).map(|n| example(&format!("{name}{n}"), Task::Protein, "images/a.png")).collect()
        };
        write_examples(&own.join("train.json"), &proteins(18, "own")).unwrap();
        write_examples(&other.join("train.json"), &proteins(2, "mine")).unwrap();
        write_examples(&other.join("test.json"), &proteins(1, "held-out")).unwrap();
        let others = Others::read(&other, Seeing::Protein).unwrap();
        let file = training_file(&own, Some(&others), folder.path()).unwrap();
        let joined = read_examples(&file).unwrap();
        let ids: Vec<&str> = joined[18..].iter().map(|example| example.id.as_str()).collect();
        assert_eq!(ids, ["mine0", "mine1", "mine0#2", "mine1#2", "mine0#3", "mine1#3"]);
        assert_eq!(joined[0].picture_paths(&file), [own.join("images/a.png")]);
        let found = &joined[18].picture_paths(&file)[0];
        assert_eq!(*found, other.canonicalize().unwrap().join("images/a.png"));
    }

    #[test]
    fn a_dataset_of_another_task_is_refused_by_its_file_and_example() {
        let folder = tempfile::tempdir().unwrap();
        write_examples(&folder.path().join("test.json"), &[example("x", Task::Protein, "a.png")]).unwrap();
        let said = |seeing| Others::read(folder.path(), seeing).err().map(|error| error.to_string());
        assert_eq!(said(Seeing::Protein), None);
        let said = said(Seeing::Marker).unwrap();
        assert!(
            said.ends_with(
                "test.json: x does not ask the marker question about a picture; make the dataset with `geneverse dataset markers`"
            ),
            "{said}"
        );
        let missing = Others::read(&folder.path().join("none"), Seeing::Marker).err().unwrap().to_string();
        assert!(missing.ends_with("none: cannot read"), "{missing}");
    }
}
