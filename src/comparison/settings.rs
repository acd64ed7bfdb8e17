//! How runs are compared.

use serde::{Deserialize, Serialize};

use crate::requests::Dimension;
use crate::stats::{IntervalMethod, QuantileRule};

/// Which values of a dimension count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Filter {
    /// Those above 0.
    Positive,
    /// Every one that is known, zeros too.
    NotNull,
}

impl Filter {
    /// Every filter.
    pub const ALL: [Self; 2] = [Self::Positive, Self::NotNull];

    /// Its name in flags and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::NotNull => "not-null",
        }
    }
}

/// How runs are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What is compared.
    pub dimensions: Vec<Dimension>,
    /// Which values count.
    pub filter: Filter,
    /// Probabilities of the quantiles, rising.
    pub quantiles: Vec<f64>,
    /// How quantiles are defined.
    pub rule: QuantileRule,
    /// How intervals are made of resamples.
    pub method: IntervalMethod,
    /// Resamples, two at least.
    pub resamples: usize,
    /// Seed of the resamples.
    pub seed: u64,
    /// Confidence of all intervals, between 0 and 1.
    pub confidence: f64,
    /// Requests in a block of the block bootstrap; without it requests count as independent.
    pub block: Option<usize>,
    /// Relative change below which a difference does not matter.
    pub smallest_effect: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dimensions: Dimension::LATENCIES.to_vec(),
            filter: Filter::Positive,
            quantiles: vec![0.5, 0.9, 0.95, 0.99],
            rule: QuantileRule::Linear,
            method: IntervalMethod::Bca,
            resamples: 9_999,
            seed: 1,
            confidence: 0.95,
            block: None,
            smallest_effect: 0.05,
        }
    }
}
