//! No parser panics, whatever it is given: arbitrary bytes, and real-looking tables with damage done to them.
#![allow(clippy::unwrap_used, reason = "test code outside test functions")]

use std::io::{BufReader, Cursor};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use geneverse_data::dataset::read_examples;
use geneverse_data::gene::HUMAN;
use geneverse_data::ontology::Builder;
use geneverse_data::sources::ontology::OntologyRow;
use geneverse_data::sources::{
    Reading, annotations, gene_info, gpi, hgnc, id_mapping, ontology, records, summaries,
};
use geneverse_data::stage::FileError;
use proptest::prelude::*;

const HGNC: &[u8] = b"hgnc_id\tsymbol\tname\tlocus_group\tlocus_type\tstatus\tlocation\talias_symbol\tprev_symbol\tgene_group\tentrez_id\tensembl_gene_id\tuniprot_ids\tmgd_id\trgd_id\tomim_id\n\
HGNC:4317\tGLI1\tGLI family zinc finger 1\tprotein-coding gene\tgene with protein product\tApproved\t12q13.3\t\tGLI\tZinc fingers C2H2-type\t2735\tENSG00000111087\tP08151\tMGI:95727\tRGD:621673\t165220\n\
HGNC:32864\tMIR608\tmicroRNA 608\tnon-coding RNA\tRNA, micro\tApproved\t10q24.31\t\"hsa-mir-608|MIR-608\"\tMIRN608\tMicroRNAs\t693193\tENSG00000207551\t\t\t\t\n";
const GENE_INFO: &[u8] = b"#tax_id\tGeneID\tSymbol\tLocusTag\tSynonyms\tdbXrefs\tchromosome\tmap_location\tdescription\ttype_of_gene\n\
9606\t2735\tGLI1\t-\tGLI|PAPA8|PPD1\tMIM:165220|HGNC:HGNC:4317|Ensembl:ENSG00000111087\t12\t12q13.3\tGLI family zinc finger 1\tprotein-coding\n";
const SUMMARIES: &[u8] =
    b"symbol\tGene_ID\tsummary\nGLI1\t2735\tA transcription factor. [provided by RefSeq, Jul 2008]\n";
const RECORDS: &[u8] = b"{\"symbol\":\"GLI1\",\"name\":\"GLI family zinc finger 1\",\"kind\":\"protein_coding\",\"ensembl_id\":\"ENSG00000111087\"}\n";
const OBO: &[u8] = b"format-version: 1.2\ndefault-namespace: biological_process\n\n[Term]\nid: GO:0000018\nname: regulation \\{x\\} {a=\"b\"} ! c\nalt_id: GO:0000099\nis_a: GO:0051052 ! d\nrelationship: regulates GO:0006310\n\n[Term]\nid: GO:0000005\nname: obsolete \\\n x\nis_obsolete: true\nreplaced_by: GO:0000018\n\n[Typedef]\nid: part_of\n";
const TERMS: &[u8] = b"go_id\tname\taspect\tis_obsolete\tparents\nGO:0000018\tregulation\tP\t0\tGO:0051052|GO:0000019\nGO:0000019\tx\t-\t1\t\n";
const RELATIONS: &[u8] = b"GO:0051052\tGO:0000018\tis_a\tbiological_process\nGO:0000018\tGO:0051052\tpart_of\tbiological_process\n";
const GAF: &[u8] = b"!gaf-version: 2.2\nUniProtKB\tP08151\tGLI1\tNOT|involved_in\tGO:0007224\tPMID:1\tIDA\t\tP\tname\tGLI|GLI2\tprotein\ttaxon:9606|taxon:1\t20200101\tUniProt\t\t\n\
UniProtKB\tP08151\tGLI1\tlocated_in\tGO:0005634\tPMID:1\tIEA\t\tC\tname\tGLI\tprotein\ttaxon:9606\t20200101\tUniProt\t\t\n";
const GPAD: &[u8] = b"!gpad-version: 2.0\nUniProtKB:P08151\t\tRO:0002331\tGO:0007224\tPMID:1\tECO:0000314\t\t\t2020-01-01\tUniProt\t\t\n";
const GENE2GO: &[u8] = b"#tax_id\tGeneID\tGO_ID\tEvidence\tQualifier\tGO_term\tPubMed\tCategory\n9606\t2735\tGO:0007224\tIDA\tinvolved_in\tx\t1\tProcess\n";
const TABLE: &[u8] = b"GLI1\tGO:0007224|GO:0005634\nP08151\tGO:0007224\n";
const GPI: &[u8] = b"!gpi-version: 1.2\n!namespace: UniProtKB\nUniProtKB\tP08151\tGLI1\tname\tGLI\tprotein\ttaxon:9606\tUniProtKB:P1\tHGNC:4317\tx=y\n";
const ID_MAPPING: &[u8] =
    b"P08151\tUniProtKB-ID\tGLI1_HUMAN\nP08151\tGeneID\t2735\nP08151-2\tHGNC\tHGNC:4317\n";
const EXAMPLES: &[u8] = b"[{\"instruction\":\"a\",\"output\":\"b\"},\n{\"instruction\":\"c\",\"input\":\"d\",\"output\":\"e\"}]\n";

