//! Enriched terms: bars of one study, panels of bars for several clusters, and dots for clusters side by side.
//!
//! A bar's length is −log₁₀ of the corrected p; its hatching and colour say the ontology, its number the genes. A dot's size
//! is the number of genes, its darkness −log₁₀ of the corrected p.

use std::fmt::Write;

use super::axis::{Axis, Frame, TICK_SIZE, nice_step, number};
use super::font::{self, Point};
use super::palette::{Colour, GRID, Hatch, INK, SOFT, Shape, category, sequential};
use super::scene::{Anchor, MarkStyle, Scene, Text};
use super::{Figure, csv, heading};
use crate::enrich::TestedTerm;
use crate::enrich::clusters::ClusterTerms;

/// A row's height in a plot of bars or dots.
const ROW: f64 = 22.0;
/// Where names of terms end.
const NAMES: f64 = 330.0;

/// Hatching and colour of an ontology.
fn look(namespace: &str) -> (Colour, Hatch) {
    match namespace {
        "BP" => (category(0), Hatch::Plain),
        "MF" => (category(1), Hatch::Rising),
        "CC" => (category(2), Hatch::Level),
        _ => (category(6), Hatch::Crossed),
    }
}

const NAMESPACES: [(&str, &str); 3] =
    [("BP", "biological process"), ("MF", "molecular function"), ("CC", "cellular component")];

/// The key of hatchings, in a row.
fn key(scene: &mut Scene, (left, y): Point) {
    let mut x = left;
    for (namespace, name) in NAMESPACES {
        let (colour, hatch) = look(namespace);
        scene.hatched((x, y - 10.0, 20.0, 12.0), colour, hatch);
        scene.text(Text::new((x + 26.0, y), name, TICK_SIZE));
        x += 26.0 + font::width(name, TICK_SIZE, false) + 18.0;
    }
}

/// −log₁₀ of the corrected p.
fn strength(term: &TestedTerm) -> f64 {
    (-term.log10_corrected).max(0.0)
}

/// Bars within a frame, best on top, with the line where p is `alpha`.
fn bars_in(scene: &mut Scene, frame: Frame, terms: &[TestedTerm], axis: &Axis, alpha: f64, title: &str) {
    frame.horizontal(scene, axis, title, true);
    for (at, term) in terms.iter().enumerate() {
        let y = frame.top + ROW * at as f64;
        let end = axis.place(strength(term), frame.left, frame.right);
        let (colour, hatch) = look(&term.namespace);
        scene.hatched((frame.left, y + 4.0, (end - frame.left).max(0.5), ROW - 8.0), colour, hatch);
        let name = font::shorten(&term.name, TICK_SIZE, false, NAMES - 16.0);
        scene.text(Text::new((frame.left - 8.0, y + ROW / 2.0 + 4.2), name, TICK_SIZE).anchor(Anchor::End));
        let genes = Text::new((end + 5.0, y + ROW / 2.0 + 4.2), term.study_count.to_string(), TICK_SIZE);
        scene.text(Text { halo: true, ..genes.colour(SOFT) });
    }
    let threshold = axis.place(-alpha.log10(), frame.left, frame.right);
    if threshold > frame.left && threshold < frame.right {
        scene.dashed(&[(threshold, frame.top), (threshold, frame.bottom)], INK, 1.0, &[4.0, 3.0]);
    }
    scene.line(&[(frame.left, frame.top), (frame.left, frame.bottom)], INK, 1.0);
}

/// What the horizontal axis is.
fn axis_title(correction: &str) -> String {
    format!("−log₁₀ p ({correction}); number: genes; dashed: threshold")
}

/// Bars of a study's terms, in the order given.
pub fn bars(title: &str, terms: &[TestedTerm], correction: &str, alpha: f64) -> Figure {
    let mut scene = Scene::new(800.0, 0.0, title);
    let top = heading(&mut scene, 20.0, title);
    key(&mut scene, (NAMES, top + 10.0));
    let top = top + 26.0;
    let frame = Frame { left: NAMES, top, right: 740.0, bottom: top + ROW * terms.len().max(1) as f64 };
    let axis = Axis::linear(terms.iter().map(strength).chain([0.0, 2.0]), 6.0);
    bars_in(&mut scene, frame, terms, &axis, alpha, &axis_title(correction));
    if terms.is_empty() {
        let words =
            Text::new((frame.left + 12.0, frame.top + 15.0), "no term passes the threshold", TICK_SIZE);
        scene.text(words.colour(SOFT));
    }
    scene.height = frame.bottom + 52.0;
    Figure { scene, data: table(&[("", terms)]) }
}

