//! The arrows between modules run one way. The table below is the architecture; a broken edge is printed.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules and what each may use of the crate, lowest first. A module may use every module that stands before it in
/// its list; nothing may use a module that is not listed for it.
const LAYERS: [(&str, &[&str]); 29] = [
    ("units", &[]),
    ("error", &[]),
    ("number", &["units"]),
    ("stats", &[]),
    ("requests", &["error"]),
    ("comparison", &["error", "stats", "requests"]),
    ("poe", &["error"]),
    ("workload", &["error", "units"]),
    ("spec", &["error", "units", "workload"]),
    ("import", &["error", "stats", "requests", "spec", "workload"]),
    ("dataset", &["error", "units", "spec", "workload"]),
    ("bench", &["error", "spec", "stats", "poe"]),
    ("prediction", &["units"]),
    ("parameter", &[]),
    ("engine", &["error", "units", "spec", "workload", "prediction"]),
    ("roofline", &["error", "units", "spec", "workload", "prediction", "engine"]),
    ("passes", &["error", "units", "spec", "poe", "parameter", "engine"]),
    ("serving", &["error", "units", "spec", "workload", "prediction", "parameter", "engine"]),
    ("insights", &["error", "units", "stats", "spec", "engine", "serving"]),
    ("estimator", &["error", "units", "spec", "workload", "prediction", "parameter", "engine", "serving", "dataset"]),
    ("calibration", &["error", "units", "spec", "workload", "dataset", "prediction", "parameter", "estimator"]),
    (
        "forecast",
        &[
            "error",
            "units",
            "spec",
            "workload",
            "prediction",
            "parameter",
            "engine",
            "serving",
            "estimator",
            "calibration",
        ],
    ),
    ("planning", &["error", "units", "spec", "workload", "prediction", "estimator", "calibration", "forecast"]),
    (
        "evaluation",
        &[
            "error",
            "units",
            "stats",
            "bench",
            "passes",
            "spec",
            "workload",
            "dataset",
            "prediction",
            "parameter",
            "serving",
            "estimator",
            "calibration",
            "forecast",
        ],
    ),
    // A measurement must not lean on what it tests: no roofline here.
    ("live", &["error", "spec", "stats", "poe", "bench"]),
    // What can be asked, without a word of how it is asked or shown.
    (
        "app",
        &[
            "error",
            "number",
            "units",
            "stats",
            "requests",
            "comparison",
            "poe",
            "workload",
            "spec",
            "import",
            "dataset",
            "bench",
            "prediction",
            "parameter",
            "engine",
            "roofline",
            "insights",
            "passes",
            "serving",
            "estimator",
            "calibration",
            "forecast",
            "planning",
            "evaluation",
            "live",
        ],
    ),
    (
        "report",
        &[
            "app",
            "error",
            "number",
            "units",
            "stats",
            "bench",
            "passes",
            "workload",
            "dataset",
            "prediction",
            "engine",
            "roofline",
            "calibration",
            "forecast",
            "planning",
            "evaluation",
            "requests",
            "comparison",
            "import",
            "insights",
            "spec",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "error",
            "number",
            "poe",
            "bench",
            "passes",
            "live",
            "units",
            "spec",
            "workload",
            "dataset",
            "prediction",
            "parameter",
            "engine",
            "roofline",
            "estimator",
            "calibration",
            "forecast",
            "planning",
            "evaluation",
            "stats",
            "requests",
            "comparison",
            "insights",
            "import",
            "report",
        ],
    ),
    ("prelude", &["app", "error", "serving", "spec", "workload"]),
];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(Path::new("src"), &mut files);
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Top-level module of a file below src.
fn module(path: &Path) -> String {
    let first = path.strip_prefix("src").unwrap().components().next().unwrap();
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Source before its unit tests, which may use anything.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

#[test]
fn dependencies_run_one_way() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let module = module(&path);
        if module == "main" || module == "lib" {
            continue;
        }
        let allowed = LAYERS
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("src/{module} is not in the table of layers"))
            .1;
        for line in code(&text).lines().filter(|line| !line.trim_start().starts_with("//")) {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if used != module && !allowed.contains(&used.as_str()) {
                    broken.push(format!("{} uses crate::{used}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "edges that the architecture does not have:\n{}", broken.join("\n"));
}

#[test]
fn the_table_itself_has_no_upward_edge() {
    for (index, (module, allowed)) in LAYERS.iter().enumerate() {
        for name in *allowed {
            assert!(
                LAYERS[..index].iter().any(|(lower, _)| lower == name),
                "{module} uses {name}, which is not below it"
            );
        }
    }
}

#[test]
fn argmin_is_named_in_one_file() {
    let named: Vec<_> =
        sources().into_iter().filter(|(_, text)| text.contains("argmin::")).map(|(path, _)| path).collect();
    assert_eq!(named, [PathBuf::from("src/calibration/optimiser.rs")]);
}

#[test]
fn features_are_tested_only_where_modules_are_listed() {
    let named: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| {
            // Types of the app and below derive their schemas where they stand.
            text.lines().any(|line| line.contains("feature = \"") && !line.contains("feature = \"schema\""))
        })
        .map(|(path, _)| path)
        .filter(|path| {
            !["src/lib.rs", "src/app/mod.rs", "src/cli/mod.rs", "src/live/mod.rs", "src/requests/mod.rs"]
                .map(Path::new)
                .contains(&path.as_path())
        })
        .collect();
    assert!(named.is_empty(), "{named:?}");
}
