//! A gene and its identifiers, each parsed once at the edge and typed inside.
//!
//! | type | form | authority |
//! |---|---|---|
//! | [`GeneSymbol`] | `GLI1`, `HLA-A`, `C1orf43` | HGNC |
//! | [`HgncId`] | `HGNC:4317` | HGNC |
//! | [`EntrezId`] | `2735` | NCBI Gene |
//! | [`EnsemblId`] | `ENSG00000111087`, `ENSMUSG00000025407` | Ensembl |
//! | [`OmimId`] | `165220` | OMIM |
//! | [`UniprotAccession`] | `P08151` | UniProt |
//! | [`GoId`] | `GO:0008270` | Gene Ontology |

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is not an identifier of the asked kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {found:?}, expected {expected}")]
pub struct IdError {
    /// The text as it stood.
    pub found: String,
    /// What the text should have looked like, in words.
    pub expected: &'static str,
}

fn id_error(found: &str, expected: &'static str) -> IdError {
    IdError { found: found.to_owned(), expected }
}

/// Serde through the identifier's text form, so that JSON holds `"HGNC:4317"` and not a bare number.
macro_rules! text_form {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

/// A gene symbol: letters, digits and `-_.@/#`, and what other species than human use besides (`()[]:'+*`), starting
/// with a letter or digit, at most 40 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GeneSymbol(String);

impl GeneSymbol {
    /// Reads a symbol as written; surrounding blanks are dropped, case is kept.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let symbol = text.trim();
        let starts_well = symbol.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        let all_allowed = symbol.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@/#()[]:'+*".contains(c));
        if starts_well && all_allowed && symbol.len() <= 40 {
            Ok(Self(symbol.to_owned()))
        } else {
            Err(id_error(text, "a gene symbol such as GLI1 or HLA-A"))
        }
    }

    /// The symbol as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GeneSymbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
text_form!(GeneSymbol);

/// An HGNC identifier, `HGNC:4317`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HgncId(pub u32);

impl HgncId {
    /// Reads `HGNC:4317`, `HGNC:HGNC:4317` (as gene_info writes it) or `4317`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let digits = text.trim().trim_start_matches("HGNC:");
        digits.parse().map(Self).map_err(|_| id_error(text, "an HGNC id such as HGNC:4317"))
    }
}

impl fmt::Display for HgncId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HGNC:{}", self.0)
    }
}
text_form!(HgncId);

/// An NCBI Gene (Entrez) identifier, `2735`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntrezId(pub u32);

impl EntrezId {
    /// Reads a bare number.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        text.trim().parse().map(Self).map_err(|_| id_error(text, "an Entrez gene id such as 2735"))
    }
}

impl fmt::Display for EntrezId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
text_form!(EntrezId);

/// An Ensembl gene identifier: `ENS`, letters of the species (none for human), `G` and eleven digits.
///
/// The number in it holds the digits in its low 37 bits and above them the letters, each as a digit of base 27, so
/// that a human identifier is its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnsemblId(pub u64);

impl EnsemblId {
    const DIGIT_BITS: u32 = 37;
    /// No species has more letters today, and with five the whole fits into 61 bits.
    const LETTERS: usize = 5;

    /// Reads `ENSG00000111087` or `ENSMUSG00000025407`; a version suffix (`.12`) is dropped.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let wanted = || id_error(text, "an Ensembl gene id such as ENSG00000111087");
        let bare = text.trim().split('.').next().unwrap_or_default();
        let rest = bare.strip_prefix("ENS").filter(|rest| rest.is_ascii()).ok_or_else(wanted)?;
        let (species, digits) = rest.split_at_checked(rest.len().saturating_sub(11)).ok_or_else(wanted)?;
        let species = species.strip_suffix('G').ok_or_else(wanted)?;
        let formed = digits.len() == 11
            && digits.bytes().all(|b| b.is_ascii_digit())
            && species.len() <= Self::LETTERS
            && species.bytes().all(|b| b.is_ascii_uppercase());
        if !formed {
            return Err(wanted());
        }
        let letters = species.bytes().fold(0, |sum, b| sum * 27 + u64::from(b - b'A' + 1));
        let digits: u64 = digits.parse().map_err(|_| wanted())?;
        Ok(Self(letters << Self::DIGIT_BITS | digits))
    }
}

impl fmt::Display for EnsemblId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut species = Vec::new();
        let mut letters = self.0 >> Self::DIGIT_BITS;
        while letters > 0 {
            species.insert(0, char::from(b'A' + ((letters % 27).max(1) - 1) as u8));
            letters /= 27;
        }
        let species: String = species.into_iter().collect();
        write!(f, "ENS{species}G{:011}", self.0 & ((1 << Self::DIGIT_BITS) - 1))
    }
}
text_form!(EnsemblId);

/// An OMIM (MIM) number of a gene entry, six digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OmimId(pub u32);

