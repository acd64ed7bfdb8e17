//! The two-sample Kolmogorov–Smirnov test.

use nalgebra::DMatrix;
use statrs::function::gamma::ln_gamma;

/// Up to this many pairs of values the p value is exact: a step a pair, so 20 ms.
const MOST_EXACT_PAIRS: usize = 10_000_000;

/// Up to this effective size the distribution for one sample is computed by powers of a matrix.
const MOST_MATRIX: f64 = 1_000.0;

/// From `n·D²` on, both tails never meet: the p value is twice one tail, to less than its own square (10⁻⁷).
const FAR_TAIL: f64 = 8.0;

/// Result of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KolmogorovSmirnov {
    /// Largest distance of both distribution functions.
    pub distance: f64,
    /// Where it is.
    pub location: f64,
    /// Whether the first function is above the second there: the second sample lies higher.
    pub first_above: bool,
    /// Two-sided p value: exact up to ten million pairs, approximate beyond. Ties make it too large, never too small.
    pub p: f64,
    /// Two-sided p value from the distribution of one sample of effective size `mn/(m + n)`.
    pub p_asymptotic: f64,
}

/// Tests two sorted samples. `None` where one is empty.
///
/// The exact p value counts lattice paths that leave the band `|i/m − j/n| < D`, as shares, so that a small one is precise.
///
/// Sources: Hodges 1958, <https://doi.org/10.1007/BF02589501>; Simard and L'Ecuyer 2011, <https://doi.org/10.18637/jss.v039.i11>.
pub fn kolmogorov_smirnov(first: &[f64], second: &[f64]) -> Option<KolmogorovSmirnov> {
    let (m, n) = (first.len(), second.len());
    let (mut i, mut j) = (0, 0);
    // The distance in units of 1/(m·n), signed.
    let (mut largest, mut location) = (0_i128, *first.first()?);
    second.first()?;
    while i < m && j < n {
        let here = first[i].min(second[j]);
        while i < m && first[i] <= here {
            i += 1;
        }
        while j < n && second[j] <= here {
            j += 1;
        }
        let apart = (i * n) as i128 - (j * m) as i128;
        if apart.abs() > largest.abs() {
            (largest, location) = (apart, here);
        }
    }
    let distance = largest.unsigned_abs() as f64 / (m as f64 * n as f64);
    let effective = m as f64 * n as f64 / (m + n) as f64;
    let p_asymptotic = one_sample_tail(effective.round(), distance);
    let p = if m.saturating_mul(n) <= MOST_EXACT_PAIRS {
        paths_outside(m, n, largest.unsigned_abs() as usize)
    } else {
        p_asymptotic
    };
    Some(KolmogorovSmirnov { distance, location, first_above: largest > 0, p, p_asymptotic })
}

/// Share of the lattice paths from (0, 0) to (m, n) that touch `|i·n − j·m| ≥ limit`. A path to (i, j) came from (i − 1, j) with
/// chance i/(i + j).
fn paths_outside(m: usize, n: usize, limit: usize) -> f64 {
    let outside = |i: usize, j: usize| (i * n).abs_diff(j * m) >= limit;
    let mut share = vec![0.0; n + 1];
    for i in 0..=m {
        for j in 0..=n {
            share[j] = if outside(i, j) {
                1.0
            } else {
                let left = if i == 0 { 0.0 } else { share[j] * i as f64 };
                let below = if j == 0 { 0.0 } else { share[j - 1] * j as f64 };
                // The origin lies outside only where the limit is 0.
                if i + j == 0 { 0.0 } else { (left + below) / (i + j) as f64 }
            };
        }
    }
    share[n]
}

/// `P(Dₙ ≥ d)` for one sample of size n.
fn one_sample_tail(n: f64, d: f64) -> f64 {
    if n < 1.0 || d <= 0.5 / n {
        1.0
    } else if d >= 1.0 {
        0.0
    } else if n * d * d > FAR_TAIL {
        (2.0 * smirnov_tail(n, d)).min(1.0)
    } else if n <= MOST_MATRIX {
        (1.0 - marsaglia_tsang_wang(n, d)).clamp(0.0, 1.0)
    } else {
        limit_tail((n.sqrt() + 0.12 + 0.11 / n.sqrt()) * d)
    }
}

/// One tail, `P(Dₙ⁺ ≥ d) = d·Σⱼ C(n, j)·(d + j/n)^(j − 1)·(1 − d − j/n)^(n − j)` over j up to n(1 − d).
///
/// Source: Birnbaum and Tingey 1951, <https://doi.org/10.1214/aoms/1177729550>.
fn smirnov_tail(n: f64, d: f64) -> f64 {
    let terms = (n * (1.0 - d)).floor() as u64;
    let log_factorial = ln_gamma(n + 1.0);
    let term = |j: f64| {
        let rest = 1.0 - d - j / n;
        let choose = log_factorial - ln_gamma(j + 1.0) - ln_gamma(n - j + 1.0);
        let power = if n == j { 0.0 } else { (n - j) * rest.max(0.0).ln() };
        (choose + (j - 1.0) * (d + j / n).ln() + power).exp()
    };
    d * (0..=terms).map(|j| term(j as f64)).sum::<f64>()
}

