//! Longest common subsequences: their length in 64 columns at once, and the union of several.
//!
//! The length is that of Hyyrö ("Bit-parallel LCS-length computation revisited", 2004): one bit for each token of the
//! first text, V ← (V + (V ∧ M)) ∨ (V ∧ ¬M) for each token of the second, M the places of that token in the first. In the
//! end V has a 0 for each token of the subsequence. Texts of 300 words take some 1,500 such steps instead of 90,000.

/// The length of the longest common subsequence. Tokens are numbers from a vocabulary, so small ones.
pub(super) fn length(first: &[u32], second: &[u32]) -> usize {
    let words = first.len().div_ceil(64);
    // For each token the places that it has in the first text.
    let tokens = first.iter().max().map_or(0, |&largest| largest as usize + 1);
    let mut places = vec![0_u64; tokens * words];
    for (place, &token) in first.iter().enumerate() {
        places[token as usize * words + place / 64] |= 1 << (place % 64);
    }
    let mut open = vec![u64::MAX; words];
    for &token in second.iter().filter(|&&token| (token as usize) < tokens) {
        let mut carry = false;
        for (open, &mask) in open.iter_mut().zip(&places[token as usize * words..]) {
            let (sum, over) = open.overflowing_add(*open & mask);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            carry = over || over_again;
            *open = sum | (*open & !mask);
        }
    }
    // Bits past the end of the first text have no token that could clear them, but a carry may have.
    let unused = words * 64 - first.len();
    if let Some(last) = open.last_mut()
        && unused > 0
    {
        *last |= u64::MAX << (64 - unused);
    }
    open.iter().map(|word| word.count_zeros() as usize).sum()
}

/// Places in `reference` of one longest common subsequence, the one that ROUGE-1.5.5 and rouge-score trace back: it keeps
/// to the answer's end where two are equally long.
pub(super) fn places(reference: &[u32], answer: &[u32]) -> Vec<usize> {
    let columns = answer.len() + 1;
    let mut table = vec![0_u32; (reference.len() + 1) * columns];
    for (i, token) in reference.iter().enumerate() {
        for (j, other) in answer.iter().enumerate() {
            table[(i + 1) * columns + j + 1] = if token == other {
                table[i * columns + j] + 1
            } else {
                table[i * columns + j + 1].max(table[(i + 1) * columns + j])
            };
        }
    }
    let (mut i, mut j) = (reference.len(), answer.len());
    let mut found = Vec::new();
    while i > 0 && j > 0 {
        if reference[i - 1] == answer[j - 1] {
            found.push(i - 1);
            i -= 1;
            j -= 1;
        } else if table[i * columns + j - 1] > table[(i - 1) * columns + j] {
            j -= 1;
        } else {
            i -= 1;
        }
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_count_what_the_table_counts(
            first in prop::collection::vec(0_u32..5, 0..200),
            second in prop::collection::vec(0_u32..6, 0..90),
        ) {
            prop_assert_eq!(length(&first, &second), places(&first, &second).len());
        }
    }
}
