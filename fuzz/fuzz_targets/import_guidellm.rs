#![no_main]
#[path = "../../tests/parsers/bodies.rs"]
mod bodies;
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::import_guidellm(bytes));
