//! The values of one dimension on one side.

use super::{Filter, Settings};
use crate::requests::{Dimension, RequestLog};
use crate::stats::{
    BootstrapInterval, IntervalMethod, LeaveOneOut, Moments, OrderInterval, QuantileRule, Resampling, Scheme,
    acceleration, interval, lag_one, order_interval, resampled_quantiles,
};

/// Values of a dimension that count, of all runs of a side, sorted.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// The values, rising.
    pub sorted: Vec<f64>,
    /// Requests for which the dimension is not known.
    pub unknown: usize,
    /// Zeros that the filter left out.
    pub zeros: usize,
    /// Indices of `sorted` in the order in which the requests were sent, run by run.
    order: Vec<u32>,
    /// Indices of `sorted` for each run that has values.
    runs: Vec<Vec<u32>>,
}

impl Sample {
    /// Of the logs of a side. Requests without a time of sending keep the order of the file.
    pub fn new<'a>(logs: impl IntoIterator<Item = &'a RequestLog>, dimension: Dimension, filter: Filter) -> Self {
        let mut sample = Self::default();
        // Run and value in the order of sending.
        let mut values: Vec<(u32, f64)> = Vec::new();
        for (run, log) in logs.into_iter().enumerate() {
            let mut sent: Vec<(f64, f64)> = Vec::new();
            for (value, time) in log.dimension(dimension).zip(log.sent()) {
                match value {
                    None => sample.unknown += 1,
                    Some(0.0) if filter == Filter::Positive => sample.zeros += 1,
                    Some(value) => sent.push((time.unwrap_or(f64::NEG_INFINITY), value)),
                }
            }
            sent.sort_by(|a, b| a.0.total_cmp(&b.0));
            values.extend(sent.into_iter().map(|(_, value)| (run as u32, value)));
        }
        let mut by_value: Vec<u32> = (0..values.len() as u32).collect();
        by_value.sort_by(|a, b| values[*a as usize].1.total_cmp(&values[*b as usize].1));
        sample.order = vec![0; values.len()];
        for (index, place) in by_value.iter().enumerate() {
            sample.order[*place as usize] = index as u32;
        }
        sample.sorted = by_value.iter().map(|place| values[*place as usize].1).collect();
        let runs = values.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len);
        let mut start = 0;
        for length in runs {
            sample.runs.push(sample.order[start..start + length].to_vec());
            start += length;
        }
        sample
    }

    /// Correlation of neighbours in the order of sending: of values that depend on those before them it is not about 0.
    fn lag_one(&self) -> Option<f64> {
        lag_one(&self.order.iter().map(|index| self.sorted[*index as usize]).collect::<Vec<_>>())
    }

    /// What is drawn with replacement under the settings.
    fn scheme(&self, block: Option<usize>) -> Scheme<'_> {
        match block {
            _ if self.runs.len() > 1 => Scheme::Runs(&self.runs),
            Some(length) => Scheme::Blocks { order: &self.order, length },
            None => Scheme::Independent,
        }
    }

    /// Quantiles of resamples, a list for each level.
    pub(super) fn resampled(
        &self,
        levels: &[f64],
        settings: &Settings,
        block: Option<usize>,
        sample: u32,
    ) -> Vec<Vec<f64>> {
        let resampling = Resampling { resamples: settings.resamples, seed: settings.seed, sample };
        resampled_quantiles(&self.sorted, levels, settings.rule, self.scheme(block), resampling)
    }

    /// How intervals can be made of the resamples: acceleration takes requests to be independent.
    pub(super) fn method(&self, settings: &Settings, block: Option<usize>) -> IntervalMethod {
        match settings.method {
            IntervalMethod::Bca if self.scheme(block) != Scheme::Independent => IntervalMethod::Percentile,
            method => method,
        }
    }

    /// Values of a quantile without each request in turn.
    pub(super) fn leave_one_out(&self, p: f64, rule: QuantileRule) -> LeaveOneOut {
        LeaveOneOut::of_quantile(&self.sorted, p, rule)
    }
}

/// A quantile with its intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileEstimate {
    /// Probability.
    pub p: f64,
    /// Value.
    pub value: f64,
    /// Interval from resamples.
    pub bootstrap: BootstrapInterval,
    /// Interval between values of the sample, free of any assumption but independence.
    pub order: OrderInterval,
    /// Whether five requests at least lie beyond it; of fewer, resamples say nothing.
    pub reliable: bool,
}

