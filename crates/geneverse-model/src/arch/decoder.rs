//! The decoder: embedding, layers, final norm, output layer. Llama's shape.
//!
//! What is trained decides where a layer's numbers lie: frozen weights in tensors of their own, trained ones
//! in one flat vector per layer (see `ops/layer.rs`), which is one parameter to the optimizer.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Tensor, Var};

use crate::adapter::LoraConfig;
use crate::batch::Pack;
use crate::config::ModelConfig;
use crate::error::Result;
use crate::ops::cross_entropy::LinearCrossEntropy;
use crate::ops::layer::{DecoderLayer, Frozen, Lay, LayerShape, Trained, Weight};
use crate::ops::lora::{Layout, Linear};
use crate::ops::norm::RmsNorm;
use crate::rng::{Rng, mix};

/// A decoder and what of it is trained.
pub struct Decoder {
    config: ModelConfig,
    pub(crate) embedding: Tensor,
    pub(crate) layers: Vec<Layer>,
    pub(crate) norm: Tensor,
    /// The same tensor as the embedding where they are tied.
    pub(crate) head: Tensor,
    pub(crate) trained: Trained,
    parameters: Vec<Parameter>,
}

/// One layer's numbers.
pub(crate) struct Layer {
    pub(crate) frozen: Frozen,
    pub(crate) flat: Tensor,
}

/// A trained vector or matrix, and how the optimizer treats its parts.
pub struct Parameter {
    /// A name for errors and checkpoints.
    pub name: String,
    /// The numbers.
    pub var: Var,
    /// Parts that are treated differently; together they are the whole.
    pub parts: Vec<Part>,
}

/// A part of a parameter.
#[derive(Debug, Clone)]
pub struct Part {
    /// Which numbers.
    pub range: Range<usize>,
    /// Whether weight decay applies (matrices, not norms).
    pub decays: bool,
    /// Whether it is a LoRA B matrix, which LoRA+ trains faster.
    pub is_lora_b: bool,
}

impl Part {
    fn whole(len: usize, decays: bool) -> Vec<Self> {
        vec![Self { range: 0..len, decays, is_lora_b: false }]
    }
}

/// The weights of a decoder by their parts; matrices (rows, columns) as a checkpoint has them.
pub(crate) struct Weights {
    pub(crate) embedding: Tensor,
    /// In the order of [`Weight::ALL`].
    pub(crate) layers: Vec<Vec<Tensor>>,
    pub(crate) norm: Tensor,
    /// `None` where tied.
    pub(crate) head: Option<Tensor>,
}

impl Decoder {
    /// A decoder of given weights, nothing trained.
    pub(crate) fn frozen(config: ModelConfig, weights: Weights) -> Result<Self> {
        let nothing = Tensor::zeros(1, DType::F32, &Device::Cpu)?;
        let layers = weights
            .layers
            .into_iter()
            .map(|l| Layer { frozen: Arc::new(l), flat: nothing.clone() })
            .collect();
        let head = weights.head.unwrap_or_else(|| weights.embedding.clone());
        let (embedding, norm) = (weights.embedding, weights.norm);
        Ok(Self { config, embedding, layers, norm, head, trained: Trained::Nothing, parameters: Vec::new() })
    }

    /// A decoder of random weights: normal with deviation 0.02, the maps back into the residual stream
    /// smaller by √(2 · layers) (GPT-2's initialisation), norms 1.
    pub fn random(config: ModelConfig, seed: u64) -> Result<Self> {
        let shape = LayerShape::new(&config);
        let matrix = |rows: usize, columns: usize, deviation: f32, place: &[u64]| {
            let mut rng = Rng::at(seed, place);
            let numbers: Vec<f32> = (0..rows * columns).map(|_| rng.normal(deviation)).collect();
            Tensor::from_vec(numbers, (rows, columns), &Device::Cpu)
        };
        let ones = |n| Tensor::ones(n, DType::F32, &Device::Cpu);
        let back = 0.02 / (2.0 * config.num_hidden_layers as f32).sqrt();
        let mut layers = Vec::new();
        for number in 0..config.num_hidden_layers as u64 {
            let mut layer = Vec::new();
            for weight in Weight::ALL {
                let (rows, columns) = weight.shape(&shape);
                layer.push(match weight {
                    Weight::InputNorm | Weight::PostNorm => ones(columns)?,
                    Weight::Output | Weight::Down => {
                        matrix(rows, columns, back, &[1 + number, weight as u64])?
                    }
                    _ => matrix(rows, columns, 0.02, &[1 + number, weight as u64])?,
                });
            }
            layers.push(layer);
        }
        let (vocabulary, hidden) = (config.vocab_size, config.hidden_size);
        let head = match config.tie_word_embeddings {
            true => None,
            false => Some(matrix(vocabulary, hidden, 0.02, &[0, 1])?),
        };
        let embedding = matrix(vocabulary, hidden, 0.02, &[0, 0])?;
        Self::frozen(config, Weights { embedding, layers, norm: ones(hidden)?, head })
    }

