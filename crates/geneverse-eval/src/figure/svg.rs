//! A scene as SVG 1.1, to be opened, printed and edited. Text stays text. Points beyond [`VECTOR_POINTS`] are a picture
//! inside the picture, so that a file of 60,000 points stays small and opens at once.

use std::fmt::Write;

use base64::Engine;

use super::palette::Shape;
use super::png;
use super::raster::Canvas;
use super::scene::{Anchor, Item, MarkStyle, Scene, Text, mark_outline};

/// Points of one layer that are kept as forms.
pub const VECTOR_POINTS: usize = 4000;
/// Pixels to a CSS pixel in a layer of points that is a picture.
const DOTS: f64 = 3.0;

/// The whole file.
pub(super) fn render(scene: &Scene) -> std::io::Result<String> {
    let (width, height, title) = (number(scene.width), number(scene.height), escape(&scene.title));
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" \
         xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"Arial, Helvetica, Arimo, 'Liberation Sans', \
         sans-serif\">\n<title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for item in &scene.items {
        match item {
            Item::Area { points, colour, opacity } => {
                let places: Vec<String> =
                    points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect();
                let opacity = attribute("fill-opacity", *opacity);
                let _ = writeln!(
                    out,
                    "<polygon points=\"{}\" fill=\"{}\"{opacity}/>",
                    places.join(" "),
                    colour.hex()
                );
            }
            Item::Line { points, colour, width, dashes, opacity } => {
                let dashes: Vec<String> = dashes.iter().map(|length| number(*length)).collect();
                let dashes = if dashes.is_empty() {
                    String::new()
                } else {
                    format!(" stroke-dasharray=\"{}\"", dashes.join(" "))
                };
                let _ = writeln!(
                    out,
                    "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{dashes}{}/>",
                    path(points, false),
                    colour.hex(),
                    number(*width),
                    attribute("stroke-opacity", *opacity)
                );
            }
            Item::Marks { places, styles } if places.len() <= VECTOR_POINTS => {
                for ((x, y), style) in places {
                    if let Some(style) = styles.get(*style) {
                        mark(&mut out, (*x, *y), *style);
                    }
                }
            }
            Item::Marks { places, styles } => picture(&mut out, places, styles)?,
            Item::Text(words) => text(&mut out, words),
        }
    }
    out.push_str("</svg>\n");
    Ok(out)
}

fn mark(out: &mut String, at: (f64, f64), style: MarkStyle) {
    let MarkStyle { shape, colour, radius, opacity, edge } = style;
    let edge = edge.map_or(String::new(), |edge| {
        format!(" stroke=\"{}\" stroke-width=\"1.2\" paint-order=\"stroke\"", edge.hex())
    });
    let look = format!("fill=\"{}\"{}{edge}", colour.hex(), attribute("fill-opacity", opacity));
    let _ = if shape == Shape::Circle {
        let (x, y, radius) = (number(at.0), number(at.1), number(radius));
        writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {look}/>")
    } else {
        writeln!(out, "<path d=\"{}\" {look}/>", path(&mark_outline(shape, at, radius), true))
    };
}

/// Many points as a PNG at their place.
fn picture(out: &mut String, places: &[((f64, f64), usize)], styles: &[MarkStyle]) -> std::io::Result<()> {
    let margin = styles.iter().fold(0.0_f64, |most, style| most.max(style.radius)) * 1.4 + 1.0;
    let least =
        |of: fn(&(f64, f64)) -> f64| places.iter().map(|(at, _)| of(at)).fold(f64::INFINITY, f64::min);
    let most =
        |of: fn(&(f64, f64)) -> f64| places.iter().map(|(at, _)| of(at)).fold(f64::NEG_INFINITY, f64::max);
    let corner = ((least(|at| at.0) - margin).floor(), (least(|at| at.1) - margin).floor());
    let (width, height) =
        ((most(|at| at.0) + margin - corner.0).ceil(), (most(|at| at.1) + margin - corner.1).ceil());
    let mut canvas = Canvas::new(width, height, DOTS, None);
    canvas.marks(places, styles, corner);
    let file = png::encode(&canvas, true, DOTS)?;
    let _ = writeln!(
        out,
        "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" xlink:href=\"data:image/png;base64,{}\"/>",
        number(corner.0),
        number(corner.1),
        number(width),
        number(height),
        base64::engine::general_purpose::STANDARD.encode(file)
    );
    Ok(())
}

fn text(out: &mut String, words: &Text) {
    let Text { at, text, size, bold, anchor, colour, turned, halo } = words;
    let (x, y) = (number(at.0), number(at.1));
    let anchor = match anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    };
    let place = if *turned {
        format!("transform=\"translate({x} {y}) rotate(-90)\"")
    } else {
        format!("x=\"{x}\" y=\"{y}\"")
    };
    let weight = if *bold { " font-weight=\"bold\"" } else { "" };
    let seam = if *halo {
        " stroke=\"#ffffff\" stroke-opacity=\"0.9\" stroke-width=\"3.2\" stroke-linejoin=\"round\" paint-order=\"stroke\""
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "<text {place} font-size=\"{}\" fill=\"{}\"{weight}{anchor}{seam}>{}</text>",
        number(*size),
        colour.hex(),
        escape(text)
    );
}

fn path(points: &[(f64, f64)], closed: bool) -> String {
    let mut text = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        let _ = write!(text, "{}{} {}", if at == 0 { "M" } else { "L" }, number(*x), number(*y));
    }
    if closed {
        text.push('Z');
    }
    text
}

fn attribute(name: &str, opacity: f64) -> String {
    if opacity >= 1.0 { String::new() } else { format!(" {name}=\"{}\"", number(opacity)) }
}

/// At most two digits after the point.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Text as XML.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
