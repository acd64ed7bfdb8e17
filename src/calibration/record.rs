//! `calibration.toml`: what was fitted, on which data, and how well. Complete enough to be sent to somebody else.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::errors::RecordedErrors;
use super::identifiability::Flag;
use super::interval::{LARGEST, Uncertainty};
use super::solution::{FitOptions, FittedParameter, Solution, StartResult};
use crate::dataset::Measurement;
use crate::error::{Error, Result};
use crate::parameter::{Owner, Parameter, Scale};
use crate::spec::{Campaign, DeploymentFile, Source, SpecFile, System};
use crate::workload::{LoadKind, Workload};

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

/// Share of left-out rows inside their 90 % intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Coverage {
    /// Rows.
    pub rows: usize,
    /// Of TTFT.
    pub ttft_pct: f64,
    /// Of ITL.
    pub itl_pct: f64,
}

/// One scenario of a fit: its system, its data, its errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedScenario {
    /// Scenario, or the name of the measured file.
    pub scenario: String,
    /// Name of the architecture.
    pub model: String,
    /// Name of the device.
    pub hardware: String,
    /// Placement.
    pub deployment: DeploymentFile,
    /// How it was loaded.
    pub load: LoadKind,
    /// Which campaign of the fit measured it; scenarios with the same number share their campaign's parameters.
    pub campaign: usize,
    /// Rows that the fit saw.
    pub rows: usize,
    /// SHA-256 of the measured file.
    pub measured_sha256: String,
    /// Smallest and largest input length.
    pub input_tokens: [f64; 2],
    /// Smallest and largest output length.
    pub output_tokens: [f64; 2],
    /// Smallest and largest load: clients, requests per second or sequences of a batch.
    pub load_range: [f64; 2],
    /// Errors.
    pub errors: RecordedErrors,
    /// Coverage of the intervals of left-out rows.
    pub coverage: Option<Coverage>,
    /// Scatter by regime, and what turns it into intervals.
    pub uncertainty: Uncertainty,
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
    /// Whom it belongs to.
    pub owner: Owner,
    /// The campaign whose own it is; absent if all scenarios share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<usize>,
    /// Fitted or held value.
    pub value: f64,
    /// Standard error, where defined.
    pub std_error: Option<f64>,
    /// What the data say of it.
    pub flag: String,
    /// Whether its covariance is that of its logarithm (`log`) or of itself (`linear`).
    pub scale: Scale,
    /// Bounds of the fit.
    pub bounds: [f64; 2],
    /// Value before the fit: the median of its prior, or the value at which it was held.
    pub start: f64,
    /// Standard deviation of the logarithm in its prior.
    pub prior_spread: Option<f64>,
}

impl RecordedParameter {
    /// From a fitted one.
    pub fn new(p: &FittedParameter) -> Self {
        Self {
            name: p.parameter.name.to_owned(),
            unit: p.parameter.unit.to_owned(),
            owner: p.parameter.owner,
            campaign: p.campaign,
            value: p.value,
            std_error: p.std_error,
            flag: p.flag.name().to_owned(),
            scale: p.parameter.scale,
            bounds: [p.parameter.lower, p.parameter.upper],
            start: p.start(),
            prior_spread: p.parameter.spread,
        }
    }
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
    /// Filters given with `--rows`.
    pub rows_kept: Vec<String>,
    /// Filters given with `--exclude`.
    pub rows_excluded: Vec<String>,
    /// Whether priors held what the data leave open; written only where they did not (`--no-priors`).
    #[serde(default = "with_priors", skip_serializing_if = "is_default_priors")]
    pub priors: bool,
    /// Parameters held with `--fix`; what fits hold by themselves is not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
    /// Covariance of the parameters in their order: of logarithms, of values where `scale` is `linear`; 0 where
    /// undefined.
    pub covariance: Vec<Vec<f64>>,
    /// How every start of the optimiser ended.
    pub starts: Vec<StartResult>,
    /// Parameters.
    pub parameters: Vec<RecordedParameter>,
    /// Systems, data and errors.
    pub scenarios: Vec<FittedScenario>,
}

const fn with_priors() -> bool {
    true
}

