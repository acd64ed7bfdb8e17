//! Errors of predictions by metric.

use statrs::statistics::{Data, OrderStatistics};

use crate::calibration::loss::{mean_square, residuals};
use crate::calibration::{ErrorSummary, Interval};
use crate::dataset::Measurement;
use crate::estimator::Loss;
use crate::prediction::Prediction;

/// Errors of one metric over all rows that have it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricErrors {
    /// Mean absolute relative error in percent.
    pub mape_pct: f64,
    /// Median absolute relative error in percent.
    pub median_ape_pct: f64,
    /// Root of the mean squared error in the metric's unit (ms; tokens/s for throughput).
    pub rmse: f64,
    /// Mean signed relative error in percent; above 0 the prediction is too large.
    pub bias_pct: f64,
}

impl MetricErrors {
    /// Errors of pairs (predicted, measured); `None` without pairs.
    pub fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        if pairs.is_empty() {
            return None;
        }
        let count = pairs.len() as f64;
        let relative: Vec<f64> =
            pairs.iter().map(|(predicted, measured)| 100.0 * (predicted / measured - 1.0)).collect();
        let absolute: Vec<f64> = relative.iter().map(|error| error.abs()).collect();
        let squares: f64 = pairs.iter().map(|(predicted, measured)| (predicted - measured).powi(2)).sum();
        Some(Self {
            mape_pct: absolute.iter().sum::<f64>() / count,
            median_ape_pct: Data::new(absolute).median(),
            rmse: (squares / count).sqrt(),
            bias_pct: relative.iter().sum::<f64>() / count,
        })
    }
}

/// Errors of all metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// The estimator's loss.
    pub loss: f64,
    /// TTFT in ms.
    pub ttft: MetricErrors,
    /// ITL in ms.
    pub itl: MetricErrors,
    /// Throughput in tokens/s; `None` if no row has it.
    pub throughput: Option<MetricErrors>,
}

impl Errors {
    /// Errors of rows, each with its prediction; the TTFT of those that are predicted to be overloaded has no end and is not
    /// counted, unless all are.
    ///
    /// # Panics
    /// There are no rows.
    pub fn of(loss: Loss, rows: &[(Measurement, Prediction)]) -> Self {
        let all = || rows.iter().map(|(row, predicted)| (row, predicted));
        let all_residuals: Vec<f64> = all().flat_map(|(row, p)| residuals(loss, row, p)).collect();
        let every_ttft: Vec<_> = all().map(|(row, p)| (p.ttft.as_ms(), row.ttft.as_ms())).collect();
        let ttft: Vec<_> = every_ttft.iter().copied().filter(|(predicted, _)| predicted.is_finite()).collect();
        let itl: Vec<_> = all().map(|(row, p)| (p.itl.as_ms(), row.itl.as_ms())).collect();
        let throughput: Vec<_> =
            all().filter_map(|(row, p)| Some((p.throughput.get(), row.throughput?.get()))).collect();
        Self {
            loss: mean_square(&all_residuals),
            ttft: MetricErrors::of(&ttft).or_else(|| MetricErrors::of(&every_ttft)).expect("a dataset has rows"),
            itl: MetricErrors::of(&itl).expect("a dataset has rows"),
            throughput: MetricErrors::of(&throughput),
        }
    }

    /// The errors under the keys of JSON output and `calibration.toml`.
    pub fn summary(&self) -> ErrorSummary {
        ErrorSummary {
            loss: self.loss,
            ttft_mape_pct: self.ttft.mape_pct,
            ttft_median_ape_pct: self.ttft.median_ape_pct,
            ttft_rmse_ms: self.ttft.rmse,
            itl_mape_pct: self.itl.mape_pct,
            itl_median_ape_pct: self.itl.median_ape_pct,
            itl_rmse_ms: self.itl.rmse,
            throughput_mape_pct: self.throughput.map(|errors| errors.mape_pct),
        }
    }
}

/// A measured row with its prediction.
#[derive(Debug, Clone, Copy)]
pub struct EvaluatedRow {
    /// What was measured.
    pub measured: Measurement,
    /// What the fitted estimator says.
    pub predicted: Prediction,
    /// Interval of TTFT.
    pub ttft_interval: Interval,
    /// Interval of ITL.
    pub itl_interval: Interval,
}

impl EvaluatedRow {
    /// Relative error of TTFT in percent.
    pub fn ttft_error_pct(&self) -> f64 {
        100.0 * (self.predicted.ttft / self.measured.ttft - 1.0)
    }

    /// Relative error of ITL in percent.
    pub fn itl_error_pct(&self) -> f64 {
        100.0 * (self.predicted.itl / self.measured.itl - 1.0)
    }

    /// Relative error of throughput in percent, if it was measured.
    pub fn throughput_error_pct(&self) -> Option<f64> {
        Some(100.0 * (self.predicted.throughput / self.measured.throughput? - 1.0))
    }

    /// The larger of the TTFT and ITL errors, in percent, without that of a TTFT that has no end.
    pub fn worst_error_pct(&self) -> f64 {
        let ttft = Some(self.ttft_error_pct().abs()).filter(|error| error.is_finite());
        ttft.unwrap_or(0.0).max(self.itl_error_pct().abs())
    }
}

/// Says how many rows are predicted to be overloaded, if any are.
pub fn overloaded<'a>(rows: impl Iterator<Item = &'a EvaluatedRow>) -> Option<String> {
    let count = rows.filter(|row| row.predicted.is_overloaded()).count();
    (count > 0).then(|| {
        format!(
            "{count} rows have rates above the predicted capacity, where the queue grows for as long as the load lasts; their \
             TTFT is not counted"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_worked_by_hand() {
        // +10 %, −20 %, +60 %: mean 30, median 20, bias 50/3; squares 1 + 16 + 36 over 3.
        let errors = MetricErrors::of(&[(11.0, 10.0), (16.0, 20.0), (16.0, 10.0)]).unwrap();
        assert!((errors.mape_pct - 30.0).abs() < 1e-9);
        assert!((errors.median_ape_pct - 20.0).abs() < 1e-9);
        assert!((errors.bias_pct - 50.0 / 3.0).abs() < 1e-9);
        assert!((errors.rmse - (53.0f64 / 3.0).sqrt()).abs() < 1e-9);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        let errors = MetricErrors::of(&[(11.0, 10.0), (12.0, 10.0), (13.0, 10.0), (18.0, 10.0)]).unwrap();
        assert!((errors.median_ape_pct - 25.0).abs() < 1e-9);
    }
}
