//! `perfmodel compare` from outside.

mod common;
#[path = "common/refused.rs"]
mod refused;
#[path = "common/schema.rs"]
mod schema;

use std::fs;

use common::{Run, perfmodel, run};
use refused::assert_refused;
use schema::{assert_matches_schema, json};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/llmeter");

/// Runs `perfmodel compare` in the folder of the fixtures.
fn compare(arguments: &str) -> Run {
    run(FIXTURES.as_ref(), &format!("compare {arguments}"))
}

fn object(arguments: &str) -> Value {
    let result = compare(&format!("{arguments} --format json"));
    assert_eq!(result.code, 0, "{arguments}: {}", result.stderr);
    let value = json(&result.stdout);
    assert_matches_schema("compare.schema.json", &value);
    value
}

#[test]
fn the_text_says_what_changed_and_what_to_beware_of() {
    let result = compare("run_a run_b");
    assert_eq!((result.code, result.stderr.as_str()), (0, ""));
    for part in [
        "TTFT of run_b against run_a: p50 +11.8 % (slower by more than 5 %), p90 +5.5 % (undecided)",
        "TPOT of run_b against run_a: p50 -9.9 % (faster by more than 5 %)",
        "Caution: the runs were not asked the same: input tokens of run_a have a median of 418, of run_b 469 (ratio 1.122",
        "Caution: run_a: 28 answers hold tokens of reasoning",
        "At the same 440.5 input tokens TTFT of run_b differs by +9.6",
        "too few requests",
        "9999 resamples with seed 1",
    ] {
        assert!(result.stdout.contains(part), "`{part}` is missing in\n{}", result.stdout);
    }
}

#[test]
fn every_kind_of_input_gives_the_object_of_the_schema() {
    let both = object("run_a run_b --fail-if-slower 20%");
    assert_eq!(both["gate"]["checks"].as_array().unwrap().len(), 3);
    let one = object("run_a --dimension tpot");
    assert!(one["gate"].is_null() && one["groups"][0]["dimensions"][0]["against_first"].as_array().unwrap().is_empty());
    let old = object("interrupted_truncated older/run_0.1.4 --block 1 --dimension TPOT,retries");
    // 0.1.4 knows no retries.
    assert!(old["groups"][0]["dimensions"][1]["sides"][1].is_null());
    assert!(old["groups"][0]["dimensions"][1]["against_first"][0].is_null());
    let load = object("loadtest --slo-ttft-ms 400 --slo-itl-ms 20");
    let levels = load["load_tests"][0]["levels"].as_array().unwrap();
    assert_eq!(levels.len(), 6);
    let last = &levels[5];
    let [good, answers, requests] =
        ["good_per_minute", "answers_per_minute", "requests_per_minute"].map(|key| last[key].as_f64().unwrap());
    // Failed requests count for LLMeter's rate and not for answers.
    assert!(good < answers && answers < 0.72 * requests, "{last}");
}

#[test]
fn load_tests_are_compared_level_by_level() {
    let value = object("old=loadtest new=loadtest");
    let clients: Vec<u64> =
        value["groups"].as_array().unwrap().iter().map(|group| group["clients"].as_u64().unwrap()).collect();
    assert_eq!(clients, [1, 2, 4, 8, 16, 32]);
    for group in value["groups"].as_array().unwrap() {
        let median = &group["dimensions"][0]["against_first"][0]["quantiles"][0];
        assert_eq!(median["difference"].as_f64(), Some(0.0));
    }
}