const fn is_default_priors(priors: &bool) -> bool {
    *priors
}

/// Data of a scenario that a record needs besides its errors.
pub struct ScenarioData<'a> {
    /// Scenario, or the name of the measured file.
    pub id: &'a str,
    /// The system.
    pub system: &'a System,
    /// How it was loaded.
    pub load: LoadKind,
    /// Which campaign measured it.
    pub campaign: usize,
    /// Rows of the fit.
    pub rows: &'a [Measurement],
    /// SHA-256 of the measured file.
    pub measured_sha256: &'a str,
    /// Who measured, and how.
    pub provenance: &'a Provenance,
}

impl FittedScenario {
    /// Whether it measured that model on such devices, as many of them, with weights and caches in the same formats.
    pub fn is_of(&self, system: &System) -> bool {
        // Limits of the engine and its arithmetic may differ.
        let placed = |deployment: &DeploymentFile| DeploymentFile {
            compute_precision: None,
            max_sequences: None,
            max_tokens_per_step: None,
            ..deployment.clone()
        };
        self.model == system.model().name
            && self.hardware == system.hardware().name
            && placed(&self.deployment) == placed(&DeploymentFile::from(system.deployment()))
    }

    /// Describes a scenario of a fit.
    pub fn new(
        data: &ScenarioData<'_>,
        errors: RecordedErrors,
        coverage: Option<Coverage>,
        uncertainty: Uncertainty,
    ) -> Self {
        let range = |value: fn(&Workload) -> f64| {
            let values = data.rows.iter().map(|row| value(&row.workload));
            values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
        };
        Self {
            scenario: data.id.to_owned(),
            model: data.system.model().name.clone(),
            hardware: data.system.hardware().name.clone(),
            deployment: (data.system.deployment()).into(),
            load: data.load,
            campaign: data.campaign,
            rows: data.rows.len(),
            measured_sha256: data.measured_sha256.to_owned(),
            input_tokens: range(Workload::input_tokens),
            output_tokens: range(Workload::output_tokens),
            load_range: range(Workload::amount),
            errors,
            coverage,
            uncertainty,
            provenance: data.provenance.clone(),
        }
    }

    /// Whether two scenarios hold the same data of the same system.
    fn same_data(&self, other: &Self) -> bool {
        (&self.scenario, &self.measured_sha256, &self.deployment, self.rows, self.campaign)
            == (&other.scenario, &other.measured_sha256, &other.deployment, other.rows, other.campaign)
            && (&self.model, &self.hardware) == (&other.model, &other.hardware)
    }
}

/// Ten significant digits: parameters that only act together have variances that nearly cancel in a prediction.
fn rounded(value: f64) -> f64 {
    format!("{value:.9e}").parse().expect("a formatted number is a number")
}

impl CalibrationRecord {
    /// Puts a record together.
    pub fn new(estimator: &str, options: &FitOptions, scenarios: Vec<FittedScenario>, fit: &Solution) -> Self {
        Self {
            perfmodel_version: env!("CARGO_PKG_VERSION").to_owned(),
            estimator: estimator.to_owned(),
            seed: options.seed,
            rows_kept: Vec::new(),
            rows_excluded: Vec::new(),
            priors: options.priors,
            fixed: options.fixed.iter().map(|(name, _)| name.clone()).collect(),
            covariance: fit.covariance.row_iter().map(|row| row.iter().map(|c| rounded(*c)).collect()).collect(),
            starts: fit.starts.clone(),
            parameters: fit.parameters.iter().map(RecordedParameter::new).collect(),
            scenarios,
        }
    }

    /// Reads and checks a record.
    ///
    /// # Errors
    /// The file cannot be read, is not a calibration, or does not hold together.
    pub fn open(path: &Path) -> Result<Self> {
        Self::read(&SpecFile::open(path)?)
    }

