//! `perfmodel insights` from outside.

mod common;
#[path = "common/refused.rs"]
mod refused;
#[path = "common/schema.rs"]
mod schema;

use std::fs;

use common::{Run, run};
use refused::assert_refused;
use schema::{assert_matches_schema, json};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/insights");

/// Runs `perfmodel insights` in the folder of the fixtures.
fn insights(arguments: &str) -> Run {
    run(FIXTURES.as_ref(), &format!("insights {arguments}"))
}

fn object(arguments: &str) -> Value {
    let result = insights(&format!("{arguments} --format json"));
    assert_eq!(result.code, 0, "{arguments}: {}", result.stderr);
    let value = json(&result.stdout);
    assert_matches_schema("insights.schema.json", &value);
    value
}

#[test]
fn the_text_answers_the_three_questions_and_says_what_to_beware_of() {
    let result = insights("benchmark_results.csv");
    assert_eq!((result.code, result.stderr.as_str()), (0, ""));
    for part in [
        "61 runs. Dense: MLA 24, GQA 15, MHA 12; mixtures of experts: MLA 4, GQA 3, MHA 3.",
        "Dense: 6 of 49 runs are on the front, MLA 4, GQA 1, MHA 1; hypervolume 21.90 MB·nats",
        "80 GB of cache at the speed of one sequence alone: MLA 1984, GQA 1631, MHA 343.2 k tokens/s",
        "Lowest mean loss 2.060 at a rank of 128 (n = 4)",
        "meets that of MHA nowhere in range, that of GQA at 133.6",
        "rank of equal cache, MHA at 496 (beyond the runs), GQA-4 at 240.2, GQA-2 at 111.8",
        "Caution: column `tps_512` has no number in 5 of 61 rows (4 blank, 1 like `OOM`)",
        "Caution: the dense runs mix 13 architectures",
        "an upper bound",
    ] {
        assert!(result.stdout.contains(part), "`{part}` is missing in\n{}", result.stdout);
    }
}

#[test]
fn the_original_is_reproduced_where_it_was_wrong() {
    let (right, original) = (object("benchmark_results.csv"), object("benchmark_results.csv --original"));
    let rows = |of: &Value| -> Vec<u64> {
        let front = of["table"]["quality"][0]["front"].as_array().unwrap();
        front.iter().map(|run| run["row"].as_u64().unwrap()).collect()
    };
    assert_eq!(rows(&right), [9, 55, 60, 31, 45, 36]);
    assert_eq!(rows(&original), [9, 55, 60, 31, 0, 45, 36]);
    let crossing = |of: &Value, index: usize| of["table"]["dial"]["references"][index]["crossings"].clone();
    assert_eq!((crossing(&original, 0), crossing(&right, 0)), (serde_json::json!([256.0]), serde_json::json!([])));
    assert_eq!(crossing(&original, 1), serde_json::json!([128.0]));
    let total = &original["table"]["speeds"][0]["totals"][2];
    assert_eq!(total["tokens_per_s"]["median"].as_f64(), Some(1_991_418.181_818_181_9));
    assert_eq!(total["ratio_to_mha"].as_f64(), Some(4.833_371_483_873_683));
}

#[test]
fn a_sweep_tells_overhead_from_growth_and_promises_nothing_beyond_the_first() {
    let value = object("inference_sweep.csv");
    let configurations = value["sweep"]["configurations"].as_array().unwrap();
    let fit = |index: usize| &configurations[index]["fit"];
    // The fixture was made with a slope of 0 for the first, 0.0654 ms for the second and 0.031 ms for the third.
    for (index, slope) in [(0, 0.0), (1, 0.06544), (2, 0.031)] {
        let (low, high) = (fit(index)["slope_low_ms"].as_f64().unwrap(), fit(index)["slope_high_ms"].as_f64().unwrap());
        assert!(low <= slope && slope <= high, "{index}: {slope} is not within {low} and {high}");
        assert_eq!(fit(index)["growth"], if index == 0 { "overhead_bound" } else { "grows" });
    }
    assert!(fit(0)["cache_gb_per_s"].is_null());
    // 50.33 MB a sequence in 0.0654 ms.
    assert!((fit(1)["cache_gb_per_s"].as_f64().unwrap() / 769.0 - 1.0).abs() < 0.02);
    assert_eq!(configurations[2]["out_of_memory"], serde_json::json!([128.0]));
    assert!(fit(3).is_null(), "two batches make no line");
    assert_eq!(value["sweep"]["skipped_rows"], 1);
    let text = insights("inference_sweep.csv").stdout;
    assert!(text.contains("overhead-bound, extrapolation unsupported"), "{text}");
}

