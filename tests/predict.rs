//! `predict` from outside: the numbers of a fit, the same in every format, and what a planner must be told.

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use common::{Run, run};
use schema::{assert_matches_schema, json};
use serde_json::Value;

const H100: &str = "--model llama31_8b --hardware h100_sxm_80gb";
const SCENARIOS: [&str; 2] = ["llama31_8b_fp8_tp1", "llama33_70b_fp8_tp2"];

/// `evaluation.csv` has eight digits, and its rows come from parameters that `calibration.toml` has in full.
const PRINTED: f64 = 1e-6;

/// Sums and products of numbers that are printed in full.
const ROUNDING: f64 = 1e-9;

fn committed(scenario: &str, file: &str) -> String {
    format!("{}/evaluations_results/{scenario}/serving/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// A run that must succeed, in an empty folder.
fn predict(arguments: &str) -> Run {
    let home = tempfile::tempdir().unwrap();
    predict_in(home.path(), arguments)
}

fn predict_in(folder: &Path, arguments: &str) -> Run {
    let result = run(folder, &format!("predict {arguments}"));
    assert_eq!(result.code, 0, "{arguments}: {}", result.stderr);
    result
}

fn predictions(value: &Value) -> &Vec<Value> {
    value["predictions"].as_array().unwrap()
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {row}"))
}

fn near(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!((got / want - 1.0).abs() <= tolerance, "{what}: {got}, want {want}");
}

/// Rows of a CSV by column name.
fn csv_rows(text: &str) -> Vec<HashMap<String, String>> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
}

#[test]
fn names_and_formats_are_read_as_people_type_them_and_what_they_are_taken_for_is_said_once() {
    const LENGTHS: &str = "--input-tokens 1000 --output-tokens 200";
    let of = |arguments: &str| {
        let result = predict(&format!("{arguments} {LENGTHS} --format json"));
        let value = json(&result.stdout);
        let system = ["system", "weight_precision", "kv_precision"].map(|key| value[key].as_str().unwrap().to_owned());
        (
            system.join(" "),
            result.stderr.lines().filter(|line| !line.starts_with("caution")).collect::<Vec<_>>().join("\n"),
        )
    };
    for (arguments, system, remarks) in [
        ("--model llama-3.1-8b --hardware h100-sxm", "llama31_8b_h100_sxm_80gb_bf16_tp1 bf16 bf16", ""),
        (
            "--model Llama31-8B --hardware H100 --weights FP8 --kv Fp8",
            "llama31_8b_h100_sxm_80gb_fp8_tp1 fp8 fp8",
            "`H100` is taken as h100_sxm_80gb; there are also h100_nvl_94gb and h100_pcie_80gb",
        ),
        (
            "--model RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic --hardware h100_sxm --tp 2",
            "llama33_70b_h100_sxm_80gb_fp8_tp2 fp8 bf16",
            "`RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic` is taken as llama33_70b with weights published in fp8",
        ),
        (
            "--model deepseek-ai/DeepSeek-R1-Distill-Llama-70B --hardware A100 --tp 4",
            "llama33_70b_a100_sxm_80gb_bf16_tp4 bf16 bf16",
            "`deepseek-ai/DeepSeek-R1-Distill-Llama-70B` has the shape of llama33_70b\n\
             `A100` is taken as a100_sxm_80gb; there is also a100_sxm_40gb",
        ),
    ] {
        assert_eq!(of(arguments), (system.to_owned(), remarks.to_owned()), "{arguments}");
    }
    let quiet = predict(&format!("--model llama31_8b --hardware A100 {LENGTHS} --quiet"));
    assert_eq!(quiet.stderr, "");
}

#[test]
fn the_workloads_of_a_scenario_get_the_numbers_of_its_fit() {
    for scenario in SCENARIOS {
        let arguments = format!(
            "--scenario {scenario} --calibration {} --workload {} --format json",
            committed(scenario, "calibration.toml"),
            committed(scenario, "evaluation.csv")
        );
        let value = json(&predict(&arguments).stdout);
        assert_matches_schema("predict.schema.json", &value);
        assert_eq!(value["outside_range"], Value::Array(Vec::new()), "{scenario}");
        let evaluated = csv_rows(&fs::read_to_string(committed(scenario, "evaluation.csv")).unwrap());
        assert_eq!(predictions(&value).len(), evaluated.len());
        for (predicted, fitted) in predictions(&value).iter().zip(&evaluated) {
            let of_fit = |column: &str| fitted[column].parse::<f64>().unwrap();
            for (key, column) in [
                ("concurrency", "concurrency"),
                ("ttft_ms", "ttft_predicted_ms"),
                ("itl_ms", "itl_predicted_ms"),
                ("throughput_tok_s", "throughput_predicted_tok_s"),
                ("running_sequences", "running_sequences"),
            ] {
                near(number(predicted, key), of_fit(column), PRINTED, &format!("{scenario} {key} {fitted:?}"));
            }
            assert_eq!(predicted["limit"], fitted["limit"].as_str());
            for metric in ["ttft", "itl"] {
                for end in ["low", "high"] {
                    let want = of_fit(&format!("{metric}_{end}_90pct_ms"));
                    near(number(predicted, &format!("{metric}_{end}_ms")), want, PRINTED, &format!("{end} {fitted:?}"));
                }
            }
        }
    }
}

#[test]
fn lists_and_ranges_make_every_combination_in_the_order_given() {
    let arguments = "--scenario llama31_8b_fp8_tp1 --input-tokens 200,1000 --output-tokens 100..102 --concurrency 1,2,4..16 \
                     --format json";
    let value = json(&predict(arguments).stdout);
    let got: Vec<[f64; 3]> = predictions(&value)
        .iter()
        .map(|row| ["input_tokens", "output_tokens", "concurrency"].map(|key| number(row, key)))
        .collect();
    let mut want = Vec::new();
    for input in [200.0, 1000.0] {
        for output in [100.0, 101.0, 102.0] {
            want.extend([1.0, 2.0, 4.0, 8.0, 16.0].map(|clients| [input, output, clients]));
        }
    }
    assert_eq!(got, want);
}

#[test]
fn a_workload_file_says_what_the_flags_say() {
    let home = tempfile::tempdir().unwrap();
    for (column, flag) in [("concurrency", "--concurrency"), ("rate_rps", "--rate"), ("batch", "--batch")] {
        let text = format!("Input Tokens,output_tokens,{column},note\n500,100,2,a\n500,100,8,b\n");
        fs::write(home.path().join("w.csv"), text).unwrap();
        let system = "--scenario llama31_8b_fp8_tp1 --uncalibrated --format json";
        let from_file = predict_in(home.path(), &format!("{system} --workload w.csv"));
        let from_flags = predict(&format!("{system} --input-tokens 500 --output-tokens 100 {flag} 2,8"));
        assert_eq!(from_file.stdout, from_flags.stdout, "{column}");
    }
}

/// Closed loop, open loop and static batch, as JSON that the schema knows and as CSV with the same numbers.
#[test]
fn csv_and_json_carry_the_same_numbers_under_every_load() {
    for (load, column) in
        [("--concurrency 1,64,4000", "concurrency"), ("--rate 0.5,1e6", "rate_rps"), ("--batch 1,32", "batch")]
    {
        let arguments = format!(
            "--scenario llama33_70b_fp8_tp2 --calibration {} --input-tokens 700 --output-tokens 300 {load}",
            committed("llama33_70b_fp8_tp2", "calibration.toml")
        );
        let value = json(&predict(&format!("{arguments} --format json")).stdout);
        assert_matches_schema("predict.schema.json", &value);
        let table = csv_rows(&predict(&format!("{arguments} --format csv")).stdout);
        assert_eq!(table.len(), predictions(&value).len());
        for (line, row) in table.iter().zip(predictions(&value)) {
            assert!(line.contains_key(column), "{load}: {line:?}");
            for (key, cell) in line {
                let value = if row[key].is_null() { &row["open_loop"][key] } else { &row[key] };
                match value {
                    Value::Number(number) => assert_eq!(cell.parse().ok(), number.as_f64(), "{load} {key}"),
                    Value::Bool(flag) => assert_eq!(*cell, flag.to_string(), "{load} {key}"),
                    Value::String(text) => assert_eq!(cell, text, "{load} {key}"),
                    Value::Null => assert_eq!(cell, "", "{load} {key}"),
                    Value::Array(_) | Value::Object(_) => panic!("{key} is no cell: {value}"),
                }
            }
        }
    }
}

#[test]
fn a_rate_beyond_the_capacity_has_no_time_to_first_token() {
    let arguments = "--scenario llama31_8b_fp8_tp1 --uncalibrated --input-tokens 500 --output-tokens 100 --rate 1,1e6";
    let value = json(&predict(&format!("{arguments} --format json")).stdout);
    let [served, overloaded] = predictions(&value).as_slice() else { panic!("two workloads: {value}") };
    let is_overloaded = |row: &Value| row["open_loop"]["overloaded"].as_bool().unwrap();
    assert!(!is_overloaded(served) && is_overloaded(overloaded), "{value}");
    near(number(served, "requests_per_s"), 1.0, ROUNDING, "what comes is served");
    near(
        number(overloaded, "requests_per_s"),
        number(&overloaded["open_loop"], "capacity_rps"),
        ROUNDING,
        "the capacity",
    );
    for key in ["ttft_ms", "ttft_low_ms", "ttft_high_ms", "e2e_ms", "e2e_low_ms", "e2e_high_ms"] {
        assert!(served[key].is_number() && overloaded[key].is_null(), "{key}: {value}");
    }
    let text = predict(&format!("{arguments} --explain")).stdout;
    for wanted in
        ["grows without end", "overloaded\n", "TTFT: overloaded: requests come faster than they can be served"]
    {
        assert!(text.contains(wanted), "`{wanted}` is missing in\n{text}");
    }
}

#[test]
fn littles_law_ties_throughput_to_the_clients() {
    // The waves of a benchmark end in a drain, in which fewer clients are there; endless ones have none.
    let arguments = "--scenario llama31_8b_fp8_tp1 --uncalibrated --set burst_factor=0 --set benchmark_waves=100 \
                     --input-tokens 200,5000 --output-tokens 200 --concurrency 1,16,256 --format json";
    for row in predictions(&json(&predict(arguments).stdout)) {
        let (clients, output) = (number(row, "concurrency"), number(row, "output_tokens"));
        let requests = number(row, "requests_per_s");
        near(number(row, "throughput_tok_s"), requests * output, ROUNDING, "tokens of each request");
        let e2e = number(row, "ttft_ms") + (output - 1.0) * number(row, "itl_ms");
        near(number(row, "e2e_ms"), e2e, ROUNDING, "e2e");
        // Clients that are there = requests per second · time of a request.
        near(requests * e2e * 1e-3, clients, 0.02, &format!("Little's law at {clients} clients"));
    }
}

#[test]
fn the_parts_of_an_explanation_sum_to_the_latency() {
    let arguments = "--scenario llama33_70b_fp8_tp2 --uncalibrated --input-tokens 700,20000 --output-tokens 300 \
                     --concurrency 1,40,250";
    let value = json(&predict(&format!("{arguments} --format json")).stdout);
    for row in predictions(&value) {
        for (total, parts) in [("ttft_ms", "ttft_parts_ms"), ("itl_ms", "itl_parts_ms")] {
            let sum: f64 = row[parts].as_object().unwrap().values().map(|part| part.as_f64().unwrap()).sum();
            near(sum, number(row, total), ROUNDING, parts);
        }
    }
    // In words: every waterfall's percentages make 100, up to the one decimal of each line.
    let text = predict(&format!("{arguments} --explain")).stdout;
    let blocks: Vec<&str> = text.split("\nTTFT ").skip(1).flat_map(|block| block.split("\nITL ")).collect();
    assert_eq!(blocks.len(), 2 * predictions(&value).len(), "{text}");
    for block in blocks {
        let shares: Vec<f64> = block
            .lines()
            .skip(1)
            .take_while(|line| line.contains(" ms "))
            .map(|line| line.split(" ms ").nth(1).unwrap().split('%').next().unwrap().trim().parse().unwrap())
            .collect();
        let sum: f64 = shares.iter().sum();
        assert!((sum - 100.0).abs() <= 0.05 * shares.len() as f64 + 1e-9, "{sum}: {block}");
    }
    assert!(text.contains("requests queue because the KV cache is full"), "{text}");
    assert!(text.contains("memory bandwidth binds"), "{text}");
}

#[test]
fn without_a_calibration_the_output_says_so_loudly() {
    let load = "--input-tokens 500 --output-tokens 100";
    let named = format!("--model qwen3_32b --hardware h200_sxm_141gb {load}");
    let text = predict(&named).stdout;
    assert!(text.contains("UNCALIBRATED, from the priors alone (priors.toml)\n"), "{text}");
    assert!(text.contains("Caution: UNCALIBRATED: these numbers come from documented priors alone"), "{text}");
    assert!(text.contains("give --calibration FILE"), "{text}");
    for format in ["csv", "json"] {
        let result = predict(&format!("{named} --format {format}"));
        assert!(result.stderr.starts_with("caution: UNCALIBRATED"), "{format}: {}", result.stderr);
    }
    let value = json(&predict(&format!("{named} --format json")).stdout);
    assert_eq!(value["calibration"], Value::Null);
    assert!(value["from_priors"].as_array().unwrap().len() > 10, "{value}");

    // A scenario whose fit lies in the current folder is predicted from it; `--uncalibrated` leaves it aside.
    let home = tempfile::tempdir().unwrap();
    let results = home.path().join("evaluations_results/llama31_8b_fp8_tp1/serving");
    fs::create_dir_all(&results).unwrap();
    fs::copy(committed("llama31_8b_fp8_tp1", "calibration.toml"), results.join("calibration.toml")).unwrap();
    let scenario = format!("--scenario llama31_8b_fp8_tp1 {load}");
    let calibrated = predict_in(home.path(), &scenario).stdout;
    assert!(
        !calibrated.contains("UNCALIBRATED") && calibrated.contains("fitted to llama31_8b_fp8_tp1"),
        "{calibrated}"
    );
    for text in [predict(&scenario).stdout, predict_in(home.path(), &format!("{scenario} --uncalibrated")).stdout] {
        assert!(text.contains("`perfmodel fit --scenario llama31_8b_fp8_tp1` calibrates it"), "{text}");
    }
}

#[test]
fn what_leaves_the_calibrated_range_is_named_with_its_axis() {
    let calibration = format!("--calibration {}", committed("llama31_8b_fp8_tp1", "calibration.toml"));
    let own = format!("--scenario llama31_8b_fp8_tp1 {calibration}");
    let other = format!("--model qwen3_32b --hardware h200_sxm_141gb --tp 2 {calibration}");
    let inside = "--input-tokens 200,5000 --output-tokens 500 --concurrency 1,250";
    for (arguments, axes) in [
        (format!("{own} {inside}"), Vec::new()),
        (format!("{own} --input-tokens 200 --output-tokens 200 --concurrency 251"), vec!["concurrency"]),
        (
            format!("{own} --input-tokens 100,30000 --output-tokens 5 --concurrency 2"),
            vec!["input_tokens", "output_tokens"],
        ),
        (format!("{own} {inside} --hardware l40s_48gb --tp 2"), vec!["hardware", "tensor_parallel"]),
        (format!("{own} --input-tokens 500 --output-tokens 200 --rate 1"), vec!["load"]),
        (format!("{own} --input-tokens 500 --output-tokens 200 --batch 4"), vec!["load"]),
        (format!("{other} {inside}"), vec!["model", "hardware", "tensor_parallel", "weight_precision", "kv_precision"]),
    ] {
        let value = json(&predict(&format!("{arguments} --format json")).stdout);
        assert_eq!(value["outside_range"], serde_json::json!(axes), "{arguments}");
        let text = predict(&arguments).stdout;
        assert_eq!(text.matches("Caution: outside the calibrated range, ").count(), axes.len(), "{text}");
        for axis in axes {
            assert!(text.contains(&format!("outside the calibrated range, {axis}: calibrated on ")), "{axis}: {text}");
        }
    }
    let long = predict(&format!("{own} --input-tokens 200000 --output-tokens 200")).stdout;
    assert!(
        long.contains("Caution: 200200 tokens are more than the 131072 of context that Llama-3.1-8B is made for"),
        "{long}"
    );
}

#[test]
fn a_config_of_hugging_face_predicts_like_the_shipped_model() {
    let config = format!("{}/tests/fixtures/hf_configs/llama31_8b.json", env!("CARGO_MANIFEST_DIR"));
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("Llama-3.1-8B")).unwrap();
    fs::copy(config, home.path().join("Llama-3.1-8B/config.json")).unwrap();
    let rest = "--hardware l40s_48gb --weights fp8 --kv fp8 --input-tokens 500 --output-tokens 500 --concurrency 1,8 \
                --format json";
    let of = |model: &str| json(&predict_in(home.path(), &format!("--model {model} {rest}")).stdout);
    let shipped = of("llama31_8b");
    for given in ["Llama-3.1-8B", "Llama-3.1-8B/config.json"] {
        let value = of(given);
        assert_matches_schema("predict.schema.json", &value);
        assert_eq!(value["system"], "Llama-3.1-8B_l40s_48gb_fp8_tp1");
        assert_eq!(value["predictions"], shipped["predictions"]);
        assert_eq!(value["weights_bytes"], shipped["weights_bytes"]);
    }
}

