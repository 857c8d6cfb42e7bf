//! Tables of cells, counts and transcripts, as text or Parquet: any bytes give rows and counted skips, or one error.
#![no_main]

use geneverse_data::tissue::{Inputs, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    let (any, counts) = (folder.path().join("any"), folder.path().join("counts.csv"));
    if std::fs::write(&any, bytes).is_err() || std::fs::write(&counts, "cell_id,KDR\na,1\nb,2\n").is_err() {
        return;
    }
    let alone = Inputs { data: any.clone(), unplaced: true, ..Inputs::default() };
    let cells = Inputs { data: counts.clone(), cells: Some(any.clone()), ..Inputs::default() };
    let types = Inputs { data: counts, cell_types: Some(any), unplaced: true, ..Inputs::default() };
    for inputs in [alone, cells, types] {
        if let Ok((tissue, readings)) = read(&inputs) {
            assert_eq!((tissue.places.len(), tissue.types.len()), (tissue.cells.len(), tissue.cells.len()));
            assert!(readings.iter().all(|read| read.reading.used <= read.reading.rows));
        }
    }
});
