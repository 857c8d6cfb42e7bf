//! The import and the dataset on the real public files, where they are: `../shared/data` beside the project.
#![allow(
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that says why it is skipped, and its helpers"
)]

use std::path::{Path, PathBuf};

use geneverse_data::dataset::genes::{GenesDataset, genes};
use geneverse_data::dataset::read_examples;
use geneverse_data::dataset::text::{TextDataset, text};
use geneverse_data::gene::{GeneKind, GeneSymbol, GoId};
use geneverse_data::import::{ImportFiles, import};
use geneverse_data::ontology::RelationKind;
use geneverse_data::progress::Silent;
use geneverse_data::sources::tsv::Tsv;
use geneverse_data::sources::{Reading, annotations, gpi, ontology};
use geneverse_data::store::{GeneStore, Resolution};

fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !folder.is_dir() {
        println!("skipped: ../shared/data is not here");
        return None;
    }
    Some(folder)
}

fn real_files(out: &Path) -> Option<ImportFiles> {
    let folder = shared()?;
    let file = |name: &str| -> Option<PathBuf> { Some(folder.join("genes").join(name)) };
    let go = |name: &str| folder.join("go").join(name);
    Some(ImportFiles {
        hgnc: file("hgnc_complete_set.txt.gz"),
        gene_info: file("Homo_sapiens.gene_info.gz"),
        summaries: file("refseq_summaries.tsv.gz"),
        records: None,
        go: [
            "go_terms.tsv.gz",
            "GO_BP.relations.tsv.gz",
            "GO_MF.relations.tsv.gz",
            "go-cellular-component.obo.gz",
        ]
        .map(go)
        .to_vec(),
        go_annotations: vec![go("gene_GO_terms.tsv.gz")],
        out: out.to_owned(),
        ..ImportFiles::default()
    })
}

/// The table gives for each term how many are reached from it by `is_a`, as another program counted them.
fn every_terms_ancestors_are_as_many_as_the_table_says(store: &GeneStore) {
    let mut tsv = Tsv::open(&shared().unwrap().join("go/go_terms.tsv.gz")).unwrap();
    let [id, aspect, count] =
        ["go_id", "aspect", "n_ancestors_incl_self"].map(|name| tsv.need(&[name]).unwrap());
    let mut compared = 0;
    while let Some(row) = tsv.next_row().unwrap() {
        if row.line % 20 == 0 && row.get(aspect) == "F" {
            let by_is_a = |id: GoId| {
                let relations = store.go_relations(id).unwrap();
                relations.into_iter().filter(|(kind, _)| *kind == RelationKind::IsA).map(|(_, parent)| parent)
            };
            let mut reached = vec![GoId::parse(row.get(id)).unwrap()];
            let mut next = 0;
            while let Some(&term) = reached.get(next) {
                let new: Vec<GoId> = by_is_a(term).filter(|parent| !reached.contains(parent)).collect();
                reached.extend(new);
                next += 1;
            }
            let expected: usize = row.get(count).parse().unwrap();
            assert_eq!(reached.len(), expected, "{}", row.get(id));
            assert!(store.go_ancestors(reached[0]).unwrap().len() + 1 >= expected);
            compared += 1;
        }
    }
    assert!(compared > 400);
}

#[test]
fn odd_files_load_or_are_refused_row_by_row() {
    let Some(folder) = shared() else { return };
    let file = |name: &str| folder.join("go").join(name);
    let reasons = |reading: &Reading| -> Vec<(String, usize)> {
        reading.skipped.reasons.iter().map(|(reason, count)| (reason.clone(), *count)).collect()
    };
    let yeast = 559_292;
    let old = annotations::read(&file("formats/gene_association.goa_yeast.1.gaf"), yeast, |_| {}).unwrap();
    assert_eq!((old.rows, old.used), (300, 300));
    let gaf = annotations::read(&file("formats/goa_yeast.gaf"), yeast, |_| {}).unwrap();
    assert_eq!(
        reasons(&gaf),
        [("nothing is known of the gene (evidence ND)".to_owned(), gaf.rows - gaf.used)]
    );
    let gpad = annotations::read(&file("formats/goa_yeast.gpa.59.gpa"), yeast, |_| {}).unwrap();
    assert_eq!((gpad.rows, gpad.used), (300, 48));
    let illegal = annotations::read(&file("formats/goa_human_illegal.gaf"), 9606, |_| {}).unwrap();
    assert_eq!(
        reasons(&illegal),
        [("no identifier of a gene product".to_owned(), 1), ("unreadable taxon".to_owned(), 1)]
    );
    assert_eq!(gpi::read(&file("formats/goa_human_sample.gpi"), 9606, |_| {}).unwrap().used, 9);
    assert_eq!(gpi::read(&file("formats/gp_information.goa_yeast.28.gpi"), yeast, |_| {}).unwrap().used, 300);
    // Another program wrote a list of its own before this header.
    assert_eq!(ontology::read(&file("formats/i86.obo"), |_| {}).unwrap().used, 21);
    let slim = ontology::read(&file("goslim_generic.obo"), |_| {}).unwrap();
    assert_eq!((slim.rows, slim.used), (159, 149));
}

#[test]
fn the_real_files_give_a_database_and_a_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("genes.db");
    let Some(files) = real_files(&db) else { return };

    let report = import(&files, &Silent).unwrap();
    println!("{report:#?}");
    let [hgnc, gene_info, summaries, terms, .., annotations] = report.sources.as_slice() else {
        panic!("eight sources")
    };
    assert_eq!((hgnc.reading.rows, hgnc.reading.used, hgnc.reading.skipped.total), (43_882, 43_882, 0));
    assert_eq!(gene_info.reading.rows, 61_649);
    assert_eq!(gene_info.reading.used, gene_info.joined + gene_info.added);
    assert_eq!(gene_info.reading.rows, gene_info.reading.used + gene_info.reading.skipped.total);
    assert_eq!(gene_info.reading.skipped.reasons["another species"], 73);
    assert!(gene_info.joined > 43_000);
    assert_eq!(summaries.reading.rows, 14_649);
    assert!(report.with_summary >= 14_600 && report.genes > 55_000);

    assert_eq!((terms.reading.rows, terms.added), (47_735, 47_729));
    assert_eq!((annotations.reading.rows, annotations.reading.used), (19_614, 19_542));
    let go = report.go.as_ref().unwrap();
    assert_eq!((go.terms, go.obsolete, go.pairs), (42_442, 5_287, 251_817));

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
    assert_eq!(store.go_annotations(&gli1.symbol).unwrap().len(), 36);
    // The zinc finger is said by what it binds; its aspects have at most eight terms each.
    assert!(gli1.go_terms.iter().any(|term| term.id == "GO:0045880") && gli1.go_terms.len() <= 24);
    let smoothened = store.genes_with_term(GoId(7224)).unwrap();
    assert!(smoothened.contains(&gli1.symbol) && smoothened.len() > 50, "{}", smoothened.len());
    every_terms_ancestors_are_as_many_as_the_table_says(&store);
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
