//! What remains of a fit to live runs.

use serde::{Deserialize, Serialize};

use super::rows::{KindErrors, LiveRun};
use crate::calibration::{FitOptions, RecordedParameter, Solution, StartResult};
use crate::error::{Error, Result};
use crate::passes::{LiveParameters, LiveQuantity};
use crate::spec::SpecFile;

/// Errors of a kind of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveErrors {
    /// Variant.
    pub variant: String,
    /// Metric.
    pub metric: String,
    /// Rows.
    pub rows: usize,
    /// Mean absolute relative error.
    pub mape_pct: f64,
    /// Mean signed relative error.
    pub bias_pct: f64,
}

impl LiveErrors {
    /// From errors.
    pub fn new(kind: &KindErrors) -> Self {
        Self {
            variant: kind.variant.name().to_owned(),
            metric: kind.metric.name().to_owned(),
            rows: kind.rows,
            mape_pct: kind.errors.mape_pct,
            bias_pct: kind.errors.bias_pct,
        }
    }
}

/// A run of a fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedRun {
    /// Name.
    pub id: String,
    /// Model.
    pub model: String,
    /// Device as the run names it.
    pub device: String,
    /// When it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Rows of the fit.
    pub rows: usize,
}

/// `calibration.toml` of a fit to live runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveRecord {
    /// Version of perfmodel that wrote it.
    pub perfmodel_version: String,
    /// `live`: what tells it from the calibration of a server.
    pub estimator: String,
    /// Device.
    pub hardware: String,
    /// Seed of the starts.
    pub seed: u64,
    /// Whether priors held what the data leave open.
    pub priors: bool,
    /// Parameters held with `--fix`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
    /// How every start of the optimiser ended.
    pub starts: Vec<StartResult>,
    /// Parameters.
    pub parameters: Vec<RecordedParameter>,
    /// Runs.
    pub runs: Vec<RecordedRun>,
    /// Errors before the fit.
    pub before: Vec<LiveErrors>,
    /// Errors after it, in sample.
    pub after: Vec<LiveErrors>,
}

/// The estimator's name in records.
const ESTIMATOR: &str = "live";

impl LiveRecord {
    /// Puts a record together.
    pub fn new(
        hardware: &str,
        runs: &[LiveRun],
        options: &FitOptions,
        solution: &Solution,
        before: Vec<LiveErrors>,
        after: Vec<LiveErrors>,
    ) -> Self {
        let unknown = || "?".to_owned();
        Self {
            perfmodel_version: env!("CARGO_PKG_VERSION").to_owned(),
            estimator: ESTIMATOR.to_owned(),
            hardware: hardware.to_owned(),
            seed: options.seed,
            priors: options.priors,
            fixed: options.fixed.iter().map(|(name, _)| name.clone()).collect(),
            starts: solution.starts.clone(),
            parameters: solution.parameters.iter().map(RecordedParameter::new).collect(),
            runs: runs
                .iter()
                .map(|run| RecordedRun {
                    id: run.id.clone(),
                    model: run.model_name.clone(),
                    device: run.results.metadata.gpu.clone().unwrap_or_else(unknown),
                    timestamp: run.results.metadata.timestamp.clone(),
                    rows: run.rows.len(),
                })
                .collect(),
            before,
            after,
        }
    }

    /// As TOML text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a record holds only numbers, texts and lists of them")
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The file cannot be read, or is not the calibration of live runs.
    pub fn open(path: &std::path::Path) -> Result<Self> {
        Self::read(&SpecFile::open(path)?)
    }

    /// As [`LiveRecord::open`], of a file that is read.
    ///
    /// # Errors
    /// It is not the calibration of live runs.
    pub fn read(file: &SpecFile) -> Result<Self> {
        let wrong = |what: String| {
            Error::input(what).at(&file.label).help("give the calibration.toml that `perfmodel fit --live` writes")
        };
        let record: Self = toml::from_str(&file.text).map_err(|error| {
            wrong(format!("not a calibration of live runs: {}", error.message().replace('\n', ", ")))
        })?;
        if record.estimator != ESTIMATOR {
            return Err(wrong(format!("a calibration of the estimator `{}`", record.estimator)));
        }
        for quantity in LiveQuantity::ALL {
            let range = quantity.parameter();
            for recorded in record.parameters.iter().filter(|p| p.name == range.name) {
                if !(range.least..=range.upper).contains(&recorded.value) {
                    return Err(wrong(format!(
                        "`{}` is {}, not from {} to {}",
                        range.name, recorded.value, range.least, range.upper
                    )));
                }
            }
        }
        Ok(record)
    }

    /// Its values; what it lacks is at its prior.
    pub fn parameters(&self) -> LiveParameters {
        let mut parameters = LiveParameters::default();
        for quantity in LiveQuantity::ALL {
            let name = quantity.parameter().name;
            if let Some(recorded) = self.parameters.iter().find(|p| p.name == name) {
                parameters = parameters.with(quantity, recorded.value);
            }
        }
        parameters
    }
}