/// Runs every table parser; what comes back must add up.
fn parse_all(bytes: &[u8]) -> Result<(), TestCaseError> {
    let path = Path::new("any");
    let reader = || Box::new(BufReader::new(Cursor::new(bytes.to_vec())));
    let mut builder = Builder::default();
    let mut records_seen = [0; 8];
    let readings: [Result<Reading, FileError>; 8] = [
        hgnc::parse(path, reader(), |_| records_seen[0] += 1),
        gene_info::parse(path, reader(), HUMAN, |_| records_seen[1] += 1),
        summaries::parse(path, reader(), HUMAN, |_| records_seen[2] += 1),
        records::parse(path, reader(), |_, _| records_seen[3] += 1),
        ontology::parse(path, reader(), |row| {
            records_seen[4] += 1;
            match row {
                OntologyRow::Term(term) => _ = builder.term(term, 0),
                OntologyRow::Relation(relation) => builder.relation(relation, 0),
            }
        }),
        annotations::parse(path, reader(), HUMAN, |_| records_seen[5] += 1),
        gpi::parse(path, reader(), HUMAN, |_| records_seen[6] += 1),
        id_mapping::parse(path, reader(), |_| records_seen[7] += 1),
    ];
    for (reading, seen) in readings.into_iter().zip(records_seen) {
        match reading {
            Ok(reading) => {
                prop_assert_eq!(reading.used, seen);
                prop_assert_eq!(reading.rows, reading.used + reading.skipped.total);
            }
            Err(error) => prop_assert!(error.to_string().starts_with("any:")),
        }
    }
    let (ontology, _) = builder.finish();
    for (place, term) in ontology.terms().iter().enumerate() {
        prop_assert_eq!(ontology.place(term.id), Some(place));
        prop_assert!(!ontology.ancestors(place).contains(&place));
    }
    Ok(())
}

/// Reads the bytes as a file, as they are and cut out of a gzip.
fn read_as_file(bytes: &[u8], cut: usize) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("any.gz");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut packed, bytes).unwrap();
    let packed = packed.finish().unwrap();
    for bytes in [bytes, &packed, &packed[..packed.len().saturating_sub(cut)]] {
        std::fs::write(&path, bytes).unwrap();
        let _ = read_examples(&path);
        let _ = hgnc::read(&path, |_| {});
    }
    Ok(())
}

/// One change to some bytes.
#[derive(Debug, Clone)]
enum Damage {
    Overwrite(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Cut(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<prop::sample::Index>;
    let telling = prop::sample::select(vec![
        "\t",
        "\n",
        "\r\n",
        "\"",
        "|",
        "-",
        "#",
        "\u{feff}",
        ":",
        "é",
        "[",
        "{",
        "\0",
        "\\",
        "!",
        "NOT|",
        "GO:0000018",
    ]);
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Overwrite(at, byte)),
        (place(), telling).prop_map(|(at, text)| Damage::Insert(at, text.as_bytes().to_vec())),
        (place(), prop::collection::vec(any::<u8>(), 1..6)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (place(), 1usize..30).prop_map(|(at, count)| Damage::Remove(at, count)),
        (place(), 1usize..60).prop_map(|(at, count)| Damage::Repeat(at, count)),
        place().prop_map(Damage::Cut),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: Damage) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match damage {
        Damage::Overwrite(at, byte) => bytes[at.index(length)] = byte,
        Damage::Insert(at, new) => {
            let at = at.index(length);
            bytes.splice(at..at, new);
        }
        Damage::Remove(at, count) => {
            let at = at.index(length);
            bytes.drain(at..length.min(at + count));
        }
        Damage::Repeat(at, count) => {
            let at = at.index(length);
            let piece = bytes[at..length.min(at + count)].to_vec();
            bytes.splice(at..at, piece);
        }
        Damage::Cut(at) => bytes.truncate(at.index(length)),
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        parse_all(&bytes)?;
    }

    #[test]
    fn damaged_tables(
        table in prop::sample::select(vec![
            HGNC, GENE_INFO, SUMMARIES, RECORDS, EXAMPLES, OBO, TERMS, RELATIONS, GAF, GPAD, GENE2GO, TABLE, GPI,
            ID_MAPPING,
        ]),
        damages in prop::collection::vec(damage(), 0..8),
    ) {
        let mut bytes = table.to_vec();
        for damage in damages {
            apply(&mut bytes, damage);
        }
        parse_all(&bytes)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_files(
        table in prop::sample::select(vec![HGNC, EXAMPLES]),
        damages in prop::collection::vec(damage(), 0..4),
        cut in 0usize..60,
    ) {
        let mut bytes = table.to_vec();
        for damage in damages {
            apply(&mut bytes, damage);
        }
        read_as_file(&bytes, cut)?;
    }
}

const PDB: &str = "HEADER    X                                       01-JAN-00   1XXX\n\
DBREF  1XXX A    1   129  UNP    P00698   LYSC_CHICK      1    129\n\
HELIX    1   1 ALA A    1  GLY A    2  1                                   2\n\
ATOM      1  N   ALA A   1       0.000   0.000   0.000  1.00 10.00           N\n\
ATOM      2  CA AALA A   1A      1.400   0.000   0.000  0.50 10.00           C\n\
HETATM    3  CA  MSE A   2       3.800   0.000   0.000  1.00 10.00           C\n\
MODEL        2\nENDMDL\nTER\n";
const MMCIF: &str = "data_x\n_entry.id '1X X'\n_struct.title\n;two\nlines\n;\nloop_\n_atom_site.label_atom_id\n\
_atom_site.label_comp_id\n_atom_site.label_seq_id\n_atom_site.Cartn_x\n_atom_site.Cartn_y\n_atom_site.Cartn_z\n\
CA ALA 1 0 0 0\n\"CA\" GLY 2 3.8 0(1) .\nCA SER 3 7.6 0 0\n# end\n";

proptest! {
    #[test]
    fn structure_files_with_damage_never_panic(
        mmcif in any::<bool>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
        tail in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        use geneverse_data::structure::{ReadOptions, SecondaryWanted, read_bytes};
        let mut bytes = if mmcif { MMCIF } else { PDB }.as_bytes().to_vec();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1).max(8));
        bytes.extend(tail);
        let options = ReadOptions { model: None, secondary: SecondaryWanted::Computed };
        match read_bytes(Path::new("any"), &bytes, &options) {
            Ok((structure, _)) => prop_assert!(structure.residue_count() > 0),
            Err(error) => prop_assert!(error.to_string().starts_with("any:")),
        }
    }
}

