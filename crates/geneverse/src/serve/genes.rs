//! `/genes/{symbol}`: a gene's record.

use geneverse_data::store::Resolution;
use serde_json::json;

use super::error::ApiError;
use super::http::Response;
use super::{App, unpoisoned};

/// The record of the gene that a symbol, an alias or an identifier names; several are listed, not guessed.
pub(crate) fn show(app: &App, name: &str) -> Result<Response, ApiError> {
    let Some(known) = &app.known else {
        return Err(ApiError::new(404, "this server has no database; start it with --db"));
    };
    let resolved = unpoisoned(known.store.lock()).resolve(name);
    Ok(match resolved.map_err(|e| ApiError::new(500, e.to_string()))? {
        Resolution::Approved(record) => {
            Response::json(200, &json!({"query": name, "found": "approved", "record": record}))
        }
        Resolution::ByAlias { record, alias, role } => {
            Response::json(200, &json!({"query": name, "found": role, "alias": alias, "record": record}))
        }
        Resolution::Ambiguous { candidates } => {
            Response::json(200, &json!({"query": name, "found": "ambiguous", "candidates": candidates}))
        }
        Resolution::Unknown { near } => {
            let mut error =
                ApiError::new(404, format!("no gene goes by {name:?}")).coded("gene_not_found").value();
            error["near"] = json!(near);
            Response::json(404, &error)
        }
    })
}
