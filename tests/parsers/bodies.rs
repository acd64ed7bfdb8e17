//! What must hold of every parser, whatever bytes it is given. `tests/parsers` runs these bodies on random and damaged
//! files, the targets of `fuzz/` under libFuzzer.
//!
//! A parser does not panic. What it refuses it refuses as wrong input, with a message and a remedy. What it accepts holds
//! only numbers that its type promises, can be used, and, where there is a writer, is written and read as the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::LazyLock;

use perfmodel::bench::{BenchConfig, DataType, Results, Timing, Variant, measured_csv as baseline_csv, rows_csv};
use perfmodel::calibration::{CalibrationRecord, Target};
use perfmodel::comparison::{Filter, LatencyLimits, Sample, Settings, Side, cautions, compare, level_figures};
use perfmodel::dataset::{Dataset, Measurement, RowFilter, columns_of, read_measurements, read_table, read_workloads};
use perfmodel::error::Result;
use perfmodel::estimator;
use perfmodel::evaluation::CheckConfig;
use perfmodel::evaluation::live::{DevicePeaks, LiveRecord, data_type, live_run, predict_results};
use perfmodel::forecast::Forecaster;
use perfmodel::import::{self, Imported, Load, Tool};
use perfmodel::insights::budget::budgets_mb;
use perfmodel::insights::csv_table::CsvTable;
use perfmodel::insights::slice::Slice;
use perfmodel::insights::study::TableStudy;
use perfmodel::insights::variant::{Variant as Kind, architecture, default_kinds, kinds_of_runs};
use perfmodel::insights::{BenchmarkTable, Rule, SweepTable};
use perfmodel::passes::LiveParameters;
use perfmodel::prediction::Prediction;
use perfmodel::requests::{self, Dimension, Measured, Run};
use perfmodel::serving::{ServingModel, priors};
use perfmodel::spec::{
    Catalog, Deployment, Hardware, ModelArchitecture, Precision, ScenarioFile, SpecFile, Statistic, System,
    read_hf_config,
};
use perfmodel::workload::{LoadKind, Workload};

/// A result, if it is one; an error must be one of the input, and say what is wrong and what to do.
#[track_caller]
fn accepted<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert_eq!(error.exit_code(), 2, "{error}");
            assert!(!error.message().trim().is_empty(), "an error without a message: {error}");
            assert!(error.to_string().contains("\n  help: "), "an error without a remedy: {error}");
            None
        }
    }
}

/// Bytes as a file of text; `None` for what is refused before it is parsed.
fn file(bytes: &[u8], label: &str) -> Option<SpecFile> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(SpecFile { label: label.to_owned(), text: text.to_owned() })
}

#[track_caller]
fn assert_known(what: &str, value: f64) {
    assert!(value.is_finite() && value >= 0.0, "{what} is {value}");
}

/// Equal but for what a conversion of units rounds.
#[track_caller]
fn assert_near(what: &str, a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-12 * a.abs(), "{what}: {a} became {b}");
}

/// The device and the model that stand in where a file holds one of both.
static DEVICE: LazyLock<Hardware> = LazyLock::new(|| Catalog::built_in().hardware("h100_sxm_80gb").unwrap());
static MODEL: LazyLock<ModelArchitecture> = LazyLock::new(|| Catalog::built_in().model("llama31_8b").unwrap());

// Measurements

pub fn measured_csv(bytes: &[u8]) {
    let Some(file) = file(bytes, "measured.csv") else { return };
    for load in LoadKind::ALL {
        if let Some(dataset) = accepted(read_measurements(&file, load)) {
            assert_measured(&dataset, load);
            let text = dataset.rows.iter().fold(columns_of(load).join(","), |text, row| text + "\n" + &line(row));
            let again = read_measurements(&SpecFile { label: "written.csv".into(), text }, load).unwrap();
            assert_eq!(again.rows.len(), dataset.rows.len());
            for (row, again) in dataset.rows.iter().zip(&again.rows) {
                assert_eq!(row.workload, again.workload);
                assert_near("TTFT", row.ttft.get(), again.ttft.get());
                assert_near("ITL", row.itl.get(), again.itl.get());
                assert_eq!(row.throughput, again.throughput);
            }
            let some = RowFilter::from_str(&format!("{}<=8 and input_tokens>100", load.column())).unwrap();
            let (kept, others) = (dataset.passing(std::slice::from_ref(&some), &[]), dataset.passing(&[], &[some]));
            assert_eq!(kept.len() + others.len(), dataset.rows.len());
        }
        if let Some(table) = accepted(read_table(&file, load)) {
            for group in &table.groups {
                assert_eq!(group.dataset.rows.len(), group.trust.len());
                assert_measured(&group.dataset, load);
            }
        }
    }
    if let Some((load, workloads)) = accepted(read_workloads(&file)) {
        assert!(workloads.iter().all(|workload| workload.kind() == load));
    }
    for filter in file.text.lines().take(4) {
        accepted(RowFilter::from_str(filter));
    }
}

