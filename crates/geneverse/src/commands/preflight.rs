//! What is said and checked before the first step: the data as the model will see it, and whether the run fits.

use anyhow::{Result, bail};
use geneverse_data::dataset::PLACEHOLDER;
use geneverse_data::progress::Progress;
use geneverse_model::batch::{EncodingReport, Sequence};
use geneverse_model::config::ModelConfig;
use geneverse_model::memory::{Memory, available, packing_gain, predict};
use geneverse_model::pictures::PICTURE;
use geneverse_model::recipe::{Device, Kind, Recipe};
use geneverse_model::tokens::Tokenizer;
use geneverse_model::train::Steps;
use geneverse_model::{Decoder, Result as ModelResult};

use crate::commands::train::thousands;
use crate::ui::Ui;

/// A run about to begin.
pub(crate) struct Preflight<'a> {
    pub(crate) recipe: &'a Recipe,
    /// Nothing of it trained yet.
    pub(crate) model: &'a Decoder,
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) sequences: &'a [Sequence],
    pub(crate) validation: &'a [Sequence],
    pub(crate) encoded: &'a EncodingReport,
    /// What the process holds without the weights.
    pub(crate) program: usize,
}

impl Preflight<'_> {
    /// Says what is about to be trained, refuses what cannot fit, and chooses whether to keep activations.
    pub(crate) fn check(&self, ui: &Ui) -> Result<bool> {
        let Self { recipe, model, sequences, encoded, .. } = self;
        ui.note(&format!(
            "  {} examples, {} tokens, {:.0} % trained, longest {}",
            thousands(encoded.sequences),
            thousands(encoded.tokens),
            100.0 * encoded.trained_share(),
            encoded.longest
        ));
        self.special_tokens(model.config()).iter().for_each(|line| ui.note(line));
        if let Some(first) = sequences.first() {
            ui.note(&format!("  first example, trained between ⟦ and ⟧: {}", self.shown(first)));
        }
        if let Some(line) = cut(encoded) {
            ui.note(&line);
        }
        let (rows, padded) = packing_gain(recipe, sequences);
        let steps = Steps::new(recipe, sequences.len());
        ui.note(&format!(
            "  {} steps, {} an epoch; an epoch computes {} rows, {:.0} % of what padding would",
            thousands(steps.total),
            thousands(steps.per_epoch),
            thousands(rows),
            100.0 * rows as f64 / padded.max(1) as f64
        ));
        if recipe.run.device == Device::Cuda {
            // What is predicted are the buffers of the CPU's operations.
            return Ok(recipe.run.recompute.unwrap_or(false));
        }
        let (memory, why) = self.memory(available())?;
        ui.note(&format!("  {}{why}", summary(&memory)));
        Ok(memory.recompute)
    }

    /// The ids that begin, end and pad a sequence, and what is wrong with them.
    fn special_tokens(&self, config: &ModelConfig) -> Vec<String> {
        let named = |id: u32| format!("{} ({id})", self.tokenizer.token(id).unwrap_or_default());
        let one = |id: Option<u32>| id.map_or("none".to_owned(), named);
        let (begin, end, pad) =
            (config.bos_token_id, config.eos_token_ids.first().copied(), config.pad_token_id);
        let mut lines = vec![format!("  begin {}, end {}, padding {}", one(begin), one(end), one(pad))];
        let mut warn = |count: usize, what: &str| {
            if count > 0 {
                lines.push(format!("  warning: {} {what}", thousands(count)));
            }
        };
        let counts = |wrong: &dyn Fn(&Sequence) -> bool| self.sequences.iter().filter(|s| wrong(s)).count();
        if let Some(begin) = begin {
            let begins = |s: &Sequence| s.ids.iter().filter(|id| **id == begin).count();
            warn(counts(&|s| begins(s) != 1), "examples have not exactly one begin token");
        }
        if let Some(end) = end {
            let ends = |s: &Sequence| s.labels.iter().flatten().next_back() == Some(&end);
            let open = counts(&|s| !ends(s)).saturating_sub(self.encoded.cut.len());
            // A document of pretraining that is longer than the cutoff goes on in the next sequence.
            if self.recipe.model.shape.is_none() {
                warn(open, "examples do not end with a trained end token");
            }
        }
        if pad.is_some() && pad == end {
            let note =
                "  padding is the end token; no label stands on padding, so the end is learnt all the same";
            lines.push(note.to_owned());
        }
        lines
    }

    /// An example's text with what is trained marked, the middle of long parts left out.
    fn shown(&self, sequence: &Sequence) -> String {
        let Sequence { ids, labels } = sequence;
        // A label stands where the token before it is.
        let trained = |place: usize| place > 0 && labels[place - 1].is_some();
        let (mut shown, mut first) = (String::new(), 0);
        for end in 1..=ids.len() {
            if end == ids.len() || trained(end) != trained(first) {
                let text = shortened(&self.text(&ids[first..end]));
                shown += &if trained(first) { format!("⟦{text}⟧") } else { text };
                first = end;
            }
        }
        shown
    }

    /// Text of tokens, special ones written out.
    fn text(&self, ids: &[u32]) -> String {
        let (mut text, mut plain) = (String::new(), Vec::new());
        let decoded = |ids: &[u32]| self.tokenizer.decode(ids).unwrap_or_default();
        for id in ids {
            if *id >= PICTURE || decoded(&[*id]).is_empty() {
                text += &decoded(&plain);
                plain.clear();
                match *id >= PICTURE {
                    // A picture's tokens as one.
                    true if text.ends_with(PLACEHOLDER) => {}
                    true => text += PLACEHOLDER,
                    false => text += &self.tokenizer.token(*id).unwrap_or_default(),
                }
            } else {
                plain.push(*id);
            }
        }
        (text + &decoded(&plain)).replace('\n', "⏎")
    }

    fn predict(&self, recipe: &Recipe, sequences: &[Sequence], recompute: bool) -> ModelResult<Memory> {
        predict(self.model, recipe, (sequences, self.validation), recompute, self.program)
    }

    /// The predicted memory with what will be kept, and why that in words; an error where it is more than there is.
    pub(crate) fn memory(&self, available: Option<usize>) -> Result<(Memory, &'static str)> {
        let kept = |recompute| self.predict(self.recipe, self.sequences, recompute);
        let fits = |memory: &Memory| {
            let check = self.recipe.run.check_memory;
            available.filter(|_| check).is_none_or(|available| memory.further() <= available)
        };
        let keep = kept(false)?;
        let (memory, why) = match self.recipe.run.recompute {
            Some(true) => (kept(true)?, "; activations are computed again, as run.recompute says"),
            Some(false) => (keep, ""),
            None if fits(&keep) => (keep, ""),
            None => (kept(true)?, "; activations are computed again, for want of memory"),
        };
        if !fits(&memory) {
            let available = available.unwrap_or(0);
            bail!(
                "not enough memory: the run is predicted to take {} more, and {} are available; {}. \
                 run.check_memory = false tries all the same",
                gib(memory.further()),
                gib(available),
                self.ways(available)?
            );
        }
        Ok((memory, why))
    }

    /// The settings, the least change first, with which the run would fit.
    fn ways(&self, available: usize) -> Result<String> {
        let mut recipe = self.recipe.clone();
        if recipe.run.recompute != Some(true) {
            let memory = self.predict(&recipe, self.sequences, true)?;
            if memory.further() <= available {
                return Ok(format!("run.recompute = true would take {}", gib(memory.further())));
            }
        }
        let mut changes = vec!["run.recompute = true".to_owned()];
        while recipe.optim.micro_batch > 1 {
            recipe.optim.micro_batch /= 2;
            let memory = self.predict(&recipe, self.sequences, true)?;
            if memory.further() <= available {
                changes.push(format!("optim.micro_batch = {}", recipe.optim.micro_batch));
                return Ok(format!("{} would take {}", changes.join(" and "), gib(memory.further())));
            }
        }
        changes.push("optim.micro_batch = 1".to_owned());
        let mut cutoff = self.encoded.longest / 2;
        while cutoff >= 64 {
            let shorter: Vec<Sequence> = self.sequences.iter().map(|s| beginning(s, cutoff)).collect();
            let memory = self.predict(&recipe, &shorter, true)?;
            if memory.further() <= available {
                changes.push(format!("data.cutoff = {cutoff}"));
                return Ok(format!("{} would take {}", changes.join(" and "), gib(memory.further())));
            }
            cutoff /= 2;
        }
        Ok(match recipe.method.kind {
            Kind::Lora => "no micro-batch is small enough: take a smaller base model".to_owned(),
            _ => "no micro-batch is small enough: method.kind = \"lora\" trains less".to_owned(),
        })
    }
}

