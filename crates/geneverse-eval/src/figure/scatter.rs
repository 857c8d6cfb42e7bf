//! Points in a plane, by cluster or by label, each group numbered where its middle is.
//!
//! Coordinates of UMAP have no unit and no zero, so there are no ticks: two short arrows name the axes. Groups are drawn in a
//! mixed order, so that none lies over another because it comes later, and what belongs to no group comes first, pale.

use std::fmt::Write;

use geneverse_data::draw::mix;

use super::axis::count;
use super::font::{self, Point};
use super::palette::{PALE, SOFT, Shape, category};
use super::scene::{Anchor, MarkStyle, Scene, Text};
use super::{Figure, csv, heading};

/// Groups that are told apart; the smaller ones are drawn together.
const GROUPS: usize = 20;
/// Groups whose names stand in the plot.
const NAMED: usize = 60;
/// The plot's side.
const SIDE: f64 = 560.0;
/// The width of the names beside it.
const LEGEND: f64 = 250.0;

/// Points to draw.
#[derive(Debug, Clone, Copy)]
pub struct Scatter<'a> {
    /// The title.
    pub title: &'a str,
    /// What the axes are: "UMAP".
    pub axes: &'a str,
    /// What a group is: "cluster", "kind".
    pub group: &'a str,
    /// Names of the points, for the table.
    pub ids: &'a [String],
    /// Places.
    pub places: &'a [[f32; 2]],
    /// The group of each point; empty for none.
    pub groups: &'a [String],
    /// Words on a group, beside its name: group and words.
    pub words: &'a [(String, String)],
}

/// The figure. Lists of different lengths are cut to the shortest, and places that are not finite are left out.
pub fn scatter(input: &Scatter<'_>) -> Figure {
    let points: Vec<(usize, Point)> = input
        .places
        .iter()
        .take(input.ids.len().min(input.groups.len()))
        .enumerate()
        .filter(|(_, [x, y])| x.is_finite() && y.is_finite())
        .map(|(at, [x, y])| (at, (f64::from(*x), f64::from(*y))))
        .collect();
    let groups = count_groups(&points, input.groups);
    let shown = groups.len().min(GROUPS);
    let number = |at: usize| groups[..shown].iter().position(|(name, _)| *name == input.groups[at]);
    let mut scene = Scene::new(SIDE + LEGEND + 60.0, SIDE + 90.0, input.title);
    let top = heading(&mut scene, 20.0, input.title) + 8.0;
    let (left, bottom) = (20.0, top + SIDE);
    let place = fit(&points, (left, top), SIDE);
    let radius = match points.len() {
        0..300 => 4.5,
        300..1000 => 3.4,
        1000..4000 => 2.4,
        4000..20_000 => 1.6,
        _ => 1.15,
    };
    let mut styles: Vec<MarkStyle> = (0..shown)
        .map(|at| MarkStyle {
            shape: if radius < 1.5 { Shape::Circle } else { Shape::of_category(at) },
            colour: category(at),
            radius,
            opacity: 0.8,
            edge: None,
        })
        .collect();
    styles.push(MarkStyle {
        shape: Shape::Circle,
        colour: PALE,
        radius: radius * 0.85,
        opacity: 0.8,
        edge: None,
    });
    let mut drawn: Vec<(bool, u64, Point, usize)> = points
        .iter()
        .map(|(at, point)| {
            let style = number(*at).unwrap_or(shown);
            (style < shown, mix(*at as u64), place(*point), style)
        })
        .collect();
    drawn.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)));
    let marks = drawn.into_iter().map(|(_, _, at, style)| (at, style)).collect();
    scene.items.push(super::scene::Item::Marks { places: marks, styles: styles.clone() });
    let keys = keys(&groups);
    // Small groups have their names where they are too, if these are short.
    let named = if keys.iter().zip(&groups).all(|(key, (name, _))| key == name) { NAMED } else { GROUPS };
    let middles: Vec<(Point, bool)> = groups[..groups.len().min(named)]
        .iter()
        .map(|(name, _)| {
            let own: Vec<Point> = points
                .iter()
                .filter(|(at, _)| input.groups[*at] == *name)
                .map(|(_, point)| place(*point))
                .collect();
            middle(&own)
        })
        .collect();
    numbers(&mut scene, &middles, &keys, (left, top));
    arrows(&mut scene, input.axes, (left, bottom + 22.0));
    legend(&mut scene, input, &groups, shown, &keys, &styles, top);
    scene.height = scene.height.max(bottom + 40.0);
    let mut data = csv::line(["id", "x", "y", input.group]);
    for (at, (x, y)) in &points {
        let _ =
            write!(data, "{},{x:.5},{y:.5},{}", csv::field(&input.ids[*at]), csv::field(&input.groups[*at]));
        data.push('\n');
    }
    Figure { scene, data }
}

