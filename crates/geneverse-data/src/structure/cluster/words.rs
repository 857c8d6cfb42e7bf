//! Which pairs of sequences are worth an alignment: those with several words in common near one diagonal.
//!
//! All sequences' words lie in one index. A sequence's words vote, each for the diagonals of the other sequences that
//! have it; where a neighbourhood of diagonals gets enough votes, its words are looked at one by one, and a piece without
//! gaps along one of them has to be alike. Voting costs a counter for each word in common, and no sorting.

use super::align::{ALIKE, BAND, Piece};

/// Residues in a word, and in how many words a pair must agree near one diagonal.
const WORD: usize = 5;
const WORDS_IN_COMMON: usize = 3;
/// Diagonals among which these words lie.
const NEAR: i32 = BAND / 2;
/// A word that more sequences have than this share of all, and more than this number, tells nothing.
const COMMON_SHARE: usize = 20;
const COMMON_LEAST: usize = 200;

/// Groups of residues that replace each other: A, C, DN, EQ, FWY, G, H, ILMV, KR, P, ST, in the order of the residues' numbers.
const GROUPS: [u8; 20] = [0, 8, 2, 2, 1, 3, 3, 5, 6, 7, 7, 8, 7, 4, 9, 10, 10, 4, 4, 7];

/// A word's number; `None` where a residue is unknown, or all are of one or two groups, as in repeats.
fn word(residues: &[u8]) -> Option<u32> {
    let mut number = 0;
    let mut seen = 0_u32;
    for &residue in residues {
        let group = *GROUPS.get(usize::from(residue))?;
        number = number * 11 + u32::from(group);
        seen |= 1 << group;
    }
    (seen.count_ones() >= 3).then_some(number)
}

/// Where each word is.
pub(super) struct Index<'a> {
    sequences: &'a [Vec<u8>],
    /// Where a word's places begin in `places`; one more than there are words.
    starts: Vec<u32>,
    /// Sequence and position, in this order.
    places: Vec<(u32, u32)>,
    common: usize,
    /// For each sequence, how many neighbourhoods the lengths of those before it fill.
    before: Vec<usize>,
}

/// An earlier sequence, the diagonal about which to align, and how many words say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) other: usize,
    pub(super) diagonal: i32,
    pub(super) words: usize,
}

/// What a thread counts in, kept from sequence to sequence.
#[derive(Debug, Default)]
pub(super) struct Votes {
    /// By sequence, then by neighbourhood of [`NEAR`] diagonals.
    counts: Vec<u8>,
    elected: Vec<bool>,
    /// Words in common with an elected sequence: the sequence, the diagonal, and the place here.
    words: Vec<(u32, i32, u32)>,
}

impl<'a> Index<'a> {
    pub(super) fn of(sequences: &'a [Vec<u8>]) -> Self {
        let words = 11_usize.pow(WORD as u32);
        let mut starts = vec![0_u32; words + 1];
        let each = |take: &mut dyn FnMut(usize, u32, u32)| {
            for (sequence, residues) in sequences.iter().enumerate() {
                for (position, window) in residues.windows(WORD).enumerate() {
                    if let Some(word) = word(window) {
                        take(word as usize, sequence as u32, position as u32);
                    }
                }
            }
        };
        each(&mut |word, _, _| starts[word + 1] += 1);
        for word in 0..words {
            starts[word + 1] += starts[word];
        }
        let mut next = starts.clone();
        let mut places = vec![(0, 0); starts[words] as usize];
        each(&mut |word, sequence, position| {
            places[next[word] as usize] = (sequence, position);
            next[word] += 1;
        });
        let mut before = Vec::with_capacity(sequences.len());
        let mut sum = 0;
        for sequence in sequences {
            before.push(sum);
            sum += sequence.len() / NEAR as usize;
        }
        let common = COMMON_LEAST.max(sequences.len() / COMMON_SHARE);
        Self { sequences, starts, places, common, before }
    }

    /// Calls `take` for each word that an earlier sequence has too: its number, the place in it and the place here.
    fn in_common(&self, place: usize, mut take: impl FnMut(u32, u32, u32)) {
        for (position, window) in self.sequences[place].windows(WORD).enumerate() {
            let Some(word) = word(window) else { continue };
            let range = self.starts[word as usize] as usize..self.starts[word as usize + 1] as usize;
            if range.len() > self.common {
                continue;
            }
            for &(sequence, at) in
                self.places[range].iter().take_while(|(other, _)| (*other as usize) < place)
            {
                take(sequence, at, position as u32);
            }
        }
    }

    /// Earlier sequences with several words in common near one diagonal, and that diagonal.
    pub(super) fn candidates(&self, place: usize, votes: &mut Votes) -> Vec<Candidate> {
        let length = self.sequences[place].len();
        // The diagonals of a pair, place here minus place there, are more than −their length and less than ours; a
        // neighbourhood stays free behind those of each pair, so that the next pair's is nobody's neighbour.
        let ours = length / NEAR as usize + 3;
        let Votes { counts, elected, words } = votes;
        counts.clear();
        counts.resize(self.before[place] + place * ours + 1, 0);
        elected.clear();
        elected.resize(place, false);
        words.clear();
        self.in_common(place, |other, at, position| {
            let other = other as usize;
            let theirs = self.sequences[other].len();
            let neighbourhood = (position as usize + theirs - at as usize) / NEAR as usize;
            let cell = self.before[other] + other * ours + neighbourhood + 1;
            counts[cell] = counts[cell].saturating_add(1);
            // Words within NEAR diagonals lie in one neighbourhood or in two beside each other.
            let beside = counts[cell - 1].max(counts[cell + 1]);
            elected[other] |= usize::from(counts[cell]) + usize::from(beside) >= WORDS_IN_COMMON;
        });
        self.in_common(place, |other, at, position| {
            if elected[other as usize] {
                words.push((other, position as i32 - at as i32, position));
            }
        });
        words.sort_unstable();
        words.chunk_by(|a, b| a.0 == b.0).filter_map(|of_one| self.judged(place, of_one)).collect()
    }

    /// The window of diagonals with the most of the words that two sequences have in common.
    fn judged(&self, place: usize, words: &[(u32, i32, u32)]) -> Option<Candidate> {
        let mut best = 0..0;
        let mut from = 0;
        for to in 0..words.len() {
            while words[to].1 - words[from].1 > NEAR {
                from += 1;
            }
            if to + 1 - from > best.len() {
                best = from..to + 1;
            }
        }
        let window = &words[best];
        if window.len() < WORDS_IN_COMMON {
            return None;
        }
        let (other, diagonal, _) = window[(window.len() - 1) / 2];
        let other = other as usize;
        // Along one of the diagonals something must be alike before a whole band is looked at.
        let (ours, theirs) = (&self.sequences[place], &self.sequences[other]);
        let mut seen = (i32::MIN, 0);
        let alike = window.iter().any(|&(_, diagonal, position)| {
            // A word within the piece that another grew into says nothing new.
            if seen.0 == diagonal && position < seen.1 {
                return false;
            }
            let piece = Piece::about(ours, theirs, position as usize, diagonal, WORD);
            seen = (diagonal, piece.end as u32);
            piece.score >= ALIKE
        });
        alike.then_some(Candidate { other, diagonal, words: window.len() })
    }
}
