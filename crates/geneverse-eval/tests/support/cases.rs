//! Answers made from real synopses: true ones, and others that look like them and are not.

use std::collections::HashMap;

use geneverse_data::gene::GeneRecord;
use geneverse_eval::prose::{find_word, sentences};

use super::{Draw, RealGenes};

/// One constructed answer about a gene.
pub(crate) struct Case<'a> {
    pub(crate) gene: &'a GeneRecord,
    pub(crate) answer: String,
}

/// "The official symbol … is GLI1 …", with another gene's names taken over where it is another's text.
pub(crate) fn answer(gene: &GeneRecord, text: &str, of: &GeneRecord) -> String {
    let mut text = text.to_owned();
    for (from, to) in [(of.name.as_str(), gene.name.as_str()), (of.symbol.as_str(), gene.symbol.as_str())] {
        let mut at = 0;
        while let Some(found) = find_word(&text, from, at) {
            text.replace_range(found..found + from.len(), to);
            at = found + to.len();
        }
    }
    format!(
        "The official symbol of this gene is {} and its official full name is {}. {text}",
        gene.symbol, gene.name
    )
}

/// Kinds of cases, each with whether it has to be graded true and one case for each gene that has it.
pub(crate) type Kinds<'a> = Vec<(&'static str, bool, Vec<Case<'a>>)>;

/// All kinds of cases over the genes that have both synopses and a record with a summary.
pub(crate) fn cases<'a>(real: &RealGenes, genes: &'a [GeneRecord]) -> Kinds<'a> {
    let described: Vec<&GeneRecord> = genes
        .iter()
        .filter(|g| {
            let symbol = g.symbol.as_str();
            g.summary.is_some()
                && real.narrative.contains_key(symbol)
                && real.ontological.contains_key(symbol)
        })
        .collect();
    let mut by_group: HashMap<&str, Vec<&GeneRecord>> = HashMap::new();
    for gene in &described {
        for group in &gene.groups {
            by_group.entry(group).or_default().push(gene);
        }
    }
    let mut draw = Draw(2026);
    let mut kinds: Kinds<'a> = Vec::new();
    let mut add = |kind: &'static str, truth: bool, case: Case<'a>| match kinds
        .iter_mut()
        .find(|(name, ..)| *name == kind)
    {
        Some((.., cases)) => cases.push(case),
        None => kinds.push((kind, truth, vec![case])),
    };
    for &gene in &described {
        let symbol = gene.symbol.as_str();
        let (narrative, ontological) = (&real.narrative[symbol], &real.ontological[symbol]);
        let case = |text: &str, of: &GeneRecord| Case { gene, answer: answer(gene, text, of) };
        add("own narrative", true, case(narrative, gene));
        add("own ontological", true, case(ontological, gene));
        let bare = |answer: String| Case { gene, answer };
        if let Some(alias) = gene.aliases.iter().find(|alias| alias.len() > 2 && !genes_symbol(genes, alias))
        {
            let about = format!("{alias} ({}). {}", gene.name, narrative.replace(symbol, alias));
            add("own, under an alias", true, bare(about));
        }
        let mut unrelated = || loop {
            let other = described[draw.below(described.len())];
            if other.symbol != gene.symbol && !other.groups.iter().any(|group| gene.groups.contains(group)) {
                return other;
            }
        };
        let other = unrelated();
        add("another's narrative", false, case(&real.narrative[other.symbol.as_str()], other));
        add("another's ontological", false, case(&real.ontological[other.symbol.as_str()], other));
        let many: String = (0..9)
            .map(|_| {
                let one = unrelated();
                let text = &real.narrative[one.symbol.as_str()];
                format!("{} ", first_sentences(text, 2))
            })
            .collect();
        add("ten genes' functions", false, case(&format!("{} {many}", first_sentences(narrative, 2)), gene));
        let kin = gene.groups.iter().flat_map(|group| &by_group[group.as_str()]);
        if let Some(kin) = kin.into_iter().find(|kin| kin.symbol != gene.symbol) {
            add("relative's narrative", false, case(&real.narrative[kin.symbol.as_str()], kin));
            add("relative's ontological", false, case(&real.ontological[kin.symbol.as_str()], kin));
        }
        let kind = KINDS[draw.below(KINDS.len())].replace("SYMBOL", symbol);
        add("kind changed", false, case(&format!("{narrative} {kind}"), gene));
        let organism = ORGANISMS[draw.below(ORGANISMS.len())].replace("SYMBOL", symbol);
        add("organism changed", false, case(&format!("{organism} {narrative}"), gene));
        for (text, denied, turned) in [
            (narrative, "narrative denied", "narrative turned round"),
            (ontological, "ontological denied", "ontological turned round"),
        ] {
            if let Some(text) = deny(text) {
                add(denied, false, case(&text, gene));
            }
            if let Some(text) = turn(text) {
                add(turned, false, case(&text, gene));
            }
        }
        add("name alone", false, case(&format!("{symbol} is also called {}.", gene.name), gene));
        add("nothing", false, bare(String::new()));
    }
    kinds
}

