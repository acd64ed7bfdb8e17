//! `perfmodel check`: have the errors of predictions grown?

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::PossibleValue};

use super::fit::estimator_names;
use super::json::json_line;
use super::measured_args::with_folders;
use super::terminal::{print, remarks, spinner};
use crate::app::{self, CheckRequest, LimitsRequest};
use crate::error::{Error, Result};
use crate::evaluation::CheckMode;
use crate::report::text::check::{github, junit, text};
use crate::spec::Catalog;

impl ValueEnum for CheckMode {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(match self {
            Self::Refit => "fit the data of today as the baseline was fitted",
            Self::Evaluate => "predict the data of today with the values of the baseline",
        }))
    }
}

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel check                                      what perfmodel-check.toml says, else all baselines\n  \
    perfmodel check --scenario llama31_8b_fp8_tp1 --max-itl-mape 5 --max-regression 0.5\n  \
    perfmodel check --scenario my_server --baseline accepted/calibration.toml\n  \
    perfmodel check --scenario 'llama*' --mode evaluate  no fit: are the baseline's values still good?\n  \
    perfmodel check --format junit > check.xml\n\n\
    A file of limits; every key is optional, flags win over it and [scenario.ID] over its top level:\n  \
    max_regression_points = 0.5            # percentage points above the baseline\n  \
    max_itl_mape_pct = 5.0                 # also max_ttft_mape_pct, max_ttft_median_pct, max_throughput_mape_pct,\n                                         \
    # max_left_out_itl_mape_pct, max_left_out_ttft_median_pct\n  \
    mode = \"refit\"                         # or evaluate\n  \
    estimator = \"serving\"\n  \
    [scenario.my_server]                   # with such tables only their scenarios are checked by default\n  \
    max_itl_mape_pct = 3.0                 # any key from above\n  \
    dir = \"my_server\"                      # its folder, if `perfmodel list` does not show it\n  \
    baseline = \"accepted/calibration.toml\" # paths are relative to this file\n\n\
    Exit codes: 0 passed, 1 an error grew or is above its limit, 2 wrong input.")]
#[command(allow_negative_numbers = true)]
pub struct CheckArgs {
    /// Scenario id, with * for any text ('llama*'), or its folder; may be repeated [default: those of --baseline, else
    /// those of the file of limits, else all with a baseline under evaluations_results]
    #[arg(long, value_name = "ID")]
    scenario: Vec<String>,

    /// Folder with scenario.toml and measured.csv, also one that has the name of a scenario
    #[arg(long, value_name = "DIR", hide = true)]
    scenario_dir: Vec<PathBuf>,

    /// Which way to predict [default: that of --baseline, else serving]
    #[arg(long, value_name = "NAME", value_parser = estimator_names())]
    estimator: Option<String>,

    /// Where the errors of today come from [default: refit]
    #[arg(long, value_name = "MODE", value_enum)]
    mode: Option<CheckMode>,

    /// calibration.toml to compare with [default: evaluations_results/<scenario>/<estimator>/calibration.toml]
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// File of limits [default: perfmodel-check.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    limits: LimitArgs,

    /// Output format
    #[arg(long, value_enum, default_value_t = CheckFormat::Table)]
    format: CheckFormat,
}

/// Limits as flags.
#[derive(Debug, Args)]
struct LimitArgs {
    /// Largest mean absolute error of ITL, in percent
    #[arg(long, value_name = "PCT", value_parser = limit)]
    max_itl_mape: Option<f64>,

    /// Largest mean absolute error of TTFT, in percent
    #[arg(long, value_name = "PCT", value_parser = limit)]
    max_ttft_mape: Option<f64>,

    /// Largest median absolute error of TTFT, in percent
    #[arg(long, value_name = "PCT", value_parser = limit)]
    max_ttft_median: Option<f64>,

    /// Largest mean absolute error of throughput, in percent
    #[arg(long, value_name = "PCT", value_parser = limit)]
    max_throughput_mape: Option<f64>,

    /// Largest mean absolute error of ITL with one workload left out of the fit, in percent
    #[arg(long, value_name = "PCT", value_parser = limit)]
    max_left_out_itl_mape: Option<f64>,

    /// Largest median absolute error of TTFT with one workload left out of the fit, in percent
    #[arg(long, value_name = "PCT", value_parser = limit)]
    max_left_out_ttft_median: Option<f64>,

    /// Percentage points by which any of these errors may exceed that of the baseline [default: 0.5]
    #[arg(long, value_name = "POINTS", value_parser = limit)]
    max_regression: Option<f64>,
}

fn limit(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(limit) if limit.is_finite() && limit >= 0.0 => Ok(limit),
        _ => Err("give a number from 0 up".to_owned()),
    }
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// A table for people.
    #[value(alias = "text")]
    Table,
    /// The table, and workflow commands that GitHub shows as annotations of the run.
    Github,
    /// JUnit XML: a test suite for each scenario, a test case for each comparison.
    Junit,
    /// One JSON object (see docs/schema).
    Json,
}

impl CheckArgs {
    fn request(&self) -> CheckRequest {
        let limits = &self.limits;
        CheckRequest {
            scenario: with_folders(&self.scenario, &self.scenario_dir),
            estimator: self.estimator.clone(),
            mode: self.mode,
            baseline: self.baseline.clone(),
            config: self.config.clone(),
            limits: LimitsRequest {
                max_itl_mape: limits.max_itl_mape,
                max_ttft_mape: limits.max_ttft_mape,
                max_ttft_median: limits.max_ttft_median,
                max_throughput_mape: limits.max_throughput_mape,
                max_left_out_itl_mape: limits.max_left_out_itl_mape,
                max_left_out_ttft_median: limits.max_left_out_ttft_median,
                max_regression: limits.max_regression,
            },
        }
    }
}

/// Checks and prints; a failed comparison is an error after the report is printed.
pub fn run(catalog: &Catalog, args: &CheckArgs) -> Result<()> {
    let bar = spinner("checking");
    let answer = app::check(catalog, &args.request(), &|name, done, total| {
        let fold = if total > 0 { format!(", fold {done} of {total}") } else { String::new() };
        bar.set_message(format!("checking {name}{fold}"));
    })?;
    bar.finish_and_clear();
    remarks(&answer.remarks);
    print(&match args.format {
        CheckFormat::Table => text(&answer),
        CheckFormat::Github => format!("{}{}", text(&answer), github(&answer)),
        CheckFormat::Junit => junit(&answer),
        CheckFormat::Json => json_line(&answer)?,
    })?;
    if answer.passed {
        return Ok(());
    }
    Err(Error::failed(answer.report.verdict()).help("see the report on standard output"))
}
