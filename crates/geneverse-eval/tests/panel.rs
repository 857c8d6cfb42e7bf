//! The marker and the protein grader on a real panel: 313 genes of a breast-cancer section, each with the cell type that it
//! marks, in phrasings that no rule was written for. Confusion tables are printed.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::expect_used, reason = "tests")]

#[allow(dead_code, reason = "another test reads the rest")]
mod support;

use std::collections::BTreeMap;
use std::io::BufRead;

use geneverse_data::stage::open;
use geneverse_eval::marker::{self, Said, said};
use geneverse_eval::protein;
use support::shared;

/// Genes of the panel with the cell type that each marks.
fn panel() -> Option<Vec<(String, String)>> {
    let lines = open(&shared()?.join("spatial/panel_cell_type_groups.tsv")).unwrap().lines();
    let row = |line: std::io::Result<String>| {
        let line = line.unwrap();
        let mut fields = line.split('\t').map(str::to_owned);
        (fields.next().unwrap(), fields.next().unwrap())
    };
    Some(lines.skip(1).map(row).collect())
}

/// {g} is the gene, {t} the cell type, {o} another gene of the panel, {u} another cell type.
const YES: [&str; 20] = [
    "Yes, {g} is a marker gene of {t}.",
    "Yes, gene {g} is a marker gene for the cell type {t}.",
    "Gene {g} is a marker of {t} in this tissue.",
    "Based on the spatial pattern, {g} is a marker gene of {t}.",
    "Indeed, {g} is one of the marker genes of {t}.",
    "The expression of {g} coincides with {t}, so it is a marker gene of this cell type.",
    "{g} acts as a reliable marker for {t}.",
    "I can confirm that {g} is a marker gene of {t}.",
    "As the two pictures agree, {g} is considered a marker gene of {t}.",
    "{g} is a well-established marker of {t}, unlike {o}.",
    "Yes, it is a marker gene of {t}.",
    "The gene {g} marks {t}.",
    "{g} is highly expressed in {t} and is therefore a marker gene of that cell type.",
    "Among the genes of the panel, {g} is a marker of {t}.",
    "Correct, {g} is a marker gene of {t}.",
    "{g} qualifies as a marker gene of {t}.",
    "It is true that {g} is a marker gene of {t}.",
    "Nobody doubts that {g} is a marker gene of {t}.",
    "For {t}, {g} is a marker gene.",
    "{g} is a marker gene of {t} rather than of {u}.",
];

const NO: [&str; 20] = [
    "No, {g} is not a marker gene of {t}.",
    "No, gene {g} is not a marker gene for the cell type {t}.",
    "Gene {g} is no marker of {t} in this tissue.",
    "Based on the spatial pattern, {g} is not a marker gene of {t}.",
    "{g} is not one of the marker genes of {t}.",
    "The expression of {g} does not coincide with {t}, so it is not a marker gene of this cell type.",
    "{g} does not act as a marker for {t}.",
    "{g} is not considered a marker gene of {t}.",
    "{g} was never described as a marker of {t}.",
    "No, it isn't a marker gene of {t}.",
    "The gene {g} doesn't mark {t}.",
    "{g} is expressed elsewhere and is therefore not a marker gene of {t}.",
    "Among the genes of the panel, {g} is not a marker of {t}.",
    "{g} does not qualify as a marker gene of {t}.",
    "It is not true that {g} is a marker gene of {t}.",
    "{g} is a marker gene of {u}, not of {t}.",
    "{g} is not a marker gene of {t} but of {u}.",
    "For {t}, {g} is not a marker gene.",
    "{g} is unsuitable as a marker of {t}.",
    "There is no indication that {g} is a marker gene of {t}.",
];

