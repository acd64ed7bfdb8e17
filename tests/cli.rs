//! The binary from outside: what it prints, writes and returns.

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{perfmodel, run};
use perfmodel::calibration::CalibrationRecord;
use schema::{assert_matches_schema, json};
use serde_json::Value;

const FIT: &str = "fit --scenario llama33_70b_fp8_tp2 --format json";

fn files_in(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn fit_prints_one_json_object_and_writes_its_files_anywhere() {
    let home = tempfile::tempdir().unwrap();
    let result = run(home.path(), FIT);
    assert_eq!(result.code, 0, "{}", result.stderr);
    let value = json(&result.stdout);
    assert_matches_schema("fit.schema.json", &value);
    assert_eq!(value["rows"], 39);
    let free = value["parameters"].as_array().unwrap().iter().filter(|p| p["flag"] != "fixed").count();
    assert!(free <= 13, "{free} free parameters");
    let better = |key: &str| value["optimized"][key].as_f64() < value["baseline"][key].as_f64();
    assert!(better("loss") && better("ttft_mape_pct") && better("itl_mape_pct") && better("throughput_mape_pct"));
    let held_out = &value["validation"]["leave_one_workload_out"];
    assert!(held_out["itl_mape_pct"].as_f64() > value["optimized"]["itl_mape_pct"].as_f64());

    let folder = home.path().join("evaluations_results/llama33_70b_fp8_tp2/serving");
    let names = ["calibration.toml", "evaluation.csv", "loss_history.csv", "parameters.csv", "report.html"];
    assert_eq!(files_in(&folder), names.map(str::to_owned).into());
    let listed: BTreeSet<_> = value["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert_eq!(listed.len(), names.len());
    assert!(listed.iter().all(|file| home.path().join(file).is_file()));

    let record: CalibrationRecord =
        toml::from_str(&fs::read_to_string(folder.join("calibration.toml")).unwrap()).unwrap();
    let fitted_on = &record.scenarios[0];
    assert_eq!((fitted_on.rows, fitted_on.load_range), (39, [1.0, 250.0]));
    assert_eq!(fitted_on.measured_sha256.len(), 64);
    for (recorded, printed) in record.parameters.iter().zip(value["parameters"].as_array().unwrap()) {
        assert_eq!(Some(recorded.value), printed["value"].as_f64());
    }

    // The rows of the table are those of the fit: errors recomputed from it are those printed.
    let mut table = csv::Reader::from_path(folder.join("evaluation.csv")).unwrap();
    let header = table.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let number = |row: &csv::StringRecord, name: &str| -> f64 {
        row[header.iter().position(|column| column == name).unwrap()].parse().unwrap()
    };
    assert_eq!(rows.len(), 39);
    let mean = rows.iter().map(|row| number(row, "itl_error_pct").abs()).sum::<f64>() / 39.0;
    assert!((mean - value["optimized"]["itl_mape_pct"].as_f64().unwrap()).abs() < 1e-5);
    for row in &rows {
        for metric in ["ttft", "itl"] {
            let parts: f64 = header
                .iter()
                .filter(|column| column.starts_with(&format!("{metric}_")) && column.ends_with("_ms"))
                .filter(|column| !["ttft_ms", "itl_ms"].contains(column))
                .filter(|column| !["predicted", "difference", "90pct"].iter().any(|word| column.contains(word)))
                .map(|column| number(row, column))
                .sum();
            let total = number(row, &format!("{metric}_predicted_ms"));
            assert!((parts / total - 1.0).abs() < 1e-5, "{metric}: {parts} {total}");
        }
    }
}

#[test]
fn the_same_run_writes_the_same_bytes() {
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let written = homes.each_ref().map(|home| {
        let result = run(home.path(), "fit --scenario llama31_8b_fp8_tp1 --no-validate --out r");
        assert_eq!(result.code, 0, "{}", result.stderr);
        files_in(&home.path().join("r"))
            .into_iter()
            .map(|name| fs::read(home.path().join("r").join(name)).unwrap())
            .collect::<Vec<_>>()
    });
    assert!(written[0] == written[1]);
}

#[test]
fn fit_tells_people_what_they_need() {
    let home = tempfile::tempdir().unwrap();
    let result = run(home.path(), "fit --scenario llama31_8b_fp8_tp1");
    assert_eq!(result.code, 0, "{}", result.stderr);
    for wanted in [
        "Llama-3.1-8B-Instruct, FP8, one H100 SXM · estimator serving",
        "memory_efficiency",
        "defaults, before the fit",
        "one workload left out",
        "one concurrency left out",
        "Worst rows",
        "Caution: memory_efficiency: on a bound",
        "report.html",
    ] {
        assert!(result.stdout.contains(wanted), "`{wanted}` is missing in\n{}", result.stdout);
    }
}

#[test]
fn the_roofline_table_carries_the_notebooks_columns() {
    let home = tempfile::tempdir().unwrap();
    let result = run(home.path(), "fit --scenario llama31_8b_fp8_tp1 --estimator roofline --no-validate --out r");
    assert_eq!(result.code, 0, "{}", result.stderr);
    assert!(result.stdout.contains("prefill_cap_tokens has no effect"), "{}", result.stdout);
    let header = fs::read_to_string(home.path().join("r/evaluation.csv")).unwrap().lines().next().unwrap().to_owned();
    assert!(
        header.ends_with(
            "prefill_compute_ms,prefill_memory_ms,prefill_memory_hbm_wall_ms,ttft_model_ms,prefill_running_tokens,\
         decode_compute_ms,decode_memory_ms,itl_model_ms,decode_running_tokens,ttft_delta_ms,itl_delta_ms,\
         ttft_memory_wall_vs_compute_ratio,ttft_rel_error_pct,itl_rel_error_pct"
        ),
        "{header}"
    );
}

#[test]
fn filters_are_applied_and_recorded() {
    let home = tempfile::tempdir().unwrap();
    let result: common::Run = perfmodel(home.path())
        .args(["fit", "--scenario", "llama31_8b_fp8_tp1", "--no-validate", "--out", "r", "--format", "json"])
        .args(["--exclude", "concurrency>128", "--rows", "input_tokens<=5000"])
        .output()
        .unwrap()
        .into();
    assert_eq!(result.code, 0, "{}", result.stderr);
    let value = json(&result.stdout);
    assert_eq!(value["rows"], 20);
    assert_eq!(value["validation"], Value::Null);
    assert_matches_schema("fit.schema.json", &value);
    let record = fs::read_to_string(home.path().join("r/calibration.toml")).unwrap();
    assert!(record.contains("rows_excluded = [\"concurrency>128\"]"), "{record}");
    assert!(record.contains("rows_kept = [\"input_tokens<=5000\"]"), "{record}");
}

#[test]
fn a_bare_csv_a_folder_and_a_project_folder_all_fit() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    fs::copy("tested_benchmarks/llama31_8b_fp8_tp1/measured.csv", path("runs.csv")).unwrap();
    let bare = "fit --measured runs.csv --model llama31_8b --hardware h100_sxm_80gb --tp 1 --weights fp8 --kv fp8 \
                --no-validate --format json";
    let bare = run(home.path(), bare);
    assert_eq!(bare.code, 0, "{}", bare.stderr);

    let init = run(home.path(), "init mine");
    assert_eq!(init.code, 0, "{}", init.stderr);
    fs::copy(path("runs.csv"), path("mine/measured.csv")).unwrap();
    let folder = run(home.path(), "fit --scenario-dir mine --no-validate --format json");
    assert_eq!(folder.code, 0, "{}", folder.stderr);
    assert_eq!(json(&bare.stdout)["optimized"], json(&folder.stdout)["optimized"]);
    assert_eq!(json(&folder.stdout)["scenario"], "mine");

    fs::create_dir_all(path("project/tested_benchmarks")).unwrap();
    fs::rename(path("mine"), path("project/tested_benchmarks/mine")).unwrap();
    let project = run(home.path(), "fit --scenario mine --data-dir project --no-validate --format json");
    assert_eq!(project.code, 0, "{}", project.stderr);
    assert_eq!(json(&project.stdout)["optimized"], json(&bare.stdout)["optimized"]);
    // Without the roofline block the other estimator derives its constants and says so.
    let derived = run(home.path(), "fit --scenario mine --data-dir project --no-validate --estimator roofline");
    assert!(
        derived.code == 0 && derived.stdout.contains("no [roofline] block"),
        "{}{}",
        derived.stdout,
        derived.stderr
    );
}

#[test]
fn init_never_overwrites() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(run(home.path(), "init mine").code, 0);
    fs::write(home.path().join("mine/measured.csv"), "precious").unwrap();
    let again = run(home.path(), "init mine");
    assert_eq!(again.code, 2);
    assert!(again.stderr.starts_with("error: mine/scenario.toml: the file is there already"), "{}", again.stderr);
    assert_eq!(fs::read_to_string(home.path().join("mine/measured.csv")).unwrap(), "precious");
}

