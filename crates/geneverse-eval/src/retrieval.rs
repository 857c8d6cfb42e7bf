//! What looking up the nearest training answer alone would score on a set of questions: no model is asked.
//!
//! A benchmark that retrieval solves is no benchmark of a model, and overlap with a reference is largely phrases that
//! all answers share. So each question is answered with a training answer as it stands:
//! - nearest *to the question*: BM25 (see [`terms`](crate::terms)) of the question, which has the gene's symbol, against
//!   training questions and answers. A symbol's letters count too, since families share them (`OR5B3`, `OR5B12`);
//! - nearest to the question *with the gene's full name*;
//! - *best*: the training answer with the highest ROUGE-1 against the reference itself. It is found exactly, so no
//!   retrieval of one training answer can score more ROUGE-1.
//!
//! Of large sets a sample is scored, the same each time.

use std::collections::HashMap;

use geneverse_data::dataset::Example;
use geneverse_data::dataset::compare::subject;
use geneverse_data::dataset::retrieval::{Asked, Overlap, RetrievalScores};
use geneverse_data::stage::hash_bytes;
use rayon::prelude::*;

use crate::facts::GeneGrader;
use crate::index::Resolved;
use crate::terms::TermIndex;
use crate::text::{Rouge, corpus_bleu, rouge1};

/// Examples of a set that are scored at most.
pub const SAMPLE: usize = 500;

/// Scores retrieval from `train` on every set asked. With a grader it is said too how many of the answers state the
/// gene's function.
pub fn score(train: &[Example], asked: &[Asked<'_>], grader: Option<&GeneGrader>) -> Vec<RetrievalScores> {
    let (by_terms, by_words) = rayon::join(|| question_index(train), || WordIndex::new(train));
    let score = |set: &Asked<'_>| {
        let places = sample(set.examples);
        let found: Vec<[Option<usize>; 3]> = places
            .par_iter()
            .map(|&place| {
                let example = &set.examples[place];
                let name = set.gene_names.get(place).map_or("", String::as_str);
                let mut query = question(example);
                let by_question = nearest(&by_terms, &query);
                query.push(' ');
                query.push_str(name);
                [by_question, nearest(&by_terms, &query), by_words.best(&example.output)]
            })
            .collect();
        let overlap = |way: usize| {
            let pairs: Vec<(&str, &Example)> = places
                .iter()
                .zip(&found)
                .map(|(&place, found)| {
                    (found[way].map_or("", |place| train[place].output.as_str()), &set.examples[place])
                })
                .collect();
            Overlap {
                bleu: corpus_bleu(pairs.iter().map(|(answer, example)| (*answer, &example.output))),
                rouge1: mean(&pairs, |(answer, example)| Some(rouge1(answer, &example.output)))
                    .unwrap_or(0.0),
                function: grader.and_then(|grader| {
                    mean(&pairs, |(answer, example)| states_function(grader, answer, subject(example)))
                }),
            }
        };
        let named = set.gene_names.iter().any(|name| !name.is_empty());
        RetrievalScores {
            split: set.name.to_owned(),
            scored: places.len(),
            of: set.examples.len(),
            by_question: overlap(0),
            by_name: named.then(|| overlap(1)),
            best: overlap(2),
        }
    };
    asked.iter().map(score).collect()
}

/// The mean of what has a value.
fn mean<T: Sync>(all: &[T], value: impl Fn(&T) -> Option<f64> + Sync + Send) -> Option<f64> {
    let values: Vec<f64> = all.par_iter().filter_map(value).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Whether an answer states the gene's function by the grade of truth's thresholds, whoever it names; `None` where
/// the gene or its function is not known.
fn states_function(grader: &GeneGrader, answer: &str, symbol: &str) -> Option<f64> {
    let Resolved::Gene(gene) = grader.index().resolve(symbol) else { return None };
    Some(f64::from(u8::from(grader.measure(answer, gene)?.reaches(&grader.wanted(gene)))))
}

/// The examples scored: all, or those whose ids have the least hashes.
fn sample(examples: &[Example]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..examples.len()).collect();
    if places.len() > SAMPLE {
        places.sort_by_cached_key(|&place| (hash_bytes(examples[place].id.as_bytes()), place));
        places.truncate(SAMPLE);
        places.sort_unstable();
    }
    places
}

fn question_index(train: &[Example]) -> TermIndex {
    let document = |example: &Example| {
        let Example { instruction, input, output, .. } = example;
        format!("{instruction} {input} {output} {}", letters(subject(example)))
    };
    TermIndex::new(&train.par_iter().map(document).collect::<Vec<_>>())
}

fn question(example: &Example) -> String {
    let Example { instruction, input, .. } = example;
    format!("{instruction} {input} {}", letters(subject(example)))
}

/// What a family's symbols begin with: the letters before the first digit.
fn letters(symbol: &str) -> &str {
    let end = symbol.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(0);
    &symbol[..end]
}

fn nearest(index: &TermIndex, query: &str) -> Option<usize> {
    // No document is the query's own.
    index.compare(&index.ids(query), usize::MAX, &[]).best_other_document
}

