//! The references of datasets with pictures get every point from the grades of their tasks, and a simulated tissue is read
//! back as it was made.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use geneverse_data::dataset::markers::{Known, MarkersDataset, PHRASINGS, answer, markers};
use geneverse_data::dataset::pictures::PictureSet;
use geneverse_data::dataset::{proteins, read_examples};
use geneverse_data::progress::Silent;
use geneverse_data::sources::hgnc::{self, HgncRow};
use geneverse_data::tissue::simulate::{Simulation, lab_tissue, simulate};
use geneverse_data::tissue::truth::{TypeNames, read_truth, spoken};
use geneverse_data::tissue::{Inputs, read};
use geneverse_eval::marker_genes::{Settings, Thresholds, rank_genes, recovery};
use geneverse_eval::{marker, protein};

/// Types of human breast as annotated on its whole section, those of the panel's table, and those of the laboratory.
const TYPES: [&str; 40] = [
    "B_Cells",
    "CD4+_T_Cells",
    "CD8+_T_Cells",
    "DCIS_1",
    "DCIS_2",
    "Endothelial",
    "IRF7+_DCs",
    "Invasive_Tumor",
    "LAMP3+_DCs",
    "Macrophages_1",
    "Macrophages_2",
    "Mast_Cells",
    "Myoepi_ACTA2+",
    "Myoepi_KRT15+",
    "Perivascular-Like",
    "Prolif_Invasive_Tumor",
    "Stromal",
    "Stromal_&_T_Cell_Hybrid",
    "T_Cell_&_Tumor_Hybrid",
    "Adipocytes",
    "Breast cancer",
    "Breast glandular cells",
    "Breast myoepithelial cells",
    "Dendritic cells",
    "Epithelial cells",
    "Firoblast",
    "Immune cells",
    "Monocytes",
    "Myeloid cells",
    "NK cells",
    "Neutrophils",
    "Plasma cells",
    "Smooth muscle cells",
    "T cells",
    "Endothelial Cells",
    "Fibroblasts",
    "Myoepithelial Cells",
    "Pericytes",
    "STAB2+ Endothelial",
    "Mast Cells",
];

#[test]
fn every_reference_of_the_marker_task_is_true_and_well_formed() {
    for kind in TYPES.map(spoken) {
        for gene in
            ["KDR", "CD3E", "HLA-DRA", "SIM12", "ACTA2", "KRT15", "IRF7", "C1QA", "C5orf46", "KIT", "LUM"]
        {
            for (is_marker, phrasing) in
                [false, true].into_iter().flat_map(|yes| (0..PHRASINGS).map(move |n| (yes, n)))
            {
                let text = answer(gene, &kind, is_marker, phrasing);
                for grade in [
                    marker::grade_truth(&text, gene, &kind, is_marker),
                    marker::grade_form(&text, gene, &kind),
                ] {
                    assert!(grade.score == 1.0, "{text}: {:?}", grade.reasons);
                }
                assert_eq!(marker::grade_truth(&text, gene, &kind, !is_marker).score, 0.0, "{text}");
            }
        }
    }
}

fn protein_grades(name: &str) -> [f64; 2] {
    let text = proteins::answer(name);
    assert_eq!(proteins::name_in(&text), name);
    [protein::grade_truth(&text, name).score, protein::grade_form(&text).score]
}

#[test]
fn references_of_the_protein_task_are_true_and_well_formed() {
    for name in [
        "Keratin, type I cytoskeletal 18",
        "PC-esterase domain-containing protein 1B",
        "2',3'-cyclic-nucleotide 3'-phosphodiesterase",
        "Transmembrane protein 115",
        "Ubiquitin-60S ribosomal protein L40",
        "E3 ubiquitin-protein ligase TRIM56",
        "three helix bundle, left-handed",
        "A-kinase anchor protein 12",
    ] {
        assert_eq!(protein_grades(name), [1.0, 1.0], "{name}");
    }
}

