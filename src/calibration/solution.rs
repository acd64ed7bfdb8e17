//! What a solver is told, and what it finds.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::identifiability::Flag;
use crate::parameter::Parameter;

/// How to fit.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// Seed of the starts. The same seed, machine and build give the same bits, whatever the number of threads.
    pub seed: u64,
    /// Starts: the first from the defaults, the others random.
    pub starts: usize,
    /// Iterations of one start.
    pub max_iterations: u64,
    /// Parameters held at a value.
    pub fixed: Vec<(String, f64)>,
    /// Parameters to fit that are held by default.
    pub freed: Vec<String>,
    /// Whether priors hold what the data leave open. Without them the data alone decide.
    pub priors: bool,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { seed: 0, starts: 12, max_iterations: 300, fixed: Vec::new(), freed: Vec::new(), priors: true }
    }
}

impl FitOptions {
    /// Spread of a parameter's prior, if priors count.
    pub(super) fn prior(&self, parameter: &Parameter) -> Option<f64> {
        parameter.spread.filter(|_| self.priors)
    }

    /// Whether a parameter that is not fitted may differ from its default: it has a prior, and the user did not set it.
    pub(super) fn is_uncertain(&self, parameter: &Parameter) -> bool {
        self.prior(parameter).is_some() && self.fixed.iter().all(|(name, _)| name != parameter.name)
    }
}

/// A parameter after a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FittedParameter {
    /// Which one.
    pub parameter: Parameter,
    /// The campaign that it belongs to; `None`: all scenarios share it.
    pub campaign: Option<usize>,
    /// Its value.
    pub value: f64,
    /// Its standard error in its own unit, where it is defined.
    pub std_error: Option<f64>,
    /// What the data say of it.
    pub flag: Flag,
}

impl FittedParameter {
    /// Value before the fit: the default, or the value at which it was held.
    pub fn start(&self) -> f64 {
        if self.flag == Flag::Fixed { self.value } else { self.parameter.default }
    }
}

/// How one start ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StartResult {
    /// Loss at its end, priors included.
    pub loss: f64,
    /// Iterations taken.
    pub iterations: u64,
    /// Whether it converged.
    pub converged: bool,
}

/// The values that fit best, and what is known of them.
#[derive(Debug, Clone)]
pub struct Solution {
    /// Every parameter: those that all members share in the estimator's order, then those of further campaigns.
    pub parameters: Vec<FittedParameter>,
    /// Covariance of the coordinates (logarithms, or values on a linear scale); zero where undefined.
    pub covariance: DMatrix<f64>,
    /// Loss before the fit, at the defaults and the held values.
    pub baseline_loss: f64,
    /// Loss of the best start.
    pub loss: f64,
    /// Every start, in order.
    pub starts: Vec<StartResult>,
    /// Which start was the best.
    pub best_start: usize,
    /// Loss of the best start after each iteration, priors included.
    pub history: Vec<f64>,
    /// Whether the best start converged.
    pub converged: bool,
}

impl Solution {
    /// The fitted values in the order of [`Solution::parameters`].
    pub fn values(&self) -> Vec<f64> {
        self.parameters.iter().map(|p| p.value).collect()
    }

    /// The values before the fit: held ones as held, others at their defaults.
    pub fn baseline_values(&self) -> Vec<f64> {
        self.parameters.iter().map(FittedParameter::start).collect()
    }

    /// Number of parameters that the fit changed.
    pub fn free_count(&self) -> usize {
        self.parameters.iter().filter(|p| p.flag != Flag::Fixed).count()
    }

    /// Correlation of two parameters; 0 where undefined.
    pub fn correlation(&self, a: usize, b: usize) -> f64 {
        let scale = (self.covariance[(a, a)] * self.covariance[(b, b)]).sqrt();
        if a == b {
            1.0
        } else if scale > 0.0 {
            self.covariance[(a, b)] / scale
        } else {
            0.0
        }
    }
}
