//! Curves: the losses of training runs, and scores against a setting that was swept.
//!
//! Series differ in colour, dashes and marks, and their names stand at their ends where there is room, else in a key. Noisy
//! losses are drawn pale as they are, with the mean of their neighbours over them.

use std::fmt::Write;

use super::axis::{Axis, Frame, Kind, TICK_SIZE};
use super::font::{self, Point};
use super::palette::{Colour, Shape, category, dashes};
use super::scene::{Item, MarkStyle, Scene, Text};
use super::{Figure, csv, heading};

/// Points that a curve is drawn with; more than the picture has pixels for.
const POINTS: usize = 1200;

/// A value with the ends of its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The setting, or the step.
    pub x: f64,
    /// The value.
    pub y: f64,
    /// Its interval, where there is one.
    pub interval: Option<(f64, f64)>,
}

/// A series of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Its values, in order of x.
    pub readings: Vec<Reading>,
}

/// Losses of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Losses {
    /// The run's name.
    pub name: String,
    /// (step, loss) of training.
    pub train: Vec<Point>,
    /// (step, loss) of validation.
    pub validation: Vec<Point>,
}

/// Loss curves of one or several runs in one plot.
pub fn losses(title: &str, runs: &[Losses]) -> Figure {
    let finite = |points: &[Point]| -> Vec<Point> {
        points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    };
    let runs: Vec<(String, Vec<Point>, Vec<Point>)> =
        runs.iter().map(|run| (run.name.clone(), finite(&run.train), finite(&run.validation))).collect();
    let (mut scene, frame) = plot(title, longest(runs.iter().map(|run| format!("{} validation", run.0))));
    let all = || runs.iter().flat_map(|run| run.1.iter().chain(&run.2));
    let x = steps_axis(all().map(|point| point.0));
    let means: Vec<Vec<Point>> = runs.iter().map(|run| running_mean(&run.1)).collect();
    // Single losses that tower over the rest do not decide how high the plot is: they end at its edge.
    let drawn_whole = means.iter().flatten().chain(runs.iter().flat_map(|run| &run.2));
    let y = Axis::linear(drawn_whole.map(|point| point.1), 5.0);
    frame.vertical(&mut scene, &y, "loss per trained token (nats)", true);
    frame.horizontal(&mut scene, &x, "optimizer step", false);
    let mut ends: Vec<(String, Point, Colour)> = Vec::new();
    let mut data = "run,kind,step,loss\n".to_owned();
    let one = runs.len() == 1;
    for (at, (name, train, validation)) in runs.iter().enumerate() {
        let colour = category(at);
        let place = |points: &[Point]| -> Vec<Point> {
            thin(points)
                .into_iter()
                .map(|(a, b)| frame.place(&x, &y, (a, b.clamp(y.low(), y.high()))))
                .collect()
        };
        let held_out = if one { category(1) } else { colour };
        if !train.is_empty() {
            if train.len() >= 20 {
                let (points, width, dashes) = (place(train), 1.0, &[][..]);
                scene.items.push(Item::Line { points, colour, width, dashes, opacity: 0.25 });
            }
            let drawn = place(&means[at]);
            scene.dashed(&drawn, colour, 2.0, if one { &[] } else { dashes(at) });
            let said = if one { "training".to_owned() } else { format!("{name} training") };
            ends.extend(drawn.last().map(|end| (said, *end, colour)));
        }
        if !validation.is_empty() {
            let drawn = place(validation);
            scene.dashed(&drawn, held_out, 1.6, &[6.0, 3.0]);
            let shape = if one { Shape::Circle } else { Shape::of_category(at) };
            let edge = Some(super::palette::WHITE);
            for point in &drawn {
                scene.mark(*point, MarkStyle { shape, colour: held_out, radius: 3.4, opacity: 1.0, edge });
            }
            let said = if one { "validation".to_owned() } else { format!("{name} validation") };
            ends.extend(drawn.last().map(|end| (said, *end, held_out)));
        }
        for (kind, points) in [("training", train), ("validation", validation)] {
            for (step, loss) in points {
                let _ = writeln!(data, "{},{kind},{step},{loss}", csv::field(name));
            }
        }
    }
    name_ends(&mut scene, frame, ends);
    Figure { scene, data }
}

