//! `perfmodel predict`: latencies, throughput and memory of a system under given workloads.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::explain::explain;
use super::numbers::Numbers;
use super::target::{ResolvedTarget, TargetArgs};
use super::terminal::{csv_text, print, table};
use crate::calibration::{Interval, LEVEL, Origin};
use crate::dataset::read_workloads;
use crate::error::{Error, Result};
use crate::forecast::{Capacity, Forecast, Forecaster};
use crate::prediction::{Part, Parts};
use crate::report::{browser, number, write_prediction};
use crate::spec::{Catalog, SpecFile};
use crate::workload::{LoadKind, Workload};

/// More workloads than this in one call look like a slip.
const MOST_WORKLOADS: usize = 1_000_000;

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people.
    Table,
    /// One JSON object (see docs/schema).
    Json,
    /// Comma-separated values.
    Csv,
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel predict --scenario llama31_8b_fp8_tp1 --input-tokens 1000 --output-tokens 200 --concurrency 1,2,4..256\n  \
    perfmodel predict --model qwen3_32b --hardware h200_sxm_141gb --tp 2 --input-tokens 2000 --output-tokens 500 \\\n      \
        --concurrency 32 --explain\n  \
    perfmodel predict --model ./config.json --hardware l40s_48gb --weights fp8 --kv fp8 --input-tokens 500 \\\n      \
        --output-tokens 500 --rate 0.5,1,2\n  \
    perfmodel predict --scenario llama33_70b_fp8_tp2 --calibration c.toml --workload w.csv --format csv\n\n\
    Lists such as 1,2,4..256 go on as they begin: by factors here, by steps in 100,200..1000.")]
pub struct PredictArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// Prompt lengths
    #[arg(long, value_name = "LIST", required_unless_present = "workload", allow_negative_numbers = true)]
    input_tokens: Option<Numbers>,

    /// Answer lengths
    #[arg(long, value_name = "LIST", required_unless_present = "workload", allow_negative_numbers = true)]
    output_tokens: Option<Numbers>,

    /// Clients in a closed loop: each sends its next request when its last one ends [default: 1]
    #[arg(long, value_name = "LIST", conflicts_with = "rate", allow_negative_numbers = true)]
    concurrency: Option<Numbers>,

    /// Requests per second of independent users (Poisson arrivals)
    #[arg(long, value_name = "LIST", conflicts_with = "batch", allow_negative_numbers = true)]
    rate: Option<Numbers>,

    /// Static batches: so many prompts start together, and TTFT is the prefill of all
    #[arg(long, value_name = "LIST", conflicts_with = "concurrency", allow_negative_numbers = true)]
    batch: Option<Numbers>,

    /// CSV with the columns input_tokens, output_tokens and concurrency, rate_rps or batch
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input_tokens", "output_tokens", "concurrency", "rate", "batch"])]
    workload: Option<PathBuf>,

    /// Say what each latency is made of, in words and numbers (JSON always has the numbers)
    #[arg(long)]
    explain: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Write a page with the curves
    #[arg(long)]
    plot: bool,

    /// Folder for the page [default: evaluations_results/predictions/<system>]
    #[arg(long, value_name = "DIR", requires = "plot")]
    out: Option<PathBuf>,

    /// Also write every figure as PNG (needs a Chromium on PATH)
    #[arg(long, requires = "plot")]
    png: bool,
}

impl PredictArgs {
    fn workloads(&self) -> Result<(LoadKind, Vec<Workload>)> {
        if let Some(path) = &self.workload {
            return read_workloads(&SpecFile::open(path)?);
        }
        let (Some(inputs), Some(outputs)) = (&self.input_tokens, &self.output_tokens) else {
            return Err(
                Error::input("no workload is given").help("give --input-tokens and --output-tokens, or --workload")
            );
        };
        let one = Numbers::one(1.0);
        let (kind, loads) = match (&self.rate, &self.batch) {
            (Some(rates), _) => (LoadKind::OpenLoop, rates),
            (None, Some(batches)) => (LoadKind::StaticBatch, batches),
            (None, None) => (LoadKind::ClosedLoop, self.concurrency.as_ref().unwrap_or(&one)),
        };
        let count = inputs.values().len() * outputs.values().len() * loads.values().len();
        if count > MOST_WORKLOADS {
            return Err(Error::input(format!("the lists make {count} workloads"))
                .help(format!("give shorter lists, {MOST_WORKLOADS} workloads at most")));
        }
        let mut workloads = Vec::with_capacity(count);
        for &input in inputs.values() {
            for &output in outputs.values() {
                for &load in loads.values() {
                    workloads.push(Workload::under(kind, input, output, load)?);
                }
            }
        }
        Ok((kind, workloads))
    }
}

