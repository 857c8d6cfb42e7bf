//! The table of scores as a picture: a panel per score, a bar per model with its 95 % interval, and where looking up a
//! training answer would end. Bars are named where they stand, so that the picture is readable without colour.

use std::fmt::Write;

use super::SplitTable;
use super::html::escape;
use super::measures::{MAIN, MORE, value};

const WIDTH: f64 = 320.0;
/// Where the scale of 0 to 1 begins and ends; right of it stands the number.
const LEFT: f64 = 2.0;
const RIGHT: f64 = 266.0;
/// A model's name and bar.
const ROW: f64 = 34.0;
/// The longest name that fits, in letters.
const LETTERS: usize = 44;

/// A figure with a panel for each score that any row has.
pub(super) fn figure(out: &mut String, table: &SplitTable) {
    let drawn = MAIN.iter().chain(&MORE).filter(|measure| measure.drawn);
    let known = drawn.filter(|measure| table.rows.iter().any(|row| value(row, measure.key).is_some()));
    let _ = writeln!(
        out,
        "<figure class=\"bars\" aria-label=\"{}\">",
        escape(&format!("Scores with 95 % intervals: {}", table.name))
    );
    for measure in known {
        let retrieval = table.contexts.iter().filter_map(|context| context.retrieval.as_ref());
        let looked_up = retrieval
            .filter_map(|found| match measure.key {
                "bleu" => Some(found.best.bleu),
                "rouge1" => Some(found.best.rouge1),
                _ => None,
            })
            .reduce(f64::max);
        panel(out, table, measure.key, measure.heading, looked_up);
    }
    let copying = if table.contexts.iter().any(|context| context.retrieval.is_some()) {
        " The dashed line is the most that copying one training answer would reach."
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "<figcaption class=\"note\">Bars are scores from 0 to 1, the thin lines their 95 % intervals.{copying}</figcaption>\n\
         </figure>"
    );
}

fn panel(out: &mut String, table: &SplitTable, key: &str, heading: &str, looked_up: Option<f64>) {
    let x = |value: f64| LEFT + value.clamp(0.0, 1.0) * (RIGHT - LEFT);
    let top = 26.0;
    let bottom = top + ROW * table.rows.len() as f64;
    let height = bottom + 22.0;
    let told: Vec<String> =
        table.rows.iter().filter_map(|row| Some(format!("{} {:.3}", row.model, value(row, key)?))).collect();
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\"><text class=\"heading\" x=\"{LEFT}\" y=\"14\">{heading}</text>",
        escape(&format!("{heading}: {}", told.join(", ")))
    );
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let at = x(tick);
        let _ = write!(out, "<line class=\"grid\" x1=\"{at}\" x2=\"{at}\" y1=\"{top}\" y2=\"{bottom}\"/>");
        if tick != 0.25 && tick != 0.75 {
            let anchor = if tick == 0.0 { "start" } else { "middle" };
            let _ = write!(
                out,
                "<text x=\"{at}\" y=\"{}\" text-anchor=\"{anchor}\">{tick}</text>",
                bottom + 15.0
            );
        }
    }
    if let Some(score) = looked_up {
        let at = x(score);
        let _ = write!(
            out,
            "<line class=\"copy\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{}\" y2=\"{bottom}\"/>\
             <text class=\"copy\" x=\"{:.1}\" y=\"14\" text-anchor=\"middle\">copying {score:.2}</text>",
            top - 8.0,
            // Beside the heading, however little is to be had by copying.
            at.max(LEFT + 110.0)
        );
    }
    for (place, row) in table.rows.iter().enumerate() {
        let at = top + ROW * place as f64;
        let _ = write!(
            out,
            "<text class=\"model\" x=\"{LEFT}\" y=\"{}\">{}</text>",
            at + 13.0,
            shortened(&row.model)
        );
        let Some(score) = value(row, key) else {
            let _ = write!(out, "<text x=\"{LEFT}\" y=\"{}\">none</text>", at + 27.0);
            continue;
        };
        let middle = at + 23.0;
        let _ = write!(
            out,
            "<rect class=\"bar\" x=\"{LEFT}\" y=\"{}\" width=\"{:.1}\" height=\"10\"/>\
             <text class=\"value\" x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\">{score:.3}</text>",
            middle - 5.0,
            x(score) - LEFT,
            middle + 4.0
        );
        if let Some([low, high]) = row.intervals.get(key) {
            let (low, high) = (x(*low), x(*high));
            let _ = write!(
                out,
                "<path class=\"interval\" d=\"M{low:.1} {0}H{high:.1}M{low:.1} {1}V{2}M{high:.1} {1}V{2}\"/>",
                middle,
                middle - 4.0,
                middle + 4.0
            );
        }
    }
    out.push_str("</svg>\n");
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(LETTERS) {
        None => escape(name),
        // Paths differ at their ends.
        Some(_) => {
            let skip = name.chars().count() + 1 - LETTERS;
            format!("…{}", escape(&name.chars().skip(skip).collect::<String>()))
        }
    }
}
