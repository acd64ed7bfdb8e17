//! README's commands run, and the numbers of its accuracy table are those that the commands print.

mod common;

use std::fs;

use common::{perfmodel, run};
use perfmodel::calibration::CalibrationRecord;
use serde_json::Value;

fn readme() -> String {
    fs::read_to_string("README.md").unwrap()
}

/// Splits a command line at blanks, keeping 'quoted texts' whole.
fn arguments(line: &str) -> Vec<String> {
    line.split('\'')
        .enumerate()
        .flat_map(|(index, part)| {
            if index % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(str::to_owned).collect() }
        })
        .collect()
}

#[test]
fn every_command_of_the_readme_runs() {
    let home = tempfile::tempdir().unwrap();
    fs::copy("tested_benchmarks/llama31_8b_fp8_tp1/measured.csv", home.path().join("runs.csv")).unwrap();
    for (name, fixture) in [("before", "run_a"), ("after", "run_b")] {
        fs::create_dir(home.path().join(name)).unwrap();
        let file = format!("tests/fixtures/llmeter/{fixture}/responses.jsonl");
        fs::copy(file, home.path().join(name).join("responses.jsonl")).unwrap();
    }
    fs::copy("tests/fixtures/insights/benchmark_results.csv", home.path().join("benchmark_results.csv")).unwrap();
    fs::create_dir(home.path().join("vllm_results")).unwrap();
    fs::copy("tests/fixtures/import/vllm.json", home.path().join("vllm_results/run.json")).unwrap();
    fs::create_dir_all(home.path().join("tested_benchmarks/fleet")).unwrap();
    fs::copy("tested_benchmarks/fleet/aggregated.csv", home.path().join("tested_benchmarks/fleet/aggregated.csv"))
        .unwrap();
    let text = readme();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let commands: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        let parts = arguments(command);
        assert_eq!(parts[0], "perfmodel", "{command}");
        let is_live = parts[1] == "probe" || parts[1] == "bench" || command.contains("my_run");
        if is_live && !cfg!(feature = "live") {
            continue;
        }
        let output = perfmodel(home.path()).args(&parts[1..]).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Rows of the table behind a marker, as cells.
fn table<'a>(text: &'a str, marker: &str) -> Vec<Vec<&'a str>> {
    let table = text.split(marker).nth(1).unwrap();
    table
        .trim_start()
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// Compares cells with the errors that a command prints.
fn assert_claims(row: &[&str], cells: &[&str], errors: &Value) {
    let keys = ["ttft_mape_pct", "ttft_median_ape_pct", "itl_mape_pct", "throughput_mape_pct"];
    assert_eq!(cells.len(), keys.len());
    for (cell, key) in cells.iter().zip(keys) {
        let (claimed, found): (f64, f64) = (cell.parse().unwrap(), errors[key].as_f64().unwrap());
        // One decimal, and what another build of the same fit may move it.
        assert!((claimed - found).abs() <= 0.05 + 0.01 * claimed, "{row:?} {key}: {found}");
    }
}

#[test]
fn the_transfer_table_is_what_evaluate_prints() {
    let text = readme();
    let home = tempfile::tempdir().unwrap();
    let calibration =
        format!("{}/evaluations_results/llama31_8b_fp8_tp1/serving/calibration.toml", env!("CARGO_MANIFEST_DIR"));
    let rows = table(&text, "<!-- transfer -->");
    assert_eq!(rows.len(), 3);
    for (row, refit) in rows.iter().zip(["", "--refit link", "--refit campaign"]) {
        assert!(row[0].contains(refit.trim_start_matches('-')), "{row:?}");
        let evaluate = format!("evaluate --scenario llama33_70b_fp8_tp2 --calibration {calibration} {refit}");
        let printed = run(home.path(), &format!("{evaluate} --format json"));
        assert_eq!(printed.code, 0, "{}", printed.stderr);
        let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
        assert_claims(row, &row[1..], &printed["errors"]);
    }
}

#[test]
fn the_accuracy_table_is_what_the_commands_print() {
    let text = readme();
    let rows = table(&text, "<!-- accuracy -->");
    assert_eq!(rows.len(), 10);
    let home = tempfile::tempdir().unwrap();
    for scenario in ["llama31_8b_fp8_tp1", "llama33_70b_fp8_tp2"] {
        for estimator in ["serving", "roofline"] {
            let printed = run(home.path(), &format!("fit --scenario {scenario} --estimator {estimator} --format json"));
            assert_eq!(printed.code, 0, "{}", printed.stderr);
            let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
            // The committed results are those of this version.
            let committed = format!("evaluations_results/{scenario}/{estimator}/calibration.toml");
            let committed: CalibrationRecord = toml::from_str(&fs::read_to_string(committed).unwrap()).unwrap();
            let kept = &committed.scenarios[0].errors;
            for (mine, theirs) in [("optimized", kept.fitted), ("baseline", kept.baseline)] {
                let theirs = serde_json::to_value(theirs).unwrap();
                for (key, found) in printed[mine].as_object().unwrap() {
                    let (found, kept) = (found.as_f64().unwrap(), theirs[key].as_f64().unwrap());
                    assert!(
                        (found / kept - 1.0).abs() < 0.01,
                        "{scenario} {estimator} {mine} {key}: {kept}, now {found}"
                    );
                }
            }
            for row in rows.iter().filter(|row| row[0] == scenario && row[1] == estimator) {
                let errors = match row[2] {
                    "fitted, in sample" => &printed["optimized"],
                    "one workload left out" => &printed["validation"]["leave_one_workload_out"],
                    "one concurrency left out" => &printed["validation"]["leave_one_concurrency_out"],
                    "priors alone, no fit" => &printed["baseline"],
                    other => panic!("unknown kind of row `{other}`"),
                };
                assert_claims(row, &row[3..], errors);
            }
        }
    }
}

#[test]
fn the_live_table_is_what_the_fit_prints() {
    const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/evaluations_results/live/olmo2_190m_cpu");
    let home = tempfile::tempdir().unwrap();
    let arguments = format!("fit --live {RUN}/results.json --hardware {RUN}/machine.toml --format json");
    let printed: Value = serde_json::from_str(&run(home.path(), &arguments).stdout).unwrap();
    let text = readme();
    let rows = table(&text, "<!-- live -->");
    assert_eq!(rows.len(), 8);
    for row in rows {
        let kinds = match row[0] {
            "priors, before the fit" => &printed["before"],
            "fitted, in sample" => &printed["after"],
            _ => &printed["unseen"][0]["errors"],
        };
        for (cell, metric) in row[2..].iter().zip(["TTFT", "decode", "token"]) {
            let is_it = |kind: &&Value| kind["variant"] == row[1] && kind["metric"] == metric;
            let Some(found) = kinds.as_array().unwrap().iter().find(is_it) else {
                assert_eq!(*cell, "–", "{row:?}");
                continue;
            };
            let (claimed, found): (f64, f64) = (cell.parse().unwrap(), found["mape_pct"].as_f64().unwrap());
            assert!((claimed - found).abs() <= 0.05 + 0.01 * claimed, "{row:?} {metric}: {found}");
        }
    }
}

#[test]
fn the_two_commands_of_the_readme_are_there() {
    let text = readme();
    for command in
        ["cargo run --release -- fit --scenario llama31_8b_fp8_tp1", "cargo test --features live,frames,schema"]
    {
        assert!(text.contains(&format!("\n{command} ")), "{command}");
    }
}
