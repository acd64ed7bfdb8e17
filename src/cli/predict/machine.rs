//! What `perfmodel predict` prints for machines: JSON and CSV.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::calibration::Origin;
use crate::cli::json::finite;
use crate::cli::target::{ResolvedTarget, TargetOutput};
use crate::cli::terminal::csv_text;
use crate::forecast::{Capacity, Forecast, Forecaster};
use crate::prediction::{OpenLoop, Part, Parts};
use crate::workload::LoadKind;

/// The JSON object on stdout; docs/schema/predict.schema.json describes it.
#[derive(Debug, Serialize)]
pub struct PredictOutput<'a> {
    #[serde(flatten)]
    target: TargetOutput<'a>,
    from_priors: Vec<&'static str>,
    outside_range: Vec<&'static str>,
    weights_bytes: f64,
    kv_cache_bytes: f64,
    predictions: Vec<Row>,
    files: Vec<PathBuf>,
}

/// One predicted workload, as in the CSV.
#[derive(Debug, Serialize)]
struct Row {
    input_tokens: f64,
    output_tokens: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_rps: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<f64>,
    ttft_ms: Option<f64>,
    ttft_low_ms: Option<f64>,
    ttft_high_ms: Option<f64>,
    itl_ms: f64,
    itl_low_ms: f64,
    itl_high_ms: f64,
    e2e_ms: Option<f64>,
    e2e_low_ms: Option<f64>,
    e2e_high_ms: Option<f64>,
    throughput_tok_s: f64,
    throughput_per_gpu_tok_s: f64,
    requests_per_s: f64,
    running_sequences: f64,
    kv_cache_used_pct: f64,
    max_concurrency: f64,
    roof: &'static str,
    limit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_loop: Option<OpenLoopRow>,
    ttft_parts_ms: serde_json::Map<String, serde_json::Value>,
    itl_parts_ms: serde_json::Map<String, serde_json::Value>,
}

/// What only an open loop has.
#[derive(Debug, Serialize)]
struct OpenLoopRow {
    capacity_rps: f64,
    utilisation: f64,
    overloaded: bool,
    #[serde(flatten)]
    quantiles: BTreeMap<&'static str, Option<f64>>,
}

/// The object of all predictions.
pub fn output<'a>(
    target: &'a ResolvedTarget,
    forecaster: &Forecaster,
    capacity: &Capacity,
    forecasts: &[Forecast],
    files: Vec<PathBuf>,
) -> PredictOutput<'a> {
    let workloads = forecasts.iter().map(|forecast| &forecast.workload);
    PredictOutput {
        target: target.output(),
        from_priors: forecaster.from_origin(Origin::Prior),
        outside_range: forecaster.outside(workloads).iter().map(|outside| outside.axis).collect(),
        weights_bytes: capacity.weights.get(),
        kv_cache_bytes: capacity.kv_cache.get(),
        predictions: forecasts.iter().map(|forecast| row(forecast, capacity, target)).collect(),
        files,
    }
}

/// The predictions as CSV.
pub fn csv(target: &ResolvedTarget, capacity: &Capacity, forecasts: &[Forecast]) -> String {
    let rows: Vec<_> = forecasts.iter().map(|forecast| flat(&row(forecast, capacity, target))).collect();
    let header: Vec<&str> = rows.first().into_iter().flatten().map(|(name, _)| *name).collect();
    csv_text(&header, rows.into_iter().map(|row| row.into_iter().map(|(_, cell)| cell).collect()))
}

