//! Cell types that are alike: by the correlation of what they have of all genes.

use std::collections::BTreeMap;

use crate::tissue::Tissue;

/// For each of `types` the others, the most similar first.
///
/// A type's profile is the mean of ln(1 + x) of its cells, counts normalised to the cells' totals, less each gene's mean over
/// the types, so that genes that all have do not make all alike; similarity is the cosine of two profiles.
pub(in crate::dataset) fn neighbours(tissue: &Tissue, types: &[usize]) -> BTreeMap<usize, Vec<usize>> {
    let expression = match tissue.expression.are_counts() {
        true => tissue.expression.normalised(tissue.cells.len(), None),
        false => tissue.expression.clone(),
    };
    let place: BTreeMap<usize, usize> =
        types.iter().enumerate().map(|(place, kind)| (*kind, place)).collect();
    let of_cell: Vec<Option<usize>> =
        tissue.types.iter().map(|kind| place.get(&(*kind as usize)).copied()).collect();
    let mut sizes = vec![0.0_f64; types.len()];
    of_cell.iter().flatten().for_each(|place| sizes[*place] += 1.0);
    let mut profiles = vec![Vec::with_capacity(expression.genes.len()); types.len()];
    for gene in 0..expression.genes.len() {
        let mut sums = vec![0.0; types.len()];
        for (cell, value) in expression.gene(gene) {
            if let Some(Some(place)) = of_cell.get(cell as usize) {
                sums[*place] += f64::from(value);
            }
        }
        let means: Vec<f64> = sums.iter().zip(&sizes).map(|(sum, size)| sum / size.max(1.0)).collect();
        let middle = means.iter().sum::<f64>() / means.len().max(1) as f64;
        for (profile, mean) in profiles.iter_mut().zip(means) {
            profile.push(mean - middle);
        }
    }
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let norms: Vec<f64> = profiles.iter().map(|profile| product(profile, profile).sqrt()).collect();
    let mut near = BTreeMap::new();
    for (one, kind) in types.iter().enumerate() {
        let mut others: Vec<(f64, usize)> = (0..types.len())
            .filter(|other| *other != one)
            .map(|other| {
                let cosine =
                    product(&profiles[one], &profiles[other]) / (norms[one] * norms[other]).max(1e-300);
                (cosine, types[other])
            })
            .collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        near.insert(*kind, others.into_iter().map(|(_, kind)| kind).collect());
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tissue::simulate::{Simulation, simulate};

    #[test]
    fn types_that_share_genes_are_near() {
        let lab = simulate(&Simulation { cells: 3_000, ..Simulation::default() }).unwrap();
        let types: Vec<usize> = (0..lab.tissue.cell_types.len()).collect();
        let near = neighbours(&lab.tissue, &types);
        let name = |kind: usize| lab.tissue.cell_types[kind].as_str();
        let kind = |wanted: &str| types.iter().copied().find(|kind| name(*kind) == wanted).unwrap();
        // Both have ACTA2, MYLK, CNN1 and ACTG2.
        let first: Vec<&str> =
            near[&kind("Smooth Muscle Cells")].iter().take(3).map(|kind| name(*kind)).collect();
        assert!(first.contains(&"Myoepithelial Cells"), "{first:?}");
        assert!(near.iter().all(|(kind, others)| others.len() == 11 && !others.contains(kind)));
    }
}
