//! Which gene is asked about with which cell type, in which split.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::profiles::neighbours;
use super::{Known, MarkersDataset, Negatives};
use crate::dataset::pictures::{PictureSet, stratified};
use crate::draw::Draw;
use crate::seeded::mix;
use crate::stage::FileError;
use crate::tissue::truth::names_nothing;

/// Hard negatives are among so many types that are most like a gene's.
const NEIGHBOURS: usize = 3;
const TRAIN: usize = 0;
const VALIDATION: usize = 1;
const TEST: usize = 2;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) gene: usize,
    pub(super) cell_type: usize,
    pub(super) is_marker: bool,
    /// Its place in [`SPLITS`](crate::dataset::genes::SPLITS).
    pub(super) split: usize,
}

/// A pair that gives no question; a line of `skipped.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SkippedPair {
    gene: String,
    cell_type: String,
    reason: String,
}

/// All questions, gene by gene in the order of the tissue's genes, and what gave none.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) asked: Vec<Asked>,
    pub(super) skipped: Vec<SkippedPair>,
}

impl Plan {
    pub(super) fn reasons(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for skipped in &self.skipped {
            *reasons.entry(skipped.reason.clone()).or_default() += 1;
        }
        reasons
    }
}

/// Whether the answer about a gene and a type, yes or no, can be graded; else why not.
pub(super) type Fits<'a> = &'a dyn Fn(usize, usize, bool) -> Result<(), String>;

/// Plans the questions.
pub(super) fn plan(options: &MarkersDataset, known: Known<'_>, fits: Fits<'_>) -> Result<Plan, FileError> {
    let MarkersDataset { set, min_cells, negatives, negatives_each, .. } = options;
    let PictureSet { out, seed, .. } = set;
    let tissue = known.tissue;
    let mut plan = Plan::default();
    let types = Types::new(known, *min_cells);
    let mut marks: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let expressed = |gene: usize| tissue.expression.gene(gene).any(|(_, value)| value > 0.0);
    for &(gene, kind) in known.pairs {
        let reason = match &types.why_not[kind] {
            Some(reason) => reason.clone(),
            None if !expressed(gene) => "no cell of the tissue has the gene".to_owned(),
            None => match fits(gene, kind, true) {
                Err(reason) => format!("its answer cannot be graded: {reason}"),
                Ok(()) => {
                    marks.entry(gene).or_default().push(kind);
                    continue;
                }
            },
        };
        let (gene, cell_type) = (tissue.expression.genes[gene].clone(), tissue.cell_types[kind].clone());
        plan.skipped.push(SkippedPair { gene, cell_type, reason });
    }
    let all: BTreeSet<usize> = types.asked.iter().copied().collect();
    // Without a negative a gene would be asked about with "yes" alone.
    marks.retain(|gene, of| {
        let some_left = all.iter().any(|kind| !of.contains(kind));
        if !some_left {
            let gene = tissue.expression.genes[*gene].clone();
            let reason = "the gene marks every type that is asked about".to_owned();
            plan.skipped.push(SkippedPair { gene, cell_type: String::new(), reason });
        }
        some_left
    });
    let genes: Vec<usize> = marks.keys().copied().collect();
    let splits = split(options, known, &genes, &marks)?;
    let near = (*negatives == Negatives::Hard).then(|| neighbours(tissue, &types.asked));
    for part in [TRAIN, VALIDATION, TEST] {
        let of_part: Vec<usize> =
            genes.iter().zip(&splits).filter(|(_, of)| **of == part).map(|(g, _)| *g).collect();
        let allowed = |gene: usize| -> Vec<usize> {
            let of = &marks[&gene];
            let any =
                all.iter().copied().filter(|kind| !of.contains(kind) && fits(gene, *kind, false).is_ok());
            match &near {
                None => any.collect(),
                Some(near) => {
                    let mut closest: Vec<usize> = Vec::new();
                    for kind in of {
                        let free = near[kind]
                            .iter()
                            .copied()
                            .filter(|other| !of.contains(other) && fits(gene, *other, false).is_ok());
                        closest.extend(free.take(NEIGHBOURS));
                    }
                    closest.sort_unstable();
                    closest.dedup();
                    closest
                }
            }
        };
        let chosen =
            choose(&of_part, &marks, &allowed, *negatives_each, mix(*seed, &format!("negatives {part}")));
        for gene in of_part {
            let yes = marks[&gene].iter().map(|kind| (*kind, true));
            let no = chosen[&gene].iter().map(|kind| (*kind, false));
            let asked =
                yes.chain(no).map(|(cell_type, is_marker)| Asked { gene, cell_type, is_marker, split: part });
            plan.asked.extend(asked);
        }
    }
    if !plan.asked.iter().any(|asked| asked.split == TRAIN) {
        let reason = format!(
            "found {} genes that mark a type, expected more than the {} for validation and testing; ask for fewer",
            genes.len(),
            splits.iter().filter(|part| **part != TRAIN).count()
        );
        return Err(FileError::whole(out, reason));
    }
    Ok(plan)
}

