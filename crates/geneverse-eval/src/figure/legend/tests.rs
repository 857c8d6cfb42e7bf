//! Legends: the picture above them untouched, the colours of the bar those of the cells, nothing outside.

use geneverse_data::render::tissue::{Canvas, Settings};
use geneverse_data::tissue::{Expression, Tissue};
use proptest::prelude::*;

use super::*;

/// A square of 400 cells, of which the left half has the gene: 1, 2, … up to `most`.
fn tissue(most: usize, gene: &str, cell_type: &str) -> Tissue {
    let cells: Vec<u32> = (0..400).filter(|cell| cell % 20 < 10).collect();
    Tissue {
        cells: (0..400).map(|cell| cell.to_string()).collect(),
        places: (0..400).map(|cell| [(cell % 20) as f32, (cell / 20) as f32]).collect(),
        types: (0..400).map(|cell| u32::from(cell < 100)).collect(),
        cell_types: vec!["other".to_owned(), cell_type.to_owned()],
        expression: Expression {
            genes: vec![gene.to_owned()],
            starts: vec![0, cells.len()],
            values: (0..cells.len()).map(|at| (at % most.max(1) + 1) as f32).collect(),
            cells,
        },
    }
}

fn drawn(tissue: &Tissue, settings: &Settings) -> (Picture, Picture) {
    let canvas = Canvas::new(tissue, settings);
    let bare = canvas.draw(tissue, 0, 1);
    (bare.clone(), below(bare, &canvas.legend(tissue, 0, 1)))
}

fn texts(tissue: &Tissue, settings: &Settings) -> Vec<String> {
    let legend = Canvas::new(tissue, settings).legend(tissue, 0, 1);
    let scale = (settings.size as f64 / SIDE).max(1.0);
    let mut strip = Strip { scene: Scene::new(settings.size as f64, HEIGHT, ""), scale, legend: &legend };
    strip.draw();
    let text = |item: &super::super::scene::Item| match item {
        super::super::scene::Item::Text(text) => Some(text.text.clone()),
        _ => None,
    };
    strip.scene.items.iter().filter_map(text).collect()
}

#[test]
fn the_picture_stays_and_the_strip_has_its_colours() {
    let tissue = tissue(12, "KDR", "Endothelial");
    for (layout, dark, size) in [
        (Layout::Panels, false, 336),
        (Layout::Outline, true, 512),
        (Layout::Panels, true, 120),
        (Layout::Hues, false, 336),
    ] {
        let settings = Settings { size, layout, dark };
        let (bare, with) = drawn(&tissue, &settings);
        assert_eq!((with.width, with.channels), (bare.width, bare.channels));
        assert_eq!(with.height, size + (HEIGHT * (size as f64 / SIDE).max(1.0)).round() as usize);
        assert_eq!(with.bytes[..bare.bytes.len()], bare.bytes[..], "the picture is not touched");
        assert_eq!(with.bytes.len(), with.width * with.height * 3);
        let strip = &with.bytes[bare.bytes.len()..];
        let has = |colour: [u8; 3]| strip.chunks_exact(3).filter(|pixel| *pixel == colour).count();
        let legend = Canvas::new(&tissue, &settings).legend(&tissue, 0, 1);
        // The colours of a cell with the most, of one without, and of the type's cells.
        for (shade, least) in legend.colours(12.0).into_iter().map(|shade| (shade, 3)).chain(
            legend.bare().into_iter().chain([legend.chosen(), legend.others()]).map(|shade| (shade, 20)),
        ) {
            assert!(has(shade) > least, "{layout:?}: {shade:?} {}", has(shade));
        }
        assert!(has(legend.ground()) > strip.len() / 3 / 2);
    }
}

#[test]
fn it_says_gene_unit_values_type_and_counts() {
    let shown = texts(&tissue(12, "KDR", "Endothelial"), &Settings::default());
    let expected = [
        "KDR",
        "counts per cell",
        "0",
        "12",
        "5",
        "2",
        "1",
        "Endothelial",
        "other cells",
        "100 of 400 cells",
    ];
    assert_eq!(shown, expected);
    // What was reckoned from counts is not called counts; the scale ends at the 99th percentile, which is told.
    let mut some = tissue(150, "KDR", "T");
    some.expression.values.iter_mut().for_each(|value| *value /= 40.0);
    let shown = texts(&some, &Settings::default());
    assert!(shown.contains(&"expression".to_owned()) && shown.contains(&"≥3.7".to_owned()), "{shown:?}");
    some.expression.values.fill(0.0);
    assert!(texts(&some, &Settings::default()).contains(&"in no cell".to_owned()));
}

#[test]
fn values_are_written_short() {
    let written = [0.02, 0.256, 3.0, 12.4, 1500.0, 2.5e6, 3.14e-5].map(number);
    assert_eq!(written, ["0.02", "0.26", "3", "12", "1500", "2500000", "3.1×10⁻⁵"]);
}

#[test]
fn the_same_bytes_whatever_the_threads() {
    let tissue = tissue(30, "KDR", "Endothelial");
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| drawn(&tissue, &Settings::default()).1)
    };
    let one = with(1);
    assert!(one == with(2) && one == with(5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_names_and_sizes(
        gene in "\\PC{0,40}",
        cell_type in "\\PC{0,80}",
        size in 1_usize..500,
        most in 1_usize..100_000,
        layout in prop::sample::select(vec![Layout::Panels, Layout::Outline, Layout::Hues]),
    ) {
        let tissue = tissue(most, &gene, &cell_type);
        let (bare, with) = drawn(&tissue, &Settings { size, layout, dark: false });
        prop_assert_eq!(with.bytes.len(), with.width * with.height * 3);
        prop_assert!(with.height > bare.height && with.bytes.starts_with(&bare.bytes));
    }
}
