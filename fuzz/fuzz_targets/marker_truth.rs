//! Tables of known markers: any bytes give pairs and listed rows, or one error.
#![no_main]

use std::path::Path;

use geneverse_data::tissue::truth::{TypeNames, parse_truth};
use geneverse_data::tissue::{Expression, Tissue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let tissue = Tissue {
        cell_types: ["B_Cells", "CD8+_T_Cells", "Fibroblasts"].map(str::to_owned).to_vec(),
        expression: Expression {
            genes: ["CD3E", "KRT8"].map(str::to_owned).to_vec(),
            starts: vec![0; 3],
            ..Expression::default()
        },
        ..Tissue::default()
    };
    if let Ok(truth) = parse_truth(Path::new("any"), bytes.to_vec(), &tissue, &TypeNames::new(), None) {
        assert!(truth.pairs.is_sorted() && truth.pairs.iter().all(|(gene, kind)| *gene < 2 && *kind < 3));
        assert_eq!(truth.report.used, truth.pairs.len() + truth.report.repeated);
    }
});
