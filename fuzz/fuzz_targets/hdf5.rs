//! 10x matrices and AnnData: any bytes after HDF5's signature give cells with all that belongs to them, or one error.
#![no_main]

use geneverse_data::tissue::{Inputs, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    let path = folder.path().join("any.h5");
    if std::fs::write(&path, [b"\x89HDF\r\n\x1a\n", bytes].concat()).is_err() {
        return;
    }
    if let Ok((tissue, _)) = read(&Inputs { data: path, unplaced: true, ..Inputs::default() }) {
        let cells = tissue.cells.len();
        assert_eq!((tissue.places.len(), tissue.types.len()), (cells, cells));
        assert!(tissue.expression.cells.iter().all(|cell| (*cell as usize) < cells));
    }
});
