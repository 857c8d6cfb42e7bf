//! Looking records up before a question is answered: what is found, in which order, and how it is put before a model.
//!
//! Three recipes:
//!
//! | recipe | found by | put to the model |
//! |---|---|---|
//! | [`Recipe::Baseline`] | dense vectors of chunks, the whole question as the query | llama-index's question template, whatever comes out of it |
//! | [`Recipe::Symbol`] | the genes that the question names, by symbol, alias or identifier; behind them BM25 and dense vectors, fused | the question as it was finetuned on, records as its input, within a length |
//! | [`Recipe::Own`] | the named genes' records alone: what a search that never errs would find | as [`Recipe::Baseline`] |
//!
//! The first is what llama-index does with its defaults (`VectorStoreIndex`, `similarity_top_k` = 1,
//! `DEFAULT_TEXT_QA_PROMPT_TMPL`; github.com/run-llama/llama_index), with chunks of 512 tokens as in Geneverse's paper
//! (arXiv 2406.15534). The third tells errors of the search from errors of the form.
//!
//! Fusion is reciprocal rank: a passage's score is Σ 1 / (60 + rank) over the rankings that it is in (Cormack, Clarke and
//! Büttcher, SIGIR 2009, who chose 60).

mod bm25;
mod dense;
mod kept;
mod passage;

use std::collections::BTreeSet;

use geneverse_data::dataset::Example;
use geneverse_data::gene::GeneRecord;
use geneverse_data::progress::Progress;
use serde::{Deserialize, Serialize};

use crate::identifier::{Mention, find};
use crate::index::{GeneIndex, Resolved};
use bm25::Bm25;
use kept::Kept;

pub use dense::{Encoder, Latent};
pub use kept::Place;
pub use passage::{CHARACTERS_PER_TOKEN, Form, Passage, document, passages, tokens};

/// Ranks are added to this before they are turned over.
const FUSION: f64 = 60.0;
/// A ranking is fused to this depth.
const DEPTH: usize = 50;

/// llama-index's template around what was found and the question.
const TEMPLATE: [&str; 3] = [
    "Context information is below.\n---------------------\n",
    "\n---------------------\nGiven the context information and not prior knowledge, answer the query.\nQuery: ",
    "\nAnswer: ",
];

/// How records are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recipe {
    /// As llama-index by default.
    Baseline,
    /// By the genes named.
    Symbol,
    /// Those only, in the baseline's form.
    Own,
}

impl Recipe {
    /// How records are written for it.
    pub fn form(self) -> Form {
        match self {
            Self::Baseline | Self::Own => Form::Document,
            Self::Symbol => Form::Lines,
        }
    }
}

/// Why a passage was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// The question names its gene.
    Named,
    /// Its words, or its vector.
    Alike,
}

/// A passage that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<'a> {
    /// The passage.
    pub passage: &'a Passage,
    /// Why.
    pub why: Why,
    /// How well it fits: the cosine with the baseline, the fused score else; 1 where it is named.
    pub score: f64,
}

/// Passages of records with what they are found by.
pub struct Retriever {
    index: GeneIndex,
    passages: Vec<Passage>,
    /// The first passage of each of the index's genes, and how many it has.
    of_gene: Vec<(usize, usize)>,
    words: Bm25,
    encoder: Box<dyn Encoder>,
    /// (passages, width), each of length 1.
    vectors: Vec<f32>,
}

