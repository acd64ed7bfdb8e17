//! `check` from outside: what passes, what fails, and what CI systems read of it.

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::fs;
use std::path::Path;

use common::{Run, perfmodel, run};
use perfmodel::calibration::CalibrationRecord;
use quick_xml::events::{BytesStart, Event};
use schema::{assert_matches_schema, json};
use serde_json::Value;

const FIT_8B: &str = "fit --scenario llama31_8b_fp8_tp1 --no-validate";

/// The committed baseline of a scenario.
fn committed(scenario: &str) -> String {
    format!("{}/evaluations_results/{scenario}/serving/calibration.toml", env!("CARGO_MANIFEST_DIR"))
}

/// No fit, so it takes no time.
fn evaluate_8b(arguments: &str) -> Run {
    let home = tempfile::tempdir().unwrap();
    let baseline = committed("llama31_8b_fp8_tp1");
    run(home.path(), &format!("check --mode evaluate --baseline {baseline} {arguments}"))
}

fn must_succeed(result: Run) -> Run {
    assert_eq!(result.code, 0, "{}{}", result.stdout, result.stderr);
    result
}

fn checked(result: &Run) -> Value {
    let value = json(&result.stdout);
    assert_matches_schema("check.schema.json", &value);
    assert_eq!(value["passed"].as_bool().unwrap(), result.code == 0);
    value
}

fn metrics(scenario: &Value) -> Vec<&str> {
    scenario["comparisons"].as_array().unwrap().iter().map(|one| one["metric"].as_str().unwrap()).collect()
}

/// The largest change of an error against the baseline.
fn largest_change(value: &Value) -> f64 {
    let scenarios = value["scenarios"].as_array().unwrap();
    let comparisons = scenarios.iter().flat_map(|scenario| scenario["comparisons"].as_array().unwrap());
    comparisons.map(|one| one["change_points"].as_f64().unwrap().abs()).fold(0.0, f64::max)
}

#[test]
fn the_shipped_scenarios_keep_the_limits_of_this_repository() {
    let result = run(Path::new(env!("CARGO_MANIFEST_DIR")), "check --format json");
    assert_eq!(result.code, 0, "{}{}", result.stdout, result.stderr);
    let value = checked(&result);
    let scenarios = value["scenarios"].as_array().unwrap();
    let ids: Vec<&str> = scenarios.iter().map(|scenario| scenario["scenario"].as_str().unwrap()).collect();
    assert_eq!(ids, ["llama31_8b_fp8_tp1", "llama33_70b_fp8_tp2"]);
    for scenario in scenarios {
        assert_eq!((&scenario["mode"], &scenario["data_changed"]), (&"refit".into(), &false.into()));
        // Six errors against the baseline, four of them against limits of their own.
        assert_eq!(metrics(scenario).len(), 10, "{scenario}");
    }
}

#[test]
fn a_fresh_baseline_is_found_and_nothing_has_changed() {
    let home = tempfile::tempdir().unwrap();
    must_succeed(run(home.path(), FIT_8B));
    let text = must_succeed(run(home.path(), "check"));
    for wanted in [
        "ITL MAPE",
        "refitted, estimator serving, against evaluations_results/llama31_8b_fp8_tp1/serving/calibration.toml",
        "Passed: 4 of 4 comparisons passed",
    ] {
        assert!(text.stdout.contains(wanted), "`{wanted}` is missing in\n{}", text.stdout);
    }
    let value = checked(&must_succeed(run(home.path(), "check --max-regression 0 --format json")));
    assert_eq!(largest_change(&value), 0.0);
    let want = ["itl_mape_pct", "ttft_mape_pct", "ttft_median_ape_pct", "throughput_mape_pct"];
    assert_eq!(metrics(&value["scenarios"][0]), want, "no errors that the baseline did not compute");
    // Asked for, they are computed.
    let value = run(home.path(), "check --max-left-out-itl-mape 2 --format json");
    assert_eq!(value.code, 1, "{}", value.stderr);
    let value = checked(&value);
    let left_out = value["scenarios"][0]["comparisons"].as_array().unwrap().last().unwrap();
    assert_eq!((&left_out["metric"], &left_out["baseline_pct"]), (&"left_out_itl_mape_pct".into(), &Value::Null));
    assert!(left_out["now_pct"].as_f64().unwrap() > 2.0);
}