#[test]
fn list_shows_what_there_is() {
    let home = tempfile::tempdir().unwrap();
    let text = run(home.path(), "list");
    for id in ["llama31_8b_fp8_tp1", "mi300x_192gb", "deepseek_v3"] {
        assert!(text.stdout.contains(id), "{}", text.stdout);
    }
    let value = json(&run(home.path(), "list --format json").stdout);
    assert_matches_schema("list.schema.json", &value);
    assert_eq!(["scenarios", "hardware", "models"].map(|kind| value[kind].as_array().unwrap().len()), [2, 14, 35]);
    // A folder is no model, whatever it is called.
    fs::create_dir_all(home.path().join("data/models/old.toml")).unwrap();
    let own = run(home.path(), "list models --data-dir data");
    assert!(own.code == 0 && !own.stdout.contains("old"), "{}{}", own.stdout, own.stderr);
    let hardware = json(&run(home.path(), "list hardware --format json").stdout);
    assert_eq!(hardware.as_object().unwrap().len(), 1);
}

#[test]
fn a_fit_that_does_not_converge_exits_with_1_and_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let result = run(home.path(), "fit --scenario llama31_8b_fp8_tp1 --max-iterations 1 --starts 1 --out r");
    assert_eq!(result.code, 1);
    assert!(result.stderr.starts_with("error: the fit did not converge"), "{}", result.stderr);
    assert!(result.stderr.contains("--max-iterations"), "{}", result.stderr);
    assert!(!home.path().join("r").exists());
}

