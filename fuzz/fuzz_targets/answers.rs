//! `answers.jsonl`, plain or gzipped: what is read is written and read back equal.
#![no_main]

use geneverse_data::answers::{read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for one input");
    let path = folder.path().join("answers.jsonl");
    std::fs::write(&path, bytes).expect("the input as a file");
    if let Ok(answers) = read(&path) {
        write(&path, &answers).expect("what was read can be written");
        assert_eq!(read(&path).expect("what was written can be read"), answers);
    }
});