fn cut(encoded: &EncodingReport) -> Option<String> {
    let names: Vec<&str> = encoded.cut.iter().take(5).map(String::as_str).collect();
    let more = if encoded.cut.len() > names.len() { ", …" } else { "" };
    (!names.is_empty()).then(|| {
        format!(
            "  warning: {} examples are cut at data.cutoff and lose the end of their answer ({}{more}); the manifest \
             will list them all",
            thousands(encoded.cut.len()),
            names.join(", ")
        )
    })
}

fn beginning(sequence: &Sequence, tokens: usize) -> Sequence {
    let Sequence { ids, labels } = sequence;
    let tokens = tokens.min(ids.len());
    Sequence { ids: ids[..tokens].to_vec(), labels: labels[..tokens].to_vec() }
}

/// At most 160 characters: the first and the last.
fn shortened(text: &str) -> String {
    const END: usize = 80;
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= 2 * END {
        return text.to_owned();
    }
    let (first, last) = (&characters[..END], &characters[characters.len() - END..]);
    first.iter().chain(&[' ', '…', ' ']).chain(last).collect()
}

/// The prediction in a line.
fn summary(memory: &Memory) -> String {
    let Memory {
        program, frozen, trained, gradients, optimizer, activations, scratch, overhead, rows, ..
    } = memory;
    format!(
        "memory: {} predicted at the peak (weights {}, gradients {}, optimizer {}, activations of {} rows {}, the rest {})",
        gib(memory.peak()),
        gib(frozen + trained),
        gib(*gradients),
        gib(*optimizer),
        thousands(*rows),
        gib(*activations),
        gib(program + scratch + overhead)
    )
}