/// Scores against a setting: a line with marks and intervals per series. `log` places the settings by their logarithms.
pub fn sweep(title: &str, setting: &str, score: &str, kind: Kind, series: &[Series]) -> Figure {
    let (mut scene, frame) = plot(title, longest(series.iter().map(|series| series.name.clone())));
    let readings = || series.iter().flat_map(|series| &series.readings);
    let mut settings: Vec<f64> = readings().map(|reading| reading.x).filter(|x| x.is_finite()).collect();
    settings.sort_by(f64::total_cmp);
    settings.dedup();
    let whole = if kind == Kind::Log && settings.first().is_some_and(|least| *least > 0.0) {
        Axis::log(settings.iter().copied())
    } else {
        Axis::linear(settings.iter().copied(), 6.0)
    };
    let x = if settings.len() <= 12 && !settings.is_empty() { whole.with_values(&settings) } else { whole };
    let ends = |reading: &Reading| {
        let (low, high) = reading.interval.unwrap_or((reading.y, reading.y));
        [reading.y, low, high]
    };
    let y = Axis::linear(readings().flat_map(ends), 5.0);
    frame.vertical(&mut scene, &y, score, true);
    frame.horizontal(&mut scene, &x, setting, false);
    let mut named = Vec::new();
    let mut data = csv::line(["series", setting, score, "low", "high"]);
    for (at, Series { name, readings }) in series.iter().enumerate() {
        let colour = category(at);
        // Intervals of series at the same setting stand beside each other.
        let aside = (at as f64 - (series.len() as f64 - 1.0) / 2.0) * 3.0;
        let mut points = Vec::new();
        for reading in readings.iter().filter(|reading| reading.x.is_finite() && reading.y.is_finite()) {
            let (left, top) = frame.place(&x, &y, (reading.x, reading.y));
            points.push((left + aside, top));
            if let Some((low, high)) = reading.interval {
                let (_, bottom) = frame.place(&x, &y, (reading.x, low));
                let (_, top) = frame.place(&x, &y, (reading.x, high));
                let left = left + aside;
                scene.line(&[(left, bottom), (left, top)], colour, 1.2);
                for end in [bottom, top] {
                    scene.line(&[(left - 3.0, end), (left + 3.0, end)], colour, 1.2);
                }
            }
            let [low, high] = match reading.interval {
                Some((low, high)) => [low.to_string(), high.to_string()],
                None => [String::new(), String::new()],
            };
            let _ = writeln!(data, "{},{},{},{low},{high}", csv::field(name), reading.x, reading.y);
        }
        scene.dashed(&points, colour, 2.0, dashes(at));
        let (shape, edge) = (Shape::of_category(at), Some(super::palette::WHITE));
        for point in &points {
            scene.mark(*point, MarkStyle { shape, colour, radius: 4.0, opacity: 1.0, edge });
        }
        named.extend(points.last().map(|end| (name.clone(), *end, colour)));
    }
    name_ends(&mut scene, frame, named);
    Figure { scene, data }
}

/// A scene with its title and the frame of a plot, with room for names to the right.
fn plot(title: &str, names: f64) -> (Scene, Frame) {
    let names = names.clamp(40.0, 220.0);
    let mut scene = Scene::new(80.0 + 500.0 + names + 26.0, 0.0, title);
    let top = heading(&mut scene, 20.0, title) + 6.0;
    let frame = Frame { left: 76.0, top, right: 576.0, bottom: top + 300.0 };
    scene.height = frame.bottom + 52.0;
    (scene, frame)
}

fn longest(names: impl Iterator<Item = String>) -> f64 {
    names.map(|name| font::width(&name, TICK_SIZE, true)).fold(0.0, f64::max)
}

fn steps_axis(steps: impl Iterator<Item = f64>) -> Axis {
    let (low, high) = steps.fold((0.0_f64, 1.0_f64), |(low, high), step| (low.min(step), high.max(step)));
    Axis::linear([low, high], 6.0)
}

/// Names at the ends of lines, in their order from top to bottom and pushed apart.
fn name_ends(scene: &mut Scene, frame: Frame, mut ends: Vec<(String, Point, Colour)>) {
    const APART: f64 = 16.0;
    ends.sort_by(|a, b| a.1.1.total_cmp(&b.1.1));
    let mut places: Vec<f64> = ends.iter().map(|end| end.1.1).collect();
    for _ in 0..200 {
        let mut moved = false;
        for at in 1..places.len() {
            let over = APART - (places[at] - places[at - 1]);
            if over > 0.01 {
                places[at - 1] -= over / 2.0;
                places[at] += over / 2.0;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    for ((name, end, colour), place) in ends.into_iter().zip(places) {
        let right = frame.right;
        if (place - end.1).abs() > 3.0 || right - end.0 > 40.0 {
            let from = (end.0 + 5.0, end.1);
            scene.dashed(
                &[from, ((right + 2.0).max(from.0), end.1), (right + 9.0, place)],
                colour,
                0.8,
                &[1.5, 1.5],
            );
        }
        let name = font::shorten(&name, TICK_SIZE, true, 215.0);
        // A colour as light as yellow is hard to read: names are darker than their lines.
        let ink = colour.mix(super::palette::INK, 0.35);
        scene.text(Text::new((right + 12.0, place + 4.2), name, TICK_SIZE).bold().colour(ink));
    }
}

/// The mean over a fortieth of the run on both sides; the losses themselves where they are few.
fn running_mean(points: &[Point]) -> Vec<Point> {
    let reach = if points.len() < 20 { 0 } else { (points.len() / 80).max(2) };
    let mut sums = vec![0.0];
    for (_, y) in points {
        sums.push(sums[sums.len() - 1] + y);
    }
    let mean = |at: usize| {
        // A loss falls fastest at its start, where the mean must not lean to what comes; at the end it may, to be steady.
        let (from, to) = (at - reach.min(at), at + reach.min(at).min(points.len() - 1 - at));
        (sums[to + 1] - sums[from]) / (to + 1 - from) as f64
    };
    points.iter().enumerate().map(|(at, (x, _))| (*x, mean(at))).collect()
}

/// Some of the points, evenly, the last one among them.
fn thin(points: &[Point]) -> Vec<Point> {
    let every = points.len().div_ceil(POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points
        .iter()
        .enumerate()
        .filter(|(at, _)| at % every == 0 || *at == last)
        .map(|(_, point)| *point)
        .collect()
}
