//! `lab tissue`, `analyze markers`, `dataset markers` and `dataset proteins` from arguments to files, and what `evaluate`
//! makes of their own references.

use std::fs;
use std::path::{Path, PathBuf};

use super::{fail, json, root, succeed};

/// The folder of real files, which is not part of the project.
#[allow(clippy::print_stderr, reason = "a test says why it is skipped")]
fn shared(what: &str) -> Option<PathBuf> {
    let folder = root().join("../shared/data").join(what);
    if !folder.exists() {
        eprintln!("skipped: {} is not there", folder.display());
    }
    folder.exists().then_some(folder)
}

/// A split's references as a model's answers: every grade must be 1.
fn graded_right(folder: &Path, split: &Path) {
    let text = fs::read_to_string(split).unwrap();
    let examples = json(&text);
    let lines = examples.as_array().unwrap().iter().map(|example| {
        let [question, answer] = [0, 1].map(|turn| example["conversations"][turn]["value"].clone());
        let question = question.as_str().unwrap().strip_prefix("<image>\n").unwrap();
        let mut line = serde_json::json!({
            "id": example["id"], "task": example["task"], "subject": example["subject"], "prompt": question,
            "image": example["image"], "answer": answer, "reference": answer, "model": "reference",
        });
        for field in ["cell_type", "label"] {
            if !example[field].is_null() {
                line[field] = example[field].clone();
            }
        }
        format!("{line}\n")
    });
    let lines: Vec<String> = lines.collect();
    assert!(!lines.is_empty());
    fs::write(folder.join("answers.jsonl"), lines.concat()).unwrap();
    let _ = fs::remove_file(folder.join("scores.json"));
    let _ = fs::remove_file(folder.join("scores.json.manifest.json"));
    let scores = json(&succeed(folder, &["evaluate", "answers.jsonl", "--out", "scores.json", "--json"]));
    assert_eq!(
        (scores["factual"].as_f64(), scores["structural"].as_f64()),
        (Some(1.0), Some(1.0)),
        "{scores}"
    );
}

#[test]
fn markers_of_a_laboratory_are_found_asked_about_and_graded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let lab = ["lab", "tissue", "--cells", "2000", "--seed", "5", "--out", "lab", "--json"];
    let made = json(&succeed(path, &lab));
    assert_eq!((made["cells"].as_u64(), made["genes"].as_u64()), (Some(2000), Some(240)));

    let find = [
        "analyze",
        "markers",
        "--tissue",
        "lab",
        "--truth",
        "lab/truth.tsv",
        "--out",
        "markers.csv",
        "--json",
    ];
    let found = json(&succeed(path, &find));
    let recovery = &found["recovery"];
    assert_eq!(recovery["known"], made["pairs"]);
    assert!(recovery["sensitivity"].as_f64().unwrap() > 0.95, "{recovery}");
    assert!(recovery["specificity"].as_f64().unwrap() > 0.99, "{recovery}");
    assert_eq!(found["types"].as_array().unwrap().len(), 12);
    let table = fs::read_to_string(path.join("markers.csv")).unwrap();
    assert_eq!(table.lines().count() as u64, 1 + recovery["found"].as_u64().unwrap());
    // A second run tells the same without doing it again, to the last digit.
    assert_eq!(json(&succeed(path, &find)), found);
    assert_eq!(fs::read_to_string(path.join("markers.csv")).unwrap(), table);

    let made = [
        "dataset",
        "markers",
        "--tissue",
        "lab",
        "--truth",
        "lab/truth.tsv",
        "--test-size",
        "20",
        "--validation-size",
        "10",
        "--size",
        "64",
        "--phrasings",
        "--out",
        "asked",
        "--json",
    ];
    let report = json(&succeed(path, &made));
    assert_eq!(report["splits"]["test"]["genes"], 20);
    assert_eq!(report["truth"]["used"], report["truth"]["rows"]);
    for leak in report["leakage"].as_array().unwrap() {
        for what in ["same_subject", "same_picture", "same_text"] {
            assert_eq!(leak[what]["count"], 0, "{leak}");
        }
    }
    for split in ["train", "validation", "test"] {
        graded_right(path, &path.join(format!("asked/{split}.json")));
    }
    // What was found in the tissue is a table of known markers too, and may be found on the spot.
    let own = [
        "dataset",
        "markers",
        "--tissue",
        "lab",
        "--truth",
        "markers.csv",
        "--size",
        "16",
        "--out",
        "own",
        "--json",
    ];
    let spot = ["dataset", "markers", "--tissue", "lab", "--find", "--size", "16", "--out", "spot", "--json"];
    let [own, spot] = [&own[..], &spot[..]].map(|args| json(&succeed(path, args)));
    assert_eq!(own["splits"]["train"]["labels"], spot["splits"]["train"]["labels"]);
    assert_eq!(own["splits"]["train"]["labels"][0], recovery["found"]);
    assert!(spot["truth"].is_null());

    let error =
        fail(path, &["dataset", "markers", "--tissue", "lab", "--truth", "lab/README.md", "--out", "no"]);
    assert!(error.starts_with("lab/README.md: found no column `gene`"), "{error}");
    let error = fail(path, &["lab", "tissue", "--cells", "5", "--out", "small"]);
    assert_eq!(error, "--cells is 5, expected 1000 to 2000000");
    let error = fail(path, &["analyze", "markers", "--tissue", "lab", "--max-p", "2", "--out", "x.csv"]);
    assert_eq!(error, "--max-p is 2, expected more than 0 and at most 1");
    let table = ["dataset", "markers", "--tissue", "lab", "--truth", "lab/truth.tsv", "--out", "x"];
    for option in [&["--max-p", "0.05"][..], &["--tie-correct"]] {
        let error = fail(path, &[&table[..], option].concat());
        let expected = format!(
            "{} is of the search for markers, and says nothing of a table; leave it out, or say --find",
            option[0]
        );
        assert_eq!(error, expected);
    }
}

