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
            "GLI1 (GLI family zinc finger 1) is a protein-coding gene at 12q13.3 in Homo sapiens. This gene is also known as PAPA8, PPD1 and GLI. In taxonomy the lineage of its species is Eukaryota; Metazoa; Chordata; Craniata; Vertebrata; Euteleostomi; Mammalia; Eutheria; Euarchontoglires; Primates; Haplorrhini; Catarrhini; Hominidae; Homo. In public databases GLI1 has the primary source HGNC:4317 and the related identifiers Ensembl:ENSG00000111087, MIM:165220, AllianceGenome:HGNC:4317, Entrez Gene:2735 and UniProt:P08151. NCBI gives its RefSeq status as REVIEWED. A transcription factor of the hedgehog cascade. At the molecular level its function is zinc ion binding. Pathway information: GLI1 acts in Hedgehog signaling. HGNC places this gene in the gene group Zinc fingers C2H2-type. Transcript data show broad expression in thyroid and brain. Orthologs are mouse MGI:95727 and rat RGD:621673."
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
            "The gene symbol of this locus is ADFN. ADFN is classified as a genetic locus in Homo sapiens. The species, Homo sapiens, has the lineage Eukaryota; Metazoa; Chordata; Craniata; Vertebrata; Euteleostomi; Mammalia; Eutheria; Euarchontoglires; Primates; Haplorrhini; Catarrhini; Hominidae; Homo."
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
            "IGKV2D-36 is an immunoglobulin kappa variable pseudogene segment at 2p11.2 in Homo sapiens, and its official full name is immunoglobulin kappa variable 2D-36 (pseudogene), provided by HGNC. The lineage of Homo sapiens is Eukaryota; Metazoa; Chordata; Craniata; Vertebrata; Euteleostomi; Mammalia; Eutheria; Euarchontoglires; Primates; Haplorrhini; Catarrhini; Hominidae; Homo. HGNC places this gene in the gene group Immunoglobulin kappa locus at 2p11.2. IGKV2D-36 has the primary source HGNC:5802, with the related identifier AllianceGenome:HGNC:5802."
        ],
    );
}

#[test]
fn seeds_change_phrasing_and_order_and_lose_nothing() {
    let texts: std::collections::BTreeSet<String> = (0..40).map(|seed| sentences(&gli1(), seed)).collect();
    assert!(texts.len() > 38);
    for text in &texts {
        for phrase in [
            "HGNC:4317",
            "Ensembl:ENSG00000111087",
            "MIM:165220",
            "AllianceGenome:HGNC:4317",
            "Entrez Gene:2735",
            "UniProt:P08151",
            " is also known as PAPA8, PPD1 and GLI.",
            "GLI family zinc finger 1",
            "protein-coding gene",
            "at 12q13.3",
            "Homo sapiens",
            LINEAGE,
            "RefSeq status",
            "REVIEWED",
            "Zinc fingers C2H2-type",
            "A transcription factor of the hedgehog cascade.",
            "zinc ion binding",
            "Hedgehog signaling",
            "expression in thyroid and brain",
            "MGI:95727",
        ] {
            assert!(text.to_lowercase().contains(&phrase.to_lowercase()), "{phrase} in {text}");
        }
        assert_eq!(text.matches("REVIEWED").count(), 1, "{text}");
        assert_eq!(text.matches("protein-coding gene").count(), 1, "{text}");
    }
    // The name first, then several orders; the same for the same seed.
    let orders: std::collections::BTreeSet<Vec<Part>> =
        (0..40).map(|seed| parts(&gli1(), seed).into_iter().map(|(part, _)| part).collect()).collect();
    assert!(orders.len() >= 6 && orders.iter().all(|order| order[0] == Part::Name));
}

#[test]
fn other_species_are_named_and_unknown_ones_left_out() {
    let mut gene = gli1();
    gene.tax_id = 10_090;
    gene.location = Some("10 74.5 cM".into());
    for seed in 0..20 {
        let text = sentences(&gene, seed);
        assert!(text.contains("Mus musculus") && text.contains("on chromosome 10 at 74.5 cM"), "{text}");
        assert!(
            !text.contains("Homo sapiens") && !text.contains("Primates") && !text.contains("human"),
            "{text}"
        );
    }
    gene.tax_id = 1;
    let text = sentences(&gene, 3);
    assert!(!text.contains("sapiens") && !text.contains("musculus"), "{text}");
}

#[test]
fn lists_with_commas_inside_keep_their_items_apart() {
    let mut gene = gli1();
    gene.groups = vec!["Zinc fingers C2H2-type".into(), "MicroRNA protein coding host genes, other".into()];
    for seed in 0..20 {
        let text = sentences(&gene, seed);
        assert!(
            text.contains("groups: Zinc fingers C2H2-type; and MicroRNA protein coding host genes, other.")
        );
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
        let opening = &parts(&record, seed)[0];
        prop_assert!(opening.0 == Part::Name && opening.1.contains(record.symbol.as_str()));
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
