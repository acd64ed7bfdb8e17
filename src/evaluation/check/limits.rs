//! What is watched, and how large it may be.

use super::CheckMode;
use crate::calibration::ErrorSummary;

/// An error that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// Mean absolute relative error of ITL.
    ItlMape,
    /// Mean absolute relative error of TTFT.
    TtftMape,
    /// Median absolute relative error of TTFT.
    TtftMedian,
    /// Mean absolute relative error of throughput.
    ThroughputMape,
    /// That of ITL with each workload predicted by a fit to the others.
    LeftOutItlMape,
    /// The median of TTFT with each workload predicted by a fit to the others.
    LeftOutTtftMedian,
}

impl Metric {
    /// Every metric, in the order of tables.
    pub const ALL: [Self; 6] = [
        Self::ItlMape,
        Self::TtftMape,
        Self::TtftMedian,
        Self::ThroughputMape,
        Self::LeftOutItlMape,
        Self::LeftOutTtftMedian,
    ];

    /// Key in JSON.
    pub const fn key(self) -> &'static str {
        match self {
            Self::ItlMape => "itl_mape_pct",
            Self::TtftMape => "ttft_mape_pct",
            Self::TtftMedian => "ttft_median_ape_pct",
            Self::ThroughputMape => "throughput_mape_pct",
            Self::LeftOutItlMape => "left_out_itl_mape_pct",
            Self::LeftOutTtftMedian => "left_out_ttft_median_ape_pct",
        }
    }

    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ItlMape => "ITL MAPE",
            Self::TtftMape => "TTFT MAPE",
            Self::TtftMedian => "TTFT median",
            Self::ThroughputMape => "throughput MAPE",
            Self::LeftOutItlMape => "left-out ITL MAPE",
            Self::LeftOutTtftMedian => "left-out TTFT median",
        }
    }

    /// Whether it needs fits that did not see what they predict.
    pub const fn is_left_out(self) -> bool {
        match self {
            Self::LeftOutItlMape | Self::LeftOutTtftMedian => true,
            Self::ItlMape | Self::TtftMape | Self::TtftMedian | Self::ThroughputMape => false,
        }
    }
}

/// Errors of one scenario that can be watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WatchedErrors {
    /// In sample after a fit, or of predictions with the values of a baseline.
    pub seen: ErrorSummary,
    /// With each workload left out of the fit that predicts it, if that was computed.
    pub left_out: Option<ErrorSummary>,
}

impl WatchedErrors {
    /// The value of a metric, if it is known.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::ItlMape => Some(self.seen.itl_mape_pct),
            Metric::TtftMape => Some(self.seen.ttft_mape_pct),
            Metric::TtftMedian => Some(self.seen.ttft_median_ape_pct),
            Metric::ThroughputMape => self.seen.throughput_mape_pct,
            Metric::LeftOutItlMape => self.left_out.map(|errors| errors.itl_mape_pct),
            Metric::LeftOutTtftMedian => self.left_out.map(|errors| errors.ttft_median_ape_pct),
        }
    }
}

/// What errors may be at most; what is `None` is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Percentage points above the recorded error.
    pub regression: Option<f64>,
    /// ITL MAPE in percent.
    pub itl_mape_pct: Option<f64>,
    /// TTFT MAPE in percent.
    pub ttft_mape_pct: Option<f64>,
    /// Median TTFT error in percent.
    pub ttft_median_pct: Option<f64>,
    /// Throughput MAPE in percent.
    pub throughput_mape_pct: Option<f64>,
    /// ITL MAPE of left-out workloads in percent.
    pub left_out_itl_mape_pct: Option<f64>,
    /// Median TTFT error of left-out workloads in percent.
    pub left_out_ttft_median_pct: Option<f64>,
}

impl Limits {
    /// Without limits on errors themselves, which are those of one estimator.
    pub fn only_regression(self) -> Self {
        Self { regression: self.regression, ..Self::default() }
    }

    /// These, and where they say nothing, others.
    pub fn or(self, other: Self) -> Self {
        Self {
            regression: self.regression.or(other.regression),
            itl_mape_pct: self.itl_mape_pct.or(other.itl_mape_pct),
            ttft_mape_pct: self.ttft_mape_pct.or(other.ttft_mape_pct),
            ttft_median_pct: self.ttft_median_pct.or(other.ttft_median_pct),
            throughput_mape_pct: self.throughput_mape_pct.or(other.throughput_mape_pct),
            left_out_itl_mape_pct: self.left_out_itl_mape_pct.or(other.left_out_itl_mape_pct),
            left_out_ttft_median_pct: self.left_out_ttft_median_pct.or(other.left_out_ttft_median_pct),
        }
    }

    /// The limit on the value of a metric.
    pub const fn absolute(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::ItlMape => self.itl_mape_pct,
            Metric::TtftMape => self.ttft_mape_pct,
            Metric::TtftMedian => self.ttft_median_pct,
            Metric::ThroughputMape => self.throughput_mape_pct,
            Metric::LeftOutItlMape => self.left_out_itl_mape_pct,
            Metric::LeftOutTtftMedian => self.left_out_ttft_median_pct,
        }
    }

    /// Metrics in a mode whose value is limited.
    pub fn limited(&self, mode: CheckMode) -> impl Iterator<Item = Metric> {
        Metric::ALL.into_iter().filter(move |metric| watched(*metric, mode) && self.absolute(*metric).is_some())
    }

    /// Whether any limit is on left-out errors.
    pub fn limits_left_out(&self) -> bool {
        Metric::ALL.into_iter().any(|metric| metric.is_left_out() && self.absolute(metric).is_some())
    }
}

/// Evaluation with given values leaves nothing out.
pub(super) const fn watched(metric: Metric, mode: CheckMode) -> bool {
    match mode {
        CheckMode::Refit => true,
        CheckMode::Evaluate => !metric.is_left_out(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::check::comparison::tests::errors;

    #[test]
    fn a_limit_that_is_given_wins_over_one_from_further_away() {
        let near = Limits { itl_mape_pct: Some(1.0), ..Limits::default() };
        let far = Limits { itl_mape_pct: Some(9.0), ttft_mape_pct: Some(8.0), ..Limits::default() };
        let both = near.or(far);
        assert_eq!((both.itl_mape_pct, both.ttft_mape_pct), (Some(1.0), Some(8.0)));
    }

    #[test]
    fn every_metric_has_its_own_limit_and_value() {
        let all = Limits {
            regression: None,
            itl_mape_pct: Some(1.0),
            ttft_mape_pct: Some(2.0),
            ttft_median_pct: Some(3.0),
            throughput_mape_pct: Some(4.0),
            left_out_itl_mape_pct: Some(5.0),
            left_out_ttft_median_pct: Some(6.0),
        };
        let errors =
            WatchedErrors { seen: errors(1.0, 2.0, 3.0, Some(4.0)), left_out: Some(errors(5.0, 0.0, 6.0, None)) };
        for (metric, want) in Metric::ALL.into_iter().zip([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) {
            assert_eq!(all.absolute(metric), Some(want), "{metric:?}");
            assert_eq!(errors.value(metric), Some(want), "{metric:?}");
        }
    }
}
