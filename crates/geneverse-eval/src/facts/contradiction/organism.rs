//! What a text says of the species, against the record's.
//!
//! Descriptions of human genes speak of mice and yeast all the time: of orthologs, of models, of where a domain was
//! found first. Read are only statements about this gene: its organism by name ("the organism is …", "in the genome of
//! …"), a gene or protein of an organism with this gene as subject ("GLI1 is a mouse gene"), and a scientific name
//! behind "in" or "of" in a sentence that says nothing of relatives and models.

use std::sync::LazyLock;

use geneverse_data::gene::{GeneRecord, HUMAN};

use super::{is_subject, predicate};
use crate::hash::Set;
use crate::phrases::Phrases;
use crate::prose::sentences;

/// Organisms: id in NCBI Taxonomy, scientific name, and everyday words for it. Lower-cased.
const ORGANISMS: [(u32, &str, &[&str]); 22] = [
    (HUMAN, "homo sapiens", &["human"]),
    (10_090, "mus musculus", &["mouse", "murine", "mice"]),
    (10_116, "rattus norvegicus", &["rat"]),
    (7955, "danio rerio", &["zebrafish"]),
    (7227, "drosophila melanogaster", &["drosophila", "fruit fly"]),
    (6239, "caenorhabditis elegans", &["c. elegans", "nematode"]),
    (4932, "saccharomyces cerevisiae", &["yeast", "s. cerevisiae"]),
    (4896, "schizosaccharomyces pombe", &["fission yeast", "s. pombe"]),
    (3702, "arabidopsis thaliana", &["arabidopsis"]),
    (9031, "gallus gallus", &["chicken"]),
    (9823, "sus scrofa", &["pig", "porcine"]),
    (9913, "bos taurus", &["bovine", "cow", "cattle"]),
    (9615, "canis lupus familiaris", &["dog", "canine"]),
    (8364, "xenopus tropicalis", &["xenopus", "frog"]),
    (8355, "xenopus laevis", &["african clawed frog"]),
    (562, "escherichia coli", &["e. coli", "bacterial"]),
    (9544, "macaca mulatta", &["rhesus macaque", "rhesus"]),
    (9598, "pan troglodytes", &["chimpanzee"]),
    (9940, "ovis aries", &["sheep", "ovine"]),
    (9986, "oryctolagus cuniculus", &["rabbit"]),
    (4530, "oryza sativa", &["rice"]),
    (44_689, "dictyostelium discoideum", &["dictyostelium"]),
];

/// What a sentence about a relative or a model holds.
const RELATIVES: [&str; 20] = [
    "ortholog",
    "homolog",
    "homologue",
    "paralog",
    "counterpart",
    "similar",
    "identity",
    "identical",
    "conserved",
    "related to",
    "model",
    "knockout",
    "knock-out",
    "transgenic",
    "studies",
    "study",
    "mutant",
    "first identified",
    "experiments",
    "virus",
];

/// Ways to name the species outright.
const NAMING: [&str; 6] =
    ["organism is ", "organism, ", "species is ", "species, ", "genome of ", "organism of this gene is "];

/// Ways to say what a gene is or makes.
const SAYING: [&str; 6] =
    [" is a ", " is an ", " is the ", " encodes a ", " encodes an ", " is classified as a "];

/// The words in which a text places the gene in another species than the record's.
pub(crate) fn other_organism(text: &str, gene: &GeneRecord) -> Option<String> {
    let own = ORGANISMS.iter().find(|(id, ..)| *id == gene.tax_id)?;
    let told = |name: &str| gene.summary.as_ref().is_some_and(|s| s.text.to_lowercase().contains(name));
    for range in sentences(text) {
        let sentence = text[range].to_lowercase();
        let found = said(&sentence, gene).filter(|found| found.0 != own.0);
        let strain = |found: &str| found.starts_with("escherichia") && own.1.starts_with("escherichia");
        if let Some((_, name)) = found.filter(|(_, name)| !told(name) && !strain(name)) {
            return Some(format!("says that the organism is {name}, while the record is of {}", own.1));
        }
    }
    None
}