impl Retriever {
    /// Cuts records in a form into passages of at most `chunk` tokens and looks at each. `encoder` is made from the passages,
    /// or from the state that one before it left. With a place, vectors are read from there, or kept there once they are made.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn new(
        index: GeneIndex,
        form: Form,
        chunk: usize,
        keep: Option<(&Place, &dyn Progress)>,
        encoder: impl Fn(&[&str], Option<&[u8]>) -> Result<Box<dyn Encoder>, String>,
    ) -> Result<Self, String> {
        let (mut all, mut of_gene) = (Vec::new(), Vec::new());
        for record in index.genes() {
            let own = passages(record, form, chunk);
            of_gene.push((all.len(), own.len()));
            all.extend(own);
        }
        let texts: Vec<&str> = all.iter().map(|passage| passage.text.as_str()).collect();
        let place = keep.map(|(place, _)| place);
        let (words, key) = rayon::join(|| Bm25::new(&texts), || place.map(|place| place.key(&texts)));
        let kept = keep.zip(key.as_ref()).and_then(|((place, progress), key)| {
            let kept = place.read(key, texts.len(), progress)?;
            let encoder = encoder(&texts, Some(&kept.state)).ok()?;
            (encoder.width() == kept.width).then_some((encoder, kept.vectors))
        });
        let (encoder, vectors) = match kept {
            Some(kept) => kept,
            None => {
                let encoder = encoder(&texts, None)?;
                let width = encoder.width();
                let vectors = dense::normalised(encoder.encode(&texts)?, width);
                let made = Kept { width, vectors, state: encoder.state() };
                if let Some(((place, progress), key)) = keep.zip(key) {
                    place.write(&key, &made, progress);
                }
                (encoder, made.vectors)
            }
        };
        Ok(Self { index, passages: all, of_gene, words, encoder, vectors })
    }

    /// The passages.
    pub fn passages(&self) -> &[Passage] {
        &self.passages
    }

    /// The genes.
    pub fn index(&self) -> &GeneIndex {
        &self.index
    }

    /// What finds vectors, in words.
    pub fn encoder(&self) -> String {
        self.encoder.describe()
    }

    /// The `k` passages that fit a question best.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn find(&self, question: &str, recipe: Recipe, k: usize) -> Result<Vec<Found<'_>>, String> {
        self.find_without(question, recipe, k, &BTreeSet::new())
    }

    /// The same without the records of some genes, by their symbols: of a test's, say, where a model learns.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn find_without(
        &self,
        question: &str,
        recipe: Recipe,
        k: usize,
        left_out: &BTreeSet<String>,
    ) -> Result<Vec<Found<'_>>, String> {
        if k == 0 {
            return Ok(Vec::new());
        }
        let named = || {
            let genes = self.named(question);
            genes.into_iter().flat_map(|gene| {
                let (first, count) = self.of_gene[gene];
                first..first + count
            })
        };
        let may = |place: &usize| !left_out.contains(&self.passages[*place].symbol);
        let found = |why| move |(place, score): (usize, f64)| (place, why, score);
        let mut places: Vec<(usize, Why, f64)> = match recipe {
            Recipe::Baseline => self.nearest(question)?.into_iter().map(found(Why::Alike)).collect(),
            Recipe::Own => named().map(|place| (place, Why::Named, 1.0)).collect(),
            Recipe::Symbol => {
                let mut places: Vec<_> = named().map(|place| (place, Why::Named, 1.0)).collect();
                if places.len() < k {
                    let dense: Vec<usize> =
                        self.nearest(question)?.into_iter().take(DEPTH).map(|(place, _)| place).collect();
                    let words = self.words.best(question, DEPTH);
                    let known: Vec<usize> = places.iter().map(|(place, ..)| *place).collect();
                    let more = fuse(&[words, dense]).into_iter().filter(|(place, _)| !known.contains(place));
                    places.extend(more.map(found(Why::Alike)));
                }
                places
            }
        };
        places.retain(|(place, ..)| may(place));
        places.truncate(k);
        Ok(places
            .into_iter()
            .map(|(place, why, score)| Found { passage: &self.passages[place], why, score })
            .collect())
    }

    /// The genes that a text names, in the order in which it names them.
    pub fn named_genes(&self, text: &str) -> Vec<&GeneRecord> {
        self.named(text).into_iter().map(|place| &self.index.genes()[place]).collect()
    }

    fn named(&self, text: &str) -> Vec<usize> {
        let named = named_in(text, &self.index);
        named.into_iter().filter_map(|gene| self.index.place(gene.symbol.as_str())).collect()
    }

    /// Every passage by its cosine with the question, best first.
    fn nearest(&self, question: &str) -> Result<Vec<(usize, f64)>, String> {
        let width = self.encoder.width();
        let query = dense::normalised(self.encoder.encode(&[question])?, width);
        let cosine = |passage: &[f32]| passage.iter().zip(&query).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let mut all: Vec<(usize, f64)> = self.vectors.chunks(width.max(1)).map(cosine).enumerate().collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Ok(all)
    }
}

/// The genes that a text names by symbols, aliases or identifiers; all of them where an alias is several genes'.
pub fn named_in<'a>(text: &str, index: &'a GeneIndex) -> Vec<&'a GeneRecord> {
    let mut genes: Vec<&GeneRecord> = Vec::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let word = word.strip_suffix("'s").unwrap_or(word);
        // "Is", "What" and "gene" are symbols of something too.
        let capitals = word.chars().filter(char::is_ascii_uppercase).count();
        if word.len() < 2
            || !(capitals >= 2 || (capitals >= 1 && word.contains(|c: char| c.is_ascii_digit())))
        {
            continue;
        }
        let found = match index.resolve(word) {
            Resolved::Gene(gene) => vec![gene],
            Resolved::Ambiguous(genes) => genes,
            Resolved::Unknown => {
                let mentions = find(word);
                let owner = |m: &Mention| index.owner(m.authority, m.canonical.as_deref()?);
                mentions.iter().find_map(owner).into_iter().collect()
            }
        };
        for gene in found {
            if !genes.iter().any(|known| std::ptr::eq(*known, gene)) {
                genes.push(gene);
            }
        }
    }
    genes
}

/// Reciprocal rank fusion: places of several rankings, best first.
pub fn fuse(rankings: &[Vec<usize>]) -> Vec<(usize, f64)> {
    let mut scores: std::collections::BTreeMap<usize, f64> = std::collections::BTreeMap::new();
    for ranking in rankings {
        for (rank, place) in ranking.iter().enumerate() {
            *scores.entry(*place).or_default() += 1.0 / (FUSION + rank as f64 + 1.0);
        }
    }
    let mut fused: Vec<(usize, f64)> = scores.into_iter().collect();
    fused.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    fused
}

/// The question with what was found. `budget` is the length of the input in tokens that [`Recipe::Symbol`] keeps to.
pub fn ask(example: &Example, found: &[Found<'_>], recipe: Recipe, budget: usize) -> Example {
    if found.is_empty() {
        return example.clone();
    }
    let texts = found.iter().map(|found| found.passage.text.as_str());
    match recipe {
        Recipe::Baseline | Recipe::Own => {
            let context = texts.collect::<Vec<_>>().join("\n\n");
            let [before, between, after] = TEMPLATE;
            let instruction = format!("{before}{context}{between}{}{after}", example.instruction);
            Example { instruction, ..example.clone() }
        }
        Recipe::Symbol => {
            let mut input = String::new();
            for text in texts {
                let room = budget.saturating_sub(tokens(&input));
                let text = passage::cut(text, room);
                if text.is_empty() {
                    break;
                }
                if !input.is_empty() {
                    input.push_str("\n\n");
                }
                input.push_str(text);
            }
            Example { input, ..example.clone() }
        }
    }
}

#[cfg(test)]
mod tests;
