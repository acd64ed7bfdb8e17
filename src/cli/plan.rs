//! `perfmodel plan`: which devices, how many and how arranged serve a demand within latency limits.

use clap::{ArgGroup, Args, ValueEnum, builder::PossibleValue};

use super::TableFormat;
use super::json::json_line;
use super::page_args::PageArgs;
use super::system_args::ParametersArgs;
use super::terminal::{caution_remarks, files_remark, notes, print, progress_bar, remark, remarks};
use crate::app::{self, Numbers, PlanRequest, Values};
use crate::error::{Error, Result};
use crate::planning::TtftStatistic;
use crate::report::text::plan::{csv, nearest, text};
use crate::report::write_plan;
use crate::spec::{Catalog, Precision};
use crate::workload::LengthDistribution;

impl ValueEnum for TtftStatistic {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel plan --model llama33_70b --users 200 --input-tokens 1000 --output-tokens 500 \\\n      \
        --slo-ttft-ms 2000 --slo-itl-ms 50\n  \
    perfmodel plan --model ./config.json --hardware 'h100*,l40s_48gb' --weights fp8 --rate 4 --input-tokens 2000 \\\n      \
        --output-tokens 300 --slo-ttft-ms 1000 --slo-ttft-at p99 --slo-itl-ms 60\n  \
    perfmodel plan --scenario llama31_8b_fp8_tp1 --hardware h100_sxm_80gb --price 2.1 --users 500 \\\n      \
        --input-tokens 500 --output-tokens 500 --slo-itl-ms 30 --plot\n\n\
    --users are clients in a closed loop: each sends its next request when its last one ends. --rate is of independent\n\
    users (Poisson arrivals). A limit must hold at the pessimistic end of the 90 % interval of the latency.\n\n\
    Exit codes: 0 something meets the limits, 1 nothing does, 2 wrong input.")]
#[command(allow_negative_numbers = true, group = ArgGroup::new("demand").args(["users", "rate"]).required(true))]
pub struct PlanArgs {
    /// Model id, one of its other names, or a Hugging Face config.json (the file or its folder)
    #[arg(long, value_name = "ID", required_unless_present = "scenario")]
    model: Option<String>,

    /// Take model, campaign and calibration of a scenario: its id or its folder
    #[arg(long, value_name = "ID", visible_alias = "scenario-dir", conflicts_with = "model")]
    scenario: Option<String>,

    /// Clients in a closed loop, all replicas together
    #[arg(long, value_name = "N")]
    users: Option<u32>,

    /// Requests per second of independent users, all replicas together
    #[arg(long, value_name = "RPS")]
    rate: Option<f64>,

    /// Prompt length
    #[arg(long, value_name = "N")]
    input_tokens: LengthDistribution,

    /// Answer length
    #[arg(long, value_name = "N")]
    output_tokens: LengthDistribution,

    #[command(flatten)]
    limits: LimitArgs,

    /// Devices to choose from: ids, other names, * for any text; may be repeated, or names with commas [default: all]
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    hardware: Vec<String>,

    /// Tensor-parallel degrees to choose from
    #[arg(long, value_name = "LIST", default_value = PlanRequest::DEGREES)]
    tp: Numbers,

