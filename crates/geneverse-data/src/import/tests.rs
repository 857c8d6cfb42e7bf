//! Small sources in the real formats, joined; what is skipped, kept and left as it was.

use super::*;
use crate::gene::GeneSymbol;
use crate::progress::Silent;
use std::fs;

pub(super) const HGNC: &str = "hgnc_id\tsymbol\tname\tlocus_type\tstatus\tprev_symbol\tentrez_id\n\
    HGNC:4317\tGLI1\tGLI family zinc finger 1\tgene with protein product\tApproved\tGLI\t2735\n\
    HGNC:9545\tPSMA7P\tproteasome subunit alpha 7 pseudogene\tpseudogene\tApproved\t\t5689\n\
    HGNC:14014\tMEMO1\tmediator of cell motility 1\tgene with protein product\tApproved\t\t51072\n";
const GENE_INFO: &str = "#tax_id\tGeneID\tSymbol\tSynonyms\tdbXrefs\tdescription\ttype_of_gene\n\
    9606\t2735\tGLI1\tGLI|PAPA8\tMIM:165220|HGNC:HGNC:4317|Ensembl:ENSG00000111087\tGLI family zinc finger 1\tprotein-coding\n\
    9606\t158441\tPSMA7P\tdJ1\tHGNC:HGNC:9545\tproteasome pseudogene\tpseudo\n\
    9606\t7795\tMEMO1\t-\t-\tmethylation modifier for class I HLA\tunknown\n\
    9606\t999999\tLOC999999\t-\tHGNC:HGNC:77777\tuncharacterized LOC999999\tncRNA\n";
const SUMMARIES: &str = "symbol\tGene_ID\tsummary\nGLI1\t2735\tA transcription factor.\nGLI1\t2735\tAgain.\nMEMO1\t1\tBy symbol.\nXYZ\t7\tOf nothing.\n";
const RECORDS: &str = "{\"symbol\":\"GLI1\",\"name\":\"GLI family zinc finger 1\",\"kind\":\"protein_coding\",\"hgnc_id\":\"HGNC:4317\",\"pathways\":[\"Hedgehog signaling\"],\"summary\":{\"text\":\"Ours.\",\"source\":\"Geneverse\"}}\n\
    {\"symbol\":\"NEW1\",\"name\":\"new gene 1\",\"kind\":\"other\"}\n";

pub(super) struct Case {
    pub(super) folder: tempfile::TempDir,
    pub(super) files: ImportFiles,
}

pub(super) fn case(
    hgnc: Option<&str>,
    gene_info: Option<&str>,
    summaries: Option<&str>,
    records: Option<&str>,
) -> Case {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: Option<&str>| {
        let path = folder.path().join(name);
        text.map(|text| fs::write(&path, text).map(|()| path).unwrap())
    };
    let files = ImportFiles {
        hgnc: write("hgnc.txt", hgnc),
        gene_info: write("gene_info", gene_info),
        summaries: write("summaries.tsv", summaries),
        records: write("genes.jsonl", records),
        out: folder.path().join("genes.db"),
        ..ImportFiles::default()
    };
    Case { folder, files }
}

pub(super) fn gene(files: &ImportFiles, symbol: &str) -> Option<GeneRecord> {
    GeneStore::open(&files.out).unwrap().get(&GeneSymbol::parse(symbol).unwrap()).unwrap()
}

#[test]
fn all_sources_join_into_one_gene() {
    let case = case(Some(HGNC), Some(GENE_INFO), Some(SUMMARIES), Some(RECORDS));
    let report = import(&case.files, &Silent).unwrap();
    let gli1 = gene(&case.files, "GLI1").unwrap();
    assert_eq!((gli1.previous_symbols, gli1.aliases), (vec!["GLI".to_owned()], vec!["PAPA8".to_owned()]));
    assert_eq!(gli1.ensembl_id.unwrap().to_string(), "ENSG00000111087");
    assert_eq!(gli1.pathways, ["Hedgehog signaling"]);
    assert_eq!(gli1.summary.unwrap().source, "RefSeq");
    assert_eq!(gene(&case.files, "MEMO1").unwrap().summary.unwrap().text, "By symbol.");

    assert_eq!((report.genes, report.with_summary, report.without_hgnc_id), (5, 2, 2));
    let counts: Vec<_> = report.sources.iter().map(|s| (s.role.as_str(), s.joined, s.added)).collect();
    assert_eq!(counts, [("hgnc", 0, 3), ("gene_info", 2, 1), ("summaries", 2, 0), ("records", 1, 1)]);
}

