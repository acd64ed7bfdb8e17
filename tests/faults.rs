//! What goes wrong around a run: killed while it writes, no room left, folders that cannot be written, two runs at once, a reader that
//! has gone, terminals without colour, files of another system, files far too large.
#![cfg(unix)]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Run, perfmodel, run};

const PREDICT: &str = "predict --model llama31_8b --hardware h100_sxm_80gb --input-tokens 500 --output-tokens 100";

/// Runs a line of shell in a folder; `$PERFMODEL` is the binary.
fn shell(folder: &Path, line: &str) -> Run {
    let mut command = Command::new("bash");
    command.args(["-c", line]).current_dir(folder).env("PERFMODEL", env!("CARGO_BIN_EXE_perfmodel"));
    command.output().expect("bash runs").into()
}

/// Files that are no results: those that a killed run had not named yet.
fn results(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with(".tmp")).collect();
    names.sort();
    names
}

#[test]
fn a_run_that_is_killed_leaves_whole_files() {
    let home = tempfile::tempdir().unwrap();
    let page = home.path().join("p/prediction.html");
    assert_eq!(run(home.path(), &format!("{PREDICT} --concurrency 7 --plot --out p")).code, 0);
    let mut killed = 0;
    for wait_ms in (0..60).step_by(3) {
        let arguments = format!("{PREDICT} --concurrency {} --plot --out p", 8 + wait_ms);
        let mut child =
            perfmodel(home.path()).args(arguments.split_whitespace()).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().code().is_none());
        let html = fs::read_to_string(&page).unwrap();
        assert!(html.ends_with("</html>\n") && html.contains("/ 100 input / output tokens"), "{wait_ms} ms");
        assert_eq!(results(&home.path().join("p")), ["prediction.html"]);
    }
    assert!(killed > 0, "no run was killed before its end");
}

#[test]
fn without_room_the_last_good_files_stay() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(run(home.path(), "fit --scenario llama31_8b_fp8_tp1 --no-validate --out r").code, 0);
    let folder = home.path().join("r");
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let names = results(&folder);
    let before: Vec<Vec<u8>> = names.iter().map(|name| read(name)).collect();
    // A limit on the size of files stands for a full disk: writing beyond it fails. 1 MB holds the tables, not the page.
    let fit = "fit --scenario llama31_8b_fp8_tp1 --estimator roofline --no-validate --out r";
    let full = shell(home.path(), &format!("trap '' XFSZ; ulimit -f 1000; exec \"$PERFMODEL\" {fit}"));
    assert_eq!(full.code, 2, "{}", full.stderr);
    assert!(full.stderr.contains("r: cannot write here (File too large"), "{}", full.stderr);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), names.len(), "no temporary file is left");
    for (name, before) in names.iter().zip(before) {
        assert!(read(name) == before, "{name} has changed");
    }
    if Path::new("/dev/full").exists() {
        let full = shell(home.path(), "\"$PERFMODEL\" list > /dev/full");
        assert_eq!(full.code, 2);
        assert!(full.stderr.contains("cannot write to standard output (No space left on device"), "{}", full.stderr);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let closed = home.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    // Permissions do not hold the superuser back; a folder of the kernel does.
    let out = if File::create(closed.join("probe")).is_ok() { "/proc/perfmodel" } else { "closed" };
    if out.starts_with("/proc") && !Path::new("/proc/self").exists() {
        eprintln!("skipped: nothing here keeps this user from writing");
        return;
    }
    let refused = run(home.path(), &format!("{PREDICT} --concurrency 7 --plot --out {out}"));
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("cannot write here") && refused.stderr.contains("help: choose a folder"),
        "{}",
        refused.stderr
    );
}

