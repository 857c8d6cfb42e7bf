//! The two stages on a small database.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::genes::{GenesDataset, genes};
use super::text::{TextDataset, text};
use super::*;
use crate::gene::{GeneKind, GeneRecord, GeneSymbol, Summary};
use crate::progress::Silent;
use crate::store::GeneStore;

/// 60 genes in 20 groups, of which every fifth has no summary, and 80 microRNAs with the same one.
fn database(folder: &Path) -> std::path::PathBuf {
    let mut records = Vec::new();
    let mut push = |symbol: String, summary: Option<String>| {
        let mut gene =
            GeneRecord::new(GeneSymbol::parse(&symbol).unwrap(), format!("gene {symbol}"), GeneKind::Other);
        gene.groups = symbol[1..].parse::<usize>().map(|n| format!("group {}", n / 3)).into_iter().collect();
        gene.summary = summary.map(|text| Summary { text, source: "Geneverse".into() });
        gene.aliases = vec![format!("{symbol}-alias"), "SHARED".into()];
        records.push(gene);
    };
    for n in 0..60 {
        push(format!("G{n}"), (n % 5 != 0).then(|| format!("{} does this alone.", "a".repeat(n + 1))));
    }
    for n in 0..80 {
        push(format!("MIR{n}"), Some(format!("MIR{n} is a short RNA that binds messengers.")));
    }
    let path = folder.join("genes.db");
    GeneStore::create(&path, &records, &[], &Silent).unwrap();
    path
}

fn subjects(path: &Path) -> BTreeSet<String> {
    read_examples(path).unwrap().into_iter().map(|e| e.subject).collect()
}

#[test]
fn genes_are_split_without_leaks_and_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let options = GenesDataset {
        db: database(folder.path()),
        out: folder.path().join("dataset"),
        hold_out: vec!["G1".into(), "G7-alias".into(), "G5".into()],
        validation_size: 12,
        seed: 3,
        only_with_summary: true,
        ..GenesDataset::default()
    };
    let report = genes(&options, &Silent).unwrap();
    assert_eq!((report.train, report.validation, report.test), (114, 12, 3));
    assert_eq!(report.skipped["no functional summary"], 11);
    let file = |name: &str| options.out.join(name);
    let (train, validation, test) =
        (subjects(&file("train.json")), subjects(&file("validation.json")), subjects(&file("test.json")));
    assert_eq!(test.iter().map(String::as_str).collect::<Vec<_>>(), ["G1", "G5", "G7"]);
    assert!(train.is_disjoint(&validation) && train.is_disjoint(&test) && validation.is_disjoint(&test));
    assert_eq!(fs::read_to_string(file("skipped.jsonl")).unwrap().lines().count(), 11);

    let again = genes(&options, &Silent).unwrap();
    assert!(again.already_done);
    let elsewhere = GenesDataset { out: folder.path().join("other"), ..options.clone() };
    genes(&elsewhere, &Silent).unwrap();
    let bytes = |out: &Path| fs::read(out.join("train.json")).unwrap();
    assert!(bytes(&options.out) == bytes(&elsewhere.out));
}

#[test]
fn asked_symbols_are_resolved_and_the_rest_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let symbols = ["G2", "g3-alias", "G2-alias", "SHARED", "NOPE"].map(str::to_owned).to_vec();
    let options = GenesDataset {
        db: database(folder.path()),
        out: folder.path().join("dataset"),
        symbols: Some(symbols),
        ..GenesDataset::default()
    };
    let report = genes(&options, &Silent).unwrap();
    assert_eq!((report.train, report.validation, report.test), (2, 0, 0));
    assert_eq!(report.skipped.values().sum::<usize>(), 3);
    assert!(!options.out.join("validation.json").exists());
    let first = &read_examples(&options.out.join("train.json")).unwrap()[0];
    assert_eq!(
        first.instruction,
        "Please summarize the major function of gene: G2. Use academic language in one paragraph and include pathway information."
    );
}

#[test]
fn wrong_wishes_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let options = GenesDataset {
        db: database(folder.path()),
        out: folder.path().join("out"),
        ..GenesDataset::default()
    };
    let refusal = |options: GenesDataset| genes(&options, &Silent).unwrap_err().to_string();
    let misspelt = refusal(GenesDataset { hold_out: vec!["MIRR7".into()], ..options.clone() });
    assert!(
        misspelt.contains("cannot hold out MIRR7: no such gene in the database; near it are MIR"),
        "{misspelt}"
    );
    let ambiguous = refusal(GenesDataset { hold_out: vec!["SHARED".into()], ..options.clone() });
    assert!(ambiguous.contains("ambiguous, it may be G0 or "), "{ambiguous}");
    assert!(refusal(GenesDataset { validation_size: 140, ..options.clone() }).contains("found 140 genes"));
    assert!(!options.out.exists());
    fs::create_dir(&options.out).unwrap();
    fs::write(options.out.join("thesis.tex"), "…").unwrap();
    assert!(refusal(options).contains("holds other files (thesis.tex)"));
}

#[test]
fn text_tells_of_each_gene_but_the_held_out_and_of_boilerplate_seldom() {
    let folder = tempfile::tempdir().unwrap();
    let plain = TextDataset {
        db: database(folder.path()),
        out: folder.path().join("text"),
        hold_out: vec!["G11".into()],
        validation_size: 10,
        ..TextDataset::default()
    };
    let report = text(&plain, &Silent).unwrap();
    assert_eq!((report.train_genes, report.validation_genes, report.alike), (47 + 50 - 10, 10, 30));
    assert_eq!((report.without_summary, report.held_out, report.bare_genes), (12 + 30, 1, 0));
    let read = |out: &Path, name: &str| fs::read_to_string(out.join(name)).unwrap();
    let train = read(&plain.out, "train.txt");
    assert_eq!(train.lines().count(), report.train_documents);
    assert!(!train.contains("G11 ") && !train.contains("gene G11"));
    assert!(text(&plain, &Silent).unwrap().already_done);

    let notes = folder.path().join("notes.txt");
    fs::write(&notes, "G1-alias: Shown to do much. [provided by X]\nG11: secret\nNOPE: nothing\r\n").unwrap();
    let full = TextDataset {
        out: folder.path().join("full"),
        bare_genes: true,
        texts: vec![notes.clone()],
        disguised: 0.5,
        ..plain.clone()
    };
    let report = text(&full, &Silent).unwrap();
    let told_of = report.train_genes + report.validation_genes + report.bare_genes;
    assert_eq!(told_of + report.without_summary, 139);
    assert!(report.without_summary < 20, "only the families of validation genes are left out");
    assert_eq!((report.other_texts, report.other_texts_left_out), (1, 2));
    assert!((30..60).contains(&report.disguised), "{} of {}", report.disguised, report.train_genes);
    let all = read(&full.out, "train.txt") + &read(&full.out, "validation.txt");
    assert!(all.contains("Shown to do much.") && !all.contains("secret") && !all.contains("provided by X"));

    fs::write(&notes, "no colon here\n").unwrap();
    let other = TextDataset { out: folder.path().join("other"), ..full };
    let error = text(&other, &Silent).unwrap_err().to_string();
    assert!(error.ends_with("notes.txt: found no line of the form `SYMBOL: text`"), "{error}");
}
