//! Goldens are made by `tests/goldens/tissue/make.py`; the formulas here are its.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;

const CELLS: usize = 60;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tissue").join(name)
}

fn inputs(data: impl Into<PathBuf>) -> Inputs {
    Inputs { data: data.into(), ..Inputs::default() }
}

/// The golden matrix without the features that are left out.
fn check_matrix(tissue: &Tissue, features: &[usize], name: &str) {
    let cells: Vec<String> = (0..CELLS).map(|cell| format!("cell-{cell}")).collect();
    assert_eq!(tissue.cells, cells, "{name}");
    let mut genes: Vec<String> = features.iter().map(|feature| format!("GENE{feature}")).collect();
    // A symbol that was there before has a number.
    genes[7] = "GENE2-1".to_owned();
    assert_eq!(tissue.expression.genes, genes, "{name}");
    for (gene, feature) in features.iter().enumerate() {
        let value = |cell: usize| ((cell * 7 + feature * 5) % 11).saturating_sub(7) as f32;
        let expected: Vec<(u32, f32)> =
            (0..CELLS).map(|cell| (cell as u32, value(cell))).filter(|(_, value)| *value > 0.0).collect();
        assert_eq!(tissue.expression.gene(gene).collect::<Vec<_>>(), expected, "{name} {gene}");
    }
}

#[test]
fn ten_x_matrices_are_read_whatever_the_layout_of_their_file() {
    for name in ["earliest_gzip_shuffle.h5", "v110_lzf_fixed_array.h5", "v110_extensible_array.h5"] {
        let (tissue, readings) = read(&Inputs { unplaced: true, ..inputs(golden(name)) }).unwrap();
        check_matrix(&tissue, &(0..10).collect::<Vec<_>>(), name);
        let reading = &readings[0].reading;
        assert_eq!((reading.rows, reading.used), (CELLS, CELLS));
        assert_eq!(reading.skipped.reasons["a control, no gene"], 1);
        assert_eq!(reading.skipped.reasons["a feature that is no gene"], 1);
        assert_eq!(reading.replaced_values.listed[0].reason, "a symbol that was there before: GENE2-1");
    }
}

#[test]
fn anndata_gives_places_and_types_too() {
    for name in ["dense_lzf.h5ad", "csr_gzip.h5ad", "csc_v110.h5ad"] {
        let (tissue, _) = read(&inputs(golden(name))).unwrap();
        check_matrix(&tissue, &(0..11).collect::<Vec<_>>(), name);
        assert_eq!(tissue.cell_types, ["B", "Endothélial", "T"], "{name}");
        for cell in 0..CELLS {
            assert_eq!(tissue.types[cell], [0, 2, 1][cell % 3], "{name}");
            assert_eq!(tissue.places[cell], [cell as f32 * 2.5, (cell % 9) as f32], "{name}");
        }
        let error =
            read(&Inputs { type_column: Some("kind".to_owned()), ..inputs(golden(name)) }).unwrap_err();
        assert!(
            error.to_string().ends_with("obs has no column kind; it has _index, batch, cell_type"),
            "{error}"
        );
    }
}

#[test]
fn a_layout_that_is_not_known_says_how_to_get_an_older_one() {
    let error = read(&inputs(golden("latest_gzip.h5"))).unwrap_err().to_string();
    assert!(error.contains("latest_gzip.h5: matrix/") && error.contains("h5repack"), "{error}");
}

#[test]
fn a_damaged_or_cut_hdf5_file_is_an_error() {
    let whole = fs::read(golden("csr_gzip.h5ad")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.h5ad");
    for length in [9, 100, 1000, whole.len() / 2, whole.len() - 2000] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = read(&inputs(&path)).unwrap_err().to_string();
        assert!(error.contains("cut.h5ad: "), "{error}");
    }
    // Whatever is damaged, it is an error or another value, and memory is not asked for without end.
    for at in (0..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        fs::write(&path, &bytes).unwrap();
        if let Ok((tissue, _)) = read(&inputs(&path)) {
            assert_eq!(tissue.cells.len(), tissue.types.len());
        }
    }
}

