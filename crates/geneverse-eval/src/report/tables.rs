//! The tables of scores: with their intervals, with what was in training data, and with what looking an answer up scores.

use std::fmt::Write;

use geneverse_data::dataset::compare::Finding;
use geneverse_data::dataset::retrieval::Overlap;

use super::bars;
use super::html::escape;
use super::measures::{MAIN, MORE, Measure, value};
use super::{Context, Difference, Row, SplitTable};

/// All of one split.
pub(super) fn split(out: &mut String, table: &SplitTable) {
    let _ = writeln!(out, "<h3>{}</h3>", escape(&table.name));
    if !table.note.is_empty() {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(&table.note));
    }
    contexts(out, table);
    scores(out, table, "Scores", &MAIN);
    let known: Vec<&Measure> = MORE
        .iter()
        .filter(|measure| table.rows.iter().any(|row| value(row, measure.key).is_some()))
        .collect();
    if !known.is_empty() {
        scores(out, table, "Claims and further overlap", known);
    }
    let file: String = table.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let _ = writeln!(
        out,
        "<p class=\"note\"><a download=\"scores-{file}.csv\" href=\"data:text/csv;charset=utf-8,{}\">Download as CSV</a></p>",
        percent(&csv(table))
    );
    bars::figure(out, table);
    differences(out, table);
}

/// The beginning of a table that can be scrolled by touch and by keyboard, and sorted where there is a script.
pub(super) fn begin(out: &mut String, label: &str, headings: &[(&str, &str)]) {
    let label = escape(label);
    let _ = write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table class=\"sortable\">\
         <caption>{label}</caption>\n<thead><tr>"
    );
    for (heading, meaning) in headings {
        let title =
            if meaning.is_empty() { String::new() } else { format!(" title=\"{}\"", escape(meaning)) };
        let _ = write!(out, "<th scope=\"col\"{title}>{}</th>", escape(heading));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
}

