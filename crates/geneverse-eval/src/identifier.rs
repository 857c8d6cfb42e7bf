//! Identifiers inside prose: where they stand, whose they are, and how they were written.
//!
//! | authority | written |
//! |---|---|
//! | HGNC | `HGNC:4317`, `HGNC:HGNC:4317`, `HGNC ID: 4317` |
//! | Alliance of Genome Resources | `AllianceGenome:HGNC:4317` |
//! | Ensembl | `Ensembl:ENSG00000111087`, `ENSG00000111087.9` |
//! | OMIM | `MIM:165220`, `OMIM:165220`, `MIM #165220` |
//! | NCBI Gene | `Entrez Gene:2735`, `NCBI Gene ID: 2735`, `GeneID:2735` |
//! | UniProt | `UniProt:P08151`, `UniProtKB/Swiss-Prot:P08151` |
//!
//! What a model mangles is an identifier too: `HGNC:43x`, `ENSG0000011`.

use std::ops::Range;

use geneverse_data::gene::{EnsemblId, EntrezId, GeneRecord, HgncId, OmimId, UniprotAccession};
use serde::{Deserialize, Serialize};

/// Who gives an identifier out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authority {
    /// HUGO Gene Nomenclature Committee.
    Hgnc,
    /// Alliance of Genome Resources; for human genes it uses HGNC's numbers.
    Alliance,
    /// Ensembl gene.
    Ensembl,
    /// Online Mendelian Inheritance in Man.
    Omim,
    /// NCBI Gene, once Entrez Gene.
    Entrez,
    /// UniProt protein.
    Uniprot,
    /// Mouse Genome Informatics: the gene of the mouse that answers to this one.
    Mgi,
    /// Rat Genome Database, likewise.
    Rgd,
}

impl Authority {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Hgnc,
        Self::Alliance,
        Self::Ensembl,
        Self::Omim,
        Self::Entrez,
        Self::Uniprot,
        Self::Mgi,
        Self::Rgd,
    ];

    /// What a record's orthologs of its begin with; `None` where it names no orthologs.
    pub fn of_orthologs(self) -> Option<&'static str> {
        match self {
            Self::Mgi => Some("MGI:"),
            Self::Rgd => Some("RGD:"),
            Self::Hgnc | Self::Alliance | Self::Ensembl | Self::Omim | Self::Entrez | Self::Uniprot => None,
        }
    }

    /// What a reader calls its identifiers.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Hgnc => "HGNC id",
            Self::Alliance => "Alliance id",
            Self::Ensembl => "Ensembl id",
            Self::Omim => "OMIM number",
            Self::Entrez => "Entrez Gene id",
            Self::Uniprot => "UniProt accession",
            Self::Mgi => "MGI id",
            Self::Rgd => "RGD id",
        }
    }
}

/// One identifier in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Who gave it out.
    pub authority: Authority,
    /// The bytes of the identifier as written, prefix included.
    pub span: Range<usize>,
    /// The bytes that name the record: what is replaced when it is wrong.
    pub value: Range<usize>,
    /// The value in canonical form; `None` when it cannot be an identifier of this authority.
    pub canonical: Option<String>,
}

/// Prefixes as written, longest first where one starts another. Compared without case.
const PREFIXES: [(&str, Authority); 21] = [
    ("AllianceGenome", Authority::Alliance),
    ("Alliance Genome", Authority::Alliance),
    ("Alliance", Authority::Alliance),
    ("HGNC", Authority::Hgnc),
    ("Ensembl gene", Authority::Ensembl),
    ("Ensembl", Authority::Ensembl),
    ("OMIM", Authority::Omim),
    ("MIM", Authority::Omim),
    ("Entrez Gene", Authority::Entrez),
    ("EntrezGene", Authority::Entrez),
    ("Entrez", Authority::Entrez),
    ("NCBI Gene", Authority::Entrez),
    ("NCBIGene", Authority::Entrez),
    ("GeneID", Authority::Entrez),
    ("Gene ID", Authority::Entrez),
    ("UniProtKB/Swiss-Prot", Authority::Uniprot),
    ("UniProtKB/TrEMBL", Authority::Uniprot),
    ("UniProtKB", Authority::Uniprot),
    ("UniProt", Authority::Uniprot),
    ("MGI", Authority::Mgi),
    ("RGD", Authority::Rgd),
];

/// Words that may stand between a prefix and its value: `HGNC ID: 4317`, `UniProt accession P08151`.
const FILLERS: [&str; 6] = ["identifier", "accession", "number", "entry", "ID", "no."];

