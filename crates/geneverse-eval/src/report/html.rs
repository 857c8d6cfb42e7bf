//! The page. Every text goes through [`escape`].

use std::fmt::Write;

use super::diff::{Piece, diff};
use super::{Question, ReportInput, Row, ShownAnswer, SplitTable, svg};
use crate::scores::Item;

/// The whole page.
pub fn render(input: &ReportInput) -> String {
    let mut out = String::with_capacity(1 << 16);
    let title = escape(&input.title);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
        include_str!("style.css")
    );
    for (place, paragraph) in input.summary.iter().enumerate() {
        let class = if place == 0 { " class=\"lead\"" } else { "" };
        let _ = writeln!(out, "<p{class}>{}</p>", escape(paragraph));
    }
    if !input.splits.is_empty() {
        out.push_str("<section>\n<h2>Scores</h2>\n");
        out.push_str(
            "<p class=\"note\">All from 0 to 1, higher is better. Factual and structural are the shares of answers \
             that are true to the record and of the asked form; average is their mean. BLEU and ROUGE-1 compare the \
             wording with the reference. Identifiers right is the share of written identifiers that are the \
             gene’s own.</p>\n",
        );
        for split in &input.splits {
            table(&mut out, split);
        }
        out.push_str("</section>\n");
    }
    if !input.curves.is_empty() {
        out.push_str("<section>\n<h2>Training</h2>\n");
        for curve in &input.curves {
            let _ = writeln!(
                out,
                "<h3>{}: loss per trained token</h3>\n<div class=\"scroll\">{}</div>",
                escape(&curve.name),
                svg::curve(curve)
            );
        }
        out.push_str("</section>\n");
    }
    questions(&mut out, &input.questions);
    if !input.facts.is_empty() {
        out.push_str("<footer>\n<h2>This run</h2>\n<dl class=\"facts\">\n");
        for (name, value) in &input.facts {
            let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
        }
        out.push_str("</dl>\n</footer>\n");
    }
    out.push_str("</main>\n</body>\n</html>\n");
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

