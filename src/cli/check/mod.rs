//! `perfmodel check`: have the errors of predictions grown?

mod github;
mod json;
mod junit;
mod selection;
mod text;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum, builder::PossibleValue};

use super::fit::estimator_names;
use super::terminal::{print, spinner};
use crate::error::{Error, Result};
use crate::estimator::{self, Estimator};
use crate::evaluation::{CheckConfig, CheckMode, CheckReport, CheckSettings, Limits, run_check};
use crate::spec::{Catalog, Kind, SpecFile};
use github::github;
use json::json;
use junit::junit;
use selection::inputs;
use text::text;

/// The file of limits that is read where it lies in the current folder.
const CONFIG_FILE: &str = "perfmodel-check.toml";

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
    perfmodel check --scenario-dir my_server --baseline accepted/calibration.toml\n  \
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
    /// Scenario id, with * for any text ('llama*'); may be repeated [default: those of --baseline, else those of the file
    /// of limits, else all with a baseline under evaluations_results]
    #[arg(long, value_name = "ID")]
    scenario: Vec<String>,

    /// Folder with scenario.toml and measured.csv; may be repeated
    #[arg(long, value_name = "DIR")]
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
    /// What the flags say; `baseline` is that of the flag.
    fn settings(&self) -> Result<CheckSettings> {
        let estimator = self.estimator.as_deref().map(estimator::by_name).transpose()?;
        let limits = &self.limits;
        Ok(CheckSettings {
            limits: Limits {
                regression: limits.max_regression,
                itl_mape_pct: limits.max_itl_mape,
                ttft_mape_pct: limits.max_ttft_mape,
                ttft_median_pct: limits.max_ttft_median,
                throughput_mape_pct: limits.max_throughput_mape,
                left_out_itl_mape_pct: limits.max_left_out_itl_mape,
                left_out_ttft_median_pct: limits.max_left_out_ttft_median,
            },
            mode: self.mode,
            estimator: estimator.map(Estimator::name),
            baseline: self.baseline.clone(),
            folder: None,
        })
    }

    /// The file of limits: the named one, else the one of the current folder, else an empty one.
    fn config(&self, catalog: &Catalog) -> Result<CheckConfig> {
        let path = match &self.config {
            Some(path) => path.as_path(),
            None if Path::new(CONFIG_FILE).is_file() => Path::new(CONFIG_FILE),
            None => return Ok(CheckConfig::default()),
        };
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        CheckConfig::read(&SpecFile::open(path)?, folder, &catalog.ids(Kind::Scenario))
    }
}

/// Checks and prints; a failed comparison is an error after the report is printed.
pub fn run(catalog: &Catalog, args: &CheckArgs) -> Result<()> {
    let started = Instant::now();
    let inputs = inputs(catalog, args)?;
    let bar = spinner("checking");
    let mut report = CheckReport { scenarios: Vec::new() };
    for input in inputs {
        let ids: Vec<&str> = input.checked.iter().map(|(id, _)| id.as_str()).collect();
        let name = ids.join(", ");
        bar.set_message(format!("checking {name}"));
        let progress = |done, total| bar.set_message(format!("checking {name}, fold {done} of {total}"));
        report.scenarios.extend(run_check(input, &progress)?);
    }
    bar.finish_and_clear();

    let elapsed_s = started.elapsed().as_secs_f64();
    print(&match args.format {
        CheckFormat::Table => text(&report),
        CheckFormat::Github => format!("{}{}", text(&report), github(&report)),
        CheckFormat::Junit => junit(&report, elapsed_s),
        CheckFormat::Json => json(&report, elapsed_s)?,
    })?;
    if report.passed() {
        return Ok(());
    }
    Err(Error::failed(report.verdict()).help("see the report on standard output"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::ScenarioCheck;

    #[test]
    fn every_format_says_why_a_fit_failed() {
        let check = ScenarioCheck {
            scenario: "a<b".to_owned(),
            estimator: "serving",
            mode: CheckMode::Refit,
            baseline: None,
            data_changed: None,
            comparisons: Vec::new(),
            failure: Some("no start converged\n  help: more starts".to_owned()),
            notes: vec!["no baseline".to_owned()],
        };
        let report = CheckReport { scenarios: vec![check] };
        assert!(text(&report).contains(" failed: no start converged\n  help: more starts\n"));
        assert!(text(&report).ends_with("FAILED: 1 of 1 comparison failed\n"));
        assert_eq!(
            github(&report),
            "::error title=perfmodel check%3A a<b::no start converged%0A  help: more starts\n\
             ::notice title=perfmodel check%3A a<b::no baseline\n"
        );
        assert_eq!(
            junit(&report, 1.5),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"perfmodel check\" tests=\"1\" failures=\"1\" errors=\"0\" time=\"1.500\">\n  \
             <testsuite name=\"a&lt;b\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\">\n    \
             <testcase classname=\"a&lt;b\" name=\"the fit converges\"><failure type=\"fit\" \
             message=\"no start converged&#10;  help: more starts\"/></testcase>\n    \
             <system-out>no baseline</system-out>\n  </testsuite>\n</testsuites>\n"
        );
        assert!(json(&report, 1.5).unwrap().contains("\"failure\":\"no start converged\\n  help: more starts\""));
    }
}
