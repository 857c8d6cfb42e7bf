//! Duplicates, splits and leakage on the real public files, where they are: `../shared/data` beside the project.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test that says why it is skipped"
)]

use std::path::Path;

use geneverse_data::dataset::compare::Item;
use geneverse_data::dataset::content::Content;
use geneverse_data::dataset::format::Format;
use geneverse_data::dataset::genes::{GenesDataset, SplitBy, genes};
use geneverse_data::dataset::near::NEAR;
use geneverse_data::dataset::read_examples;
use geneverse_data::import::{ImportFiles, import};
use geneverse_data::progress::Silent;
use geneverse_data::store::GeneStore;

#[test]
fn no_text_of_the_real_summaries_is_on_both_sides() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/genes");
    if !shared.is_dir() {
        println!("skipped: ../shared/data is not here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("genes.db");
    let files = ImportFiles {
        hgnc: Some(shared.join("hgnc_complete_set.txt.gz")),
        summaries: Some(shared.join("refseq_summaries.tsv.gz")),
        out: db.clone(),
        ..ImportFiles::default()
    };
    import(&files, &Silent).unwrap();
    let options = GenesDataset {
        db: db.clone(),
        out: folder.path().join("dataset"),
        hold_out: ["GLI1", "CASP10", "FGF7"].map(str::to_owned).to_vec(),
        validation_size: 500,
        seed: 42,
        only_with_summary: true,
        ..GenesDataset::default()
    };
    let report = genes(&options, &Silent).unwrap();
    assert_eq!((report.validation, report.test, report.clusters_split), (500, 3, 0));
    let train = &report.splits["train"].duplicates;
    let micro = &train.largest[0];
    assert!(micro.examples > 1_850 && micro.begins.starts_with("microRNAs (miRNAs) are short"), "{micro:?}");
    assert!(
        train.same_text > 2_500 && train.largest[1].begins.starts_with("Olfactory receptors"),
        "{train:?}"
    );
    for leak in report.leakage.iter().filter(|leak| leak.into == "validation") {
        let group = leak.same_group.as_ref().unwrap();
        assert_eq!((leak.same_text.count, leak.near.count, leak.same_gene.count, group.count), (0, 0, 0, 0));
    }

    // The same by comparing every pair, without signatures.
    let sketches = |split: &str| -> Vec<Content> {
        let examples = read_examples(&options.out.join(Format::Alpaca.file(split))).unwrap();
        examples.iter().filter_map(|e| Content::of(&e.output, &e.subject)).collect()
    };
    let learned = sketches("train");
    for asked in sketches("validation") {
        let most = learned.iter().map(|one| one.jaccard(&asked)).fold(0.0, f64::max);
        assert!(most < NEAR, "a validation text is in training at {most}");
    }

    // What remains of a paragraph is the summary: the sentences that say who the gene is are known as such.
    let store = GeneStore::open(&db).unwrap();
    let (mut compared, mut changed) = (0, Vec::new());
    for gene in store.iter().map(Result::unwrap).step_by(7) {
        let example = geneverse_data::dataset::genes::example(&gene, 42);
        let item = Item::new(&example, Some(&gene));
        let summary = gene.summary.as_ref().and_then(|s| Content::of(&s.text, gene.symbol.as_str()));
        match (item.sketch, summary) {
            (None, None) => {}
            (Some(said), Some(summary)) => {
                compared += 1;
                if said.content.jaccard(&summary) < 0.9 {
                    changed.push(gene.symbol.to_string());
                }
            }
            (Some(_), None) | (None, Some(_)) => changed.push(gene.symbol.to_string()),
        }
    }
    assert!(
        compared > 1_800 && changed.len() * 20 < compared,
        "{} of {compared}: {changed:?}",
        changed.len()
    );

    let loose = GenesDataset { split: SplitBy::Gene, out: folder.path().join("loose"), ..options };
    let report = genes(&loose, &Silent).unwrap();
    let leak = &report.leakage[0];
    println!("{leak:#?}");
    assert!(leak.same_text.share > 0.1 && leak.near.count > 10, "a split by gene leaks: {leak:?}");
}
