//! Near-duplicates among many texts: MinHash and banding find candidates, the exact Jaccard index decides.
//!
//! The least of all numbers that a hash function gives the shingles of a text is the same for two texts with a
//! probability that equals their Jaccard index (Broder 1997). `HASHES` functions make a signature. It is cut into
//! bands of `ROWS` numbers; two texts that agree in a whole band are compared. With Jaccard index s that happens
//! with probability 1 − (1 − s^ROWS)^BANDS: 0.9997 at [`NEAR`], 0.996 at 0.5, 0.29 at 0.2, so hardly a pair is missed and
//! few are compared in vain. Texts that are equal are one before it begins, so that two thousand copies cost what
//! one does. Everything is a function of the texts: seeds and the number of threads do not matter.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::content::Content;

/// Texts whose shingles have at least this Jaccard index are near-duplicates. RefSeq's summaries of paralogues that
/// were written from one mould lie above it, those of relatives described each on its own below.
pub const NEAR: f64 = 0.6;
/// Numbers of a band.
const ROWS: usize = 3;
/// Bands of a signature.
const BANDS: usize = 43;
/// Numbers of a signature.
pub const HASHES: usize = ROWS * BANDS;

/// A text's content with the bands of its signature.
#[derive(Debug, Clone)]
pub struct Sketch {
    /// What is compared.
    pub content: Content,
    bands: [u64; BANDS],
}

impl From<Content> for Sketch {
    fn from(content: Content) -> Self {
        let bands = bands(&signature(&content));
        Self { content, bands }
    }
}

/// Sketches of texts, ready to be searched for near-duplicates.
#[derive(Debug)]
pub struct NearIndex<'a> {
    sketches: Vec<&'a Sketch>,
    /// For each band, its hash → the texts that have it, ascending.
    bands: Vec<HashMap<u64, Vec<u32>>>,
}

impl<'a> NearIndex<'a> {
    /// Indexes texts; they are known by their place from here on.
    pub fn new(sketches: Vec<&'a Sketch>) -> Self {
        let fill = |band: usize| {
            let mut places: HashMap<u64, Vec<u32>> = HashMap::new();
            for (place, sketch) in sketches.iter().enumerate() {
                places.entry(sketch.bands[band]).or_default().push(place as u32);
            }
            places
        };
        let bands = (0..BANDS).into_par_iter().map(fill).collect();
        Self { sketches, bands }
    }

    /// The text most like this one, and how alike they are; `None` below `least`. Of equals the first.
    pub fn nearest(&self, sketch: &Sketch, least: f64) -> Option<(usize, f64)> {
        let mut candidates: Vec<u32> = Vec::new();
        for (band, key) in sketch.bands.iter().enumerate() {
            candidates.extend(self.bands[band].get(key).into_iter().flatten());
        }
        candidates.sort_unstable();
        candidates.dedup();
        let measured = candidates.into_iter().map(|place| {
            let place = place as usize;
            (place, self.sketches[place].content.jaccard(&sketch.content))
        });
        let best = measured.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.filter(|(_, alike)| *alike >= least)
    }

    /// Joins the near-duplicates among the texts in `sets`, in which text `i` is element `elements[i]`.
    pub fn join(&self, sets: &mut Sets, elements: &[usize], least: f64) {
        for (place, sketch) in self.sketches.iter().enumerate() {
            for (band, key) in sketch.bands.iter().enumerate() {
                let Some(others) = self.bands[band].get(key) else { continue };
                for &other in others.iter().take_while(|&&other| (other as usize) < place) {
                    let (a, b) = (elements[place], elements[other as usize]);
                    // What is joined already need not be compared: a band of a thousand copies costs a thousand
                    // comparisons, not half a million.
                    if sets.root(a) != sets.root(b)
                        && sketch.content.jaccard(&self.sketches[other as usize].content) >= least
                    {
                        sets.join(a, b);
                    }
                }
            }
        }
    }
}