#[test]
fn without_a_baseline_only_limits_on_the_errors_themselves_count() {
    let home = tempfile::tempdir().unwrap();
    let result = must_succeed(run(home.path(), "check --scenario llama31_8b_fp8_tp1 --max-itl-mape 5"));
    assert!(
        result.stdout.ends_with(
            "\nllama31_8b_fp8_tp1: refitted, estimator serving\n note: no baseline: only limits on the errors themselves \
             apply\n\nPassed: 1 of 1 comparison passed\n"
        ),
        "{}",
        result.stdout
    );
}

#[test]
fn a_refit_repeats_what_the_baseline_was_told() {
    let home = tempfile::tempdir().unwrap();
    let fit: Run = perfmodel(home.path())
        .args(FIT_8B.split(' '))
        .args(["--seed", "3", "--starts", "4", "--no-priors", "--fix", "burst_factor=0.5", "--free", "power_share"])
        .args(["--fix", "activation_passes=20"])
        .args(["--exclude", "concurrency>128", "--out", "r"])
        .output()
        .unwrap()
        .into();
    must_succeed(fit);
    let value = checked(&must_succeed(run(
        home.path(),
        "check --baseline r/calibration.toml --max-regression 0 --format json",
    )));
    assert_eq!(largest_change(&value), 0.0);
    assert_eq!(
        value["scenarios"][0]["notes"][0],
        "held as in the baseline: activation_passes = 20, burst_factor = 0.5"
    );
}

/// A value that fits hold by themselves belongs to the model that is checked, not to the baseline.
#[test]
fn a_held_default_that_changed_since_is_not_hidden() {
    let home = tempfile::tempdir().unwrap();
    let mut old = CalibrationRecord::open(Path::new(&committed("llama31_8b_fp8_tp1"))).unwrap();
    old.parameters.iter_mut().find(|parameter| parameter.name == "activation_passes").unwrap().value = 30.0;
    fs::write(home.path().join("b.toml"), old.to_toml()).unwrap();
    let of_old = checked(&must_succeed(run(home.path(), "check --baseline b.toml --format json")));
    fs::copy(committed("llama31_8b_fp8_tp1"), home.path().join("b.toml")).unwrap();
    let of_new = checked(&must_succeed(run(home.path(), "check --baseline b.toml --format json")));
    assert_eq!(of_old["scenarios"], of_new["scenarios"]);
}

#[test]
fn a_baseline_of_several_scenarios_is_refitted_once_and_together() {
    let home = tempfile::tempdir().unwrap();
    must_succeed(run(
        home.path(),
        "fit --scenario llama31_8b_fp8_tp1 --scenario llama33_70b_fp8_tp2 --no-validate --out r",
    ));
    let pooled = "check --baseline r/calibration.toml --max-regression 0 --format json";
    let value = checked(&must_succeed(run(home.path(), pooled)));
    assert_eq!((value["scenarios"].as_array().unwrap().len(), largest_change(&value)), (2, 0.0));
    let note = "fitted together with llama33_70b_fp8_tp2, as the baseline was";
    assert!(value["scenarios"][0]["notes"].as_array().unwrap().contains(&note.into()), "{value}");
    let one = checked(&must_succeed(run(home.path(), &format!("{pooled} --scenario llama31_8b_fp8_tp1"))));
    assert_eq!(one["scenarios"], Value::Array(vec![value["scenarios"][0].clone()]));
}

