#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::code_text(data));
