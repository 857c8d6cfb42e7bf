//! An adapter merged into its base: a whole checkpoint, compared with what it was made from.
//!
//! W + s·B·A (scaled to m with DoRA) is made in f32 and must say what the base with the adapter beside it says. What
//! is written is read back and compared once more, since rounding to 16 bits changes it.

use std::path::Path;

use serde::Serialize;

use crate::arch::decoder::Decoder;
use crate::arch::projector::{PICTURE, Projector};
use crate::batch::{Pack, Packing, Sequence};
use crate::config::Positions;
use crate::error::{ModelError, Result};
use crate::ops::layer::Layer;
use crate::ops::slots::{Slot, Weights};
use crate::rng::Rng;
use crate::weights::{Held, Numbers, Precision};

/// Tokens that the models are compared on.
const PROBE: usize = 32;

/// Rows of a picture among them, where the model sees.
const SHOWN: usize = 4;

/// Largest difference of the merge in f32, as a share of the largest logit: sums of a few thousand products in
/// another order differ by some 1e-5 of it.
const IN_F32: f32 = 2e-4;

/// How many times the difference that rounding the base's layers makes the written model may differ by. Both are
/// errors of the same kind and size: on the golden models of eight families the written one differs by 0.6 to 2.5
/// times as much, since embedding, output layer and norms are rounded in it too. Three times that leaves room for other
/// models. A tensor in a wrong place changes logits by as much as they are large, four times what is allowed and more.
const ROUNDINGS: f32 = 8.0;

/// Smallest share of the probe's tokens after which the written model says the same token as before. Rounding decides
/// close calls only; ten in a hundred leave room for models whose calls are all close.
const SAME_TOKEN: f64 = 0.9;

/// What a merge came to: largest differences of logits on the probe, against the base with the adapter beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Merged {
    /// Tokens compared.
    pub probe: usize,
    /// Largest logit.
    pub largest: f32,
    /// The base without the adapter.
    pub without_adapter: f32,
    /// The merged model in f32.
    pub in_f32: f32,
    /// The written checkpoint, read back.
    pub written: f32,
    /// What `written` may be at most.
    pub allowed: f32,
    /// Share of tokens after which the written model says the same token.
    pub same_token: f64,
    /// How the numbers are written.
    pub precision: &'static str,
}

/// Writes base and adapter as one checkpoint into `out`, in `precision` or the base's own. Fails where it does not say
/// what the two say; what is in `out` then is of no use.
pub fn merge(base: &Path, adapter: &Path, out: &Path, precision: Option<Precision>) -> Result<Merged> {
    let mut model = Decoder::read(base)?;
    show(&mut model);
    let precision = precision.unwrap_or_else(|| held_precision(&model));
    let ids = probe(&model);
    let plain = model.logits(&ids)?;
    let model = model.with_adapter(adapter)?;
    let wanted = model.logits(&ids)?;
    let largest = wanted.iter().fold(0f32, |most, x| most.max(x.abs()));
    // As f32 the written model is the merged one, and the same is asked of it.
    let allowed = match precision {
        Precision::F32 => IN_F32 * largest,
        _ => ROUNDINGS * difference(&rounded_logits(&model, &ids, precision)?, &wanted),
    };
    let merged = model.merged(None);
    let in_f32 = difference(&merged.logits(&ids)?, &wanted);
    if in_f32 > IN_F32 * largest {
        return Err(ModelError::Run(format!(
            "the merged model's logits differ from those of base and adapter by {in_f32:.2e}, expected at most {:.2e} \
             ({IN_F32:.0e} of the largest); nothing was written",
            IN_F32 * largest
        )));
    }
    merged.write_beside(base, out, precision)?;
    drop(merged);
    let mut again = Decoder::read(out)?;
    show(&mut again);
    let found = again.logits(&ids)?;
    let (written, vocabulary) = (difference(&found, &wanted), wanted.len() / ids.len());
    let pairs = found.chunks_exact(vocabulary).zip(wanted.chunks_exact(vocabulary));
    let same_token = pairs.filter(|(a, b)| top(a) == top(b)).count() as f64 / ids.len() as f64;
    if !written.is_finite() || written > allowed || same_token < SAME_TOKEN {
        return Err(ModelError::Run(format!(
            "written as {} the merged model's logits differ by {written:.2e} (expected at most {allowed:.2e}) and {:.0} % \
             of its next tokens are the same (expected at least {:.0} %); ask for more digits with --precision f32",
            precision.name(),
            100.0 * same_token,
            100.0 * SAME_TOKEN
        )));
    }
    let (probe, without_adapter) = (ids.len(), difference(&plain, &wanted));
    let precision = precision.name();
    Ok(Merged { probe, largest, without_adapter, in_f32, written, allowed, same_token, precision })
}

