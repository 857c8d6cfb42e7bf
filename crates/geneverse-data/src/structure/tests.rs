//! Structure files of every kind, made here: what is read, what is skipped, what is an error.

use std::io::Write as _;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};

use super::*;

mod alphafold;

fn of(text: &str) -> Result<(Structure, Notes), String> {
    read_bytes(Path::new("x.pdb"), text.as_bytes(), &ReadOptions::default()).map_err(|e| e.to_string())
}

/// An atom's record of a PDB file.
fn atom(
    record: &str,
    name: &str,
    alternate: char,
    residue: &str,
    chain: char,
    number: &str,
    at: [f32; 3],
) -> String {
    let [x, y, z] = at;
    let name = if name.len() < 4 { format!(" {name:<3}") } else { name.to_owned() };
    format!(
        "{record:<6}    1 {name}{alternate}{residue:>3} {chain}{number:<5}   {x:8.3}{y:8.3}{z:8.3}  1.00 10.00\n"
    )
}

fn residue(number: i32, name: &str, x: f32) -> String {
    let number = format!("{number:>4} ");
    [("N", x), ("CA", x + 1.4), ("C", x + 2.4), ("O", x + 2.5)]
        .map(|(atom_name, x)| atom("ATOM", atom_name, ' ', name, 'A', &number, [x, 0.0, 0.0]))
        .concat()
}

#[test]
fn gaps_insertions_and_modified_residues() {
    let mut text = residue(1, "ALA", 0.0) + &residue(2, "MSE", 3.8).replace("ATOM  ", "HETATM");
    text += &residue(5, "GLY", 30.0);
    text += &residue(5, "SER", 33.8).replace("A   5 ", "A   5A");
    text += "TER\n";
    text += &residue(201, "GLY", 60.0).replace("ATOM  ", "HETATM");
    text += &atom("HETATM", "O", ' ', "HOH", 'A', " 301 ", [1.0, 1.0, 1.0]);
    let (structure, notes) = of(&text).unwrap();
    assert_eq!(structure.sequence("A").as_deref(), Some("AMGS"));
    let residues = &structure.chains[0].residues;
    let joined: Vec<bool> = residues.iter().map(|r| r.joined).collect();
    assert_eq!(joined, [false, true, false, true]);
    assert_eq!((residues[3].number, residues[3].insertion), (5, Some('A')));
    let left: Vec<_> = notes.left_out.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(left, [("GLY", 1), ("water", 1)]);
    assert_eq!((structure.sequence("B"), structure.models), (None, 1));
}

#[test]
fn one_alternate_location_is_taken_for_the_whole_residue() {
    let at = |x| [x, 0.0, 0.0];
    let with = |row: String, occupancy: &str| row.replace("  1.00 10.00", &format!("  {occupancy} 10.00"));
    let mut text = with(atom("ATOM", "N", 'A', "SER", 'A', "   1 ", at(0.0)), "0.40");
    text += &with(atom("ATOM", "N", 'B', "THR", 'A', "   1 ", at(0.5)), "0.60");
    text += &with(atom("ATOM", "CA", 'A', "SER", 'A', "   1 ", at(1.0)), "0.40");
    text += &with(atom("ATOM", "CA", 'B', "THR", 'A', "   1 ", at(1.5)), "0.60");
    text += &with(atom("ATOM", "CA", 'A', "GLY", 'A', "   2 ", at(4.0)), "0.50");
    text += &with(atom("ATOM", "CA", 'B', "GLY", 'A', "   2 ", at(4.5)), "0.50");
    let (structure, _) = of(&text).unwrap();
    let residues = &structure.chains[0].residues;
    assert_eq!(
        (residues[0].name.as_str(), residues[0].n, residues[0].trace),
        ("THR", Some(at(0.5)), Some(at(1.5)))
    );
    assert_eq!(residues[1].trace, Some(at(4.0)));
}

#[test]
fn the_first_model_or_the_one_asked_for() {
    let model = |number: i32, x: f32| format!("MODEL {number:>8}\n{}ENDMDL\n", residue(1, "ALA", x));
    let text = model(3, 0.0) + &model(7, 50.0);
    let asked = |model| {
        let options = ReadOptions { model, ..ReadOptions::default() };
        read_bytes(Path::new("x.pdb"), text.as_bytes(), &options)
            .map(|(s, _)| (s.models, s.chains[0].residues[0].n))
    };
    assert_eq!(asked(None).unwrap(), (2, Some([0.0, 0.0, 0.0])));
    assert_eq!(asked(Some(7)).unwrap(), (2, Some([50.0, 0.0, 0.0])));
    assert_eq!(
        asked(Some(1)).unwrap_err().to_string(),
        "x.pdb: has models 3 to 7, not the model 1 that was asked for"
    );
}