/// A folder with these files; those that end in `.gz` are packed.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if name.ends_with(".gz") {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            fs::write(path, encoder.finish().unwrap()).unwrap();
        } else {
            fs::write(path, text).unwrap();
        }
    }
    folder
}

const MATRIX: &str =
    "%%MatrixMarket matrix coordinate integer general\n%\n3 2 4\n1 1 5\n3 1 1\n2 2 7\n1 2 2\n";
const FEATURES: &str = "E1\tKDR\tGene Expression\nE2\tCD3E\tGene Expression\nE3\tBLANK_1\tBlank Codeword\n";
const PLACES: &str = "cell_id,x_centroid,y_centroid\naaa-1,1.5,2\nbbb-1,3,4\n";

#[test]
fn a_xenium_folder_is_its_cells_and_its_matrix() {
    let folder = folder(&[
        ("cells.csv.gz", PLACES),
        ("cell_feature_matrix/matrix.mtx.gz", MATRIX),
        ("cell_feature_matrix/features.tsv.gz", FEATURES),
        ("cell_feature_matrix/barcodes.tsv.gz", "aaa-1\nbbb-1\n"),
    ]);
    let (tissue, readings) = read(&inputs(folder.path())).unwrap();
    assert_eq!(tissue.places, [[1.5, 2.0], [3.0, 4.0]]);
    assert_eq!(tissue.expression.genes, ["KDR", "CD3E"]);
    assert_eq!(tissue.expression.gene(0).collect::<Vec<_>>(), [(0, 5.0), (1, 2.0)]);
    assert_eq!(tissue.expression.gene(1).collect::<Vec<_>>(), [(1, 7.0)]);
    assert_eq!(tissue.types, [UNLABELLED; 2]);
    assert_eq!(readings[0].reading.skipped.reasons["a feature that is no gene"], 1);
}

/// What reading a matrix of these three files fails with.
fn mtx_error(matrix: &str, features: &str, barcodes: &str) -> String {
    let folder = folder(&[("matrix.mtx", matrix), ("features.tsv", features), ("barcodes.tsv", barcodes)]);
    let error = read(&Inputs { unplaced: true, ..inputs(folder.path()) }).unwrap_err().to_string();
    let at = error.find("matrix.mtx").or(error.find("features.tsv")).unwrap();
    error[at..].to_owned()
}

#[test]
fn a_matrix_that_does_not_fit_its_names_or_itself_is_an_error() {
    let cells = "aaa-1\nbbb-1\n";
    assert_eq!(
        mtx_error(MATRIX, &format!("{FEATURES}E4\tX\n"), cells),
        "matrix.mtx: names 4 features and 2 cells, and its matrix has 3 × 2; the files do not belong together, or one is \
         truncated"
    );
    assert_eq!(
        mtx_error(&MATRIX.replace("2 2 7", "2 9 7"), FEATURES, cells),
        "matrix.mtx:6: an entry at 2, 9 in a matrix of 3 × 2"
    );
    assert_eq!(
        mtx_error(&MATRIX.replace("3 2 4", "3 2 5"), FEATURES, cells),
        "matrix.mtx: announces 5 entries and has 4; it may be truncated, fetch it again"
    );
    assert_eq!(
        mtx_error(&MATRIX.replace("1 1 5", "1 1 five"), FEATURES, cells),
        "matrix.mtx:4: found `1 1 five`, expected row, column and value"
    );
    assert_eq!(
        mtx_error(&MATRIX.replace("general", "symmetric"), FEATURES, cells),
        "matrix.mtx:1: a Matrix Market file of `matrix coordinate integer symmetric`, expected `matrix coordinate integer \
         general`"
    );
    let folder = folder(&[("matrix.mtx", MATRIX)]);
    let error = read(&inputs(folder.path())).unwrap_err().to_string();
    assert!(
        error.ends_with("has a matrix.mtx and no features.tsv or genes.tsv, expected it beside"),
        "{error}"
    );
}