#[test]
fn completions_and_help_are_there() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(home.path(), &format!("completions {shell}")).stdout.contains("perfmodel"), "{shell}");
    }
    for command in ["", "fit", "predict", "plan", "roofline", "evaluate", "check", "list", "init", "completions"] {
        let help = run(home.path(), &format!("{command} --help"));
        assert!(help.code == 0 && help.stdout.contains("Example"), "{command}: {}", help.stdout);
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let mut child = perfmodel(home.path()).arg("list").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn png_without_a_browser_is_a_clear_error_and_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let result: common::Run = perfmodel(home.path())
        .args("fit --scenario llama31_8b_fp8_tp1 --no-validate --png --out r".split(' '))
        .env("PATH", home.path())
        .output()
        .unwrap()
        .into();
    assert_eq!(result.code, 2);
    assert!(result.stderr.contains("--png needs a Chromium on PATH"), "{}", result.stderr);
    assert!(result.stderr.contains("apt-get install chromium"), "{}", result.stderr);
    assert!(!home.path().join("r").exists());
}

#[test]
fn a_killed_run_leaves_only_whole_files() {
    let home = tempfile::tempdir().unwrap();
    let old_fit = "fit --scenario llama31_8b_fp8_tp1 --no-validate --out";
    let new_fit = "fit --scenario llama31_8b_fp8_tp1 --no-validate --seed 1 --fix burst_factor=0.9 --out";
    assert_eq!(run(home.path(), &format!("{old_fit} r")).code, 0);
    assert_eq!(run(home.path(), &format!("{new_fit} new")).code, 0);
    let read = |folder: &str, name: &str| fs::read(home.path().join(folder).join(name)).unwrap();
    let names = files_in(&home.path().join("new"));
    let old: Vec<Vec<u8>> = names.iter().map(|name| read("r", name)).collect();
    // The same run writes the same bytes, so whatever is there must be one of two known contents.
    let started = std::time::Instant::now();
    assert_eq!(run(home.path(), &format!("{new_fit} again")).code, 0);
    let whole_run = started.elapsed();
    for share in [0.05, 0.3, 0.6, 0.8, 0.9, 0.95, 1.0] {
        let mut child = perfmodel(home.path()).args(new_fit.split(' ')).arg("r").stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole_run.mul_f64(share));
        let _ = child.kill();
        let _ = child.wait();
        for (name, old) in names.iter().zip(&old) {
            let now = read("r", name);
            assert!(now == *old || now == read("new", name), "{name} after {share} of a run");
        }
    }
}