#[test]
fn of_two_runs_into_one_folder_one_stays_as_a_whole() {
    let home = tempfile::tempdir().unwrap();
    let fits = ["serving", "roofline"]
        .map(|estimator| format!("fit --scenario llama31_8b_fp8_tp1 --estimator {estimator} --no-validate --out r"));
    for _ in 0..4 {
        let children: Vec<_> = fits
            .iter()
            .map(|fit| {
                let mut command = perfmodel(home.path());
                command.args(fit.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut child in children {
            assert_eq!(child.wait().unwrap().code(), Some(0));
        }
        let read = |name: &str| fs::read_to_string(home.path().join("r").join(name)).unwrap();
        let is_serving = read("calibration.toml").contains("estimator = \"serving\"");
        assert_eq!(read("parameters.csv").contains("burst_factor"), is_serving);
        assert_eq!(
            read("report.html").contains("<title>Llama-3.1-8B-Instruct, FP8, one H100 SXM · serving"),
            is_serving
        );
        assert_eq!(results(&home.path().join("r")).len(), 5);
    }
}

/// Each adds its row to those that are there.
#[test]
fn of_imports_into_one_folder_at_once_no_row_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/import/vllm.json")).unwrap();
    let mut runs = Vec::new();
    for clients in 1..=8 {
        let name = format!("{clients}.json");
        let own = text.replace("\"max_concurrency\": 2", &format!("\"max_concurrency\": {clients}"));
        fs::write(home.path().join(&name), own).unwrap();
        let mut command = perfmodel(home.path());
        command.args(["import", &name, "--hardware", "h100_sxm_80gb", "--out", "served"]);
        runs.push(command.stdout(Stdio::null()).spawn().unwrap());
    }
    assert!(runs.into_iter().all(|mut run| run.wait().unwrap().success()));
    let measured = fs::read_to_string(home.path().join("served/measured.csv")).unwrap();
    assert_eq!(measured.lines().count(), 9, "{measured}");
}

#[test]
fn where_standard_error_cannot_be_written_the_rest_counts() {
    let home = tempfile::tempdir().unwrap();
    if Path::new("/dev/full").exists() {
        let full = shell(home.path(), &format!("\"$PERFMODEL\" {PREDICT} --uncalibrated --format json 2>/dev/full"));
        assert!(full.code == 0 && full.stdout.ends_with("}\n"), "{}", full.stdout);
        assert_eq!(shell(home.path(), "\"$PERFMODEL\" predict 2>/dev/full").code, 2);
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    for command in ["list", "list --format json", "completions bash", "fit --help"] {
        let line = format!("set -o pipefail; \"$PERFMODEL\" {command} | head -c 1 > /dev/null");
        let piped = shell(home.path(), &line);
        assert_eq!((piped.code, piped.stderr.as_str()), (0, ""), "{command}");
    }
}

#[test]
fn without_a_terminal_and_without_colour_there_are_no_escapes() {
    let home = tempfile::tempdir().unwrap();
    let script = Command::new("script").arg("--version").output().is_ok();
    for command in
        ["list", "fit --scenario nobody", "fit --scenario llama31_8b_fp8_tp1 --no-validate --out r", "--help"]
    {
        let plain = run(home.path(), command);
        assert!(!plain.stdout.contains('\u{1b}') && !plain.stderr.contains('\u{1b}'), "{command}");
        if script {
            // A terminal that wants none; progress bars go to standard error and may move the cursor.
            let line = format!("NO_COLOR=1 TERM=dumb script -qec '\"$PERFMODEL\" {command} 2>/dev/null' /dev/null");
            assert!(!shell(home.path(), &line).stdout.contains("\u{1b}["), "{command}");
        }
    }
}

#[test]
fn files_of_windows_and_names_with_blanks_and_letters_are_read() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("größe 1");
    let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tested_benchmarks/llama31_8b_fp8_tp1");
    fs::create_dir(&folder).unwrap();
    for name in ["scenario.toml", "measured.csv"] {
        let text = fs::read_to_string(specs.join(name)).unwrap().replace('\n', "\r\n");
        fs::write(folder.join(name), format!("\u{feff}{text}")).unwrap();
    }
    let fit = |scenario: &[&str], out: &str| {
        let result: Run = perfmodel(home.path())
            .args(["fit", "--no-validate", "--format", "json", "--out", out])
            .args(scenario)
            .output()
            .unwrap()
            .into();
        assert_eq!(result.code, 0, "{}", result.stderr);
        let value: serde_json::Value = serde_json::from_str(&result.stdout).unwrap();
        value["scenarios"][0]["errors"]["fitted"].to_string()
    };
    let as_shipped = fit(&["--scenario", "llama31_8b_fp8_tp1"], "shipped");
    assert_eq!(fit(&["--scenario-dir", "größe 1"], "ergebnis äöü/a b"), as_shipped);
    assert!(home.path().join("ergebnis äöü/a b/report.html").is_file());

    // Requests one by one, and results of a live run.
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let log = fs::read_to_string(fixtures.join("llmeter/run_a/responses.jsonl")).unwrap();
    let table = "time_to_first_token,time_to_last_token,num_tokens_output\n0.5,1.5,11\n0.25,1.0,4\n";
    for (name, text) in [("log 1.jsonl", log.as_str()), ("tabelle ü.csv", table)] {
        let medians = [text.to_owned(), format!("\u{feff}{}", text.replace('\n', "\r\n"))].map(|text| {
            fs::write(home.path().join(name), text).unwrap();
            let result: Run =
                perfmodel(home.path()).args(["compare", name, "--format", "json"]).output().unwrap().into();
            assert_eq!(result.code, 0, "{name}: {}", result.stderr);
            let value: serde_json::Value = serde_json::from_str(&result.stdout).unwrap();
            value["groups"][0]["dimensions"].to_string()
        });
        assert_eq!(medians[0], medians[1], "{name}");
    }
    let live = Path::new(env!("CARGO_MANIFEST_DIR")).join("evaluations_results/live/olmo2_190m_cpu/results.json");
    let text = fs::read_to_string(live).unwrap().replace('\n', "\r\n");
    fs::write(home.path().join("live ü.json"), format!("\u{feff}{text}")).unwrap();
    let result: Run = perfmodel(home.path()).args(["plot", "live ü.json", "--out", "live ü"]).output().unwrap().into();
    assert_eq!(result.code, 0, "{}", result.stderr);
}

#[test]
fn files_far_too_large_are_refused_before_they_are_read() {
    let home = tempfile::tempdir().unwrap();
    for name in ["big.csv", "big.json", "big.toml"] {
        // Takes no room on the disk.
        File::create(home.path().join(name)).unwrap().set_len(1 << 30).unwrap();
    }
    let system = "--hardware h100_sxm_80gb --tp 1 --weights fp8 --kv fp8";
    for command in [
        format!("fit --measured big.csv --model llama31_8b {system}"),
        format!("predict --model big.json {system} --input-tokens 10 --output-tokens 10 --concurrency 1"),
        format!("{PREDICT} --concurrency 1 --calibration big.toml"),
        "predict --model llama31_8b --hardware ./big.toml --input-tokens 10 --output-tokens 10 --concurrency 1"
            .to_owned(),
        "plot big.json".to_owned(),
        "insights big.csv".to_owned(),
    ] {
        let refused = run(home.path(), &command);
        assert_eq!(refused.code, 2, "{command}");
        assert!(
            refused.stderr.contains("this file has 1073 MB; a file of this kind has 67 at most"),
            "{command}: {}",
            refused.stderr
        );
    }
    // Logs of requests may be long, but not of one line.
    let refused = run(home.path(), "compare big.csv");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("big.csv: a row has over 16 MB"), "{}", refused.stderr);
    let refused = run(home.path(), "import big.json");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("this is no result file of a tool that is known"), "{}", refused.stderr);
}

#[test]
fn a_long_log_is_read_in_pieces() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("long.csv");
    let mut file = std::io::BufWriter::new(File::create(&path).unwrap());
    writeln!(file, "time_to_first_token,note,time_to_last_token,num_tokens_output,error").unwrap();
    // More than two batches of 16 MB, with line ends inside of quotes.
    let note = format!("\"{}\n\"", "x".repeat(2000));
    for row in 0..20_000 {
        writeln!(file, "0.{:03},{note},2.5,11,", 100 + row % 900).unwrap();
    }
    file.into_inner().unwrap();
    let result = run(home.path(), "compare long.csv --format json");
    assert_eq!(result.code, 0, "{}", result.stderr);
    let value: serde_json::Value = serde_json::from_str(&result.stdout).unwrap();
    assert_eq!(value["groups"][0]["sides"][0]["runs"][0]["requests"], 20_000);
}