/// Groups with their sizes, largest first; of equals by name, numbers as numbers. Points of no group are not counted.
fn count_groups<'a>(points: &[(usize, Point)], groups: &'a [String]) -> Vec<(&'a str, usize)> {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for (at, _) in points {
        if !groups[*at].is_empty() {
            *counts.entry(&groups[*at]).or_default() += 1;
        }
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    let number = |name: &str| name.parse::<u64>().unwrap_or(u64::MAX);
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(number(a.0).cmp(&number(b.0))).then(a.0.cmp(b.0)));
    counts
}

/// What stands at a group's middle: its name where names are short, else its number in the list.
fn keys(groups: &[(&str, usize)]) -> Vec<String> {
    let short = groups.iter().all(|(name, _)| name.chars().count() <= 3);
    let key = |(at, (name, _)): (usize, &(&str, usize))| {
        if short { (*name).to_owned() } else { (at + 1).to_string() }
    };
    groups.iter().enumerate().map(key).collect()
}

/// From coordinates to the square, without changing proportions.
fn fit(points: &[(usize, Point)], (left, top): Point, side: f64) -> impl Fn(Point) -> Point {
    let bound = |of: fn(&Point) -> f64| {
        let ends = points.iter().map(|(_, point)| of(point));
        ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let ((x0, x1), (y0, y1)) = (bound(|point| point.0), bound(|point| point.1));
    let room = 8.0;
    let scale = (side - 2.0 * room) / (x1 - x0).max(y1 - y0).max(1e-9);
    let (x, y) = (left + side / 2.0, top + side / 2.0);
    let (middle_x, middle_y) = (x0.midpoint(x1), y0.midpoint(y1));
    move |(a, b)| (x + (a - middle_x) * scale, y - (b - middle_y) * scale)
}

/// The point nearest to the median of both coordinates, so that a group of two parts is not named between them; and
/// whether half of the points are so near that a name there would cover them.
fn middle(points: &[Point]) -> (Point, bool) {
    let median = |of: fn(&Point) -> f64| {
        let mut values: Vec<f64> = points.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    let (x, y) = (median(|point| point.0), median(|point| point.1));
    let far = |point: &Point| (point.0 - x) * (point.0 - x) + (point.1 - y) * (point.1 - y);
    let nearest = points.iter().copied().min_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or((x, y));
    (nearest, points.iter().filter(|point| far(point) < 100.0).count() * 2 > points.len())
}

/// The keys at the middles, pushed apart where they would overlap, then with a line to where they belong.
fn numbers(scene: &mut Scene, middles: &[(Point, bool)], keys: &[String], (left, top): Point) {
    let size = |at: usize| if at < GROUPS { 15.0 } else { 10.5 };
    let half: Vec<Point> = keys
        .iter()
        .take(middles.len())
        .enumerate()
        .map(|(at, key)| (font::width(key, size(at), at < GROUPS) / 2.0 + 3.0, size(at) / 2.0 + 1.0))
        .collect();
    let beside = |(number, ((x, y), small)): (usize, &(Point, bool))| {
        let aside = if *small { half[number].1 + 5.0 } else { 0.0 };
        (*x, y - aside)
    };
    let mut at: Vec<Point> = middles.iter().enumerate().map(beside).collect();
    for _ in 0..200 {
        let mut moved = false;
        for a in 0..at.len() {
            for b in a + 1..at.len() {
                let over_x = half[a].0 + half[b].0 - (at[a].0 - at[b].0).abs();
                let over_y = half[a].1 + half[b].1 - (at[a].1 - at[b].1).abs();
                if over_x > 0.0 && over_y > 0.0 {
                    moved = true;
                    // Along the shorter way out; of two at the same place the later one goes down.
                    if over_x < over_y {
                        let push = if at[a].0 < at[b].0 { -over_x / 2.0 } else { over_x / 2.0 };
                        (at[a].0, at[b].0) = (at[a].0 + push, at[b].0 - push);
                    } else {
                        let push = if at[a].1 <= at[b].1 { -over_y / 2.0 } else { over_y / 2.0 };
                        (at[a].1, at[b].1) = (at[a].1 + push, at[b].1 - push);
                    }
                }
            }
        }
        for (place, half) in at.iter_mut().zip(&half) {
            place.0 = place.0.clamp(left + half.0, left + SIDE - half.0);
            place.1 = place.1.clamp(top + half.1, top + SIDE - half.1);
        }
        if !moved {
            break;
        }
    }
    for (place, (middle, _)) in at.iter().zip(middles) {
        let (x, y) = (place.0 - middle.0, place.1 - middle.1);
        if x * x + y * y > 300.0 {
            scene.line(&[*middle, *place], SOFT, 0.9);
        }
    }
    for (number, (place, key)) in at.iter().zip(keys).enumerate() {
        let text =
            Text::new((place.0, place.1 + size(number) * 0.36), key, size(number)).anchor(Anchor::Middle);
        let text = if number < GROUPS { text.bold() } else { text.colour(SOFT) };
        scene.text(Text { halo: true, ..text });
    }
}

fn arrows(scene: &mut Scene, axes: &str, (left, bottom): Point) {
    let length = 44.0;
    let (x, y) = (left + length, bottom - length);
    scene.line(&[(left, y), (left, bottom), (x, bottom)], SOFT, 1.2);
    scene.area(vec![(x, bottom - 3.5), (x + 7.0, bottom), (x, bottom + 3.5)], SOFT, 1.0);
    scene.area(vec![(left - 3.5, y), (left, y - 7.0), (left + 3.5, y)], SOFT, 1.0);
    scene.text(Text::new((x + 12.0, bottom + 4.0), format!("{axes} 1"), 12.0).colour(SOFT));
    let upright = Text::new((left + 4.0, y - 12.0), format!("{axes} 2"), 12.0).colour(SOFT);
    scene.text(Text { turned: true, ..upright });
}

fn legend(
    scene: &mut Scene,
    input: &Scatter<'_>,
    groups: &[(&str, usize)],
    shown: usize,
    keys: &[String],
    styles: &[MarkStyle],
    top: f64,
) {
    const SIZE: f64 = 12.0;
    let left = 20.0 + SIDE + 18.0;
    let mark_at = |scene: &mut Scene, y: f64, style: usize| {
        let larger = MarkStyle { radius: 4.6, opacity: 1.0, ..styles[style] };
        scene.mark((left + 6.0, y - 4.2), larger);
    };
    let mut y = top + 12.0;
    let grouped: usize = groups.iter().map(|(_, size)| size).sum();
    scene.text(Text::new((left, y), capital(input.group), SIZE).bold());
    scene.text(Text::new((left + LEGEND, y), "n", SIZE).bold().anchor(Anchor::End));
    y += 20.0;
    let by_number = keys.iter().zip(groups).any(|(key, (name, _))| key != name);
    for (at, (name, size)) in groups[..shown].iter().enumerate() {
        mark_at(scene, y, at);
        scene.text(Text::new((left + 18.0, y), &keys[at], SIZE).bold());
        let size = count(*size);
        let words = input.words.iter().find(|(group, _)| group == name).map(|(_, words)| words.as_str());
        let said = match (by_number, words) {
            (true, None) => (*name).to_owned(),
            (true, Some(words)) => format!("{name}: {words}"),
            (false, words) => words.unwrap_or_default().to_owned(),
        };
        let room = LEGEND - 42.0 - font::width(&size, SIZE, false) - 8.0;
        let lines = font::wrap(&said, SIZE, false, room, 2);
        scene.text(Text::new((left + LEGEND, y), size, SIZE).anchor(Anchor::End));
        for (line, text) in lines.iter().enumerate() {
            scene.text(Text::new((left + 42.0, y + 14.0 * line as f64), text, SIZE));
        }
        y += 20.0 + 14.0 * (lines.len() - 1) as f64;
    }
    let mut pale = |scene: &mut Scene, said: String, size: usize| {
        mark_at(scene, y, shown);
        scene.text(Text::new((left + 18.0, y), said, SIZE).colour(SOFT));
        scene.text(Text::new((left + LEGEND, y), count(size), SIZE).colour(SOFT).anchor(Anchor::End));
        y += 20.0;
    };
    if groups.len() > shown {
        let others = groups[shown..].iter().map(|(_, size)| size).sum();
        pale(scene, format!("{} more", count(groups.len() - shown)), others);
    }
    let all = input.places.len().min(input.groups.len());
    if all > grouped {
        pale(scene, "none".to_owned(), all - grouped);
    }
    scene.height = scene.height.max(y + 16.0);
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
