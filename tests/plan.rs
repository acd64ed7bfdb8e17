//! `perfmodel plan` from outside: what it recommends holds, and it says why where it recommends nothing.

mod common;
#[path = "common/refused.rs"]
mod refused;
#[path = "common/schema.rs"]
mod schema;

use common::{Run, run};
use refused::assert_refused;
use schema::{assert_matches_schema, json};
use serde_json::Value;

fn at(arguments: &str) -> Run {
    run(tempfile::tempdir().unwrap().path(), arguments)
}

fn plan(arguments: &str) -> Value {
    let result = at(&format!("plan {arguments} --format json"));
    let value = json(&result.stdout);
    assert_matches_schema("plan.schema.json", &value);
    assert_eq!(result.code, i32::from(value["options"].as_array().unwrap().is_empty()), "{}", result.stderr);
    value
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Every option of some plans, predicted again by `perfmodel predict`: the same values, and within the limits.
#[test]
fn what_a_plan_recommends_meets_its_limits_when_predicted_again() {
    let calibration = concat!(
        "--calibration ",
        env!("CARGO_MANIFEST_DIR"),
        "/evaluations_results/llama33_70b_fp8_tp2/serving/calibration.toml"
    );
    let scenario = format!("--scenario llama33_70b_fp8_tp2 {calibration}");
    let questions = [
        ("--model llama31_8b", "--users 300", "--slo-ttft-ms 1500 --slo-itl-ms 40", "concurrency", ""),
        ("--model qwen3_32b", "--rate 20", "--slo-ttft-ms 1500 --slo-ttft-at p99 --slo-itl-ms 60", "rate", calibration),
        (scenario.as_str(), "--users 100", "--slo-e2e-ms 15000", "concurrency", ""),
    ];
    for (subject, load, limits, flag, calibration) in questions {
        let value = plan(&format!(
            "{subject} {load} {limits} --input-tokens 1000 --output-tokens 300 --hardware h100_sxm_80gb,a100_sxm_80gb \
             {calibration}"
        ));
        let options = value["options"].as_array().unwrap();
        assert!(options.len() > 3, "{subject}: {value}");
        for option in options {
            let again = at(&format!(
                "predict {subject} --hardware {} --tp {} --weights {} --kv {} --input-tokens 1000 --output-tokens 300 \
                 --{flag} {} {calibration} --format json",
                option["hardware"].as_str().unwrap(),
                option["tensor_parallel"],
                option["weight_precision"].as_str().unwrap(),
                option["kv_precision"].as_str().unwrap(),
                option["load_per_replica"],
            ));
            assert_eq!(again.code, 0, "{}", again.stderr);
            let again = &json(&again.stdout)["predictions"][0];
            for key in ["itl_ms", "itl_high_ms", "e2e_high_ms"] {
                let (planned, predicted) = (number(&option[key]), number(&again[key]));
                assert!((planned / predicted - 1.0).abs() < 1e-9, "{key}: {planned} and {predicted}");
            }
            let slo = &value["slo"];
            let holds = |limit: &Value, high: f64| limit.is_null() || high <= number(limit);
            let percentile = if slo["ttft_at"] == "p99" {
                number(&again["open_loop"]["ttft_p99_ms"]) / number(&again["ttft_ms"])
            } else {
                1.0
            };
            assert!(holds(&slo["ttft_ms"], percentile * number(&again["ttft_high_ms"])), "{option}");
            assert!(holds(&slo["itl_ms"], number(&again["itl_high_ms"])), "{option}");
            assert!(holds(&slo["e2e_ms"], number(&again["e2e_high_ms"])), "{option}");
            assert!(number(&option["tightest"]["used_pct"]) <= 100.0);
        }
    }
}

const QUESTION: &str = "plan --model llama31_8b --hardware h100_sxm_80gb --tp 1 --weights fp8 --kv fp8 --input-tokens 500 \
                        --output-tokens 200";

/// One replica less misses a limit, and so does the demand with more than the headroom on top.
#[test]
fn an_option_is_the_smallest_of_its_placement_and_its_headroom_ends_where_it_says() {
    let ask = |rate: f64, replicas: &str| {
        let result = at(&format!("{QUESTION} --rate {rate} --slo-itl-ms 12 --replicas {replicas} --format json"));
        json(&result.stdout)
    };
    let found = ask(200.0, "1..256");
    let option = &found["options"][0];
    let replicas = option["replicas"].as_u64().unwrap();
    assert!(replicas > 2, "{option}");
    let fits = |value: &Value| !value["options"].as_array().unwrap().is_empty();
    assert!(!fits(&ask(200.0, &(replicas - 1).to_string())));
    let headroom = number(&option["headroom_pct"]) / 100.0;
    assert!(fits(&ask(200.0 * (1.0 + headroom) * 0.999, &replicas.to_string())));
    assert!(!fits(&ask(200.0 * (1.0 + headroom) * 1.02, &replicas.to_string())));
}

#[test]
fn options_are_ranked_by_cost_and_a_price_flag_changes_it() {
    let question = "--model llama31_8b --users 50 --input-tokens 500 --output-tokens 200 --slo-itl-ms 60";
    let value = plan(question);
    let costs: Vec<f64> = value["options"]
        .as_array()
        .unwrap()
        .iter()
        .map(|option| option["usd_per_hour"].as_f64().unwrap_or(f64::INFINITY))
        .collect();
    assert!(costs.is_sorted() && costs.len() > 20, "{costs:?}");
    assert!(costs.iter().any(|cost| cost.is_infinite()), "a device without a price is an option");
    for option in value["options"].as_array().unwrap().iter().filter(|option| !option["usd_per_hour"].is_null()) {
        let (usd, rate) = (number(&option["usd_per_hour"]), number(&option["throughput_tok_s"]));
        let want = usd / (rate * 3600.0) * 1e6;
        assert!((number(&option["usd_per_million_tokens"]) / want - 1.0).abs() < 1e-9);
    }
    let front: Vec<(f64, f64)> = value["pareto"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| (number(&point["usd_per_hour"]), number(&point["itl_ms"])))
        .collect();
    assert!(front.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 > pair[1].1), "{front:?}");

    let cheap = plan(&format!("{question} --price h100_nvl_94gb=0.001"));
    assert_eq!(cheap["options"][0]["hardware"], "h100_nvl_94gb");
    let flat = plan(&format!("{question} --price 3"));
    for option in flat["options"].as_array().unwrap() {
        assert_eq!(number(&option["usd_per_hour"]), 3.0 * number(&option["gpus"]));
    }
}

