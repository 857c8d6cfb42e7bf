//! A matrix in Matrix Market's form beside its names: any bytes give entries of these cells and genes, or one error.
#![no_main]

use geneverse_data::tissue::{Inputs, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    let at = |name: &str| folder.path().join(name);
    let matrix = [b"%%MatrixMarket matrix coordinate integer general\n", bytes].concat();
    let files: [(&str, &[u8]); 3] =
        [("matrix.mtx", &matrix), ("genes.tsv", b"E1\tKDR\nE2\tCD3E\n"), ("barcodes.tsv", b"a\nb\nc\n")];
    if files.iter().any(|(name, bytes)| std::fs::write(at(name), bytes).is_err()) {
        return;
    }
    if let Ok((tissue, _)) = read(&Inputs { data: at("matrix.mtx"), unplaced: true, ..Inputs::default() }) {
        assert_eq!((tissue.cells.len(), tissue.expression.starts.len()), (3, 3));
        assert!(tissue.expression.cells.iter().all(|cell| *cell < 3));
    }
});
