//! Questions of GeneTuring and GeneHop.
#![no_main]

use geneverse_eval::benchmark::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for one input");
    let path = folder.path().join("questions.json");
    std::fs::write(&path, bytes).expect("the input as a file");
    if let Err(error) = read(&path) {
        assert!(!error.to_string().is_empty());
    }
});