/// Token ids spread over the vocabulary, the same for the same model: multiples of 2³² / φ, as Knuth's hash has them.
fn probe(model: &Decoder) -> Vec<u32> {
    let config = model.config();
    let longest = match config.positions {
        Positions::Learned { rows, offset } => rows.saturating_sub(offset),
        Positions::Rotary { .. } => PROBE,
    };
    let spread = |i: usize| (i as u32 + 1).wrapping_mul(2_654_435_769);
    let id = |i: usize| ((u64::from(spread(i)) * config.vocab_size as u64) >> 32) as u32;
    let mut ids: Vec<u32> = (0..PROBE.min(longest)).map(id).collect();
    // A model that sees reads a picture's rows too, after its first tokens: the projector is merged with the rest.
    let rows = model.projector.as_ref().map_or(0, Projector::shown) as u32;
    let first = ids.len().min(4);
    ids.splice(first..first, (0..rows).map(|row| PICTURE + row));
    ids
}

/// Shows a model that sees a few rows that no tower has made, the same for the same model.
fn show(model: &mut Decoder) {
    let Some(projector) = &mut model.projector else { return };
    let mut rng = Rng::at(0, &[0x5EE]);
    let features = (0..SHOWN * projector.width()).map(|_| rng.normal(1.0)).collect();
    projector.show(Numbers::new(features));
}

/// How the largest matrix of a decoder's layers is held.
fn held_precision(model: &Decoder) -> Precision {
    let held = model.layers.iter().flat_map(|layer| layer.held.iter().flatten());
    held.max_by_key(|held| held.len()).map_or(Precision::F32, Held::precision)
}

/// The largest difference; infinite where one of the numbers is none.
fn difference(found: &[f32], wanted: &[f32]) -> f32 {
    let differences = found.iter().zip(wanted).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |most, d| if d.is_nan() { f32::INFINITY } else { most.max(d) })
}

/// The place of the largest number.
fn top(row: &[f32]) -> usize {
    (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

/// Logits with every matrix of the layers rounded, one layer at a time: what `precision` costs before anything is
/// merged.
///
/// Weights that are held in 16 bits already would not change. So each is made smaller by a factor that no binary
/// number is, rounded, and made larger again, which gives every weight the error of a number chosen at random.
fn rounded_logits(model: &Decoder, ids: &[u32], precision: Precision) -> Result<Vec<f32>> {
    let factor = std::f32::consts::FRAC_1_SQRT_2;
    let round = |x: f32| match precision {
        Precision::F32 => x,
        Precision::Bf16 => half::bf16::from_f32(x * factor).to_f32() / factor,
        Precision::F16 => half::f16::from_f32(x * factor).to_f32() / factor,
    };
    let sequence = Sequence { ids: ids.to_vec(), labels: vec![None; ids.len()] };
    let pack = Pack::new([&sequence], model.config(), Packing::Apart);
    let mut x = model.embed(&pack.ids, &pack.positions)?;
    for (number, layer) in model.layers.iter().enumerate() {
        let rounded = |slot: Slot| {
            let held = layer.held[slot as usize].as_ref()?;
            let map = held.map();
            let numbers: Vec<f32> = held.to_vec().into_iter().map(round).collect();
            Some(Held::new(Numbers::new(numbers), map.outputs, map.inputs))
        };
        let held = Slot::ALL.map(|slot| match slot.is_matrix() {
            true => rounded(slot),
            false => layer.held[slot as usize].clone(),
        });
        let weights = Weights::new(&layer.shape, |slot| Some(held[slot as usize].as_ref()?.map()));
        let (shape, trained, flat) = (&layer.shape, &layer.trained, model.flat(number));
        let layer = Layer { shape, weights: &weights, trained, flat, mask: None, beside: &[], wanted: None };
        x = layer.forward_pack(&x, &pack.lay).0;
    }
    let mut h = vec![0.0; x.len()];
    model.final_norm().forward(&x, &mut h);
    Ok(model.head().map_or_else(Vec::new, |head| head.logits(&h)))
}
