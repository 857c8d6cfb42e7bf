//! Sensitivity and specificity of the gene graders on real records: two independent synopses per gene have to pass
//! against the record; a random other gene's synopsis under this gene's name, a list of ten genes' functions, a changed kind
//! or organism, and a function denied or turned round have to fail. So should a relative's synopsis.
//!
//! The thresholds are chosen on one half of the genes and measured on the other. `SHOW_FAILURES=1` prints what went wrong.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::expect_used, reason = "tests")]

mod support;

use std::collections::HashMap;

use geneverse_data::gene::{GeneRecord, Summary};
use geneverse_data::sentences::sentences;
use geneverse_eval::facts::{ENOUGH, GeneGrader, Measure};
use geneverse_eval::form::grade_form;
use geneverse_eval::index::GeneIndex;
use geneverse_eval::postprocess::repair;
use support::cases::{Case, Kinds, answer, cases};
use support::{Draw, real_genes};

/// Every other case, from the `which`-th.
fn half<'a>(cases: &'a [Case<'a>], which: usize) -> impl Iterator<Item = &'a Case<'a>> {
    cases.iter().skip(which).step_by(2)
}

/// A row of the confusion table.
struct Row {
    kind: &'static str,
    truth: bool,
    cases: usize,
    passed: usize,
}

impl Row {
    fn right(&self) -> usize {
        if self.truth { self.passed } else { self.cases - self.passed }
    }
}

/// Grades the second half of the cases, and prints what came of it with examples of what went wrong.
fn confusion(what: &str, kinds: &Kinds<'_>, grader: &GeneGrader) -> Vec<Row> {
    println!("\n{what}\n{:<26} {:>6} {:>7} {:>7}", "second half", "cases", "true", "false");
    let mut rows = Vec::new();
    for (kind, truth, cases) in kinds {
        let mut reasons: HashMap<String, usize> = HashMap::new();
        let mut examples = Vec::new();
        let (mut passed, mut all) = (0, 0);
        for case in half(cases, 1) {
            let grade = grader.grade(&case.answer, case.gene);
            all += 1;
            passed += usize::from(grade.score == 1.0);
            if (grade.score == 1.0) == *truth {
                continue;
            }
            for reason in &grade.reasons {
                let start: Vec<&str> = reason.split(' ').take(3).collect();
                *reasons.entry(start.join(" ")).or_default() += 1;
            }
            examples.push(format!("{}: {} <- {}", case.gene.symbol, grade.reasons.join("; "), case.answer));
        }
        println!("{kind:<26} {all:>6} {passed:>7} {:>7}   expected {truth}", all - passed);
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        reasons.truncate(5);
        if std::env::var_os("SHOW_FAILURES").is_some() {
            println!("    {reasons:?}");
            let shown = examples.iter().step_by((examples.len() / 6).max(1)).take(6);
            shown.for_each(|example| println!("    {}", example.chars().take(900).collect::<String>()));
        }
        rows.push(Row { kind, truth: *truth, cases: all, passed });
    }
    rows
}

/// What the thresholds are chosen on: the first half.
fn measured(kinds: &Kinds<'_>, kind: &str, grader: &GeneGrader) -> Vec<Measure> {
    let cases = kinds.iter().find(|(name, ..)| *name == kind).map(|(.., cases)| cases).unwrap();
    half(cases, 0).filter_map(|case| grader.measure(&case.answer, case.gene)).collect()
}

