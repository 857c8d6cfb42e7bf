//! Structure files as they are found, where they are: `../shared/data/structures` beside the project. What each gives, the
//! coordinates and confidences of two AlphaFold models, DSSP's word, and the depositors'.
#![allow(
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that says why it is skipped"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use geneverse_data::structure::{
    ReadOptions, Secondary, SecondaryFrom, SecondaryWanted, Structure, calpha, dssp, read, read_with,
};

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/structures");
    if !folder.is_dir() {
        println!("skipped: ../shared/data/structures is not here");
        return None;
    }
    Some(folder)
}

fn computed(path: &Path) -> Structure {
    let options = ReadOptions { secondary: SecondaryWanted::Computed, ..ReadOptions::default() };
    read_with(path, &options).unwrap().0
}

#[test]
fn every_file_gives_what_it_holds_or_says_why_not() {
    use SecondaryFrom::{Calpha, File, HydrogenBonds, None as Nothing};
    let Some(folder) = folder() else { return };
    // Chains with residues; models; where secondary structure is from; residues or atoms skipped.
    let expected: &[(&str, &str, usize, SecondaryFrom, usize)] = &[
        ("1aki.cif", "A:129", 1, File, 0),
        ("1aki.pdb", "A:129", 1, File, 0),
        ("1dix.cif", "A:208", 1, File, 0),
        ("1dix.pdb", "A:208", 1, File, 0),
        ("1f2n.pdb", "A:189 B:189 C:212", 1, File, 0),
        ("1l2y.cif", "A:20", 38, File, 0),
        ("1l2y.pdb", "A:20", 38, File, 0),
        ("1lzh.pdb.gz", "A:129 B:129", 1, Calpha, 0),
        ("1orc.pdb", "A:64", 1, File, 0),
        ("1ubq.cif", "A:76", 1, File, 0),
        ("1ubq.pdb", "A:76", 1, HydrogenBonds, 0),
        ("2axd.pdb", "S:76", 12, File, 0),
        ("3o5r.cif", "A:128", 1, File, 0),
        ("3o5r.pdb", "A:128", 1, File, 0),
        ("4gxy.pdb", "A:163", 1, Nothing, 0),
        ("4hhh_frag.pdb", "C:6 D:7", 1, HydrogenBonds, 0),
        ("5ugo.cif", "T:16 P:11 D:5 A:326", 1, File, 0),
        ("AF-Q96HM7-F1-model_v4.pdb", "A:432", 1, HydrogenBonds, 0),
        ("O15552.cif", "A:330", 1, File, 0),
        ("Q7Z6M3.cif", "A:343", 1, File, 0),
        ("Q7Z6M3.pdb", "A:343", 1, HydrogenBonds, 0),
        ("altloc.cif", "A:1", 1, HydrogenBonds, 0),
        ("insertion_codes.pdb", "A:1", 1, Calpha, 2),
        ("nucleic.pdb", "B:2", 1, Nothing, 0),
        ("pdb1gdr.ent", ":105", 1, File, 0),
        ("res_ids.cif", "A:3", 1, HydrogenBonds, 0),
    ];
    for (file, chains, models, secondary, skipped) in expected {
        let (structure, notes) = read(&folder.join(file)).unwrap();
        let found: Vec<String> =
            structure.chains.iter().map(|c| format!("{}:{}", c.id, c.residues.len())).collect();
        assert_eq!(&found.join(" "), chains, "{file}");
        assert_eq!(
            (structure.models, notes.secondary, notes.skipped.total),
            (*models, *secondary, *skipped),
            "{file}"
        );
    }
    for (file, error) in [
        ("eol-test.cif", "holds no atom"),
        ("hetatm.pdb", "(1 × LIG)"),
        ("misc.cif", "holds no atom"),
        ("models.pdb", "(1 × IL0)"),
        ("test_alphafold_annotation.csv", "expected a PDB file"),
    ] {
        let message = read(&folder.join(file)).unwrap_err().to_string();
        assert!(message.contains(error), "{message}");
    }
}