fn line(row: &Measurement) -> String {
    let Measurement { workload, ttft, itl, throughput, .. } = row;
    let throughput = throughput.map_or_else(String::new, |rate| rate.get().to_string());
    format!(
        "{},{},{},{},{},{throughput}",
        workload.input_tokens(),
        workload.output_tokens(),
        workload.amount(),
        ttft.as_ms(),
        itl.as_ms()
    )
}

fn assert_measured(dataset: &Dataset, load: LoadKind) {
    assert!(!dataset.rows.is_empty());
    assert!(dataset.rows.is_sorted_by(|a, b| a.line < b.line), "lines do not rise");
    for row in &dataset.rows {
        assert_eq!(row.workload.kind(), load);
        assert!(row.line > 1);
        let throughput = row.throughput.map(|rate| rate.get());
        for value in [row.ttft.get(), row.itl.get()].into_iter().chain(throughput) {
            assert!(value.is_finite() && value > 0.0, "{row:?}");
        }
    }
}

// Specifications

pub fn spec_toml(bytes: &[u8]) {
    let Some(file) = file(bytes, "spec.toml") else { return };
    if let Some(hardware) = accepted(Hardware::read("device", &file)) {
        for precision in [Precision::Bf16, Precision::Fp8] {
            if let Some(system) =
                accepted(System::new(hardware.clone(), MODEL.clone(), Deployment::new(1, precision).unwrap()))
            {
                assert_predicts(&system);
            }
        }
    }
    if let Some(model) = accepted(ModelArchitecture::read("model", &file)) {
        assert_counts(&model);
    }
    if let Some(scenario) = accepted(ScenarioFile::read(&file)) {
        let text = toml::to_string(&scenario).unwrap();
        let again = ScenarioFile::read(&SpecFile { label: "written.toml".into(), text }).unwrap();
        assert_eq!(format!("{again:?}"), format!("{scenario:?}"));
        let system = Deployment::try_from(&scenario.deployment)
            .and_then(|deployment| System::new(DEVICE.clone(), MODEL.clone(), deployment));
        if let Some(system) = accepted(system) {
            assert_predicts(&system.with_notebook(scenario.roofline));
        }
    }
    if let Some(priors) = accepted(priors::read(&file)) {
        assert!(priors.iter().all(|prior| prior.value.is_finite() && prior.value > 0.0));
    }
    if let Some(record) = accepted(CalibrationRecord::read(&file)) {
        assert_calibrates(&record);
    }
    if let Some(record) = accepted(LiveRecord::read(&file)) {
        let again = LiveRecord::read(&SpecFile { label: "written.toml".into(), text: record.to_toml() }).unwrap();
        // A number that is none is not equal to itself.
        assert_eq!(format!("{again:?}"), format!("{record:?}"));
        let _ = record.parameters();
    }
    let known = ["llama31_8b_fp8_tp1".to_owned()];
    if let Some(config) = accepted(CheckConfig::read(&file, Path::new("ci"), &known)) {
        let _ = config.settings(&known[0]);
    }
}

fn assert_calibrates(record: &CalibrationRecord) {
    let again = CalibrationRecord::read(&SpecFile { label: "written.toml".into(), text: record.to_toml() }).unwrap();
    assert_eq!(format!("{again:?}"), format!("{record:?}"));
    assert!(record.parameters.iter().all(|parameter| parameter.value.is_finite() && parameter.value >= 0.0));
    let system = System::new(DEVICE.clone(), MODEL.clone(), Deployment::new(1, Precision::Bf16).unwrap()).unwrap();
    let scenario = record.scenarios[0].scenario.clone();
    for estimator in estimator::all() {
        for scenario in [None, Some(scenario.as_str())] {
            let target = Target { scenario, system: &system, load: LoadKind::ClosedLoop, campaign: None };
            let Some(forecaster) = accepted(Forecaster::new(estimator, &target, Some(record))) else { continue };
            let _ = record.options(forecaster.parameters());
            let workload = Workload::new(1000.0, 200.0, 16.0).unwrap();
            let forecast = forecaster.forecast(&workload);
            assert_prediction(&forecast.prediction, &workload);
            for interval in [forecast.ttft, forecast.itl] {
                assert!(interval.low <= interval.high && interval.low.get() >= 0.0, "{forecast:?}");
            }
            let _ = forecaster.outside(std::iter::once(&workload));
        }
    }
}

