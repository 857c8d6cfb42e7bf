//! A protein dataset of small structures.

use super::*;
use crate::dataset::genes::SPLITS;
use crate::dataset::read_examples;
use crate::progress::Silent;
use std::fmt::Write as _;

/// A helix of Cα atoms with a sequence of its own.
fn helix(letters: &[&str], residues: usize) -> String {
    let mut text = String::new();
    for n in 0..residues {
        let turn = n as f64 * 100_f64.to_radians();
        let (x, y, z) = (2.3 * turn.cos(), 2.3 * turn.sin(), 1.5 * n as f64);
        let name = letters[n % letters.len()];
        let _ = writeln!(
            text,
            "ATOM  {:5}  CA  {name} A{:4}    {x:8.3}{y:8.3}{z:8.3}  1.00 90.00           C  ",
            n + 1,
            n + 1
        );
    }
    text + "END\n"
}

struct Folder {
    folder: tempfile::TempDir,
    files: Vec<PathBuf>,
}

fn folder() -> Folder {
    let folder = tempfile::tempdir().unwrap();
    // The last two are relatives.
    let letters =
        [["ALA", "GLY", "LEU"], ["SER", "THR", "VAL"], ["LYS", "GLU", "TRP"], ["LYS", "GLU", "TRP"]];
    let mut files = Vec::new();
    let mut put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        files.push(path);
    };
    for (n, letters) in letters.iter().enumerate() {
        put(&format!("AF-P0000{n}-F1-model_v4.pdb"), &helix(letters, 30 + n));
    }
    // Fragments of one protein, a protein without a name, a file that is none, and one whose name says nothing.
    put("AF-P00000-F11-model_v4.pdb", &helix(&letters[0], 25));
    put("AF-Q99999-F1-model_v4.pdb", &helix(&letters[1], 25));
    put("broken.pdb", "this is no structure\n");
    put("AF-P00009-F1-model_v4.pdb", &helix(&letters[2], 25));
    files.sort();
    std::fs::write(
        folder.path().join("names.csv"),
        "accession,name\nP00000,Keratin 18\nP00001,\"Transmembrane protein 115, putative\"\nP00002,Lysozyme C\n\
         P00003,Lysozyme C\nP00009,Unknown protein\n",
    )
    .unwrap();
    Folder { folder, files }
}

fn make(folder: &Folder, change: impl Fn(&mut ProteinsDataset)) -> Result<ProteinsReport, String> {
    let mut options = ProteinsDataset {
        files: folder.files.clone(),
        set: PictureSet {
            out: folder.folder.path().join("dataset"),
            test_size: 1,
            validation_size: 1,
            size: 32,
            seed: 3,
            ..PictureSet::default()
        },
        split: SplitBy::Protein,
        views: 1,
        ..ProteinsDataset::default()
    };
    change(&mut options);
    let names = Names::read(&folder.folder.path().join("names.csv")).unwrap();
    let accept = |example: &Example| match example.output.contains("Unknown") {
        true => Err("names no protein".to_owned()),
        false => Ok(()),
    };
    let helpers = Helpers {
        names: &names,
        accept: &accept,
        overlap: &|answer, name| if answer == name { 1.0 } else { 0.0 },
        stop: &|| false,
    };
    proteins(&options, helpers, &Silent).map(Option::unwrap).map_err(|e| e.to_string())
}

fn read_all_splits(folder: &Folder) -> BTreeMap<&'static str, Vec<Example>> {
    let read = |split: &'static str| {
        let path = folder.folder.path().join("dataset").join(format!("{split}.json"));
        Some((split, read_examples(&path).ok()?))
    };
    SPLITS.into_iter().filter_map(read).collect()
}

