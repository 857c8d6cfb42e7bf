//! Accessions that no gene table gives out, of which a model makes up many: GO terms, transcripts, variants, papers.

use geneverse_data::gene::GeneRecord;

use crate::identifier;

/// The accessions in a text that stand neither in the paragraph it was made from nor in the record. Identifiers of
/// genes ([`identifier::find`]) are judged elsewhere.
pub(super) fn unknown(text: &str, source: Option<&str>, gene: &GeneRecord) -> Vec<String> {
    let of_genes = identifier::find(text);
    let summary = gene.summary.as_ref().map_or("", |summary| summary.text.as_str());
    let known = |word: &str| {
        source.is_some_and(|source| source.contains(word))
            || summary.contains(word)
            || gene.orthologs.iter().any(|id| id == word)
            || gene.go_terms.iter().any(|term| term.id == word)
            || gene.all_symbols().contains(&word)
    };
    let mut unknown: Vec<String> = Vec::new();
    for (_, word) in found(text, &of_genes) {
        if !known(word) && !unknown.iter().any(|other| other == word) {
            unknown.push(word.to_owned());
        }
    }
    unknown
}

/// The accessions in a text that are no identifiers of genes, with their places.
pub(crate) fn found<'a>(text: &'a str, of_genes: &[identifier::Mention]) -> Vec<(usize, &'a str)> {
    let judged = |at: usize, word: &str| {
        of_genes.iter().any(|mention| mention.span.start < at + word.len() && at < mention.span.end)
    };
    pieces(text).filter(|(at, word)| is_accession(word) && !judged(*at, word)).collect()
}

/// Runs without blanks and brackets, without the punctuation of the sentence, with their places.
fn pieces(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let separators = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ',' | ';' | '"');
    text.split(separators).map(move |piece| {
        let trimmed = piece.trim_end_matches(['.', ':', '!', '?', '\'']);
        // Both are slices of the text, so that the difference of their addresses is the place.
        (piece.as_ptr() as usize - text.as_ptr() as usize, trimmed)
    })
}

fn is_accession(word: &str) -> bool {
    let digits = |text: &str, least: usize| text.len() >= least && text.bytes().all(|b| b.is_ascii_digit());
    // GO:0008270, PMID:123456, MGI:95727, CHEBI:1234; but not "ratio 2:1" or "p.R175H".
    if let Some((prefix, number)) = word.split_once(':') {
        let letters = (2..=12).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_alphabetic());
        return letters && digits(number, 2);
    }
    if let Some((prefix, rest)) = word.split_once('_') {
        let number = rest.split('.').next().unwrap_or_default();
        return matches!(prefix, "NM" | "NP" | "NR" | "NG" | "NC" | "XM" | "XP" | "XR") && digits(number, 5);
    }
    let bare = word.split('.').next().unwrap_or_default();
    let ensembl = ["ENST", "ENSP", "ENSE", "ENSMUSG"].iter().find_map(|prefix| bare.strip_prefix(prefix));
    ensembl.is_some_and(|number| digits(number, 6))
        || word.strip_prefix("rs").is_some_and(|number| digits(number, 4))
        || word.to_ascii_lowercase().starts_with("doi.org/")
        || (word.starts_with("10.") && word.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use geneverse_data::gene::{GeneKind, GeneSymbol};

    #[test]
    fn what_the_record_does_not_have_is_found() {
        let symbol = GeneSymbol::parse("GLI1").unwrap();
        let mut gene = GeneRecord::new(symbol, "GLI family zinc finger 1", GeneKind::ProteinCoding);
        gene.orthologs = vec!["MGI:95727".to_owned()];
        let text = "GLI1 (HGNC:4317; mouse MGI:95727) binds zinc (GO:0008270) as NM_005269.3 and ENST00000228682, \
                    with variant rs2228226 in a ratio of 2:1 at 12q13.3 (PMID:12345678, doi 10.1016/j.cell).";
        let found = unknown(text, None, &gene);
        assert_eq!(
            found,
            ["GO:0008270", "NM_005269.3", "ENST00000228682", "rs2228226", "PMID:12345678", "10.1016/j.cell"]
        );
        assert!(unknown(text, Some(text), &gene).is_empty());
        assert!(unknown("The type I, p.R175H and HLA-A*02:01 of 5-HT2A, at 37:2.", None, &gene).is_empty());
    }
}
