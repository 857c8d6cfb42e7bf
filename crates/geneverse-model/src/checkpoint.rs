//! Hugging Face checkpoint folders: `config.json`, `model.safetensors` (or shards with an index).
//!
//! Matrices stay where they are: in the mapped file, in the precision in which they were written. Vectors (norms,
//! biases) are few and are widened to f32.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use geneverse_data::stage::{FileError, atomic_write, read_json};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

mod seeing;

use crate::arch::decoder::{AllWeights, Decoder};
use crate::arch::llava;
use crate::arch::projector::Projector;
use crate::config::{ModelConfig, moe};
use crate::error::{ModelError, Result};
use crate::families::{Stored, Top};
use crate::ops::experts::{Expert, Experts};
use crate::ops::slots::{LayerShape, Slot};
use crate::weights::{Held, Numbers, Precision};

impl Decoder {
    /// Reads a checkpoint folder.
    ///
    /// A missing tensor, a tensor of another shape, and a tensor that the configuration has no place for are
    /// errors that name it.
    pub fn read(folder: &Path) -> Result<Self> {
        let config = ModelConfig::read(folder)?;
        let mut source = Source::open(folder, config.family.prefix())?;
        let projector = match &config.vision {
            None => None,
            Some(vision) => {
                source.rename(llava::name);
                Some(Projector::read(&mut source, vision, config.hidden_size)?)
            }
        };
        let mut top = |top: Top| -> Result<Option<Held>> {
            let Some((rows, columns)) = Self::top_size(&config, top) else { return Ok(None) };
            let stored = Stored::whole(config.family.top(top));
            source.take(&stored, rows, columns, matches!(top, Top::Norm | Top::NormBias)).map(Some)
        };
        let tops = [
            top(Top::Embedding)?,
            top(Top::Positions)?,
            top(Top::Norm)?,
            top(Top::NormBias)?,
            top(Top::Head)?,
        ];
        let mut layers = Vec::new();
        for number in 0..config.num_hidden_layers {
            let shape = LayerShape::new(&config, number);
            let mut held = vec![None; Slot::ALL.len()];
            for (slot, rows, columns) in shape.slots() {
                let stored = config.family.stored(slot, number);
                held[slot as usize] = Some(source.take(&stored, rows, columns, !slot.is_matrix())?);
            }
            layers.push(held);
        }
        let experts = match config.vision.as_ref().and_then(|vision| vision.experts.as_ref()) {
            None => Vec::new(),
            Some(of) => (0..layers.len())
                .map(|layer| {
                    (of.of(layer) > 0).then(|| read_experts(&mut source, &config, of, layer)).transpose()
                })
                .collect::<Result<_>>()?,
        };
        source.finish(&config)?;
        let mut decoder = Self::frozen(config, AllWeights { tops, layers });
        decoder.experts = experts;
        decoder.projector = projector;
        Ok(decoder)
    }

    /// Writes a checkpoint folder's configuration and weights (the tokenizer is written by its own).
    pub fn write(&self, folder: &Path, precision: Precision) -> Result<()> {
        if self.config().vision.is_some() {
            let reason = "a model that sees pictures is written together with the tower of the checkpoint that it was read from";
            return Err(ModelError::Run(reason.to_owned()));
        }
        self.config().write(folder, precision.name())?;
        let exports = self.exports();
        let fills: Vec<_> = exports.iter().map(|export| || self.numbers(export)).collect();
        let entries: Vec<Entry<'_>> = (exports.iter().zip(&fills))
            .map(|(export, fill)| Entry { name: &export.name, dims: &export.dims, fill })
            .collect();
        write_tensors(&folder.join("model.safetensors"), &entries, precision)
    }

    /// Every weight by its name in a Hugging Face checkpoint. Adapters are not in it.
    pub(crate) fn exports(&self) -> Vec<Export> {
        let config = self.config();
        let mut exports = Vec::new();
        for top in Top::ALL {
            let Some((rows, columns)) = Self::top_size(config, top) else { continue };
            let dims =
                if matches!(top, Top::Norm | Top::NormBias) { vec![columns] } else { vec![rows, columns] };
            exports.push(Export { name: config.family.top(top), dims, from: From::Top(top) });
        }
        for (number, layer) in self.layers.iter().enumerate() {
            // Slots that are parts of one tensor are written together, at the first of them.
            for (slot, rows, columns) in layer.shape.slots() {
                let Stored { name, transposed, part: (index, parts) } = config.family.stored(slot, number);
                if index > 0 {
                    continue;
                }
                let dims = match (slot.is_matrix(), transposed) {
                    (false, _) => vec![columns * parts],
                    (true, false) => vec![rows * parts, columns],
                    (true, true) => vec![columns, rows * parts],
                };
                exports.push(Export { name, dims, from: From::Layer(number, slot, parts) });
            }
        }
        exports
    }

