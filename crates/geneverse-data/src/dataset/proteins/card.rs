//! The dataset card of a protein dataset.

use std::fmt::Write as _;

use super::{BlindScores, INSTRUCTION, ProteinsDataset, ProteinsReport, SplitBy, SplitCounts};
use crate::dataset::format::Format;
use crate::dataset::genes::SPLITS;
use crate::dataset::pictures::{Part, front_matter, inputs_table, leakage_table};

pub(super) fn card(
    options: &ProteinsDataset,
    formats: &[Format],
    parts: &[Part],
    report: &ProteinsReport,
) -> String {
    let tags = ["biology", "protein-structure", "llava"];
    let mut card = front_matter("Names of proteins from their structures", &tags, formats, parts);
    let _ = write!(
        card,
        "\n# Names of proteins from their structures\n\nA picture of a protein's structure as a cartoon, and the question \
         \"{INSTRUCTION}\" The pictures lie where `image` says, below this folder.\n\n## What is in it\n\n\
         | split | examples | proteins | names |\n|---|---:|---:|---:|\n"
    );
    for split in SPLITS {
        if let Some(SplitCounts { examples, proteins, names }) = report.splits.get(split) {
            let _ = writeln!(card, "| {split} | {examples} | {proteins} | {names} |");
        }
    }
    let ProteinsReport {
        fragments, shared_names, clusters, largest_cluster, skipped, leakage, blind, ..
    } = report;
    let _ = writeln!(
        card,
        "\n{fragments} files are one of several of their protein. {shared_names} names are those of several proteins."
    );
    inputs_table(&mut card, &options.inputs);
    let together = match options.split {
        SplitBy::Protein => "All files of a protein are in one split; its relatives may be in another.",
        SplitBy::Group => "Proteins of genes that HGNC groups connect are in one split.",
        SplitBy::Cluster => "Proteins with similar sequences are in one split.",
    };
    let _ = writeln!(
        card,
        "\n## How it was split\n\n{together} There are {clusters} clusters, the largest of {largest_cluster} proteins. They are \
         taken whole, in an order drawn from the seed, {}, while they fit; what does not fit is trained on.",
        options.seed
    );
    card.push_str("\n## What was left out\n\n");
    if skipped.is_empty() {
        card.push_str("Nothing.\n");
    } else {
        skipped.iter().for_each(|(reason, count)| {
            let _ = writeln!(card, "- {count} files: {reason}");
        });
        card.push_str("\n`skipped.jsonl` lists the files.\n");
    }
    leakage_table(&mut card, leakage, "protein");
    card.push_str(
        "\n## What an answer without looking scores\n\nThe mean share of the true name that the same answer to every picture has \
         in one piece. The answer is the training name that does best in training.\n\n| split | answer | score |\n|---|---|---:|\n",
    );
    for BlindScores { split, name, score } in blind {
        let _ = writeln!(card, "| {split} | {name} | {score:.3} |");
    }
    let _ = write!(
        card,
        "\n## How it was made\n\nBy `geneverse dataset proteins`, version {}; `manifest.json` has the settings and the hashes. The \
         same command on the same files gives the same bytes.\n",
        env!("CARGO_PKG_VERSION")
    );
    card
}