#[test]
fn runs_of_a_side_are_drawn_before_their_requests() {
    let single = object("run_a run_b");
    let joined = object("a=run_a,run_b b=run_b,run_a");
    let median = |value: &Value| value["groups"][0]["dimensions"][1]["against_first"][0]["quantiles"][0].clone();
    let (single, joined) = (median(&single), median(&joined));
    assert_eq!(joined["difference"].as_f64(), Some(0.0));
    assert_eq!(joined["interval"]["method"], "percentile");
    // Two runs a side that differ by 1.2 ms tell less than two runs that are taken for the whole truth.
    let width = |of: &Value| of["interval"]["high"].as_f64().unwrap() - of["interval"]["low"].as_f64().unwrap();
    assert!(width(&joined) > 2.0 * width(&single), "{} {}", width(&joined), width(&single));
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let with_threads = |threads: &str, seed: &str| {
        let mut command = perfmodel(FIXTURES.as_ref());
        command
            .env("RAYON_NUM_THREADS", threads)
            .args(["compare", "run_a", "run_b", "--format", "json", "--seed", seed]);
        command.output().expect("the binary runs").stdout
    };
    assert_eq!(with_threads("1", "7"), with_threads("3", "7"));
    assert_ne!(with_threads("1", "7"), with_threads("1", "8"));
}

#[test]
fn slower_than_allowed_fails_and_says_where() {
    let failed = compare("run_a run_b --fail-if-slower 5%");
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("slower by more than 5 %: time_to_first_token p50 of run_b"), "{}", failed.stderr);
    assert!(failed.stdout.contains("Slower by more than 5 %?"), "the report is printed all the same");
    assert_eq!(compare("run_a run_b --fail-if-slower 20%").code, 0);
    assert_eq!(compare("run_b run_a --fail-if-slower 5% --dimension time_to_first_token").code, 0);
    // The interval of +5.5 % at p90 holds 5 %: neither passed nor failed.
    let open = compare("run_a run_b --fail-if-slower 5% --fail-at 90");
    assert_eq!(open.code, 0);
    assert!(open.stdout.contains("cannot tell; measure more requests"), "{}", open.stdout);
}

#[test]
fn what_cannot_be_told_neither_fails_nor_passes_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let log = |name: &str, requests: usize, line: &dyn Fn(usize) -> String| {
        let text: String = (0..requests).map(|request| line(request) + "\n").collect();
        fs::write(folder.path().join(name), text).unwrap();
    };
    let streamed = |factor: f64| {
        move |request: usize| {
            let first = factor * (0.1 + 0.001 * (request % 7) as f64);
            format!(
                r#"{{"time_to_first_token": {first}, "time_to_last_token": {}, "num_tokens_input": 100, "num_tokens_output": 50}}"#,
                first + 1.0
            )
        }
    };
    log("base.jsonl", 100, &streamed(1.0));
    log("few.jsonl", 3, &streamed(1.5));
    log("whole.jsonl", 100, &|_| {
        r#"{"time_to_last_token": 1.1, "num_tokens_input": 100, "num_tokens_output": 50}"#.to_owned()
    });
    log("failing.jsonl", 100, &|request| match request % 4 {
        0 => streamed(1.0)(request),
        _ => r#"{"error": "no", "num_tokens_input": 100}"#.to_owned(),
    });
    let against = |other: &str| run(folder.path(), &format!("compare base.jsonl {other} --fail-if-slower 5%"));
    let few = against("few.jsonl");
    assert!(few.code == 0 && few.stdout.contains("cannot tell; measure more requests"), "{}{}", few.stdout, few.stderr);
    let whole = against("whole.jsonl");
    assert_eq!(whole.code, 1);
    let lacking = "error: cannot tell whether it is slower: no time_to_first_token of whole.jsonl, no time_per_output_token of whole.jsonl\n";
    assert!(
        whole.stderr.contains(lacking) && whole.stdout.contains("not measured"),
        "{}{}",
        whole.stdout,
        whole.stderr
    );
    let failing = against("failing.jsonl");
    assert!(failing.stdout.contains("failing.jsonl: 75 of 100 requests failed"), "{}", failing.stdout);
    assert_eq!(failing.code, 1);
    assert!(failing.stderr.contains("error: more requests failed: 75 of 100 of failing.jsonl\n"), "{}", failing.stderr);
    let open = run(folder.path(), "compare base.jsonl failing.jsonl whole.jsonl --fail-if-slower 50% --format json");
    assert_matches_schema("compare.schema.json", &json(&open.stdout));
}