/// Training answers by their words, as ROUGE-1 counts them.
struct WordIndex {
    ids: HashMap<String, usize>,
    /// For each word, the answers that have it and how often.
    postings: Vec<Vec<(u32, u32)>>,
    lengths: Vec<u32>,
}

impl WordIndex {
    fn new(train: &[Example]) -> Self {
        let tokens: Vec<Vec<String>> =
            train.par_iter().map(|example| Rouge::default().words(&example.output)).collect();
        let mut index = Self { ids: HashMap::new(), postings: Vec::new(), lengths: Vec::new() };
        for (place, words) in tokens.into_iter().enumerate() {
            index.lengths.push(words.len() as u32);
            for word in words {
                let next = index.ids.len();
                let id = *index.ids.entry(word).or_insert(next);
                index.postings.resize_with(index.ids.len(), Vec::new);
                match index.postings[id].last_mut() {
                    Some((last, count)) if *last == place as u32 => *count += 1,
                    _ => index.postings[id].push((place as u32, 1)),
                }
            }
        }
        index
    }

    /// The answer with the highest ROUGE-1 against `reference`; of equals the first, `None` where none shares a word.
    fn best(&self, reference: &str) -> Option<usize> {
        let words = Rouge::default().words(reference);
        let mut counts: HashMap<usize, u32> = HashMap::new();
        for word in &words {
            if let Some(&id) = self.ids.get(word) {
                *counts.entry(id).or_default() += 1;
            }
        }
        let mut shared = vec![0_u32; self.lengths.len()];
        for (id, wanted) in counts {
            for &(place, count) in &self.postings[id] {
                shared[place as usize] += count.min(wanted);
            }
        }
        let mut best = None;
        let mut highest = 0.0;
        for (place, (&shared, &length)) in shared.iter().zip(&self.lengths).enumerate() {
            // 2PR / (P + R) with P = shared / length and R = shared / words.
            let f1 = 2.0 * f64::from(shared) / f64::from(length + words.len() as u32).max(1.0);
            if f1 > highest {
                (best, highest) = (Some(place), f1);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geneverse_data::answers::Task;
    use proptest::prelude::*;

    fn example(symbol: &str, output: &str) -> Example {
        Example {
            id: format!("gene-{symbol}"),
            task: Task::Gene,
            subject: symbol.into(),
            instruction: format!("Please summarize the major function of gene: {symbol}."),
            input: String::new(),
            output: output.into(),
            ..Example::default()
        }
    }

    #[test]
    fn the_family_answers_for_its_member_and_the_name_finds_what_the_symbol_cannot() {
        let train = [
            example("OR5B3", "An olfactory receptor binds odorants."),
            example("GLI2", "A zinc finger switches on hedgehog targets in the limb."),
            example("KDR", "A kinase of vessels binds growth factors."),
        ];
        let asked = [
            example("OR5B12", "This olfactory receptor binds odorants."),
            example("PTCH1", "It hears hedgehog."),
        ];
        let names = ["olfactory receptor 5B12".to_owned(), "patched 1, hedgehog".to_owned()];
        let sets = [Asked { name: "test", examples: &asked, gene_names: &names }];
        let [scores] = score(&train, &sets, None).try_into().unwrap();
        assert_eq!((scores.scored, scores.of, scores.split.as_str()), (2, 2, "test"));
        // By the question OR5B3 is found for OR5B12: 4 of 5 words. Nothing in PTCH1 tells of GLI2.
        let or5 = 2.0 * 4.0 / 10.0;
        assert!(scores.by_question.rouge1 < or5, "{scores:?}");
        let gli = 2.0 * 1.0 / (10.0 + 3.0);
        assert!((scores.by_name.unwrap().rouge1 - (or5 + gli) / 2.0).abs() < 1e-12, "{scores:?}");
        assert!(scores.best.rouge1 >= scores.by_name.unwrap().rouge1);
        assert_eq!(scores.by_question.function, None);
    }

    #[test]
    fn a_copy_in_training_scores_full_marks() {
        let train = [
            example("A1", "It opens the ring of sugars in the liver."),
            example("B1", "It moves cargo along fibres."),
        ];
        let names = [String::new(), String::new()];
        let sets = [Asked { name: "test", examples: &train, gene_names: &names }];
        let [scores] = score(&train, &sets, None).try_into().unwrap();
        assert_eq!((scores.best.rouge1, scores.best.bleu, scores.by_question.rouge1), (1.0, 1.0, 1.0));
        assert_eq!(scores.by_name, None);
        let none = score(&[], &sets, None).remove(0);
        assert_eq!((none.best.rouge1, none.by_question.bleu), (0.0, 0.0));
    }

    proptest! {
        #[test]
        fn the_best_answer_is_the_one_that_rouge_1_finds(
            answers in prop::collection::vec("[a-e ]{0,20}", 1..8),
            reference in "[a-e ]{0,20}",
        ) {
            let train: Vec<Example> = answers.iter().map(|answer| example("A", answer)).collect();
            let found = WordIndex::new(&train).best(&reference).map_or(0.0, |place| rouge1(&answers[place], &reference));
            let wanted = answers.iter().map(|answer| rouge1(answer, &reference)).fold(0.0, f64::max);
            prop_assert!((found - wanted).abs() < 1e-12);
        }
    }
}
