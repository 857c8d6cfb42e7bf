//! Loss curves as inline SVG. Colours come from the page's styles; training and validation also differ in stroke,
//! so that a black-and-white print stays readable.

use std::fmt::Write;

use super::Curve;
use super::html::escape;
use crate::figure::axis::nice_step;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 92.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 40.0;

/// A figure of one run's losses; says so where there are none.
pub(super) fn curve(curve: &Curve) -> String {
    let finite = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    };
    let (train, validation) = (finite(&curve.train), finite(&curve.validation));
    let all: Vec<(f64, f64)> = train.iter().chain(&validation).copied().collect();
    if all.is_empty() {
        return "<p class=\"note\">No losses were written.</p>".to_owned();
    }
    let low_x = all.iter().map(|p| p.0).fold(f64::INFINITY, f64::min);
    let high_x = all.iter().map(|p| p.0).fold(low_x + 1.0, f64::max);
    let high_y = all.iter().map(|p| p.1).fold(0.0, f64::max);
    let low_y = all.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let step_y = nice_step(high_y - if low_y < high_y / 3.0 { 0.0 } else { low_y }, 5.0);
    let floor = if low_y < high_y / 3.0 { 0.0 } else { (low_y / step_y).floor() * step_y };
    let ceiling = ((high_y / step_y).ceil() * step_y).max(floor + step_y);
    let x = |value: f64| LEFT + (value - low_x) / (high_x - low_x) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value - floor) / (ceiling - floor) * (HEIGHT - TOP - BOTTOM);

    let mut out = String::new();
    let label = format!(
        "{}: training loss{} over {} steps",
        curve.name,
        if validation.is_empty() { "" } else { " and validation loss" },
        high_x
    );
    let _ = write!(
        out,
        "<svg class=\"curve\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(&label)
    );
    let mut tick = floor;
    while tick <= ceiling + step_y / 2.0 {
        let at = y(tick);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            number(tick, step_y)
        );
        tick += step_y;
    }
    let step_x = nice_step(high_x - low_x, 6.0).max(1.0);
    let mut tick = (low_x / step_x).ceil() * step_x;
    while tick <= high_x + 1e-9 {
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x(tick),
            HEIGHT - BOTTOM + 18.0,
            number(tick, step_x)
        );
        tick += step_x;
    }
    let middle = LEFT.midpoint(WIDTH - RIGHT);
    let _ = write!(out, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">step</text>", HEIGHT - 4.0);
    let path = |points: &[(f64, f64)]| {
        let places: Vec<String> =
            thin(points).iter().map(|p| format!("{:.1},{:.1}", x(p.0), y(p.1))).collect();
        places.join(" ")
    };
    if !train.is_empty() {
        let _ = write!(out, "<polyline class=\"raw\" points=\"{}\"/>", path(&train));
        let _ = write!(out, "<polyline class=\"train\" points=\"{}\"/>", path(&smooth(&train)));
    }
    if !validation.is_empty() {
        let _ = write!(out, "<polyline class=\"validation\" points=\"{}\"/>", path(&validation));
        for point in &validation {
            let _ = write!(
                out,
                "<circle class=\"validation\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                x(point.0),
                y(point.1)
            );
        }
    }
    // The names stand at the lines' ends, pushed apart where they would overlap.
    let mut ends: Vec<(&str, f64)> = Vec::new();
    ends.extend(smooth(&train).last().map(|p| ("training", y(p.1))));
    ends.extend(validation.last().map(|p| ("validation", y(p.1))));
    if let [first, second] = ends.as_mut_slice()
        && (first.1 - second.1).abs() < 16.0
    {
        let push = (16.0 - (first.1 - second.1).abs()) / 2.0;
        let down = if first.1 > second.1 { 1.0 } else { -1.0 };
        first.1 += down * push;
        second.1 -= down * push;
    }
    for (name, at) in ends {
        let _ = write!(
            out,
            "<text class=\"name {name}\" x=\"{}\" y=\"{:.1}\">{name}</text>",
            WIDTH - RIGHT + 8.0,
            at + 4.0
        );
    }
    out.push_str("</svg>");
    out
}

fn number(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 4.0) as usize;
    format!("{value:.digits$}")
}

/// The exponential mean of the loss; a step counts a tenth.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let weight = if points.len() < 20 { 1.0 } else { 0.1 };
    let mut mean = points.first().map_or(0.0, |p| p.1);
    points
        .iter()
        .map(|&(x, y)| {
            mean += weight * (y - mean);
            (x, mean)
        })
        .collect()
}

/// At most some 600 points, the last one included: more than the figure has pixels for.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(600).max(1);
    let last = points.len().saturating_sub(1);
    points
        .iter()
        .enumerate()
        .filter(|(place, _)| place % every == 0 || *place == last)
        .map(|(_, p)| *p)
        .collect()
}
