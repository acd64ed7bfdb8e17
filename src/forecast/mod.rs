//! Predictions of a system that may never have been measured: values from a calibration or from priors alone, intervals,
//! and what lies outside the calibrated range.
//!
//! ```
//! use perfmodel::calibration::Target;
//! use perfmodel::estimator;
//! use perfmodel::forecast::Forecaster;
//! use perfmodel::spec::Catalog;
//! use perfmodel::workload::{LoadKind, Workload};
//!
//! let catalog = Catalog::built_in();
//! let system = catalog.resolve(&catalog.scenario_folder("llama31_8b_fp8_tp1")?)?.system;
//! let target = Target { scenario: None, system: &system, load: LoadKind::ClosedLoop, campaign: None };
//! // Without a calibration; `CalibrationRecord::open` reads one.
//! let forecaster = Forecaster::new(estimator::by_name("serving")?, &target, None)?;
//! let forecast = forecaster.forecast(&Workload::new(1000.0, 200.0, 32.0)?);
//! let [low, high] = [forecast.itl.low, forecast.itl.high].map(|end| end.as_ms());
//! println!("ITL {:.1} ms ({low:.1} – {high:.1})", forecast.prediction.itl.as_ms());
//! assert!(!forecaster.is_calibrated() && forecast.itl.holds(forecast.prediction.itl));
//! // What a user knows for sure makes the interval no wider.
//! let surer = forecaster.given(&[("memory_efficiency".to_owned(), 0.87)])?.forecast(&forecast.workload);
//! assert!(surer.itl.high / surer.itl.low <= forecast.itl.high / forecast.itl.low);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod capacity;

pub use capacity::Capacity;

use crate::calibration::{
    CalibrationRecord, FittedScenario, Interval, Origin, Outside, Regime, Sides, Spread, Target, Transferred,
    Uncertainty, nearest_inside, regime, system_outside, workload_outside,
};
use crate::engine::Efficiencies;
use crate::error::{Error, Result, nearest_hint};
use crate::estimator::{Estimator, Predictor};
use crate::parameter::Parameter;
use crate::prediction::{Limit, Prediction};
use crate::spec::System;
use crate::units::Seconds;
use crate::workload::{LoadKind, Workload};

/// A system ready to be predicted.
pub struct Forecaster {
    predictor: Box<dyn Predictor>,
    carried: Transferred,
    spread: Spread,
    uncertainty: Uncertainty,
    scenarios: Vec<FittedScenario>,
    outside: Vec<Outside>,
    /// Whether the calibration was fitted to the target itself.
    is_own: bool,
}

/// A predicted operating point with its intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Forecast {
    /// What is asked of the server.
    pub workload: Workload,
    /// The operating point.
    pub prediction: Prediction,
    /// Interval of TTFT.
    pub ttft: Interval,
    /// Interval of ITL.
    pub itl: Interval,
}

impl Forecast {
    /// What keeps the operating point from being better: admission if requests queue, else the roof of a step; `overloaded`
    /// where the queue grows without end.
    pub fn bound(&self) -> &'static str {
        if self.prediction.is_overloaded() { "overloaded" } else { self.capacity_bound() }
    }

    /// As [`Forecast::bound`]; where it is overloaded, what bounds the rate that it serves.
    pub fn capacity_bound(&self) -> &'static str {
        match self.prediction.limit {
            Limit::KvMemory => "KV memory",
            Limit::MaxSequences => "max sequences",
            Limit::TokenBudget => "token budget",
            Limit::Clients => self.prediction.roof.name(),
        }
    }

    /// Whether requests may come faster than they can be served: as predicted, or at the pessimistic end of the interval.
    pub fn may_be_overloaded(&self) -> bool {
        self.ttft.high.get().is_infinite()
    }

    /// Interval of a statistic of TTFT, such as a percentile: as far around it as that of the mean is around the mean.
    pub fn ttft_interval(&self, statistic: Seconds) -> Interval {
        let mean = self.prediction.ttft;
        if mean.get().is_infinite() {
            return Interval { low: mean, high: mean };
        }
        Interval { low: statistic * (self.ttft.low / mean), high: statistic * (self.ttft.high / mean) }
    }

    /// Time from request to last token.
    pub fn end_to_end(&self) -> Seconds {
        self.prediction.end_to_end(self.workload.later_tokens())
    }

    /// Interval of the time from request to last token: both latencies at their ends at once.
    pub fn end_to_end_interval(&self) -> Interval {
        let steps = self.workload.later_tokens();
        Interval { low: self.ttft.low + self.itl.low * steps, high: self.ttft.high + self.itl.high * steps }
    }
}

