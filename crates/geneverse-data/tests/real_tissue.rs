//! The readers of tissue on real files, where they are: `../shared/data` beside the project. The numbers are scanpy's,
//! anndata's and pandas', told by `tests/goldens/tissue/shared.py`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that says why it is skipped, and its helpers"
)]

use std::path::{Path, PathBuf};

use geneverse_data::render::tissue::{Layout, Settings, draw};
use geneverse_data::tissue::{Inputs, Tissue, UNLABELLED, read};

fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !folder.is_dir() {
        println!("skipped: ../shared/data is not here");
        return None;
    }
    Some(folder)
}

const MATRICES: [(&str, usize, usize, usize, f64); 8] = [
    ("singlecell/10x_v1/filtered_gene_bc_matrices_h5.h5", 12, 343, 12, 15384.0),
    ("singlecell/10x_v1/filtered_gene_bc_matrices", 12, 343, 12, 15384.0),
    ("singlecell/10x_v3/filtered_feature_bc_matrix.h5", 1107, 507, 23866, 7376015539.0),
    ("singlecell/10x_v3/filtered_feature_bc_matrix", 1107, 507, 23866, 7376015539.0),
    ("singlecell/h5ad/v0.7.8.h5ad", 30, 20, 239, 50844.0),
    ("singlecell/h5ad/v0.11.4.h5ad", 10, 20, 0, 0.0),
    ("spatial/xenium_bundle", 526, 27, 7825, 176617732.0),
    ("spatial/xenium_breast_rep1_counts_cells_x_genes.csv", 1713, 20, 13005, 591828114.0),
];

/// The sum of value × (cell + 1) × (gene + 1): a value in another place is another sum.
fn weighted(tissue: &Tissue) -> f64 {
    let of_gene = |gene: usize| {
        let entries = tissue.expression.gene(gene);
        entries.map(|(cell, value)| f64::from(value) * f64::from(cell + 1)).sum::<f64>() * (gene + 1) as f64
    };
    (0..tissue.expression.genes.len()).map(of_gene).sum()
}

#[test]
fn matrices_equal_what_scanpy_and_anndata_read() {
    let Some(shared) = shared() else { return };
    for (name, cells, genes, values, sum) in MATRICES {
        let inputs = Inputs { data: shared.join(name), unplaced: true, ..Inputs::default() };
        let (tissue, _) = read(&inputs).unwrap();
        let found = (tissue.cells.len(), tissue.expression.genes.len(), tissue.expression.values.len());
        assert_eq!(found, (cells, genes, values), "{name}");
        assert_eq!(weighted(&tissue), sum, "{name}");
    }
    let genomes = Inputs {
        data: shared.join("singlecell/10x_v1/multiple_genomes.h5"),
        unplaced: true,
        ..Inputs::default()
    };
    let error = read(&genomes).unwrap_err().to_string();
    assert!(
        error.ends_with("holds several genomes, another_genome, hg19_chr21: choose one with --genome"),
        "{error}"
    );
    let (tissue, _) = read(&Inputs { genome: Some("another_genome".to_owned()), ..genomes }).unwrap();
    assert_eq!(
        (tissue.expression.genes[0].as_str(), tissue.expression.values.iter().sum()),
        ("gene_0", 13.0)
    );
}

fn sum(tissue: &Tissue, axis: usize) -> f64 {
    tissue.places.iter().map(|place| f64::from(place[axis])).sum()
}

