//! NCBI's functions that a model may call: E-utilities of genes, and BLAST; by NCBI itself, or from `genes.db`.
//!
//! | call | answered from the database |
//! |---|---|
//! | `esearch.fcgi?db=gene&term=…` | Entrez ids of the genes that the term names, else of those whose records have its words |
//! | `esummary.fcgi?db=gene&id=…`, `efetch.fcgi?db=gene&id=…` | their records, in the form of NCBI's text |
//! | `db=snp`, `db=omim`, `Blast.cgi` | refused, with the reason: the database has no variants, diseases or sequences |
//!
//! Parameters: <https://www.ncbi.nlm.nih.gov/books/NBK25499/>.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use geneverse_data::gene::{EntrezId, GeneRecord};
use geneverse_data::http::{Client, RateLimit, Request, Settings};
use geneverse_data::store::GeneStore;
use geneverse_eval::retriever::named_in;
use serde_json::json;

use super::calls::parse;
use crate::commands::postprocess::read_index;
use crate::stop;

/// Without a key NCBI allows three requests in a second.
const PER_MINUTE: f64 = 170.0;
/// How long BLAST is given before its result is asked for.
const BLAST_PAUSE: Duration = Duration::from_secs(30);

/// Answers calls.
pub(super) trait Service {
    /// What comes back, or in words why nothing does. The model reads either.
    fn call(&self, url: &str) -> Result<String, String>;
}

/// NCBI itself, or the database.
pub(super) fn service(live: bool, db: &Path) -> Result<Box<dyn Service>> {
    if live {
        let settings = Settings {
            limit: Some(RateLimit::per_minute(PER_MINUTE)),
            stop: Arc::new(stop::asked),
            ..Settings::default()
        };
        return Ok(Box::new(Live(Client::new(settings)?)));
    }
    Ok(Box::new(Offline { index: read_index(db)?, store: GeneStore::open(db)? }))
}

struct Live(Client);

impl Service for Live {
    fn call(&self, url: &str) -> Result<String, String> {
        let parsed = parse(url)?;
        let url = url.replace(' ', "+");
        let blast = parsed.function == "blast";
        let command = parsed.get("CMD").unwrap_or_default();
        if blast && command.eq_ignore_ascii_case("get") {
            pause(BLAST_PAUSE);
        }
        let bytes = self.0.bytes(&Request::get(url), &|_| ()).map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if blast && command.eq_ignore_ascii_case("put") {
            let id = text.split("RID = ").nth(1).and_then(|rest| rest.split_whitespace().next());
            return id.map(str::to_owned).ok_or_else(|| "BLAST gave no request id".to_owned());
        }
        Ok(text)
    }
}

/// A pause that ends when the user asks to stop.
fn pause(mut left: Duration) {
    let step = Duration::from_millis(50);
    while !left.is_zero() && !stop::asked() {
        std::thread::sleep(step.min(left));
        left = left.saturating_sub(step);
    }
}

struct Offline {
    index: geneverse_eval::index::GeneIndex,
    store: GeneStore,
}

impl Service for Offline {
    fn call(&self, url: &str) -> Result<String, String> {
        let parsed = parse(url)?;
        let database = parsed.get("db").unwrap_or_default();
        if parsed.function == "blast" {
            return Err("offline there are no sequences to align to".to_owned());
        }
        match database {
            "gene" => {}
            "snp" => return Err("offline there is no database of variants".to_owned()),
            "omim" => return Err("offline there is no database of diseases".to_owned()),
            other => return Err(format!("found db={other}, expected db=gene")),
        }
        let most = parsed.get("retmax").and_then(|n| n.parse().ok()).unwrap_or(20_usize).min(100);
        if parsed.function == "esearch" {
            let term = parsed.get("term").ok_or("found no term to search for")?;
            let ids = self.search(term, most)?;
            let found: Vec<String> = ids.iter().map(ToString::to_string).collect();
            return Ok(
                json!({"esearchresult": {"count": found.len().to_string(), "idlist": found}}).to_string()
            );
        }
        let ids = parsed.get("id").ok_or("found no id")?;
        let mut text = String::new();
        for (number, id) in ids.split(',').take(most).enumerate() {
            let record = EntrezId::parse(id).ok().map(|id| self.store.by_entrez(id)).transpose();
            match record.map_err(|e| e.to_string())?.flatten() {
                Some(record) => text.push_str(&summary(number + 1, &record)),
                None => _ = writeln!(text, "{}. cannot get the record of id {}", number + 1, id.trim()),
            }
        }
        Ok(text)
    }
}

