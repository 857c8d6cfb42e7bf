//! The loss of a pack in training, and its gradients.

use super::{Decoder, Seeing};
use crate::arch::projector::PICTURE;
use crate::batch::Pack;
use crate::error::Result;
use crate::families::Top;
use crate::ops::cross_entropy::{Gradients, Label};
use crate::ops::layer::Saved;
use crate::ops::scratch::{self, give, take, zeros};
use crate::ops::{buffer, in_pool_awake};

/// The rows of a pack that have labels, where it pays to compute them alone.
pub(crate) struct Labelled {
    /// In their order.
    rows: Vec<usize>,
    /// The labels, whose rows are numbers in `rows`.
    labels: Vec<Label>,
}

impl Labelled {
    /// Whether to compute `labelled` rows of `all` alone.
    pub(crate) fn pays(labelled: usize, all: usize) -> bool {
        labelled > 0 && labelled * 8 <= all * 7
    }

    fn of(pack: &Pack) -> Option<Self> {
        let mut rows: Vec<usize> = pack.labels.iter().map(|label| label.row).collect();
        rows.sort_unstable();
        rows.dedup();
        if !Self::pays(rows.len(), pack.len()) {
            return None;
        }
        let renumbered =
            |label: &Label| Label { row: rows.partition_point(|row| *row < label.row), ..*label };
        let labels = pack.labels.iter().map(renumbered).collect();
        Some(Self { rows, labels })
    }
}

impl Decoder {
    /// The loss of a pack as in training, where `mask` names the dropout masks, and its gradients, which are added to
    /// `sums`, one for each parameter.
    pub fn gradients(&self, pack: &Pack, divisor: usize, mask: u64, sums: &mut [Vec<f32>]) -> Result<f64> {
        in_pool_awake(|| self.gradients_here(pack, divisor, mask, sums))
    }

    fn gradients_here(&self, pack: &Pack, divisor: usize, mask: u64, sums: &mut [Vec<f32>]) -> Result<f64> {
        self.check_labels(pack)?;
        let Some(head) = self.head() else { return Ok(0.0) };
        // Of the last layer only rows with labels are asked for.
        let labelled = Labelled::of(pack).filter(|_| !self.layers.is_empty() && self.experts.is_empty());
        let of_last = labelled.as_ref().map(|labelled| &labelled.rows[..]);
        scratch::begin(pack.len(), of_last.map_or(pack.len(), <[usize]>::len));
        let (mask, lowest) = (Some(mask), self.lowest_trained());
        let (mut x, seeing) = self.embed_seeing(&pack.ids, &pack.positions, mask)?;
        // Of each layer from the lowest trained one up, what goes in, and what the backward pass needs.
        let mut kept: Vec<(Vec<f32>, Option<Saved>)> = Vec::new();
        let wanted = |number: usize| of_last.filter(|_| number + 1 == self.layers.len());
        for number in 0..self.layers.len() {
            let (y, saved) = self.with_layer_at(number, mask, (&[], wanted(number)), |layer| {
                layer.forward_pack(&x, &pack.lay)
            });
            if number < lowest {
                saved.give();
                give([x]);
            } else if self.recompute {
                saved.give();
                kept.push((x, None));
            } else {
                kept.push((x, Some(saved)));
            }
            x = y;
        }
        let norm = self.final_norm();
        let mut h = take(x.len());
        norm.forward(&x, &mut h);
        let mut dh = zeros(x.len());
        let of_head = self.trained_tops[Top::Head as usize].or_else(|| {
            let tied = self.config.tie_word_embeddings;
            self.trained_tops[Top::Embedding as usize].filter(|_| tied)
        });
        let dw = of_head.map(|parameter| sums[parameter].as_mut_slice());
        let gradients = Some(Gradients { dx: &mut dh, dw });
        let labels = labelled.as_ref().map_or(&pack.labels, |labelled| &labelled.labels);
        let loss = head.loss(&h, labels, divisor as f32, gradients);
        if let Some(parameter) = self.trained_tops[Top::Norm as usize] {
            let mut of_bias =
                self.trained_tops[Top::NormBias as usize].map(|p| (p, std::mem::take(&mut sums[p])));
            let db = of_bias.as_mut().map_or(&mut [][..], |(_, sum)| sum.as_mut_slice());
            norm.backward_weight(&x, &dh, &mut sums[parameter], db);
            if let Some((parameter, sum)) = of_bias {
                sums[parameter] = sum;
            }
        }
        let mut dx = zeros(x.len());
        norm.backward(&x, &dh, &mut dx);
        give([x, h, dh]);
        let input = self.trains_input();
        for number in (lowest..self.layers.len()).rev() {
            let Some((x, saved)) = kept.pop() else { break };
            let d_flat: &mut [f32] = match self.layers[number].parameter {
                Some(parameter) => &mut sums[parameter],
                None => &mut [],
            };
            let want_dx = number > lowest || input;
            let below = self.with_layer_at(number, mask, (&[], wanted(number)), |layer| {
                let saved = saved.unwrap_or_else(|| {
                    let (y, saved) = layer.forward_pack(&x, &pack.lay);
                    give([y]);
                    saved
                });
                layer.backward(&x, &pack.lay, saved, std::mem::take(&mut dx), want_dx, d_flat)
            });
            give([x]);
            match below {
                Some(below) => dx = below,
                None => return Ok(loss),
            }
        }
        self.embedding_gradients(pack, &dx, seeing, sums);
        give([dx]);
        Ok(loss)
    }

    fn embedding_gradients(&self, pack: &Pack, dx: &[f32], seeing: Option<Seeing>, sums: &mut [Vec<f32>]) {
        let hidden = self.config.hidden_size;
        let mut add = |parameter: usize, row: usize, d: &[f32], scale: f32| {
            let sum = &mut sums[parameter][row * hidden..(row + 1) * hidden];
            sum.iter_mut().zip(d).for_each(|(sum, d)| *sum += scale * d);
        };
        for (token, d) in dx.chunks_exact(hidden).enumerate() {
            let embedding = self.trained_tops[Top::Embedding as usize].filter(|_| pack.ids[token] < PICTURE);
            if let Some(parameter) = embedding {
                add(parameter, pack.ids[token] as usize, d, self.config.embedding_scale as f32);
            }
            if let (Some(parameter), Some(offset)) =
                (self.trained_tops[Top::Positions as usize], self.config.position_offset())
            {
                add(parameter, pack.positions[token] as usize + offset, d, 1.0);
            }
        }
        let (Some(projector), Some(Seeing { places, features, looked })) = (&self.projector, seeing) else {
            return;
        };
        if projector.trained.is_none() && looked.is_none() {
            return;
        }
        let mut dy = buffer(places.len() * hidden);
        for (place, row) in places.iter().zip(dy.chunks_exact_mut(hidden)) {
            row.copy_from_slice(&dx[place * hidden..(place + 1) * hidden]);
        }
        let sum: &mut [f32] = match projector.trained {
            Some(parameter) => &mut sums[parameter],
            None => &mut [],
        };
        let of_projector = self.of_projector(projector);
        let d_features = projector.gradients(of_projector, &features, &dy, sum, looked.is_some());
        if let (Some(sight), Some((states, looked))) = (&self.sight, looked) {
            sight.backward(&self.parameters, (&states, looked), &d_features, sums);
        }
    }
}