/// Counting and placing a model, whatever its sizes.
fn assert_counts(model: &ModelArchitecture) {
    assert!(model.parameters() > 0 && model.layer_count() > 0);
    for (precision, gpus) in [(Precision::Bf16, 1), (Precision::Fp8, 8)] {
        let system = System::new(DEVICE.clone(), model.clone(), Deployment::new(gpus, precision).unwrap());
        if let Some(system) = accepted(system) {
            assert_predicts(&system);
        }
    }
    for kind in default_kinds(model) {
        accepted(Kind::of(model, kind));
    }
    accepted(perfmodel::passes::LiveModel::new(model, 2, 1, 2.0));
}

/// What a system serves is finite at every corner of what can be asked, or it is refused.
fn assert_predicts(system: &System) {
    let serving = accepted(ServingModel::new(system));
    for load in LoadKind::ALL {
        let target = Target { scenario: None, system, load, campaign: None };
        let least = if load == LoadKind::OpenLoop { 1e-6 } else { 1.0 };
        for (input, output, load_value) in [(1.0, 2.0, least), (1000.0, 200.0, 8.0), (1e9, 1e9, 1e9)] {
            let workload = Workload::under(load, input, output, load_value).unwrap();
            for estimator in estimator::all() {
                let serves = estimator.name() == "serving";
                let fits = serving.as_ref().is_some_and(|serving| accepted(serving.check(&workload)).is_some());
                if serves && !fits {
                    continue;
                }
                let Some(forecaster) = accepted(Forecaster::new(estimator, &target, None)) else { continue };
                assert_prediction(&forecaster.predict(&workload), &workload);
            }
        }
    }
}

#[track_caller]
fn assert_prediction(prediction: &Prediction, workload: &Workload) {
    let of = |value: f64| value >= 0.0 && (value.is_finite() || prediction.is_overloaded());
    let Prediction { ttft, itl, throughput, running, waiting, .. } = *prediction;
    for value in [ttft.get(), itl.get(), throughput.get(), running, waiting] {
        // What waits is a difference of two sums.
        assert!(of(value) || (value > -1e-6 && value < 0.0), "{workload:?}: {prediction:?}");
    }
}

pub fn config_json(bytes: &[u8]) {
    let Some(file) = file(bytes, "config.json") else { return };
    if let Some(model) = accepted(read_hf_config("model", &file)) {
        assert_counts(&model);
    }
    if let Some(config) = accepted(BenchConfig::parse(&file)) {
        assert!(Variant::ALL.into_iter().any(|variant| config.runs(variant)));
        assert_known("β", config.beta);
        for variant in Variant::ALL {
            let _ = config.cache_tokens(variant);
        }
    }
}

// Live runs

pub fn results_json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(results) = accepted(Results::parse(text)) else { return };
    let again = Results::parse(&results.to_json()).unwrap();
    assert_eq!(again, results);
    for variant in Variant::ALL {
        results.ttft(variant).into_iter().for_each(assert_timed);
        for point in results.decode(variant) {
            assert_timed(&point.timing);
            assert_known("tokens/s", point.tps);
        }
    }
    for run in results.gammas() {
        assert_timed(&run.timing);
        for value in [run.avg_accepted_tokens_per_call, run.effective_tps, run.resample_rate, run.refilled()] {
            assert_known("a figure of γ", value);
        }
    }
    let _ = rows_csv(&results);
    if let Some(text) = baseline_csv(&results) {
        accepted(read_measurements(&SpecFile { label: "measured.csv".into(), text }, LoadKind::StaticBatch));
    }
    let Some(dtype) = accepted(data_type(&results)) else { return };
    let peaks = DevicePeaks::of(&DEVICE, if dtype == DataType::Float32 { DataType::BFloat16 } else { dtype }).unwrap();
    let Some(run) = accepted(live_run("run", results, peaks, None, &Catalog::built_in())) else { return };
    let timer = run.timer(LiveParameters::default());
    for row in &run.rows {
        assert!(row.measured.get().is_finite() && row.measured.get() > 0.0, "{row:?}");
        let predicted = row.predict(&timer).get();
        assert!(predicted.is_finite() && predicted >= 0.0, "{row:?}: {predicted}");
    }
    let predicted = predict_results(&run, LiveParameters::default(), "priors");
    Results::parse(&predicted.to_json()).unwrap();
}