fn table(out: &mut String, split: &SplitTable) {
    let _ = writeln!(out, "<h3>{}</h3>", escape(&split.name));
    if !split.note.is_empty() {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(&split.note));
    }
    let _ = write!(
        out,
        "<div class=\"scroll\"><table aria-label=\"Scores: {}\">\n<thead><tr><th scope=\"col\">Model</th>\
         <th scope=\"col\">n</th>",
        escape(&split.name)
    );
    for (heading, _) in COLUMNS {
        let _ = write!(out, "<th scope=\"col\">{heading}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &split.rows {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th><td>{}</td>", escape(&row.model), row.n);
        for (_, value) in COLUMNS {
            let best = split.rows.iter().filter_map(value).fold(f64::NEG_INFINITY, f64::max);
            match value(row).filter(|v| v.is_finite()) {
                Some(score) => {
                    let class = if split.rows.len() > 1 && score >= best { " best" } else { "" };
                    let percent = (score * 100.0).clamp(0.0, 100.0);
                    let _ = write!(
                        out,
                        "<td class=\"score{class}\"><b>{score:.3}</b><span class=\"bar\" aria-hidden=\"true\">\
                         <i style=\"width:{percent:.1}%\"></i></span></td>"
                    );
                }
                None => out.push_str("<td class=\"score\"><span title=\"none written\">–</span></td>"),
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

type Column = (&'static str, fn(&Row) -> Option<f64>);

const COLUMNS: [Column; 6] = [
    ("Factual", |row| Some(row.factual)),
    ("Structural", |row| Some(row.structural)),
    ("Average", |row| Some(row.average)),
    ("BLEU", |row| Some(row.bleu)),
    ("ROUGE-1", |row| Some(row.rouge1)),
    ("Identifiers right", |row| row.identifiers_right),
];

fn questions(out: &mut String, questions: &[Question]) {
    if questions.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Every question</h2>\n<p class=\"note\">Open one to see the reference, what each \
        model said, what the repair changed (<del>taken out</del>, <ins>put in</ins>) and why it got its grades.</p>\n");
    let mut splits: Vec<&str> = Vec::new();
    for question in questions {
        if !splits.contains(&question.split.as_str()) {
            splits.push(&question.split);
        }
    }
    for split in splits {
        if !split.is_empty() {
            let _ = writeln!(out, "<h3>{}</h3>", escape(split));
        }
        for question in questions.iter().filter(|question| question.split == split) {
            one_question(out, question);
        }
    }
    out.push_str("</section>\n");
}

fn one_question(out: &mut String, question: &Question) {
    let _ = write!(
        out,
        "<details>\n<summary><span class=\"subject\">{}</span><span class=\"marks\">",
        escape(&question.subject)
    );
    for answer in &question.answers {
        let last =
            answer.repaired.as_ref().and_then(|repaired| repaired.grade.as_ref()).or(answer.grade.as_ref());
        if let Some(grade) = last {
            let _ = write!(out, "<span>{} {}</span>", escape(&answer.model), marks(grade));
        }
    }
    let _ = write!(
        out,
        "</span></summary>\n<div class=\"body\">\n<p class=\"label\">Question</p>\n<p class=\"text\">{}</p>\n\
         <p class=\"label\">Reference</p>\n<p class=\"text reference\">{}</p>\n",
        escape(&question.prompt),
        escape(&question.reference)
    );
    for answer in &question.answers {
        one_answer(out, answer);
    }
    out.push_str("</div>\n</details>\n");
}

fn one_answer(out: &mut String, answer: &ShownAnswer) {
    let model = escape(&answer.model);
    let grade = answer.grade.as_ref();
    let _ = writeln!(out, "<p class=\"label\"><b>{model}</b> {}</p>", grade.map(marks).unwrap_or_default());
    let text = if answer.text.trim().is_empty() { "(empty)" } else { &answer.text };
    let _ = writeln!(out, "<p class=\"text\">{}</p>", escape(text));
    why(out, grade);
    let Some(repaired) = &answer.repaired else { return };
    let after = repaired.grade.as_ref();
    let edits = match repaired.edits.len() {
        0 => "nothing to repair".to_owned(),
        1 => "1 edit".to_owned(),
        n => format!("{n} edits"),
    };
    let _ = writeln!(
        out,
        "<p class=\"label\"><b>{model}, repaired</b> {} <span>{edits}</span></p>",
        after.map(marks).unwrap_or_default()
    );
    if repaired.text != answer.text {
        let _ = writeln!(out, "<p class=\"text\">{}</p>", difference(&answer.text, &repaired.text));
    }
    if after.map(|item| &item.reasons) != grade.map(|item| &item.reasons) {
        why(out, after);
    }
}

fn why(out: &mut String, grade: Option<&Item>) {
    let Some(grade) = grade.filter(|grade| !grade.reasons.is_empty()) else { return };
    out.push_str("<ul class=\"why\">");
    for reason in &grade.reasons {
        let _ = write!(out, "<li>{}</li>", escape(reason));
    }
    let _ = writeln!(
        out,
        "<li>ROUGE-1 {:.3}{}</li></ul>",
        grade.rouge1,
        grade.bleu.map(|b| format!(", BLEU {b:.3}")).unwrap_or_default()
    );
}

fn marks(grade: &Item) -> String {
    let mark = |score: f64, yes: &str, no: &str| {
        let (class, word) = if score >= 0.5 { ("yes", yes) } else { ("no", no) };
        format!("<span class=\"mark {class}\">{word}</span>")
    };
    format!(
        "{} {}",
        mark(grade.factual, "true", "not true"),
        mark(grade.structural, "well formed", "ill formed")
    )
}

/// The text after repair with what went and what came.
fn difference(before: &str, after: &str) -> String {
    let mut out = String::new();
    let mut open = "";
    for piece in diff(before, after) {
        let (tag, text) = match piece {
            Piece::Same(text) => ("", text),
            Piece::Removed(text) => ("del", text),
            Piece::Added(text) => ("ins", text),
        };
        if tag != open {
            if !open.is_empty() {
                let _ = write!(out, "</{open}>");
            }
            if !tag.is_empty() {
                // Without a break, "old" and "new" would be one long word to the line breaker.
                let _ = write!(out, "{}<{tag}>", if open.is_empty() { "" } else { "<wbr>" });
            }
            open = tag;
        }
        out.push_str(&escape(text));
    }
    if !open.is_empty() {
        let _ = write!(out, "</{open}>");
    }
    out
}
