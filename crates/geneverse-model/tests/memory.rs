//! The predicted memory of a run against what it allocates, to the byte: a test of its own process, whose allocator
//! counts. What the allocator of the system makes of it (`VmHWM`) is measured by hand, see `memory.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use geneverse_data::progress::Silent;
use geneverse_model::batch::Sequence;
use geneverse_model::memory::{Memory, predict};
use geneverse_model::recipe::Recipe;
use geneverse_model::train::{Run, train};
use geneverse_model::{Decoder, recipe::Kind};
use serde_json::{Value, json};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work; counting does not touch what it gives.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(HELD.fetch_add(layout.size(), SeqCst) + layout.size(), SeqCst);
        // SAFETY: the caller's promise is the system allocator's condition.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), SeqCst);
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(HELD.fetch_add(layout.size(), SeqCst) + layout.size(), SeqCst);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn recipe(method: Value, optim: Value) -> Recipe {
    let shape = json!({"vocabulary": 700, "hidden": 128, "layers": 6, "heads": 4, "key_value_heads": 2,
        "intermediate": 352});
    let recipe = json!({
        "model": {"shape": shape},
        "data": {"train": "-"},
        "method": method,
        "optim": optim,
        "run": {"save_every": 1},
    });
    let recipe: Recipe = serde_json::from_value(recipe).unwrap();
    recipe.check().unwrap();
    recipe
}

/// Sequences of uneven lengths, the longer half of each trained, some beginning alike.
fn sequences() -> Vec<Sequence> {
    let sequence = |number: u32| {
        let length = 200 + 37 * (number * 5 % 8);
        let first = if number.is_multiple_of(3) { 40 } else { 0 };
        let ids: Vec<u32> =
            (0..length).map(|i| if i < first { i } else { (i * 31 + number * 17) % 700 }).collect();
        let label = |i: u32| ids.get(i as usize + 1).copied().filter(|_| i > length / 2);
        let labels = (0..length).map(label).collect();
        Sequence { ids, labels }
    };
    (0..16).map(sequence).collect()
}

/// What a run of two steps allocates beyond the model, and what was predicted.
fn measure(recipe: &Recipe, recompute: bool) -> (usize, Memory) {
    let sequences = sequences();
    let frozen = Decoder::random(recipe.model.shape.as_ref().unwrap().config().unwrap(), 1);
    let predicted = predict(&frozen, recipe, (&sequences, &[]), recompute, 0).unwrap();
    let mut model = match (recipe.lora().unwrap(), recipe.method.blocks) {
        (Some(lora), _) => frozen.train_lora(&lora, 1).unwrap(),
        (None, Some(blocks)) => frozen.expand(blocks).unwrap(),
        (None, None) => frozen.train_all(),
    };
    let folder = tempfile::tempdir().unwrap();
    let key = Value::Null;
    let run = Run {
        recipe,
        folder: folder.path(),
        key: &key,
        ignore_changes: false,
        names: &[],
        recompute,
        progress: &Silent,
        stop: &|| false,
    };
    let before = HELD.load(SeqCst);
    MOST.store(before, SeqCst);
    train(&mut model, &sequences, &[], &run).unwrap();
    (MOST.load(SeqCst) - before, predicted)
}

#[test]
fn the_prediction_is_what_a_run_allocates() {
    let lora = |more: &[(&str, Value)]| {
        let mut method = json!({"kind": "lora", "rank": 16, "dropout": 0.0, "targets": ["q_proj", "v_proj"]});
        more.iter().for_each(|(key, value)| method[*key] = value.clone());
        method
    };
    let everywhere = ("targets", json!(["all-linear"]));
    let dropout = ("dropout", json!(0.1));
    let four = json!({"batch_size": 8, "micro_batch": 4, "max_steps": 2});
    let one = json!({"batch_size": 2, "micro_batch": 1, "max_steps": 2});
    let cases = [
        ("lora", lora(&[]), &four),
        ("lora on every map, with dropout", lora(&[everywhere.clone(), dropout]), &four),
        ("dora", lora(&[everywhere, ("variant", json!("dora"))]), &four),
        ("full", json!({"kind": "full"}), &four),
        ("full, one at a time", json!({"kind": "full"}), &one),
        ("expand", json!({"kind": "expand", "blocks": 2}), &four),
    ];
    // With many threads, how many of them are at attention at once is chance.
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
    // What threads take once for themselves is taken before anything is measured.
    measure(&recipe(cases[0].1.clone(), four.clone()), false);
    for (name, method, optim) in cases {
        let recipe = recipe(method, optim.clone());
        for recompute in [false, true] {
            let (found, predicted) = measure(&recipe, recompute);
            // What is trained was allocated before; what threads and products take for themselves is not counted.
            let Memory { gradients, optimizer, activations, scratch, .. } = predicted;
            let wanted = gradients + optimizer + activations + scratch;
            let ratio = wanted as f64 / found as f64;
            eprintln!("{name}, recompute {recompute}: predicted {wanted}, allocated {found}, {ratio:.3}");
            assert!((0.97..1.05).contains(&ratio), "{name}, recompute {recompute}: {wanted} for {found}");
            assert!(recipe.method.kind == Kind::Full || predicted.frozen > 0);
        }
    }
}
