//! What a model writes to call a function: it is taken apart without harm, and only known addresses are called.
#![no_main]

#[allow(dead_code, unreachable_pub)]
#[path = "../../crates/geneverse/src/answer/calls.rs"]
mod calls;

use calls::{BLAST, EUTILS, address, final_answer, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(text.contains(final_answer(text)));
    let url = address(text).map_or(text, |(_, url)| url);
    if parse(url).is_ok() {
        assert!(url.starts_with(EUTILS) || url.starts_with(BLAST));
    }
});
