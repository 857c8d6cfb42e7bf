//! Vectors in a plane, neighbours kept together: UMAP.
//!
//! McInnes, Healy and Melville: "UMAP: Uniform manifold approximation and projection for dimension reduction", 2018
//! (arXiv 1802.03426), with the choices of umap-learn 0.5:
//!
//! 1. distances to the nearest neighbours become memberships between 0 and 1, and the two directions of each pair one
//!    (`fuzzy.rs`);
//! 2. `min_dist` and `spread` give the curve 1/(1 + a d^2b) that distances in the plane are read by (`curve.rs`);
//! 3. the graph's first eigenvectors say where everything is at first (`spectral.rs`, `start.rs`);
//! 4. members pull and random others push, with a step that falls to nothing (`layout.rs`).
//!
//! Where umap-learn moves one point at a time, in one thread or in several that overwrite each other, here points move in
//! blocks: those of a block see the others as they were before. So any number of threads gives the same bytes.

pub mod curve;
pub mod fuzzy;
mod layout;
mod spectral;
mod start;

use crate::neighbors::Vectors;
use crate::sparse::Sparse;

/// Up to so many points there are [`EPOCHS_OF_FEW`] epochs, beyond [`EPOCHS_OF_MANY`], as in umap-learn.
const FEW: usize = 10_000;
const EPOCHS_OF_FEW: usize = 500;
const EPOCHS_OF_MANY: usize = 200;

/// How the plane is filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Umap {
    /// How close points may lie.
    pub min_dist: f64,
    /// How far apart what is clustered lies, in the unit of `min_dist`.
    pub spread: f64,
    /// How often every point is moved; by default 500 times, above 10,000 points 200 times.
    pub epochs: Option<usize>,
    /// Chooses the first vectors of the eigenvectors, and who pushes.
    pub seed: u64,
}

impl Default for Umap {
    fn default() -> Self {
        Self { min_dist: 0.1, spread: 1.0, epochs: None, seed: 0 }
    }
}

impl Umap {
    /// How often `points` points are moved.
    pub fn epochs(&self, points: usize) -> usize {
        self.epochs.unwrap_or(if points <= FEW { EPOCHS_OF_FEW } else { EPOCHS_OF_MANY })
    }

    /// A place in the plane for each node of a fuzzy graph, whose vectors say how its parts that do not hang together
    /// lie to each other.
    ///
    /// `after` is told after each epoch how many are done, and ends the work by returning false: then there is no result.
    pub fn places(
        &self,
        graph: &Sparse,
        vectors: Vectors<'_>,
        mut after: impl FnMut(usize) -> bool,
    ) -> Option<Vec<[f32; 2]>> {
        let epochs = self.epochs(graph.height());
        let start = start::start(graph, vectors, self.seed);
        let (a, b) = curve::fit(self.spread, self.min_dist);
        let layout = layout::Layout { a: a as f32, b: b as f32, epochs, seed: self.seed };
        layout.run(graph, start, &mut after)
    }
}

#[cfg(test)]
mod tests;
