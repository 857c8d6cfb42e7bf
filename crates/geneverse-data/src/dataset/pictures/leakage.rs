//! What of one split of a dataset with pictures is in another.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Part;
use crate::dataset::compare::Finding;
use crate::stage::{FileError, hash_file};

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

impl PictureLeakage {
    /// What was compared, by the word for it (`subject` is the word for what a question is about), and what was found;
    /// nothing where it is not known.
    pub fn findings<'a>(&'a self, subject: &'a str) -> [(&'a str, Option<&'a Finding>); 5] {
        let Self {
            from: _,
            into: _,
            examples: _,
            same_subject,
            same_picture,
            same_text,
            same_cluster,
            same_group,
        } = self;
        [
            (subject, Some(same_subject)),
            ("picture", Some(same_picture)),
            ("text", Some(same_text)),
            ("cluster", same_cluster.as_ref()),
            ("HGNC group", same_group.as_ref()),
        ]
    }
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

/// The card's table of what is in two splits.
pub(in crate::dataset) fn leakage_table(card: &mut String, leakage: &[PictureLeakage], subject: &str) {
    let Some(first) = leakage.first() else { return };
    let heads = first.findings(subject).map(|(what, _)| format!("same {what} |")).join(" ");
    let _ = write!(
        card,
        "\n## Leakage\n\nExamples of a split of which an earlier one has something. Every number above 0 makes a score look \
         better than it is.\n\n| of | in | {heads}\n|---|---|---:|---:|---:|---:|---:|\n"
    );
    for found in leakage {
        let PictureLeakage { from, into, examples, .. } = found;
        let cell = |finding: &Finding| format!("{} ({:.1} %) |", finding.count, 100.0 * finding.share);
        let known = |(_, finding): (&str, Option<&Finding>)| finding.map_or("not known |".to_owned(), cell);
        let cells = found.findings(subject).map(known).join(" ");
        let _ = writeln!(card, "| {into} ({examples}) | {from} | {cells}");
    }
}
