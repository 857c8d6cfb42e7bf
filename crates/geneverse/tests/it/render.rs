//! `render protein`, from files to pictures.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::{fail, json, root, run, succeed};

/// A helix of alanines in PDB's columns.
fn helix(residues: usize) -> String {
    let mut text = String::new();
    for i in 0..residues {
        let angle = (100.0 * i as f32).to_radians();
        let atoms =
            [("N", -0.5, 1.6, -0.9), ("CA", 0.0, 2.3, 0.0), ("C", 0.5, 1.7, 1.1), ("O", 0.6, 1.9, 2.3)];
        for (j, (atom, turn, radius, rise)) in atoms.into_iter().enumerate() {
            let (sin, cos) = (angle + turn).sin_cos();
            let (x, y, z) = (radius * cos, radius * sin, 1.5 * i as f32 + rise);
            let (serial, number, element) = (4 * i + j + 1, i + 1, &atom[..1]);
            writeln!(
                text,
                "ATOM  {serial:5}  {atom:<3} ALA A{number:4}    {x:8.3}{y:8.3}{z:8.3}  1.00 95.00           {element}"
            )
            .unwrap();
        }
    }
    text + "END\n"
}

/// Width, height and kind of colour of a PNG file.
fn header(path: &Path) -> (u32, u32, u8) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20), bytes[25])
}

#[test]
fn structures_become_pictures_and_the_rest_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("in")).unwrap();
    fs::write(path.join("in/long.pdb"), helix(20)).unwrap();
    fs::write(path.join("in/short.ent"), helix(8)).unwrap();
    fs::write(path.join("in/empty.cif"), "data_empty\n").unwrap();
    let args =
        ["render", "protein", "in", "--out", "out", "--size", "224", "--background", "transparent", "--json"];
    let report = json(&succeed(path, &args));
    assert_eq!(
        (&report["pictures"], &report["drawn"], &report["skipped"]),
        (&2.into(), &2.into(), &1.into())
    );
    assert_eq!(header(&path.join("out/long.png")), (224, 224, 6));
    assert!(fs::read_to_string(path.join("out/skipped.jsonl")).unwrap().contains("empty.cif"));
    assert!(path.join("out/manifest.json").exists());

    let again = succeed(path, &args[..args.len() - 1]);
    assert!(again.starts_with("out: 2 pictures, 0 of them new\n  1 files have no picture"), "{again}");
    let error = fail(path, &["render", "protein", "in", "--out", "out", "--size", "336"]);
    assert!(error.contains("settings.size: then 224, now 336") && error.contains("another --out"), "{error}");

    // Confidence is what a prediction has, and what is one is told by its name where the file does not say.
    fs::write(path.join("AF-P12345-F1.pdb"), helix(20)).unwrap();
    let coloured = ["--out", "side", "--color", "plddt", "--rotate", "0,90,-15.5"];
    succeed(path, &[&["render", "protein", "AF-P12345-F1.pdb"][..], &coloured].concat());
    assert_eq!(header(&path.join("side/AF-P12345-F1.png")), (512, 512, 2));
}

#[test]
fn what_cannot_be_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("a.pdb"), helix(8)).unwrap();
    let error = fail(path, &["render", "protein", "a.pdb", "--out", "out", "--size", "1"]);
    assert_eq!(error, "a picture of 1 pixels a side was asked for, expected 16 to 8192");
    assert!(fail(path, &["render", "protein", "b.pdb", "--out", "out"]).starts_with("b.pdb: cannot read"));
    let output = run(path, &["render", "protein", "a.pdb", "--out", "out", "--rotate", "1,2"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("expected three angles in degrees such as 0,90,0"), "{errors}");
}

#[test]
fn every_public_structure_is_drawn_or_listed() {
    let structures = root().join("../shared/data/structures");
    if !structures.exists() {
        eprintln!("skipped: ../shared/data/structures is not here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let from = structures.display().to_string();
    let report = json(&succeed(
        folder.path(),
        &["render", "protein", &from, "--out", "out", "--size", "64", "--json"],
    ));
    let (pictures, skipped) = (report["pictures"].as_u64().unwrap(), report["skipped"].as_u64().unwrap());
    assert!(pictures >= 25, "{report}");
    let lines =
        |name: &str| fs::read_to_string(folder.path().join("out").join(name)).unwrap().lines().count() as u64;
    assert_eq!((lines("pictures.jsonl"), lines("skipped.jsonl")), (pictures, skipped));
}