#[test]
fn evaluation_repeats_the_errors_of_the_fit_and_fits_nothing() {
    let result = must_succeed(evaluate_8b("--max-regression 0 --max-itl-mape 5 --format json"));
    let value = checked(&result);
    assert!(largest_change(&value) < 1e-6, "{value}");
    assert_eq!(metrics(&value["scenarios"][0]).len(), 5);
    let roofline = committed("llama31_8b_fp8_tp1").replace("/serving/", "/roofline/");
    let home = tempfile::tempdir().unwrap();
    let value = checked(&must_succeed(run(
        home.path(),
        &format!("check --mode evaluate --baseline {roofline} --max-regression 0 --format json"),
    )));
    assert_eq!(value["scenarios"][0]["estimator"], "roofline");
    assert!(largest_change(&value) < 1e-6, "{value}");
}

#[test]
fn a_limit_that_does_not_hold_is_exit_code_1_and_the_report_says_which() {
    let result = evaluate_8b("--max-itl-mape 2");
    assert_eq!(result.code, 1, "{}", result.stderr);
    let row = result.stdout.lines().find(|line| line.contains("≤ 2 %")).unwrap();
    assert!(row.trim_start().starts_with("llama31_8b_fp8_tp1") && row.ends_with("FAILED"), "{row}");
    assert!(result.stdout.ends_with("FAILED: 1 of 5 comparisons failed\n"), "{}", result.stdout);
    assert_eq!(result.stderr, "error: 1 of 5 comparisons failed\n  help: see the report on standard output\n");
    let value = evaluate_8b("--max-itl-mape 2 --format json");
    assert_eq!(value.code, 1);
    let failed = &checked(&value)["scenarios"][0]["comparisons"][0];
    assert_eq!((&failed["limit_pct"], &failed["passed"]), (&2.0.into(), &false.into()));
}

#[test]
fn measurements_that_changed_fail_and_are_named_as_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("llama31_8b_fp8_tp1");
    fs::create_dir(&folder).unwrap();
    let source = Path::new("tested_benchmarks/llama31_8b_fp8_tp1");
    fs::copy(source.join("scenario.toml"), folder.join("scenario.toml")).unwrap();
    let text = fs::read_to_string(source.join("measured.csv")).unwrap();
    // The first row's ITL as if the server had become ten times slower.
    let slower: Vec<String> = text.lines().enumerate().map(|(index, line)| slower(index, line)).collect();
    fs::write(folder.join("measured.csv"), slower.join("\n")).unwrap();
    fs::copy(committed("llama31_8b_fp8_tp1"), home.path().join("b.toml")).unwrap();
    for mode in ["refit", "evaluate"] {
        let result = run(
            home.path(),
            &format!("check --scenario-dir llama31_8b_fp8_tp1 --baseline b.toml --mode {mode} --format json"),
        );
        assert_eq!(result.code, 1, "{}", result.stderr);
        let value = checked(&result);
        assert_eq!(value["scenarios"][0]["data_changed"], true);
        let note = value["scenarios"][0]["notes"][0].as_str().unwrap();
        assert!(note.starts_with("the measurements are not those of the baseline"), "{note}");
    }
}

fn slower(index: usize, line: &str) -> String {
    let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
    if index == 1 {
        fields[4] = (10.0 * fields[4].parse::<f64>().unwrap()).to_string();
    }
    fields.join(",")
}

#[test]
fn limits_of_the_file_are_those_of_its_estimator() {
    let value =
        checked(&must_succeed(run(Path::new(env!("CARGO_MANIFEST_DIR")), "check --estimator roofline --format json")));
    for scenario in value["scenarios"].as_array().unwrap() {
        let comparisons = scenario["comparisons"].as_array().unwrap();
        assert_eq!((&scenario["estimator"], comparisons.len()), (&"roofline".into(), 6));
        assert!(
            comparisons.iter().all(|one| one["limit_pct"].is_null() && one["limit_points"].is_number()),
            "{scenario}"
        );
    }
}

