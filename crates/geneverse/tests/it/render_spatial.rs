//! `render spatial` from arguments to files.

use std::fs;

use super::{fail, json, succeed};

/// A section of 200 cells: the left half is endothelial and has KDR, the right half are T cells and have CD3E.
fn section() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut counts = "cell_id,x,y,KDR,CD3E,BLANK_1\n".to_owned();
    let mut types = "Barcode,Cluster\n".to_owned();
    for cell in 0..200 {
        let (x, y) = (cell % 20, cell / 20);
        let (kdr, cd3e, kind) = if x < 10 { (3, 0, "Endothelial") } else { (0, 2, "T cell") };
        counts.push_str(&format!("c{cell},{x},{y},{kdr},{cd3e},0\n"));
        types.push_str(&format!("c{cell},{kind}\n"));
    }
    fs::write(folder.path().join("counts.csv"), counts).unwrap();
    fs::write(folder.path().join("types.csv"), types).unwrap();
    folder
}

#[test]
fn one_picture_or_a_folder_of_them() {
    let folder = section();
    let at = |name: &str| folder.path().join(name);
    let base = ["render", "spatial", "counts.csv", "--cell-types", "types.csv", "--size", "64"];
    let with = |more: &[&'static str]| [&base, more].concat();

    succeed(folder.path(), &with(&["--gene", "KDR", "--cell-type", "Endothelial", "--out", "kdr.png"]));
    assert!(fs::read(at("kdr.png")).unwrap().starts_with(b"\x89PNG"));

    // A legend is a strip below, and another picture than what is trained on.
    let one = ["--gene", "KDR", "--cell-type", "Endothelial", "--legend", "--out", "legend.png"];
    succeed(folder.path(), &with(&one));
    let sides = |name: &str| {
        let bytes = fs::read(at(name)).unwrap();
        [16, 20].map(|from| u32::from_be_bytes(bytes[from..from + 4].try_into().unwrap()))
    };
    assert_eq!((sides("kdr.png"), sides("legend.png")), ([64, 64], [64, 122]));

    let all = with(&["--gene", "KDR,CD3E", "--out", "pictures", "--json"]);
    let report = json(&succeed(folder.path(), &all));
    assert_eq!((report["pictures"].as_u64(), report["cells"].as_u64()), (Some(4), Some(200)));
    assert_eq!(report["readings"][0]["reading"]["skipped"]["reasons"]["a control, no gene"], 1);
    assert_eq!(fs::read(at("pictures/KDR__Endothelial.png")).unwrap(), fs::read(at("kdr.png")).unwrap());
    assert!(at("pictures/CD3E__T_cell.png").exists() && at("pictures/manifest.json").exists());
    let again = succeed(folder.path(), &with(&["--gene", "KDR,CD3E", "--out", "pictures"]));
    assert!(again.contains("made earlier from the same input"), "{again}");

    let error = fail(folder.path(), &with(&["--gene", "KDR", "--out", "pictures"]));
    assert!(error.contains("finished earlier with other inputs"), "{error}");
    let error = fail(folder.path(), &with(&["--gene", "KDR,CD3E", "--legend", "--out", "pictures"]));
    assert!(error.contains("(legend: then null, now true)"), "{error}");
    let error = fail(folder.path(), &with(&["--gene", "KDR,VWF", "--out", "more"]));
    assert!(error.contains("counts.csv: has no gene VWF") && error.contains("--skip-missing"), "{error}");
    let error = fail(folder.path(), &["render", "spatial", "counts.csv", "--gene", "KDR", "--out", "more"]);
    assert!(error.contains("has no cell types; give a table with them by --cell-types"), "{error}");
    assert!(!at("more").exists(), "nothing is begun that cannot be done");
}
