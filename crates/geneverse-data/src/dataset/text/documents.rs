//! What is told of one gene: several short texts, so that no single template is learnt.

use crate::dataset::made_up::{invented, replace_word};
use crate::gene::GeneRecord;
use crate::seeded::mix;
use crate::sentences::{LINEAGE, Part, parts, sentences};

const NOMINAL: [Part; 4] = [Part::Name, Part::Kind, Part::Aliases, Part::Groups];
const FUNCTIONAL: [Part; 6] =
    [Part::Name, Part::Kind, Part::Summary, Part::Annotations, Part::Pathways, Part::Expression];

/// The documents of a gene with a functional summary.
///
/// Identifiers come once, in the whole paragraph: their digits cannot be learnt by so small a model, only their form.
/// Most documents name the gene before they begin, as a question does, and then again: a symbol is to be repeated.
pub(super) fn told(gene: &GeneRecord, seed: u64) -> Vec<String> {
    vec![
        headed(gene, &sentences(gene, seed), seed, "whole"),
        headed(gene, &only(gene, seed.wrapping_add(1), &FUNCTIONAL), seed, "functional"),
        only(gene, seed.wrapping_add(2), &NOMINAL),
        format!(
            "{} ({}): {}",
            gene.symbol,
            one_line(&gene.name),
            only(gene, seed.wrapping_add(3), &[Part::Summary])
        ),
    ]
}

/// The document of a gene of which little is known, or nothing that was not told of others.
pub(super) fn bare(gene: &GeneRecord, seed: u64) -> String {
    headed(gene, &only(gene, seed, &NOMINAL), seed, "bare")
}

/// The gene's functional text under a symbol that is made up.
pub(super) fn disguised(gene: &GeneRecord, seed: u64) -> String {
    let symbol = invented(mix(seed, &format!("invented {}", gene.symbol)));
    let text = only(gene, seed.wrapping_add(4), &FUNCTIONAL);
    let text = replace_word(&text, gene.symbol.as_str(), &symbol);
    head(&symbol, mix(seed, &format!("head {}", gene.symbol))) + &text
}

/// `text` under one of some headings that name the gene.
pub(super) fn headed(gene: &GeneRecord, text: &str, seed: u64, which: &str) -> String {
    head(gene.symbol.as_str(), mix(seed, &format!("{which} {}", gene.symbol))) + text
}

fn head(symbol: &str, choice: u64) -> String {
    match choice % 8 {
        0 => format!("Gene: {symbol}. "),
        1 => format!("About the gene {symbol}: "),
        2 => format!("The function of gene {symbol}. "),
        3 => format!("A description of gene: {symbol}. "),
        4 => format!("{symbol} – "),
        5 => format!("What is known of {symbol}? "),
        6 => format!("In one paragraph, the gene {symbol}. "),
        _ => String::new(),
    }
}

/// Some parts of the paragraph, without the lineage: the same thirteen names over and over.
fn only(gene: &GeneRecord, seed: u64, wanted: &[Part]) -> String {
    let parts = parts(gene, seed);
    let told = parts.iter().filter(|(part, _)| wanted.contains(part)).map(|(_, text)| text.as_str());
    without_lineage(&told.collect::<Vec<_>>().join(" "))
}

/// Leaves out the clause or the sentence with the lineage.
fn without_lineage(text: &str) -> String {
    let Some((before, after)) = text.split_once(LINEAGE) else { return text.to_owned() };
    let clause =
        [", of the lineage ", ", with the lineage "].into_iter().find_map(|end| before.strip_suffix(end));
    match clause {
        Some(rest) => rest.to_owned() + after,
        None => {
            let start = before.rfind(". ").map_or(0, |stop| stop + 2);
            let left = before[..start].to_owned() + after.trim_start_matches(['.', ' ']);
            left.trim_end().to_owned()
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_lineage_is_left_out() {
        for (said, left) in [
            ("A is a gene at 1q2, of the lineage L. It acts.", "A is a gene at 1q2. It acts."),
            (
                "A, once B, is a gene. The species, Homo sapiens, has the lineage L. It acts.",
                "A, once B, is a gene. It acts.",
            ),
            ("A is a gene. Homo sapiens belongs to the lineage L.", "A is a gene."),
            ("A is a gene.", "A is a gene."),
        ] {
            assert_eq!(without_lineage(&said.replace('L', LINEAGE)), left);
        }
    }
}
