//! Gene products: any bytes give rows and counted skips, or one error.
#![no_main]

use std::io::Cursor;
use std::path::Path;

use geneverse_data::gene::HUMAN;
use geneverse_data::sources::gpi;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut seen = 0;
    let reader = Box::new(Cursor::new(bytes.to_vec()));
    if let Ok(reading) = gpi::parse(Path::new("any"), reader, HUMAN, |_| seen += 1) {
        assert_eq!(reading.used, seen);
        assert_eq!(reading.rows, reading.used + reading.skipped.total);
    }
});
