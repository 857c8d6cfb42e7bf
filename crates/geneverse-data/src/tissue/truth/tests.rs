//! Tables as people have them.

use super::*;
use crate::gene::{GeneKind, GeneRecord, GeneSymbol};
use crate::progress::Silent;
use crate::tissue::Expression;
use proptest::prelude::*;

fn tissue() -> Tissue {
    let genes = ["CD3E", "KARS1", "LUM", "MADEUP1"].map(str::to_owned).to_vec();
    let cell_types = ["CD4+_T_Cells", "CD8+_T_Cells", "DCIS_1", "DCIS_2", "Fibroblasts", "Mast_Cells"];
    Tissue {
        cell_types: cell_types.map(str::to_owned).to_vec(),
        expression: Expression { starts: vec![0; genes.len() + 1], genes, ..Expression::default() },
        ..Tissue::default()
    }
}

fn read(text: &str, store: Option<&GeneStore>) -> Result<Truth, String> {
    let path = Path::new("truth.tsv");
    parse_truth(path, text.as_bytes().to_vec(), &tissue(), &TypeNames::new(), store)
        .map_err(|e| e.to_string())
}

fn store(folder: &Path) -> GeneStore {
    let record = |symbol: &str, previous: &[&str]| {
        let symbol = GeneSymbol::parse(symbol).unwrap();
        let mut record = GeneRecord::new(symbol, "a gene", GeneKind::ProteinCoding);
        record.previous_symbols = previous.iter().map(|text| (*text).to_owned()).collect();
        record
    };
    let records = [record("CD3E", &[]), record("KARS1", &["KARS"]), record("LUM", &[]), record("MUC6", &[])];
    let path = folder.join("genes.db");
    GeneStore::create(&path, &records, &[], &Silent).unwrap();
    GeneStore::open(&path).unwrap()
}

#[test]
fn names_of_types_are_brought_to_the_tissues_and_every_change_is_told() {
    let table = "Gene,Cell_type\nLUM,Firoblast\nLUM,fibroblast cells\nCD3E,CD8+ T cell\nCD3E,cd4+-t-cells\nLUM,Fibroblosts\n\
                 LUM,Mast Cells\n";
    let truth = read(table, None).unwrap();
    assert_eq!(truth.pairs, [(0, 0), (0, 1), (2, 4), (2, 5)]);
    let report = truth.report;
    assert_eq!((report.rows, report.used, report.repeated), (6, 6, 2));
    let told: Vec<String> =
        report.cell_types.iter().map(|c| format!("{} → {}: {}", c.from, c.to, c.how)).collect();
    assert_eq!(
        told,
        [
            "CD8+ T cell → CD8+_T_Cells: case, plural or marks between words",
            "Fibroblosts → Fibroblasts: a misspelling of one letter",
            "Firoblast → Fibroblasts: a known misspelling",
            "Mast Cells → Mast_Cells: case, plural or marks between words",
            "cd4+-t-cells → CD4+_T_Cells: case, plural or marks between words",
            "fibroblast cells → Fibroblasts: case, plural or marks between words",
        ]
    );
    assert_eq!(report.without_marker, ["DCIS_1", "DCIS_2"]);
}

#[test]
fn types_that_differ_in_a_number_or_a_sign_are_not_taken_for_each_other() {
    for name in ["CD5+ T Cells", "CD8- T Cells", "DCIS_3", "T Cells", "Mast Cells 2", "Fibro"] {
        let error = read(&format!("gene\tcell_type\nLUM\t{name}\n"), None).unwrap_err();
        assert_eq!(
            error,
            "truth.tsv: none of 1 rows names a gene and a cell type of the tissue (1 × the tissue has no such cell type); \
             the tissue's cell types are CD4+_T_Cells, CD8+_T_Cells, DCIS_1, DCIS_2, Fibroblasts, Mast_Cells; rename them \
             with --type-names",
            "{name}"
        );
    }
}

#[test]
fn genes_are_found_by_the_database_and_those_that_are_not_there_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let table = "panel_symbol\tgroup\thow\nKARS\tDCIS_1\tprevious\nMUC6\tDCIS_1\t\nNOSUCH9\tDCIS_1\t\n\tDCIS_1\t\nMADEUP1\tDCIS_2\t\n\
                 LUM\t\t\nLUM\n";
    let report = read(table, Some(&store)).unwrap().report;
    assert_eq!((report.rows, report.used), (7, 2));
    let change = &report.genes[0];
    assert_eq!(
        (change.from.as_str(), change.to.as_str(), change.how.as_str()),
        ("KARS", "KARS1", "both are KARS1 in the gene database")
    );
    assert_eq!(report.unknown_genes, ["MADEUP1"]);
    let reasons: Vec<(&str, usize)> =
        report.left_out.iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    assert_eq!(
        reasons,
        [
            ("neither the tissue nor the gene database has such a gene", 1),
            ("no cell type in the row", 1),
            ("no gene in the row", 1),
            ("the tissue has no such gene", 1),
            ("too few columns", 1),
        ]
    );
    assert_eq!(report.left_out_rows.iter().map(|row| row.line).collect::<Vec<_>>(), [3, 4, 5, 7, 8]);
    // Without the database the older symbol names nothing.
    assert!(
        read("gene\tcell_type\nKARS\tDCIS_1\n", None).unwrap_err().contains("the tissue has no such gene")
    );
}

#[test]
fn a_table_of_names_goes_before_guesses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.tsv");
    std::fs::write(&path, "\u{feff}# mine\nT cells\tCD8+_T_Cells\nNK cells,Natural killers\n").unwrap();
    let names = read_type_names(&path).unwrap();
    let read = |text: &str| parse_truth(&path, text.as_bytes().to_vec(), &tissue(), &names, None);
    let truth = read("gene\ttype\nCD3E\tT_cell\nCD3E\tNK cells\n").unwrap();
    assert_eq!(truth.pairs, [(0, 1)]);
    assert_eq!(truth.report.cell_types[0].how, "so --type-names says");
    assert_eq!(
        truth.report.left_out_rows[0].reason,
        "--type-names calls it Natural killers, which is no cell type of the tissue"
    );
    std::fs::write(&path, "T cells\n").unwrap();
    let error = read_type_names(&path).unwrap_err().to_string();
    assert!(
        error.ends_with("names.tsv:1: found 1 fields, expected two: a name, and the tissue's name for it"),
        "{error}"
    );
}

#[test]
fn a_table_without_the_columns_says_what_it_has() {
    let error = read("a\tb\n1\t2\n", None).unwrap_err();
    assert!(error.starts_with("truth.tsv: found no column `gene` (or symbol, "), "{error}");
    assert!(error.ends_with("its columns are: a, b"), "{error}");
}

#[test]
fn names_are_spoken_with_blanks() {
    assert_eq!(spoken("CD8+_T_Cells"), "CD8+ T Cells");
    assert_eq!(spoken("Firoblast_2"), "Fibroblast 2");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let table = [b"gene,cell_type\nLUM,Fibroblasts\n".to_vec(), bytes].concat();
        let truth = parse_truth(Path::new("t"), table, &tissue(), &TypeNames::new(), None).unwrap();
        let report = truth.report;
        prop_assert!(truth.pairs.contains(&(2, 4)));
        prop_assert!(report.used + report.left_out_rows.len() <= report.rows);
    }

    #[test]
    fn a_name_is_its_own_fold_after_folding(name in "[A-Za-z0-9+_ -]{0,16}") {
        let once = folded(&name);
        prop_assert_eq!(folded(&once), once);
    }
}