#[test]
fn lines_and_times_that_cannot_be_are_refused_or_said() {
    let folder = tempfile::tempdir().unwrap();
    let compare = |text: &str| {
        fs::write(folder.path().join("r.jsonl"), text).unwrap();
        run(folder.path(), "compare r.jsonl")
    };
    let line = r#"{"time_to_first_token": 0.1, "time_to_last_token": 1.0}"#;
    assert_refused(&compare(&format!("{line}\n[9, 9]\n")), "r.jsonl:2:1: this is a list", "a line is one JSON object");
    assert_refused(
        &compare(&format!("{line}\n{}\n", line.replace("1.0", "1e200"))),
        "r.jsonl: `time_to_last_token` of request 2 is 1e200, which no time or count is",
        "mend or delete the request",
    );
    let backwards = compare(&format!("{line}\n{line}\n{}\n", line.replace("1.0", "0.05")));
    let said = "r.jsonl: of 1 requests the last token comes before the first";
    assert!(backwards.code == 0 && backwards.stdout.contains(said), "{}{}", backwards.stdout, backwards.stderr);
}

#[test]
fn the_filter_decides_on_zeros() {
    let values = |filter: &str| {
        let value = object(&format!("run_b --dimension time_per_output_token --filter {filter}"));
        let side = &value["groups"][0]["dimensions"][0]["sides"][0];
        (side["values"].as_u64().unwrap(), side["zeros_left_out"].as_u64().unwrap())
    };
    assert_eq!(values("positive"), (293, 2));
    assert_eq!(values("not-null"), (295, 0));
    let completed = object("run_b --dimension time_to_first_token --completed-only");
    assert_eq!(completed["groups"][0]["dimensions"][0]["sides"][0]["values"], 301);
}

#[test]
fn wrong_input_is_refused_with_a_remedy() {
    for (arguments, message, help) in [
        ("run_a nowhere", "nowhere: there is no such file or folder", "LLMeter"),
        ("run_a loadtest", "loadtest is a load test, run_a is not", "one level of the load test"),
        ("run_a run_a", "two sides have the same name", "before=RUN after=RUN"),
        ("a=run_a,loadtest", "loadtest: a load test cannot be joined with other runs", "side of its own"),
        ("run_a --fail-if-slower 5%", "--fail-if-slower needs two runs", "base first"),
        ("run_a --resamples 5", "--resamples is 5", "from 100"),
        ("run_a --block 0", "--block is 0", "one request at least"),
        (
            "run_a run_b --block 200",
            "--block is 200, and run_a has 320 requests: fewer than 10 blocks do not show how they vary",
            "at most 32 requests",
        ),
        (
            "run_a run_b --fail-if-slower 5% --dimension retries",
            "--fail-if-slower has no latency to look at",
            "a latency that both runs have measured",
        ),
    ] {
        assert_refused(&compare(arguments), message, help);
    }
    for (arguments, part) in [
        ("run_a --dimension ttfd", "unknown dimension `ttfd`"),
        ("run_a --confidence 95", "write 5% or 0.05"),
        ("run_a --filter none", "unknown filter `none`"),
        ("run_a --quantiles 101", "a percentile lies between 0 and 100"),
    ] {
        let result = compare(arguments);
        assert!(result.code == 2 && result.stderr.contains(part), "{}", result.stderr);
    }
}

#[test]
fn a_broken_line_is_named_by_its_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log.jsonl"), "{\"time_to_last_token\": 1}\n{\"time_to_last_token\": \"x\"}\n")
        .unwrap();
    let result: Run = perfmodel(folder.path()).args(["compare", "log.jsonl"]).output().unwrap().into();
    assert_refused(
        &result,
        "log.jsonl:2:26: invalid type: string \"x\", expected f64",
        "a line is one JSON object with the fields of LLMeter's responses.jsonl",
    );
}

