//! The repair of identifiers and aliases: any text about any bundled gene, and repairing twice changes nothing.
//!
//! The first byte chooses the gene.
#![no_main]

use std::sync::LazyLock;

use geneverse_data::gene::GeneRecord;
use geneverse_eval::index::GeneIndex;
use geneverse_eval::postprocess::repair;
use libfuzzer_sys::fuzz_target;

static INDEX: LazyLock<GeneIndex> = LazyLock::new(|| {
    let lines = include_str!("../../data/genes.jsonl").lines();
    lines.map(|line| serde_json::from_str::<GeneRecord>(line).expect("a bundled record")).collect()
});

fuzz_target!(|input: (u8, &str)| {
    let (place, answer) = input;
    let genes = INDEX.genes();
    let gene = &genes[usize::from(place) % genes.len()];
    let once = repair(answer, gene, &INDEX);
    assert_eq!(once.edits.is_empty(), once.text == answer);
    let twice = repair(&once.text, gene, &INDEX);
    assert_eq!(twice.text, once.text);
});
