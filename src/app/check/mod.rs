//! `check`: have the errors of predictions grown?

mod selection;

use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use self::selection::Selection;
use super::remarks::Remarks;
use crate::error::{Error, Result};
use crate::estimator::{self, Estimator};
use crate::evaluation::{
    CheckMode, CheckReport, CheckSettings, Comparison, LimitKind, Limits, ScenarioCheck, run_check,
};
use crate::spec::{Catalog, ScenarioFolder};

/// What is checked against which limits. What is not given here is as in the file of limits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CheckRequest {
    /// Scenarios: ids, patterns of them such as `llama*`, and folders with scenario.toml and measured.csv; those of the baseline by
    /// default, else those of the file of limits, else all with a baseline under evaluations_results.
    pub scenario: Vec<String>,
    /// Name of the estimator; that of the baseline by default.
    pub estimator: Option<String>,
    /// Where the errors of today come from; refit by default.
    pub mode: Option<CheckMode>,
    /// calibration.toml to compare with; that of the scenario and estimator under evaluations_results by default.
    pub baseline: Option<PathBuf>,
    /// File of limits; perfmodel-check.toml of the current folder by default, if it is there.
    pub config: Option<PathBuf>,
    /// Limits.
    #[serde(flatten)]
    pub limits: LimitsRequest,
}

/// Limits of errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LimitsRequest {
    /// Largest mean absolute error of ITL, in percent.
    pub max_itl_mape: Option<f64>,
    /// Largest mean absolute error of TTFT, in percent.
    pub max_ttft_mape: Option<f64>,
    /// Largest median absolute error of TTFT, in percent.
    pub max_ttft_median: Option<f64>,
    /// Largest mean absolute error of throughput, in percent.
    pub max_throughput_mape: Option<f64>,
    /// Largest mean absolute error of ITL with one workload left out of the fit, in percent.
    pub max_left_out_itl_mape: Option<f64>,
    /// Largest median absolute error of TTFT with one workload left out of the fit, in percent.
    pub max_left_out_ttft_median: Option<f64>,
    /// Percentage points by which any of these errors may exceed that of the baseline; 0.5 by default.
    pub max_regression: Option<f64>,
}

impl LimitsRequest {
    fn limits(&self) -> Result<Limits> {
        let limits = Limits {
            regression: self.max_regression,
            itl_mape_pct: self.max_itl_mape,
            ttft_mape_pct: self.max_ttft_mape,
            ttft_median_pct: self.max_ttft_median,
            throughput_mape_pct: self.max_throughput_mape,
            left_out_itl_mape_pct: self.max_left_out_itl_mape,
            left_out_ttft_median_pct: self.max_left_out_ttft_median,
        };
        let all = [
            ("--max-itl-mape", limits.itl_mape_pct),
            ("--max-ttft-mape", limits.ttft_mape_pct),
            ("--max-ttft-median", limits.ttft_median_pct),
            ("--max-throughput-mape", limits.throughput_mape_pct),
            ("--max-left-out-itl-mape", limits.left_out_itl_mape_pct),
            ("--max-left-out-ttft-median", limits.left_out_ttft_median_pct),
            ("--max-regression", limits.regression),
        ];
        match all.into_iter().find(|(_, limit)| limit.is_some_and(|limit| !(limit.is_finite() && limit >= 0.0))) {
            Some((flag, limit)) => {
                Err(Error::input(format!("{flag} is {}", limit.unwrap_or(f64::NAN))).help("give a number from 0 up"))
            }
            None => Ok(limits),
        }
    }
}

impl CheckRequest {
    fn settings(&self) -> Result<CheckSettings> {
        let estimator = self.estimator.as_deref().map(estimator::by_name).transpose()?;
        Ok(CheckSettings {
            limits: self.limits.limits()?,
            mode: self.mode,
            estimator: estimator.map(Estimator::name),
            baseline: self.baseline.clone(),
            folder: None,
        })
    }

    /// The files of the scenarios that are to be checked.
    ///
    /// # Errors
    /// A scenario, a baseline or the file of limits is missing or wrong, or there is nothing to check.
    pub fn scenario_folders(&self, catalog: &Catalog) -> Result<Vec<ScenarioFolder>> {
        Selection::new(catalog, self)?.folders(self)
    }
}

