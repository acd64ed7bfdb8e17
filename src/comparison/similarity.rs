//! Whether two sides were asked the same.

use super::Sample;
use crate::requests::{Dimension, RequestLog};
use crate::stats::{Dominance, KolmogorovSmirnov, Line, QuantileRule, kolmogorov_smirnov, spearman};

/// Medians of tokens further apart than this share are another workload.
const MEDIAN_APART: f64 = 0.05;

/// And so are distributions with a distance above the first at a p value below the second.
const KS_APART: (f64, f64) = (0.1, 0.01);

/// Token counts of a second side against those of a first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// Input or output tokens.
    pub dimension: Dimension,
    /// Both medians.
    pub medians: [f64; 2],
    /// Kolmogorov–Smirnov.
    pub ks: KolmogorovSmirnov,
    /// Which side tends to have more.
    pub dominance: Dominance,
}

impl Similarity {
    /// Of two samples of tokens; `None` where one is empty.
    pub(super) fn of(dimension: Dimension, first: &Sample, second: &Sample) -> Option<Self> {
        let (first, second) = (&first.sorted, &second.sorted);
        Some(Self {
            dimension,
            medians: [QuantileRule::Linear.of(first, 0.5)?, QuantileRule::Linear.of(second, 0.5)?],
            ks: kolmogorov_smirnov(first, second)?,
            dominance: Dominance::of(first, second)?,
        })
    }

    /// Median of the second side over that of the first.
    pub fn median_ratio(&self) -> f64 {
        self.medians[1] / self.medians[0]
    }

    /// Whether both sides may count as the same workload.
    pub fn is_similar(&self) -> bool {
        (self.median_ratio() - 1.0).abs() <= MEDIAN_APART && !(self.ks.distance > KS_APART.0 && self.ks.p < KS_APART.1)
    }
}

/// TTFT at the same prompt length, by a straight line through each side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdjustedTtft {
    /// TTFT in seconds over input tokens of each side.
    pub lines: [Line; 2],
    /// Median input tokens of both sides together.
    pub input_tokens: f64,
}

impl AdjustedTtft {
    /// Of the logs of both sides; `None` where one has no line.
    pub(super) fn of(sides: [&[&RequestLog]; 2]) -> Option<Self> {
        let points = sides.map(|logs| all_pairs(logs, Dimension::InputTokens, Dimension::TimeToFirstToken));
        let mut tokens: Vec<f64> = points.iter().flatten().map(|point| point.0).collect();
        tokens.sort_by(f64::total_cmp);
        let [first, second] = points;
        Some(Self {
            lines: [Line::through(&first)?, Line::through(&second)?],
            input_tokens: QuantileRule::Linear.of(&tokens, 0.5)?,
        })
    }

    /// Difference at that length in seconds, second minus first.
    pub fn difference(&self) -> f64 {
        self.lines[1].at(self.input_tokens) - self.lines[0].at(self.input_tokens)
    }
}

/// Points of all logs of a side. A request that failed after its first token has a TTFT too, so these count every request.
pub(super) fn all_pairs(logs: &[&RequestLog], x: Dimension, y: Dimension) -> Vec<(f64, f64)> {
    let both = |log: &RequestLog| -> Vec<(f64, f64)> {
        let pairs = log.dimension(x).zip(log.dimension(y));
        pairs.filter_map(|(x, y)| Some((x?, y.filter(|y| *y > 0.0)?))).collect()
    };
    logs.iter().flat_map(|log| both(log)).collect()
}

/// Rank correlation of TPOT with the length of the answer, and its p value.
pub(super) fn tpot_over_length(logs: &[&RequestLog]) -> Option<(f64, f64)> {
    spearman(&all_pairs(logs, Dimension::OutputTokens, Dimension::TimePerOutputToken))
}
