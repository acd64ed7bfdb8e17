//! Statistics of means, squares and products.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Moments of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// How many values.
    pub count: usize,
    /// Mean.
    pub mean: f64,
    /// Sample variance, divided by n − 1; 0 for one value.
    pub variance: f64,
    /// Skewness `m₃/m₂^(3/2)` of the central moments divided by n; 0 where all values are equal.
    pub skewness: f64,
}

impl Moments {
    /// Of values; `None` for none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        // The mean of equal values is that value; their sum over n need not be, and what remains would look like a spread.
        let first = values.first()?;
        let equal = values.iter().all(|value| value == first);
        let mean = if equal { *first } else { values.iter().sum::<f64>() / n };
        let sum = |power: i32| values.iter().map(|x| (x - mean).powi(power)).sum::<f64>();
        let squares = sum(2);
        let spread = (squares / n).powf(1.5);
        Some(Self {
            count: values.len(),
            mean,
            variance: if values.len() > 1 { squares / (n - 1.0) } else { 0.0 },
            skewness: if spread > 0.0 { sum(3) / n / spread } else { 0.0 },
        })
    }

    /// Sample standard deviation.
    pub fn deviation(&self) -> f64 {
        self.variance.sqrt()
    }
}

/// Welch's test of equal means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Welch {
    /// t of the second mean minus the first.
    pub t: f64,
    /// Degrees of freedom.
    pub degrees: f64,
    /// Two-sided p value.
    pub p: f64,
}

/// Welch's t test, second minus first: `t = (m₂ − m₁)/√(v₁ + v₂)`, `v = s²/n`,
/// `df = (v₁ + v₂)²/(v₁²/(n₁ − 1) + v₂²/(n₂ − 1))`. `None` where a sample has fewer than two values or none varies.
///
/// Source: Welch 1947, Biometrika 34:28.
pub fn welch(first: &Moments, second: &Moments) -> Option<Welch> {
    let [v1, v2] = [first, second].map(|moments| moments.variance / moments.count as f64);
    let (t, degrees) = (
        (second.mean - first.mean) / (v1 + v2).sqrt(),
        (v1 + v2).powi(2) / (v1 * v1 / (first.count as f64 - 1.0) + v2 * v2 / (second.count as f64 - 1.0)),
    );
    Some(Welch { t, degrees, p: two_sided_t(t, degrees)? })
}

/// Cohen's d, second minus first, over the pooled standard deviation. `None` where nothing varies.
///
/// Source: Cohen 1988, Statistical Power Analysis, section 2.2.
pub fn cohen_d(first: &Moments, second: &Moments) -> Option<f64> {
    let (n1, n2) = (first.count as f64, second.count as f64);
    let pooled = ((n1 - 1.0) * first.variance + (n2 - 1.0) * second.variance) / (n1 + n2 - 2.0);
    (pooled > 0.0).then(|| (second.mean - first.mean) / pooled.sqrt())
}

/// Two-sided p value of Student's t.
pub(super) fn two_sided_t(t: f64, degrees: f64) -> Option<f64> {
    let distribution = StudentsT::new(0.0, 1.0, degrees).ok()?;
    t.is_finite().then(|| 2.0 * distribution.cdf(-t.abs()))
}

/// A straight line through points by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Value at 0.
    pub intercept: f64,
    /// Rise per unit.
    pub slope: f64,
    /// Standard error of the slope.
    pub slope_error: f64,
    /// Pearson's correlation.
    pub correlation: f64,
    /// Points.
    pub count: usize,
    /// Mean of x.
    pub mean_x: f64,
    /// Squares of x about its mean, summed.
    pub squares_x: f64,
}

impl Line {
    /// The line of least squares through (x, y). `None` for fewer than three points or one place of x.
    pub fn through(points: &[(f64, f64)]) -> Option<Self> {
        let n = points.len() as f64;
        let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / n;
        let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
        let sum = |part: &dyn Fn(f64, f64) -> f64| points.iter().map(|(x, y)| part(x - mx, y - my)).sum::<f64>();
        let (xx, yy, xy) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
        (points.len() > 2 && xx > 0.0).then(|| {
            let slope = xy / xx;
            Self {
                intercept: my - slope * mx,
                slope,
                slope_error: ((yy - slope * xy).max(0.0) / (n - 2.0) / xx).sqrt(),
                correlation: if yy > 0.0 { xy / (xx * yy).sqrt() } else { 0.0 },
                count: points.len(),
                mean_x: mx,
                squares_x: xx,
            }
        })
    }

    /// Half the width of an interval for the line's own height at x at this confidence; `None` without a degree of freedom.
    pub fn height_reach(&self, x: f64, confidence: f64) -> Option<f64> {
        let leverage = self.squares_x / self.count as f64 + (x - self.mean_x).powi(2);
        Some(self.slope_reach(confidence)? * leverage.sqrt())
    }

    /// Half the width of an interval for the slope at this confidence; `None` without a degree of freedom.
    pub fn slope_reach(&self, confidence: f64) -> Option<f64> {
        let distribution = StudentsT::new(0.0, 1.0, self.count as f64 - 2.0).ok()?;
        Some(distribution.inverse_cdf(f64::midpoint(1.0, confidence)) * self.slope_error)
    }

    /// The line at x.
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

/// Correlation of neighbours in a sequence, `Σ(xᵢ − m)(xᵢ₊₁ − m)/Σ(xᵢ − m)²`. `None` where nothing varies.
pub fn lag_one(values: &[f64]) -> Option<f64> {
    let mean = Moments::of(values)?.mean;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    let products: f64 = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    (squares > 0.0).then(|| products / squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_slope_is_that_of_students_t() {
        // By hand: slope 1.1, residual squares 2.7, so stderr √(2.7/2/5) = 0.519615242; t(0.975, 2) = 4.302652730 (tables).
        let line = Line::through(&[(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 5.0)]).unwrap();
        assert!((line.slope_reach(0.95).unwrap() - 4.302_652_73 * 0.519_615_242).abs() < 1e-6);
        // At the mean of x the height is as uncertain as a mean of four: s/√4, s = √(2.7/2).
        assert!((line.height_reach(2.5, 0.95).unwrap() - 4.302_652_73 * (2.7_f64 / 2.0 / 4.0).sqrt()).abs() < 1e-6);
        assert!(line.height_reach(4.0, 0.95) > line.height_reach(3.0, 0.95));
    }

    #[test]
    fn a_line_through_its_own_points_is_found() {
        let line = Line::through(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).unwrap();
        assert_eq!((line.intercept, line.slope, line.correlation, line.at(4.0)), (1.0, 2.0, 1.0, 9.0));
        assert!(Line::through(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]).is_none());
    }

    #[test]
    fn equal_values_have_no_skew_no_test_and_no_neighbours() {
        // 200 × 0.1 / 200 is not 0.1 in binary.
        let tenths = [0.1; 200];
        assert_eq!(Moments::of(&tenths).unwrap().deviation(), 0.0);
        assert!(lag_one(&tenths).is_none());
        let equal = Moments::of(&[2.0; 5]).unwrap();
        assert_eq!((equal.deviation(), equal.skewness), (0.0, 0.0));
        assert!(welch(&equal, &equal).is_none() && cohen_d(&equal, &equal).is_none() && lag_one(&[2.0; 5]).is_none());
        assert!(Moments::of(&[]).is_none());
    }

    #[test]
    fn neighbours_that_alternate_are_anticorrelated() {
        assert_eq!(lag_one(&[1.0, -1.0, 1.0, -1.0]), Some(-0.75));
    }
}
