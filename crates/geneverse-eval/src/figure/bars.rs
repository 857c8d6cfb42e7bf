//! Bars in groups, with intervals: the scores of several models by metric.
//!
//! A model's bars have its colour and its hatching, and its value is written over each where there is room.

use std::fmt::Write;

use super::axis::{Axis, Frame, TICK_SIZE};
use super::font;
use super::palette::{Hatch, INK, category};
use super::scene::{Anchor, Scene, Text};
use super::table::Cell;
use super::{Figure, csv, heading};

/// The values of one series, one for each group.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// The series' name: a model.
    pub name: String,
    /// Values with their intervals; `None` where there is none.
    pub values: Vec<Option<Cell>>,
}

/// The figure: `groups` below, a bar of each series over each. Values are from 0 to 1.
pub fn grouped(title: &str, measure: &str, groups: &[String], series: &[Bars]) -> Figure {
    let bar = if series.len() > 6 { 16.0 } else { 26.0 };
    let gap = 26.0;
    let widest = groups.iter().map(|name| font::width(name, TICK_SIZE, false)).fold(0.0, f64::max);
    let group = (bar * series.len().max(1) as f64 + gap).max(widest + 14.0);
    let left = 76.0;
    let width = (left + group * groups.len().max(1) as f64 + 24.0).max(480.0);
    let mut scene = Scene::new(width, 0.0, title);
    let mut top = heading(&mut scene, 20.0, title) + 10.0;
    // The key, in as many rows as it needs.
    let mut x = left;
    for (at, series) in series.iter().enumerate() {
        let name = font::shorten(&series.name, TICK_SIZE, false, width - left - 60.0);
        let room = 26.0 + font::width(&name, TICK_SIZE, false) + 20.0;
        if x > left && x + room > width - 10.0 {
            x = left;
            top += 20.0;
        }
        scene.hatched((x, top - 10.0, 20.0, 12.0), category(at), Hatch::of_category(at));
        scene.text(Text::new((x + 26.0, top), name, TICK_SIZE));
        x += room;
    }
    let top = top + 26.0;
    let frame = Frame { left, top, right: width - 20.0, bottom: top + 270.0 };
    let all = series.iter().flat_map(|series| series.values.iter().flatten());
    let highest = all.map(|cell| cell.interval.map_or(cell.value, |(_, high)| high.max(cell.value)));
    let y = Axis::share(highest);
    frame.vertical(&mut scene, &y, measure, true);
    let slot = (frame.right - frame.left) / groups.len().max(1) as f64;
    for (place, name) in groups.iter().enumerate() {
        let middle = frame.left + slot * (place as f64 + 0.5);
        let first = middle - bar * series.len() as f64 / 2.0;
        for (at, Bars { values, .. }) in series.iter().enumerate() {
            let x = first + bar * at as f64;
            let value = values.get(place).and_then(Option::as_ref).filter(|cell| cell.value.is_finite());
            let Some(Cell { value, interval }) = value else {
                scene.text(
                    Text::new((x + bar / 2.0, frame.bottom - 5.0), "–", TICK_SIZE).anchor(Anchor::Middle),
                );
                continue;
            };
            let end = y.place(value.clamp(0.0, y.high()), frame.bottom, frame.top);
            scene.hatched(
                (x + 1.5, end, bar - 3.0, frame.bottom - end),
                category(at),
                Hatch::of_category(at),
            );
            let mut label = end;
            if let Some((low, high)) = interval {
                let [low, high] =
                    [*low, *high].map(|value| y.place(value.clamp(0.0, y.high()), frame.bottom, frame.top));
                let x = x + bar / 2.0;
                // A dark line is lost on a dark bar: it stands on a white one.
                for (colour, width) in [(super::palette::WHITE, 3.6), (INK, 1.3)] {
                    scene.line(&[(x, low), (x, high)], colour, width);
                    for end in [low, high] {
                        scene.line(&[(x - 3.5, end), (x + 3.5, end)], colour, width);
                    }
                }
                label = label.min(high);
            }
            if bar > 24.0 {
                let text = Text::new((x + bar / 2.0, label - 5.0), two_digits(*value), 10.5);
                scene.text(Text { halo: true, ..text.anchor(Anchor::Middle) });
            }
        }
        scene.text(Text::new((middle, frame.bottom + 18.0), name, TICK_SIZE).anchor(Anchor::Middle));
    }
    scene.line(&[(frame.left, frame.bottom), (frame.right, frame.bottom)], INK, 1.0);
    scene.height = frame.bottom + 34.0;
    let mut data = csv::line(["series", "group", "value", "low", "high"]);
    for Bars { name, values } in series {
        for (group, value) in groups.iter().zip(values) {
            if let Some(Cell { value, interval }) = value {
                let ends = interval.map_or(",".to_owned(), |(low, high)| format!("{low},{high}"));
                let _ = writeln!(data, "{},{},{value},{ends}", csv::field(name), csv::field(group));
            }
        }
    }
    Figure { scene, data }
}

/// .83, as there is little room.
fn two_digits(value: f64) -> String {
    let text = format!("{value:.2}");
    text.strip_prefix('0').map_or(text.clone(), str::to_owned)
}
