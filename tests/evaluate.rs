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

/// Two systems, two engines, a layout that nothing makes and a model that nobody knows.
const TABLE: &str = "model,system,backend,precision,kv_precision,gpus,tp,dp,moe_ep,isl,osl,concurrency,ttft_ms,itl_ms,ttft_trusted,unexplained\n\
    deepseek-ai/DeepSeek-R1,b200_sxm,sglang,fp8,fp8,8,8,1,8,1000,1000,16,300,12,1,0\n\
    deepseek-ai/DeepSeek-R1,b200_sxm,sglang,fp8,fp8,8,8,1,8,1000,1000,64,500,18,0,0\n\
    deepseek-ai/DeepSeek-R1,b200_sxm,trtllm,fp8,fp8,8,1,8,8,1000,1000,64,500,999,1,1\n\
    Qwen/Qwen3-32B,h100_sxm,vllm,fp8,fp8,2,1,1,1,1000,1000,64,500,18,1,0\n\
    some/unknown-7b,h100_sxm,vllm,fp8,fp8,1,1,1,1,1000,1000,64,500,18,1,0\n";

#[test]
fn every_row_of_a_table_is_predicted_or_named_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("t.csv"), TABLE).unwrap();
    let result = run(home.path(), "evaluate --table t.csv --uncalibrated --out rows --format json");
    assert_eq!(result.code, 0, "{}", result.stderr);
    let value = json(&result.stdout);
    assert_matches_schema("evaluate_table.schema.json", &value);
    assert_eq!((value["rows"].as_u64(), value["predicted"].as_u64()), (Some(5), Some(3)));
    let refused: Vec<(u64, &str)> = value["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["line"].as_u64().unwrap(), row["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(refused, [(5, "gpus is 2, and tp · dp · pp is 1"), (6, "there is no model `some/unknown-7b`")]);
    let cells = value["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 2);
    assert_eq!(
        (&cells[0]["model"], &cells[0]["hardware"], &cells[0]["engine"]),
        (&"deepseek_v3".into(), &"b200_sxm_180gb".into(), &"sglang".into())
    );
    assert_eq!((cells[0]["rows"].as_u64(), cells[0]["errors"]["ttft_mape_pct"].is_number()), (Some(2), true));
    // What is unexplained is predicted and does not count; nothing else is in this cell.
    assert!(cells[1]["errors"]["itl_mape_pct"].is_null());
    assert_eq!(value["errors"], cells[0]["errors"]);
    let rows = fs::read_to_string(home.path().join("rows/predictions.csv")).unwrap();
    assert_eq!(rows.lines().count(), 4);
    assert!(
        rows.lines().nth(3).unwrap().starts_with("4,deepseek_v3_b200_sxm_180gb_fp8_dp8_ep8_trtllm,1000,1000,64,500,"),
        "{rows}"
    );

    let text = run(home.path(), "evaluate --table t.csv --uncalibrated").stdout;
    assert!(
        text.contains("3 of 5 rows predicted") && text.contains("1 row: there is no model `some/unknown-7b`"),
        "{text}"
    );
    let refit = run(home.path(), "evaluate --table t.csv --uncalibrated --refit link");
    assert!(refit.code == 2 && refit.stderr.contains("--refit has no meaning with --table"), "{}", refit.stderr);
}

#[test]
fn the_shipped_table_is_predicted_but_for_labels_that_make_no_layout() {
    let home = tempfile::tempdir().unwrap();
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/tested_benchmarks/fleet/aggregated.csv");
    let value = json(&run(home.path(), &format!("evaluate --table {table} --uncalibrated --format json")).stdout);
    assert_eq!((value["rows"].as_u64(), value["predicted"].as_u64()), (Some(1520), Some(1501)));
    let reasons: BTreeSet<&str> =
        value["refused"].as_array().unwrap().iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert!(reasons.iter().all(|reason| reason.starts_with("gpus is ")), "{reasons:?}");
    // Priors of static batches alone: what the physics has to beat.
    assert!(error(&value, "itl_mape_pct") < 17.0 && error(&value, "ttft_mape_pct") < 50.0, "{}", value["errors"]);
}