/// The JSON object on stdout; docs/schema/predict.schema.json describes it.
#[derive(Debug, Serialize)]
struct PredictOutput<'a> {
    system: &'a str,
    model: &'a str,
    hardware: &'a str,
    tensor_parallel: u32,
    weight_precision: String,
    kv_precision: String,
    calibration: Option<&'a Path>,
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
    ttft_p50_ms: Option<f64>,
    ttft_p90_ms: Option<f64>,
    ttft_p99_ms: Option<f64>,
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &PredictArgs) -> Result<()> {
    if args.explain && args.format == Format::Csv {
        return Err(Error::input("--explain has no place in a CSV").help("--format json gives the parts as numbers"));
    }
    let target = args.target.resolve(catalog)?;
    let (kind, workloads) = args.workloads()?;
    if args.png {
        browser()?;
    }
    let forecaster = target.forecaster(kind)?;
    let capacity = Capacity::of(&target.system, &forecaster)?;
    for workload in &workloads {
        capacity.check(workload)?;
    }
    let forecasts: Vec<Forecast> = workloads.iter().map(|workload| forecaster.forecast(workload)).collect();
    let cautions = cautions(&target, &forecaster, &workloads);
    let files = if args.plot {
        let folder =
            args.out.clone().unwrap_or_else(|| ["evaluations_results", "predictions", &target.id].iter().collect());
        write_prediction(&target.title, &target.basis(), &forecasts, &cautions, &folder, args.png)?
    } else {
        Vec::new()
    };
    let rows = || forecasts.iter().map(|forecast| row(forecast, &capacity, &target)).collect::<Vec<_>>();
    match args.format {
        Format::Json => {
            let deployment = &target.system.deployment;
            let output = PredictOutput {
                system: &target.id,
                model: &target.system.model.name,
                hardware: &target.system.hardware.name,
                tensor_parallel: deployment.tensor_parallel,
                weight_precision: deployment.weight_precision.to_string(),
                kv_precision: deployment.kv_precision.to_string(),
                calibration: target.calibration.as_ref().map(|(path, _)| path.as_path()),
                from_priors: forecaster.from_origin(Origin::Prior),
                outside_range: forecaster.outside(workloads.iter()).iter().map(|outside| outside.axis).collect(),
                weights_bytes: capacity.weights.get(),
                kv_cache_bytes: capacity.kv_cache.get(),
                predictions: rows(),
                files,
            };
            let text = serde_json::to_string(&output)
                .map_err(|error| Error::failed(format!("cannot write the result as JSON ({error})")))?;
            say(&cautions);
            print(&format!("{text}\n"))
        }
        Format::Csv => {
            say(&cautions);
            for file in files {
                eprintln!("wrote {}", file.display());
            }
            print(&csv_text(&rows().iter().map(flat).collect::<Vec<_>>()))
        }
        Format::Table => {
            let mut text = heading(&target, &capacity, forecaster.is_calibrated());
            text += &predictions_table(&forecasts, &capacity, &target, kind);
            if args.explain {
                for forecast in &forecasts {
                    text += &explain(forecast);
                }
            }
            for (index, caution) in cautions.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{}Caution: {caution}", if index == 0 { "\n" } else { "" });
            }
            for file in files {
                let _ = writeln!(text, "wrote {}", file.display());
            }
            print(&text)
        }
    }
}

/// What a planner must know before trusting the numbers, one sentence each.
pub fn cautions(target: &ResolvedTarget, forecaster: &Forecaster, workloads: &[Workload]) -> Vec<String> {
    let mut cautions = Vec::new();
    if forecaster.is_calibrated() {
        let priors = forecaster.from_origin(Origin::Prior);
        if !priors.is_empty() {
            cautions
                .push(format!("not calibrated for this system, taken from documented priors: {}", priors.join(", ")));
        }
    } else {
        let remedy = match &target.scenario {
            Some(id) => format!("`perfmodel fit --scenario {id}` calibrates it"),
            None => "give --calibration FILE of a fit on such hardware".to_owned(),
        };
        cautions.push(format!("UNCALIBRATED: these numbers come from documented priors alone; {remedy}"));
    }
    for outside in forecaster.outside(workloads.iter()) {
        cautions.push(format!("outside the calibrated range, {}", outside.what));
    }
    let longest = workloads.iter().map(Workload::total_tokens).fold(0.0, f64::max);
    let context = f64::from(target.system.model.max_context_tokens);
    if longest > context {
        cautions.push(format!(
            "{longest} tokens are more than the {context} of context that {} is made for",
            target.system.model.name
        ));
    }
    cautions
}