#[test]
fn any_line_end_and_short_lines() {
    let text = residue(1, "ALA", 0.0) + &residue(2, "GLY", 3.8);
    let plain = of(&text).unwrap().0;
    for end in ["\r\n", "\r"] {
        assert_eq!(of(&text.replace('\n', end)).unwrap().0, plain);
    }
    // Without occupancy, temperature factor and element.
    let short: String = text.lines().map(|line| format!("{}\n", &line[..54])).collect();
    let structure = of(&short).unwrap().0;
    assert_eq!(
        (structure.sequence("A").as_deref(), structure.chains[0].residues[0].b_factor),
        (Some("AG"), 0.0)
    );
}

#[test]
fn numbers_beyond_the_columns_and_chains_without_names() {
    let text = residue(1, "ALA", 0.0).replace("A   1 ", " A000 ")
        + &residue(1, "GLY", 3.8).replace("A   1 ", " A001 ");
    let (structure, _) = of(&text).unwrap();
    assert_eq!(structure.chains[0].residues.iter().map(|r| r.number).collect::<Vec<_>>(), [10_000, 10_001]);
    // The numbers begin again: another chain.
    let chain = (residue(1, "ALA", 0.0) + &residue(2, "GLY", 3.8)).replace(" A ", "   ");
    let (structure, _) = of(&(chain.clone() + &chain)).unwrap();
    assert_eq!(structure.chains.len(), 2);
}

#[test]
fn bad_atoms_are_counted_and_bad_files_are_told() {
    let text = residue(1, "ALA", 0.0)
        + &residue(2, "GLY", 3.8).replace("   3.800", "     NaN")
        + "ATOM      9  CA  SER A   3      broken\n";
    let (structure, notes) = of(&text).unwrap();
    assert_eq!(structure.sequence("A").as_deref(), Some("AG"));
    let reasons: Vec<(&str, usize)> = notes.skipped.reasons.iter().map(|(r, n)| (r.as_str(), *n)).collect();
    assert_eq!(
        reasons,
        [
            ("a coordinate is not a finite number", 1),
            ("an atom without three coordinates in columns 31 to 54", 1)
        ]
    );
    for (text, error) in [
        ("", "x.pdb: is empty, expected a PDB or mmCIF file"),
        ("HEADER    X\nEND\n", "x.pdb: holds no atom, expected coordinates of a protein or a nucleic acid"),
        (
            "a,b\n1,2\n",
            "x.pdb: begins with \"a,b\", expected a PDB file (HEADER, ATOM, …) or an mmCIF file (data_…); other formats \
             can be converted by the PDB's or your modelling program",
        ),
        (
            "data_x\nloop_\n_atom_site.id\n_atom_site.label_atom_id\n1 CA\n",
            "x.pdb:5: the loop of atoms has no column _atom_site.label_comp_id, expected one",
        ),
        (
            "data_x\n_struct.title 'no end\n",
            "x.pdb:2: _struct.title has a quote or a text field that does not end: the file looks cut off, fetch it again",
        ),
        (
            "data_x\n_struct.title\n;no end\n",
            "x.pdb:4: _struct.title has a quote or a text field that does not end: the file looks cut off, fetch it again",
        ),
    ] {
        assert_eq!(of(text).unwrap_err(), error);
    }
    let ligand = atom("HETATM", "C1", ' ', "LIG", 'A', "   1 ", [0.0; 3]);
    assert_eq!(
        of(&ligand).unwrap_err(),
        "x.pdb: holds 1 atoms but no residue of a protein or a nucleic acid (1 × LIG), expected at least one"
    );
    let all_nan = residue(1, "GLY", 3.8).replace("   0.000", "     nan");
    assert!(of(&all_nan).unwrap_err().contains("line 1: a coordinate is not a finite number: GLY"));
}