    /// The numbers of an export, as they lie in a checkpoint.
    pub(crate) fn numbers(&self, export: &Export) -> Vec<f32> {
        match export.from {
            From::Top(top) => self.top(top).map(|map| map.to_vec()).unwrap_or_default(),
            From::Layer(number, slot, parts) => {
                let weights = self.weights(number);
                let first = Slot::ALL.iter().position(|other| *other == slot).unwrap_or(0);
                let slots = &Slot::ALL[first..first + parts];
                let mut whole: Vec<f32> = Vec::new();
                for slot in slots {
                    whole.extend(weights.map(*slot).map(|map| map.to_vec()).unwrap_or_default());
                }
                let transposed = self.config().family.stored(slot, number).transposed;
                if !transposed {
                    return whole;
                }
                let (rows, columns) = (export.dims[1], export.dims[0]);
                (0..rows * columns).map(|i| whole[(i % rows) * columns + i / rows]).collect()
            }
        }
    }
}

/// The experts of a layer, by the names that DeepSpeed gives them.
fn read_experts(
    source: &mut Source,
    config: &ModelConfig,
    of: &moe::Experts,
    layer: usize,
) -> Result<Experts> {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let module = format!("{}.mlp.deepspeed_moe", config.family.layer(layer));
    let mut take = |name: String, rows: usize, columns: usize| {
        source.take(&Stored::whole(format!("{module}.{name}.weight")), rows, columns, false)
    };
    let mut expert = |number: usize| -> Result<Expert> {
        let mut map = |name: &str, rows: usize, columns: usize| {
            take(format!("experts.deepspeed_experts.{number}.{name}"), rows, columns)
        };
        let (gate, up) = (map("gate_proj", inner, hidden)?, map("up_proj", inner, hidden)?);
        Ok(Expert { gate, up, down: map("down_proj", hidden, inner)? })
    };
    let experts = (0..of.of(layer)).map(&mut expert).collect::<Result<Vec<_>>>()?;
    let router = take("gate.wg".to_owned(), of.of(layer), hidden)?;
    Ok(Experts { router, experts, factor: of.factor, least: of.least })
}

/// A tensor of a decoder as a checkpoint has it.
pub(crate) struct Export {
    pub(crate) name: String,
    pub(crate) dims: Vec<usize>,
    from: From,
}

enum From {
    Top(Top),
    /// A slot and how many of the slots after it, itself included, lie in one tensor.
    Layer(usize, Slot, usize),
}

/// The tensors of a folder, taken one by one.
pub(crate) struct Source {
    folder: PathBuf,
    tensors: BTreeMap<String, Tensor>,
    taken: BTreeSet<String>,
    /// What some checkpoints leave out of every name.
    prefix: &'static str,
}

/// Where a tensor lies.
#[derive(Clone)]
struct Tensor {
    map: Arc<Mmap>,
    bytes: Range<usize>,
    dims: Vec<usize>,
    dtype: Dtype,
}

impl Source {
    pub(crate) fn open(folder: &Path, prefix: &'static str) -> Result<Self> {
        let single = folder.join("model.safetensors");
        let index = folder.join("model.safetensors.index.json");
        let files: Vec<PathBuf> = if single.exists() {
            vec![single]
        } else if index.exists() {
            let fields: Map<String, Value> = read_json(&index)?;
            let places: HashMap<String, String> = fields
                .get("weight_map")
                .and_then(|map| serde_json::from_value(map.clone()).ok())
                .ok_or_else(|| ModelError::tensors(&index, "has no weight_map"))?;
            places.values().collect::<BTreeSet<_>>().into_iter().map(|file| folder.join(file)).collect()
        } else {
            let reason = "neither model.safetensors nor model.safetensors.index.json is here; a checkpoint folder \
                          of Hugging Face has one of them (one with pytorch_model.bin only is converted by loading \
                          it in transformers and save_pretrained)";
            return Err(ModelError::tensors(folder, reason));
        };
        if let Some(missing) = files.iter().find(|file| !file.exists()) {
            return Err(ModelError::tensors(
                missing,
                "named by the index, but not here; fetch the checkpoint again",
            ));
        }
        let mut tensors = BTreeMap::new();
        for file in &files {
            tensors.extend(map_tensors(file)?);
        }
        Ok(Self { folder: folder.to_owned(), tensors, taken: BTreeSet::new(), prefix })
    }

    /// Gives every tensor the name that is looked for here.
    pub(crate) fn rename(&mut self, name: impl Fn(&str) -> String) {
        let tensors = std::mem::take(&mut self.tensors);
        self.tensors = tensors.into_iter().map(|(old, tensor)| (name(&old), tensor)).collect();
    }

