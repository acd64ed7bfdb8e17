//! Folders of LLMeter, from 0.1.4 to 0.2.0.

use std::fs;
use std::io::Write;

use perfmodel::requests::{Dimension, LlmeterVersion, Measured, open};
use perfmodel::stats::QuantileRule;
use serde_json::Value;

use super::{assert_close, fixture, load_test, reference, run};

#[test]
fn the_two_runs_hold_what_the_specification_counts() {
    for (name, failed, zeros, single, missing) in [("run_a", 12, 0, 2, [22, 16, 8]), ("run_b", 13, 2, 6, [25, 16, 10])]
    {
        let run = run(name);
        let counts = run.log.counts();
        assert_eq!(
            (counts.rows, counts.failed, counts.zero_tpot, counts.single_token),
            (320, failed, zeros, single),
            "{name}"
        );
        let dimensions = [Dimension::TimePerOutputToken, Dimension::TimeToFirstToken, Dimension::InputTokens];
        let got = dimensions.map(|dimension| run.log.dimension(dimension).filter(Option::is_none).count());
        assert_eq!(got, missing, "{name}");
        assert_eq!((run.info.clients, run.info.total_requests), (Some(16), Some(320)));
        assert_eq!(run.info.version, Some(LlmeterVersion::From0_2_0));
        assert!(run.warnings.is_empty() && !run.info.interrupted, "{:?}", run.warnings);
    }
}

#[test]
fn every_older_version_is_read_and_told_apart() {
    for (name, version) in [
        ("0.1.4", LlmeterVersion::UpTo0_1_4),
        ("0.1.5", LlmeterVersion::From0_1_5),
        ("0.1.9", LlmeterVersion::From0_1_5),
        ("0.1.12", LlmeterVersion::From0_1_10),
    ] {
        let run = run(&format!("older/run_{name}"));
        let counts = run.log.counts();
        assert_eq!((counts.rows, counts.failed, run.info.version), (12, 1, Some(version)), "{name}");
        // 0.1.4 wrote no TPOT: it is made from the others.
        let tpot = run.log.dimension(Dimension::TimePerOutputToken).flatten().count();
        assert_eq!(tpot, 11, "{name}");
        // And it counted a token of the text "None" in the failed request.
        assert_eq!(run.log.dimension(Dimension::OutputTokens).flatten().count(), 11, "{name}");
        assert!(run.info.duration.is_some(), "{name}");
    }
}

#[test]
fn an_interrupted_run_takes_its_metadata_from_the_configuration() {
    let run = run("interrupted");
    assert!(run.info.interrupted && run.info.duration.is_none());
    assert_eq!((run.log.len(), run.info.clients.is_some(), run.info.model.is_some()), (12, true, true));
    assert_eq!(run.requests_per_minute(), None);
}

#[test]
fn a_cut_last_line_is_left_out_with_a_warning() {
    let run = run("interrupted_truncated");
    assert_eq!(run.log.len(), 11);
    assert!(run.warnings[0].ends_with("the run was interrupted while it wrote"), "{:?}", run.warnings);
    assert!(run.warnings[0].contains("responses.jsonl:12:"), "{:?}", run.warnings);
}

#[test]
fn a_load_test_has_a_run_for_each_number_of_clients() {
    let test = load_test("loadtest");
    let reference = reference("reference_llmeter_stats.json");
    let clients: Vec<u32> = test.levels.iter().map(|(clients, _)| *clients).collect();
    assert_eq!(clients, [1, 2, 4, 8, 16, 32]);
    for (clients, run) in &test.levels {
        let want = &reference["loadtest_reloaded"][clients.to_string()];
        assert_eq!(run.log.counts().failed as f64, want["failed_requests"].as_f64().unwrap(), "{clients}");
        for (key, got) in [
            ("failed_requests_rate", Some(run.error_rate())),
            ("requests_per_minute", run.requests_per_minute()),
            ("average_input_tokens_per_minute", run.tokens_per_minute(Dimension::InputTokens)),
            ("average_output_tokens_per_minute", run.tokens_per_minute(Dimension::OutputTokens)),
            ("total_input_tokens", Some(run.log.total(Dimension::InputTokens))),
            ("total_output_tokens", Some(run.log.total(Dimension::OutputTokens))),
        ] {
            assert_close(&format!("{key} at {clients}"), got.unwrap(), want[key].as_f64().unwrap(), 1e-12);
        }
    }
    assert_eq!(test.levels[5].1.log.counts().failed, 55);
}

#[test]
fn levels_in_one_folder_are_noticed_and_the_last_one_is_read() {
    let run = run("loadtest_flat_0.2.0");
    assert_eq!((run.log.len(), run.info.total_requests), (6, Some(6)));
    assert!(run.warnings[0].contains("10 requests where the summary counts 6"), "{:?}", run.warnings);
}

