//! The dataset card of a protein dataset.

use std::fmt::Write as _;

use super::{BlindScores, INSTRUCTION, ProteinsDataset, ProteinsReport, STAGE, SplitBy, SplitCounts};
use crate::dataset::genes::SPLITS;
use crate::dataset::pictures::{Part, end, front_matter, inputs_table, leakage_table, left_out};

pub(super) fn card(options: &ProteinsDataset, parts: &[Part], report: &ProteinsReport) -> String {
    let tags = ["biology", "protein-structure", "llava"];
    let mut card = front_matter("Names of proteins from their structures", &tags, &options.set, parts);
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
    inputs_table(&mut card, &options.set.inputs);
    let together = match options.split {
        SplitBy::Protein => "All files of a protein are in one split; its relatives may be in another.",
        SplitBy::Group => "Proteins of genes that HGNC groups connect are in one split.",
        SplitBy::Cluster => {
            "Proteins with similar sequences (at least 30 % identical over half of the shorter one) are in one split, with all \
             that hang together so."
        }
    };
    let _ = writeln!(
        card,
        "\n## How it was split\n\n{together} There are {clusters} clusters, the largest of {largest_cluster} proteins. They are \
         taken whole, in an order drawn from the seed, {}, while they fit; what does not fit is trained on.",
        options.set.seed
    );
    card.push_str("\n## What was left out\n\n");
    if skipped.is_empty() {
        card.push_str("Nothing.\n");
    } else {
        card.push_str(&left_out(skipped, "files").concat());
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
    end(&mut card, STAGE);
    card
}
