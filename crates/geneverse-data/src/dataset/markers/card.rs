//! The dataset card of a marker dataset.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{BlindScores, MarkersDataset, MarkersReport, Negatives, STAGE, SplitCounts};
use crate::dataset::genes::SPLITS;
use crate::dataset::pictures::{self, Part, end, front_matter, inputs_table, leakage_table};
use crate::render::tissue::Layout;
use crate::tissue::truth::TruthReport;

/// Rows of the truth table that the card lists; all are in the manifest.
const LISTED: usize = 40;

pub(super) fn card(options: &MarkersDataset, parts: &[Part], report: &MarkersReport) -> String {
    let tags = ["biology", "spatial-transcriptomics", "marker-genes", "llava"];
    let mut card = front_matter("Marker genes in tissue", &tags, &options.set, parts);
    card.push_str(
        "\n# Marker genes in tissue\n\nA picture of a tissue section, every cell at its place, coloured by a gene's \
         expression, and the cells of one cell type; the question whether the gene is a marker of the type; the answer in a \
         sentence. The pictures lie where `image` says, below this folder.\n",
    );
    card.push_str(match options.layout {
        Layout::Panels => "One panel shows the expression, the other the cells of the type.\n",
        Layout::Outline => "Rings mark the cells of the type.\n",
        Layout::Hues => {
            "Cells of the type are in warm colours, others in cold ones, stronger with more of the gene.\n"
        }
    });
    contents(&mut card, report);
    inputs_table(&mut card, &options.set.inputs);
    truth(&mut card, options, report);
    rules(&mut card, options);
    left_out(&mut card, report);
    leakage_table(&mut card, &report.leakage, "gene");
    blind(&mut card, &report.blind);
    end(&mut card, STAGE);
    card.push_str(
        "\nWhether a gene is a marker depends on the tissue and on who annotated it. The answers are nothing to base a clinical \
         decision on.\n",
    );
    card
}

fn contents(card: &mut String, report: &MarkersReport) {
    card.push_str(
        "\n## What is in it\n\n| split | examples | genes | yes | no |\n|---|---:|---:|---:|---:|\n",
    );
    let splits: Vec<(&str, &SplitCounts)> =
        SPLITS.iter().filter_map(|split| Some((*split, report.splits.get(*split)?))).collect();
    for (split, SplitCounts { examples, genes, labels: [yes, no], .. }) in &splits {
        let _ = writeln!(card, "| {split} | {examples} | {genes} | {yes} | {no} |");
    }
    let types: BTreeSet<&String> = splits.iter().flat_map(|(_, counts)| counts.by_type.keys()).collect();
    let heads: Vec<String> = splits.iter().map(|(split, _)| format!("{split}: yes | no")).collect();
    let _ =
        write!(card, "\n| cell type | {} |\n|---|{}\n", heads.join(" | "), "---:|".repeat(2 * splits.len()));
    for name in types {
        let cells: Vec<String> = splits
            .iter()
            .map(|(_, counts)| counts.by_type.get(name).copied().unwrap_or_default())
            .map(|[yes, no]| format!("{yes} | {no}"))
            .collect();
        let _ = writeln!(card, "| {name} | {} |", cells.join(" | "));
    }
}

fn truth(card: &mut String, options: &MarkersDataset, report: &MarkersReport) {
    card.push_str("\n## What is true\n\n");
    let Some(TruthReport { rows, used, repeated, genes, cell_types, unknown_genes, without_marker, .. }) =
        &report.truth
    else {
        let _ = writeln!(
            card,
            "Markers were found in the tissue itself: Wilcoxon rank-sum of each type against all other cells, corrected by \
             Benjamini and Hochberg. What was asked of a marker: `{}`. A model that has learned the rule has learned this, and \
             not what an expert would say.",
            options.truth
        );
        return;
    };
    let _ = writeln!(
        card,
        "From a table of genes and the types that they mark: {used} of {rows} rows name both, {repeated} of them again. A pair \
         that the table does not have counts as no marker, whether or not anybody has looked."
    );
    for (what, changes) in [("genes", genes), ("cell types", cell_types)] {
        if !changes.is_empty() {
            let _ = write!(card, "\nNames of {what} that were changed:\n\n");
            for change in changes.iter().take(LISTED) {
                let _ = writeln!(
                    card,
                    "- {} → {} ({} rows): {}",
                    change.from, change.to, change.rows, change.how
                );
            }
            if changes.len() > LISTED {
                let _ = writeln!(card, "- and {} more; `manifest.json` has them all", changes.len() - LISTED);
            }
        }
    }
    for (what, names) in [
        ("Genes that the gene database does not know", unknown_genes),
        ("Cell types that no gene marks", without_marker),
    ] {
        if !names.is_empty() {
            let _ = writeln!(card, "\n{what}: {}.", names.join(", "));
        }
    }
}

fn rules(card: &mut String, options: &MarkersDataset) {
    let MarkersDataset { set, negatives, negatives_each, min_cells, .. } = options;
    let which = match negatives {
        Negatives::Any => "a type that it does not mark",
        Negatives::Hard => {
            "a type that it does not mark, one of the three whose expression is most like that of its own"
        }
    };
    let _ = write!(
        card,
        "\n## How pairs and splits were chosen\n\nFor each pair of a gene and a type that it marks (yes), {negatives_each} of the \
         same gene with {which} (no). Types are drawn so that each has as many answers yes as its share of answers no, as far \
         as that goes. Types with fewer than {min_cells} cells are not asked about.\n\nAll examples of a gene are in one split. \
         Genes are taken in an order drawn from the seed, {}, so that each type has its share of every split.\n",
        set.seed
    );
}

fn left_out(card: &mut String, report: &MarkersReport) {
    card.push_str("\n## What was left out\n\n");
    let mut rows: Vec<String> = report
        .truth
        .iter()
        .flat_map(|truth| pictures::left_out(&truth.left_out, "rows of the table"))
        .collect();
    rows.extend(pictures::left_out(&report.skipped, "pairs"));
    if rows.is_empty() {
        card.push_str("Nothing.\n");
    } else {
        card.push_str(&rows.concat());
        card.push_str("\n`skipped.jsonl` lists the pairs, `manifest.json` the rows.\n");
    }
}

fn blind(card: &mut String, blind: &[BlindScores]) {
    card.push_str(
        "\n## What answers without looking score\n\nShares of right answers, without any picture: \"yes\" to everything, and the \
         training set's more frequent answer for the cell type. A model has seen something where it scores more.\n\n\
         | split | always yes | by cell type |\n|---|---:|---:|\n",
    );
    for BlindScores { split, always_yes, by_type } in blind {
        let _ = writeln!(card, "| {split} | {always_yes:.3} | {by_type:.3} |");
    }
}
