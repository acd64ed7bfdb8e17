//! Everything that `check` must refuse: the message names file, place and remedy, the exit code is 2.

mod common;
#[path = "common/refused.rs"]
mod refused;

use std::fs;
use std::path::PathBuf;

use common::{perfmodel, run};
use refused::assert_refused;
use tempfile::TempDir;

const ONE: &str = "--scenario llama31_8b_fp8_tp1";

/// A folder with the committed baseline of the 8B scenario as `b.toml`, some of its text replaced.
fn with_baseline(from: &str, to: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let text = fs::read_to_string("evaluations_results/llama31_8b_fp8_tp1/serving/calibration.toml").unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(home.path().join("b.toml"), text.replacen(from, to, 1)).unwrap();
    home
}

#[test]
fn baselines_that_cannot_be_compared_with_are_refused() {
    let home = with_baseline("", "");
    let scenario = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tested_benchmarks/llama31_8b_fp8_tp1/scenario.toml");
    fs::copy(scenario, home.path().join("scenario.toml")).unwrap();
    fs::write(home.path().join("broken.toml"), "seed = 0\nestimator = \n").unwrap();
    fs::write(home.path().join("bytes.toml"), [0xff, 0xfe]).unwrap();
    for (arguments, message, help) in [
        (
            "--baseline nowhere.toml",
            "nowhere.toml: cannot read the file (No such file or directory (os error 2))",
            "check the path",
        ),
        ("--baseline .", ".: cannot read the file (Is a directory (os error 21))", "check the path"),
        (
            "--baseline bytes.toml",
            "bytes.toml: cannot read the file (stream did not contain valid UTF-8)",
            "save the file as UTF-8",
        ),
        (
            "--baseline scenario.toml",
            "scenario.toml: not a calibration of this version: missing field `perfmodel_version`",
            "the calibration.toml that `perfmodel fit` writes",
        ),
        (
            "--baseline broken.toml",
            "broken.toml:2:13: not a calibration of this version: string values must be quoted, expected literal string",
            "the calibration.toml that `perfmodel fit` writes",
        ),
        (
            "--baseline b.toml --scenario llama33_70b_fp8_tp2",
            "b.toml: the baseline is of llama31_8b_fp8_tp1, not of `llama33_70b_fp8_tp2`",
            "a fit of this scenario",
        ),
        (
            "--baseline b.toml --estimator roofline",
            "b.toml: the baseline is one of the estimator `serving`, not `roofline`",
            "add --estimator serving",
        ),
    ] {
        assert_refused(&run(home.path(), &format!("check {arguments}")), message, help);
    }
}

#[test]
fn a_baseline_that_was_changed_by_hand_is_refused() {
    for (from, to, message, help) in [
        (
            "itl_mape_pct = ",
            "itl_mape_pct = nan # ",
            "b.toml: the errors of `llama31_8b_fp8_tp1` are not all numbers from 0 up",
            "fit again",
        ),
        (
            "rows_kept = []",
            "rows_kept = [\"concurency<9\"]",
            "b.toml: unknown column `concurency` in `concurency<9`; did you mean `concurrency`?",
            "fit again",
        ),
        (
            "rows_kept = []",
            "rows_kept = [\"concurrency>9000\"]",
            "built-in:tested_benchmarks/llama31_8b_fp8_tp1/measured.csv: no row is left by the filters of the baseline",
            "make a new baseline with `perfmodel fit`",
        ),
        (
            "estimator = \"serving\"",
            "estimator = \"servng\"",
            "b.toml: there is no estimator `servng`",
            "did you mean `serving`?",
        ),
        (
            "scenario = \"llama31_8b_fp8_tp1\"",
            "scenario = \"elsewhere\"",
            "b.toml: the baseline is of `elsewhere`, which is not a scenario that perfmodel knows",
            "give its folder with --scenario;",
        ),
    ] {
        let home = with_baseline(from, to);
        assert_refused(&run(home.path(), "check --baseline b.toml"), message, help);
    }
}

#[test]
fn a_check_that_could_not_fail_is_refused() {
    let home = with_baseline("", "");
    for (arguments, message, help) in [
        (
            "".to_owned(),
            "there is nothing to check: no scenario is named and none has a baseline",
            "make a baseline with `perfmodel fit --scenario ID`",
        ),
        (
            ONE.to_owned(),
            "`llama31_8b_fp8_tp1` has no baseline: without one and without a limit such as --max-itl-mape 5 nothing could \
             fail",
            "give --baseline FILE, or make one with `perfmodel fit` (evaluations_results/llama31_8b_fp8_tp1/serving/",
        ),
        (
            format!("{ONE} --max-regression 1"),
            "`llama31_8b_fp8_tp1` has no baseline: the largest regression is counted from it",
            "give --baseline FILE",
        ),
        (
            format!("{ONE} --max-itl-mape 5 --mode evaluate"),
            "`llama31_8b_fp8_tp1` has no baseline: mode evaluate predicts with its values",
            "give --baseline FILE",
        ),
        (
            format!("{ONE} --baseline b.toml --mode evaluate --max-left-out-itl-mape 5"),
            "mode evaluate fits nothing, so there are no left-out errors to limit",
            "use --mode refit",
        ),
    ] {
        assert_refused(&run(home.path(), &format!("check {arguments}")), message, help);
    }
}

