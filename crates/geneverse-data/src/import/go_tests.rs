//! Small ontologies and annotations, joined to genes; provenance; species.

use super::tests::{HGNC, case, gene};
use super::*;
use crate::gene::{GeneSymbol, GoId};
use crate::progress::Silent;
use std::fs;

const OBO: &str = "format-version: 1.2\n\n\
    [Term]\nid: GO:0008150\nname: biological_process\nnamespace: biological_process\n\n\
    [Term]\nid: GO:0007165\nname: signal transduction\nnamespace: biological_process\nalt_id: GO:0023033\nis_a: GO:0008150\n\n\
    [Term]\nid: GO:0007224\nname: smoothened signaling pathway\nnamespace: biological_process\nis_a: GO:0007165 ! signal transduction\n\n\
    [Term]\nid: GO:0000005\nname: obsolete a\nis_obsolete: true\nreplaced_by: GO:0007224\n\n\
    [Term]\nid: GO:0000008\nname: obsolete b\nis_obsolete: true\n";

fn with_go(annotations: &str) -> super::tests::Case {
    let mut case = case(Some(HGNC), None, None, None);
    let write = |name: &str, text: &str| {
        let path = case.folder.path().join(name);
        fs::write(&path, text).map(|()| path).unwrap()
    };
    case.files.go = vec![write("go.obo", OBO)];
    case.files.go_annotations = vec![write("annotations", annotations)];
    case
}

fn symbols(files: &ImportFiles, id: u32) -> Vec<String> {
    let genes = GeneStore::open(&files.out).unwrap().genes_with_term(GoId(id)).unwrap();
    genes.iter().map(GeneSymbol::to_string).collect()
}

#[test]
fn annotations_join_by_symbol_and_are_stored_propagated_and_told() {
    // GLI is a previous symbol; the second row has one term that follows from another.
    let case = with_go(
        "MEMO1\tGO:0023033|GO:0000008|GO:9999999\nGLI\tGO:0000005|GO:0007165\nNOBODY\tGO:0007165\nPSMA7P\tGO:0000008\n",
    );
    let report = import(&case.files, &Silent).unwrap();
    let go = report.go.unwrap();
    assert_eq!((go.terms, go.obsolete, go.annotations, go.annotated_genes, go.told), (3, 2, 3, 2, 2));
    let told = gene(&case.files, "GLI1").unwrap().go_terms;
    assert_eq!(told.iter().map(|term| term.id.as_str()).collect::<Vec<_>>(), ["GO:0007224"]);

    let reading = &report.sources[2].reading;
    assert_eq!((reading.rows, reading.used), (4, 2));
    let reasons: Vec<_> = reading.skipped.reasons.keys().map(String::as_str).collect();
    assert_eq!(reasons, ["an obsolete term without a single successor", "no such gene"]);
    assert_eq!((reading.replaced_values.total, reading.dropped_values.total), (2, 2));

    assert_eq!(symbols(&case.files, 8150), ["GLI1", "MEMO1"]);
    assert_eq!(symbols(&case.files, 7224), ["GLI1"]);
    let store = GeneStore::open(&case.files.out).unwrap();
    assert_eq!(store.go_ancestors(GoId(7224)).unwrap(), [GoId(7165), GoId(8150)]);
    assert_eq!(store.go_descendants(GoId(7165)).unwrap(), [GoId(7224)]);
    assert_eq!(store.go_relations(GoId(7224)).unwrap().len(), 1);
    let merged = store.go_term(GoId(23_033)).unwrap().unwrap();
    assert_eq!((merged.term.name.as_str(), merged.genes), ("signal transduction", 2));
    assert_eq!(store.go_term(GoId(5)).unwrap().unwrap().term.id, GoId(7224));
    assert!(
        store.go_term(GoId(8)).unwrap().unwrap().term.obsolete && store.go_term(GoId(1)).unwrap().is_none()
    );
    assert_eq!(store.go_information(GoId(7224)).unwrap(), Some(2_f64.ln()));
    let ontology = store.go_ontology().unwrap();
    assert_eq!(ontology.terms().len(), 5);
    let place = ontology.place(GoId(7224)).unwrap();
    assert_eq!(ontology.ancestors(place).len(), 2);
    assert_eq!(ontology.meaning(GoId(5)), crate::ontology::Meaning::Successor(place));
    assert_eq!(ontology.meaning(GoId(8)), crate::ontology::Meaning::Obsolete);
    let terms: Vec<_> = store.go_terms_of_genes().unwrap();
    let terms: Vec<_> = terms.iter().map(|(gene, terms)| (gene.as_str(), terms.as_slice())).collect();
    assert_eq!(terms, [("GLI1", &[GoId(7165), GoId(7224)][..]), ("MEMO1", &[GoId(7165)])]);
    let symbols: Vec<String> = store.symbols().unwrap().iter().map(GeneSymbol::to_string).collect();
    assert!(symbols.contains(&"PSMA7P".to_owned()) && symbols.is_sorted());
    let found = store.search("smoothened", 3).unwrap();
    assert_eq!((found.len(), found[0].snippet.as_ref().unwrap().field), (1, "GO terms"));
}

