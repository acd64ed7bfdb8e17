//! `perfmodel bench` and `probe` from outside, on the CPU.

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{perfmodel, run};
use perfmodel::bench::{Results, Variant};
use schema::{assert_matches_schema, json};

/// A run of seconds.
const SHORT: &str = "bench --device cpu --heads 3 --heads-depth 2 --prompt-length 16 --generation-length 5 --step-interval 2 \
                     --max-new-tokens 6 --warmup-ms 1 --rep-ms 4 --poe-rep-ms 4";

#[test]
fn a_run_writes_results_rows_and_a_page_and_can_be_fitted_and_drawn_again() {
    let home = tempfile::tempdir().unwrap();
    let result = run(home.path(), &format!("{SHORT} --gammas 1,3 --format json"));
    assert_eq!(result.code, 0, "{}", result.stderr);
    let printed = json(&result.stdout);
    assert_matches_schema("bench.schema.json", &printed);
    let folder = home.path().join(printed["folder"].as_str().unwrap());
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.ends_with("_run01") && name.len() == "2026-11-26_run01".len(), "{name}");
    for file in ["results.json", "measured.csv", "rows.csv", "graph.html"] {
        assert!(folder.join(file).is_file(), "{file}");
    }

    let written = fs::read_to_string(folder.join("results.json")).unwrap();
    assert_matches_schema("results.schema.json", &serde_json::from_str(&written).unwrap());
    let results = Results::open(&folder.join("results.json")).unwrap();
    for variant in [Variant::Baseline, Variant::Hydra] {
        let positions: Vec<u64> = results.decode(variant).iter().map(|point| point.position).collect();
        assert_eq!(positions, [16, 18, 20], "{variant:?}");
    }
    for variant in Variant::ALL {
        let ttft = results.ttft(variant).unwrap();
        assert!(ttft.raw_ms.len() >= 5 && ttft.median_ms > 0.0 && ttft.predicted_ms.unwrap() > 0.0);
    }
    for (run, gamma) in results.gammas().iter().zip([1, 3]) {
        let counts = run.counts.as_ref().unwrap();
        assert_eq!((run.gamma, run.n_calls), (gamma, run.timing.raw_ms.len() as u64));
        assert_eq!(counts.accepted_by_position.len() as u64, gamma);
        assert!(counts.tokens_per_call >= 6.0 && counts.predicted_ms_per_token.unwrap() > 0.0);
        assert_eq!(counts.ledger.verify.lm_head_passes, counts.rounds);
        assert_eq!(
            counts.tested_by_position.iter().sum::<u64>(),
            (counts.tokens_per_call * run.n_calls as f64).round() as u64
        );
    }
    let metadata = &results.metadata;
    assert_eq!((metadata.clock.as_deref(), metadata.l2_flush_bytes), (Some("wall"), Some(0)));
    assert_eq!((metadata.weights.as_deref(), metadata.rule.as_deref()), (Some("perturbed"), Some("exact")));
    assert_eq!((metadata.stopped, metadata.schema_version), (Some(false), Some(1)));

    let second = run(home.path(), &format!("{SHORT} --variants baseline --format json"));
    assert!(json(&second.stdout)["folder"].as_str().unwrap().ends_with("_run02"));

    let measured = folder.join("measured.csv");
    let fit = format!(
        "fit --measured {} --load static_batch --model olmo2_tiny --hardware h100_sxm_80gb --weights fp32 --kv fp32 \
         --no-validate --out m",
        measured.display()
    );
    // Three rows cannot fit all parameters of a server; that they are read is what matters here.
    let fitted = run(home.path(), &fit);
    assert!(fitted.stderr.contains("3 rows cannot fit"), "{}", fitted.stderr);

    let probe = run(home.path(), "probe --device cpu --name this_machine --format json");
    assert_eq!(probe.code, 0, "{}", probe.stderr);
    let probe = json(&probe.stdout);
    assert_matches_schema("probe.schema.json", &probe);
    assert!(probe["memory_bandwidth_gb_per_s"].as_f64().unwrap() > 0.1);
    let results = folder.join("results.json");
    let live = format!("fit --live {} --hardware hardware/this_machine.toml --format json", results.display());
    let live = run(home.path(), &live);
    assert_eq!(live.code, 0, "{}", live.stderr);
    let live = json(&live.stdout);
    assert_matches_schema("fit_live.schema.json", &live);
    assert_eq!(live["runs"][0]["rows"], 3 + 6 + 2);
}

