//! An experiment's file: what is accepted has a name for each row, and is what it is at either scale.
#![no_main]

#[allow(dead_code, unreachable_pub)]
#[path = "../../crates/geneverse/src/commands/experiment/file.rs"]
mod file;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for one input");
    let path = folder.path().join("experiment.toml");
    std::fs::write(&path, bytes).expect("the input as a file");
    if let Ok(experiment) = file::Experiment::read(&path) {
        for row in &experiment.row {
            assert!(!row.name.trim().is_empty());
            assert_eq!(row.at_bundled_scale().name, row.name);
        }
    }
});
