//! `perfmodel import`: what result files of measuring tools become. tests/fixtures/import/README.md says how each was made.

mod common;
#[path = "common/refused.rs"]
mod refused;
#[path = "common/schema.rs"]
mod schema;

use std::fs;
use std::path::Path;

use common::{Run, run};
use refused::assert_refused;
use schema::{assert_matches_schema, json};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// Runs `perfmodel import` in the folder of the fixtures.
fn import(arguments: &str) -> Run {
    run(FIXTURES.as_ref(), &format!("import {arguments}"))
}

fn object(arguments: &str) -> Value {
    let result = import(&format!("{arguments} --format json"));
    assert_eq!(result.code, 0, "{arguments}: {}", result.stderr);
    let value = json(&result.stdout);
    assert_matches_schema("import.schema.json", &value);
    value
}

/// Input tokens, output tokens, load, TTFT and ITL in ms, tokens/s of a row.
fn row(of: &Value, index: usize) -> [f64; 6] {
    let row = &of["rows"][index];
    ["input_tokens", "output_tokens", "load", "ttft_ms", "itl_ms", "throughput_tok_s"]
        .map(|key| row[key].as_f64().unwrap_or(f64::NAN))
}

#[track_caller]
fn assert_row(of: &Value, index: usize, want: [f64; 6]) {
    for (found, want) in row(of, index).into_iter().zip(want) {
        assert!((found - want).abs() <= 1e-9 * want.abs(), "{:?}, not {want}", row(of, index));
    }
}

#[test]
fn guidellm_counts_what_succeeded_and_its_itl_leaves_out_the_first_token() {
    // time_per_output_token_ms of the file is 11.09 and includes it.
    let want = [90.0, 32.0, 4.0, 72.548_478_841_781_62, 9.107_416_675_936_79, 345.467_218_088_56];
    for file in ["guidellm.json", "guidellm.csv"] {
        let value = object(&format!("import/{file}"));
        assert_eq!((&value["tools"][0], &value["statistic"]), (&"guidellm".into(), &"mean".into()));
        assert_row(&value, 0, want);
    }
    let median = object("import/guidellm.json --statistic median");
    assert_eq!(row(&median, 0)[3..5], [59.685_468_673_706_055, 9.007_384_700_159_873]);
}

#[test]
fn inferencemax_is_in_seconds_and_per_gpu() {
    let value = object("import/inferencemax.json");
    assert_row(&value, 0, [1024.0, 1024.0, 8.0, 85.0, 15.5, 500.0]);
    assert_row(&value, 1, [1024.0, 1024.0, 64.0, 310.0, 22.2, 2800.0]);
}

#[test]
fn genai_perf_is_the_same_from_json_and_csv_but_for_the_load() {
    let value = object("import/profile_export_genai_perf.json");
    assert_row(&value, 0, [550.1, 255.8, 4.0, 31.42, 10.21, 388.7]);
    let refused = import("import/profile_export_genai_perf.csv");
    assert_refused(
        &refused,
        "no row is left: import/profile_export_genai_perf.csv: the file tells no load; give --concurrency",
        "--concurrency",
    );
    let csv = object("import/profile_export_genai_perf.csv --clients 4");
    assert_eq!((row(&csv, 0), &csv["tools"]), (row(&value, 0), &value["tools"]));
}

#[test]
fn vllm_and_sglang_take_tpot_for_itl_and_totals_for_lengths() {
    let vllm = object("import/vllm.json");
    assert_eq!(vllm["tools"][0], "vllm");
    // mean_itl_ms, the gaps between chunks, is 11.43.
    assert_row(&vllm, 0, [100.0, 4.0, 2.0, 56.0, 10.666_666_666_666_666, 13.333_333_333_333_334]);
    let cautions = vllm["cautions"].to_string();
    assert!(cautions.contains("5 answers for 2 clients") && cautions.contains("1 of 6 requests failed"), "{cautions}");
    // Of the requested 1024 and 128 tokens 768 and 96 came; a rate beside clients is another load.
    let closed = object("import/sglang.jsonl");
    assert_eq!((closed["tools"][0].as_str(), closed["rows"].as_array().unwrap().len()), (Some("sglang"), 1));
    assert_row(&closed, 0, [768.0, 96.0, 4.0, 41.5, 9.5, 384.0]);
    assert!(closed["cautions"].to_string().contains("left out, import/sglang.jsonl, run 2: an open loop of 2.5"));
    let open = object("import/sglang.jsonl --load open_loop");
    assert_row(&open, 0, [768.0, 96.0, 2.5, 39.0, 8.9, 240.0]);
}

