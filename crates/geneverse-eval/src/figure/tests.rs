//! Every plot, on numbers that are made up: no text lies on another or outside, and the same input gives the same bytes.
//!
//! With `GENEVERSE_FIGURES=FOLDER` the pictures are written there, to be looked at.

use geneverse_data::gene::GoId;

use super::axis::Kind;
use super::bars::{Bars, grouped};
use super::lines::{Losses, Reading, Series, losses, sweep};
use super::scatter::{Scatter, scatter};
use super::scene::{Anchor, Item, Text};
use super::table::{Cell, ScoreTable, scores};
use super::*;
use crate::enrich::TestedTerm;
use crate::enrich::clusters::ClusterTerms;

/// Numbers from 0 to 1 that look random.
fn noise(seed: u64) -> f64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

const NAMES: [&str; 8] = [
    "DNA-binding transcription factor activity, RNA polymerase II-specific",
    "G protein-coupled receptor signaling pathway",
    "sensory perception of smell",
    "extracellular matrix organization",
    "positive regulation of canonical NF-kappaB signal transduction",
    "proton transmembrane transport",
    "cytosolic ribosome",
    "cell",
];

fn term(seed: u64, namespace: &str) -> TestedTerm {
    let log10_p = -60.0 * noise(seed) * noise(seed + 1) - 3.0;
    TestedTerm {
        term: GoId((seed % 40) as u32),
        name: NAMES[(seed % 8) as usize].to_owned(),
        namespace: namespace.to_owned(),
        enrichment: 'e',
        study_count: (3.0 + 300.0 * noise(seed + 2)) as u32,
        study_size: 500,
        population_count: 600,
        population_size: 15_000,
        fold: 1.0 + 10.0 * noise(seed + 3),
        p: 10_f64.powf(log10_p),
        log10_p,
        p_bonferroni: 0.0,
        p_holm: 0.0,
        p_fdr_bh: 0.0,
        log10_corrected: log10_p + 2.0,
        depth: 4,
        genes: Vec::new(),
    }
}

fn clusters() -> Vec<ClusterTerms> {
    let of = |cluster: u64| {
        let namespaces = ["BP", "MF", "CC"];
        let count = if cluster == 4 { 0 } else { 10 };
        let mut top: Vec<TestedTerm> =
            (0..count).map(|at| term(cluster * 3 + at, namespaces[(at % 3) as usize])).collect();
        top.sort_by(|a, b| a.log10_p.total_cmp(&b.log10_p));
        ClusterTerms {
            cluster: cluster.to_string(),
            size: 1500 - 100 * cluster as usize,
            enriched: top.len(),
            tested: top.clone(),
            top,
        }
    };
    (0..10).map(of).collect()
}

fn points(count: usize, groups: usize, name: impl Fn(usize) -> String) -> Figure {
    let at = |seed: usize| {
        let group = (noise(seed as u64 * 7) * noise(seed as u64 * 11) * groups as f64) as usize;
        let (x, y) = (noise(group as u64 * 3), noise(group as u64 * 5 + 1));
        let blur = |turn: u64| (0..4).map(|k| noise(seed as u64 * 13 + turn * 4 + k)).sum::<f64>() - 2.0;
        (group, [(20.0 * x + blur(0)) as f32, (14.0 * y + blur(1)) as f32])
    };
    let ids: Vec<String> = (0..count).map(|seed| format!("G{seed}")).collect();
    let places: Vec<[f32; 2]> = (0..count).map(|seed| at(seed).1).collect();
    let groups: Vec<String> =
        (0..count).map(|seed| if seed % 17 == 0 { String::new() } else { name(at(seed).0) }).collect();
    let words = vec![("3".to_owned(), "sensory perception of smell, and more of it".to_owned())];
    let (title, axes, group) = ("Summaries of human genes", "UMAP", "cluster");
    scatter(&Scatter { title, axes, group, ids: &ids, places: &places, groups: &groups, words: &words })
}

