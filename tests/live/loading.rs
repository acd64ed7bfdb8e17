//! Weights from disk: in several files, and with adapters merged.

use std::collections::HashMap;
use std::fs;

use candle_core::{DType, Device, IndexOp, Tensor};
use perfmodel::live::weights::Weights;
use perfmodel::live::{Heads, Hydra};

use crate::{assert_close, base, fixture, prompt, shape, weights};

fn tensors() -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixture().join("model.safetensors"), &Device::Cpu).unwrap()
}

fn last(model: &mut Hydra) -> Tensor {
    let ids = model.ids(&prompt()).unwrap();
    model.forward(&ids, None, true).unwrap().i((.., 0)).unwrap()
}

fn numbers(rows: usize, columns: usize) -> Tensor {
    let values: Vec<f32> = (0..rows * columns).map(|i| ((i * 37) % 11) as f32 / 50.0 - 0.1).collect();
    Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
}

#[test]
fn a_model_in_several_files_is_the_model_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = [HashMap::new(), HashMap::new()];
    let mut index = serde_json::Map::new();
    for (place, (name, tensor)) in tensors().into_iter().enumerate() {
        index.insert(name.clone(), format!("part{}.safetensors", place % 2).into());
        parts[place % 2].insert(name, tensor);
    }
    for (place, part) in parts.iter().enumerate() {
        candle_core::safetensors::save(part, folder.path().join(format!("part{place}.safetensors"))).unwrap();
    }
    let index = serde_json::json!({ "weight_map": index }).to_string();
    fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
    let split = Weights::from_folder(folder.path(), DType::F32, Device::Cpu).unwrap();
    let mut model = Hydra::new(&shape(), Heads::BASE, &split, 64).unwrap();
    assert_eq!(last(&mut model).to_vec2::<f32>().unwrap(), last(&mut base()).to_vec2::<f32>().unwrap());
}

#[test]
fn adapters_of_a_manifest_are_merged_one_after_the_other() {
    const MATRIX: &str = "model.layers.3.mlp.down_proj";
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (numbers(4, 96), numbers(64, 4));
    let named = |part: &str| format!("base_model.model.{MATRIX}.{part}.weight");
    let adapter = HashMap::from([(named("lora_A"), a.clone()), (named("lora_B"), b.clone())]);
    // A folder of PEFT says its scale, α/r = 3; a bare file has that of the head.
    let peft = folder.path().join("peft");
    fs::create_dir(&peft).unwrap();
    candle_core::safetensors::save(&adapter, peft.join("adapter_model.safetensors")).unwrap();
    fs::write(peft.join("adapter_config.json"), r#"{"lora_alpha": 12, "r": 4}"#).unwrap();
    candle_core::safetensors::save(&adapter, folder.path().join("bare.safetensors")).unwrap();
    let manifest = "[[head]]\n[[head]]\nadapters = [\"peft\", \"bare.safetensors\"]\nscale = 0.5\n";
    fs::write(folder.path().join("heads.toml"), manifest).unwrap();

    let adapted = weights().with_heads(&folder.path().join("heads.toml")).unwrap();
    let mut two = Hydra::new(&shape(), Heads { count: 2, depth: 2 }, &adapted, 64).unwrap();
    let logits = last(&mut two);

    let mut merged = tensors();
    let name = format!("{MATRIX}.weight");
    let delta = (b.matmul(&a).unwrap() * 3.5).unwrap();
    merged.insert(name.clone(), (&merged[&name] + delta).unwrap());
    candle_core::safetensors::save(&merged, folder.path().join("model.safetensors")).unwrap();
    let by_hand = Weights::from_folder(folder.path(), DType::F32, Device::Cpu).unwrap();
    let mut by_hand = Hydra::new(&shape(), Heads::BASE, &by_hand, 64).unwrap();
    let plain = last(&mut base());
    assert_close(&logits.i(0..1).unwrap(), &plain, "head 0 and the base");
    assert_close(&logits.i(1..2).unwrap(), &last(&mut by_hand), "head 1 and the merged model");
    assert!(crate::difference(&logits.i(1..2).unwrap(), &plain) > 0.01, "the adapters change nothing");
}
