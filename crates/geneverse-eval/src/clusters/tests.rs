//! From texts to files, with labels.

use std::fs;

use geneverse_data::progress::Silent;

use super::*;
use crate::draw::Draw;
use crate::leiden::Quality;

/// Texts about three subjects, in words of each.
fn texts(n: usize) -> Vec<Text> {
    let subjects = [
        ["kinase", "phosphorylates", "serine", "signaling", "cascade", "threonine", "domain"],
        ["ribosomal", "ribosome", "translation", "subunit", "elongation", "peptide", "assembly"],
        ["odorant", "receptor", "olfactory", "smell", "nasal", "neuron", "perception"],
    ];
    (0..n)
        .map(|item| {
            let mut words = subjects[item % 3];
            Draw::at(1, &[item as u64]).shuffle(&mut words);
            let text = format!("This {}, item{item}", words[..5].join(" "));
            Text { id: format!("t{item}"), subject: format!("GENE{item}"), text }
        })
        .collect()
}

fn settings() -> Settings {
    Settings {
        neighbors: 10,
        metric: Metric::Cosine,
        method: Method::Auto,
        leiden: Leiden { quality: Quality::Modularity, resolution: 0.1, ..Leiden::default() },
        umap: Umap { epochs: Some(50), ..Umap::default() },
    }
}

#[test]
fn subjects_come_out_as_clusters_and_files_as_they_are_described() {
    let known =
        (0..90).map(|i| (format!("GENE{i}"), ["kinase", "ribosome, \"r\"", "smell"][i % 3].to_owned()));
    let labels = Labelling { name: "subject".to_owned(), labels: known.collect() };
    let items = embed(texts(120), 20, 0).unwrap();
    assert_eq!((items.without_words, items.words), (0, Some(21)));
    let (clustering, metrics, seconds) =
        cluster(items, vec![labels], &settings(), &Silent, &|| false).unwrap().unwrap();
    // Texts of one subject share words and no others: no cluster has two subjects, but one can be in several.
    assert_eq!(metrics.components, 3);
    for (item, cluster) in clustering.clusters.iter().enumerate() {
        let first = clustering.clusters.iter().position(|other| other == cluster).unwrap();
        assert_eq!(item % 3, first % 3, "cluster {cluster}");
    }
    assert!((3..=8).contains(&metrics.clusters), "{metrics:?}");
    assert_eq!(metrics.cluster_sizes.iter().sum::<usize>(), 120);
    assert!(metrics.cluster_sizes.is_sorted_by(|a, b| a >= b));
    let found = &metrics.labels[0];
    assert_eq!((found.items, found.labels), (90, 3));
    assert!(found.nmi > 0.75 && found.nmi <= 1.0, "{found:?}");
    assert!(metrics.modularity > 0.5 && metrics.exact_neighbors);
    assert_eq!(seconds.len(), 4);

    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &clustering, &metrics).unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let clusters = read("clusters.csv");
    assert_eq!(clusters.lines().count(), 121);
    assert!(clusters.starts_with("id,cluster\nt0,"));
    let umap = read("umap.csv");
    assert!(umap.starts_with("id,x,y,cluster,subject\nt0,"));
    assert!(umap.lines().nth(2).unwrap().ends_with(",\"ribosome, \"\"r\"\"\""));
    assert!(umap.lines().nth(100).unwrap().ends_with(','), "an item without a label");
    let embedding = crate::embedding::read(&folder.path().join("embedding.npy"), None).unwrap();
    assert_eq!((embedding.ids, embedding.vectors), (clustering.ids, clustering.vectors));
    let read: Metrics = serde_json::from_str(&read("metrics.json")).unwrap();
    assert_eq!((read.cluster_sizes, read.edges), (metrics.cluster_sizes, metrics.edges));
    assert!((read.modularity - metrics.modularity).abs() < 1e-12);
}

#[test]
fn too_little_is_an_error_and_a_stop_is_none() {
    let error = embed(vec![], 5, 0).unwrap_err().to_string();
    assert!(error.starts_with("found no word that is in two of the 0 texts"), "{error}");
    let two = Embedding { ids: vec!["a".into(), "b".into()], vectors: vec![1.0, 2.0], dimensions: 1 };
    let error = cluster(two.into(), vec![], &settings(), &Silent, &|| false).unwrap_err().to_string();
    assert_eq!(error, "found 2 items to cluster, expected at least 3");
    let items = embed(texts(30), 5, 0).unwrap();
    assert!(cluster(items, vec![], &settings(), &Silent, &|| true).unwrap().is_none());
}

#[test]
fn labels_are_read_and_two_for_one_item_refused() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        from_file(&path).map_err(|e| e.to_string().replace(&format!("{}/", folder.path().display()), ""))
    };
    let labels =
        read("families.tsv", "gene\tfamily\nGLI1\tzinc fingers\r\n\nTP53\tp53\nTP53\tp53\n").unwrap();
    assert_eq!((labels.name.as_str(), labels.labels["GLI1"].as_str()), ("families", "zinc fingers"));
    let labels = read("f.csv", "\"a,b\"\n").unwrap();
    assert_eq!(labels.labels.len(), 1);
    assert_eq!(read("g.csv", "x,\"one, two\"\n").unwrap().labels["x"], "one, two");
    let twice = read("families.tsv", "A\tx\nA\ty\n").unwrap_err();
    assert_eq!(twice, "families.tsv:2: found the label \"y\" for \"A\", which has \"x\" already");
    assert!(read("families.tsv", "A x\n").unwrap_err().contains("families.tsv:1: found one field"));
}

#[test]
fn items_without_a_label_do_not_count() {
    let labels = ["a", "", "a", "b", "", "b"].map(str::to_owned);
    let found = agreement("letters", &labels, &[0, 5, 0, 1, 6, 1]);
    assert_eq!((found.items, found.labels), (4, 2));
    assert!((found.nmi - 1.0).abs() < 1e-12);
    assert_eq!(agreement("none", &labels[1..2], &[0]).nmi, 0.0);
}
