//! Residuals and the loss of a fit.

use crate::dataset::Measurement;
use crate::estimator::Loss;
use crate::prediction::Prediction;

/// A predicted TTFT counts as at most this many times the measured one: that of an overloaded server has no end, but the
/// measuring run had.
const MOST_TIMES: f64 = 1e3;

/// ln(predicted / measured) of TTFT and ITL.
pub fn log_ratios(row: &Measurement, prediction: &Prediction) -> [f64; 2] {
    [(prediction.ttft / row.ttft).min(MOST_TIMES).ln(), (prediction.itl / row.itl).ln()]
}

/// Two residuals of a row, TTFT and ITL, shaped so that the loss is the mean of their squares.
pub fn residuals(loss: Loss, row: &Measurement, prediction: &Prediction) -> [f64; 2] {
    match loss {
        Loss::SoftL1OfLogRatios { scale, itl_weight } => {
            let [ttft, itl] = log_ratios(row, prediction);
            [soft_l1_root(ttft, scale), soft_l1_root(itl_weight * itl, scale)]
        }
        Loss::MeanSquaredRelativeError => [prediction.ttft / row.ttft - 1.0, prediction.itl / row.itl - 1.0],
    }
}

/// Mean of the squared residuals.
pub fn mean_square(residuals: &[f64]) -> f64 {
    residuals.iter().map(|r| r * r).sum::<f64>() / residuals.len() as f64
}

/// Signed square root of the soft-L1 loss `2s²(√(1 + (r/s)²) − 1)`: r near 0, `√(2s|r|)` far out.
fn soft_l1_root(residual: f64, scale: f64) -> f64 {
    let relative = residual / scale;
    // √(1+x²) − 1 without cancellation at small x.
    let excess = relative * relative / (1.0 + (1.0 + relative * relative).sqrt());
    residual.signum() * scale * (2.0 * excess).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_l1_is_quadratic_near_zero_and_linear_far_out() {
        assert!((soft_l1_root(1e-6, 0.1) / 1e-6 - 1.0).abs() < 1e-6);
        assert_eq!(soft_l1_root(0.0, 0.1), 0.0);
        // r = 0.1·√3: 2·0.01·(2 − 1) = 0.02.
        assert!((soft_l1_root(-0.1 * 3f64.sqrt(), 0.1).powi(2) - 0.02).abs() < 1e-12);
        assert!(soft_l1_root(-3.0, 0.1) < 0.0);
        let (near, far) = (soft_l1_root(100.0, 0.1).powi(2), soft_l1_root(200.0, 0.1).powi(2));
        assert!((far / near - 2.0).abs() < 1e-2);
    }

    #[test]
    fn the_mean_square_is_the_mean_of_squares() {
        assert_eq!(mean_square(&[1.0, -2.0, 3.0]), 14.0 / 3.0);
    }
}
