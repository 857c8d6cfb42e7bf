//! LLaVA's projector in an adapter's folder.
//!
//! In transformers' layout it is PEFT's `modules_to_save`: its tensors lie whole beside the low-rank matrices. The original
//! LLaVA has it in a file of its own, `non_lora_trainables.bin`, by the names `base_model.model.model.mm_projector.0.weight`;
//! here that is a safetensors file with the same names, for the other is a program that would be run.

use std::collections::BTreeMap;
use std::path::Path;

use super::files::Names;
use super::{LANGUAGE_MODEL, LoraConfig, PROJECTOR};
use crate::arch::decoder::Decoder;
use crate::arch::projector::Tensor;
use crate::checkpoint::{Entry, Read, read_tensors, write_tensors};
use crate::config::vision::Layout;
use crate::error::{ModelError, Result};
use crate::weights::Precision;

const FILE: &str = "non_lora_trainables.safetensors";
const PICKLE: &str = "non_lora_trainables.bin";

/// Whether an adapter's folder holds a projector.
pub(super) fn is_in(folder: &Path, lora: &LoraConfig) -> Result<bool> {
    let file = folder.join(FILE).exists();
    if !file && folder.join(PICKLE).exists() {
        let reason = format!(
            "holds LLaVA's projector as {PICKLE}, a pickle that is not read here; in Python \
             `safetensors.torch.save_file(torch.load(\"{PICKLE}\"), \"{FILE}\")` makes {FILE} of it"
        );
        return Err(ModelError::tensors(folder, reason));
    }
    Ok(lora.projector || file)
}

/// The settings of a decoder's adapter as its layout has them. A projector that is trained is added to `tensors`, or written
/// into a file of its own.
pub(super) fn add<'a>(
    decoder: &'a Decoder,
    lora: &LoraConfig,
    folder: &Path,
    tensors: &mut Vec<(String, Vec<usize>, &'a [f32])>,
) -> Result<LoraConfig> {
    let layout = decoder.config().vision.as_ref().map(|vision| &vision.layout);
    let trained = trained(decoder);
    let mut lora = LoraConfig { projector: false, ..lora.clone() };
    match layout {
        None => {}
        Some(Layout::Transformers { .. }) => {
            lora.within.get_or_insert_with(|| LANGUAGE_MODEL.to_owned());
            lora.projector = !trained.is_empty();
            tensors.extend(
                trained.into_iter().map(|(tensor, numbers)| (joined(tensor.name), tensor.dims, numbers)),
            );
        }
        Some(Layout::Original { .. }) if trained.is_empty() => {}
        Some(Layout::Original { .. }) => {
            let names: Vec<String> = trained.iter().map(|(tensor, _)| original(tensor.name)).collect();
            let fills: Vec<_> = trained.iter().map(|(_, numbers)| || numbers.to_vec()).collect();
            let entries: Vec<Entry<'_>> = (names.iter().zip(&trained).zip(&fills))
                .map(|((name, (tensor, _)), fill)| Entry { name, dims: &tensor.dims, fill })
                .collect();
            write_tensors(&folder.join(FILE), &entries, Precision::F32)?;
        }
    }
    Ok(lora)
}

/// Puts the numbers of a projector that is trained where they belong, and takes them from `tensors`. Where an adapter has
/// none the base's stay.
pub(super) fn load(decoder: &mut Decoder, folder: &Path, tensors: &mut BTreeMap<String, Read>) -> Result<()> {
    let Some((parameter, wanted)) = decoder.projector.as_ref().and_then(|p| Some((p.trained?, p.tensors())))
    else {
        return Ok(());
    };
    let file = folder.join(FILE);
    let mut other = if file.exists() { read_tensors(&file)? } else { BTreeMap::new() };
    let path = if file.exists() { file } else { folder.join("adapter_model.safetensors") };
    if other.is_empty() && !tensors.keys().any(|name| name.contains(PROJECTOR)) {
        return Ok(());
    }
    for Tensor { name, dims, place } in wanted {
        let joined = joined(name);
        // Before transformers 4.52, and by PEFT's own hand.
        let older = joined.replace(&format!("model.{PROJECTOR}"), PROJECTOR);
        let inside = joined.replace(PROJECTOR, &format!("{PROJECTOR}.modules_to_save"));
        let end = original(name);
        let end = end.trim_start_matches("base_model.model.model.");
        let of_other = other.keys().find(|key| key.ends_with(end)).cloned();
        let found = [joined.clone(), older, inside].iter().find_map(|name| tensors.remove(name));
        let found = found.or_else(|| other.remove(&of_other?));
        let Some((found, numbers)) = found else {
            let reason = format!("{joined} is missing; the projector cannot be applied whole");
            return Err(ModelError::tensors(&path, reason));
        };
        if found != dims {
            let reason = format!(
                "{joined} has shape {found:?}, expected {dims:?}: made for another tower or base model"
            );
            return Err(ModelError::tensors(&path, reason));
        }
        decoder.parameters_mut()[parameter].numbers[place].copy_from_slice(&numbers);
    }
    match other.keys().next() {
        None => Ok(()),
        Some(surplus) => {
            let reason =
                format!("{surplus} has no place in this base model; only a projector is read from {FILE}");
            Err(ModelError::tensors(&path, reason))
        }
    }
}

