//! `analyze clusters`, from a database, texts, answers or vectors to files.

use std::fs;

use super::{fail, json, run, succeed, with_dataset};

#[test]
fn a_database_becomes_clusters_that_are_compared_with_labels() {
    let folder = with_dataset();
    let path = folder.path();
    fs::write(path.join("first.tsv"), "GLI1\tzinc\nCASP10\tcaspase\nFGF7\tgrowth\n").unwrap();
    let args = [
        "analyze",
        "clusters",
        "--db",
        "genes.db",
        "--labels",
        "kind,group,first.tsv",
        "--epochs",
        "30",
        "--out",
        "clusters",
        "--json",
    ];
    let said = json(&succeed(path, &args));
    assert_eq!(said["items"], 299);
    assert_eq!(said["neighbors"], 15);
    assert!(said["clusters"].as_u64().unwrap() > 3 && said["modularity"].as_f64().unwrap() > 0.3, "{said}");
    // The bundled summaries of one kind are alike, so that kinds and clusters know of each other.
    assert_eq!(said["labels"][0]["name"], "kind");
    assert!(said["labels"][0]["nmi"].as_f64().unwrap() > 0.2, "{said}");
    assert_eq!((&said["labels"][2]["name"], &said["labels"][2]["items"]), (&"first".into(), &3.into()));
    for file in [
        "clusters.csv",
        "umap.csv",
        "embedding.npy",
        "embedding.npy.ids.txt",
        "metrics.json",
        "manifest.json",
    ] {
        assert!(path.join("clusters").join(file).exists(), "{file}");
    }
    let umap = fs::read_to_string(path.join("clusters/umap.csv")).unwrap();
    assert!(umap.starts_with("id,x,y,cluster,kind,group,first\n"));
    assert!(umap.lines().any(|line| line.starts_with("GLI1,") && line.ends_with(",zinc")));

    // Again: nothing to do. Elsewhere: the same bytes. Otherwise: refused.
    let written = || fs::metadata(path.join("clusters/umap.csv")).unwrap().modified().unwrap();
    let first = written();
    assert_eq!(json(&succeed(path, &args))["cluster_sizes"], said["cluster_sizes"]);
    assert_eq!(written(), first);
    let mut elsewhere = args;
    elsewhere[9] = "other";
    succeed(path, &elsewhere);
    for file in ["umap.csv", "clusters.csv", "embedding.npy", "metrics.json"] {
        let read = |at: &str| fs::read(path.join(at).join(file)).unwrap();
        assert_eq!(read("clusters"), read("other"), "{file}");
    }
    let mut seeded: Vec<&str> = args.to_vec();
    seeded.extend(["--seed", "5"]);
    assert!(fail(path, &seeded).contains("seed: then 0, now 5"));

    // The vectors that were written are read again, and give the same division.
    let args = [
        "analyze",
        "clusters",
        "--embeddings",
        "clusters/embedding.npy",
        "--epochs",
        "30",
        "--out",
        "third",
        "--json",
    ];
    assert_eq!(json(&succeed(path, &args))["cluster_sizes"], said["cluster_sizes"]);
}

#[test]
fn what_is_wrong_is_said() {
    let folder = with_dataset();
    let path = folder.path();
    let error = |more: &[&str]| {
        let mut args = vec!["analyze", "clusters", "--out", "out"];
        args.extend(more);
        fail(path, &args)
    };
    assert!(error(&[]).contains("say --db, --texts, --answers or --embeddings"));
    fs::write(path.join("texts.tsv"), "a\tzinc finger\nb\tzinc finger\nc\tfinger zinc\nd\tzinc\n").unwrap();
    assert!(
        error(&["--texts", "texts.tsv", "--labels", "kind"]).contains("--labels kind comes from a database")
    );
    assert!(error(&["--texts", "texts.tsv", "--go-slim", "texts.tsv"]).contains("no effect"));
    assert!(error(&["--texts", "texts.tsv", "--min-dist", "2"]).contains("--min-dist is 2, expected 0 to 1"));
    assert!(
        error(&["--texts", "texts.tsv", "--neighbors", "1"])
            .contains("--neighbors is 1, expected at least 2")
    );
    fs::write(path.join("labels.tsv"), "x\tl\n").unwrap();
    let unknown = error(&["--texts", "texts.tsv", "--labels", "labels.tsv"]);
    assert!(unknown.contains("none of its 1 ids is that of an item, such as \"a\""), "{unknown}");
    assert!(error(&["--db", "genes.db", "--labels", "go-slim"]).contains("--go-slim FILE"));
    fs::write(path.join("apart.tsv"), "a\tkinase\nb\tribosome\n").unwrap();
    assert!(error(&["--texts", "apart.tsv"]).contains("found no word that is in two of the 2 texts"));
    assert!(!path.join("out").exists(), "nothing is written where nothing was made");
    let both = run(path, &["analyze", "clusters", "--out", "out", "--texts", "a", "--answers", "b"]);
    assert!(!both.status.success());
    // Texts of one word each still come through.
    succeed(path, &["analyze", "clusters", "--texts", "texts.tsv", "--out", "few", "--quiet"]);
}