fn all() -> Vec<(&'static str, Figure)> {
    let clusters = clusters();
    let run = |seed: u64, length: u64| Losses {
        name: format!("run {seed}"),
        train: (1..=length)
            .map(|step| {
                let fall = 1.2 + 4.0 / (1.0 + step as f64 / 40.0);
                (step as f64, fall + 0.4 * noise(step + seed * 1000) + 0.1 * seed as f64)
            })
            .collect(),
        validation: (1..=8)
            .map(|at| {
                let step = (length * at / 8) as f64;
                (step, 1.5 + 4.0 / (1.0 + step / 40.0) + 0.1 * seed as f64)
            })
            .collect(),
    };
    let series = |name: &str, seed: u64, settings: &[f64]| Series {
        name: name.to_owned(),
        readings: settings
            .iter()
            .enumerate()
            .map(|(at, x)| {
                let y = 0.35 + 0.06 * at as f64 - 0.008 * (at * at) as f64 + 0.05 * noise(seed + at as u64);
                Reading { x: *x, y, interval: Some((y - 0.03, y + 0.035)) }
            })
            .collect(),
    };
    let cell =
        |value: f64, wide: bool| Some(Cell { value, interval: wide.then_some((value - 0.04, value + 0.05)) });
    let table = |wide: bool| {
        ScoreTable {
        title: "Genes held out (n = 20)".to_owned(),
        rows_are: "Model".to_owned(),
        columns: ["Factual", "Structural", "Average", "BLEU", "ROUGE-1"].map(str::to_owned).to_vec(),
        rows: [("base", 0.1), ("finetuned", 0.53), ("finetuned + repaired", 0.61)]
            .into_iter()
            .enumerate()
            .map(|(at, (name, value))| {
                let last = if at == 0 { None } else { cell(value * 0.9, wide) };
                let cells = vec![cell(value, wide), cell(0.7, wide), cell(value + 0.1, wide), cell(0.2 + value / 4.0, wide), last];
                (name.to_owned(), cells)
            })
            .collect(),
        note: "All from 0 to 1, higher is better; the best of a column is bold. Below each value its 95 % interval \
            from 1,000 bootstrap samples of the questions."
            .to_owned(),
    }
    };
    let models = ["base", "finetuned", "finetuned + repaired"];
    let bars: Vec<Bars> = models
        .iter()
        .enumerate()
        .map(|(at, name)| Bars {
            name: (*name).to_owned(),
            values: (0..5)
                .map(|group| {
                    let value = 0.1 + 0.25 * at as f64 + 0.1 * noise(group + 5);
                    let interval = Some((value - 0.05, value + 0.06));
                    (at != 1 || group != 2).then_some(Cell { value, interval })
                })
                .collect(),
        })
        .collect();
    let metrics = ["Factual", "Structural", "Average", "BLEU", "ROUGE-1"].map(str::to_owned);
    let sweeps = [8.0, 16.0, 32.0, 64.0, 128.0];
    vec![
        ("scatter", points(3000, 12, |group| group.to_string())),
        ("scatter-many", points(20_000, 40, |group| group.to_string())),
        ("scatter-labels", points(900, 8, |group| NAMES[group].to_owned())),
        ("bars", terms::bars("Terms of the study", &clusters[0].top, "Benjamini-Hochberg", 0.05)),
        ("bars-none", terms::bars("Terms of the study", &[], "Holm", 0.05)),
        (
            "panels",
            terms::panels("Top terms of the ten largest clusters", &clusters, "Benjamini-Hochberg", 0.05),
        ),
        (
            "dots",
            terms::dots("Top terms of the ten largest clusters", &clusters, 3, "Benjamini-Hochberg", 0.05),
        ),
        ("losses", losses("Finetuning", &[run(0, 600)])),
        ("losses-runs", losses("Finetuning", &[run(0, 600), run(1, 600), run(2, 500)])),
        (
            "sweep",
            sweep(
                "Score against the adapter's rank",
                "rank",
                "average score",
                Kind::Log,
                &[series("finetuned", 1, &sweeps), series("finetuned + repaired", 50, &sweeps)],
            ),
        ),
        (
            "sweep-rate",
            sweep(
                "Score against the learning rate",
                "learning rate",
                "average score",
                Kind::Log,
                &[series("LoRA", 9, &[1e-5, 3e-5, 1e-4, 3e-4, 1e-3])],
            ),
        ),
        ("grouped", grouped("Scores of three models", "score", &metrics, &bars)),
        ("table", scores(&table(true))),
        ("table-plain", scores(&table(false))),
    ]
}