impl OmimId {
    /// Reads `165220`, `MIM:165220` or `OMIM:165220`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let digits = text.trim().trim_start_matches('O').trim_start_matches("MIM:");
        match digits.parse() {
            Ok(number) if digits.len() == 6 => Ok(Self(number)),
            _ => Err(id_error(text, "an OMIM number of six digits such as 165220")),
        }
    }
}

impl fmt::Display for OmimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}
text_form!(OmimId);

/// A UniProt accession, six or ten characters (<https://www.uniprot.org/help/accession_numbers>).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UniprotAccession(String);

impl UniprotAccession {
    /// Reads `P08151` or `A0A024R1R8`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let accession = text.trim();
        let bytes = accession.as_bytes();
        let formed = matches!(bytes.len(), 6 | 10)
            && bytes[0].is_ascii_uppercase()
            && bytes[1].is_ascii_digit()
            && bytes.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            && bytes[bytes.len() - 1].is_ascii_digit();
        if formed {
            Ok(Self(accession.to_owned()))
        } else {
            Err(id_error(text, "a UniProt accession such as P08151"))
        }
    }

    /// The accession as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UniprotAccession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
text_form!(UniprotAccession);

/// An identifier of a Gene Ontology term, `GO:0008270`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoId(pub u32);

impl GoId {
    /// Reads `GO:` and seven digits.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let wanted = "a GO id such as GO:0008270";
        let digits = text.trim().strip_prefix("GO:").ok_or_else(|| id_error(text, wanted))?;
        if digits.len() != 7 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(id_error(text, wanted));
        }
        digits.parse().map(Self).map_err(|_| id_error(text, wanted))
    }
}

impl fmt::Display for GoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GO:{:07}", self.0)
    }
}
text_form!(GoId);

/// What a gene makes, in the classes that matter for how it is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeneKind {
    /// Translated into a protein.
    ProteinCoding,
    /// A microRNA precursor.
    MicroRna,
    /// A long non-coding RNA.
    LongNoncodingRna,
    /// A copy that has lost its function.
    Pseudogene,
    /// A V, D, J or C segment of an immunoglobulin locus, functional or not.
    ImmunoglobulinSegment,
    /// A V, D, J or C segment of a T cell receptor locus, functional or not.
    TcellReceptorSegment,
    /// A transfer RNA, nuclear or mitochondrial.
    TransferRna,
    /// A small nucleolar or small Cajal body RNA.
    SmallNucleolarRna,
    /// A small nuclear RNA (spliceosomal and others).
    SmallNuclearRna,
    /// A ribosomal RNA.
    RibosomalRna,
    /// Any other RNA: Y, vault, signal recognition particle, …
    OtherRna,
    /// Everything else: regions, fragile sites, readthroughs, unknown.
    Other,
}

impl GeneKind {
    /// The kind for HGNC's `locus_type` column; `Other` for a type that HGNC has and we do not tell apart.
    pub fn from_hgnc_locus_type(locus_type: &str) -> Self {
        match locus_type {
            "gene with protein product" => Self::ProteinCoding,
            "RNA, micro" => Self::MicroRna,
            "RNA, long non-coding" => Self::LongNoncodingRna,
            "RNA, transfer" => Self::TransferRna,
            "RNA, small nucleolar" => Self::SmallNucleolarRna,
            "RNA, small nuclear" => Self::SmallNuclearRna,
            "RNA, ribosomal" => Self::RibosomalRna,
            "pseudogene" => Self::Pseudogene,
            "immunoglobulin gene" | "immunoglobulin pseudogene" => Self::ImmunoglobulinSegment,
            "T cell receptor gene" | "T cell receptor pseudogene" => Self::TcellReceptorSegment,
            other if other.starts_with("RNA,") => Self::OtherRna,
            _ => Self::Other,
        }
    }

    /// The kind for NCBI gene_info's `type_of_gene` column, used where HGNC has no record.
    pub fn from_ncbi_type(type_of_gene: &str) -> Self {
        match type_of_gene {
            "protein-coding" => Self::ProteinCoding,
            "pseudo" => Self::Pseudogene,
            "ncRNA" => Self::LongNoncodingRna,
            "tRNA" => Self::TransferRna,
            "snoRNA" | "scRNA" => Self::SmallNucleolarRna,
            "snRNA" => Self::SmallNuclearRna,
            "rRNA" => Self::RibosomalRna,
            _ => Self::Other,
        }
    }

    /// The kind as a noun phrase without an article: "protein-coding gene", "microRNA gene".
    pub fn noun(self) -> &'static str {
        match self {
            Self::ProteinCoding => "protein-coding gene",
            Self::MicroRna => "microRNA gene",
            Self::LongNoncodingRna => "long non-coding RNA gene",
            Self::Pseudogene => "pseudogene",
            Self::ImmunoglobulinSegment => "immunoglobulin gene segment",
            Self::TcellReceptorSegment => "T cell receptor gene segment",
            Self::TransferRna => "transfer RNA gene",
            Self::SmallNucleolarRna => "small nucleolar RNA gene",
            Self::SmallNuclearRna => "small nuclear RNA gene",
            Self::RibosomalRna => "ribosomal RNA gene",
            Self::OtherRna => "non-coding RNA gene",
            Self::Other => "gene",
        }
    }
}

