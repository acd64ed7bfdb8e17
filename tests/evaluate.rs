//! `evaluate` from outside: a calibration of one scenario predicts another within its promised errors.

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::collections::BTreeSet;
use std::fs;

use common::{Run, run};
use schema::{assert_matches_schema, json};
use serde_json::Value;

const TO_70B: &str = "--scenario llama33_70b_fp8_tp2";

fn calibration(scenario: &str, estimator: &str) -> String {
    format!("{}/evaluations_results/{scenario}/{estimator}/calibration.toml", env!("CARGO_MANIFEST_DIR"))
}

fn from_8b() -> String {
    format!("--calibration {}", calibration("llama31_8b_fp8_tp1", "serving"))
}

/// A run that must succeed, in an empty folder.
fn evaluate(arguments: &str) -> Run {
    let home = tempfile::tempdir().unwrap();
    let result = run(home.path(), &format!("evaluate {arguments}"));
    assert_eq!(result.code, 0, "{arguments}: {}", result.stderr);
    result
}

fn evaluate_json(arguments: &str) -> Value {
    let value = json(&evaluate(&format!("{arguments} --format json")).stdout);
    assert_matches_schema("evaluate.schema.json", &value);
    value
}

fn error(value: &Value, key: &str) -> f64 {
    value["errors"][key].as_f64().unwrap_or_else(|| panic!("{key} in {value}"))
}

/// The variant that was refitted like this.
fn variant<'a>(value: &'a Value, refit: &[&str]) -> &'a Value {
    let found =
        value["variants"].as_array().unwrap().iter().find(|variant| variant["refit"] == serde_json::json!(refit));
    found.unwrap_or_else(|| panic!("no {refit:?} in {value}"))
}

/// Intervals of a system that the calibration never saw.
#[test]
fn intervals_hold_their_share_on_a_scenario_that_the_calibration_never_saw() {
    let from_70b = format!("--calibration {}", calibration("llama33_70b_fp8_tp2", "serving"));
    let to_8b = "--scenario llama31_8b_fp8_tp1";
    for arguments in [
        format!("{TO_70B} {}", from_8b()),
        format!("{TO_70B} {} --refit link,campaign", from_8b()),
        format!("{to_8b} {from_70b}"),
        format!("{to_8b} {from_70b} --refit campaign"),
    ] {
        let value = evaluate_json(&arguments);
        for metric in ["ttft_pct", "itl_pct"] {
            let held = value["interval_coverage"][metric].as_f64().unwrap();
            assert!(held >= 85.0, "{arguments}: {metric} {held}");
        }
    }
}

