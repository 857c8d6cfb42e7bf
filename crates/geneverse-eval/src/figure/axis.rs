//! Axes: where ticks stand and what is written at them, as a person would choose it.
//!
//! Linear ticks are 1, 2 or 5 times a power of ten apart. On a logarithmic axis they are powers of ten, with 2 and 5 of each
//! where there are few. The values of a sweep may be ticks themselves.

use super::font::{self, Point};
use super::palette::{GRID, INK, SOFT};
use super::scene::{Anchor, Scene, Text};

/// Type size at ticks.
pub const TICK_SIZE: f64 = 12.0;
/// Type size of an axis' title.
pub const TITLE_SIZE: f64 = 13.0;

/// How values become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Evenly.
    Linear,
    /// By their logarithms; values are above 0.
    Log,
}

/// An axis from one value to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    kind: Kind,
    low: f64,
    high: f64,
    /// Values and what is written at them.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// A linear axis that holds all values, and 0 where they come near it, with about so many ticks.
    pub fn linear(values: impl IntoIterator<Item = f64>, parts: f64) -> Self {
        // Beyond these powers steps would have no digits left.
        let tame = |value: f64| if value.abs() < 1e-200 { 0.0 } else { value.clamp(-1e200, 1e200) };
        let (mut low, mut high) = range(values.into_iter().filter(|value| value.is_finite()).map(tame));
        if low > 0.0 && low < high * 0.4 {
            low = 0.0;
        }
        if high - low < 1e-12 * high.abs().max(1e-300) || high == low {
            let room = if high == 0.0 { 1.0 } else { high.abs() * 0.1 };
            (low, high) = (low - room, high + room);
        }
        let step = nice_step(high - low, parts);
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        Self::stepped(first, last, step)
    }

    /// A linear axis from 0 to 1, or as far of it as the values go.
    pub fn share(values: impl IntoIterator<Item = f64>) -> Self {
        let (_, high) = range(values);
        let mut axis = Self::linear([0.0, high.clamp(0.05, 1.0)], 5.0);
        axis.high = axis.high.min(1.0);
        axis.ticks.retain(|(value, _)| *value <= 1.0 + 1e-9);
        axis
    }

    fn stepped(first: f64, last: f64, step: f64) -> Self {
        let count = (last - first).round() as i64;
        let tick = |at: i64| {
            let value = (first + at as f64) * step;
            (value, number(value, step))
        };
        Self {
            kind: Kind::Linear,
            low: first * step,
            high: last * step,
            ticks: (0..=count).map(tick).collect(),
        }
    }

    /// A logarithmic axis that holds all values above 0.
    pub fn log(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = range(values.into_iter().filter(|value| *value > 1e-200 && *value < 1e200));
        let (low, high) = if low > 0.0 { (low, high) } else { (1.0, 10.0) };
        let (first, last) = ((low.log10() + 1e-9).floor() as i32, (high.log10() - 1e-9).ceil() as i32);
        let last = last.max(first + 1);
        let decades = last - first;
        let leads: &[f64] = if decades <= 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = (decades / 8).max(0) + 1;
        let mut ticks = Vec::new();
        for power in first..=last {
            if (power - first) % every == 0 {
                for lead in leads {
                    let value = lead * 10_f64.powi(power);
                    ticks.push((value, power_label(*lead, power)));
                }
            }
        }
        // No emptier at its ends than to the next tick.
        let low_end = ticks
            .iter()
            .map(|tick| tick.0)
            .filter(|tick| *tick <= low * (1.0 + 1e-9))
            .fold(f64::NAN, f64::max);
        let high_end = ticks
            .iter()
            .map(|tick| tick.0)
            .filter(|tick| *tick >= high * (1.0 - 1e-9))
            .fold(f64::NAN, f64::min);
        let low = if low_end.is_nan() { 10_f64.powi(first) } else { low_end };
        let high = if high_end.is_nan() { 10_f64.powi(last) } else { high_end };
        let high = if high <= low { low * 10.0 } else { high };
        ticks.retain(|(value, _)| *value >= low * (1.0 - 1e-9) && *value <= high * (1.0 + 1e-9));
        Self { kind: Kind::Log, low, high, ticks }
    }

    /// The same with ticks at these values alone, and with a little room at the ends.
    pub fn with_values(mut self, values: &[f64]) -> Self {
        self.ticks = values.iter().map(|value| (*value, short(*value))).collect();
        let (low, high) = range(values.iter().copied());
        let (from, to) = (self.scaled(low), self.scaled(high));
        let room = if to > from { (to - from) * 0.05 } else { 0.5 };
        let back = |place: f64| if self.kind == Kind::Log { 10_f64.powf(place) } else { place };
        (self.low, self.high) = (back(from - room), back(to + room));
        self
    }

    /// The least value.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// The largest value.
    pub fn high(&self) -> f64 {
        self.high
    }

    fn scaled(&self, value: f64) -> f64 {
        if self.kind == Kind::Log { value.max(f64::MIN_POSITIVE).log10() } else { value }
    }

    /// Where a value stands between `start` (the least) and `end` (the largest).
    pub fn place(&self, value: f64, start: f64, end: f64) -> f64 {
        let (low, high) = (self.scaled(self.low), self.scaled(self.high));
        start + (self.scaled(value) - low) / (high - low) * (end - start)
    }
}

