//! Errors of today against limits.

use super::CheckMode;
use super::limits::{Limits, Metric, WatchedErrors, watched};

/// By how many percentage points an error may exceed the recorded one unless the user says otherwise. A check repeats the
/// seed of the baseline; other seeds move the errors of the shipped scenarios by less than 0.01 in sample and by at most
/// 0.54 with a workload left out.
const MAX_REGRESSION: f64 = 0.5;

/// What a limit is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitKind {
    /// The error itself, in percent.
    Absolute,
    /// Its change against the baseline, in percentage points.
    Regression,
}

impl LimitKind {
    /// Name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absolute => "absolute",
            Self::Regression => "regression",
        }
    }
}

/// One error against one limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Which error.
    pub metric: Metric,
    /// As recorded, in percent.
    pub baseline: Option<f64>,
    /// Today, in percent; `None`: it cannot be computed any more, which fails.
    pub now: Option<f64>,
    /// The limit: percent, or percentage points of change.
    pub limit: f64,
    /// What the limit is on.
    pub kind: LimitKind,
}

impl Comparison {
    /// Change in percentage points; above 0 the error grew.
    pub fn change(&self) -> Option<f64> {
        Some(self.now? - self.baseline?)
    }

    /// Whether the limit holds. An error that is not there does not pass: what was to be watched went away.
    pub fn passed(&self) -> bool {
        let value = match self.kind {
            LimitKind::Absolute => self.now,
            LimitKind::Regression => self.change(),
        };
        // What is printed as equal to its limit does not fail.
        value.is_some_and(|value| value <= self.limit || hundredths(value) <= self.limit)
    }

    /// What is asked, as a phrase.
    pub fn demand(&self) -> String {
        match self.kind {
            LimitKind::Absolute => format!("{} at most {} %", self.metric.name(), self.limit),
            LimitKind::Regression => {
                format!("{} at most {} points above the baseline", self.metric.name(), self.limit)
            }
        }
    }

    /// What was found, as a sentence without a full stop.
    pub fn finding(&self) -> String {
        let name = self.metric.name();
        let Some(now) = self.now else {
            let why = if self.metric.is_left_out() {
                "the rows allow no fit with a workload left out"
            } else {
                "the measurements do not have it"
            };
            return format!("{name} cannot be compared: {why}");
        };
        match (self.kind, self.baseline) {
            (LimitKind::Absolute, _) => format!("{name} is {now:.2} %, the limit {} %", self.limit),
            (LimitKind::Regression, baseline) => format!(
                "{name} is {now:.2} %, {} points from the {:.2} % of the baseline; +{} are allowed",
                signed(self.change().unwrap_or(f64::NAN)),
                baseline.unwrap_or(f64::NAN),
                self.limit
            ),
        }
    }
}

/// As errors are printed.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Two decimals with a sign; never `-0.00`.
pub fn signed(value: f64) -> String {
    let rounded = hundredths(value);
    format!("{:+.2}", if rounded == 0.0 { 0.0 } else { rounded })
}

