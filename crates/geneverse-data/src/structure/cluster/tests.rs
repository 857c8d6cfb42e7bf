//! Families of made-up sequences: what is found of them, and that strangers stay apart.

use super::align::{Path, align, score};
use super::residues::LETTERS;
use super::*;
use crate::seeded::mix;

/// A made-up sequence, and relatives of it with a share of residues exchanged and some lost.
fn sequence(seed: u64, length: usize) -> Vec<u8> {
    (0..length).map(|k| LETTERS[(mix(seed, &k.to_string()) % 20) as usize]).collect()
}

fn relative(of: &[u8], seed: u64, exchanged: f64) -> String {
    let mut out = Vec::new();
    for (k, letter) in of.iter().enumerate() {
        let draw = |what: &str| (mix(seed, &format!("{what} {k}")) >> 11) as f64 / (1_u64 << 53) as f64;
        if draw("lose") < 0.01 {
            continue;
        }
        let exchange = draw("exchange") < exchanged;
        out.push(if exchange { LETTERS[(draw("to") * 20.0) as usize] } else { *letter });
    }
    String::from_utf8(out).unwrap()
}

fn families(count: u64, members: u64, exchanged: f64) -> Vec<String> {
    (0..count)
        .flat_map(|family| {
            let ancestor = sequence(family, 150 + (family % 7) as usize * 40);
            (0..members).map(move |member| relative(&ancestor, family * 1000 + member + 1, exchanged))
        })
        .collect()
}

/// Pairs of one family in one cluster, of all such pairs; and pairs of two families in one cluster.
fn judged(clusters: &Clusters, members: usize) -> (f64, usize) {
    let (mut together, mut pairs, mut wrong) = (0, 0, 0);
    for i in 0..clusters.of.len() {
        for j in 0..i {
            let same = clusters.of[i] == clusters.of[j];
            if i / members == j / members {
                pairs += 1;
                together += usize::from(same);
            } else {
                wrong += usize::from(same);
            }
        }
    }
    (f64::from(together as u32) / f64::from(pairs as u32), wrong)
}

#[test]
fn families_are_found_and_kept_apart() {
    // Exchanged in each of a pair: 0.2 leaves 65 % identical, 0.3 leaves 51 %, 0.38 leaves 41 %.
    for (exchanged, least) in [(0.2, 1.0), (0.3, 0.99), (0.38, 0.88)] {
        let sequences = families(60, 5, exchanged);
        let sequences: Vec<&str> = sequences.iter().map(String::as_str).collect();
        let clusters = cluster(&sequences, Kinship::default());
        let (found, wrong) = judged(&clusters, 5);
        println!(
            "{exchanged} exchanged: {found:.3} of pairs together, {wrong} wrong, {} aligned",
            clusters.aligned
        );
        assert!(found >= least && wrong == 0, "{exchanged}: {found} {wrong}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let sequences = families(40, 3, 0.35);
    let sequences: Vec<&str> = sequences.iter().map(String::as_str).collect();
    let all = cluster(&sequences, Kinship::default());
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| cluster(&sequences, Kinship::default())), all);
}

#[test]
fn alignments_by_hand() {
    let coded = |text: &str| text.bytes().map(residue).collect::<Vec<u8>>();
    // W 11, K 5, H 8, C 9, and a gap of one costs 12: 11+5+8+9 − 12 + 11+5+8+9.
    let path = align(&coded("WKHCWKHC"), &coded("WKHCAWKHC"), 0);
    assert_eq!((path.score, path.identical, path.pairs, path.covered), (54, 8, 8, (8, 9)));
    assert_eq!(align(&coded("AAAA"), &coded("WWWW"), 0), Path::default());
}

#[test]
fn a_shared_piece_is_no_kinship_unless_it_is_half() {
    let (a, b, shared) = (sequence(1, 300), sequence(2, 300), sequence(3, 100));
    let join = |parts: [&[u8]; 2]| String::from_utf8(parts.concat()).unwrap();
    let long = [join([&a, &shared]), join([&b, &shared])];
    let short = [join([&a[..80], &shared]), join([&b[..80], &shared])];
    let count = |of: &[String; 2]| cluster(&[&of[0], &of[1]], Kinship::default()).count;
    assert_eq!((count(&long), count(&short)), (2, 1));
    assert_eq!(cluster::<&str>(&[], Kinship::default()).count, 0);
    assert_eq!(cluster(&["", "", "ACD"], Kinship::default()).of, [0, 0, 1]);
}

#[test]
fn the_score_alone_is_the_alignments() {
    let coded = |text: &str| text.bytes().map(residue).collect::<Vec<u8>>();
    for (seed, exchanged) in [0.1, 0.3, 0.5, 0.8, 1.0].iter().cycle().take(60).enumerate() {
        let ancestor = sequence(seed as u64, 40 + 17 * (seed % 9));
        let [a, b] = [1, 2].map(|k| coded(&relative(&ancestor, 10 * seed as u64 + k, *exchanged)));
        for diagonal in [0, 3, -20, 60, -70, 400, -400] {
            assert_eq!(score(&a, &b, diagonal), align(&a, &b, diagonal).score, "{seed} {diagonal}");
        }
    }
}