#[test]
fn aiperf_is_the_same_from_json_and_csv_but_for_the_load() {
    let value = object("import/profile_export_aiperf.json");
    assert_eq!(value["tools"][0], "aiperf");
    // inter_chunk_latency is 10.25.
    assert_row(&value, 0, [200.5, 90.0, 8.0, 42.5, 5.125, 180.0]);
    let csv = object("import/profile_export_aiperf.csv --concurrency 8");
    assert_eq!(row(&csv, 0), row(&value, 0));
}

#[test]
fn inference_perf_takes_stages_and_not_their_summary() {
    let value = object("import/inference_perf");
    assert_eq!((&value["tools"][0], &value["load"]), (&"inference-perf".into(), &"open_loop".into()));
    assert_eq!(value["rows"].as_array().unwrap().len(), 2);
    assert_row(&value, 0, [512.0, 128.0, 0.998, 45.0, 8.1, 128.0]);
    assert_row(&value, 1, [512.0, 128.0, 3.992, 61.0, 9.3, 510.0]);
}

#[test]
fn requests_one_by_one_feed_compare() {
    let compare = |arguments: &str| json(&run(FIXTURES.as_ref(), &format!("compare {arguments} --format json")).stdout);
    // The gaps of vLLM's third answer are two for three tokens: a chunk held two.
    let value = compare("import/vllm.json --dimension tpot,ttft --filter not-null");
    let side = &value["groups"][0]["sides"][0]["runs"][0];
    assert_eq!(
        (side["requests"].as_u64(), side["failed"].as_u64(), side["clients"].as_u64()),
        (Some(6), Some(1), Some(2))
    );
    let tpot = &value["groups"][0]["dimensions"][0]["sides"][0];
    assert!((tpot["mean"].as_f64().unwrap() - 0.010_666_666_666_666_666).abs() < 1e-12, "{tpot}");
    // The warm-up does not count, nor does a failed request.
    let value = compare("import/profile_export.jsonl --dimension ttft");
    let ttft = &value["groups"][0]["dimensions"][0]["sides"][0];
    assert_eq!(ttft["values"].as_u64(), Some(2));
    assert!((ttft["mean"].as_f64().unwrap() - 0.042).abs() < 1e-12, "{ttft}");
    let value = compare("import/guidellm.json --dimension tpot");
    let tpot = &value["groups"][0]["dimensions"][0]["sides"][0];
    assert_eq!(tpot["values"].as_u64(), Some(24));
    assert!((tpot["mean"].as_f64().unwrap() - 0.009_107_416).abs() < 1e-8, "{tpot}");
    let several = run(FIXTURES.as_ref(), "compare import/sglang.jsonl");
    assert!(
        several.code == 2 && several.stderr.contains("this file holds no requests one by one"),
        "{}",
        several.stderr
    );
}

#[test]
fn llmeter_is_summed_up_from_its_requests() {
    let value = object("llmeter/loadtest");
    assert_eq!(value["tools"][0], "llmeter");
    let loads: Vec<f64> = (0..6).map(|index| row(&value, index)[2]).collect();
    assert_eq!(loads, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]);
    let run = object("llmeter/run_a --statistic median");
    // Medians of reference_stats.json: of completed requests above 0.
    let [.., ttft, itl, _] = row(&run, 0);
    assert!((ttft / 189.5 - 1.0).abs() < 0.01 && (itl / 12.57 - 1.0).abs() < 0.01, "{ttft} {itl}");
}

#[test]
fn logs_of_llmeter_in_a_folder_are_read_when_they_are_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(Path::new(FIXTURES).join("llmeter/run_a/responses.jsonl"), folder.path().join("log.jsonl")).unwrap();
    let result = run(folder.path(), "import . --as llmeter --concurrency 4 --format json");
    assert_eq!(result.code, 0, "{}", result.stderr);
    assert_eq!(json(&result.stdout)["rows"].as_array().unwrap().len(), 1);
}

