//! Fuzzes how the card room reads BER-TLV elements from a hostile card: no panic, no endless loop. It knows no key and no voter.
#![no_main]
#[path = "../src/cards.rs"]
mod cards;
libfuzzer_sys::fuzz_target!(|data: &[u8]| cards::tlv_elements(data));
