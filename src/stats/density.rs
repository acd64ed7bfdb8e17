//! Gaussian kernel density estimate.

use std::f64::consts::PI;

/// Scott's bandwidth `s·n^(−1/5)` with the sample standard deviation s (divided by n − 1). `None` for fewer than two values or
/// for equal ones: they have no density, only a place.
///
/// Source: Scott 1992, Multivariate Density Estimation, section 6.3.
pub fn scott_bandwidth(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let bandwidth = variance.sqrt() * count.powf(-0.2);
    (bandwidth > 0.0 && bandwidth.is_finite()).then_some(bandwidth)
}

/// Density of values at points, `f(x) = Σ exp(−(x − x_i)²/(2h²)) / (n·h·√(2π))` with Scott's bandwidth h. `None` where
/// [`scott_bandwidth`] has none.
pub fn density(values: &[f64], at: &[f64]) -> Option<Vec<f64>> {
    let bandwidth = scott_bandwidth(values)?;
    let scale = values.len() as f64 * bandwidth * (2.0 * PI).sqrt();
    let kernel = |x: f64, center: f64| (-((x - center) / bandwidth).powi(2) / 2.0).exp();
    Some(at.iter().map(|&x| values.iter().map(|&center| kernel(x, center)).sum::<f64>() / scale).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_points_by_hand() {
        // Values 0 and 2: s = √2, h = √2·2^(−1/5) = 1.231144, 1/(2h√2π) = 0.1620207.
        let values = [0.0, 2.0];
        let h = scott_bandwidth(&values).unwrap();
        assert!((h - 1.231_144_413).abs() < 1e-9);
        let got = density(&values, &[1.0, 0.0]).unwrap();
        // At 1 both kernels are e^(−1/(2h²)) = 0.7190122; at 0 they are 1 and e^(−2/h²) = 0.2672668.
        let unit = 1.0 / (2.0 * h * (2.0 * PI).sqrt());
        assert!((got[0] - 2.0 * unit * 0.719_012_2).abs() < 1e-6, "{got:?}");
        assert!((got[1] - unit * 1.267_266_8).abs() < 1e-6, "{got:?}");
    }

    #[test]
    fn between_the_ends_of_the_values_lies_less_than_all_of_it() {
        let values = [1.0, 1.2, 1.3, 2.0, 2.1, 4.0];
        let points: Vec<f64> = (0..=2000).map(|i| 1.0 + 3.0 * f64::from(i) / 2000.0).collect();
        let f = density(&values, &points).unwrap();
        let area: f64 = f.windows(2).map(|pair| f64::midpoint(pair[0], pair[1]) * 3.0 / 2000.0).sum();
        assert!((0.6..1.0).contains(&area), "{area}");
    }

    #[test]
    fn values_without_spread_have_no_density() {
        assert!(density(&[], &[1.0]).is_none() && density(&[1.0], &[1.0]).is_none());
        assert!(density(&[2.0; 5], &[2.0]).is_none());
    }
}
