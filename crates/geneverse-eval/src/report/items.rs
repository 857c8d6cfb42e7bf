//! Every question with its answers, as data for the script, and the form to look through them.
//!
//! `index` has of each question what the list shows, filters and sorts by; the rest lies in pieces (see
//! [`chunks`](super::chunks)) that are read when a question is opened or text is looked for.

use std::collections::HashMap;
use std::fmt::Write;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::chunks::{json_in_script, pieces};
use super::diff::{Piece, diff};
use super::html::escape;
use super::{Grade, Question, ReportInput, ShownAnswer, ShownClaim};

/// The section with the form, empty lists for the script, and the data.
pub(super) fn section(out: &mut String, input: &ReportInput) {
    if input.questions.is_empty() {
        return;
    }
    let models = models(&input.questions);
    let splits = splits(&input.questions);
    let _ = write!(
        out,
        "<section id=\"questions\" aria-labelledby=\"questions-title\">\n<h2 id=\"questions-title\">Every question</h2>\n\
         <p class=\"note\">Open one to see the reference, what each model said, what the repair changed \
         (<del>taken out</del>, <ins>put in</ins>), what is claimed, and why it got its grades.</p>\n\
         <noscript><p class=\"warning\">The {} questions are shown by the page’s own script, which is switched off here. \
         They are also in the runs’ answers and scores, line by line.</p></noscript>\n\
         <form id=\"filters\" hidden aria-label=\"Which questions are shown\">\n\
         <label class=\"wide\">Text <input type=\"search\" id=\"filter-text\" autocomplete=\"off\" \
         placeholder=\"words in question, reference or answers\"></label>\n",
        input.questions.len()
    );
    let select = |out: &mut String, id: &str, label: &str, options: &[(String, String)]| {
        let _ = write!(out, "<label>{label} <select id=\"{id}\">");
        for (value, name) in options {
            let _ = write!(out, "<option value=\"{}\">{}</option>", escape(value), escape(name));
        }
        out.push_str("</select></label>\n");
    };
    let numbered = |all: &str, names: &[&str]| -> Vec<(String, String)> {
        let named = names.iter().enumerate().map(|(place, name)| (place.to_string(), (*name).to_owned()));
        [(String::new(), all.to_owned())].into_iter().chain(named).collect()
    };
    let fixed = |options: &[(&str, &str)]| -> Vec<(String, String)> {
        options.iter().map(|(value, name)| ((*value).to_owned(), (*name).to_owned())).collect()
    };
    if splits.len() > 1 {
        select(out, "filter-split", "Questions", &numbered("all", &splits));
    }
    if models.len() > 1 {
        select(out, "filter-model", "Run", &numbered("any", &models));
    }
    let mut grades = vec![
        ("", "any"),
        ("pass", "true and well formed"),
        ("fail", "not both"),
        ("true", "true"),
        ("untrue", "not true"),
        ("formed", "well formed"),
        ("unformed", "ill formed"),
    ];
    let any = |wanted: &(dyn Fn(&Grade) -> bool + Sync)| {
        input.questions.par_iter().flat_map_iter(|q| &q.answers).filter_map(|a| a.grade.as_ref()).any(wanted)
    };
    if any(&|grade| contradicted(grade) > 0) {
        grades.push(("contradicted", "contradicts the record"));
    }
    if any(&|grade| grade.identifiers_right < grade.identifiers) {
        grades.push(("identifiers", "has wrong identifiers"));
    }
    if models.len() > 1 {
        grades.push(("differ", "runs are graded differently"));
    }
    select(out, "filter-grade", "Grade", &fixed(&grades));
    let mut orders = vec![
        ("", "as asked"),
        ("subject", "subject"),
        ("low", "lowest ROUGE-1 first"),
        ("high", "highest ROUGE-1 first"),
    ];
    if models.len() > 1 {
        orders.push(("spread", "where runs differ most"));
    }
    select(out, "filter-order", "Order", &fixed(&orders));
    if models.len() > 1 {
        out.push_str("<fieldset id=\"shown\"><legend>Side by side</legend>\n");
        for (place, model) in models.iter().enumerate() {
            let _ = writeln!(
                out,
                "<label><input type=\"checkbox\" value=\"{place}\" checked> {}</label>",
                escape(model)
            );
        }
        out.push_str("</fieldset>\n");
    }
    out.push_str(
        "</form>\n<p id=\"count\" class=\"note\" role=\"status\"></p>\n<ol id=\"items\"></ol>\n\
         <nav id=\"pager\" aria-label=\"Pages of questions\" hidden><button type=\"button\" id=\"previous\">Previous</button> \
         <span id=\"page\"></span> <button type=\"button\" id=\"next\">Next</button></nav>\n</section>\n",
    );
    data(out, input, &models, &splits);
}

/// Names in the order in which they come first.
fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

fn models(questions: &[Question]) -> Vec<&str> {
    in_order(
        questions.iter().flat_map(|question| question.answers.iter().map(|answer| answer.model.as_str())),
    )
}

