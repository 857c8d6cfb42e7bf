//! Claims on real records: of a gene's own paragraph nearly all are supported; of another gene's paragraph under this gene's
//! name nearly all that differ between genes are not.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::expect_used, reason = "tests")]

#[allow(dead_code, reason = "another test reads the rest")]
mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use geneverse_data::gene::GeneRecord;
use geneverse_data::sentences::sentences;
use geneverse_eval::claims::{Claim, ClaimKind, Verdict, claims};
use geneverse_eval::facts::GeneGrader;
use geneverse_eval::index::GeneIndex;
use geneverse_eval::prose::find_word;
use support::{Draw, real_genes};

/// A paragraph with one gene's names in the place of another's.
fn renamed(text: &str, of: &GeneRecord, to: &GeneRecord) -> String {
    let mut text = text.to_owned();
    for (from, to) in [(of.name.as_str(), to.name.as_str()), (of.symbol.as_str(), to.symbol.as_str())] {
        let mut at = 0;
        while let Some(found) = find_word(&text, from, at) {
            text.replace_range(found..found + from.len(), to);
            at = found + to.len();
        }
    }
    text
}

/// Verdicts by kind of claim.
#[derive(Default)]
struct Table {
    rows: BTreeMap<ClaimKind, [usize; 3]>,
    stated: usize,
    facts: usize,
    identifiers: usize,
    hallucinated: usize,
}

impl Table {
    fn add(&mut self, text: &str, gene: &GeneRecord, grader: &GeneGrader) -> Vec<Claim> {
        let found = claims(text, gene, grader);
        for claim in &found.list {
            self.rows.entry(claim.kind).or_default()[claim.verdict as usize] += 1;
        }
        self.stated += found.stated;
        self.facts += found.facts;
        self.identifiers += found.identifiers;
        self.hallucinated += found.hallucinated;
        found.list
    }

    fn sum(&self, of: impl Fn(ClaimKind) -> bool) -> [usize; 3] {
        let rows = self.rows.iter().filter(|(kind, _)| of(**kind)).map(|(_, row)| row);
        rows.fold([0; 3], |sum, row| [sum[0] + row[0], sum[1] + row[1], sum[2] + row[2]])
    }

    fn print(&self, what: &str) {
        println!(
            "\n{what}\n{:<12} {:>9} {:>12} {:>13}",
            "claims", "supported", "contradicted", "not in record"
        );
        for (kind, [supported, contradicted, unknown]) in &self.rows {
            println!("{:<12} {supported:>9} {contradicted:>12} {unknown:>13}", format!("{kind:?}"));
        }
        let share = |a: usize, b: usize| a as f64 / b.max(1) as f64;
        println!(
            "facts stated {:.3}; identifiers hallucinated {:.3}",
            share(self.stated, self.facts),
            share(self.hallucinated, self.identifiers)
        );
    }
}

fn share(part: usize, row: [usize; 3]) -> f64 {
    part as f64 / row.iter().sum::<usize>().max(1) as f64
}

#[test]
fn a_gene_s_own_paragraph_is_supported_and_another_s_is_not() {
    let Some(real) = real_genes() else { return };
    let grader = GeneGrader::new(GeneIndex::read(&real.store).unwrap());
    let described: Vec<&GeneRecord> = grader
        .index()
        .genes()
        .iter()
        .filter(|gene| gene.summary.is_some() && !gene.go_terms.is_empty())
        .collect();
    let (mut own, mut others, mut synopses) = (Table::default(), Table::default(), Table::default());
    let mut draw = Draw(7);
    let show = std::env::var_os("SHOW_FAILURES").is_some();
    let begun = Instant::now();
    let mut answers = 0;
    for (seed, gene) in described.iter().enumerate().step_by(25) {
        let found = own.add(&sentences(gene, seed as u64), gene, &grader);
        for claim in found.iter().filter(|claim| show && claim.verdict != Verdict::Supported) {
            println!("own {}: {claim:?}", gene.symbol);
        }
        let other = loop {
            let other = described[draw.below(described.len())];
            if other.symbol != gene.symbol && !other.groups.iter().any(|group| gene.groups.contains(group)) {
                break other;
            }
        };
        let swapped = renamed(&sentences(other, seed as u64), other, gene);
        for claim in others.add(&swapped, gene, &grader) {
            if show && claim.verdict == Verdict::Supported && claim.kind > ClaimKind::Name {
                println!("other {}: {claim:?}", gene.symbol);
            }
        }
        answers += 2;
        if let Some(text) = real.ontological.get(gene.symbol.as_str()) {
            synopses.add(text, gene, &grader);
            answers += 1;
        }
    }
    println!("{answers} answers in {:.2} s", begun.elapsed().as_secs_f64());
    own.print("own paragraphs");
    others.print("other genes' paragraphs under this gene's name");
    synopses.print("ontological synopses");

    let all = own.sum(|_| true);
    assert!(share(all[0], all) >= 0.95, "own: {:.3} supported", share(all[0], all));
    assert!(share(all[1], all) <= 0.01, "own: {:.3} contradicted", share(all[1], all));
    assert_eq!(own.hallucinated, 0);
    assert!(own.stated as f64 >= 0.88 * own.facts as f64);
    // Measured when written: see the assertions. Symbol and name were made this gene's, and most genes are of one kind and all of one species.
    let same = [ClaimKind::Symbol, ClaimKind::Name, ClaimKind::Kind, ClaimKind::Organism];
    let typed = others.sum(|kind| kind.is_typed() && !same.contains(&kind));
    assert!(share(typed[0], typed) <= 0.03, "other: {:.3} of typed supported", share(typed[0], typed));
    assert!(share(typed[1], typed) >= 0.88, "other: {:.3} of typed contradicted", share(typed[1], typed));
    let free = others.sum(|kind| !kind.is_typed());
    assert!(share(free[0], free) <= 0.15, "other: {:.3} of the rest supported", share(free[0], free));
    assert!(others.hallucinated as f64 >= 0.98 * others.identifiers as f64);
}
