//! Records read with a question, in the form that the model knows: as it was finetuned with them, else as a document.
//!
//! A model that was finetuned on `dataset context` finds the record where the task's input stands, in the words of an answer.
//! One that has never seen that form goes on with it instead of answering; it is given the record as a document, in the question
//! that llama-index asks.

use geneverse_data::dataset::{Example, PLACEHOLDER};
use geneverse_eval::retriever::{Form, Found, Passage, Recipe, Why, ask, named_in, passages, tokens};

use super::App;
use super::asked::Conversation;
use super::error::ApiError;
use super::models::Prompt;
use crate::asking::Records;

/// Tokens of the lines that are read with a question, where nothing else is remembered: as `dataset context` has them.
const LINES: usize = 512;

/// Tokens of the documents that are read with a question.
const DOCUMENTS: usize = 1024;

/// The prompt of a conversation whose question is read with the records of the genes that it names.
pub(crate) fn prompt(app: &App, which: usize, mut conversation: Conversation) -> Result<Prompt, ApiError> {
    let Records { recipe, chunk, context } = app.models.records(which);
    let all = records(app, &conversation.question, recipe, chunk);
    let found: Vec<Found<'_>> =
        all.iter().map(|passage| Found { passage, why: Why::Named, score: 1.0 }).collect();
    match recipe {
        Recipe::Symbol => {
            let Example { input, .. } = ask(&Example::default(), &found, recipe, context.unwrap_or(LINES));
            app.models.prompt_reading(which, conversation, &input)
        }
        Recipe::Baseline | Recipe::Own => {
            let (places, instruction) = split_places(&conversation.question);
            let example = Example { instruction: instruction.to_owned(), ..Example::default() };
            conversation.question = format!("{places}{}", ask(&example, &found, recipe, 0).instruction);
            app.models.prompt(which, conversation)
        }
    }
}

/// The records of the genes that a question names. Documents are whole: the first piece of each gene's, the only one that says
/// whose it is, for as long as they fit.
fn records(app: &App, question: &str, recipe: Recipe, chunk: usize) -> Vec<Passage> {
    let Some(known) = &app.known else { return Vec::new() };
    let named = named_in(question, known.grader.index()).into_iter();
    let form = recipe.form();
    if form == Form::Lines {
        return named.flat_map(|gene| passages(gene, form, chunk)).collect();
    }
    let mut taken = 0;
    let fits = |passage: &Passage| {
        let first = taken == 0;
        taken += tokens(&passage.text);
        first || taken <= DOCUMENTS
    };
    named.filter_map(|gene| passages(gene, form, chunk).into_iter().next()).take_while(fits).collect()
}

/// The places of pictures before a question, and the question.
fn split_places(question: &str) -> (&str, &str) {
    let mut rest = question;
    while let Some(next) = rest.strip_prefix(PLACEHOLDER).and_then(|next| next.strip_prefix('\n')) {
        rest = next;
    }
    question.split_at(question.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::tests::{app, known};

    /// What the model is shown of a question.
    fn shown(records: Records, question: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let app = app(|app| {
            app.known = Some(known(folder.path()));
            app.models.remember(records);
        });
        let conversation = Conversation::new(Vec::new(), question.to_owned(), Vec::new());
        let ids = prompt(&app, 0, conversation).unwrap().ids;
        app.models.tokenizer.decode(&ids).unwrap()
    }

    #[test]
    fn a_record_is_read_in_the_form_that_the_model_knows() {
        let record = "GLI1 (GLI family zinc finger 1)\nAlso known as: GLI\nKind: protein-coding gene\n\
                      Identifiers: HGNC:4317";
        let asked = "What is GLI?";
        let document = format!(
            "Context information is below.\n---------------------\n{record}\n---------------------\nGiven the context \
             information and not prior knowledge, answer the query.\nQuery: {asked}\nAnswer: "
        );
        let read = shown(Records::default(), asked);
        assert!(read.contains(&document), "{read}");
        let lines = Records { recipe: Recipe::Symbol, chunk: 512, context: Some(320) };
        let read = shown(lines, asked);
        assert!(read.contains("What is GLI?\nGene: GLI1\nFull name: "), "{read}");
        assert!(read.contains("Kind: ") && !read.contains("Context information"), "{read}");
        let little = Records { context: Some(12), ..lines };
        assert!(!shown(little, asked).contains("Kind: "), "what there is room for");
        assert!(!shown(Records::default(), "What is a gene?").contains("Context"), "no gene is named");
    }

    #[test]
    fn pictures_stay_before_the_question() {
        assert_eq!(split_places("<image>\n<image>\nWhat?"), ("<image>\n<image>\n", "What?"));
        assert_eq!(split_places("What is an <image>\n?"), ("", "What is an <image>\n?"));
    }
}
