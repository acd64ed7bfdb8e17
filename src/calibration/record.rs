//! `calibration.toml`: what was fitted, on which data, and how well.

use serde::{Deserialize, Serialize};

use super::fit::{Fit, FitOptions, StartResult};
use super::identifiability::Flag;
use crate::dataset::Measurement;
use crate::spec::{Campaign, Deployment, Source, System};

/// Errors under their stable keys, in JSON output and in `calibration.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// Mean absolute relative error of throughput; absent if no row has it.
    pub throughput_mape_pct: Option<f64>,
}

/// Who measured, and how.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// Engine and meaning of the columns; absent for a bare CSV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Campaign>,
    /// Where the figures come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
}

/// The data of a fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedOn {
    /// Scenario, or the name of the measured file.
    pub scenario: String,
    /// Name of the architecture.
    pub model: String,
    /// Name of the device.
    pub hardware: String,
    /// Placement.
    pub deployment: Deployment,
    /// Rows that the fit saw.
    pub rows: usize,
    /// SHA-256 of the measured file.
    pub measured_sha256: String,
    /// Filters given with `--rows`.
    pub rows_kept: Vec<String>,
    /// Filters given with `--exclude`.
    pub rows_excluded: Vec<String>,
    /// Smallest and largest input length.
    pub input_tokens: [f64; 2],
    /// Smallest and largest output length.
    pub output_tokens: [f64; 2],
    /// Smallest and largest concurrency.
    pub concurrency: [f64; 2],
    /// Who measured, and how.
    pub provenance: Provenance,
}

/// A parameter as recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedParameter {
    /// Name.
    pub name: String,
    /// Unit.
    pub unit: String,
    /// Fitted or held value.
    pub value: f64,
    /// Standard error, where defined.
    pub std_error: Option<f64>,
    /// What the data say of it.
    pub flag: String,
    /// Bounds of the fit.
    pub bounds: [f64; 2],
    /// Value before the fit.
    pub start: f64,
    /// Correlations with all parameters in the order of the list; 0 where undefined.
    pub correlations: Vec<f64>,
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

/// `calibration.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationRecord {
    /// Version of perfmodel that wrote it.
    pub perfmodel_version: String,
    /// Estimator.
    pub estimator: String,
    /// Seed of the starts.
    pub seed: u64,
    /// How every start of the optimiser ended.
    pub starts: Vec<StartResult>,
    /// Data.
    pub fitted_on: FittedOn,
    /// Errors.
    pub errors: RecordedErrors,
    /// Parameters in the estimator's order.
    pub parameters: Vec<RecordedParameter>,
}

impl FittedOn {
    /// Describes the rows of a fit.
    pub fn new(scenario: &str, system: &System, rows: &[Measurement], measured_sha256: &str) -> Self {
        let range = |value: fn(&Measurement) -> f64| {
            rows.iter().map(value).fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
        };
        Self {
            scenario: scenario.to_owned(),
            model: system.model.name.clone(),
            hardware: system.hardware.name.clone(),
            deployment: system.deployment.clone(),
            rows: rows.len(),
            measured_sha256: measured_sha256.to_owned(),
            rows_kept: Vec::new(),
            rows_excluded: Vec::new(),
            input_tokens: range(|row| row.workload.input_tokens()),
            output_tokens: range(|row| row.workload.output_tokens()),
            concurrency: range(|row| row.workload.concurrency()),
            provenance: Provenance::default(),
        }
    }
}

impl CalibrationRecord {
    /// Puts a record together.
    pub fn new(estimator: &str, options: &FitOptions, fitted_on: FittedOn, errors: RecordedErrors, fit: &Fit) -> Self {
        Self {
            perfmodel_version: env!("CARGO_PKG_VERSION").to_owned(),
            estimator: estimator.to_owned(),
            seed: options.seed,
            starts: fit.starts.clone(),
            fitted_on,
            errors,
            parameters: fit
                .parameters
                .iter()
                .zip(fit.correlations.row_iter())
                .map(|(p, correlations)| RecordedParameter {
                    name: p.parameter.name.to_owned(),
                    unit: p.parameter.unit.to_owned(),
                    value: p.value,
                    std_error: p.std_error,
                    flag: p.flag.name().to_owned(),
                    bounds: [p.parameter.lower, p.parameter.upper],
                    start: p.start(),
                    correlations: correlations.iter().map(|c| (c * 1e4).round() / 1e4).collect(),
                })
                .collect(),
        }
    }

    /// Whether another record answers the same question: the same data, filters, estimator, held values, seed and
    /// version. Its numbers may then differ only by rounding.
    pub fn same_question(&self, other: &Self) -> bool {
        let held = |record: &Self| -> Vec<(String, f64)> {
            record
                .parameters
                .iter()
                .filter(|p| p.flag == Flag::Fixed.name())
                .map(|p| (p.name.clone(), p.value))
                .collect()
        };
        self.perfmodel_version == other.perfmodel_version
            && self.estimator == other.estimator
            && self.seed == other.seed
            && self.starts.len() == other.starts.len()
            && self.fitted_on == other.fitted_on
            && held(self) == held(other)
    }

    /// As TOML text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a record holds only numbers, texts and lists of them")
    }
}
