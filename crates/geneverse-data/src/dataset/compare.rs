//! How much of one set of examples is in another: leakage, measured.
//!
//! An example of the second set leaks from the first where the first has
//! - its *text*: the same words once names, numbers and what says who the gene is are taken away (see [`content`]);
//! - *nearly* its text: a Jaccard index of at least [`NEAR`] (equal texts are not counted again);
//! - its *gene*: another example about the same one;
//! - its *group*: an example about a gene of the same HGNC group, where the genes' records are at hand.
//!
//! [`content`]: super::content

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Example;
use super::content::Content;
use super::near::{NEAR, NearIndex, Sets, Sketch};
use crate::gene::{GeneRecord, GeneSymbol};

/// Pairs that a finding shows.
const SHOWN: usize = 5;

/// An example as it is compared.
#[derive(Debug, Clone)]
pub struct Item {
    /// The example's id.
    pub id: String,
    /// The gene asked about, in capitals; empty where the example does not say.
    pub gene: String,
    /// The gene's HGNC groups; empty where it has none or its record is not at hand.
    pub groups: Vec<String>,
    /// What the answer says; `None` where it says only who the gene is.
    pub sketch: Option<Sketch>,
}

impl Item {
    /// An example with its gene's record, where that is at hand.
    pub fn new(example: &Example, record: Option<&GeneRecord>) -> Self {
        let subject = subject(example);
        let gene = record.map_or(subject, |record| record.symbol.as_str());
        Self {
            id: example.id.clone(),
            gene: gene.to_uppercase(),
            groups: record.map(|record| record.groups.clone()).unwrap_or_default(),
            sketch: Content::of(&example.output, subject).map(Sketch::from),
        }
    }
}

/// The gene an example asks about: its `subject`, else a symbol after "gene" in the question; may be empty.
pub fn subject(example: &Example) -> &str {
    if !example.subject.is_empty() {
        return &example.subject;
    }
    let mut words = example.instruction.split_whitespace().skip_while(|word| {
        let bare = word.trim_end_matches(':');
        !bare.eq_ignore_ascii_case("gene")
    });
    words.next();
    let word = words.next().unwrap_or_default().trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let looks_like_one = word.chars().any(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if looks_like_one && GeneSymbol::parse(word).is_ok() { word } else { "" }
}

/// How much of a second set is in a first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leakage {
    /// The first set: what a model learns from.
    pub from: String,
    /// The second: what it is asked.
    pub into: String,
    /// Examples of the second.
    pub examples: usize,
    /// Those with the same text.
    pub same_text: Finding,
    /// Those with nearly the same.
    pub near: Finding,
    /// Those about the same gene.
    pub same_gene: Finding,
    /// Those about a gene of the same group; `None` where no group is known.
    pub same_group: Option<Finding>,
}

/// How often something was found, and where.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Examples of the second set.
    pub count: usize,
    /// Their share of it, in [0, 1].
    pub share: f64,
    /// Some of them, each with the example of the first set that it is like.
    pub shown: Vec<[String; 2]>,
}

impl Finding {
    fn of(pairs: Vec<[&Item; 2]>, all: usize) -> Self {
        Self {
            count: pairs.len(),
            share: pairs.len() as f64 / all.max(1) as f64,
            shown: pairs.iter().take(SHOWN).map(|pair| pair.map(|item| item.id.clone())).collect(),
        }
    }

    /// From the ids of pairs, among so many examples.
    pub(super) fn of_ids(mut pairs: Vec<[String; 2]>, all: usize) -> Self {
        let count = pairs.len();
        pairs.truncate(SHOWN);
        Self { count, share: count as f64 / all.max(1) as f64, shown: pairs }
    }
}

/// Measures what of `into` is in `from`; both are named for the report.
pub fn leakage(from: (&str, &[Item]), into: (&str, &[Item])) -> Leakage {
    let ((from_name, from), (into_name, into)) = (from, into);
    let kin = Kin::new(from);
    let groups_known = [from, into].iter().all(|items| items.iter().any(|item| !item.groups.is_empty()));
    let found = |find: &(dyn Fn(&Item) -> Option<usize> + Sync)| {
        let pairs: Vec<Option<[&Item; 2]>> =
            into.par_iter().map(|item| find(item).map(|place| [item, &from[place]])).collect();
        Finding::of(pairs.into_iter().flatten().collect(), into.len())
    };
    Leakage {
        from: from_name.to_owned(),
        into: into_name.to_owned(),
        examples: into.len(),
        same_text: found(&|item| kin.same_text(item)),
        near: found(&|item| if kin.same_text(item).is_some() { None } else { kin.near(item) }),
        same_gene: found(&|item| kin.same_gene(item)),
        same_group: groups_known.then(|| found(&|item| kin.same_group(item))),
    }
}

/// A set of examples, made ready to be asked who in it is related to another.
pub(super) struct Kin<'a> {
    by_text: HashMap<u64, usize>,
    /// Texts that are equal stand in it once: where in the set the first of them is.
    places: Vec<usize>,
    near: NearIndex<'a>,
    by_gene: HashMap<&'a str, usize>,
    by_group: HashMap<&'a str, usize>,
}