#[test]
fn a_gpad_file_joins_through_gpi_and_through_an_id_mapping() {
    let gpad = "!gpa-version: 1.1\n\
        UniProtKB\tP08151-2\tinvolved_in\tGO:0007224\tx\tECO:0000314\t\t\tx\tx\t\t\n\
        UniProtKB\tQ9Y316\tinvolved_in\tGO:0007165\tx\tECO:0000501\t\t\tx\tx\t\t\n";
    let mut case = with_go(gpad);
    let write = |name: &str, text: &str| {
        let path = case.folder.path().join(name);
        fs::write(&path, text).map(|()| path).unwrap()
    };
    case.files.gpi =
        vec![write("x.gpi", "!gpi-version: 1.2\nUniProtKB\tP08151\tGLI1\t\t\tprotein\ttaxon:9606\n")];
    case.files.id_mapping =
        Some(write("id.dat", "Q9Y316\tUniProtKB-ID\tMEMO1_HUMAN\nQ9Y316\tGeneID\t51072\n"));
    let report = import(&case.files, &Silent).unwrap();
    let roles: Vec<_> = report.sources.iter().map(|source| (source.role.as_str(), source.joined)).collect();
    assert_eq!(roles, [("hgnc", 0), ("id_mapping", 1), ("gpi", 1), ("go", 0), ("go_annotations", 2)]);
    assert_eq!(symbols(&case.files, 7165), ["GLI1", "MEMO1"]);
    assert_eq!(gene(&case.files, "MEMO1").unwrap().uniprot_ids[0].as_str(), "Q9Y316");
    let store = GeneStore::open(&case.files.out).unwrap();
    let said = store.go_annotations(&GeneSymbol::parse("GLI1").unwrap()).unwrap();
    assert_eq!((said[0].qualifier.name(), said[0].evidence.code()), ("involved_in", "IDA"));
}

#[test]
fn a_protein_of_two_genes_is_theirs_both_unless_the_row_names_one() {
    let gaf = |id: &str, symbol: &str, term: &str| {
        format!(
            "UniProtKB\t{id}\t{symbol}\t\t{term}\tx\tIDA\t\tP\t\t\tprotein\ttaxon:9606\t20200101\tx\t\t\n"
        )
    };
    let mut case = with_go(&(gaf("P1", "A2", "GO:0007224") + &gaf("P1", "SOMETHING", "GO:0007165")));
    let records = "{\"symbol\":\"A1\",\"name\":\"a\",\"kind\":\"other\",\"uniprot_ids\":[\"P00001\"]}\n\
        {\"symbol\":\"A2\",\"name\":\"a\",\"kind\":\"other\",\"uniprot_ids\":[\"P00001\"]}\n";
    let path = case.folder.path().join("genes.jsonl");
    fs::write(&path, records).unwrap();
    fs::write(
        &case.files.go_annotations[0],
        fs::read_to_string(&case.files.go_annotations[0]).unwrap().replace("P1", "P00001"),
    )
    .unwrap();
    case.files.records = Some(path);
    import(&case.files, &Silent).unwrap();
    assert_eq!(symbols(&case.files, 7224), ["A2"]);
    assert_eq!(symbols(&case.files, 7165), ["A1", "A2"]);
}

