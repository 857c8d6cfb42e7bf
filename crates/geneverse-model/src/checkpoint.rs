//! Hugging Face checkpoint folders: `config.json`, `model.safetensors` (or shards with an index).

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device, Tensor};
use geneverse_data::stage::{FileError, atomic_write, read_json};
use safetensors::tensor::{Dtype, View as TensorView};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::io::Write;

use crate::arch::decoder::{Decoder, Weights, joined};
use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::ops::layer::{LayerShape, Weight};

/// How weights are held in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 16 bits, with f32's range.
    Bf16,
}

impl Decoder {
    /// Reads a checkpoint folder. Weights in 16 bits are widened to f32.
    ///
    /// A missing tensor, a tensor of another shape, and a tensor that the configuration has no place for are
    /// errors that name it.
    pub fn read(folder: &Path) -> Result<Self> {
        let config = ModelConfig::read(folder)?;
        let mut source = Source::open(folder)?;
        let shape = LayerShape::new(&config);
        let (vocabulary, hidden) = (config.vocab_size, config.hidden_size);
        let embedding = source.take("model.embed_tokens.weight", &[vocabulary, hidden])?;
        let mut layers = Vec::new();
        for number in 0..config.num_hidden_layers {
            let prefix = format!("model.layers.{number}");
            let mut layer = vec![
                source.take(&format!("{prefix}.input_layernorm.weight"), &[hidden])?,
                source.take(&format!("{prefix}.post_attention_layernorm.weight"), &[hidden])?,
            ];
            for (weight, linears) in joined() {
                let mut parts = Vec::new();
                for linear in linears {
                    let dims = [linear.outputs(&config), linear.inputs(&config)];
                    parts.push(source.take(&format!("{prefix}.{}.weight", linear.path()), &dims)?);
                }
                let whole = Tensor::cat(&parts, 0)?;
                debug_assert_eq!(whole.dims2()?, weight.shape(&shape));
                layer.push(whole);
            }
            debug_assert_eq!(layer.len(), Weight::ALL.len());
            layers.push(layer);
        }
        let norm = source.take("model.norm.weight", &[hidden])?;
        let head = match config.tie_word_embeddings {
            true => {
                // Some checkpoints write the tied matrix a second time.
                source.names.remove("lm_head.weight");
                None
            }
            false => Some(source.take("lm_head.weight", &[vocabulary, hidden])?),
        };
        source.finish()?;
        Self::frozen(config, Weights { embedding, layers, norm, head })
    }

    /// Writes a checkpoint folder's configuration and weights (the tokenizer is written by its own).
    pub fn write(&self, folder: &Path, precision: Precision) -> Result<()> {
        let (name, dtype) = match precision {
            Precision::F32 => ("float32", DType::F32),
            Precision::Bf16 => ("bfloat16", DType::BF16),
        };
        self.config().write(folder, name)?;
        write_tensors(&folder.join("model.safetensors"), &self.named_tensors()?, dtype)
    }
}

/// The tensors of a folder, taken one by one.
struct Source {
    folder: PathBuf,
    tensors: MmapedSafetensors,
    names: BTreeSet<String>,
}

impl Source {
    fn open(folder: &Path) -> Result<Self> {
        let single = folder.join("model.safetensors");
        let index = folder.join("model.safetensors.index.json");
        let files: Vec<PathBuf> = if single.exists() {
            vec![single]
        } else if index.exists() {
            let index: Map<String, Value> = read_json(&index)?;
            let places: HashMap<String, String> =
                index.get("weight_map").and_then(|map| serde_json::from_value(map.clone()).ok()).ok_or_else(
                    || ModelError::tensors(folder, "model.safetensors.index.json has no weight_map"),
                )?;
            places.values().collect::<BTreeSet<_>>().into_iter().map(|file| folder.join(file)).collect()
        } else {
            let reason = "neither model.safetensors nor model.safetensors.index.json is here; a checkpoint folder \
                          of Hugging Face has one of them";
            return Err(ModelError::tensors(folder, reason));
        };
        if let Some(missing) = files.iter().find(|file| !file.exists()) {
            return Err(ModelError::tensors(
                missing,
                "named by the index, but not here; fetch the checkpoint again",
            ));
        }
        // SAFETY: the files are not written to while they are mapped; a program that truncates a checkpoint
        // under a running one breaks both, as with any memory-mapped file.
        let tensors = unsafe { MmapedSafetensors::multi(&files) }
            .map_err(|e| ModelError::tensors(folder, format!("not a readable safetensors file: {e}")))?;
        let names = tensors.tensors().into_iter().map(|(name, _)| name).collect();
        Ok(Self { folder: folder.to_owned(), tensors, names })
    }

    fn take(&mut self, name: &str, dims: &[usize]) -> Result<Tensor> {
        if !self.names.remove(name) {
            return Err(ModelError::tensors(&self.folder, format!("tensor {name} is missing")));
        }
        let tensor = self.tensors.load(name, &Device::Cpu)?;
        if tensor.dims() != dims {
            let reason =
                format!("tensor {name} has shape {:?}, expected {dims:?} by config.json", tensor.dims());
            return Err(ModelError::tensors(&self.folder, reason));
        }
        Ok(tensor.to_dtype(DType::F32)?)
    }

    fn finish(&self) -> Result<()> {
        // Old checkpoints keep the rotary frequencies, which follow from the configuration.
        let mut surplus = self.names.iter().filter(|name| !name.ends_with("rotary_emb.inv_freq"));
        match surplus.next() {
            None => Ok(()),
            Some(name) => {
                let reason = format!("tensor {name} has no place in config.json ({} more)", surplus.count());
                Err(ModelError::tensors(&self.folder, reason))
            }
        }
    }
}

/// A tensor on its way into a file.
struct Bytes {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl TensorView for Bytes {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes tensors as safetensors, as `BF16` or `F32`, beside the place and renamed in.
pub(crate) fn write_tensors(path: &Path, tensors: &[(String, Tensor)], dtype: DType) -> Result<()> {
    let mut views = Vec::new();
    for (name, tensor) in tensors {
        let numbers = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let (dtype, bytes) = match dtype {
            DType::BF16 => {
                let bytes = numbers.iter().flat_map(|x| half_bits(*x).to_le_bytes()).collect();
                (Dtype::BF16, bytes)
            }
            _ => (Dtype::F32, numbers.iter().flat_map(|x| x.to_le_bytes()).collect()),
        };
        views.push((name.clone(), Bytes { dtype, shape: tensor.dims().to_vec(), bytes }));
    }
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|e| FileError::whole(path, format!("cannot be written as safetensors: {e}")))?;
    Ok(atomic_write(path, |out| out.write_all(&bytes))?)
}

/// The bits of the nearest bfloat16, ties to even.
fn half_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return 0x7fc0;
    }
    ((bits.wrapping_add(0x7fff + ((bits >> 16) & 1))) >> 16) as u16
}