/// The least and the largest of finite values; 0 and 1 where there are none.
fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let (low, high) = finite
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

/// A step of 1, 2 or 5 times a power of ten that divides a range in about so many parts.
pub fn nice_step(range: f64, parts: f64) -> f64 {
    let raw = (range / parts).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(raw.log10().floor());
    let lead = raw / power;
    let nice = [1.0, 2.0, 5.0].into_iter().find(|nice| lead <= nice * (1.0 + 1e-9)).unwrap_or(10.0);
    power * nice
}

/// A value with the digits that a step needs, in groups of three; 1e6 and beyond and below 1e-4 by powers of ten.
pub fn number(value: f64, step: f64) -> String {
    let value = if value.abs() < step * 1e-9 { 0.0 } else { value };
    if value != 0.0 && (value.abs() >= 1e7 || step < 1e-5) {
        return short(value);
    }
    let digits = (-(step * (1.0 + 1e-9)).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{:.digits$}", value.abs());
    let (whole, rest) = text
        .split_once('.')
        .map_or((text.as_str(), String::new()), |(whole, rest)| (whole, format!(".{rest}")));
    let grouped = if whole.len() > 4 { group(whole) } else { whole.to_owned() };
    let sign = if value < 0.0 { "−" } else { "" };
    format!("{sign}{grouped}{rest}")
}

/// A whole number in groups of three: 14,649.
pub fn count(value: usize) -> String {
    let text = value.to_string();
    if text.len() > 4 { group(&text) } else { text }
}

fn group(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A value in as few letters as show it: 0.0003, 16, 3×10⁻⁵.
pub fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { format!("{value}") };
    }
    let power = value.abs().log10().floor() as i32;
    if (-4..=6).contains(&power) {
        let text = format!("{value:.6}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return text.replace('-', "−");
    }
    let lead = value / 10_f64.powi(power);
    power_label((lead * 100.0).round() / 100.0, power)
}

/// lead · 10^power as it is written at a tick.
fn power_label(lead: f64, power: i32) -> String {
    if (-3..=4).contains(&power) {
        return short(lead * 10_f64.powi(power));
    }
    let raised: String = power
        .to_string()
        .chars()
        .map(|digit| match digit {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            digit => char::from_u32(digit as u32 - '0' as u32 + 0x2070).unwrap_or(digit),
        })
        .collect();
    if lead == 1.0 { format!("10{raised}") } else { format!("{}×10{raised}", short(lead)) }
}

/// Where a plot's data are: left, top, right, bottom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Its left edge.
    pub left: f64,
    /// Its top edge.
    pub top: f64,
    /// Its right edge.
    pub right: f64,
    /// Its bottom edge.
    pub bottom: f64,
}

impl Frame {
    /// The place of a pair of values.
    pub fn place(&self, x: &Axis, y: &Axis, (a, b): Point) -> Point {
        (x.place(a, self.left, self.right), y.place(b, self.bottom, self.top))
    }

