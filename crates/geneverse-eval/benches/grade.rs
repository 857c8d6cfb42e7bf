//! Where the time of `evaluate` goes, step by step.
//!
//! ```text
//! cargo bench -p geneverse-eval --bench grade -- answers.jsonl genes.db [scores.json]
//! ```
//!
//! `benches/evaluate.py` makes both files. Prints the seconds of each step; with a third file, writes the scores there.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program of its own that prints a table")]

use std::path::Path;
use std::time::Instant;

use geneverse_data::answers;
use geneverse_data::stage::{hash_file, write_json};
use geneverse_data::store::GeneStore;
use geneverse_eval::index::GeneIndex;
use geneverse_eval::scores::evaluate;

fn timed<T>(step: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    println!("{step:<34} {:7.3} s", begun.elapsed().as_secs_f64());
    result
}

fn main() {
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let [given, database, rest @ ..] = files.as_slice() else {
        println!("expected ANSWERS and DATABASE, as benches/evaluate.py makes them");
        return;
    };
    timed("hashes of both files", || {
        hash_file(Path::new(given)).unwrap();
        hash_file(Path::new(database)).unwrap();
    });
    let index = timed("records and GO into memory", || {
        GeneIndex::read(&GeneStore::open(Path::new(database)).unwrap()).unwrap()
    });
    let answers = timed("answers into memory", || answers::read(Path::new(given)).unwrap());
    let scores = timed("index, grades, overlap, intervals", || evaluate(&answers, index).unwrap());
    println!("{} answers: factual {:.4}, structural {:.4}", scores.n, scores.factual, scores.structural);
    if let Some(out) = rest.first() {
        timed("scores written", || write_json(Path::new(out), &scores).unwrap());
    }
}