/// Every identifier in a text, from left to right, without overlap.
pub fn find(text: &str) -> Vec<Mention> {
    let mut mentions = Vec::new();
    let mut end = 0;
    for (at, byte) in text.bytes().enumerate() {
        if !may_begin(byte) || at < end || !starts_word(text, at) {
            continue;
        }
        if let Some(mention) = mention_at(text, at) {
            end = mention.span.end;
            mentions.push(mention);
        }
    }
    mentions
}

/// The values of one authority that are this gene's own, in canonical form, the main one first.
pub fn own_values(gene: &GeneRecord, authority: Authority) -> Vec<String> {
    match authority {
        Authority::Hgnc | Authority::Alliance => gene.hgnc_id.iter().map(|id| id.0.to_string()).collect(),
        Authority::Ensembl => gene.ensembl_id.iter().map(EnsemblId::to_string).collect(),
        Authority::Omim => gene.omim_ids.iter().map(OmimId::to_string).collect(),
        Authority::Entrez => gene.entrez_id.iter().map(EntrezId::to_string).collect(),
        Authority::Uniprot => gene.uniprot_ids.iter().map(UniprotAccession::to_string).collect(),
        Authority::Mgi | Authority::Rgd => {
            let prefix = authority.of_orthologs().unwrap_or_default();
            gene.orthologs.iter().filter_map(|id| id.strip_prefix(prefix)).map(str::to_owned).collect()
        }
    }
}