#[test]
fn sources_say_where_they_are_from_and_what_may_be_done_with_them() {
    let case = with_go("GLI1\tGO:0007224\n");
    let hgnc = case.files.hgnc.clone().unwrap();
    let provenance = Provenance {
        source: "hgnc".into(),
        url: "https://example.org/hgnc.txt".into(),
        fetched: "2026-11-22T20:45:21Z".into(),
        sha256: hash_file(&hgnc).unwrap(),
        bytes: 1,
        licence: "CC0-1.0".into(),
        etag: None,
        last_modified: None,
    };
    provenance.write(&hgnc).unwrap();
    import(&case.files, &Silent).unwrap();
    let sources = GeneStore::open(&case.files.out).unwrap().sources().unwrap();
    assert_eq!(sources[0].url.as_deref(), Some("https://example.org/hgnc.txt"));
    assert_eq!(sources[0].fetched.as_deref(), Some("2026-11-22T20:45:21Z"));
    let licences: Vec<_> = sources.iter().map(|source| source.licence.as_deref().unwrap()).collect();
    assert_eq!(licences, ["CC0-1.0", "CC-BY-4.0", "CC-BY-4.0"]);
    assert_eq!(sources[1].url, None);
}

#[test]
fn another_species_is_imported_from_files_of_all() {
    let mut case = with_go(
        "#tax_id\tGeneID\tGO_ID\tEvidence\tQualifier\n10090\t14632\tGO:0007224\tIDA\tinvolved_in\n9606\t2735\tGO:0007224\tIDA\t-\n",
    );
    let gene_info = "#tax_id\tGeneID\tSymbol\tSynonyms\tdbXrefs\tdescription\ttype_of_gene\n\
        9606\t2735\tGLI1\t-\t-\tGLI family zinc finger 1\tprotein-coding\n\
        10090\t14632\tGli1\tZfp5\tMGI:MGI:95727|Ensembl:ENSMUSG00000025407\tGLI-Kruppel family member GLI1\tprotein-coding\n";
    let path = case.folder.path().join("gene_info");
    fs::write(&path, gene_info).unwrap();
    case.files.gene_info = Some(path);
    case.files.tax_id = 10090;
    let error = import(&case.files, &Silent).unwrap_err().to_string();
    assert!(error.contains("HGNC names human genes, found taxon 10090; leave the HGNC file out"), "{error}");
    case.files.hgnc = None;
    assert_eq!(import(&case.files, &Silent).unwrap().genes, 1);
    let gli1 = gene(&case.files, "Gli1").unwrap();
    assert_eq!((gli1.tax_id, gli1.go_terms.len()), (10090, 1));
    assert_eq!(
        GeneStore::open(&case.files.out).unwrap().by_ensembl(gli1.ensembl_id.unwrap()).unwrap(),
        Some(gli1)
    );
}

#[test]
fn what_does_not_fit_together_is_refused_before_anything_is_read() {
    let mut case = with_go("GLI1\tGO:0007224\n");
    case.files.go.clear();
    assert!(import(&case.files, &Silent).unwrap_err().to_string().ends_with("give them with --go"));
    let relations = case.folder.path().join("relations.tsv");
    fs::write(&relations, "GO:0008150\tGO:0007165\tis_a\tbiological_process\n").unwrap();
    case.files.go = vec![relations];
    assert!(import(&case.files, &Silent).unwrap_err().to_string().contains("names no term, only relations"));
    let mut case = with_go("NOBODY\tGO:0007224\n");
    let error = import(&case.files, &Silent).unwrap_err().to_string();
    assert!(
        error.ends_with("annotations:1: none of 1 rows could be used; the first: no such gene: NOBODY"),
        "{error}"
    );
    case.files.go_annotations.clear();
    import(&case.files, &Silent).unwrap();
    case.files.out = case.folder.path().join("none.db");
    case.files.go_annotations = vec![case.folder.path().join("go.obo")];
    assert!(!case.files.out.exists());
}

#[test]
fn a_withdrawn_symbol_finds_its_successor() {
    let rows = "HGNC:9\tGLI0~withdrawn\tsymbol withdrawn, see GLI1\tunknown\tSymbol Withdrawn\t\t\n\
        HGNC:10\tX~withdrawn\tsymbol withdrawn, see Y\tunknown\tSymbol Withdrawn\t\t\n";
    let case = case(Some(&format!("{HGNC}{rows}")), None, None, None);
    let report = import(&case.files, &Silent).unwrap();
    assert_eq!(gene(&case.files, "GLI1").unwrap().previous_symbols, ["GLI", "GLI0"]);
    let source = &report.sources[0];
    assert_eq!((source.joined, source.added, source.reading.skipped.total), (1, 3, 1));
}