impl<'a> Kin<'a> {
    pub(super) fn new(items: &'a [Item]) -> Self {
        let (mut by_text, mut by_gene, mut by_group) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (mut places, mut sketches) = (Vec::new(), Vec::new());
        for (place, item) in items.iter().enumerate() {
            if let Some(sketch) = &item.sketch {
                by_text.entry(sketch.content.whole).or_insert_with(|| {
                    places.push(place);
                    sketches.push(sketch);
                    place
                });
            }
            if !item.gene.is_empty() {
                by_gene.entry(item.gene.as_str()).or_insert(place);
            }
            for group in &item.groups {
                by_group.entry(group.as_str()).or_insert(place);
            }
        }
        Self { by_text, places, near: NearIndex::new(sketches), by_gene, by_group }
    }

    fn same_text(&self, item: &Item) -> Option<usize> {
        self.by_text.get(&item.sketch.as_ref()?.content.whole).copied()
    }

    fn near(&self, item: &Item) -> Option<usize> {
        self.near.nearest(item.sketch.as_ref()?, NEAR).map(|(place, _)| self.places[place])
    }

    fn same_gene(&self, item: &Item) -> Option<usize> {
        self.by_gene.get(item.gene.as_str()).copied()
    }

    fn same_group(&self, item: &Item) -> Option<usize> {
        item.groups.iter().find_map(|group| self.by_group.get(group.as_str())).copied()
    }

    /// Whether the set has a relative of the item's gene, by text or by group.
    pub(super) fn has_relative(&self, item: &Item) -> bool {
        self.same_group(item).is_some() || self.same_text(item).is_some() || self.near(item).is_some()
    }
}

/// Joins in `sets` the elements whose items have the same or nearly the same text; item `i` belongs to element
/// `elements[i]`.
pub(super) fn join_alike(sets: &mut Sets, items: &[&Item], elements: &[usize]) {
    let mut first_of_text: HashMap<u64, usize> = HashMap::new();
    let (mut sketches, mut of_sketch) = (Vec::new(), Vec::new());
    for (item, &element) in items.iter().zip(elements) {
        let Some(sketch) = &item.sketch else { continue };
        let first = *first_of_text.entry(sketch.content.whole).or_insert_with(|| {
            sketches.push(sketch);
            of_sketch.push(element);
            element
        });
        sets.join(first, element);
    }
    NearIndex::new(sketches).join(sets, &of_sketch, NEAR);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::Task;
    use crate::gene::GeneKind;

    fn item(symbol: &str, group: &str, output: &str) -> Item {
        let example = Example {
            id: format!("gene-{symbol}"),
            task: Task::Gene,
            subject: symbol.into(),
            instruction: String::new(),
            input: String::new(),
            output: output.into(),
            ..Example::default()
        };
        let mut record = GeneRecord::new(GeneSymbol::parse(symbol).unwrap(), "a gene", GeneKind::Other);
        record.groups = vec![group.into()];
        Item::new(&example, Some(&record))
    }

    #[test]
    fn each_way_of_leaking_is_counted_by_itself() {
        let text =
            "the encoded enzyme opens the ring of small sugars in the liver and is lost in a rare disease";
        let changed = text.replace("a rare disease", "some families");
        let other =
            "a channel for potassium that lets the heart rest between beats and keeps its pace at night";
        let train = [item("A1", "x", text), item("B1", "y", other)];
        let asked = [
            item("A2", "z", text),
            item("A3", "z", &changed),
            item("b1", "z", "nothing is known of it"),
            item(
                "C1",
                "y",
                "a receptor of the skin which feels cold and menthol and some say also pain of ice",
            ),
            item(
                "D1",
                "z",
                "it moves cargo along fibres from the middle of the cell towards its far ends and back",
            ),
        ];
        let found = leakage(("train", &train), ("test", &asked));
        let shown = |finding: &Finding| (finding.count, finding.shown.concat().join(" "));
        assert_eq!(shown(&found.same_text), (1, "gene-A2 gene-A1".to_owned()));
        assert_eq!(shown(&found.near), (1, "gene-A3 gene-A1".to_owned()));
        assert_eq!(shown(&found.same_gene), (1, "gene-b1 gene-B1".to_owned()));
        assert_eq!(shown(&found.same_group.unwrap()), (1, "gene-C1 gene-B1".to_owned()));
        assert_eq!(found.near.share, 0.2);
    }

    #[test]
    fn the_gene_of_a_foreign_example_is_found_in_its_question() {
        let asked = |instruction: &str| {
            let example: Example =
                serde_json::from_value(serde_json::json!({"instruction": instruction, "output": ""}))
                    .unwrap();
            subject(&example).to_owned()
        };
        assert_eq!(asked("Please summarize the major function of gene: GLI1. Use"), "GLI1");
        assert_eq!(asked("What does the gene HLA-A do?"), "HLA-A");
        assert_eq!(asked("Which gene causes it?"), "");
        assert_eq!(asked("Name a gene"), "");
    }
}
