//! Enrichment against goatools, statsmodels and exact arithmetic: `goldens/make_enrich_goldens.py` made what is compared.
//!
//! Tolerance: 1e-9, relative, in p and in corrected p; against exact rational arithmetic 1e-11 in ln p. goatools'
//! own study (Arabidopsis, 5,742 terms) is read from ../shared/data and skipped where that is absent.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use geneverse_data::gene::HUMAN;
use geneverse_eval::enrich::inputs::{Knowledge, read_genes};
use geneverse_eval::enrich::{
    Alternative, Background, Correction, Propagation, Table, Tally, Test, TestedTerm, enrich,
};
use serde_json::Value;

const CLOSE: f64 = 1e-9;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/enrich").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(golden(name)).unwrap()).unwrap()
}

fn run(
    files: [&Path; 4],
    how: Propagation,
    alternative: Alternative,
) -> (BTreeMap<String, TestedTerm>, Tally) {
    let [obo, study, population, associations] = files;
    let population = read_genes(population).unwrap();
    let wanted: HashSet<String> = population.iter().cloned().collect();
    let knowledge = Knowledge::from_files(obo, associations, HUMAN, Some(&wanted)).unwrap();
    let annotations = knowledge.annotations.iter().map(|(gene, terms)| (gene.as_str(), terms.as_slice()));
    let genes = population.iter().map(String::as_str);
    let (background, tally) = Background::new(&knowledge.ontology, genes, annotations, how);
    let (study, _) = background.study(read_genes(study).unwrap().iter().map(String::as_str));
    let terms = enrich(&background, &study, &Test { alternative, ..Test::default() });
    (terms.into_iter().map(|term| (term.term.to_string(), term)).collect(), tally)
}

#[track_caller]
fn assert_close(what: &str, found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= CLOSE * wanted.abs(), "{what}: found {found:e}, wanted {wanted:e}");
}

#[test]
fn a_small_study_equals_goatools_term_for_term() {
    let expected = json("expected.json");
    let (obo, study) = (golden("go.obo"), golden("study.txt"));
    let (population, associations) = (golden("population.txt"), golden("associations.tsv"));
    let mut significant = 0;
    for (how, part_of) in [("is_a", false), ("is_a and part_of", true)] {
        for (side, alternative) in [("two-sided", Alternative::TwoSided), ("greater", Alternative::Greater)] {
            let propagation = Propagation { part_of, annotated_only: false };
            let (found, _) = run([&obo, &study, &population, &associations], propagation, alternative);
            let wanted = expected[format!("{how}, {side}")].as_array().unwrap();
            assert_eq!(found.len(), wanted.len(), "{how}, {side}");
            for row in wanted {
                let id = row["term"].as_str().unwrap();
                let term = &found[id];
                let whole = |key: &str| row[key].as_u64().unwrap() as u32;
                assert_eq!(term.name, row["name"], "{id}");
                assert_eq!(term.namespace, row["space"], "{id}");
                assert_eq!(term.enrichment.to_string(), row["enrichment"], "{id}");
                assert_eq!((term.study_count, term.study_size), (whole("study"), whole("study_n")), "{id}");
                let population = (term.population_count, term.population_size);
                assert_eq!(population, (whole("population"), whole("population_n")), "{id}");
                assert_eq!(term.depth, whole("depth"), "{id}");
                assert_eq!(serde_json::to_value(&term.genes).unwrap(), row["genes"], "{id}");
                for (key, value) in [
                    ("p", term.p),
                    ("bonferroni", term.p_bonferroni),
                    ("holm", term.p_holm),
                    ("fdr_bh", term.p_fdr_bh),
                ] {
                    assert_close(&format!("{id} {key} ({how}, {side})"), value, row[key].as_f64().unwrap());
                }
                significant += usize::from(term.p_fdr_bh < 0.05);
            }
        }
    }
    assert!(significant > 4, "the study was made to have some: {significant}");
}

#[test]
fn fishers_test_equals_exact_arithmetic_down_to_1e_1000() {
    let rows = json("fisher.json");
    let mut least = 0.0_f64;
    for row in rows.as_array().unwrap() {
        let whole = |at: usize| row[at].as_u64().unwrap();
        let table = Table::new(whole(0), whole(1), whole(2), whole(3)).unwrap();
        let sides = [Alternative::TwoSided, Alternative::Greater, Alternative::Less];
        for (at, alternative) in sides.into_iter().enumerate() {
            let (found, wanted) =
                (table.ln_p(alternative), row[4 + at].as_f64().unwrap() * std::f64::consts::LN_10);
            let apart = (found - wanted).abs();
            assert!(apart < 1e-11 + 4e-15 * wanted.abs(), "{table:?} {alternative:?}: {found} {wanted}");
            least = least.min(wanted);
        }
    }
    assert!(least / std::f64::consts::LN_10 < -1000.0, "{least}");
}