#[test]
fn where_nothing_fits_it_says_what_is_nearest_and_what_binds() {
    let question = "--model llama33_70b --rate 1 --input-tokens 1000 --output-tokens 300 --slo-itl-ms 2";
    let value = plan(question);
    assert!(value["options"].as_array().unwrap().is_empty());
    let nearest = &value["nearest"];
    // One request a second decodes nearly alone on a few replicas already, so they come as near as all that are allowed.
    assert!(number(&nearest["replicas"]) <= 10.0, "{nearest}");
    assert!(number(&nearest["tightest"]["used_pct"]) > 100.0);
    assert_eq!(nearest["tightest"]["metric"], "itl");
    let failures = value["failures"].as_array().unwrap();
    assert!(failures.iter().any(|failure| failure["reason"].as_str().unwrap().contains("even with next to no load")));
    assert!(failures.iter().any(|failure| failure["reason"].as_str().unwrap().contains("does not fit")));

    let result = at(&format!("plan {question}"));
    assert_eq!(result.code, 1);
    for words in ["Nothing meets the limits. Nearest: ", "UNCALIBRATED", "Devices without an option"] {
        assert!(result.stdout.contains(words), "{}", result.stdout);
    }
    assert!(
        result.stderr.starts_with("error: nothing meets the limits\n  help: loosen the limits"),
        "{}",
        result.stderr
    );

    let few =
        at("plan --model llama31_8b --hardware h100_sxm_80gb --rate 500 --input-tokens 1000 --output-tokens 300 \
                  --slo-itl-ms 30 --max-gpus 2");
    assert_eq!(few.code, 1);
    assert!(few.stderr.contains("allow more than --max-gpus 2"), "{}", few.stderr);
}

