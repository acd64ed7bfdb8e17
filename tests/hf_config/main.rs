//! The `config.json` of published models counts to their published weights, and wrong ones say what is wrong.

mod bad_input;
mod random_input;

use std::fs;
use std::path::Path;

use perfmodel::engine::memory::kv_bytes;
use perfmodel::error::Error;
use perfmodel::spec::{
    Attention, Catalog, Deployment, Ffn, Kind, LayerGroup, ModelArchitecture, Precision, SpecFile, System,
    hf_config_at, read_hf_config,
};

use serde_json::{Value, json};

/// Fixture, published parameters, KV bytes of one token in bf16, and format of the stored weights.
///
/// Totals: models/README.md for those in `models/`; the main model without extras for DeepSeek-V3. Gemma-3-27B: the text
/// model of the published 27,432,406,640. The others: totals of the Hugging Face API as kvfit and public model lists
/// quote them; for Kimi-K2 and MiniMax-M2 without the FP8 scales.
const CONFIGS: [(&str, u64, f64, Option<Precision>); 36] = [
    ("llama2_7b", 6_738_415_616, 524_288.0, Some(Precision::Fp16)),
    ("llama2_13b", 13_015_864_320, 819_200.0, Some(Precision::Fp16)),
    ("llama2_70b", 68_976_648_192, 327_680.0, Some(Precision::Fp16)),
    ("llama31_8b", 8_030_261_248, 131_072.0, Some(Precision::Bf16)),
    ("llama31_70b", 70_553_706_496, 327_680.0, Some(Precision::Bf16)),
    ("llama31_405b", 405_853_388_800, 516_096.0, Some(Precision::Bf16)),
    ("llama32_1b", 1_235_814_400, 32_768.0, Some(Precision::Bf16)),
    ("llama32_3b", 3_212_749_824, 114_688.0, Some(Precision::Bf16)),
    ("llama33_70b", 70_553_706_496, 327_680.0, Some(Precision::Bf16)),
    ("mistral_7b_v01", 7_241_732_096, 131_072.0, Some(Precision::Bf16)),
    ("mistral_7b", 7_248_023_552, 131_072.0, Some(Precision::Bf16)),
    ("mistral_nemo_12b", 12_247_782_400, 163_840.0, Some(Precision::Bf16)),
    ("mixtral_8x7b", 46_702_792_704, 131_072.0, Some(Precision::Bf16)),
    ("qwen25_7b", 7_615_616_512, 57_344.0, Some(Precision::Bf16)),
    ("qwen25_72b", 72_706_203_648, 327_680.0, Some(Precision::Bf16)),
    ("qwen15_moe_a27b", 14_315_784_192, 196_608.0, Some(Precision::Bf16)),
    ("qwen2_57b_a14b", 57_408_658_944, 57_344.0, Some(Precision::Bf16)),
    ("qwen3_8b", 8_190_735_360, 147_456.0, Some(Precision::Bf16)),
    ("qwen3_32b", 32_762_123_264, 262_144.0, Some(Precision::Bf16)),
    ("qwen3_30b_a3b", 30_532_122_624, 98_304.0, Some(Precision::Bf16)),
    ("qwen3_235b_a22b", 235_093_634_560, 192_512.0, Some(Precision::Bf16)),
    ("olmo2_1b", 1_484_916_736, 131_072.0, None),
    ("olmo2_7b", 7_298_617_344, 524_288.0, None),
    ("olmo2_13b", 13_716_198_400, 819_200.0, None),
    ("olmo2_32b", 32_234_279_936, 262_144.0, None),
    ("gpt_oss_20b", 20_914_757_184, 49_152.0, Some(Precision::Fp4)),
    ("gpt_oss_120b", 116_829_156_672, 73_728.0, Some(Precision::Fp4)),
    ("gemma2_9b", 9_241_705_984, 344_064.0, None),
    ("gemma2_27b", 27_227_128_320, 376_832.0, None),
    ("gemma3_27b", 27_009_346_304, 507_904.0, Some(Precision::Bf16)),
    ("deepseek_v2", 235_741_434_880, 69_120.0, Some(Precision::Bf16)),
    ("deepseek_v2_lite", 15_706_484_224, 31_104.0, Some(Precision::Bf16)),
    ("deepseek_v3", 671_026_419_200, 70_272.0, Some(Precision::Fp8)),
    ("minimax_m2", 228_689_764_864, 253_952.0, Some(Precision::Fp8)),
    ("kimi_k2", 1_026_408_232_448, 70_272.0, Some(Precision::Fp8)),
    ("gemma3_1b", 999_885_952, 26_624.0, Some(Precision::Bf16)),
];