/// Cautions on standard error, where standard output is for machines.
fn say(cautions: &[String]) {
    for caution in cautions {
        eprintln!("caution: {caution}");
    }
}

fn heading(target: &ResolvedTarget, capacity: &Capacity, calibrated: bool) -> String {
    format!(
        "{}\n{}from {}\nmemory {:.1} GiB: weights {:.1}, KV cache {:.1} ({:.0} tokens)\n\n",
        target.system.title(),
        if calibrated { "" } else { "UNCALIBRATED, " },
        target.basis(),
        capacity.memory.as_gib(),
        capacity.weights.as_gib(),
        capacity.kv_cache.as_gib(),
        capacity.tokens()
    )
}

fn with_interval(value: f64, interval: Interval) -> String {
    if value.is_finite() {
        format!("{} ({} – {})", number(value), number(interval.low.as_ms()), number(interval.high.as_ms()))
    } else {
        "grows without end".to_owned()
    }
}

fn predictions_table(forecasts: &[Forecast], capacity: &Capacity, target: &ResolvedTarget, kind: LoadKind) -> String {
    let open = forecasts.iter().any(|forecast| forecast.prediction.open_loop.is_some());
    let ttft = format!("TTFT ms ({:.0} %)", 100.0 * LEVEL);
    let itl = format!("ITL ms ({:.0} %)", 100.0 * LEVEL);
    let mut header = vec!["input", "output", kind.axis(), &ttft];
    if open {
        header.extend(["P50", "P90", "P99"]);
    }
    header.extend([
        &itl as &str,
        "e2e s",
        "tok/s",
        "tok/s per GPU",
        "running",
        "KV used %",
        "most clients",
        "bound by",
    ]);
    let gpus = target.system.deployment.gpus();
    let rows =
        forecasts.iter().map(|forecast| {
            let (workload, p) = (&forecast.workload, &forecast.prediction);
            let mut row = vec![
                workload.input_tokens().to_string(),
                workload.output_tokens().to_string(),
                workload.load().to_string(),
                with_interval(p.ttft.as_ms(), forecast.ttft),
            ];
            if let Some(open_loop) = &p.open_loop {
                row.extend(open_loop.quantiles().map(|quantile| {
                    if quantile.get().is_finite() { number(quantile.as_ms()) } else { "–".to_owned() }
                }));
            }
            let overloaded = p.open_loop.is_some_and(|open_loop| open_loop.overloaded);
            let bound = if overloaded { "overloaded" } else { forecast.bound() };
            row.extend([
                with_interval(p.itl.as_ms(), forecast.itl),
                if overloaded { "–".to_owned() } else { number(forecast.end_to_end().get()) },
                number(p.throughput.get()),
                number(p.throughput.get() / gpus),
                number(p.running),
                format!("{:.0}", 100.0 * capacity.used(workload, p)),
                format!("{:.0}", capacity.most_clients(workload)),
                bound.to_owned(),
            ]);
            row
        });
    let numbers = 0..header.len() - 1;
    table(&header, rows, numbers)
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
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
        open_loop: p.open_loop.map(|open_loop| {
            let [ttft_p50_ms, ttft_p90_ms, ttft_p99_ms] = open_loop.quantiles().map(|q| finite(q.as_ms()));
            OpenLoopRow {
                capacity_rps: open_loop.capacity_rps,
                utilisation: open_loop.utilisation,
                overloaded: open_loop.overloaded,
                ttft_p50_ms,
                ttft_p90_ms,
                ttft_p99_ms,
            }
        }),
        ttft_parts_ms: parts(&p.ttft_parts),
        itl_parts_ms: parts(&p.itl_parts),
    }
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
            ("ttft_p50_ms", optional(open.ttft_p50_ms)),
            ("ttft_p90_ms", optional(open.ttft_p90_ms)),
            ("ttft_p99_ms", optional(open.ttft_p99_ms)),
        ]);
    }
    columns
}
