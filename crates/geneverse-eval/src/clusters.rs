//! Texts or vectors → neighbours → clusters → a plane: what `analyze clusters` computes.
//!
//! ```text
//! texts ─ TF-IDF ─ truncated SVD ─┐
//!            vectors from a file ─┴► k nearest neighbours ─► fuzzy graph ─┬► Leiden ─► clusters
//!                                                                         └► UMAP ─► coordinates
//! ```
//!
//! This is scanpy's way: the graph of UMAP's memberships is what Leiden divides. Clusters are compared with labels known
//! beforehand by normalised mutual information (NMI).

mod files;
mod labels;

use std::time::Instant;

use geneverse_data::progress::Progress;
use geneverse_data::stage::FileError;
use geneverse_data::store::StoreError;
use geneverse_data::texts::Text;
use serde::{Deserialize, Serialize};

pub use files::write;
pub use labels::{Labelling, from_file, from_records, slim};

use crate::agreement::{Average, normalized_mutual_information};
use crate::embedding::Embedding;
use crate::leiden::{Graph, Leiden, modularity};
use crate::neighbors::{EXACT_UP_TO, Method, Metric, Vectors, nearest_watched};
use crate::svd::{Effort, truncated};
use crate::umap::{Umap, fuzzy};
use crate::vectorize::{Limit, Words, tf_idf};

/// Why nothing was clustered.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is too little to cluster.
    #[error("found {found} {what}, expected at least {least}")]
    Few {
        /// How many there are.
        found: usize,
        /// Of what.
        what: &'static str,
        /// How many it takes.
        least: usize,
    },
    /// Texts without words in common.
    #[error(
        "found no word that is in two of the {0} texts, expected texts in English that have words in common"
    )]
    Words(usize),
}

/// Items with their place in the plane, their cluster, and what is known of them.
///
/// All lists are in the same order and of the same length.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering {
    /// The items, each under its id.
    pub ids: Vec<String>,
    /// What each item is about, mostly a gene's symbol; often the id itself.
    pub subjects: Vec<String>,
    /// The vectors that were clustered: an item's `dimensions` numbers, one item after the other.
    pub vectors: Vec<f32>,
    /// Numbers of a vector.
    pub dimensions: usize,
    /// UMAP coordinates: x, y.
    pub coordinates: Vec<[f32; 2]>,
    /// The cluster of each item. Cluster 0 is the largest; of equals the one whose first item comes first.
    pub clusters: Vec<u32>,
    /// Labellings known beforehand, each with its name ("kind", "group") and a label an item; empty where there is none.
    pub labels: Vec<(String, Vec<String>)>,
}

/// How neighbours, clusters and places are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// An item's nearest, itself among them, as umap-learn and scanpy count.
    pub neighbors: usize,
    /// What far means.
    pub metric: Metric,
    /// How neighbours are found.
    pub method: Method,
    /// Clusters.
    pub leiden: Leiden,
    /// Places.
    pub umap: Umap,
}

/// What came out, in numbers: `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Items.
    pub items: usize,
    /// Texts without a word that counts; all are alike.
    pub without_words: usize,
    /// Different words, where texts were clustered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<usize>,
    /// Numbers of a vector.
    pub dimensions: usize,
    /// Neighbours of an item, itself among them.
    pub neighbors: usize,
    /// Whether every pair was compared.
    pub exact_neighbors: bool,
    /// Edges of the fuzzy graph.
    pub edges: usize,
    /// Parts of it that hang together.
    pub components: usize,
    /// Clusters.
    pub clusters: usize,
    /// Items of each cluster.
    pub cluster_sizes: Vec<usize>,
    /// Modularity of the clusters on the fuzzy graph, at resolution 1.
    pub modularity: f64,
    /// Agreement with each labelling.
    pub labels: Vec<Agreement>,
}

/// How much clusters and labels say of each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The labelling.
    pub name: String,
    /// Items that have a label: only these are compared.
    pub items: usize,
    /// Different labels.
    pub labels: usize,
    /// Normalised mutual information, by the mean of the two entropies; 0 to 1.
    pub nmi: f64,
}

