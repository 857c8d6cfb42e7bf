//! Small tissues by hand; scanpy's numbers are in `tests/marker_genes.rs`.

use super::*;
use geneverse_data::tissue::UNLABELLED;

/// Six cells: three of A, two of B, one without a type. The first gene is A's, the second nobody's, the third is not there.
fn tissue() -> Tissue {
    Tissue {
        cells: (0..6).map(|n| format!("c{n}")).collect(),
        places: vec![[0.0, 0.0]; 6],
        types: vec![0, 0, 0, 1, 1, UNLABELLED],
        cell_types: vec!["A".into(), "B".into()],
        expression: Expression {
            genes: vec!["MS4A1".into(), "ACTB".into(), "XIST".into()],
            starts: vec![0, 3, 9, 9],
            cells: vec![0, 1, 2, 0, 1, 2, 3, 4, 5],
            values: vec![3.0, 2.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        },
    }
}

#[test]
fn a_gene_of_one_type_is_its_first() {
    let tissue = tissue();
    let ranked = rank_genes(&tissue, &tissue.expression, Settings::default()).unwrap();
    let a = &ranked[0];
    assert_eq!((a.cell_type.as_str(), a.cells, a.genes[0].symbol.as_str()), ("A", 3, "MS4A1"));
    // Ranks 4, 5, 6 of 6: W = 15, mean 10.5, variance 3·3·7/12.
    assert!((a.genes[0].score - 4.5 / 5.25_f64.sqrt()).abs() < 1e-15);
    assert_eq!((a.genes[0].share, a.genes[0].share_rest), (1.0, 0.0));
    let fold = (3.0_f64.exp_m1() + 1e-9) / 1e-9;
    assert!((a.genes[0].log2_fold - fold.log2()).abs() < 1e-12);
    // All equal, and nobody has it: nothing speaks against chance.
    for gene in &a.genes[1..] {
        assert_eq!((gene.score, gene.p, gene.p_adjusted, gene.log2_fold), (0.0, 1.0, 1.0, 0.0), "{gene:?}");
    }
    assert_eq!(ranked[1].genes[2].symbol, "MS4A1");
    assert!(ranked[1].genes[2].score < 0.0);
}

#[test]
fn cells_without_a_type_are_of_the_rest_or_left_out() {
    let tissue = tissue();
    let settings = Settings { labelled_only: true, ..Settings::default() };
    let ranked = rank_genes(&tissue, &tissue.expression, settings).unwrap();
    // Ranks 3, 4, 5 of 5: W = 12, mean 9, variance 3·2·6/12.
    assert!((ranked[0].genes[0].score - 3.0_f64.sqrt()).abs() < 1e-15);
}

#[test]
fn thresholds_are_all_asked_for() {
    let tissue = tissue();
    let ranked = rank_genes(&tissue, &tissue.expression, Settings::default()).unwrap();
    let marks = |thresholds: Thresholds| {
        thresholds.markers(&ranked[0]).map(|gene| gene.symbol.clone()).collect::<Vec<_>>()
    };
    let all = Thresholds { max_p: 0.2, min_log2_fold: 1.0, min_share: 0.5, top: None };
    assert_eq!(marks(all), ["MS4A1"]);
    assert!(marks(Thresholds { max_p: 0.1, ..all }).is_empty());
    assert!(marks(Thresholds { min_log2_fold: 50.0, ..all }).is_empty());
    assert!(marks(Thresholds { min_share: 1.1, ..all }).is_empty());
    assert!(marks(Thresholds { top: Some(0), ..all }).is_empty());
}

#[test]
fn what_cannot_be_tested_is_said() {
    let mut one = tissue();
    one.types = vec![0, 0, 0, 0, 0, 1];
    let error = |tissue: &Tissue| {
        rank_genes(tissue, &tissue.expression, Settings::default()).unwrap_err().to_string()
    };
    assert_eq!(
        error(&one),
        "cell type A has 5 of 6 cells, expected at least 2 of it and 2 others; leave it out"
    );
    one.types = vec![UNLABELLED; 6];
    assert_eq!(error(&one), "found no cell with a type, expected some of at least two types");
    let mut broken = tissue();
    broken.expression.values[1] = f32::NAN;
    assert_eq!(
        error(&broken),
        "gene MS4A1 has the value NaN in cell c1, expected a number; leave the cell out"
    );
}

#[test]
fn the_table_has_a_row_for_each_pair_and_keeps_commas() {
    let mut tissue = tissue();
    tissue.cell_types[0] = "T cell, CD8+".into();
    let ranked = rank_genes(&tissue, &tissue.expression, Settings::default()).unwrap();
    let mut out = Vec::new();
    write_csv(&mut out, ranked.iter().flat_map(|of| of.genes.iter().take(2).map(move |gene| (of, gene))))
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let starts: Vec<String> = text.lines().skip(1).map(|line| line.chars().take(24).collect()).collect();
    assert_eq!(starts.len(), 4);
    assert!(starts[0].starts_with("\"T cell, CD8+\",1,MS4A1,"), "{text}");
    assert!(starts[1].starts_with("\"T cell, CD8+\",2,ACTB,0,"), "{text}");
    assert!(starts[2].starts_with("B,1,ACTB,0,"), "{text}");
}

#[test]
fn recovery_counts_pairs() {
    let found = recovery(&[(0, 0), (1, 1), (2, 0)], &[(0, 0), (1, 1), (3, 1), (3, 1)], 4, 2);
    assert_eq!((found.known, found.found, found.both), (3, 3, 2));
    assert_eq!((found.sensitivity, found.specificity), (2.0 / 3.0, 0.8));
}
