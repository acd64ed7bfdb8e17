//! Requests one by one in the result files of other tools than LLMeter.

use std::path::Path;

use serde::Deserialize;

use super::log::{Request, RequestLog};
use super::metadata::{RunInfo, clients, duration};
use super::row::BadRow;
use super::{Dimension, inference_perf, json};
use crate::error::{Error, Result};

/// A run of `vllm bench serve --save-detailed` or of SGLang's `bench_serving --output-details`. Times are in seconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BenchServing {
    model_id: Option<String>,
    backend: Option<String>,
    max_concurrency: Option<f64>,
    duration: Option<f64>,
    input_lens: Vec<Option<f64>>,
    output_lens: Vec<Option<f64>>,
    ttfts: Vec<Option<f64>>,
    itls: Vec<Vec<f64>>,
    errors: Vec<Option<String>>,
}

/// GuideLLM's report, of which the requests count.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Guidellm {
    benchmarks: Vec<GuidellmBenchmark>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GuidellmBenchmark {
    #[serde(alias = "args")]
    config: GuidellmConfig,
    requests: GuidellmRequests,
    duration: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GuidellmConfig {
    strategy: GuidellmStrategy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GuidellmStrategy {
    streams: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GuidellmRequests {
    successful: Vec<GuidellmRequest>,
    errored: Vec<GuidellmRequest>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GuidellmRequest {
    request_start_time: Option<f64>,
    /// Seconds.
    request_latency: Option<f64>,
    prompt_tokens: Option<f64>,
    output_tokens: Option<f64>,
    time_to_first_token_ms: Option<f64>,
    /// Leaves out the first token; the field that is called after TPOT does not.
    inter_token_latency_ms: Option<f64>,
}

/// Whether a text holds runs of vLLM or SGLang.
pub(super) fn is_bench_serving(text: &[u8]) -> bool {
    const KEY: &[u8] = b"\"mean_ttft_ms\"";
    text.windows(KEY.len()).any(|part| part == KEY)
}

/// The requests of a JSON file, and what it says of the run.
///
/// # Errors
/// It is no such file, or one of several runs.
pub(super) fn read_json(text: &[u8], path: &Path) -> Result<(RequestLog, RunInfo)> {
    if json::is_list(text) {
        return Ok(inference_perf::log(&parsed::<Vec<_>>(text, path)?.concat()));
    }
    let guidellm: Guidellm = parsed(text, path)?.pop().unwrap_or_default();
    match guidellm.benchmarks.len() {
        0 => bench_serving(text, path),
        1 => Ok(guidellm_log(&guidellm.benchmarks[0])),
        several => Err(Error::input(format!("this file holds {several} benchmarks"))
            .at(path)
            .help("compare files of one benchmark each, or sum them up with `perfmodel import`")),
    }
}

fn guidellm_log(benchmark: &GuidellmBenchmark) -> (RequestLog, RunInfo) {
    let mut log = RequestLog::default();
    let all = benchmark.requests.successful.iter().map(|request| (request, false));
    for (row, failed) in all.chain(benchmark.requests.errored.iter().map(|request| (request, true))) {
        let mut request = Request { failed, sent: row.request_start_time, ..Request::default() };
        request.set(Dimension::TimeToFirstToken, row.time_to_first_token_ms.map(|ms| ms / 1e3));
        request.set(Dimension::TimeToLastToken, row.request_latency);
        request.set(Dimension::TimePerOutputToken, row.inter_token_latency_ms.map(|ms| ms / 1e3));
        request.set(Dimension::InputTokens, row.prompt_tokens);
        request.set(Dimension::OutputTokens, row.output_tokens);
        log.push(&request.completed());
    }
    let clients = clients(benchmark.config.strategy.streams);
    (log, RunInfo { clients, duration: duration(benchmark.duration), ..RunInfo::default() })
}

fn bench_serving(text: &[u8], path: &Path) -> Result<(RequestLog, RunInfo)> {
    let mut runs: Vec<BenchServing> = parsed(text, path)?;
    runs.retain(|run| !run.ttfts.is_empty());
    let (Some(run), 1) = (runs.first(), runs.len()) else {
        let wrong =
            if runs.is_empty() { "this file holds no requests one by one" } else { "this file holds several runs" };
        return Err(Error::input(wrong).at(path).help(
            "`vllm bench serve` writes them with --save-detailed, SGLang with --output-details, a run a file; sums go to `perfmodel \
             import`",
        ));
    };
    let mut log = RequestLog::default();
    for (index, ttft) in run.ttfts.iter().enumerate() {
        let failed = run.errors.get(index).is_some_and(|error| error.as_ref().is_some_and(|text| !text.is_empty()));
        let mut request = Request { failed, ..Request::default() };
        let gaps = run.itls.get(index).map(|gaps| gaps.iter().sum::<f64>());
        let ttft = ttft.filter(|ttft| *ttft > 0.0);
        request.set(Dimension::TimeToFirstToken, ttft);
        request.set(Dimension::TimeToLastToken, ttft.zip(gaps).map(|(ttft, gaps)| ttft + gaps));
        request.set(Dimension::InputTokens, run.input_lens.get(index).copied().flatten());
        request.set(Dimension::OutputTokens, run.output_lens.get(index).copied().flatten());
        log.push(&request.completed());
    }
    let info = RunInfo {
        model: run.model_id.clone(),
        provider: run.backend.clone(),
        clients: clients(run.max_concurrency),
        duration: duration(run.duration),
        ..RunInfo::default()
    };
    Ok((log, info))
}

/// Every JSON value of a text.
fn parsed<T: serde::de::DeserializeOwned>(text: &[u8], path: &Path) -> Result<Vec<T>> {
    json::values(text).map_err(|error| {
        json::wrong(&error, path, "result of a tool that is known")
            .help("give a file with requests one by one as the tool wrote it")
    })
}

/// A line of AIPerf's `profile_export.jsonl`.
#[derive(Debug, Deserialize)]
struct AiperfRecord {
    metadata: AiperfMetadata,
    #[serde(default)]
    metrics: AiperfMetrics,
    #[serde(default)]
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AiperfMetadata {
    request_start_ns: Option<f64>,
    benchmark_phase: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AiperfMetrics {
    time_to_first_token: Option<AiperfValue>,
    request_latency: Option<AiperfValue>,
    inter_token_latency: Option<AiperfValue>,
    input_sequence_length: Option<AiperfValue>,
    output_sequence_length: Option<AiperfValue>,
    reasoning_token_count: Option<AiperfValue>,
}

#[derive(Debug, Deserialize)]
struct AiperfValue {
    value: f64,
    #[serde(default)]
    unit: String,
}

impl AiperfValue {
    /// In seconds.
    fn seconds(&self) -> std::result::Result<f64, BadRow> {
        match self.unit.as_str() {
            "ms" => Ok(self.value / 1e3),
            "s" | "sec" => Ok(self.value),
            "us" => Ok(self.value / 1e6),
            "ns" => Ok(self.value / 1e9),
            other => Err(BadRow { message: format!("`{other}` is no unit of time"), column: None }),
        }
    }
}

/// Whether a line is one of AIPerf.
pub(super) fn is_aiperf(line: &[u8]) -> bool {
    serde_json::from_slice::<AiperfRecord>(line).is_ok()
}

/// Reads a line of AIPerf; `None` for a request of the warm-up.
pub(super) fn aiperf(line: &[u8]) -> std::result::Result<Option<Request>, BadRow> {
    let record: AiperfRecord = serde_json::from_slice(line).map_err(|error| BadRow::of(&error))?;
    if record.metadata.benchmark_phase.as_deref() == Some("warmup") {
        return Ok(None);
    }
    let mut request = Request {
        failed: record.error.is_some(),
        sent: record.metadata.request_start_ns.map(|ns| ns / 1e9),
        ..Request::default()
    };
    let metrics = record.metrics;
    for (dimension, metric) in [
        (Dimension::TimeToFirstToken, &metrics.time_to_first_token),
        (Dimension::TimeToLastToken, &metrics.request_latency),
        (Dimension::TimePerOutputToken, &metrics.inter_token_latency),
    ] {
        request.set(dimension, metric.as_ref().map(AiperfValue::seconds).transpose()?);
    }
    for (dimension, metric) in [
        (Dimension::InputTokens, &metrics.input_sequence_length),
        (Dimension::OutputTokens, &metrics.output_sequence_length),
        (Dimension::ReasoningTokens, &metrics.reasoning_token_count),
    ] {
        request.set(dimension, metric.as_ref().map(|metric| metric.value));
    }
    if let Some(value) = request.values.iter().flatten().find(|value| **value < 0.0) {
        return Err(BadRow { message: format!("{value} is no time or count"), column: None });
    }
    Ok(Some(request.completed()))
}