#[test]
fn places_and_types_equal_the_tables() {
    let Some(shared) = shared() else { return };
    let bundle = shared.join("spatial/xenium_bundle");
    // cells.parquet, and the same as text.
    let (parquet, _) = read(&Inputs { data: bundle.clone(), ..Inputs::default() }).unwrap();
    let matrix = bundle.join("cell_feature_matrix.h5");
    let text = Inputs { data: matrix, cells: Some(bundle.join("cells.csv.gz")), ..Inputs::default() };
    for tissue in [&parquet, &read(&text).unwrap().0] {
        // The text has fewer digits than the typed columns, by which a place may be the next 32-bit number.
        for (axis, expected) in [(0, 628480.737427), (1, 627469.049805)] {
            assert!((sum(tissue, axis) - expected).abs() < 1e-3, "{axis}: {}", sum(tissue, axis));
        }
    }

    let spatial = shared.join("spatial");
    let mut inputs = Inputs {
        data: spatial.join("xenium_breast_rep1_counts_cells_x_genes.csv"),
        cells: Some(spatial.join("xenium_breast_rep1_clusters.csv")),
        ..Inputs::default()
    };
    let (tissue, readings) = read(&inputs).unwrap();
    let counts: Vec<(&str, usize)> = (tissue.cell_types.iter().enumerate())
        .map(|(place, name)| (name.as_str(), tissue.types.iter().filter(|t| **t == place as u32).count()))
        .collect();
    let expected = [
        ("B_Cells", 45),
        ("DCIS", 205),
        ("Endothelial", 99),
        ("Macrophages", 127),
        ("Myoepithelial", 87),
        ("Stromal", 221),
        ("T_Cells", 176),
        ("Tumor", 745),
    ];
    assert_eq!(counts, expected);
    assert!((sum(&tissue, 0) - 591541.6600341797).abs() < 1e-6);
    assert!((sum(&tissue, 1) - 1013330.4972839355).abs() < 1e-6);
    assert_eq!(readings[0].reading.skipped.reasons["a cell without a place"], 8);

    // A table of the whole section, with a byte-order mark: it knows all of the cells.
    inputs.cell_types = Some(spatial.join("xenium_rep1_supervised_celltype.csv.gz"));
    let (tissue, readings) = read(&inputs).unwrap();
    assert_eq!((readings[2].reading.rows, readings[2].reading.used), (167_780, 1713));
    assert!(tissue.types.iter().all(|kind| *kind != UNLABELLED));
    // And none of another section's.
    let other = Inputs { data: bundle, cell_types: inputs.cell_types, ..Inputs::default() };
    let error = read(&other).unwrap_err().to_string();
    assert!(error.contains("none of its 167780 cells is among the 526 with counts"), "{error}");
}

#[test]
fn transcripts_counted_are_the_table_of_counts() {
    let Some(shared) = shared() else { return };
    let at = |name: &str| shared.join("spatial").join(name);
    let cells = Some(at("xenium_breast_rep1_clusters.csv"));
    let inputs = |name: &str| Inputs { data: at(name), cells: cells.clone(), ..Inputs::default() };
    let (counted, readings) = read(&inputs("xenium_breast_rep1_sub_transcripts.csv.gz")).unwrap();
    let (table, _) = read(&inputs("xenium_breast_rep1_counts_cells_x_genes.csv")).unwrap();
    assert_eq!((readings[0].reading.rows, readings[0].reading.used), (79_576, 79_576));
    assert_eq!(counted.expression.genes, table.expression.genes);
    for gene in 0..table.expression.genes.len() {
        let by_name = |tissue: &Tissue| {
            let mut entries: Vec<(String, f32)> = tissue
                .expression
                .gene(gene)
                .map(|(cell, n)| (tissue.cells[cell as usize].clone(), n))
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries
        };
        assert!(by_name(&counted) == by_name(&table), "{}", table.expression.genes[gene]);
    }
}

#[test]
fn a_marker_lights_up_where_its_cells_are() {
    let Some(shared) = shared() else { return };
    let at = |name: &str| shared.join("spatial").join(name);
    let inputs = Inputs {
        data: at("xenium_breast_rep1_counts_cells_x_genes.csv"),
        cells: Some(at("xenium_breast_rep1_clusters.csv")),
        ..Inputs::default()
    };
    let (tissue, _) = read(&inputs).unwrap();
    let gene = tissue.expression.index("VWF").unwrap();
    // The two panels lie beside each other. Where the right one is vermilion the left one shows the gene.
    let share = |cell_type: &str| {
        let cell_type = tissue.cell_types.iter().position(|name| name == cell_type).unwrap();
        let picture =
            draw(&tissue, gene, cell_type, &Settings { layout: Layout::Panels, ..Settings::default() });
        let pixel = |x: usize, y: usize| &picture.bytes[(y * 336 + x) * 3..][..3];
        let chosen =
            (0..336 * 168).map(|at| (at % 168, at / 168)).filter(|(x, y)| pixel(x + 168, *y) == [213, 94, 0]);
        let (mut all, mut lit) = (0, 0);
        for (x, y) in chosen {
            all += 1;
            let colour = pixel(x, y);
            lit += usize::from(colour[0].abs_diff(colour[2]) > 20 || colour[1].abs_diff(colour[2]) > 20);
        }
        lit as f64 / f64::from(all)
    };
    let (marked, others) = (share("Endothelial"), share("Tumor"));
    assert!(marked > 0.5 && others < 0.2, "{marked} {others}");
}
