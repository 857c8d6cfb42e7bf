//! Templates of several turns: what has been said before stands before the question, as the model's own chat template
//! has it.
//!
//! Alpaca and the plain template are made for one question; a conversation is theirs one after another. Where a template has
//! no place for a system message, it stands before the first question.

use super::{QWEN_WITHOUT_INPUT, Template, VICUNA_WITHOUT_INPUT};

/// A question that has been answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// What was asked.
    pub question: String,
    /// What was said to it.
    pub answer: String,
}

impl Template {
    /// The prompt up to where the answer to `question` begins, after what was said before. Without turns and without a
    /// `system` message it is [`Template::render`]'s.
    pub fn conversation(self, system: &str, turns: &[Turn], question: &str) -> String {
        let default = match self {
            Self::Alpaca => {
                let whole = self.render("", "");
                let intro = whole.split("\n\n### Instruction:").next().unwrap_or_default().to_owned();
                intro + "\n\n"
            }
            Self::Plain | Self::Llava | Self::Mistral | Self::Tulu => String::new(),
            Self::VicunaV1 => until(VICUNA_WITHOUT_INPUT, "USER: "),
            Self::Qwen => until(QWEN_WITHOUT_INPUT, "<|im_start|>user\n"),
        };
        let Frame { before, asked, answered } = self.frame();
        let (mut prompt, first) = match self {
            _ if system.is_empty() => (default, String::new()),
            Self::VicunaV1 => (format!("{system} "), String::new()),
            Self::Qwen => (format!("<|im_start|>system\n{system}<|im_end|>\n"), String::new()),
            Self::Tulu => (format!("<|system|>\n{system}\n"), String::new()),
            Self::Alpaca | Self::Plain | Self::Llava | Self::Mistral => (default, format!("{system}\n\n")),
        };
        let questions = turns.iter().map(|turn| turn.question.as_str()).chain([question]);
        for (number, question) in questions.enumerate() {
            prompt.push_str(before);
            if number == 0 {
                prompt.push_str(&first);
            }
            prompt.push_str(question);
            prompt.push_str(asked);
            if let Some(Turn { answer, .. }) = turns.get(number) {
                prompt.push_str(self.before_answer());
                prompt.push_str(answer);
                prompt.push_str(answered);
            }
        }
        prompt
    }

    /// What stands around questions and answers.
    pub(super) fn frame(self) -> Frame {
        let (before, asked, answered) = match self {
            Self::Alpaca => ("### Instruction:\n", "\n\n### Response:\n", "\n\n"),
            Self::Plain => ("", "\n", "\n"),
            Self::VicunaV1 => ("USER: ", " ASSISTANT:", "</s>"),
            Self::Llava => ("USER: ", " ASSISTANT:", " "),
            Self::Qwen => ("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>\n"),
            Self::Mistral => ("[INST] ", " [/INST]", "</s>"),
            Self::Tulu => ("<|user|>\n", "\n<|assistant|>\n", "</s>\n"),
        };
        Frame { before, asked, answered }
    }
}

/// What stands around questions and answers.
pub(super) struct Frame {
    /// Before a question.
    pub(super) before: &'static str,
    /// After a question.
    pub(super) asked: &'static str,
    /// After an answer.
    pub(super) answered: &'static str,
}

/// A text up to where `end` stands in it.
fn until(text: &str, end: &str) -> String {
    text.split(end).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(question: &str, answer: &str) -> Turn {
        Turn { question: question.to_owned(), answer: answer.to_owned() }
    }

    #[test]
    fn a_single_question_is_rendered_as_in_training() {
        for template in Template::ALL {
            let question = "What is {input} of GLI1?";
            assert_eq!(
                template.conversation("", &[], question),
                template.render(question, ""),
                "{template:?}"
            );
        }
    }

    #[test]
    fn turns_stand_before_the_question() {
        let of = |template: Template| template.conversation("", &[turn("a?", "b.")], "c?");
        assert_eq!(of(Template::Plain), "a?\nb.\nc?\n");
        assert_eq!(of(Template::Llava), "USER: a? ASSISTANT: b. USER: c? ASSISTANT:");
        assert_eq!(of(Template::Mistral), "[INST] a? [/INST] b.</s>[INST] c? [/INST]");
        assert_eq!(of(Template::Tulu), "<|user|>\na?\n<|assistant|>\nb.</s>\n<|user|>\nc?\n<|assistant|>\n");
        let vicuna = of(Template::VicunaV1);
        assert!(vicuna.ends_with("questions. USER: a? ASSISTANT: b.</s>USER: c? ASSISTANT:"), "{vicuna}");
        let alpaca = of(Template::Alpaca);
        let end = "request.\n\n### Instruction:\na?\n\n### Response:\nb.\n\n### Instruction:\nc?\n\n### Response:\n";
        assert!(alpaca.ends_with(end), "{alpaca}");
        assert_eq!(
            of(Template::Qwen),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\na?<|im_end|>\n\
             <|im_start|>assistant\nb.<|im_end|>\n<|im_start|>user\nc?<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    #[test]
    fn a_system_message_takes_its_place_or_stands_first() {
        let of = |template: Template| template.conversation("Be brief.", &[turn("a?", "b.")], "c?");
        assert_eq!(of(Template::Plain), "Be brief.\n\na?\nb.\nc?\n");
        assert!(of(Template::VicunaV1).starts_with("Be brief. USER: a?"));
        assert!(
            of(Template::Qwen).starts_with("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\na?")
        );
        assert!(of(Template::Tulu).starts_with("<|system|>\nBe brief.\n<|user|>\na?\n"));
        assert!(of(Template::Mistral).starts_with("[INST] Be brief.\n\na? [/INST] b.</s>"));
        assert!(of(Template::Alpaca).contains("### Instruction:\nBe brief.\n\na?\n\n### Response:\nb."));
    }
}