#[test]
fn pdb_and_mmcif_of_an_entry_are_one_structure() {
    let Some(folder) = folder() else { return };
    for name in ["1aki", "1dix", "1l2y", "3o5r", "Q7Z6M3"] {
        let [a, b] = ["pdb", "cif"].map(|end| computed(&folder.join(format!("{name}.{end}"))));
        assert_eq!(a.chains, b.chains, "{name}");
    }
}

#[test]
fn alphafold_coordinates_confidence_and_states_are_the_expected_ones() {
    let Some(folder) = folder() else { return };
    let mut table = csv::Reader::from_path(folder.join("test_alphafold_annotation.csv")).unwrap();
    let columns: HashMap<String, usize> =
        table.headers().unwrap().iter().enumerate().map(|(i, name)| (name.to_owned(), i)).collect();
    let mut rows: HashMap<String, Vec<csv::StringRecord>> = HashMap::new();
    for row in table.records() {
        let row = row.unwrap();
        rows.entry(row[columns["protein_id"]].to_owned()).or_default().push(row);
    }
    let (mut all, mut same, mut file_same) = (0, 0, 0);
    for (protein, rows) in rows {
        let path = folder.join(format!("{protein}.cif"));
        let (from_file, notes) = read(&path).unwrap();
        assert!(from_file.predicted);
        assert_eq!(notes.name.accession.map(|a| a.to_string()), Some(protein));
        let structure = computed(&path);
        let residues = &structure.chains[0].residues;
        assert_eq!(residues.len(), rows.len());
        for ((residue, of_file), row) in residues.iter().zip(&from_file.chains[0].residues).zip(&rows) {
            let number = |name: &str| row[columns[name]].parse::<f64>().ok();
            assert_eq!(residue.letter().to_string(), row[columns["AA"]]);
            assert_eq!(Some(f64::from(residue.number)), number("position"));
            // Three decimals in the file, so half of one of f32's steps at 100 is what may differ.
            assert!((f64::from(residue.b_factor) - number("quality").unwrap()).abs() < 1e-5);
            for (atom, point) in
                [("n", residue.n), ("ca", residue.trace), ("c", residue.c), ("cb", residue.side)]
            {
                for (axis, name) in ["x", "y", "z"].iter().enumerate() {
                    let expected = number(&format!("{name}_coord_{atom}"));
                    let found = point.map(|p| f64::from(p[axis]));
                    match (expected, found) {
                        (Some(expected), Some(found)) => assert!((expected - found).abs() < 1e-5),
                        // Glycine has no Cβ.
                        (expected, found) => {
                            assert_eq!((expected.is_some(), residue.name.as_str()), (found.is_some(), "GLY"))
                        }
                    }
                }
            }
            // A left-handed polyproline helix is called HELX in that table, and is no helix of the three states.
            let expected = match &row[columns["secondary_structure"]] {
                "HELX_LH_PP_P" => Secondary::Coil,
                kind if kind.starts_with("HELX") => Secondary::Helix,
                "STRN" => Secondary::Strand,
                _ => Secondary::Coil,
            };
            all += 1;
            same += usize::from(residue.secondary == expected);
            file_same += usize::from(of_file.secondary == expected);
        }
    }
    println!("AlphaFold's annotation: computed {same} of {all}, read {file_same} of {all}");
    assert_eq!((all, file_same), (673, 673));
    assert!(100 * same >= 98 * all, "{same} of {all}");
}

/// `tests/goldens/dssp/make.py`: chains by file and name, with DSSP's letters.
fn golden() -> Vec<(String, String, String)> {
    let rows = include_str!("goldens/dssp/dssp.tsv").lines().map(|row| {
        let mut fields = row.split('\t').map(str::to_owned);
        (fields.next().unwrap(), fields.next().unwrap().trim().to_owned(), fields.next().unwrap())
    });
    rows.collect()
}

fn three_states(letters: &str) -> Vec<Secondary> {
    let of_three = |letter| match letter {
        'H' | 'G' | 'I' => Secondary::Helix,
        'E' => Secondary::Strand,
        _ => Secondary::Coil,
    };
    letters.chars().map(of_three).collect()
}

