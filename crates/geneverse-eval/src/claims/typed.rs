//! Claims that a field of the record decides: symbol, name, kind, place, group, organism, status, aliases.

use std::sync::LazyLock;

use geneverse_data::gene::{GeneRecord, HUMAN};
use geneverse_data::sentences::LINEAGE;

use super::{Claim, ClaimKind, Verdict};
use crate::facts::contradiction::{self, kind, organism};
use crate::index::{GeneIndex, Resolved};
use crate::phrases::Phrases;
use crate::postprocess::listed_aliases;
use crate::prose::{contains_word, words};

/// RefSeq's statuses.
const STATUSES: [&str; 7] =
    ["REVIEWED", "VALIDATED", "PROVISIONAL", "PREDICTED", "INFERRED", "MODEL", "SUPPRESSED"];

/// The typed claims of a sentence; `first` tells that it is the answer's first.
pub(super) fn claim(sentence: &str, first: bool, gene: &GeneRecord) -> Vec<Claim> {
    let lower = sentence.to_lowercase();
    let mut found = Vec::new();
    found.extend(symbol(sentence, &lower, first, gene));
    found.extend(name(&lower, gene));
    found.extend(kinds(&lower, gene));
    found.extend(places(sentence, gene));
    found.extend(species(&lower, gene));
    found.extend(status(sentence, &lower, gene));
    found.extend(groups(sentence, &lower, gene));
    found
}

/// The items of an answer's lists of other symbols.
pub(super) fn aliases(answer: &str, gene: &GeneRecord, index: &GeneIndex) -> Vec<Claim> {
    let verdict = |item: &str| {
        let own = gene.all_symbols().into_iter().chain(gene.other_names.iter().map(String::as_str));
        if own.chain([gene.name.as_str()]).any(|name| name.eq_ignore_ascii_case(item)) {
            return Verdict::Supported;
        }
        // What others are called is no alias of this one; a name that nobody has may be missing from the record.
        match index.resolve(item) {
            Resolved::Unknown => Verdict::NotInRecord,
            Resolved::Gene(_) | Resolved::Ambiguous(_) => Verdict::Contradicted,
        }
    };
    let items = listed_aliases(answer, gene).into_iter().map(|range| &answer[range]);
    items
        .map(|item| {
            Claim::new(ClaimKind::Alias, item, verdict(item), "aliases").against("a symbol of others")
        })
        .collect()
}

fn symbol(sentence: &str, lower: &str, first: bool, gene: &GeneRecord) -> Option<Claim> {
    let own = |said: &str| gene.all_symbols().iter().any(|symbol| symbol.eq_ignore_ascii_case(said));
    let symbol = gene.symbol.as_str();
    if let Some(said) = contradiction::said_symbol(sentence, lower) {
        let verdict = if own(said) { Verdict::Supported } else { Verdict::Contradicted };
        return Some(Claim::new(ClaimKind::Symbol, said, verdict, "symbol").against(symbol));
    }
    (first && contains_word(sentence, symbol))
        .then(|| Claim::new(ClaimKind::Symbol, symbol, Verdict::Supported, "symbol"))
}

fn name(lower: &str, gene: &GeneRecord) -> Option<Claim> {
    if gene.name.trim().is_empty() {
        return None;
    }
    if let Some(said) = contradiction::said_name(lower) {
        let close = contradiction::is_close_name(said, gene);
        let verdict = if close { Verdict::Supported } else { Verdict::Contradicted };
        return Some(Claim::new(ClaimKind::Name, said, verdict, "name").against(&gene.name));
    }
    let told = |name: &&String| name.len() > 3 && lower.contains(&name.to_lowercase());
    let name = std::iter::once(&gene.name).chain(&gene.other_names).find(told)?;
    Some(Claim::new(ClaimKind::Name, name, Verdict::Supported, "name"))
}