/// The box that a text fills: left, top, right, bottom.
fn box_of(text: &Text) -> (f64, f64, f64, f64) {
    let before = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => text.width() / 2.0,
        Anchor::End => text.width(),
    };
    let (along, up, down) = ((-before, text.width() - before), 0.72 * text.size, 0.1 * text.size);
    let (x, y) = text.at;
    if text.turned {
        (x - up, y - along.1, x + down, y - along.0)
    } else {
        (x + along.0, y - up, x + along.1, y + down)
    }
}

#[test]
fn no_text_lies_on_another_or_outside() {
    for (name, figure) in all() {
        let texts: Vec<&Text> = figure
            .scene
            .items
            .iter()
            .filter_map(|item| if let Item::Text(text) = item { Some(text) } else { None })
            .filter(|text| !text.text.is_empty())
            .collect();
        for (at, text) in texts.iter().enumerate() {
            let (left, top, right, bottom) = box_of(text);
            let inside =
                left >= 0.0 && top >= 0.0 && right <= figure.scene.width && bottom <= figure.scene.height;
            assert!(inside, "{name}: {:?} of {} × {}", text, figure.scene.width, figure.scene.height);
            for other in &texts[at + 1..] {
                let (l, t, r, b) = box_of(other);
                let apart = right <= l || r <= left || bottom <= t || b <= top;
                assert!(apart, "{name}: {:?} lies on {:?}", text.text, other.text);
            }
        }
    }
}

#[test]
fn the_same_numbers_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for ((name, first), (_, second)) in all().into_iter().zip(all()) {
        let paths = first.write(folder.path(), name).unwrap();
        let bytes = paths.clone().map(|path| std::fs::read(path).unwrap());
        second.write(folder.path(), name).unwrap();
        assert!(paths.map(|path| std::fs::read(path).unwrap()) == bytes, "{name}");
        let [svg, png, csv] = bytes;
        assert!(svg.len() < 2_000_000, "{name}: {} bytes of SVG", svg.len());
        assert!(png.starts_with(b"\x89PNG") && csv.contains(&b'\n'), "{name}");
        if let Some(out) = std::env::var_os("GENEVERSE_FIGURES") {
            first.write(Path::new(&out), name).unwrap();
        }
    }
}

#[test]
fn svg_keeps_text_and_few_points_and_makes_a_picture_of_many() {
    let few = points(500, 5, |group| format!("<{group}> & \"more\"")).svg().unwrap();
    assert!(few.contains("&lt;1&gt; &amp; &quot;more&quot;") && few.contains("<circle"), "forms and text");
    assert!(!few.contains("<image"));
    let many = points(VECTOR_POINTS + 800, 5, |group| group.to_string()).svg().unwrap();
    assert_eq!(many.matches("<image").count(), 1);
    assert!(many.matches("<circle").count() < 20, "the key alone");
}

#[test]
fn nothing_and_odd_numbers_are_drawn_without_a_panic() {
    let empty =
        Scatter { title: "", axes: "UMAP", group: "cluster", ids: &[], places: &[], groups: &[], words: &[] };
    let (ids, groups) = (["a".to_owned(), "b".to_owned()], [String::new(), "1".to_owned()]);
    let odd = Scatter { ids: &ids, places: &[[f32::NAN, 1.0], [2.0, 2.0]], groups: &groups, ..empty };
    let nan = Losses { name: "x".to_owned(), train: vec![(1.0, f64::NAN), (2.0, 3.0)], validation: vec![] };
    let lone =
        Series { name: "y".to_owned(), readings: vec![Reading { x: 0.0, y: f64::INFINITY, interval: None }] };
    let bars = [Bars {
        name: "z".to_owned(),
        values: vec![Some(Cell { value: f64::NAN, interval: Some((0.0, 9.0)) })],
    }];
    let figures = [
        scatter(&empty),
        scatter(&odd),
        terms::panels("", &[], "Holm", 0.05),
        terms::dots("", &[], 3, "Holm", 0.05),
        losses("", &[]),
        losses("", &[nan]),
        sweep("", "x", "y", Kind::Log, &[lone]),
        grouped("", "", &[], &[]),
        grouped("", "", &["a".to_owned()], &bars),
    ];
    for figure in figures {
        assert!(!figure.svg().unwrap().contains("NaN"), "{}", figure.svg().unwrap());
        figure.png().unwrap();
    }
}
