//! LLaVA-1.5's projector: two linear maps with an activation between, from the tower's states to the decoder's tokens.
//!
//! ```text
//! tokens = act(features · W1 + b1) · W2 + b2
//! ```
//!
//! Where it is trained its numbers are one flat vector: W1, b1, W2, b2. A picture's rows are tokens beyond the vocabulary:
//! [`PICTURE`]` + r` is row `r` of the features that the decoder has been shown. So whatever compares tokens, as the sharing
//! of what sequences begin with does, tells pictures apart without knowing of them.

use std::ops::Range;

use super::decoder::{Parameter, Part};
use crate::checkpoint::Source;
use crate::config::Activation;
use crate::config::vision::VisionConfig;
use crate::error::{ModelError, Result};
use crate::families::Stored;
use crate::ops::activation::Between;
use crate::ops::buffer;
use crate::ops::matmul::{Into, Slice, Threads, product, rows, transposed};
use crate::ops::slots::Map;
use crate::weights::{Held, Numbers};

/// The first token that is a row of a picture.
pub const PICTURE: u32 = 1 << 31;

/// Names of the projector's tensors, as transformers has them.
pub(crate) const NAME: &str = "multi_modal_projector.";

/// A projector, and the features that it makes tokens of.
pub(crate) struct Projector {
    /// (hidden, tower width), (hidden, hidden); missing where they are trained.
    maps: [Option<Held>; 2],
    /// Empty where there are none.
    biases: [Vec<f32>; 2],
    activation: Activation,
    /// Width of the tower's states.
    width: usize,
    hidden: usize,
    /// Whether there are biases.
    bias: bool,
    /// Whether there is none, and features are tokens (Qwen2.5-VL).
    pub(crate) plain: bool,
    /// Which parameter it is.
    pub(crate) trained: Option<usize>,
    /// (rows, width) of all pictures that are shown.
    features: Numbers,
}

/// A tensor of a projector: its name below [`NAME`], its dimensions, its place in the flat vector.
pub(crate) struct Tensor {
    pub(crate) name: &'static str,
    pub(crate) dims: Vec<usize>,
    pub(crate) place: Range<usize>,
}

impl Projector {
    pub(crate) fn read(source: &mut Source, vision: &VisionConfig, hidden: usize) -> Result<Self> {
        let width = vision.tower.hidden_size;
        if vision.any_size.is_some() {
            let (maps, biases) = ([None, None], [Vec::new(), Vec::new()]);
            let (activation, features) = (vision.activation, Numbers::new(Vec::new()));
            let (bias, plain, trained) = (false, true, None);
            return Ok(Self {
                maps,
                biases,
                activation,
                width: hidden,
                hidden,
                bias,
                plain,
                trained,
                features,
            });
        }
        if !source.has(&format!("{NAME}linear_1.weight")) {
            let reason = "has no projector (multi_modal_projector.linear_1, or mm_projector.0 in the original layout): \
                          its pictures cannot become tokens; take a checkpoint of the finetuned LLaVA";
            return Err(ModelError::tensors(source.folder(), reason));
        }
        let mut map = |name: &str, inputs: usize| {
            let stored = Stored::whole(format!("{NAME}{name}.weight"));
            source.take(&stored, hidden, inputs, false).map(Some)
        };
        let maps = [map("linear_1", width)?, map("linear_2", hidden)?];
        let mut bias = |name: &str| match vision.bias {
            false => Ok(Vec::new()),
            true => source
                .take(&Stored::whole(format!("{NAME}{name}.bias")), 1, hidden, true)
                .map(|held| held.to_vec()),
        };
        let biases = [bias("linear_1")?, bias("linear_2")?];
        let (activation, bias) = (vision.activation, vision.bias);
        Ok(Self {
            maps,
            biases,
            activation,
            width,
            hidden,
            bias,
            plain: false,
            trained: None,
            features: Numbers::new(Vec::new()),
        })
    }

    /// Shows it the features of pictures, in the place of those it has been shown before.
    pub(crate) fn show(&mut self, features: Numbers) {
        self.features = features;
    }

