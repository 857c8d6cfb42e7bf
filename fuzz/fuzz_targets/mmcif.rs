//! mmCIF files: any bytes give residues with finite coordinates and counted skips, or one error that names the file.
#![no_main]

use std::path::Path;

use geneverse_data::structure::{ReadOptions, SecondaryWanted, read_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let options = ReadOptions { model: None, secondary: SecondaryWanted::Computed };
    let mut file = b"data_x\n".to_vec();
    file.extend(bytes);
    match read_bytes(Path::new("any"), &file, &options) {
        Ok((structure, _)) => {
            let residues = structure.chains.iter().flat_map(|chain| &chain.residues);
            assert!(structure.residue_count() > 0);
            assert!(residues.flat_map(|r| r.trace).flatten().all(f32::is_finite));
        }
        Err(error) => assert!(error.to_string().starts_with("any:")),
    }
});