fn scores<'a>(
    out: &mut String,
    table: &SplitTable,
    label: &str,
    measures: impl IntoIterator<Item = &'a Measure>,
) {
    let measures: Vec<&Measure> = measures.into_iter().collect();
    let mut headings = vec![("Model", ""), ("n", "how many answers")];
    headings.extend(measures.iter().map(|measure| (measure.heading, measure.meaning)));
    begin(out, &format!("{label}: {}", table.name), &headings);
    for row in &table.rows {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td data-value=\"{1}\">{1}</td>",
            escape(&row.model),
            row.n
        );
        for measure in &measures {
            cell(out, table, row, measure);
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>");
    if measures.iter().any(|measure| measure.key == "bleu") {
        retrieval(out, &table.contexts, measures.len());
        without_model(out, &table.baselines, &measures);
    }
    out.push_str("</table></div>\n");
}

fn cell(out: &mut String, table: &SplitTable, row: &Row, measure: &Measure) {
    let Some(score) = value(row, measure.key) else {
        out.push_str("<td class=\"score\"><span title=\"nothing to measure\">–</span></td>");
        return;
    };
    let others = table.rows.iter().filter_map(|row| value(row, measure.key));
    let best = if measure.more_is_better {
        others.fold(f64::NEG_INFINITY, f64::max) <= score
    } else {
        others.fold(f64::INFINITY, f64::min) >= score
    };
    let class = if table.rows.len() > 1 && best { " best" } else { "" };
    let _ = write!(out, "<td class=\"score{class}\" data-value=\"{score}\"><b>{score:.3}</b>");
    if let Some([low, high]) = row.intervals.get(measure.key) {
        let _ = write!(out, "<small>{low:.2}–{high:.2}</small>");
    }
    let _ = write!(
        out,
        "<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:{:.1}%\"></i></span></td>",
        (score * 100.0).clamp(0.0, 100.0)
    );
}

/// Rows of what looking up a training answer scores, below the models that have to do better.
fn retrieval(out: &mut String, contexts: &[Context], columns: usize) {
    let found: Vec<_> =
        contexts.iter().filter_map(|context| Some((context, context.retrieval.as_ref()?))).collect();
    if found.is_empty() {
        return;
    }
    out.push_str("\n<tfoot>\n");
    let several = contexts.len() > 1;
    let mut stated = false;
    for (context, scores) in found {
        let mut row = |what: &str, Overlap { bleu, rouge1, function }: &Overlap| {
            let of = if several { format!(" in {}", context.dataset) } else { String::new() };
            let _ = write!(
                out,
                "<tr><th scope=\"row\">No model: {}</th><td>{}</td>",
                escape(&format!("{what}{of}")),
                scores.scored
            );
            match function {
                Some(share) => {
                    stated = true;
                    let _ = write!(out, "<td class=\"score\"><b>{share:.3}*</b></td>");
                }
                None => out.push_str("<td class=\"score\">–</td>"),
            }
            let _ = writeln!(
                out,
                "<td class=\"score\">–</td><td class=\"score\">–</td><td class=\"score\"><b>{bleu:.3}</b></td>\
                 <td class=\"score\"><b>{rouge1:.3}</b></td><td class=\"score\">–</td></tr>"
            );
        };
        row("training answer nearest to the question", &scores.by_question);
        scores.by_name.iter().for_each(|overlap| row("nearest to question and gene name", overlap));
        row("the one most like the reference", &scores.best);
    }
    if stated {
        let _ = writeln!(
            out,
            "<tr><td class=\"note\" colspan=\"{}\">* states the function, whoever it names</td></tr>",
            columns + 2
        );
    }
    out.push_str("</tfoot>\n");
}

/// Rows of what constant and usual answers score.
fn without_model(out: &mut String, baselines: &[Row], measures: &[&Measure]) {
    if baselines.is_empty() {
        return;
    }
    out.push_str("\n<tfoot>\n");
    for row in baselines {
        let _ = write!(out, "<tr><th scope=\"row\">No model: {}</th><td>{}</td>", escape(&row.model), row.n);
        for measure in measures {
            let Some(score) = value(row, measure.key) else {
                out.push_str("<td class=\"score\">–</td>");
                continue;
            };
            let _ = write!(out, "<td class=\"score\"><b>{score:.3}</b>");
            if let Some([low, high]) = row.intervals.get(measure.key) {
                let _ = write!(out, "<small>{low:.2}–{high:.2}</small>");
            }
            out.push_str("</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tfoot>\n");
}

/// What was in training data, in words, above the scores that it bears on.
fn contexts(out: &mut String, table: &SplitTable) {
    if table.contexts.is_empty() {
        out.push_str(
            "<p class=\"leak\"><b>Leakage is not known:</b> no training data was found beside these runs, or no answers. Name it with \
             <code>--dataset</code>, or read the scores as an upper bound.</p>\n",
        );
    }
    for context in &table.contexts {
        let Context { dataset, runs, questions, places, leakage, shared, retrieval, warnings } = context;
        let who = match runs.as_slice() {
            [] => String::new(),
            [one] => format!(", on which {one} was trained"),
            several => format!(", on which {} were trained", several.join(", ")),
        };
        let _ = write!(
            out,
            "<div class=\"leak\"><p><b>In the training data</b> ({}{}): ",
            escape(dataset),
            escape(&who)
        );
        let trained = places.iter().find(|(split, _)| split == "train").map_or(0, |(_, count)| *count);
        match (trained, leakage) {
            (trained, _) if trained == *questions => {
                let _ = write!(
                    out,
                    "all {questions} questions with their references. These scores tell what is remembered; copying \
                     would score 1.</p>"
                );
            }
            (_, None) if !shared.is_empty() => {
                let _ = write!(out, "of {questions} questions</p>\n<ul class=\"chips\">");
                shared.iter().for_each(|(what, finding)| chip(out, what, Some(finding)));
                out.push_str("</ul>");
            }
            (0, None) => out.push_str("none of the questions; likeness was not measured.</p>"),
            (trained, None) => {
                let _ = write!(out, "{trained} of {questions} questions with their references.</p>");
            }
            (_, Some(leakage)) => {
                let _ = write!(out, "of {} questions</p>\n<ul class=\"chips\">", leakage.examples);
                let group = leakage.same_group.as_ref();
                for (what, finding) in [
                    ("the same text", Some(&leakage.same_text)),
                    ("nearly the same text", Some(&leakage.near)),
                    ("the same gene", Some(&leakage.same_gene)),
                    ("a gene of the same HGNC group", group),
                ] {
                    chip(out, what, finding);
                }
                out.push_str("</ul>");
            }
        }
        let elsewhere: Vec<String> = places
            .iter()
            .filter(|(split, count)| split != "train" && *count > 0 && *count < *questions)
            .map(|(split, count)| format!("{count} of {questions} questions are of its {split} split"))
            .collect();
        for line in elsewhere.iter().chain(warnings) {
            let _ = write!(out, "<p class=\"warning\">{}.</p>", escape(line));
        }
        if let Some(found) = retrieval.as_ref().filter(|found| found.scored < found.of) {
            let _ = write!(
                out,
                "<p>Looking up was scored on a sample of {} of {} questions.</p>",
                found.scored, found.of
            );
        }
        out.push_str("</div>\n");
    }
}

fn chip(out: &mut String, what: &str, finding: Option<&Finding>) {
    let Some(Finding { count, share, shown }) = finding else {
        let _ = write!(out, "<li>{what}: not known</li>");
        return;
    };
    let class = if *count > 0 { " class=\"some\"" } else { "" };
    let _ = write!(out, "<li{class}>{what}: <b>{count}</b> ({:.0} %)", share * 100.0);
    if !shown.is_empty() {
        let pairs: Vec<String> = shown.iter().map(|[asked, known]| format!("{asked} ~ {known}")).collect();
        let more = if shown.len() < *count { ", …" } else { "" };
        let _ = write!(out, " <small>{}{more}</small>", escape(&pairs.join(", ")));
    }
    out.push_str("</li>");
}

fn differences(out: &mut String, table: &SplitTable) {
    if table.differences.is_empty() {
        return;
    }
    let compared: Vec<&Measure> = MAIN
        .iter()
        .filter(|measure| {
            table.differences.iter().any(|found| found.scores.iter().any(|(key, ..)| *key == measure.key))
        })
        .collect();
    let mut headings = vec![("Run", ""), ("minus", ""), ("shared", "questions that both answered")];
    headings.extend(compared.iter().map(|measure| (measure.heading, "difference")));
    out.push_str("<div class=\"pairs\">");
    begin(out, &format!("Differences: {}", table.name), &headings);
    for Difference { run, against, shared, scores } in &table.differences {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"name\">{}</td><td data-value=\"{shared}\">{shared}</td>",
            escape(run),
            escape(against)
        );
        for measure in &compared {
            let found = scores.iter().find(|(key, ..)| *key == measure.key);
            let Some((_, difference, [low, high])) = found else {
                out.push_str("<td class=\"score\">–</td>");
                continue;
            };
            let (class, word) = match (*low > 0.0, *high < 0.0) {
                (true, _) => (" up", "higher"),
                (_, true) => (" down", "lower"),
                _ => ("", "no difference shown"),
            };
            let _ = write!(
                out,
                "<td class=\"score{class}\" data-value=\"{difference}\" title=\"{word}\"><b>{}</b><small>{} to {}</small></td>",
                signed(*difference, 3),
                signed(*low, 2),
                signed(*high, 2)
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str(
        "</tbody></table></div></div>\n<p class=\"note\">Each answer is compared with the other run’s answer to the same question. \
         Below each difference is its 95 % interval; coloured and bold where it does not include 0.</p>\n",
    );
}

/// A number with its sign, and no sign at nought.
fn signed(value: f64, digits: usize) -> String {
    let text = format!("{value:+.digits$}").replace('-', "−");
    if text.chars().any(|c| ('1'..='9').contains(&c)) {
        text
    } else {
        text[text.char_indices().nth(1).map_or(0, |(at, _)| at)..].to_owned()
    }
}

/// RFC 4180, with the interval's ends in columns of their own.
fn csv(table: &SplitTable) -> String {
    let measures: Vec<&Measure> = MAIN.iter().chain(&MORE).collect();
    let mut out = "questions,model,n".to_owned();
    for measure in &measures {
        let _ = write!(out, ",{0},{0}_low,{0}_high", measure.key);
    }
    out.push_str("\r\n");
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    let no_model = table.baselines.iter().map(|row| (format!("no model: {}", row.model), row));
    let rows = table.rows.iter().map(|row| (row.model.clone(), row)).chain(no_model);
    for (model, row) in rows {
        let _ = write!(out, "{},{},{}", quoted(&table.name), quoted(&model), row.n);
        for measure in &measures {
            let interval = row.intervals.get(measure.key);
            let [low, high] = [0, 1].map(|end| number(interval.map(|interval| interval[end])));
            let _ = write!(out, ",{},{low},{high}", number(value(row, measure.key)));
        }
        out.push_str("\r\n");
    }
    for (context, found) in table.contexts.iter().filter_map(|c| Some((c, c.retrieval.as_ref()?))) {
        let ways = [
            ("nearest to the question", Some(&found.by_question)),
            ("nearest to question and gene name", found.by_name.as_ref()),
            ("most like the reference", Some(&found.best)),
        ];
        for (way, overlap) in ways.into_iter().filter_map(|(way, overlap)| Some((way, overlap?))) {
            let name = format!("training answer of {}, {way}", context.dataset);
            let _ = write!(out, "{},{},{}", quoted(&table.name), quoted(&name), found.scored);
            for measure in &measures {
                let score = match measure.key {
                    "bleu" => Some(overlap.bleu),
                    "rouge1" => Some(overlap.rouge1),
                    _ => None,
                };
                let _ = write!(out, ",{},,", number(score));
            }
            out.push_str("\r\n");
        }
    }
    out
}

/// Percent-encoding (RFC 3986): what is not unreserved.
fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_its_sign_unless_it_is_nought() {
        let shown = |value| signed(value, 2);
        assert_eq!([0.25, -0.5, 0.001, -0.001, 0.0].map(shown), ["+0.25", "−0.50", "0.00", "0.00", "0.00"]);
    }

    #[test]
    fn the_csv_quotes_names_and_leaves_the_unknown_empty() {
        let row = Row { model: "a \"b\", c".to_owned(), n: 2, factual: 0.5, ..Row::default() };
        let mut row = row;
        row.intervals.insert("factual".to_owned(), [0.25, 0.75]);
        let table = SplitTable { name: "s".to_owned(), rows: vec![row], ..SplitTable::default() };
        let csv = csv(&table);
        let lines: Vec<&str> = csv.split("\r\n").collect();
        assert!(lines[0].starts_with("questions,model,n,factual,factual_low,factual_high,structural,"));
        assert!(lines[1].starts_with("\"s\",\"a \"\"b\"\", c\",2,0.5,0.25,0.75,0,,,"), "{}", lines[1]);
        assert!(percent("é,\"\r\n").eq("%C3%A9%2C%22%0D%0A"));
    }
}