/// Seconds of each step.
pub type Seconds = Vec<(&'static str, f64)>;

/// Items as vectors, ready to be clustered.
#[derive(Debug, Clone, PartialEq)]
pub struct Items {
    /// Vectors under their ids.
    pub embedding: Embedding,
    /// What each is about.
    pub subjects: Vec<String>,
    /// Texts without a word that counts.
    pub without_words: usize,
    /// Different words.
    pub words: Option<usize>,
}

impl From<Embedding> for Items {
    fn from(embedding: Embedding) -> Self {
        Self { subjects: embedding.ids.clone(), embedding, without_words: 0, words: None }
    }
}

/// Fewer items have nothing to be divided.
const LEAST_ITEMS: usize = 3;

/// Texts as vectors of at most `dimensions` numbers: TF-IDF without stop words, with logarithmic counts, of the words that
/// are in two texts or more, and its largest singular directions.
pub fn embed(texts: Vec<Text>, dimensions: usize, seed: u64) -> Result<Items, ClusterError> {
    let words =
        Words { sublinear: true, without_stop_words: true, least: Limit::Texts(2), most: Limit::Share(1.0) };
    let bodies: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
    let counted = tf_idf(&bodies, words);
    let width = counted.matrix.width();
    if width == 0 {
        return Err(ClusterError::Words(texts.len()));
    }
    let without_words = (0..texts.len()).filter(|text| counted.matrix.row(*text).next().is_none()).count();
    let svd = truncated(&counted.matrix, dimensions, Effort { seed, ..Effort::default() });
    let vectors = svd.scores().into_iter().map(|x| x as f32).collect();
    let (ids, subjects) = texts.into_iter().map(|text| (text.id, text.subject)).unzip();
    let embedding = Embedding { ids, vectors, dimensions: svd.values.len() };
    Ok(Items { embedding, subjects, without_words, words: Some(width) })
}

/// Finds neighbours, clusters and places; `None` where `stop` said so.
///
/// Labels are compared with the clusters and handed on.
pub fn cluster(
    items: Items,
    labels: Vec<Labelling>,
    settings: &Settings,
    progress: &dyn Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<(Clustering, Metrics, Seconds)>, ClusterError> {
    let Settings { neighbors: count, metric, method, leiden, umap } = *settings;
    let Items { embedding, subjects, without_words, words } = items;
    let Embedding { ids, vectors, dimensions } = embedding;
    if ids.len() < LEAST_ITEMS {
        return Err(ClusterError::Few { found: ids.len(), what: "items to cluster", least: LEAST_ITEMS });
    }
    let view = Vectors::new(&vectors, dimensions);
    let mut seconds: Seconds = Vec::new();
    let mut begun = Instant::now();
    let mut lap = |step: &'static str, seconds: &mut Seconds| {
        seconds.push((step, begun.elapsed().as_secs_f64()));
        begun = Instant::now();
    };

    progress.start("neighbours", Some(ids.len() as u64), "items");
    let exact_neighbors = method == Method::Exact || method == Method::Auto && ids.len() <= EXACT_UP_TO;
    let others = count.saturating_sub(1);
    let neighbors = nearest_watched(view, others, metric, method, umap.seed, &mut |done| {
        progress.set(done as u64);
        !stop()
    });
    let Some(neighbors) = neighbors else { return Ok(None) };
    lap("neighbors", &mut seconds);
    progress.start("clusters", None, "edges");
    let fuzzy = fuzzy::graph(&neighbors);
    let graph = Graph::of_matrix(&fuzzy);
    progress.set(graph.edge_count() as u64);
    lap("graph", &mut seconds);
    let Some(clusters) = leiden.communities_unless(&graph, stop) else { return Ok(None) };
    lap("leiden", &mut seconds);
    progress.start("places in the plane", Some(umap.epochs(ids.len()) as u64), "epochs");
    let places = umap.places(&fuzzy, view, |epoch| {
        progress.set(epoch as u64);
        !stop()
    });
    lap("umap", &mut seconds);
    progress.finish();
    let Some(coordinates) = places else { return Ok(None) };

    let labels: Vec<(String, Vec<String>)> =
        labels.into_iter().map(|labelling| labelling.of(&ids, &subjects)).collect();
    let sizes = sizes(&clusters);
    let metrics = Metrics {
        items: ids.len(),
        without_words,
        words,
        dimensions,
        neighbors: neighbors.count + 1,
        exact_neighbors,
        edges: graph.edge_count(),
        components: graph.components(),
        clusters: sizes.len(),
        cluster_sizes: sizes,
        modularity: modularity(&graph, &clusters, 1.0),
        labels: labels.iter().map(|(name, labels)| agreement(name, labels, &clusters)).collect(),
    };
    let clustering = Clustering { ids, subjects, vectors, dimensions, coordinates, clusters, labels };
    Ok(Some((clustering, metrics, seconds)))
}

fn sizes(clusters: &[u32]) -> Vec<usize> {
    let mut sizes = vec![0; clusters.iter().max().map_or(0, |most| *most as usize + 1)];
    clusters.iter().for_each(|cluster| sizes[*cluster as usize] += 1);
    sizes
}

/// Clusters beside labels, over the items that have one.
fn agreement(name: &str, labels: &[String], clusters: &[u32]) -> Agreement {
    let (labels, clusters): (Vec<&str>, Vec<u32>) = labels
        .iter()
        .zip(clusters)
        .filter(|(label, _)| !label.is_empty())
        .map(|(label, cluster)| (label.as_str(), *cluster))
        .unzip();
    let mut different = labels.clone();
    different.sort_unstable();
    different.dedup();
    // Lists of one length; no item says nothing.
    let nmi = match labels.is_empty() {
        true => 0.0,
        false => normalized_mutual_information(&labels, &clusters, Average::Arithmetic).unwrap_or(0.0),
    };
    Agreement { name: name.to_owned(), items: labels.len(), labels: different.len(), nmi }
}

#[cfg(test)]
mod tests;
