//! OBO and tables of GO terms: any bytes give rows and counted skips, or one error; and what is built of them has no
//! circle.
#![no_main]

use std::io::Cursor;
use std::path::Path;

use geneverse_data::ontology::Builder;
use geneverse_data::sources::ontology::{self, OntologyRow};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut seen = 0;
    let mut builder = Builder::default();
    let reader = Box::new(Cursor::new(bytes.to_vec()));
    let reading = ontology::parse(Path::new("any"), reader, |row| {
        seen += 1;
        match row {
            OntologyRow::Term(term) => _ = builder.term(term, 0),
            OntologyRow::Relation(relation) => builder.relation(relation, 0),
        }
    });
    if let Ok(reading) = reading {
        assert_eq!(reading.used, seen);
        assert_eq!(reading.rows, reading.used + reading.skipped.total);
    }
    let (ontology, _) = builder.finish();
    for place in 0..ontology.terms().len() {
        assert!(!ontology.ancestors(place).contains(&place));
    }
});
