//! What the bodies found, each as a file that a person could have written.

use std::fs;
use std::path::Path;

use perfmodel::bench::{Results, measured_csv};
use perfmodel::calibration::CalibrationRecord;
use perfmodel::dataset::{read_measurements, read_workloads};
use perfmodel::error::Result;
use perfmodel::import::{self, Load, Tool};
use perfmodel::insights::csv_table::CsvTable;
use perfmodel::insights::slice::Slice;
use perfmodel::insights::study::TableStudy;
use perfmodel::insights::variant::architecture;
use perfmodel::insights::{BenchmarkTable, Rule, SweepTable};
use perfmodel::requests::{self, Measured};
use perfmodel::spec::{Hardware, ModelArchitecture, SpecFile};
use perfmodel::workload::LoadKind;

fn file(label: &str, text: impl Into<String>) -> SpecFile {
    SpecFile { label: label.into(), text: text.into() }
}

fn seed(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(path)).unwrap()
}

/// The text with the line that begins with a key replaced.
fn with(text: &str, key: &str, line: &str) -> String {
    let lines = text.lines().map(|own| if own.starts_with(&format!("{key} =")) { line } else { own });
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_refused<T>(result: Result<T>, want: &str) {
    let Err(error) = result else { panic!("it was read, and not refused with: {want}") };
    assert_eq!(error.exit_code(), 2);
    let message = error.to_string();
    assert!(message.contains(want) && message.contains("\n  help: "), "{message}\nand not: {want}");
}

#[test]
fn lines_that_end_with_a_carriage_return_alone_are_counted() {
    let text = "input_tokens,output_tokens,concurrency,ttft_ms,itl_ms\r100,200,1,10,5\r100,200,2,11,6\r";
    let lines: Vec<usize> = read_measurements(&file("m.csv", text), LoadKind::ClosedLoop)
        .unwrap()
        .rows
        .iter()
        .map(|row| row.line)
        .collect();
    assert_eq!(lines, [2, 3]);
    let text = "input_tokens,output_tokens,concurrency\r1,2,1\r1,x,1\r";
    assert_refused(read_workloads(&file("w.csv", text)), "w.csv:3: column `output_tokens`: cannot read `x`");
}

#[test]
fn figures_of_a_device_whose_quotients_would_be_none_are_refused() {
    let text = seed("spec_toml/hardware.toml");
    for (key, line, want) in [
        (
            "memory_bandwidth_gb_per_s",
            "memory_bandwidth_gb_per_s = 1e308",
            "`memory_bandwidth_gb_per_s` is 1e308, which",
        ),
        ("bf16", "bf16 = 1e-320", "`peak_tflop_per_s.bf16` is 1e-320, which no figure is; check its unit"),
        ("bf16", "bf16 = 0.0", "`peak_tflop_per_s.bf16` is 0; it must be a number above 0"),
    ] {
        assert_refused(Hardware::read("d", &file("d.toml", with(&text, key, line))), want);
    }
}

#[test]
fn sizes_of_a_model_whose_products_would_not_fit_are_refused() {
    let text = with(&seed("spec_toml/model_olmo2_tiny.toml"), "published_parameters", "");
    assert!(ModelArchitecture::read("m", &file("m.toml", text.clone())).is_ok());
    for (key, line, want) in [
        ("hidden_size", "hidden_size = 4294967295", "m.toml:4: `hidden_size` is 4294967295; it must be at most 131072"),
        ("vocab_size", "vocab_size = 4294967295", "`vocab_size` is 4294967295; it must be at most 16777216"),
        ("norms_per_layer", "norms_per_layer = 4294967295", "`norms_per_layer` is 4294967295; it must be at most 64"),
        (
            "query_heads",
            "query_heads = 4294967292",
            "`attention.full.query_heads` is 4294967292; it must be at most 4096",
        ),
        ("head_dim", "head_dim = 65536", "`attention.full.head_dim` is 65536; it must be at most 4096"),
        ("intermediate_size", "intermediate_size = 4294967295", "`ffn.dense.intermediate_size` is 4294967295; it must"),
        ("count", "count = 4294967295", "`layers` are 4294967295 together; there must be at most 4096"),
        ("count", "count = 0", "`layers` is 0; it must be at least 1"),
    ] {
        assert_refused(ModelArchitecture::read("m", &file("m.toml", with(&text, key, line))), want);
    }
    let text = seed("spec_toml/model_gpt_oss_20b.toml");
    for (key, line, want) in [
        ("experts", "experts = 4294967295", "experts` is 4294967295; it must be at most 4096"),
        (
            "active_experts",
            "active_experts = 4\nshared_experts = 4097",
            "shared_experts` is 4097; it must be at most 4096",
        ),
    ] {
        assert_refused(ModelArchitecture::read("m", &file("m.toml", with(&text, key, line))), want);
    }
}

#[test]
fn extra_tensors_beyond_64_bits_are_counted() {
    let extra = "[[extra]]\nwhat = \"x\"\nparameters = 9223372036854775807\n".repeat(3);
    let text = seed("spec_toml/model_olmo2_tiny.toml") + &extra;
    let want = "the layers, embeddings and extras of this file hold 27670116110564508733";
    assert_refused(ModelArchitecture::read("m", &file("m.toml", text)), want);
}

#[test]
fn a_row_that_no_measured_file_could_hold_is_not_imported() {
    let vllm = |ttft: &str, throughput: &str| {
        let text = format!(
            "{{\"max_concurrency\": 4, \"completed\": 10, \"total_input_tokens\": 1000, \"total_output_tokens\": 500, \
             \"mean_ttft_ms\": {ttft}, \"mean_tpot_ms\": 5.5, \"output_throughput\": {throughput}}}"
        );
        let imported = import::parse(text.as_bytes(), Path::new("r.json"), Some(Tool::Vllm)).unwrap().unwrap();
        import::rows(&imported.points, None, None, None)
    };
    assert_refused(vllm("1e300", "10"), "no row is left: r.json: its TTFT is 1e300 ms");
    assert_refused(vllm("1e-320", "10"), "its TTFT is 1e-320 ms");
    assert_refused(vllm("0", "10"), "its TTFT is 0 ms");
    let rows = vllm("50", "1e300").unwrap();
    assert_eq!(rows.rows[0].throughput, None);
    assert_eq!(rows.warnings.last().unwrap(), "r.json: a throughput of 1e300 tokens/s cannot be and is left out");
    assert_eq!(vllm("50", "0").unwrap().warnings.len(), 1, "0 stands for not measured; the other is of few answers");
}

#[test]
fn a_request_with_a_count_below_0_is_refused_from_every_tool() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guidellm.json");
    let text = seed("requests/guidellm.json").replacen("\"output_tokens\": ", "\"output_tokens\": -", 1);
    fs::write(&path, text).unwrap();
    assert_refused(requests::open(&path), "`num_tokens_output` of request 1 is -");
}

