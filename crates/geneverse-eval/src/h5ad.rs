//! `.h5ad`: an AnnData object in HDF5, which scanpy opens with `anndata.read_h5ad`.
//!
//! Written as anndata's on-disk format says (<https://anndata.readthedocs.io/en/stable/fileformat-prose.html>): a group per
//! field, each with its `encoding-type` and `encoding-version`. `obs` has the items with their cluster and labels as
//! categories, `obsm` the matrices `X_umap` and `X_vectors`; there are no variables and no `X`.

mod hdf5;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use geneverse_data::stage::{FileError, atomic_write};

use crate::clusters::Clustering;
use hdf5::{Content, Node, Values};

/// Writes a clustering. Clusters are called `leiden`, as scanpy calls them; a label that is empty is missing.
pub fn write(path: &Path, clustering: &Clustering) -> Result<(), FileError> {
    let bytes = hdf5::write(&root(clustering));
    atomic_write(path, |out| out.write_all(&bytes))
}

fn root(clustering: &Clustering) -> Node {
    let Clustering { ids, subjects, vectors, dimensions, coordinates, clusters, labels } = clustering;
    let count = ids.len();
    let clusters: Vec<String> = clusters.iter().map(ToString::to_string).collect();
    let mut columns = vec![("leiden".to_owned(), categorical(&clusters, true))];
    if subjects != ids {
        columns.push(("subject".to_owned(), texts(subjects)));
    }
    for (name, labels) in labels {
        columns.push((free_name(name, &columns), categorical(labels, false)));
    }
    let umap = coordinates.iter().flatten().copied().collect();
    let matrices = vec![
        ("X_umap".to_owned(), matrix(count, 2, umap)),
        ("X_vectors".to_owned(), matrix(count, *dimensions, vectors.clone())),
    ];
    let mut children = vec![
        ("obs".to_owned(), frame(columns, ids)),
        ("obsm".to_owned(), group("dict", "0.1.0", matrices)),
        ("var".to_owned(), frame(Vec::new(), &[])),
    ];
    for name in ["layers", "obsp", "uns", "varm", "varp"] {
        children.push((name.to_owned(), group("dict", "0.1.0", Vec::new())));
    }
    group("anndata", "0.1.0", children)
}

/// A column's name: no slash, which HDF5 would take for a path, and none that is there already.
fn free_name(name: &str, columns: &[(String, Node)]) -> String {
    let mut free = name.replace('/', "-");
    while free.is_empty() || free == "_index" || columns.iter().any(|(taken, _)| *taken == free) {
        free.push('_');
    }
    free
}

type Attributes = Vec<(&'static str, Option<Vec<u64>>, Values)>;

fn encoding(kind: &str, version: &str) -> Attributes {
    let text = |text: &str| Values::Texts(vec![text.to_owned()]);
    vec![("encoding-type", None, text(kind)), ("encoding-version", None, text(version))]
}

fn group(kind: &str, version: &str, children: Vec<(String, Node)>) -> Node {
    Node { attributes: encoding(kind, version), content: Content::Group(children) }
}

/// A data frame with an index.
fn frame(columns: Vec<(String, Node)>, index: &[String]) -> Node {
    let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let mut node = group("dataframe", "0.2.0", columns);
    node.attributes.push(("_index", None, Values::Texts(vec!["_index".to_owned()])));
    let shape = Some(vec![names.len() as u64]);
    // anndata writes no names as numbers, since a list of nothing has no type.
    let names = if names.is_empty() { Values::Double(Vec::new()) } else { Values::Texts(names) };
    node.attributes.push(("column-order", shape, names));
    if let Content::Group(children) = &mut node.content {
        children.push(("_index".to_owned(), texts(index)));
    }
    node
}

fn texts(texts: &[String]) -> Node {
    let shape = vec![texts.len() as u64];
    Node {
        attributes: encoding("string-array", "0.2.0"),
        content: Content::Dataset(shape, Values::Texts(texts.to_vec())),
    }
}

fn matrix(rows: usize, columns: usize, numbers: Vec<f32>) -> Node {
    let shape = vec![rows as u64, columns as u64];
    Node { attributes: encoding("array", "0.2.0"), content: Content::Dataset(shape, Values::Single(numbers)) }
}

/// Labels as categories and the number of each; −1 for an empty one.
fn categorical(labels: &[String], by_number: bool) -> Node {
    let distinct: BTreeSet<&String> = labels.iter().filter(|label| !label.is_empty()).collect();
    let mut categories: Vec<String> = distinct.into_iter().cloned().collect();
    if by_number {
        categories.sort_by_key(|label| label.parse::<u64>().unwrap_or(u64::MAX));
    }
    let places: std::collections::HashMap<&String, i32> =
        categories.iter().enumerate().map(|(at, label)| (label, at as i32)).collect();
    let codes = labels.iter().map(|label| places.get(label).copied().unwrap_or(-1)).collect();
    let codes = Node {
        attributes: encoding("array", "0.2.0"),
        content: Content::Dataset(vec![labels.len() as u64], Values::Whole(codes)),
    };
    let children = vec![("categories".to_owned(), texts(&categories)), ("codes".to_owned(), codes)];
    let mut node = group("categorical", "0.2.0", children);
    node.attributes.push(("ordered", None, Values::Truth(false)));
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What anndata reads again; `tests/goldens/read_h5ad.py` holds the file of this test against it.
    #[test]
    fn a_small_clustering_is_the_file_that_anndata_has_read() {
        let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let clustering = Clustering {
            ids: text(&["GLI1", "PTCH1", "Ä-gene"]),
            subjects: text(&["GLI1", "PTCH1", "X"]),
            vectors: vec![0.5, -1.0, 2.0, 3.0, 4.0, 5.0],
            dimensions: 2,
            coordinates: vec![[1.0, 2.0], [3.0, 4.0], [5.0, 6.5]],
            clusters: vec![0, 10, 2],
            labels: vec![
                ("kind/of gene".to_owned(), text(&["protein-coding", "", "pseudogene"])),
                ("leiden".to_owned(), text(&["a", "b", "a"])),
            ],
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.h5ad");
        write(&path, &clustering).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/small.h5ad");
        if std::env::var_os("GENEVERSE_GOLDENS").is_some() {
            std::fs::write(&golden, &bytes).unwrap();
        }
        assert!(std::fs::read(golden).unwrap() == bytes, "not the bytes that anndata has read");
        let empty = Clustering {
            ids: Vec::new(),
            subjects: Vec::new(),
            vectors: Vec::new(),
            dimensions: 0,
            coordinates: Vec::new(),
            clusters: Vec::new(),
            labels: Vec::new(),
        };
        write(&path, &empty).unwrap();
    }
}