/// Whether errors have grown or are above limits; `--format json` prints it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CheckAnswer {
    /// Whether every limit of every scenario holds.
    pub passed: bool,
    /// Each scenario.
    pub scenarios: Vec<CheckedScenario>,
    /// What names were taken for.
    pub remarks: Vec<String>,
    /// Time it took.
    pub elapsed_s: f64,
    /// What texts are made from.
    #[serde(skip)]
    pub report: CheckReport,
}

/// A scenario that was checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CheckedScenario {
    /// Scenario id or folder name.
    pub scenario: String,
    /// Name of the estimator.
    pub estimator: &'static str,
    /// Where the errors of today come from.
    pub mode: CheckMode,
    /// Path of the calibration that it is compared with; null: none.
    pub baseline: Option<PathBuf>,
    /// Whether the measurements differ from those of the baseline; null without one.
    pub data_changed: Option<bool>,
    /// Whether every limit holds.
    pub passed: bool,
    /// Why there are no errors to compare: the fit did not succeed.
    pub failure: Option<String>,
    /// Each error against each limit.
    pub comparisons: Vec<ComparisonAnswer>,
    /// What a reader should know; no failures.
    pub notes: Vec<String>,
}

/// An error against a limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ComparisonAnswer {
    /// Which error.
    pub metric: &'static str,
    /// As recorded; null where it was not.
    pub baseline_pct: Option<f64>,
    /// Today; null: it cannot be computed any more, which fails.
    pub now_pct: Option<f64>,
    /// Change in percentage points; above 0 the error grew.
    pub change_points: Option<f64>,
    /// Limit of the error itself; null where the limit is on the change.
    pub limit_pct: Option<f64>,
    /// Limit of the change; null where the limit is on the error itself.
    pub limit_points: Option<f64>,
    /// Whether the limit holds.
    pub passed: bool,
}

impl From<&Comparison> for ComparisonAnswer {
    fn from(one: &Comparison) -> Self {
        let limit = |kind| (one.kind == kind).then_some(one.limit);
        Self {
            metric: one.metric.key(),
            baseline_pct: one.baseline,
            now_pct: one.now,
            change_points: one.change(),
            limit_pct: limit(LimitKind::Absolute),
            limit_points: limit(LimitKind::Regression),
            passed: one.passed(),
        }
    }
}

impl From<&ScenarioCheck> for CheckedScenario {
    fn from(check: &ScenarioCheck) -> Self {
        Self {
            scenario: check.scenario.clone(),
            estimator: check.estimator,
            mode: check.mode,
            baseline: check.baseline.clone(),
            data_changed: check.data_changed,
            passed: check.passed(),
            failure: check.failure.clone(),
            comparisons: check.comparisons.iter().map(ComparisonAnswer::from).collect(),
            notes: check.notes.clone(),
        }
    }
}

impl CheckAnswer {
    /// Of finished checks.
    pub fn new(report: CheckReport, elapsed_s: f64) -> Self {
        let scenarios = report.scenarios.iter().map(CheckedScenario::from).collect();
        Self { passed: report.passed(), scenarios, remarks: Vec::new(), elapsed_s, report }
    }
}

/// Compares the errors of today with a baseline and with limits. `progress` hears which scenarios are checked, and of finished
/// folds and their number. A limit that does not hold is no error but an answer.
///
/// # Errors
/// A scenario, a baseline or the file of limits is missing or wrong, or there is nothing to check.
pub fn check(
    catalog: &Catalog,
    request: &CheckRequest,
    progress: &(dyn Fn(&str, usize, usize) + Sync),
) -> Result<CheckAnswer> {
    let started = Instant::now();
    let mut report = CheckReport { scenarios: Vec::new() };
    for input in Selection::new(catalog, request)?.inputs(request)? {
        let ids: Vec<&str> = input.checked.iter().map(|(id, _)| id.as_str()).collect();
        let name = ids.join(", ");
        progress(&name, 0, 0);
        report.scenarios.extend(run_check(input, &|done, total| progress(&name, done, total))?);
    }
    let remarks = Remarks::new(catalog).folders(request.scenario_folders(catalog)).said();
    Ok(CheckAnswer { remarks, ..CheckAnswer::new(report, started.elapsed().as_secs_f64()) })
}