    /// As [`CalibrationRecord::open`], of a file that is read.
    ///
    /// # Errors
    /// It is not a calibration, or does not hold together.
    pub fn read(file: &SpecFile) -> Result<Self> {
        let record: Self = toml::from_str(&file.text).map_err(|error| {
            let what = error.message().trim_end().replace('\n', ", ");
            let mut own = Error::input(format!("not a calibration of this version: {what}")).at(&file.label);
            // What the file as a whole lacks has no place.
            if let Some(span) = error.span().filter(|span| span.start > 0) {
                let (line, column) = file.place(span.start);
                own = own.line(line).column(column);
            }
            own.help("give the calibration.toml that `perfmodel fit` writes; fit again if another version wrote it")
        })?;
        record
            .check()
            .map_err(|what| Error::input(what).at(&file.label).help("fit again; the file was changed by hand"))?;
        Ok(record)
    }

    fn check(&self) -> std::result::Result<(), String> {
        if self.scenarios.is_empty() {
            return Err("the calibration names no scenario".to_owned());
        }
        for scenario in &self.scenarios {
            if !scenario.uncertainty.is_sound() {
                return Err(format!("the uncertainty of `{}` is not one", scenario.scenario));
            }
            if !scenario.errors.are_sound() {
                return Err(format!("the errors of `{}` are not all numbers from 0 up", scenario.scenario));
            }
        }
        let count = self.parameters.len();
        if self.covariance.len() != count || self.covariance.iter().any(|row| row.len() != count) {
            return Err(format!("the covariance of {count} parameters has another size"));
        }
        for (index, parameter) in self.parameters.iter().enumerate() {
            if !parameter.value.is_finite() || parameter.value < 0.0 {
                return Err(format!("`{}` is {}", parameter.name, parameter.value));
            }
            let row = &self.covariance[index];
            let symmetric =
                row.iter().enumerate().all(|(other, c)| (c - self.covariance[other][index]).abs() <= 1e-3 * c.abs());
            if row[index] < 0.0 || row.iter().any(|c| !(0.0..=LARGEST).contains(&c.abs())) || !symmetric {
                return Err(format!("the covariance of `{}` is not one", parameter.name));
            }
        }
        Ok(())
    }

    /// Checks the values of the parameters that matter to a predictor.
    ///
    /// # Errors
    /// One lies where neither a fit nor a user can put it.
    pub fn check_values(&self, parameters: &[Parameter]) -> Result<()> {
        for parameter in parameters {
            for recorded in self.parameters.iter().filter(|recorded| recorded.name == parameter.name) {
                if !(parameter.least..=parameter.upper).contains(&recorded.value) {
                    return Err(Error::input(format!("the calibration has {} = {}", recorded.name, recorded.value))
                        .help(format!(
                            "fit again; the value lies outside {} to {} (unit: {})",
                            parameter.least, parameter.upper, parameter.unit
                        )));
                }
            }
        }
        Ok(())
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
            && (self.seed, self.priors) == (other.seed, other.priors)
            && self.starts.len() == other.starts.len()
            && (&self.rows_kept, &self.rows_excluded) == (&other.rows_kept, &other.rows_excluded)
            && self.scenarios.len() == other.scenarios.len()
            && self.scenarios.iter().zip(&other.scenarios).all(|(a, b)| a.same_data(b))
            && held(self) == held(other)
    }

    /// How to fit again what it holds: its seed, number of starts and priors, and of the parameters that an estimator
    /// knows those that the user held or freed. What fits hold by themselves is held at the value of today.
    pub fn options(&self, known: &[Parameter]) -> FitOptions {
        let mut options = FitOptions {
            seed: self.seed,
            starts: self.starts.len().max(1),
            priors: self.priors,
            ..FitOptions::default()
        };
        for parameter in known {
            let Some(recorded) = self.parameters.iter().find(|recorded| recorded.name == parameter.name) else {
                continue;
            };
            if self.fixed.contains(&recorded.name) {
                options.fixed.push((recorded.name.clone(), recorded.value));
            } else if recorded.flag != Flag::Fixed.name() && !parameter.fitted {
                options.freed.push(recorded.name.clone());
            }
        }
        options
    }

    /// Whether it has a value for a parameter.
    pub fn has(&self, parameter: &Parameter) -> bool {
        self.parameters.iter().any(|recorded| recorded.name == parameter.name)
    }

    /// As TOML text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a record holds only numbers, texts and lists of them")
    }
}