    /// Rows of features that it has been shown.
    pub(crate) fn shown(&self) -> usize {
        self.features.len() / self.width
    }

    /// Its tensors, in the order of the flat vector.
    pub(crate) fn tensors(&self) -> Vec<Tensor> {
        if self.plain {
            return Vec::new();
        }
        let (hidden, width) = (self.hidden, self.width);
        let mut tensors = vec![("linear_1.weight", vec![hidden, width])];
        tensors.extend(self.bias.then(|| ("linear_1.bias", vec![hidden])));
        tensors.push(("linear_2.weight", vec![hidden, hidden]));
        tensors.extend(self.bias.then(|| ("linear_2.bias", vec![hidden])));
        let mut end = 0;
        let placed = |(name, dims): (&'static str, Vec<usize>)| {
            let start = end;
            end += dims.iter().product::<usize>();
            Tensor { name, dims, place: start..end }
        };
        tensors.into_iter().map(placed).collect()
    }

    /// The numbers of one of its tensors, where it is not trained.
    pub(crate) fn held(&self, name: &str) -> Vec<f32> {
        let which = usize::from(name.starts_with("linear_2"));
        match name.ends_with("bias") {
            true => self.biases[which].clone(),
            false => self.maps[which].as_ref().map(Held::to_vec).unwrap_or_default(),
        }
    }

    /// Numbers of a row that it is shown.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Numbers of its weights.
    pub(crate) fn len(&self) -> usize {
        self.tensors().last().map_or(0, |tensor| tensor.place.end)
    }

    /// Bytes of the weights and features that are held.
    pub(crate) fn frozen_bytes(&self) -> usize {
        let maps = self.maps.iter().flatten().map(|held| held.len() * held.precision().bytes());
        maps.sum::<usize>() + self.features.len() * self.features.precision.bytes()
    }

    /// Its weights as a parameter, which is the `number`th; steps on it are `rate` times as long as on others.
    pub(crate) fn train(&mut self, number: usize, rate: f64) -> Parameter {
        let mut numbers = Vec::with_capacity(self.len());
        for (map, bias) in self.maps.iter_mut().zip(&mut self.biases) {
            numbers.extend(map.take().map(|held| held.to_vec()).unwrap_or_default());
            numbers.append(bias);
        }
        self.trained = Some(number);
        let part = |tensor: Tensor| Part {
            decays: tensor.dims.len() == 2,
            range: tensor.place,
            rate,
            is_lora_b: false,
            matrix: None,
        };
        let parts = self.tensors().into_iter().map(part).collect();
        Parameter { name: "projector".to_owned(), numbers, parts }
    }

    /// Holds what was trained, and trains it no more.
    pub(crate) fn freeze(&mut self, numbers: &[f32]) {
        let mut biases = Vec::new();
        let mut maps = Vec::new();
        for Tensor { dims, place, .. } in self.tensors() {
            let numbers = numbers[place].to_vec();
            match dims[..] {
                [outputs, inputs] => maps.push(Held::new(Numbers::new(numbers), outputs, inputs)),
                _ => biases.push(numbers),
            }
        }
        let mut maps = maps.into_iter();
        self.maps = [maps.next(), maps.next()];
        let mut biases = biases.into_iter();
        self.biases = [biases.next().unwrap_or_default(), biases.next().unwrap_or_default()];
        self.trained = None;
    }