    /// Precisions of the weights to choose from
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = PlanRequest::default().weights)]
    weights: Vec<Precision>,

    /// Precision in which linear layers compute, for weight-only quantisation [default: that of the weights]
    #[arg(long, value_name = "PRECISION")]
    compute: Option<Precision>,

    /// Precisions of the KV cache to choose from
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = PlanRequest::default().kv)]
    kv: Vec<Precision>,

    /// Numbers of replicas to choose from [default: all that --max-gpus allows]
    #[arg(long, value_name = "LIST")]
    replicas: Option<Numbers>,

    /// Most GPUs of a configuration
    #[arg(long, value_name = "N", default_value_t = PlanRequest::default().max_gpus)]
    max_gpus: u32,

    /// Price of a GPU hour in US dollars, of all devices or of one (h100_sxm_80gb=2.1); may be repeated [default: the
    /// dated figure of the hardware file]
    #[arg(long, value_name = "[ID=]USD", value_parser = price)]
    price: Vec<(String, f64)>,

    /// Most sequences the engine runs at once on a replica
    #[arg(long, value_name = "N")]
    max_sequences: Option<u32>,

    /// Most tokens of one engine step
    #[arg(long, value_name = "N")]
    max_tokens_per_step: Option<u32>,

    #[command(flatten)]
    parameters: ParametersArgs,

    /// Options to print for people; json and csv hold all
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,

    /// Output format
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    format: TableFormat,

    #[command(flatten)]
    page: PageArgs,
}

/// Service-level objective.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct LimitArgs {
    /// Largest time to first token
    #[arg(long, value_name = "MS")]
    slo_ttft_ms: Option<f64>,

    /// Largest mean time between later tokens
    #[arg(long, value_name = "MS")]
    slo_itl_ms: Option<f64>,

    /// Largest mean time from request to last token
    #[arg(long, value_name = "MS")]
    slo_e2e_ms: Option<f64>,

    /// Which time to first token --slo-ttft-ms limits; percentiles need --rate [default: mean]
    #[arg(long, value_name = "STATISTIC", requires = "slo_ttft_ms")]
    slo_ttft_at: Option<TtftStatistic>,
}

/// Reads `[ID=]USD`.
fn price(text: &str) -> std::result::Result<(String, f64), String> {
    let (name, value) = text.split_once('=').unwrap_or((PlanRequest::ALL, text));
    match value.trim().parse::<f64>() {
        Ok(usd) => Ok((name.trim().to_owned(), usd)),
        Err(_) => Err("write US dollars for one GPU and one hour, such as 2.1 or h100_sxm_80gb=2.1".to_owned()),
    }
}

impl PlanArgs {
    fn request(&self) -> PlanRequest {
        PlanRequest {
            model: self.model.clone(),
            scenario: self.scenario.clone(),
            users: self.users,
            rate: self.rate,
            input_tokens: Some(self.input_tokens),
            output_tokens: Some(self.output_tokens),
            slo_ttft_ms: self.limits.slo_ttft_ms,
            slo_ttft_at: self.limits.slo_ttft_at,
            slo_itl_ms: self.limits.slo_itl_ms,
            slo_e2e_ms: self.limits.slo_e2e_ms,
            hardware: self.hardware.clone(),
            tp: self.tp.clone(),
            weights: self.weights.clone(),
            compute: self.compute,
            kv: self.kv.clone(),
            replicas: self.replicas.clone().unwrap_or_default(),
            max_gpus: self.max_gpus,
            prices: Values(self.price.clone()),
            max_sequences: self.max_sequences,
            max_tokens_per_step: self.max_tokens_per_step,
            parameters: self.parameters.request(),
        }
    }
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &PlanArgs) -> Result<()> {
    args.page.check()?;
    let bar = progress_bar("planning", 0);
    let mut answer = app::plan(catalog, &args.request(), &|done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    remarks(&answer.remarks);
    notes(&answer.notes);
    let id = &answer.study.model.id;
    answer.files = args.page.write("plans", id, |folder, png| write_plan(&answer, folder, png))?;
    match args.format {
        TableFormat::Table => print(&text(&answer, args.top))?,
        TableFormat::Json => print(&json_line(&answer)?)?,
        TableFormat::Csv => {
            if answer.options.is_empty() {
                remark(&nearest(&answer));
            }
            caution_remarks(&answer.cautions);
            files_remark(&answer.files);
            print(&csv(&answer))?;
        }
    }
    match answer.remedy {
        Some(remedy) => Err(Error::failed("nothing meets the limits").help(remedy)),
        None => Ok(()),
    }
}