/// For each function, the least number that it gives a shingle.
fn signature(content: &Content) -> [u64; HASHES] {
    let mut least = [u64::MAX; HASHES];
    for &shingle in &content.shingles {
        // Multiply-shift by odd constants: the shingles are hashes themselves, well spread.
        let mut factor: u64 = 0x9e37_79b9_7f4a_7c15;
        for slot in &mut least {
            factor = factor.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(2);
            let number = (shingle ^ (factor >> 7)).wrapping_mul(factor | 1);
            *slot = (*slot).min(number ^ (number >> 32));
        }
    }
    least
}

fn bands(signature: &[u64; HASHES]) -> [u64; BANDS] {
    let mut keys = [0; BANDS];
    for (key, band) in keys.iter_mut().zip(signature.chunks_exact(ROWS)) {
        *key = band.iter().fold(0_u64, |state, number| {
            (state ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
        });
    }
    keys
}

/// Disjoint sets of the elements 0, 1, …: union by the smaller element, so that a set is named by its least.
#[derive(Debug, Clone)]
pub struct Sets {
    parent: Vec<usize>,
}

impl Sets {
    /// Each element alone.
    pub fn new(elements: usize) -> Self {
        Self { parent: (0..elements).collect() }
    }

    /// The least element of the set that `element` is in.
    pub fn root(&mut self, mut element: usize) -> usize {
        while self.parent[element] != element {
            self.parent[element] = self.parent[self.parent[element]];
            element = self.parent[element];
        }
        element
    }

    /// Makes one set of two.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }

    /// The sets, in the order of their least elements, each ascending.
    pub fn into_lists(mut self) -> Vec<Vec<usize>> {
        let mut lists: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for element in 0..self.parent.len() {
            lists.entry(self.root(element)).or_default().push(element);
        }
        lists.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Shingles spread as hashes are.
    fn content(shingles: impl IntoIterator<Item = u64>) -> Content {
        let spread = |n: u64| crate::seeded::mix(n, "shingle");
        let mut shingles: Vec<u64> = shingles.into_iter().map(spread).collect();
        shingles.sort_unstable();
        Content { whole: shingles.iter().fold(0, |a, b| a ^ b), shingles }
    }

    proptest! {
        #[test]
        fn signatures_agree_as_often_as_shingles_do(shared in 0u64..120, alone in 1u64..60, seed in 0u64..1_000_000) {
            let start = seed * 1000;
            let one = content((0..shared).chain(200..200 + alone).map(|n| start + n));
            let two = content((0..shared).chain(400..400 + alone).map(|n| start + n));
            let exact = one.jaccard(&two);
            prop_assert_eq!(exact, shared as f64 / (shared + 2 * alone) as f64);
            let (a, b) = (signature(&one), signature(&two));
            let equal = a.iter().zip(&b).filter(|(x, y)| x == y).count();
            let estimate = equal as f64 / HASHES as f64;
            // Five standard deviations of a mean of 129 draws, at most 0.22.
            let deviation = (exact * (1.0 - exact) / HASHES as f64).sqrt();
            prop_assert!((estimate - exact).abs() <= 5.0 * deviation + 0.01, "{} for {}", estimate, exact);
        }
    }

    #[test]
    fn pairs_above_the_threshold_are_found_and_those_below_are_not_joined() {
        // 300 families of three: two alike at 80/100, and a third at 40/120 that only looks a little like them.
        let mut texts = Vec::new();
        for family in 0..300_u64 {
            let start = family * 10_000;
            texts.push(Sketch::from(content(start..start + 90)));
            texts.push(Sketch::from(content(start + 10..start + 100)));
            texts.push(Sketch::from(content(start + 60..start + 140)));
        }
        let index = NearIndex::new(texts.iter().collect());
        let mut sets = Sets::new(texts.len());
        let elements: Vec<usize> = (0..texts.len()).collect();
        index.join(&mut sets, &elements, NEAR);
        let lists = sets.into_lists();
        assert_eq!(lists.len(), 600);
        assert!(lists.iter().all(|list| list.len() == 1 || list[1] == list[0] + 1));
        assert_eq!(index.nearest(&texts[4], NEAR), Some((4, 1.0)), "itself");
        assert_eq!(index.nearest(&Sketch::from(content(0..200)), NEAR), None, "half of it is not enough");
    }
}
