//! What AlphaFold's database wrote in its releases, in small: files of our own with the categories, columns and records of
//! theirs. Compared were files of releases 1, 3, 4 and 6; what was new is told by the files' own history of revisions:
//!
//! | release | date | new in mmCIF | new in PDB |
//! |---|---|---|---|
//! | 1 | 2021-07 | `_af_target_ref_db_details`; residue numbers of authors 0 in `_struct_conf` in some files | no `MODEL`, "ALPHAFOLD V2.0 PREDICTION FOR", `CRYST1` cut short |
//! | 2, 3 | 2021-12, 2022-06 | `_ma_target_ref_db_details`, templates, the dictionary `mmcif_ma.dic`, DSSP's bends and turns as `BEND`, `TURN_TY1_P` | `MODEL`, "ALPHAFOLD MONOMER V2.0 PREDICTION FOR" |
//! | 4 | 2022-09 | other coordinates, `HELX_LH_PP_P` | |
//! | 5, 6 | 2025-03, 2025-08 | `_struct_ref.pdbx_align_end`, occupancy as `1.00`, more revisions | |

use super::super::*;
use std::path::Path;

/// Six residues of a strand, then a helix by the file's word; none of it is a fold that could be computed.
const RESIDUES: [&str; 6] = ["MET", "ALA", "THR", "LYS", "GLN", "GLY"];
const CONFIDENCE: [f32; 6] = [30.0, 55.5, 70.0, 90.25, 98.88, 49.99];

fn atoms() -> impl Iterator<Item = (usize, &'static str, &'static str, [f32; 3])> {
    (0..RESIDUES.len()).flat_map(|at| {
        [("N", 0.0), ("CA", 1.4), ("C", 2.4), ("O", 2.9)].into_iter().map(move |(name, along)| {
            (
                at,
                name,
                &name[..1],
                [3.8 * at as f32 + along, (at % 2) as f32, if name == "O" { 1.1 } else { 0.0 }],
            )
        })
    })
}

fn mmcif(release: usize) -> String {
    let mut text = "data_AF-P00441-F1\n#\n_entry.id AF-P00441-F1\n#\n".to_owned();
    let (dictionary, group) = match release {
        1 => ("mmcif_pdbx.dic", "AlphaFold model"),
        _ => ("mmcif_ma.dic", "AlphaFold Monomer v2.0 model"),
    };
    text += &format!("_audit_conform.dict_name     {dictionary}\n#\n");
    text += "_entity.id                       1\n_entity.pdbx_description         \"Superoxide dismutase [Cu-Zn]\"\n";
    text += "_entity.type                     polymer\n#\n";
    text += "_entity_poly.entity_id 1\n_entity_poly.type polypeptide(L)\n_entity_poly.pdbx_seq_one_letter_code \n;MATKQG\n;\n#\n";
    text += &format!("_ma_model_list.model_group_name \"{group}\"\n#\n");
    text += "loop_\n_ma_qa_metric.id\n_ma_qa_metric.mode\n_ma_qa_metric.name\n_ma_qa_metric.software_group_id\n\
             _ma_qa_metric.type\n1 global pLDDT 1 pLDDT \n2 local  pLDDT 1 pLDDT \n#\n";
    match release {
        1 => text += "_af_target_ref_db_details.gene SOD1\n#\n",
        _ => {
            text += "_ma_target_ref_db_details.db_accession   P00441\n_ma_target_ref_db_details.db_code        SODC_HUMAN\n\
                     _ma_target_ref_db_details.db_name        UNP\n_ma_target_ref_db_details.gene_name      SOD1\n#\n";
        }
    }
    let revisions = ["2021-07-01", "2021-12-09", "2022-06-01", "2022-09-30", "2025-03-31", "2025-08-01"];
    text += "loop_\n_pdbx_audit_revision_history.data_content_type\n_pdbx_audit_revision_history.major_revision\n\
             _pdbx_audit_revision_history.revision_date\n";
    for (at, date) in revisions.iter().enumerate().take(release) {
        text += &format!("\"Structure model\" {} {date} \n", at + 1);
    }
    text += "#\nloop_\n_struct_conf.beg_auth_asym_id\n_struct_conf.beg_auth_comp_id\n_struct_conf.beg_auth_seq_id\n\
             _struct_conf.beg_label_asym_id\n_struct_conf.beg_label_comp_id\n_struct_conf.beg_label_seq_id\n\
             _struct_conf.conf_type_id\n_struct_conf.end_auth_asym_id\n_struct_conf.end_auth_comp_id\n\
             _struct_conf.end_auth_seq_id\n_struct_conf.end_label_asym_id\n_struct_conf.end_label_comp_id\n\
             _struct_conf.end_label_seq_id\n_struct_conf.id\n_struct_conf.pdbx_beg_PDB_ins_code\n\
             _struct_conf.pdbx_end_PDB_ins_code\n";
    let mut rows = vec![(1, 2, "STRN"), (4, 5, "HELX_RH_AL_P")];
    match release {
        1 => {}
        2 | 3 => rows.push((3, 3, "BEND")),
        _ => rows.push((3, 3, "HELX_LH_PP_P")),
    }
    for (number, (from, to, kind)) in rows.iter().enumerate() {
        let author = |residue: &usize| if release == 1 { 0 } else { *residue };
        let name = |residue: &usize| RESIDUES[residue - 1];
        text += &format!(
            "A {} {} A {} {from} {kind} A {} {} A {} {to} {kind}{} ? ? \n",
            name(from),
            author(from),
            name(from),
            name(to),
            author(to),
            name(to),
            number + 1
        );
    }
    text += "#\n_struct_ref.db_code SODC_HUMAN\n_struct_ref.db_name UNP\n_struct_ref.entity_id 1\n_struct_ref.pdbx_align_begin 1\n";
    if release >= 5 {
        text += "_struct_ref.pdbx_align_end 6\n";
    }
    text += "_struct_ref.pdbx_db_accession P00441\n_struct_ref.pdbx_db_isoform ?\n#\nloop_\n";
    for column in "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_entity_id \
                   label_seq_id pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv pdbx_formal_charge \
                   auth_seq_id auth_comp_id auth_asym_id auth_atom_id pdbx_PDB_model_num pdbx_sifts_xref_db_acc \
                   pdbx_sifts_xref_db_name pdbx_sifts_xref_db_num pdbx_sifts_xref_db_res"
        .split_whitespace()
    {
        text += &format!("_atom_site.{column}\n");
    }
    let occupancy = if release >= 5 { "1.00" } else { "1.0" };
    for (serial, (at, name, element, [x, y, z])) in atoms().enumerate() {
        let (residue, number, confidence) = (RESIDUES[at], at + 1, CONFIDENCE[at]);
        text += &format!(
            "ATOM {} {element} {name} . {residue} A 1 {number} ? {x:.3} {y:.3} {z:.3} {occupancy} {confidence:.2} ? \
             {number} {residue} A {name} 1 P00441 UNP {number} X \n",
            serial + 1
        );
    }
    text + "#\n"
}

