//! Marker genes against scanpy's, on a small tissue and on real cells; and of a simulated tissue, whose markers are known.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use geneverse_data::tissue::simulate::{Simulation, simulate};
use geneverse_data::tissue::{Expression, Tissue, UNLABELLED};
use geneverse_eval::marker_genes::{RankedGenes, Settings, Thresholds, rank_genes, recovery};
use serde_json::Value;

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A tissue from rows of cells.
fn tissue(genes: Vec<String>, labels: &[Option<String>], rows: &[Vec<f32>]) -> Tissue {
    let mut cell_types: Vec<String> = labels.iter().flatten().cloned().collect();
    cell_types.sort();
    cell_types.dedup();
    let place = |label: &Option<String>| match label {
        None => UNLABELLED,
        Some(label) => cell_types.iter().position(|of| of == label).unwrap() as u32,
    };
    let types = labels.iter().map(place).collect();
    let mut expression = Expression { genes, starts: vec![0], ..Expression::default() };
    for gene in 0..expression.genes.len() {
        for (cell, row) in rows.iter().enumerate() {
            if row[gene] != 0.0 {
                expression.cells.push(cell as u32);
                expression.values.push(row[gene]);
            }
        }
        expression.starts.push(expression.cells.len());
    }
    let cells = (0..rows.len()).map(|cell| cell.to_string()).collect();
    Tissue { cells, places: vec![[0.0; 2]; rows.len()], types, cell_types, expression }
}

/// scanpy writes scores and fold changes in single precision: 1e-6 of their size. p-values are as exact as they are long.
#[track_caller]
fn equal(found: f64, wanted: f64, what: &str) {
    let close = (found - wanted).abs() <= 1e-6 * wanted.abs().max(1.0);
    assert!(close, "{what}: {found}, expected {wanted}");
}

#[track_caller]
fn equal_p(found: f64, wanted: f64, what: &str) {
    let close = wanted < 1e-300 && found < 1e-299 || (found / wanted - 1.0).abs() <= 1e-6;
    assert!(close, "{what}: {found:e}, expected {wanted:e}");
}

fn compare(ranked: &[RankedGenes], case: &Value, genes: &[String]) {
    let types = case["types"].as_object().unwrap();
    assert_eq!(ranked.iter().map(|of| &of.cell_type).collect::<Vec<_>>(), types.keys().collect::<Vec<_>>());
    for (of, wanted) in ranked.iter().zip(types.values()) {
        assert!(of.genes.is_sorted_by(|a, b| a.score >= b.score));
        for gene in &of.genes {
            let what =
                |field: &str| format!("{} {} {} {field}", case["name"], of.cell_type, genes[gene.gene]);
            let wanted = |field: &str| wanted[field][gene.gene].as_f64().unwrap();
            equal(gene.score, wanted("scores"), &what("score"));
            equal(gene.log2_fold, wanted("logfoldchanges"), &what("fold"));
            equal(gene.share, wanted("pts"), &what("share"));
            equal(gene.share_rest, wanted("pts_rest"), &what("share of the rest"));
            equal_p(gene.p, wanted("pvals"), &what("p"));
            equal_p(gene.p_adjusted, wanted("pvals_adj"), &what("adjusted p"));
            assert!((10_f64.powf(gene.log10_p_adjusted) - gene.p_adjusted).abs() <= 1e-12);
        }
    }
}

fn ranked(tissue: &Tissue, case: &Value) -> Vec<RankedGenes> {
    let flag = |field: &str| case[field].as_bool().unwrap();
    let values = match flag("normalised") {
        true => tissue.expression.normalised(tissue.cells.len(), None),
        false => tissue.expression.clone(),
    };
    let settings = Settings { tie_correct: flag("tie_correct"), labelled_only: flag("labelled_only") };
    rank_genes(tissue, &values, settings).unwrap()
}

#[test]
fn ranks_equal_scanpys() {
    let golden: Value = serde_json::from_str(include_str!("goldens/marker_goldens.json")).unwrap();
    let labels: Vec<Option<String>> =
        list(&golden["labels"]).iter().map(|label| label.as_str().map(str::to_owned)).collect();
    let rows: Vec<Vec<f32>> = list(&golden["values"])
        .iter()
        .map(|row| list(row).iter().map(|value| value.as_f64().unwrap() as f32).collect())
        .collect();
    let genes = texts(&golden["genes"]);
    let tissue = tissue(genes.clone(), &labels, &rows);
    let cases = list(&golden["cases"]);
    assert_eq!(cases.len(), 4);
    for case in cases {
        compare(&ranked(&tissue, case), case, &genes);
    }
}

/// 1,705 cells of human breast with the types of their annotation: every number of the first and the last of the genes of
/// each type by scanpy 1.11.5, made by `make_marker_goldens.py COUNTS CLUSTERS OUT`.
#[test]
fn ranks_of_real_cells_equal_scanpys() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/spatial");
    let (counts, clusters) = (
        folder.join("xenium_breast_rep1_counts_cells_x_genes.csv"),
        folder.join("xenium_breast_rep1_clusters.csv"),
    );
    let (Ok(counts), Ok(clusters)) = (std::fs::read_to_string(counts), std::fs::read_to_string(clusters))
    else {
        eprintln!("skipped: the real cells are not in {}", folder.display());
        return;
    };
    let of: std::collections::HashMap<&str, &str> = clusters
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .map(|fields| (fields[4], fields[1]))
        .collect();
    let mut lines = counts.lines();
    let genes: Vec<String> = lines.next().unwrap().split(',').skip(1).map(str::to_owned).collect();
    let (mut labels, mut rows) = (Vec::new(), Vec::new());
    for line in lines {
        let mut fields = line.split(',');
        if let Some(label) = of.get(fields.next().unwrap()) {
            labels.push(Some((*label).to_owned()));
            rows.push(fields.map(|field| field.parse().unwrap()).collect::<Vec<f32>>());
        }
    }
    assert_eq!(rows.len(), 1_705);
    let tissue = tissue(genes.clone(), &labels, &rows);
    let golden: Value = serde_json::from_str(include_str!("goldens/marker_real_goldens.json")).unwrap();
    assert_eq!(texts(&golden["genes"]), genes);
    for case in list(&golden["cases"]) {
        compare(&ranked(&tissue, case), case, &genes);
    }
}

#[test]
fn the_markers_of_a_simulated_tissue_are_found() {
    for (cells, sensitivity) in [(2_000, 0.97), (10_000, 0.99)] {
        let lab = simulate(&Simulation { cells, ..Simulation::default() }).unwrap();
        let tissue = &lab.tissue;
        let values = tissue.expression.normalised(tissue.cells.len(), None);
        let ranked = rank_genes(tissue, &values, Settings::default()).unwrap();
        let thresholds = Thresholds::default();
        let found: Vec<(usize, usize)> =
            ranked.iter().flat_map(|of| thresholds.markers(of).map(|gene| (gene.gene, of.index))).collect();
        let recovery = recovery(&found, &lab.truth, tissue.expression.genes.len(), tissue.cell_types.len());
        assert!(recovery.sensitivity >= sensitivity && recovery.specificity >= 0.99, "{cells}: {recovery:?}");
    }
}
