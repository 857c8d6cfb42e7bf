//! Sentences a person would write: of every kind of gene, and of any record whatever.

use super::*;
use crate::gene::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn gli1() -> GeneRecord {
    let mut gene = GeneRecord::new(
        GeneSymbol::parse("GLI1").unwrap(),
        "GLI family zinc finger 1",
        GeneKind::ProteinCoding,
    );
    gene.location = Some("12q13.3".into());
    gene.hgnc_id = Some(HgncId(4317));
    gene.entrez_id = Some(EntrezId(2735));
    gene.ensembl_id = Some(EnsemblId(111_087));
    gene.omim_ids = vec![OmimId(165_220)];
    gene.uniprot_ids = vec![UniprotAccession::parse("P08151").unwrap()];
    gene.aliases = vec!["PAPA8".into(), "PPD1".into()];
    gene.previous_symbols = vec!["GLI".into()];
    gene.groups = vec!["Zinc fingers C2H2-type".into()];
    gene.go_terms = vec![GoTerm {
        id: "GO:0008270".into(),
        name: "zinc ion binding".into(),
        aspect: GoAspect::MolecularFunction,
    }];
    gene.pathways = vec!["Hedgehog signaling".into()];
    gene.refseq_status = Some("REVIEWED".into());
    gene.expression = Some("Broad expression in thyroid and brain.".into());
    gene.orthologs = vec!["MGI:95727".into(), "RGD:621673".into()];
    gene.summary = Some(Summary {
        text: "A transcription factor of the hedgehog cascade".into(),
        source: "Geneverse".into(),
    });
    gene
}

fn check(record: &GeneRecord, seed: u64, expected: &Expect) {
    expected.assert_eq(&sentences(record, seed));
}

#[test]
fn a_full_record() {
    check(
        &gli1(),
        1,
        &expect![
            "The official symbol of this gene is GLI1 and its official full name is GLI family zinc finger 1, provided by HGNC. Its primary source is HGNC:4317, and related identifiers are Ensembl:ENSG00000111087, MIM:165220, AllianceGenome:HGNC:4317, Entrez Gene:2735 and UniProt:P08151. It is a protein-coding gene at 12q13.3 in Homo sapiens, of the lineage Eukaryota; Metazoa; Chordata; Craniata; Vertebrata; Euteleostomi; Mammalia; Eutheria; Euarchontoglires; Primates; Haplorrhini; Catarrhini; Hominidae; Homo. Its RefSeq status is REVIEWED. This gene is also known as PAPA8, PPD1 and GLI. It belongs to the HGNC gene group: Zinc fingers C2H2-type. A transcription factor of the hedgehog cascade. Its molecular functions include: zinc ion binding. Its pathways include Hedgehog signaling. It shows broad expression in thyroid and brain. Orthologs are mouse MGI:95727 and rat RGD:621673."
        ],
    );
}

#[test]
fn a_record_of_which_only_the_symbol_is_known() {
    let gene = GeneRecord::new(GeneSymbol::parse("ADFN").unwrap(), "ADFN", GeneKind::Other);
    check(
        &gene,
        1,
        &expect![
            "ADFN is the official gene symbol provided by NCBI Gene. It is a gene in Homo sapiens, of the lineage Eukaryota; Metazoa; Chordata; Craniata; Vertebrata; Euteleostomi; Mammalia; Eutheria; Euarchontoglires; Primates; Haplorrhini; Catarrhini; Hominidae; Homo."
        ],
    );
}

#[test]
fn an_immunoglobulin_pseudogene() {
    let mut gene = GeneRecord::new(
        GeneSymbol::parse("IGKV2D-36").unwrap(),
        "immunoglobulin kappa variable 2D-36 (pseudogene)",
        GeneKind::ImmunoglobulinSegment,
    );
    gene.locus_type = Some("immunoglobulin pseudogene".into());
    gene.hgnc_id = Some(HgncId(5802));
    gene.location = Some("2p11.2".into());
    gene.groups = vec!["Immunoglobulin kappa locus at 2p11.2".into()];
    check(
        &gene,
        2,
        &expect![
            "IGKV2D-36 is the official gene symbol for immunoglobulin kappa variable 2D-36 (pseudogene), provided by HGNC. The primary source is HGNC:5802; see related AllianceGenome:HGNC:5802. This is an immunoglobulin pseudogene segment of Homo sapiens at 2p11.2, with the lineage Eukaryota; Metazoa; Chordata; Craniata; Vertebrata; Euteleostomi; Mammalia; Eutheria; Euarchontoglires; Primates; Haplorrhini; Catarrhini; Hominidae; Homo. It belongs to the HGNC gene group: Immunoglobulin kappa locus at 2p11.2."
        ],
    );
}

