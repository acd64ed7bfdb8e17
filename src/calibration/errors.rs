//! Errors as a calibration records them.

use serde::{Deserialize, Serialize};

/// Errors under their stable keys, in JSON output and in `calibration.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorSummary {
    /// The estimator's loss.
    pub loss: f64,
    /// Mean absolute relative error of TTFT.
    pub ttft_mape_pct: f64,
    /// Median absolute relative error of TTFT.
    pub ttft_median_ape_pct: f64,
    /// Root mean squared error of TTFT.
    pub ttft_rmse_ms: f64,
    /// Mean absolute relative error of ITL.
    pub itl_mape_pct: f64,
    /// Median absolute relative error of ITL.
    pub itl_median_ape_pct: f64,
    /// Root mean squared error of ITL.
    pub itl_rmse_ms: f64,
    /// Mean absolute relative error of throughput; null if no row has it.
    pub throughput_mape_pct: Option<f64>,
}

impl ErrorSummary {
    /// Whether all are finite and none is below 0.
    fn is_sound(&self) -> bool {
        let ttft = [self.ttft_mape_pct, self.ttft_median_ape_pct, self.ttft_rmse_ms];
        let itl = [self.itl_mape_pct, self.itl_median_ape_pct, self.itl_rmse_ms];
        let others = [self.loss, self.throughput_mape_pct.unwrap_or(0.0)];
        ttft.iter().chain(&itl).chain(&others).all(|error| error.is_finite() && *error >= 0.0)
    }
}

/// Errors before the fit, after it, and out of sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedErrors {
    /// At the defaults.
    pub baseline: ErrorSummary,
    /// In sample.
    pub fitted: ErrorSummary,
    /// Each workload predicted by a fit to the others.
    pub leave_one_workload_out: Option<ErrorSummary>,
    /// Each concurrency predicted by a fit to the others.
    pub leave_one_concurrency_out: Option<ErrorSummary>,
}

impl RecordedErrors {
    /// Whether all are finite and none is below 0.
    pub fn are_sound(&self) -> bool {
        let held_out = [self.leave_one_workload_out, self.leave_one_concurrency_out];
        [self.baseline, self.fitted].iter().chain(held_out.iter().flatten()).all(ErrorSummary::is_sound)
    }
}
