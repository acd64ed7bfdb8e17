//! `fit --live`: the roofline fitted to runs of real models on one device.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use super::fit::FitRequest;
use super::measured::LiveMeasured;
use super::parameter::ParameterAnswer;
use super::remarks::Remarks;
use crate::error::{Error, Result};
use crate::evaluation::live::{BreakEven, KindErrors, LiveErrors, LiveStudy, LiveStudyInput, run_live_study};
use crate::spec::Catalog;

/// What was fitted to live runs, and how well it predicts them; `fit --live --format json` prints it.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FitLiveAnswer {
    /// Name of the device.
    pub hardware: String,
    /// Seed of the starts.
    pub seed: u64,
    /// The runs.
    pub runs: Vec<LiveRunAnswer>,
    /// Parameters, which all variants and runs share.
    pub parameters: Vec<ParameterAnswer>,
    /// Errors at the priors, by kind of row.
    pub before: Vec<LiveErrors>,
    /// Errors of the fit, in sample.
    pub after: Vec<LiveErrors>,
    /// Errors of variants and runs that fits did not see.
    pub unseen: Vec<UnseenAnswer>,
    /// Where product-of-experts decoding breaks even.
    pub break_even: Vec<BreakEvenAnswer>,
    /// What to know before trusting the numbers.
    pub cautions: Vec<String>,
    /// What names were taken for.
    pub remarks: Vec<String>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// Time it took, files included.
    pub elapsed_s: f64,
    /// What tables and pages are made from.
    #[serde(skip)]
    pub study: LiveStudy,
}

/// A run of a fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LiveRunAnswer {
    /// Name of its folder.
    pub id: String,
    /// Name of its model.
    pub model: String,
    /// Rows that the fit saw.
    pub rows: usize,
}

/// Errors of rows that a fit did not see.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct UnseenAnswer {
    /// What it saw.
    pub seen: String,
    /// Errors of all else.
    pub errors: Vec<LiveErrors>,
}

/// Where product-of-experts decoding with some number of drafts takes no longer than another variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BreakEvenAnswer {
    /// The run.
    pub run: String,
    /// Drafts of a round.
    pub gamma: usize,
    /// Measured share of emitted tokens that were accepted drafts.
    pub acceptance: f64,
    /// Measured time of a token.
    pub measured_ms: f64,
    /// Predicted at that acceptance.
    pub predicted_ms: f64,
    /// Predicted if every draft is accepted.
    pub predicted_at_best_ms: f64,
    /// Acceptance from which on it is no slower than averaging all heads; null: never.
    pub against_hydra: Option<f64>,
    /// Acceptance from which on it is no slower than the baseline; null: never.
    pub against_baseline: Option<f64>,
}

impl From<&BreakEven> for BreakEvenAnswer {
    fn from(point: &BreakEven) -> Self {
        Self {
            run: point.run.clone(),
            gamma: point.gamma,
            acceptance: point.acceptance,
            measured_ms: point.measured.as_ms(),
            predicted_ms: point.predicted.as_ms(),
            predicted_at_best_ms: point.at_best.as_ms(),
            against_hydra: point.against_naive,
            against_baseline: point.against_baseline,
        }
    }
}

/// Fits the roofline to live runs; `rows`, `exclude` and `leave_out` of the request are for measured systems alone.
///
/// # Errors
/// No live run is named, a file cannot be read or predicted, or a fit does not converge.
pub fn fit_live(catalog: &Catalog, request: &FitRequest) -> Result<FitLiveAnswer> {
    let started = Instant::now();
    if !(request.rows.is_empty() && request.exclude.is_empty() && request.leave_out.is_empty()) {
        return Err(
            Error::input("--rows, --exclude and --leave-out have no meaning with --live").help("leave them out")
        );
    }
    let options = request.options()?;
    let LiveMeasured { hardware, runs } = request.measured.resolve_live(catalog)?;
    let study = run_live_study(LiveStudyInput { runs, hardware: hardware.name, options, validate: request.validate })?;
    let recorded = |kinds: &[KindErrors]| kinds.iter().map(LiveErrors::new).collect::<Vec<_>>();
    let runs = study.runs.iter().map(|run| LiveRunAnswer {
        id: run.id.clone(),
        model: run.model_name.clone(),
        rows: run.rows.len(),
    });
    let unseen = study.unseen.iter();
    let unseen = unseen.map(|unseen| UnseenAnswer { seen: unseen.seen.clone(), errors: recorded(&unseen.kinds) });
    Ok(FitLiveAnswer {
        hardware: study.hardware.clone(),
        seed: study.record.seed,
        runs: runs.collect(),
        parameters: study.solution.parameters.iter().map(|p| ParameterAnswer::fitted(p, None)).collect(),
        before: recorded(&study.before),
        after: recorded(&study.after),
        unseen: unseen.collect(),
        break_even: study.break_even.iter().map(BreakEvenAnswer::from).collect(),
        cautions: study.cautions(),
        remarks: Remarks::new(catalog).measured(&request.measured).said(),
        files: Vec::new(),
        elapsed_s: started.elapsed().as_secs_f64(),
        study,
    })
}
