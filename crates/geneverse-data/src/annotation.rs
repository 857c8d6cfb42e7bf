//! What an annotation of a gene with a GO term says besides the two: how it is known and in which way the term holds.
//!
//! Evidence codes are GO's (<https://geneontology.org/docs/guide-go-evidence-codes/>), and codes of the Evidence and
//! Conclusion Ontology are read as the GO code that they stand for (`gaf-eco-mapping.txt` of that ontology, defaults
//! of each code and those of the frequent GO_REFs). Qualifiers are GO's relations of 2021, which GAF 2.2 and GPAD
//! write in every row and GAF 2.1 only where they are not the usual ones; GPAD 2.0 writes them as ids of the
//! Relation Ontology.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::gene::{GoId, IdError};

/// How well an annotation is supported, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// An experiment on this gene product.
    Experiment,
    /// An author's or curator's statement that can be traced.
    Statement,
    /// A high-throughput experiment.
    HighThroughput,
    /// Curated descent from an annotated ancestor.
    Phylogeny,
    /// Reviewed similarity of sequence, or another reviewed computation.
    Similarity,
    /// Made by a program and not reviewed.
    Electronic,
    /// The file says nothing, or says that nothing is known.
    Unknown,
}

/// Code, support, and the numbers of the ECO classes that stand for it.
type Code = (&'static str, Support, &'static [u32]);

const CODES: [Code; 27] = [
    ("", Support::Unknown, &[]),
    ("EXP", Support::Experiment, &[269]),
    ("IDA", Support::Experiment, &[314]),
    ("IPI", Support::Experiment, &[353]),
    ("IMP", Support::Experiment, &[315]),
    ("IGI", Support::Experiment, &[316]),
    ("IEP", Support::Experiment, &[270]),
    ("TAS", Support::Statement, &[304]),
    ("IC", Support::Statement, &[305]),
    ("HTP", Support::HighThroughput, &[6056]),
    ("HDA", Support::HighThroughput, &[7005]),
    ("HMP", Support::HighThroughput, &[7001]),
    ("HGI", Support::HighThroughput, &[7003]),
    ("HEP", Support::HighThroughput, &[7007]),
    ("IBA", Support::Phylogeny, &[318]),
    ("IBD", Support::Phylogeny, &[319]),
    ("IKR", Support::Phylogeny, &[320]),
    ("IRD", Support::Phylogeny, &[321]),
    ("ISS", Support::Similarity, &[250, 31]),
    ("ISO", Support::Similarity, &[266]),
    ("ISA", Support::Similarity, &[247]),
    ("ISM", Support::Similarity, &[255]),
    ("IGC", Support::Similarity, &[317, 84]),
    ("RCA", Support::Similarity, &[245]),
    ("NAS", Support::Similarity, &[303]),
    ("IEA", Support::Electronic, &[501, 203, 256, 265, 322, 323, 363, 7669]),
    ("ND", Support::Unknown, &[307]),
];

/// An evidence code, or that the file gives none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Evidence(u8);

impl Evidence {
    /// The file gives no evidence.
    pub const NONE: Self = Self(0);