#[test]
fn fragments_stay_together_and_what_gives_no_example_is_listed() {
    let folder = folder();
    let report = make(&folder, |_| {}).unwrap();
    assert_eq!((report.pictures, report.fragments, report.shared_names), (5, 2, 1));
    let skipped: Vec<(&str, usize)> =
        report.skipped.iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    assert_eq!(
        skipped,
        [("cannot be read", 1), ("its name cannot be graded", 1), ("no name is known for it", 1)]
    );
    let splits = read_all_splits(&folder);
    assert_eq!(splits.values().map(Vec::len).sum::<usize>(), 5);
    let of: Vec<&str> = splits
        .iter()
        .filter(|(_, examples)| examples.iter().any(|example| example.subject == "P00000"))
        .map(|(split, _)| *split)
        .collect();
    assert_eq!(of.len(), 1, "both fragments in one split");
    for example in splits.values().flatten() {
        assert_eq!(example.instruction, INSTRUCTION);
        assert!(folder.folder.path().join("dataset").join(&example.images[0]).is_file());
        assert!(example.output.starts_with("The name of this protein is ") && example.output.ends_with('.'));
    }
    let all: Vec<&Example> = splits.values().flatten().collect();
    let putative = all.iter().find(|example| example.subject == "P00001").unwrap();
    assert_eq!(name_in(&putative.output), "Transmembrane protein 115, putative");
    assert_eq!(report.leakage.len(), 3);
    assert!(report.leakage.iter().all(|leak| leak.same_subject.count == 0 && leak.same_picture.count == 0));
    let card = std::fs::read_to_string(folder.folder.path().join("dataset/README.md")).unwrap();
    assert!(
        card.contains("2 files are one of several of their protein. 1 names are those of several proteins."),
        "{card}"
    );
    assert!(make(&folder, |_| {}).unwrap().already_done);
}

#[test]
fn relatives_of_a_held_out_protein_go_with_it() {
    let folder = folder();
    let report = make(&folder, |options| {
        (options.split, options.set.test_size, options.set.validation_size) = (SplitBy::Cluster, 0, 0);
        options.set.hold_out = vec!["P00002".into()];
    })
    .unwrap();
    assert_eq!((report.clusters, report.largest_cluster), (3, 2));
    let test: Vec<String> =
        read_all_splits(&folder)["test"].iter().map(|example| example.subject.clone()).collect();
    assert_eq!(test, ["P00002", "P00003"]);
    let leak = &report.leakage[0];
    assert_eq!((leak.same_cluster.as_ref().unwrap().count, leak.same_text.count), (0, 0));
    // What always answers "Keratin 18" is right twice in training and never in the test.
    let blind: Vec<(&str, &str, f64)> =
        report.blind.iter().map(|blind| (blind.split.as_str(), blind.name.as_str(), blind.score)).collect();
    assert_eq!(blind, [("train", "Keratin 18", 2.0 / 3.0), ("test", "Keratin 18", 0.0)]);
}

#[test]
fn several_views_of_a_structure_are_turned() {
    let folder = folder();
    let report = make(&folder, |options| (options.views, options.set.test_size) = (3, 0)).unwrap();
    assert_eq!(report.pictures, 15);
    let out = folder.folder.path().join("dataset");
    let read = |name: &str| std::fs::read(out.join("images").join(name)).unwrap();
    let [one, two] = ["", "-view2"].map(|view| read(&format!("AF-P00001-F1-model_v4{view}.png")));
    assert_ne!(one, two);
}

#[test]
fn what_cannot_be_made_is_said() {
    let folder = folder();
    let error = make(&folder, |options| options.set.hold_out = vec!["P77777".into()]).unwrap_err();
    assert!(
        error.ends_with("cannot hold out P77777: no structure has this accession, symbol, name or file name"),
        "{error}"
    );
    let error = make(&folder, |options| options.set.test_size = 9).unwrap_err();
    assert!(
        error.ends_with("found 4 proteins, and all are for validation and testing; ask for fewer"),
        "{error}"
    );
    let error =
        make(&folder, |options| options.files.retain(|path| path.ends_with("broken.pdb"))).unwrap_err();
    assert!(
        error.contains("none of 1 structure files gives an example; the first, broken.pdb: cannot be read: "),
        "{error}"
    );
}