/// A copy of fixtures in a folder of its own.
fn copied(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::copy(Path::new(FIXTURES).join("import").join(name), folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn a_scenario_is_written_fitted_and_gets_more_rows() {
    let folder = copied(&["inferencemax.json"]);
    let command = "import inferencemax.json --out served";
    let first = run(folder.path(), command);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(
        first.stdout.contains("Caution: the files do not tell the precision of the KV cache; bf16 is assumed (--kv)")
    );
    let scenario = fs::read_to_string(folder.path().join("served/scenario.toml")).unwrap();
    for part in [
        "model = \"llama33_70b\"",
        "hardware = \"h100_sxm_80gb\"",
        "tensor_parallel = 4",
        "weight_precision = \"fp8\"",
        "engine = \"vllm\"",
        "imported from InferenceMAX: ITL is tpot",
        "seconds are converted to milliseconds",
    ] {
        assert!(scenario.contains(part), "`{part}` is missing in\n{scenario}");
    }
    let measured = || fs::read_to_string(folder.path().join("served/measured.csv")).unwrap();
    assert_eq!(measured().lines().count(), 3);
    // The scenario is one that the other commands read.
    let predicted =
        run(folder.path(), "predict --scenario-dir served --input-tokens 1024 --output-tokens 1024 --concurrency 8");
    assert_eq!(predicted.code, 0, "{}", predicted.stderr);

    // The same rows again change nothing; others are added, and comments stay.
    fs::write(folder.path().join("served/scenario.toml"), format!("# ours\n{scenario}")).unwrap();
    let again = run(folder.path(), command);
    assert!(again.stdout.contains("2 rows are there already"), "{}", again.stdout);
    let unchanged = fs::read_to_string(folder.path().join("served/scenario.toml")).unwrap();
    assert_eq!(unchanged, format!("# ours\n{scenario}"), "what adds no row is no source");
    assert_eq!(measured().lines().count(), 3);
    let text = fs::read_to_string(folder.path().join("inferencemax.json")).unwrap();
    fs::write(folder.path().join("more.json"), text.replace("\"conc\": 64", "\"conc\": 128")).unwrap();
    let more = run(folder.path(), "import more.json --out served");
    assert_eq!(more.code, 0, "{}", more.stderr);
    assert_eq!(measured().lines().count(), 4);
    let scenario = fs::read_to_string(folder.path().join("served/scenario.toml")).unwrap();
    assert!(scenario.starts_with("# ours\n") && scenario.contains("more.json"), "{scenario}");
}

#[test]
fn rows_of_another_system_are_not_mixed_in() {
    let folder = copied(&["inferencemax.json"]);
    assert_eq!(run(folder.path(), "import inferencemax.json --out served").code, 0);
    let before = fs::read_to_string(folder.path().join("served/measured.csv")).unwrap();
    for (flags, message) in [
        ("--hardware h200_sxm_141gb", "inferencemax.json, 8 clients: its file says device h100_sxm_80gb"),
        // The file says h100, which may be any of them.
        ("--hardware h100_pcie_80gb --tp 4", "another hardware: h100_sxm_80gb, the new rows h100_pcie_80gb"),
        ("--statistic median", "another statistic: mean, the new rows median"),
        ("--tp 8", "inferencemax.json, 8 clients: its file says tensor-parallel degree 4"),
        ("--weights bf16", "its file says precision of weights fp8"),
        ("--model llama31_8b", "its file says model llama33_70b"),
        ("--kv fp8", "another deployment"),
        ("--engine SGLang", "another engine: vllm, the new rows SGLang"),
    ] {
        let result = run(folder.path(), &format!("import inferencemax.json --out served {flags}"));
        assert_eq!(result.code, 2, "{flags}");
        assert!(result.stderr.contains(message), "{}", result.stderr);
    }
    assert_eq!(fs::read_to_string(folder.path().join("served/measured.csv")).unwrap(), before);
}

#[test]
fn of_a_sweep_over_degrees_each_becomes_a_scenario_of_its_own() {
    let folder = copied(&["inferencemax.json"]);
    let path = folder.path().join("inferencemax.json");
    let text = fs::read_to_string(&path).unwrap();
    // The run of 64 clients writes its degree as a text.
    fs::write(&path, text.replace("\"tp\": 4", "\"tp\": 8")).unwrap();
    assert_refused(
        &run(folder.path(), "import inferencemax.json --out both"),
        "the files name more than one tensor-parallel degree: 4, 8",
        "choose with --tp",
    );
    for (degree, clients) in [(4, 64.0), (8, 8.0)] {
        let command = format!("import inferencemax.json --tp {degree} --out tp{degree} --format json");
        let value = json(&run(folder.path(), &command).stdout);
        assert_eq!((value["rows"].as_array().unwrap().len(), row(&value, 0)[2]), (1, clients));
        assert_eq!(value["scenario"]["deployment"]["tensor_parallel"], degree);
        assert!(value["cautions"].to_string().contains("its file says tensor-parallel degree"), "{value}");
    }
    let seen = run(folder.path(), "import inferencemax.json");
    assert!(
        seen.stdout.contains("Caution: the files name more than one tensor-parallel degree: 4, 8"),
        "{}",
        seen.stdout
    );
}

#[test]
fn runs_that_repeat_a_load_are_averaged() {
    let folder = copied(&["vllm.json"]);
    let text = fs::read_to_string(folder.path().join("vllm.json")).unwrap();
    let slower = text.replace("\"mean_ttft_ms\": 56.0", "\"mean_ttft_ms\": 60.0");
    assert_ne!(slower, text);
    fs::write(folder.path().join("slower.json"), slower).unwrap();
    let flags = "--model llama31_8b --hardware h100_sxm_80gb --format json";
    let value = json(&run(folder.path(), &format!("import vllm.json slower.json vllm.json {flags} --out mean")).stdout);
    assert_eq!((value["rows"].as_array().unwrap().len(), row(&value, 0)[3]), (1, 58.0));
    let cautions = value["cautions"].to_string();
    let load = "100 input and 4 output tokens at concurrency 2";
    assert!(cautions.contains(&format!("{load} were measured 2 times: the row holds the mean")), "{cautions}");
    assert!(cautions.contains(&format!("{load} were given twice and count once")), "{cautions}");
    // What is there is one mean of unknown weight: another run of the load is refused, and changes nothing.
    let before = fs::read_to_string(folder.path().join("mean/measured.csv")).unwrap();
    assert_refused(
        &run(folder.path(), &format!("import slower.json {flags} --out mean")),
        &format!(
            "mean/measured.csv:2: {load} were measured before with other results: TTFT 58.00 and ITL 10.67 ms, now 60.00 and 10.67 ms"
        ),
        "import all runs at once into a new folder",
    );
    assert_eq!(fs::read_to_string(folder.path().join("mean/measured.csv")).unwrap(), before);
}

#[test]
fn flags_choose_among_models_devices_and_engines_and_mix_none() {
    let folder = copied(&["vllm.json", "inferencemax.json"]);
    let text = fs::read_to_string(folder.path().join("vllm.json")).unwrap();
    let own = "\"model_id\": \"meta-llama/Llama-3.1-8B-Instruct\"";
    assert!(text.contains(own), "{text}");
    for (name, model) in [("known.json", "llama31_8b"), ("other.json", "Qwen/Qwen0-1B")] {
        fs::write(folder.path().join(name), text.replace(own, &format!("\"model_id\": \"{model}\""))).unwrap();
    }
    let flags = "--model llama31_8b --hardware h100_sxm_80gb --format json";
    let value = json(&run(folder.path(), &format!("import known.json other.json {flags}")).stdout);
    assert_eq!(value["rows"].as_array().unwrap().len(), 1);
    let cautions = value["cautions"].to_string();
    assert!(cautions.contains("left out, other.json: its file says model Qwen/Qwen0-1B"), "{cautions}");
    assert!(!cautions.contains("measured 2 times"), "{cautions}");
    let alone = json(&run(folder.path(), &format!("import other.json {flags}")).stdout);
    let cautions = alone["cautions"].to_string();
    let taken = "the files name the model `Qwen/Qwen0-1B`; llama31_8b is taken for it (--model)";
    assert!(cautions.contains(taken), "{cautions}");

    // Of the two runs of InferenceMAX one is on an unknown device, then of another engine.
    let text = fs::read_to_string(folder.path().join("inferencemax.json")).unwrap();
    for (from, to, flags, left_out) in [
        ("\"hw\": \"h100\"", "\"hw\": \"mi0x\"", "--hardware h100_sxm_80gb", "its file says device mi0x"),
        ("\"framework\": \"vllm\"", "\"framework\": \"sglang\"", "--engine vLLM", "its file says engine sglang"),
    ] {
        let mixed = text.replacen(from, to, 1);
        assert_ne!(mixed, text);
        fs::write(folder.path().join("mixed.json"), mixed).unwrap();
        assert!(run(folder.path(), "import mixed.json --out mixed").stderr.contains("the files name more than one"));
        let value = json(&run(folder.path(), &format!("import mixed.json {flags} --format json")).stdout);
        assert_eq!(value["rows"].as_array().unwrap().len(), 1, "{value}");
        assert!(value["cautions"].to_string().contains(left_out), "{value}");
    }
}

#[test]
fn a_folder_is_read_with_all_that_lies_in_it() {
    let folder = copied(&["vllm.json"]);
    let llmeter = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/llmeter/run_a");
    for run in ["all/run_a", "all/again/run_b"] {
        fs::create_dir_all(folder.path().join(run)).unwrap();
        for file in ["responses.jsonl", "summary.json"] {
            fs::copy(llmeter.join(file), folder.path().join(run).join(file)).unwrap();
        }
    }
    fs::copy(folder.path().join("vllm.json"), folder.path().join("all/vllm.json")).unwrap();
    let value = json(&run(folder.path(), "import all --format json").stdout);
    assert_eq!(value["tools"], serde_json::json!(["vllm", "llmeter"]));
    assert_eq!(value["rows"].as_array().unwrap().len(), 2, "{value}");
    assert!(value["cautions"].to_string().contains("were given twice and count once"), "{value}");
    let value = json(&run(folder.path(), "import all --as LLMeter --format json").stdout);
    assert_eq!(value["tools"], serde_json::json!(["llmeter"]));
}

/// As `vllm bench sweep serve` lays it out.
#[test]
fn of_a_sweep_the_runs_count_and_not_their_summary_nor_the_warm_up() {
    let folder = copied(&["vllm.json"]);
    let text = fs::read_to_string(folder.path().join("vllm.json")).unwrap();
    for degree in [1, 2] {
        let place = folder.path().join(format!("sweep/SERVE-tensor_parallel_size={degree}-BENCH-max_concurrency=2"));
        fs::create_dir_all(&place).unwrap();
        let own = text.replacen('{', &format!("{{\"tensor_parallel_size\": {degree}, "), 1);
        for name in ["run=0.json", "run=1.json", "warmup.json"] {
            let ttft = if name == "warmup.json" { "500.0" } else { "56.0" };
            fs::write(place.join(name), own.replace("\"mean_ttft_ms\": 56.0", &format!("\"mean_ttft_ms\": {ttft}")))
                .unwrap();
        }
        fs::write(place.join("summary.json"), format!("[{own}, {own}]")).unwrap();
    }
    let flags = "--model llama31_8b --hardware h100_sxm_80gb";
    assert!(
        run(folder.path(), &format!("import sweep {flags} --out x"))
            .stderr
            .contains("more than one tensor-parallel degree: 1, 2")
    );
    let value = json(&run(folder.path(), &format!("import sweep {flags} --tp 2 --out tp2 --format json")).stdout);
    assert_eq!((value["rows"].as_array().unwrap().len(), row(&value, 0)[3]), (1, 56.0), "{value}");
    assert_eq!(value["scenario"]["deployment"]["tensor_parallel"], 2);
    let list =
        format!("import sweep/SERVE-tensor_parallel_size=1-BENCH-max_concurrency=2/summary.json {flags} --format json");
    assert_eq!(row(&json(&run(folder.path(), &list).stdout), 0)[3], 56.0, "a list of runs is read, too");
}

#[test]
fn what_a_server_says_of_itself_is_taken() {
    let folder = copied(&["sglang.jsonl", "vllm.json"]);
    let path = folder.path().join("sglang.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().next().unwrap();
    let mut value = json(&line.replace("Infinity", "\"inf\""));
    value["server_info"] = serde_json::json!({"tp_size": 2, "dp_size": 2, "quantization": "fp8", "kv_cache_dtype": "fp8_e5m2",
        "speculative_algorithm": "EAGLE"});
    value["backend"] = "sglang-oai-chat".into();
    fs::write(&path, value.to_string()).unwrap();
    let flags = "--model llama33_70b --hardware h100_sxm_80gb --format json";
    let value = json(&run(folder.path(), &format!("import sglang.jsonl {flags} --out served")).stdout);
    let deployment = &value["scenario"]["deployment"];
    assert_eq!(
        *deployment,
        serde_json::json!({"tensor_parallel": 2, "weight_precision": "fp8", "kv_precision": "fp8"})
    );
    assert_eq!(value["scenario"]["campaign"]["engine"], "sglang");
    let cautions = value["cautions"].to_string();
    assert!(cautions.contains("data parallelism 2") && cautions.contains("speculative decoding (EAGLE)"), "{cautions}");
    assert!(!cautions.contains("do not tell"), "{cautions}");

    // The interface of OpenAI is served by many engines.
    let path = folder.path().join("vllm.json");
    let mut value = json(&fs::read_to_string(&path).unwrap());
    value["backend"] = "openai-chat".into();
    value["spec_decode_acceptance_length"] = 2.8.into();
    fs::write(&path, value.to_string()).unwrap();
    let value = json(&run(folder.path(), "import vllm.json --hardware h100_sxm_80gb --out other --format json").stdout);
    assert_eq!(value["scenario"]["campaign"]["engine"], "unknown");
    assert!(value["cautions"].to_string().contains("speculative decoding (2.80 tokens a step)"), "{value}");
}

#[test]
fn what_neither_files_nor_flags_tell_is_as_in_the_scenario_that_is_there() {
    let folder = copied(&["vllm.json"]);
    let flags = "--model llama31_8b --hardware h100_sxm_80gb --weights fp8 --kv fp8";
    assert_eq!(run(folder.path(), &format!("import vllm.json {flags} --out served")).code, 0);
    let mut value = json(&fs::read_to_string(folder.path().join("vllm.json")).unwrap());
    value["max_concurrency"] = 1.into();
    fs::write(folder.path().join("more.json"), value.to_string()).unwrap();
    let added = run(folder.path(), "import more.json --model llama31_8b --out served");
    assert!(added.code == 0 && !added.stdout.contains("assumed"), "{}{}", added.stdout, added.stderr);
    let measured = fs::read_to_string(folder.path().join("served/measured.csv")).unwrap();
    assert_eq!(measured.lines().count(), 3);
}

#[test]
fn loads_that_are_neither_clients_nor_a_rate_are_no_rows() {
    let folder = copied(&["vllm.json"]);
    let text = fs::read_to_string(folder.path().join("vllm.json")).unwrap();
    for (changes, why) in [
        (vec![("max_concurrency", Value::Null)], "requests were sent all at once"),
        (
            vec![("ramp_up_strategy", "linear".into())],
            "requests were sent at times of their own, as a ramp or a trace has them",
        ),
        (
            vec![("max_concurrency", Value::Null), ("request_rate", "trace".into())],
            "requests were sent at times of their own, as a ramp or a trace has them",
        ),
    ] {
        let mut value = json(&text);
        for (key, new) in changes {
            value[key] = new;
        }
        fs::write(folder.path().join("load.json"), value.to_string()).unwrap();
        assert_refused(
            &run(folder.path(), "import load.json"),
            &format!("no row is left: load.json: {why}, which is neither a number of clients nor a rate"),
            "measure with a fixed number of clients",
        );
    }
}

#[test]
fn a_file_of_another_tool_than_was_said_is_refused() {
    let folder = copied(&["vllm.json"]);
    for tool in ["aiperf", "inference-perf", "guidellm", "inferencemax"] {
        let title: perfmodel::import::Tool = tool.parse().unwrap();
        assert_refused(
            &run(folder.path(), &format!("import vllm.json --as {tool}")),
            &format!("vllm.json: this is a result of vLLM bench serve, not of {}", title.title()),
            "say --as vllm, or leave --as out",
        );
    }
    assert_eq!(run(folder.path(), "import vllm.json --as sglang").code, 0, "it descends from it");
}

#[test]
fn a_rate_that_the_server_did_not_keep_up_with_is_cautioned_about() {
    let folder = copied(&["vllm.json"]);
    let mut value = json(&fs::read_to_string(folder.path().join("vllm.json")).unwrap());
    value["max_concurrency"] = Value::Null;
    value["request_rate"] = 10.0.into();
    // Answers of 4 tokens, so 40 tokens/s are asked for.
    for (rate, doubtful) in [(39.0, false), (20.0, true)] {
        value["output_throughput"] = rate.into();
        fs::write(folder.path().join("open.json"), value.to_string()).unwrap();
        let cautions = json(&run(folder.path(), "import open.json --format json").stdout)["cautions"].to_string();
        assert_eq!(cautions.contains("where 10 requests a second ask for 40.0"), doubtful, "{cautions}");
    }
}

#[test]
fn what_distorts_a_measurement_is_cautioned_about() {
    let folder = copied(&["inferencemax.json", "vllm.json"]);
    let text = fs::read_to_string(folder.path().join("inferencemax.json")).unwrap();
    fs::write(
        folder.path().join("mtp.json"),
        text.replace("\"spec_decoding\": \"none\"", "\"spec_decoding\": \"mtp\""),
    )
    .unwrap();
    let cautions =
        |file: &str| json(&run(folder.path(), &format!("import {file} --format json")).stdout)["cautions"].to_string();
    assert!(cautions("mtp.json").contains("speculative decoding (mtp)"));
    assert!(!cautions("inferencemax.json").contains("speculative"));
    // Two clients, 4 tokens in 56 + 3·10.67 ms: 90.9 tokens a second at most.
    let text = fs::read_to_string(folder.path().join("vllm.json")).unwrap();
    let field = "\"output_throughput\": ";
    let at = text.find(field).unwrap() + field.len();
    let end = at + text[at..].find([',', '\n']).unwrap();
    for (rate, doubtful) in [("99999.0", true), ("85.0", false), ("20.0", true)] {
        fs::write(folder.path().join("rate.json"), format!("{}{rate}{}", &text[..at], &text[end..])).unwrap();
        assert_eq!(cautions("rate.json").contains("what 2 clients have at these latencies, 90.9"), doubtful, "{rate}");
    }
}

#[test]
fn what_was_converted_is_said_of_the_tool_and_the_load_that_it_is_true_of() {
    let said = |arguments: &str| object(arguments)["conversions"].to_string();
    assert!(said("import/vllm.json").contains("concurrency is max_concurrency"));
    let open = said("import/made_by_tools/vllm/rate20.json");
    assert!(open.contains("the rate is request_rate") && !open.contains("max_concurrency"), "{open}");
    assert!(!said("import/made_by_tools/inference-perf/conc4").contains("the rate is"));
    let both = said("import/vllm.json import/inferencemax.json");
    assert!(both.contains("\"vLLM bench serve: ITL is tpot") && both.contains("\"InferenceMAX: ITL is tpot"), "{both}");
}

#[test]
fn a_folder_takes_what_it_knows_and_names_the_rest() {
    let folder = copied(&["inferencemax.json", "profile_export_genai_perf.json", "profile_export_genai_perf.csv"]);
    fs::write(folder.path().join("notes.json"), "{\"a\": 1}").unwrap();
    fs::write(folder.path().join("broken.json"), "{\"a\": ").unwrap();
    let value = json(&run(folder.path(), "import . --format json").stdout);
    assert_eq!(value["tools"], serde_json::json!(["genai-perf", "inferencemax"]));
    // The CSV says what the JSON of its name says.
    assert_eq!(value["rows"].as_array().unwrap().len(), 3);
    let cautions: Vec<&str> = value["cautions"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    for name in ["notes.json", "broken.json"] {
        assert!(cautions.iter().any(|caution| caution.contains(name)), "{cautions:?}");
    }
}

#[test]
fn compressed_files_with_a_byte_order_mark_and_names_with_blanks_are_read() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read(Path::new(FIXTURES).join("import/guidellm.json")).unwrap();
    let file = fs::File::create(folder.path().join("größe 1.json.gz")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(b"\xEF\xBB\xBF").unwrap();
    encoder.write_all(&text).unwrap();
    encoder.finish().unwrap();
    let result =
        common::perfmodel(folder.path()).args(["import", "größe 1.json.gz", "--format", "json"]).output().unwrap();
    let result = Run::from(result);
    assert_eq!(result.code, 0, "{}", result.stderr);
    // What is printed to be used can be used.
    let written = common::perfmodel(folder.path())
        .args([
            "import",
            "größe 1.json.gz",
            "--model",
            "llama31_8b",
            "--hardware",
            "h100_sxm_80gb",
            "--out",
            "mein ordner",
        ])
        .output()
        .unwrap();
    let written = Run::from(written).stdout;
    assert!(written.contains("then: perfmodel evaluate --scenario './mein ordner' --uncalibrated\n"), "{written}");
    assert_eq!(row(&json(&result.stdout), 0), row(&object("import/guidellm.json"), 0));
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = copied(&["inferencemax.json", "guidellm.json"]);
    fs::write(folder.path().join("notes.json"), "{\"a\": 1}").unwrap();
    fs::write(folder.path().join("cut.json"), "{\"tput_per_gpu\": 1,\n \"conc\": ").unwrap();
    let refused = |arguments: &str, message: &str, help: &str| {
        assert_refused(&run(folder.path(), &format!("import {arguments}")), message, help);
    };
    refused("notes.json", "notes.json: this is no result file of a tool that is known", "name the tool with --as");
    refused("missing", "missing: there is no such file or folder", "give a result file");
    refused(
        "cut.json --as inferencemax",
        "cut.json:2:9: this is no result of that tool (EOF while parsing a value)",
        "as the tool wrote it",
    );
    // Without --as it is told where the file breaks off, too.
    refused(
        "cut.json",
        "cut.json:2:9: this is no result of that tool (EOF while parsing a value)",
        "as the tool wrote it",
    );
    fs::write(folder.path().join("empty.json"), " \n").unwrap();
    refused("empty.json", "empty.json: this file is empty", "give a result file");
    fs::create_dir(folder.path().join("nothing")).unwrap();
    refused("nothing", "nothing: there is no result of a tool that is known in this folder", "searched for .json");
    let requests = Path::new(FIXTURES).join("import/profile_export.jsonl");
    refused(
        requests.to_str().unwrap(),
        &format!("{}: these are the requests of AIPerf one by one", requests.display()),
        "profile_export_aiperf.json",
    );
    refused("inferencemax.json --out notes.json", "notes.json: this is a file, not a folder", "choose a folder");
    refused("guidellm.json --out x", "the files name the model `mock`, which is not known", "give --model ID");
    refused("guidellm.json --model llama31_8b --out x", "the files do not tell the hardware", "give --hardware ID");
    refused(
        "inferencemax.json --load open_loop",
        "no row is left: inferencemax.json, 8 clients: a closed loop of 8 clients, the other rows have rates",
        "--load",
    );
    assert!(!folder.path().join("x").exists(), "nothing is written where an import fails");
}

/// What a mock server was made to do: TTFT 40 ms and a little, a token every 5 ms (tests/fixtures/import/made_by_tools/README.md).
#[track_caller]
fn assert_mock(of: &Value, index: usize, output_tokens: f64, load: f64) {
    let [input, output, at, ttft, itl, _] = row(of, index);
    let what = format!("{:?}", row(of, index));
    assert!((60.0..=110.0).contains(&input), "{what}");
    assert_eq!(output, output_tokens, "{what}");
    assert!((at / load - 1.0).abs() < 0.05, "{what}");
    assert!((40.0..90.0).contains(&ttft), "{what}");
    assert!((itl - 5.0).abs() < 0.35, "{what}");
}

#[test]
fn results_made_by_the_tools_say_what_the_server_did() {
    for (path, tool, kind, load) in [
        ("aiperf/c4", "aiperf", "closed_loop", 4.0),
        ("aiperf/rate20", "aiperf", "open_loop", 20.0),
        ("aiperf-0.3.0", "aiperf", "closed_loop", 4.0),
        ("genai-perf/c4", "genai-perf", "closed_loop", 4.0),
        ("genai-perf/rate20", "genai-perf", "open_loop", 20.0),
        ("guidellm-0.3.1/benchmarks.json", "guidellm", "closed_loop", 4.0),
        ("guidellm-0.3.1/benchmarks.csv", "guidellm", "closed_loop", 4.0),
        ("guidellm-0.5.3/c4/benchmarks.json", "guidellm", "closed_loop", 4.0),
        ("guidellm-0.5.3/c4/benchmarks.csv", "guidellm", "closed_loop", 4.0),
        ("guidellm-0.5.3/rate10/benchmarks.json", "guidellm", "open_loop", 10.0),
        ("inference-perf/conc4", "inference-perf", "closed_loop", 4.0),
        ("sglang/bench_serving_single.jsonl", "sglang", "closed_loop", 4.0),
        ("sglang/bench_serving_server_info.jsonl", "sglang", "closed_loop", 4.0),
        ("sglang/bench_serving_v0.4.6.post5.jsonl", "sglang", "closed_loop", 4.0),
        ("vllm/c4.json", "vllm", "closed_loop", 4.0),
        ("vllm/rate20.json", "vllm", "open_loop", 20.0),
        ("vllm-0.9.2/c4.json", "vllm", "closed_loop", 4.0),
        ("vllm-0.9.2/rate20.json", "vllm", "open_loop", 20.0),
    ] {
        let value = object(&format!("import/made_by_tools/{path} --statistic median"));
        assert_eq!((&value["tools"], &value["load"]), (&serde_json::json!([tool]), &kind.into()), "{path}");
        let rows = value["rows"].as_array().unwrap().len();
        assert!(rows > 0, "{path}");
        for index in 0..rows {
            assert_mock(&value, index, 16.0, load);
        }
        assert!(!value["cautions"].to_string().contains("no result of a tool"), "{path}: {}", value["cautions"]);
    }
}

#[test]
fn inference_perf_before_its_seventh_version_is_cautioned_about() {
    let value = object("import/made_by_tools/inference-perf/stages");
    // 10 and 20 requests a second were asked for; the rate that was achieved counts.
    assert_eq!(value["rows"].as_array().unwrap().len(), 2);
    for index in 0..2 {
        assert!((row(&value, index)[4] - 5.0).abs() < 0.35, "{value}");
    }
    assert!(!value["cautions"].to_string().contains("inference-perf before 0.7"), "{value}");
    let old = object("import/made_by_tools/inference-perf/v0.3.0_stages");
    assert_eq!(old["cautions"].to_string().matches("inference-perf before 0.7").count(), 1, "{old}");
}

#[test]
fn requests_made_by_the_tools_say_what_the_server_did() {
    for path in [
        "aiperf/c4/profile_export.jsonl",
        "aiperf-0.3.0/profile_export.jsonl",
        "guidellm-0.3.1/benchmarks.json",
        "guidellm-0.5.3/c4/benchmarks.json",
        "inference-perf/stages/per_request_lifecycle_metrics.json",
        "inference-perf/v0.3.0_stages/per_request_lifecycle_metrics.json",
        "sglang/bench_serving_v0.4.6.post5.jsonl",
        "vllm/c4_detailed.json",
        "vllm-0.9.2/c4_detailed.json",
    ] {
        let result =
            run(FIXTURES.as_ref(), &format!("compare import/made_by_tools/{path} --dimension ttft,tpot --format json"));
        assert_eq!(result.code, 0, "{path}: {}", result.stderr);
        let value = json(&result.stdout);
        let side = |index: usize| &value["groups"][0]["dimensions"][index]["sides"][0];
        for side in [side(0), side(1)] {
            assert!(side["values"].as_u64().unwrap() >= 8, "{path}: {side}");
        }
        // The first requests of one run waited for connections, so the shortest tell what the server did.
        let (ttft, tpot) = (&side(0)["min"], &side(1)["quantiles"][0]["value"]);
        assert!((0.040..0.055).contains(&ttft.as_f64().unwrap()), "{path}: {ttft}");
        assert!((tpot.as_f64().unwrap() - 0.005).abs() < 0.0004, "{path}: {tpot}");
    }
}
