//! Which triangle is nearest at each point of a regular grid.
//!
//! Edges that triangles share are crossed at the same place for both, from the same end, so there are no cracks and no
//! doubly drawn samples. Of equally near triangles the first stays.

/// No triangle.
pub(crate) const NONE: u32 = u32::MAX;

/// A corner of a triangle on the grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Corner {
    /// Columns from the left.
    pub x: f32,
    /// Rows from the top.
    pub y: f32,
    /// Above 0, the larger the nearer; linear on the grid.
    pub near: f32,
}

/// A band of rows of the grid.
pub(crate) struct Samples {
    width: usize,
    rows: usize,
    /// The band's first row.
    pub top: usize,
    nearness: Vec<f32>,
    owner: Vec<u32>,
}

/// The triangles whose corners go counter-clockwise on the grid, in their order, by the bands of `height` rows that
/// they touch.
pub(crate) fn bands(
    triangles: &[[u32; 3]],
    corners: &[Corner],
    height: usize,
    count: usize,
) -> Vec<Vec<u32>> {
    let mut bands = vec![Vec::new(); count];
    for (number, triangle) in triangles.iter().enumerate() {
        let [a, b, c] = triangle.map(|i| corners[i as usize]);
        // Rows go down, so counter-clockwise is negative. What is not a number is not drawn.
        let looks_here = doubled_area(a, b, c) < 0.0;
        if !looks_here {
            continue;
        }
        let (low, high) = (a.y.min(b.y).min(c.y), a.y.max(b.y).max(c.y));
        if high < 0.0 {
            continue;
        }
        let (from, to) = (low.max(0.0) as usize / height, high as usize / height);
        for band in bands.iter_mut().take(to + 1).skip(from) {
            band.push(number as u32);
        }
    }
    bands
}

/// Twice the area between three corners, below 0 where they go counter-clockwise.
pub(crate) fn doubled_area(a: Corner, b: Corner, c: Corner) -> f32 {
    (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
}

impl Samples {
    pub(crate) fn new(width: usize, rows: usize) -> Self {
        Self { width, rows, top: 0, nearness: vec![0.0; width * rows], owner: vec![NONE; width * rows] }
    }

    /// Empties the band and puts it at row `top`.
    pub(crate) fn clear(&mut self, top: usize) {
        self.top = top;
        self.nearness.fill(0.0);
        self.owner.fill(NONE);
    }

    /// How near the nearest triangle is, 0 where there is none; row by row.
    pub(crate) fn nearness(&self) -> &[f32] {
        &self.nearness
    }

    /// The nearest triangles at `count` columns of a row of the band.
    pub(crate) fn owners(&self, row: usize, column: usize, count: usize) -> &[u32] {
        let start = row * self.width + column;
        &self.owner[start..start + count]
    }

    /// Marks the samples at which a triangle is nearest.
    pub(crate) fn mark(&mut self, triangle: u32, [a, b, c]: [Corner; 3]) {
        let edges = [(a, b), (b, c), (c, a)].map(|(p, q)| {
            let (p, q) = if (p.y, p.x) <= (q.y, q.x) { (p, q) } else { (q, p) };
            (p, q, (q.x - p.x) / (q.y - p.y))
        });
        let (low, high) = (a.y.min(b.y).min(c.y), a.y.max(b.y).max(c.y));
        let first = first_sample(low).max(self.top);
        let end = first_sample(high).min(self.top + self.rows);
        let area = doubled_area(a, b, c);
        let (ab, ac) = (b.near - a.near, c.near - a.near);
        let right = (ab * (c.y - a.y) - ac * (b.y - a.y)) / area;
        let down = (ac * (b.x - a.x) - ab * (c.x - a.x)) / area;
        for y in first..end {
            let middle = y as f32 + 0.5;
            let (mut from, mut to) = (f32::INFINITY, f32::NEG_INFINITY);
            for (p, q, slope) in &edges {
                if p.y <= middle && middle < q.y {
                    let x = p.x + (middle - p.y) * slope;
                    (from, to) = (from.min(x), to.max(x));
                }
            }
            let (from, to) = (first_sample(from), first_sample(to).min(self.width));
            if from >= to {
                continue;
            }
            let row = (y - self.top) * self.width;
            let base = a.near + (middle - a.y) * down;
            let nearest = &mut self.nearness[row + from..row + to];
            let owner = &mut self.owner[row + from..row + to];
            for (i, (nearest, owner)) in nearest.iter_mut().zip(owner).enumerate() {
                let near = base + ((from + i) as f32 + 0.5 - a.x) * right;
                if near > *nearest {
                    *nearest = near;
                    *owner = triangle;
                }
            }
        }
    }
}

/// The first sample, of those at the middles of their cells, that does not lie before `x`.
fn first_sample(x: f32) -> usize {
    // A cast takes what is negative to 0; `ceil` would be a call where the processor's level is not known.
    let place = x - 0.5;
    let whole = place as usize;
    whole.saturating_add(usize::from(place > whole as f32))
}