fn pdb(release: usize) -> String {
    let date = ["01-JUL-21", "09-DEC-21", "01-JUN-22", "30-SEP-22", "31-MAR-25", "01-AUG-25"][release - 1];
    let mut text = format!("HEADER                                            {date}\n");
    let monomer = if release == 1 { "" } else { "MONOMER " };
    text += &format!(
        "TITLE     ALPHAFOLD {monomer}V2.0 PREDICTION FOR SUPEROXIDE DISMUTASE [CU-ZN]\nTITLE    2 (P00441)\n"
    );
    text += "COMPND    MOL_ID: 1;\nCOMPND   2 MOLECULE: SUPEROXIDE DISMUTASE [CU-ZN];\nCOMPND   3 CHAIN: A\n";
    text += "DBREF  XXXX A    1     6  UNP    P00441   SODC_HUMAN       1      6\n";
    text += "SEQRES   1 A    6  MET ALA THR LYS GLN GLY\n";
    match release {
        1 => text += "CRYST1    1.000    1.000    1.000  90.00\n",
        _ => {
            text +=
                "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1\nMODEL        1\n";
        }
    }
    for (serial, (at, name, element, [x, y, z])) in atoms().enumerate() {
        text += &format!(
            "ATOM  {:5}  {name:<3} {} A{:4}    {x:8.3}{y:8.3}{z:8.3}  1.00{:6.2}          {element:>2}\n",
            serial + 1,
            RESIDUES[at],
            at + 1,
            CONFIDENCE[at]
        );
    }
    text += "TER      25      GLY A   6\n";
    if release > 1 {
        text += "ENDMDL\n";
    }
    text + "END\n"
}

#[test]
fn every_release_is_read_alike() {
    use Secondary::{Coil, Helix, Strand};
    for release in 1..=6 {
        for (ending, text) in [("cif", mmcif(release)), ("pdb", pdb(release))] {
            let path = format!("AF-P00441-F1-model_v{release}.{ending}");
            let (structure, notes) =
                read_bytes(Path::new(&path), text.as_bytes(), &ReadOptions::default()).unwrap();
            assert_eq!(structure.id, "AF-P00441-F1", "{path}");
            assert!(structure.predicted && structure.models == 1, "{path}");
            assert_eq!(structure.sequence("A").as_deref(), Some("MATKQG"), "{path}");
            let confidence: Vec<f32> = structure.chains[0].residues.iter().map(|r| r.b_factor).collect();
            assert_eq!(confidence, CONFIDENCE, "{path}");
            let name = &notes.name;
            assert_eq!(name.accession.as_ref().map(|a| a.to_string()).as_deref(), Some("P00441"), "{path}");
            assert_eq!((name.fragment, name.version), (Some(1), Some(release as u32)), "{path}");
            assert_eq!(name.entry_name.as_deref(), Some("SODC_HUMAN"), "{path}");
            let molecule = name.molecule.as_deref().unwrap_or_default();
            assert!(molecule.eq_ignore_ascii_case("Superoxide dismutase [Cu-Zn]"), "{path}: {molecule}");
            assert!(notes.skipped.reasons.is_empty() && notes.left_out.is_empty(), "{path}: {notes:?}");
            if ending == "cif" {
                let states: Vec<Secondary> =
                    structure.chains[0].residues.iter().map(|r| r.secondary).collect();
                assert_eq!(states, [Strand, Strand, Coil, Helix, Helix, Coil], "{path}");
                assert_eq!(notes.secondary, SecondaryFrom::File, "{path}");
            }
            // Without the file's name the file itself tells the same, but for its release.
            let (unnamed, notes) =
                read_bytes(Path::new("model"), text.as_bytes(), &ReadOptions::default()).unwrap();
            assert!(unnamed.predicted, "{path}");
            assert_eq!(notes.name.accession, name.accession, "{path}");
        }
    }
}
