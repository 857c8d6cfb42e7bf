//! mmCIF files: any bytes give residues with finite coordinates and counted skips, or one error that names the file.
#![no_main]

#[path = "shared/structure.rs"]
mod structure;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| structure::check(b"data_x\n", bytes));
