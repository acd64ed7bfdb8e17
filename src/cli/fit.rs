//! `perfmodel fit`, the main job.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::Format;
use super::json::json_line;
use super::measured_args::MeasuredArgs;
use super::system_args::name_and_value;
use super::terminal::{print, remarks, spinner};
use crate::app::{self, FitRequest, MOST_STARTS, Values, results_folder};
use crate::calibration::{FitOptions, GroupKind};
use crate::dataset::RowFilter;
use crate::error::Result;
use crate::estimator;
use crate::report::{browser, text, write_live_study, write_study};
use crate::spec::Catalog;

/// Arguments of `fit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel fit --scenario llama31_8b_fp8_tp1\n  \
    perfmodel fit --scenario llama33_70b_fp8_tp2 --estimator roofline --fix t_min=0\n  \
    perfmodel fit --scenario llama31_8b_fp8_tp1 --exclude 'concurrency>128' --out low --png\n  \
    perfmodel fit --measured runs.csv --model qwen3_32b --hardware h200_sxm_141gb --tp 2 --weights bf16 --kv bf16\n  \
    perfmodel fit --scenario 'llama*'                    share hardware and engine parameters, keep campaigns apart\n  \
    perfmodel fit --live my_run/results.json --hardware hardware/my_machine.toml   runs of `perfmodel bench`\n  \
    perfmodel fit --table batches.csv --load static_batch --skip-unknown --no-validate --leave-out hardware,half\n\n\
    Exit codes: 0 done, 1 the fit did not converge, 2 wrong input.")]
pub struct FitArgs {
    #[command(flatten)]
    measured: MeasuredArgs,

    /// Which way to predict
    #[arg(long, value_name = "NAME", default_value = estimator::all()[0].name(), value_parser = estimator_names())]
    estimator: String,

    /// Hold a parameter at a value; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    fix: Vec<(String, f64)>,

    /// Fit a parameter that is held by default, such as link_latency_us; may be repeated, or names with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    free: Vec<String>,

    /// Let the data alone decide; without it priors hold what the data leave open (priors.toml)
    #[arg(long)]
    no_priors: bool,

    /// Fit only rows for which this holds, such as 'concurrency<=128'; may be repeated
    #[arg(long, value_name = "EXPR", conflicts_with = "live")]
    rows: Vec<RowFilter>,

    /// Leave out rows for which this holds; may be repeated
    #[arg(long, value_name = "EXPR", conflicts_with = "live")]
    exclude: Vec<RowFilter>,

    /// Seed of the random starts
    #[arg(long, default_value_t = FitOptions::default().seed)]
    seed: u64,

    /// Starts of the optimiser, the first from the defaults
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().starts, value_parser = at_least_one)]
    starts: usize,

    /// Iterations of one start
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().max_iterations)]
    max_iterations: u64,

    /// Skip the out-of-sample errors
    #[arg(long)]
    no_validate: bool,

    /// Fit several systems and predict those left out in turn: scenario, hardware, precision, tp, or half of them by
    /// chance; may be repeated, or names with commas
    #[arg(long, value_name = "WHAT", value_delimiter = ',', conflicts_with = "live")]
    leave_out: Vec<GroupKind>,

    /// Folder for the results [default: evaluations_results/<scenario>/<estimator>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Also write every figure as PNG (needs a Chromium on PATH)
    #[arg(long)]
    png: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl FitArgs {
    fn request(&self) -> FitRequest {
        FitRequest {
            measured: self.measured.request(),
            estimator: self.estimator.clone(),
            fix: Values(self.fix.clone()),
            free: self.free.clone(),
            no_priors: self.no_priors,
            rows: self.rows.clone(),
            exclude: self.exclude.clone(),
            seed: self.seed,
            starts: self.starts,
            max_iterations: self.max_iterations,
            validate: !self.no_validate,
            leave_out: self.leave_out.clone(),
        }
    }

    /// Where results are written.
    fn folder(&self, parts: &[&str]) -> PathBuf {
        self.out.clone().unwrap_or_else(|| results_folder(parts))
    }
}

pub(super) fn estimator_names() -> PossibleValuesParser {
    estimator::all().map(|estimator| PossibleValue::new(estimator.name()).help(estimator.summary())).into()
}

fn at_least_one(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=MOST_STARTS) => Ok(count),
        _ => Err(format!("give a whole number from 1 to {MOST_STARTS}")),
    }
}

/// Runs the main job.
pub fn run(catalog: &Catalog, args: &FitArgs) -> Result<()> {
    let started = Instant::now();
    let request = args.request();
    if args.png {
        // Better now than after the fit.
        browser()?;
    }
    let bar = spinner("fitting");
    if !request.measured.live.is_empty() {
        let mut answer = app::fit_live(catalog, &request)?;
        let ids: Vec<&str> = answer.runs.iter().map(|run| run.id.as_str()).collect();
        let folder = args.folder(&["live_fits", &ids.join("+")]);
        bar.set_message("writing");
        answer.files = write_live_study(&answer.study, &folder, args.png)?;
        bar.finish_and_clear();
        remarks(&answer.remarks);
        answer.elapsed_s = started.elapsed().as_secs_f64();
        return print(&match args.format {
            Format::Json => json_line(&answer)?,
            Format::Table => text::fit_live::text(&answer),
        });
    }
    let validating = |done, total| bar.set_message(format!("validating, fold {done} of {total}"));
    let mut answer = app::fit(catalog, &request, &validating)?;
    let folder = args.folder(&[&answer.study.id, answer.estimator]);
    bar.set_message("writing");
    answer.files = write_study(&answer.study, &folder, args.png)?;
    bar.finish_and_clear();
    remarks(&answer.remarks);
    answer.elapsed_s = started.elapsed().as_secs_f64();
    print(&match args.format {
        Format::Json => json_line(&answer)?,
        Format::Table => text::fit::text(&answer),
    })
}
