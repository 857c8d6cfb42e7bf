//! Records of single genes from NCBI Gene, through the E-utilities
//! (<https://www.ncbi.nlm.nih.gov/books/NBK25499/>): `esearch` finds ids, `esummary` says what they are called and do,
//! `efetch` what kind of gene it is and what other databases call it, which a summary does not say.
//!
//! Without a key NCBI allows three requests a second, with one ten. A key is sent and never written. The raw answers
//! are kept in the cache, by species and symbol, so that a gene is asked for once.

mod entrezgene;
mod summary;

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{FetchError, Mirrors};
use crate::gene::{GeneRecord, GeneSymbol};
use crate::http::clean::percent_encoded;
use crate::http::{Client, HttpError, RateLimit, Request, Settings, clean, utc};
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::stage::{FileError, Found, atomic_write, finish, hash_file, look, open, read_json, write_json};
use summary::Chosen;

/// The stage's name in manifests.
pub const STAGE: &str = "genes fetch --gene";

/// The name of this source.
pub const NAME: &str = "eutils";

/// Where the E-utilities are.
pub const ADDRESS: &str = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils";

/// More genes than this that share a text are told as too many.
const MOST_CANDIDATES: usize = 50;

/// Who asks, as NCBI wants to know.
#[derive(Clone, Default)]
pub struct Identity {
    /// A key of NCBI's; with it ten requests a second are allowed.
    pub key: Option<String>,
    /// Where NCBI may write to if something goes wrong.
    pub email: Option<String>,
}

/// Which genes, and where to.
#[derive(Clone)]
pub struct GenesOptions {
    /// Symbols, aliases, or NCBI's ids.
    pub genes: Vec<String>,
    /// The species, in NCBI Taxonomy.
    pub tax_id: u32,
    /// The file of records to write.
    pub out: PathBuf,
    /// The cache.
    pub cache: PathBuf,
    /// Use what is there, ask nobody.
    pub offline: bool,
    /// Ask again for what is there, and write over what was written before.
    pub force: bool,
    /// Another place for the E-utilities, under their name.
    pub mirrors: Mirrors,
    /// Who asks.
    pub identity: Identity,
}

/// A gene that was asked for and is not in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotFound {
    /// What was asked for.
    pub asked: String,
    /// Why, in words.
    pub reason: String,
    /// The genes that it may mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenesReport {
    /// The file of records; `None` where no gene was found.
    pub out: Option<PathBuf>,
    /// Records written.
    pub genes: usize,
    /// Of those, genes whose answers were in the cache.
    pub cached: usize,
    /// What was asked for under another name: "P53 is an alias of TP53".
    pub by_alias: Vec<String>,
    /// What is not in the file.
    pub not_found: Vec<NotFound>,
    /// The file was there already, made for the same genes: nobody was asked.
    #[serde(skip)]
    pub already_done: bool,
}

/// The client's settings with the pace that NCBI asks for.
pub fn paced(settings: Settings, identity: &Identity) -> Settings {
    let pace = if identity.key.is_some() { 10.0 } else { 3.0 };
    Settings { limit: Some(RateLimit::per_second(pace)), ..settings }
}