/// `P(Dₙ < d) = n!/nⁿ·(Hⁿ)_kk` with a matrix of 2k − 1 rows, `k = ⌊n·d⌋ + 1`.
///
/// Source: Marsaglia, Tsang and Wang 2003, <https://doi.org/10.18637/jss.v008.i18>.
fn marsaglia_tsang_wang(n: f64, d: f64) -> f64 {
    let k = (n * d).floor() as usize + 1;
    let size = 2 * k - 1;
    let h = k as f64 - n * d;
    let mut matrix = DMatrix::from_fn(size, size, |i, j| if i + 1 >= j { 1.0 } else { 0.0 });
    for i in 0..size {
        matrix[(i, 0)] -= h.powi(i as i32 + 1);
        matrix[(size - 1, i)] -= h.powi((size - i) as i32);
    }
    if 2.0 * h > 1.0 {
        matrix[(size - 1, 0)] += (2.0 * h - 1.0).powi(size as i32);
    }
    for i in 0..size {
        for j in 0..size {
            if i + 1 > j {
                matrix[(i, j)] *= (-ln_gamma((i + 2 - j) as f64)).exp();
            }
        }
    }
    let (power, exponent) = scaled_power(&matrix, n as u64);
    let mut result = power[(k - 1, k - 1)].ln() + exponent;
    result += ln_gamma(n + 1.0) - n * n.ln();
    result.exp()
}

/// A power of a matrix as `result·e^exponent`, scaled on the way so that nothing overflows.
fn scaled_power(matrix: &DMatrix<f64>, power: u64) -> (DMatrix<f64>, f64) {
    let scaled = |matrix: DMatrix<f64>, exponent: f64| {
        let largest = matrix.amax();
        (matrix / largest, exponent + largest.ln())
    };
    let mut result = (DMatrix::identity(matrix.nrows(), matrix.ncols()), 0.0);
    let mut square = scaled(matrix.clone(), 0.0);
    let mut left = power;
    while left > 0 {
        if left & 1 == 1 {
            result = scaled(&result.0 * &square.0, result.1 + square.1);
        }
        square = scaled(&square.0 * &square.0, 2.0 * square.1);
        left >>= 1;
    }
    result
}

/// Kolmogorov's limit `2·Σ (−1)^(k − 1)·e^(−2k²λ²)`; λ with Stephens' correction for finite n.
///
/// Source: Stephens 1970, Journal of the Royal Statistical Society B 32:115.
fn limit_tail(lambda: f64) -> f64 {
    let term = |k: i32| (-2.0 * f64::from(k * k) * lambda * lambda).exp();
    let sum: f64 = (1..=100).map(|k| if k % 2 == 1 { term(k) } else { -term(k) }).sum();
    // Below this the series no longer converges in 100 terms; the tail is 1 to ten digits.
    if lambda < 0.2 { 1.0 } else { (2.0 * sum).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_lie_apart_have_two_paths_outside() {
        // Of C(6, 3) = 20 orders of 3 and 3 values, 2 keep the samples apart.
        let got = kolmogorov_smirnov(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap();
        assert_eq!((got.distance, got.location, got.first_above), (1.0, 3.0, true));
        assert!((got.p - 0.1).abs() < 1e-15);
    }

    #[test]
    fn equal_samples_are_at_distance_zero() {
        let got = kolmogorov_smirnov(&[1.0, 2.0], &[1.0, 2.0]).unwrap();
        assert_eq!((got.distance, got.p, got.p_asymptotic), (0.0, 1.0, 1.0));
        assert!(kolmogorov_smirnov(&[], &[1.0]).is_none());
    }

    #[test]
    fn one_sample_of_ten_is_as_published() {
        // Marsaglia, Tsang and Wang 2003, section 3: K(10, 0.274) = 0.6284796154565.
        assert!((marsaglia_tsang_wang(10.0, 0.274) - 0.628_479_615_456_5).abs() < 1e-12);
    }

    #[test]
    fn the_ways_to_a_tail_agree_where_they_meet() {
        let d = (FAR_TAIL / 400.0).sqrt();
        let (tails, matrix) = (2.0 * smirnov_tail(400.0, d), 1.0 - marsaglia_tsang_wang(400.0, d));
        assert!((tails / matrix - 1.0).abs() < 1e-5, "{tails} {matrix}");
        let d = 1.2 / MOST_MATRIX.sqrt();
        let (matrix, limit) = (one_sample_tail(MOST_MATRIX, d), one_sample_tail(MOST_MATRIX + 1.0, d));
        assert!((matrix / limit - 1.0).abs() < 0.01, "{matrix} {limit}");
    }
}