#[test]
fn memory_adds_up() {
    let arguments = "--model llama31_8b --hardware h100_sxm_80gb --max-sequences 100 --input-tokens 1000 \
                     --output-tokens 1000 --concurrency 10,1000 --format json";
    let value = json(&predict(arguments).stdout);
    assert!(number(&value, "weights_bytes") + number(&value, "kv_cache_bytes") < 85_520_809_984.0, "{value}");
    let [few, many] = predictions(&value).as_slice() else { panic!("two workloads: {value}") };
    assert_eq!((number(few, "max_concurrency"), number(many, "max_concurrency")), (100.0, 100.0));
    assert_eq!((&few["limit"], &many["limit"]), (&"clients".into(), &"max_sequences".into()));
    // 8 key-value heads of 128 values of two bytes, keys and values, in 32 layers: 128 KiB for each token.
    let share = 10.0 * 2000.0 * 131_072.0 / number(&value, "kv_cache_bytes");
    near(number(few, "kv_cache_used_pct"), 100.0 * share, ROUNDING, "share of the cache");
}

#[test]
fn a_value_that_is_set_is_used() {
    let arguments = "--scenario llama31_8b_fp8_tp1 --uncalibrated --input-tokens 500 --output-tokens 100 --concurrency 32 \
                     --format json";
    let before = json(&predict(arguments).stdout);
    let after = json(&predict(&format!("{arguments} --set burst_factor=0")).stdout);
    assert!(number(&before["predictions"][0]["ttft_parts_ms"], "burst_wait") > 0.0);
    assert_eq!(after["predictions"][0]["ttft_parts_ms"].get("burst_wait"), None);
    let is_prior = |value: &Value| value["from_priors"].as_array().unwrap().contains(&"burst_factor".into());
    assert!(is_prior(&before) && !is_prior(&after));
}