/// Fetches records of genes and writes them as JSON Lines, in the order in which they were asked for.
pub fn fetch_genes(
    client: &Client,
    options: &GenesOptions,
    progress: &dyn Progress,
) -> Result<GenesReport, FetchError> {
    let GenesOptions { genes, tax_id, out, force, .. } = options;
    if out.extension().is_none() || out.is_dir() {
        let reason = "the output is a file of records, expected a name such as records.jsonl";
        return Err(FileError::whole(out, reason).into());
    }
    let key = json!({"genes": genes, "tax_id": tax_id});
    if !force {
        if let Found::Done(manifest) = look(out, STAGE, &key)? {
            let report: GenesReport = serde_json::from_value(manifest.facts)
                .map_err(|e| FileError::whole(out, format!("its manifest cannot be read: {e}")))?;
            return Ok(GenesReport { already_done: true, ..report });
        }
        if out.exists() {
            let reason =
                "exists and was not made by this command; choose another --out, or --force to write over it";
            return Err(FileError::whole(out, reason).into());
        }
    }
    let asker = Asker { client, options, progress };
    let mut report = GenesReport {
        out: None,
        genes: 0,
        cached: 0,
        by_alias: Vec::new(),
        not_found: Vec::new(),
        already_done: false,
    };
    let mut records: Vec<GeneRecord> = Vec::new();
    progress.start("asking NCBI", Some(genes.len() as u64), "genes");
    for (at, asked) in genes.iter().enumerate() {
        progress.set(at as u64);
        progress.state(asked);
        match asker.gene(asked)? {
            Err(not_found) => report.not_found.push(not_found),
            Ok(Answer { record, alias, cached }) => {
                report.cached += usize::from(cached);
                report.by_alias.extend(alias.then(|| format!("{asked} is an alias of {}", record.symbol)));
                if records.iter().all(|r| r.symbol != record.symbol) {
                    records.push(*record);
                }
            }
        }
    }
    progress.finish();
    report.genes = records.len();
    if records.is_empty() {
        return Ok(report);
    }
    report.out = Some(out.clone());
    atomic_write(out, |file| {
        for record in &records {
            serde_json::to_writer(&mut *file, record)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })?;
    let fetched = utc(client.settings().clock.date());
    let bytes = out.metadata().map_err(|e| FileError::io(out, "read", e))?.len();
    Provenance {
        source: NAME.to_owned(),
        url: clean::address(asker.address()),
        fetched,
        sha256: hash_file(out)?,
        bytes,
        licence: "public domain".to_owned(),
        etag: None,
        last_modified: None,
    }
    .write(out)?;
    let facts = serde_json::to_value(&report).map_err(|e| FileError::whole(out, e.to_string()))?;
    finish(out, STAGE, key, facts)?;
    Ok(report)
}

/// What is known of a gene that was asked for.
struct Answer {
    record: Box<GeneRecord>,
    alias: bool,
    cached: bool,
}

/// NCBI's answers on one text, as they are kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    asked: String,
    tax_id: u32,
    fetched: String,
    /// `esearch`'s.
    search: Value,
    /// `esummary`'s on all that was found.
    summary: Value,
}

struct Asker<'a> {
    client: &'a Client,
    options: &'a GenesOptions,
    progress: &'a dyn Progress,
}

