//! The number format in which a checkpoint stores its matrices.

use serde_json::Value;

use super::object::Object;
use crate::spec::Precision;

/// The longest text of a quantisation that is not known.
const LONGEST: usize = 80;

/// The format that `quantization_config`, else `dtype` or `torch_dtype` names; `None` if it names none that is known. A
/// quantisation that is not known comes second, as the file has it.
pub fn stored_precision(objects: &[&Object<'_>]) -> (Option<Precision>, Option<String>) {
    let first = |names: &[&str]| {
        let values = objects.iter().flat_map(|object| names.iter().map(|name| object.value(name)));
        values.into_iter().find(|value| !value.is_null())
    };
    match first(&["quantization_config"]) {
        Some(quantization) => {
            let known = quantised(&quantization);
            let text = || quantization.to_string().chars().take(LONGEST).collect();
            (known, known.is_none().then(text))
        }
        None => (first(&["dtype", "torch_dtype"]).and_then(|name| plain(name.as_str()?)), None),
    }
}

fn plain(name: &str) -> Option<Precision> {
    match name {
        "float64" => Some(Precision::Fp64),
        "float32" => Some(Precision::Fp32),
        "bfloat16" => Some(Precision::Bf16),
        "float16" => Some(Precision::Fp16),
        _ => None,
    }
}

fn quantised(quantization: &Value) -> Option<Precision> {
    match quantization["quant_method"].as_str()? {
        "fp8" | "fbgemm_fp8" => Some(Precision::Fp8),
        "mxfp4" => Some(Precision::Fp4),
        "awq" | "gptq" => {
            let bits = quantization["bits"].as_u64().or_else(|| quantization["w_bit"].as_u64());
            format(bits?, "int")
        }
        "modelopt" => match quantization["quant_algo"].as_str()? {
            "FP8" => Some(Precision::Fp8),
            "NVFP4" => Some(Precision::Fp4),
            _ => None,
        },
        "compressed-tensors" => {
            let mut groups = quantization["config_groups"].as_object()?.values().map(|group| {
                let weights = &group["weights"];
                format(weights["num_bits"].as_u64()?, weights["type"].as_str()?)
            });
            // Groups in different formats have no one format.
            let first = groups.next()??;
            groups.all(|group| group == Some(first)).then_some(first)
        }
        _ => None,
    }
}

fn format(bits: u64, kind: &str) -> Option<Precision> {
    match (bits, kind) {
        (8, "float") => Some(Precision::Fp8),
        (8, "int") => Some(Precision::Int8),
        (4, "float") => Some(Precision::Fp4),
        (4, "int") => Some(Precision::Int4),
        _ => None,
    }
}