fn text(name: &str) -> String {
    fs::read_to_string(format!("tests/fixtures/hf_configs/{name}.json")).unwrap()
}

fn parsed(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

/// The object with the shape.
fn shape(config: &mut Value) -> &mut serde_json::Map<String, Value> {
    let nested = config.get("text_config").is_some();
    let config = if nested { &mut config["text_config"] } else { config };
    config.as_object_mut().unwrap()
}

fn read(name: &str, text: String) -> Result<ModelArchitecture, Error> {
    read_hf_config(name, &SpecFile { label: "config.json".into(), text })
}

fn read_value(config: &Value) -> Result<ModelArchitecture, Error> {
    read("x", config.to_string())
}

fn model(name: &str) -> ModelArchitecture {
    read(name, text(name)).unwrap()
}

fn kv_bytes_of_a_token(model: ModelArchitecture) -> f64 {
    let deployment = Deployment::new(1, Precision::Bf16).unwrap();
    let hardware = Catalog::built_in().hardware("h100_sxm_80gb").unwrap();
    kv_bytes(&System::new(hardware, model, deployment).unwrap(), 1.0).get()
}

/// Layers as a multiset.
fn sorted(layers: &[LayerGroup]) -> Vec<String> {
    let mut sorted: Vec<String> = layers.iter().map(|group| format!("{group:?}")).collect();
    sorted.sort();
    sorted
}

/// All that describes the shape.
fn fingerprint(model: &ModelArchitecture) -> String {
    format!(
        "{} {} {} {} {} {} {:?}",
        model.family,
        model.hidden_size,
        model.vocab_size,
        model.tied_embeddings,
        model.max_context_tokens,
        model.norms_per_layer,
        sorted(&model.layers)
    )
}

#[test]
fn every_fixture_is_checked() {
    let mut files: Vec<String> = fs::read_dir("tests/fixtures/hf_configs")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut checked = CONFIGS.map(|(name, ..)| name.to_owned());
    checked.sort();
    assert_eq!(files, checked);
}

#[test]
fn weights_add_up_to_the_published_count_exactly() {
    for (name, published, kv, stored) in CONFIGS {
        let config = read(name, text(name)).unwrap();
        assert_eq!(config.parameters(), published, "{name}");
        assert_eq!(config.stored_precision, stored, "{name}");
        assert_eq!((config.id.as_str(), config.name.as_str()), (name, name));
        assert_eq!(kv_bytes_of_a_token(config), kv, "{name}");
    }
}

#[test]
fn a_configuration_and_the_shipped_file_of_a_model_agree() {
    let catalog = Catalog::built_in();
    // Models of classes that are not read, and our own sizes, which nobody has published.
    let only_shipped = ["falcon_180b", "gptj_6b", "olmo2_tiny", "olmo2_60m", "olmo2_190m"];
    for id in catalog.ids(Kind::Model).into_iter().filter(|id| !only_shipped.contains(&id.as_str())) {
        let (shipped, read) = (catalog.model(&id).unwrap(), model(&id));
        assert_eq!(fingerprint(&read), fingerprint(&shipped), "{id}");
        assert_eq!(read.parameters(), shipped.parameters(), "{id}");
    }
}

#[test]
fn windows_stand_in_the_layers_that_have_them() {
    for (name, windowed, window, full) in [
        ("mistral_7b_v01", 32, 4096, 0),
        ("gpt_oss_120b", 18, 128, 18),
        ("gemma2_9b", 21, 4096, 21),
        ("gemma2_27b", 23, 4096, 23),
        ("gemma3_27b", 52, 1024, 10),
        ("gemma3_1b", 22, 512, 4),
        ("qwen25_7b", 0, 0, 28),
    ] {
        let (mut with, mut without) = (0, 0);
        for group in model(name).layers {
            let Attention::Grouped(attention) = group.attention else { panic!("{name} has grouped attention") };
            match attention.sliding_window_tokens {
                Some(tokens) => {
                    assert_eq!(tokens, window, "{name}");
                    with += group.count;
                }
                None => without += group.count,
            }
        }
        assert_eq!((with, without), (windowed, full), "{name}");
    }
}

#[test]
fn qwen_switches_its_windows() {
    let windowed = |name: &str, max_window_layers: u32| {
        let mut config = parsed(name);
        let keys = shape(&mut config);
        keys.insert("use_sliding_window".into(), true.into());
        keys.insert("sliding_window".into(), 512.into());
        keys.insert("max_window_layers".into(), max_window_layers.into());
        let layers = read_value(&config).unwrap().layers;
        let sees_512 = |attention| matches!(attention, Attention::Grouped(a) if a.sliding_window_tokens == Some(512));
        layers.iter().filter(|group| sees_512(group.attention)).map(|group| group.count).sum::<u32>()
    };
    assert_eq!(windowed("qwen25_7b", 20), 8);
    assert_eq!(windowed("qwen3_32b", 64), 0);
    assert_eq!(windowed("qwen2_57b_a14b", 11), 6);
    assert_eq!(windowed("qwen3_30b_a3b", 20), 48);
}

#[test]
fn layers_with_experts_stand_where_the_keys_put_them() {
    for (name, key, value, with_experts) in [
        ("qwen3_30b_a3b", "decoder_sparse_step", json!(2), 24),
        ("qwen3_30b_a3b", "mlp_only_layers", json!([0, 47, 99]), 46),
        ("qwen2_57b_a14b", "mlp_only_layers", json!(null), 28),
        ("deepseek_v2_lite", "first_k_dense_replace", json!(5), 22),
        ("deepseek_v2_lite", "moe_layer_freq", json!(2), 13),
        ("deepseek_v2_lite", "first_k_dense_replace", json!(27), 0),
    ] {
        let mut config = parsed(name);
        shape(&mut config).insert(key.into(), value);
        let layers = read_value(&config).unwrap().layers;
        let counted: u32 =
            layers.iter().filter(|group| matches!(group.ffn, Ffn::Moe(_))).map(|group| group.count).sum();
        assert_eq!(counted, with_experts, "{name} {key}");
    }
}

#[test]
fn a_key_with_the_default_of_its_family_can_be_left_out() {
    for (name, keys) in [
        ("llama2_7b", &["num_key_value_heads", "tie_word_embeddings"][..]),
        ("llama31_8b", &["attention_bias", "mlp_bias", "tie_word_embeddings"]),
        ("mistral_7b_v01", &["sliding_window", "num_key_value_heads"]),
        ("mixtral_8x7b", &["sliding_window", "num_key_value_heads"]),
        ("qwen25_7b", &["use_sliding_window", "sliding_window", "max_window_layers"]),
        ("qwen3_32b", &["head_dim", "attention_bias", "use_sliding_window"]),
        ("qwen3_30b_a3b", &["num_key_value_heads", "decoder_sparse_step", "mlp_only_layers", "intermediate_size"]),
        ("qwen15_moe_a27b", &["num_key_value_heads", "decoder_sparse_step", "tie_word_embeddings"]),
        ("olmo2_7b", &["num_key_value_heads", "attention_bias"]),
        ("gpt_oss_120b", &["layer_types", "attention_bias", "head_dim", "sliding_window", "experts_per_token"]),
        ("gemma2_9b", &["head_dim", "sliding_window", "attention_bias"]),
        ("deepseek_v2", &["q_lora_rank", "moe_layer_freq", "topk_method", "attention_bias"]),
        ("deepseek_v3", &["first_k_dense_replace", "topk_method", "num_key_value_heads"]),
    ] {
        for key in keys {
            let mut config = parsed(name);
            assert!(shape(&mut config).remove(*key).is_some(), "{name} has no {key}");
            assert_eq!(fingerprint(&read_value(&config).unwrap()), fingerprint(&model(name)), "{name} {key}");
        }
    }
}

#[test]
fn null_is_not_the_same_as_absent() {
    for (name, key) in [("mistral_7b_v01", "sliding_window"), ("deepseek_v2", "q_lora_rank"), ("gemma2_9b", "head_dim")]
    {
        let mut config = parsed(name);
        shape(&mut config).insert(key.into(), Value::Null);
        assert_ne!(fingerprint(&read_value(&config).unwrap()), fingerprint(&model(name)), "{name} {key}");
    }
}

#[test]
fn a_list_of_layer_types_says_what_the_pattern_says() {
    let mut config = parsed("gemma3_27b");
    let kinds = (1..=62).map(|number| if number % 6 == 0 { "full_attention" } else { "sliding_attention" });
    let kinds: Vec<Value> = kinds.map(Value::from).collect();
    shape(&mut config).insert("layer_types".into(), kinds.into());
    assert_eq!(fingerprint(&read_value(&config).unwrap()), fingerprint(&model("gemma3_27b")));
}

#[test]
fn the_architecture_is_known_by_its_class_too() {
    for (name, class) in [("llama31_8b", "LlamaForCausalLM"), ("gemma3_1b", "Gemma3ForCausalLM")] {
        let mut config = parsed(name);
        config.as_object_mut().unwrap().remove("model_type");
        config["architectures"] = json!([class]);
        assert_eq!(fingerprint(&read_value(&config).unwrap()), fingerprint(&model(name)));
    }
    assert_eq!(model("kimi_k2").family, "deepseek_v3");
}

#[test]
fn biases_and_norms_follow_their_keys() {
    let grow = |name: &str, key: &str, value: Value| {
        let mut config = parsed(name);
        shape(&mut config).insert(key.into(), value);
        read_value(&config).unwrap().parameters() as i64 - model(name).parameters() as i64
    };
    // 32 layers of (32 + 2 * 8) * 128 for q, k, v and 4096 for the output; 2 * 14336 + 4096 for the three matrices.
    assert_eq!(grow("llama31_8b", "attention_bias", json!(true)), 32 * (48 * 128 + 4096));
    assert_eq!(grow("llama31_8b", "mlp_bias", json!(true)), 32 * (2 * 14336 + 4096));
    assert_eq!(grow("mistral_7b", "attention_bias", json!(true)), 0);
    assert_eq!(grow("qwen2_57b_a14b", "qkv_bias", json!(false)), -28 * 36 * 128);
    assert_eq!(grow("qwen2_57b_a14b", "shared_expert_intermediate_size", json!(0)), -28 * (3 * 20480 + 1) * 3584);
    assert_eq!(grow("llama31_8b", "tie_word_embeddings", json!(true)), -128_256 * 4096);
    assert_eq!(grow("gemma2_9b", "tie_word_embeddings", json!(false)), 256_000 * 3584);
    assert_eq!(grow("deepseek_v3", "topk_method", json!("greedy")), -58 * 256);
    assert_eq!(grow("deepseek_v3", "n_shared_experts", json!(null)), -58 * 3 * 2048 * 7168);
}

#[test]
fn stored_precision_is_what_the_quantisation_says_and_else_unknown() {
    let group = |bits: u32, kind: &str| json!({ "weights": { "num_bits": bits, "type": kind } });
    let groups = |groups: Value| json!({ "quant_method": "compressed-tensors", "config_groups": groups });
    for (quantization, want) in [
        (json!(null), Some(Precision::Bf16)),
        (json!({ "quant_method": "fp8" }), Some(Precision::Fp8)),
        (json!({ "quant_method": "fbgemm_fp8" }), Some(Precision::Fp8)),
        (json!({ "quant_method": "mxfp4" }), Some(Precision::Fp4)),
        (json!({ "quant_method": "awq", "bits": 4 }), Some(Precision::Int4)),
        (json!({ "quant_method": "awq", "w_bit": 4 }), Some(Precision::Int4)),
        (json!({ "quant_method": "gptq", "bits": 8 }), Some(Precision::Int8)),
        (json!({ "quant_method": "gptq", "bits": 3 }), None),
        (json!({ "quant_method": "modelopt", "quant_algo": "FP8" }), Some(Precision::Fp8)),
        (json!({ "quant_method": "modelopt", "quant_algo": "NVFP4" }), Some(Precision::Fp4)),
        (groups(json!({ "group_0": group(8, "float") })), Some(Precision::Fp8)),
        (groups(json!({ "group_0": group(8, "int"), "group_1": group(8, "int") })), Some(Precision::Int8)),
        (groups(json!({ "group_0": group(4, "float") })), Some(Precision::Fp4)),
        (groups(json!({ "group_0": group(4, "int"), "group_1": group(8, "int") })), None),
        (json!({ "quant_method": "aqlm" }), None),
        (json!("fp8"), None),
        (json!([]), None),
    ] {
        let mut config = parsed("llama31_8b");
        config["quantization_config"] = quantization.clone();
        let model = read_value(&config).unwrap();
        assert_eq!(model.stored_precision, want, "{quantization}");
        assert_eq!(model.unknown_format.is_some(), want.is_none(), "{quantization}");
    }
}

#[test]
fn a_path_is_read_as_a_configuration_and_anything_else_as_an_id() {
    let catalog = Catalog::built_in();
    let folder = tempfile::tempdir().unwrap();
    let downloaded = folder.path().join("Llama-3.1-8B");
    fs::create_dir(&downloaded).unwrap();
    let text_of = |path: &Path| path.to_str().unwrap().to_owned();

    let empty = catalog.model_or_config(&text_of(&downloaded)).unwrap_err().to_string();
    assert!(empty.contains("Llama-3.1-8B: the folder holds no config.json\n  help: give the folder"), "{empty}");

    fs::write(downloaded.join("config.json"), text("llama31_8b")).unwrap();
    fs::write(folder.path().join("mine.v2.json"), text("qwen3_8b")).unwrap();
    for (path, id) in [
        (downloaded.clone(), "Llama-3.1-8B"),
        (downloaded.join("."), "Llama-3.1-8B"),
        (downloaded.join("config.json"), "Llama-3.1-8B"),
        (folder.path().join("mine.v2.json"), "mine.v2"),
    ] {
        assert_eq!(catalog.model_or_config(&text_of(&path)).unwrap().id, id, "{}", path.display());
    }
    assert_eq!(catalog.model_or_config("qwen3_32b").unwrap().name, "Qwen3-32B");
    assert!(hf_config_at("qwen3_32b").unwrap().is_none() && hf_config_at("").unwrap().is_none());

    let missing = catalog.model_or_config("nowhere/config.json").unwrap_err();
    assert!(missing.to_string().starts_with("nowhere/config.json: cannot read the file ("), "{missing}");
    let misspelt = catalog.model_or_config("qwen3_32").unwrap_err().to_string();
    assert!(misspelt.contains("did you mean `qwen3_32b`?"), "{misspelt}");
    let broken = downloaded.join("broken.json");
    fs::write(&broken, "{").unwrap();
    let broken = catalog.model_or_config(&text_of(&broken)).unwrap_err();
    assert!(broken.to_string().contains("broken.json:1:1: cannot read the JSON: EOF"), "{broken}");
    let file = SpecFile { label: "config.json".into(), text: text("llama31_8b") };
    assert_eq!(read_hf_config("mine", &file).unwrap().id, "mine");
}