fn assert_timed(timing: &Timing) {
    for ms in timing.raw_ms.iter().chain(&timing.filtered_ms).chain([&timing.mean_ms, &timing.median_ms]) {
        assert_known("a time", *ms);
    }
}

// Requests

/// What separates the files of a run's folder in one input: responses.jsonl, summary.json, run_config.json.
pub const NEXT_FILE: &[u8] = b"\n%%\n";

pub fn requests(bytes: &[u8]) {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let root = tempfile::Builder::new().prefix("parsers").tempdir_in(root).unwrap();
    let written = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    };
    let ending = match bytes {
        [0x1F, 0x8B, ..] => ".gz",
        [0x28, 0xB5, 0x2F, 0xFD, ..] => ".zst",
        _ => "",
    };
    let mut parts = bytes
        .windows(NEXT_FILE.len())
        .position(|part| part == NEXT_FILE)
        .map_or_else(|| vec![bytes], |at| vec![&bytes[..at], &bytes[at + NEXT_FILE.len()..]]);
    if let [_, rest] = parts[..]
        && let Some(at) = rest.windows(NEXT_FILE.len()).position(|part| part == NEXT_FILE)
    {
        parts[1] = &rest[..at];
        parts.push(&rest[at + NEXT_FILE.len()..]);
    }
    let mut paths = Vec::new();
    for name in ["requests.jsonl", "requests.json", "requests.csv"] {
        paths.push(written(&format!("{name}{ending}"), bytes));
    }
    for (name, part) in ["responses.jsonl", "summary.json", "run_config.json"].into_iter().zip(&parts) {
        let compressed = if name == "responses.jsonl" { ending } else { "" };
        written(&format!("00004-clients/{name}{compressed}"), part);
    }
    paths.push(root.path().join("00004-clients"));
    paths.push(root.path().to_owned());
    for path in paths {
        let Some(measured) = accepted(requests::open(&path)) else { continue };
        match &measured {
            Measured::Run(run) => assert_run(run),
            Measured::LoadTest(test) => {
                for (clients, run) in &test.levels {
                    let level = level_figures(*clients, run, LatencyLimits { ttft: Some(1.0), itl: Some(0.1) });
                    assert_eq!(level.requests, run.log.len());
                }
            }
        }
        if let Some(imported) = accepted(import::read(&path, Some(Tool::Llmeter))) {
            assert_imported(&imported);
        }
    }
}

fn assert_run(run: &Run) {
    assert!(!run.log.is_empty() && !run.log.has_no_latency());
    for dimension in Dimension::ALL {
        for value in run.log.dimension(dimension).flatten() {
            assert_known(dimension.name(), value);
        }
        assert_eq!(run.log.dimension(dimension).count(), run.log.len());
    }
    assert!(run.log.sent().flatten().all(f64::is_finite));
    let counts = run.log.counts();
    assert!(counts.rows == run.log.len() && counts.failed <= counts.rows);
    assert_eq!(run.log.completed_only().len(), counts.rows - counts.failed);
    for rate in [run.requests_per_minute(), run.answers_per_minute()].into_iter().flatten() {
        assert_known("requests a minute", rate);
    }
    for filter in Filter::ALL {
        let sample = Sample::new([&run.log], Dimension::TimeToFirstToken, filter);
        assert!(sample.sorted.is_sorted());
    }
    if run.log.len() <= 32 {
        let side = |name: &str| Side { name: name.to_owned(), runs: vec![run.clone()] };
        let sides = [side("a"), side("b")];
        let comparison = compare(&sides, &Settings { resamples: 9, ..Settings::default() });
        let _ = cautions(&sides, &comparison);
    }
}

// Result files of measuring tools

fn imported(bytes: &[u8], tools: &[Tool]) {
    for path in ["result.json", "result_genai_perf.csv", "result.csv"].map(Path::new) {
        for tool in tools.iter().copied().map(Some).chain([None]) {
            if let Some(imported) = accepted(import::parse(bytes, path, tool)).flatten() {
                assert_imported(&imported);
            }
        }
    }
}

