//! A new LLaVA, of a text model and a tower that has seen nothing yet, by transformers' names (llava-hf).

use std::path::Path;

use geneverse_data::dataset::PLACEHOLDER;
use geneverse_data::stage::write_json;
use serde_json::json;

use crate::arch::clip::train::layer_tensor;
use crate::arch::decoder::Decoder;
use crate::arch::projector;
use crate::checkpoint::{Entry, write_tensors};
use crate::config::ModelConfig;
use crate::config::fields::Fields;
use crate::config::vision::{CHANNELS, ClipConfig};
use crate::error::{ModelError, Result};
use crate::ops::slots::Slot;
use crate::pictures::Colours;
use crate::rng::Rng;
use crate::tokens::Tokenizer;
use crate::weights::Precision;

/// The sizes of a new tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TowerShape {
    /// Pixels of a picture's side.
    pub image_size: usize,
    /// Pixels of a patch's side.
    pub patch_size: usize,
    /// Width of a state.
    pub hidden: usize,
    /// Layers, all of which are looked through.
    pub layers: usize,
    /// Heads of a layer.
    pub heads: usize,
    /// Width of the feed-forward's inner layer.
    pub intermediate: usize,
}

/// Numbers that are computed when their turn to be written comes.
type Fill<'a> = Box<dyn Fn() -> Vec<f32> + 'a>;

/// Makes a LLaVA of a text model: a tower of random weights, a random projector, and the text model as it is. Its tokenizer must
/// know `<image>`. Its pictures are centred and scaled by `colours`. The same seed gives the same numbers.
pub fn new_llava(base: &Path, shape: &TowerShape, colours: &Colours, seed: u64, folder: &Path) -> Result<()> {
    let text = ModelConfig::read(base)?;
    if text.vision.is_some() {
        return Err(ModelError::tensors(base, "is a LLaVA already; expected a model that reads text only"));
    }
    let tokenizer = Tokenizer::read(base)?;
    let image_token = (0..text.vocab_size as u32)
        .find(|id| tokenizer.token(*id).is_some_and(|token| token == PLACEHOLDER))
        .ok_or_else(|| {
            let reason = format!(
                "its tokenizer has no token {PLACEHOLDER}, which stands where a picture comes; add it in Python \
                 (tokenizer.add_tokens, model.resize_token_embeddings) and save both"
            );
            ModelError::tensors(base, reason)
        })?;
    let TowerShape { image_size, patch_size, hidden, layers, heads, intermediate } = *shape;
    let tower = json!({
        "model_type": "clip_vision_model",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "image_size": image_size,
        "patch_size": patch_size,
        "num_channels": CHANNELS,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
        "projection_dim": hidden,
    });
    let path = Path::new("the new tower");
    let tower_fields = tower.as_object().cloned().unwrap_or_default();
    let clip = ClipConfig::read(&Fields::new(&tower_fields, path))?;
    let config = json!({
        "architectures": ["LlavaForConditionalGeneration"],
        "model_type": "llava",
        "text_config": text.fields,
        "vision_config": tower,
        "image_token_index": image_token,
        "image_seq_length": clip.patches(),
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "default",
        "projector_hidden_act": "gelu",
        "multimodal_projector_bias": true,
        "tie_word_embeddings": text.tie_word_embeddings,
        "bos_token_id": text.bos_token_id,
        "eos_token_id": text.eos_token_ids.first(),
        "pad_token_id": text.pad_token_id,
        "torch_dtype": "float32",
    });
    let decoder = Decoder::read(base)?;
    let exports = decoder.exports();
    let mut tensors: Vec<(String, Vec<usize>, Fill<'_>)> = exports
        .iter()
        .map(|export| {
            let fill: Fill<'_> = Box::new(|| decoder.numbers(export));
            (format!("language_model.{}", export.name), export.dims.clone(), fill)
        })
        .collect();
    let new = New { seed, clip: &clip, text: text.hidden_size };
    tensors.extend(new.tower());
    tensors.extend(new.projector(&decoder));
    let entries: Vec<Entry<'_>> =
        tensors.iter().map(|(name, dims, fill)| Entry { name, dims, fill }).collect();
    write_tensors(&folder.join("model.safetensors"), &entries, Precision::F32)?;
    write_json(&folder.join("config.json"), &config)?;
    let size = json!({"height": image_size, "width": image_size});
    let processor = json!({
        "image_processor_type": "CLIPImageProcessor",
        "processor_class": "LlavaProcessor",
        "do_convert_rgb": true,
        "do_resize": true, "size": {"shortest_edge": image_size}, "resample": 3,
        "do_center_crop": true, "crop_size": size,
        "do_rescale": true, "rescale_factor": 1.0 / 255.0,
        "do_normalize": true, "image_mean": colours.mean, "image_std": colours.deviation,
    });
    write_json(&folder.join("preprocessor_config.json"), &processor)?;
    let how = json!({
        "processor_class": "LlavaProcessor", "image_token": PLACEHOLDER, "patch_size": patch_size,
        "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1,
    });
    write_json(&folder.join("processor_config.json"), &how)?;
    Ok(tokenizer.write(folder)?)
}

/// Random weights of a tower and a projector.
struct New<'a> {
    seed: u64,
    clip: &'a ClipConfig,
    /// Width of the text model.
    text: usize,
}

