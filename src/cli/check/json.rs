//! The check for programs.

use std::path::Path;

use serde::Serialize;

use crate::cli::json::json_line;
use crate::error::Result;
use crate::evaluation::{CheckReport, Comparison, LimitKind};

/// The JSON object on stdout; docs/schema/check.schema.json describes it.
#[derive(Debug, Serialize)]
struct CheckOutput<'a> {
    passed: bool,
    scenarios: Vec<ScenarioOutput<'a>>,
    elapsed_s: f64,
}

#[derive(Debug, Serialize)]
struct ScenarioOutput<'a> {
    scenario: &'a str,
    estimator: &'static str,
    mode: &'static str,
    baseline: Option<&'a Path>,
    data_changed: Option<bool>,
    passed: bool,
    failure: Option<&'a str>,
    comparisons: Vec<ComparisonOutput>,
    notes: &'a [String],
}

#[derive(Debug, Serialize)]
struct ComparisonOutput {
    metric: &'static str,
    baseline_pct: Option<f64>,
    now_pct: Option<f64>,
    change_points: Option<f64>,
    limit_pct: Option<f64>,
    limit_points: Option<f64>,
    passed: bool,
}

impl From<&Comparison> for ComparisonOutput {
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

/// One JSON object on one line.
pub fn json(report: &CheckReport, elapsed_s: f64) -> Result<String> {
    let scenarios = report.scenarios.iter().map(|check| ScenarioOutput {
        scenario: &check.scenario,
        estimator: check.estimator,
        mode: check.mode.name(),
        baseline: check.baseline.as_deref(),
        data_changed: check.data_changed,
        passed: check.passed(),
        failure: check.failure.as_deref(),
        comparisons: check.comparisons.iter().map(ComparisonOutput::from).collect(),
        notes: &check.notes,
    });
    let output = CheckOutput { passed: report.passed(), scenarios: scenarios.collect(), elapsed_s };
    json_line(&output)
}
