//! `perfmodel compare`: measured runs held against each other, or one run summed up.

mod machine;
mod machine_predictions;
mod model;
mod text;

use clap::Args;

use self::machine::output;
use self::model::{ModelArgs, hold};
use self::text::{notes, report_text};
use super::Format;
use super::json::json_line;
use super::page_args::PageArgs;
use super::terminal::{print, spinner};
use crate::comparison::{CompareReport, Filter, Gate, Given, LatencyLimits, Settings};
use crate::error::{Error, Result, named};
use crate::report::text::written_lines;
use crate::report::{CompareDrawing, write_comparison};
use crate::requests::Dimension;
use crate::spec::Catalog;
use crate::stats::{IntervalMethod, QuantileRule};

/// Fewest and most resamples.
const RESAMPLES: std::ops::RangeInclusive<usize> = 100..=10_000_000;

/// Arguments of `compare`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel compare before/ after/\n  \
    perfmodel compare before/ after/ --fail-if-slower 5%                     for CI: exit code 1 if it is\n  \
    perfmodel compare old=run_1,run_2,run_3 new=run_4,run_5,run_6            several runs a side\n  \
    perfmodel compare before/ after/ --dimension time_to_first_token --filter not-null --bootstrap percentile\n  \
    perfmodel compare loadtest/ --slo-ttft-ms 400 --slo-tpot-ms 20           a load test, with its goodput\n  \
    perfmodel compare before/ after/ --plot --out pages/ --png               a page with figures\n  \
    perfmodel compare run.jsonl.gz --format json                             one run summed up\n  \
    perfmodel compare loadtest/ --scenario llama31_8b_fp8_tp1 --plot         held against the model\n  \
    perfmodel compare run.jsonl --model llama31_8b --hardware h100_sxm_80gb --clients 16\n\n\
    A RUN is a folder of LLMeter (0.1.4 to 0.2.0; a run or a load test), or a file of requests (.jsonl, .csv; also .gz, .zst) \
    with LLMeter's field names. Every other RUN is compared with the first.\n\n\
    Exit codes: 0 done; 1 slower than --fail-if-slower allows, or more requests failed, or a latency of the base is missing; 2 wrong input.")]
pub struct CompareArgs {
    /// Runs; NAME= names a side, commas join several runs of a side
    #[arg(value_name = "[NAME=]RUN[,RUN]", required = true)]
    sides: Vec<String>,

    /// What to compare, by LLMeter's name or TTFT, TPOT, TTLT; may be repeated [default: the three latencies]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = dimension)]
    dimension: Vec<Dimension>,

    /// Which values count: those above 0, or all that are known [possible values: positive, not-null]
    #[arg(long, value_name = "FILTER", default_value = "positive", value_parser = filter)]
    filter: Filter,

    /// Leave out what failed requests measured before they failed
    #[arg(long)]
    completed_only: bool,

    /// Percentiles
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "50,90,95,99", value_parser = percentile)]
    quantiles: Vec<f64>,

    /// Definition of quantiles [possible values: linear, hazen, weibull, llmeter]
    #[arg(long, value_name = "RULE", default_value = "linear", value_parser = rule)]
    quantile_rule: QuantileRule,

    /// How intervals are made of resamples [possible values: bca, percentile, basic]
    #[arg(long, value_name = "METHOD", default_value = "bca", value_parser = method)]
    bootstrap: IntervalMethod,

    /// Resamples
    #[arg(long, value_name = "N", default_value_t = 9_999)]
    resamples: usize,

    /// Seed of the resamples
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Confidence of the intervals, as 95% or 0.95
    #[arg(long, value_name = "SHARE", default_value = "95%", value_parser = share)]
    confidence: f64,

    /// Draw blocks of N requests in the order of sending, for requests that depend on those before them
    #[arg(long, value_name = "N")]
    block: Option<usize>,

    /// Smallest change that matters, as 5% or 0.05
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share)]
    sesoi: f64,

    /// Exit with code 1 if a latency is slower by more than this with confidence: if its whole interval is
    #[arg(long, value_name = "SHARE", value_parser = share)]
    fail_if_slower: Option<f64>,

    /// Percentiles that --fail-if-slower looks at
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "50", value_parser = percentile, requires = "fail_if_slower")]
    fail_at: Vec<f64>,

    /// Longest TTFT of a good answer, for the goodput of load tests
    #[arg(long, value_name = "MS", value_parser = limit_ms)]
    slo_ttft_ms: Option<f64>,

    /// Longest TPOT of a good answer
    #[arg(long, value_name = "MS", value_parser = limit_ms)]
    slo_tpot_ms: Option<f64>,

    /// Logarithmic axes in all figures of the page
    #[arg(long, requires = "plot")]
    log: bool,

    /// Most bins of a histogram [default: by the rule of Freedman and Diaconis]
    #[arg(long, value_name = "N", requires = "plot", value_parser = clap::value_parser!(u16).range(1..=1000))]
    bins: Option<u16>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    page: PageArgs,

    #[command(flatten, next_help_heading = "Against the model")]
    model: ModelArgs,
}