#[test]
fn a_plot_is_one_page_over_what_varies() {
    let home = tempfile::tempdir().unwrap();
    let system = "--scenario llama31_8b_fp8_tp1 --uncalibrated --plot --format json";
    for (load, title) in [
        ("--input-tokens 200,1000 --output-tokens 200 --concurrency 1,2,4..32", "TTFT over concurrency"),
        ("--input-tokens 200,400..1600 --output-tokens 200", "TTFT over input tokens"),
        ("--input-tokens 200 --output-tokens 200,400..1600 --batch 4", "TTFT over output tokens"),
        ("--input-tokens 200 --output-tokens 200 --rate 0.25", "TTFT over requests/s"),
    ] {
        let value = json(&predict_in(home.path(), &format!("{system} {load} --out page")).stdout);
        assert_matches_schema("predict.schema.json", &value);
        assert_eq!(value["files"], serde_json::json!(["page/prediction.html"]), "{load}");
        let page = fs::read_to_string(home.path().join("page/prediction.html")).unwrap();
        for wanted in [title, "UNCALIBRATED", "What one user gets against what the server gives"] {
            assert!(page.contains(wanted), "{load}: `{wanted}` is missing");
        }
        assert!(!page.contains("<script src") && !page.contains("<link"), "the page stands alone");
    }
    let result =
        predict_in(home.path(), &format!("{system} --input-tokens 200 --output-tokens 200").replace("json", "csv"));
    let page = "evaluations_results/predictions/llama31_8b_fp8_tp1/prediction.html";
    assert!(
        result.stderr.contains(&format!("wrote {page}\n")) && home.path().join(page).is_file(),
        "{}",
        result.stderr
    );
}

