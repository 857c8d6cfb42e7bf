//! Ideal folds: DSSP finds in them what was built.

use super::super::dssp;
use super::*;

/// Built helix and strand residues, and how many of them DSSP finds; and others that it takes for helix or strand.
fn recognised(fold: Fold, seed: u64) -> (usize, usize, usize, usize) {
    let structure = build(fold, seed);
    let found = dssp::assign(&structure.chains);
    let (mut built, mut same, mut other, mut surplus) = (0, 0, 0, 0);
    for (residue, state) in structure.chains[0].residues.iter().zip(&found[0]) {
        if residue.secondary == Secondary::Coil {
            other += 1;
            surplus += usize::from(state.three() != Secondary::Coil);
        } else {
            built += 1;
            same += usize::from(state.three() == residue.secondary);
        }
    }
    (built, same, other, surplus)
}

#[test]
fn dssp_finds_nine_tenths_of_what_was_built() {
    for fold in Fold::all() {
        let (mut built, mut same, mut other, mut surplus) = (0, 0, 0, 0);
        for seed in 0..6 {
            let of = recognised(fold, seed);
            built += of.0;
            same += of.1;
            other += of.2;
            surplus += of.3;
        }
        let name = fold.name();
        println!("{name}: {same} of {built} built, {surplus} of {other} others");
        assert!(10 * same >= 9 * built, "{name}: {same} of {built}");
        assert_eq!(built == 0, fold == Fold::Disordered);
        assert!(10 * surplus <= 3 * other, "{name}: {surplus} of {other} loop residues");
    }
}
