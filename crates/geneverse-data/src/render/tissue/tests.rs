//! Pictures of tissue: what is where, in which colour, and the same bytes on any number of threads.

use proptest::prelude::*;

use super::*;
use crate::tissue::{Expression, UNLABELLED};

/// A square grid of `side` × `side` cells; the left half is of type 0 and has gene 0, the right half has a little of gene 1.
fn halves(side: usize) -> Tissue {
    let mut tissue =
        Tissue { cell_types: vec!["Endothelial".to_owned(), "T cell".to_owned()], ..Tissue::default() };
    let mut genes: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
    for cell in 0..side * side {
        let (x, y) = (cell % side, cell / side);
        let left = x < side / 2;
        tissue.cells.push(cell.to_string());
        tissue.places.push([x as f32 * 10.0, y as f32 * 10.0]);
        tissue.types.push(if left { 0 } else { UNLABELLED });
        genes[usize::from(!left)].push(cell as u32);
    }
    tissue.expression = Expression {
        genes: vec!["KDR".to_owned(), "CD3E".to_owned()],
        starts: vec![0, genes[0].len(), genes[0].len() + genes[1].len()],
        values: genes.concat().iter().enumerate().map(|(at, _)| (at % 7 + 1) as f32).collect(),
        cells: genes.concat(),
    };
    tissue
}

fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
    let at = (y * picture.width + x) * 3;
    [picture.bytes[at], picture.bytes[at + 1], picture.bytes[at + 2]]
}

/// Pixels of a colour, and their mean place.
fn where_is(picture: &Picture, colour: [u8; 3]) -> (usize, [f32; 2]) {
    let (mut count, mut sum) = (0, [0.0, 0.0]);
    for y in 0..picture.height {
        for x in (0..picture.width).filter(|x| pixel(picture, *x, y) == colour) {
            count += 1;
            sum = [sum[0] + x as f32 + 0.5, sum[1] + y as f32 + 0.5];
        }
    }
    (count, sum.map(|s| s / count as f32))
}

#[test]
fn the_cells_of_the_type_are_where_they_lie_in_the_second_panel() {
    let tissue = halves(20);
    let picture = draw(&tissue, 0, 0, &Settings { size: 200, layout: Layout::Panels, dark: false });
    assert_eq!((picture.width, picture.height), (200, 200));
    // Two square sections beside each other: 100 pixels wide each, cells 92/19 pixels apart (with 4 pixels of margin).
    let (count, [x, y]) = where_is(&picture, Ground::LIGHT.chosen);
    assert!(count > 200, "{count}");
    // The middle of the first ten columns of the right panel: 4.5 columns right of its edge.
    let expected = 100.0 + 4.0 + 4.5 * 92.0 / 19.0;
    assert!((x - expected).abs() < 0.5 && (y - 100.0).abs() < 0.5, "{x} {y}");
    // Nobody of that type in the first panel.
    let first = (0..100).flat_map(|x| (0..200).map(move |y| (x, y)));
    assert!(first.into_iter().all(|(x, y)| pixel(&picture, x, y) != Ground::LIGHT.chosen));
}

#[test]
fn expression_is_in_the_first_panel_and_more_of_it_is_darker() {
    let mut tissue = halves(20);
    let settings = Settings { size: 400, layout: Layout::Panels, dark: false };
    let least = Ground::LIGHT.expression(scale(1.0, 7.0_f64.ln_1p()));
    let most = Ground::LIGHT.expression(1.0);
    let picture = draw(&tissue, 0, 0, &settings);
    for colour in [least, most] {
        let (count, [x, _]) = where_is(&picture, colour);
        assert!(count > 100 && x < 100.0, "{colour:?} {count} {x}");
    }
    assert!(most.iter().map(|&c| u32::from(c)).sum::<u32>() < least.iter().map(|&c| u32::from(c)).sum());
    // Values below zero, as in scaled matrices, show nothing.
    tissue.expression.values.fill(-1.0);
    let picture = draw(&tissue, 0, 9, &settings);
    assert!(picture == draw(&tissue, 99, 9, &settings));
}

#[test]
fn the_type_is_in_warm_colours_the_others_in_cold_ones_and_more_is_stronger() {
    for (dark, ground) in [(false, Ground::LIGHT), (true, Ground::DARK)] {
        let settings = Settings { size: 400, layout: Layout::Hues, dark };
        let tissue = halves(20);
        let light = |[r, g, b]: [u8; 3]| 0.21 * f32::from(r) + 0.72 * f32::from(g) + 0.07 * f32::from(b);
        // Gene 0 is in all cells of the type, which lie left, and in no other.
        let picture = draw(&tissue, 0, 0, &settings);
        let least = scale(1.0, 7.0_f64.ln_1p());
        for (colour, left) in [
            (ground.hue(true, Some(least)), true),
            (ground.hue(true, Some(1.0)), true),
            (ground.hue(false, None), false),
        ] {
            let (count, [x, _]) = where_is(&picture, colour);
            assert!(count > 500 && (x < 200.0) == left, "{colour:?} {count} {x}");
        }
        // Gene 1 is in the others only: the type's cells have the colour of cells without it.
        let picture = draw(&tissue, 1, 0, &settings);
        for (colour, left) in [(ground.hue(true, None), true), (ground.hue(false, Some(1.0)), false)] {
            let (count, [x, _]) = where_is(&picture, colour);
            assert!(count > 500 && (x < 200.0) == left, "{colour:?} {count} {x}");
        }
        for chosen in [false, true] {
            let [bare, low, high] =
                [None, Some(0.0), Some(1.0)].map(|level| light(ground.hue(chosen, level)));
            let rises = if dark { bare < low && low < high } else { bare > low && low > high };
            assert!(rises, "{bare} {low} {high}");
            assert!((low - bare).abs() > 10.0 && (high - low).abs() > 80.0, "{bare} {low} {high}");
        }
    }
}