    /// The decoder's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// What is trained.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Number of trained numbers.
    pub fn trained_len(&self) -> usize {
        self.parameters.iter().map(|p| p.var.elem_count()).sum()
    }

    /// Makes every weight trained.
    pub fn train_all(mut self) -> Result<Self> {
        let mut parameters = Vec::new();
        let mut parameter = |name: String, tensor: &Tensor, parts: Vec<Part>| -> Result<Tensor> {
            let var = Var::from_tensor(tensor)?;
            let tensor = var.as_tensor().clone();
            parameters.push(Parameter { name, var, parts });
            Ok(tensor)
        };
        let tied = self.config.tie_word_embeddings;
        let len = self.embedding.elem_count();
        self.embedding = parameter("embedding".into(), &self.embedding, Part::whole(len, true))?;
        let norms = 2 * self.config.hidden_size;
        for (number, layer) in self.layers.iter_mut().enumerate() {
            let flattened = layer.frozen.iter().map(Tensor::flatten_all).collect::<Result<Vec<_>, _>>()?;
            let flat = Tensor::cat(&flattened, 0)?;
            let parts = vec![
                Part { range: 0..norms, decays: false, is_lora_b: false },
                Part { range: norms..flat.elem_count(), decays: true, is_lora_b: false },
            ];
            layer.flat = parameter(format!("layer {number}"), &flat, parts)?;
            layer.frozen = Arc::new(Vec::new());
        }
        let len = self.norm.elem_count();
        self.norm = parameter("norm".into(), &self.norm, Part::whole(len, false))?;
        self.head = match tied {
            true => self.embedding.clone(),
            false => parameter("head".into(), &self.head, Part::whole(self.head.elem_count(), true))?,
        };
        self.trained = Trained::All;
        self.parameters = parameters;
        Ok(self)
    }

    /// Freezes every weight and trains low-rank matrices beside the targets, freshly drawn from `seed`.
    pub fn train_lora(mut self, lora: &LoraConfig, seed: u64) -> Result<Self> {
        let layout = Arc::new(lora.layout(&self.config));
        self.parameters.clear();
        for (number, layer) in self.layers.iter_mut().enumerate() {
            let flat = layout.initialise(&mut Rng::at(seed, &[0x10A, number as u64]));
            let var = Var::from_tensor(&Tensor::from_vec(flat, layout.len, &Device::Cpu)?)?;
            layer.flat = var.as_tensor().clone();
            let name = format!("layer {number} lora");
            self.parameters.push(Parameter { name, var, parts: lora_parts(&layout) });
        }
        self.trained = Trained::Lora(layout);
        Ok(self)
    }

    /// Forgets what was trained: the flat vectors have been merged or emptied.
    pub(crate) fn freeze(&mut self) {
        self.trained = Trained::Nothing;
        self.parameters.clear();
    }

    pub(crate) fn lora_layout(&self) -> Option<&Arc<Layout>> {
        match &self.trained {
            Trained::Lora(layout) => Some(layout),
            _ => None,
        }
    }

    pub(crate) fn shape(&self) -> LayerShape {
        LayerShape::new(&self.config)
    }

    /// A layer as an operation on tokens that lie as `lay` says.
    pub(crate) fn layer(&self, number: usize, lay: &Arc<Lay>) -> DecoderLayer {
        let layer = &self.layers[number];
        DecoderLayer::new(self.shape(), self.trained.clone(), layer.frozen.clone(), lay.clone())
    }

