//! Sparse matrices, row by row (CSR): the numbers that are not zero, each with its column.

use rayon::prelude::*;

/// A sparse matrix of `f64`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sparse {
    /// Row `i` holds entries `starts[i]..starts[i + 1]`.
    pub(crate) starts: Vec<usize>,
    /// The column of each entry, ascending within a row.
    pub(crate) columns: Vec<u32>,
    /// The value of each entry.
    pub(crate) values: Vec<f64>,
    /// How many columns there are, empty ones among them.
    width: usize,
}

impl Sparse {
    /// A matrix of `width` columns from rows of (column, value) pairs; columns ascend and lie below `width`.
    pub fn from_rows(width: usize, rows: &[Vec<(u32, f64)>]) -> Self {
        let entries = rows.iter().map(Vec::len).sum();
        let mut starts = Vec::with_capacity(rows.len() + 1);
        let (mut columns, mut values) = (Vec::with_capacity(entries), Vec::with_capacity(entries));
        starts.push(0);
        for row in rows {
            columns.extend(row.iter().map(|(column, _)| *column));
            values.extend(row.iter().map(|(_, value)| *value));
            starts.push(columns.len());
        }
        Self { starts, columns, values, width }
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.starts.len() - 1
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Entries that are stored.
    pub fn entries(&self) -> usize {
        self.values.len()
    }

    /// The entries of a row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (u32, f64)> + '_ {
        let range = self.starts[row]..self.starts[row + 1];
        self.columns[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }

    /// The transposed matrix; each of its rows is again in ascending order.
    pub fn transposed(&self) -> Self {
        let mut starts = vec![0; self.width + 1];
        for column in &self.columns {
            starts[*column as usize + 1] += 1;
        }
        for place in 1..starts.len() {
            starts[place] += starts[place - 1];
        }
        let mut next = starts.clone();
        let (mut columns, mut values) = (vec![0; self.entries()], vec![0.0; self.entries()]);
        for row in 0..self.height() {
            for (column, value) in self.row(row) {
                let place = &mut next[column as usize];
                (columns[*place], values[*place]) = (row as u32, value);
                *place += 1;
            }
        }
        Self { starts, columns, values, width: self.height() }
    }

    /// This matrix times a dense one of `count` columns, row after row: (height, count).
    ///
    /// Each row is summed by one thread in the order of its entries, so that the result does not depend on how many
    /// threads there are.
    pub fn times(&self, dense: &[f64], count: usize) -> Vec<f64> {
        debug_assert_eq!(dense.len(), self.width * count);
        let mut product = vec![0.0; self.height() * count];
        if count == 0 {
            return product;
        }
        product.par_chunks_mut(count).with_min_len(64).enumerate().for_each(|(row, sums)| {
            for (column, value) in self.row(row) {
                let start = column as usize * count;
                for (sum, x) in sums.iter_mut().zip(&dense[start..start + count]) {
                    *sum += value * x;
                }
            }
        });
        product
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_transposes_agree_with_the_definition() {
        // [1 0 2]
        // [0 0 0]
        // [0 3 4]
        let matrix = Sparse::from_rows(3, &[vec![(0, 1.0), (2, 2.0)], vec![], vec![(1, 3.0), (2, 4.0)]]);
        assert_eq!(matrix.times(&[1.0, 10.0, 2.0, 20.0, 3.0, 30.0], 2), [7.0, 70.0, 0.0, 0.0, 18.0, 180.0]);
        let turned = matrix.transposed();
        assert_eq!(turned.times(&[1.0, 10.0, 100.0], 1), [1.0, 300.0, 402.0]);
        assert_eq!(turned.transposed(), matrix);
    }
}
