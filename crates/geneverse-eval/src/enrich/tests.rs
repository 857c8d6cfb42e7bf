//! A small ontology, by hand; `tests/enrichment.rs` holds it against goatools.

use geneverse_data::sources::ontology::{TermRow, parse};

use super::*;

const OBO: &str = "format-version: 1.2\n
[Term]\nid: GO:0008150\nname: biological_process\nnamespace: biological_process\n
[Term]\nid: GO:0000002\nname: near\nnamespace: biological_process\nis_a: GO:0008150\n
[Term]\nid: GO:0000003\nname: far\nnamespace: biological_process\nalt_id: GO:0000033\nis_a: GO:0000002\nis_a: GO:0008150\n
[Term]\nid: GO:0000004\nname: part\nnamespace: biological_process\nis_a: GO:0008150\nrelationship: part_of GO:0000003\n
[Term]\nid: GO:0000005\nname: obsolete old\nis_obsolete: true\n";

fn ontology() -> Ontology {
    let mut builder = geneverse_data::ontology::Builder::default();
    let reader = Box::new(std::io::Cursor::new(OBO.as_bytes().to_vec()));
    let mut take = |row: TermRow| builder.term(row, 0);
    parse("go.obo".as_ref(), reader, |row| {
        let geneverse_data::sources::ontology::OntologyRow::Term(term) = row else { panic!() };
        take(term);
    })
    .unwrap();
    builder.finish().0
}

fn background(how: Propagation) -> (Background, Tally) {
    let ids = |ids: &[u32]| ids.iter().map(|id| GoId(*id)).collect::<Vec<_>>();
    let given = [
        ("a", ids(&[3])),
        ("b", ids(&[33, 3])),
        ("c", ids(&[4, 5, 77])),
        ("elsewhere", ids(&[3])),
        ("d", ids(&[2])),
    ];
    let annotations = given.iter().map(|(gene, terms)| (*gene, terms.as_slice()));
    Background::new(&ontology(), ["a", "b", "c", "d", "e", "a"], annotations, how)
}

#[test]
fn a_gene_has_what_follows_from_its_terms() {
    let (all, tally) = background(Propagation::default());
    let tally_of = |tally: &Tally| (tally.population, tally.annotated, tally.terms, tally.pairs);
    assert_eq!(tally_of(&tally), (5, 4, 4, 7));
    assert_eq!((tally.replaced, tally.obsolete, tally.unknown), (1, 1, 1));
    let counts = |background: &Background| {
        background.terms.iter().map(|term| (term.id.0, term.genes, term.depth)).collect::<Vec<_>>()
    };
    assert_eq!(counts(&all), [(2, 3, 1), (3, 2, 2), (4, 1, 1), (8150, 4, 0)]);
    let (parts, _) = background(Propagation { part_of: true, annotated_only: true });
    assert_eq!(counts(&parts), [(2, 4, 1), (3, 3, 2), (4, 1, 1), (8150, 4, 0)]);
    assert_eq!(parts.genes(), ["a", "b", "c", "d"]);
}

#[test]
fn counts_are_of_the_study_within_the_population() {
    let (all, _) = background(Propagation::default());
    let (study, strangers) = all.study(["b", "a", "b", "x", "x"]);
    assert_eq!((study.len(), strangers), (2, 1));
    let terms = enrich(&all, &study, &Test::default());
    let first = &terms[0];
    assert_eq!(
        (first.term, first.study_count, first.population_count, first.enrichment),
        (GoId(3), 2, 2, 'e')
    );
    assert_eq!((first.study_size, first.population_size, first.depth), (2, 5, 2));
    assert_eq!(first.genes, ["a", "b"]);
    // Two of two among five: one way of ten.
    assert!((first.p - 0.1).abs() < 1e-14 && (first.p_bonferroni - 0.4).abs() < 1e-14);
    assert_eq!(terms.len(), 4);
    assert_eq!(
        terms.iter().filter(|term| term.enrichment == 'p').count(),
        1,
        "the one with none of the study"
    );
    let rows = tsv(&terms);
    assert!(
        rows.lines().nth(1).unwrap().starts_with("GO:0000003\tfar\tBP\te\t2\t2\t2\t5\t2.5000\t1.0"),
        "{rows}"
    );
    assert!(rows.lines().all(|line| line.split('\t').count() == 16));
}

#[test]
fn terms_outside_the_limits_are_not_tests() {
    let (all, _) = background(Propagation::default());
    let (study, _) = all.study(["a", "b"]);
    let terms = enrich(&all, &study, &Test { min_genes: 2, max_genes: 3, ..Test::default() });
    assert_eq!(terms.iter().map(|term| term.term.0).collect::<Vec<_>>(), [3, 2]);
    assert!((terms[0].p_bonferroni - 0.2).abs() < 1e-14);
    assert!(!terms[0].is_enriched(0.05) && terms[0].is_enriched(0.2 + 1e-9));
}

#[test]
fn clusters_are_tested_against_all_that_were_clustered() {
    use clusters::enrich_clusters;
    let (all, _) = background(Propagation::default());
    let members = [("2", "a"), ("2", "b"), ("10", "c"), ("10", "d"), ("1", "e"), ("1", "stranger")];
    let found = enrich_clusters(&all, members, 2, 1, &Test { alpha: 0.5, ..Test::default() }, |_| true);
    let names: Vec<_> = found.iter().map(|cluster| (cluster.cluster.as_str(), cluster.size)).collect();
    assert_eq!(names, [("2", 2), ("10", 2)], "largest first, of equal size the smaller number");
    assert_eq!(found[0].top.len(), 1);
    assert_eq!(found[0].top[0].term, GoId(3));
    let stopped = enrich_clusters(&all, members, 2, 1, &Test::default(), |_| false);
    assert_eq!(stopped.len(), 1);
}

#[test]
fn a_file_of_clusters_is_read_by_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clusters.csv");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        clusters::read_clusters(&path).map_err(|error| error.to_string().replace(path.to_str().unwrap(), "F"))
    };
    let found = read("label,Cluster,id\r\n\"x, y\",3,GLI1\r\n,0,\"A\"\r\n").unwrap();
    let pairs: Vec<_> = found.iter().map(|member| (member.id.as_str(), member.cluster.as_str())).collect();
    assert_eq!(pairs, [("GLI1", "3"), ("A", "0")]);
    assert_eq!(read("a\tb\n").unwrap_err(), "F:1: found columns a, b, expected `id` and `cluster`");
    assert_eq!(read("id,cluster\nx\n").unwrap_err(), "F:2: found \"x\", expected an id and a cluster");
    assert_eq!(
        read("id,cluster\n").unwrap_err(),
        "F: found no row below the header, expected a gene and its cluster"
    );
}

#[test]
fn genes_of_a_file_may_have_a_heading_and_further_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("genes.txt");
    std::fs::write(&path, "Symbol,score\n# a remark\nGLI1,3\n\"PTCH1\"\n\nID\n").unwrap();
    assert_eq!(inputs::read_genes(&path).unwrap(), ["GLI1", "PTCH1", "ID"]);
    std::fs::write(&path, "gene\n").unwrap();
    assert!(
        inputs::read_genes(&path).unwrap_err().to_string().ends_with("found no gene, expected one to a line")
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_file_makes_a_reader_panic(bytes: Vec<u8>, text in "(id|cluster|[\",;\t\n\r #]|[a-z0-9]{1,3}){0,40}") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        for content in [bytes.as_slice(), text.as_bytes()] {
            std::fs::write(&path, content).unwrap();
            let _ = clusters::read_clusters(&path);
            let _ = inputs::read_genes(&path);
        }
    }
}