#[test]
fn runs_are_held_against_the_model_under_their_own_workload() {
    let system = "--model llama31_8b --hardware h100_sxm_80gb";
    let value = object(&format!("run_a run_b {system}"));
    let predictions = value["groups"][0]["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 2);
    for (index, prediction) in predictions.iter().enumerate() {
        assert_eq!(prediction["clients"], 16);
        let latencies = prediction["latencies"].as_array().unwrap();
        assert_eq!(latencies.len(), 3);
        for (latency, study) in latencies.iter().zip(value["groups"][0]["dimensions"].as_array().unwrap()) {
            assert_eq!(latency["dimension"], study["dimension"]);
            let number = |value: &Value| value.as_f64().unwrap();
            let mean = number(&study["sides"][index]["mean"]);
            let want = 100.0 * (number(&latency["predicted"]) / mean - 1.0);
            assert!((number(&latency["mean_error_pct"]) - want).abs() < 1e-9);
            assert!(number(&latency["low"]) < number(&latency["predicted"]));
        }
    }
    // The same answer as `predict` gives for that workload.
    let asked = &predictions[0];
    let workload = format!(
        "predict {system} --input-tokens {} --output-tokens {} --concurrency 16 --format json",
        asked["input_tokens"], asked["output_tokens"]
    );
    let predicted = json(&run(FIXTURES.as_ref(), &workload).stdout);
    let ttft = predicted["predictions"][0]["ttft_ms"].as_f64().unwrap();
    assert!((ttft / (1e3 * asked["latencies"][0]["predicted"].as_f64().unwrap()) - 1.0).abs() < 1e-9, "{predicted}");

    let load = object(&format!("loadtest {system}"));
    let clients: Vec<u64> = load["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["predictions"][0]["clients"].as_u64().unwrap())
        .collect();
    assert_eq!(clients, [1, 2, 4, 8, 16, 32]);
    assert_eq!(load["cautions"].as_array().unwrap().len(), 1, "one caution on reasoning for all levels");
}

#[test]
fn a_log_without_clients_needs_them_for_the_model_and_flags_of_no_system_are_refused() {
    let log = "run_a/responses.jsonl";
    let system = "--model llama31_8b --hardware h100_sxm_80gb";
    let unknown = compare(&format!("{log} {system}"));
    assert_eq!(unknown.code, 0);
    assert!(unknown.stdout.contains("its clients are not known; give them with --concurrency"), "{}", unknown.stdout);
    let value = object(&format!("{log} {system} --concurrency 16"));
    assert_eq!(value["groups"][0]["predictions"][0]["clients"], 16);
    let (told, kept) = (compare(&format!("run_a {system} --concurrency 8")), "so --concurrency 8 is not used");
    assert!(told.stdout.contains(kept), "{}", told.stdout);
    for (arguments, message, help) in [
        ("run_a --concurrency 8", "--concurrency is for predictions, and no system is named", "give --scenario ID"),
        ("run_a --tp 2", "--tp describes a system, and none is named", "give --scenario ID"),
        (
            "a=run_a,run_b run_b --block 4",
            "--block and several runs a side exclude each other: there, whole runs are drawn first",
            "leave --block out",
        ),
    ] {
        assert_refused(&compare(arguments), message, help);
    }
}

#[test]
fn old_names_of_flags_are_read_and_the_new_ones_said() {
    for (old, new, said) in [
        ("loadtest --slo-tpot-ms 20", "loadtest --slo-itl-ms 20", "--slo-tpot-ms is now called --slo-itl-ms\n"),
        (
            "run_a/responses.jsonl --model llama31_8b --hardware h100_sxm_80gb --clients 16",
            "run_a/responses.jsonl --model llama31_8b --hardware h100_sxm_80gb --concurrency 16",
            "--clients is now called --concurrency\n",
        ),
    ] {
        let (old, new) = (compare(old), compare(new));
        assert_eq!((old.code, old.stderr.as_str(), old.stdout), (0, said, new.stdout));
        assert_eq!(new.stderr, "");
    }
    let both = compare("loadtest --slo-tpot-ms 20 --slo-itl-ms 20");
    assert!(both.code == 2 && both.stderr.contains("cannot be used with"), "{}", both.stderr);
}