fn row(forecast: &Forecast, capacity: &Capacity, target: &ResolvedTarget) -> Row {
    let (workload, p) = (&forecast.workload, &forecast.prediction);
    let under = |kind: LoadKind| (workload.kind() == kind).then(|| workload.load());
    let e2e = forecast.end_to_end_interval();
    Row {
        input_tokens: workload.input_tokens(),
        output_tokens: workload.output_tokens(),
        concurrency: under(LoadKind::ClosedLoop),
        rate_rps: under(LoadKind::OpenLoop),
        batch: under(LoadKind::StaticBatch),
        ttft_ms: finite(p.ttft.as_ms()),
        ttft_low_ms: finite(forecast.ttft.low.as_ms()),
        ttft_high_ms: finite(forecast.ttft.high.as_ms()),
        itl_ms: p.itl.as_ms(),
        itl_low_ms: forecast.itl.low.as_ms(),
        itl_high_ms: forecast.itl.high.as_ms(),
        e2e_ms: finite(forecast.end_to_end().as_ms()),
        e2e_low_ms: finite(e2e.low.as_ms()),
        e2e_high_ms: finite(e2e.high.as_ms()),
        throughput_tok_s: p.throughput.get(),
        throughput_per_gpu_tok_s: p.throughput.get() / target.system.deployment.gpus(),
        requests_per_s: p.throughput.get() / workload.output_tokens(),
        running_sequences: p.running,
        kv_cache_used_pct: 100.0 * capacity.used(workload, p),
        max_concurrency: capacity.most_clients(workload),
        roof: p.roof.name(),
        limit: p.limit.name(),
        open_loop: p.open_loop.map(|open_loop| OpenLoopRow {
            capacity_rps: open_loop.capacity_rps,
            utilisation: open_loop.utilisation,
            overloaded: open_loop.overloaded,
            quantiles: quantiles(forecast, &open_loop),
        }),
        ttft_parts_ms: parts(&p.ttft_parts),
        itl_parts_ms: parts(&p.itl_parts),
    }
}

/// Keys of the percentiles of TTFT: the value, and the ends of its interval.
const QUANTILES: [[&str; 3]; 3] = [
    ["ttft_p50_ms", "ttft_p50_low_ms", "ttft_p50_high_ms"],
    ["ttft_p90_ms", "ttft_p90_low_ms", "ttft_p90_high_ms"],
    ["ttft_p99_ms", "ttft_p99_low_ms", "ttft_p99_high_ms"],
];

/// Percentiles of TTFT with their intervals, by key.
fn quantiles(forecast: &Forecast, open_loop: &OpenLoop) -> BTreeMap<&'static str, Option<f64>> {
    let values = open_loop.quantiles().map(|quantile| {
        let interval = forecast.ttft_interval(quantile);
        [quantile, interval.low, interval.high].map(|time| finite(time.as_ms()))
    });
    QUANTILES.into_iter().flatten().zip(values.into_iter().flatten()).collect()
}

fn parts(parts: &Parts) -> serde_json::Map<String, serde_json::Value> {
    Part::ALL
        .into_iter()
        .map(|part| (part, parts.get(part).as_ms()))
        .filter(|(_, time)| *time != 0.0 && time.is_finite())
        .map(|(part, time)| (part.key().to_owned(), time.into()))
        .collect()
}

/// A row of the CSV: the same keys, without the breakdown.
fn flat(row: &Row) -> Vec<(&'static str, String)> {
    let text = |value: f64| value.to_string();
    let optional = |value: Option<f64>| value.map_or_else(String::new, text);
    let loads = [("concurrency", row.concurrency), ("rate_rps", row.rate_rps), ("batch", row.batch)];
    let load = loads.into_iter().find_map(|(axis, load)| Some((axis, text(load?))));
    let mut columns = vec![("input_tokens", text(row.input_tokens)), ("output_tokens", text(row.output_tokens))];
    columns.extend(load);
    columns.extend([
        ("ttft_ms", optional(row.ttft_ms)),
        ("ttft_low_ms", optional(row.ttft_low_ms)),
        ("ttft_high_ms", optional(row.ttft_high_ms)),
        ("itl_ms", text(row.itl_ms)),
        ("itl_low_ms", text(row.itl_low_ms)),
        ("itl_high_ms", text(row.itl_high_ms)),
        ("e2e_ms", optional(row.e2e_ms)),
        ("e2e_low_ms", optional(row.e2e_low_ms)),
        ("e2e_high_ms", optional(row.e2e_high_ms)),
        ("throughput_tok_s", text(row.throughput_tok_s)),
        ("throughput_per_gpu_tok_s", text(row.throughput_per_gpu_tok_s)),
        ("requests_per_s", text(row.requests_per_s)),
        ("running_sequences", text(row.running_sequences)),
        ("kv_cache_used_pct", text(row.kv_cache_used_pct)),
        ("max_concurrency", text(row.max_concurrency)),
        ("roof", row.roof.to_owned()),
        ("limit", row.limit.to_owned()),
    ]);
    if let Some(open) = &row.open_loop {
        columns.extend([
            ("capacity_rps", text(open.capacity_rps)),
            ("utilisation", text(open.utilisation)),
            ("overloaded", open.overloaded.to_string()),
        ]);
        columns.extend(open.quantiles.iter().map(|(key, value)| (*key, optional(*value))));
    }
    columns
}
