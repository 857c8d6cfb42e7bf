//! A decoder's losses and gradients on another device, by candle's tensor operations and its autograd.
//!
//! No kernel of ours runs there: every operation falls back to its reference (`ops/reference.rs`). Frozen weights
//! are copied to the device once, in f32; what is trained is copied there for every pack, its gradients come back,
//! and the optimizer stays on the CPU. So a run, its checkpoints and its adapters are the same on every device.

use candle_core::{DType, Device, Tensor, Var};

use super::decoder::{Decoder, layer_mask};
use crate::batch::Pack;
use crate::error::{ModelError, Result};
use crate::families::Top;
use crate::ops::layer::add;
use crate::ops::reference::{Reference, Tables, capped, norm};
use crate::recipe;
use crate::weights::Held;

/// Where a decoder's losses and gradients are computed.
pub(crate) enum Place {
    /// On the CPU, by the fused operations.
    Cpu,
    /// By the reference, on whichever device candle can use.
    Device(OnDevice),
}

impl Place {
    /// The place that a recipe asks for, with the decoder's frozen weights in it.
    pub(crate) fn new(device: recipe::Device, model: &Decoder) -> Result<Self> {
        match device {
            recipe::Device::Cpu => Ok(Self::Cpu),
            recipe::Device::Cuda if model.projector.is_some() => {
                let reason =
                    "recipe: run.device is \"cuda\", expected \"cpu\" for a model that sees pictures";
                Err(ModelError::Run(reason.to_owned()))
            }
            recipe::Device::Cuda => {
                let device = Device::new_cuda(0).map_err(|error| {
                    let reason = "recipe: run.device is \"cuda\", and no GPU could be used";
                    ModelError::Run(format!("{reason} ({error}); set run.device to \"cpu\""))
                })?;
                Ok(Self::Device(OnDevice::new(model, device)?))
            }
        }
    }

    /// [`Decoder::loss`], computed here.
    pub(crate) fn loss(&self, model: &Decoder, pack: &Pack, divisor: usize) -> Result<f64> {
        match self {
            Self::Cpu => model.loss(pack, divisor),
            Self::Device(on_device) => on_device.loss(model, pack, divisor),
        }
    }

    /// [`Decoder::gradients`], computed here.
    pub(crate) fn gradients(
        &self,
        model: &Decoder,
        pack: &Pack,
        divisor: usize,
        mask: u64,
        sums: &mut [Vec<f32>],
    ) -> Result<f64> {
        match self {
            Self::Cpu => model.gradients(pack, divisor, mask, sums),
            Self::Device(on_device) => on_device.gradients(model, pack, divisor, mask, sums),
        }
    }
}

/// The frozen weights of a decoder, on a device.
pub(crate) struct OnDevice {
    device: Device,
    /// By [`Top`].
    tops: Vec<Option<Tensor>>,
    /// By slot, for each layer.
    layers: Vec<Vec<Option<Tensor>>>,
}

impl OnDevice {
    /// Copies what is frozen to a device.
    pub(crate) fn new(model: &Decoder, device: Device) -> Result<Self> {
        let copy = |held: &Option<Held>| {
            let held = held.as_ref().map(|held| (held.to_vec(), held.len()));
            held.map(|(numbers, len)| Tensor::from_vec(numbers, len, &device)).transpose()
        };
        let copies = |held: &[Option<Held>]| held.iter().map(copy).collect::<candle_core::Result<_>>();
        let layers = model.layers.iter().map(|layer| copies(&layer.held)).collect::<candle_core::Result<_>>();
        let (tops, layers) = (copies(&model.tops)?, layers?);
        Ok(Self { device, tops, layers })
    }

    fn loss(&self, model: &Decoder, pack: &Pack, divisor: usize) -> Result<f64> {
        let copy = |p: &super::decoder::Parameter| Tensor::new(p.numbers.as_slice(), &self.device);
        let trained = model.parameters.iter().map(copy).collect::<candle_core::Result<Vec<_>>>()?;
        let loss = self.forward(model, pack, divisor, None, &trained)?;
        Ok(loss.map_or(Ok(0.0), |loss| loss.to_scalar::<f32>())?.into())
    }

