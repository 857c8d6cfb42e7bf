//! Alpaca JSON, as an array or as lines, plain or gzipped: what is read is written and read back equal.
#![no_main]

use geneverse_data::dataset::{read_examples, write_examples};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for one input");
    let path = folder.path().join("examples.json");
    std::fs::write(&path, bytes).expect("the input as a file");
    if let Ok(examples) = read_examples(&path) {
        write_examples(&path, &examples).expect("what was read can be written");
        assert_eq!(read_examples(&path).expect("what was written can be read"), examples);
    }
});
