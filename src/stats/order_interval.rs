//! Confidence intervals of quantiles without any assumption on the distribution.

use statrs::distribution::{Binomial, DiscreteCDF};

/// Interval of a quantile whose ends are values of the sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderInterval {
    /// Rank of the lower end, from 1; 0 means that no value is low enough.
    pub lower_rank: usize,
    /// Rank of the upper end, from 1; n + 1 means that no value is high enough.
    pub upper_rank: usize,
    /// Value at the lower rank.
    pub low: Option<f64>,
    /// Value at the upper rank.
    pub high: Option<f64>,
    /// Chance that the interval holds the quantile, at least what was asked for.
    pub coverage: f64,
}

/// Interval of the quantile of probability `p` from `x_(l)` to `x_(u)` of sorted values: the number of values below the
/// quantile is binomial, so with `F` its distribution l is the smallest rank with `F(l) ≥ α/2`, u one more than the smallest
/// with `F ≥ 1 − α/2`, and the coverage is `F(u − 1) − F(l − 1)`. `None` for no values, or p outside 0 to 1.
///
/// Source: Conover 1999, Practical Nonparametric Statistics, section 3.2.
pub fn order_interval(sorted: &[f64], p: f64, confidence: f64) -> Option<OrderInterval> {
    if sorted.is_empty() {
        return None;
    }
    let below = Binomial::new(p, sorted.len() as u64).ok()?;
    let tail = (1.0 - confidence) / 2.0;
    let lower = smallest(&below, sorted.len(), tail);
    let upper = smallest(&below, sorted.len(), 1.0 - tail) + 1;
    let under = if lower == 0 { 0.0 } else { below.cdf(lower as u64 - 1) };
    Some(OrderInterval {
        lower_rank: lower,
        upper_rank: upper,
        low: lower.checked_sub(1).map(|index| sorted[index]),
        high: sorted.get(upper - 1).copied(),
        coverage: below.cdf(upper as u64 - 1) - under,
    })
}

/// Smallest k with `F(k) ≥ q`.
fn smallest(distribution: &Binomial, count: usize, q: f64) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = usize::midpoint(low, high);
        if distribution.cdf(middle as u64) >= q { high = middle } else { low = middle + 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_values_by_hand() {
        // Bin(10, ½): F(1) = 11/1024 < 0.025 ≤ F(2) = 56/1024; F(8) = 1013/1024 ≥ 0.975. Coverage F(8) − F(1) = 1002/1024.
        let sorted: Vec<f64> = (1..=10).map(f64::from).collect();
        let got = order_interval(&sorted, 0.5, 0.95).unwrap();
        assert_eq!((got.lower_rank, got.upper_rank, got.low, got.high), (2, 9, Some(2.0), Some(9.0)));
        assert!((got.coverage - 1002.0 / 1024.0).abs() < 1e-12);
    }

    #[test]
    fn ten_values_cannot_bound_a_high_percentile_from_above() {
        let sorted: Vec<f64> = (1..=10).map(f64::from).collect();
        let got = order_interval(&sorted, 0.99, 0.95).unwrap();
        assert_eq!((got.upper_rank, got.high), (11, None));
        assert!(order_interval(&[], 0.5, 0.95).is_none());
    }
}
