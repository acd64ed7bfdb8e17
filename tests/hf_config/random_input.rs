//! No input makes reading panic, and nothing that was read makes counting panic.

use perfmodel::error::Error;
use perfmodel::spec::ModelArchitecture;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{CONFIGS, kv_bytes_of_a_token, parsed, read, read_value, shape, text};

/// Values that a file may hold by mistake.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![0..10_u64, 0..5000_u64, any::<u64>()].prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,60}".prop_map(Value::from),
        prop::collection::vec(prop_oneof![Just(json!("full_attention")), Just(json!(1)), Just(json!(-1))], 0..4)
            .prop_map(Value::from),
        prop::collection::btree_map("[a-z]{1,8}", any::<u32>(), 0..3).prop_map(|map| json!(map)),
    ]
}

/// Whatever was read can be counted and placed; whatever was not says where.
fn holds_up(result: Result<ModelArchitecture, Error>) -> Result<(), TestCaseError> {
    match result {
        Ok(config) => {
            prop_assert!(config.parameters() > 0 && config.layer_count() > 0);
            prop_assert!(kv_bytes_of_a_token(config) > 0.0);
        }
        Err(error) => {
            prop_assert_eq!(error.exit_code(), 2);
            let message = error.to_string();
            prop_assert!(message.starts_with("config.json:") && message.contains("\n  help: "), "{}", message);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_changed_value_makes_it_panic(
        fixture in 0..CONFIGS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(value())), 1..4),
        in_text in any::<bool>(),
    ) {
        let mut config = parsed(CONFIGS[fixture].0);
        for (key, value) in changes {
            let keys = if in_text { shape(&mut config) } else { config.as_object_mut().unwrap() };
            let Some(key) = keys.keys().nth(key.index(keys.len().max(1))).cloned() else { continue };
            match value {
                Some(value) => keys.insert(key, value),
                None => keys.remove(&key),
            };
            if !config.get("text_config").is_none_or(Value::is_object) {
                break;
            }
        }
        holds_up(read_value(&config))?;
    }

    #[test]
    fn no_changed_text_makes_it_panic(
        fixture in 0..CONFIGS.len(),
        cut in any::<prop::sample::Index>(),
        removed in 0..20_usize,
        inserted in "[\\PC\"{}\\[\\]:,0-9\\\\]{0,6}",
    ) {
        let mut characters: Vec<char> = text(CONFIGS[fixture].0).chars().collect();
        let at = cut.index(characters.len());
        let end = (at + removed).min(characters.len());
        characters.splice(at..end, inserted.chars());
        holds_up(read("x", characters.into_iter().collect()))?;
    }

    #[test]
    fn the_largest_counts_still_add_up(fixture in 0..CONFIGS.len()) {
        let mut config = parsed(CONFIGS[fixture].0);
        for (key, value) in shape(&mut config) {
            if value.is_u64() {
                *value = json!(match key.as_str() {
                    "hidden_size" | "q_lora_rank" | "kv_lora_rank" => 1 << 17,
                    "vocab_size" => 1 << 24,
                    key if key.ends_with("intermediate_size") => 1 << 19,
                    "first_k_dense_replace" | "moe_layer_freq" | "decoder_sparse_step" => 1,
                    _ => 1 << 12,
                });
            }
        }
        shape(&mut config).remove("layer_types");
        holds_up(read_value(&config))?;
    }
}