#[test]
fn rounds_are_pooled() {
    let home = tempfile::tempdir().unwrap();
    let result = run(home.path(), &format!("{SHORT} --variants baseline --rounds 2 --hardware h100_sxm_80gb --out r"));
    assert_eq!(result.code, 0, "{}", result.stderr);
    let results = Results::open(&home.path().join("r/results.json")).unwrap();
    let ttft = results.ttft(Variant::Baseline).unwrap();
    assert!(ttft.raw_ms.len() >= 10 && ttft.warmup_calls.unwrap() >= 2, "{ttft:?}");
    assert_eq!((results.metadata.rounds, results.decode(Variant::Baseline).len()), (Some(2), 3));
}

#[test]
fn the_same_seed_decodes_the_same_tokens() {
    let home = tempfile::tempdir().unwrap();
    let rates = |out: &str, seed: u64| {
        let result = run(home.path(), &format!("{SHORT} --variants poe --gammas 2 --seed {seed} --out {out}"));
        assert_eq!(result.code, 0, "{}", result.stderr);
        let results = Results::open(&home.path().join(out).join("results.json")).unwrap();
        // The first measured calls have the same seeds; there may be more of them in one run.
        let counts = results.gammas()[0].counts.clone().unwrap();
        (results.gammas()[0].resample_rate, counts.rounds, results.gammas()[0].n_calls)
    };
    let (first, second) = (rates("a", 7), rates("b", 7));
    if first.2 == second.2 {
        assert_eq!(first, second);
    }
}