    /// The horizontal axis: line, ticks and title below; lines across the plot with `grid`.
    pub fn horizontal(&self, scene: &mut Scene, axis: &Axis, title: &str, grid: bool) {
        let Self { left, top, right, bottom } = *self;
        let mut occupied = f64::NEG_INFINITY;
        for (value, label) in &axis.ticks {
            let x = axis.place(*value, left, right);
            if grid {
                scene.line(&[(x, top), (x, bottom)], GRID, 1.0);
            }
            scene.line(&[(x, bottom), (x, bottom + 4.0)], INK, 1.0);
            let half = font::width(label, TICK_SIZE, false) / 2.0;
            // A label that would touch its neighbour is left out; its tick stays.
            if x - half > occupied + 6.0 {
                scene.text(Text::new((x, bottom + 18.0), label, TICK_SIZE).anchor(Anchor::Middle));
                occupied = x + half;
            }
        }
        scene.line(&[(left, bottom), (right, bottom)], INK, 1.0);
        let title = Text::new((left.midpoint(right), bottom + 38.0), title, TITLE_SIZE).colour(SOFT);
        scene.text(title.anchor(Anchor::Middle));
    }

    /// The vertical axis, its title turned along it.
    pub fn vertical(&self, scene: &mut Scene, axis: &Axis, title: &str, grid: bool) {
        let Self { left, top, right, bottom } = *self;
        let widest =
            axis.ticks.iter().map(|(_, label)| font::width(label, TICK_SIZE, false)).fold(0.0, f64::max);
        for (value, label) in &axis.ticks {
            let y = axis.place(*value, bottom, top);
            if grid {
                scene.line(&[(left, y), (right, y)], GRID, 1.0);
            }
            scene.line(&[(left - 4.0, y), (left, y)], INK, 1.0);
            scene.text(Text::new((left - 7.0, y + 4.2), label, TICK_SIZE).anchor(Anchor::End));
        }
        scene.line(&[(left, top), (left, bottom)], INK, 1.0);
        let place = (left - widest - 18.0, top.midpoint(bottom));
        let title = Text { turned: true, ..Text::new(place, title, TITLE_SIZE) };
        scene.text(title.colour(SOFT).anchor(Anchor::Middle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_those_that_a_person_would_choose() {
        assert_eq!(labels(&Axis::linear([0.3, 4.7], 5.0)), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(labels(&Axis::linear([5.1, 5.8], 4.0)), ["5.0", "5.2", "5.4", "5.6", "5.8"]);
        assert_eq!(labels(&Axis::linear([-0.3, 0.2], 5.0)), ["−0.3", "−0.2", "−0.1", "0.0", "0.1", "0.2"]);
        assert_eq!(labels(&Axis::linear([0.0, 21_000.0], 4.0)), ["0", "10,000", "20,000", "30,000"]);
        assert_eq!(labels(&Axis::share([0.2, 0.83])), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::log([1e-5, 3e-3])), ["10⁻⁵", "10⁻⁴", "0.001", "0.01"]);
        assert_eq!(labels(&Axis::log([4.0, 64.0])), ["2", "5", "10", "20", "50", "100"]);
        assert_eq!(labels(&Axis::log([8.0, 64.0]).with_values(&[8.0, 16.0, 64.0])), ["8", "16", "64"]);
        assert_eq!([short(3e-5), short(0.0003), short(16.0)], ["3×10⁻⁵", "0.0003", "16"]);
    }

    #[test]
    fn any_values_give_an_axis() {
        for values in [
            vec![],
            vec![f64::NAN],
            vec![2.0],
            vec![0.0, 0.0],
            vec![-1e300, 1e300],
            vec![5e-324],
            vec![1e308],
        ] {
            for axis in [Axis::linear(values.clone(), 5.0), Axis::log(values.clone())] {
                assert!(axis.low() < axis.high() && axis.ticks.len() < 100, "{values:?}: {axis:?}");
                assert!(axis.place(axis.low(), 0.0, 1.0).abs() < 1e-6, "{values:?}: {axis:?}");
            }
        }
    }
}
