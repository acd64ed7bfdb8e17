//! How the wait for the first token spreads over the requests.

use super::boundary::Boundary;
use super::budget::Budget;
use super::normal::normal_tail;
use super::slots::Slots;
use crate::serving::root::bracketed;
use crate::units::Seconds;

/// Relative precision of a quantile.
const QUANTILE_TOLERANCE: f64 = 1e-9;

/// Largest share of requests that meet nothing but a decode step; what is left must have a distribution of its own.
const LARGEST_PURE_SHARE: f64 = 1.0 - 1e-9;

/// Smallest squared variation of the wait behind prompts; below it is rounding.
const SMALLEST_VARIATION: f64 = 1e-4;

/// A quantile: the probability of exceeding it, and where a standard normal variate is exceeded with that probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    tail: f64,
    normal: f64,
}

/// P50, P90, P99.
pub const LEVELS: [Level; 3] = [
    Level { tail: 0.5, normal: 0.0 },
    Level { tail: 0.1, normal: 1.281_551_565_544_600_4 },
    Level { tail: 0.01, normal: 2.326_347_874_040_841 },
];

/// Distribution of the wait W of a request:
///
/// ```text
/// P(W > z) = (1 − C)·busy·(π·max(0, 1 − z/D) + (1 − π)·G(z)) + C·exp(−max(0, z − m)/w)
/// ```
///
/// With the probability `π = e^(−λ(S + D))·idle` a busy engine is in a step without prompts and nobody else comes in it: the
/// rest of a decode step is uniform. All else is a gamma distribution G with what is left of the mean and the variance, as
/// the cube of a normal variate (Wilson and Hilferty 1931, <https://doi.org/10.1073/pnas.17.12.684>). A request that waits for a
/// place waits for the mean m of the others and an exponential time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wait {
    busy: f64,
    decode: f64,
    pure: f64,
    /// Mean of the gamma distribution; its cube root is normal with `1 − 1/a²` and `1/a`, in units of the mean's root.
    gamma_mean: f64,
    gamma_a: f64,
    /// Mean wait of those that do not wait for a place.
    mean: f64,
    queued: f64,
    queue: f64,
}

impl Wait {
    /// From the effects; `decode` is D in s.
    pub fn new(rate: f64, decode: f64, boundary: &Boundary, budget: &Budget, slots: &Slots) -> Self {
        let pure = ((-rate * (boundary.step + decode)).exp() * budget.idle).min(LARGEST_PURE_SHARE);
        let mean = boundary.mean + budget.mean;
        let gamma_mean = (mean - pure * 0.5 * decode) / (1.0 - pure);
        let square = (boundary.variance + budget.variance + mean * mean - pure * decode * decode / 3.0) / (1.0 - pure);
        let variation = (square / (gamma_mean * gamma_mean) - 1.0).max(SMALLEST_VARIATION);
        Self {
            busy: boundary.busy,
            decode,
            pure,
            gamma_mean,
            gamma_a: 3.0 / variation.sqrt(),
            mean: boundary.busy * mean,
            queued: slots.probability,
            queue: slots.wait,
        }
    }

    /// P(W > z).
    fn tail(&self, z: f64) -> f64 {
        let root = (z / self.gamma_mean).cbrt();
        let gamma = normal_tail(self.gamma_a * (root - 1.0) + 1.0 / self.gamma_a);
        let short = self.busy * (self.pure * (1.0 - z / self.decode).max(0.0) + (1.0 - self.pure) * gamma);
        (1.0 - self.queued) * short + self.queued * (-(z - self.mean).max(0.0) / self.queue).exp()
    }

    /// The wait that is exceeded with the probability of a level.
    pub fn quantile(&self, level: Level) -> Seconds {
        let distance = |z: f64| (self.tail(z).max(f64::MIN_POSITIVE) / level.tail).ln();
        let none = distance(0.0);
        if none <= 0.0 {
            return Seconds::ZERO;
        }
        // No part of the mixture exceeds the largest of its quantiles more often than the level allows.
        let root = (1.0 + (level.normal - 1.0 / self.gamma_a) / self.gamma_a).max(0.0);
        let gamma = self.gamma_mean * root.powi(3);
        let all = gamma.max(self.decode).max(self.mean - self.queue * level.tail.ln());
        let most = distance(all);
        if most >= 0.0 {
            return Seconds::new(all);
        }
        Seconds::new(bracketed(distance, (all, most), (0.0, none), 0.5, QUANTILE_TOLERANCE))
    }
}
