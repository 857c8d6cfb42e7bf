//! Parts of the cards of datasets with pictures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{InputFile, Part, PictureSet};
use crate::dataset::card::licence;

/// The YAML at the top of the card, which the Hugging Face hub reads.
pub(in crate::dataset) fn front_matter(
    title: &str,
    tags: &[&str],
    set: &PictureSet,
    parts: &[Part],
) -> String {
    let formats = set.formats();
    let licence = licence(set.inputs.iter().map(|input| input.licence.as_deref()));
    let mut yaml = format!(
        "---\npretty_name: {title}\nlanguage:\n- en\nlicense: {licence}\ntask_categories:\n- visual-question-answering\ntags:\n"
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
pub(in crate::dataset) fn inputs_table(card: &mut String, inputs: &[InputFile]) {
    card.push_str("\n## Sources\n\n| what | file | licence | SHA-256 |\n|---|---|---|---|\n");
    for InputFile { what, file, licence, hash } in inputs {
        let licence = licence.as_deref().unwrap_or("not known: say it with --licence");
        let _ = writeln!(card, "| {what} | {file} | {licence} | `{hash}` |");
    }
}

/// The card's list of what gave no example: counts by reason, of `what`.
pub(in crate::dataset) fn left_out(rows: &BTreeMap<String, usize>, what: &str) -> Vec<String> {
    rows.iter().map(|(reason, count)| format!("- {count} {what}: {reason}\n")).collect()
}

/// The card's end.
pub(in crate::dataset) fn end(card: &mut String, stage: &str) {
    let _ = write!(
        card,
        "\n## How it was made\n\nBy `geneverse {stage}`, version {}; `manifest.json` has the settings and the hashes. The \
         same command on the same files gives the same bytes.\n",
        env!("CARGO_PKG_VERSION")
    );
}