#[test]
fn a_run_of_less_than_no_time_is_refused_from_every_tool() {
    let folder = tempfile::tempdir().unwrap();
    let before = "\"duration\": ";
    for name in ["guidellm.json", "vllm.json"] {
        let path = folder.path().join(name);
        let text = seed(&format!("requests/{name}"));
        fs::write(&path, text.replacen(before, &format!("{before}-"), 1)).unwrap();
        assert_refused(requests::open(&path), "the run took -");
        fs::write(&path, text.replacen(before, "\"duration\": 0, \"was\": ", 1)).unwrap();
        let Measured::Run(run) = requests::open(&path).unwrap() else { panic!("one run") };
        assert_eq!((run.info.duration, run.requests_per_minute()), (None, None));
    }
    fs::write(folder.path().join("responses.jsonl"), "{\"time_to_last_token\": 1.5}\n").unwrap();
    fs::write(folder.path().join("summary.json"), "{\"total_test_time\": -2.5, \"total_requests\": 1}").unwrap();
    assert_refused(requests::open(folder.path()), "the run took -2.5 s, which no run does");
}

#[test]
fn rates_over_a_duration_of_nearly_nothing_are_not_known() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("responses.jsonl"), "{\"time_to_last_token\": 1.5}\n").unwrap();
    fs::write(folder.path().join("summary.json"), "{\"total_test_time\": 1e-320, \"total_requests\": 1}").unwrap();
    let Measured::Run(run) = requests::open(folder.path()).unwrap() else { panic!("one run") };
    assert_eq!(run.requests_per_minute(), None);
}

