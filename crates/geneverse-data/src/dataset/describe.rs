//! What a set of examples is like: how long, about what, how often the same, and what looks wrong.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::Example;
use super::compare::{Item, join_alike};
use super::near::Sets;
use crate::gene::GeneKind;

/// Clusters that are named.
const NAMED: usize = 5;
/// Ids shown with a suspicion.
const SHOWN: usize = 5;
/// Words of a text that are shown.
const SHOWN_WORDS: usize = 12;
/// An answer of fewer words says hardly anything, one of more hardly fits a context.
const SHORT: usize = 5;
const LONG: usize = 2_000;

/// Lengths of texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Lengths {
    /// The shortest.
    pub least: usize,
    /// Half are as long or shorter.
    pub median: usize,
    /// Their mean.
    pub mean: f64,
    /// 95 of 100 are as long or shorter.
    pub p95: usize,
    /// The longest.
    pub most: usize,
}

impl FromIterator<usize> for Lengths {
    fn from_iter<I: IntoIterator<Item = usize>>(lengths: I) -> Self {
        let mut sorted: Vec<usize> = lengths.into_iter().collect();
        sorted.sort_unstable();
        let (Some(&least), Some(&most)) = (sorted.first(), sorted.last()) else { return Self::default() };
        // The nearest rank: a length that occurs.
        let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
        let mean = sorted.iter().sum::<usize>() as f64 / sorted.len() as f64;
        Self { least, median: rank(50), mean, p95: rank(95), most }
    }
}

/// A set of examples in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Examples.
    pub examples: usize,
    /// Genes asked about.
    pub genes: usize,
    /// Words of the answers.
    pub words: Lengths,
    /// Characters of the answers.
    pub characters: Lengths,
    /// Examples by kind of gene.
    pub kinds: BTreeMap<String, usize>,
    /// What occurs more than once.
    pub duplicates: Duplicates,
    /// What looks wrong, by what it is.
    pub suspicious: Vec<Suspicion>,
}

/// What occurs more than once in a set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Duplicates {
    /// Examples equal to an earlier one in question and answer.
    pub rows: usize,
    /// Examples with the question of an earlier one and another answer.
    pub questions: usize,
    /// Examples with the answer of an earlier one, to the letter.
    pub answers: usize,
    /// Examples with the text of an earlier one, names and numbers apart.
    pub same_text: usize,
    /// Examples in clusters of nearly the same text that are not the first of it (those of the same text among them).
    pub near: usize,
    /// Clusters of two examples or more with nearly the same text.
    pub clusters: usize,
    /// Examples that say only who their gene is: they are not compared.
    pub without_content: usize,
    /// The largest clusters, the largest first.
    pub largest: Vec<Cluster>,
}

/// Examples with nearly the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// How many.
    pub examples: usize,
    /// How many different texts they have, names and numbers apart.
    pub texts: usize,
    /// The first ones' ids.
    pub ids: Vec<String>,
    /// How the text goes.
    pub begins: String,
}

/// Something about some answers that is hardly meant so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// What: "empty answer".
    pub what: String,
    /// How many.
    pub count: usize,
    /// The first ones' ids.
    pub ids: Vec<String>,
}

/// Describes examples; `items` are the same ones made comparable, `kinds` what their genes are, where that is known.
pub fn describe(examples: &[Example], items: &[Item], kinds: &[Option<GeneKind>]) -> Description {
    let mut by_kind: BTreeMap<String, usize> = BTreeMap::new();
    for (example, kind) in examples.iter().zip(kinds) {
        let noun = kind.map_or_else(|| kind_in(&example.output), GeneKind::noun);
        *by_kind.entry(noun.to_owned()).or_default() += 1;
    }
    let genes: HashSet<&str> =
        items.iter().map(|item| item.gene.as_str()).filter(|g| !g.is_empty()).collect();
    Description {
        examples: examples.len(),
        genes: genes.len(),
        words: examples.iter().map(|example| example.output.split_whitespace().count()).collect(),
        characters: examples.iter().map(|example| example.output.chars().count()).collect(),
        kinds: by_kind,
        duplicates: duplicates(examples, items),
        suspicious: suspicious(examples),
    }
}

