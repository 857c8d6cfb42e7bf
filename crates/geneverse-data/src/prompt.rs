//! Prompt templates: from an instruction to the exact text before which the answer begins.
//!
//! A model finetuned under one template and asked under another answers far worse, so a template has a
//! [hash](Template::hash), which is stored with an adapter and compared when it is loaded.

mod chat_template;
mod conversation;

use serde::{Deserialize, Serialize};

use crate::stage::hash_bytes;
pub use conversation::Turn;

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
    /// LLaVA-1.5's conversation (`vicuna_v1` in <https://github.com/haotian-liu/LLaVA>, `conversation.py`): Vicuna's
    /// system message, the question, and the answer after a space.
    #[serde(rename = "vicuna_v1")]
    VicunaV1,
    /// The same without the system message, as the chat template of the checkpoints in transformers' layout has it.
    Llava,
    /// The chat template of Qwen2.5-VL's checkpoints: its system message, the question, and the answer on a line of its own.
    Qwen,
    /// Mistral-Instruct's, which BioMistral comes from: the question between `[INST]` and `[/INST]`, and the answer after a space.
    Mistral,
    /// Tulu's, by which LLaMA-Pro-Instruct is asked (`demo/app.py` in <https://github.com/TencentARC/LLaMA-Pro>): who speaks on a
    /// line of its own.
    Tulu,
}

const ALPACA_WITH_INPUT: &str = "Below is an instruction that describes a task, paired with an input that \
    provides further context. Write a response that appropriately completes the request.\n\n\
    ### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n";
const ALPACA_WITHOUT_INPUT: &str = "Below is an instruction that describes a task. Write a response that \
    appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n";
const PLAIN_WITH_INPUT: &str = "{instruction}\n{input}\n";
const PLAIN_WITHOUT_INPUT: &str = "{instruction}\n";
const VICUNA_WITH_INPUT: &str = "A chat between a curious user and an artificial intelligence assistant. The \
    assistant gives helpful, detailed, and polite answers to the user's questions. USER: {instruction}\n{input} ASSISTANT:";
const VICUNA_WITHOUT_INPUT: &str = "A chat between a curious user and an artificial intelligence assistant. The \
    assistant gives helpful, detailed, and polite answers to the user's questions. USER: {instruction} ASSISTANT:";
const LLAVA_WITH_INPUT: &str = "USER: {instruction}\n{input} ASSISTANT:";
const LLAVA_WITHOUT_INPUT: &str = "USER: {instruction} ASSISTANT:";

const QWEN_WITH_INPUT: &str = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n\
    {instruction}\n{input}<|im_end|>\n<|im_start|>assistant\n";
const QWEN_WITHOUT_INPUT: &str = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n\
    {instruction}<|im_end|>\n<|im_start|>assistant\n";
const MISTRAL_WITH_INPUT: &str = "[INST] {instruction}\n{input} [/INST]";
const MISTRAL_WITHOUT_INPUT: &str = "[INST] {instruction} [/INST]";
const TULU_WITH_INPUT: &str = "<|user|>\n{instruction}\n{input}\n<|assistant|>\n";
const TULU_WITHOUT_INPUT: &str = "<|user|>\n{instruction}\n<|assistant|>\n";

impl Template {
    /// The templates by their names.
    pub const ALL: [Self; 7] =
        [Self::Alpaca, Self::Plain, Self::VicunaV1, Self::Llava, Self::Qwen, Self::Mistral, Self::Tulu];

    /// Its name in recipes and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alpaca => "alpaca",
            Self::Plain => "plain",
            Self::VicunaV1 => "vicuna_v1",
            Self::Llava => "llava",
            Self::Qwen => "qwen",
            Self::Mistral => "mistral",
            Self::Tulu => "tulu",
        }
    }

    /// What stands between the prompt and an answer that a model is trained to give. A model that is asked says it itself.
    pub fn before_answer(self) -> &'static str {
        match self {
            Self::Alpaca | Self::Plain | Self::Qwen | Self::Tulu => "",
            Self::VicunaV1 | Self::Llava | Self::Mistral => " ",
        }
    }

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
            Self::VicunaV1 => [VICUNA_WITH_INPUT, VICUNA_WITHOUT_INPUT],
            Self::Llava => [LLAVA_WITH_INPUT, LLAVA_WITHOUT_INPUT],
            Self::Qwen => [QWEN_WITH_INPUT, QWEN_WITHOUT_INPUT],
            Self::Mistral => [MISTRAL_WITH_INPUT, MISTRAL_WITHOUT_INPUT],
            Self::Tulu => [TULU_WITH_INPUT, TULU_WITHOUT_INPUT],
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
    fn llava_is_asked_as_it_was_trained() {
        let asked = Template::VicunaV1.render("<image>\nWhat is this?", "");
        assert_eq!(
            asked,
            "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, \
             detailed, and polite answers to the user's questions. USER: <image>\nWhat is this? ASSISTANT:"
        );
        assert_eq!(
            Template::Llava.render("<image>\nWhat?", "Briefly."),
            "USER: <image>\nWhat?\nBriefly. ASSISTANT:"
        );
        assert_eq!(
            Template::Qwen.render("<image>\nWhat?", ""),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<image>\nWhat?<|im_end|>\n\
             <|im_start|>assistant\n"
        );
    }

    #[test]
    fn biomistral_and_llama_pro_are_asked_as_what_they_come_from() {
        assert_eq!(Template::Mistral.render("What is GLI1?", ""), "[INST] What is GLI1? [/INST]");
        assert_eq!(Template::Mistral.render("Sum up.", "GLI1"), "[INST] Sum up.\nGLI1 [/INST]");
        assert_eq!(Template::Tulu.render("What is GLI1?", ""), "<|user|>\nWhat is GLI1?\n<|assistant|>\n");
        assert_eq!(Template::Tulu.render("Sum up.", "GLI1"), "<|user|>\nSum up.\nGLI1\n<|assistant|>\n");
    }

    #[test]
    fn templates_have_different_hashes_and_lowercase_names() {
        assert_ne!(Template::Alpaca.hash(), Template::Plain.hash());
        for template in Template::ALL {
            assert_eq!(serde_json::to_string(&template).unwrap(), format!("{:?}", template.name()));
            let alike = Template::ALL.iter().filter(|other| other.hash() == template.hash()).count();
            assert_eq!(alike, 1, "{template:?}");
        }
    }
}