    /// Reads `IDA`, or an ECO class such as `ECO:0000314`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        let eco = text.strip_prefix("ECO:").and_then(|digits| digits.parse::<u32>().ok());
        let place = match eco {
            Some(class) => CODES.iter().position(|code| code.2.contains(&class)),
            None => CODES.iter().position(|code| code.0 == text),
        };
        let unknown =
            || IdError { found: text.to_owned(), expected: "an evidence code such as IDA or ECO:0000314" };
        place.and_then(|place| u8::try_from(place).ok()).map(Self).ok_or_else(unknown)
    }

    /// `IDA`; empty where the file gives none.
    pub fn code(self) -> &'static str {
        CODES[usize::from(self.0)].0
    }

    /// How well it supports the annotation.
    pub fn support(self) -> Support {
        CODES[usize::from(self.0)].1
    }

    /// "No biological data": somebody looked, and nothing is known.
    pub fn is_no_data(self) -> bool {
        self.code() == "ND"
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl TryFrom<String> for Evidence {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<Evidence> for String {
    fn from(evidence: Evidence) -> Self {
        evidence.to_string()
    }
}

/// Names of qualifiers with the ids that GPAD 2.0 writes. The first is that of a row without one.
const QUALIFIERS: [(&str, &str); 14] = [
    ("", ""),
    ("enables", "RO:0002327"),
    ("contributes_to", "RO:0002326"),
    ("involved_in", "RO:0002331"),
    ("acts_upstream_of", "RO:0002263"),
    ("acts_upstream_of_positive_effect", "RO:0004034"),
    ("acts_upstream_of_negative_effect", "RO:0004035"),
    ("acts_upstream_of_or_within", "RO:0002264"),
    ("acts_upstream_of_or_within_positive_effect", "RO:0004032"),
    ("acts_upstream_of_or_within_negative_effect", "RO:0004033"),
    ("part_of", "BFO:0000050"),
    ("located_in", "RO:0001025"),
    ("is_active_in", "RO:0002432"),
    ("colocalizes_with", "RO:0002325"),
];

/// In which way a term holds for a gene; the annotation has none where its file gives none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Qualifier(u8);

impl Qualifier {
    /// The file gives none.
    pub const NONE: Self = Self(0);

    /// Reads `located_in` or `RO:0001025`; an empty text is none.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        let place = QUALIFIERS.iter().position(|(name, id)| *name == text || *id == text);
        let unknown = || IdError { found: text.to_owned(), expected: "a qualifier such as located_in" };
        place.and_then(|place| u8::try_from(place).ok()).map(Self).ok_or_else(unknown)
    }

    /// `located_in`; empty where the file gives none.
    pub fn name(self) -> &'static str {
        QUALIFIERS[usize::from(self.0)].0
    }

    /// Whether the gene product itself does it, takes part in it or is there, so that "involved in", "functions in"
    /// and "located in" are true sentences. A subunit that contributes to its complex's function, a gene that acts
    /// before a process begins, and a product that was seen beside a structure are less than that.
    pub fn is_direct(self) -> bool {
        let name = self.name();
        let upstream =
            name.starts_with("acts_upstream_of") && !name.starts_with("acts_upstream_of_or_within");
        !upstream && !matches!(name, "contributes_to" | "colocalizes_with")
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<String> for Qualifier {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<Qualifier> for String {
    fn from(qualifier: Qualifier) -> Self {
        qualifier.to_string()
    }
}

/// One annotation of one gene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Annotation {
    /// The term.
    pub term: GoId,
    /// In which way it holds.
    pub qualifier: Qualifier,
    /// How it is known.
    pub evidence: Evidence,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_their_ontologies_ids_are_the_same() {
        assert_eq!(Evidence::parse("ECO:0000314").unwrap(), Evidence::parse("IDA").unwrap());
        assert_eq!(Evidence::parse("ECO:0000256").unwrap().code(), "IEA");
        assert!(Evidence::parse("ECO:0000307").unwrap().is_no_data());
        assert_eq!(Qualifier::parse("BFO:0000050").unwrap().name(), "part_of");
        assert_eq!(Qualifier::parse("").unwrap(), Qualifier::NONE);
        assert!(Evidence::parse("XYZ").is_err() && Evidence::parse("ECO:x").is_err());
        assert!(Qualifier::parse("NOT").is_err());
    }

    #[test]
    fn experiments_come_before_programs_and_indirect_ways_are_told_apart() {
        let support = |code| Evidence::parse(code).unwrap().support();
        assert!(
            support("IMP") < support("TAS")
                && support("HDA") < support("IBA")
                && support("ISS") < support("IEA")
        );
        let direct: Vec<_> =
            QUALIFIERS.iter().filter(|q| Qualifier::parse(q.0).unwrap().is_direct()).collect();
        assert_eq!(direct.len(), 9);
    }
}