impl Offline {
    fn search(&self, term: &str, most: usize) -> Result<Vec<EntrezId>, String> {
        // NCBI's field names: LMP10[gene], human[organism].
        let words: Vec<&str> = term
            .split(" AND ")
            .map(str::trim)
            .filter(|part| !part.to_lowercase().contains("[org"))
            .map(|part| part.split('[').next().unwrap_or(part))
            .collect();
        let term = words.join(" ");
        let mut genes: Vec<GeneRecord> = named_in(&term, &self.index).into_iter().cloned().collect();
        if genes.is_empty() {
            let hits = self.store.search(&term, most).map_err(|e| e.to_string())?;
            genes = hits.into_iter().map(|hit| hit.record).collect();
        }
        Ok(genes.into_iter().filter_map(|gene| gene.entrez_id).take(most).collect())
    }
}

/// A record in the form of NCBI's gene summaries.
fn summary(number: usize, record: &GeneRecord) -> String {
    let mut text = format!(
        "{number}. {symbol}\nOfficial Symbol: {symbol} and Name: {name} [Homo sapiens (human)]\n",
        symbol = record.symbol,
        name = record.name
    );
    let others: Vec<&str> = record.all_symbols().into_iter().skip(1).collect();
    if !others.is_empty() {
        let _ = writeln!(text, "Other Aliases: {}", others.join(", "));
    }
    if let Some(location) = &record.location {
        let chromosome: String =
            location.chars().take_while(|c| c.is_ascii_digit() || matches!(c, 'X' | 'Y')).collect();
        let _ = writeln!(text, "Chromosome: {chromosome}; Location: {location}");
    }
    let _ = writeln!(text, "Gene type: {}", record.kind.noun());
    for id in &record.omim_ids {
        let _ = writeln!(text, "MIM: {id}");
    }
    if let Some(id) = &record.ensembl_id {
        let _ = writeln!(text, "Ensembl: {id}");
    }
    if let Some(id) = &record.entrez_id {
        let _ = writeln!(text, "ID: {id}");
    }
    if let Some(summary) = &record.summary {
        let _ = writeln!(text, "Summary: {}", summary.text);
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::calls::{BLAST, EUTILS};

    fn offline() -> (tempfile::TempDir, Box<dyn Service>) {
        let folder = tempfile::tempdir().unwrap();
        let records = folder.path().join("records.jsonl");
        crate::bundled::write_records(&records).unwrap();
        let db = folder.path().join("genes.db");
        let files = geneverse_data::import::ImportFiles {
            records: Some(records),
            out: db.clone(),
            ..geneverse_data::import::ImportFiles::default()
        };
        geneverse_data::import::import(&files, &geneverse_data::progress::Silent).unwrap();
        let service = service(false, &db).unwrap();
        (folder, service)
    }

    #[test]
    fn genes_are_searched_and_told_from_the_database() {
        let (_folder, service) = offline();
        let call = |query: &str| service.call(&format!("{EUTILS}{query}"));
        let found = call("esearch.fcgi?db=gene&retmax=5&term=VEGFR2+AND+human[organism]").unwrap();
        assert_eq!(found, r#"{"esearchresult":{"count":"1","idlist":["3791"]}}"#);
        let told = call("esummary.fcgi?db=gene&id=3791,1").unwrap();
        assert!(
            told.starts_with("1. KDR\nOfficial Symbol: KDR and Name: kinase insert domain receptor [Homo"),
            "{told}"
        );
        assert!(
            told.contains("Chromosome: 4; Location: 4q12\n")
                && told.ends_with("2. cannot get the record of id 1\n")
        );
        let words = call("esearch.fcgi?db=gene&retmax=1&term=reverse%20cholesterol%20transport").unwrap();
        assert!(words.contains("\"count\":\"1\""), "{words}");
    }

    #[test]
    fn what_is_not_at_hand_is_said_and_other_addresses_are_not_called() {
        let (_folder, service) = offline();
        let call = |url: &str| service.call(url).unwrap_err();
        assert_eq!(
            call(&format!("{EUTILS}esummary.fcgi?db=snp&id=1")),
            "offline there is no database of variants"
        );
        assert_eq!(
            call(&format!("{EUTILS}esearch.fcgi?db=omim&term=x")),
            "offline there is no database of diseases"
        );
        assert_eq!(
            call(&format!("{BLAST}?CMD=Put&QUERY=ACGT")),
            "offline there are no sequences to align to"
        );
        for url in [
            "https://example.org/esearch.fcgi?db=gene",
            "file:///etc/passwd",
            "",
            &format!("{EUTILS}../x?db=gene"),
        ] {
            assert!(call(url).starts_with("no such function; expected https://eutils"), "{url}");
        }
        assert_eq!(call(&format!("{EUTILS}esearch.fcgi?db=gene")), "found no term to search for");
    }
}