/// The tissue's cell types, and why some are not asked about.
struct Types {
    asked: Vec<usize>,
    why_not: Vec<Option<String>>,
}

impl Types {
    fn new(known: Known<'_>, min_cells: usize) -> Self {
        let mut cells = vec![0; known.tissue.cell_types.len()];
        for kind in &known.tissue.types {
            if let Some(count) = cells.get_mut(*kind as usize) {
                *count += 1;
            }
        }
        let why_not: Vec<Option<String>> = known
            .tissue
            .cell_types
            .iter()
            .zip(cells)
            .map(|(name, cells)| match cells {
                _ if names_nothing(name) => Some("the cell type says that the type is not known".to_owned()),
                cells if cells < min_cells => Some(format!("the cell type has fewer than {min_cells} cells")),
                _ => None,
            })
            .collect();
        Self { asked: (0..why_not.len()).filter(|kind| why_not[*kind].is_none()).collect(), why_not }
    }
}

/// The split of each gene.
fn split(
    options: &MarkersDataset,
    known: Known<'_>,
    genes: &[usize],
    marks: &BTreeMap<usize, Vec<usize>>,
) -> Result<Vec<usize>, FileError> {
    let PictureSet { out, hold_out, test_size, validation_size, seed, .. } = &options.set;
    let symbol = |gene: usize| known.tissue.expression.genes[gene].as_str();
    let named = |gene: usize, text: &str| {
        symbol(gene) == text || known.approved.get(&gene).is_some_and(|approved| approved == text)
    };
    let mut splits = vec![TRAIN; genes.len()];
    for text in hold_out {
        match genes.iter().position(|gene| named(*gene, text)) {
            Some(place) => splits[place] = TEST,
            None => {
                let reason = format!("cannot hold out {text}: no such gene marks a type of the tissue");
                return Err(FileError::whole(out, reason));
            }
        }
    }
    // A gene of several types counts for the rarest of them.
    let mut of_type: BTreeMap<usize, usize> = BTreeMap::new();
    marks.values().flatten().for_each(|kind| *of_type.entry(*kind).or_default() += 1);
    let rarest = |gene: &usize| {
        marks[gene].iter().copied().min_by_key(|kind| (of_type[kind], *kind)).unwrap_or_default()
    };
    let free: Vec<usize> = (0..genes.len()).filter(|place| splits[*place] == TRAIN).collect();
    let strata: Vec<usize> = free.iter().map(|place| rarest(&genes[*place])).collect();
    let order: Vec<u64> = free.iter().map(|place| mix(*seed, symbol(genes[*place]))).collect();
    for (nth, place) in stratified(&strata, &order).into_iter().enumerate() {
        if nth < *test_size {
            splits[free[place]] = TEST;
        } else if nth < test_size + validation_size {
            splits[free[place]] = VALIDATION;
        }
    }
    Ok(splits)
}