fn genes_symbol(genes: &[GeneRecord], alias: &str) -> bool {
    genes.binary_search_by(|gene| gene.symbol.as_str().cmp(alias)).is_ok()
}

fn first_sentences(text: &str, count: usize) -> &str {
    let ends: Vec<usize> = sentences(text).into_iter().map(|range| range.end).take(count).collect();
    &text[..ends.last().copied().unwrap_or(0)]
}

/// Ways to call a protein-coding gene another kind of gene.
const KINDS: [&str; 8] = [
    "It is a pseudogene.",
    "SYMBOL is a long non-coding RNA gene.",
    "This gene is a processed pseudogene located on chromosome 3.",
    "SYMBOL is classified as a microRNA.",
    "This gene encodes a small nucleolar RNA.",
    "SYMBOL does not encode a protein.",
    "The gene produces a long non-coding RNA that is not translated.",
    "SYMBOL is a transfer RNA gene.",
];

/// Ways to place a human gene in another species.
const ORGANISMS: [&str; 8] = [
    "The organism is Mus musculus.",
    "SYMBOL is a protein-coding gene at 4q12 in Mus musculus.",
    "SYMBOL is a mouse gene.",
    "This gene of Drosophila melanogaster has been studied for long.",
    "It is a yeast gene that encodes a protein.",
    "Its organism, Rattus norvegicus, is of the lineage Eukaryota; Metazoa.",
    "Located in the genome of Danio rerio, SYMBOL is a protein-coding gene.",
    "Mouse SYMBOL encodes a protein.",
];

/// Verbs with their denial, as synopses use them.
const DENIALS: [(&str, &str); 34] = [
    (" plays a role in ", " plays no role in "),
    (" play a role in ", " play no role in "),
    (" plays an important role in ", " plays no role in "),
    (" is involved in ", " is not involved in "),
    (" are involved in ", " are not involved in "),
    (" may be involved in ", " is not involved in "),
    (" functions as ", " does not function as "),
    (" functions in ", " does not function in "),
    (" acts as ", " does not act as "),
    (" regulates ", " does not regulate "),
    (" mediates ", " does not mediate "),
    (" catalyzes ", " does not catalyze "),
    (" binds to ", " does not bind to "),
    (" binds ", " does not bind "),
    (" interacts with ", " does not interact with "),
    (" is required for ", " is not required for "),
    (" is essential for ", " is not essential for "),
    (" is a member of ", " is not a member of "),
    (" encodes a ", " does not encode a "),
    (" encodes an ", " does not encode an "),
    (" encodes the ", " does not encode the "),
    (" belongs to ", " does not belong to "),
    (" contains ", " does not contain "),
    (" activates ", " does not activate "),
    (" inhibits ", " does not inhibit "),
    (" promotes ", " does not promote "),
    (" is a ", " is not a "),
    (" is an ", " is not an "),
    ("Involved in ", "Not involved in "),
    ("Enables ", "Does not enable "),
    ("Predicted to be involved in ", "Not involved in "),
    ("Predicted to enable ", "Does not enable "),
    ("Acts upstream of or within ", "Does not act upstream of or within "),
    ("Located in ", "Not located in "),
];

/// The text with every statement of function denied; `None` where none was found to deny.
fn deny(text: &str) -> Option<String> {
    let denied = DENIALS.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    (denied != text).then_some(denied)
}

/// Words of direction with their opposites.
const TURNS: [(&str, &str); 16] = [
    ("positive regulation", "negative regulation"),
    ("positively regulates", "negatively regulates"),
    ("positive regulator", "negative regulator"),
    ("activates", "inhibits"),
    ("activator", "inhibitor"),
    ("activated by", "inhibited by"),
    ("activation of", "inhibition of"),
    ("stimulates", "suppresses"),
    ("promotes", "prevents"),
    ("promoting", "preventing"),
    ("enhances", "represses"),
    ("increases", "decreases"),
    ("increased", "decreased"),
    ("induces", "blocks"),
    ("up-regulates", "down-regulates"),
    ("upregulates", "downregulates"),
];

/// The text with every direction turned round; `None` where it has none.
fn turn(text: &str) -> Option<String> {
    // By way of marks that no text has, so that nothing is turned twice.
    let mut turned = text.to_owned();
    for (place, (up, down)) in TURNS.iter().enumerate() {
        turned =
            turned.replace(up, &format!("\u{1}{place}\u{2}")).replace(down, &format!("\u{3}{place}\u{4}"));
    }
    for (place, (up, down)) in TURNS.iter().enumerate() {
        turned =
            turned.replace(&format!("\u{1}{place}\u{2}"), down).replace(&format!("\u{3}{place}\u{4}"), up);
    }
    (turned != text).then_some(turned)
}