#[test]
fn a_stale_gene_info_row_joins_and_a_withdrawn_hgnc_id_is_dropped() {
    let case = case(Some(HGNC), Some(GENE_INFO), None, None);
    let report = import(&case.files, &Silent).unwrap();
    let pseudogene = gene(&case.files, "PSMA7P").unwrap();
    assert_eq!((pseudogene.entrez_id.unwrap().0, pseudogene.aliases), (5689, vec!["dJ1".to_owned()]));
    assert_eq!(gene(&case.files, "LOC999999").unwrap().hgnc_id, None);
    let skipped = &report.sources[1].reading.skipped;
    assert_eq!(skipped.listed[0].reason, "its symbol belongs to another gene: MEMO1 is Entrez id 51072");
    assert_eq!(skipped.listed[0].line, 4);
}

#[test]
fn summaries_without_a_gene_are_counted() {
    let case = case(Some(HGNC), None, Some(SUMMARIES), None);
    let report = import(&case.files, &Silent).unwrap();
    let Reading { rows, used, skipped, .. } = &report.sources[1].reading;
    assert_eq!((*rows, *used, skipped.total), (4, 2, 2));
    assert_eq!(skipped.listed[1].reason, "no such gene in the other files: XYZ (Entrez id 7)");
}

#[test]
fn gene_info_alone_and_records_alone_are_enough() {
    let alone = case(None, Some(GENE_INFO), None, None);
    import(&alone.files, &Silent).unwrap();
    assert_eq!(gene(&alone.files, "GLI1").unwrap().hgnc_id.unwrap().0, 4317);
    let alone = case(None, None, None, Some(RECORDS));
    assert_eq!(import(&alone.files, &Silent).unwrap().genes, 2);
}

#[test]
fn importing_again_does_nothing_and_other_inputs_are_refused() {
    let case = case(Some(HGNC), None, None, None);
    let first = import(&case.files, &Silent).unwrap();
    let bytes = fs::read(&case.files.out).unwrap();
    let again = import(&case.files, &Silent).unwrap();
    assert!(again.already_done && !first.already_done && again.genes == first.genes);

    fs::write(case.folder.path().join("hgnc.txt"), HGNC.replace("GLI1", "GLI9")).unwrap();
    let error = import(&case.files, &Silent).unwrap_err().to_string();
    assert!(error.contains("finished earlier with other inputs (inputs.hgnc"), "{error}");
    assert_eq!(fs::read(&case.files.out).unwrap(), bytes);
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let one = case(Some(HGNC), Some(GENE_INFO), Some(SUMMARIES), Some(RECORDS));
    let two = case(Some(HGNC), Some(GENE_INFO), Some(SUMMARIES), Some(RECORDS));
    import(&one.files, &Silent).unwrap();
    import(&two.files, &Silent).unwrap();
    assert!(fs::read(one.files.out).unwrap() == fs::read(two.files.out).unwrap());
}

#[test]
fn a_failed_import_leaves_what_was_there() {
    let case = case(Some("hgnc_id\tsymbol\n"), None, None, None);
    assert!(import(&case.files, &Silent).unwrap_err().to_string().contains("found no column `name`"));
    assert!(!case.files.out.exists());

    fs::write(&case.files.out, "a letter of mine").unwrap();
    fs::write(case.folder.path().join("hgnc.txt"), HGNC).unwrap();
    assert!(import(&case.files, &Silent).unwrap_err().to_string().contains("not a gene database"));
    assert_eq!(fs::read(&case.files.out).unwrap(), b"a letter of mine");
    let nothing = ImportFiles { out: case.files.out.clone(), ..ImportFiles::default() };
    assert!(import(&nothing, &Silent).unwrap_err().to_string().contains("nothing to import"));
}
