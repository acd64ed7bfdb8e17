//! `--fail-if-slower`: whether a run passes.

use serde::Serialize;

use super::{CompareReport, QuantileDifference};
use crate::error::{Error, Result};
use crate::requests::Dimension;

/// A latency at one percentile against the limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checked {
    /// Clients, for a level of load tests.
    pub clients: Option<u32>,
    /// The side that was compared with the first.
    pub side: String,
    /// Dimension.
    pub dimension: Dimension,
    /// Percentile.
    pub percentile: f64,
    /// Relative change in percent and its interval.
    pub change_pct: f64,
    /// Lower end.
    pub change_low_pct: f64,
    /// Upper end.
    pub change_high_pct: f64,
    /// Whether it passes.
    pub outcome: Outcome,
}

/// How a check ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The whole interval is within the limit.
    Passed,
    /// The whole interval is beyond it.
    Failed,
    /// The interval holds the limit, or the requests are too few for the percentile.
    Open,
}

impl Outcome {
    fn of(quantile: &QuantileDifference, limit: f64) -> Self {
        let interval = quantile.ratio_interval;
        if !quantile.reliable || (interval.low <= 1.0 + limit && interval.high > 1.0 + limit) {
            Self::Open
        } else if interval.low > 1.0 + limit {
            Self::Failed
        } else {
            Self::Passed
        }
    }
}

/// A latency that the first side has and another lacks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unmeasured {
    /// Clients, for a level of load tests.
    pub clients: Option<u32>,
    /// The side that lacks it.
    pub side: String,
    /// Dimension.
    pub dimension: Dimension,
}

/// A side of which far more requests failed than of the first; those that were answered may be fast for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failing {
    /// Clients, for a level of load tests.
    pub clients: Option<u32>,
    /// The side.
    pub side: String,
    /// How many failed.
    pub failed: usize,
    /// Of how many.
    pub requests: usize,
}

/// By how much the share of failed requests may be higher.
const FAILED: f64 = 0.05;

/// The result.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gate {
    /// Relative change that is allowed, in percent.
    pub limit_pct: f64,
    /// What was checked.
    pub checks: Vec<Checked>,
    /// What could not be.
    pub unmeasured: Vec<Unmeasured>,
    /// Sides whose requests failed.
    pub failing: Vec<Failing>,
}

/// A side, with its level of a load test.
pub fn side_at(side: &str, clients: Option<u32>) -> String {
    clients.map_or_else(|| side.to_owned(), |clients| format!("{side} at {clients} clients"))
}

impl Gate {
    /// Checks every latency of every side against the first.
    ///
    /// # Errors
    /// There is nothing to check.
    pub fn of(report: &CompareReport, limit: f64, percentiles: &[f64]) -> Result<Self> {
        let mut checks = Vec::new();
        let mut unmeasured = Vec::new();
        let mut failing = Vec::new();
        for group in &report.groups {
            let share = |(failed, requests): (usize, usize)| failed as f64 / requests as f64;
            let base = share(group.sides[0].failed());
            for side in &group.sides[1..] {
                let (failed, requests) = side.failed();
                if share((failed, requests)) > base + FAILED {
                    failing.push(Failing { clients: group.clients, side: side.name.clone(), failed, requests });
                }
            }
            for study in group.comparison.dimensions.iter().filter(|study| study.dimension.is_latency()) {
                let is_known = study.sides[0].is_some();
                for ((side, own), pair) in group.sides[1..].iter().zip(&study.sides[1..]).zip(&study.pairs) {
                    if is_known && own.is_none() {
                        let dimension = study.dimension;
                        unmeasured.push(Unmeasured { clients: group.clients, side: side.name.clone(), dimension });
                    }
                    let quantiles = pair.iter().flat_map(|pair| &pair.quantiles);
                    for quantile in quantiles.filter(|quantile| percentiles.contains(&quantile.p)) {
                        let percent = |ratio: f64| 100.0 * (ratio - 1.0);
                        checks.push(Checked {
                            clients: group.clients,
                            side: side.name.clone(),
                            dimension: study.dimension,
                            percentile: 100.0 * quantile.p,
                            change_pct: percent(quantile.ratio),
                            change_low_pct: percent(quantile.ratio_interval.low),
                            change_high_pct: percent(quantile.ratio_interval.high),
                            outcome: Outcome::of(quantile, limit),
                        });
                    }
                }
            }
        }
        if checks.is_empty() {
            return Err(Error::input("--fail-if-slower has no latency to look at")
                .help("compare a latency that both runs have measured, and enough requests for its percentile"));
        }
        Ok(Self { limit_pct: 100.0 * limit, checks, unmeasured, failing })
    }

    /// Whether the runs pass.
    ///
    /// # Errors
    /// A check failed, or could not be made.
    pub fn result(&self) -> Result<()> {
        let failed: Vec<String> = self
            .checks
            .iter()
            .filter(|check| check.outcome == Outcome::Failed)
            .map(|check| {
                format!("{} p{} of {}", check.dimension, check.percentile, side_at(&check.side, check.clients))
            })
            .collect();
        if !failed.is_empty() {
            return Err(Error::failed(format!("slower by more than {} %: {}", self.limit_pct, failed.join(", ")))
                .help("find the cause, or raise --fail-if-slower"));
        }
        let failing: Vec<String> = self
            .failing
            .iter()
            .map(|side| format!("{} of {} of {}", side.failed, side.requests, side_at(&side.side, side.clients)))
            .collect();
        if !failing.is_empty() {
            return Err(Error::failed(format!("more requests failed: {}", failing.join(", ")))
                .help("find the cause; those that were answered may only look fast"));
        }
        let lacking: Vec<String> = self
            .unmeasured
            .iter()
            .map(|lacking| format!("{} of {}", lacking.dimension, side_at(&lacking.side, lacking.clients)))
            .collect();
        if lacking.is_empty() {
            return Ok(());
        }
        Err(Error::failed(format!("cannot tell whether it is slower: no {}", lacking.join(", no ")))
            .help("measure what the base has (were answers streamed?), or choose with --dimension"))
    }
}
