//! The import and the dataset on the real public files, where they are: `../shared/data` beside the project.
#![allow(clippy::print_stdout, clippy::panic, reason = "a test that says why it is skipped")]

use std::path::{Path, PathBuf};

use geneverse_data::dataset::genes::{GenesDataset, genes};
use geneverse_data::dataset::read_examples;
use geneverse_data::dataset::text::{TextDataset, text};
use geneverse_data::gene::{GeneKind, GeneSymbol};
use geneverse_data::import::{ImportFiles, import};
use geneverse_data::progress::Silent;
use geneverse_data::store::{GeneStore, Resolution};

fn real_files(out: &Path) -> Option<ImportFiles> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/genes");
    if !folder.is_dir() {
        println!("skipped: ../shared/data is not here");
        return None;
    }
    let file = |name: &str| -> Option<PathBuf> { Some(folder.join(name)) };
    Some(ImportFiles {
        hgnc: file("hgnc_complete_set.txt.gz"),
        gene_info: file("Homo_sapiens.gene_info.gz"),
        summaries: file("refseq_summaries.tsv.gz"),
        records: None,
        out: out.to_owned(),
        ..ImportFiles::default()
    })
}

#[test]
fn the_real_files_give_a_database_and_a_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("genes.db");
    let Some(files) = real_files(&db) else { return };

    let report = import(&files, &Silent).unwrap();
    println!("{report:#?}");
    let [hgnc, gene_info, summaries] = report.sources.as_slice() else { panic!("three sources") };
    assert_eq!((hgnc.reading.rows, hgnc.reading.used, hgnc.reading.skipped.total), (43_882, 43_882, 0));
    assert_eq!(gene_info.reading.rows, 61_649);
    assert_eq!(gene_info.reading.used, gene_info.joined + gene_info.added);
    assert_eq!(gene_info.reading.rows, gene_info.reading.used + gene_info.reading.skipped.total);
    assert_eq!(gene_info.reading.skipped.reasons["another species"], 73);
    assert!(gene_info.joined > 43_000);
    assert_eq!(summaries.reading.rows, 14_649);
    assert!(report.with_summary >= 14_600 && report.genes > 55_000);

    let store = GeneStore::open(&db).unwrap();
    let gli1 = store.get(&GeneSymbol::parse("GLI1").unwrap()).unwrap().unwrap();
    assert_eq!(gli1.name, "GLI family zinc finger 1");
    assert_eq!((gli1.kind, gli1.location.as_deref()), (GeneKind::ProteinCoding, Some("12q13.3")));
    assert_eq!(gli1.hgnc_id.unwrap().to_string(), "HGNC:4317");
    assert_eq!(gli1.entrez_id.unwrap().to_string(), "2735");
    assert_eq!(gli1.ensembl_id.unwrap().to_string(), "ENSG00000111087");
    assert_eq!(gli1.omim_ids[0].to_string(), "165220");
    assert_eq!(gli1.uniprot_ids[0].as_str(), "P08151");
    assert_eq!(
        (gli1.previous_symbols.as_slice(), gli1.aliases.as_slice()),
        (&["GLI".to_owned()][..], &["PAPA8".to_owned(), "PPD1".to_owned()][..])
    );
    assert_eq!(gli1.orthologs, ["MGI:95727", "RGD:621673"]);
    assert!(gli1.summary.unwrap().text.contains("sonic hedgehog"));
    assert!(matches!(store.resolve("MLL2").unwrap(), Resolution::Ambiguous { .. }));
    assert!(matches!(store.resolve("ARNTL").unwrap(), Resolution::ByAlias { .. }));
    assert_eq!(store.search("sonic hedgehog zinc finger transcription factor", 5).unwrap().len(), 5);

    let options = GenesDataset {
        db: db.clone(),
        out: folder.path().join("dataset"),
        hold_out: ["GLI1", "CASP10", "FGF7"].map(str::to_owned).to_vec(),
        validation_size: 500,
        seed: 42,
        only_with_summary: true,
        ..GenesDataset::default()
    };
    let made = genes(&options, &Silent).unwrap();
    println!("{made:#?}");
    assert!(made.train + made.validation + made.test >= 14_000);
    assert_eq!((made.validation, made.test, made.clusters_split), (500, 3, 0));
    let train = read_examples(&options.out.join("train.json")).unwrap();
    assert_eq!(train.len(), made.train);
    assert!(
        train
            .iter()
            .all(|e| !e.output.contains("..") && !e.output.contains("  ") && !e.output.contains("None"))
    );

    let told = TextDataset {
        db,
        out: folder.path().join("text"),
        hold_out: vec!["GLI1".into()],
        validation_size: 200,
        ..TextDataset::default()
    };
    let told = text(&told, &Silent).unwrap();
    println!("{told:#?}");
    assert!(told.alike > 1_800 && told.train_genes > 11_000);
}
