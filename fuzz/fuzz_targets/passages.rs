//! The state of an encoder of passages: any bytes give one that makes vectors of texts, or one error.
#![no_main]

use geneverse_eval::retriever::{Encoder, Latent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(encoder) = Latent::from_state(bytes) {
        let vectors = encoder.encode(&["a gene of hedgehog signaling", ""]).expect("vectors of two texts");
        assert_eq!(vectors.len(), 2 * encoder.width());
    }
});