/// The kind that an answer says its gene to be of; the most special first, as "RNA gene" is in most of them.
fn kind_in(answer: &str) -> &'static str {
    use GeneKind::*;
    let nouns = [
        ProteinCoding,
        MicroRna,
        LongNoncodingRna,
        ImmunoglobulinSegment,
        TcellReceptorSegment,
        TransferRna,
        SmallNucleolarRna,
        SmallNuclearRna,
        RibosomalRna,
        OtherRna,
        Pseudogene,
    ];
    nouns.map(GeneKind::noun).into_iter().find(|noun| answer.contains(noun)).unwrap_or("not known")
}

fn duplicates(examples: &[Example], items: &[Item]) -> Duplicates {
    let mut found = Duplicates::default();
    let (mut rows, mut questions, mut answers) = (HashSet::new(), HashSet::new(), HashSet::new());
    for Example { instruction, input, output, .. } in examples {
        let repeated = !rows.insert((instruction, input, output));
        let known = !questions.insert((instruction, input));
        found.rows += usize::from(repeated);
        found.questions += usize::from(known && !repeated);
        found.answers += usize::from(!answers.insert(output));
    }
    let texts: Vec<Option<u64>> =
        items.iter().map(|item| item.sketch.as_ref().map(|sketch| sketch.content.whole)).collect();
    found.without_content = texts.iter().filter(|text| text.is_none()).count();
    let distinct: HashSet<u64> = texts.iter().flatten().copied().collect();
    found.same_text = items.len() - found.without_content - distinct.len();

    let mut sets = Sets::new(items.len());
    let elements: Vec<usize> = (0..items.len()).collect();
    join_alike(&mut sets, &items.iter().collect::<Vec<_>>(), &elements);
    let mut clusters: Vec<Vec<usize>> = sets.into_lists().into_iter().filter(|list| list.len() > 1).collect();
    found.clusters = clusters.len();
    found.near = clusters.iter().map(|cluster| cluster.len() - 1).sum();
    clusters.sort_by_key(|cluster| std::cmp::Reverse(cluster.len()));
    found.largest = clusters
        .iter()
        .take(NAMED)
        .map(|cluster| {
            let different: HashSet<Option<u64>> = cluster.iter().map(|&place| texts[place]).collect();
            // The most frequent text stands for the cluster.
            let mut counts: HashMap<Option<u64>, usize> = HashMap::new();
            cluster.iter().for_each(|&place| *counts.entry(texts[place]).or_default() += 1);
            let usual =
                cluster.iter().max_by_key(|&&place| (counts[&texts[place]], std::cmp::Reverse(place)));
            let usual = usual.map_or("", |&place| examples[place].output.as_str());
            Cluster {
                examples: cluster.len(),
                texts: different.len(),
                ids: cluster.iter().take(SHOWN).map(|&place| items[place].id.clone()).collect(),
                begins: beginning(usual),
            }
        })
        .collect();
    found
}

/// The first words of what an answer says, after what says who the gene is.
fn beginning(answer: &str) -> String {
    let said = super::content::told(answer).next().unwrap_or_default();
    let words: Vec<&str> = said.split_whitespace().take(SHOWN_WORDS + 1).collect();
    let shown = words[..words.len().min(SHOWN_WORDS)].join(" ");
    if words.len() > SHOWN_WORDS { format!("{shown} …") } else { shown }
}