/// Names that the grades cannot read are left out of a dataset and listed; this says how many that are of all there are.
#[test]
fn of_all_human_genes_names_next_to_all_can_be_graded() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/genes/hgnc_complete_set.txt.gz");
    if !path.is_file() {
        eprintln!("skipped: {} is not there", path.display());
        return;
    }
    let (mut all, mut refused) = (0, Vec::new());
    hgnc::read(&path, |row| {
        let HgncRow::Approved(gene) = row else { return };
        all += 1;
        if protein_grades(&gene.name) != [1.0, 1.0] {
            refused.push(gene.name.clone());
        }
    })
    .unwrap();
    assert!(all > 40_000);
    eprintln!(
        "{} of {all} names cannot be graded, such as {:?}",
        refused.len(),
        refused.iter().take(5).collect::<Vec<_>>()
    );
    assert!(
        refused.len() * 200 < all,
        "{} of {all}: {:?}",
        refused.len(),
        refused.iter().take(50).collect::<Vec<_>>()
    );
}

#[test]
fn a_laboratory_is_read_as_it_was_made_and_becomes_a_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("lab");
    let settings = Simulation { cells: 1_500, seed: 5, ..Simulation::default() };
    lab_tissue(&lab, &settings, &|| false, &Silent).unwrap().unwrap();
    let made = simulate(&settings).unwrap();
    let (tissue, _) = read(&Inputs { data: lab.clone(), ..Inputs::default() }).unwrap();
    assert_eq!((&tissue.cells, &tissue.cell_types), (&made.tissue.cells, &made.tissue.cell_types));
    assert_eq!((&tissue.types, &tissue.places), (&made.tissue.types, &made.tissue.places));
    assert!(tissue.expression == made.tissue.expression);
    let truth = read_truth(&lab.join("truth.tsv"), &tissue, &TypeNames::new(), None).unwrap();
    assert_eq!(truth.pairs, made.truth);
    assert_eq!((truth.report.used, truth.report.rows), (made.truth.len(), made.truth.len()));

    let values = tissue.expression.normalised(tissue.cells.len(), None);
    let ranked = rank_genes(&tissue, &values, Settings::default()).unwrap();
    let thresholds = Thresholds::default();
    let found: Vec<(usize, usize)> =
        ranked.iter().flat_map(|of| thresholds.markers(of).map(|gene| (gene.gene, of.index))).collect();
    let found = recovery(&found, &truth.pairs, tissue.expression.genes.len(), tissue.cell_types.len());
    assert!(found.sensitivity > 0.95 && found.specificity > 0.99, "{found:?}");

    let set = PictureSet {
        out: folder.path().join("asked"),
        test_size: 20,
        size: 32,
        seed: 1,
        ..PictureSet::default()
    };
    let options = MarkersDataset { set, negatives_each: 1, phrasings: true, ..MarkersDataset::default() };
    let (approved, groups) = (BTreeMap::new(), BTreeMap::new());
    let known = Known {
        tissue: &tissue,
        pairs: &truth.pairs,
        approved: &approved,
        groups: &groups,
        report: Some(&truth.report),
    };
    let report = markers(&options, known, &|_| Ok(()), &|| false, &Silent).unwrap().unwrap();
    assert_eq!(report.splits["test"].genes, 20);
    for split in ["train", "test"] {
        for example in read_examples(&options.set.out.join(format!("{split}.json"))).unwrap() {
            let kind = example.cell_type.as_deref().unwrap();
            let is_marker = marker::parse_label(example.label.as_deref().unwrap()).unwrap();
            let grades = [
                marker::grade_truth(&example.output, &example.subject, kind, is_marker),
                marker::grade_form(&example.output, &example.subject, kind),
            ];
            assert!(grades.iter().all(|grade| grade.score == 1.0), "{}: {grades:?}", example.output);
        }
    }
}
