//! Symbols and identifiers, right ones and wrong ones.

use super::*;

#[test]
fn identifiers_round_trip_through_their_text_form() {
    assert_eq!(HgncId::parse("HGNC:HGNC:4317").unwrap().to_string(), "HGNC:4317");
    assert_eq!(EnsemblId::parse("ENSG00000111087.9").unwrap().to_string(), "ENSG00000111087");
    let mouse = EnsemblId::parse("ENSMUSG00000025407.8").unwrap();
    assert_eq!(mouse.to_string(), "ENSMUSG00000025407");
    assert!(EnsemblId::parse("ENSMUSG99999999999").unwrap().to_string().ends_with("G99999999999"));
    assert_eq!(EnsemblId::parse("ENSZZZZZG00000000001").unwrap().to_string(), "ENSZZZZZG00000000001");
    assert_eq!(GoId::parse("GO:0008270").unwrap().to_string(), "GO:0008270");
    assert_eq!(OmimId::parse("OMIM:165220").unwrap().to_string(), "165220");
    assert_eq!(UniprotAccession::parse(" P08151 ").unwrap().as_str(), "P08151");
    assert_eq!(GeneSymbol::parse("HLA-A").unwrap().as_str(), "HLA-A");
}

#[test]
fn wrong_identifiers_say_what_was_found_and_expected() {
    let error = EnsemblId::parse("ENSG123").unwrap_err().to_string();
    assert_eq!(error, r#"found "ENSG123", expected an Ensembl gene id such as ENSG00000111087"#);
    for text in
        ["ENSA", "ENS", "ENSé00000111087", "ENSTOOLONGG00000000001", "ENST00000111087", "ENSG0000011108x"]
    {
        assert!(EnsemblId::parse(text).is_err(), "{text}");
    }
    assert!(GoId::parse("GO:82").is_err() && GoId::parse("0008270").is_err());
    assert!(HgncId::parse("HGNC:x").is_err());
    assert!(OmimId::parse("12").is_err());
    assert!(UniprotAccession::parse("hello1").is_err());
    assert!(GeneSymbol::parse("two words").is_err());
    assert!(GeneSymbol::parse("").is_err());
}