fn dimension(text: &str) -> Result<Dimension> {
    text.parse()
}

fn filter(text: &str) -> Result<Filter> {
    named(&Filter::ALL, Filter::name, text, "unknown filter")
}

fn rule(text: &str) -> Result<QuantileRule> {
    named(&QuantileRule::ALL, QuantileRule::name, text, "unknown rule")
}

fn method(text: &str) -> Result<IntervalMethod> {
    named(&IntervalMethod::ALL, IntervalMethod::name, text, "unknown method")
}

fn percentile(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent < 100.0 => Ok(percent / 100.0),
        _ => Err("a percentile lies between 0 and 100".to_owned()),
    }
}

fn share(text: &str) -> std::result::Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>(),
    };
    match share {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("write 5% or 0.05; it lies between 0 and 100 %".to_owned()),
    }
}

fn limit_ms(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ms) if ms > 0.0 && ms.is_finite() => Ok(ms),
        _ => Err("a limit is a number of milliseconds above 0".to_owned()),
    }
}

impl CompareArgs {
    fn settings(&self) -> Result<Settings> {
        if !RESAMPLES.contains(&self.resamples) {
            return Err(Error::input(format!("--resamples is {}", self.resamples)).help(format!(
                "give a number from {} to {}",
                RESAMPLES.start(),
                RESAMPLES.end()
            )));
        }
        if self.block == Some(0) {
            return Err(Error::input("--block is 0").help("a block holds one request at least"));
        }
        let defaults = Settings::default();
        let mut quantiles = [self.quantiles.clone(), self.fail_at.clone()].concat();
        if self.fail_if_slower.is_none() {
            quantiles.clone_from(&self.quantiles);
        }
        quantiles.sort_by(f64::total_cmp);
        quantiles.dedup();
        let mut dimensions = if self.dimension.is_empty() { defaults.dimensions } else { self.dimension.clone() };
        // In the order given, each once.
        let mut seen = Vec::new();
        dimensions.retain(|dimension| {
            !seen.contains(dimension) && {
                seen.push(*dimension);
                true
            }
        });
        Ok(Settings {
            dimensions,
            filter: self.filter,
            quantiles,
            rule: self.quantile_rule,
            method: self.bootstrap,
            resamples: self.resamples,
            seed: self.seed,
            confidence: self.confidence,
            block: self.block,
            smallest_effect: self.sesoi,
        })
    }

    fn limits(&self) -> LatencyLimits {
        LatencyLimits { ttft: self.slo_ttft_ms.map(|ms| ms / 1e3), tpot: self.slo_tpot_ms.map(|ms| ms / 1e3) }
    }
}

/// Below so many blocks an interval of them is too narrow.
const FEWEST_BLOCKS: usize = 10;

/// A folder's name for the page: the names of the sides.
fn id(report: &CompareReport) -> String {
    let names: Vec<String> = report.groups[0]
        .sides
        .iter()
        .map(|side| side.name.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect())
        .collect();
    names.join("_vs_")
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &CompareArgs) -> Result<()> {
    let settings = args.settings()?;
    args.page.check()?;
    let target = args.model.resolve(catalog)?;
    let progress = spinner("reading and comparing");
    let mut given = Given::open(&args.sides, args.completed_only)?;
    if let Some(clients) = args.model.clients() {
        given.assume_clients(clients);
    }
    if args.block.is_some() && given.has_joined_runs() {
        return Err(Error::input(
            "--block and several runs a side exclude each other: there, whole runs are drawn first",
        )
        .help("leave --block out, or give one run a side"));
    }
    if let Some(block) = args.block
        && let Some((name, requests)) = given.fewest_requests()
        && requests < FEWEST_BLOCKS * block
    {
        return Err(Error::input(format!(
            "--block is {block}, and {name} has {requests} requests: fewer than {FEWEST_BLOCKS} blocks do not show how they vary"
        ))
        .help(format!("give blocks of at most {} requests", (requests / FEWEST_BLOCKS).max(1))));
    }
    if args.fail_if_slower.is_some() && given.count() < 2 {
        return Err(Error::input("--fail-if-slower needs two runs").help("give the run that is the base first"));
    }
    let mut report = given.compare(&settings, args.limits())?;
    if let Some(target) = &target {
        hold(&mut report, target)?;
    }
    let gate = args.fail_if_slower.map(|limit| Gate::of(&report, limit, &args.fail_at)).transpose()?;
    let drawing = CompareDrawing { log: args.log, bins: args.bins.map(usize::from) };
    let files = args.page.write("comparisons", &id(&report), |folder, png| {
        write_comparison(&report, &notes(&report.settings), drawing, folder, png)
    })?;
    progress.finish_and_clear();
    match args.format {
        Format::Json => print(&json_line(&output(&report, target.as_ref(), gate.as_ref(), files))?)?,
        Format::Table => print(&(report_text(&report, gate.as_ref()) + &written_lines(&files)))?,
    }
    gate.map_or(Ok(()), Gate::into_result)
}
