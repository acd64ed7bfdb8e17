//! Leave-one-out values of quantiles, in closed form.

use super::QuantileRule;

/// The values that a statistic takes when one observation is left out, each with how many observations give it.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaveOneOut(Vec<(f64, usize)>);

impl LeaveOneOut {
    /// Of a quantile of sorted values, two at least. Without an observation the quantile lies between two neighbours of the
    /// others, so only three values occur: one for those left of both, one for the upper neighbour, one for the rest.
    pub fn of_quantile(sorted: &[f64], p: f64, rule: QuantileRule) -> Self {
        let left = sorted.len() - 1;
        let at = rule.position(left, p);
        let without = |removed: usize| {
            let value = |index: usize| sorted[if index < removed { index } else { index + 1 }];
            let lower = value(at.index);
            // A single observation has no upper neighbour.
            at.between(lower, if at.index + 1 < left { value(at.index + 1) } else { lower })
        };
        let below = at.index + 1;
        let groups = [(0, below), (below, 1), (below + 1, sorted.len().saturating_sub(below + 1))];
        Self(groups.into_iter().filter(|group| group.1 > 0).map(|(first, count)| (without(first), count)).collect())
    }

    /// The values after a change of the statistic.
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self(self.0.iter().map(|(value, count)| (change(*value), *count)).collect())
    }

    fn count(&self) -> f64 {
        self.0.iter().map(|(_, count)| *count as f64).sum()
    }

    /// `Σ (U/n)^power` of the influences `U = (n − 1)·(mean − value)`.
    fn influence(&self, power: i32) -> f64 {
        let n = self.count();
        let mean = self.0.iter().map(|(value, count)| value * *count as f64).sum::<f64>() / n;
        self.0.iter().map(|(value, count)| *count as f64 * ((n - 1.0) * (mean - value) / n).powi(power)).sum()
    }
}

/// Acceleration of the BCa interval of a statistic of one or more samples: `a = Σⱼ ΣU³/nⱼ³ / (6·(Σⱼ ΣU²/nⱼ²)^(3/2))`; 0 where
/// nothing varies.
///
/// Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, (14.15), for several samples as in scipy.
pub fn acceleration(samples: &[LeaveOneOut]) -> f64 {
    let sum = |power: i32| samples.iter().map(|sample| sample.influence(power)).sum::<f64>();
    let squares = sum(2);
    if squares > 0.0 { sum(3) / (6.0 * squares.powf(1.5)) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closed_form_is_what_leaving_each_out_gives() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
        for count in 2..=sorted.len() {
            for p in [0.01, 0.25, 0.5, 0.9, 0.99] {
                for rule in QuantileRule::ALL {
                    let sorted = &sorted[..count];
                    let mut want: Vec<f64> = (0..count)
                        .map(|removed| {
                            let rest = [&sorted[..removed], &sorted[removed + 1..]].concat();
                            rule.of(&rest, p).unwrap()
                        })
                        .collect();
                    let groups = LeaveOneOut::of_quantile(sorted, p, rule);
                    let mut got: Vec<f64> =
                        groups.0.iter().flat_map(|(value, count)| std::iter::repeat_n(*value, *count)).collect();
                    want.sort_by(f64::total_cmp);
                    got.sort_by(f64::total_cmp);
                    assert_eq!(got, want, "{count} values, p {p}, {}", rule.name());
                }
            }
        }
    }

    #[test]
    fn a_symmetric_sample_is_not_accelerated() {
        let sorted = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0];
        let median = LeaveOneOut::of_quantile(&sorted, 0.5, QuantileRule::Linear);
        assert!(acceleration(&[median]).abs() < 1e-15);
        assert_eq!(acceleration(&[LeaveOneOut::of_quantile(&[2.0; 4], 0.5, QuantileRule::Linear)]), 0.0);
    }
}