#[test]
fn truth_is_told_from_what_only_looks_like_it() {
    let Some(real) = real_genes() else { return };
    let grader = GeneGrader::new(GeneIndex::read(&real.store).unwrap());
    let genes = grader.index().genes();
    let kinds = cases(&real, genes);

    // First half: of the thresholds whose worst case is within a hundredth of the best, those that reject the most
    // relatives.
    let of = |kind: &str| measured(&kinds, kind, &grader);
    let own = [of("own narrative"), of("own ontological")];
    let other = [of("another's narrative"), of("another's ontological"), of("ten genes' functions")];
    let relatives = [of("relative's narrative"), of("relative's ontological")];
    let share =
        |of: &[Measure], at: &Measure| of.iter().filter(|m| m.reaches(at)).count() as f64 / of.len() as f64;
    let worst = |at: &Measure| {
        let own = own.iter().map(|of| share(of, at));
        own.chain(other.iter().map(|of| 1.0 - share(of, at))).fold(1.0, f64::min)
    };
    let rejected = |at: &Measure| 1.0 - relatives.iter().map(|of| share(of, at)).sum::<f64>() / 2.0;
    let hundredths = |from: usize, to: usize, step| (from..=to).step_by(step).map(|n| n as f64 / 100.0);
    let mut grid = Vec::new();
    for nearest in hundredths(45, 90, 5) {
        for coverage in hundredths(2, 8, 2) {
            for kin in hundredths(50, 90, 5) {
                for focus in hundredths(20, 40, 5) {
                    let at = Measure { nearest, kin, coverage, focus };
                    grid.push((worst(&at), rejected(&at), at));
                }
            }
        }
    }
    let best = grid.iter().map(|(worst, ..)| *worst).fold(0.0, f64::max);
    let near = grid.iter().filter(|(worst, ..)| *worst >= best - 0.01);
    let chosen = near.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    println!(
        "first half: best worst case {best:.3}; {:.3} and {:.3} of relatives rejected at {:?}",
        chosen.0, chosen.1, chosen.2
    );
    println!("first half: {:.3} and {:.3} at the chosen {ENOUGH:?}", worst(&ENOUGH), rejected(&ENOUGH));

    let rows = confusion("against the record of a database", &kinds, &grader);
    // Wanted are 0.95 of each; measured when written: what stands behind.
    expect(&rows, "own narrative", 0.98); // 0.989
    expect(&rows, "own ontological", 0.95); // 0.960
    expect(&rows, "own, under an alias", 0.98); // 0.988
    expect(&rows, "another's narrative", 0.99); // 0.999
    expect(&rows, "another's ontological", 0.97); // 0.978
    expect(&rows, "ten genes' functions", 0.97); // 0.980
    expect(&rows, "kind changed", 0.99); // 0.999
    expect(&rows, "organism changed", 0.99); // 0.995
    expect(&rows, "narrative denied", 0.96); // 0.969
    expect(&rows, "ontological denied", 0.98); // 0.990
    expect(&rows, "name alone", 1.0);
    expect(&rows, "nothing", 1.0);
    // Short of what is wanted. A record that says both directions cannot tell, and relatives share words and terms.
    expect(&rows, "narrative turned round", 0.82); // 0.838
    expect(&rows, "ontological turned round", 0.79); // 0.803
    expect(&rows, "relative's narrative", 0.72); // 0.744
    expect(&rows, "relative's ontological", 0.62); // 0.645
    let whole = |truth: bool, kinds: &[&str]| {
        let rows =
            || rows.iter().filter(|row| row.truth == truth && kinds.iter().any(|k| row.kind.starts_with(k)));
        rows().map(Row::right).sum::<usize>() as f64 / rows().map(|row| row.cases).sum::<usize>() as f64
    };
    println!("sensitivity {:.3}", whole(true, &["own"]));
    println!(
        "specificity against random genes {:.3}, against relatives {:.3}",
        whole(false, &["another's"]),
        whole(false, &["relative's"])
    );
    assert!(chosen.0 - worst(&ENOUGH) < 0.01, "choose the thresholds anew");
}

/// At least this share of a kind of cases is graded right.
fn expect(rows: &[Row], kind: &str, least: f64) {
    let row = rows.iter().find(|row| row.kind == kind).unwrap();
    let right = row.right() as f64 / row.cases as f64;
    assert!(right >= least, "{kind}: {right:.3} right, expected {least}");
}

/// The record is one synopsis and the answer the other one, which is of another author and has no GO terms to lean on.
#[test]
fn one_synopsis_is_told_by_the_other() {
    let Some(real) = real_genes() else { return };
    for (what, record, other) in [
        ("the narrative synopsis is the record", &real.narrative, "own ontological"),
        ("the ontological synopsis is the record", &real.ontological, "own narrative"),
    ] {
        let records = real.records.iter().map(|gene| {
            let text = record.get(gene.symbol.as_str()).cloned();
            let told = text.or_else(|| gene.summary.as_ref().map(|summary| summary.text.clone()));
            let summary = told.map(|text| Summary { text, source: "synopsis".to_owned() });
            GeneRecord { go_terms: Vec::new(), summary, ..gene.clone() }
        });
        let grader = GeneGrader::new(records.collect());
        let kinds: Kinds<'_> = cases(&real, grader.index().genes())
            .into_iter()
            .filter(|(kind, ..)| *kind == other || kind.starts_with("another's"))
            .collect();
        let rows = confusion(what, &kinds, &grader);
        // Of the words of one synopsis the other has few: this is short of 0.95 and stays so without GO terms.
        expect(&rows, other, 0.65); // 0.674 and 0.695
        expect(&rows, "another's narrative", 0.96); // 0.996 and 0.967
        expect(&rows, "another's ontological", 0.945); // 0.953 and 0.976
    }
}

