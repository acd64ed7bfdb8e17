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
    for prices in ["--price h100_nvl_94gb=0.001 --price 3", "--price 3 --price h100_nvl_94gb=0.001"] {
        let both = plan(&format!("{question} {prices}"));
        assert_eq!(both["options"][0]["hardware"], "h100_nvl_94gb", "that of one device counts more: {prices}");
    }
    assert_refused(
        &at(&format!("plan {question} --price 3 --price 4")),
        "--price gives two prices of all devices",
        "give one",
    );
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
    assert!(value["remedy"].as_str().unwrap().starts_with("loosen the limits"), "{}", value["remedy"]);
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
    let overloaded = "  help: allow more than --max-gpus 2, or give a lower --rate\n";
    assert!(few.stderr.ends_with(overloaded), "{}", few.stderr);

    let slow =
        at("plan --model llama31_8b --hardware h100_sxm_80gb --users 500 --input-tokens 1000 --output-tokens 300 \
                  --slo-itl-ms 12 --max-gpus 2");
    assert_eq!(slow.code, 1);
    assert!(slow.stderr.ends_with("  help: allow more than --max-gpus 2, or loosen the limits\n"), "{}", slow.stderr);
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
        (
            "--users 5 --slo-itl-ms 9 --hardware h100_smx",
            "there is no hardware `h100_smx`",
            "did you mean `h100_sxm_80gb`?",
        ),
        ("--users 5 --slo-itl-ms 9 --tp 1.5", "--tp holds 1.5", "whole numbers"),
        ("--users 5 --slo-itl-ms 9 --replicas 0,1", "--replicas holds 0", "whole numbers"),
        ("--users 5 --slo-itl-ms 9 --max-gpus 0", "--max-gpus is 0", "1000000"),
        ("--users 5 --slo-itl-ms 9 --price=-1", "--price of all devices is -1", "US dollars"),
        ("--users 5 --slo-itl-ms -3", "--slo-itl-ms is -3", "above 0"),
        ("--users 5 --slo-itl-ms nan", "--slo-itl-ms is NaN", "above 0"),
        (
            "--users 5 --slo-itl-ms 9 --hardware l4_24gb --price h100_sxm_80gb=2",
            "--price names `h100_sxm_80gb`, which is not among the devices",
            "drop the price",
        ),
    ] {
        assert_refused(&at(&format!("{good} {flags}")), message, help);
    }
    // What the parser of arguments refuses has its own words.
    for (flags, want) in [
        ("--users 5", "--slo-ttft-ms"),
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

/// Whichever latency is limited: the queue of an overloaded server grows without end.
#[test]
fn what_is_overloaded_meets_no_limit() {
    let question = "--model llama33_70b --rate 20 --input-tokens 1000 --output-tokens 500 --hardware h100_sxm_80gb";
    for limit in ["--slo-itl-ms 100", "--slo-itl-ms 1e6", "--slo-e2e-ms 1e9", "--slo-ttft-ms 1e9 --slo-itl-ms 1e6"] {
        let value = plan(&format!("{question} {limit}"));
        for option in value["options"].as_array().unwrap() {
            let bounded =
                ["ttft_ms", "ttft_high_ms", "e2e_ms", "e2e_high_ms"].iter().all(|key| option[key].is_number());
            assert!(bounded && option["status"] == "ok", "{limit}: {option}");
            assert!((number(&option["throughput_tok_s"]) / 10_000.0 - 1.0).abs() < 1e-6, "{limit}: {option}");
            assert!(option["headroom_pct"].is_number(), "{limit}: {option}");
        }
        let text = at(&format!("plan {question} {limit} --top 3"));
        assert!(text.code == 0 && !text.stdout.contains('∞'), "{}", text.stdout);

        let one = plan(&format!("{question} {limit} --max-gpus 1"));
        let failures = one["failures"].as_array().unwrap();
        let is_said = |failure: &Value| {
            let reason = failure["reason"].as_str().unwrap();
            reason.starts_with("overloaded: more requests arrive than it can serve") && failure["at_any_size"] == false
        };
        assert!(one["options"].as_array().unwrap().is_empty() && failures.iter().any(is_said), "{limit}: {one}");
        let nearest = &one["nearest"];
        assert_eq!((&nearest["bound_by"], &nearest["ttft_ms"]), (&"overloaded".into(), &Value::Null));
        assert_eq!(nearest["status"], "overloaded");
    }
}

#[test]
fn requests_beyond_the_context_of_the_model_are_pointed_out_in_every_format() {
    let question = "plan --model llama2_7b --hardware h100_sxm_80gb --users 10 --input-tokens 40000 --output-tokens 2000 \
                    --slo-itl-ms 100";
    let caution = "42000 tokens are more than the 4096 of context that Llama-2-7B is made for";
    let text = at(question);
    assert!(text.code == 0 && text.stdout.contains(&format!("Caution: {caution}\n")), "{}", text.stdout);
    let cautions = &json(&at(&format!("{question} --format json")).stdout)["cautions"];
    assert!(cautions.as_array().unwrap().contains(&caution.into()), "{cautions}");
    let csv = at(&format!("{question} --format csv"));
    assert!(csv.stderr.contains(&format!("caution: {caution}\n")), "{}", csv.stderr);
}

/// As JSON does; --top is for people.
#[test]
fn csv_holds_every_option_under_a_header_that_is_always_there() {
    let question =
        "--model llama31_8b --hardware h100_sxm_80gb --rate 20 --input-tokens 500 --output-tokens 200 --top 1";
    let limits = "--slo-ttft-ms 1000 --slo-ttft-at p90 --slo-itl-ms 60";
    let value = plan(&format!("{question} {limits}"));
    let options = value["options"].as_array().unwrap();
    let csv = at(&format!("plan {question} {limits} --format csv"));
    assert!(csv.stderr.contains("caution: UNCALIBRATED") && csv.stderr.contains("caution: narrower weights"));
    let rows: Vec<Vec<&str>> = csv.stdout.lines().map(|line| line.split(',').collect()).collect();
    assert!(options.len() > 1 && rows.len() == options.len() + 1, "{}", csv.stdout);
    for (option, row) in options.iter().zip(&rows[1..]) {
        for (key, cell) in rows[0].iter().zip(row) {
            match &option[*key] {
                Value::Number(number) => assert_eq!(cell.parse().ok(), number.as_f64(), "{key}"),
                Value::String(text) => assert_eq!(*cell, text.replace(' ', "_"), "{key}"),
                other => assert!(other.is_null() && cell.is_empty(), "{key}: {other}"),
            }
        }
    }
    // What the time to first token is stands right behind it.
    let at_ttft = rows[0].iter().position(|name| *name == "ttft_ms").unwrap();
    assert_eq!((rows[0][at_ttft + 1], rows[1][at_ttft + 1]), ("ttft_at", "p90"));

    let none = at(&format!("plan {question} --slo-itl-ms 0.1 --format csv"));
    assert_eq!((none.code, none.stdout.trim_end()), (1, rows[0].join(",").as_str()));
    for words in ["Nothing meets the limits. Nearest: ", "caution: UNCALIBRATED", "error: nothing meets the limits"] {
        assert!(none.stderr.contains(words), "{words}: {}", none.stderr);
    }
}

/// An A100 multiplies no FP8, so some placements that are asked for cannot be.
#[test]
fn the_page_counts_and_shows_what_the_terminal_does() {
    let home = tempfile::tempdir().unwrap();
    let question = "--model llama31_8b --hardware a100_sxm_80gb,h100_sxm_80gb --users 600 --input-tokens 500 --output-tokens 200 \
                    --slo-ttft-ms 2000 --slo-itl-ms 20";
    let result = run(home.path(), &format!("plan {question} --top 100 --plot --out page"));
    assert_eq!(result.code, 0, "{}", result.stderr);
    let value = plan(question);
    let [met, failed] = ["options", "failures"].map(|key| value[key].as_array().unwrap().len());
    let placements = met + failed;
    assert!(result.stdout.contains(&format!(" of {placements} placements in ")), "{}", result.stdout);
    let page = std::fs::read_to_string(home.path().join("page/plan.html")).unwrap();
    let first = &value["options"][0];
    let replicas = first["replicas"].as_u64().unwrap();
    for words in [
        format!("<p>{met} of {placements} placements meet the limits"),
        format!(
            "The first choice is {replicas} replica{} of {} GPU",
            if replicas == 1 { "" } else { "s" },
            first["tensor_parallel"]
        ),
        "<p>Limits: TTFT ≤ 2000 ms, ITL ≤ 20.00 ms, held by".to_owned(),
    ] {
        assert!(page.contains(&words), "{words}");
    }
    // The same table: its header, and every cell of its first row.
    let heads = ["#", "clients each", "TTFT ms", "ITL ms", "tok/s", "headroom", "tightest", "bound by"];
    for head in heads {
        assert!(page.contains(&format!("<th>{head}</th>")) && result.stdout.contains(head), "{head}");
    }
    let row = result.stdout.lines().find(|line| line.trim_start().starts_with("1  ")).unwrap();
    for cell in row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()) {
        assert!(page.contains(&format!(">{cell}</t")), "{cell}");
    }
}

