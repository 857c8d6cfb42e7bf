//! Every vector compared with every other, a block against a block.
//!
//! A block's products come from one multiplication of matrices in f32. A candidate has to beat the worst of the best so
//! far, which few do, so that most of the time goes into the products. Some more than are wanted are kept, since two
//! distances that differ in the last digits can change places by rounding, and the exact distances decide among them.

use rayon::prelude::*;

use super::{Neighbors, Prepared};
use crate::product::{View, multiply};

/// Vectors of a block whose neighbours are looked for together.
const ROWS: usize = 256;
/// Vectors that these are compared with at once.
const COLUMNS: usize = 1024;
/// Blocks after which it is said how far it is.
const SLAB: usize = 16;
/// Candidates beyond those wanted.
const SURPLUS: usize = 8;

pub(super) fn nearest(
    vectors: &Prepared,
    count: usize,
    after: &mut dyn FnMut(usize) -> bool,
) -> Option<Neighbors> {
    let n = vectors.len();
    let mut places = vec![0; n * count];
    let mut distances = vec![0.0; n * count];
    let slabs = places.chunks_mut(SLAB * ROWS * count).zip(distances.chunks_mut(SLAB * ROWS * count));
    for (slab, (places, distances)) in slabs.enumerate() {
        let blocks = places.par_chunks_mut(ROWS * count).zip(distances.par_chunks_mut(ROWS * count));
        blocks.enumerate().for_each_init(
            || vec![0.0; ROWS * COLUMNS],
            |products, (block, (places, distances))| {
                let first = (slab * SLAB + block) * ROWS;
                let candidates = candidates(vectors, first, places.len() / count, count + SURPLUS, products);
                let rows = places.chunks_mut(count).zip(distances.chunks_mut(count));
                for ((row, best), (places, distances)) in candidates.iter().enumerate().zip(rows) {
                    vectors.finish(first + row, best, places, distances);
                }
            },
        );
        if !after(((slab + 1) * SLAB * ROWS).min(n)) {
            return None;
        }
    }
    Some(Neighbors { count, places, distances })
}

/// The places that may be nearest to each of the vectors `first..first + rows`.
fn candidates(
    vectors: &Prepared,
    first: usize,
    rows: usize,
    wanted: usize,
    products: &mut [f32],
) -> Vec<Vec<u32>> {
    let (n, dimensions) = (vectors.len(), vectors.dimensions);
    let block = View::new(&vectors.values[first * dimensions..(first + rows) * dimensions], rows, dimensions);
    let mut best: Vec<Best> = (0..rows).map(|_| Best::new(wanted)).collect();
    for start in (0..n).step_by(COLUMNS) {
        let columns = COLUMNS.min(n - start);
        let others = &vectors.values[start * dimensions..(start + columns) * dimensions];
        let products = &mut products[..rows * columns];
        multiply(block, View::new(others, columns, dimensions).transposed(), products);
        let halves = &vectors.halves[start..start + columns];
        for (row, (best, products)) in best.iter_mut().zip(products.chunks(columns)).enumerate() {
            best.offer_all(products, halves, start, first + row);
        }
    }
    best.into_iter().map(Best::into_places).collect()
}

/// The best so far. Up to twice as many as wanted are gathered and then cut down, which costs less than a heap.
struct Best {
    wanted: usize,
    /// Half the squared distance without what is the same for all candidates.
    found: Vec<(f32, u32)>,
    /// What a candidate has to be below.
    bar: f32,
}

impl Best {
    fn new(wanted: usize) -> Self {
        Self { wanted, found: Vec::with_capacity(2 * wanted), bar: f32::INFINITY }
    }

    fn offer_all(&mut self, products: &[f32], halves: &[f32], start: usize, own: usize) {
        // Eight at a time: where none is below the bar, which is nearly always, one comparison settles it.
        for (piece, (products, halves)) in products.chunks(8).zip(halves.chunks(8)).enumerate() {
            let mut any = false;
            for (product, half) in products.iter().zip(halves) {
                any |= half - product < self.bar;
            }
            if any {
                for (at, (product, half)) in products.iter().zip(halves).enumerate() {
                    let place = start + piece * 8 + at;
                    if half - product < self.bar && place != own {
                        self.offer(half - product, place as u32);
                    }
                }
            }
        }
    }

    fn offer(&mut self, distance: f32, place: u32) {
        self.found.push((distance, place));
        if self.found.len() == 2 * self.wanted {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.found.len() > self.wanted {
            let order = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            let (_, worst, _) = self.found.select_nth_unstable_by(self.wanted - 1, order);
            self.bar = worst.0;
            self.found.truncate(self.wanted);
        }
    }

    fn into_places(mut self) -> Vec<u32> {
        self.cut();
        self.found.into_iter().map(|(_, place)| place).collect()
    }
}