/// Neither yes nor no is said: hedges, both ways, other genes, other cell types, nothing.
const OPEN: [&str; 20] = [
    "{g} may be a marker gene of {t}.",
    "{g} might not be a marker gene of {t}.",
    "{g} is probably a marker gene of {t}.",
    "It is hard to tell whether {g} is a marker gene of {t}.",
    "Whether {g} is a marker gene of {t} is unclear.",
    "{g} could serve as a marker of {t}.",
    "{g} is a marker gene of {t}, and it is not a marker gene of {t}.",
    "Yes, {g} is not a marker gene of {t}.",
    "No, {g} is a marker gene of {t}.",
    "Yes or no.",
    "{o} is a marker gene of {t}.",
    "{o} is not a marker gene of {t}.",
    "{g} is a marker gene of {u}.",
    "{g} is expressed in {t}.",
    "The picture shows {t} in red.",
    "Is gene {g} a marker gene of cell type {t}?",
    "{g} seems to mark {t}.",
    "If {g} were expressed in {t}, it would be a marker gene.",
    "I do not know whether {g} is a marker gene of {t}.",
    "",
];

/// A cell type as people write it: as annotated; with blanks; in words, with "cells" behind.
fn spellings(cell_type: &str) -> [String; 3] {
    let blanks = cell_type.replace('_', " ");
    let cells = if blanks.contains("Cells") { blanks.to_lowercase() } else { format!("{blanks} cells") };
    [cell_type.to_owned(), blanks, cells]
}

#[test]
fn markers_are_read_right_in_phrasings_that_no_rule_was_written_for() {
    let Some(panel) = panel() else { return };
    let types: Vec<&String> = {
        let mut types: Vec<&String> = panel.iter().map(|(_, kind)| kind).collect();
        types.sort();
        types.dedup();
        types
    };
    let mut wrong: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    let mut table = [[0_usize; 3]; 3];
    let (mut form_good, mut form_all) = (0, 0);
    for (place, (gene, own)) in panel.iter().enumerate() {
        let (other_gene, _) = &panel[(place + 97) % panel.len()];
        let at = types.iter().position(|kind| *kind == own).unwrap();
        for (n, asked) in
            [own, types[(at + 1 + place % (types.len() - 1)) % types.len()]].into_iter().enumerate()
        {
            let another = types[(at + 3 + n) % types.len()];
            let another = if another == asked { types[(at + 5) % types.len()] } else { another };
            let kinds = [(YES, Some(true)), (NO, Some(false)), (OPEN, None)];
            for (row, (phrasings, truth)) in kinds.into_iter().enumerate() {
                for (which, phrasing) in phrasings.into_iter().enumerate() {
                    let written = &spellings(asked)[(place + which) % 3];
                    let fill = |text: &str| {
                        let text = text.replace("{g}", gene).replace("{t}", written);
                        text.replace("{o}", other_gene).replace("{u}", &another.replace('_', " "))
                    };
                    let answer = fill(phrasing);
                    let column = match said(&answer, gene, asked) {
                        Said::Yes => 0,
                        Said::No => 1,
                        Said::Both | Said::Hedge | Said::Nothing => 2,
                    };
                    table[row][column] += 1;
                    if row != column {
                        let failed = wrong.entry(phrasing).or_insert((0, answer.clone()));
                        failed.0 += 1;
                    }
                    // The grade: 1 where what is said is the annotation's.
                    let is_marker = asked == own;
                    let grade = marker::grade_truth(&answer, gene, asked, is_marker).score;
                    assert_eq!(grade == 1.0, column < 2 && (column == 0) == is_marker, "{answer}");
                    if truth.is_some() {
                        form_all += 1;
                        form_good += usize::from(marker::grade_form(&answer, gene, asked).score == 1.0);
                    }
                }
            }
        }
    }
    println!("{} genes, each with its cell type and another, {} phrasings", panel.len(), YES.len() * 3);
    println!("{:<10} {:>8} {:>8} {:>8}", "said", "yes", "no", "open");
    for (name, row) in ["yes", "no", "open"].iter().zip(&table) {
        println!("{name:<10} {:>8} {:>8} {:>8}", row[0], row[1], row[2]);
    }
    for (phrasing, (times, example)) in &wrong {
        println!("  {times:>4} wrong of {phrasing:?}, such as {example:?}");
    }
    println!("form: {form_good} of {form_all} well-formed answers pass");
    let right = |row: usize| table[row][row] as f64 / table[row].iter().sum::<usize>() as f64;
    assert!(right(0) >= 0.95 && right(1) >= 0.95 && right(2) >= 0.9, "{table:?}");
    assert!(f64::from(form_good as u32) >= 0.9 * f64::from(form_all as u32));
}

