//! The standard normal distribution.

use std::f64::consts::FRAC_1_SQRT_2;

use statrs::function::erf::erfc;

/// Probability that a standard normal variate exceeds `x`.
pub fn normal_tail(x: f64) -> f64 {
    0.5 * erfc(x * FRAC_1_SQRT_2)
}