/// Each rule of form by itself: how often it rejects real texts, which are all prose, and how often it sees the fault that it
/// is there for in the same texts.
#[test]
fn each_rule_of_form_lets_real_texts_pass_and_sees_its_fault() {
    let Some(real) = real_genes() else { return };
    let summaries = real.records.iter().filter_map(|g| Some((g, g.summary.as_ref()?)));
    let with_names: Vec<String> = summaries.map(|(gene, text)| answer(gene, &text.text, gene)).collect();
    // Those that the file has whole, as they are, without an introduction: many others are one short sentence, or cut off.
    let whole = |synopses: &HashMap<String, String>| -> Vec<String> {
        let whole = synopses.values().filter(|text| text.ends_with('.') && !text.ends_with(".."));
        let mut long: Vec<String> = whole.filter(|t| t.split_whitespace().count() >= 20).cloned().collect();
        long.sort();
        long
    };
    let (narrative, ontological) = (whole(&real.narrative), whole(&real.ontological));
    let sets = [("RefSeq summaries", &with_names), ("narrative", &narrative), ("ontological", &ontological)];
    let rejects = |texts: &[String], reason: &str| {
        let found = |text: &&String| grade_form(text).reasons.iter().any(|told| told.contains(reason));
        texts.iter().filter(found).count() as f64 / texts.len() as f64
    };
    println!("\n{:<28} {:>9} {:>9} {:>9} {:>9}", "rule", "RefSeq", "narrative", "ontolog.", "fault seen");
    for (rule, reason, spoil) in FAULTS {
        let false_positives = sets.map(|(_, texts)| rejects(texts, reason));
        let spoiled: Vec<String> = with_names.iter().step_by(5).map(|text| spoil(text)).collect();
        let seen = rejects(&spoiled, reason);
        let [a, b, c] = false_positives;
        println!("{rule:<28} {a:>9.4} {b:>9.4} {c:>9.4} {seen:>9.4}");
        // Of half a percent of genes the summary tells no function: "this gene is expressed in testis only".
        assert!(a <= 0.006 && b <= 0.05 && c <= 0.05, "{rule} rejects real texts");
        assert!(seen >= 0.97, "{rule} sees its fault in {seen:.3} of texts");
    }
    for (what, texts) in sets {
        let passed = texts.iter().filter(|text| grade_form(text).score == 1.0).count();
        println!("{passed} of {} {what} pass all rules", texts.len());
        let least = if what.starts_with("RefSeq") { 0.99 } else { 0.9 };
        assert!(passed as f64 >= least * texts.len() as f64);
    }
}

/// A rule, the words it is told in, and how to make its fault.
type Fault = (&'static str, &'static str, fn(&str) -> String);

const FAULTS: [Fault; 15] = [
    ("long enough", "too short", |text| text.split_whitespace().take(12).collect::<Vec<_>>().join(" ")),
    ("not too long", "too long", |text| {
        let tissues: Vec<String> = (1..=700).map(|n| format!("tissue {n}")).collect();
        format!("{text} It is expressed in {}.", tissues.join(", "))
    }),
    ("one paragraph", "paragraphs, expected one", |text| {
        format!("{text}\n\nIt is studied in many laboratories.")
    }),
    ("no list", "a list", |text| format!("- {}", text.replace(". ", ".\n- "))),
    ("no heading", "a heading", |text| format!("## Function\n{text}")),
    ("no table", "a table", |text| format!("| gene | function |\n|---|---|\n| it | {text} |")),
    ("no code block", "a code block", |text| format!("{text}\n```\nprint(1)\n```")),
    ("no label", "a label before it", |text| format!("Answer: {text}")),
    ("no HTML", "HTML", |text| format!("<p>{text}</p>")),
    ("no emphasis", "markdown emphasis", |text| text.replacen("gene", "**gene**", 1)),
    ("no words to the reader", "speaks to the reader", |text| {
        format!("{text} Let me know if you need more.")
    }),
    ("no first person", "first person", |text| format!("{text} We have shown this in our laboratory.")),
    ("a function is told", "nothing of a pathway", |text| {
        let name = text.split_whitespace().nth(6).unwrap_or("it").to_owned();
        format!(
            "{name} has been given its name long ago, and it lies between two others of which nobody has yet said what they are."
        )
    }),
    ("a complete end", "breaks off", |text| {
        text[..text.char_indices().nth(text.chars().count() * 4 / 5).map_or(0, |c| c.0)]
            .trim_end_matches('.')
            .to_owned()
    }),
    ("no repetition", "repeats itself", |text| format!("{text} {text}")),
];