/// The panel's table of the paper's tissue on its real cells. Types of the two files differ: a table of names joins them.
#[test]
fn real_cells_and_a_real_panel_become_a_dataset() {
    let Some(spatial) = shared("spatial") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let file = |name: &str| spatial.join(name).display().to_string();
    let counts = file("xenium_breast_rep1_counts_cells_x_genes.csv");
    let (cells, panel) = (file("xenium_breast_rep1_clusters.csv"), file("panel_cell_type_groups.tsv"));
    fs::write(
        path.join("names.tsv"),
        "CD8+_T_Cells\tT_Cells\nCD4+_T_Cells\tT_Cells\nMacrophages_1\tMacrophages\nMacrophages_2\tMacrophages\n\
         Myoepi_ACTA2+\tMyoepithelial\nMyoepi_KRT15+\tMyoepithelial\nDCIS_1\tDCIS\nDCIS_2\tDCIS\nInvasive_Tumor\tTumor\n\
         Prolif_Invasive_Tumor\tTumor\n",
    )
    .unwrap();
    let tissue = ["--tissue", &counts, "--cells", &cells, "--type-column", "anno"];
    let args = [
        &["dataset", "markers"][..],
        &tissue,
        &[
            "--truth",
            &panel,
            "--type-names",
            "names.tsv",
            "--test-size",
            "5",
            "--size",
            "64",
            "--out",
            "asked",
            "--json",
        ],
    ]
    .concat();
    let report = json(&succeed(path, &args));
    let truth = &report["truth"];
    assert_eq!(truth["rows"], 313);
    let left: u64 =
        truth["left_out"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(truth["used"].as_u64().unwrap() + left, 313);
    assert_eq!(report["splits"]["train"]["labels"][0], report["splits"]["train"]["labels"][1]);
    for split in ["train", "test"] {
        graded_right(path, &path.join(format!("asked/{split}.json")));
    }
    let found = [&["analyze", "markers"][..], &tissue, &["--out", "markers.csv", "--json"]].concat();
    let found = json(&succeed(path, &found));
    let first = |name: &str| {
        let types = found["types"].as_array().unwrap();
        let of = types.iter().find(|of| of["cell_type"] == name).unwrap();
        of["first"][0]["symbol"].as_str().unwrap().to_owned()
    };
    assert!(["VWF", "PECAM1", "AQP1"].contains(&first("Endothelial").as_str()), "{}", first("Endothelial"));
    // scanpy has them in this order too: 8.7 and 8.3.
    assert_eq!(first("B_Cells"), "ITM2C");
}

#[test]
fn real_structures_become_a_dataset() {
    let Some(structures) = shared("structures") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let structures = structures.display().to_string();
    fs::write(
        path.join("names.tsv"),
        "accession\tname\nQ96HM7\tPC-esterase domain-containing protein 1B\nO15552\tFree fatty acid receptor 2\n\
         Q7Z6M3\tAllergin-1\n1ubq\tUbiquitin\n1aki\tLysozyme C\n",
    )
    .unwrap();
    let args = [
        "dataset",
        "proteins",
        &structures,
        "--names",
        "names.tsv",
        "--test-size",
        "1",
        "--size",
        "64",
        "--out",
        "asked",
        "--json",
    ];
    let report = json(&succeed(path, &args));
    // PDB and mmCIF of the same entry have pictures of one name.
    assert!(report["pictures"].as_u64().unwrap() >= 5, "{report}");
    for split in ["train", "test"] {
        graded_right(path, &path.join(format!("asked/{split}.json")));
    }
}