/// The projector of a folder that has it in a file of its own, by the names of that file.
pub(super) fn apart(folder: &Path) -> Result<BTreeMap<String, Read>> {
    let file = folder.join(FILE);
    if file.exists() { read_tensors(&file) } else { Ok(BTreeMap::new()) }
}

/// The same adapter under other names: those of a LLaVA in transformers, or in its original code. `tensors` are what is
/// written with the low-rank matrices; a projector of the original layout, which lies apart, is read and written here.
pub(super) fn rename(
    from: &Path,
    to: &Path,
    (precision, names): (Precision, Names),
    tensors: &mut Vec<(String, Read)>,
    lora: &mut LoraConfig,
) -> Result<()> {
    const THERE: [&str; 2] = ["model.model.language_model.layers.", "model.language_model.model.layers."];
    const HERE: &str = "model.model.layers.";
    let mut whole: BTreeMap<String, Read> = BTreeMap::new();
    let is_projector = |name: &str| name.contains(PROJECTOR) || name.contains("mm_projector");
    let of_projector = std::mem::take(tensors).into_iter().chain(apart(from)?);
    for (name, tensor) in of_projector {
        // `linear_1.weight`, whatever stands before it.
        let end = name.rsplit("projector.").next().unwrap_or(&name).trim_start_matches("modules_to_save.");
        let end = end.replace("default.", "");
        let end = match (end.strip_prefix("0."), end.strip_prefix("2.")) {
            (Some(rest), _) => format!("linear_1.{rest}"),
            (_, Some(rest)) => format!("linear_2.{rest}"),
            _ => end,
        };
        match (is_projector(&name), names) {
            (false, Names::Kept) => tensors.push((name, tensor)),
            (false, Names::Transformers) => {
                let name = name.replace(THERE[1], THERE[0]).replace(HERE, THERE[0]);
                tensors.push((name, tensor));
            }
            (false, Names::Original) => {
                let name = THERE.iter().fold(name, |name, there| name.replace(there, HERE));
                tensors.push((name, tensor));
            }
            (true, Names::Kept) if name.contains(PROJECTOR) => tensors.push((name, tensor)),
            (true, Names::Transformers) => tensors.push((joined(&end), tensor)),
            (true, Names::Kept) => drop(whole.insert(name, tensor)),
            (true, Names::Original) => drop(whole.insert(original(&end), tensor)),
        }
    }
    match names {
        Names::Kept => {}
        Names::Transformers => {
            lora.within.get_or_insert_with(|| LANGUAGE_MODEL.to_owned());
            lora.projector = tensors.iter().any(|(name, _)| name.contains(PROJECTOR));
        }
        Names::Original => (lora.within, lora.projector) = (None, false),
    }
    if whole.is_empty() {
        return Ok(());
    }
    let fills: Vec<_> = whole.values().map(|(_, numbers)| || numbers.clone()).collect();
    let entries: Vec<Entry<'_>> =
        (whole.iter().zip(&fills)).map(|((name, (dims, _)), fill)| Entry { name, dims, fill }).collect();
    write_tensors(&to.join(FILE), &entries, precision)
}

/// The tensors of a projector that is trained, with their numbers.
pub(super) fn trained(decoder: &Decoder) -> Vec<(Tensor, &[f32])> {
    let Some(projector) = &decoder.projector else { return Vec::new() };
    let Some(parameter) = projector.trained else { return Vec::new() };
    let numbers = &decoder.parameters()[parameter].numbers;
    let with_numbers = |tensor: Tensor| {
        let numbers = &numbers[tensor.place.clone()];
        (tensor, numbers)
    };
    projector.tensors().into_iter().map(with_numbers).collect()
}

/// A tensor's name among those of PEFT.
pub(super) fn joined(name: &str) -> String {
    format!("base_model.model.model.{PROJECTOR}.{name}")
}

/// A tensor's name in the original layout's file.
fn original(name: &str) -> String {
    let name = name.replace("linear_1", "0").replace("linear_2", "2");
    format!("base_model.model.model.mm_projector.{name}")
}