fn kinds(lower: &str, gene: &GeneRecord) -> Vec<Claim> {
    let mut found: Vec<Claim> = Vec::new();
    let mut claimed = kind::claimed(lower, gene);
    claimed.extend(kind::said_in(lower, gene));
    for (said, kind) in claimed {
        let told = || {
            let summary =
                gene.summary.as_ref().map(|summary| summary.text.to_lowercase()).unwrap_or_default();
            summary.contains(said.trim())
        };
        let agrees = kind::agrees(gene, kind) || told();
        let verdict = if agrees { Verdict::Supported } else { Verdict::Contradicted };
        let text = format!("{} ({})", kind.noun(), said.trim());
        if !found.iter().any(|claim| claim.text.starts_with(kind.noun())) {
            found.push(Claim::new(ClaimKind::Kind, &text, verdict, "kind").against(gene.kind.noun()));
        }
    }
    found
}

/// A sentence with one of these says of something else where it lies.
const OTHERS: [&str; 7] =
    ["translocation", "deletion", "duplication", "inversion", "cluster", "fusion", "syndrome"];
static OTHERS_HELD: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(OTHERS));

/// Bands and chromosomes in a sentence that says of nothing else where it lies.
fn places(sentence: &str, gene: &GeneRecord) -> Vec<Claim> {
    let lower = sentence.to_lowercase();
    // "There is a pseudogene of this gene on chromosome 2"; but "it is a pseudogene on chromosome 2".
    let of_another =
        lower.contains("pseudogene") && !lower.contains(" is a ") && !lower.contains(" classified as ");
    let pseudogene = gene.locus_type.as_deref().is_some_and(|locus| locus.contains("pseudogene"));
    if OTHERS_HELD.any(&lower) || (of_another && !pseudogene) {
        return Vec::new();
    }
    let claim = |text: String, fits: Option<bool>| {
        let verdict = match fits {
            None => Verdict::NotInRecord,
            Some(true) => Verdict::Supported,
            Some(false) => Verdict::Contradicted,
        };
        // A summary may speak of another place, or of what the gene was once mapped to.
        let told = verdict == Verdict::Contradicted
            && gene.summary.as_ref().is_some_and(|summary| contains_word(&summary.text, &text));
        let own = gene.location.as_deref().unwrap_or_default();
        match told {
            true => Claim::new(ClaimKind::Location, &text, Verdict::Supported, "summary"),
            false => Claim::new(ClaimKind::Location, &text, verdict, "location").against(own),
        }
    };
    let mut found = Vec::new();
    let words: Vec<&str> = words(sentence).into_iter().map(|(_, word)| word).collect();
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).map_or(String::new(), |before| words[before].to_lowercase());
        if let Some(band) = band(word) {
            found.push(claim((*word).to_owned(), gene.location.as_deref().map(|own| same_band(own, band))));
        } else if matches!(before.as_str(), "chromosome" | "chromosomes") && is_chromosome(word) {
            let fits = gene.location.as_deref().map(|own| chromosomes(own).any(|own| own == *word));
            found.push(claim(format!("chromosome {word}"), fits));
        }
    }
    found
}

fn is_chromosome(word: &str) -> bool {
    matches!(word, "X" | "Y") || word.parse::<u8>().is_ok_and(|number| (1..=22).contains(&number))
}

/// A band such as "12q13.3" or "1q21-q22": its first part.
fn band(word: &str) -> Option<&str> {
    let first = word.split(['-', '/']).next()?;
    let arm = first.find(['p', 'q'])?;
    let (chromosome, rest) = first.split_at(arm);
    let numbered = rest.len() > 1 && rest[1..].bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (is_chromosome(chromosome) && numbered).then_some(first)
}

