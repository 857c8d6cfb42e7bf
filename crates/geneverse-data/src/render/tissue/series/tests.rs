//! Many pictures of one tissue: drawn once, gone on with, refused.

use std::cell::Cell;

use super::*;
use crate::progress::Silent;

/// 100 cells of two types and 40 genes, as a table.
fn table(folder: &Path) -> Inputs {
    let genes: Vec<String> = (0..40).map(|gene| format!("G{gene}")).collect();
    let mut text = format!("cell_id,x,y,cell_type,{}\n", genes.join(","));
    for cell in 0..100 {
        let kind = ["T cell", "T_cell"][cell % 2];
        let counts: Vec<String> = (0..40).map(|gene| ((cell * 3 + gene) % 5).to_string()).collect();
        text.push_str(&format!("c{cell},{},{},{kind},{}\n", cell % 10, cell / 10, counts.join(",")));
    }
    let path = folder.join("cells.csv");
    fs::write(&path, text).unwrap();
    Inputs { data: path, ..Inputs::default() }
}

fn wanted(symbols: &[&str]) -> Vec<WantedGene> {
    let gene =
        |symbol: &&str| WantedGene { symbol: (*symbol).to_owned(), others: vec![format!("{symbol}1")] };
    symbols.iter().map(gene).collect()
}

struct Case {
    folder: tempfile::TempDir,
    inputs: Inputs,
    genes: Vec<WantedGene>,
}

impl Case {
    fn new(genes: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inputs = table(folder.path());
        Self { folder, inputs, genes: wanted(genes) }
    }

    fn run(&self, out: &str, size: usize, stop: &dyn Fn() -> bool) -> Result<SeriesReport, FileError> {
        let series = Series {
            inputs: &self.inputs,
            genes: &self.genes,
            cell_types: &[],
            settings: Settings { size, ..Settings::default() },
            legend: None,
            out: &self.folder.path().join(out),
            skip_missing: false,
        };
        render_series(&series, &Silent, stop)
    }

    fn pictures(&self, out: &str) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<PathBuf> =
            self.folder.path().join(out).read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |path: &PathBuf| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
        };
        files.iter().filter(|path| path.extension().unwrap() == "png").map(read).collect()
    }
}

#[test]
fn a_picture_for_each_pair_and_a_list_of_them() {
    let case = Case::new(&["G2", "G0"]);
    let report = case.run("out", 64, &|| false).unwrap();
    assert_eq!((report.pictures, report.cells, report.kept), (4, 100, 0));
    let names: Vec<String> = case.pictures("out").into_iter().map(|(name, _)| name).collect();
    // Two types whose names are the same as file names.
    assert_eq!(names, ["G0__T_cell-2.png", "G0__T_cell.png", "G2__T_cell-2.png", "G2__T_cell.png"]);
    let list = fs::read_to_string(case.folder.path().join("out/pictures.jsonl")).unwrap();
    assert_eq!(
        list.lines().next().unwrap(),
        r#"{"file":"G2__T_cell.png","gene":"G2","cell_type":"T cell","cells_with_gene":80,"cells_of_type":50,"cells_of_type_with_gene":40}"#
    );
    // The same again is done, and another size in the same place is refused.
    assert!(case.run("out", 64, &|| false).unwrap().already_done);
    let error = case.run("out", 65, &|| false).unwrap_err().to_string();
    assert!(error.contains("size: then 64, now 65"), "{error}");
}

#[test]
fn an_interrupted_run_goes_on_where_it_was_and_gives_the_same_files() {
    let genes: Vec<String> = (0..40).map(|gene| format!("G{gene}")).collect();
    let case = Case::new(&genes.iter().map(String::as_str).collect::<Vec<_>>());
    let asked = Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 2
    };
    let report = case.run("out", 32, &stop).unwrap();
    assert!(report.stopped && report.pictures == 64);
    assert!(!case.folder.path().join("out/manifest.json").exists());
    let report = case.run("out", 32, &|| false).unwrap();
    assert_eq!((report.kept, report.pictures), (64, 80));
    case.run("whole", 32, &|| false).unwrap();
    assert!(case.pictures("out") == case.pictures("whole"));
    assert!(!case.folder.path().join("out/unfinished.json").exists());

    // What an interrupted run with other settings left is drawn anew.
    case.run("other", 32, &{
        asked.set(1);
        stop
    })
    .unwrap();
    assert_eq!(case.run("other", 48, &|| false).unwrap().kept, 0);
}

#[test]
fn one_picture_can_be_one_file() {
    let case = Case::new(&["G3"]);
    let error = case.run("a.png", 32, &|| false).unwrap_err().to_string();
    assert!(error.ends_with("a.png: one file for 2 pictures; name a folder by --out"), "{error}");
    let error = case.run("a.JPG", 32, &|| false).unwrap_err().to_string();
    let expected = "a.JPG: pictures are written as PNG; name a file ending in .png for one, or a folder";
    assert!(error.ends_with(expected) && !case.folder.path().join("a.JPG").exists(), "{error}");
    let series = Series {
        inputs: &case.inputs,
        genes: &case.genes,
        cell_types: &["t_CELL".to_owned()],
        settings: Settings::default(),
        legend: None,
        out: &case.folder.path().join("a.png"),
        skip_missing: false,
    };
    render_series(&series, &Silent, &|| false).unwrap();
    assert!(fs::read(case.folder.path().join("a.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn a_gene_may_go_by_another_name_and_one_that_is_not_there_is_told() {
    let case = Case::new(&["G", "G1"]);
    let report = case.run("out", 32, &|| false).unwrap();
    assert_eq!(report.renamed, BTreeMap::from([("G".to_owned(), "G1".to_owned())]));
    assert_eq!(report.pictures, 2, "the same gene twice is one");

    let case = Case::new(&["G5", "KDR"]);
    let error = case.run("out", 32, &|| false).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "has no gene KDR; it has 40 genes, G0, G1, G2, G3, G4, …; name them as they are there, or say --skip-missing"
        ),
        "{error}"
    );
    let types = &["B cell".to_owned()];
    let out = case.folder.path().join("out");
    let series = Series {
        inputs: &case.inputs,
        genes: &case.genes,
        cell_types: types,
        settings: Settings::default(),
        legend: None,
        out: &out,
        skip_missing: true,
    };
    let error = render_series(&series, &Silent, &|| false).unwrap_err().to_string();
    assert!(error.ends_with("has no cell type B cell; it has T cell, T_cell"), "{error}");
    let report = render_series(&Series { cell_types: &[], ..series }, &Silent, &|| false).unwrap();
    assert_eq!((report.pictures, report.missing), (2, vec!["KDR".to_owned()]));
}