    /// The mean loss of a pack's labels over `divisor` labels (those of the whole batch). With a `mask` seed
    /// dropout is on and gradients can be asked of the result.
    pub fn loss(&self, pack: &Pack, divisor: usize, mask: Option<u64>) -> Result<Tensor> {
        let all = matches!(self.trained, Trained::All);
        let ids = Tensor::new(pack.ids.as_slice(), &Device::Cpu)?;
        let mut x = self.embedding.embedding(&ids)?;
        for number in 0..self.layers.len() {
            let mut layer = self.layer(number, &pack.lay);
            layer.mask = mask.map(|seed| mix(seed ^ ((number as u64) << 8)));
            layer.want_dx = all || number > 0;
            x = x.apply_op2(&self.layers[number].flat, layer)?;
        }
        let norm = RmsNorm { eps: self.config.rms_norm_eps as f32, train_weight: all };
        let x = x.apply_op2(&self.norm, norm)?;
        let op = LinearCrossEntropy {
            labels: pack.labels.clone(),
            divisor: divisor as f32,
            want_dx: mask.is_some(),
            want_dw: mask.is_some() && all,
            gradients: Mutex::new(None),
        };
        Ok(x.apply_op2(&self.head, op)?)
    }

    /// Logits of every token of one sequence: (time, vocabulary).
    pub fn logits(&self, ids: &[u32]) -> Result<Tensor> {
        let labels = vec![None; ids.len()];
        let sequence = crate::batch::Sequence { ids: ids.to_vec(), labels };
        let pack = Pack::new([&sequence], &self.config, false);
        let mut x = self.embedding.embedding(&Tensor::new(ids, &Device::Cpu)?)?;
        for number in 0..self.layers.len() {
            x = x.apply_op2_no_bwd(&self.layers[number].flat, &self.layer(number, &pack.lay))?;
        }
        let norm = RmsNorm { eps: self.config.rms_norm_eps as f32, train_weight: false };
        let x = x.apply_op2_no_bwd(&self.norm, &norm)?;
        Ok(x.matmul(&self.head.t()?)?)
    }

    /// Every weight by its name in a Hugging Face checkpoint, in the checkpoint's order. Adapters are not in it.
    pub fn named_tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let mut named = vec![("model.embed_tokens.weight".to_owned(), self.embedding.clone())];
        let shape = self.shape();
        for (number, layer) in self.layers.iter().enumerate() {
            let weight = |w: Weight| -> Result<Tensor> {
                let (rows, columns) = w.shape(&shape);
                match self.trained {
                    Trained::All => {
                        let place = shape.place(w);
                        Ok(layer.flat.narrow(0, place.start, place.len())?.reshape((rows, columns))?)
                    }
                    _ => Ok(layer.frozen[w as usize].reshape((rows, columns))?),
                }
            };
            let prefix = format!("model.layers.{number}");
            for (w, name) in
                [(Weight::InputNorm, "input_layernorm"), (Weight::PostNorm, "post_attention_layernorm")]
            {
                named.push((format!("{prefix}.{name}.weight"), weight(w)?.flatten_all()?));
            }
            for (w, linears) in joined() {
                let tensor = weight(w)?;
                let mut row = 0;
                for linear in linears {
                    let rows = linear.outputs(&self.config);
                    named.push((format!("{prefix}.{}.weight", linear.path()), tensor.narrow(0, row, rows)?));
                    row += rows;
                }
            }
        }
        named.push(("model.norm.weight".to_owned(), self.norm.clone()));
        if !self.config.tie_word_embeddings {
            named.push(("lm_head.weight".to_owned(), self.head.clone()));
        }
        Ok(named)
    }
}

/// Which linear maps each joined weight holds, one below the other.
pub(crate) fn joined() -> [(Weight, &'static [Linear]); 4] {
    [
        (Weight::QueryKeyValue, &[Linear::Query, Linear::Key, Linear::Value]),
        (Weight::Output, &[Linear::Output]),
        (Weight::GateUp, &[Linear::Gate, Linear::Up]),
        (Weight::Down, &[Linear::Down]),
    ]
}

/// A's and B's of a layer's flat vector, told apart.
fn lora_parts(layout: &Layout) -> Vec<Part> {
    let mut parts: Vec<Part> = layout
        .maps()
        .flat_map(|map| {
            let (a, b) = (map.a..map.a + layout.rank * map.inputs, map.b..map.b + map.outputs * layout.rank);
            [(a, false), (b, true)].map(|(range, is_lora_b)| Part { range, decays: true, is_lora_b })
        })
        .collect();
    parts.sort_by_key(|part| part.range.start);
    parts
}
