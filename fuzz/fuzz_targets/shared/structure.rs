//! What is asked of every structure file, whatever its format.

use std::path::Path;

use geneverse_data::structure::{ReadOptions, SecondaryWanted, read_bytes};

/// Reads a file that begins with `head`, so that it is taken for the format meant, and goes on with any bytes.
pub fn check(head: &[u8], bytes: &[u8]) {
    let options = ReadOptions { model: None, secondary: SecondaryWanted::Computed };
    match read_bytes(Path::new("any"), &[head, bytes].concat(), &options) {
        Ok((structure, _)) => {
            let residues = structure.chains.iter().flat_map(|chain| &chain.residues);
            assert!(structure.residue_count() > 0);
            assert!(residues.flat_map(|r| r.trace).flatten().all(f32::is_finite));
        }
        Err(error) => assert!(error.to_string().starts_with("any:")),
    }
}
