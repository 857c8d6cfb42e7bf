//! Each reason to reject a text, and texts that pass.

use geneverse_data::gene::{GeneKind, GeneRecord, GeneSymbol, HgncId};
use geneverse_data::synthesize::{Mode, Reason};

use super::screen;
use crate::facts::GeneGrader;

const GOOD: &str = "GLI1 encodes a zinc finger transcription factor of the Kruppel family. It is activated by the \
    sonic hedgehog signal transduction cascade and regulates the proliferation of stem cells, and it is also known as \
    GLI (HGNC:4317).";

fn grader() -> GeneGrader {
    let gene = |symbol: &str, name: &str, id: u32, aliases: &[&str]| {
        let mut gene = GeneRecord::new(GeneSymbol::parse(symbol).unwrap(), name, GeneKind::ProteinCoding);
        gene.hgnc_id = Some(HgncId(id));
        gene.aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        gene
    };
    let genes = [
        gene("GLI1", "GLI family zinc finger 1", 4317, &["GLI"]),
        gene("KDR", "kinase insert domain receptor", 6307, &["VEGFR2"]),
        gene("SET", "SET nuclear proto-oncogene", 10760, &[]),
    ];
    GeneGrader::new(genes.into_iter().collect())
}

#[track_caller]
fn check(mode: Mode, text: &str, expected: Result<(), Reason>) {
    let grader = grader();
    let gene = &grader.index().genes()[0];
    let found = screen(text, &mode.question(gene, 0), gene, &grader);
    let class = found.as_ref().map(|_| ()).map_err(|rejection| rejection.reason);
    assert_eq!(class, expected, "{text}: {found:?}");
}

#[test]
fn a_good_text_passes() {
    check(Mode::Describe, GOOD, Ok(()));
    check(Mode::Rephrase, GOOD, Ok(()));
    let by_alias = GOOD.replace("GLI1", "Gli");
    check(Mode::Describe, &by_alias, Ok(()));
    check(Mode::Describe, &format!("{GOOD} Unlike KDR, it is no receptor; SET proteins bind it."), Ok(()));
    check(Mode::Describe, &format!("{GOOD} It is regulated by a microRNA, and is not a pseudogene."), Ok(()));
    check(
        Mode::Describe,
        &format!("{GOOD} A related locus on 7p is a long way off from any pseudogene."),
        Ok(()),
    );
}

#[test]
fn each_way_to_be_wrong_is_named() {
    use Reason::*;
    let either = |text: &str, reason| {
        check(Mode::Describe, text, Err(reason));
        check(Mode::Rephrase, text, Err(reason));
    };
    either("I’m sorry, but I cannot provide information about the GLI1 gene.", Refusal);
    either("Unfortunately, GLI1 is not a gene that is described anywhere.", Refusal);
    either(&GOOD.replace("GLI1", "KDR").replace("GLI ", "VEGFR2 "), OtherGene);
    either(
        &format!(
            "KDR is a kinase insert domain receptor like others of the family. {}",
            GOOD.replace("GLI1", "It")
        ),
        OtherGene,
    );
    either(&format!("The KDR gene encodes a receptor. {GOOD}"), OtherGene);
    either(&format!("The official symbol is KDR. {GOOD}"), OtherGene);
    either(&format!("{GOOD} GLI1 is a processed pseudogene."), OtherKind);
    either(&format!("{GOOD} This gene encodes a long non-coding RNA."), OtherKind);
    either(&format!("{GOOD} GLI1 (also known as GLI) is a microRNA of the cytosol."), OtherKind);
    either(&format!("{GOOD} It does not encode a protein."), OtherKind);
    either(
        "This gene encodes a transcription factor that regulates the growth of stem cells in the embryo.",
        SymbolLost,
    );
    check(Mode::Rephrase, &GOOD.replace("GLI1", "GLI"), Err(SymbolLost));
    either(&GOOD.replace("4317", "4318"), Identifiers);
    either(&format!("{GOOD} It was found early (PMID:12345678)."), Identifiers);
    either(&format!("{GOOD} It is involved in the control of"), CutOff);
    either(&format!("Sure, here is the paragraph: {GOOD}"), Form);
    either(&format!("**GLI1**\n\n{GOOD}"), Form);
    either("GLI1是一种转录因子，参与刺猬信号通路，调节干细胞的增殖和分化，在胚胎发育中起重要作用。", Form);
}

#[test]
fn the_question_and_the_record_as_they_stand_are_echoes() {
    let grader = grader();
    let gene = &grader.index().genes()[0];
    let record = Mode::Rephrase.question(gene, 0).source.unwrap();
    let found = screen(&record, &Mode::Rephrase.question(gene, 0), gene, &grader).unwrap_err();
    assert_eq!(
        (found.reason, found.detail.as_str()),
        (Reason::Echo, "100 % of its phrases are the record's own")
    );
    let asked = format!("{} {GOOD}", Mode::Describe.question(gene, 0).user);
    assert_eq!(
        screen(&asked, &Mode::Describe.question(gene, 0), gene, &grader).unwrap_err().reason,
        Reason::Echo
    );
}

#[test]
fn what_the_record_itself_says_is_no_contradiction() {
    let mut gene = grader().index().genes()[0].clone();
    let says = "This gene is a transcribed pseudogene in some haplotypes.";
    gene.summary = Some(geneverse_data::gene::Summary { text: says.to_owned(), source: "RefSeq".to_owned() });
    let grader = GeneGrader::new([gene.clone()].into_iter().collect());
    let text = format!("{GOOD} This gene is a transcribed pseudogene in some persons.");
    let found = screen(&text, &Mode::Describe.question(&gene, 0), &gene, &grader);
    assert!(found.as_ref().err().is_none_or(|rejection| rejection.reason != Reason::OtherKind), "{found:?}");
}