#[test]
fn one_device_predicts_two_of_another_model_and_the_refits_stand_beside_it() {
    let plain = evaluate_json(&format!("{TO_70B} {}", from_8b()));
    assert!(error(&plain, "itl_mape_pct") <= 6.0, "{plain}");
    assert!(error(variant(&plain, &["link"]), "itl_mape_pct") <= 3.5, "{plain}");
    assert!(error(variant(&plain, &["campaign"]), "ttft_median_ape_pct") <= 10.0, "{plain}");
    assert_eq!((&plain["refit"], &plain["rows"]), (&serde_json::json!([]), &39.into()));
    assert_eq!(variant(&plain, &[])["errors"], plain["errors"]);
    for (asked, count) in
        [("link", 3), ("campaign", 3), ("link,campaign", 4), ("link --refit campaign", 4), ("link,link", 3)]
    {
        let value = evaluate_json(&format!("{TO_70B} {} --refit {asked}", from_8b()));
        let names: BTreeSet<&str> = asked.split([',', ' ']).filter(|name| !name.starts_with('-')).collect();
        let given: BTreeSet<&str> =
            value["refit"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        assert_eq!(given, names, "{asked}");
        // What was asked for is what stands at the top, and the others stay to be compared with.
        assert_eq!(value["variants"].as_array().unwrap().len(), count, "{asked}: {value}");
        let own = value["variants"].as_array().unwrap().iter().find(|variant| variant["refit"] == value["refit"]);
        assert_eq!(own.unwrap()["errors"], value["errors"], "{asked}");
        assert_eq!(variant(&value, &["link"]), variant(&plain, &["link"]), "{asked}");
        let refitted: BTreeSet<&str> = value["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|parameter| parameter["origin"] == "refitted")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(refitted.contains("link_latency_us"), names.contains("link"), "{asked}: {refitted:?}");
        assert_eq!(refitted.contains("burst_factor"), names.contains("campaign"), "{asked}: {refitted:?}");
    }
}

#[test]
fn people_read_the_variants_side_by_side_and_what_was_not_calibrated() {
    let text = evaluate(&format!("{TO_70B} {}", from_8b())).stdout;
    for wanted in [
        "as calibrated",
        "refit link",
        "refit campaign",
        "errors after a refit are in sample",
        "Caution: not calibrated for this system, taken from documented priors: power_share, activation_passes, \
         link_latency_us, link_efficiency",
        "Caution: carried over from another device or campaign: first_token_overhead_ms",
        "Caution: outside the calibrated range, model: calibrated on Llama-3.1-8B, asked for Llama-3.3-70B",
        "Caution: outside the calibrated range, tensor_parallel: calibrated on 1, asked for 2",
        "evaluations_results/llama33_70b_fp8_tp2/serving_from_llama31_8b_fp8_tp1/evaluation.csv",
    ] {
        assert!(text.contains(wanted), "`{wanted}` is missing in\n{text}");
    }
    let value = evaluate_json(&format!("{TO_70B} {}", from_8b()));
    assert_eq!(value["outside_range"], serde_json::json!(["model", "tensor_parallel"]));
    let of_prior: Vec<&Value> =
        value["parameters"].as_array().unwrap().iter().filter(|p| p["origin"] == "prior").collect();
    let names: Vec<&Value> = of_prior.iter().map(|parameter| &parameter["name"]).collect();
    assert_eq!(serde_json::json!(names), value["from_priors"]);
}

/// What README promises without any calibration: ITL MAPE.
#[test]
fn the_priors_alone_stay_under_their_ceilings() {
    for (scenario, itl) in [("llama31_8b_fp8_tp1", 13.5), ("llama33_70b_fp8_tp2", 10.0)] {
        let value = evaluate_json(&format!("--scenario {scenario} --uncalibrated"));
        assert!(error(&value, "itl_mape_pct") <= itl, "{value}");
        assert_eq!((&value["calibration"], &value["outside_range"]), (&Value::Null, &serde_json::json!([])));
        assert!(value["parameters"].as_array().unwrap().iter().all(|parameter| parameter["origin"] == "prior"));
        // A system without a link has none to refit.
        assert_eq!(value["variants"].as_array().unwrap().len(), if scenario.contains("tp2") { 3 } else { 2 });
    }
    let text = evaluate(&format!("{TO_70B} --uncalibrated")).stdout;
    assert!(text.contains("UNCALIBRATED: predicted by the priors alone") && text.contains("priors alone"), "{text}");
}

#[test]
fn a_calibration_that_saw_the_rows_repeats_its_fit_and_says_so() {
    for estimator in ["serving", "roofline"] {
        let path = calibration("llama33_70b_fp8_tp2", estimator);
        let arguments = format!("{TO_70B} --estimator {estimator} --calibration {path}");
        let value = evaluate_json(&arguments);
        let record: toml::Table = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let fitted = record["scenarios"][0]["errors"]["fitted"].as_table().unwrap();
        for key in ["loss", "ttft_mape_pct", "itl_mape_pct", "itl_rmse_ms"] {
            let want = fitted[key].as_float().unwrap();
            assert!((error(&value, key) / want - 1.0).abs() < 1e-6, "{estimator} {key}: {want} {value}");
        }
        let text = evaluate(&arguments).stdout;
        assert!(text.contains("Caution: the calibration was fitted to these very measurements"), "{text}");
    }
    assert!(!evaluate(&format!("{TO_70B} {}", from_8b())).stdout.contains("these very measurements"));
}

#[test]
fn the_table_it_writes_has_the_errors_it_prints() {
    let home = tempfile::tempdir().unwrap();
    let arguments =
        format!("evaluate {TO_70B} {} --refit link --rows concurrency<=100 --out r --format json", from_8b());
    let result = run(home.path(), &arguments);
    assert_eq!(result.code, 0, "{}", result.stderr);
    let value = json(&result.stdout);
    assert_eq!(value["files"], serde_json::json!(["r/evaluation.csv", "r/report.html"]));
    let mut table = csv::Reader::from_path(home.path().join("r/evaluation.csv")).unwrap();
    let column = table.headers().unwrap().iter().position(|name| name == "itl_error_pct").unwrap();
    let errors: Vec<f64> = table.records().map(|row| row.unwrap()[column].parse::<f64>().unwrap().abs()).collect();
    assert_eq!(value["rows"], errors.len());
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!((mean - error(&value, "itl_mape_pct")).abs() < 1e-5, "{mean} {value}");
    let page = fs::read_to_string(home.path().join("r/report.html")).unwrap();
    for wanted in ["predicted from a calibration of llama31_8b_fp8_tp1", "refit link", "in sample", "Caution"] {
        assert!(page.contains(wanted), "`{wanted}` is missing");
    }
}

#[test]
fn a_refitted_value_on_its_bound_is_not_called_certain() {
    let text = evaluate(&format!("{TO_70B} {} --refit link", from_8b())).stdout;
    let line = text.lines().find(|line| line.trim_start().starts_with("link_efficiency")).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells[5..], ["refitted"], "{line}");
    assert!(cells[4].parse::<f64>().unwrap() >= 10.0, "at least the 10 % of its prior: {line}");
}

#[test]
fn bare_measurements_are_evaluated_like_their_scenario() {
    let bare = format!(
        "--measured {}/tested_benchmarks/llama31_8b_fp8_tp1/measured.csv --model llama31_8b --hardware h100_sxm_80gb \
         --weights fp8 --kv fp8 --uncalibrated",
        env!("CARGO_MANIFEST_DIR")
    );
    let scenario = evaluate_json("--scenario llama31_8b_fp8_tp1 --uncalibrated");
    assert_eq!(evaluate_json(&bare)["errors"], scenario["errors"]);
}
