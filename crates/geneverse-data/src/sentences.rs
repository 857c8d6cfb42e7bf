//! A gene record put into sentences: what a page of NCBI Gene says, as one paragraph.
//!
//! The text is a function of the record and a seed, which chooses among a few phrasings for each part.
//! What a later repair must find again is phrased in one way only:
//!
//! - identifiers: `HGNC:4317`, `Ensembl:ENSG00000111087`, `MIM:165220`, `AllianceGenome:HGNC:4317`,
//!   `Entrez Gene:2735`, `UniProt:P08151`;
//! - other symbols: `also known as A, B and C`.

mod words;

use crate::gene::{GeneKind, GeneRecord, GoAspect};
use crate::seeded::mix;
use words::{and_list, clause, clean, with_article};

/// The lineage of the human species in NCBI Taxonomy, as NCBI Gene shows it.
pub const LINEAGE: &str = "Eukaryota; Metazoa; Chordata; Craniata; Vertebrata; Euteleostomi; Mammalia; Eutheria; \
    Euarchontoglires; Primates; Haplorrhini; Catarrhini; Hominidae; Homo";
/// More other symbols than these are not told: run-on lists teach a model to run on.
pub const MAX_ALIASES: usize = 8;
const MAX_GROUPS: usize = 4;
const MAX_GO_TERMS: usize = 5;
const MAX_PATHWAYS: usize = 5;
const MAX_ORTHOLOGS: usize = 4;

/// What a sentence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Symbol and full name.
    Name,
    /// Identifiers in HGNC and elsewhere.
    Identifiers,
    /// Kind, location, species and lineage.
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

/// The whole paragraph.
pub fn sentences(record: &GeneRecord, seed: u64) -> String {
    let parts = parts(record, seed);
    let texts: Vec<&str> = parts.iter().map(|(_, text)| text.as_str()).collect();
    texts.join(" ")
}

/// The paragraph's parts that have something to say, in its order; each ends with a full stop.
pub fn parts(record: &GeneRecord, seed: u64) -> Vec<(Part, String)> {
    let teller = Teller { record, seed: mix(seed, record.symbol.as_str()) };
    let told = [
        (Part::Name, Some(teller.name())),
        (Part::Identifiers, teller.identifiers()),
        (Part::Kind, Some(teller.kind())),
        (Part::Status, teller.status()),
        (Part::Aliases, teller.aliases()),
        (Part::Groups, teller.groups()),
        (Part::Summary, teller.summary()),
        (Part::Annotations, teller.annotations()),
        (Part::Pathways, teller.pathways()),
        (Part::Expression, teller.expression()),
        (Part::Orthologs, teller.orthologs()),
    ];
    told.into_iter().filter_map(|(part, text)| text.map(|text| (part, text))).collect()
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

struct Teller<'a> {
    record: &'a GeneRecord,
    seed: u64,
}