#[test]
fn seeds_change_the_phrasing_and_nothing_else() {
    let texts: std::collections::BTreeSet<String> = (0..20).map(|seed| sentences(&gli1(), seed)).collect();
    assert!(texts.len() > 5);
    for text in &texts {
        for phrase in [
            "HGNC:4317",
            "Ensembl:ENSG00000111087",
            "MIM:165220",
            "AllianceGenome:HGNC:4317",
            "Entrez Gene:2735",
            "UniProt:P08151",
            "also known as PAPA8, PPD1 and GLI.",
        ] {
            assert!(text.contains(phrase), "{phrase} in {text}");
        }
    }
}

#[test]
fn long_alias_lists_are_cut_and_ambiguous_ones_left_out() {
    let mut gene = gli1();
    gene.aliases = (0..20).map(|n| format!("A{n}")).chain(["GLI1".into()]).collect();
    gene.aliases.insert(0, "A, B".into());
    assert_eq!(told_aliases(&gene), ["A0", "A1", "A2", "A3", "A4", "A5", "A6", "A7"]);
}

prop_compose! {
    fn any_record()(
        symbol in "[A-Z][A-Z0-9-]{0,9}",
        name in ".{0,40}",
        texts in prop::collection::vec("([a-zA-Z0-9 .,;:\\t\\n]|\\PC){0,30}", 0..12),
        summary in prop::option::of("(\\PC|[ .\\n\\t]){0,80}"),
        location in prop::option::of("([0-9XYpq. a-z]|\\PC){0,12}"),
        numbers in prop::collection::vec(0u32..999_999, 4),
        known in prop::collection::vec(any::<bool>(), 6),
    ) -> GeneRecord {
        let mut gene = GeneRecord::new(GeneSymbol::parse(&symbol).unwrap(), name, GeneKind::Other);
        gene.location = location;
        gene.summary = summary.map(|text| Summary { text, source: "x".into() });
        if known[0] { gene.hgnc_id = Some(HgncId(numbers[0])); }
        if known[1] { gene.entrez_id = Some(EntrezId(numbers[1])); }
        if known[2] { gene.ensembl_id = Some(EnsemblId(numbers[2].into())); }
        if known[3] { gene.aliases = texts.clone(); gene.groups = texts.clone(); }
        if known[4] { gene.pathways = texts.clone(); gene.orthologs = texts.clone(); }
        if known[5] { gene.expression = texts.first().cloned(); gene.refseq_status = texts.last().cloned(); }
        gene.previous_symbols = texts;
        gene
    }
}

proptest! {
    #[test]
    fn any_record_gives_clean_text(record in any_record(), seed in any::<u64>()) {
        let text = sentences(&record, seed);
        prop_assert_eq!(&text, &sentences(&record, seed));
        prop_assert!(text.starts_with("The ") || text.starts_with(record.symbol.as_str()));
        for wrong in ["..", "  ", "\n", "\t", "Some(", "None"] {
            let told_by_record = record.name.contains(wrong) || record.aliases.iter().any(|a| a.contains(wrong));
            prop_assert!(!text.contains(wrong) || told_by_record, "{:?} in {}", wrong, text);
        }
        for empty in ["known as .", "group: .", "include .", "in .", "is .", "name is ,", " and ."] {
            prop_assert!(!text.contains(empty), "{:?} in {}", empty, text);
        }
        for (part, text) in parts(&record, seed) {
            prop_assert!(text.ends_with(['.', '!', '?', ')', '"']), "{:?}: {}", part, text);
        }
    }
}
