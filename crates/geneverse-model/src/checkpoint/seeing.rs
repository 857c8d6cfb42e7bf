//! A model that sees pictures as a whole checkpoint: what was trained or merged under the names that the tensors have in the
//! checkpoint it was read from, the tower as it is there.
//!
//! In the original layout the tower lies in a folder of its own, which comes along, so that the new checkpoint can be read
//! wherever it is put.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use geneverse_data::stage::FileError;

use super::{Entry, Source, write_tensors};
use crate::arch::decoder::Decoder;
use crate::arch::llava;
use crate::arch::projector::{NAME, Projector, Tensor};
use crate::config::vision::Layout;
use crate::error::Result;
use crate::weights::{Numbers, Precision};

/// What comes along beside configuration and weights: how pictures are made ready.
const PROCESSORS: [&str; 2] = ["preprocessor_config.json", "processor_config.json"];

/// Where a tensor's numbers are from.
enum Part<'a> {
    /// The decoder, or its projector.
    Ours(Box<dyn Fn() -> Vec<f32> + 'a>),
    /// The checkpoint that it was read from.
    Theirs(Numbers),
}

impl Decoder {
    /// Writes a checkpoint folder as [`Decoder::write`] does, of a decoder that was read from `base`: with the tower that it
    /// sees with, where it sees.
    pub fn write_beside(&self, base: &Path, folder: &Path, precision: Precision) -> Result<()> {
        let Some(vision) = &self.config().vision else { return self.write(folder, precision) };
        self.config().write(folder, precision.name())?;
        let mut source = Source::open(base, "")?;
        // From a tensor's name here to its name there.
        let names: BTreeMap<String, String> =
            source.names().map(|there| (llava::name(there), there.clone())).collect();
        let named = |here: &str| names.get(here).map_or_else(|| here.to_owned(), String::clone);
        let exports = self.exports();
        let mut parts: Vec<(String, Vec<usize>, Part<'_>)> = Vec::new();
        for export in &exports {
            let numbers = Part::Ours(Box::new(|| self.numbers(export)));
            parts.push((named(&export.name), export.dims.clone(), numbers));
        }
        for tensor in self.projector.iter().flat_map(Projector::tensors) {
            let (name, dims) = (named(&format!("{NAME}{}", tensor.name)), tensor.dims.clone());
            parts.push((name, dims, Part::Ours(Box::new(move || self.of_tensor(&tensor)))));
        }
        // What of the tower was trained, by its names here, and the rest as it is there.
        let trained = self.sight.iter().flat_map(|sight| sight.tower.trained_tensors());
        let mut ours: BTreeMap<String, _> =
            trained.map(|tensor| (format!("{}{}", llava::TOWER, tensor.name), tensor)).collect();
        for (here, there) in names.iter().filter(|(here, _)| here.starts_with(llava::TOWER)) {
            let (dims, numbers) = source.whole(there)?;
            let part = match ours.remove(here) {
                Some(tensor) => {
                    let numbers = &self.parameters[tensor.parameter].numbers;
                    Part::Ours(Box::new(move || numbers[tensor.place.clone()].to_vec()))
                }
                None => Part::Theirs(numbers),
            };
            parts.push((there.clone(), dims, part));
        }
        if let (Some((here, _)), Layout::Original { tower, .. }) = (ours.first_key_value(), &vision.layout) {
            let reason = format!(
                "{here} was trained, and the tower lies in a folder of its own ({}); a LLaVA in transformers' layout (llava-hf) can \
                 be written with its tower",
                tower.display()
            );
            return Err(crate::error::ModelError::Run(reason));
        }
        let fills: Vec<_> = parts.iter().map(|(.., part)| || part.numbers()).collect();
        let entries: Vec<Entry<'_>> =
            (parts.iter().zip(&fills)).map(|((name, dims, _), fill)| Entry { name, dims, fill }).collect();
        write_tensors(&folder.join("model.safetensors"), &entries, precision)?;
        PROCESSORS.into_iter().try_for_each(|file| copy(base, folder, file))?;
        match &vision.layout {
            Layout::Original { tower, .. } => copy_tower(tower, folder),
            Layout::Transformers { .. } => Ok(()),
        }
    }

    /// The numbers of a tensor of the projector.
    fn of_tensor(&self, tensor: &Tensor) -> Vec<f32> {
        let Some(projector) = &self.projector else { return Vec::new() };
        match projector.trained {
            Some(parameter) => self.parameters()[parameter].numbers[tensor.place.clone()].to_vec(),
            None => projector.held(tensor.name),
        }
    }
}

impl Part<'_> {
    fn numbers(&self) -> Vec<f32> {
        match self {
            Self::Ours(make) => make(),
            Self::Theirs(numbers) => numbers.to_vec(),
        }
    }
}

/// Copies the tower's folder into the checkpoint, under the last of its names, by which it is looked for there.
fn copy_tower(tower: &Path, folder: &Path) -> Result<()> {
    let Some(name) = tower.file_name() else { return Ok(()) };
    let to = folder.join(name);
    fs::create_dir_all(&to).map_err(|e| FileError::io(&to, "make", e))?;
    let entries = fs::read_dir(tower).map_err(|e| FileError::io(tower, "read", e))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let known = |name: &String| name.ends_with(".safetensors") || name.ends_with(".json");
    names.filter(known).try_for_each(|name| copy(tower, &to, &name))
}

/// Copies a file, where it is there.
fn copy(from: &Path, to: &Path, file: &str) -> Result<()> {
    let (from, to) = (from.join(file), to.join(file));
    if from.is_file() {
        fs::copy(&from, &to).map_err(|e| FileError::io(&to, "write", e))?;
    }
    Ok(())
}
