//! Where tokens stand, for a decoder whose tokens have three coordinates: time, row and column (Qwen2-VL's M-RoPE).
//!
//! A word stands at the same number on all three, one further than what is before it. The tokens of a picture stand at one
//! time, in their rows and columns, and what follows begins after the longer of its sides.

use crate::arch::projector::PICTURE;
use crate::config::ModelConfig;
use crate::config::qwen::Grid;

/// Time, row, column.
pub(crate) type Place = [u32; 3];

/// The places of a sequence's tokens, and the place of the token that would follow; `None` for a decoder whose tokens are
/// only counted.
pub(crate) fn places(ids: &[u32], config: &ModelConfig) -> Option<(Vec<Place>, u32)> {
    let grids: &[Grid] = &config.vision.as_ref()?.any_size.as_ref()?.grids;
    let mut places = Vec::with_capacity(ids.len());
    // Where the next word would stand, and where the picture began whose tokens are being placed.
    let (mut next, mut begun) = (0, 0);
    let mut picture: Option<&Grid> = None;
    for id in ids {
        let row = id.checked_sub(PICTURE).map(|row| row as usize);
        let grid = row.and_then(|row| {
            let before = grids.partition_point(|grid| grid.first <= row);
            grids[..before].last().map(|grid| (grid, row - grid.first))
        });
        let Some((grid, token)) = grid else {
            picture = None;
            places.push([next; 3]);
            next += 1;
            continue;
        };
        if token == 0 || picture != Some(grid) {
            (picture, begun) = (Some(grid), next);
            next += grid.down.max(grid.across) as u32;
        }
        places.push([begun, begun + (token / grid.across) as u32, begun + (token % grid.across) as u32]);
    }
    Some((places, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_takes_as_much_room_as_its_longer_side() {
        let mut config = crate::config::ModelConfig::read(std::path::Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/goldens/qwen2_5_vl"
        )))
        .unwrap();
        let any = config.vision.as_mut().unwrap().any_size.as_mut().unwrap();
        any.grids = vec![Grid { first: 0, down: 1, across: 3 }, Grid { first: 3, down: 2, across: 2 }].into();
        let row = |row: u32| PICTURE + row;
        let ids = [7, row(3), row(4), row(5), row(6), 8, row(0), row(1), row(2), 9];
        let (found, next) = places(&ids, &config).unwrap();
        let wanted = [
            [0, 0, 0],
            [1, 1, 1],
            [1, 1, 2],
            [1, 2, 1],
            [1, 2, 2],
            [3, 3, 3],
            [4, 4, 4],
            [4, 4, 5],
            [4, 4, 6],
            [7, 7, 7],
        ];
        assert_eq!((found.as_slice(), next), (wanted.as_slice(), 8));
        let text = crate::config::ModelConfig { vision: None, ..config };
        assert_eq!(places(&ids, &text), None);
    }
}