#[test]
fn a_file_of_limits_speaks_for_its_scenarios_and_flags_win_over_it() {
    let home = tempfile::tempdir().unwrap();
    must_succeed(run(home.path(), "init ci/mine"));
    fs::copy("tested_benchmarks/llama31_8b_fp8_tp1/measured.csv", home.path().join("ci/mine/measured.csv")).unwrap();
    must_succeed(run(home.path(), "fit --scenario-dir ci/mine --no-validate --out ci/accepted"));
    let config = "max_itl_mape_pct = 0.5\nmode = \"evaluate\"\n[scenario.mine]\ndir = \"mine\"\n\
                  baseline = \"accepted/calibration.toml\"\nmax_ttft_mape_pct = 90\n";
    fs::write(home.path().join("ci/limits.toml"), config).unwrap();
    let check = "check --config ci/limits.toml --format json";
    let result = run(home.path(), check);
    assert_eq!(result.code, 1, "{}", result.stderr);
    let value = checked(&result);
    let mine = &value["scenarios"][0];
    assert_eq!((&mine["scenario"], &mine["baseline"]), (&"mine".into(), &"ci/accepted/calibration.toml".into()));
    assert_eq!(mine["mode"], "evaluate");
    assert_eq!(metrics(mine).len(), 6);
    must_succeed(run(home.path(), &format!("{check} --max-itl-mape 9")));
    // Where perfmodel-check.toml lies it is read without being named.
    fs::rename(home.path().join("ci/limits.toml"), home.path().join("ci/perfmodel-check.toml")).unwrap();
    let here = run(&home.path().join("ci"), "check");
    assert!(here.code == 1 && here.stdout.contains("≤ 0.5 %"), "{}{}", here.stdout, here.stderr);
}

/// Mean absolute errors of ITL and of throughput in the committed baseline, as the check prints them.
fn recorded_8b() -> [String; 2] {
    let record: CalibrationRecord =
        toml::from_str(&fs::read_to_string(committed("llama31_8b_fp8_tp1")).unwrap()).unwrap();
    let fitted = record.scenarios[0].errors.fitted;
    [fitted.itl_mape_pct, fitted.throughput_mape_pct.unwrap()].map(|error| format!("{error:.2}"))
}

#[test]
fn github_gets_its_workflow_commands() {
    let result = evaluate_8b("--max-itl-mape 1 --max-throughput-mape 1 --format github");
    let [itl, throughput] = recorded_8b();
    assert_eq!(result.code, 1);
    let commands: Vec<&str> = result.stdout.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(
        commands,
        [
            format!("::error title=perfmodel check%3A llama31_8b_fp8_tp1::ITL MAPE is {itl} %25, the limit 1 %25"),
            format!(
                "::error title=perfmodel check%3A llama31_8b_fp8_tp1::throughput MAPE is {throughput} %25, the limit 1 %25"
            ),
        ]
    );
    assert!(result.stdout.contains("FAILED: 2 of 6"), "the table is there too");
    let passed = must_succeed(evaluate_8b("--format github"));
    assert!(!passed.stdout.contains("::error"), "{}", passed.stdout);
}

/// The value of an attribute, unescaped.
fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    element.try_get_attribute(name).unwrap().unwrap().unescape_value().unwrap().into_owned()
}

#[test]
fn junit_is_well_formed_and_counts_right() {
    let result = evaluate_8b("--max-itl-mape 1 --format junit");
    assert_eq!(result.code, 1);
    let (mut tests, mut failures, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let mut reader = quick_xml::Reader::from_str(&result.stdout);
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(element) | Event::Empty(element) => match element.name().as_ref() {
                b"testsuites" | b"testsuite" => {
                    counts.push((attribute(&element, "tests"), attribute(&element, "failures")));
                }
                b"testcase" => tests.push((attribute(&element, "classname"), attribute(&element, "name"))),
                b"failure" => failures.push((attribute(&element, "type"), attribute(&element, "message"))),
                other => panic!("{}", String::from_utf8_lossy(other)),
            },
            _ => {}
        }
    }
    assert_eq!(counts, vec![("5".to_owned(), "1".to_owned()); 2]);
    assert_eq!(tests.len(), 5);
    assert_eq!(tests[0], ("llama31_8b_fp8_tp1".to_owned(), "ITL MAPE at most 1 %".to_owned()));
    assert_eq!(failures, [("absolute".to_owned(), format!("ITL MAPE is {} %, the limit 1 %", recorded_8b()[0]))]);
}