#[test]
fn one_outlier_does_not_take_the_colours_of_the_others() {
    let mut tissue = halves(40);
    tissue.expression.values.fill(3.0);
    let settings = Settings { size: 400, layout: Layout::Panels, dark: false };
    let top = Ground::LIGHT.expression(1.0);
    let (before, _) = where_is(&draw(&tissue, 0, 0, &settings), top);
    tissue.expression.values[5] = 1e6;
    // It is drawn last now, so that the edges that it shares with its neighbours may differ.
    let (after, _) = where_is(&draw(&tissue, 0, 0, &settings), top);
    assert!(before > 1000 && before.abs_diff(after) < 10, "{before} {after}");
}

#[test]
fn cells_with_more_lie_above_cells_with_less_whatever_their_order() {
    let place = vec![[5.0, 5.0]; 3];
    let expression = Expression {
        genes: vec!["A".to_owned()],
        starts: vec![0, 2],
        cells: vec![0, 1],
        values: vec![9.0, 1.0],
    };
    let tissue = Tissue { places: place, types: vec![UNLABELLED; 3], expression, ..Tissue::default() };
    let picture = draw(&tissue, 0, 0, &Settings { size: 64, layout: Layout::Outline, dark: false });
    assert_eq!(pixel(&picture, 32, 32), Ground::LIGHT.expression(1.0));
}

#[test]
fn an_outline_is_a_ring_around_the_cells_own_colour() {
    let tissue = Tissue {
        places: vec![[0.0, 0.0], [100.0, 0.0]],
        types: vec![0, 1],
        expression: Expression {
            genes: vec!["A".to_owned()],
            starts: vec![0, 2],
            cells: vec![0, 1],
            values: vec![4.0, 4.0],
        },
        ..Tissue::default()
    };
    let size = 400;
    let picture = draw(&tissue, 0, 0, &Settings { size, layout: Layout::Outline, dark: true });
    let radius = LARGEST * size as f32;
    let row = size / 2;
    let at = |x: f32| pixel(&picture, x as usize, row);
    assert_eq!(at(8.0), Ground::DARK.expression(1.0));
    assert_eq!(at(8.0 + radius), Ground::DARK.chosen);
    assert_eq!(at(8.0 + 1.6 * radius), Ground::DARK.ground);
    assert_eq!(at(392.0 - radius + 2.0), Ground::DARK.expression(1.0), "the other cell has no ring");
}

#[test]
fn the_section_keeps_its_proportions_and_panels_lie_as_they_fit() {
    for (stretch, stacked) in [([4.0, 1.0], true), ([1.0, 4.0], false)] {
        let mut tissue = halves(16);
        for place in &mut tissue.places {
            *place = [place[0] * stretch[0], place[1] * stretch[1]];
        }
        let canvas = Canvas::new(&tissue, &Settings { layout: Layout::Panels, ..Settings::default() });
        let second = canvas.second.unwrap();
        assert_eq!((second[0] == 0.0, second[1] == 0.0), (stacked, !stacked));
        let [right, down] = [1, 16].map(|cell| {
            let [a, b] = [canvas.places[0], canvas.places[cell]];
            ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt()
        });
        assert!((right / down - stretch[0] / stretch[1]).abs() < 1e-3);
    }
}

#[test]
fn the_same_bytes_whatever_the_threads() {
    let tissue = halves(150);
    let settings = Settings { size: 257, ..Settings::default() };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| draw(&tissue, 1, 0, &settings))
    };
    let one = with(1);
    assert!(one == with(2) && one == with(7));
}

proptest! {
    #[test]
    fn whatever_the_cells_a_picture_is_drawn(
        places in proptest::collection::vec([any::<f32>(), any::<f32>()], 0..30),
        values in proptest::collection::vec(any::<f32>(), 30),
        size in 0_usize..80,
        layout in prop::sample::select(vec![Layout::Panels, Layout::Outline, Layout::Hues]),
    ) {
        let count = places.len();
        let expression = Expression {
            genes: vec!["A".to_owned()],
            starts: vec![0, count],
            cells: (0..count as u32).collect(),
            values: values[..count].to_vec(),
        };
        let tissue = Tissue { places, types: vec![0; count], expression, ..Tissue::default() };
        let picture = draw(&tissue, 0, 0, &Settings { size, layout, dark: false });
        prop_assert_eq!(picture.bytes.len(), size.max(1) * size.max(1) * 3);
    }
}