#[test]
fn corrections_equal_statsmodels() {
    for list in json("corrections.json").as_array().unwrap() {
        let numbers = |key: &str| -> Vec<f64> {
            list[key].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
        };
        let ln_p: Vec<f64> = numbers("p").iter().map(|p| p.ln()).collect();
        for (key, correction) in [
            ("bonferroni", Correction::Bonferroni),
            ("holm", Correction::Holm),
            ("fdr_bh", Correction::FdrBh),
        ] {
            for (found, wanted) in correction.correct(&ln_p).iter().zip(numbers(key)) {
                assert!((found.exp() - wanted).abs() <= 1e-12 * wanted, "{key}: {} {wanted}", found.exp());
            }
        }
    }
}

/// The ontology's table as an OBO file with `is_a` alone, as it was for goatools.
fn obo_of_terms(table: &Path, out: &Path) {
    use std::fmt::Write;
    let mut tsv = geneverse_data::sources::tsv::Tsv::open(table).unwrap();
    let columns =
        ["go_id", "name", "aspect", "is_obsolete", "parents"].map(|name| tsv.need(&[name]).unwrap());
    let mut text = "format-version: 1.2\n".to_owned();
    while let Some(row) = tsv.next_row().unwrap() {
        let [id, name, aspect, obsolete, parents] = columns.map(|column| row.get(column));
        let space = match aspect {
            "P" => "biological_process",
            "F" => "molecular_function",
            "C" => "cellular_component",
            _ => continue,
        };
        let _ = write!(text, "\n[Term]\nid: {id}\nname: {name}\nnamespace: {space}\n");
        for parent in parents.split('|').filter(|parent| parent.starts_with("GO:")) {
            let _ = writeln!(text, "is_a: {parent}");
        }
        if obsolete == "1" {
            text.push_str("is_obsolete: true\n");
        }
    }
    std::fs::write(out, text).unwrap();
}

#[test]
fn goatools_own_study_comes_out_as_goatools_has_it() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/go");
    if !shared.exists() {
        eprintln!("skipped: {} is not here", shared.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let obo = folder.path().join("go.obo");
    obo_of_terms(&shared.join("go_terms.tsv.gz"), &obo);
    let [study, population, association] =
        ["goatools/study", "goatools/population.gz", "goatools/association.gz"].map(|name| shared.join(name));
    let files = [obo.as_path(), &study, &population, &association];
    let (found, _) = run(files, Propagation::default(), Alternative::TwoSided);
    let summary = json("arabidopsis.json");
    let sum = |of: fn(&TestedTerm) -> f64| found.values().map(of).sum::<f64>();
    assert_eq!(found.len(), summary["terms"].as_u64().unwrap() as usize);
    assert_eq!(sum(|term| term.study_count.into()), summary["study"].as_f64().unwrap());
    assert_eq!(sum(|term| term.population_count.into()), summary["population"].as_f64().unwrap());
    assert_eq!(sum(|term| term.depth.into()), summary["depth"].as_f64().unwrap());
    assert_close("sum of log10 p", sum(|term| term.log10_p), summary["log10_p"].as_f64().unwrap());
    let rows = std::fs::read_to_string(golden("arabidopsis.tsv")).unwrap();
    let (mut compared, mut furthest) = (0, 0.0_f64);
    for line in rows.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let term = &found[fields[0]];
        let whole = |at: usize| fields[at].parse::<u32>().unwrap();
        assert_eq!(
            (term.study_count, term.population_count, term.depth),
            (whole(1), whole(2), whole(3)),
            "{line}"
        );
        let values = [term.p, term.p_bonferroni, term.p_holm, term.p_fdr_bh];
        for (at, value) in values.into_iter().enumerate() {
            let wanted: f64 = fields[4 + at].parse().unwrap();
            assert_close(line, value, wanted);
            furthest = furthest.max((value - wanted).abs() / wanted);
        }
        compared += 1;
    }
    assert!(compared > 1000, "{compared}");
    eprintln!("{compared} terms, largest relative difference {furthest:e}");
}
