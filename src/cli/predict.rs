//! `perfmodel predict`: latencies, throughput and memory of a system under given workloads.

use std::path::PathBuf;

use clap::Args;

use super::TableFormat;
use super::json::json_line;
use super::page_args::PageArgs;
use super::system_args::SystemArgs;
use super::terminal::{caution_remarks, files_remark, notes, print, remarks};
use crate::app::{self, LengthList, Numbers, PredictRequest, WorkloadRequest};
use crate::dataset::read_workloads;
use crate::error::{Error, Result};
use crate::report::text::predict::{csv, text};
use crate::report::write_prediction;
use crate::spec::{Catalog, SpecFile};

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
    system: SystemArgs,

    /// Prompt lengths
    #[arg(long, value_name = "LIST", required_unless_present = "workload", allow_negative_numbers = true)]
    input_tokens: Option<LengthList>,

    /// Answer lengths
    #[arg(long, value_name = "LIST", required_unless_present = "workload", allow_negative_numbers = true)]
    output_tokens: Option<LengthList>,

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
    fn request(&self) -> Result<PredictRequest> {
        let list = |numbers: &Option<Numbers>| numbers.clone().unwrap_or_default();
        let mut workloads = Vec::new();
        if let Some(path) = &self.workload {
            workloads.extend(read_workloads(&SpecFile::open(path)?)?.1.iter().map(WorkloadRequest::from));
        }
        Ok(PredictRequest {
            system: self.system.request(),
            input_tokens: self.input_tokens.clone().unwrap_or_default(),
            output_tokens: self.output_tokens.clone().unwrap_or_default(),
            concurrency: list(&self.concurrency),
            rate: list(&self.rate),
            batch: list(&self.batch),
            workloads,
        })
    }
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &PredictArgs) -> Result<()> {
    if args.explain && args.format == TableFormat::Csv {
        return Err(Error::input("--explain has no place in a CSV").help("--format json gives the parts as numbers"));
    }
    args.page.check()?;
    let mut answer = app::predict(catalog, &args.request()?)?;
    remarks(&answer.remarks);
    notes(&answer.notes);
    answer.files =
        args.page.write("predictions", &answer.system.system, |folder, png| write_prediction(&answer, folder, png))?;
    match args.format {
        TableFormat::Json => {
            caution_remarks(&answer.cautions);
            print(&json_line(&answer)?)
        }
        TableFormat::Csv => {
            caution_remarks(&answer.cautions);
            files_remark(&answer.files);
            print(&csv(&answer))
        }
        TableFormat::Table => print(&text(&answer, args.explain)),
    }
}
