//! `perfmodel report`: the front page gathers what is there, by what pages and data say of themselves.

mod common;
#[path = "common/refused.rs"]
mod refused;
#[path = "common/schema.rs"]
mod schema;

use std::fs;
use std::path::Path;

use common::run;
use refused::assert_refused;
use schema::{assert_matches_schema, json};

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// Copies a file of the project's results to the same place below a folder.
fn copied(file: &str, home: &Path) {
    let to = home.join("evaluations_results").join(file);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(Path::new(PROJECT).join("evaluations_results").join(file), to).unwrap();
}

#[test]
fn pages_and_data_without_one_are_gathered_with_their_key_figures() {
    let home = tempfile::tempdir().unwrap();
    for file in [
        "llama31_8b_fp8_tp1/serving/calibration.toml",
        "llama31_8b_fp8_tp1/serving/parity.png",
        "live/olmo2_190m_cpu/results.json",
    ] {
        copied(file, home.path());
    }
    let made = run(
        home.path(),
        "predict --scenario llama31_8b_fp8_tp1 --input-tokens 500 --output-tokens 200 --concurrency 1,8 --plot",
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
    let result = run(home.path(), "report --format json");
    assert_eq!(result.code, 0, "{}", result.stderr);
    let value = json(&result.stdout);
    assert_matches_schema("report.schema.json", &value);
    let results = value["results"].as_array().unwrap();
    let kinds: Vec<(&str, bool)> =
        results.iter().map(|r| (r["kind"].as_str().unwrap(), r["has_page"].as_bool().unwrap())).collect();
    assert_eq!(kinds, [("fit", false), ("prediction", true), ("live_run", false)]);
    // The errors that README has of this fit.
    assert!(results[0]["findings"][0].as_str().unwrap().contains("TTFT 18.8 %, ITL 2.2 % in sample"), "{}", results[0]);
    assert_eq!(results[0]["pictures"][0], "llama31_8b_fp8_tp1/serving/parity.png");

    let html = fs::read_to_string(home.path().join("evaluations_results/index.html")).unwrap();
    assert!(html.len() < 100_000 && !html.contains("<script"), "a page without figures needs no script");
    for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(link, _)| link) {
        let is_there = match link.strip_prefix('#') {
            Some(id) => html.contains(&format!("id=\"{id}\"")),
            None => home.path().join("evaluations_results").join(link).is_file(),
        };
        assert!(is_there, "{link}");
    }
    assert!(html.contains("src=\"llama31_8b_fp8_tp1/serving/parity.png\""));

    // The page that is made now stands for its data; the front page is none of the results.
    assert_eq!(run(home.path(), "plot evaluations_results/live/olmo2_190m_cpu/results.json").code, 0);
    let again = json(&run(home.path(), "report --format json").stdout);
    let files: Vec<&str> = again["results"].as_array().unwrap().iter().map(|r| r["file"].as_str().unwrap()).collect();
    assert_eq!(
        files,
        [
            "llama31_8b_fp8_tp1/serving/calibration.toml",
            "predictions/llama31_8b_fp8_tp1/prediction.html",
            "live/olmo2_190m_cpu/graph.html"
        ]
    );
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_gathered() {
    let home = tempfile::tempdir().unwrap();
    copied("live/olmo2_190m_cpu/results.json", home.path());
    let broken = home.path().join("evaluations_results/größe 1");
    fs::create_dir_all(&broken).unwrap();
    fs::write(broken.join("calibration.toml"), "estimator = 3").unwrap();
    fs::write(broken.join("other.html"), "<html></html>").unwrap();
    let result = run(home.path(), "report");
    assert_eq!(result.code, 0, "{}", result.stderr);
    assert!(
        result.stdout.contains("Caution: ") && result.stdout.contains("größe 1/calibration.toml"),
        "{}",
        result.stdout
    );
    assert!(result.stdout.contains("Live runs"), "{}", result.stdout);
}

#[test]
fn a_folder_without_results_is_refused() {
    let home = tempfile::tempdir().unwrap();
    assert_refused(&run(home.path(), "report"), "evaluations_results: there is no such folder", "perfmodel fit");
    assert_refused(&run(home.path(), "report ."), ".: there is no result in this folder", "--plot");
    assert!(!home.path().join("index.html").exists());
}
