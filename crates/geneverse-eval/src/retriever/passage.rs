//! Records as documents, and documents as passages.
//!
//! A document is a gene's record in a few lines. One that is longer than a chunk is cut between sentences, the next chunk
//! beginning up to [`OVERLAP`] tokens before the last one's end, as llama-index's `SentenceSplitter` does. A chunk that is not
//! the first of its record does not say whose it is: that is the baseline's way, and kept. Both forms are cut so.

use std::fmt::Write;

use geneverse_data::gene::{GeneRecord, GoAspect};
use geneverse_data::sentences::lines;

/// OpenAI's rule of thumb for English: tokens are counted without any model's tokenizer, so that chunks are the same for all.
pub const CHARACTERS_PER_TOKEN: usize = 4;

/// llama-index's `SENTENCE_CHUNK_OVERLAP`.
const OVERLAP: usize = 200;

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As [`document`].
    Document,
    /// In the words in which an answer says it ([`lines`]), to be copied.
    Lines,
}

/// A piece of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Whose record it is.
    pub symbol: String,
    /// Which of its pieces, from 0.
    pub piece: usize,
    /// The words.
    pub text: String,
}

/// About how many tokens a text has.
pub fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(CHARACTERS_PER_TOKEN)
}

/// A record as a document.
pub fn document(record: &GeneRecord) -> String {
    let mut text = format!("{} ({})\n", record.symbol, record.name);
    let mut line = |what: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "{what}: {value}");
        }
    };
    let others: Vec<&str> = record.all_symbols().into_iter().skip(1).collect();
    line("Also known as", others.join(", "));
    line("Kind", record.kind.noun().to_owned());
    line("Location", record.location.clone().unwrap_or_default());
    let mut ids: Vec<String> = record.hgnc_id.iter().map(ToString::to_string).collect();
    ids.extend(record.entrez_id.iter().map(|id| format!("Entrez {id}")));
    ids.extend(record.ensembl_id.iter().map(|id| format!("Ensembl {id}")));
    ids.extend(record.omim_ids.iter().map(|id| format!("MIM {id}")));
    ids.extend(record.uniprot_ids.iter().map(|id| format!("UniProt {id}")));
    line("Identifiers", ids.join(", "));
    line("Groups", record.groups.join("; "));
    line("Function", record.summary.as_ref().map_or(String::new(), |summary| summary.text.clone()));
    line("Pathways", record.pathways.join("; "));
    for aspect in GoAspect::ALL {
        let names: Vec<&str> = record
            .go_terms
            .iter()
            .filter(|term| term.aspect == aspect)
            .map(|term| term.name.as_str())
            .collect();
        let what = match aspect {
            GoAspect::MolecularFunction => "Activities",
            GoAspect::BiologicalProcess => "Processes",
            GoAspect::CellularComponent => "Places in the cell",
        };
        line(what, names.join("; "));
    }
    line("Expression", record.expression.clone().unwrap_or_default());
    line("Orthologs", record.orthologs.join(", "));
    text.truncate(text.trim_end().len());
    text
}

/// A record as passages of at most `chunk` tokens; a sentence that is longer is one by itself.
pub fn passages(record: &GeneRecord, form: Form, chunk: usize) -> Vec<Passage> {
    let text = match form {
        Form::Document => document(record),
        Form::Lines => lines(record),
    };
    let pieces = pieces(&text, chunk.max(1));
    let symbol = record.symbol.as_str();
    let passage = |(piece, text)| Passage { symbol: symbol.to_owned(), piece, text };
    pieces.into_iter().enumerate().map(passage).collect()
}

fn pieces(text: &str, chunk: usize) -> Vec<String> {
    let sentences = sentences(text);
    let (mut pieces, mut first) = (Vec::new(), 0);
    while first < sentences.len() {
        let mut end = first + 1;
        while end < sentences.len() && tokens(&sentences[first..=end].concat()) <= chunk {
            end += 1;
        }
        pieces.push(sentences[first..end].concat().trim_end().to_owned());
        if end == sentences.len() {
            break;
        }
        // The next one goes back as far as it may, and yet forward.
        let overlap = OVERLAP.min(chunk / 2);
        let mut next = end;
        while next - 1 > first && tokens(&sentences[next - 1..end].concat()) <= overlap {
            next -= 1;
        }
        first = next;
    }
    pieces
}

/// A text cut behind full stops and at line ends; joined they are the text.
fn sentences(text: &str) -> Vec<&str> {
    let (mut found, mut start) = (Vec::new(), 0);
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let ends = *byte == b'\n' || (*byte == b' ' && at > 0 && matches!(bytes[at - 1], b'.' | b';'));
        if ends {
            found.push(&text[start..=at]);
            start = at + 1;
        }
    }
    if start < text.len() {
        found.push(&text[start..]);
    }
    found
}

/// As much of a text as so many tokens hold, in whole sentences.
pub(super) fn cut(text: &str, most: usize) -> &str {
    if tokens(text) <= most {
        return text;
    }
    let mut end = 0;
    for sentence in sentences(text) {
        if tokens(&text[..end + sentence.len()]) > most {
            break;
        }
        end += sentence.len();
    }
    text[..end].trim_end()
}
