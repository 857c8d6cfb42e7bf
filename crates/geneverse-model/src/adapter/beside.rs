//! An adapter that is read for answers only, apart from the decoder: many of them beside one base.

use std::path::Path;

use super::{LoraConfig, OfTower, projector, read_matrices, refuse_surplus, take_layer, tower};
use crate::arch::decoder::Decoder;
use crate::error::{ModelError, Result};
use crate::ops::beside::{Beside, Fixed};
use crate::ops::layer::Trained;

/// A LoRA adapter for a decoder that stays as it is. It is at work on those sequences of a pass that ask for it.
pub struct Adapter {
    /// Of each layer; missing where the layer is not adapted.
    layers: Vec<Option<Fixed>>,
}

impl Adapter {
    /// Reads an adapter for `base`. One that cannot be applied whole is refused, and so is one that changes what pictures
    /// become: projector and tower are the same for all.
    pub fn read(folder: &Path, base: &Decoder) -> Result<Self> {
        let lora = LoraConfig::read(folder)?;
        let refuse = |reason: String| ModelError::tensors(folder, reason);
        let (path, mut tensors) = read_matrices(folder)?;
        let of_tower = lora.tower != OfTower::Nothing || !tower::take(&mut tensors).is_empty();
        if of_tower || projector::is_in(folder, &lora)? {
            let reason = "changes the projector or the tower of its base, which all adapters share; merge it \
                          (adapter merge) and serve the merged model";
            return Err(refuse(reason.to_owned()));
        }
        if base.layers.iter().any(|layer| !matches!(layer.trained, Trained::Nothing)) {
            let reason = "the base has an adapter already; several adapters stand beside a base without one";
            return Err(refuse(reason.to_owned()));
        }
        let fits = base.check_trainable().and_then(|()| lora.check_targets(base.config()));
        fits.map_err(|e| refuse(e.to_string()))?;
        let mut layers = Vec::with_capacity(base.layers.len());
        for (number, layer) in base.layers.iter().enumerate() {
            let layout = lora.layout(base.config(), &layer.shape, number);
            if layout.len == 0 {
                layers.push(None);
                continue;
            }
            let flat = take_layer(&layout, base.config(), number, &mut tensors, &path)?;
            layers.push(Some(Fixed::new(layout, flat, &base.weights(number))));
        }
        refuse_surplus(&tensors, &path)?;
        Ok(Self { layers })
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.layers.iter().flatten().map(Fixed::len).sum::<usize>() * size_of::<f32>()
    }

    /// What it does in a layer to these rows; `None` where it does nothing.
    pub(crate) fn beside(&self, layer: usize, rows: std::ops::Range<usize>) -> Option<Beside<'_>> {
        self.layers[layer].as_ref().map(|adapter| Beside { rows, adapter })
    }
}
