//! Small ontologies of one and of several files.

use super::*;
use crate::sources::ontology::{RelationRow, TermRow};

fn term(id: u32, parents: &[(RelationKind, u32)]) -> TermRow {
    TermRow {
        line: id as usize,
        id: GoId(id),
        name: format!("term {id}"),
        aspect: None,
        obsolete: false,
        successors: Vec::new(),
        alternatives: Vec::new(),
        relations: parents.iter().map(|(kind, id)| (*kind, GoId(*id))).collect(),
        kinds: &RelationKind::ALL,
    }
}

fn built(rows: Vec<TermRow>) -> (Ontology, Vec<Refused>) {
    let mut builder = Builder::default();
    for row in rows {
        builder.term(row, 0);
    }
    builder.finish()
}

fn ancestors(ontology: &Ontology, id: u32) -> Vec<u32> {
    let place = ontology.place(GoId(id)).unwrap();
    ontology.ancestors(place).into_iter().map(|place| ontology.terms()[place].id.0).collect()
}

use RelationKind::{IsA, PartOf, Regulates};

#[test]
fn ancestors_go_by_is_a_and_part_of_only_and_aspects_come_from_the_root() {
    let (go, refused) = built(vec![
        term(8150, &[]),
        term(1, &[(IsA, 8150)]),
        term(2, &[(PartOf, 1), (IsA, 8150)]),
        term(3, &[(IsA, 2), (Regulates, 4)]),
        term(4, &[(IsA, 8150), (IsA, 77)]),
    ]);
    assert_eq!(ancestors(&go, 3), [1, 2, 8150]);
    assert!(go.terms().iter().all(|term| term.aspect == Some(GoAspect::BiologicalProcess)));
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].detail, "GO:0000077");
    let genes: [&[usize]; 2] =
        [&[go.place(GoId(3)).unwrap()], &[go.place(GoId(4)).unwrap(), go.place(GoId(1)).unwrap()]];
    let counts = go.genes_per_term(genes.into_iter());
    let count = |id| counts[go.place(GoId(id)).unwrap()];
    assert_eq!([count(8150), count(1), count(2), count(3), count(4)], [2, 2, 1, 1, 1]);
    assert_eq!((information(2, 2), information(0, 4)), (0.0, 4_f64.ln()));
}

#[test]
fn merged_and_replaced_terms_lead_to_the_one_in_use() {
    let mut merged = term(1, &[]);
    merged.alternatives = vec![GoId(9)];
    let mut replaced = term(2, &[]);
    (replaced.obsolete, replaced.successors) = (true, vec![GoId(9)]);
    let mut split = term(3, &[]);
    (split.obsolete, split.successors) = (true, vec![GoId(1), GoId(2)]);
    let mut circle = term(4, &[]);
    (circle.obsolete, circle.successors) = (true, vec![GoId(5)]);
    let mut back = term(5, &[]);
    (back.obsolete, back.successors) = (true, vec![GoId(4)]);
    let (go, _) = built(vec![merged, replaced, split, circle, back]);
    let one = go.place(GoId(1)).unwrap();
    assert_eq!(go.meaning(GoId(1)), Meaning::Term(one));
    assert_eq!(
        (go.meaning(GoId(9)), go.meaning(GoId(2))),
        (Meaning::Successor(one), Meaning::Successor(one))
    );
    assert_eq!([3, 4].map(|id| go.meaning(GoId(id))), [Meaning::Obsolete; 2]);
    assert_eq!(go.meaning(GoId(6)), Meaning::Unknown);
}

#[test]
fn a_later_file_adds_kinds_of_relations_and_no_parents_of_a_kind_that_is_told() {
    let mut builder = Builder::default();
    for id in [8150, 1, 2] {
        let mut row = term(id, if id == 8150 { &[] } else { &[(IsA, 8150)] });
        row.kinds = &[IsA];
        assert!(builder.term(row, 0));
    }
    let relation =
        |line, child, parent, kind| RelationRow { line, child: GoId(child), parent: GoId(parent), kind };
    builder.relation(relation(1, 1, 8150, IsA), 1);
    builder.relation(relation(2, 1, 2, IsA), 1);
    builder.relation(relation(3, 1, 2, PartOf), 1);
    builder.relation(relation(4, 7, 2, PartOf), 1);
    assert!(!builder.term(term(2, &[(IsA, 1)]), 2));
    let (go, refused) = builder.finish();
    assert_eq!(ancestors(&go, 1), [2, 8150]);
    assert_eq!(ancestors(&go, 2), [8150]);
    let told: Vec<_> = refused.iter().map(|r| (r.file, r.line, r.whole_row)).collect();
    assert_eq!(told, [(1, 2, true), (1, 4, true), (2, 2, false)]);
}

#[test]
fn a_circle_is_cut_and_counted_and_a_long_chain_is_no_trouble() {
    let mut rows: Vec<TermRow> = (0..200_000).map(|id| term(id, &[(IsA, id + 1)])).collect();
    rows.push(term(200_000, &[(PartOf, 0), (Regulates, 0)]));
    let (go, refused) = built(rows);
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (refused[0].kind, refused[0].detail.as_str()),
        ("a relation that closes a circle", "GO:0200000 part_of GO:0000000")
    );
    assert_eq!(go.ancestors(0).len(), 200_000);
}