/// Holds errors against the limits: for each metric first the limit on its value, then that on its change.
pub fn compare(
    now: &WatchedErrors,
    baseline: Option<&WatchedErrors>,
    limits: &Limits,
    mode: CheckMode,
) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for metric in Metric::ALL.into_iter().filter(|metric| watched(*metric, mode)) {
        let recorded = baseline.and_then(|baseline| baseline.value(metric));
        let mut add = |limit, kind| {
            comparisons.push(Comparison { metric, baseline: recorded, now: now.value(metric), limit, kind });
        };
        if let Some(limit) = limits.absolute(metric) {
            add(limit, LimitKind::Absolute);
        }
        if recorded.is_some() {
            add(limits.regression.unwrap_or(MAX_REGRESSION), LimitKind::Regression);
        }
    }
    comparisons
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::calibration::ErrorSummary;

    pub fn errors(itl: f64, ttft: f64, median: f64, throughput: Option<f64>) -> ErrorSummary {
        ErrorSummary {
            loss: 0.0,
            ttft_mape_pct: ttft,
            ttft_median_ape_pct: median,
            ttft_rmse_ms: 0.0,
            itl_mape_pct: itl,
            itl_median_ape_pct: 0.0,
            itl_rmse_ms: 0.0,
            throughput_mape_pct: throughput,
        }
    }

    pub fn watched_errors(itl: f64, left_out_itl: Option<f64>) -> WatchedErrors {
        WatchedErrors {
            seen: errors(itl, 10.0, 5.0, Some(3.0)),
            left_out: left_out_itl.map(|itl| errors(itl, 20.0, 15.0, None)),
        }
    }

    #[test]
    fn an_error_at_its_limit_passes_and_above_it_fails() {
        for (now, limit, want) in [
            (2.0, 2.0, true),
            (1.9, 2.0, true),
            (2.01, 2.0, false),
            (0.1 + 0.2, 0.3, true),
            // As printed it is 2.00, and then 2.01.
            (2.0049, 2.0, true),
            (2.0051, 2.0, false),
            (2.0051, 2.006, true),
            (f64::NAN, 2.0, false),
        ] {
            let limits = Limits { itl_mape_pct: Some(limit), ..Limits::default() };
            let found = compare(&watched_errors(now, None), None, &limits, CheckMode::Refit);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].passed(), want, "{now} against {limit}");
        }
    }

    #[test]
    fn a_regression_is_counted_in_points_from_the_baseline() {
        let baseline = watched_errors(2.0, None);
        for (now, regression, want) in [
            (2.5, None, true),
            (2.51, None, false),
            (1.0, None, true),
            (2.5, Some(0.4), false),
            (2.0, Some(0.0), true),
            (9.0, Some(7.0), true),
        ] {
            let limits = Limits { regression, ..Limits::default() };
            let found = compare(&watched_errors(now, None), Some(&baseline), &limits, CheckMode::Refit);
            let itl = found.iter().find(|one| one.metric == Metric::ItlMape).unwrap();
            assert_eq!(itl.kind, LimitKind::Regression);
            assert_eq!(itl.passed(), want, "{now} with {regression:?}");
            assert_eq!(itl.change(), Some(now - 2.0));
        }
    }

    #[test]
    fn without_a_baseline_only_values_are_limited_and_without_limits_nothing_is_compared() {
        let limits = Limits { regression: Some(0.1), ..Limits::default() };
        assert!(compare(&watched_errors(2.0, Some(3.0)), None, &limits, CheckMode::Refit).is_empty());
    }

    #[test]
    fn an_error_that_went_away_fails() {
        let (now, baseline) = (watched_errors(2.0, None), watched_errors(2.0, Some(3.0)));
        let found = compare(&now, Some(&baseline), &Limits::default(), CheckMode::Refit);
        let left_out: Vec<&Comparison> = found.iter().filter(|one| one.metric.is_left_out()).collect();
        assert_eq!(left_out.len(), 2);
        assert!(left_out.iter().all(|one| !one.passed() && one.change().is_none()));
        assert_eq!(
            left_out[0].finding(),
            "left-out ITL MAPE cannot be compared: the rows allow no fit with a workload left out"
        );
    }

    #[test]
    fn evaluation_leaves_nothing_out() {
        let errors = watched_errors(2.0, Some(3.0));
        let limits = Limits { left_out_itl_mape_pct: Some(1.0), ..Limits::default() };
        let found = compare(&errors, Some(&errors), &limits, CheckMode::Evaluate);
        assert!(found.len() == 4 && found.iter().all(|one| !one.metric.is_left_out()));
        assert!(limits.limits_left_out());
        assert_eq!(limits.limited(CheckMode::Evaluate).count(), 0);
        assert_eq!(limits.limited(CheckMode::Refit).collect::<Vec<_>>(), [Metric::LeftOutItlMape]);
    }

    #[test]
    fn a_change_is_never_minus_nothing() {
        assert_eq!([-0.001, 0.0, 0.126, -0.126].map(signed), ["+0.00", "+0.00", "+0.13", "-0.13"]);
    }
}
