//! What is taken of a gene's full record, NCBI's `Entrezgene` as XML
//! (<https://www.ncbi.nlm.nih.gov/data_specs/asn/entrezgene.asn>): the kind of gene, other databases' identifiers, and
//! the status of its reference sequence.
//!
//! ```xml
//! <Entrezgene-Set><Entrezgene>
//!   <Entrezgene_track-info><Gene-track><Gene-track_geneid>2735</Gene-track_geneid></Gene-track></Entrezgene_track-info>
//!   <Entrezgene_type value="protein-coding">6</Entrezgene_type>
//!   <Entrezgene_gene><Gene-ref><Gene-ref_db><Dbtag><Dbtag_db>HGNC</Dbtag_db>
//!     <Dbtag_tag><Object-id><Object-id_str>HGNC:4317</Object-id_str></Object-id></Dbtag_tag></Dbtag></Gene-ref_db>
//! ```

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::gene::{EnsemblId, HgncId};

/// What is taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    pub(super) gene_id: Option<String>,
    /// In the words of gene_info's `type_of_gene`: "protein-coding".
    pub(super) kind: String,
    pub(super) hgnc_id: Option<HgncId>,
    pub(super) ensembl_id: Option<EnsemblId>,
    pub(super) refseq_status: Option<String>,
}

/// Reads the first gene of a set.
pub(super) fn parse(xml: &str) -> Result<Details, String> {
    let mut reader = Reader::from_str(xml);
    let mut details = Details::default();
    let mut path: Vec<String> = Vec::new();
    let (mut database, mut heading) = (String::new(), String::new());
    let mut found = false;
    loop {
        let event = reader.read_event().map_err(|e| format!("efetch's XML is broken: {e}"))?;
        match event {
            Event::Start(tag) | Event::Empty(tag) if tag.local_name().as_ref() == "Entrezgene_type" => {
                let value = tag.try_get_attribute("value").ok().flatten();
                details.kind = value.map(|v| v.value.into_owned()).unwrap_or_default();
                found = true;
                // Its number is of no use; an empty tag has no end to wait for either.
                path.push("Entrezgene_type".to_owned());
            }
            Event::Start(tag) => path.push(tag.local_name().as_ref().to_owned()),
            Event::End(tag) => {
                if tag.local_name().as_ref() == "Entrezgene" {
                    break;
                }
                while path.pop().is_some_and(|open| open != tag.local_name().as_ref()) {}
            }
            Event::Text(text) => {
                let text = text.trim().to_owned();
                let inside = |name: &str| path.iter().any(|open| open == name);
                match path.last().map(String::as_str) {
                    Some("Gene-track_geneid") if details.gene_id.is_none() => details.gene_id = Some(text),
                    Some("Dbtag_db") => database = text,
                    Some("Object-id_str" | "Object-id_id")
                        if inside("Entrezgene_gene") && inside("Gene-ref_db") =>
                    {
                        match database.as_str() {
                            "HGNC" => details.hgnc_id = HgncId::parse(&text).ok().or(details.hgnc_id),
                            "Ensembl" => {
                                details.ensembl_id = details.ensembl_id.or(EnsemblId::parse(&text).ok())
                            }
                            _ => {}
                        }
                    }
                    Some("Gene-commentary_heading") => heading = text,
                    Some("Gene-commentary_label")
                        if heading == "RefSeq Status" && details.refseq_status.is_none() =>
                    {
                        details.refseq_status = Some(text);
                    }
                    _ => {}
                }
            }
            Event::Eof if found => break,
            Event::Eof => return Err("efetch's XML has no Entrezgene_type".to_owned()),
            _ => {}
        }
    }
    if found { Ok(details) } else { Err("efetch's XML has no Entrezgene_type".to_owned()) }
}

/// What NCBI complains of in place of a record, as in `<eFetchResult><ERROR>…</ERROR></eFetchResult>`; `None` for an
/// answer that looks like a record.
pub(super) fn complaint(xml: &str) -> Option<String> {
    if xml.contains("<Entrezgene>") || xml.contains("<Entrezgene ") {
        // Cut off on the way, it would be kept for ever.
        return (!xml.trim_end().ends_with("</Entrezgene-Set>")).then(|| "half of a record".to_owned());
    }
    let error = xml.find("<ERROR>").and_then(|at| {
        let from = at + "<ERROR>".len();
        xml.get(from..from + xml[from..].find("</ERROR>")?)
    });
    Some(error.map_or_else(|| crate::http::clean::first_line(xml.as_bytes()), str::to_owned))
}
