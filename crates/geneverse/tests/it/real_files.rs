//! The stages on the public files, where they are.

use super::{json, root, succeed, train_args};

#[test]
fn the_public_files_become_a_database_a_dataset_and_an_adapter() {
    let shared = root().join("../shared/data");
    if !shared.exists() {
        eprintln!("skipped: ../shared/data is not here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let file = |name: &str| shared.join(name).display().to_string();
    let (hgnc, gene_info) = (file("genes/hgnc_complete_set.txt.gz"), file("genes/Homo_sapiens.gene_info.gz"));
    let summaries = file("genes/refseq_summaries.tsv.gz");
    let (terms, annotations) = (file("go/go_terms.tsv.gz"), file("go/gene_GO_terms.tsv.gz"));
    let import = [
        "genes",
        "import",
        "--out",
        "genes.db",
        "--hgnc",
        &hgnc,
        "--gene-info",
        &gene_info,
        "--summaries",
        &summaries,
        "--go",
        &terms,
        "--go-annotations",
        &annotations,
        "--json",
    ];
    let report = json(&succeed(path, &import));
    assert!(report["genes"].as_u64().unwrap() > 43_882);
    assert!(report["go"]["annotated_genes"].as_u64().unwrap() > 19_000, "{}", report["go"]);
    let found =
        json(&succeed(path, &["genes", "search", "cystic", "fibrosis", "chloride", "channel", "--json"]));
    let symbols: Vec<_> =
        found["hits"].as_array().unwrap().iter().map(|hit| hit["symbol"].as_str()).collect();
    assert!(symbols.len() == 10 && symbols.contains(&Some("CFTR")), "{symbols:?}");
    let dataset = [
        "dataset",
        "genes",
        "--db",
        "genes.db",
        "--out",
        "dataset",
        "--only-with-summary",
        "--validation-size",
        "200",
        "--json",
    ];
    let report = json(&succeed(path, &dataset));
    assert!(report["train"].as_u64().unwrap() > 14_000, "{report}");

    let base = format!("model.base={}", root().join("models/geneverse-nano").display());
    let recipe = root().join("recipes/lora-genes.toml");
    let small =
        ["--set", "optim.max_steps=2", "--set", "optim.batch_size=8", "--set", "data.validation_size=0"];
    let args = train_args(&base, recipe.to_str().unwrap(), &["--out", "run", "--json"]);
    // The whole validation set after two steps would be most of the test.
    std::fs::copy(path.join("dataset/validation.json"), path.join("all.json")).unwrap();
    let few: Vec<serde_json::Value> =
        serde_json::from_str(&std::fs::read_to_string(path.join("all.json")).unwrap()).unwrap();
    std::fs::write(path.join("few.json"), serde_json::to_string(&few[..4]).unwrap()).unwrap();
    let trained = json(&succeed(path, &[&args[..], &small, &["--set", "data.validation=few.json"]].concat()));
    assert_eq!(trained["outcome"]["steps"], 2);
    assert!(trained["outcome"]["last_loss"].as_f64().unwrap() < 8.0);
}