/// A client alone, an idle open loop and a batch of one are the same decode step.
#[test]
fn one_request_at_a_time_decodes_the_same_under_every_load() {
    for output in [2, 10, 1000] {
        let itl = |load: &str| {
            let arguments = format!("{H100} --input-tokens 1000 --output-tokens {output} {load} --format json");
            number(&predictions(&json(&predict(&arguments).stdout))[0], "itl_ms")
        };
        let batch = itl("--batch 1");
        near(itl("--concurrency 1"), batch, 1e-9, "closed loop");
        near(itl("--rate 1e-6"), batch, 1e-4, "open loop");
    }
}

#[test]
fn percentiles_have_intervals_in_the_proportion_of_the_mean() {
    let value =
        json(&predict(&format!("{H100} --input-tokens 1000 --output-tokens 200 --rate 5 --format json")).stdout);
    let (row, open) = (&predictions(&value)[0], &predictions(&value)[0]["open_loop"]);
    for end in ["low", "high"] {
        let ratio = number(row, &format!("ttft_{end}_ms")) / number(row, "ttft_ms");
        near(number(open, &format!("ttft_p99_{end}_ms")), ratio * number(open, "ttft_p99_ms"), 1e-9, end);
    }
}

#[test]
fn a_group_that_the_interconnect_does_not_join_is_pointed_out() {
    let lengths = "--input-tokens 1000 --output-tokens 200";
    let said = |tp: u32| predict(&format!("--model llama33_70b --hardware h100_nvl_94gb --tp {tp} {lengths}")).stdout;
    assert!(said(4).contains("Caution: tensor parallelism over 4 devices goes over PCIe"), "{}", said(4));
    assert!(!said(2).contains("goes over PCIe"));
}