#[test]
fn entries_of_the_same_place_are_added_up_and_what_is_no_number_is_left_out() {
    let matrix =
        "%%MatrixMarket matrix coordinate real general\n2 2 5\n1 2 1.5\n1 1 2\n1 2 1\n2 1 nan\n2 2 0\n";
    let folder =
        folder(&[("matrix.mtx", matrix), ("genes.tsv", "E1\tA\nE2\tB\n"), ("barcodes.tsv", "a\nb\n")]);
    let (tissue, readings) = read(&Inputs { unplaced: true, ..inputs(folder.path()) }).unwrap();
    assert_eq!(tissue.expression.gene(0).collect::<Vec<_>>(), [(0, 2.0), (1, 2.5)]);
    assert_eq!(readings[0].reading.dropped_values.listed[0].reason, "a count that is no number: NaN");
    assert_eq!(tissue.expression.gene(1).count(), 0);
}

const COUNTS: &str = "cell_id,KDR,CD3E,Blank-1\n1,5,0,1\n2,0,x,0\n3,1,2,0\n3,9,9,9\n4,1,1,0\n";

#[test]
fn cells_without_a_place_or_with_one_that_is_no_number_are_skipped_and_counted() {
    let folder = folder(&[
        ("counts.csv", COUNTS),
        ("cells.csv", "cells,x,y,anno\n3,1,2,T cell\n1,nan,2,T cell\n2,3,4,\n"),
    ]);
    let at = |name: &str| folder.path().join(name);
    let (tissue, readings) =
        read(&Inputs { cells: Some(at("cells.csv")), ..inputs(at("counts.csv")) }).unwrap();
    assert_eq!(tissue.cells, ["2", "3"]);
    assert_eq!(tissue.places, [[3.0, 4.0], [1.0, 2.0]]);
    assert_eq!(
        (tissue.types.as_slice(), tissue.cell_types.as_slice()),
        ([UNLABELLED, 0].as_slice(), ["T cell".to_owned()].as_slice())
    );
    assert_eq!(tissue.expression.genes, ["KDR", "CD3E"]);
    assert_eq!(tissue.expression.gene(0).collect::<Vec<_>>(), [(1, 1.0)]);
    let reading = &readings[0].reading;
    assert_eq!((reading.rows, reading.used), (5, 2));
    let reasons: Vec<(&str, usize)> =
        reading.skipped.reasons.iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    assert_eq!(
        reasons,
        [("a cell that was there before", 1), ("a cell without a place", 2), ("a control, no gene", 1)]
    );
    assert_eq!(reading.dropped_values.listed[0].reason, "a count that is no number: CD3E: `x`");
}

#[test]
fn without_places_there_is_no_tissue() {
    let folder = folder(&[
        ("counts.csv", COUNTS),
        ("cells.csv", "cell_id,type\n1,T\n"),
        ("nan.csv", "cell,x,y\n1,nan,inf\n"),
    ]);
    let at = |name: &str| folder.path().join(name);
    let expected = "has no places of cells (x_centroid, center_x, x, … or obsm/spatial); give a table with them by --cells";
    let error = read(&inputs(at("counts.csv"))).unwrap_err().to_string();
    assert!(error.ends_with(&format!("counts.csv: {expected}")), "{error}");
    let error =
        read(&Inputs { cells: Some(at("cells.csv")), ..inputs(at("counts.csv")) }).unwrap_err().to_string();
    assert!(error.ends_with(&format!("cells.csv: {expected}")), "{error}");
    let error =
        read(&Inputs { cells: Some(at("nan.csv")), ..inputs(at("counts.csv")) }).unwrap_err().to_string();
    assert!(error.ends_with("holds no cell with a place, expected at least one"), "{error}");
}