/// Every statistic that LLMeter computes after loading a run.
#[test]
fn statistics_of_llmeter_are_reproduced() {
    let reference = reference("reference_llmeter_stats.json");
    for name in ["run_a", "run_b"] {
        let run = run(name);
        let want = reference[name]["reloaded_stats"].as_object().unwrap();
        let on_disk: Value =
            serde_json::from_str(&fs::read_to_string(fixture(name).join("stats.json")).unwrap()).unwrap();
        let mut compared = 0;
        for dimension in Dimension::ALL {
            let mut values: Vec<f64> = run.log.dimension(dimension).flatten().collect();
            values.sort_by(f64::total_cmp);
            for (key, got) in [
                ("average", Some(values.iter().sum::<f64>() / values.len() as f64)),
                ("p50", QuantileRule::Llmeter.of(&values, 0.5)),
                ("p90", QuantileRule::Llmeter.of(&values, 0.9)),
                ("p99", QuantileRule::Llmeter.of(&values, 0.99)),
            ] {
                let key = format!("{dimension}-{key}");
                // Cached tokens count where there are some.
                if dimension != Dimension::CachedInputTokens
                    && let Some(want) = want.get(&key)
                {
                    assert_close(&format!("{name} {key}"), got.unwrap(), want.as_f64().unwrap(), 1e-12);
                    assert_close(
                        &format!("{name} {key} on disk"),
                        got.unwrap(),
                        on_disk[&key].as_f64().unwrap(),
                        1e-12,
                    );
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 20, "{name}");
        let counts = run.log.counts();
        for (key, got) in [
            ("failed_requests", counts.failed as f64),
            ("failed_requests_rate", run.error_rate()),
            ("requests_per_minute", run.requests_per_minute().unwrap()),
            ("average_input_tokens_per_minute", run.tokens_per_minute(Dimension::InputTokens).unwrap()),
            ("average_output_tokens_per_minute", run.tokens_per_minute(Dimension::OutputTokens).unwrap()),
            ("total_input_tokens", run.log.total(Dimension::InputTokens)),
            ("total_cached_input_tokens", run.log.total(Dimension::CachedInputTokens)),
            ("total_reasoning_output_tokens", run.log.total(Dimension::ReasoningTokens)),
        ] {
            assert_close(&format!("{name} {key}"), got, want[key].as_f64().unwrap(), 1e-12);
        }
    }
}

#[test]
fn percentiles_of_small_samples_extrapolate_as_llmeters_do() {
    let reference = reference("reference_llmeter_stats.json");
    for (name, case) in reference["summary_stats_from_list"].as_object().unwrap() {
        let mut values: Vec<f64> = case["input"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        values.sort_by(f64::total_cmp);
        for (key, want) in case["p"].as_object().unwrap().iter().filter(|(key, _)| *key != "average") {
            let p = key[1..].parse::<f64>().unwrap() / 100.0;
            let got = QuantileRule::Llmeter.of(&values, p).unwrap();
            assert!((got - want.as_f64().unwrap()).abs() < 1e-9, "{name} {key}: {got} instead of {want}");
        }
    }
}

#[test]
fn compressed_runs_are_read_as_plain_ones() {
    let folder = tempfile::tempdir().unwrap();
    let plain = fs::read(fixture("run_a/responses.jsonl")).unwrap();
    fs::copy(fixture("run_a/summary.json"), folder.path().join("summary.json")).unwrap();
    let file = fs::File::create(folder.path().join("responses.jsonl.gz")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(&plain).unwrap();
    encoder.finish().unwrap();
    let Measured::Run(run) = open(folder.path()).unwrap() else { panic!("a run") };
    assert_eq!((run.log.len(), run.log.counts().failed), (320, 12));

    fs::remove_file(folder.path().join("responses.jsonl.gz")).unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(&plain[..], ruzstd::encoding::CompressionLevel::Fastest);
    fs::write(folder.path().join("responses.jsonl.zst"), &zstd).unwrap();
    let Measured::Run(run) = open(folder.path()).unwrap() else { panic!("a run") };
    assert_eq!(run.log.len(), 320);

    // A file that was cut in the middle of its compressed bytes is not a short run.
    fs::write(folder.path().join("responses.jsonl.zst"), &zstd[..zstd.len() / 2]).unwrap();
    assert!(open(folder.path()).unwrap_err().to_string().contains("cannot read this file"));
}

#[test]
fn what_is_no_run_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &std::path::Path| open(path).unwrap_err().to_string();
    assert!(error(folder.path()).contains("there is no run in this folder"));
    assert!(error(&folder.path().join("x")).contains("there is no such file or folder"));
    fs::write(folder.path().join("a.txt"), "x").unwrap();
    assert!(error(&folder.path().join("a.txt")).contains("this is no log of requests"));
    fs::write(folder.path().join("summary.json"), "{}").unwrap();
    assert!(error(folder.path()).contains("there is no responses.jsonl"));
    fs::write(folder.path().join("responses.jsonl"), "{}\n").unwrap();
    assert!(error(folder.path()).contains("no request has a latency"));
    fs::write(folder.path().join("responses.jsonl"), "").unwrap();
    assert!(error(folder.path()).contains("there is no request in it"));
    fs::write(folder.path().join("summary.json"), "{").unwrap();
    assert!(error(folder.path()).contains("summary.json:1:1: this is no JSON (EOF"));
}
