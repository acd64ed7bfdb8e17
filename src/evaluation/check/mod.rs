//! Whether predictions got worse: the errors of today against recorded ones and against limits.

mod comparison;
mod config;
mod limits;
mod run;

pub use comparison::{Comparison, LimitKind, signed};
pub use config::{CheckConfig, CheckSettings};
pub use limits::{Limits, Metric};
pub use run::{CheckInput, run_check};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the errors of today come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CheckMode {
    /// A fit to the data as they are now, as the baseline was fitted.
    #[default]
    Refit,
    /// The data as they are now, predicted with the values of the baseline.
    Evaluate,
}

impl CheckMode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::Refit, Self::Evaluate];

    /// Name in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refit => "refit",
            Self::Evaluate => "evaluate",
        }
    }
}

/// One scenario after its check.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioCheck {
    /// Scenario.
    pub scenario: String,
    /// Estimator.
    pub estimator: &'static str,
    /// Where the errors of today come from.
    pub mode: CheckMode,
    /// Where the baseline was read, if there is one.
    pub baseline: Option<PathBuf>,
    /// Whether the measurements differ from those of the baseline.
    pub data_changed: Option<bool>,
    /// Each error against each limit.
    pub comparisons: Vec<Comparison>,
    /// Why there are no errors to compare: the fit did not succeed.
    pub failure: Option<String>,
    /// What a reader should know; no failures.
    pub notes: Vec<String>,
}

impl ScenarioCheck {
    /// Whether every limit holds.
    pub fn passed(&self) -> bool {
        self.failed() == 0
    }

    /// Number of limits that do not hold; a fit that did not succeed counts as one.
    pub fn failed(&self) -> usize {
        usize::from(self.failure.is_some()) + self.comparisons.iter().filter(|one| !one.passed()).count()
    }

    /// Number of limits; a fit that did not succeed counts as one.
    pub fn total(&self) -> usize {
        usize::from(self.failure.is_some()) + self.comparisons.len()
    }
}

/// All scenarios after their checks.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckReport {
    /// In the order in which they were asked for.
    pub scenarios: Vec<ScenarioCheck>,
}

impl CheckReport {
    /// Whether every limit of every scenario holds.
    pub fn passed(&self) -> bool {
        self.scenarios.iter().all(ScenarioCheck::passed)
    }

    /// The verdict in one line.
    pub fn verdict(&self) -> String {
        let total: usize = self.scenarios.iter().map(ScenarioCheck::total).sum();
        let failed: usize = self.scenarios.iter().map(ScenarioCheck::failed).sum();
        let comparisons = if total == 1 { "comparison" } else { "comparisons" };
        match failed {
            0 => format!("{} of {total} {comparisons} passed", total - failed),
            _ => format!("{failed} of {total} {comparisons} failed"),
        }
    }
}
#[cfg(test)]
mod tests {
    use super::comparison::compare;
    use super::comparison::tests::watched_errors;
    use super::*;

    #[test]
    fn the_verdict_counts_a_fit_that_failed() {
        let sound = ScenarioCheck {
            scenario: "a".into(),
            estimator: "serving",
            mode: CheckMode::Refit,
            baseline: None,
            data_changed: None,
            comparisons: compare(
                &watched_errors(2.0, None),
                None,
                &Limits { itl_mape_pct: Some(3.0), ..Limits::default() },
                CheckMode::Refit,
            ),
            failure: None,
            notes: Vec::new(),
        };
        let broken = ScenarioCheck { comparisons: Vec::new(), failure: Some("no".into()), ..sound.clone() };
        let report = CheckReport { scenarios: vec![sound.clone()] };
        assert!(report.passed());
        assert_eq!(report.verdict(), "1 of 1 comparison passed");
        let report = CheckReport { scenarios: vec![sound, broken] };
        assert!(!report.passed());
        assert_eq!(report.verdict(), "1 of 2 comparisons failed");
    }
}
