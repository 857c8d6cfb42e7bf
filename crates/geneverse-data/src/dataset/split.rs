//! Which genes a model is finetuned on and which it is watched on.
//!
//! Paralogs answer for each other: a validation gene whose family is in the training set is half known. So the
//! genes of one HGNC group go on one side, and with them those whose text is nearly the same. What is connected
//! forms one cluster; clusters are taken in an order that the seed gives, each whole, while they fit. Giants such as
//! the zinc fingers never fit and are trained on whole. Only where no cluster fits any more is one taken apart, the
//! smallest, and that is counted.

use std::collections::HashMap;

use super::near::Sets;
use crate::gene::GeneRecord;
use crate::seeded::mix;

/// A split of a list of genes, by their places in it, each part in ascending order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) train: Vec<usize>,
    pub(super) validation: Vec<usize>,
    /// Clusters of related genes that lie on both sides.
    pub(super) clusters_split: usize,
}

/// What may be done with a cluster that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remainder {
    /// Take it apart: validation gets the size that was asked for.
    Fill,
    /// Leave it in training: validation may become smaller.
    Leave,
}

/// Chooses `validation_size` genes (fewer only where there are fewer) for validation, by HGNC group.
pub(super) fn split(genes: &[&GeneRecord], validation_size: usize, seed: u64) -> Split {
    divide(genes, by_group(genes).into_lists(), validation_size, seed, Remainder::Fill)
}

/// Chooses `validation_size` genes for validation, by clusters of places in `genes`.
pub(super) fn divide(
    genes: &[&GeneRecord],
    mut clusters: Vec<Vec<usize>>,
    validation_size: usize,
    seed: u64,
    remainder: Remainder,
) -> Split {
    clusters.sort_by_cached_key(|cluster| {
        let name = cluster.first().map_or("", |&gene| genes[gene].symbol.as_str());
        (mix(seed, name), cluster.first().copied())
    });
    let mut validation = Vec::new();
    let mut left_out = Vec::new();
    for cluster in clusters {
        if validation.len() + cluster.len() <= validation_size {
            validation.extend(cluster);
        } else {
            left_out.push(cluster);
        }
    }
    // The smallest first: the fewest relatives end up apart.
    left_out.sort_by_key(Vec::len);
    let mut clusters_split = 0;
    if remainder == Remainder::Fill {
        for cluster in left_out {
            let missing = validation_size.saturating_sub(validation.len());
            if missing == 0 {
                break;
            }
            clusters_split += usize::from(cluster.len() > missing);
            validation.extend(cluster.into_iter().take(missing));
        }
    }
    validation.sort_unstable();
    let train = (0..genes.len()).filter(|gene| validation.binary_search(gene).is_err()).collect();
    Split { train, validation, clusters_split }
}

/// Genes connected through HGNC groups.
pub(super) fn by_group(genes: &[&GeneRecord]) -> Sets {
    let mut sets = Sets::new(genes.len());
    let mut first_of_group: HashMap<&str, usize> = HashMap::new();
    for (place, gene) in genes.iter().enumerate() {
        for group in &gene.groups {
            sets.join(*first_of_group.entry(group).or_insert(place), place);
        }
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gene::{GeneKind, GeneSymbol};
    use proptest::prelude::*;

    fn gene(number: usize, groups: &[u8]) -> GeneRecord {
        let symbol = GeneSymbol::parse(&format!("G{number}")).unwrap();
        let mut gene = GeneRecord::new(symbol, "gene", GeneKind::Other);
        gene.groups = groups.iter().map(|g| format!("group {g}")).collect();
        gene
    }

    #[test]
    fn relatives_stay_together_while_they_fit() {
        let genes: Vec<_> = (0..30).map(|n| gene(n, &[(n / 3) as u8])).collect();
        let genes: Vec<_> = genes.iter().collect();
        for seed in 0..20 {
            let split = split(&genes, 9, seed);
            assert_eq!((split.validation.len(), split.clusters_split), (9, 0));
            let families: std::collections::BTreeSet<_> = split.validation.iter().map(|g| g / 3).collect();
            assert_eq!(families.len(), 3);
        }
        assert_eq!(split(&genes, 10, 1).clusters_split, 1);
    }

    #[test]
    fn a_giant_is_trained_on_whole_and_taken_apart_only_where_nothing_else_is_left() {
        let genes: Vec<_> = (0..30).map(|n| gene(n, &[u8::from(n >= 20) * (n as u8)])).collect();
        let genes: Vec<_> = genes.iter().collect();
        let lists = || by_group(&genes).into_lists();
        let fits = divide(&genes, lists(), 9, 3, Remainder::Fill);
        assert!(fits.validation.iter().all(|&gene| gene >= 20) && fits.clusters_split == 0);
        let filled = divide(&genes, lists(), 12, 3, Remainder::Fill);
        assert_eq!((filled.validation.len(), filled.clusters_split), (12, 1));
        let left = divide(&genes, lists(), 12, 3, Remainder::Leave);
        assert_eq!((left.validation.len(), left.clusters_split), (10, 0));
    }

    proptest! {
        #[test]
        fn a_split_is_exact_disjoint_and_repeatable(
            groups in prop::collection::vec(prop::collection::vec(0u8..12, 0..3), 0..60),
            size in 0usize..70,
            seed in any::<u64>(),
        ) {
            let genes: Vec<_> = groups.iter().enumerate().map(|(n, groups)| gene(n, groups)).collect();
            let genes: Vec<_> = genes.iter().collect();
            let one = split(&genes, size, seed);
            prop_assert_eq!(one.validation.len(), size.min(genes.len()));
            let mut all: Vec<usize> = one.train.iter().chain(&one.validation).copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..genes.len()).collect::<Vec<_>>());
            prop_assert_eq!(one, split(&genes, size, seed));
        }
    }
}