/// Bytes in GiB, or in MiB where they are few.
pub(crate) fn gib(bytes: usize) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1000.0 { format!("{mib:.0} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn recipe(run: &str) -> Recipe {
        let text = format!(
            "[model]\nbase = \"m\"\n[data]\ntrain = \"t.json\"\n[optim]\nmicro_batch = 8\n[run]\n{run}\n"
        );
        toml::from_str(&text).unwrap()
    }

    fn sequences() -> Vec<Sequence> {
        let sequence = |number: u32| {
            let ids: Vec<u32> = (0..300).map(|i| (i * 7 + number * 131) % 4000).collect();
            let labels = ids[1..].iter().map(|id| Some(*id)).chain([None]).collect();
            Sequence { ids, labels }
        };
        (0..16).map(sequence).collect()
    }

    #[test]
    fn what_fits_is_kept_what_does_not_is_computed_again_or_refused_with_a_way_out() {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/geneverse-nano");
        let (model, tokenizer) = (Decoder::read(&base).unwrap(), Tokenizer::read(&base).unwrap());
        let sequences = sequences();
        let encoded = EncodingReport { longest: 300, ..EncodingReport::default() };
        let with = |run: &str, available: Option<usize>| {
            let recipe = recipe(run);
            let (model, tokenizer, sequences, encoded) = (&model, &tokenizer, &sequences[..], &encoded);
            Preflight {
                recipe: &recipe,
                model,
                tokenizer,
                sequences,
                validation: &[],
                encoded,
                program: 1 << 20,
            }
            .memory(available)
        };
        let (keep, _) = with("", None).unwrap();
        let (again, _) = with("recompute = true", None).unwrap();
        assert!(!keep.recompute && again.recompute && again.peak() < keep.peak());
        let fitting = with("", Some(keep.further())).unwrap().0;
        assert!(!fitting.recompute);
        let (chosen, why) = with("", Some(keep.further() - 1)).unwrap();
        assert_eq!((chosen, why), (again, "; activations are computed again, for want of memory"));

        let error = |run: &str, available: usize| with(run, Some(available)).unwrap_err().to_string();
        let refused = error("recompute = false", again.further());
        assert!(refused.contains("not enough memory"), "{refused}");
        assert!(refused.contains("; run.recompute = true would take"), "{refused}");
        let refused = error("", again.further() - 1);
        assert!(refused.contains("run.recompute = true and optim.micro_batch = 4 would take"), "{refused}");
        assert!(error("", 1 << 20).contains("take a smaller base model"));
        assert!(!with("recompute = false\ncheck_memory = false", Some(1)).unwrap().0.recompute);
    }

    #[test]
    fn long_text_is_shortened_in_its_middle() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"β".repeat(500));
        assert_eq!(long.chars().count(), 163);
    }
}
