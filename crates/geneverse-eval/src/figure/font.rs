//! Arimo's letters, for the pixels of a PNG and for reckoning how wide a text is.
//!
//! `arimo/letters.txt` has their outlines (SIL Open Font License 1.1, `arimo/OFL.txt`; `arimo/make_outlines.py` made it).
//! Arimo's widths are those of Arial, and SVG text asks for Arial, Helvetica, Arimo or Liberation Sans, so a text is as wide
//! in either picture. Letters that are not there are boxes, as wide as a letter is on average.

use std::collections::HashMap;
use std::sync::OnceLock;

/// Units of an outline to the type size.
const UNITS: f64 = 2048.0;
/// Steps in which a curve of a letter is walked.
const STEPS: u32 = 5;

/// A point of a picture: x to the right, y down.
pub type Point = (f64, f64);

/// A letter.
#[derive(Debug, Default)]
struct Letter {
    advance: f64,
    /// Closed contours in font units, y upwards.
    contours: Vec<Vec<Point>>,
}

fn letters() -> &'static HashMap<(bool, char), Letter> {
    static LETTERS: OnceLock<HashMap<(bool, char), Letter>> = OnceLock::new();
    LETTERS.get_or_init(|| include_str!("arimo/letters.txt").lines().filter_map(letter).collect())
}

/// A line of the file: style, code point, advance, outline.
fn letter(line: &str) -> Option<((bool, char), Letter)> {
    let mut words = line.split(' ');
    let bold = words.next()? == "B";
    let code = char::from_u32(u32::from_str_radix(words.next()?, 16).ok()?)?;
    let mut letter = Letter { advance: words.next()?.parse().ok()?, contours: Vec::new() };
    while let Some(command) = words.next() {
        let mut take = || Some((words.next()?.parse::<f64>().ok()?, words.next()?.parse::<f64>().ok()?));
        match command {
            "M" => letter.contours.push(vec![take()?]),
            "L" => {
                let end = take()?;
                letter.contours.last_mut()?.push(end);
            }
            _ => {
                let (control, end) = (take()?, take()?);
                let contour = letter.contours.last_mut()?;
                let start = *contour.last()?;
                for step in 1..=STEPS {
                    let t = f64::from(step) / f64::from(STEPS);
                    let along = |a: f64, b: f64, c: f64| {
                        a * (1.0 - t) * (1.0 - t) + 2.0 * b * t * (1.0 - t) + c * t * t
                    };
                    contour.push((along(start.0, control.0, end.0), along(start.1, control.1, end.1)));
                }
            }
        }
    }
    Some(((bold, code), letter))
}

fn find(letter: char, bold: bool) -> Option<&'static Letter> {
    letters().get(&(bold, letter)).or_else(|| letters().get(&(false, letter)))
}

/// How wide a text is at a type size, in the same unit.
pub fn width(text: &str, size: f64, bold: bool) -> f64 {
    let advance = |c: char| find(c, bold).map_or(0.6 * UNITS, |letter| letter.advance);
    text.chars().map(advance).sum::<f64>() * size / UNITS
}

/// The contours of a text whose first letter begins at the origin, on the base line.
pub(super) fn outline(text: &str, size: f64, bold: bool) -> Vec<Vec<Point>> {
    let scale = size / UNITS;
    let mut contours = Vec::new();
    let mut pen = 0.0;
    for c in text.chars() {
        let Some(letter) = find(c, bold) else {
            let (left, right) = (pen + 0.08 * size, pen + 0.52 * size);
            let (top, line) = (-0.7 * size, 0.06 * size);
            contours.push(vec![(left, 0.0), (right, 0.0), (right, top), (left, top)]);
            // The other way round: a hole.
            let (left, right, top) = (left + line, right - line, top + line);
            contours.push(vec![(left, -line), (left, top), (right, top), (right, -line)]);
            pen += 0.6 * size;
            continue;
        };
        for contour in &letter.contours {
            contours.push(contour.iter().map(|(x, y)| (pen + x * scale, -y * scale)).collect());
        }
        pen += letter.advance * scale;
    }
    contours
}

/// The text in lines no wider than `limit`, at most `lines` of them; what does not fit ends in "…".
pub fn wrap(text: &str, size: f64, bold: bool, limit: f64, lines: usize) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&longer, size, bold) <= limit {
            line = longer;
        } else if done.len() + 1 < lines && !line.is_empty() {
            done.push(std::mem::replace(&mut line, word.to_owned()));
        } else {
            let rest = std::iter::once(word).chain(words.by_ref()).collect::<Vec<_>>().join(" ");
            line = if line.is_empty() { rest } else { format!("{line} {rest}") };
        }
    }
    done.push(line);
    done.iter().map(|line| shorten(line, size, bold, limit)).collect()
}

/// The text, or as much of it as fits with "…".
pub fn shorten(text: &str, size: f64, bold: bool, limit: f64) -> String {
    if width(text, size, bold) <= limit {
        return text.to_owned();
    }
    let mut kept: String = text.to_owned();
    while kept.pop().is_some() {
        let shown = format!("{}…", kept.trim_end());
        if width(&shown, size, bold) <= limit {
            return shown;
        }
    }
    "…".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_arials() {
        // Arial's advances: A 1366, g 1139, space 569, one 1139 of 2048.
        assert_eq!(width("Ag 1", 2048.0, false), 1366.0 + 1139.0 + 569.0 + 1139.0);
        assert!(width("iii", 10.0, true) < width("www", 10.0, true));
        assert_eq!(letters().len(), include_str!("arimo/letters.txt").lines().count(), "every line is read");
        assert!("−₁₀κ…×".chars().all(|letter| find(letter, false).is_some()));
    }

    #[test]
    fn text_is_broken_at_blanks_and_shortened_at_the_end() {
        let lines = wrap("DNA-binding transcription factor activity", 12.0, false, 150.0, 2);
        assert_eq!(lines, ["DNA-binding transcription", "factor activity"]);
        let one = wrap("DNA-binding transcription factor activity", 12.0, false, 150.0, 1);
        assert!(one.len() == 1 && one[0].ends_with('…') && width(&one[0], 12.0, false) <= 150.0, "{one:?}");
        assert_eq!(wrap("", 12.0, false, 10.0, 2), [""]);
        assert_eq!(shorten("abc", 12.0, false, 1.0), "…");
    }
}