fn splits(questions: &[Question]) -> Vec<&str> {
    in_order(questions.iter().map(|question| question.split.as_str()))
}

fn data(out: &mut String, input: &ReportInput, models: &[&str], splits: &[&str]) {
    let place_of: HashMap<&str, usize> =
        splits.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    let of_models = |question: &Question, value: fn(&ShownAnswer) -> Value| -> Vec<Value> {
        let of =
            |model: &&str| question.answers.iter().find(|a| a.model == **model).map_or(Value::Null, value);
        models.iter().map(of).collect()
    };
    let rows: Vec<Value> = input
        .questions
        .par_iter()
        .map(|q| {
            let split = place_of.get(q.split.as_str()).copied().unwrap_or_default();
            json!([split, q.subject, q.cell_type.as_deref().unwrap_or_default(), of_models(q, in_index)])
        })
        .collect();
    let details: Vec<String> = input
        .questions
        .par_iter()
        .map(|q| {
            let picture = q.picture.as_ref().map(|picture| match &picture.shown {
                Ok(place) => json!([picture.path, place]),
                Err(why) => json!([picture.path, why]),
            });
            let whole = json!({
                "id": q.id, "subject": q.subject, "prompt": q.prompt, "reference": q.reference, "cell_type": q.cell_type, "label": q.label,
                "picture": picture, "answers": of_models(q, in_detail),
            });
            whole.to_string()
        })
        .collect();
    let starts = pieces(out, &details);
    for (place, picture) in input.pictures.iter().enumerate() {
        let _ =
            writeln!(out, "<script type=\"text/plain\" id=\"picture-{place}\">{}</script>", escape(picture));
    }
    let index = json!({"models": models, "splits": splits, "starts": starts, "questions": rows});
    let _ = writeln!(
        out,
        "<script type=\"application/json\" id=\"index\">{}</script>",
        json_in_script(&index.to_string())
    );
}

/// Four digits are enough to show, and to sort by.
fn short(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn contradicted(grade: &Grade) -> usize {
    grade.claims.iter().filter(|claim| claim.verdict.starts_with("contradict")).count()
}

fn in_index(answer: &ShownAnswer) -> Value {
    match &answer.grade {
        None => json!([]),
        Some(grade) => json!([
            short(grade.factual),
            short(grade.structural),
            short(grade.rouge1),
            contradicted(grade),
            grade.identifiers.saturating_sub(grade.identifiers_right),
        ]),
    }
}

fn in_detail(answer: &ShownAnswer) -> Value {
    let mut shown = json!({"text": answer.text});
    if let Some(before) = &answer.before {
        shown["edits"] =
            answer.edits.iter().map(|edit| json!([edit.what, edit.from, edit.to])).collect::<Vec<_>>().into();
        if *before != answer.text {
            shown["diff"] = difference(before, &answer.text).into();
        }
    }
    if let Some(grade) = &answer.grade {
        shown["reasons"] = json!(grade.reasons);
        let overlaps = [
            ("ROUGE-1", Some(grade.rouge1)),
            ("ROUGE-2", grade.rouge2),
            ("ROUGE-L", grade.rouge_l),
            ("BLEU", grade.bleu),
        ];
        let known = overlaps.iter().filter_map(|(name, value)| Some(json!([name, short((*value)?)])));
        shown["overlaps"] = known.collect::<Vec<_>>().into();
        shown["identifiers"] = json!([grade.identifiers_right, grade.identifiers]);
        if !grade.claims.is_empty() {
            shown["claims"] = grade.claims.iter().map(claim).collect::<Vec<_>>().into();
        }
    }
    shown
}

/// Text, verdict, why, and what it is about.
fn claim(claim: &ShownClaim) -> Value {
    let ShownClaim { kind, text, verdict, field, record, why } = claim;
    let verdict = verdict.replace('_', " ").replace("not in record", "not in the record");
    let field = field.as_deref().unwrap_or("field");
    let why = match (why, record) {
        (Some(why), _) => why.clone(),
        (None, Some(record)) => format!("the record’s {field}: {record}"),
        (None, None) if claim.field.is_some() => format!("the record’s {field}"),
        (None, None) => String::new(),
    };
    json!([text, verdict, why, kind.replace('_', " ")])
}

/// What stayed ("="), went ("-") and came ("+"): a kind and a text by turns.
fn difference(before: &str, after: &str) -> Vec<Value> {
    let mut joined: Vec<(&str, String)> = Vec::new();
    for piece in diff(before, after) {
        let (kind, text) = match piece {
            Piece::Same(text) => ("=", text),
            Piece::Removed(text) => ("-", text),
            Piece::Added(text) => ("+", text),
        };
        match joined.last_mut() {
            Some((last, all)) if *last == kind => all.push_str(text),
            _ => joined.push((kind, text.to_owned())),
        }
    }
    joined.into_iter().flat_map(|(kind, text)| [kind.into(), text.into()]).collect()
}