    /// A map and its bias, wherever they lie.
    fn linear<'a>(&'a self, which: usize, flat: &'a [f32]) -> (Option<Map<'a>>, &'a [f32]) {
        if self.trained.is_none() {
            return (self.maps[which].as_ref().map(Held::map), &self.biases[which]);
        }
        let inputs = [self.width, self.hidden][which];
        let before = which * (self.hidden * self.width + if self.bias { self.hidden } else { 0 });
        let end = before + self.hidden * inputs;
        let numbers = Slice::F32(&flat[before..end]);
        let map = Map { numbers, outputs: self.hidden, inputs, out_stride: inputs, in_stride: 1 };
        (Some(map), if self.bias { &flat[end..end + self.hidden] } else { &[] })
    }

    /// x · W + b
    fn apply(&self, which: usize, flat: &[f32], x: &[f32]) -> Vec<f32> {
        let inputs = [self.width, self.hidden][which];
        let n = x.len() / inputs;
        let mut y = buffer(n * self.hidden);
        let (map, bias) = self.linear(which, flat);
        if let Some(map) = map {
            let shape = (n, self.hidden, inputs);
            product(
                shape,
                1.0,
                rows(x, inputs),
                map.forward(),
                &mut y,
                self.hidden,
                Into::Fresh,
                Threads::All,
            );
        }
        if !bias.is_empty() {
            for row in y.chunks_exact_mut(self.hidden) {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
        }
        y
    }

    fn between(&self) -> Between {
        Between { activation: self.activation, gated: false, width: self.hidden }
    }

    /// Which tokens of `ids` are rows of pictures.
    pub(super) fn places(ids: &[u32]) -> Vec<usize> {
        (0..ids.len()).filter(|place| ids[*place] >= PICTURE).collect()
    }

    /// The features that it has been shown of these tokens: (count, width).
    pub(super) fn features_of(&self, ids: &[u32], places: &[usize]) -> Vec<f32> {
        let mut features = buffer(places.len() * self.width);
        let all = self.features.slice();
        for (place, row) in places.iter().zip(features.chunks_exact_mut(self.width)) {
            let first = (ids[*place] - PICTURE) as usize * self.width;
            all.widen(first..first + self.width, row);
        }
        features
    }

    /// Tokens (count, hidden) of features (count, width).
    pub(super) fn tokens(&self, flat: &[f32], features: &[f32]) -> Vec<f32> {
        if self.plain {
            return features.to_vec();
        }
        let inner = self.apply(0, flat, features);
        let mut active = buffer(inner.len());
        self.between().forward(&inner, &mut active);
        self.apply(1, flat, &active)
    }

    /// Adds the gradients of its weights to `sum`, which is empty where they are not trained, from `dy` (count, hidden), the
    /// gradient of its tokens; the gradient of the features (count, width), where it is `wanted`.
    pub(super) fn gradients(
        &self,
        flat: &[f32],
        features: &[f32],
        dy: &[f32],
        sum: &mut [f32],
        wanted: bool,
    ) -> Vec<f32> {
        let (n, hidden, width) = (dy.len() / self.hidden, self.hidden, self.width);
        let inner = self.apply(0, flat, features);
        let back = |which: usize, dy: &[f32]| {
            let inputs = [width, hidden][which];
            let mut dx = buffer(n * inputs);
            if let (Some(map), _) = self.linear(which, flat) {
                let (shape, dy) = ((n, inputs, hidden), rows(dy, hidden));
                product(shape, 1.0, dy, map.backward(), &mut dx, inputs, Into::Fresh, Threads::All);
            }
            dx
        };
        let (mut active, mut d_inner) = (back(1, dy), buffer(n * hidden));
        self.between().backward(&inner, &mut active, &mut d_inner);
        if !sum.is_empty() {
            let (first, second) = sum.split_at_mut(hidden * width + if self.bias { hidden } else { 0 });
            for (x, inputs, dy, sum) in
                [(features, width, &d_inner[..], first), (&active[..], hidden, dy, second)]
            {
                let (d_map, d_bias) = sum.split_at_mut(hidden * inputs);
                let (shape, a) = ((hidden, inputs, n), transposed(dy, hidden));
                product(shape, 1.0, a, rows(x, inputs), d_map, inputs, Into::Added, Threads::All);
                if self.bias {
                    for dy in dy.chunks_exact(hidden) {
                        d_bias.iter_mut().zip(dy).for_each(|(d, dy)| *d += dy);
                    }
                }
            }
        }
        if wanted { back(0, &d_inner) } else { Vec::new() }
    }
}