#[test]
fn wrong_input_is_refused_before_anything_is_built() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(home.path().join(name), text).unwrap();
    write("config.json", "{\"n_heads\": 2, \"poe\": true, \"poe_gammas\": [0]}");
    write("broken.json", "{\"n_heads\": ");
    fs::create_dir(home.path().join("empty")).unwrap();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/olmo2_tiny");
    fs::create_dir(home.path().join("model")).unwrap();
    let config = fs::read_to_string(format!("{fixture}/config.json")).unwrap();
    write("model/config.json", &config.replace("\"hidden_size\": 64", "\"hidden_size\": 32"));
    fs::copy(format!("{fixture}/model.safetensors"), home.path().join("model/model.safetensors")).unwrap();
    fs::create_dir(home.path().join("deep")).unwrap();
    write("deep/config.json", &config.replace("\"num_hidden_layers\": 4", "\"num_hidden_layers\": 6"));
    fs::copy(format!("{fixture}/model.safetensors"), home.path().join("deep/model.safetensors")).unwrap();
    fs::create_dir(home.path().join("lfs")).unwrap();
    write("lfs/config.json", &config);
    write("lfs/model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    let small = "--prompt-length 8 --generation-length 2";
    for (arguments, want) in [
        ("bench --model llama31_8b".to_owned(), "Llama-3.1-8B cannot be run here: its family is llama"),
        ("bench --model nothing".to_owned(), "no model `nothing`"),
        ("bench --model empty".to_owned(), "no model `empty`"),
        ("bench --variants naive".to_owned(), "unknown variant `naive`"),
        ("bench --heads 1".to_owned(), "PoE with one head: there is no jury"),
        ("bench --heads-depth 4".to_owned(), "heads of 4 layers: OLMo-2 tiny (for tests) has 4 layers"),
        ("bench --gammas 2,2".to_owned(), "γ must be from 1 to 4096, each once"),
        ("bench --device cpu --dtype bfloat16".to_owned(), "bfloat16 on a CPU"),
        ("bench --dtype int8".to_owned(), "unknown number format `int8`"),
        ("bench --device gpu".to_owned(), "unknown device `gpu`"),
        ("bench --device cuda:0".to_owned(), "help: "),
        ("bench --prompt-length 5000".to_owned(), "the context of OLMo-2 tiny (for tests) is 4096"),
        ("bench --threads 0".to_owned(), "0 threads"),
        ("bench --prompt-length 18446744073709551615".to_owned(), "the prompt is 18446744073709551615"),
        ("bench --heads 9223372036854775808 --heads-depth 2".to_owned(), "the number of heads is 9223372036854775808"),
        ("bench --rounds 0".to_owned(), "the number of rounds is 0"),
        ("bench --config config.json".to_owned(), "config.json: γ must be from 1 to 4096"),
        ("bench --config broken.json".to_owned(), "broken.json:1:12: is not a benchmark configuration"),
        ("bench --config missing.json".to_owned(), "missing.json"),
        ("bench --variants hydra --perturbation -1".to_owned(), "heads perturbed by -1"),
        ("bench --model olmo2_tiny --weights empty".to_owned(), "empty: there are no weights"),
        (
            format!("bench --model model {small}"),
            "model.safetensors: `model.layers.0.self_attn.q_proj.weight` has the shape [64, 64]",
        ),
        (format!("bench --model deep {small}"), "deep: has no tensor `model.layers.4.self_attn.q_proj.weight`"),
        (format!("bench --model lfs {small}"), "is not a whole safetensors file"),
        ("bench --model olmo2_32b --device cpu --heads 500 --heads-depth 60 --prompt-length 64".to_owned(), " free"),
        ("probe --name 'x y'".to_owned(), "unexpected argument"),
        ("probe --name _".to_owned(), "`_` cannot be an id"),
        ("probe --name X".to_owned(), "`X` cannot be an id"),
    ] {
        let result = run(home.path(), &arguments);
        assert_eq!(result.code, 2, "{arguments}: {}{}", result.stdout, result.stderr);
        assert!(result.stderr.contains(want), "{arguments}: {}", result.stderr);
    }
    assert!(!home.path().join("evaluations_results/live").exists(), "nothing was written");
}

#[test]
fn a_folder_with_weights_and_a_manifest_of_heads_is_run() {
    let home = tempfile::tempdir().unwrap();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/olmo2_tiny");
    let arguments = format!(
        "bench --device cpu --model {fixture} --heads-manifest {fixture}/heads.toml --heads 4 --heads-depth 2 \
         --prompt-length 16 --generation-length 3 --gammas 2 --max-new-tokens 6 --warmup-ms 1 --rep-ms 2 --poe-rep-ms 2 --out r"
    );
    let result = run(home.path(), &arguments);
    assert_eq!(result.code, 0, "{}", result.stderr);
    let results = Results::open(&home.path().join("r/results.json")).unwrap();
    assert_eq!(results.metadata.weights.as_deref(), Some("real"));
    let five = run(home.path(), &arguments.replace("--heads 4", "--heads 5"));
    assert!(five.code == 2 && five.stderr.contains("describes 4 heads; head 4 is wanted"), "{}", five.stderr);
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_was_measured_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    let arguments = "bench --device cpu --variants baseline --prompt-length 16 --generation-length 60 --step-interval 1 \
                     --warmup-ms 1 --rep-ms 1000 --hardware h100_sxm_80gb --out r --verbose";
    let mut child = perfmodel(home.path())
        .args(arguments.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The rows take a second each, so the whole run a minute; when the third begins, the first decode step is measured.
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    said.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("note: row 3 of "))).unwrap().unwrap();
    let began = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert!(status.success() && began.elapsed() < Duration::from_secs(30));
    let results = Results::open(&Path::new(home.path()).join("r/results.json")).unwrap();
    assert_eq!(results.metadata.stopped, Some(true));
    let rows = results.decode(Variant::Baseline).len();
    assert!((1..60).contains(&rows), "{rows} rows");
}