    fn gradients(
        &self,
        model: &Decoder,
        pack: &Pack,
        divisor: usize,
        mask: u64,
        sums: &mut [Vec<f32>],
    ) -> Result<f64> {
        let copy = |p: &super::decoder::Parameter| Var::from_slice(&p.numbers, p.numbers.len(), &self.device);
        let variables = model.parameters.iter().map(copy).collect::<candle_core::Result<Vec<_>>>()?;
        let trained: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
        let Some(loss) = self.forward(model, pack, divisor, Some(mask), &trained)? else { return Ok(0.0) };
        let gradients = loss.backward()?;
        for (variable, sum) in variables.iter().zip(sums) {
            if let Some(gradient) = gradients.get(variable) {
                add(sum, &gradient.flatten_all()?.to_vec1()?);
            }
        }
        Ok(loss.to_scalar::<f32>()?.into())
    }

    /// The loss of a pack with these parameters; `None` where it has no labels.
    fn forward(
        &self,
        model: &Decoder,
        pack: &Pack,
        divisor: usize,
        mask: Option<u64>,
        trained: &[Tensor],
    ) -> Result<Option<Tensor>> {
        model.check_tokens(&pack.ids, &pack.positions)?;
        model.check_labels(pack)?;
        let (config, device) = (&model.config, &self.device);
        let top = |top: Top| -> Result<Option<Tensor>> {
            let numbers = match model.trained_tops[top as usize] {
                Some(parameter) => Some(&trained[parameter]),
                None => self.tops[top as usize].as_ref(),
            };
            let size = Decoder::top_size(config, top);
            Ok(numbers.zip(size).map(|(numbers, size)| numbers.reshape(size)).transpose()?)
        };
        let (Some(embedding), Some(norm_weight)) = (top(Top::Embedding)?, top(Top::Norm)?) else {
            return Ok(None);
        };
        if pack.labels.is_empty() {
            return Ok(None);
        }

        let ids = Tensor::new(pack.ids.as_slice(), device)?;
        let mut x = (embedding.index_select(&ids, 0)? * config.embedding_scale)?;
        if let (Some(table), Some(offset)) = (top(Top::Positions)?, config.position_offset()) {
            let rows: Vec<u32> = pack.positions.iter().map(|position| position + offset as u32).collect();
            x = (x + table.index_select(&Tensor::new(rows, device)?, 0)?)?;
        }
        let shapes = model.layers.iter().map(|layer| &layer.shape);
        let tables = Tables::new(&pack.lay, pack.len(), shapes, device)?;
        let nothing = Tensor::zeros(0, DType::F32, device)?;
        for (number, (layer, frozen)) in model.layers.iter().zip(&self.layers).enumerate() {
            let flat = layer.parameter.map_or(&nothing, |parameter| &trained[parameter]);
            let mask = mask.map(|pass| layer_mask(pass, number));
            let reference = Reference { shape: &layer.shape, trained: &layer.trained, frozen, flat, mask };
            x = reference.layer(&x, &tables)?;
        }

        let of_labels = |value: fn(&crate::ops::cross_entropy::Label) -> u32| {
            Tensor::from_iter(pack.labels.iter().map(value), device)
        };
        let x = x.index_select(&of_labels(|label| label.row as u32)?, 0)?;
        let bias = top(Top::NormBias)?;
        let h = norm(config.norm, config.norm_eps as f32, &x, &norm_weight, bias.as_ref())?;
        let head = top(Top::Head)?.unwrap_or(embedding);
        let logits = capped(h.matmul(&head.t()?)?, config.logit_cap.map(|cap| cap as f32))?;
        let logits = logits.broadcast_sub(&logits.max_keepdim(1)?.detach())?;
        let of_label = logits.gather(&of_labels(|label| label.token)?.unsqueeze(1)?, 1)?;
        let losses = (logits.exp()?.sum_keepdim(1)?.log()? - of_label)?;
        let counts: Vec<f32> = pack.labels.iter().map(|label| label.count / divisor as f32).collect();
        let counts = Tensor::from_vec(counts, (pack.labels.len(), 1), device)?;
        Ok(Some((losses * counts)?.sum_all()?))
    }
}

#[cfg(test)]
mod tests;