/// The square of such a scatter is none, and a share of 0 of it neither.
#[test]
fn a_calibration_that_scatters_beyond_all_measure_is_refused() {
    for (of, with, want) in [
        ("ttft = 0.21797848669379732", "ttft = 1e308", "the uncertainty of `llama31_8b_fp8_tp1` is not one"),
        ("[[0.002960075492,", "[[1e308,", "the covariance of `memory_efficiency` is not one"),
    ] {
        let text = seed("spec_toml/calibration_serving.toml");
        let wrong = text.replacen(of, with, 1);
        assert_ne!(wrong, text);
        CalibrationRecord::read(&file("calibration.toml", text)).unwrap();
        assert_refused(CalibrationRecord::read(&file("calibration.toml", wrong)), want);
    }
}

#[test]
fn counts_of_a_generation_below_0_are_refused() {
    let text = seed("results_json/ours_h100.json");
    for (of, with) in
        [("\"tokens_per_call\": 32.0", "\"tokens_per_call\": -1"), ("\"user_tps\": 73.61", "\"user_tps\": -1")]
    {
        let wrong = text.replace(of, with);
        assert_ne!(wrong, text);
        assert_refused(Results::parse(&wrong), "`hydra_poe.per_gamma.1`: a mean or a rate is not a number from 0 up");
    }
}

#[test]
fn a_decode_step_at_the_largest_position_has_a_row() {
    let text = seed("results_json/original.json").replace("\"1024\": {}", "\"1024\": null");
    let text =
        text.replace("\"520\"", "\"18446744073709551615\"").replace("\"prompt_length\": 512", "\"prompt_length\": 0");
    let csv = measured_csv(&Results::parse(&text).unwrap()).unwrap();
    assert!(csv.contains("0,18446744073709551615,1,"), "{csv}");
}

#[test]
fn a_number_that_is_none_is_no_load_and_no_latency() {
    let text = seed("import_guidellm/guidellm_0.8.csv").replacen("concurrent@4", "concurrent@nan", 1);
    let imported = import::parse(text.as_bytes(), Path::new("b.csv"), None).unwrap().unwrap();
    assert_eq!(imported.points[0].load, Load::Unknown);
    let text = "Metric,avg,p50\nTime to First Token (ms),inf,nan\nInter Token Latency (ms),5,5\n";
    let imported = import::parse(text.as_bytes(), Path::new("p.csv"), None).unwrap().unwrap();
    assert_eq!((imported.points[0].ttft.mean, imported.points[0].ttft.median), (None, None));
}

#[test]
fn a_step_of_nearly_nothing_makes_no_endless_bandwidth() {
    let row = |batch: u32, step: &str| format!("a,MHA,{batch},512,{step},1.5\n");
    let text = "label,attn_type,batch_size,max_context,decode_step_ms_p50,kv_cache_mb\n".to_owned()
        + &[row(1, "1e-320"), row(2, "2e-320"), row(3, "3e-320")].concat();
    let sweep = SweepTable::read(CsvTable::read(text.as_bytes(), Path::new("s.csv")).unwrap()).unwrap();
    assert_eq!((sweep.skipped, sweep.dirty[0].impossible, sweep.series.len()), (3, 3, 0));
}

#[test]
fn runs_larger_than_any_model_make_no_architecture() {
    let header = "run,type,moe,params_m,theoretical_cache_mb,val_loss,tps_512,down_dim_kv,num_blocks,dim,n_heads,kv_heads,max_context,rope_dim";
    let slices = |sizes: &str| {
        let text = format!("{header}\na,MHA,False,1e15,1.9,2.1,68,64,{sizes},8,512,16\n");
        let table = CsvTable::read(text.as_bytes(), Path::new("runs.csv")).unwrap();
        TableStudy::new(BenchmarkTable::read(table).unwrap(), Rule::Right).table
    };
    let dense = slices("1000000,1000000,1000000");
    assert!(Slice::all(dense.runs.iter()).is_empty());
    let dense = slices("12,256,8");
    let all = Slice::all(dense.runs.iter());
    assert_refused(architecture(&all[0].0, &all[0].1), "how wide its feed-forward blocks are");
}
