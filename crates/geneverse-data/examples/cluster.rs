//! How long clustering made-up proteins takes, and what is found of their families:
//!
//! ```text
//! cargo run --release --example cluster -- [SEQUENCES [MEMBERS [EXCHANGED]]]
//! ```
//!
//! By default 20,000 sequences of about 395 residues in families of five, 30 % of whose residues are exchanged (two members
//! are then about 51 % identical), residues as frequent as in Swiss-Prot. With one member each they are strangers. For the
//! processor's time set `RAYON_NUM_THREADS=1`.
#![allow(clippy::print_stdout, reason = "a measurement tells what it found")]

use std::collections::HashMap;
use std::time::Instant;

use geneverse_data::draw::Draw;
use geneverse_data::structure::cluster::{Kinship, cluster};

/// Residues and how frequent they are, percent (UniProtKB/Swiss-Prot's statistics of amino acids).
const RESIDUES: [(u8, f64); 20] = [
    (b'A', 8.25),
    (b'R', 5.53),
    (b'N', 4.06),
    (b'D', 5.46),
    (b'C', 1.38),
    (b'Q', 3.93),
    (b'E', 6.72),
    (b'G', 7.07),
    (b'H', 2.27),
    (b'I', 5.91),
    (b'L', 9.65),
    (b'K', 5.80),
    (b'M', 2.41),
    (b'F', 3.86),
    (b'P', 4.74),
    (b'S', 6.65),
    (b'T', 5.36),
    (b'W', 1.10),
    (b'Y', 2.92),
    (b'V', 6.85),
];

fn residue(draw: &mut Draw) -> u8 {
    let mut left = draw.uniform() * RESIDUES.iter().map(|(_, share)| share).sum::<f64>();
    for (letter, share) in RESIDUES {
        if left < share {
            return letter;
        }
        left -= share;
    }
    b'V'
}

/// A member of a family: some residues exchanged, one in a hundred lost.
fn member(family: u64, number: u64, exchanged: f64) -> String {
    let mut draw = Draw::at(1, &[family]);
    let length = 200 + draw.below(400);
    let ancestor: Vec<u8> = (0..length).map(|_| residue(&mut draw)).collect();
    let mut draw = Draw::at(2, &[family, number]);
    let mut out = String::with_capacity(length);
    for letter in ancestor {
        let (lost, exchange, to) = (draw.uniform(), draw.uniform(), residue(&mut draw));
        if lost >= 0.01 {
            out.push(char::from(if exchange < exchanged { to } else { letter }));
        }
    }
    out
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<f64>().ok());
    let mut next = |default: f64| arguments.next().flatten().unwrap_or(default);
    let (count, members, exchanged) = (next(20_000.0) as u64, next(5.0).max(1.0) as u64, next(0.3));
    let sequences: Vec<String> = (0..count).map(|at| member(at / members, at % members, exchanged)).collect();
    let sequences: Vec<&str> = sequences.iter().map(String::as_str).collect();
    let residues: usize = sequences.iter().map(|sequence| sequence.len()).sum();

    let begun = Instant::now();
    let clusters = cluster(&sequences, Kinship::default());
    let seconds = begun.elapsed().as_secs_f64();

    // Of all pairs of one family those in one cluster, and clusters with members of more than one family.
    let (mut together, mut pairs) = (0_u64, 0_u64);
    for family in clusters.of.chunks(members as usize) {
        for (at, own) in family.iter().enumerate() {
            pairs += at as u64;
            together += family[..at].iter().filter(|other| *other == own).count() as u64;
        }
    }
    let mut first: HashMap<usize, u64> = HashMap::new();
    let mixed = clusters
        .of
        .iter()
        .zip(0..)
        .filter(|(of, at)| *first.entry(**of).or_insert(at / members) != at / members)
        .count();
    println!(
        "{} sequences, {:.0} residues on average: {seconds:.1} s on {} threads",
        sequences.len(),
        residues as f64 / sequences.len().max(1) as f64,
        rayon::current_num_threads()
    );
    println!(
        "{} pairs aligned, {} of them relatives, {} clusters",
        clusters.aligned, clusters.relatives, clusters.count
    );
    println!(
        "{:.1} % of the pairs of one family in one cluster; {mixed} sequences in another family's",
        100.0 * together as f64 / pairs.max(1) as f64
    );
}