/// A value in the one form that compares equal: bare number, `ENSG…` without version, accession.
pub fn canonical(authority: Authority, value: &str) -> Option<String> {
    match authority {
        Authority::Hgnc | Authority::Alliance => HgncId::parse(value).ok().map(|id| id.0.to_string()),
        Authority::Ensembl => EnsemblId::parse(value).ok().map(|id| id.to_string()),
        Authority::Omim => OmimId::parse(value).ok().map(|id| id.to_string()),
        Authority::Entrez => EntrezId::parse(value).ok().map(|id| id.to_string()),
        Authority::Uniprot => UniprotAccession::parse(value).ok().map(|id| id.to_string()),
        Authority::Mgi | Authority::Rgd => {
            let number = value.trim_start_matches('0');
            (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then(|| number.to_owned())
        }
    }
}

/// What prefixes begin with, in either case. Bytes of characters beyond ASCII are none of these.
fn may_begin(byte: u8) -> bool {
    matches!(byte.to_ascii_uppercase(), b'A' | b'E' | b'G' | b'H' | b'M' | b'N' | b'O' | b'R' | b'U')
}

/// Whether the letter at a place begins a word.
fn starts_word(text: &str, at: usize) -> bool {
    !text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

fn mention_at(text: &str, start: usize) -> Option<Mention> {
    if text[start..].starts_with("ENSG") {
        let value = start..ensembl_end(text, start);
        let bare = text[start + 4..value.end].bytes().any(|b| b.is_ascii_digit());
        return bare.then(|| mention(text, Authority::Ensembl, start, value));
    }
    let first = text.as_bytes()[start];
    let (authority, after) = PREFIXES
        .iter()
        .filter(|(prefix, _)| prefix.as_bytes()[0].eq_ignore_ascii_case(&first))
        .find_map(|(prefix, authority)| Some((*authority, start + strip_word(&text[start..], prefix)?)))?;
    let mut at = skip_filler(text, after);
    let separator = &text[at..];
    let colon = separator.starts_with([':', '=']);
    at += usize::from(colon);
    let tight = colon && at < text.len() && !text[at..].starts_with(char::is_whitespace);
    if !tight {
        let rest = text[at..].trim_start_matches(' ');
        at = text.len() - rest.len();
        at += usize::from(rest.starts_with('#'));
    }
    // `HGNC:HGNC:4317`, `AllianceGenome:HGNC:4317`: the inner prefix belongs to the way it is written.
    if matches!(authority, Authority::Hgnc | Authority::Alliance) && colon {
        at += strip_word(&text[at..], "HGNC:").unwrap_or(0);
    }
    let end = match authority {
        Authority::Ensembl => ensembl_end(text, at),
        _ => at + text[at..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count(),
    };
    let value = &text[at..end];
    let has_digit = value.bytes().any(|b| b.is_ascii_digit());
    // Only a tight colon says "identifier" whatever follows; elsewhere the value has to look like one.
    let looks_right = match authority {
        Authority::Uniprot => canonical(authority, value).is_some(),
        Authority::Ensembl => value.starts_with("ENSG") && has_digit,
        _ => value.bytes().all(|b| b.is_ascii_digit()),
    };
    // Some other kind of Ensembl id (transcript, protein, mouse gene) makes no claim about the human gene.
    let other_kind =
        authority == Authority::Ensembl && value.starts_with("ENS") && !value.starts_with("ENSG");
    let real = !value.is_empty() && !other_kind && if tight { has_digit } else { has_digit && looks_right };
    real.then(|| mention(text, authority, start, at..end))
}

fn mention(text: &str, authority: Authority, start: usize, value: Range<usize>) -> Mention {
    let canonical = canonical(authority, &text[value.clone()]);
    Mention { authority, span: start..value.end, value, canonical }
}

/// The end of an Ensembl id that starts at `at`; a version such as `.9` belongs to it.
fn ensembl_end(text: &str, at: usize) -> usize {
    let end = at + text[at..].bytes().take_while(u8::is_ascii_alphanumeric).count();
    let digits =
        text[end..].strip_prefix('.').map_or(0, |v| v.bytes().take_while(u8::is_ascii_digit).count());
    if digits > 0 { end + 1 + digits } else { end }
}

/// The length of `word` at the start of `text`, without regard to case.
fn strip_word(text: &str, word: &str) -> Option<usize> {
    text.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word)).map(str::len)
}

fn skip_filler(text: &str, at: usize) -> usize {
    let Some(rest) = text[at..].strip_prefix(' ') else { return at };
    FILLERS.iter().find_map(|word| strip_word(rest, word)).map_or(at, |length| at + 1 + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: &Expect) {
        let lines: Vec<String> = find(text)
            .into_iter()
            .map(|m| {
                let form = if m.canonical.is_some() { "" } else { " malformed" };
                format!("{:?} {} <- {}{form}", m.authority, &text[m.value.clone()], &text[m.span.clone()])
            })
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn every_prefix_may_begin() {
        assert!(PREFIXES.iter().all(|(prefix, _)| may_begin(prefix.as_bytes()[0])));
        assert!(may_begin(b'e') && !may_begin(b'b'));
    }

    #[test]
    fn identifiers_are_found_as_people_write_them() {
        check(
            "HGNC:4317, HGNC:HGNC:4317, AllianceGenome:HGNC:4317, Ensembl:ENSG00000111087, ENSG00000111087.9, \
             OMIM: 165220, MIM #165220, Entrez Gene:2735, NCBI Gene ID: 2735, UniProtKB/Swiss-Prot:P08151 \
             and UniProt accession P08151, mouse MGI:95727 and rat RGD: 1307080.",
            &expect![[r#"
                Hgnc 4317 <- HGNC:4317
                Hgnc 4317 <- HGNC:HGNC:4317
                Alliance 4317 <- AllianceGenome:HGNC:4317
                Ensembl ENSG00000111087 <- Ensembl:ENSG00000111087
                Ensembl ENSG00000111087.9 <- ENSG00000111087.9
                Omim 165220 <- OMIM: 165220
                Omim 165220 <- MIM #165220
                Entrez 2735 <- Entrez Gene:2735
                Entrez 2735 <- NCBI Gene ID: 2735
                Uniprot P08151 <- UniProtKB/Swiss-Prot:P08151
                Uniprot P08151 <- UniProt accession P08151
                Mgi 95727 <- MGI:95727
                Rgd 1307080 <- RGD: 1307080"#]],
        );
    }

    #[test]
    fn what_a_model_mangles_counts_too() {
        check(
            "HGNC:43x, ENSG0000011, Ensembl:ENSG000001110871234, MIM:12, Ensembl:0001",
            &expect![[r#"
                Hgnc 43x <- HGNC:43x malformed
                Ensembl ENSG0000011 <- ENSG0000011 malformed
                Ensembl ENSG000001110871234 <- Ensembl:ENSG000001110871234 malformed
                Omim 12 <- MIM:12 malformed
                Ensembl 0001 <- Ensembl:0001 malformed"#]],
        );
    }

    #[test]
    fn prose_is_not_an_identifier() {
        check(
            "(provided by HGNC). Ensembl lists OMIM diseases; ENST00000228682, Ensembl:ENSMUSG00000025407, \
             UniProt release and 2735 genes, HGNC: approved, MIM family, ENSG.",
            &expect![""],
        );
    }
}
