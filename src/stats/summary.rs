//! Mean, median and percentiles in the benchmark's own definitions.

use statrs::statistics::{Data, OrderStatistics};

/// Decimals that a summary keeps.
const DECIMALS: usize = 4;

/// Summary of timings. The definitions are those of the benchmark whose files we read: population standard deviation, the
/// upper median of an even count, percentiles without interpolation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Mean.
    pub mean: f64,
    /// The value at n/2 of the sorted ones: the upper median.
    pub median: f64,
    /// `√(Σ(x − mean)²/n)`.
    pub std: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// The value at n/5 of the sorted ones.
    pub p20: f64,
    /// The value at 4·n/5 of the sorted ones.
    pub p80: f64,
    /// How many.
    pub count: usize,
}

impl Summary {
    /// Of values; each figure rounded to four decimals. `None` for no value.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let mean = sorted.iter().sum::<f64>() / count as f64;
        let variance = sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
        let short = |value: f64| rounded(value, DECIMALS);
        Some(Self {
            mean: short(mean),
            median: short(sorted[count / 2]),
            std: short(variance.sqrt()),
            min: short(min),
            max: short(max),
            p20: short(sorted[count / 5]),
            p80: short(sorted[4 * count / 5]),
            count,
        })
    }
}

/// The middle value, or the mean of the two middle ones. `None` for no value.
pub fn median(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| Data::new(values.to_vec()).median())
}

/// The nearest number with so many decimals, as Python's `round`: nearest to the exact binary value.
pub fn rounded(value: f64, decimals: usize) -> f64 {
    format!("{value:.decimals$}").parse().expect("a formatted number is a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_upper_one_and_percentiles_are_values() {
        let five = Summary::of(&[3.0, 1.0, 5.0, 2.0, 4.0]).unwrap();
        assert_eq!((five.p20, five.median, five.p80, five.count), (2.0, 3.0, 5.0, 5));
        let six = Summary::of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!((six.p20, six.median, six.p80), (2.0, 4.0, 5.0));
        assert_eq!(median(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), Some(3.5));
    }

    #[test]
    fn integer_places_are_those_of_truncated_products_for_every_count() {
        for n in 1_usize..=1000 {
            assert_eq!((n / 5, 4 * n / 5), ((0.2 * n as f64) as usize, (0.8 * n as f64) as usize), "{n}");
        }
    }

    #[test]
    fn one_two_and_equal_values() {
        let one = Summary::of(&[2.5]).unwrap();
        assert_eq!((one.mean, one.median, one.std, one.p20, one.p80, one.count), (2.5, 2.5, 0.0, 2.5, 2.5, 1));
        // √((0.5² + 0.5²)/2): divided by n, not by n − 1.
        assert_eq!(Summary::of(&[1.0, 2.0]).unwrap().std, 0.5);
        assert_eq!(Summary::of(&[3.0; 7]).unwrap().std, 0.0);
        assert_eq!((Summary::of(&[]), median(&[])), (None, None));
    }

    #[test]
    fn rounding_is_to_the_nearest_of_the_exact_binary_value() {
        // python3 -c 'print(round(2.675, 2), round(0.00005, 4), round(1.00005, 4), round(41.17090000000001, 4))'
        for (value, decimals, want) in [(2.675, 2, 2.67), (5e-5, 4, 1e-4), (1.00005, 4, 1.0001), (0.5, 0, 0.0)] {
            assert_eq!(rounded(value, decimals), want, "{value}");
        }
    }
}
