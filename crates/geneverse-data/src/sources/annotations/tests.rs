//! The same annotation in every format; what is left out, and what is refused.

use super::*;
use std::io::Cursor;

type Read = (Vec<(String, String, Vec<u32>, &'static str, &'static str)>, Reading);

fn check(text: &str) -> Result<Read, String> {
    let mut rows = Vec::new();
    let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
    let reading = parse(Path::new("go.txt"), reader, 9606, |row| {
        let Product { database, id, symbol } = row.product;
        let terms = row.terms.iter().map(|id| id.0).collect();
        rows.push((
            format!("{database}:{id}"),
            symbol.to_owned(),
            terms,
            row.qualifier.name(),
            row.evidence.code(),
        ));
    });
    Ok((rows, reading.map_err(|e| e.to_string())?))
}

/// A row of GAF 2.2 with some fields of its own.
fn gaf(id: &str, qualifier: &str, term: &str, evidence: &str, taxon: &str) -> String {
    format!(
        "UniProtKB\t{id}\tGLI1\t{qualifier}\t{term}\tPMID:1\t{evidence}\t\tP\tname\tGLI\tprotein\t{taxon}\t20200101\tUniProt\t\t\n"
    )
}

#[test]
fn every_format_says_the_same_with_and_without_its_header() {
    let gaf = gaf("P08151", "involved_in", "GO:0007224", "IDA", "taxon:9606|taxon:5833");
    let gpad_one =
        "UniProtKB\tP08151\tinvolved_in\tGO:0007224\tPMID:1\tECO:0000314\t\t\t20200101\tUniProt\t\t\n";
    let gpad_two =
        "UniProtKB:P08151\t\tRO:0002331\tGO:0007224\tPMID:1\tECO:0000314\t\t\t2020-01-01\tUniProt\t\t\n";
    for (header, row, symbol) in [
        ("!gaf-version: 2.2\r\n!x\r\n", gaf.as_str(), "GLI1"),
        ("!gpa-version: 1.1\n", gpad_one, ""),
        ("!gpad-version: 2.0\n", gpad_two, ""),
    ] {
        let expected = ("UniProtKB:P08151".to_owned(), symbol.to_owned(), vec![7224], "involved_in", "IDA");
        for text in
            [format!("{header}{row}"), row.to_owned(), format!("\u{feff}{header}{row}").replace('\n', "\r\n")]
        {
            assert_eq!(check(&text).unwrap().0, std::slice::from_ref(&expected), "{text:?}");
        }
    }
    let columns = "tax_id\tGeneID\tGO_ID\tEvidence\tQualifier\tGO_term\tPubMed\tCategory\n";
    let old = format!("#Format: {} (tab is used as a separator)\n", columns.trim().replace('\t', " "));
    for header in [format!("#{columns}"), columns.to_owned(), old] {
        let text = format!(
            "{header}9606\t2735\tGO:0007224\tIDA\tinvolved_in\tsmoothened\t1\tProcess\n10090\t1\tGO:0007224\tIDA\t-\tx\t-\tProcess\n"
        );
        let (rows, reading) = check(&text).unwrap();
        assert_eq!(rows, [("NCBIGene:2735".to_owned(), String::new(), vec![7224], "involved_in", "IDA")]);
        assert_eq!(reading.skipped.reasons["another species"], 1);
    }
    for list in ["GO:0007224|GO:0000001", "GO:0007224;GO:0000001;GO:0007224", "GO:0007224, GO:0000001"] {
        let (rows, _) = check(&format!("GLI1\t{list}\n")).unwrap();
        assert_eq!(rows, [(":GLI1".to_owned(), String::new(), vec![7224, 1], "", "")]);
    }
}

#[test]
fn denials_missing_data_and_broken_rows_are_counted_each_by_its_reason() {
    let rows = [
        gaf("P1", "NOT|involved_in", "GO:0000001", "IDA", "taxon:9606"),
        gaf("P1", "", "GO:0000001", "ND", "taxon:9606"),
        gaf("", "", "GO:0000001", "IDA", "taxon:9606"),
        gaf("P1", "", "GO:1", "IDA", "taxon:9606"),
        gaf("P1", "", "GO:0000001", "IDA", "NCBITaxon:"),
        gaf("P1", "", "GO:0000001", "IDA", "taxon:10090"),
        "UniProtKB\tP1\tGLI1\n".to_owned(),
        gaf("P1", "likes", "GO:0000001", "XYZ", ""),
    ];
    let (kept, reading) = check(&format!("!gaf-version: 2.1\n{}", rows.concat())).unwrap();
    assert_eq!(kept, [("UniProtKB:P1".to_owned(), "GLI1".to_owned(), vec![1], "", "")]);
    assert_eq!((reading.rows, reading.used, reading.skipped.total), (8, 1, 7));
    assert!(reading.skipped.reasons.values().all(|count| *count == 1), "{:?}", reading.skipped.reasons);
    assert_eq!(reading.dropped_values.total, 2);
    let two = "!gpad-version: 2.0\nMGI:MGI:1\tNOT\tRO:0002331\tGO:0000001\tx\tECO:0000314\t\t\tx\tx\n";
    assert!(check(two).unwrap_err().contains("the gene is said not to have the term"));
    let gene2go = "#tax_id\tGeneID\tGO_ID\tEvidence\tQualifier\n9606\t1\tGO:0000001\tIDA\tNOT involved_in\n9606\t1\tGO:0000001\tIDA\t-\n";
    assert_eq!(check(gene2go).unwrap().1.skipped.total, 1);
}

#[test]
fn files_that_are_something_else_are_refused_with_a_way_out() {
    let error = |text: &str| check(text).unwrap_err();
    assert_eq!(
        error("!gpi-version: 1.2\n"),
        "go.txt:1: holds gene products, not annotations; give it as --gpi, and its GPAD file here"
    );
    assert!(error("!gaf-version: 3.0\n").contains("found gaf-version 3.0, expected 1.0, 2.0, 2.1 or 2.2"));
    assert!(error("a\tb\tc\n").contains("found a row of 3 columns and no header"));
    assert_eq!(
        error("#tax_id\tGeneID\tEvidence\n"),
        "go.txt: found no column `GO_ID`; its columns are: tax_id, geneid, evidence"
    );
    assert!(error("!gaf-version: 2.2\n").contains("found no row"));
}
