//! A gene record put into sentences: what a page of NCBI Gene says, as one paragraph.
//!
//! The text is a function of the record and a seed, which chooses among several phrasings of each part, among
//! orders of the parts, and whether neighbours are told in one sentence. The first sentence names the symbol.
//! What a later repair must find again is phrased in one way only:
//!
//! - identifiers: `HGNC:4317`, `Ensembl:ENSG00000111087`, `MIM:165220`, `AllianceGenome:HGNC:4317`,
//!   `Entrez Gene:2735`, `UniProt:P08151`;
//! - other symbols: `also known as A, B and C`, with the gene as subject.
//!
//! Sentences that say who a gene is, and not what it does, keep to words by which a grade can tell them:
//! "official symbol", "primary source", "related identifiers", "in Homo sapiens", "lineage", "RefSeq status", "ortholog".

mod article;
mod kind;
mod lines;
mod place;
mod words;

use crate::gene::GeneRecord;
use crate::seeded::mix;
use words::clause;

pub use lines::lines;

/// The lineage of the human species in NCBI Taxonomy, as NCBI Gene shows it.
pub const LINEAGE: &str = "Eukaryota; Metazoa; Chordata; Craniata; Vertebrata; Euteleostomi; Mammalia; Eutheria; \
    Euarchontoglires; Primates; Haplorrhini; Catarrhini; Hominidae; Homo";
/// More other symbols than these are not told: run-on lists teach a model to run on.
pub const MAX_ALIASES: usize = 8;

/// What a sentence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Symbol and full name; in some phrasings also kind and location.
    Name,
    /// Identifiers in HGNC and elsewhere.
    Identifiers,
    /// Kind, location, species and lineage; in some phrasings also RefSeq status.
    Kind,
    /// RefSeq status.
    Status,
    /// Other symbols.
    Aliases,
    /// HGNC gene groups.
    Groups,
    /// The functional summary.
    Summary,
    /// GO terms.
    Annotations,
    /// Pathways.
    Pathways,
    /// Where it is expressed.
    Expression,
    /// Orthologs.
    Orthologs,
}

/// Orders in which a paragraph is told; the name is always first.
const ORDERS: [[Part; 11]; 6] = {
    use Part::*;
    [
        [
            Name,
            Identifiers,
            Kind,
            Status,
            Aliases,
            Groups,
            Summary,
            Annotations,
            Pathways,
            Expression,
            Orthologs,
        ],
        [
            Name,
            Kind,
            Identifiers,
            Status,
            Aliases,
            Groups,
            Summary,
            Pathways,
            Annotations,
            Expression,
            Orthologs,
        ],
        [
            Name,
            Kind,
            Summary,
            Annotations,
            Pathways,
            Expression,
            Aliases,
            Groups,
            Identifiers,
            Status,
            Orthologs,
        ],
        [
            Name,
            Aliases,
            Kind,
            Identifiers,
            Status,
            Summary,
            Annotations,
            Pathways,
            Groups,
            Expression,
            Orthologs,
        ],
        [
            Name,
            Identifiers,
            Summary,
            Pathways,
            Annotations,
            Kind,
            Status,
            Aliases,
            Groups,
            Expression,
            Orthologs,
        ],
        [
            Name,
            Kind,
            Aliases,
            Groups,
            Summary,
            Annotations,
            Pathways,
            Expression,
            Orthologs,
            Identifiers,
            Status,
        ],
    ]
};

/// The whole paragraph.
pub fn sentences(record: &GeneRecord, seed: u64) -> String {
    let parts = parts(record, seed);
    let texts: Vec<&str> = parts.iter().map(|(_, text)| text.as_str()).collect();
    texts.join(" ")
}

/// The paragraph's parts that have something to say, in the order told; each ends with a full stop.
pub fn parts(record: &GeneRecord, seed: u64) -> Vec<(Part, String)> {
    let mut teller = Teller::new(record, seed);
    let order = &ORDERS[teller.draw("order", ORDERS.len())];
    let mut told: Vec<(Part, String)> = Vec::new();
    for &part in order {
        // Behind a summary or a list of terms "it" could be anything.
        let last = told.last().map(|(part, _)| *part);
        teller.pronoun = !matches!(last, Some(Part::Summary | Part::Annotations | Part::Groups));
        let text = match part {
            Part::Name => Some(teller.name()),
            Part::Identifiers => teller.identifiers(),
            Part::Kind => teller.kind(),
            Part::Status => teller.status(),
            Part::Aliases => teller.aliases(),
            Part::Groups => teller.groups(),
            Part::Summary => teller.summary(),
            Part::Annotations => teller.annotations(),
            Part::Pathways => teller.pathways(),
            Part::Expression => teller.expression(),
            Part::Orthologs => teller.orthologs(),
        };
        told.extend(text.map(|text| (part, text)));
    }
    told
}