/// The reference sentences of every gene: repair leaves them as they are, and both graders pass them.
#[test]
fn reference_answers_are_left_alone_and_pass() {
    let Some(real) = real_genes() else { return };
    let grader = GeneGrader::new(real.records.into_iter().collect());
    let genes = grader.index().genes();
    let (mut untouched, mut truth, mut form) = (0, 0, 0);
    let mut all = 0;
    let mut examples = Vec::new();
    for (seed, gene) in genes.iter().enumerate().step_by(5) {
        let text = sentences(gene, seed as u64);
        let repaired = repair(&text, gene, grader.index());
        all += 1;
        untouched += u32::from(repaired.text == text);
        let (true_grade, form_grade) = (grader.grade(&text, gene), grade_form(&text));
        truth += u32::from(true_grade.score == 1.0);
        form += u32::from(form_grade.score == 1.0);
        if repaired.text != text {
            examples.insert(0, format!("{}: {:?}", gene.symbol, repaired.edits));
        }
        if true_grade.score < 1.0 {
            examples.push(format!("{}: {:?}", gene.symbol, true_grade.reasons));
        }
        if form_grade.score < 1.0 {
            examples.push(format!("{}: {:?}", gene.symbol, form_grade.reasons));
        }
    }
    println!("of {all} reference answers {untouched} untouched by repair, {truth} true, {form} well formed");
    for example in examples.iter().take(12) {
        println!("  {example}");
    }
    assert_eq!(untouched, all);
    assert!(f64::from(truth) >= 0.98 * f64::from(all));
    // Of the rest nothing is known but that they code for a protein.
    assert!(f64::from(form) >= 0.95 * f64::from(all));
}

/// The bundled records, where a database has few genes and term weights are rough: reference answers pass, and so
/// does hardly any unrelated gene's reference under this gene's name.
#[test]
fn the_bundled_records_are_enough_to_grade_by() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/genes.jsonl");
    let lines = std::fs::read_to_string(path).unwrap();
    let records = lines.lines().map(|line| serde_json::from_str::<GeneRecord>(line).unwrap());
    let grader = GeneGrader::new(records.collect());
    let genes = grader.index().genes();
    let mut draw = Draw(5);
    let (mut own, mut formed, mut other, mut untouched) = (0, 0, 0, 0);
    for gene in genes {
        let text = sentences(gene, 1);
        own += u32::from(grader.grade(&text, gene).score == 1.0);
        formed += u32::from(grade_form(&text).score == 1.0);
        let repaired = repair(&text, gene, grader.index());
        untouched += u32::from(repaired.text == text);
        if repaired.text != text {
            println!("  {}: {:?}", gene.symbol, repaired.edits);
        }
        let unrelated = loop {
            let one = &genes[draw.below(genes.len())];
            let kin = one.groups.iter().any(|group| gene.groups.contains(group));
            if one.symbol != gene.symbol && !kin {
                break one;
            }
        };
        // What the other does, under this gene's name.
        let summary = unrelated.summary.as_ref().map_or("", |summary| summary.text.as_str());
        let swapped = grader.grade(&answer(gene, summary, unrelated), gene);
        other += u32::from(swapped.score == 1.0);
        if swapped.score == 1.0 {
            println!("  {} passes as {}: {:?}", unrelated.symbol, gene.symbol, swapped.reasons);
        }
    }
    let all = u32::try_from(genes.len()).unwrap();
    println!(
        "bundled: of {all}, {own} true, {formed} well formed, {untouched} untouched, {other} swapped pass"
    );
    assert_eq!(untouched, all);
    assert!(f64::from(own) >= 0.98 * f64::from(all));
    assert!(f64::from(formed) >= 0.98 * f64::from(all));
    assert!(f64::from(other) <= 0.05 * f64::from(all));
}
