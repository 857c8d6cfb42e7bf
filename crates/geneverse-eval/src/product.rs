//! Products of dense matrices, by `gemm`.
//!
//! One thread computes one product; callers cut large ones into pieces of a fixed size, so that the order of sums, and
//! with it every bit of the result, does not depend on how many threads there are.

/// What can be multiplied.
pub(crate) trait Number: Copy + Send + Sync + 'static {
    const ZERO: Self;
    const ONE: Self;
}

impl Number for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
}

impl Number for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
}

/// A dense matrix in memory: where it lies, and how far apart neighbours in a column and in a row are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    down: usize,
    across: usize,
}

impl<'a, T: Number> View<'a, T> {
    /// `rows` × `columns` numbers, row after row.
    pub(crate) fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix of {rows} × {columns}");
        Self { values, rows, columns, down: columns, across: 1 }
    }

    /// The same numbers with rows for columns.
    pub(crate) fn transposed(self) -> Self {
        let Self { values, rows, columns, down, across } = self;
        Self { values, rows: columns, columns: rows, down: across, across: down }
    }
}

/// Writes the product of two matrices, row after row, over `out`.
pub(crate) fn multiply<T: Number>(left: View<'_, T>, right: View<'_, T>, out: &mut [T]) {
    assert_eq!(left.columns, right.rows, "inner dimensions");
    assert_eq!(out.len(), left.rows * right.columns, "a result of {} × {}", left.rows, right.columns);
    if out.is_empty() || left.columns == 0 {
        out.fill(T::ZERO);
        return;
    }
    // SAFETY: `View::new` checked that both factors have rows × columns numbers at their strides, turning one round
    // keeps that, and the result's length was checked above; `out` is borrowed alone. `Number` is f32 or f64, which
    // gemm knows.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            out.as_mut_ptr(),
            1,
            right.columns as isize,
            false,
            left.values.as_ptr(),
            left.across as isize,
            left.down as isize,
            right.values.as_ptr(),
            right.across as isize,
            right.down as isize,
            T::ZERO,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_multiplied_as_they_are_turned() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // (2, 3)
        let b = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]; // (3, 2)
        let mut out = [0.0; 4];
        multiply(View::new(&a, 2, 3), View::new(&b, 3, 2), &mut out);
        assert_eq!(out, [4.0, 5.0, 10.0, 11.0]);
        // aᵀ aᵀᵀ is (3, 3).
        let mut square = [0.0; 9];
        multiply(View::new(&a, 2, 3).transposed(), View::new(&a, 2, 3), &mut square);
        assert_eq!(square, [17.0, 22.0, 27.0, 22.0, 29.0, 36.0, 27.0, 36.0, 45.0]);
        multiply(View::<f64>::new(&[], 2, 0), View::new(&[], 0, 2), &mut out);
        assert_eq!(out, [0.0; 4]);
    }
}
