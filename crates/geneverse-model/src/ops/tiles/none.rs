//! In the place of tiles where there are none.

use super::{Matrix, Threads, With};

/// That there are none.
pub(super) fn permitted() -> bool {
    false
}

/// Never called: [`super::worthwhile`] says no.
///
/// # Safety
/// None is asked for.
pub(crate) unsafe fn products(_: (usize, usize), _: Matrix<'_>, _: &[With<'_>], _: Threads) {
    unreachable!("products by tiles on a machine without them");
}