/// Looks for answers that something went wrong with.
fn suspicious(examples: &[Example]) -> Vec<Suspicion> {
    type Test = fn(&Example, &[&str]) -> bool;
    let tests: [(&str, Test); 10] = [
        ("empty answer", |_, words| words.is_empty()),
        ("answer of fewer than five words", |_, words| !words.is_empty() && words.len() < SHORT),
        ("answer of more than 2,000 words", |_, words| words.len() > LONG),
        ("answer equal to the question", |e, words| {
            !words.is_empty() && e.output.trim() == e.instruction.trim()
        }),
        ("answer that stops in the middle of a sentence", |e, words| {
            let closed = e.output.trim_end().trim_end_matches([')', ']', '"', '”', '\'']);
            words.len() >= SHORT && !closed.ends_with(['.', '!', '?', ':', '…'])
        }),
        ("None or NaN as a word", |_, words| {
            let bare = |word: &&str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
            words.iter().map(bare).any(|word| matches!(word.as_str(), "None" | "NaN" | "nan"))
        }),
        ("a prompt template's marks in the answer", |e, _| {
            ["### Instruction", "### Response", "<|im_start|>", "[INST]", "<|eot_id|>"]
                .iter()
                .any(|mark| e.output.contains(mark))
        }),
        ("markup (HTML or code fences)", |e, _| {
            ["</", "<br", "```", "&nbsp;", "&lt;", "&amp;"].iter().any(|mark| e.output.contains(mark))
        }),
        ("a character that was lost in conversion (U+FFFD)", |e, _| e.output.contains('\u{fffd}')),
        ("a refusal", |e, _| {
            let start: String = e.output.chars().take(120).collect::<String>().to_lowercase();
            ["as an ai", "as a language model", "i cannot", "i can't", "i'm sorry", "i am sorry"]
                .iter()
                .any(|phrase| start.contains(phrase))
        }),
    ];
    let mut counts = vec![(0, Vec::new()); tests.len()];
    for example in examples {
        let words: Vec<&str> = example.output.split_whitespace().collect();
        for ((_, test), (count, ids)) in tests.iter().zip(&mut counts) {
            if test(example, &words) {
                *count += 1;
                if ids.len() < SHOWN {
                    ids.push(example.id.clone());
                }
            }
        }
    }
    let found = tests.iter().zip(counts).filter(|(_, (count, _))| *count > 0);
    found.map(|((what, _), (count, ids))| Suspicion { what: (*what).to_owned(), count, ids }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::Task;

    fn example(id: usize, instruction: &str, output: &str) -> Example {
        Example {
            id: format!("e{id}"),
            task: Task::Gene,
            subject: format!("G{id}"),
            instruction: instruction.into(),
            input: String::new(),
            output: output.into(),
            ..Example::default()
        }
    }

    #[test]
    fn lengths_are_ranks_that_occur() {
        let lengths: Lengths = (1..=100).collect();
        assert_eq!((lengths.least, lengths.median, lengths.p95, lengths.most), (1, 50, 95, 100));
        assert_eq!(lengths.mean, 50.5);
        assert_eq!([7].into_iter().collect::<Lengths>().p95, 7);
        assert_eq!(std::iter::empty().collect::<Lengths>(), Lengths::default());
    }

    #[test]
    fn repeats_and_odd_answers_are_counted() {
        let text = "the encoded enzyme opens the ring of small sugars in the liver of most mammals.";
        let examples = [
            example(1, "q1", text),
            example(2, "q2", text),
            example(2, "q2", text),
            example(4, "q2", "None is known of it, nor of where it acts"),
            example(5, "q5", ""),
            example(6, "q6", "Yes."),
            example(7, "q7", &text.replace("mammals", "animals")),
        ];
        let items: Vec<Item> = examples.iter().map(|e| Item::new(e, None)).collect();
        let found = describe(&examples, &items, &[None; 7]);
        let Duplicates { rows, questions, answers, same_text, near, clusters, without_content, largest } =
            found.duplicates;
        assert_eq!((rows, questions, answers), (1, 1, 2));
        assert_eq!((same_text, near, clusters, without_content), (2, 3, 1, 2));
        assert_eq!((largest[0].examples, largest[0].texts), (4, 2));
        assert_eq!(largest[0].ids, ["e1", "e2", "e2", "e7"]);
        assert_eq!(largest[0].begins, "the encoded enzyme opens the ring of small sugars in the liver …");
        let odd: Vec<(&str, usize)> = found.suspicious.iter().map(|s| (s.what.as_str(), s.count)).collect();
        assert_eq!(
            odd,
            [
                ("empty answer", 1),
                ("answer of fewer than five words", 1),
                ("answer that stops in the middle of a sentence", 1),
                ("None or NaN as a word", 1),
            ]
        );
        assert_eq!((found.examples, found.genes, found.kinds["not known"]), (7, 6, 7));
    }
}