/// The crates of a build, a line each.
fn crates(flags: &[&str]) -> String {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--edges", "normal", "--prefix", "none"]).args(flags);
    String::from_utf8(tree.output().unwrap().stdout).unwrap()
}

#[test]
fn the_library_needs_neither_clap_nor_polars_nor_plotly_and_the_command_no_polars() {
    let (library, command) = (crates(&["--no-default-features"]), crates(&[]));
    assert!(library.contains("argmin ") && library.contains("nalgebra "), "{library}");
    assert!(command.contains("clap ") && command.contains("plotly "), "{command}");
    for (tree, heavy) in [
        (&library, &["clap ", "polars", "plotly ", "indicatif ", "candle"][..]),
        (&command, &["polars", "tokio ", "candle"]),
    ] {
        for name in heavy {
            assert!(!tree.lines().any(|line| line.starts_with(name)), "{name} is in the tree");
        }
    }
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let home = tempfile::tempdir().unwrap();
    let page = run(home.path(), "man");
    assert!(page.code == 0 && page.stdout.contains(".TH perfmodel 1") && page.stdout.contains("perfmodel\\-fit(1)"));
    let written = run(home.path(), "man --out man1");
    assert_eq!(written.code, 0, "{}", written.stderr);
    let help = run(home.path(), "--help").stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let mut count = 0;
    // Further lines of a description stand deeper.
    let commands = commands.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for name in commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        let page = fs::read_to_string(home.path().join(format!("man1/perfmodel-{name}.1"))).unwrap();
        assert!(page.contains(&format!("perfmodel\\-{name}")) && page.contains(".SH OPTIONS"), "{name}");
        count += 1;
    }
    assert!(count >= 17, "{help}");
}

#[test]
fn verbose_tells_what_is_read_and_quiet_nothing_but_errors() {
    let home = tempfile::tempdir().unwrap();
    let predict =
        "predict --scenario llama31_8b_fp8_tp1 --input-tokens 500 --output-tokens 100 --concurrency 8 --format json";
    let plain = run(home.path(), predict);
    let verbose = run(home.path(), &format!("{predict} --verbose"));
    let quiet = run(home.path(), &format!("-q {predict}"));
    assert_eq!((verbose.code, quiet.code), (0, 0), "{}{}", verbose.stderr, quiet.stderr);
    assert!(plain.stdout == verbose.stdout && plain.stdout == quiet.stdout, "the answer is the same");
    for part in [
        "note: built-in specifications\n",
        "note: no calibration at evaluations_results/",
        " s\n",
        "caution: UNCALIBRATED",
    ] {
        assert!(verbose.stderr.contains(part), "`{part}` is not in\n{}", verbose.stderr);
    }
    assert!(!plain.stderr.contains("note:") && plain.stderr.contains("caution: UNCALIBRATED"));
    assert_eq!(quiet.stderr, "");
    let wrong = run(home.path(), "-q fit --scenario nobody");
    assert!(wrong.code == 2 && wrong.stderr.starts_with("error: "), "{}", wrong.stderr);
    assert_eq!(run(home.path(), "-q -v list").code, 2);
}