#[test]
fn measurements_that_changed_after_the_fit_are_pointed_out() {
    let project = env!("CARGO_MANIFEST_DIR");
    let home = tempfile::tempdir().unwrap();
    let scenario = home.path().join("tested_benchmarks/llama31_8b_fp8_tp1");
    std::fs::create_dir_all(&scenario).unwrap();
    let original = format!("{project}/tested_benchmarks/llama31_8b_fp8_tp1");
    let measured = std::fs::read_to_string(format!("{original}/measured.csv")).unwrap();
    std::fs::copy(format!("{original}/scenario.toml"), scenario.join("scenario.toml")).unwrap();
    let calibration =
        format!("--calibration {project}/evaluations_results/llama31_8b_fp8_tp1/serving/calibration.toml");
    let lengths = "--input-tokens 500 --output-tokens 200";
    let caution = "the measurements of `llama31_8b_fp8_tp1` have changed since this calibration was fitted; `perfmodel fit \
                   --scenario";
    let (rest, _) = measured.trim_end().rsplit_once('\n').unwrap();
    for (text, is_said) in [(measured.as_str(), false), (rest, true)] {
        std::fs::write(scenario.join("measured.csv"), text).unwrap();
        for named in
            ["--data-dir . --scenario llama31_8b_fp8_tp1", "--scenario-dir tested_benchmarks/llama31_8b_fp8_tp1"]
        {
            for command in [
                format!("predict {named} {calibration} {lengths}"),
                format!("plan {named} {calibration} {lengths} --hardware h100_sxm_80gb --users 8 --slo-itl-ms 60"),
            ] {
                let result = run(home.path(), &command);
                assert_eq!(result.code, 0, "{command}: {}", result.stderr);
                assert_eq!(result.stdout.contains(&format!("Caution: {caution}")), is_said, "{}", result.stdout);
            }
        }
    }
}