#[test]
fn eight_states_are_mkdssps() {
    let Some(folder) = folder() else { return };
    let (mut all, mut eight, mut three, mut trace) = (0, 0, 0, 0);
    for (file, chain, expected) in golden() {
        let structure = computed(&folder.join(&file));
        let states = dssp::assign(&structure.chains);
        let place = structure.chains.iter().position(|c| c.id == chain).unwrap();
        assert_eq!(states[place].len(), expected.len(), "{file} {chain}");
        let by_trace = calpha::assign(&structure.chains[place]);
        let of_three = three_states(&expected);
        for (at, (state, expected)) in states[place].iter().zip(expected.chars()).enumerate() {
            let letter = if state.letter() == ' ' { '-' } else { state.letter() };
            all += 1;
            eight += usize::from(letter == expected);
            three += usize::from(state.three() == of_three[at]);
            trace += usize::from(by_trace[at] == of_three[at]);
        }
    }
    println!(
        "mkdssp: {eight} of {all} in eight states and P, {three} in three; from Cα alone {trace} in three"
    );
    // Three residues of 3o5r with alternate locations, of which mkdssp takes other atoms.
    assert!(all == 2481 && all - eight <= 3 && three == all);
    assert!(100 * trace >= 84 * all);
}

/// Residues of which two annotations of a chain say different things: at the ends of helices and of strands that both have, and
/// in helices and strands that one of them has alone.
fn differences(a: &[Secondary], b: &[Secondary]) -> [usize; 4] {
    let mut counts = [0; 4];
    let run = |of: &[Secondary], at: usize| {
        let from = (0..at).rev().take_while(|&k| of[k] == of[at]).last().unwrap_or(at);
        from..(at..of.len()).take_while(|&k| of[k] == of[at]).last().unwrap_or(at) + 1
    };
    for at in (0..a.len()).filter(|&at| a[at] != b[at]) {
        let (of, other) = if a[at] == Secondary::Coil { (b, a) } else { (a, b) };
        let both = run(of, at).any(|k| other[k] == of[at]);
        counts[usize::from(of[at] == Secondary::Strand) * 2 + usize::from(!both)] += 1;
    }
    counts
}

#[test]
fn depositors_records_agree_with_ours_as_far_as_with_mkdssps() {
    let Some(folder) = folder() else { return };
    let golden = golden();
    println!(
        "| entry | residues | records = ours | records = mkdssp | ours = mkdssp | differ: helix ends | helices of one | \
         strand ends | strands of one |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    );
    let mut worse = Vec::new();
    for file in [
        "1aki.pdb", "1dix.pdb", "1f2n.pdb", "1l2y.pdb", "1orc.pdb", "1ubq.cif", "2axd.pdb", "3o5r.pdb",
        "5ugo.cif",
    ] {
        let (recorded, notes) = read(&folder.join(file)).unwrap();
        assert_eq!(notes.secondary, SecondaryFrom::File);
        let ours = computed(&folder.join(file));
        let (mut all, mut same, mut kinds) = (0, [0; 3], [0; 4]);
        for (_, chain, letters) in golden.iter().filter(|(of, ..)| of == file) {
            let states = |structure: &Structure| -> Vec<Secondary> {
                let chain = structure.chains.iter().find(|c| c.id == *chain).unwrap();
                chain.residues.iter().map(|residue| residue.secondary).collect()
            };
            let (recorded, ours, mkdssp) = (states(&recorded), states(&ours), three_states(letters));
            all += recorded.len();
            for (sum, (a, b)) in
                same.iter_mut().zip([(&recorded, &ours), (&recorded, &mkdssp), (&ours, &mkdssp)])
            {
                assert_eq!(a.len(), b.len());
                *sum += a.iter().zip(b).filter(|(a, b)| a == b).count();
            }
            kinds.iter_mut().zip(differences(&recorded, &ours)).for_each(|(sum, count)| *sum += count);
        }
        let [a, b, c] = same.map(|same| format!("{:.1} %", 100.0 * same as f64 / all as f64));
        let [ends, helices, strand_ends, strands] = kinds;
        println!("| {file} | {all} | {a} | {b} | {c} | {ends} | {helices} | {strand_ends} | {strands} |");
        assert_eq!(all - same[0], kinds.iter().sum::<usize>());
        if same[0] < same[1] || same[2] < all {
            worse.push(file);
        }
    }
    // Where the records differ from ours they differ from the reference program as much: they were made by other rules.
    assert!(worse.is_empty(), "{worse:?}");
}
