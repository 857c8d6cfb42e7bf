//! What a model is asked about a gene.

use serde::{Deserialize, Serialize};

use crate::chat::Message;
use crate::dataset::genes::instruction;
use crate::gene::GeneRecord;
use crate::sentences::sentences;
use crate::stage::hash_bytes;

/// What a model is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The record's paragraph in other words.
    #[default]
    Rephrase,
    /// A description of the gene out of the model's own knowledge, asked for with the task's question.
    Describe,
}

const SYSTEM: &str = "You edit scientific texts about genes. You rewrite the paragraph you are given in your own \
    words, in formal academic English, as one paragraph of plain prose. Keep every fact, and every name, symbol, \
    number and identifier exactly as it is written. Add nothing that the paragraph does not say, and draw no \
    conclusions of your own. Write no heading, no list and no markup, and nothing before or after the paragraph.";
const BEFORE: &str = "Gene symbol: ";
const BETWEEN: &str = "\n\nParagraph:\n";
const AFTER: &str = "\n\nRewrite this paragraph in other words.";

impl Mode {
    /// Its name as an argument and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rephrase => "rephrase",
            Self::Describe => "describe",
        }
    }

    /// The question about one gene; `seed` chooses how the record is phrased.
    pub fn question(self, record: &GeneRecord, seed: u64) -> Question {
        let symbol = record.symbol.as_str();
        match self {
            Self::Rephrase => {
                let source = sentences(record, seed);
                let user = format!("{BEFORE}{symbol}{BETWEEN}{source}{AFTER}");
                Question { system: Some(SYSTEM), user, source: Some(source) }
            }
            Self::Describe => Question { system: None, user: instruction(symbol), source: None },
        }
    }

    /// SHA-256 of the words around what is the gene's own.
    pub fn hash(self) -> String {
        match self {
            Self::Rephrase => hash_bytes([SYSTEM, BEFORE, BETWEEN, AFTER].join("\0").as_bytes()),
            Self::Describe => hash_bytes(instruction("\0").as_bytes()),
        }
    }
}

/// A question about one gene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// How the model is to behave.
    pub system: Option<&'static str>,
    /// The question.
    pub user: String,
    /// The paragraph within it that is to be rephrased.
    pub source: Option<String>,
}

impl Question {
    /// It as messages.
    pub fn messages(&self) -> Vec<Message> {
        self.system.map(Message::system).into_iter().chain([Message::user(&self.user)]).collect()
    }

    /// Its length, of which the number of tokens is estimated.
    pub(super) fn characters(&self) -> u64 {
        let length = |text: &str| text.chars().count() as u64;
        length(self.system.unwrap_or_default()) + length(&self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gene::{GeneKind, GeneSymbol};

    #[test]
    fn a_description_is_asked_for_with_the_tasks_own_question() {
        let symbol = GeneSymbol::parse("GLI1").unwrap();
        let gene = GeneRecord::new(symbol, "GLI family zinc finger 1", GeneKind::ProteinCoding);
        let described = Mode::Describe.question(&gene, 7);
        assert_eq!((described.system, described.user), (None, instruction("GLI1")));
        let rephrased = Mode::Rephrase.question(&gene, 7);
        assert!(rephrased.user.contains(&sentences(&gene, 7)));
        assert_eq!(rephrased.messages().len(), 2);
        assert_ne!(Mode::Rephrase.hash(), Mode::Describe.hash());
    }
}
