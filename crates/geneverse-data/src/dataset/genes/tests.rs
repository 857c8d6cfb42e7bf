//! Sources, splits and formats on a small database whose relations are known.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;
use crate::dataset::inspect::{inspect, read_sets};
use crate::dataset::read_examples;
use crate::gene::{GeneSymbol, Summary};
use crate::progress::Silent;

/// A text of twenty words that has nothing in common with that of another number.
fn told(number: usize) -> String {
    let letter = |n: usize| char::from(b'a' + n as u8);
    let words: Vec<String> =
        (0..20).map(|place| [number / 10, number % 10, place].map(letter).iter().collect()).collect();
    format!("The {number} {}.", words.join(" "))
}

/// P0 to P29 make proteins, each with a text of its own, except that P1 has P0's but for a name and P2 P0's but for a
/// word; P3 and P4 share a group. R0 to R9 are microRNAs with one text.
fn database(folder: &Path) -> PathBuf {
    let gene = |symbol: String, kind: GeneKind, text: String, group: Option<&str>| {
        let mut gene =
            GeneRecord::new(GeneSymbol::parse(&symbol).unwrap(), format!("protein {symbol}"), kind);
        gene.summary = Some(Summary { text, source: "Geneverse".into() });
        gene.groups = group.into_iter().map(str::to_owned).collect();
        gene
    };
    let mut records: Vec<GeneRecord> = (0..30)
        .map(|n| {
            let text = match n {
                1 => told(0).replace("The 0", "The 1"),
                2 => format!("{} indeed", told(0).trim_end_matches('.')),
                _ => told(n),
            };
            let group = (n == 3 || n == 4).then_some("pair");
            gene(format!("P{n}"), GeneKind::ProteinCoding, text, group)
        })
        .collect();
    records.extend((0..10).map(|n| {
        let text =
            format!("R{n} is one of the short non-coding RNAs that bind messengers and stop them at {n} nt.");
        gene(format!("R{n}"), GeneKind::MicroRna, text, None)
    }));
    let path = folder.join("genes.db");
    GeneStore::create(&path, &records, &[], &Silent).unwrap();
    path
}

fn options(folder: &Path, out: &str) -> GenesDataset {
    GenesDataset { db: database(folder), out: folder.join(out), seed: 5, ..GenesDataset::default() }
}

fn subjects(path: &Path) -> BTreeSet<String> {
    read_examples(path).unwrap().into_iter().map(|e| e.subject).collect()
}

#[test]
fn copies_stay_together_and_boilerplate_is_thinned() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..12 {
        let options =
            GenesDataset { validation_size: 8, seed, ..options(folder.path(), &format!("d{seed}")) };
        let report = genes(&options, &Silent).unwrap();
        assert_eq!((report.train, report.validation, report.largest_cluster), (32, 8, 10));
        let validation = subjects(&options.out.join("validation.json"));
        let trio = ["P0", "P1", "P2"].iter().filter(|s| validation.contains(**s)).count();
        let pair = ["P3", "P4"].iter().filter(|s| validation.contains(**s)).count();
        assert!(trio % 3 == 0 && pair % 2 == 0, "{validation:?}");
        assert!(!validation.iter().any(|symbol| symbol.starts_with('R')), "ten are more than eight");
        let leak = &report.leakage[0];
        assert_eq!((leak.same_text.count, leak.near.count, leak.same_gene.count), (0, 0, 0));
        assert_eq!(leak.same_group.as_ref().map_or(0, |found| found.count), 0);
    }
    let thin = GenesDataset { most_alike: Some(3), ..options(folder.path(), "thin") };
    let report = genes(&thin, &Silent).unwrap();
    assert_eq!((report.train, report.skipped["its summary is told of often enough"]), (33, 7));
    let duplicates = &report.splits["train"].duplicates;
    assert_eq!((duplicates.same_text, duplicates.near, duplicates.clusters), (3, 4, 2), "{duplicates:?}");
}

#[test]
fn a_split_by_gene_leaks_and_inspect_says_the_same_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let hold_out = vec!["P0".to_owned(), "P3".to_owned()];
    let loose = GenesDataset {
        split: SplitBy::Gene,
        hold_out: hold_out.clone(),
        validation_size: 15,
        formats: vec![Format::Messages, Format::Sharegpt],
        ..options(folder.path(), "loose")
    };
    let report = genes(&loose, &Silent).unwrap();
    let [validation, test, _] = report.leakage.as_slice() else { panic!("{:?}", report.leakage) };
    assert!(validation.same_text.count > 0, "microRNAs on both sides");
    let relatives = test.same_text.count + test.near.count + test.same_group.as_ref().unwrap().count;
    assert!(relatives > 0 && report.train_relatives_of_test > 0);

    let sets = read_sets(std::slice::from_ref(&loose.out), Some(&loose.db)).unwrap();
    let inspection = inspect(&sets, true, None, &Silent);
    assert_eq!(inspection.leakage, report.leakage);
    let described: Vec<_> = inspection.sets.into_iter().map(|set| (set.name, set.description)).collect();
    assert_eq!(described, SPLITS.map(|split| (split.to_owned(), report.splits[split].clone())));

    let strict =
        GenesDataset { strict: true, split: SplitBy::Cluster, out: folder.path().join("strict"), ..loose };
    let report = genes(&strict, &Silent).unwrap();
    assert_eq!((report.skipped["a relative of a held-out gene"], report.train_relatives_of_test), (3, 0));
    let test = &report.leakage[1];
    assert_eq!((test.into.as_str(), test.same_text.count, test.near.count), ("test", 0, 0));
}

