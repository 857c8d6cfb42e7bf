//! Tables of scores as they stand in a paper: models down, metrics across, the best of each column in bold, intervals
//! below their values.

use super::font;
use super::palette::{GRID, INK, SOFT};
use super::scene::{Anchor, Scene, Text};
use super::{Figure, csv, heading};

const SIZE: f64 = 13.0;

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The value.
    pub value: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
}

/// A table of scores.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreTable {
    /// The title.
    pub title: String,
    /// What the rows are: "Model".
    pub rows_are: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Each row's name and cells; `None` where there is no value.
    pub rows: Vec<(String, Vec<Option<Cell>>)>,
    /// A line below.
    pub note: String,
}

/// The figure. Higher is better in every column; values are written with three digits.
pub fn scores(table: &ScoreTable) -> Figure {
    let ScoreTable { title, rows_are, columns, rows, note } = table;
    let name_width = rows
        .iter()
        .map(|(name, _)| font::width(name, SIZE, false))
        .fold(font::width(rows_are, SIZE, true), f64::max);
    let name_width = name_width.min(320.0) + 24.0;
    let has_intervals =
        rows.iter().flat_map(|(_, cells)| cells.iter().flatten()).any(|cell| cell.interval.is_some());
    let least = if has_intervals { 98.0 } else { 76.0 };
    let widths: Vec<f64> =
        columns.iter().map(|name| (font::width(name, SIZE, true) + 22.0).max(least)).collect();
    let left = 20.0;
    let width = left * 2.0 + name_width + widths.iter().sum::<f64>();
    let mut scene = Scene::new(width.max(320.0), 0.0, title.clone());
    let top = heading(&mut scene, left, title) + 6.0;
    let right = width - left;
    scene.line(&[(left, top), (right, top)], INK, 1.4);
    let ends: Vec<f64> = widths
        .iter()
        .scan(left + name_width, |end, width| {
            *end += width;
            Some(*end - 6.0)
        })
        .collect();
    scene.text(Text::new((left, top + 19.0), rows_are, SIZE).bold());
    for (name, end) in columns.iter().zip(&ends) {
        scene.text(Text::new((*end, top + 19.0), name, SIZE).bold().anchor(Anchor::End));
    }
    scene.line(&[(left, top + 28.0), (right, top + 28.0)], INK, 0.8);
    let best: Vec<f64> = (0..columns.len())
        .map(|column| {
            let values =
                rows.iter().filter_map(|(_, cells)| cells.get(column)?.as_ref().map(|cell| cell.value));
            values.fold(f64::NEG_INFINITY, f64::max)
        })
        .collect();
    let height = if has_intervals { 38.0 } else { 25.0 };
    let mut y = top + 28.0;
    for (at, (name, cells)) in rows.iter().enumerate() {
        if at > 0 {
            scene.line(&[(left, y), (right, y)], GRID, 0.8);
        }
        scene.text(Text::new((left, y + 18.0), font::shorten(name, SIZE, false, name_width - 12.0), SIZE));
        for (column, end) in ends.iter().enumerate() {
            match cells.get(column).and_then(Option::as_ref) {
                None => scene.text(Text::new((*end, y + 18.0), "–", SIZE).colour(SOFT).anchor(Anchor::End)),
                Some(Cell { value, interval }) => {
                    // Two values that are written alike are both best.
                    let is_best = rows.len() > 1 && (value - best[column]).abs() < 5e-4;
                    let text = Text::new((*end, y + 18.0), format!("{value:.3}"), SIZE).anchor(Anchor::End);
                    scene.text(if is_best { text.bold() } else { text });
                    if let Some((low, high)) = interval {
                        let text = Text::new((*end, y + 32.0), format!("{low:.3} to {high:.3}"), 10.5);
                        scene.text(text.colour(SOFT).anchor(Anchor::End));
                    }
                }
            }
        }
        y += height;
    }
    scene.line(&[(left, y), (right, y)], INK, 1.4);
    for line in font::wrap(note, 11.0, false, scene.width - 2.0 * left, 4) {
        y += 17.0;
        scene.text(Text::new((left, y), line, 11.0).colour(SOFT));
    }
    scene.height = y + 16.0;
    Figure { scene, data: data(table) }
}

fn data(table: &ScoreTable) -> String {
    let mut headings = vec![table.rows_are.clone()];
    for column in &table.columns {
        headings.extend([column.clone(), format!("{column} low"), format!("{column} high")]);
    }
    let mut data = csv::line(headings.iter().map(String::as_str));
    for (name, cells) in &table.rows {
        let mut fields = vec![name.clone()];
        for cell in cells {
            let interval = cell.as_ref().and_then(|cell| cell.interval);
            fields.push(cell.as_ref().map(|cell| cell.value.to_string()).unwrap_or_default());
            fields.extend(
                interval.map_or([String::new(), String::new()], |(low, high)| {
                    [low.to_string(), high.to_string()]
                }),
            );
        }
        data.push_str(&csv::line(fields.iter().map(String::as_str)));
    }
    data
}