/// One panel of bars per cluster, two beside each other.
pub fn panels(title: &str, clusters: &[ClusterTerms], correction: &str, alpha: f64) -> Figure {
    const PANEL: f64 = 700.0;
    let mut scene = Scene::new(if clusters.len() > 1 { 2.0 * PANEL } else { PANEL }, 0.0, title);
    let top = heading(&mut scene, 20.0, title);
    key(&mut scene, (20.0, top + 10.0));
    let rows = clusters.iter().map(|cluster| cluster.top.len()).max().unwrap_or_default().max(1) as f64;
    let height = 34.0 + ROW * rows + 56.0;
    for (at, cluster) in clusters.iter().enumerate() {
        let (left, top) = (PANEL * (at % 2) as f64, top + 30.0 + height * (at / 2) as f64);
        let of = format!("Cluster {} ({} genes)", cluster.cluster, super::axis::count(cluster.size));
        scene.text(Text::new((left + 20.0, top + 18.0), of, 13.0).bold());
        let top = top + 30.0;
        let count = cluster.top.len().max(1) as f64;
        let frame = Frame { left: left + NAMES, top, right: left + PANEL - 46.0, bottom: top + ROW * count };
        let axis = Axis::linear(cluster.top.iter().map(strength).chain([0.0, 2.0]), 5.0);
        bars_in(&mut scene, frame, &cluster.top, &axis, alpha, &axis_title(correction));
        if cluster.top.is_empty() {
            let words =
                Text::new((frame.left + 12.0, frame.top + 15.0), "no term passes the threshold", TICK_SIZE);
            scene.text(words.colour(SOFT));
        }
    }
    scene.height = top + 30.0 + height * clusters.len().div_ceil(2).max(1) as f64;
    let named: Vec<(&str, &[TestedTerm])> =
        clusters.iter().map(|cluster| (cluster.cluster.as_str(), cluster.top.as_slice())).collect();
    Figure { scene, data: table(&named) }
}

/// A dot for every cluster and term: the first `each` terms of each cluster, where clusters share them once.
pub fn dots<'a>(
    title: &str,
    clusters: &'a [ClusterTerms],
    each: usize,
    correction: &str,
    alpha: f64,
) -> Figure {
    let mut chosen: Vec<&'a TestedTerm> = Vec::new();
    for term in clusters.iter().flat_map(|cluster| cluster.top.iter().take(each)) {
        if !chosen.iter().any(|other| other.term == term.term) {
            chosen.push(term);
        }
    }
    // What a cluster has of each chosen term, where it has significantly more.
    let of = |cluster: &'a ClusterTerms, term: &TestedTerm| {
        cluster.tested.iter().find(|tested| tested.term == term.term && tested.is_enriched(alpha))
    };
    let cells: Vec<Vec<Option<&TestedTerm>>> =
        chosen.iter().map(|term| clusters.iter().map(|cluster| of(cluster, term)).collect()).collect();
    let drawn = || cells.iter().flatten().flatten();
    let most_genes = drawn().map(|term| term.study_count).max().unwrap_or(1).max(1);
    // One cluster that is all ribosomes would leave the others pale: the ninth tenth is as dark as it gets.
    let mut strengths: Vec<f64> = drawn().map(|term| strength(term)).collect();
    strengths.sort_by(f64::total_cmp);
    let strongest = strengths.get(strengths.len() * 9 / 10).copied().unwrap_or(2.0).max(2.0);
    let step = nice_step(strongest, 4.0);
    let strongest = (strongest / step).ceil() * step;
    let cell = 40.0;
    let left = NAMES + 60.0;
    let (names_room, legend) = (left - 30.0, 150.0);
    let mut scene = Scene::new(left + cell * clusters.len().max(1) as f64 + legend + 30.0, 0.0, title);
    let top = heading(&mut scene, 20.0, title) + 24.0;
    let frame = Frame {
        left,
        top,
        right: left + cell * clusters.len().max(1) as f64,
        bottom: top + ROW * chosen.len().max(1) as f64 + 6.0,
    };
    let radius = |genes: u32| 2.0 + 7.5 * (f64::from(genes) / f64::from(most_genes)).sqrt();
    let dot = |genes: u32, strength: f64| MarkStyle {
        shape: Shape::Circle,
        colour: sequential(strength / strongest),
        radius: radius(genes),
        opacity: 1.0,
        edge: Some(SOFT),
    };
    for (column, cluster) in clusters.iter().enumerate() {
        let x = frame.left + cell * (column as f64 + 0.5);
        scene.line(&[(x, frame.top), (x, frame.bottom)], GRID, 1.0);
        let name = font::shorten(&cluster.cluster, TICK_SIZE, true, cell - 4.0);
        scene.text(Text::new((x, frame.bottom + 18.0), name, TICK_SIZE).bold().anchor(Anchor::Middle));
        let genes = Text::new((x, frame.bottom + 33.0), super::axis::count(cluster.size), 10.5);
        scene.text(genes.colour(SOFT).anchor(Anchor::Middle));
    }
    for (row, (term, cells)) in chosen.iter().zip(&cells).enumerate() {
        let y = frame.top + 3.0 + ROW * (row as f64 + 0.5);
        scene.line(&[(frame.left, y), (frame.right, y)], GRID, 1.0);
        let name = font::shorten(&term.name, TICK_SIZE, false, names_room - 26.0);
        scene.text(Text::new((frame.left - 34.0, y + 4.2), name, TICK_SIZE).anchor(Anchor::End));
        let space = Text::new((frame.left - 8.0, y + 4.2), &term.namespace, 10.5).colour(SOFT);
        scene.text(space.anchor(Anchor::End));
        for (column, tested) in cells.iter().enumerate() {
            if let Some(tested) = tested {
                let x = frame.left + cell * (column as f64 + 0.5);
                scene.mark((x, y), dot(tested.study_count, strength(tested)));
            }
        }
    }
    scene.line(&[(frame.left, frame.top), (frame.left, frame.bottom), (frame.right, frame.bottom)], INK, 1.0);
    let title =
        Text::new((frame.left.midpoint(frame.right), frame.bottom + 54.0), "cluster, and its genes", 13.0);
    scene.text(title.colour(SOFT).anchor(Anchor::Middle));
    let x = frame.right + 30.0;
    let bottom = dot_key(&mut scene, (x, frame.top + 8.0), most_genes, strongest, step, correction, &dot);
    scene.height = (frame.bottom + 68.0).max(bottom + 16.0);
    Figure { scene, data: dot_table(clusters, &chosen, &cells) }
}