/// Every row that an import makes is one of a measured.csv.
fn assert_imported(imported: &Imported) {
    assert_eq!(imported.tools.len(), 1);
    let _ = imported.conversions(LoadKind::ClosedLoop).len();
    for point in &imported.points {
        if let Load::Clients(value) | Load::Rate(value) = point.load {
            assert!(!value.is_nan(), "{point:?}");
        }
    }
    for (load, statistic, clients) in [
        (None, None, None),
        (Some(LoadKind::ClosedLoop), Some(Statistic::Mean), Some(4.0)),
        (Some(LoadKind::OpenLoop), Some(Statistic::Median), None),
    ] {
        let Some(rows) = accepted(import::rows(&imported.points, load, statistic, clients)) else { continue };
        assert!(!rows.rows.is_empty());
        for row in &rows.rows {
            let import::Row { workload, ttft_ms, itl_ms, throughput } = row;
            let text = format!(
                "{}\n{},{},{},{ttft_ms},{itl_ms},{}\n",
                columns_of(rows.load).join(","),
                workload.input_tokens(),
                workload.output_tokens(),
                workload.amount(),
                throughput.map_or_else(String::new, |rate| rate.to_string())
            );
            let read = read_measurements(&SpecFile { label: "imported.csv".into(), text }, rows.load).unwrap();
            assert_eq!(read.rows[0].workload, *workload);
            assert_near("TTFT", read.rows[0].ttft.as_ms(), *ttft_ms);
            assert_near("ITL", read.rows[0].itl.as_ms(), *itl_ms);
        }
    }
}

pub fn import_aiperf(bytes: &[u8]) {
    imported(bytes, &[Tool::Aiperf, Tool::GenaiPerf]);
}

pub fn import_bench_serving(bytes: &[u8]) {
    imported(bytes, &[Tool::Vllm, Tool::Sglang]);
}

pub fn import_guidellm(bytes: &[u8]) {
    imported(bytes, &[Tool::Guidellm]);
}

pub fn import_inference_perf(bytes: &[u8]) {
    imported(bytes, &[Tool::InferencePerf]);
}

pub fn import_inferencemax(bytes: &[u8]) {
    imported(bytes, &[Tool::InferenceMax]);
}

// Tables of insights

pub fn insights_csv(bytes: &[u8]) {
    let table = || accepted(CsvTable::read(bytes, Path::new("runs.csv")));
    let Some(found) = table() else { return };
    assert!(!found.is_empty());
    if SweepTable::is_one(&found) {
        let Some(sweep) = accepted(SweepTable::read(found)) else { return };
        for series in &sweep.series {
            assert!(series.points.is_sorted_by(|a, b| a.batch <= b.batch));
            for point in &series.points {
                assert_known("a batch", point.batch);
                assert_known("a step", point.step_ms);
            }
            if let Some(fit) = &series.fit {
                for value in [fit.line.slope, fit.line.intercept, fit.slope.0, fit.slope.1, fit.r_squared()] {
                    assert!(value.is_finite(), "{series:?}");
                }
                fit.bandwidth.into_iter().for_each(|bandwidth| assert_known("a bandwidth", bandwidth));
            }
        }
        return;
    }
    let Some(runs) = accepted(BenchmarkTable::read(found)) else { return };
    for rule in [Rule::Right, Rule::Original] {
        let study = TableStudy::new(runs.clone(), rule);
        let _ = study.cautions();
        for panel in study.panels() {
            assert!(panel.front.len() <= panel.runs.len());
            assert_known("a hypervolume", panel.hypervolume.max(0.0));
        }
        for speed in &study.speeds {
            for budget in budgets_mb().into_iter().step_by(50) {
                assert!(!speed.total(budget, rule).median.is_nan(), "{speed:?}");
            }
        }
        if let Some(dial) = &study.dial {
            let _ = dial.best();
            let _ = dial.meets(1.0, rule);
        }
        for slice in &study.slices {
            let _ = slice.loss_trend();
        }
    }
    for (slice, runs) in Slice::all(runs.runs.iter().filter(|run| run.is_dense())).into_iter().take(2) {
        let Some(model) = accepted(architecture(&slice, &runs)) else { continue };
        assert!(model.parameters() > 0);
        for kind in kinds_of_runs(&slice, &runs) {
            accepted(Kind::of(&model, kind));
        }
    }
}
