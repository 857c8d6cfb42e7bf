//! A marker dataset of a simulated tissue.

use super::*;
use crate::dataset::genes::SPLITS;
use crate::dataset::pictures::InputFile;
use crate::dataset::read_examples;
use crate::progress::Silent;
use crate::tissue::simulate::{Laboratory, Simulation, simulate};
use crate::tissue::{Expression, UNLABELLED};
use std::sync::atomic::{AtomicUsize, Ordering};

fn lab() -> Laboratory {
    simulate(&Simulation { cells: 1_500, ..Simulation::default() }).unwrap()
}

fn options(out: &Path) -> MarkersDataset {
    let tissue = InputFile { what: "tissue".into(), file: "lab".into(), licence: None, hash: "abc".into() };
    let set = PictureSet {
        out: out.to_owned(),
        inputs: vec![tissue],
        test_size: 24,
        validation_size: 12,
        size: 48,
        seed: 7,
        ..PictureSet::default()
    };
    MarkersDataset { set, negatives_each: 1, min_cells: 10, ..MarkersDataset::default() }
}

fn with(mut options: MarkersDataset, change: impl Fn(&mut PictureSet)) -> MarkersDataset {
    change(&mut options.set);
    options
}

fn make(options: &MarkersDataset, lab: &Laboratory) -> Result<MarkersReport, String> {
    let known = Known {
        tissue: &lab.tissue,
        pairs: &lab.truth,
        approved: &BTreeMap::new(),
        groups: &BTreeMap::new(),
        report: None,
    };
    markers(options, known, &|_| Ok(()), &|| false, &Silent).map(Option::unwrap).map_err(|e| e.to_string())
}

#[test]
fn a_gene_is_in_one_split_and_neither_gene_nor_type_tells_the_answer() {
    let (lab, folder) = (lab(), tempfile::tempdir().unwrap());
    let out = folder.path().join("dataset");
    let report = make(&options(&out), &lab).unwrap();
    let read = |split: &str| read_examples(&out.join(format!("{split}.json"))).unwrap();
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut pairs = BTreeSet::new();
    for split in SPLITS {
        let examples = read(split);
        assert_eq!(report.splits[split].examples, examples.len());
        assert_eq!(report.splits[split].labels, [examples.len() / 2; 2], "{split}");
        for (name, [yes, no]) in &report.splits[split].by_type {
            // In the smaller splits a gene may not have another type to take.
            assert!(yes.abs_diff(*no) <= if split == "train" { 0 } else { 1 }, "{split} {name}: {yes} {no}");
        }
        let mut of_gene: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        for example in &examples {
            assert_eq!(*seen.entry(example.subject.clone()).or_insert(split), split, "{}", example.subject);
            let yes = example.label.as_deref() == Some("yes");
            of_gene.entry(&example.subject).or_default()[usize::from(!yes)] += 1;
            let gene = lab.tissue.expression.index(&example.subject).unwrap();
            let cell_type = example.cell_type.clone().unwrap();
            let kind = lab.tissue.cell_types.iter().position(|of| *of == cell_type).unwrap();
            assert_eq!(lab.truth.contains(&(gene, kind)), yes, "{}", example.id);
            assert!(pairs.insert((gene, kind)), "{} twice", example.id);
            assert_eq!(example.instruction, instruction(&example.subject, &cell_type));
            assert!(out.join(&example.images[0]).is_file());
        }
        assert!(of_gene.values().all(|[yes, no]| yes == no));
    }
    assert_eq!((report.splits["test"].genes, report.splits["validation"].genes), (24, 12));
    // Twelve types: each has its share of the test set.
    assert!(report.splits["test"].by_type.len() >= 11, "{:?}", report.splits["test"].by_type.keys());
    for leak in &report.leakage {
        let counts = [&leak.same_subject, &leak.same_picture, &leak.same_text].map(|finding| finding.count);
        assert_eq!(counts, [0, 0, 0], "{} in {}", leak.into, leak.from);
    }
    for blind in &report.blind {
        assert!(
            (blind.always_yes - 0.5).abs() < 1e-12 && (0.45..=0.55).contains(&blind.by_type),
            "{blind:?}"
        );
    }
    let card = std::fs::read_to_string(out.join("README.md")).unwrap();
    assert!(
        card.starts_with("---\npretty_name: Marker genes in tissue\n") && card.contains("path: train.json"),
        "{card}"
    );
    assert!(card.contains("| test | 0.500 |"), "{card}");
    // A second call does nothing, another seed is refused.
    assert!(make(&options(&out), &lab).unwrap().already_done);
    let other = make(&with(options(&out), |set| set.seed = 8), &lab).unwrap_err();
    assert!(other.contains("seed: then 7, now 8"), "{other}");
}