impl Teller<'_> {
    /// One of some phrasings, chosen for this record, seed and part.
    fn choose<const N: usize>(&self, part: &str, phrasings: [String; N]) -> String {
        let choice = mix(self.seed, part) % N as u64;
        phrasings.into_iter().nth(choice as usize).unwrap_or_default()
    }

    fn name(&self) -> String {
        let symbol = self.record.symbol.as_str();
        let authority = if self.record.hgnc_id.is_some() { "HGNC" } else { "NCBI Gene" };
        let Some(name) = clause(&self.record.name).filter(|name| name != symbol) else {
            return format!("{symbol} is the official gene symbol provided by {authority}.");
        };
        self.choose(
            "name",
            [
                format!(
                    "The official symbol of this gene is {symbol} and its official full name is {name}, provided by {authority}."
                ),
                format!("{symbol} is the official gene symbol for {name}, provided by {authority}."),
                format!("{symbol}, with the official full name {name}, is a gene symbol provided by {authority}."),
            ],
        )
    }

    fn identifiers(&self) -> Option<String> {
        let record = self.record;
        let mut related = Vec::new();
        related.extend(record.ensembl_id.map(|id| format!("Ensembl:{id}")));
        related.extend(record.omim_ids.iter().map(|id| format!("MIM:{id}")));
        related.extend(record.hgnc_id.map(|id| format!("AllianceGenome:{id}")));
        related.extend(record.entrez_id.map(|id| format!("Entrez Gene:{id}")));
        related.extend(record.uniprot_ids.first().map(|id| format!("UniProt:{id}")));
        let related = and_list(&related)?;
        let Some(id) = record.hgnc_id else {
            return Some(format!("Related identifiers are {related}."));
        };
        Some(self.choose(
            "identifiers",
            [
                format!("Its primary source is {id}, and related identifiers are {related}."),
                format!("The primary source is {id}; see related {related}."),
            ],
        ))
    }

    fn kind(&self) -> String {
        let kind = with_article(self.kind_noun());
        let place = self.record.location.as_deref().and_then(words::place);
        let place = place.map(|place| format!(" {place}")).unwrap_or_default();
        self.choose(
            "kind",
            [
                format!("It is {kind}{place} in Homo sapiens, of the lineage {LINEAGE}."),
                format!("This is {kind} of Homo sapiens{place}, with the lineage {LINEAGE}."),
            ],
        )
    }

    /// The kind in words; HGNC's locus type tells more where our kind is coarse.
    fn kind_noun(&self) -> &'static str {
        match (self.record.kind, self.record.locus_type.as_deref().unwrap_or_default()) {
            (GeneKind::ImmunoglobulinSegment, "immunoglobulin pseudogene") => {
                "immunoglobulin pseudogene segment"
            }
            (GeneKind::TcellReceptorSegment, "T cell receptor pseudogene") => {
                "T cell receptor pseudogene segment"
            }
            (GeneKind::OtherRna, "RNA, Y") => "Y RNA gene",
            (GeneKind::OtherRna, "RNA, vault") => "vault RNA gene",
            (GeneKind::OtherRna, "RNA, cluster") => "non-coding RNA gene cluster",
            (GeneKind::Other, "readthrough") => "readthrough gene",
            (GeneKind::Other, "fragile site") => "fragile site",
            (GeneKind::Other, "region") => "genomic region",
            (GeneKind::Other, "endogenous retrovirus") => "endogenous retrovirus",
            (GeneKind::Other, "complex locus constituent") => "complex locus constituent",
            (GeneKind::Other, "virus integration site") => "virus integration site",
            (kind, _) => kind.noun(),
        }
    }

    fn status(&self) -> Option<String> {
        let status = clause(self.record.refseq_status.as_deref()?)?;
        Some(format!("Its RefSeq status is {status}."))
    }

    fn aliases(&self) -> Option<String> {
        let aliases = and_list(&told_aliases(self.record))?;
        let symbol = &self.record.symbol;
        Some(self.choose(
            "aliases",
            [
                format!("It is also known as {aliases}."),
                format!("This gene is also known as {aliases}."),
                format!("{symbol} is also known as {aliases}."),
            ],
        ))
    }

    fn groups(&self) -> Option<String> {
        let groups = first_clauses(self.record.groups.iter(), MAX_GROUPS);
        let word = if groups.len() == 1 { "group" } else { "groups" };
        // Group names hold commas and "and", so that only a semicolon separates them.
        let listed = (!groups.is_empty()).then(|| groups.join("; "))?;
        Some(self.choose(
            "groups",
            [
                format!("It belongs to the HGNC gene {word}: {listed}."),
                format!("It is a member of the HGNC gene {word}: {listed}."),
            ],
        ))
    }

    fn summary(&self) -> Option<String> {
        let text = clean(&self.record.summary.as_ref()?.text);
        let text = text.trim_end_matches([' ', ',', ';', ':']);
        if !text.chars().any(char::is_alphanumeric) {
            return None;
        }
        let ended = text.ends_with(['.', '!', '?']) || text.ends_with(".)") || text.ends_with(".\"");
        Some(if ended { text.to_owned() } else { format!("{text}.") })
    }

    fn annotations(&self) -> Option<String> {
        let of = |aspect| {
            let names = self.record.go_terms.iter().filter(|t| t.aspect == aspect).map(|t| &t.name);
            let names = first_clauses(names, MAX_GO_TERMS);
            (!names.is_empty()).then(|| names.join("; "))
        };
        let told: Vec<String> = [
            of(GoAspect::BiologicalProcess)
                .map(|names| format!("It takes part in these biological processes: {names}.")),
            of(GoAspect::MolecularFunction).map(|names| format!("Its molecular functions include: {names}.")),
            of(GoAspect::CellularComponent).map(|names| format!("Its product is found in: {names}.")),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!told.is_empty()).then(|| told.join(" "))
    }

    fn pathways(&self) -> Option<String> {
        let pathways = and_list(&first_clauses(self.record.pathways.iter(), MAX_PATHWAYS))?;
        Some(self.choose(
            "pathways",
            [
                format!("Pathway information: it acts in {pathways}."),
                format!("Its pathways include {pathways}."),
            ],
        ))
    }

    fn expression(&self) -> Option<String> {
        let expression = words::lower_start(&clause(self.record.expression.as_deref()?)?);
        let first = expression.split(' ').next().unwrap_or_default();
        Some(if expression.contains("expression") {
            format!("It shows {expression}.")
        } else if first.ends_with("ly") || first.ends_with("ed") || first == "found" {
            format!("It is {expression}.")
        } else {
            format!("It is expressed in {expression}.")
        })
    }

    /// One for each species: where a family has grown in mouse, the list of its ids says nothing to a reader.
    fn orthologs(&self) -> Option<String> {
        let mut species = Vec::new();
        let mut named = Vec::new();
        for id in self.record.orthologs.iter().filter_map(|id| clause(id)) {
            let database = id.split(':').next().unwrap_or_default().to_owned();
            let name = match database.as_str() {
                "MGI" => format!("mouse {id}"),
                "RGD" => format!("rat {id}"),
                "ZFIN" => format!("zebrafish {id}"),
                _ => id,
            };
            if !species.contains(&database) {
                species.push(database);
                named.push(name);
            }
        }
        named.truncate(MAX_ORTHOLOGS);
        let word = if named.len() == 1 { "An ortholog is" } else { "Orthologs are" };
        Some(format!("{word} {}.", and_list(&named)?))
    }
}

fn first_clauses<'a>(texts: impl Iterator<Item = &'a String>, most: usize) -> Vec<String> {
    texts.filter_map(|text| clause(text)).take(most).collect()
}

#[cfg(test)]
mod tests;
