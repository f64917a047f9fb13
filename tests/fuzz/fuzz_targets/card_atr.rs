#![no_main]
#[path = "../src/cards.rs"]
mod cards;
libfuzzer_sys::fuzz_target!(|data: &[u8]| cards::atr(data));