/// The other symbols that the paragraph tells: aliases, then previous symbols, at most [`MAX_ALIASES`].
pub fn told_aliases(record: &GeneRecord) -> Vec<String> {
    let symbols = record.aliases.iter().chain(&record.previous_symbols).filter_map(|alias| clause(alias));
    let mut told: Vec<String> = Vec::new();
    for symbol in symbols {
        // A comma or "and" inside would make two symbols of one.
        let is_one = !symbol.contains([',', ';']) && !symbol.contains(" and ");
        if is_one && symbol != record.symbol.as_str() && !told.contains(&symbol) {
            told.push(symbol);
        }
    }
    told.truncate(MAX_ALIASES);
    told
}

/// A sentence that is made only if it is chosen.
type Phrasing<'a> = Box<dyn Fn() -> String + 'a>;

/// Sentences to choose from, none of them made yet.
macro_rules! phrasings {
    ($($text:expr),+ $(,)?) => { [$(Box::new(|| $text) as $crate::sentences::Phrasing<'_>),+] };
}

mod function;
mod identity;

/// A record being told with a seed.
struct Teller<'a> {
    record: &'a GeneRecord,
    seed: u64,
    /// "gene", "pseudogene" or "locus".
    short: &'static str,
    /// Kind with its article: "a protein-coding gene".
    kind: String,
    /// Place with its preposition and a blank before it, or nothing.
    place: String,
    species: Option<&'static str>,
    /// " in Homo sapiens", or nothing for a species that is not known.
    in_species: String,
    /// Whether kind and place are told with the name already.
    kind_with_name: bool,
    /// Whether "it" would be understood as the gene.
    pronoun: bool,
}

impl<'a> Teller<'a> {
    fn new(record: &'a GeneRecord, seed: u64) -> Self {
        let place = record.location.as_deref().and_then(|text| place::place(text, record.tax_id));
        let species = place::species(record.tax_id);
        let genome = place.as_ref().is_some_and(|place| place.ends_with("genome"));
        let preposition = if genome { "of" } else { "in" };
        Self {
            in_species: species.map(|species| format!(" {preposition} {species}")).unwrap_or_default(),
            species,
            record,
            seed: mix(seed, record.symbol.as_str()),
            short: kind::short(record),
            kind: article::with_article(&kind::noun(record)),
            place: place.map(|place| format!(" {place}")).unwrap_or_default(),
            kind_with_name: false,
            pronoun: true,
        }
    }

    /// A number below `choices`, drawn for this record, seed and part.
    fn draw(&self, part: &str, choices: usize) -> usize {
        (mix(self.seed, part) % choices.max(1) as u64) as usize
    }

    /// One of some phrasings, chosen for this record, seed and part.
    fn choose(&self, part: &str, phrasings: &[Phrasing<'_>]) -> String {
        phrasings.get(self.draw(part, phrasings.len())).map(|phrasing| phrasing()).unwrap_or_default()
    }

    /// The gene at the start of a sentence: "It", "This gene", "GLI1".
    fn subject(&self, part: &str) -> String {
        let drawn = self.draw(&format!("subject of {part}"), if self.pronoun { 5 } else { 3 });
        match drawn {
            0 => self.record.symbol.to_string(),
            1 => format!("This {}", self.short),
            2 if !self.pronoun => format!("The {}", self.short),
            _ => "It".to_owned(),
        }
    }

    /// The gene inside a sentence: "it", or its symbol where "it" could be anything.
    fn object(&self) -> &str {
        if self.pronoun { "it" } else { self.record.symbol.as_str() }
    }

    /// The gene as owner at the start of a sentence: "Its", "The gene's".
    fn owner(&self) -> String {
        if self.pronoun { "Its".to_owned() } else { format!("The {}'s", self.short) }
    }
}

#[cfg(test)]
mod tests;
