//! `esummary` of the database `gene`, as JSON: which of the genes that were found is meant, and its record.
//!
//! ```json
//! {"result": {"uids": ["2735"], "2735": {"uid": "2735", "name": "GLI1", "description": "GLI family zinc finger 1",
//!   "nomenclaturesymbol": "GLI1", "nomenclaturename": "…", "otheraliases": "GLI, PAPA8", "otherdesignations": "a|b",
//!   "maplocation": "12q13.3", "mim": ["165220"], "summary": "…", "organism": {"taxid": 9606}}}}
//! ```

use serde_json::Value;

use super::entrezgene::Details;
use crate::gene::{EntrezId, GeneRecord, GeneSymbol, OmimId, Summary};
use crate::sources::gene_info::kind;
use crate::sources::summaries::without_credit;

/// What a text names among the genes found for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// The symbol, or the id, of this one.
    Symbol(String),
    /// The alias of this one only.
    Alias(String),
    /// An alias of several: their symbols.
    Several(Vec<String>),
    /// None of them.
    Nothing,
}

/// Chooses by symbol, then by alias; what NCBI finds in other ways is not what was asked for.
pub(super) fn choose(asked: &str, tax_id: u32, answer: &Value) -> Chosen {
    let result = &answer["result"];
    let ids = result["uids"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut genes: Vec<(&str, &Value)> = ids.map(|id| (id, &result[id])).collect();
    genes.retain(|(_, gene)| gene["error"].is_null() && taxon(gene).is_none_or(|found| found == tax_id));
    let is_asked = |text: &str| text.trim().eq_ignore_ascii_case(asked);
    let by_symbol: Vec<_> = genes
        .iter()
        .filter(|(id, gene)| {
            *id == asked || is_asked(text(gene, "nomenclaturesymbol")) || is_asked(text(gene, "name"))
        })
        .collect();
    let by_alias: Vec<_> =
        genes.iter().filter(|(_, gene)| text(gene, "otheraliases").split(',').any(is_asked)).collect();
    let symbols = |genes: &[&(&str, &Value)]| genes.iter().map(|(_, gene)| symbol(gene).to_owned()).collect();
    match (by_symbol.as_slice(), by_alias.as_slice()) {
        ([(id, _)], _) => Chosen::Symbol((*id).to_owned()),
        ([], [(id, _)]) => Chosen::Alias((*id).to_owned()),
        ([], []) => Chosen::Nothing,
        ([], several) | (several, _) => Chosen::Several(symbols(several)),
    }
}

/// The record of a gene; an error says what is missing.
pub(super) fn record(gene: &Value, details: &Details) -> Result<GeneRecord, String> {
    let parsed = |what: &str, error: crate::gene::IdError| format!("{what}: {error}");
    let symbol = GeneSymbol::parse(symbol(gene)).map_err(|e| parsed("symbol", e))?;
    let id = EntrezId::parse(text(gene, "uid")).map_err(|e| parsed("uid", e))?;
    if details.gene_id.as_deref().is_some_and(|found| found != id.to_string()) {
        return Err(format!("efetch answers for gene {:?}, expected {id}", details.gene_id));
    }
    let description = text(gene, "description");
    let name = [text(gene, "nomenclaturename"), description, symbol.as_str()];
    let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let mut record = GeneRecord::new(symbol.clone(), name, kind(&details.kind, &symbol, name));
    record.tax_id = taxon(gene).unwrap_or(record.tax_id);
    record.entrez_id = Some(id);
    record.location = Some(text(gene, "maplocation").to_owned()).filter(|location| !location.is_empty());
    record.hgnc_id = details.hgnc_id;
    record.ensembl_id = details.ensembl_id;
    record.refseq_status = details.refseq_status.clone();
    // A number is MIM's own, the text of it is what older answers have.
    let mims = gene["mim"].as_array().into_iter().flatten();
    let mims =
        mims.filter_map(|m| m.as_str().map(str::to_owned).or_else(|| m.as_u64().map(|m| m.to_string())));
    record.omim_ids = mims.filter_map(|mim| OmimId::parse(&mim).ok()).collect();
    for alias in
        std::iter::once(text(gene, "name")).chain(text(gene, "otheraliases").split(',').map(str::trim))
    {
        let placeholder = alias == format!("LOC{id}");
        let known = alias == symbol.as_str() || record.aliases.iter().any(|a| a == alias);
        if !known && !placeholder && !alias.is_empty() {
            record.aliases.push(alias.to_owned());
        }
    }
    for other in std::iter::once(description).chain(text(gene, "otherdesignations").split('|').map(str::trim))
    {
        let known = other == record.name || record.other_names.iter().any(|n| n == other);
        if !known && !matches!(other, "" | "-") {
            record.other_names.push(other.to_owned());
        }
    }
    let summary = text(gene, "summary");
    let paragraph = without_credit(summary).split_whitespace().collect::<Vec<_>>().join(" ");
    if !paragraph.is_empty() {
        let source =
            if summary.contains("[provided by Alliance") { "Alliance of Genome Resources" } else { "RefSeq" };
        record.summary = Some(Summary { text: paragraph, source: source.to_owned() });
    }
    Ok(record)
}

fn symbol(gene: &Value) -> &str {
    let official = text(gene, "nomenclaturesymbol");
    if official.is_empty() { text(gene, "name") } else { official }
}

fn text<'a>(gene: &'a Value, field: &str) -> &'a str {
    gene[field].as_str().unwrap_or_default().trim()
}

fn taxon(gene: &Value) -> Option<u32> {
    let taxon = &gene["organism"]["taxid"];
    let number = taxon.as_u64().or_else(|| taxon.as_str()?.parse().ok())?;
    u32::try_from(number).ok()
}