impl New<'_> {
    fn normal<'f>(&self, dims: &[usize], deviation: f32, place: &[u64]) -> Fill<'f> {
        let (len, seed, place) = (dims.iter().product::<usize>(), self.seed, place.to_vec());
        Box::new(move || {
            let mut rng = Rng::at(seed, &place);
            (0..len).map(|_| rng.normal(deviation)).collect()
        })
    }

    fn same<'f>(dims: &[usize], value: f32) -> Fill<'f> {
        let len = dims.iter().product::<usize>();
        Box::new(move || vec![value; len])
    }

    /// The tower's tensors. Maps keep the size of what goes through them (deviation 1 / √inputs), those back into the residual
    /// stream are smaller by √(2 · layers); positions are a part of what a patch says.
    fn tower<'f>(&self) -> Vec<(String, Vec<usize>, Fill<'f>)> {
        let ClipConfig { hidden_size: hidden, patch_size: patch, num_hidden_layers: layers, .. } = *self.clip;
        let root = |inputs: usize| 1.0 / (inputs as f32).sqrt();
        let mut tensors = Vec::new();
        let mut add = |name: String, dims: Vec<usize>, fill: Fill<'f>| {
            tensors.push((format!("vision_tower.vision_model.{name}"), dims, fill));
        };
        let dims = vec![hidden, CHANNELS, patch, patch];
        let fill = self.normal(&dims, root(self.clip.patch_numbers()), &[1]);
        add("embeddings.patch_embedding.weight".to_owned(), dims, fill);
        let dims = vec![1 + self.clip.patches(), hidden];
        let fill = self.normal(&dims, POSITIONS, &[2]);
        add("embeddings.position_embedding.weight".to_owned(), dims, fill);
        add("embeddings.class_embedding".to_owned(), vec![hidden], self.normal(&[hidden], POSITIONS, &[3]));
        for norm in ["pre_layrnorm", "post_layernorm"] {
            add(format!("{norm}.weight"), vec![hidden], Self::same(&[hidden], 1.0));
            add(format!("{norm}.bias"), vec![hidden], Self::same(&[hidden], 0.0));
        }
        let back = 1.0 / (2.0 * layers as f32).sqrt();
        let shape = self.clip.layer();
        for number in 0..layers {
            for (slot, rows, columns) in shape.slots() {
                let dims = if slot.is_matrix() { vec![rows, columns] } else { vec![columns] };
                let place = [4, number as u64, slot as u64];
                let fill = match slot {
                    Slot::Output | Slot::Down => self.normal(&dims, root(columns) * back, &place),
                    _ if slot.is_matrix() => self.normal(&dims, root(columns), &place),
                    _ => Self::same(&dims, if slot.is_bias() { 0.0 } else { 1.0 }),
                };
                add(layer_tensor(number, slot), dims, fill);
            }
        }
        tensors
    }

    /// The projector's tensors. Its tokens are as large as the text model's.
    fn projector<'f>(&self, decoder: &Decoder) -> Vec<(String, Vec<usize>, Fill<'f>)> {
        let (hidden, width) = (self.text, self.clip.hidden_size);
        let size = decoder.embedding_deviation();
        let maps = [("linear_1", width, 1.0), ("linear_2", hidden, size)];
        let mut tensors = Vec::new();
        for (number, (name, inputs, size)) in maps.into_iter().enumerate() {
            let dims = vec![hidden, inputs];
            let fill = self.normal(&dims, size / (inputs as f32).sqrt(), &[5, number as u64]);
            tensors.push((format!("{}{name}.weight", projector::NAME), dims, fill));
            let bias = Self::same(&[hidden], 0.0);
            tensors.push((format!("{}{name}.bias", projector::NAME), vec![hidden], bias));
        }
        tensors
    }
}

/// Deviation of a new tower's positions, the patches' being about 1.
const POSITIONS: f32 = 0.3;