#[test]
fn devices_serve_variants_of_a_model_and_of_the_table() {
    let value = object("--model llama31_8b --hardware h100_sxm_80gb,l4_24gb --context 4096,32768");
    let serving = value["serving"].as_array().unwrap();
    assert_eq!(serving.len(), 2);
    let variants = serving[0]["variants"].as_array().unwrap();
    let names: Vec<&str> = variants.iter().map(|variant| variant["attention"].as_str().unwrap()).collect();
    assert_eq!(names, ["MHA", "GQA-8", "MQA", "MLA-512+64/q1536"]);
    let own: Vec<bool> = variants.iter().map(|variant| variant["own"].as_bool().unwrap()).collect();
    assert_eq!(own, [false, true, false, false]);
    // A step that fills a budget reads all of it, whatever the attention.
    let step = |index: usize| variants[index]["at_device"][0]["step_ms"].as_f64().unwrap();
    assert!((step(0) / step(3) - 1.0).abs() < 0.02, "{} {}", step(0), step(3));
    for variant in variants {
        let point = &variant["at_device"][0];
        let number = |key: &str| point[key].as_f64().unwrap();
        assert!(
            (number("tokens_per_s") / number("sequences") / number("tokens_per_s_per_sequence") - 1.0).abs() < 1e-9
        );
        assert!(number("linear_rule_tokens_per_s") > 3.0 * number("tokens_per_s"));
    }
    let limited = object("--model llama31_8b --hardware h100_sxm_80gb --min-tps-per-seq 60");
    for variant in limited["serving"][0]["variants"].as_array().unwrap() {
        let point = &variant["at_device"][0];
        assert!(point["tokens_per_s_per_sequence"].as_f64().unwrap() >= 60.0);
        assert!(point["sequences"].as_u64().unwrap() < point["fits"].as_u64().unwrap());
    }
    let table = object("benchmark_results.csv --hardware l4_24gb");
    assert_eq!(table["serving"][0]["model"], "the model of 256 wide, 12 layers, 8 heads, 512 tokens");
    // Weights come as they are published, where a device computes in 16 bit with those it has no peak for.
    let published = object("--model gpt_oss_20b --hardware h100_sxm_80gb --variants gqa-8,gqa-64,mha");
    let serving = &published["serving"][0];
    assert_eq!((&serving["weight_precision"], serving["variants"].as_array().unwrap().len()), (&"fp4".into(), 2));
    assert!(serving["variants"][0]["weights_gb"].as_f64().unwrap() < 13.0, "{}", serving["variants"][0]["weights_gb"]);
    // Too slow is not too large.
    let slow = object("--model llama31_8b --hardware l4_24gb --min-tps-per-seq 1e9");
    for variant in slow["serving"][0]["variants"].as_array().unwrap() {
        assert!(variant["at_device"][0].is_null() && variant["fits_device"][0].as_u64().unwrap() > 0);
    }
    let narrow = object("--model llama31_405b --hardware l4_24gb --variants mqa");
    assert!(narrow["serving"][0]["variants"][0]["at_device"][0].is_null());
}

#[test]
fn dirty_cells_of_a_sweep_are_counted_and_its_settings_keep_series_apart() {
    let folder = tempfile::tempdir().unwrap();
    let header = "label,attn_type,batch_size,max_context,prompt_len,kv_cache_mb,decode_step_ms_p50,oom\n";
    let mut text = header.to_owned();
    for (prompt, first) in [(128, 10.0), (4096, 40.0)] {
        for batch in [1, 8, 64] {
            text += &format!("a,MHA,{batch},512,{prompt},{batch},{},False\n", first + 0.5 * f64::from(batch));
        }
    }
    text += "a,MHA,n/a,512,128,1,3,False\na,MHA,128,512,128,,,True\n";
    fs::write(folder.path().join("sweep.csv"), text).unwrap();
    let result = run(folder.path(), "insights sweep.csv --format json");
    let value = json(&result.stdout);
    assert_matches_schema("insights.schema.json", &value);
    let configurations = value["sweep"]["configurations"].as_array().unwrap();
    assert_eq!(configurations.len(), 2);
    for configuration in configurations {
        assert_eq!(configuration["fit"]["growth"], "grows");
        assert!((configuration["fit"]["slope_ms"].as_f64().unwrap() - 0.5).abs() < 1e-9);
    }
    assert_eq!(configurations[0]["out_of_memory"], serde_json::json!([128.0]));
    let missing = value["sweep"]["missing"].as_array().unwrap();
    assert_eq!((missing.len(), &missing[0]["column"], &missing[0]["no_value"]), (1, &"batch_size".into(), &1.into()));
    assert_eq!(value["sweep"]["skipped_rows"], 1);
}