#[test]
fn an_interrupted_call_goes_on_to_the_same_bytes() {
    let (lab, folder) = (lab(), tempfile::tempdir().unwrap());
    let [whole, broken] = ["whole", "broken"].map(|name| folder.path().join(name));
    make(&options(&whole), &lab).unwrap();
    let known = Known {
        tissue: &lab.tissue,
        pairs: &lab.truth,
        approved: &BTreeMap::new(),
        groups: &BTreeMap::new(),
        report: None,
    };
    let asked = AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) >= 40;
    assert!(markers(&options(&broken), known, &|_| Ok(()), &stop, &Silent).unwrap().is_none());
    let drawn = std::fs::read_dir(broken.join("images")).unwrap().count();
    assert!(drawn > 0 && !broken.join("manifest.json").exists());
    let again = make(&options(&broken), &lab).unwrap();
    assert!(!broken.join("pictures.key").exists() && again.pictures > drawn);
    let files = |out: &Path| -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for folder in [out.to_owned(), out.join("images")] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() && path.file_name().unwrap() != "manifest.json" {
                    files.insert(
                        path.strip_prefix(out).unwrap().display().to_string(),
                        std::fs::read(&path).unwrap(),
                    );
                }
            }
        }
        files
    };
    assert!(files(&whole) == files(&broken));
}

#[test]
fn hard_negatives_are_near_types() {
    let (lab, folder) = (lab(), tempfile::tempdir().unwrap());
    let out = folder.path().join("hard");
    make(&MarkersDataset { negatives: Negatives::Hard, ..options(&out) }, &lab).unwrap();
    let types: Vec<usize> = (0..lab.tissue.cell_types.len()).collect();
    let near = profiles::neighbours(&lab.tissue, &types);
    let kind = |name: &str| lab.tissue.cell_types.iter().position(|of| of == name).unwrap();
    let examples = read_examples(&out.join("train.json")).unwrap();
    let no: Vec<&Example> =
        examples.iter().filter(|example| example.label.as_deref() == Some("no")).collect();
    assert!(no.len() > 50);
    for example in no {
        let gene = lab.tissue.expression.index(&example.subject).unwrap();
        let of: Vec<usize> = lab.truth.iter().filter(|(g, _)| *g == gene).map(|(_, kind)| *kind).collect();
        let other = kind(example.cell_type.as_deref().unwrap());
        let close = |mark: &usize| near[mark].iter().filter(|k| !of.contains(k)).take(3).any(|k| *k == other);
        assert!(of.iter().any(close), "{}", example.id);
    }
}

/// Three types, one of them not known, one with a single cell; a gene that nobody has, and one that marks all.
#[test]
fn what_gives_no_question_is_listed_by_reason() {
    let tissue = Tissue {
        cells: (0..9).map(|n| n.to_string()).collect(),
        places: (0..9).map(|n| [n as f32, 0.0]).collect(),
        types: vec![0, 0, 1, 1, 2, 3, 3, 3, UNLABELLED],
        cell_types: ["B_Cells", "Firoblast", "Rare", "Unlabeled"].map(str::to_owned).to_vec(),
        expression: Expression {
            genes: ["ALL", "KARS", "NONE", "ONE", "TWO"].map(str::to_owned).to_vec(),
            starts: vec![0, 1, 2, 2, 3, 4],
            cells: vec![0, 1, 2, 3],
            values: vec![1.0; 4],
        },
    };
    let folder = tempfile::tempdir().unwrap();
    let approved = BTreeMap::from([(1, "KARS1".to_owned())]);
    let known = Known {
        tissue: &tissue,
        pairs: &[(0, 0), (0, 1), (1, 0), (2, 0), (3, 2), (3, 1), (4, 3)],
        approved: &approved,
        groups: &BTreeMap::new(),
        report: None,
    };
    let options = MarkersDataset { min_cells: 2, ..options(&folder.path().join("out")) };
    let options = with(options, |set| {
        (set.test_size, set.validation_size, set.hold_out) = (0, 0, vec!["KARS1".into()]);
    });
    let report = markers(&options, known, &|_| Ok(()), &|| false, &Silent).unwrap().unwrap();
    let reasons: Vec<(&str, usize)> =
        report.skipped.iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    assert_eq!(
        reasons,
        [
            ("no cell of the tissue has the gene", 1),
            ("the cell type has fewer than 2 cells", 1),
            ("the cell type says that the type is not known", 1),
            ("the gene marks every type that is asked about", 1),
        ]
    );
    assert_eq!(report.renamed_genes, BTreeMap::from([("KARS".to_owned(), "KARS1".to_owned())]));
    assert_eq!(report.renamed_types["Firoblast"], "Fibroblast");
    let test = read_examples(&options.set.out.join("test.json")).unwrap();
    assert_eq!(test.len(), 2);
    assert_eq!(test[1].output, "No, gene KARS1 is not a marker gene of cell type Fibroblast.");
    let lines = std::fs::read_to_string(options.set.out.join("skipped.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 4);
    assert!(lines.starts_with(
        r#"{"gene":"NONE","cell_type":"B_Cells","reason":"no cell of the tissue has the gene"}"#
    ));

    let refused = |options: MarkersDataset| {
        markers(&options, known, &|_| Ok(()), &|| false, &Silent).unwrap_err().to_string()
    };
    let options = with(options, |set| set.out = folder.path().join("other"));
    let error = refused(with(options.clone(), |set| set.hold_out = vec!["NOSUCH".into()]));
    assert!(
        error.ends_with("other: cannot hold out NOSUCH: no such gene marks a type of the tissue"),
        "{error}"
    );
    let error = refused(with(options, |set| set.test_size = 5));
    assert!(error.ends_with("other: found 2 genes that mark a type, expected more than the 2 for validation and testing; ask for fewer"), "{error}");
}
