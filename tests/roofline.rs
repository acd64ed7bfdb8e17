//! `perfmodel roofline` from outside: its numbers are those of `perfmodel predict`, its object is that of the schema.

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::fs;
use std::path::Path;

use common::run;
use schema::{assert_matches_schema, json};
use serde_json::Value;

const SCENARIO: &str = "--scenario llama31_8b_fp8_tp1";
const LATENT: &str = "--model deepseek_v3 --hardware h200_sxm_141gb --tp 8 --weights fp8";
const WINDOWED: &str = "--model gpt_oss_120b --hardware h100_sxm_80gb --tp 8";
const DENSE: &str = "--model llama33_70b --hardware a100_sxm_80gb --tp 4";

/// Sums of the same terms in another order.
const ROUNDING: f64 = 1e-9;

fn object(home: &Path, arguments: &str) -> Value {
    let result = run(home, &format!("{arguments} --format json"));
    assert_eq!(result.code, 0, "{arguments}: {}", result.stderr);
    json(&result.stdout)
}

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn same(a: f64, b: f64) -> bool {
    (a / b - 1.0).abs() < ROUNDING
}

#[test]
fn the_object_is_that_of_the_schema_and_operators_sum_to_steps() {
    let home = tempfile::tempdir().unwrap();
    for system in [SCENARIO, LATENT, WINDOWED, DENSE] {
        let value = object(home.path(), &format!("roofline {system} --batch 150 --context 3000"));
        assert_matches_schema("roofline.schema.json", &value);
        for step in value["steps"].as_array().unwrap() {
            let operators = step["operators"].as_array().unwrap();
            let time: f64 = operators.iter().map(|operator| float(&operator["time_ms"])).sum();
            let others: f64 = step["others_ms"].as_object().unwrap().values().map(float).sum();
            assert!(
                same(time, float(&step["operators_ms"])) && same(time + others, float(&step["step_ms"])),
                "{system}"
            );
        }
    }
    assert!(fs::read_dir(home.path()).unwrap().next().is_none(), "nothing is written without --plot");
}

#[test]
fn steps_take_the_time_that_predict_says() {
    let home = tempfile::tempdir().unwrap();
    let fitted =
        concat!(env!("CARGO_MANIFEST_DIR"), "/evaluations_results/llama31_8b_fp8_tp1/serving/calibration.toml");
    let calibrated = format!("{SCENARIO} --calibration {fitted}");
    for system in [SCENARIO, &calibrated, LATENT, WINDOWED, DENSE] {
        for batch in [1, 24, 150] {
            let steps = object(home.path(), &format!("roofline {system} --batch {batch} --context 1000"));
            let time = |index: usize| float(&steps["steps"][index]["step_ms"]);
            // Two output tokens after 999 are a mean context of 1000.
            let decode = format!("predict {system} --batch {batch} --input-tokens 999 --output-tokens 2");
            let itl = float(&object(home.path(), &decode)["predictions"][0]["itl_ms"]);
            assert!(same(time(1), itl), "{system} {batch}: {} {itl}", time(1));
            let prefill = format!("predict {system} --batch {batch} --input-tokens 1000 --output-tokens 2");
            let predicted = &object(home.path(), &prefill)["predictions"][0];
            let ttft = float(&predicted["ttft_ms"]) - float(&predicted["ttft_parts_ms"]["overhead"]);
            assert!(same(time(0), ttft), "{system} {batch}: {} {ttft}", time(0));
        }
    }
}

#[test]
fn decode_crosses_once_and_the_cells_agree() {
    let home = tempfile::tempdir().unwrap();
    let value = object(home.path(), &format!("roofline {SCENARIO} --batches 1..1024*2 --contexts 128,512,8192"));
    let contexts = value["sweeps"][1]["contexts"].as_array().unwrap();
    let crossings: Vec<Option<f64>> = contexts.iter().map(|c| c["compute_bound_from_batch"].as_f64()).collect();
    assert!(crossings[0] < crossings[1] && crossings[2].is_none(), "{crossings:?}");
    for (context, crossing) in contexts.iter().zip(crossings) {
        for cell in context["cells"].as_array().unwrap() {
            let memory_bound = float(&cell["memory_over_compute"]) > 1.0;
            assert_eq!(memory_bound, crossing.is_none_or(|crossing| float(&cell["batch"]) < crossing), "{cell}");
            assert_eq!(
                cell["fits"].as_bool().unwrap(),
                cell["batch"].as_f64() <= context["kv_cache_sequences"].as_f64()
            );
        }
    }
}