#[test]
fn a_table_of_types_says_how_many_it_knows_and_none_is_an_error() {
    let folder = folder(&[
        ("counts.csv", "cell_id,x,y,KDR\n1,1,1,5\n2,2,2,6\n"),
        ("types.csv", "\u{feff}Barcode,Cluster\n2,DCIS_2\n7,DCIS_1\n8,DCIS_1\n"),
        ("others.csv", "Barcode,Cluster\nAAAC-1,B\n"),
        ("bare.csv", "Barcode,score\n1,2\n"),
    ]);
    let at = |name: &str| folder.path().join(name);
    let with = |name: &str| read(&Inputs { cell_types: Some(at(name)), ..inputs(at("counts.csv")) });
    let (tissue, readings) = with("types.csv").unwrap();
    assert_eq!((tissue.types, tissue.cell_types), (vec![UNLABELLED, 0], vec!["DCIS_2".to_owned()]));
    assert_eq!((readings[1].reading.rows, readings[1].reading.used), (3, 1));
    assert_eq!(readings[1].reading.skipped.reasons["a cell without counts"], 2);
    let error = with("others.csv").unwrap_err().to_string();
    assert!(
        error.ends_with(
            "none of its 1 cells is among the 2 with counts (the first here is AAAC-1, there 1); is it of the same section?"
        ),
        "{error}"
    );
    let error = with("bare.csv").unwrap_err().to_string();
    assert!(error.contains("found no column of cell types"), "{error}");
}

#[test]
fn transcripts_are_counted_and_cells_without_any_are_kept() {
    let folder = folder(&[
        (
            "transcripts.csv.gz",
            "cell_id,feature_name,qv\na,KDR,40\na,KDR,40\nb,CD3E,30\na,KDR,10\nUNASSIGNED,KDR,40\na,NegControlProbe_1,40\n",
        ),
        ("cells.csv", "cell_id,x_centroid,y_centroid\na,1,1\nb,2,2\nc,3,3\n"),
    ]);
    let (tissue, readings) = read(&inputs(folder.path())).unwrap();
    assert_eq!(tissue.cells, ["a", "b", "c"]);
    assert_eq!(tissue.expression.genes, ["CD3E", "KDR"]);
    assert_eq!(tissue.expression.gene(1).collect::<Vec<_>>(), [(0, 2.0)]);
    let reading = &readings[0].reading;
    assert_eq!((reading.rows, reading.used, reading.skipped.total), (6, 3, 3));
}

#[test]
fn cosmx_numbers_its_cells_by_field_and_merscope_names_its_columns_its_own_way() {
    let cosmx = folder(&[
        ("S1_exprMat_file.csv", "fov,cell_ID,KDR,NegPrb1\n1,0,9,0\n1,1,2,0\n2,1,3,1\n"),
        ("S1_metadata_file.csv", "fov,cell_ID,CenterX_global_px,CenterY_global_px\n2,1,20,21\n1,1,10,11\n"),
    ]);
    let (tissue, readings) = read(&inputs(cosmx.path())).unwrap();
    assert_eq!(
        (tissue.cells.as_slice(), tissue.places.as_slice()),
        (["1_1", "2_1"].map(str::to_owned).as_slice(), [[10.0, 11.0], [20.0, 21.0]].as_slice())
    );
    assert_eq!(tissue.expression.gene(0).collect::<Vec<_>>(), [(0, 2.0), (1, 3.0)]);
    assert_eq!(readings[0].reading.skipped.reasons["in no cell"], 1);

    let merscope = folder(&[
        ("cell_by_gene.csv", "cell,KDR,Blank-1\n110,2,0\n111,0,0\n"),
        ("cell_metadata.csv", ",fov,volume,center_x,center_y\n110,1,5.5,1,2\n111,1,6.5,3,4\n"),
    ]);
    let (tissue, _) = read(&inputs(merscope.path())).unwrap();
    assert_eq!((tissue.places.len(), tissue.expression.genes.len()), (2, 1));
}

#[test]
fn what_is_nothing_known_says_what_was_expected() {
    let folder = folder(&[("notes.txt", "hello\n"), ("sub/x.txt", "")]);
    let error = read(&inputs(folder.path())).unwrap_err().to_string();
    assert!(error.contains("holds no counts, expected cell_feature_matrix.h5 (Xenium)"), "{error}");
    let error = read(&inputs(folder.path().join("notes.txt"))).unwrap_err().to_string();
    assert!(error.contains("found no column of cells' identifiers"), "{error}");
    let error = read(&inputs(folder.path().join("absent.h5"))).unwrap_err().to_string();
    assert!(error.contains("absent.h5: cannot open"), "{error}");
}
