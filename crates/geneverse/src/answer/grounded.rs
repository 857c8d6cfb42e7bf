//! The database by itself: what it can say to a question, without any model. Every baseline that a model has to beat.

use std::collections::BTreeMap;

use anyhow::Result;
use geneverse_data::answers::Task;
use geneverse_data::dataset::Example;
use geneverse_data::sentences::sentences;
use geneverse_data::stage::hash_file;
use geneverse_eval::benchmark::grounded::Knowledge;
use geneverse_eval::index::GeneIndex;
use geneverse_eval::retriever::named_in;
use serde_json::json;

use super::{AnswerArgs, Answerer, Hear, Outcome, Said, Way};
use crate::commands::postprocess::read_index;

/// The phrasing of records; a dataset's references have 42, so that this is not their words.
const SEED: u64 = 7;

struct Grounded {
    db: std::path::PathBuf,
    knowledge: Option<Knowledge>,
}

/// The way of the database.
pub(super) fn way<'a>(args: &AnswerArgs, db: &std::path::Path) -> Result<Way<'a>> {
    let name = args.name.clone().unwrap_or_else(|| "database".to_owned());
    let inputs = BTreeMap::from([("db".to_owned(), hash_file(db)?)]);
    let key = json!({"grounded": {"seed": SEED, "rules": geneverse_eval::benchmark::grounded::RULES}, "model": name});
    Ok(Way { key, inputs, name, answerer: Box::new(Grounded { db: db.to_owned(), knowledge: None }) })
}

impl Answerer for Grounded {
    fn answer(&mut self, questions: &[Example], hear: &mut Hear<'_>) -> Result<()> {
        let knowledge = match &mut self.knowledge {
            Some(knowledge) => knowledge,
            empty => empty.insert(Knowledge::new(read_index(&self.db)?)),
        };
        for (place, example) in questions.iter().enumerate() {
            if !hear(place, answer(knowledge, example))? {
                break;
            }
        }
        Ok(())
    }
}

fn answer(knowledge: &Knowledge, example: &Example) -> Outcome {
    if example.task != Task::Gene {
        return Err("the database has nothing to say of a picture".to_owned());
    }
    let text = match knowledge.answer(&example.instruction) {
        Some(answer) => answer?,
        None => paragraph(knowledge.index(), &example.instruction)?,
    };
    Ok(Said { text, ..Said::default() })
}

fn paragraph(index: &GeneIndex, question: &str) -> Result<String, String> {
    match named_in(question, index).as_slice() {
        [] => Err("the question names no gene of the database".to_owned()),
        [gene, ..] => Ok(sentences(gene, SEED)),
    }
}