const MTX: &str = "%%MatrixMarket matrix coordinate integer general\n%metadata_json: {}\n3 4 5\n1 1 2\n3 1 1\n2 2 7\n1 4 1\n3 4 9\n";
const CELLS: &str = "cell_id,x_centroid,y_centroid,cell_type,KDR,CD3E\na,1.5,2,T cell,0,3\nb,2.5,2,\"B, naive\",1,0\nc,,7,T cell,2,1\n";
const TRANSCRIPTS: &str = "transcript_id,cell_id,feature_name,x_location,y_location,z_location,qv\n\
1,a,KDR,1.0,2.0,0.5,30.1\n2,a,KDR,1.5,2.0,0.5,12.0\n3,b,BLANK_1,4.0,2.0,0.5,40\n4,UNASSIGNED,CD3E,4.0,2.5,0.1,40\n";

/// The tissue that files of a folder give must hold together, whatever is in them.
fn tissue_of(files: &[(&str, &[u8])], data: &str, cells: Option<&str>) -> Result<(), TestCaseError> {
    use geneverse_data::tissue::{Inputs, UNLABELLED, read};
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let at = |name: &str| folder.path().join(name);
    let inputs = Inputs { data: at(data), cells: cells.map(at), unplaced: true, ..Inputs::default() };
    match read(&inputs) {
        Ok((tissue, readings)) => {
            let (count, expression) = (tissue.cells.len(), &tissue.expression);
            prop_assert_eq!((tissue.places.len(), tissue.types.len()), (count, count));
            prop_assert_eq!(expression.starts.len(), expression.genes.len() + 1);
            prop_assert_eq!(expression.starts.last(), Some(&expression.values.len()));
            prop_assert!(expression.starts.is_sorted());
            prop_assert!(expression.cells.iter().all(|cell| (*cell as usize) < count));
            let known = tissue.cell_types.len();
            prop_assert!(tissue.types.iter().all(|kind| *kind == UNLABELLED || (*kind as usize) < known));
            prop_assert!(readings.iter().all(|file| file.reading.used <= file.reading.rows));
        }
        Err(error) => {
            let error = error.to_string();
            prop_assert!(error.contains(&*folder.path().to_string_lossy()), "names no file: {}", error);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn matrices_and_tables_of_cells_with_damage_never_panic(
        which in 0_usize..4,
        packed in any::<bool>(),
        damages in prop::collection::vec(damage(), 0..6),
        cut in 0_usize..40,
    ) {
        let mut bytes = [MTX, CELLS, TRANSCRIPTS, CELLS][which].as_bytes().to_vec();
        for damage in damages {
            apply(&mut bytes, damage);
        }
        if packed {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            std::io::Write::write_all(&mut gzip, &bytes).unwrap();
            bytes = gzip.finish().unwrap();
            bytes.truncate(bytes.len().saturating_sub(cut).max(1));
        }
        let names: [(&str, &[u8]); 2] =
            [("genes.tsv", b"E1\tKDR\nE2\tCD3E\nE3\tVWF\n"), ("barcodes.tsv", b"a\nb\nc\nd\n")];
        match which {
            0 => tissue_of(&[("matrix.mtx", &bytes), names[0], names[1]], "matrix.mtx", None)?,
            1 | 2 => tissue_of(&[("any.csv", &bytes)], "any.csv", None)?,
            _ => tissue_of(&[("counts.csv", b"cell_id,KDR\na,1\nb,2\n"), ("any.csv", &bytes)], "counts.csv", Some("any.csv"))?,
        }
    }
}
