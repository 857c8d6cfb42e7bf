//! The templates for programs that serve a model to others: Jinja, which transformers, vLLM and llama.cpp render, and Go's
//! templates, which Ollama does.
//!
//! Both say what [`Template::conversation`] says, so that a model is asked there as it was trained. `tests/goldens/chat_templates.json`
//! has what Jinja itself makes of the one.

use super::Template;
use super::conversation::Frame;

/// Stands where the system message comes.
const SYSTEM: &str = "\u{1}";

/// Stands where the first question comes.
const QUESTION: &str = "\u{2}";

impl Template {
    /// A chat template over `messages` in Jinja. With `begins` the text starts with the tokenizer's first token, which
    /// chat endpoints do not put there themselves.
    pub fn jinja(self, begins: bool) -> String {
        let Frame { before, asked, answered } = self.frame();
        let (default, opening, first) = self.beginning();
        let [default, before, asked, answer, answered] =
            [&default, before, asked, self.before_answer(), answered].map(quoted);
        let [opening, first] = [opening, first].map(|text| {
            let parts: Vec<String> = text.split(SYSTEM).map(quoted).collect();
            parts.join(" + ns.system + ")
        });
        let bos = if begins { "{{- bos_token -}}\n" } else { "" };
        format!(
            "{bos}{{%- set ns = namespace(system='', first=true) -%}}\n\
             {{%- for message in messages if message['role'] == 'system' -%}}\n\
             {{%- set ns.system = message['content'] -%}}\n\
             {{%- endfor -%}}\n\
             {{%- if ns.system -%}}\n{{{{- {opening} -}}}}\n{{%- else -%}}\n{{{{- {default} -}}}}\n{{%- endif -%}}\n\
             {{%- for message in messages if message['role'] != 'system' -%}}\n\
             {{%- if message['role'] == 'assistant' -%}}\n\
             {{{{- {answer} + message['content'] + {answered} -}}}}\n\
             {{%- else -%}}\n\
             {{{{- {before} -}}}}\n\
             {{%- if ns.first and ns.system -%}}\n{{{{- {first} -}}}}\n{{%- endif -%}}\n\
             {{%- set ns.first = false -%}}\n\
             {{{{- message['content'] + {asked} -}}}}\n\
             {{%- endif -%}}\n\
             {{%- endfor -%}}\n"
        )
    }

    /// The `TEMPLATE` of an Ollama Modelfile.
    pub fn ollama(self) -> String {
        let Frame { before, asked, answered } = self.frame();
        let (default, opening, first) = self.beginning();
        let [opening, first] = [opening, first].map(|text| text.replace(SYSTEM, "{{ $.System }}"));
        let opening = match opening == default {
            true => default,
            false => format!("{{{{ if .System }}}}{opening}{{{{ else }}}}{default}{{{{ end }}}}"),
        };
        let first = match first.as_str() {
            "" => String::new(),
            first => format!("{{{{ if and $first $.System }}}}{first}{{{{ end }}}}"),
        };
        let answer = self.before_answer();
        format!(
            "{{{{ $first := true }}}}{opening}{{{{ range .Messages }}}}{{{{ if eq .Role \"user\" }}}}{before}{first}\
             {{{{ $first = false }}}}{{{{ .Content }}}}{asked}{{{{ else if eq .Role \"assistant\" }}}}{answer}\
             {{{{ .Content }}}}{answered}{{{{ end }}}}{{{{ end }}}}"
        )
    }

    /// What stands before everything without a system message, what with one, and what comes before the first question's text
    /// with one.
    fn beginning(self) -> (String, String, String) {
        let before = self.frame().before;
        let start = |system: &str| {
            let prompt = self.conversation(system, &[], QUESTION);
            prompt.split(QUESTION).next().unwrap_or_default().to_owned()
        };
        let (whole, with) = (start(""), start(SYSTEM));
        let default = whole.strip_suffix(before).unwrap_or(&whole).to_owned();
        match with.strip_suffix(before).filter(|opening| opening.contains(SYSTEM)) {
            Some(opening) => (default, opening.to_owned(), String::new()),
            None => (default.clone(), default, with.strip_prefix(&whole).unwrap_or_default().to_owned()),
        }
    }
}

/// A text as Jinja and JSON write it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::prompt::Turn;

    #[derive(Deserialize)]
    struct Golden {
        template: Template,
        jinja: String,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        system: String,
        turns: Vec<(String, String)>,
        question: String,
        rendered: String,
    }

    /// What Jinja makes of the templates: see the script beside the golden.
    #[test]
    fn jinja_renders_what_the_model_was_trained_on() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/chat_templates.json");
        let goldens: Vec<Golden> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(goldens.len(), Template::ALL.len());
        for Golden { template, jinja, cases } in goldens {
            assert_eq!(
                template.jinja(true),
                jinja,
                "{template:?}: run tests/goldens/chat_templates.py again"
            );
            assert!(cases.len() > 4);
            for Case { system, turns, question, rendered } in cases {
                let turn = |(question, answer): (String, String)| Turn { question, answer };
                let turns: Vec<Turn> = turns.into_iter().map(turn).collect();
                let ours = template.conversation(&system, &turns, &question);
                assert_eq!(format!("<s>{ours}"), rendered, "{template:?}");
            }
        }
        assert!(!Template::Alpaca.jinja(false).contains("bos_token"));
    }

    #[test]
    #[ignore = "writes the file that tests/goldens/chat_templates.py reads"]
    fn write_the_golden_without_its_cases() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/chat_templates.json");
        let empty = |template: Template| serde_json::json!({"template": template, "jinja": template.jinja(true), "cases": []});
        crate::stage::write_json(std::path::Path::new(path), &Template::ALL.map(empty)).unwrap();
    }

    #[test]
    fn ollamas_template_has_the_same_texts() {
        let alpaca = Template::Alpaca.ollama();
        let start = "{{ $first := true }}Below is an instruction that describes a task. Write a response that appropriately \
                     completes the request.\n\n{{ range .Messages }}{{ if eq .Role \"user\" }}### Instruction:\n\
                     {{ if and $first $.System }}{{ $.System }}\n\n{{ end }}{{ $first = false }}{{ .Content }}\n\n\
                     ### Response:\n{{ else if";
        assert!(alpaca.starts_with(start), "{alpaca}");
        let qwen = Template::Qwen.ollama();
        assert!(
            qwen.contains("{{ if .System }}<|im_start|>system\n{{ $.System }}<|im_end|>\n{{ else }}"),
            "{qwen}"
        );
        for template in Template::ALL {
            let text = template.ollama();
            assert_eq!(text.matches("{{ if").count(), text.matches("{{ end }}").count() - 1, "{text}");
            assert!(!text.contains(['\u{1}', '\u{2}']));
        }
    }
}