/// Whether a band is the record's, or one holds the other: "12q13" and "12q13.3".
fn same_band(own: &str, said: &str) -> bool {
    let pieces = own.split([' ', ';', '-', '|', ',']).filter(|piece| !piece.is_empty());
    let mut near = pieces.map(|piece| match piece.starts_with(['p', 'q']) {
        true => format!("{}{piece}", own.split(['p', 'q']).next().unwrap_or_default()),
        false => piece.to_owned(),
    });
    let within = |a: &str, b: &str| {
        a.strip_prefix(b)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || b.contains(['p', 'q']))
    };
    near.any(|own| within(&own, said) || within(said, &own))
}

/// The chromosomes of a location: "Xp22.33 and Yp11.2" → X, Y.
fn chromosomes(own: &str) -> impl Iterator<Item = &str> {
    own.split([' ', ';', '-', '|', ','])
        .filter_map(|piece| piece.split(['p', 'q', 'c']).next())
        .filter(|c| is_chromosome(c))
}

fn species(lower: &str, gene: &GeneRecord) -> Option<Claim> {
    static LOWER: LazyLock<String> = LazyLock::new(|| LINEAGE.to_lowercase());
    if lower.contains(LOWER.as_str()) {
        let verdict = if gene.tax_id == HUMAN { Verdict::Supported } else { Verdict::Contradicted };
        return Some(Claim::new(ClaimKind::Organism, "lineage of Homo sapiens", verdict, "tax_id"));
    }
    let (id, said) = organism::said(lower, gene)?;
    let verdict = if id == gene.tax_id { Verdict::Supported } else { Verdict::Contradicted };
    Some(Claim::new(ClaimKind::Organism, &said, verdict, "tax_id"))
}

fn status(sentence: &str, lower: &str, gene: &GeneRecord) -> Option<Claim> {
    let at = lower.find("refseq status")?;
    let behind = sentence.get(at..)?;
    let said = words(behind).into_iter().map(|(_, word)| word).find(|word| STATUSES.contains(word))?;
    let verdict = match gene.refseq_status.as_deref() {
        None => Verdict::NotInRecord,
        Some(own) if own.eq_ignore_ascii_case(said) => Verdict::Supported,
        Some(_) => Verdict::Contradicted,
    };
    let own = gene.refseq_status.as_deref().unwrap_or_default();
    Some(Claim::new(ClaimKind::Status, said, verdict, "refseq_status").against(own))
}

/// "Belongs to the HGNC gene groups A, B and C."
fn groups(sentence: &str, lower: &str, gene: &GeneRecord) -> Vec<Claim> {
    if !lower.contains("gene group") {
        return Vec::new();
    }
    let leads = ["gene groups: ", "gene group: ", "gene groups of hgnc, ", "gene groups ", "gene group "];
    let Some(at) = leads.iter().find_map(|lead| lower.find(lead).map(|at| at + lead.len())) else {
        return Vec::new();
    };
    let Some(listed) = sentence.get(at..) else { return Vec::new() };
    let listed = match listed.to_lowercase().find(" is a member of ") {
        Some(member) => &listed[member + " is a member of ".len()..],
        None => listed,
    };
    let listed = listed.trim_end_matches('.');
    // A group's name may hold commas and "and": what the record has is taken whole.
    let own: Vec<&String> = gene.groups.iter().filter(|group| listed.contains(group.as_str())).collect();
    let mut found: Vec<Claim> =
        own.iter().map(|group| Claim::new(ClaimKind::Group, group, Verdict::Supported, "groups")).collect();
    let rest = own.iter().fold(listed.to_owned(), |rest, group| rest.replace(group.as_str(), ""));
    let items = super::functions::items(&rest);
    let verdict = if gene.groups.is_empty() { Verdict::NotInRecord } else { Verdict::Contradicted };
    let own = gene.groups.join("; ");
    let others = items.into_iter().filter(|item| item.chars().any(char::is_alphanumeric));
    found.extend(others.map(|item| Claim::new(ClaimKind::Group, item, verdict, "groups").against(&own)));
    found
}