#[test]
fn a_models_texts_stand_beside_the_records_or_in_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("synthetic.jsonl");
    let line = |symbol: &str, text: &str| {
        format!(
            "{{\"symbol\":\"{symbol}\",\"kind\":\"protein_coding\",\"mode\":\"rephrase\",\"model\":\"m\",\"text\":\"{text}\",\"prompt\":\"\",\"sampling\":{{}}}}\n"
        )
    };
    let texts = [
        line("P0", "P0 opens rings."),
        line("P5", "P5 closes rings."),
        line("P5", "P5 closes rings."),
        line("P6", " "),
        line("R0", "R0 is a protein."),
        line("P7", "P7 is held out."),
        line("NOPE", "It is no gene."),
    ];
    fs::write(&file, texts.concat()).unwrap();
    let both = GenesDataset {
        source: AnswerSource::Both,
        synthetic: Some(file.clone()),
        hold_out: vec!["P7".into()],
        validation_size: 6,
        ..options(folder.path(), "both")
    };
    let report = genes(&both, &Silent).unwrap();
    assert_eq!((report.train + report.validation, report.test), (41, 1));
    let synthetic = report.synthetic.clone().unwrap();
    assert_eq!((synthetic.lines, synthetic.used, synthetic.models["m (rephrase)"]), (7, 2, 2));
    assert_eq!(synthetic.refused.values().sum::<usize>(), 5);
    assert_eq!(synthetic.refused["about a gene that is not in this dataset"], 2);
    assert!(synthetic.refused.keys().any(|reason| reason.contains("not protein-coding")));
    let read = |split: &str| read_examples(&both.out.join(split)).unwrap();
    for examples in [read("train.json"), read("validation.json")] {
        let with = |subject: &str| examples.iter().filter(|e| e.subject == subject).count();
        assert!(with("P0") % 2 == 0 && with("P5") % 2 == 0, "both examples of a gene on one side");
    }
    assert!(read("test.json")[0].output.contains(&told(7)), "the reference is the record");
    let card = fs::read_to_string(both.out.join("README.md")).unwrap();
    assert!(card.contains("license: other") && card.contains("m (rephrase): 2"));

    let alone =
        GenesDataset { source: AnswerSource::Synthetic, out: folder.path().join("alone"), ..both.clone() };
    let report = genes(&alone, &Silent).unwrap();
    assert_eq!((report.train + report.validation, report.skipped["no synthetic text"]), (12, 27));

    let refusal = |options: GenesDataset| genes(&options, &Silent).unwrap_err().to_string();
    let out = folder.path().join("never");
    let unused = GenesDataset { source: AnswerSource::Records, out: out.clone(), ..both.clone() };
    assert!(refusal(unused).ends_with("say --source synthetic or --source both, or leave --synthetic away"));
    assert!(
        refusal(GenesDataset { synthetic: None, out: out.clone(), ..both.clone() })
            .contains("need --synthetic FILE")
    );
    fs::write(&file, "{\"symbol\":\"P0\",\"text\":\"a\"}\n").unwrap();
    let error = refusal(GenesDataset { out: out.clone(), ..both });
    assert!(error.contains("synthetic.jsonl:1: missing field `model`"), "{error}");
    assert!(!out.exists());
}

#[test]
fn a_dataset_has_a_card_and_every_format_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let all = GenesDataset {
        formats: Format::ALL.to_vec(),
        hold_out: vec!["P9".into()],
        validation_size: 4,
        ..options(folder.path(), "all")
    };
    // What an interrupted attempt leaves goes away, what is somebody else's does not.
    fs::create_dir_all(all.out.join("data")).unwrap();
    fs::write(all.out.join("data/train.jsonl.writing"), "half").unwrap();
    fs::write(all.out.join("data/mine.csv"), "mine").unwrap();
    let error = genes(&all, &Silent).unwrap_err().to_string();
    assert!(error.contains("holds other files (data/mine.csv)"), "{error}");
    fs::remove_file(all.out.join("data/mine.csv")).unwrap();
    let report = genes(&all, &Silent).unwrap();
    assert_eq!(report.files.len(), 12);
    assert!(!all.out.join("data/train.jsonl.writing").exists());
    for split in SPLITS {
        let read = |format: Format| read_examples(&all.out.join(format.file(split))).unwrap();
        let alpaca = read(Format::Alpaca);
        assert!(!alpaca.is_empty() && Format::ALL.into_iter().all(|format| read(format) == alpaca));
    }
    let card = fs::read_to_string(all.out.join("README.md")).unwrap();
    for part in [
        "- config_name: default\n  data_files:\n  - split: train\n    path: data/train.jsonl\n",
        "- config_name: sharegpt\n",
        "| train | 35 | 35 |",
        "| validation (4) | train | 0 (0.0 %) | 0 (0.0 %) | 0 (0.0 %) |",
        "--hold-out P9 --split cluster --format alpaca,sharegpt,messages,hf\n```",
        "- 10 examples, 1 texts (gene-R0, gene-R1,",
    ] {
        assert!(card.contains(part), "{part:?} is not in\n{card}");
    }
    assert!(!card.contains(folder.path().to_str().unwrap()), "a card tells nothing of the machine");
    let again = genes(&all, &Silent).unwrap();
    assert!(again.already_done && again == GenesReport { already_done: true, ..report });
}
