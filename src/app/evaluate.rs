//! `evaluate`: a measured system predicted by a calibration that never saw it.

use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::measured::MeasuredRequest;
use super::parameter::ParameterAnswer;
use super::remarks::Remarks;
use super::system::{ParametersRequest, default_estimator};
use crate::calibration::{ErrorSummary, FitOptions, Origin};
use crate::dataset::RowFilter;
use crate::error::Result;
use crate::estimator;
use crate::evaluation::{Refit, TransferInput, TransferStudy, run_transfer};
use crate::spec::Catalog;

/// Which measured system is predicted, from what, and what is refitted on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct EvaluateRequest {
    /// The measurements, of one system.
    #[serde(flatten)]
    pub measured: MeasuredRequest,
    /// Where parameter values come from; a calibration is named, or `uncalibrated` is true.
    #[serde(flatten)]
    pub parameters: ParametersRequest,
    /// What to fit again on the system, all else kept: campaign, link, hardware, engine or names of parameters.
    pub refit: Vec<String>,
    /// Name of the estimator.
    pub estimator: String,
    /// Conditions that rows meet, such as `concurrency<=128`.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub rows: Vec<RowFilter>,
    /// Conditions of rows to leave out.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub exclude: Vec<RowFilter>,
    /// Seed of the starts of a refit.
    pub seed: u64,
}

impl Default for EvaluateRequest {
    fn default() -> Self {
        Self {
            measured: MeasuredRequest::default(),
            parameters: ParametersRequest::default(),
            refit: Vec::new(),
            estimator: default_estimator().name().to_owned(),
            rows: Vec::new(),
            exclude: Vec::new(),
            seed: FitOptions::default().seed,
        }
    }
}

/// How well a calibration predicts a system; `--format json` prints it.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct EvaluateAnswer {
    /// Scenario id, folder name, or name of the measured file.
    pub scenario: String,
    /// Name of the estimator.
    pub estimator: &'static str,
    /// Path of the calibration; null: the priors alone.
    pub calibration: Option<PathBuf>,
    /// Rows.
    pub rows: usize,
    /// What was refitted on these rows.
    pub refit: Vec<String>,
    /// Errors; in sample where something was refitted.
    pub errors: ErrorSummary,
    /// Share of rows inside their 90 % intervals.
    pub interval_coverage: IntervalCoverageAnswer,
    /// Every refit that was tried to compare with, the plain prediction first.
    pub variants: Vec<VariantAnswer>,
    /// Axes on which the system or its rows leave what was calibrated.
    pub outside_range: Vec<&'static str>,
    /// Parameters that are taken from documented priors (priors.toml).
    pub from_priors: Vec<&'static str>,
    /// Parameters with their values.
    pub parameters: Vec<ParameterAnswer>,
    /// What to know before trusting the numbers.
    pub cautions: Vec<String>,
    /// What names were taken for.
    pub remarks: Vec<String>,
    /// What was read from where.
    pub notes: Vec<String>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// Time it took, files included.
    pub elapsed_s: f64,
    /// What the calibration was fitted to, in one word: scenarios with `+`, or `priors`.
    #[serde(skip)]
    pub basis: String,
    /// What tables and pages are made from.
    #[serde(skip)]
    pub study: TransferStudy,
}

/// Share of rows inside their 90 % intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct IntervalCoverageAnswer {
    /// Of TTFT.
    pub ttft_pct: f64,
    /// Of ITL.
    pub itl_pct: f64,
}

/// A way to predict the system.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct VariantAnswer {
    /// What was refitted; empty: nothing.
    pub refit: Vec<String>,
    /// Its errors.
    pub errors: ErrorSummary,
}

/// Predicts a measured system from a calibration, or from the priors alone.
///
/// # Errors
/// No calibration is named, measurements are not known or cannot be read, there are several systems, or a refit does not converge.
pub fn evaluate(catalog: &Catalog, request: &EvaluateRequest) -> Result<EvaluateAnswer> {
    let started = Instant::now();
    let estimator = estimator::by_name(&request.estimator)?;
    let member = request.measured.resolve_one(catalog)?;
    let opened = request.parameters.open_named(estimator)?;
    let (calibration, record) = opened.calibration.unzip();
    let basis = record.as_ref().map_or_else(
        || "priors".to_owned(),
        |record| record.scenarios.iter().map(|s| s.scenario.as_str()).collect::<Vec<_>>().join("+"),
    );
    let mut refit: Vec<Refit> = Vec::new();
    for one in request.refit.iter().map(|text| Refit::parse(text)) {
        if !refit.contains(&one) {
            refit.push(one);
        }
    }
    let study = run_transfer(TransferInput {
        member,
        keep: request.rows.clone(),
        exclude: request.exclude.clone(),
        estimator,
        calibration: record.as_ref(),
        given: request.parameters.set.to_vec(),
        refit,
        options: FitOptions { seed: request.seed, ..FitOptions::default() },
    })?;
    let asked = study.asked();
    let [ttft_pct, itl_pct] = study.interval_coverage_pct();
    let variants = study.variants.iter();
    Ok(EvaluateAnswer {
        scenario: study.member.id.clone(),
        estimator: estimator.name(),
        calibration,
        rows: study.rows.len(),
        refit: asked.refit.clone(),
        errors: asked.errors.summary(),
        interval_coverage: IntervalCoverageAnswer { ttft_pct, itl_pct },
        variants: variants
            .map(|variant| VariantAnswer { refit: variant.refit.clone(), errors: variant.errors.summary() })
            .collect(),
        outside_range: study.outside.iter().map(|outside| outside.axis).collect(),
        from_priors: asked.forecaster.from_origin(Origin::Prior),
        parameters: ParameterAnswer::carried(&asked.forecaster),
        cautions: study.cautions(),
        remarks: Remarks::new(catalog).measured(&request.measured).said(),
        notes: opened.notes,
        files: Vec::new(),
        elapsed_s: started.elapsed().as_secs_f64(),
        basis,
        study,
    })
}
