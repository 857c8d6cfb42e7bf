//! Where the time of `analyze clusters` goes, step by step.
//!
//! ```text
//! cargo bench -p geneverse-eval --bench clusters -- texts.tsv
//! ```
//!
//! A line `id<TAB>text` each; without a file, 15,000 texts are made up. Prints the seconds of each step, the recall of the
//! approximate search against the exact one, and how near the singular values are to those with four times the effort.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program of its own that prints a table")]

use std::path::Path;
use std::time::Instant;

use geneverse_data::texts::{Text, read};
use geneverse_eval::clusters::embed;
use geneverse_eval::leiden::{Graph, Leiden, modularity};
use geneverse_eval::neighbors::{Method, Metric, Vectors, nearest};
use geneverse_eval::svd::{Effort, truncated};
use geneverse_eval::umap::{Umap, fuzzy};
use geneverse_eval::vectorize::{Limit, Words, tf_idf};

const DIMENSIONS: usize = 100;
const NEIGHBORS: usize = 14;

fn timed<T>(step: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    println!("{step:<34} {:7.3} s", begun.elapsed().as_secs_f64());
    result
}

/// Texts of words that are drawn by rank, as in natural language, each text from a topic of its own.
fn made_up(n: usize) -> Vec<Text> {
    let mut state = 1u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..n)
        .map(|item| {
            let topic = item % 60;
            let words: Vec<String> = (0..70)
                .map(|_| {
                    let rank = (20_000f64.powf(uniform()) - 1.0) as usize;
                    if uniform() < 0.5 { format!("w{rank}") } else { format!("t{topic}x{}", rank % 400) }
                })
                .collect();
            Text { id: format!("t{item}"), subject: String::new(), text: words.join(" ") }
        })
        .collect()
}

fn main() {
    let path = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let texts = path.map_or_else(|| made_up(15_000), |path| read(Path::new(&path)).unwrap());
    let bodies: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
    let words =
        Words { sublinear: true, without_stop_words: true, least: Limit::Texts(2), most: Limit::Share(1.0) };
    let counted = timed("TF-IDF", || tf_idf(&bodies, words));
    println!("{} texts, {} words, {} entries", texts.len(), counted.words.len(), counted.matrix.entries());
    let svd = timed("SVD", || truncated(&counted.matrix, DIMENSIONS, Effort::default()));
    let better = timed("SVD, four times the effort", || {
        truncated(&counted.matrix, DIMENSIONS, Effort { powers: 20, surplus: 40, seed: 1 })
    });
    let differences = svd.values.iter().zip(&better.values).map(|(a, b)| (a / b - 1.0).abs());
    let most = differences.fold(0.0, f64::max);
    println!("singular values differ by at most {:.2} %", most * 100.0);
    let items = embed(texts, DIMENSIONS, 0).unwrap();
    let vectors = Vectors::new(&items.embedding.vectors, items.embedding.dimensions);
    let search = |method| nearest(vectors, NEIGHBORS, Metric::Cosine, method, 0);
    let exact = timed("neighbours, exact", || search(Method::Exact));
    let approximate = timed("neighbours, approximate", || search(Method::Approximate));
    println!("recall {:.4}", approximate.recall(&exact));
    let fuzzy = timed("fuzzy graph", || fuzzy::graph(&exact));
    let graph = Graph::of_matrix(&fuzzy);
    for runs in [1, 4] {
        let clusters = timed(&format!("Leiden, {runs} runs"), || {
            Leiden { runs, ..Leiden::default() }.communities(&graph)
        });
        let count = clusters.iter().max().unwrap() + 1;
        println!("{count} clusters, modularity {:.5}", modularity(&graph, &clusters, 1.0));
    }
    let umap = Umap::default();
    timed("UMAP, start", || Umap { epochs: Some(1), ..umap }.places(&fuzzy, vectors, |_| true));
    timed("UMAP, start and epochs", || umap.places(&fuzzy, vectors, |_| true));
}
