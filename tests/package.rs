//! What `cargo package` would publish: the specifications that the library embeds, no results and nothing of the tests, and not much.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_package_holds_the_specifications_and_no_results() {
    let project = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(project)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let files: Vec<&str> = text.lines().collect();
    for needed in [
        "README.md",
        "LICENSE",
        "priors.toml",
        "hardware/h100_sxm_80gb.toml",
        "models/llama31_8b.toml",
        "tested_benchmarks/llama31_8b_fp8_tp1/measured.csv",
        "src/report/html/page.css",
        "docs/tutorial.md",
        "docs/schema/fit.schema.json",
    ] {
        assert!(files.contains(&needed), "{needed} is missing");
    }
    for folder in ["evaluations_results/", "tests/", "ci/", ".ci/", "fuzz/", "target/"] {
        assert!(!files.iter().any(|file| file.starts_with(folder)), "{folder} is packed");
    }
    // Cargo makes some files itself.
    let bytes: u64 =
        files.iter().filter_map(|file| fs::metadata(Path::new(project).join(file)).ok()).map(|data| data.len()).sum();
    assert!(bytes < 5_000_000, "{bytes} bytes");
}
