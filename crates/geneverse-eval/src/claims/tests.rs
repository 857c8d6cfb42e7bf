//! Claims of each type, true and false.

use geneverse_data::gene::*;

use super::*;
use crate::index::GeneIndex;

fn grader() -> GeneGrader {
    let gene = |symbol: &str, name: &str, id: u32, location: &str, groups: &[&str], summary: &str| {
        let mut gene = GeneRecord::new(GeneSymbol::parse(symbol).unwrap(), name, GeneKind::ProteinCoding);
        gene.hgnc_id = Some(HgncId(id));
        gene.location = Some(location.to_owned());
        gene.groups = groups.iter().map(|group| (*group).to_owned()).collect();
        gene.summary = Some(Summary { text: summary.to_owned(), source: "test".to_owned() });
        gene
    };
    let mut gli1 = gene(
        "GLI1",
        "GLI family zinc finger 1",
        4317,
        "12q13.3",
        &["GLI family zinc fingers"],
        "This zinc finger transcription factor is activated by sonic hedgehog and regulates stem cell proliferation.",
    );
    gli1.aliases = vec!["GLI".to_owned()];
    gli1.pathways = vec!["Hedgehog signaling".to_owned()];
    gli1.orthologs = vec!["MGI:95727".to_owned()];
    let term = |id: &str, name: &str, aspect| GoTerm { id: id.to_owned(), name: name.to_owned(), aspect };
    gli1.go_terms = vec![
        term("GO:0060032", "notochord regression", GoAspect::BiologicalProcess),
        term("GO:0008270", "zinc ion binding", GoAspect::MolecularFunction),
    ];
    let fgf7 = gene(
        "FGF7",
        "fibroblast growth factor 7",
        3685,
        "15q21.2",
        &["Fibroblast growth factors"],
        "A potent mitogen for epithelial cells and keratinocytes that acts in wound reepithelialization.",
    );
    let index: GeneIndex = [gli1, fgf7].into_iter().collect();
    GeneGrader::new(index)
}

/// The claims of an answer about GLI1, a line each.
fn told(answer: &str) -> String {
    let grader = grader();
    let gene = grader.index().resolve("GLI1").gene().unwrap();
    let lines = claims(answer, gene, &grader).list.into_iter().map(|claim| {
        format!("{:?} {:?} {:?} {}", claim.kind, claim.verdict, claim.text, claim.field.unwrap_or_default())
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn typed_claims_are_decided_by_their_field() {
    let true_ones = told(
        "The official symbol of this gene is GLI1 and its official full name is GLI family zinc finger 1. It is a \
         protein-coding gene at 12q13 on chromosome 12 in Homo sapiens (HGNC:4317, MGI:95727). It is also known as GLI. It \
         belongs to the HGNC gene group GLI family zinc fingers.",
    );
    for kind in ["Symbol", "Name", "Kind", "Location", "Organism", "Identifier", "Ortholog", "Alias", "Group"]
    {
        assert!(true_ones.contains(&format!("{kind} Supported")), "{kind}: {true_ones}");
    }
    assert!(!true_ones.contains("Contradicted"), "{true_ones}");

    let false_ones = told(
        "The official symbol of this gene is SHH and its official full name is protein kinase C alpha. It is a pseudogene at \
         3p21.1 on chromosome 3 in Mus musculus (HGNC:3685, MGI:123). It is also known as FGF7. It belongs to the HGNC gene \
         group Protein kinases.",
    );
    for kind in ["Symbol", "Name", "Kind", "Location", "Organism", "Identifier", "Ortholog", "Alias", "Group"]
    {
        assert!(false_ones.contains(&format!("{kind} Contradicted")), "{kind}: {false_ones}");
    }
    assert!(!false_ones.contains("Supported"), "{false_ones}");
}

#[test]
fn what_a_gene_does_is_compared_with_what_the_record_states() {
    let found = told(
        "GLI1 takes part in notochord regression, synaptic vesicle fusion and bone mineralization. It is activated by \
         sonic hedgehog. It is not a zinc finger transcription factor.",
    );
    assert!(found.contains("Process Supported \"notochord regression\" go_terms"), "{found}");
    assert!(found.contains("Process NotInRecord \"synaptic vesicle fusion\""), "{found}");
    assert!(found.contains("Process NotInRecord \"bone mineralization\""), "{found}");
    assert!(found.contains("Supported \"It is activated by sonic hedgehog"), "{found}");
    assert!(
        found.contains("Contradicted \"It is not a zinc finger transcription factor\" summary"),
        "{found}"
    );
}

#[test]
fn identifiers_that_nobody_has_are_hallucinated() {
    let grader = grader();
    let gene = grader.index().resolve("GLI1").gene().unwrap();
    let found =
        claims("GLI1 is HGNC:4317, HGNC:99999 and HGNC:3685 with MGI:95727 (PMID:123456).", gene, &grader);
    assert_eq!((found.identifiers, found.hallucinated), (4, 2), "{:?}", found.list);
    let none = claims("", gene, &grader);
    assert_eq!((none.list.len(), none.stated), (0, 0));
    assert!(none.facts >= 6, "{none:?}");
}