impl Forecaster {
    /// Prepares a target with what a calibration says of it; without one the priors alone.
    ///
    /// # Errors
    /// The system cannot be predicted, or the calibration is of another estimator.
    pub fn new(
        estimator: &dyn Estimator,
        target: &Target<'_>,
        calibration: Option<&CalibrationRecord>,
    ) -> Result<Self> {
        Self::of(estimator.prepare(target.system, target.load, &[])?, estimator, target, calibration)
    }

    /// As [`Forecaster::new`], for a target that is prepared already.
    ///
    /// # Errors
    /// The calibration is of another estimator.
    pub fn of(
        predictor: Box<dyn Predictor>,
        estimator: &dyn Estimator,
        target: &Target<'_>,
        calibration: Option<&CalibrationRecord>,
    ) -> Result<Self> {
        let Some(record) = calibration else {
            let carried = Transferred::priors(predictor.parameters());
            return Ok(Self {
                spread: carried.spread(),
                carried,
                predictor,
                uncertainty: Uncertainty::unknown(),
                scenarios: Vec::new(),
                outside: Vec::new(),
                is_own: false,
            });
        };
        if record.estimator != estimator.name() {
            return Err(Error::input(format!(
                "the calibration is one of the estimator `{}`, not `{}`",
                record.estimator,
                estimator.name()
            ))
            .help(format!(
                "`perfmodel fit --estimator {}` writes one; `perfmodel evaluate --estimator {}` takes this one",
                estimator.name(),
                record.estimator
            )));
        }
        record.check_values(predictor.parameters())?;
        let own: Vec<&Uncertainty> = record
            .scenarios
            .iter()
            .filter(|scenario| target.scenario == Some(scenario.scenario.as_str()) && scenario.is_of(target.system))
            .map(|scenario| &scenario.uncertainty)
            .collect();
        let all: Vec<&Uncertainty> = record.scenarios.iter().map(|scenario| &scenario.uncertainty).collect();
        let carried = Transferred::of(record, predictor.parameters(), target);
        Ok(Self {
            spread: carried.spread(),
            carried,
            predictor,
            is_own: !own.is_empty(),
            uncertainty: if own.is_empty() {
                Uncertainty::together(&all).of_stranger()
            } else {
                Uncertainty::together(&own)
            },
            outside: system_outside(&record.scenarios, target),
            scenarios: record.scenarios.clone(),
        })
    }

    /// With values that the user gives for sure.
    ///
    /// # Errors
    /// An unknown name, a value that the parameter cannot have, or two values of one.
    pub fn given(mut self, values: &[(String, f64)]) -> Result<Self> {
        for (name, value) in values {
            let parameters = self.predictor.parameters();
            let Some(index) = parameters.iter().position(|parameter| parameter.name == name) else {
                let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
                let near = nearest_hint(name, known.iter().copied());
                return Err(Error::input(format!("no parameter `{name}` matters here"))
                    .help(format!("{near}known: {}", known.join(", "))));
            };
            let parameter = &parameters[index];
            if !(parameter.least..=parameter.upper).contains(value) {
                return Err(Error::input(format!("`{name}` cannot be {value}")).help(format!(
                    "give a value from {} to {} (unit: {})",
                    parameter.least, parameter.upper, parameter.unit
                )));
            }
            if values.iter().filter(|(other, _)| other == name).count() > 1 {
                return Err(Error::input(format!("`{name}` is set twice")).help("give one value for each parameter"));
            }
            self.carried.give(index, *value);
        }
        if !values.is_empty() {
            self.spread = self.carried.spread();
        }
        Ok(self)
    }

    /// With other values, covariance and origins, as after a refit.
    pub fn with(mut self, carried: Transferred) -> Self {
        self.spread = carried.spread();
        self.carried = carried;
        self
    }

    /// The parameters on which predictions of the target depend.
    pub fn parameters(&self) -> &[Parameter] {
        self.predictor.parameters()
    }

    /// Their values, how sure they are and where they come from.
    pub fn carried(&self) -> &Transferred {
        &self.carried
    }

    /// Value of a parameter, if it matters here.
    pub fn value(&self, name: &str) -> Option<f64> {
        let index = self.parameters().iter().position(|parameter| parameter.name == name)?;
        Some(self.carried.values[index])
    }

