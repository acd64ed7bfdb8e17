//! Numbers at the edges: what is predicted there is finite and goes the right way, or is an error with a remedy.

mod common;

use std::fs;
use std::path::Path;

use common::{Run, run};
use serde_json::Value;

/// Predictions of a grid, or the refusal.
fn predict(folder: &Path, arguments: &str) -> Result<Vec<Value>, Run> {
    let result = run(folder, &format!("predict {arguments} --format json"));
    if result.code != 0 {
        assert_eq!(result.code, 2, "{arguments}: {}", result.stderr);
        assert!(result.stderr.starts_with("error: ") && result.stderr.contains("help: "), "{}", result.stderr);
        return Err(result);
    }
    let value: Value = serde_json::from_str(&result.stdout).unwrap();
    Ok(value["predictions"].as_array().unwrap().clone())
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or(f64::NAN)
}

/// Every number of a row is finite, none is below 0, and ends enclose the middle.
fn assert_sound(row: &Value) {
    for key in
        ["ttft_ms", "itl_ms", "e2e_ms", "throughput_tok_s", "requests_per_s", "running_sequences", "kv_cache_used_pct"]
    {
        assert!(number(row, key).is_finite() && number(row, key) >= 0.0, "{key} of {row}");
    }
    for metric in ["ttft", "itl", "e2e"] {
        let [low, middle, high] = ["_low_ms", "_ms", "_high_ms"].map(|end| number(row, &format!("{metric}{end}")));
        assert!(low <= middle && middle <= high && high.is_finite(), "{metric} of {row}");
    }
}

#[test]
fn from_one_client_to_a_million_latencies_rise_and_the_rate_is_bounded() {
    let home = tempfile::tempdir().unwrap();
    for system in [
        "--model llama31_8b --hardware h100_sxm_80gb",
        "--model deepseek_v3 --hardware h200_sxm_141gb --tp 8 --weights fp8",
        "--model gpt_oss_120b --hardware h100_sxm_80gb --tp 2",
        "--scenario llama33_70b_fp8_tp2",
    ] {
        for lengths in ["--input-tokens 1 --output-tokens 2", "--input-tokens 1000 --output-tokens 1000"] {
            let rows =
                predict(home.path(), &format!("{system} {lengths} --concurrency 1,10,100,1000,10000,100000,1000000"));
            let rows = rows.unwrap_or_else(|refused| panic!("{system} {lengths}: {}", refused.stderr));
            assert_eq!(rows.len(), 7);
            for row in &rows {
                assert_sound(row);
            }
            for pair in rows.windows(2) {
                for key in ["ttft_ms", "itl_ms"] {
                    assert!(
                        number(&pair[1], key) >= 0.999_999 * number(&pair[0], key),
                        "{system} {lengths} {key}: {pair:?}"
                    );
                }
            }
            // A full server answers no more: of ten times the clients nearly ten times as many wait.
            let [before, last] = [&rows[5], &rows[6]].map(|row| number(row, "throughput_tok_s"));
            assert!((last / before - 1.0).abs() < 0.05, "{system} {lengths}: {before} and {last} tokens/s");
        }
    }
}

#[test]
fn from_one_token_to_ten_million_longer_is_never_faster_or_does_not_fit() {
    let home = tempfile::tempdir().unwrap();
    for system in [
        "--model llama31_8b --hardware h100_sxm_80gb",
        "--model deepseek_v3 --hardware h200_sxm_141gb --tp 8 --weights fp8",
    ] {
        let mut refused = 0;
        for (varied, fixed, metric) in [
            ("--input-tokens", "--output-tokens 100 --concurrency 4", "ttft_ms"),
            ("--output-tokens", "--input-tokens 100 --concurrency 4", "e2e_ms"),
        ] {
            let mut last = 0.0;
            for length in ["2", "10", "1000", "100000", "1000000", "10000000"] {
                match predict(home.path(), &format!("{system} {fixed} {varied} {length}")) {
                    Ok(rows) => {
                        assert_sound(&rows[0]);
                        assert!(number(&rows[0], metric) >= last, "{system} {varied} {length}");
                        last = number(&rows[0], metric);
                    }
                    Err(error) => {
                        assert!(error.stderr.contains("tokens does not fit: its KV cache takes"), "{}", error.stderr);
                        refused += 1;
                    }
                }
            }
            assert!(last > 0.0, "{system} {varied}");
        }
        assert!(refused > 0, "{system}: ten million tokens fit nowhere");
    }
}

