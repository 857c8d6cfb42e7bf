//! How much of what the machine can multiply a training step reaches.
//!
//! ```text
//! cargo bench -p geneverse-model --bench step
//! ```
//!
//! The machine's peak is `gemm`'s own best on a product of 2048 × 2048 × 2048. A step is gradients of 4 × 256 tokens
//! (no two sequences alike) of a random Llama: hidden 512, 8 layers, feed-forward 1408, vocabulary 8192. Its operations are
//! those that have to be done: products of a layer forward, back through it, and with everything trained once more for
//! the weights; attention over the tokens that are seen; the output layer. Medians.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program of its own that prints a table")]

use std::time::Instant;

use geneverse_model::Decoder;
use geneverse_model::adapter::{LoraConfig, OfTower};
use geneverse_model::batch::{Pack, Packing, Sequence};
use geneverse_model::recipe::ShapeSection;

const LENGTH: usize = 256;
const SEQUENCES: usize = 4;
const RANK: usize = 8;

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn time(times: usize, mut work: impl FnMut()) -> Vec<f64> {
    let once = |_| {
        let begun = Instant::now();
        work();
        begun.elapsed().as_secs_f64()
    };
    (0..times).map(once).collect()
}

/// Operations per second of the best large product.
fn peak() -> f64 {
    let n = 2048;
    let (a, b, mut c) = (vec![0.5f32; n * n], vec![0.25f32; n * n], vec![0f32; n * n]);
    let (row, parallel) = (n as isize, gemm::Parallelism::Rayon(0));
    let seconds = time(20, || {
        // SAFETY: three matrices of n × n, row after row.
        unsafe {
            let (a, b) = (a.as_ptr(), b.as_ptr());
            gemm::gemm(
                n,
                n,
                n,
                c.as_mut_ptr(),
                1,
                row,
                false,
                a,
                1,
                row,
                b,
                1,
                row,
                0.0,
                1.0,
                false,
                false,
                false,
                parallel,
            );
        }
    });
    2.0 * (n * n * n) as f64 / seconds.into_iter().fold(f64::MAX, f64::min)
}

fn main() {
    let shape = ShapeSection {
        vocabulary: 8192,
        hidden: 512,
        layers: 8,
        heads: 8,
        key_value_heads: 8,
        intermediate: 1408,
        positions: 2048,
    };
    let sequences: Vec<Sequence> = (0..SEQUENCES)
        .map(|s| {
            let ids: Vec<u32> = (0..LENGTH).map(|i| ((i * 37 + s * 101) % 8000) as u32).collect();
            let labels = ids[1..].iter().map(|id| Some(*id)).chain([None]).collect();
            Sequence { ids, labels }
        })
        .collect();
    let tokens = SEQUENCES * LENGTH;
    let peak = peak();
    println!("{:<28} {:>8} {:>9} {:>7}", "", "ms", "GFLOP/s", "of peak");
    println!("{:<28} {:>8} {:>9.0} {:>6.0}%", "gemm, 2048 × 2048 × 2048", "", peak / 1e9, 100.0);
    for lora in [true, false] {
        let model = Decoder::random(shape.config().unwrap(), 1);
        let model = if lora {
            let config = LoraConfig {
                rank: RANK,
                alpha: 16.0,
                dropout: 0.0,
                rank_stabilised: false,
                dora: false,
                targets: ["q_proj", "k_proj", "v_proj", "o_proj"].map(str::to_owned).to_vec(),
                rank_pattern: Default::default(),
                alpha_pattern: Default::default(),
                layers: None,
                within: None,
                projector: false,
                tower: OfTower::Nothing,
            };
            model.train_lora(&config, 1).unwrap()
        } else {
            model.train_all()
        };
        let (hidden, inner, layers) = (shape.hidden as f64, shape.intermediate as f64, shape.layers as f64);
        let layer = 4.0 * hidden * hidden + 3.0 * hidden * inner;
        // A multiplication and an addition for each weight, forward and back, and for the weight itself.
        let passes = if lora { 2.0 } else { 3.0 };
        let maps = passes * (layers * layer + hidden * shape.vocabulary as f64);
        // Four maps of width hidden: x·A, (x·A)·B, and for each of the two the two gradients.
        let adapters = if lora { layers * 4.0 * 2.0 * hidden * RANK as f64 * 3.0 } else { 0.0 };
        // Two products forward and five back, over half the square of the length.
        let attention = layers * 7.0 * hidden * LENGTH as f64 / 2.0;
        let operations = 2.0 * tokens as f64 * (maps + adapters + attention);
        let pack = Pack::new(&sequences, model.config(), Packing::Shared);
        let mut sums: Vec<Vec<f32>> = model.parameters().iter().map(|p| vec![0.0; p.numbers.len()]).collect();
        let mut seconds = time(14, || {
            model.gradients(&pack, tokens, 1, &mut sums).unwrap();
        });
        let seconds = median(seconds.split_off(2));
        let name = if lora { "LoRA, 4 × 256 tokens" } else { "every weight, 4 × 256 tokens" };
        let rate = operations / seconds;
        println!("{name:<28} {:>8.0} {:>9.0} {:>6.0}%", seconds * 1e3, rate / 1e9, 100.0 * rate / peak);
    }
}