    /// What the steps of the target reach of its roofs; `None` if the estimator does not put steps together from operators.
    pub fn efficiencies(&self) -> Option<Efficiencies> {
        self.predictor.efficiencies(&self.carried.values)
    }

    /// Names of the parameters whose values come from there.
    pub fn from_origin(&self, origin: Origin) -> Vec<&'static str> {
        let origins = self.parameters().iter().zip(&self.carried.origins);
        origins.filter(|(_, found)| **found == origin).map(|(parameter, _)| parameter.name).collect()
    }

    /// Whether something is known beforehand of any of its parameters.
    pub fn has_priors(&self) -> bool {
        self.parameters().iter().any(|parameter| parameter.spread.is_some())
    }

    /// Whether there is a calibration behind it.
    pub fn is_calibrated(&self) -> bool {
        !self.scenarios.is_empty()
    }

    /// Where priors stand in for calibrated values, in words for a caution; `None` where none does or all do.
    pub fn priors_in_words(&self) -> Option<String> {
        let priors = self.from_origin(Origin::Prior);
        if priors.is_empty() || !self.is_calibrated() {
            return None;
        }
        let why = if self.is_own {
            "held by the calibration at their documented priors"
        } else {
            "not calibrated for this system, taken from documented priors"
        };
        Some(format!("{why}: {}", priors.join(", ")))
    }

    /// Id of a scenario of the calibration that measured this very system.
    pub fn scenario_of(&self, system: &System) -> Option<&str> {
        self.scenarios.iter().find(|scenario| scenario.is_of(system)).map(|scenario| scenario.scenario.as_str())
    }

    /// Whether the calibration was fitted to this very file of measurements.
    pub fn has_seen(&self, measured_sha256: &str) -> bool {
        self.scenarios.iter().any(|scenario| scenario.measured_sha256 == measured_sha256)
    }

    /// Axes on which the target and its workloads leave what was calibrated.
    pub fn outside<'a>(&self, workloads: impl Iterator<Item = &'a Workload> + Clone) -> Vec<Outside> {
        let mut outside = self.outside.clone();
        outside.extend(workload_outside(&self.scenarios, workloads));
        outside
    }

    /// Predicts a workload without its intervals: what a search over many needs.
    pub fn predict(&self, workload: &Workload) -> Prediction {
        self.predictor.predict(workload, &self.carried.values)
    }

    /// Predicts a workload.
    ///
    /// What the parameters leave open may shrink away from the data, what is known does not: outside the calibrated range no
    /// interval is narrower than at its nearest edge, if requests queue for admission at both or at none. (In an open loop the
    /// edge is as busy.)
    pub fn forecast(&self, workload: &Workload) -> Forecast {
        let prediction = self.predict(workload);
        let mut scales = self.scales(workload, &prediction);
        if let Some(edge) = nearest_inside(&self.scenarios, workload) {
            let (edge, at_edge) = self.as_busy(edge, &prediction);
            if alike(workload, &prediction, &edge, &at_edge) {
                let [ttft, itl] = self.scales(&edge, &at_edge);
                scales = [scales[0].max(ttft), scales[1].max(itl)];
            }
        }
        let [ttft, itl] = self.uncertainty.intervals(&prediction, scales);
        Forecast { workload: *workload, prediction, ttft, itl }
    }

    /// A workload and its prediction, in an open loop at the rate that uses as much of its capacity as `other` of its own.
    fn as_busy(&self, workload: Workload, other: &Prediction) -> (Workload, Prediction) {
        let prediction = self.predict(&workload);
        let rate = other.open_loop.zip(prediction.open_loop).map(|(other, own)| other.utilisation * own.capacity_rps);
        let at_rate =
            |rate| Workload::under(workload.kind(), workload.input_tokens(), workload.output_tokens(), rate).ok();
        rate.and_then(at_rate).map_or((workload, prediction), |workload| (workload, self.predict(&workload)))
    }

    fn scales(&self, workload: &Workload, prediction: &Prediction) -> [Sides; 2] {
        self.uncertainty.scales(self.predictor.as_ref(), workload, prediction, &self.spread)
    }
}

/// Whether requests queue at both workloads or at none.
fn alike(workload: &Workload, prediction: &Prediction, other: &Workload, at_other: &Prediction) -> bool {
    let is_queued = |workload, prediction| regime(workload, prediction) == Regime::Queued;
    workload.kind() == LoadKind::OpenLoop || is_queued(workload, prediction) == is_queued(other, at_other)
}