#[test]
fn more_devices_than_key_value_heads_hold_each_head_twice() {
    let home = tempfile::tempdir().unwrap();
    let of = |tp: u32| {
        let arguments = format!(
            "predict --model llama31_8b --hardware h100_sxm_80gb --tp {tp} --input-tokens 1000 --output-tokens 100 --concurrency 4 --format json"
        );
        let result = run(home.path(), &arguments);
        assert_eq!(result.code, 0, "{}", result.stderr);
        let value: Value = serde_json::from_str(&result.stdout).unwrap();
        assert_sound(&value["predictions"][0]);
        // Tokens of context that fit: clients times their tokens.
        value["predictions"][0]["max_concurrency"].as_f64().unwrap()
    };
    // Eight heads: from the ninth device on a head lies on two devices, so twice the devices hold hardly more tokens.
    let [eight, sixteen, thirty_two] = [8, 16, 32].map(of);
    assert!(sixteen / eight < 1.03 && thirty_two / sixteen < 1.03, "{eight}, {sixteen}, {thirty_two}");
    let refused = predict(
        home.path(),
        "--model llama31_8b --hardware h100_sxm_80gb --tp 64 --input-tokens 10 --output-tokens 10 --concurrency 1",
    );
    assert!(refused.unwrap_err().stderr.contains("tensor_parallel = 64 does not divide the 32 query heads"));
}

#[test]
fn a_cache_that_is_exactly_full_serves_and_one_token_more_does_not_fit() {
    let home = tempfile::tempdir().unwrap();
    let system = "--model llama31_8b --hardware h100_sxm_80gb";
    let probe = run(
        home.path(),
        &format!("predict {system} --input-tokens 10 --output-tokens 10 --concurrency 1 --format json"),
    );
    let value: Value = serde_json::from_str(&probe.stdout).unwrap();
    // 32 layers of 8 heads of 128 keys and values in 2 bytes.
    let tokens = (value["kv_cache_bytes"].as_f64().unwrap() / f64::from(32 * 8 * 128 * 2 * 2)).floor();
    let of = |output: f64| {
        predict(
            home.path(),
            &format!("{system} --input-tokens 1000 --output-tokens {} --concurrency 3", output - 1000.0),
        )
    };
    let rows = of(tokens).unwrap_or_else(|refused| panic!("{}", refused.stderr));
    assert_sound(&rows[0]);
    assert_eq!(number(&rows[0], "max_concurrency"), 1.0);
    let refused = of(tokens + 1.0).unwrap_err();
    assert!(refused.stderr.contains("does not fit"), "{}", refused.stderr);
    // Weights that leave nothing.
    let refused = predict(
        home.path(),
        "--model llama33_70b --hardware h100_sxm_80gb --input-tokens 10 --output-tokens 10 --concurrency 1",
    );
    let error = refused.unwrap_err().stderr;
    assert!(error.contains("does not fit") || error.contains("do not fit"), "{error}");
}

#[test]
fn measured_rows_without_a_latency_are_named() {
    let home = tempfile::tempdir().unwrap();
    let fit = "fit --measured runs.csv --model llama31_8b --hardware h100_sxm_80gb --weights fp8 --kv fp8 --no-validate --out r";
    for (row, column) in [
        ("200,200,1,0,4.6,214", "ttft_ms"),
        ("200,200,1,10.3,0,214", "itl_ms"),
        ("200,200,1,-0.0,4.6,214", "ttft_ms"),
        ("200,200,1,1e-320,4.6,214", "ttft_ms"),
        ("200,200,1,1e300,4.6,214", "ttft_ms"),
    ] {
        let text = format!(
            "input_tokens,output_tokens,concurrency,ttft_ms,itl_ms,throughput_tok_s\n200,200,5,20,5,1000\n{row}\n"
        );
        fs::write(home.path().join("runs.csv"), text).unwrap();
        let refused = run(home.path(), fit);
        assert_eq!(refused.code, 2, "{row}: {}", refused.stdout);
        assert!(refused.stderr.contains("runs.csv:3") && refused.stderr.contains(column), "{row}: {}", refused.stderr);
    }
}

/// A queue that grows without end is no operating point: the page's headline leaves it out and says from where on it is so.
#[test]
fn the_page_of_an_open_loop_does_not_boast_of_an_overload() {
    let home = tempfile::tempdir().unwrap();
    let page = |lengths: &str| {
        let arguments = format!("predict --scenario llama31_8b_fp8_tp1 --uncalibrated {lengths} --plot --out page");
        let result = run(home.path(), &arguments);
        assert_eq!(result.code, 0, "{}", result.stderr);
        (result.stdout, fs::read_to_string(home.path().join("page/prediction.html")).unwrap())
    };
    let (text, html) = page("--input-tokens 1000 --output-tokens 200 --rate 1,2,4..128");
    assert_eq!(text.matches("  overloaded\n").count(), 2, "{text}");
    assert_eq!(html.matches("<td>overloaded</td>").count(), 2);
    for words in [
        "at 1000 / 200 input / output tokens and 32 requests/s, with",
        "<p>At 64 requests/s and more it is overloaded: the queue grows without end.</p>",
        "<td>grows without end</td><td>–</td><td>–</td><td>–</td>",
        "<th>P50</th><th>P90</th><th>P99</th>",
        "<th>e2e s</th>",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains("more requests wait than run"));
    let (_, html) = page("--input-tokens 1000,5000 --output-tokens 200 --rate 1,32,1e5");
    assert!(html.contains(" of 6 workloads are overloaded: their queue grows without end."));
    let (_, html) = page("--input-tokens 1000 --output-tokens 200 --rate 1e5");
    assert!(html.contains("At 100000 requests/s and more") && !html.contains("Peak: "));
}