#[test]
fn people_get_a_ranked_table_and_a_command_that_runs() {
    let home = tempfile::tempdir().unwrap();
    let result = run(
        home.path(),
        "plan --model llama31_8b --users 50 --input-tokens 500 --output-tokens 200 --slo-itl-ms 60 --top 3 --plot",
    );
    assert_eq!(result.code, 0, "{}", result.stderr);
    for words in ["USD/h", "headroom", "the limits are met by", "more (--top)", "Caution: UNCALIBRATED"] {
        assert!(result.stdout.contains(words), "{words}: {}", result.stdout);
    }
    let command = result.stdout.lines().map(str::trim).find(|line| line.starts_with("perfmodel predict ")).unwrap();
    let again = run(home.path(), command.strip_prefix("perfmodel ").unwrap());
    assert_eq!(again.code, 0, "{}", again.stderr);
    let page = std::fs::read_to_string(home.path().join("evaluations_results/plans/llama31_8b/plan.html")).unwrap();
    assert!(page.contains("Cost against ITL") && page.contains("Cost against TTFT"));

    let csv = run(
        home.path(),
        "plan --model llama31_8b --users 50 --input-tokens 500 --output-tokens 200 --slo-itl-ms 60 --format csv",
    );
    let columns: Vec<usize> = csv.stdout.lines().map(|line| line.split(',').count()).collect();
    assert!(columns.len() > 10 && columns.iter().all(|count| *count == columns[0]), "{}", csv.stdout);
}

#[test]
fn wrong_questions_are_refused() {
    let good = "plan --model llama31_8b --input-tokens 500 --output-tokens 200";
    for (flags, message, help) in [
        ("--users 0 --slo-itl-ms 9", "concurrency is 0", "1"),
        ("--rate 0 --slo-itl-ms 9", "rate_rps is 0", "0.000001"),
        ("--users 5 --slo-itl-ms 9 --hardware h10*,x9*", "no hardware matches `x9*`", "known: "),
        ("--users 5 --slo-itl-ms 9 --hardware h100_sxm", "", ""),
        ("--users 5 --slo-itl-ms 9 --tp 1.5", "--tp holds 1.5", "whole numbers"),
        ("--users 5 --slo-itl-ms 9 --replicas 0,1", "--replicas holds 0", "whole numbers"),
        (
            "--users 5 --slo-itl-ms 9 --hardware l4_24gb --price h100_sxm_80gb=2",
            "--price names `h100_sxm_80gb`, which is not among the devices",
            "drop the price",
        ),
    ] {
        let result = at(&format!("{good} {flags}"));
        if message.is_empty() {
            assert!(result.code == 2 && result.stderr.contains("did you mean"), "{}", result.stderr);
        } else {
            assert_refused(&result, message, help);
        }
    }
    // What the parser of arguments refuses has its own words.
    for (flags, want) in [
        ("--users 5", "--slo-ttft-ms"),
        ("--users 5 --slo-itl-ms -3", "-3"),
        ("--users 5 --slo-itl-ms nan", "above 0"),
        ("--users 5 --rate 2 --slo-itl-ms 9", "cannot be used with"),
        ("--users 5 --slo-itl-ms 9 --price h100=x", "US dollars"),
        ("--users 5 --slo-ttft-ms 9 --slo-ttft-at p99", "--rate"),
        ("--slo-itl-ms 9", "--users"),
    ] {
        let result = at(&format!("{good} {flags}"));
        assert!(
            result.code == 2 && result.stderr.contains(want) && result.stdout.is_empty(),
            "{flags}: {}",
            result.stderr
        );
    }
}

/// A rate just above the one that needs another replica needs no fewer, though percentiles and tiles bend the curves there.
#[test]
fn a_larger_demand_never_needs_fewer_devices() {
    let gpus: Vec<f64> = (0..24)
        .map(|step| {
            let rate = 28.0 + 0.05 * f64::from(step);
            let value = plan(&format!(
                "--scenario llama33_70b_fp8_tp2 --hardware h100_sxm_80gb --tp 2 --weights fp8 --kv fp8 --rate {rate} \
                 --input-tokens 200 --output-tokens 200 --slo-ttft-ms 400 --slo-itl-ms 110"
            ));
            number(&value["options"][0]["gpus"])
        })
        .collect();
    assert!(gpus.is_sorted(), "{gpus:?}");
}
