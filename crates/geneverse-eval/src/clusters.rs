//! Texts or vectors → neighbours → clusters → a plane: what `analyze clusters` computes.
//!
//! ```text
//! texts ─ TF-IDF ─ truncated SVD ─┐
//!            vectors from a file ─┴► k nearest neighbours ─► fuzzy graph ─┬► Leiden ─► clusters
//!                                                                         └► UMAP ─► coordinates
//! ```

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
