//! Quantiles of a sorted sample, in the definitions that tools use.

use serde::{Deserialize, Serialize};

/// Where a quantile lies among n sorted values: `x[index]·(1 − fraction) + x[index + 1]·fraction`, indices from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Index of the lower of both values.
    pub index: usize,
    /// Share of the upper one. Outside 0 to 1 only where [`QuantileRule::Llmeter`] extrapolates.
    pub fraction: f64,
}

impl Position {
    /// The value there.
    pub fn of(self, sorted: &[f64]) -> f64 {
        let lower = sorted[self.index];
        // The last value has no upper neighbour; its fraction is 0.
        self.between(lower, sorted.get(self.index + 1).copied().unwrap_or(lower))
    }

    /// The value between two neighbours.
    pub fn between(self, lower: f64, upper: f64) -> f64 {
        // Equal neighbours give exactly their value: ties of resampled medians are counted.
        if lower == upper { lower } else { lower * (1.0 - self.fraction) + upper * self.fraction }
    }
}

/// A definition of quantiles.
///
/// With n values and probability p, the position counted from 1 is
///
/// | rule | position h | where it leaves the values |
/// |---|---|---|
/// | linear | 1 + (n − 1)·p | never |
/// | hazen | n·p + ½ | held at the first or last |
/// | weibull | (n + 1)·p | held at the first or last |
/// | llmeter | (n + 1)·p | goes on along the last two: p99 of ten values is above them all |
///
/// Source: Hyndman and Fan 1996, types 7, 5 and 6; `llmeter` is Python's `statistics.quantiles` with its held index and free
/// remainder, which LLMeter writes into stats.json.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum QuantileRule {
    /// Type 7, numpy's default.
    Linear,
    /// Type 5, the boxes of plotly.
    Hazen,
    /// Type 6.
    Weibull,
    /// Type 6 that extrapolates.
    Llmeter,
}

impl QuantileRule {
    /// Every rule.
    pub const ALL: [Self; 4] = [Self::Linear, Self::Hazen, Self::Weibull, Self::Llmeter];

    /// Its name in flags and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Hazen => "hazen",
            Self::Weibull => "weibull",
            Self::Llmeter => "llmeter",
        }
    }

    /// Where the quantile of probability `p` lies among `count` values, which must be one at least.
    pub fn position(self, count: usize, p: f64) -> Position {
        if count == 1 {
            return Position { index: 0, fraction: 0.0 };
        }
        let n = count as f64;
        let last = n - 1.0;
        // Counted from 0.
        let h = match self {
            Self::Linear => last * p,
            Self::Hazen => (n * p - 0.5).clamp(0.0, last),
            Self::Weibull => ((n + 1.0) * p - 1.0).clamp(0.0, last),
            Self::Llmeter => (n + 1.0) * p - 1.0,
        };
        let index = h.floor().clamp(0.0, last - 1.0);
        Position { index: index as usize, fraction: h - index }
    }

    /// The quantile of sorted values; `None` for none.
    pub fn of(self, sorted: &[f64], p: f64) -> Option<f64> {
        (!sorted.is_empty()).then(|| self.position(sorted.len(), p).of(sorted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_differ_as_published() {
        // numpy.quantile([1, 2, 4, 8, 16], 0.9, method=…): linear 12.8, hazen 16, weibull 16.
        let values = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (rule, want) in [(QuantileRule::Linear, 12.8), (QuantileRule::Hazen, 16.0), (QuantileRule::Weibull, 16.0)] {
            assert!((rule.of(&values, 0.9).unwrap() - want).abs() < 1e-12, "{}", rule.name());
        }
        // 0.9·6 = 5.4: 0.4 of the last gap beyond the last value.
        assert!((QuantileRule::Llmeter.of(&values, 0.9).unwrap() - 19.2).abs() < 1e-12);
    }

    #[test]
    fn every_rule_has_the_same_median_and_one_value_is_all_its_quantiles() {
        for rule in QuantileRule::ALL {
            assert_eq!(rule.of(&[1.0, 2.0, 10.0], 0.5), Some(2.0));
            assert_eq!(rule.of(&[1.0, 2.0, 4.0, 10.0], 0.5), Some(3.0));
            assert_eq!((rule.of(&[7.0], 0.99), rule.of(&[], 0.5)), (Some(7.0), None));
        }
    }
}