const CIF: &str = "data_x
_entry.id 1ABC
_exptl.method 'X-RAY DIFFRACTION'
_struct.title
;Of two
lines
;
loop_
_entity.pdbx_description
_entity.type
\"a 5'-end binding protein\" polymer
water water
loop_
_atom_site.Cartn_z
_atom_site.Cartn_y
_atom_site.Cartn_x
_atom_site.label_atom_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_seq_id
_atom_site.auth_asym_id
_atom_site.auth_seq_id
_atom_site.group_PDB
_atom_site.B_iso_or_equiv
0 0 1.0(3) CA SER A 1 X 11 ATOM 5
0 0 4.8 'CA' \"MSE\" A 2 X 12 HETATM ?
# a comment
0 0 8.6 CA THR A 3 X 13 ATOM .
1 1 1.0 O HOH B . X 201 HETATM 5
1 1 1.0 CA CA C . X 202 HETATM 5
_struct_conf.conf_type_id HELX_P
_struct_conf.beg_label_asym_id A
_struct_conf.beg_label_seq_id 2
_struct_conf.end_label_seq_id 9
";

#[test]
fn mmcif_with_quotes_comments_and_columns_in_any_order() {
    let (structure, notes) = of(CIF).unwrap();
    assert_eq!(
        (structure.id.as_str(), structure.title.as_deref()),
        ("1ABC", Some("a 5'-end binding protein"))
    );
    assert_eq!((notes.format, notes.secondary), (Format::Mmcif, SecondaryFrom::File));
    let chain = &structure.chains[0];
    assert_eq!((chain.id.as_str(), chain.sequence().as_str()), ("X", "SMT"));
    assert_eq!(chain.residues.iter().map(|r| r.number).collect::<Vec<_>>(), [11, 12, 13]);
    assert_eq!(chain.residues[1].trace, Some([4.8, 0.0, 0.0]));
    assert!(chain.residues[1].joined && chain.residues[2].joined);
    let states: Vec<Secondary> = chain.residues.iter().map(|r| r.secondary).collect();
    assert_eq!(states, [Secondary::Coil, Secondary::Helix, Secondary::Helix]);
    assert_eq!(notes.left_out.get("CA"), Some(&1));
    let crlf = CIF.replace('\n', "\r\n");
    assert_eq!(of(&crlf).unwrap().0, structure);
    assert_eq!(of(&CIF.replace('\n', "\r")).unwrap().0, structure);
    // Cut off in the middle of a row.
    let cut = &CIF[..CIF.find("X 13 ATOM").unwrap()];
    assert_eq!(
        of(cut).unwrap_err(),
        "x.pdb:28: the last row of _atom_site.cartn_z has 7 of 11 values: the file looks cut off, fetch it again"
    );
}

#[test]
fn bytes_that_are_no_text() {
    let mut bytes = b"TITLE     CAF\xc9\n".to_vec();
    bytes.extend(residue(1, "ALA", 0.0).bytes());
    bytes.extend(b"ATOM      9  CA \xff\xfeSER A   3       1.000   1.000   1.000\n");
    let (structure, notes) = read_bytes(Path::new("x"), &bytes, &ReadOptions::default()).unwrap();
    assert_eq!(structure.sequence("A").as_deref(), Some("A"));
    assert_eq!(notes.skipped.reasons.get("an atom's record is not UTF-8"), Some(&1));
}

#[test]
fn gzip_is_told_by_content_and_a_truncated_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("AF-P12345-F2-model_v4.pdb");
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    let text: String = (0..50).map(|k| residue(k, "ALA", 3.8 * k as f32)).collect();
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    std::fs::write(&path, &packed).unwrap();
    let (structure, notes) = read(&path).unwrap();
    assert_eq!(
        (structure.id.as_str(), structure.predicted, structure.residue_count()),
        ("AF-P12345-F2", true, 50)
    );
    assert_eq!((notes.name.fragment, notes.name.version), (Some(2), Some(4)));
    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(
        error.ends_with("ends in the middle of its compressed data: it looks truncated, fetch it again"),
        "{error}"
    );
}

#[test]
fn a_million_atoms_take_a_few_seconds() {
    let mut text = String::new();
    for k in 0..250_000 {
        // A coil through space, numbers that wrap as simulations write them.
        let (turn, rise) = (k as f32 * 0.3, (k % 5_000) as f32 * 0.15);
        let row = residue(k % 10_000, "ALA", rise);
        text += &row.replace(
            "   0.000   0.000",
            &format!("{:8.3}{:8.3}", 12.0 * turn.cos(), (k / 5_000) as f32 * 20.0),
        );
    }
    let begun = std::time::Instant::now();
    let (structure, _) = of(&text).unwrap();
    println!("a million atoms: {:.2} s", begun.elapsed().as_secs_f64());
    assert_eq!((structure.residue_count(), structure.chains.len()), (250_000, 25));
    assert!(begun.elapsed().as_secs() < 60);
}
