//! The models on candle against golden tensors and traces, and their laws.

mod golden;
mod laws;
mod loading;
mod traces;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use perfmodel::live::weights::Weights;
use perfmodel::live::{Heads, Hydra, ModelShape};
use perfmodel::spec::hf_config_at;
use serde_json::Value;

/// An f32 implementation in numpy agrees with the goldens to 8e-6 (fixtures/olmo2_tiny/README.md).
const TOLERANCE: f32 = 1e-4;

/// Four heads of two layers.
const HEADS: Heads = Heads { count: 4, depth: 2 };

fn fixture() -> PathBuf {
    Path::new("tests/fixtures/olmo2_tiny").to_owned()
}

fn shape() -> ModelShape {
    let architecture = hf_config_at(&fixture().to_string_lossy()).unwrap().unwrap();
    ModelShape::new(&architecture).unwrap().with_constants_of(&fixture().join("config.json")).unwrap()
}

fn weights() -> Weights {
    Weights::from_folder(&fixture(), DType::F32, Device::Cpu).unwrap()
}

/// Plain OLMo-2.
fn base() -> Hydra {
    Hydra::new(&shape(), Heads::BASE, &weights(), 64).unwrap()
}

fn hydra() -> Hydra {
    let weights = weights().with_heads(&fixture().join("heads.toml")).unwrap();
    Hydra::new(&shape(), HEADS, &weights, 64).unwrap()
}

fn tensors() -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixture().join("golden.safetensors"), &Device::Cpu).unwrap()
}

fn json() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture().join("golden.json")).unwrap()).unwrap()
}

fn tokens(json: &Value) -> Vec<u32> {
    serde_json::from_value(json.clone()).unwrap()
}

fn prompt() -> Vec<u32> {
    tokens(&json()["prompt"])
}

/// Largest difference of two tensors of equal shape.
fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

fn assert_close(got: &Tensor, want: &Tensor, what: &str) {
    let difference = difference(got, want);
    assert!(difference < TOLERANCE, "{what} differ by {difference}");
}
