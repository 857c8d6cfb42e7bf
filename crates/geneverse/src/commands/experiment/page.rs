//! The report of an experiment: one page with our figures beside the published ones, every row's commands, and curves.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use geneverse_data::stage::atomic_write;
use geneverse_eval::figure::Figure;
use geneverse_eval::figure::axis::Kind;
use geneverse_eval::figure::lines::{Reading, Series, sweep};
use geneverse_eval::figure::table::{Cell, ScoreTable, scores};
use geneverse_eval::stats::correlation::{fisher_interval, pearson};

use super::measure::{LOSS, LookedUp, SCORES};
use super::plan::{Plan, Planned};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#222;background:#fff}\
    table{border-collapse:collapse;margin:1rem 0}th,td{padding:.3rem .7rem;border-bottom:1px solid #ddd;text-align:right;vertical-align:top}\
    th:first-child,td:first-child{text-align:left}small{color:#666;display:block}.loud{font-size:1.6rem;font-weight:700;border:3px solid;\
    padding:.6rem 1rem;margin:1rem 0}code{font-size:.8rem;overflow-wrap:anywhere}.out{color:#777}figure{margin:1rem 0;overflow-x:auto}\
    @media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}small,.out{color:#999}figure{background:#fff}}";

/// Writes `report.html` and `figures/`, and says where the page is.
pub(super) fn write(out: &Path, plan: &Plan) -> Result<PathBuf> {
    let mut figures = Vec::new();
    for (name, figure) in drawn(plan) {
        figure.write(&out.join("figures"), &name)?;
        figures.push(figure.svg().with_context(|| format!("figures/{name}.svg"))?);
    }
    let page = page(plan, &figures);
    let path = out.join("report.html");
    atomic_write(&path, |file| file.write_all(page.as_bytes()))?;
    Ok(path)
}

/// The columns that any row has a value for: name and title.
fn columns(plan: &Plan) -> Vec<(String, String)> {
    let has = |name: &str| {
        plan.rows.iter().any(|row| {
            row.paper.contains_key(name) || row.measured.as_ref().is_some_and(|m| m.values.contains_key(name))
        })
    };
    let mut columns: Vec<(String, String)> = SCORES
        .iter()
        .filter(|(name, _)| has(name))
        .map(|(name, title)| ((*name).to_owned(), (*title).to_owned()))
        .collect();
    if has(LOSS) {
        columns.push((LOSS.to_owned(), "Validation loss".to_owned()));
    }
    for row in &plan.rows {
        for name in row.measures.keys().filter(|name| has(name)) {
            if !columns.iter().any(|(known, _)| known == name) {
                columns.push((name.clone(), name.clone()));
            }
        }
    }
    columns
}

fn value(row: &Planned, name: &str) -> Option<f64> {
    row.measured.as_ref()?.values.get(name).copied()
}

fn interval(row: &Planned, name: &str) -> Option<(f64, f64)> {
    row.measured.as_ref()?.intervals.get(name).map(|[low, high]| (*low, *high))
}

/// The table as a figure; and a curve for each score where rows are points of curves.
fn drawn(plan: &Plan) -> Vec<(String, Figure)> {
    // Of losses the lowest is the best, which a table of scores does not say.
    let columns: Vec<(String, String)> = columns(plan).into_iter().filter(|(name, _)| name != LOSS).collect();
    let mut figures = Vec::new();
    if let Some(setting) = &plan.setting {
        for (name, title) in &columns {
            let mut all: Vec<Series> = Vec::new();
            for row in &plan.rows {
                let (Some(x), Some(y)) = (row.x, value(row, name)) else { continue };
                let reading = Reading { x, y, interval: interval(row, name) };
                let series = row.series.clone().unwrap_or_else(|| title.clone());
                match all.iter_mut().find(|known| known.name == series) {
                    Some(known) => known.readings.push(reading),
                    None => all.push(Series { name: series, readings: vec![reading] }),
                }
            }
            all.iter_mut().for_each(|series| series.readings.sort_by(|a, b| a.x.total_cmp(&b.x)));
            if all.iter().any(|series| series.readings.len() > 1)
                && matches!(name.as_str(), "factual" | "structural" | "average")
            {
                let heading = format!("{title} against {setting}");
                figures.push((name.clone(), sweep(&heading, setting, title, Kind::Linear, &all)));
            }
        }
    }
    let rows: Vec<(String, Vec<Option<Cell>>)> = plan
        .rows
        .iter()
        .filter(|row| row.measured.is_some())
        .map(|row| {
            let cell = |(name, _): &(String, String)| {
                Some(Cell { value: value(row, name)?, interval: interval(row, name) })
            };
            (row.name.clone(), columns.iter().map(cell).collect())
        })
        .collect();
    if !rows.is_empty() && !columns.is_empty() {
        let loud = if plan.bundled { "EVERY BASE MODEL IS THE BUNDLED ONE. " } else { "" };
        let table = ScoreTable {
            title: plan.title.clone(),
            rows_are: "Row".to_owned(),
            columns: columns.iter().map(|(_, title)| title.clone()).collect(),
            rows,
            note: format!(
                "{loud}Below a score stands the interval that holds 95 % of 1,000 bootstrap samples of the questions."
            ),
        };
        figures.push(("table".to_owned(), scores(&table)));
    }
    figures
}

/// Correlations of overlap with the average over the rows that are runs of their own.
fn correlations(plan: &Plan) -> Vec<String> {
    let rows: Vec<&Planned> = plan.rows.iter().filter(|row| row.same_as.is_none()).collect();
    let mut told = Vec::new();
    for (name, title) in [("bleu", "BLEU"), ("rouge1", "ROUGE-1")] {
        let pairs: Vec<(f64, f64)> =
            rows.iter().filter_map(|row| Some((value(row, name)?, value(row, "average")?))).collect();
        let (first, second): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let paper =
            plan.paper_correlation.get(name).map_or(String::new(), |r| format!("; the paper has {r:.2}"));
        if let Ok(found) = pearson(&first, &second) {
            let [low, high] = fisher_interval(found.r, first.len());
            told.push(format!(
                "{title} with the average over {} rows: r = {:.2} [{low:.2}, {high:.2}]{paper}",
                first.len(),
                found.r
            ));
        }
    }
    told
}

impl Plan {
    /// The table as text.
    pub(super) fn table(&self) -> String {
        let columns = columns(self);
        let mut text = format!("{}\n", self.title);
        if self.bundled {
            text.push_str("EVERY BASE MODEL IS THE BUNDLED ONE\n");
        }
        let _ = write!(text, "{:<36}", "");
        columns.iter().for_each(|(_, title)| _ = write!(text, " {title:>16}"));
        text.push('\n');
        for row in &self.rows {
            let _ = write!(text, "{:<36}", row.name);
            if let Some(why) = left_out(row) {
                let _ = writeln!(text, " {why}");
                continue;
            }
            for (name, _) in &columns {
                let paper = row.paper.get(name).map_or(String::new(), |p| format!(" ({p:.2})"));
                let cell = value(row, name).map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
                let _ = write!(text, " {:>16}", format!("{cell}{paper}"));
            }
            if let Some(LookedUp { found, first, look_alike, prompt_tokens }) =
                row.measured.as_ref().and_then(|m| m.lookup)
            {
                let tokens = prompt_tokens.map_or(String::new(), |n| format!(", {n:.0} tokens asked"));
                let _ = write!(
                    text,
                    "  own record {found:.2}, first {first:.2}, look-alike first {look_alike:.2}{tokens}"
                );
            }
            text.push('\n');
        }
        if self.rows.iter().any(|row| !row.paper.is_empty()) {
            text.push_str("in brackets: the paper's\n");
        }
        correlations(self).iter().for_each(|line| _ = writeln!(text, "{line}"));
        text
    }
}

fn left_out(row: &Planned) -> Option<String> {
    if !row.missing.is_empty() {
        return Some(format!("left out, missing: {}", row.missing.join("; ")));
    }
    match (&row.failure, &row.measured) {
        (Some(failure), _) => Some(format!("failed: {failure}")),
        (None, None) => Some("not run".to_owned()),
        _ => None,
    }
}

fn page(plan: &Plan, figures: &[String]) -> String {
    let title = escape(&plan.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main>\n<h1>{title}</h1>\n"
    );
    if plan.bundled {
        out.push_str(
            "<p class=\"loud\">EVERY BASE MODEL HERE IS THE BUNDLED ONE, of 6.9 million parameters. These figures show that the \
             experiment runs; they say nothing of the models that the rows name.</p>\n",
        );
    }
    if !plan.note.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", escape(&plan.note));
    }
    let columns = columns(plan);
    let looked = plan.rows.iter().any(|row| row.measured.as_ref().is_some_and(|m| m.lookup.is_some()));
    out.push_str("<table><thead><tr><th>Row</th>");
    for (_, title) in &columns {
        let _ = write!(out, "<th>{}</th>", escape(title));
    }
    if looked {
        out.push_str("<th>own record found<small>first · look-alike first · tokens asked</small></th>");
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in &plan.rows {
        let same = row
            .same_as
            .as_ref()
            .map_or(String::new(), |other| format!("<small>the run of {}</small>", escape(other)));
        let _ = write!(out, "<tr><td>{}{same}</td>", escape(&row.name));
        if let Some(why) = left_out(row) {
            let papers: Vec<String> =
                row.paper.iter().map(|(name, value)| format!("{name} {value:.2}")).collect();
            let paper =
                if papers.is_empty() { String::new() } else { format!(" (paper: {})", papers.join(", ")) };
            let span = columns.len() + usize::from(looked);
            let _ = writeln!(
                out,
                "<td class=\"out\" colspan=\"{span}\">{}{}</td></tr>",
                escape(&why),
                escape(&paper)
            );
            continue;
        }
        for (name, _) in &columns {
            let ours = value(row, name).map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
            let range = interval(row, name)
                .map_or(String::new(), |(low, high)| format!("<small>{low:.3} to {high:.3}</small>"));
            let paper =
                row.paper.get(name).map_or(String::new(), |value| format!("<small>paper {value:.2}</small>"));
            let _ = write!(out, "<td>{ours}{range}{paper}</td>");
        }
        if looked {
            let told = row.measured.as_ref().and_then(|m| m.lookup).map_or(String::new(), |l| {
                let tokens = l.prompt_tokens.map_or("–".to_owned(), |n| format!("{n:.0}"));
                format!("{:.2}<small>{:.2} · {:.2} · {tokens}</small>", l.found, l.first, l.look_alike)
            });
            let _ = write!(out, "<td>{told}</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n<p><small>Scores are from 0 to 1, higher is better. Below one: the interval that holds 95 % of 1,000 \
        bootstrap samples of the questions, and the paper's figure where one is known from a source.</small></p>\n");
    for line in correlations(plan) {
        let _ = writeln!(out, "<p>{}</p>", escape(&line));
    }
    for figure in figures {
        let _ = writeln!(out, "<figure>{figure}</figure>");
    }
    out.push_str("<h2>How each row was made</h2>\n");
    let told = |out: &mut String, name: &str, commands: &[Vec<String>]| {
        let _ = writeln!(out, "<h3>{}</h3>", escape(name));
        for command in commands {
            let _ = writeln!(out, "<p><code>geneverse {}</code></p>", escape(&command.join(" ")));
        }
    };
    if !plan.prepare.is_empty() {
        told(&mut out, "data", &plan.prepare);
    }
    for row in plan.rows.iter().filter(|row| row.same_as.is_none()) {
        told(&mut out, &row.name, &row.commands);
    }
    out.push_str("</main></body></html>\n");
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
