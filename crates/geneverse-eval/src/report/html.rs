//! The page. Every text goes through [`escape`], or as JSON to the script, which sets text and never markup.
//!
//! The page's own policy allows nothing but its inline styles, `data:` pictures and the one script by its hash: were a text to
//! become markup by a mistake, no browser would run it or fetch anything for it.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use geneverse_data::stage::hash_bytes;

use super::{Curve, ReportInput, items, svg, tables};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// The whole page.
pub fn render(input: &ReportInput) -> String {
    let mut out = String::with_capacity(1 << 16);
    let title = escape(&input.title);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         img-src data:; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the results</a>\n\
         <main id=\"main\">\n<header>\n<h1>{title}</h1>\n",
        hash_for_policy(SCRIPT)
    );
    for (place, paragraph) in input.summary.iter().enumerate() {
        let class = if place == 0 { " class=\"lead\"" } else { "" };
        let _ = writeln!(out, "<p{class}>{}</p>", escape(paragraph));
    }
    let sections = [
        ("scores", "Scores", !input.splits.is_empty()),
        ("training", "Training", !input.curves.is_empty()),
        ("questions", "Every question", !input.questions.is_empty()),
        ("runs", "Runs", !input.runs.is_empty()),
    ];
    if sections.iter().filter(|(.., there)| *there).count() > 1 {
        out.push_str("<nav class=\"contents\" aria-label=\"Sections\">");
        for (id, name, _) in sections.iter().filter(|(.., there)| *there) {
            let _ = write!(out, "<a href=\"#{id}\">{name}</a>");
        }
        out.push_str("</nav>\n");
    }
    out.push_str("</header>\n");
    if !input.splits.is_empty() {
        out.push_str(
            "<section id=\"scores\" aria-labelledby=\"scores-title\">\n<h2 id=\"scores-title\">Scores</h2>\n\
             <p class=\"note\">All from 0 to 1; higher is better unless a column says otherwise. Factual and structural are the \
             means of the grades for truth and for the form asked; average is the mean of both. BLEU and ROUGE-1 compare the wording \
             with the reference. Small numbers are 95 % intervals over questions (bootstrap); one that is a point means that all \
             answers were graded alike, not that the score is certain. The lowest rows of a table are what is scored \
             without any model, by looking up a training answer or by always answering alike: one that scores no more need not \
             have learned anything.</p>\n",
        );
        input.splits.iter().for_each(|split| tables::split(&mut out, split));
        out.push_str("</section>\n");
    }
    training(&mut out, &input.curves);
    items::section(&mut out, input);
    runs(&mut out, &input.runs);
    let _ = write!(out, "</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

/// Text as HTML text or attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters are not allowed in HTML, whatever a model writes.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// SHA-256 in base64, as Content Security Policy names a script (W3C CSP3, 2.3.1).
fn hash_for_policy(script: &str) -> String {
    let hex = hash_bytes(script.as_bytes());
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap_or_default();
    BASE64_STANDARD.encode((0..hex.len()).step_by(2).map(digit).collect::<Vec<u8>>())
}

fn training(out: &mut String, curves: &[Curve]) {
    if curves.is_empty() {
        return;
    }
    out.push_str(
        "<section id=\"training\" aria-labelledby=\"training-title\">\n<h2 id=\"training-title\">Training</h2>\n",
    );
    let headings = [
        ("Run", ""),
        ("Steps", "steps with a loss"),
        ("First loss", "training"),
        ("Last loss", "training"),
        ("Best validation loss", ""),
        ("at step", ""),
    ];
    tables::begin(out, "Losses per trained token", &headings);
    for Curve { name, train, validation } in curves {
        let best = validation.iter().filter(|p| p.1.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1));
        let cell = |value: Option<f64>, digits: usize| match value {
            Some(value) => format!("<td data-value=\"{value}\">{value:.digits$}</td>"),
            None => "<td>–</td>".to_owned(),
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th>{}{}{}{}{}</tr>",
            escape(name),
            cell(train.last().map(|p| p.0), 0),
            cell(train.first().map(|p| p.1), 4),
            cell(train.last().map(|p| p.1), 4),
            cell(best.map(|p| p.1), 4),
            cell(best.map(|p| p.0), 0)
        );
    }
    out.push_str("</tbody></table></div>\n");
    for curve in curves {
        let _ = writeln!(
            out,
            "<h3>{}: loss per trained token</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" \
             aria-label=\"Figure\">{}</div>",
            escape(&curve.name),
            svg::curve(curve)
        );
    }
    out.push_str("</section>\n");
}

fn runs(out: &mut String, runs: &[(String, Vec<(String, String)>)]) {
    if runs.is_empty() {
        return;
    }
    out.push_str("<section id=\"runs\" aria-labelledby=\"runs-title\">\n<h2 id=\"runs-title\">Runs</h2>\n");
    for (name, facts) in runs {
        let _ = write!(out, "<h3>{}</h3>\n<dl class=\"facts\">\n", escape(name));
        for (name, value) in facts {
            let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
        }
        out.push_str("</dl>\n");
    }
    out.push_str("</section>\n");
}