const NAMED: [&str; 12] = [
    "The name of this protein is {n}.",
    "This protein is {n}.",
    "The protein is called {n}.",
    "The protein shown in the picture is {n}.",
    "This is {n}.",
    "The structure shows {n}.",
    "{n} is the name of this protein.",
    "The name of this protein is \"{n}\".",
    "The name of this protein is the {n}.",
    "It is {n}.",
    "This protein's name is {n}.",
    "The protein in this image is {n}.",
];

const UNNAMED: [&str; 6] = [
    "The name of this protein cannot be determined.",
    "The name of this protein is unknown.",
    "I am unable to name this protein.",
    "",
    "It is difficult to say which protein this is.",
    "The name of this protein is not known.",
];

#[test]
fn proteins_of_the_panel_are_named_right_in_part_and_not_at_all() {
    let (Some(panel), Some(data)) = (panel(), shared()) else { return };
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for line in open(&data.join("genes/hgnc_complete_set.txt.gz")).unwrap().lines().skip(1) {
        let line = line.unwrap();
        let mut fields = line.split('\t');
        let (symbol, name) = (fields.nth(1).unwrap_or_default(), fields.next().unwrap_or_default());
        names.insert(symbol.to_owned(), name.to_owned());
    }
    let named: Vec<&String> = panel.iter().filter_map(|(gene, _)| names.get(gene)).collect();
    let mut wrong: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    let mut note = |phrasing: &'static str, answer: &str| {
        wrong.entry(phrasing).or_insert((0, answer.to_owned())).0 += 1;
    };
    let (mut whole, mut all, mut formed) = (0, 0, 0);
    let (mut other, mut half, mut nothing, mut unnamed) = (0.0, 0.0, 0, 0);
    for (place, name) in named.iter().enumerate() {
        for phrasing in NAMED {
            let answer = phrasing.replace("{n}", name);
            let right = protein::grade_truth(&answer, name).score == 1.0;
            let form = protein::grade_form(&answer);
            all += 1;
            whole += u32::from(right);
            formed += u32::from(form.score == 1.0);
            if !right {
                note(phrasing, &answer);
            }
        }
        for phrasing in UNNAMED {
            nothing += 1;
            let right = protein::grade_truth(phrasing, name).score == 0.0
                && protein::grade_form(phrasing).score == 0.0;
            unnamed += u32::from(right);
            if !right {
                note(phrasing, name);
            }
        }
        let another = named[(place + 101) % named.len()];
        other += protein::grade_truth(&format!("The name of this protein is {another}."), name).score;
        let first: String = name.chars().take(name.chars().count() / 2).collect();
        half += protein::grade_truth(&format!("The name of this protein is {first}."), name).score;
    }
    let n = named.len() as f64;
    println!("{} names; {whole} of {all} right answers get 1, {formed} are well formed", named.len());
    println!("{unnamed} of {nothing} answers without a name get 0 for truth and for form");
    println!(
        "another protein of the panel gets {:.3} on average, the first half of the name {:.3}",
        other / n,
        half / n
    );
    for (phrasing, (times, example)) in &wrong {
        println!("  {times:>4} wrong of {phrasing:?}, such as {example:?}");
    }
    assert!(named.len() > 290);
    assert!(f64::from(whole) >= 0.95 * f64::from(all) && f64::from(formed) >= 0.9 * f64::from(all));
    assert!(f64::from(unnamed) >= 0.95 * f64::from(nothing));
    // A random name shares its "protein" or "receptor", no more.
    assert!(other / n < 0.35 && (0.4..0.6).contains(&(half / n)));
}