/// The organism that a lower-cased sentence gives the gene.
pub(crate) fn said(sentence: &str, gene: &GeneRecord) -> Option<(u32, String)> {
    if !speaks_of_organisms(sentence) {
        return None;
    }
    static NAMED: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(NAMING.into_iter().chain(SAYING)));
    let held = NAMED.held(sentence);
    for (_, naming) in NAMING.into_iter().enumerate().filter(|(place, _)| held.has(*place)) {
        // "The nomenclature for this organism is independent of others" is another matter.
        let named = sentence.match_indices(naming).find_map(|(at, _)| {
            let rest = &sentence[at + naming.len()..];
            let named = rest.trim_start_matches("the ");
            organism_at_start(named).or_else(|| {
                let unknown = naming == "organism is " && binomial(rest);
                unknown.then(|| (0, predicate(rest)))
            })
        });
        if named.is_some() {
            return named;
        }
    }
    let sayings = SAYING.into_iter().enumerate().filter(|(place, _)| held.has(NAMING.len() + place));
    for (_, saying) in sayings {
        let said = sentence.match_indices(saying).find_map(|(at, _)| {
            let phrase = predicate_with_organism(&sentence[at + saying.len()..]);
            let (id, name) = organism_at_start(&phrase)?;
            let kind = ["gene", "protein", "pseudogene", "locus", "rna", "enzyme"];
            let of_kind = phrase.split([' ', ',']).any(|word| kind.contains(&word));
            (of_kind && is_subject(&sentence[..at], gene)).then_some((id, name))
        });
        if said.is_some() {
            return said;
        }
    }
    let symbol = gene.symbol.as_str().to_lowercase();
    let begins = sentence.trim_start_matches("the ").trim_start_matches("this ");
    if let Some((id, name)) = organism_at_start(begins) {
        // "The mouse gene GLI1 …", "Mouse GLI1 …".
        let rest = begins.get(name.len()..).unwrap_or_default().trim_start();
        let rest = rest.trim_start_matches("gene ").trim_start_matches("protein ");
        if rest.starts_with(&format!("{symbol} ")) || begins.starts_with(&format!("{name} gene encodes")) {
            return Some((id, name));
        }
    }
    static RELATIVE: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(RELATIVES));
    if RELATIVE.any(sentence) {
        return None;
    }
    static SCIENTIFIC: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(ORGANISMS.map(|(_, name, _)| name)));
    let held = SCIENTIFIC.held(sentence);
    let organisms = ORGANISMS.iter().enumerate().filter(|(place, _)| held.has(*place));
    organisms.map(|(_, organism)| organism).find_map(|(id, name, _)| {
        let behind = ["in ", "of ", "from "].iter().any(|preposition| {
            let phrase = format!("{preposition}{name}");
            sentence
                .match_indices(&phrase)
                .any(|(at, _)| !sentence[..at].chars().next_back().is_some_and(char::is_alphanumeric))
        });
        behind.then(|| (*id, (*name).to_owned()))
    })
}

/// Whether a lower-cased sentence has the first word of an organism, or says "organism". Few do.
fn speaks_of_organisms(sentence: &str) -> bool {
    static FIRST: LazyLock<Set<&str>> = LazyLock::new(|| {
        let names = ORGANISMS.iter().flat_map(|(_, name, words)| std::iter::once(name).chain(*words));
        names.filter_map(|name| name.split([' ', '.']).next()).chain(["organism", "species"]).collect()
    });
    sentence.split(|c: char| !c.is_alphanumeric()).any(|word| FIRST.contains(word))
}

fn predicate_with_organism(text: &str) -> String {
    let phrase = text.split([';', '(', ':', '\n']).next().unwrap_or_default();
    let words: Vec<&str> = phrase.split_whitespace().take(7).collect();
    words.join(" ").trim_end_matches(['.', ',']).to_owned()
}

/// The organism that a text begins with, as it is written.
fn organism_at_start(text: &str) -> Option<(u32, String)> {
    let stands = |name: &str| {
        text.strip_prefix(name)
            .is_some_and(|rest| !rest.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '-'))
    };
    ORGANISMS.iter().find_map(|(id, name, words)| {
        let found = std::iter::once(name).chain(*words).find(|word| stands(word))?;
        Some((*id, (*found).to_owned()))
    })
}

/// Two words such as "felis catus": the first of an organism's name that is in no table.
fn binomial(text: &str) -> bool {
    let said = predicate(text);
    let words: Vec<&str> = said.split(' ').collect();
    let like_latin = |word: &&str| {
        ["us", "a", "is", "um", "i", "ens", "es", "ax", "ae", "o"].iter().any(|end| word.ends_with(end))
    };
    words.len() == 2
        && words.iter().all(|w| w.len() > 3 && w.chars().all(char::is_alphabetic))
        && words.iter().all(like_latin)
}
