//! Sequences that are alike, without an alignment: those that have runs of five residues in common.
//!
//! Two unrelated proteins of 500 residues share 0.08 runs of five by chance; of two that are aligned with 40 % of their
//! residues equal, one run in a hundred is whole. Five of them are taken as kinship: it finds most families at 40 %
//! identity and above, and not what is farther apart. Clusters are what hangs together.

use std::collections::{HashMap, HashSet};

use crate::dataset::near::Sets;

/// Residues of a run.
const RUN: usize = 5;
/// Runs that two sequences have to share; of a short one a tenth of its runs, if that is fewer.
const SHARED: usize = 5;
/// Runs that more sequences have are of low complexity, or of a domain found everywhere, and tell nothing of their own.
const COMMON: usize = 2_000;

/// The number of each sequence's cluster.
pub fn clusters(sequences: &[String]) -> Vec<usize> {
    let mut sets = Sets::new(sequences.len());
    let mut having: HashMap<&[u8], Vec<u32>> = HashMap::new();
    let mut whole: HashMap<&str, usize> = HashMap::new();
    let mut runs_of = vec![0_usize; sequences.len()];
    for (place, sequence) in sequences.iter().enumerate() {
        // Equal sequences are one before anything is compared.
        let first = *whole.entry(sequence).or_insert(place);
        sets.join(first, place);
        if first != place {
            continue;
        }
        let runs: HashSet<&[u8]> = sequence.as_bytes().windows(RUN).filter(|run| varied(run)).collect();
        runs_of[place] = runs.len();
        for run in runs {
            having.entry(run).or_default().push(place as u32);
        }
    }
    let mut shared: HashMap<(u32, u32), usize> = HashMap::new();
    for places in having.values().filter(|places| places.len() <= COMMON) {
        for (at, a) in places.iter().enumerate() {
            for b in &places[at + 1..] {
                *shared.entry((*a, *b)).or_default() += 1;
            }
        }
    }
    for ((a, b), count) in shared {
        let (a, b) = (a as usize, b as usize);
        let shorter = runs_of[a].min(runs_of[b]);
        if count >= SHARED.min((shorter / 10).max(1)) {
            sets.join(a, b);
        }
    }
    (0..sequences.len()).map(|place| sets.root(place)).collect()
}

/// Runs of one or two kinds of residues come by chance.
fn varied(run: &[u8]) -> bool {
    let kinds: HashSet<&u8> = run.iter().collect();
    kinds.len() > 2 && !run.contains(&b'X')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draw;

    const LETTERS: &[u8] = b"ACDEFGHIKLMNPQRSTVWY";

    fn random(draw: &mut Draw, length: usize) -> Vec<u8> {
        (0..length).map(|_| LETTERS[draw.below(20)]).collect()
    }

    #[test]
    fn families_are_found_and_strangers_are_not_joined() {
        let mut draw = Draw::at(5, &[]);
        let mut sequences = Vec::new();
        for _ in 0..20 {
            let parent = random(&mut draw, 300);
            for _ in 0..3 {
                // Of two children some 58 % of the residues are equal.
                let child =
                    parent.iter().map(|c| if draw.below(4) == 0 { LETTERS[draw.below(20)] } else { *c });
                sequences.push(String::from_utf8(child.collect()).unwrap());
            }
        }
        let found = clusters(&sequences);
        let together =
            (0..20).filter(|n| found[3 * n] == found[3 * n + 1] && found[3 * n] == found[3 * n + 2]).count();
        assert!(together >= 18, "{together} of 20 families are whole");
        let strangers = (0..60).flat_map(|a| (0..a).map(move |b| (a, b))).filter(|(a, b)| a / 3 != b / 3);
        let wrong = strangers.filter(|(a, b)| found[*a] == found[*b]).count();
        assert_eq!(wrong, 0);
    }

    #[test]
    fn short_and_monotonous_sequences() {
        let sequences = ["", "", "AAAAAAAAAAAA", "AAAAAAAAAAAAAAAA", "MKV", "GSGSGSGSGS"].map(str::to_owned);
        let found = clusters(&sequences);
        assert_eq!(found[0], found[1]);
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), 5);
    }
}
