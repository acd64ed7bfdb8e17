//! Comparison of measured runs: reading them, and every reference value.

mod reading;
mod reference;

use std::path::{Path, PathBuf};

use perfmodel::requests::{LoadTest, Measured, Run, open};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/llmeter").join(name)
}

fn run(name: &str) -> Run {
    match open(&fixture(name)).unwrap() {
        Measured::Run(run) => *run,
        Measured::LoadTest(_) => panic!("{name} is a load test"),
    }
}

fn load_test(name: &str) -> LoadTest {
    match open(&fixture(name)).unwrap() {
        Measured::LoadTest(test) => test,
        Measured::Run(_) => panic!("{name} is a run"),
    }
}

fn reference(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// Fails unless two numbers are equal up to a relative error, or both are next to nothing.
#[track_caller]
fn assert_close(what: &str, got: f64, want: f64, relative: f64) {
    let close = (got - want).abs() <= relative * want.abs() || (got - want).abs() < 1e-300;
    assert!(close, "{what}: {got:e} instead of {want:e}");
}