#[test]
fn scenarios_that_are_not_there_are_refused() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, message, help) in [
        (
            "--scenario lama31_8b_fp8_tp1",
            "there is no scenario `lama31_8b_fp8_tp1`",
            "did you mean `llama31_8b_fp8_tp1`?",
        ),
        ("--scenario qwen*", "no scenario matches `qwen*`", "known: llama31_8b_fp8_tp1, llama33_70b_fp8_tp2"),
        (
            "--scenario llama31* --scenario llama31_8b_fp8_tp1",
            "the scenario `llama31_8b_fp8_tp1` is named twice",
            "name each once",
        ),
        (
            "--scenario-dir nowhere",
            "nowhere: cannot open the folder (No such file or directory (os error 2))",
            "perfmodel init DIR",
        ),
    ] {
        assert_refused(&run(home.path(), &format!("check {arguments}")), message, help);
    }
}

#[test]
fn too_few_measurements_are_refused() {
    let home = tempfile::tempdir().unwrap();
    run(home.path(), "init mine");
    let text = fs::read_to_string("tested_benchmarks/llama31_8b_fp8_tp1/measured.csv").unwrap();
    let few: Vec<&str> = text.lines().take(3).collect();
    fs::write(home.path().join("mine/measured.csv"), few.join("\n")).unwrap();
    assert_refused(
        &run(home.path(), "check --scenario-dir mine --max-itl-mape 5"),
        "mine/measured.csv: 2 rows cannot fit 13 parameters",
        "measure more workloads",
    );
}

#[test]
fn a_file_of_limits_that_is_wrong_is_refused_with_line_and_column() {
    for (text, message, help) in [
        ("max_itl_mape_pct = -2.5\n", "c.toml:1:20: `max_itl_mape_pct` is -2.5; it must be a number from 0 up", "mend"),
        (
            "max_regression_points = \"0.5\"\n",
            "c.toml:1:25: invalid type: string \"0.5\", expected f64",
            "`perfmodel check --help` shows a file of limits",
        ),
        ("# limits\n[scenario\n", "c.toml:2:10: unclosed table, expected `]`", "`perfmodel check --help` shows"),
        ("mode = \"fit\"\n", "c.toml:1:8: unknown variant `fit`, expected `refit` or `evaluate`", "--help"),
        (
            "[scenario.mine]\nmax_itl_mape_pct = 5\n",
            "c.toml:1:11: `scenario.mine` is not a scenario that perfmodel knows; for a folder of yours add dir = \"…\"",
            "mend",
        ),
        (
            "[scenario.mine]\ndir = \"mine\"\n",
            "mine: cannot open the folder (No such file or directory (os error 2))",
            "perfmodel init DIR",
        ),
        (
            "[scenario.mine]\ndir = \"yours\"\n",
            "yours: the scenario of this folder is called `yours`, not `mine`",
            "write [scenario.yours] in the file of limits",
        ),
        (
            "[scenario.llama31_8b_fp8_tp1]\nbaseline = \"gone.toml\"\n",
            "gone.toml: cannot read the file (No such file or directory (os error 2))",
            "check the path",
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        run(home.path(), "init yours");
        fs::write(home.path().join("c.toml"), text).unwrap();
        assert_refused(&run(home.path(), "check --config c.toml"), message, help);
    }
    let home = tempfile::tempdir().unwrap();
    assert_refused(
        &run(home.path(), "check --config c.toml"),
        "c.toml: cannot read the file (No such file or directory (os error 2))",
        "check the path",
    );
    fs::write(home.path().join("perfmodel-check.toml"), "max_itl_mape = 5\n").unwrap();
    let unknown = run(home.path(), "check");
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.stderr.starts_with("error: perfmodel-check.toml:1:1: unknown field `max_itl_mape`, expected one of"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn flags_that_cannot_be_read_are_refused_by_the_parser() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, wanted) in [
        ("--max-itl-mape=-1", "give a number from 0 up"),
        ("--max-ttft-median five", "give a number from 0 up"),
        ("--max-regression nan", "give a number from 0 up"),
        ("--mode refti", "a similar value exists: 'refit'"),
        ("--format xml", "possible values: table, github, junit, json"),
        ("--estimator servig", "a similar value exists: 'serving'"),
        ("--max-itl-mpe 5", "a similar argument exists: '--max-itl-mape'"),
    ] {
        let result = perfmodel(home.path()).arg("check").args(arguments.split(' ')).output().unwrap();
        assert_eq!(result.status.code(), Some(2), "{arguments}");
        let stderr = String::from_utf8(result.stderr).unwrap();
        assert!(stderr.contains(wanted), "{arguments}: {stderr}");
    }
}