#[test]
fn runs_with_other_rotary_keys_make_no_crossing() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "type,moe,params_m,theoretical_cache_mb,val_loss,tps_512,down_dim_kv,num_blocks,dim,n_heads,kv_heads,max_context\n\
                    GQA,False,12,3.15,2.1,80,,12,256,8,2,512\n"
        .to_owned();
    for (rank, rope) in [(32, 16), (64, 32), (128, 16), (192, 32)] {
        let cache = f64::from((rank + rope) * 12 * 512 * 4) / 1e6;
        text += &format!("MLA,False,12,{cache:.2},2.2,70,{rank},12,256,8,8,512\n");
    }
    fs::write(folder.path().join("runs.csv"), text).unwrap();
    let value = json(&run(folder.path(), "insights runs.csv --format json").stdout);
    assert_matches_schema("insights.schema.json", &value);
    let slice = &value["table"]["slices"][0];
    assert!(slice["rope_dim"].is_null() && slice["cache_mb_per_rank"].is_null());
    assert_eq!(slice["equal_cache"][0]["crossings"], serde_json::json!([]));
    let text = run(folder.path(), "insights runs.csv").stdout;
    assert!(text.contains("The runs have rotary keys of 16, 32 wide"), "{text}");
}

#[test]
fn a_model_of_the_table_has_its_parameters_and_its_attention() {
    let value = object("benchmark_results.csv --hardware l4_24gb --weights fp32 --kv fp32 --context 512");
    let variants = value["serving"][0]["variants"].as_array().unwrap();
    let wide = object("benchmark_results.csv --hardware l4_24gb --architecture 512x16");
    assert_eq!(wide["serving"][0]["model"], "the model of 512 wide, 16 layers, 16 heads, 512 tokens");
    assert_refused(
        &insights("benchmark_results.csv --hardware l4_24gb --architecture 64x2"),
        "no dense run has the architecture 64x2",
        "there are 256x12",
    );
    // 12 layers, 8 heads of 32: 2·8·32 elements in 4 bytes and 12 layers for a token of multi-head attention, a quarter for GQA-2.
    let bytes = |index: usize| variants[index]["cache_bytes_per_token"].as_f64().unwrap();
    assert_eq!((bytes(0), bytes(2)), (2.0 * 8.0 * 32.0 * 4.0 * 12.0, 2.0 * 2.0 * 32.0 * 4.0 * 12.0));
    // The runs of this architecture have about 12 M parameters in 4 bytes.
    for variant in variants {
        let gb = variant["weights_gb"].as_f64().unwrap();
        assert!((0.040..0.060).contains(&gb), "{gb}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("no_type.csv", "typ,moe,params_m,theoretical_cache_mb,val_loss,tps_512,down_dim_kv\nMHA,False,1,2,3,4,5\n"),
        ("empty.csv", "type,moe\n"),
        ("ragged.csv", "type,moe\nMHA,False\nMLA\n"),
        ("batch.csv", "label,attn_type,batch_size,max_context,decode_step_ms_p50\na,MHA,many,512,3\na,MHA,1,512,3\n"),
        ("no_step.csv", "label,attn_type,batch_size,max_context\na,MHA,1,512\n"),
        ("twice.csv", "type,moe,type\nMHA,False,MHA\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let refused = |arguments: &str, message: &str, help: &str| {
        assert_refused(&run(folder.path(), &format!("insights {arguments}")), message, help);
    };
    refused("no_type.csv", "no_type.csv:1: there is no column `type`", "did you mean `typ`?");
    refused("empty.csv", "empty.csv: there is no row below the header", "one line for each run");
    refused("no_step.csv", "no_step.csv:1: there is no column `decode_step_ms_p50`", "needed: label");
    refused("twice.csv", "twice.csv:1: column `type` is there twice", "keep one of them");
    refused(
        "batch.csv --original",
        "batch.csv: --original needs a table of runs; this is a sweep over batches",
        "leave it out",
    );
    let on_l4 = "--model llama31_8b --hardware l4_24gb";
    refused(
        &format!("{on_l4} --variants gqa-7"),
        "GQA-7 has 7 key/value heads, which do not divide the 32 query heads of Llama-3.1-8B",
        "choose a number",
    );
    refused(&format!("{on_l4} --context 0"), "--context is 0", "from 1 to 1e9");
    refused(
        &format!("{on_l4} --tp 3"),
        "tensor_parallel = 3 does not divide the 32 query heads of Llama-3.1-8B with MHA",
        "divides the heads",
    );
    // Those that clap words, and those with the message of a library in them.
    for (arguments, part) in [
        ("ragged.csv", "ragged.csv:3: this is no CSV"),
        ("missing.csv", "missing.csv: cannot read it"),
        ("", "<CSV|--model <ID>>"),
        ("--model llama31_8b", "--hardware"),
        ("--model llama31_8b --hardware l4_24gb --original", "<CSV>"),
        ("--model llama31_8b --hardware l4_24gb --variants xqa", "`xqa` is no attention variant"),
        ("--model llama31_8b --hardware l4_24gb --bandwidth-share 1.5", "a share lies above 0 and up to 1"),
    ] {
        let result = run(folder.path(), &format!("insights {arguments}"));
        assert_eq!((result.code, result.stdout.as_str()), (2, ""), "{arguments}");
        assert!(result.stderr.contains(part), "{arguments}: {}", result.stderr);
    }
}
