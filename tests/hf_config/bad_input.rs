//! What is wrong with a file, where, and what it must be.

use serde_json::json;

use crate::{parsed, read, read_value, shape};

/// One line a key, so that a key's place is known.
const SMALL: &str = r#"{
  "model_type": "llama",
  "hidden_size": 64,
  "intermediate_size": 128,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "num_hidden_layers": 2,
  "vocab_size": 100,
  "max_position_embeddings": 512
}"#;

const MEND: &str = "\n  help: mend the value in this file";

/// The message about the small configuration with one piece of text replaced.
fn message(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from));
    let error = read("x", SMALL.replacen(from, to, 1)).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn a_wrong_count_names_its_place_and_its_range() {
    for (value, shown) in [
        ("0", "0"),
        ("-64", "-64"),
        ("64.0", "64.0"),
        ("1e999", "1e999"),
        ("4000000000000", "4000000000000"),
        ("\"64\"", "\"64\""),
        ("true", "true"),
        ("{\n\"a\":  1}", "{ \"a\": 1}"),
        ("\"0123456789012345678901234567890123456789\"", "\"012345678901234567890123456789012345678..."),
    ] {
        let want = format!("`hidden_size` is {shown}; it must be a whole number from 1 to 131072");
        assert_eq!(message(": 64", &format!(": {value}")), format!("config.json:3:18: {want}{MEND}"));
    }
}

#[test]
fn a_count_that_is_not_there_is_named() {
    let published = "the published config.json of the model has";
    for (to, want) in [
        ("", format!("config.json: `hidden_size` is missing; {published} it{MEND}")),
        (
            "\"hidden_size\": null,",
            format!("config.json:3:18: `hidden_size` is null; {published} a number there{MEND}"),
        ),
    ] {
        assert_eq!(message("\"hidden_size\": 64,", to), want);
    }
}

#[test]
fn values_that_do_not_go_together_are_told_apart() {
    for (from, to, want) in [
        (
            "heads\": 2",
            "heads\": 3",
            "6:26: `num_key_value_heads` is 3, which does not divide the 4 query heads of `num_attention_heads`",
        ),
        (": 4", ": 6", "5:26: `num_attention_heads` is 6, which does not divide the `hidden_size` 64; give `head_dim`"),
        (
            "\"vocab_size\"",
            "\"layer_types\": [\"full_attention\"], \"vocab_size\"",
            "8:18: `layer_types` lists 1 layers, but `num_hidden_layers` is 2",
        ),
        (
            "\"vocab_size\"",
            "\"layer_types\": [\"full_attention\", \"mamba\"], \"vocab_size\"",
            "8:18: `layer_types` lists \"mamba\"; known are full_attention and sliding_attention",
        ),
        (
            "\"vocab_size\"",
            "\"layer_types\": [\"full_attention\", \"sliding_attention\"], \"vocab_size\"",
            "8:18: `layer_types` lists sliding_attention, but there is no `sliding_window`; give its tokens",
        ),
    ] {
        assert_eq!(message(from, to), format!("config.json:{want}{MEND}"));
    }
}

#[test]
fn a_value_of_the_wrong_type_names_the_right_one() {
    for (to, want) in [
        ("\"attention_bias\": \"yes\",", "8:21: `attention_bias` is \"yes\"; it must be true or false"),
        ("\"layer_types\": [1],", "8:18: `layer_types` is [1]; it must be a list of texts"),
        ("\"text_config\": 3,", "8:18: `text_config` is 3; it must be an object"),
    ] {
        let want = format!("config.json:{want}{MEND}");
        assert_eq!(message("\"vocab_size\"", &format!("{to} \"vocab_size\"")), want);
    }
    let nested = read("x", "{\"text_config\":\n {\"model_type\": \"llama\", \"hidden_size\": []}}".into());
    let message = nested.unwrap_err().to_string();
    let want = "config.json:2:41: `text_config.hidden_size` is []; it must be a whole number from 1 to 131072\n";
    assert!(message.starts_with(want), "{message}");
}

