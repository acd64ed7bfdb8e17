//! `perfmodel predict`: latencies, throughput and memory of a system under given workloads.

mod machine;
mod table;

use std::path::PathBuf;

use clap::Args;

use self::machine::{csv, output};
use self::table::{heading, predictions_table};
use super::TableFormat;
use super::explain::explain;
use super::json::json_line;
use super::numbers::Numbers;
use super::page_args::PageArgs;
use super::target::{ResolvedTarget, TargetArgs, fit_command};
use super::terminal::{caution_lines, caution_remarks, files_remark, print, written_lines};
use crate::dataset::read_workloads;
use crate::error::{Error, Result};
use crate::forecast::{Capacity, Forecast, Forecaster};
use crate::report::write_prediction;
use crate::spec::{Catalog, SpecFile};
use crate::workload::{LoadKind, Workload};

/// More workloads than this in one call look like a slip.
const MOST_WORKLOADS: usize = 1_000_000;

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
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    format: TableFormat,

    #[command(flatten)]
    page: PageArgs,
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

/// Runs the command.
pub fn run(catalog: &Catalog, args: &PredictArgs) -> Result<()> {
    if args.explain && args.format == TableFormat::Csv {
        return Err(Error::input("--explain has no place in a CSV").help("--format json gives the parts as numbers"));
    }
    let target = args.target.resolve(catalog)?;
    let (kind, workloads) = args.workloads()?;
    args.page.check()?;
    let forecaster = target.forecaster(kind)?;
    let capacity = Capacity::of(&target.system, &forecaster)?;
    for workload in &workloads {
        capacity.check(workload)?;
    }
    let forecasts: Vec<Forecast> = workloads.iter().map(|workload| forecaster.forecast(workload)).collect();
    let cautions = cautions(&target, &forecaster, &workloads);
    let files = args.page.write("predictions", &target.id, |folder, png| {
        write_prediction(&target.title, &target.basis(), &forecasts, &cautions, folder, png)
    })?;
    match args.format {
        TableFormat::Json => {
            let output = output(&target, &forecaster, &capacity, &forecasts, files);
            caution_remarks(&cautions);
            print(&json_line(&output)?)
        }
        TableFormat::Csv => {
            caution_remarks(&cautions);
            files_remark(&files);
            print(&csv(&target, &capacity, &forecasts))
        }
        TableFormat::Table => {
            let mut text = heading(&target, &capacity, &forecasts, forecaster.is_calibrated());
            text += &predictions_table(&forecasts, &capacity, &target, kind);
            if args.explain {
                for forecast in &forecasts {
                    text += &explain(forecast);
                }
            }
            text += &caution_lines(&cautions);
            text += &written_lines(&files);
            print(&text)
        }
    }
}

/// What a planner must know before trusting the numbers, one sentence each.
pub fn cautions(target: &ResolvedTarget, forecaster: &Forecaster, workloads: &[Workload]) -> Vec<String> {
    let mut cautions = Vec::new();
    if forecaster.is_calibrated() {
        cautions.extend(forecaster.priors_in_words());
    } else {
        let remedy = match &target.scenario {
            Some(id) => format!("{} calibrates it", fit_command(id, target.folder.as_deref())),
            None => "give --calibration FILE of a fit on such hardware".to_owned(),
        };
        cautions.push(format!("UNCALIBRATED: these numbers come from documented priors alone; {remedy}"));
    }
    cautions.extend(target.changed.clone());
    if let (None, Some(id)) = (&target.scenario, forecaster.scenario_of(&target.system)) {
        cautions.push(format!(
            "the calibration measured this system as `{id}`, but who measures yours is not known: the intervals are as wide as \
             for a system that nobody measured; predict `{id}` itself for those of that campaign"
        ));
    }
    for outside in forecaster.outside(workloads.iter()) {
        cautions.push(format!("outside the calibrated range, {}", outside.what));
    }
    cautions.extend(target.system.slow_link());
    let longest = workloads.iter().map(Workload::total_tokens).fold(0.0, f64::max);
    cautions.extend(target.system.model.beyond_context(longest));
    cautions
}
