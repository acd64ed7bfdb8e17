//! Many systems in one table: one fit, and each device, degree or half predicted by a fit that did not see it.

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::fmt::Write;

use common::run;
use perfmodel::estimator;
use perfmodel::spec::{Catalog, Deployment, Precision, System};
use perfmodel::workload::{LoadKind, Workload};
use schema::{assert_matches_schema, json};
use serde_json::Value;

const SYSTEMS: [(&str, &str, u32); 6] = [
    ("llama31_8b", "h100_sxm_80gb", 1),
    ("mistral_7b_v01", "h100_sxm_80gb", 2),
    ("llama31_8b", "a100_sxm_80gb", 1),
    ("mistral_7b_v01", "a100_sxm_80gb", 2),
    ("llama31_8b", "h200_sxm_141gb", 1),
    ("mistral_7b_v01", "h200_sxm_141gb", 2),
];

/// Efficiencies that all systems have in this world; they are not the priors.
const TRUTH: [(&str, f64); 3] = [("memory_efficiency", 0.75), ("gemm_efficiency", 0.55), ("layer_overhead_us", 40.0)];

/// Static batches as the model makes them; those of a device in `slower` took twice as long.
fn table(slower: &str) -> String {
    let catalog = Catalog::built_in();
    let estimator = estimator::by_name("serving").unwrap();
    let mut text = "model,hardware,tp,weights,kv,input_tokens,output_tokens,batch,ttft_ms,itl_ms\n".to_owned();
    for (model, hardware, tp) in SYSTEMS {
        let deployment = Deployment::new(tp, Precision::Bf16).unwrap();
        let system =
            System::new(catalog.hardware(hardware).unwrap(), catalog.model(model).unwrap(), deployment).unwrap();
        let predictor = estimator.prepare(&system, LoadKind::StaticBatch, &[]).unwrap();
        let values: Vec<f64> = predictor
            .parameters()
            .iter()
            .map(|p| TRUTH.iter().find(|(name, _)| *name == p.name).map_or(p.default, |(_, value)| *value))
            .collect();
        let factor = if hardware == slower { 2.0 } else { 1.0 };
        for (input, output, batch) in
            [(128.0, 128.0, 1.0), (128.0, 1024.0, 16.0), (1024.0, 128.0, 4.0), (2048.0, 512.0, 32.0)]
        {
            let workload = Workload::under(LoadKind::StaticBatch, input, output, batch).unwrap();
            let p = predictor.predict(&workload, &values);
            writeln!(
                text,
                "{model},{hardware},{tp},bf16,bf16,{input},{output},{batch},{},{}",
                factor * p.ttft.as_ms(),
                factor * p.itl.as_ms()
            )
            .unwrap();
        }
    }
    text
}

fn fit(slower: &str, leave_out: &str) -> Value {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("batches.csv"), table(slower)).unwrap();
    let result = run(
        home.path(),
        &format!(
            "fit --table batches.csv --load static_batch --no-validate --no-priors --leave-out {leave_out} --format json"
        ),
    );
    assert_eq!(result.code, 0, "{}", result.stderr);
    json(&result.stdout)
}

fn group<'a>(value: &'a Value, name: &str) -> &'a Value {
    value["left_out"][0]["groups"].as_array().unwrap().iter().find(|group| group["name"] == name).unwrap()
}

#[test]
fn what_all_devices_share_is_carried_to_one_that_was_left_out() {
    let value = fit("", "hardware,half,tp,scenario");
    assert_matches_schema("fit.schema.json", &value);

    assert_eq!((&value["together"]["rows"], value["scenarios"].as_array().unwrap().len()), (&24.into(), 6));
    assert!(value["together"]["optimized"]["itl_mape_pct"].as_f64().unwrap() < 0.1);
    let kinds: Vec<&str> =
        value["left_out"].as_array().unwrap().iter().map(|entry| entry["by"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["hardware", "half", "tp", "scenario"]);
    for entry in value["left_out"].as_array().unwrap() {
        let rows: i64 = entry["groups"].as_array().unwrap().iter().map(|group| group["rows"].as_i64().unwrap()).sum();
        assert_eq!(rows, 24);
        let itl = entry["errors"]["itl_mape_pct"].as_f64().unwrap();
        assert!(itl < 1.0, "{}: {itl}", entry["by"]);
    }
}

/// What was measured on a device changes its own errors and those of the others, but never what predicts it.
#[test]
fn a_left_out_device_does_not_see_its_own_measurements() {
    let (usual, slower) = (fit("", "hardware"), fit("a100_sxm_80gb", "hardware"));
    let bias = |value: &Value, name: &str| {
        let errors = &group(value, name)["errors"];
        errors["itl_mape_pct"].as_f64().unwrap()
    };
    assert!(bias(&usual, "a100_sxm_80gb") < 1.0);
    // Predicted as before, half of what is measured now.
    let now = bias(&slower, "a100_sxm_80gb");
    assert!((now - 50.0).abs() < 1.0, "{now}");
    assert!(bias(&slower, "h100_sxm_80gb") > 5.0);
}

#[test]
fn one_group_cannot_be_left_out() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("batches.csv"), table("")).unwrap();
    for (flags, want) in [
        ("--leave-out precision", "error: cannot leave out each precision in turn: there is only one, `bf16`"),
        ("--leave-out gpu", "cannot leave out `gpu`"),
    ] {
        let result = run(home.path(), &format!("fit --table batches.csv --load static_batch --no-validate {flags}"));
        assert_eq!(result.code, 2, "{}", result.stderr);
        assert!(result.stderr.contains(want) && result.stdout.is_empty(), "{}", result.stderr);
    }
}