#[test]
fn all_problems_come_at_once_and_none_that_follows_from_another() {
    let text = SMALL
        .replace(": 64", ": 0")
        .replace(": 128", ": []")
        .replace("num_key_value_heads\": 2", "num_key_value_heads\": 3");
    assert_eq!(
        read("x", text).unwrap_err().to_string(),
        "config.json:3:18: `hidden_size` is 0; it must be a whole number from 1 to 131072\n  help: mend the value in \
         this file; 1 more: line 4: `intermediate_size` is []; it must be a whole number from 1 to 524288"
    );
}

#[test]
fn problems_of_experts_and_latents_are_found() {
    for (name, key, value, want) in [
        (
            "mixtral_8x7b",
            "num_experts_per_tok",
            json!(9),
            "`num_experts_per_tok` is 9, more than the 8 experts there are",
        ),
        (
            "gpt_oss_120b",
            "num_local_experts",
            json!(0),
            "`num_local_experts` is 0; it must be a whole number from 1 to 4096",
        ),
        (
            "qwen3_30b_a3b",
            "mlp_only_layers",
            json!([-1]),
            "`mlp_only_layers` is [-1]; it must be a list of layer numbers",
        ),
        (
            "qwen3_30b_a3b",
            "decoder_sparse_step",
            json!(0),
            "`decoder_sparse_step` is 0; it must be a whole number from 1 to",
        ),
        (
            "deepseek_v3",
            "attention_bias",
            json!(true),
            "`attention_bias` is true; latent attention is known without biases only",
        ),
        ("deepseek_v3", "topk_method", json!(1), "`topk_method` is 1; it must be a text"),
        ("deepseek_v3", "kv_lora_rank", json!(null), "`kv_lora_rank` is null; the published config.json"),
        (
            "deepseek_v3",
            "moe_layer_freq",
            json!([0, 1]),
            "`moe_layer_freq` is [0,1]; it must be a whole number from 1 to",
        ),
        ("gemma3_27b", "sliding_window_pattern", json!(0), "`text_config.sliding_window_pattern` is 0; it must be"),
    ] {
        let mut config = parsed(name);
        shape(&mut config).insert(key.into(), value);
        let message = read_value(&config).unwrap_err().to_string();
        assert!(message.contains(want), "{name} {key}: {message}");
    }
}

#[test]
fn an_unknown_architecture_is_named_with_what_is_known() {
    let message = |text: &str| read("x", text.to_owned()).unwrap_err().to_string();
    let mamba = message("{\n \"architectures\": [\"Mamba2ForCausalLM\"],\n \"model_type\": \"mamba2\"}");
    assert_eq!(
        mamba,
        "config.json:3:16: unknown architecture: `model_type` is \"mamba2\", `architectures` is \
         \"Mamba2ForCausalLM\"\n  \
         help: known values of `model_type`: llama, mistral, mixtral, qwen2, qwen2_moe, qwen3, qwen3_moe, olmo2, \
         gpt_oss, minimax_m2, gemma2, gemma3, deepseek_v2, deepseek_v3; describe another architecture in a file like \
         models/llama31_8b.toml: hidden_size, vocab_size, norms_per_layer, and for each kind of layer its attention \
         (query_heads, kv_heads, head_dim, sliding_window_tokens) and its feed-forward block (intermediate_size, \
         experts, active_experts)"
    );
    let nested = message(r#"{"model_type": "qwen3_vl", "text_config": {"model_type": "qwen3_vl_text"}}"#);
    assert!(
        nested.starts_with(
            "config.json:1:58: unknown architecture: `text_config.model_type` is \"qwen3_vl_text\", `model_type` is \
             \"qwen3_vl\"\n"
        ),
        "{nested}"
    );
    let silent = message("{\"model_type\": 3}");
    assert!(
        silent.starts_with(
            "config.json: neither `model_type` nor `architectures` says which architecture this is\n  \
             help: give the config.json that came with the model; known values"
        ),
        "{silent}"
    );
}
