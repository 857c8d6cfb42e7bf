//! The page: files that are part of the program, and what the page asks the server about itself.
//!
//! ```text
//! page/           what a browser is sent, as it lies here: no build, no framework, nothing from elsewhere
//! page.rs         those files with their headers, and `/about`
//! page/draw.rs    `/render/…`: structures and tissues to pictures
//! page/plane.rs   `/plane…`: a clustering's plane, and what lies near a gene
//! page/runs.rs    `/runs…`, `/reports/…`: runs, how their loss goes, and their reports
//! ```
//!
//! What a model writes is set as text, never as markup; the headers see to it that a slip would do nothing: no script but
//! the page's own files runs, nothing is made markup from text, and nothing is asked of another server.

mod draw;
mod plane;
mod runs;

use geneverse_data::dataset::{genes, markers, proteins};
use serde_json::json;

use super::error::ApiError;
use super::http::Response;
use super::{App, Known};
pub(crate) use plane::Plane;
pub(crate) use runs::Runs;

/// What the page shows besides answers.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) plane: Option<Plane>,
    pub(crate) runs: Option<Runs>,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page.
macro_rules! file {
    ($name:literal, $kind:expr) => {
        ($name, $kind, include_str!(concat!("page/files/", $name)))
    };
}

/// Every file, with its media type.
const FILES: [(&str, &str, &str); 17] = [
    file!("index.html", HTML),
    file!("base.css", CSS),
    file!("parts.css", CSS),
    file!("app.js", SCRIPT),
    file!("api.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("words.js", SCRIPT),
    file!("ask.js", SCRIPT),
    file!("answer.js", SCRIPT),
    file!("gene.js", SCRIPT),
    file!("record.js", SCRIPT),
    file!("plane.js", SCRIPT),
    file!("see.js", SCRIPT),
    file!("compare.js", SCRIPT),
    file!("runs.js", SCRIPT),
    file!("curve.js", SCRIPT),
    file!("icon.svg", "image/svg+xml"),
];

/// What a browser lets the page do: run its own files, ask this server. Nothing becomes markup from text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Genes that a visitor may begin with, where the database has them.
const EXAMPLES: [&str; 8] = ["GLI1", "TP53", "BRCA1", "CASP10", "EGFR", "INS", "CFTR", "SHH"];
/// So many of them.
const SHOWN: usize = 5;

/// The route of a path, the method that it takes, and whether it is for everybody: the page asks for a key itself.
pub(super) fn route(path: &str) -> Option<(&'static str, &'static str, bool)> {
    let of = |prefix: &str| path.starts_with(prefix);
    Some(match path {
        "/" => ("/", "GET", true),
        "/about" => ("/about", "GET", false),
        "/plane" => ("/plane", "GET", false),
        "/runs" => ("/runs", "GET", false),
        "/render/protein" => ("/render/protein", "POST", false),
        "/render/tissue" => ("/render/tissue", "POST", false),
        _ if of("/page/") => ("/page/{file}", "GET", true),
        _ if of("/plane/") => ("/plane/{symbol}", "GET", false),
        // Its name is known to those only who were told it with a key.
        _ if of("/reports/") => ("/reports/{name}", "GET", true),
        _ if of("/runs/") && path.contains("/losses/") => ("/runs/{run}/losses/{from}", "GET", false),
        _ if of("/runs/") => ("/runs/{run}", "GET", false),
        _ => return None,
    })
}

/// Answers one of the page's routes.
pub(super) fn answer(app: &App, route: &str, path: &str, body: &[u8]) -> Result<Response, ApiError> {
    let rest = |prefix: &str| super::decoded(path.strip_prefix(prefix).unwrap_or_default());
    match route {
        "/" => file("index.html"),
        "/page/{file}" => file(&rest("/page/")?),
        "/about" => about(app),
        "/plane" => plane::whole(app),
        "/plane/{symbol}" => plane::near(app, &rest("/plane/")?),
        "/render/protein" => draw::protein(app, body),
        "/render/tissue" => draw::tissue(app, body),
        "/reports/{name}" => runs::report(app, &rest("/reports/")?),
        "/runs" => runs::list(app),
        "/runs/{run}" => runs::show(app, &rest("/runs/")?),
        _ => runs::losses(app, &rest("/runs/")?),
    }
}

fn file(name: &str) -> Result<Response, ApiError> {
    let Some((_, kind, text)) = FILES.iter().find(|(known, ..)| *known == name) else {
        return Err(ApiError::new(404, "the page has no such file"));
    };
    let mut response = Response::whole(200, kind, *text);
    response.headers.extend([
        ("Content-Security-Policy", POLICY.to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
        ("Cross-Origin-Opener-Policy", "same-origin".to_owned()),
        ("Cross-Origin-Resource-Policy", "same-origin".to_owned()),
        ("X-Frame-Options", "DENY".to_owned()),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()".to_owned()),
    ]);
    Ok(response)
}

/// What this server has.
fn about(app: &App) -> Result<Response, ApiError> {
    let models = app.models.names.iter().enumerate();
    let models: Vec<_> = models.map(|(place, name)| json!({"id": name, "adapter": place > 0})).collect();
    let database = app.known.as_ref().map(|Known { grader, .. }| {
        let index = grader.index();
        let known = EXAMPLES.into_iter().filter(|symbol| index.approved(symbol).is_some());
        let others = index.genes().iter().map(|gene| gene.symbol.as_str());
        let mut examples: Vec<&str> = known.take(SHOWN).collect();
        if examples.is_empty() {
            examples = others.take(SHOWN).collect();
        }
        json!({"genes": index.genes().len(), "examples": examples})
    });
    let Shown { plane, runs } = &app.shown;
    Ok(Response::json(
        200,
        &json!({
            "version": env!("CARGO_PKG_VERSION"), "models": models, "sees": app.models.sees(), "database": database,
            "plane": plane.as_ref().map(Plane::about), "runs": runs.is_some(),
            "longest": {"usual": app.usual_tokens, "most": app.most_tokens},
            // As in training, with places for what they are about.
            "questions": {
                "gene": genes::instruction("{gene}"), "protein": proteins::INSTRUCTION,
                "marker": markers::instruction("{gene}", "{type}"),
            },
        }),
    ))
}

#[cfg(test)]
mod tests;