impl Asker<'_> {
    fn gene(&self, asked: &str) -> Result<Result<Answer, NotFound>, FetchError> {
        let not_found = |reason: &str| NotFound {
            asked: asked.to_owned(),
            reason: reason.to_owned(),
            candidates: Vec::new(),
        };
        let Ok(symbol) = GeneSymbol::parse(asked) else {
            return Ok(Err(not_found("not a symbol, an alias or an id of NCBI Gene")));
        };
        let GenesOptions { tax_id, offline, force, .. } = self.options;
        let path = self.kept_at(&format!("{}.json", percent_encoded(symbol.as_str())));
        let is_kept = path.is_file() && !force;
        if *offline && !is_kept {
            return Ok(Err(not_found("not in the cache; without --offline NCBI is asked")));
        }
        let kept = if is_kept { read_json(&path)? } else { self.ask(symbol.as_str())? };
        let Kept { search, summary, .. } = &kept;
        let found = search["esearchresult"]["count"].as_str().and_then(|c| c.parse().ok()).unwrap_or(0);
        if found > MOST_CANDIDATES {
            return Ok(Err(not_found(&format!("{found} genes go by it"))));
        }
        let (id, alias) = match summary::choose(symbol.as_str(), *tax_id, summary) {
            Chosen::Symbol(id) => (id, false),
            Chosen::Alias(id) => (id, true),
            Chosen::Several(candidates) => {
                if !is_kept {
                    self.keep(&path, &kept)?;
                }
                return Ok(Err(NotFound {
                    candidates,
                    ..not_found("an alias of several genes; ask for one of them")
                }));
            }
            // Not kept: the gene may have it tomorrow, and a slip of the pen should not stay.
            Chosen::Nothing => {
                return Ok(Err(not_found(&format!("no gene of species {tax_id} goes by it at NCBI"))));
            }
        };
        let (details, details_kept) = self.details(&id)?;
        let Some(details) = details else {
            return Ok(Err(not_found("found in the cache in part; without --offline NCBI is asked")));
        };
        let found = entrezgene::parse(&details)
            .and_then(|details| summary::record(&summary["result"][&id], &details));
        let record = match found {
            Ok(record) => Box::new(record),
            Err(reason) => {
                return Ok(Err(not_found(&format!("NCBI's answer on it cannot be used: {reason}"))));
            }
        };
        if !is_kept {
            self.keep(&path, &kept)?;
        }
        Ok(Ok(Answer { record, alias, cached: is_kept && details_kept }))
    }

    fn kept_at(&self, name: &str) -> PathBuf {
        self.options.cache.join(NAME).join(self.options.tax_id.to_string()).join(name)
    }

    fn keep(&self, path: &Path, kept: &Kept) -> Result<(), FetchError> {
        Ok(write_json(path, kept)?)
    }

    fn ask(&self, symbol: &str) -> Result<Kept, FetchError> {
        let tax_id = self.options.tax_id;
        let is_id = symbol.bytes().all(|b| b.is_ascii_digit());
        // Symbols of other species may have brackets, which mean something to Entrez outside of quotes.
        let text = if is_id { format!("{symbol}[uid]") } else { format!("\"{symbol}\"[Gene Name]") };
        let term = format!("{text} AND {tax_id}[Taxonomy ID] AND alive[property]");
        let limit = MOST_CANDIDATES.to_string();
        let search = self.json("esearch", &[("term", &term), ("retmax", &limit), ("retmode", "json")])?;
        let ids: Vec<&str> = search["esearchresult"]["idlist"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let summary = if ids.is_empty() {
            json!({})
        } else {
            self.json("esummary", &[("id", &ids.join(",")), ("retmode", "json")])?
        };
        let fetched = utc(self.client.settings().clock.date());
        Ok(Kept { asked: symbol.to_owned(), tax_id, fetched, search, summary })
    }

    /// What `efetch` says of a gene, and whether it was kept; `None` where nobody is to be asked.
    fn details(&self, id: &str) -> Result<(Option<String>, bool), FetchError> {
        let path = self.kept_at(&format!("{}.xml.gz", percent_encoded(id)));
        if path.is_file() && !self.options.force {
            let mut text = String::new();
            let read = std::io::Read::read_to_string(&mut open(&path)?, &mut text);
            read.map_err(|e| FileError::reading(&path, e))?;
            return Ok((Some(text), true));
        }
        if self.options.offline {
            return Ok((None, false));
        }
        let request = self.request("efetch", &[("id", id), ("retmode", "xml")]);
        let bytes = self.client.attempts(&request, &|line| self.progress.note(line), |mut response| {
            let bytes = response.bytes(64 << 20)?;
            match entrezgene::complaint(&String::from_utf8_lossy(&bytes)) {
                Some(reason) => Err(self.complained(&request, &reason)),
                None => Ok(bytes),
            }
        })?;
        atomic_write(&path, |out| {
            let mut packer = GzEncoder::new(out, Compression::default());
            packer.write_all(&bytes)?;
            packer.finish().map(|_| ())
        })?;
        Ok((Some(String::from_utf8_lossy(&bytes).into_owned()), false))
    }

    fn address(&self) -> &str {
        let GenesOptions { mirrors, .. } = self.options;
        mirrors.of(NAME).unwrap_or(ADDRESS)
    }

    fn request(&self, tool: &str, fields: &[(&str, &str)]) -> Request {
        let Identity { key, email } = &self.options.identity;
        let mut address = format!("{}/{tool}.fcgi?db=gene&tool=geneverse", self.address());
        let who = [("email", email.as_deref()), ("api_key", key.as_deref())];
        let who = who.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (name, value) in fields.iter().copied().chain(who) {
            address.push_str(&format!("&{name}={}", percent_encoded(value)));
        }
        Request::get(address)
    }

    /// The E-utilities complain with status 200 too; that is worth another attempt.
    fn json(&self, tool: &str, fields: &[(&str, &str)]) -> Result<Value, FetchError> {
        let request = self.request(tool, fields);
        let tell = |line: &str| self.progress.note(line);
        let answer = self.client.attempts(&request, &tell, |mut response| {
            let bytes = response.bytes(64 << 20)?;
            let answer: Value = serde_json::from_slice(&bytes).map_err(|_| {
                self.complained(&request, &format!("not the JSON expected: {}", clean::first_line(&bytes)))
            })?;
            let complaints =
                [&answer["error"], &answer["esearchresult"]["ERROR"], &answer["esummaryresult"][0]];
            let complaint = complaints.into_iter().find_map(Value::as_str).map(str::to_owned);
            match complaint {
                Some(reason) => Err(self.complained(&request, &reason)),
                None => Ok(answer),
            }
        })?;
        Ok(answer)
    }

    fn complained(&self, request: &Request, reason: &str) -> HttpError {
        HttpError::Connection {
            address: clean::address(&request.address),
            reason: request.secrets().hide(&format!("NCBI answers: {reason}")),
            passing: true,
            attempts: 1,
        }
    }
}

/// Keys and addresses of NCBI's users from the environment: `NCBI_API_KEY` and `NCBI_EMAIL`.
pub fn identity_from_environment() -> Identity {
    let set = |name: &str| std::env::var(name).ok().map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
    Identity { key: set("NCBI_API_KEY"), email: set("NCBI_EMAIL") }
}

#[cfg(test)]
mod tests;