/// Weights as published, and a remedy where the device cannot multiply in their format.
#[test]
fn a_model_is_served_as_it_is_published_unless_the_flags_say_otherwise() {
    let lengths = "--input-tokens 100 --output-tokens 10";
    let title = |arguments: &str| predict(&format!("{arguments} {lengths}")).stdout.lines().next().unwrap().to_owned();
    assert!(title("--model deepseek_v3 --hardware h200_sxm_141gb --tp 8").contains("fp8 weights"));
    assert!(title("--model llama31_8b --hardware h200_sxm_141gb").contains("bf16 weights"));
    let stored = "--model gpt_oss_120b --hardware h100_sxm_80gb";
    assert!(title(stored).contains("fp4 weights computed in bf16"), "{}", title(stored));
    assert!(title("--model gpt_oss_120b --hardware b200_sxm_180gb").contains("fp4 weights, bf16 KV"));
    let home = tempfile::tempdir().unwrap();
    let refused = run(home.path(), &format!("predict {stored} --weights int4 {lengths}"));
    assert!(refused.code == 2 && refused.stderr.contains("`--compute bf16`"), "{}", refused.stderr);
}

/// A cache of sliding windows holds more tokens the longer the requests are, so the heading says of which.
#[test]
fn the_size_of_the_cache_is_given_in_tokens_of_the_requests_asked_for() {
    let heading = |model: &str| {
        let text =
            predict(&format!("--model {model} --hardware h100_sxm_80gb --input-tokens 100,50000 --output-tokens 10"))
                .stdout;
        text.lines().find(|line| line.starts_with("memory")).unwrap().to_owned()
    };
    assert!(heading("gemma3_27b").ends_with("tokens in requests of 50010)"), "{}", heading("gemma3_27b"));
    assert!(heading("llama31_8b").ends_with(" tokens)"));
}