/// The figures of a box plot by plotly's default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxFigure {
    /// Lower quartile (Hazen's rule, as the upper).
    pub q1: f64,
    /// Median.
    pub median: f64,
    /// Upper quartile.
    pub q3: f64,
    /// Smallest value within 1.5 interquartile ranges of the lower quartile.
    pub lower_whisker: f64,
    /// Largest within 1.5 of the upper.
    pub upper_whisker: f64,
    /// Values beyond the whiskers.
    pub outliers: usize,
}

impl BoxFigure {
    /// Of sorted values; `None` for none.
    pub fn of(sorted: &[f64]) -> Option<Self> {
        let quantile = |p| QuantileRule::Hazen.of(sorted, p);
        let (q1, median, q3) = (quantile(0.25)?, quantile(0.5)?, quantile(0.75)?);
        let reach = 1.5 * (q3 - q1);
        let first = sorted.partition_point(|value| *value < q1 - reach);
        let end = sorted.partition_point(|value| *value <= q3 + reach);
        Some(Self {
            q1,
            median,
            q3,
            lower_whisker: *sorted.get(first)?,
            upper_whisker: *sorted.get(end.checked_sub(1)?)?,
            outliers: first + sorted.len() - end,
        })
    }

    /// The values beyond the whiskers.
    pub fn outside(&self, sorted: &[f64]) -> Vec<f64> {
        let beyond = |value: &f64| *value < self.lower_whisker || *value > self.upper_whisker;
        sorted.iter().copied().filter(beyond).collect()
    }
}

/// One dimension on one side.
#[derive(Debug, Clone)]
pub struct SampleStudy {
    /// Its values.
    pub sample: Sample,
    /// Mean, variance, skewness.
    pub moments: Moments,
    /// Median of the distances from the median.
    pub median_deviation: f64,
    /// Its quantiles, as far as the sample is large enough to have them.
    pub quantiles: Vec<QuantileEstimate>,
    /// Its box.
    pub box_figure: BoxFigure,
    /// Correlation of neighbours in the order of sending.
    pub lag_one: Option<f64>,
}

/// Whether a sample has a quantile at all, `n ≥ 1/(1 − p)`, so that one value lies beyond it; for low quantiles below it.
pub(super) fn has(count: usize, p: f64) -> bool {
    beyond(count, p) >= 1.0
}

/// Whether a quantile can be relied on: five values lie beyond it.
pub(super) fn is_reliable(count: usize, p: f64) -> bool {
    beyond(count, p) >= 5.0
}

/// Values beyond a quantile; what rounding takes from a whole number is given back.
fn beyond(count: usize, p: f64) -> f64 {
    count as f64 * (1.0 - p).min(p) * (1.0 + 1e-12)
}

impl SampleStudy {
    /// Of a sample with two values at least; `resampled` holds its resamples for each of the settings' quantiles.
    pub(super) fn new(sample: Sample, settings: &Settings, resampled: &[Vec<f64>]) -> Option<Self> {
        let sorted = &sample.sorted;
        let moments = Moments::of(sorted)?;
        let method = sample.method(settings, settings.block);
        let quantiles = settings
            .quantiles
            .iter()
            .zip(resampled)
            .filter(|(p, _)| has(sorted.len(), **p))
            .map(|(p, resampled)| {
                let value = settings.rule.of(sorted, *p)?;
                let accelerated = acceleration(&[sample.leave_one_out(*p, settings.rule)]);
                Some(QuantileEstimate {
                    p: *p,
                    value,
                    bootstrap: interval(resampled, value, accelerated, settings.confidence, method),
                    order: order_interval(sorted, *p, settings.confidence)?,
                    reliable: is_reliable(sorted.len(), *p),
                })
            })
            .collect::<Option<Vec<_>>>()?;
        let median = QuantileRule::Linear.of(sorted, 0.5)?;
        let mut distances: Vec<f64> = sorted.iter().map(|value| (value - median).abs()).collect();
        distances.sort_by(f64::total_cmp);
        Some(Self {
            moments,
            median_deviation: QuantileRule::Linear.of(&distances, 0.5)?,
            quantiles,
            box_figure: BoxFigure::of(sorted)?,
            lag_one: sample.lag_one(),
            sample,
        })
    }
}
