//! A model behind an OpenAI-compatible endpoint: several questions at once, every answer kept in a cache as it comes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use geneverse_data::chat::{ChatAnswer, ChatClient, ChatRequest, ImageUrl, Message, Sampling};
use geneverse_data::dataset::{Example, PLACEHOLDER};
use geneverse_data::progress::Progress;
use geneverse_data::synthesize::{Query, ask_all};
use serde_json::json;

use super::{AnswerArgs, Answerer, Hear, Said, Trace, Way};
use crate::endpoint::{AskArgs, address, cache_file};
use crate::ui::Ui;

struct Remote<'a> {
    client: ChatClient,
    model: String,
    sampling: Sampling,
    cache: PathBuf,
    ask: &'a AskArgs,
    file: &'a Path,
    ui: &'a Ui,
}

/// The way of an endpoint's model.
pub(super) fn way<'a>(
    args: &'a AnswerArgs,
    endpoint: &str,
    model: &str,
    file: &'a Path,
    out: &Path,
    ui: &'a Ui,
) -> Result<Way<'a>> {
    let address = address(endpoint)?;
    let longest = args.max_new_tokens as u64;
    // At 0 the same question gets the same answer, as far as the server can.
    let sampling = Sampling { temperature: Some(0.0), max_tokens: Some(longest), ..Sampling::default() };
    let cache = cache_file(&args.ask, out, "answers-cache", model, &json!([model, sampling]).to_string());
    let remote = Remote {
        client: args.ask.client(address, ui)?,
        model: model.to_owned(),
        sampling,
        cache,
        ask: &args.ask,
        file,
        ui,
    };
    let name = args.name.clone().unwrap_or_else(|| model.to_owned());
    let key = json!({"endpoint_model": model, "sampling": sampling, "model": name});
    Ok(Way { key, inputs: BTreeMap::new(), name, answerer: Box::new(remote) })
}

impl Remote<'_> {
    fn request(&self, example: &Example) -> Result<ChatRequest, String> {
        let pictures: Result<Vec<ImageUrl>, _> =
            example.picture_paths(self.file).iter().map(|path| ImageUrl::of_file(path)).collect();
        let mut text = example.instruction.replace(PLACEHOLDER, "").trim().to_owned();
        if !example.input.is_empty() {
            text.push_str("\n\n");
            text.push_str(&example.input);
        }
        let message = Message::user_about(pictures.map_err(|e| e.to_string())?, text);
        Ok(ChatRequest { model: self.model.clone(), messages: vec![message], sampling: self.sampling })
    }
}

impl Answerer for Remote<'_> {
    fn answer(&mut self, questions: &[Example], hear: &mut Hear<'_>) -> Result<()> {
        let (mut places, mut queries) = (Vec::new(), Vec::new());
        for (place, example) in questions.iter().enumerate() {
            match self.request(example) {
                Ok(request) => {
                    places.push(place);
                    queries.push(Query { name: example.id.clone(), request });
                }
                Err(why) if !hear(place, Err(why.clone()))? => return Ok(()),
                Err(_) => {}
            }
        }
        let what = format!("answer ({})", self.model);
        let at_once = self.ask.at_once();
        let asked = ask_all(&self.client, &queries, &self.cache, at_once, self.ask.limits(), &what, self.ui)?;
        self.client.adjustments().iter().for_each(|line| self.ui.note(&format!("note: {line}")));
        if let Some(cost) = asked.cost {
            self.ui.note(&format!("  ${cost:.4} so far"));
        }
        for (place, answer) in places.iter().zip(asked.answers) {
            if let Some(answer) = answer {
                hear(*place, Ok(said(&answer)))?;
            }
        }
        for (place, why) in asked.failures {
            hear(places[place], Err(why))?;
        }
        Ok(())
    }
}

/// An answer's words without thoughts; where the model declined, its words of that.
fn said(answer: &ChatAnswer) -> Said {
    let (mut text, _) = answer.without_thoughts();
    if text.is_empty() {
        text = answer.refusal.clone().unwrap_or_default();
    }
    let count = |tokens: u64| usize::try_from(tokens).ok();
    let trace = Trace {
        prompt_tokens: answer.usage.and_then(|usage| count(usage.prompt_tokens)),
        tokens: answer.usage.and_then(|usage| count(usage.completion_tokens)),
        cut: answer.finish.as_deref() == Some("length"),
        ..Trace::default()
    };
    Said { text, trace }
}