/// The key of sizes and of darkness; where it ends.
fn dot_key(
    scene: &mut Scene,
    (x, top): Point,
    most_genes: u32,
    strongest: f64,
    step: f64,
    correction: &str,
    dot: &dyn Fn(u32, f64) -> MarkStyle,
) -> f64 {
    scene.text(Text::new((x, top), "Genes", TICK_SIZE).bold());
    let mut y = top + 22.0;
    let unit = nice_step(f64::from(most_genes), 4.0).max(1.0) as u32;
    let mut sizes = vec![unit, (most_genes / unit / 2).max(1) * unit, (most_genes / unit).max(1) * unit];
    sizes.dedup();
    for genes in sizes {
        scene.mark((x + 10.0, y - 4.0), MarkStyle { colour: SOFT, edge: None, ..dot(genes, 0.0) });
        scene.text(Text::new((x + 28.0, y), genes.to_string(), TICK_SIZE));
        y += 22.0;
    }
    y += 14.0;
    scene.text(Text::new((x, y), "−log₁₀ p", TICK_SIZE).bold());
    y += 15.0;
    for line in font::wrap(correction, 10.5, false, 130.0, 2) {
        scene.text(Text::new((x, y), line, 10.5).colour(SOFT));
        y += 14.0;
    }
    const LENGTH: f64 = 110.0;
    let steps = 40;
    for at in 0..steps {
        let part = f64::from(at) / f64::from(steps);
        let height = LENGTH / f64::from(steps);
        let place = (x, y + LENGTH - LENGTH * part - height, 16.0, height + 0.4);
        scene.rectangle(place, sequential(part + 0.5 / f64::from(steps)));
    }
    let ticks = (strongest / step).round() as u32;
    for at in 0..=ticks {
        let value = f64::from(at) * step;
        let place = y + LENGTH * (1.0 - value / strongest);
        scene.line(&[(x + 16.0, place), (x + 20.0, place)], INK, 1.0);
        let more = if at == ticks { "≥ " } else { "" };
        let label = format!("{more}{}", number(value, step));
        scene.text(Text::new((x + 24.0, place + 4.2), label, TICK_SIZE));
    }
    y + LENGTH + 8.0
}

fn table(studies: &[(&str, &[TestedTerm])]) -> String {
    let mut data = "cluster,term,name,namespace,genes,fold,log10_p,log10_p_corrected\n".to_owned();
    for (study, terms) in studies {
        for term in *terms {
            data.push_str(&table_row(study, term));
        }
    }
    data
}

fn table_row(study: &str, term: &TestedTerm) -> String {
    let TestedTerm { term: id, name, namespace, study_count, fold, log10_p, log10_corrected, .. } = term;
    let mut row = String::new();
    let _ = writeln!(
        row,
        "{},{id},{},{namespace},{study_count},{fold:.4},{log10_p:.6},{log10_corrected:.6}",
        csv::field(study),
        csv::field(name)
    );
    row
}

fn dot_table(
    clusters: &[ClusterTerms],
    chosen: &[&TestedTerm],
    cells: &[Vec<Option<&TestedTerm>>],
) -> String {
    let mut data = table(&[]);
    for (_, row) in chosen.iter().zip(cells) {
        for (cluster, term) in clusters.iter().zip(row) {
            if let Some(term) = term {
                data.push_str(&table_row(&cluster.cluster, term));
            }
        }
    }
    data
}
