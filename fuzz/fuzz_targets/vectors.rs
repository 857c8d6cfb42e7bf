//! Vectors and texts with ids: any bytes give as many numbers as ids ask for, or one error.
#![no_main]

use geneverse_data::texts;
use geneverse_eval::clusters::from_file;
use geneverse_eval::embedding::{ids_path, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    for name in ["any.npy", "any.safetensors", "any.csv", "any.tsv"] {
        let path = folder.path().join(name);
        if std::fs::write(&path, bytes).is_err() || std::fs::write(ids_path(&path), "a\nb\n").is_err() {
            return;
        }
        if let Ok(embedding) = read(&path, None) {
            assert_eq!(embedding.ids.len() * embedding.dimensions, embedding.vectors.len());
            assert!(embedding.vectors.iter().all(|x| x.is_finite()));
        }
        let _ = (texts::read(&path), from_file(&path));
    }
});
