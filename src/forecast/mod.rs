//! Predictions of a system that may never have been measured: values from a calibration or from priors alone, intervals,
//! and what lies outside the calibrated range.

mod capacity;

pub use capacity::Capacity;

use crate::calibration::{
    CalibrationRecord, FittedScenario, Interval, Origin, Outside, Target, Transferred, Uncertainty, nearest_inside,
    regime, system_outside, workload_outside,
};
use crate::error::{Error, Result, nearest_hint};
use crate::estimator::{Estimator, Predictor};
use crate::parameter::Parameter;
use crate::prediction::{Limit, Prediction};
use crate::roofline::Efficiencies;
use crate::units::Seconds;
use crate::workload::Workload;

/// A system ready to be predicted.
pub struct Forecaster {
    predictor: Box<dyn Predictor>,
    carried: Transferred,
    uncertainty: Uncertainty,
    scenarios: Vec<FittedScenario>,
    outside: Vec<Outside>,
}

/// A predicted operating point with its intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// What keeps the operating point from being better: admission if requests queue, else the roof of a step.
    pub fn bound(&self) -> &'static str {
        match self.prediction.limit {
            Limit::KvMemory => "KV memory",
            Limit::MaxSequences => "max sequences",
            Limit::Clients => self.prediction.roof.name(),
        }
    }

    /// Time from request to last token.
    pub fn end_to_end(&self) -> Seconds {
        self.prediction.end_to_end(self.workload.decode_steps())
    }

    /// Interval of the time from request to last token: both latencies at their ends at once.
    pub fn end_to_end_interval(&self) -> Interval {
        let steps = self.workload.decode_steps();
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
                carried,
                predictor,
                uncertainty: Uncertainty::unknown(),
                scenarios: Vec::new(),
                outside: Vec::new(),
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
            .filter(|scenario| target.scenario == Some(scenario.scenario.as_str()))
            .map(|scenario| &scenario.uncertainty)
            .collect();
        let all: Vec<&Uncertainty> = record.scenarios.iter().map(|scenario| &scenario.uncertainty).collect();
        Ok(Self {
            carried: Transferred::of(record, predictor.parameters(), target),
            predictor,
            uncertainty: Uncertainty::together(if own.is_empty() { &all } else { &own }),
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
        Ok(self)
    }

    /// With other values, covariance and origins, as after a refit.
    pub fn with(mut self, carried: Transferred) -> Self {
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

    /// Whether there is a calibration behind it.
    pub fn is_calibrated(&self) -> bool {
        !self.scenarios.is_empty()
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
    /// The linear propagation of the parameters' covariance may shrink away from the data, what is known does not: outside
    /// the calibrated range no interval is narrower than at its nearest edge, if the same regime rules there.
    pub fn forecast(&self, workload: &Workload) -> Forecast {
        let prediction = self.predict(workload);
        let mut scale = self.scale(workload, &prediction);
        if let Some(edge) = nearest_inside(&self.scenarios, workload) {
            let at_edge = self.predict(&edge);
            if regime(&at_edge) == regime(&prediction) {
                let of_edge = self.scale(&edge, &at_edge);
                scale = [scale[0].max(of_edge[0]), scale[1].max(of_edge[1])];
            }
        }
        let [ttft, itl] = self.uncertainty.half_widths(scale);
        Forecast {
            workload: *workload,
            prediction,
            ttft: Interval::around(prediction.ttft, ttft),
            itl: Interval::around(prediction.itl, itl),
        }
    }

    fn scale(&self, workload: &Workload, prediction: &Prediction) -> [f64; 2] {
        self.uncertainty.scale(
            self.predictor.as_ref(),
            workload,
            &self.carried.values,
            &self.carried.covariance,
            regime(prediction),
        )
    }
}
