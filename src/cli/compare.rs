//! `perfmodel compare`: measured runs held against each other, or one run summed up.

use clap::Args;

use super::Format;
use super::json::json_line;
use super::page_args::PageArgs;
use super::system_args::SystemArgs;
use super::terminal::{notes, print, remarks, renamed, spinner};
use crate::app::{self, CompareRequest};
use crate::comparison::{CompareReport, Filter};
use crate::error::{Result, named};
use crate::report::text::compare::text;
use crate::report::{CompareDrawing, write_comparison};
use crate::requests::Dimension;
use crate::spec::Catalog;
use crate::stats::{IntervalMethod, QuantileRule};

/// Arguments of `compare`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel compare before/ after/\n  \
    perfmodel compare before/ after/ --fail-if-slower 5%                     for CI: exit code 1 if it is\n  \
    perfmodel compare old=run_1,run_2,run_3 new=run_4,run_5,run_6            several runs a side\n  \
    perfmodel compare before/ after/ --dimension time_to_first_token --filter not-null --bootstrap percentile\n  \
    perfmodel compare loadtest/ --slo-ttft-ms 400 --slo-itl-ms 20            a load test, with its goodput\n  \
    perfmodel compare before/ after/ --plot --out pages/ --png               a page with figures\n  \
    perfmodel compare run.jsonl.gz --format json                             one run summed up\n  \
    perfmodel compare loadtest/ --scenario llama31_8b_fp8_tp1 --plot         held against the model\n  \
    perfmodel compare run.jsonl --model llama31_8b --hardware h100_sxm_80gb --concurrency 16\n\n\
    A RUN is a folder of LLMeter (0.1.4 to 0.2.0; a run or a load test), or a file of requests (.jsonl, .csv; also .gz, .zst) \
    with LLMeter's field names. Every other RUN is compared with the first.\n\n\
    Exit codes: 0 done; 1 slower than --fail-if-slower allows, or more requests failed, or a latency of the base is missing; 2 wrong input.")]
pub struct CompareArgs {
    /// Runs; NAME= names a side, commas join several runs of a side
    #[arg(value_name = "[NAME=]RUN[,RUN]", required = true)]
    sides: Vec<String>,

    /// What to compare, by LLMeter's name or TTFT, ITL (TPOT), TTLT; may be repeated [default: the three latencies]
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

    /// Longest ITL of a good answer (LLMeter's time_per_output_token)
    #[arg(long, value_name = "MS", value_parser = limit_ms)]
    slo_itl_ms: Option<f64>,

    /// The old name of --slo-itl-ms
    #[arg(long, value_name = "MS", value_parser = limit_ms, hide = true, conflicts_with = "slo_itl_ms")]
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

/// Flags that name a system to hold the runs against.
#[derive(Debug, Args)]
#[command(mut_group("system", |group| group.required(false)))]
struct ModelArgs {
    #[command(flatten)]
    system: SystemArgs,

    /// Clients of the runs that do not tell, for the prediction
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    concurrency: Option<u32>,

    /// The old name of --concurrency
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000), hide = true,
        conflicts_with = "concurrency")]
    clients: Option<u32>,
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
    text.parse().map_err(|_| "a percentile lies between 0 and 100".to_owned())
}

fn share(text: &str) -> std::result::Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>(),
    };
    share.map_err(|_| "write 5% or 0.05; it lies between 0 and 100 %".to_owned())
}

fn limit_ms(text: &str) -> std::result::Result<f64, String> {
    text.parse().map_err(|_| "a limit is a number of milliseconds above 0".to_owned())
}

impl CompareArgs {
    fn request(&self) -> CompareRequest {
        CompareRequest {
            sides: self.sides.clone(),
            dimension: self.dimension.clone(),
            filter: self.filter,
            completed_only: self.completed_only,
            quantiles: self.quantiles.clone(),
            quantile_rule: self.quantile_rule,
            bootstrap: self.bootstrap,
            resamples: self.resamples,
            seed: self.seed,
            confidence: self.confidence,
            block: self.block,
            sesoi: self.sesoi,
            fail_if_slower: self.fail_if_slower,
            fail_at: self.fail_at.clone(),
            slo_ttft_ms: self.slo_ttft_ms,
            slo_itl_ms: renamed(self.slo_itl_ms, "--slo-itl-ms", self.slo_tpot_ms, "--slo-tpot-ms"),
            system: self.model.system.request(),
            concurrency: renamed(self.model.concurrency, "--concurrency", self.model.clients, "--clients"),
        }
    }
}

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
    args.page.check()?;
    let progress = spinner("reading and comparing");
    let mut answer = app::compare(catalog, &args.request())?;
    let drawing = CompareDrawing { log: args.log, bins: args.bins.map(usize::from) };
    answer.files = args.page.write("comparisons", &id(&answer.report), |folder, png| {
        write_comparison(&answer.report, drawing, folder, png)
    })?;
    progress.finish_and_clear();
    remarks(&answer.remarks);
    notes(&answer.notes);
    match args.format {
        Format::Json => print(&json_line(&answer)?)?,
        Format::Table => print(&text(&answer))?,
    }
    answer.gate.map_or(Ok(()), |gate| gate.result())
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    #[test]
    fn flags_that_are_left_out_ask_for_the_defaults_of_the_request() {
        let matches = CompareArgs::augment_args(Command::new("compare")).get_matches_from(["compare", "run"]);
        let request = CompareArgs::from_arg_matches(&matches).unwrap().request();
        assert_eq!(request, CompareRequest { sides: vec!["run".to_owned()], ..CompareRequest::default() });
    }
}
