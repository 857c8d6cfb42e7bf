//! The path of other devices against the fused engine: the loss and every gradient, of four families and of the
//! ways to finetune. It runs on the CPU, and with the feature `cuda` on a GPU too.
//!
//! Tolerance: 1e-4 of the largest entry, as against PyTorch; on the CPU the largest difference is 4e-6.

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::Device;

use super::OnDevice;
use crate::adapter::{LoraConfig, OfTower};
use crate::arch::decoder::Decoder;
use crate::batch::{Pack, Packing, Sequence};
use crate::rng::Rng;

fn read(family: &str) -> Decoder {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(family);
    Decoder::read(&folder).unwrap()
}

fn devices() -> Vec<Device> {
    let mut devices = vec![Device::Cpu];
    if cfg!(feature = "cuda") {
        match Device::new_cuda(0) {
            Ok(gpu) => devices.push(gpu),
            Err(error) => println!("skipped: no GPU ({error})"),
        }
    }
    devices
}

/// Three that begin alike, one that does not, and a prompt of which nothing is trained.
fn sequences(vocabulary: usize) -> Vec<Sequence> {
    let mut rng = Rng::at(3, &[]);
    let mut draw = |n: usize| -> Vec<u32> {
        (0..n).map(|_| (rng.within(0.5) * vocabulary as f32 + vocabulary as f32 / 2.0) as u32).collect()
    };
    let begin = draw(11);
    let ids =
        [[begin.clone(), draw(7)].concat(), draw(13), [begin.clone(), draw(2)].concat(), begin, draw(5)];
    let sequence = |(number, ids): (usize, Vec<u32>)| {
        let untrained = if number == 4 { ids.len() } else { 6 };
        let next = |i: usize| ids.get(i + 1).copied().filter(|_| i >= untrained);
        Sequence { labels: (0..ids.len()).map(next).collect(), ids }
    };
    ids.into_iter().enumerate().map(sequence).collect()
}

/// An adapter of every map, its B not zero.
fn adapted(model: Decoder, rank_stabilised: bool, dora: bool, dropout: f64) -> Decoder {
    let targets = vec![crate::adapter::ALL_LINEAR.to_owned()];
    let (rank_pattern, alpha_pattern) = (BTreeMap::new(), BTreeMap::new());
    let lora = LoraConfig {
        rank: 3,
        alpha: 4.0,
        dropout,
        rank_stabilised,
        dora,
        targets,
        rank_pattern,
        alpha_pattern,
        layers: None,
        within: None,
        projector: false,
        tower: OfTower::Nothing,
    };
    let mut model = model.train_lora(&lora, 5).unwrap();
    for (number, parameter) in model.parameters_mut().iter_mut().enumerate() {
        let mut rng = Rng::at(9, &[number as u64]);
        parameter.numbers.iter_mut().for_each(|x| *x += rng.normal(0.05));
    }
    model
}

fn check(model: &Decoder, what: &str) {
    let sequences = sequences(model.config().vocab_size);
    let divisor = 17;
    for (device, packing) in
        devices().into_iter().flat_map(|d| [(d.clone(), Packing::Apart), (d, Packing::Shared)])
    {
        let what = format!("{what}, {packing:?}, {:?}", device.location());
        let on_device = OnDevice::new(model, device).unwrap();
        let pack = Pack::new(&sequences, model.config(), packing);
        let close = |found: f64, wanted: f64| {
            assert!((found - wanted).abs() < 1e-4 * wanted, "{what}: a loss of {found} against {wanted}");
        };
        close(on_device.loss(model, &pack, divisor).unwrap(), model.loss(&pack, divisor).unwrap());
        // Gradients are added to what is there.
        let start: Vec<Vec<f32>> = model.parameters().iter().map(|p| vec![0.25; p.numbers.len()]).collect();
        let (mut found, mut wanted) = (start.clone(), start);
        close(
            on_device.gradients(model, &pack, divisor, 21, &mut found).unwrap(),
            model.gradients(&pack, divisor, 21, &mut wanted).unwrap(),
        );
        for ((found, wanted), parameter) in found.iter().zip(&wanted).zip(model.parameters()) {
            let largest = wanted.iter().fold(0f32, |most, x| most.max((x - 0.25).abs()));
            assert!(largest > 1e-4, "{what}: {} has no gradient", parameter.name);
            let pairs = found.iter().zip(wanted);
            let difference = pairs.fold(0f32, |most, (a, b)| most.max((a - b).abs())) / largest;
            assert!(difference < 1e-4, "{what}: gradient of {} differs by {difference}", parameter.name);
        }
    }
}

#[test]
fn losses_and_gradients_equal_the_fused_engines() {
    for family in ["llama", "gpt2", "gemma3_text", "biogpt"] {
        check(&read(family).train_all(), &format!("{family}, full"));
        for (name, rank_stabilised, dora, dropout) in [
            ("lora", false, false, 0.0),
            ("rslora with dropout", true, false, 0.2),
            ("dora", false, true, 0.1),
        ] {
            let model = adapted(read(family), rank_stabilised, dora, dropout);
            check(&model, &format!("{family}, {name}"));
        }
    }
    // Logits and scores of attention are capped.
    check(&read("gemma2").train_all(), "gemma2, full");
    // Frozen layers below, between and above what is trained.
    check(&read("llama").expand(2).unwrap(), "llama, expand");
}

#[test]
fn a_pack_without_labels_has_no_loss() {
    let model = read("llama").train_all();
    let on_device = OnDevice::new(&model, Device::Cpu).unwrap();
    let sequence = &sequences(model.config().vocab_size)[4];
    let pack = Pack::new([sequence], model.config(), Packing::Apart);
    assert_eq!(on_device.loss(&model, &pack, 1).unwrap(), 0.0);
}
