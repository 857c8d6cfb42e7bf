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
    assert_eq!(metrics.clusters, 3, "{metrics:?}");
    let agreement = &metrics.labels[0];
    assert_eq!((agreement.items, agreement.labels), (90, 3));
    assert!((agreement.nmi - 1.0).abs() < 1e-12, "{agreement:?}");
    assert_eq!(metrics.cluster_sizes, [40, 40, 40]);
    assert!(metrics.modularity > 0.5 && metrics.exact_neighbors);
    assert_eq!(seconds.len(), 4);

    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &clustering, &metrics).unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let clusters = read("clusters.csv");
    assert_eq!(clusters.lines().count(), 121);
    assert!(clusters.starts_with("id,cluster\nt0,0\nt1,"));
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
fn mutual_information_is_that_of_scikit_learn() {
    // sklearn.metrics.normalized_mutual_info_score of these, 1.9.1.
    let (a, b) = ([0, 0, 1, 1, 2, 2, 2, 0], [1, 1, 1, 0, 0, 2, 2, 2]);
    assert!((labels::nmi(&a, &b) - 0.398_747_820_241_147).abs() < 1e-12, "{}", labels::nmi(&a, &b));
    assert_eq!(labels::nmi(&a, &a), 1.0);
    assert_eq!(labels::nmi(&[1, 1], &["x", "x"]), 1.0);
    assert_eq!(labels::nmi::<u8, u8>(&[], &[]), 0.0);
}