    /// The names of all tensors.
    fn names(&self) -> impl Iterator<Item = &String> {
        self.tensors.keys()
    }

    /// A tensor as it is: its dimensions and numbers.
    fn whole(&mut self, name: &str) -> Result<(Vec<usize>, Numbers)> {
        let Some(dims) = self.tensors.get(name).map(|tensor| tensor.dims.clone()) else {
            return Err(ModelError::tensors(&self.folder, format!("tensor {name} is missing")));
        };
        let numbers = self.numbers(name.to_owned(), &dims)?;
        Ok((dims, numbers))
    }

    /// The folder that it was read from.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name under which a tensor is here.
    fn find(&self, name: &str) -> Option<String> {
        let short = name.strip_prefix(self.prefix);
        [Some(name), short].into_iter().flatten().find(|n| self.tensors.contains_key(*n)).map(str::to_owned)
    }

    /// How a tensor's numbers are held.
    fn precision(&self, name: &str, dtype: Dtype) -> Result<Precision> {
        match dtype {
            Dtype::F32 => Ok(Precision::F32),
            Dtype::BF16 => Ok(Precision::Bf16),
            Dtype::F16 => Ok(Precision::F16),
            other => {
                let reason = format!("tensor {name} is held as {other:?}, expected F32, BF16 or F16");
                Err(ModelError::tensors(&self.folder, reason))
            }
        }
    }

    /// Whether there is a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// A matrix (outputs, inputs), or with `vector` its one row, widened to f32.
    pub(crate) fn take(
        &mut self,
        stored: &Stored,
        outputs: usize,
        inputs: usize,
        vector: bool,
    ) -> Result<Held> {
        let Stored { name, transposed, part: (index, parts) } = stored;
        let Some(name) = self.find(name) else {
            return Err(ModelError::tensors(&self.folder, format!("tensor {name} is missing")));
        };
        let (width, height) = (inputs * if vector { *parts } else { 1 }, outputs * parts);
        let dims = match (vector, transposed) {
            (true, _) => vec![width],
            (false, false) => vec![height, width],
            (false, true) => vec![width, height],
        };
        let numbers = self.numbers(name, &dims)?;
        let held = match (vector, transposed) {
            (true, _) => Numbers::new(numbers.part(index * inputs..(index + 1) * inputs).to_vec()),
            (false, false) => numbers.part(index * outputs * inputs..(index + 1) * outputs * inputs),
            (false, true) => return Ok(Held::columns(&numbers, index * outputs, outputs, inputs, height)),
        };
        Ok(Held::new(held, outputs, inputs))
    }

    /// A tensor of more than two dimensions as a matrix of as many rows as it has entries in the first.
    pub(crate) fn take_flattened(&mut self, name: &str, dims: &[usize]) -> Result<Held> {
        let Some(found) = self.find(name) else {
            return Err(ModelError::tensors(&self.folder, format!("tensor {name} is missing")));
        };
        let numbers = self.numbers(found, dims)?;
        Ok(Held::new(numbers, dims[0], dims[1..].iter().product()))
    }

    /// The numbers of a tensor that is here, which is now taken.
    fn numbers(&mut self, name: String, dims: &[usize]) -> Result<Numbers> {
        let tensor = &self.tensors[&name];
        if tensor.dims != dims {
            let found = &tensor.dims;
            let reason = format!("tensor {name} has shape {found:?}, expected {dims:?} by config.json");
            return Err(ModelError::tensors(&self.folder, reason));
        }
        let precision = self.precision(&name, tensor.dtype)?;
        let numbers = Numbers::mapped(&tensor.map, tensor.bytes.clone(), precision);
        self.taken.insert(name);
        Ok(numbers)
    }

    fn finish(&self, config: &ModelConfig) -> Result<()> {
        let head = config.family.top(Top::Head);
        let sees = config.vision.is_some();
        self.refuse_surplus(|name| {
            // Old checkpoints keep the rotary frequencies and the causal mask, which follow from the
            // configuration; some write the tied matrix a second time.
            let follows = [".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias"];
            let tied = config.tie_word_embeddings && name == head;
            // The tower is read by itself, when there are pictures.
            let of_tower = sees && name.starts_with(llava::TOWER);
            tied || of_tower || follows.iter().any(|end| name.ends_with(end))
        })
    }

    /// Refuses tensors that were not taken, but for those that are `known` to change nothing.
    pub(crate) fn refuse_surplus(&self, known: impl Fn(&str) -> bool) -> Result<()> {
        let mut surplus = self.tensors.keys().filter(|name| !self.taken.contains(*name) && !known(name));
        match surplus.next() {
            None => Ok(()),
            Some(name) => {
                let reason = format!("tensor {name} has no place in config.json ({} more)", surplus.count());
                Err(ModelError::tensors(&self.folder, reason))
            }
        }
    }
}

