//! The interquartile filter of the benchmark.

use super::QuantileRule;

/// Values lie within this many interquartile ranges of the quartiles, or are outliers.
const RANGES: f64 = 1.5;

/// Of fewer values than this none is an outlier: quartiles of three values are those values.
const FEWEST: usize = 4;

/// Quartiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quartiles {
    /// 25 %.
    pub first: f64,
    /// 50 %.
    pub second: f64,
    /// 75 %.
    pub third: f64,
}

/// Quartiles by the exclusive method, as Python's `statistics.quantiles(values, n=4)`.
///
/// Of n sorted values a, with m = n + 1 and for i = 1, 2, 3: `j = ⌊i·m/4⌋` held between 1 and n − 1, `δ = i·m − 4·j`,
/// `Q = (a[j−1]·(4 − δ) + a[j]·δ)/4`. Where j is held, the quartile lies outside the values. One value is all of its quartiles;
/// no value has none.
pub fn quartiles(values: &[f64]) -> Option<Quartiles> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |p| QuantileRule::Llmeter.of(&sorted, p);
    Some(Quartiles { first: at(0.25)?, second: at(0.5)?, third: at(0.75)? })
}

/// The values within 1.5 interquartile ranges of the quartiles, in their order; of fewer than four values all.
pub fn without_outliers(values: &[f64]) -> Vec<f64> {
    let Some(Quartiles { first, third, .. }) = quartiles(values).filter(|_| values.len() >= FEWEST) else {
        return values.to_vec();
    };
    let reach = RANGES * (third - first);
    values.iter().copied().filter(|value| (first - reach..=third + reach).contains(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_those_of_python() {
        // python3 -c 'import statistics as s; print(s.quantiles([1, 2, 10], n=4), s.quantiles([1, 5], n=4))'
        let eight: Vec<f64> = (1..=8).map(f64::from).collect();
        for (values, want) in
            [(eight, [2.25, 4.5, 6.75]), (vec![10.0, 1.0, 2.0], [1.0, 2.0, 10.0]), (vec![1.0, 5.0], [0.0, 3.0, 6.0])]
        {
            let got = quartiles(&values).unwrap();
            assert_eq!([got.first, got.second, got.third], want, "{values:?}");
        }
        assert_eq!(quartiles(&[7.0]).unwrap().third, 7.0);
        assert_eq!(quartiles(&[]), None);
    }

    #[test]
    fn an_outlier_goes_and_the_order_stays() {
        assert_eq!(without_outliers(&[5.0, 4.0, 90.0, 5.5, 4.5, 5.0]), [5.0, 4.0, 5.5, 4.5, 5.0]);
    }

    #[test]
    fn few_values_and_equal_ones_all_stay() {
        for values in [vec![], vec![1.0], vec![1.0, 100.0], vec![1.0, 2.0, 900.0], vec![3.0; 9]] {
            assert_eq!(without_outliers(&values), values);
        }
    }
}
