//! GGUF: a model in one file, as llama.cpp and Ollama run it.
//!
//! A decoder, its adapter's update added, and its tokenizer become keys and tensors under llama.cpp's names. The tensors
//! are read from the mapped checkpoint, changed and written one piece after the other, so that a model of any size is
//! written within some hundred megabytes. The file is written beside its place and renamed into it.
//!
//! | part | what |
//! |---|---|
//! | `file` | the format: keys, places, padding |
//! | `encode` | f32, f16, bf16 and q8_0 |
//! | `architecture` | which of llama.cpp's architectures it is, and what that cannot compute |
//! | `tensors` | names, and the order of the rows |
//! | `tokenizer`, `pieces` | tokens, merges, scores, special tokens |

use std::io::{self, Write};
use std::path::Path;

use geneverse_data::progress::Progress;
use geneverse_data::stage::atomic_write;
use serde::Serialize;

use crate::arch::decoder::Decoder;
use crate::error::{ModelError, Result};
use crate::tokens::Tokenizer;
use file::{Info, Value};

mod architecture;
mod encode;
mod file;
mod pieces;
mod tensors;
mod tokenizer;

pub use encode::NumberType;

/// Numbers that are read, changed and written at a time.
const PIECE: usize = 1 << 22;

/// How a file is written.
#[derive(Debug, Clone)]
pub struct Settings<'a> {
    /// How matrices are held.
    pub numbers: NumberType,
    /// The model's name in it.
    pub name: &'a str,
    /// How it is asked: a Jinja template over `messages`.
    pub chat_template: Option<&'a str>,
    /// llama.cpp's rule for cutting text, in the place of the one that the tokenizer has.
    pub rule: Option<&'a str>,
    /// Write the decoder of a model that sees pictures, without its eyes.
    pub text_only: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// llama.cpp's architecture.
    pub architecture: &'static str,
    /// How matrices are held.
    pub numbers: &'static str,
    /// Tensors of the file.
    pub tensors: usize,
    /// Tensors that are held in another type than asked for, vectors apart: rows that are no whole number of blocks.
    pub other_type: usize,
    /// Numbers of all tensors.
    pub parameters: usize,
    /// Length of the file.
    pub bytes: usize,
    /// What differs in llama.cpp, and when.
    pub notes: Vec<String>,
}

/// Writes a decoder, with its adapter's update where it has one, and its tokenizer as a GGUF file. `folder` is the
/// checkpoint that it was read from, for errors. `go_on` is asked between pieces; where it says no, nothing is left.
pub fn write(
    (decoder, tokenizer): (&Decoder, &Tokenizer),
    folder: &Path,
    path: &Path,
    settings: &Settings<'_>,
    progress: &dyn Progress,
    go_on: &dyn Fn() -> bool,
) -> Result<Written> {
    let config = decoder.config();
    let described = architecture::describe(config, settings.text_only, &folder.join("config.json"))?;
    let told = tokenizer::keys(tokenizer, config, settings.rule, folder)?;
    let planned = tensors::tensors(decoder, &described);
    let info = |tensor: &tensors::Tensor| {
        let encoding =
            if tensor.exact { encode::Encoding::F32 } else { settings.numbers.of_matrix(tensor.columns) };
        Info { name: tensor.name.clone(), dims: tensor.dims(), encoding }
    };
    let infos: Vec<Info> = planned.iter().map(info).collect();

    let mut keys = vec![
        ("general.architecture".to_owned(), Value::Text(described.name.to_owned())),
        ("general.type".to_owned(), Value::Text("model".to_owned())),
        ("general.name".to_owned(), Value::Text(settings.name.to_owned())),
        ("general.file_type".to_owned(), Value::Whole(settings.numbers.file_type())),
        ("general.quantization_version".to_owned(), Value::Whole(2)),
    ];
    keys.extend(described.keys);
    keys.extend(told.keys);
    if let Some(template) = settings.chat_template {
        keys.push(("tokenizer.chat_template".to_owned(), Value::Text(template.to_owned())));
    }
    let header = file::header(&keys, &infos);
    let total: usize =
        header.len() + infos.iter().map(|i| i.bytes().next_multiple_of(file::ALIGNMENT)).sum::<usize>();

    progress.start(&format!("writing {}", settings.numbers.name()), Some(total as u64), "bytes");
    let mut refused = None;
    let written = atomic_write(path, |out| {
        out.write_all(&header)?;
        let mut done = header.len();
        for (tensor, info) in planned.iter().zip(&infos) {
            let mut told = |bytes: usize| {
                done += bytes;
                progress.set(done as u64);
                go_on()
            };
            match write_tensor(decoder, tensor, info, out, &mut told)? {
                None => file::pad(info.bytes(), out)?,
                Some(reason) => {
                    refused = Some(encode::refused(folder, &tensor.name, &reason));
                    return Err(io::Error::other("a number that cannot be held"));
                }
            }
        }
        Ok(())
    });
    progress.finish();
    match (written, refused) {
        (Err(_), Some(refused)) => return Err(refused.into()),
        (Err(_), None) if !go_on() => {
            return Err(ModelError::Run(format!("{}: stopped; nothing was written", path.display())));
        }
        (Err(e), None) => return Err(e.into()),
        (Ok(()), _) => {}
    }
    let wanted = settings.numbers.of_matrix(encode::BLOCK);
    let other = infos.iter().zip(&planned).filter(|(info, tensor)| !tensor.exact && info.encoding != wanted);
    Ok(Written {
        architecture: described.name,
        numbers: settings.numbers.name(),
        tensors: infos.len(),
        other_type: other.count(),
        parameters: planned.iter().map(|tensor| tensor.rows * tensor.columns).sum(),
        bytes: total,
        notes: [described.notes, told.notes].concat(),
    })
}

/// Writes a tensor piece by piece; gives the reason where a number of it cannot be held.
fn write_tensor(
    decoder: &Decoder,
    tensor: &tensors::Tensor,
    info: &Info,
    out: &mut impl Write,
    told: &mut dyn FnMut(usize) -> bool,
) -> io::Result<Option<String>> {
    let source = tensor.source(decoder);
    let rows = (PIECE / tensor.columns).clamp(1, tensor.rows);
    let (mut numbers, mut bytes) = (Vec::new(), Vec::new());
    for first in (0..tensor.rows).step_by(rows) {
        let last = (first + rows).min(tensor.rows);
        source.rows(first..last, &mut numbers);
        bytes.resize((last - first) * info.encoding.row_bytes(tensor.columns), 0);
        if let Err(reason) = info.encoding.rows(&numbers, tensor.columns, &mut bytes) {
            return Ok(Some(reason));
        }
        out.write_all(&bytes)?;
        if !told(bytes.len()) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "stopped"));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