/// For each gene the types of its answers "no", `each` for every type that it marks (fewer where there are no more), so that
/// every type has as many of them as it has answers "yes" times `each`, as far as `allowed` goes.
fn choose(
    genes: &[usize],
    marks: &BTreeMap<usize, Vec<usize>>,
    allowed: &dyn Fn(usize) -> Vec<usize>,
    each: usize,
    seed: u64,
) -> BTreeMap<usize, Vec<usize>> {
    // How many a type lacks still; below 0 where it has too many.
    let mut lacks: BTreeMap<usize, i64> = BTreeMap::new();
    for gene in genes {
        marks[gene].iter().for_each(|kind| *lacks.entry(*kind).or_default() += each as i64);
    }
    let allowed: BTreeMap<usize, Vec<usize>> = genes.iter().map(|gene| (*gene, allowed(*gene))).collect();
    let mut draw = Draw::at(seed, &[]);
    let mut order = genes.to_vec();
    draw.shuffle(&mut order);
    // Those with the least choice first, so that they find what they can take.
    order.sort_by_key(|gene| allowed[gene].len());
    let mut chosen: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for gene in order {
        let of = chosen.entry(gene).or_default();
        for _ in 0..marks[&gene].len() * each {
            let free: Vec<usize> = allowed[&gene].iter().copied().filter(|kind| !of.contains(kind)).collect();
            // By lot, a type the likelier the more it lacks.
            let weight = |kind: &usize| lacks.get(kind).copied().unwrap_or(0).max(0).pow(2) as f64 + 1e-3;
            let mut left = draw.uniform() * free.iter().map(weight).sum::<f64>();
            let mut picked = free.last().copied();
            for kind in &free {
                left -= weight(kind);
                if left < 0.0 {
                    picked = Some(*kind);
                    break;
                }
            }
            let Some(kind) = picked else { break };
            *lacks.entry(kind).or_default() -= 1;
            of.push(kind);
        }
    }
    settle(&mut chosen, &allowed, &mut lacks);
    chosen.values_mut().for_each(|of| of.sort_unstable());
    chosen
}

/// Moves answers from types that have too many to types that lack some, along chains of at most two moves, until no move helps.
fn settle(
    chosen: &mut BTreeMap<usize, Vec<usize>>,
    allowed: &BTreeMap<usize, Vec<usize>>,
    lacks: &mut BTreeMap<usize, i64>,
) {
    let genes: Vec<usize> = chosen.keys().copied().collect();
    let can = |chosen: &BTreeMap<usize, Vec<usize>>, gene: usize, from: usize, to: usize| {
        chosen[&gene].contains(&from) && !chosen[&gene].contains(&to) && allowed[&gene].contains(&to)
    };
    let apply = |chosen: &mut BTreeMap<usize, Vec<usize>>, gene: usize, from: usize, to: usize| {
        if let Some(kind) = chosen.get_mut(&gene).and_then(|of| of.iter_mut().find(|kind| **kind == from)) {
            *kind = to;
        }
    };
    loop {
        let over: Vec<usize> = lacks.iter().filter(|(_, n)| **n < 0).map(|(kind, _)| *kind).collect();
        let under: Vec<usize> = lacks.iter().filter(|(_, n)| **n > 0).map(|(kind, _)| *kind).collect();
        let kinds: Vec<usize> = lacks.keys().copied().collect();
        let mut moved = None;
        'search: for &from in &over {
            for &to in &under {
                if let Some(gene) = genes.iter().copied().find(|gene| can(chosen, *gene, from, to)) {
                    moved = Some((from, to, vec![(gene, from, to)]));
                    break 'search;
                }
                for &by in kinds.iter().filter(|by| **by != from && **by != to) {
                    let first = genes.iter().copied().find(|gene| can(chosen, *gene, from, by));
                    let second =
                        genes.iter().copied().find(|gene| Some(*gene) != first && can(chosen, *gene, by, to));
                    if let (Some(first), Some(second)) = (first, second) {
                        moved = Some((from, to, vec![(first, from, by), (second, by, to)]));
                        break 'search;
                    }
                }
            }
        }
        let Some((from, to, moves)) = moved else { return };
        moves.into_iter().for_each(|(gene, from, to)| apply(chosen, gene, from, to));
        *lacks.entry(from).or_default() += 1;
        *lacks.entry(to).or_default() -= 1;
    }
}