#[test]
fn the_tables_say_what_a_planner_asks() {
    let home = tempfile::tempdir().unwrap();
    let result = run(home.path(), &format!("roofline {LATENT} --batch 128"));
    assert_eq!(result.code, 0, "{}", result.stderr);
    for wanted in [
        "DeepSeek-V3 on 8x NVIDIA H200 SXM 141GB, fp8 weights, bf16 KV",
        "UNCALIBRATED, from the priors alone",
        "4800 GB/s at peak",
        "one of 8 devices",
        "Prefill of 128 prompts of 1000 tokens in one step",
        "Decode step of 128 sequences with a mean context of 1000 tokens",
        "routed experts",
        "attention, MLA",
        "all-reduce",
        "whole step",
        "Batch from which a step is compute bound",
        "stays memory bound",
        "Caution: UNCALIBRATED",
    ] {
        assert!(result.stdout.contains(wanted), "`{wanted}` is missing in\n{}", result.stdout);
    }
}

#[test]
fn bad_input_is_refused_with_a_remedy() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, message, remedy) in [
        ("--batch 0", "error: --batch is 0\n", "from 1 to 1e9"),
        ("--context 0.5", "error: --context is 0.5\n", "from 1 to 1e9"),
        ("--contexts 0..100+10", "error: --contexts is 0\n", "from 1 to 1e9"),
        ("--batches 1..200 --contexts 1..200", "error: the lists make 40000 steps\n", "10000 steps at most"),
        ("--batches 1,x", "`x` is not a number", "1,2,4..256"),
        ("--out r", "--plot", ""),
        ("--set no_such=1", "error: no parameter `no_such` matters here\n", "known: "),
    ] {
        let result = run(home.path(), &format!("roofline {SCENARIO} {arguments}"));
        assert_eq!(result.code, 2, "{arguments}: {}", result.stdout);
        assert!(result.stderr.contains(message) && result.stderr.contains(remedy), "{arguments}: {}", result.stderr);
    }
    let unfit = run(home.path(), "roofline --model llama33_70b --hardware l40s_48gb");
    assert!(unfit.code == 2 && unfit.stderr.contains("does not fit"), "{}", unfit.stderr);
    assert!(fs::read_dir(home.path()).unwrap().next().is_none(), "nothing is written");
}

#[test]
fn a_step_whose_cache_does_not_fit_is_said_to_be_none() {
    let home = tempfile::tempdir().unwrap();
    for (batch, doubtful) in [(8, false), (100_000, true)] {
        let value = object(home.path(), &format!("roofline {SCENARIO} --batch {batch} --context 4000"));
        let said = value["cautions"]
            .to_string()
            .contains("a decode step of 100000 at 4000 tokens cannot be: their KV cache takes");
        assert_eq!(said, doubtful, "{}", value["cautions"]);
    }
}

#[test]
fn where_padding_alone_makes_decode_compute_bound_it_is_said() {
    let home = tempfile::tempdir().unwrap();
    let roofline = "roofline --model llama31_8b --hardware a100_sxm_80gb --batch 1 --context 1000";
    let padded = "because kernels are taken to compute whole tiles, 64 rows more";
    let narrow = run(home.path(), &format!("{roofline} --weights int4 --compute bf16"));
    assert!(narrow.code == 0 && narrow.stdout.contains(padded), "{}", narrow.stdout);
    let wide = run(home.path(), &format!("{roofline} --weights bf16"));
    assert!(wide.code == 0 && !wide.stdout.contains(padded), "{}", wide.stdout);
}
