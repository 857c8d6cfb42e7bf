//! Prompt templates: from an instruction to the exact text before which the answer begins.
//!
//! A model finetuned under one template and asked under another answers far worse, so a template has a
//! [hash](Template::hash), which is stored with an adapter and compared when it is loaded.

use serde::{Deserialize, Serialize};

use crate::stage::hash_bytes;

/// How an instruction and its input become the text that a model continues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// Alpaca's two templates, with and without input, to the byte as Alpaca-LoRA's published recipe has
    /// them (<https://github.com/tloen/alpaca-lora>, `templates/alpaca.json`): Stanford's text with a line
    /// end after the last colon.
    #[default]
    Alpaca,
    /// The instruction, the input if there is one, each on its own line; for small models, to which
    /// the words around the instruction only cost context.
    Plain,
}

const ALPACA_WITH_INPUT: &str = "Below is an instruction that describes a task, paired with an input that \
    provides further context. Write a response that appropriately completes the request.\n\n\
    ### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n";
const ALPACA_WITHOUT_INPUT: &str = "Below is an instruction that describes a task. Write a response that \
    appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n";
const PLAIN_WITH_INPUT: &str = "{instruction}\n{input}\n";
const PLAIN_WITHOUT_INPUT: &str = "{instruction}\n";

impl Template {
    /// The prompt up to where the answer begins. An empty `input` means that there is none.
    pub fn render(&self, instruction: &str, input: &str) -> String {
        let [with_input, without_input] = self.texts();
        let text = if input.is_empty() { without_input } else { with_input };
        // Split at the slots instead of replacing them one after the other: an instruction may itself
        // hold the text "{input}".
        let mut prompt = String::with_capacity(text.len() + instruction.len() + input.len());
        let (before, rest) = text.split_once("{instruction}").unwrap_or((text, ""));
        prompt.push_str(before);
        prompt.push_str(instruction);
        match rest.split_once("{input}") {
            Some((between, after)) => {
                prompt.push_str(between);
                prompt.push_str(input);
                prompt.push_str(after);
            }
            None => prompt.push_str(rest),
        }
        prompt
    }

    /// SHA-256 of the template's text: what an adapter remembers of how it was trained.
    pub fn hash(&self) -> String {
        hash_bytes(self.texts().join("\0").as_bytes())
    }

    fn texts(self) -> [&'static str; 2] {
        match self {
            Self::Alpaca => [ALPACA_WITH_INPUT, ALPACA_WITHOUT_INPUT],
            Self::Plain => [PLAIN_WITH_INPUT, PLAIN_WITHOUT_INPUT],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpaca_is_stanfords_text() {
        assert_eq!(
            Template::Alpaca.render("Say hello.", ""),
            "Below is an instruction that describes a task. Write a response that appropriately completes the \
             request.\n\n### Instruction:\nSay hello.\n\n### Response:\n"
        );
        assert_eq!(
            Template::Alpaca.render("Translate.", "Guten Tag"),
            "Below is an instruction that describes a task, paired with an input that provides further context. \
             Write a response that appropriately completes the request.\n\n### Instruction:\nTranslate.\n\n\
             ### Input:\nGuten Tag\n\n### Response:\n"
        );
    }

    #[test]
    fn plain_is_a_line_each_and_slots_in_the_text_stay_text() {
        assert_eq!(Template::Plain.render("Say hello.", ""), "Say hello.\n");
        assert_eq!(Template::Plain.render("Fill {input}", "{instruction}"), "Fill {input}\n{instruction}\n");
    }

    #[test]
    fn templates_have_different_hashes_and_lowercase_names() {
        assert_ne!(Template::Alpaca.hash(), Template::Plain.hash());
        assert_eq!(serde_json::to_string(&Template::Alpaca).unwrap(), r#""alpaca""#);
    }
}
