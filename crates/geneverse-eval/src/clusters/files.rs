//! What a clustering is written to.
//!
//! | file | holds |
//! |---|---|
//! | `clusters.csv` | id, cluster |
//! | `umap.csv` | id, x, y, cluster, and a column for each labelling |
//! | `embedding.npy`, `embedding.npy.ids.txt` | the vectors that were clustered, and their ids |
//! | `metrics.json` | [`Metrics`] |

use std::io::Write;
use std::path::Path;

use geneverse_data::stage::{FileError, atomic_write, write_json};

use super::{Clustering, Metrics};
use crate::embedding::{Embedding, write_npy};

/// Writes the files of a clustering into a folder.
pub fn write(folder: &Path, clustering: &Clustering, metrics: &Metrics) -> Result<(), FileError> {
    let Clustering { ids, clusters, coordinates, labels, vectors, dimensions, .. } = clustering;
    atomic_write(&folder.join("clusters.csv"), |out| {
        writeln!(out, "id,cluster")?;
        ids.iter().zip(clusters).try_for_each(|(id, cluster)| writeln!(out, "{},{cluster}", field(id)))
    })?;
    atomic_write(&folder.join("umap.csv"), |out| {
        write!(out, "id,x,y,cluster")?;
        labels.iter().try_for_each(|(name, _)| write!(out, ",{}", field(name)))?;
        writeln!(out)?;
        for (item, id) in ids.iter().enumerate() {
            let [x, y] = coordinates[item];
            write!(out, "{},{x},{y},{}", field(id), clusters[item])?;
            labels.iter().try_for_each(|(_, labels)| write!(out, ",{}", field(&labels[item])))?;
            writeln!(out)?;
        }
        Ok(())
    })?;
    let embedding = Embedding { ids: ids.clone(), vectors: vectors.clone(), dimensions: *dimensions };
    write_npy(&folder.join("embedding.npy"), &embedding)?;
    write_json(&folder.join("metrics.json"), metrics)
}

/// A field of a CSV file (RFC 4180): quoted where it has to be.
fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