/// A Gene Ontology term that annotates a gene.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GoTerm {
    /// `GO:0008270`.
    pub id: String,
    /// The term's name: "zinc ion binding".
    pub name: String,
    /// Which of the three ontologies it belongs to.
    pub aspect: GoAspect,
}

/// The three ontologies of GO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoAspect {
    /// What the product does.
    MolecularFunction,
    /// What it takes part in.
    BiologicalProcess,
    /// Where it is.
    CellularComponent,
}

impl GoAspect {
    /// The three, in the order in which they are told.
    pub const ALL: [Self; 3] = [Self::MolecularFunction, Self::BiologicalProcess, Self::CellularComponent];

    /// The aspect for its name (`molecular_function`), its letter in annotation files (`F`, `P`, `C`) or
    /// gene2go's category (`Function`, `Process`, `Component`).
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "molecular_function" | "F" | "Function" => Some(Self::MolecularFunction),
            "biological_process" | "P" | "Process" => Some(Self::BiologicalProcess),
            "cellular_component" | "C" | "Component" => Some(Self::CellularComponent),
            _ => None,
        }
    }

    /// The term at the top of this ontology.
    pub fn root(self) -> GoId {
        match self {
            Self::MolecularFunction => GoId(3674),
            Self::BiologicalProcess => GoId(8150),
            Self::CellularComponent => GoId(5575),
        }
    }
}

/// *Homo sapiens* in NCBI Taxonomy.
pub const HUMAN: u32 = 9606;

fn human() -> u32 {
    HUMAN
}

fn is_human(tax_id: &u32) -> bool {
    *tax_id == HUMAN
}

/// One gene as every stage sees it. `None` and empty lists mean "not known", never "none exists".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneRecord {
    /// The approved symbol.
    pub symbol: GeneSymbol,
    /// The approved full name: "GLI family zinc finger 1".
    pub name: String,
    /// What the gene makes.
    pub kind: GeneKind,
    /// The species, as its id in NCBI Taxonomy.
    #[serde(default = "human", skip_serializing_if = "is_human")]
    pub tax_id: u32,
    /// HGNC's own word for the kind: "RNA, micro".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locus_type: Option<String>,
    /// Cytogenetic location: "12q13.3".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// HGNC id; absent for genes that only NCBI has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hgnc_id: Option<HgncId>,
    /// NCBI Gene id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrez_id: Option<EntrezId>,
    /// Ensembl gene id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ensembl_id: Option<EnsemblId>,
    /// OMIM numbers; rarely more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omim_ids: Vec<OmimId>,
    /// UniProt accessions, reviewed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uniprot_ids: Vec<UniprotAccession>,
    /// Alias symbols (not approved, in use).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Symbols that were approved once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous_symbols: Vec<String>,
    /// Other full names in use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_names: Vec<String>,
    /// HGNC gene groups (families).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// GO annotations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub go_terms: Vec<GoTerm>,
    /// Pathways by their common names: "Hedgehog signaling".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pathways: Vec<String>,
    /// RefSeq status where known: "REVIEWED".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refseq_status: Option<String>,
    /// Where it is expressed, as a clause: "broad expression in thyroid and brain".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Orthologs as database ids: "MGI:95727", "RGD:1307080".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orthologs: Vec<String>,
    /// What the gene does, in a paragraph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

/// A functional summary and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// One paragraph.
    pub text: String,
    /// "Geneverse", "RefSeq", "synthesised: MODEL".
    pub source: String,
}

impl GeneRecord {
    /// A record with the three things that every gene has, and nothing else known.
    pub fn new(symbol: GeneSymbol, name: impl Into<String>, kind: GeneKind) -> Self {
        Self {
            symbol,
            name: name.into(),
            kind,
            tax_id: HUMAN,
            locus_type: None,
            location: None,
            hgnc_id: None,
            entrez_id: None,
            ensembl_id: None,
            omim_ids: Vec::new(),
            uniprot_ids: Vec::new(),
            aliases: Vec::new(),
            previous_symbols: Vec::new(),
            other_names: Vec::new(),
            groups: Vec::new(),
            go_terms: Vec::new(),
            pathways: Vec::new(),
            refseq_status: None,
            expression: None,
            orthologs: Vec::new(),
            summary: None,
        }
    }

    /// Every symbol the gene goes by or went by: approved, aliases, previous; without repeats.
    pub fn all_symbols(&self) -> Vec<&str> {
        let mut seen = Vec::new();
        let candidates = std::iter::once(self.symbol.as_str())
            .chain(self.aliases.iter().map(String::as_str))
            .chain(self.previous_symbols.iter().map(String::as_str));
        for symbol in candidates {
            if !seen.contains(&symbol) {
                seen.push(symbol);
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests;