/// The tensors of a safetensors file.
fn map_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let file = File::open(path).map_err(|e| FileError::io(path, "open", e))?;
    // SAFETY: the file is not written to while it is mapped; a program that truncates a checkpoint under a running
    // one breaks both, as with any memory-mapped file.
    let map = unsafe { Mmap::map(&file) }.map_err(|e| FileError::io(path, "map", e))?;
    let map = Arc::new(map);
    let refuse = |e: safetensors::SafeTensorError| {
        ModelError::tensors(path, format!("not a readable safetensors file: {e}; fetch it again"))
    };
    let (header, metadata) = SafeTensors::read_metadata(&map).map_err(refuse)?;
    let first = header + 8;
    let place = |(name, info): (String, &safetensors::tensor::TensorInfo)| {
        let (start, end) = info.data_offsets;
        let bytes = first + start..first + end;
        (name, Tensor { map: map.clone(), bytes, dims: info.shape.clone(), dtype: info.dtype })
    };
    Ok(metadata.tensors().into_iter().map(place).collect())
}

/// The vectors and matrices of a safetensors file, row after row, in f32.
pub(crate) fn read_vectors(path: &Path) -> Result<BTreeMap<String, Vec<f32>>> {
    Ok(read_tensors(path)?.into_iter().map(|(name, (_, numbers))| (name, numbers)).collect())
}

/// A tensor's dimensions and numbers, row after row.
pub(crate) type Read = (Vec<usize>, Vec<f32>);

/// The same with their dimensions.
pub(crate) fn read_tensors(path: &Path) -> Result<BTreeMap<String, Read>> {
    let mut read = BTreeMap::new();
    for (name, tensor) in map_tensors(path)? {
        let precision = match tensor.dtype {
            Dtype::F32 => Precision::F32,
            Dtype::BF16 => Precision::Bf16,
            Dtype::F16 => Precision::F16,
            other => {
                return Err(ModelError::tensors(path, format!("{name} is held as {other:?}, expected F32")));
            }
        };
        let numbers = Numbers::mapped(&tensor.map, tensor.bytes, precision).to_vec();
        read.insert(name, (tensor.dims, numbers));
    }
    Ok(read)
}

/// A tensor on its way into a file; its numbers are made when their turn comes.
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) dims: &'a [usize],
    pub(crate) fill: &'a dyn Fn() -> Vec<f32>,
}

/// Writes one matrix of rows of `columns` numbers into a safetensors file, as f32.
pub fn write_matrix(path: &Path, name: &str, numbers: &[f32], columns: usize) -> Result<()> {
    let dims = [numbers.len() / columns.max(1), columns];
    write_tensors(path, &[Entry { name, dims: &dims, fill: &|| numbers.to_vec() }], Precision::F32)
}

/// Writes vectors as f32.
pub(crate) fn write_vectors(path: &Path, vectors: &[(String, &[f32])]) -> Result<()> {
    let dims: Vec<[usize; 1]> = vectors.iter().map(|(_, numbers)| [numbers.len()]).collect();
    let fills: Vec<_> = vectors.iter().map(|(_, numbers)| || numbers.to_vec()).collect();
    let entries: Vec<Entry<'_>> = (vectors.iter().zip(&dims).zip(&fills))
        .map(|(((name, _), dims), fill)| Entry { name, dims, fill })
        .collect();
    write_tensors(path, &entries, Precision::F32)
}

/// Writes a safetensors file tensor by tensor, beside its place and renamed in: the length of the header, the header
/// (names, types, shapes, offsets as JSON, padded to 8 bytes), the numbers.
pub(crate) fn write_tensors(path: &Path, entries: &[Entry<'_>], precision: Precision) -> Result<()> {
    let mut header = Map::from_iter([("__metadata__".to_owned(), json!({"format": "pt"}))]);
    let mut at = 0;
    for Entry { name, dims, .. } in entries {
        let end = at + dims.iter().product::<usize>() * precision.bytes();
        let info = json!({"dtype": precision.tag(), "shape": dims, "data_offsets": [at, end]});
        header.insert((*name).to_owned(), info);
        at = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let fill = |out: &mut std::io::BufWriter<File>| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for entry in entries {
            let numbers = (entry.fill)();
            match precision {
                Precision::F32 => numbers.iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))?,
                Precision::Bf16 => numbers
                    .iter()
                    .try_for_each(|x| out.write_all(&half::bf16::from_f32(*x).to_bits().to_le_bytes()))?,
                Precision::F16 => numbers
                    .iter()
                    .try_for_each(|x| out.write_all(&half::f16::from_f32(*x).to_bits().to_le_bytes()))?,
            }
        }
        Ok(())
    };
    Ok(atomic_write(path, fill)?)
}
