//! Confidence intervals from resampled statistics.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::QuantileRule;

/// How an interval is read off resamples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum IntervalMethod {
    /// Bias-corrected and accelerated.
    Bca,
    /// Quantiles of the resamples.
    Percentile,
    /// Those quantiles mirrored at the estimate.
    Basic,
}

impl IntervalMethod {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Bca, Self::Percentile, Self::Basic];

    /// Its name in flags and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bca => "bca",
            Self::Percentile => "percentile",
            Self::Basic => "basic",
        }
    }
}

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BootstrapInterval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Standard deviation of the resamples, divided by B − 1.
    pub standard_error: f64,
    /// How it was made: percentile instead of BCa where all resamples lie on one side of the estimate.
    pub method: IntervalMethod,
    /// Whether all resamples are equal, so that it has no width.
    pub degenerate: bool,
}

/// The interval of an estimate from its resamples, two at least, all finite.
///
/// BCa takes the quantiles `Φ(z₀ + (z₀ + z)/(1 − a·(z₀ + z)))` of the resamples, z those of the normal distribution, with the
/// bias `z₀ = Φ⁻¹((#{θ* < θ} + #{θ* ≤ θ})/2B)`: ties, which resampled medians have many of, count half. Quantiles are type 7.
///
/// Source: Efron 1987, <https://doi.org/10.1080/01621459.1987.10478410>; the middle of ties as in scipy.
pub fn interval(
    resamples: &[f64],
    estimate: f64,
    acceleration: f64,
    confidence: f64,
    method: IntervalMethod,
) -> BootstrapInterval {
    let mut sorted = resamples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / count;
    let variance = sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let tail = (1.0 - confidence) / 2.0;
    let mut ends = (tail, 1.0 - tail);
    let mut used = method;
    if method == IntervalMethod::Bca {
        let below = sorted.partition_point(|value| *value < estimate) as f64;
        let not_above = sorted.partition_point(|value| *value <= estimate) as f64;
        let share = (below + not_above) / (2.0 * count);
        if share > 0.0 && share < 1.0 {
            let normal = Normal::standard();
            let bias = normal.inverse_cdf(share);
            let end = |p: f64| {
                let z = bias + normal.inverse_cdf(p);
                normal.cdf(bias + z / (1.0 - acceleration * z))
            };
            ends = (end(tail), end(1.0 - tail));
        } else {
            used = IntervalMethod::Percentile;
        }
    }
    let at = |p: f64| QuantileRule::Linear.position(sorted.len(), p).of(&sorted);
    let (low, high) = (at(ends.0), at(ends.1));
    let (low, high) =
        if method == IntervalMethod::Basic { (2.0 * estimate - high, 2.0 * estimate - low) } else { (low, high) };
    BootstrapInterval {
        low,
        high,
        standard_error: variance.sqrt(),
        method: used,
        degenerate: sorted[0] == sorted[sorted.len() - 1],
    }
}

/// Two-sided p value of "the statistic is `null`": twice the smaller share of resamples on either side of it, each with one added so that
/// it is never 0.
///
/// Source: Davison and Hinkley 1997, Bootstrap Methods and their Application, section 4.2.
pub fn bootstrap_p(resamples: &[f64], null: f64) -> f64 {
    let share = |count: usize| (count + 1) as f64 / (resamples.len() + 1) as f64;
    let not_above = resamples.iter().filter(|value| **value <= null).count();
    let not_below = resamples.iter().filter(|value| **value >= null).count();
    (2.0 * share(not_above.min(not_below))).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVEN: [f64; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];

    #[test]
    fn without_bias_and_acceleration_bca_is_the_percentile_interval() {
        let [bca, percentile] =
            [IntervalMethod::Bca, IntervalMethod::Percentile].map(|m| interval(&EVEN, 3.0, 0.0, 0.5, m));
        assert!((bca.low - percentile.low).abs() < 1e-9 && (bca.high - percentile.high).abs() < 1e-9);
        assert!((percentile.low - 2.0).abs() < 1e-12 && (percentile.high - 4.0).abs() < 1e-12);
        assert!((percentile.standard_error - 2.5_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn basic_is_mirrored_at_the_estimate() {
        let basic = interval(&EVEN, 2.0, 0.0, 0.5, IntervalMethod::Basic);
        assert!((basic.low - 0.0).abs() < 1e-12 && (basic.high - 2.0).abs() < 1e-12);
    }

    #[test]
    fn an_estimate_outside_all_resamples_falls_back_and_says_so() {
        let outside = interval(&EVEN, 9.0, 0.0, 0.9, IntervalMethod::Bca);
        assert_eq!(outside.method, IntervalMethod::Percentile);
        let equal = interval(&[2.0; 10], 2.0, 0.0, 0.9, IntervalMethod::Bca);
        assert!(equal.degenerate && equal.low == 2.0 && equal.high == 2.0);
    }

    #[test]
    fn a_null_in_the_middle_is_no_evidence_and_one_outside_is() {
        assert_eq!(bootstrap_p(&EVEN, 3.0), 1.0);
        assert!((bootstrap_p(&EVEN, 0.0) - 2.0 / 6.0).abs() < 1e-12);
    }
}
