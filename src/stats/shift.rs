//! The Hodges–Lehmann shift.

use statrs::distribution::{ContinuousCDF, Normal};

/// How far a second sample lies above a first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Median of all differences `bⱼ − aᵢ`.
    pub estimate: f64,
    /// Lower end of the confidence interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Rank of the lower end among the differences, from 1; the upper has it from above.
    pub rank: u64,
}

/// The Hodges–Lehmann shift of two sorted samples, and the interval that inverts the Mann–Whitney test: the k-th difference
/// from either end, `k = ⌊mn/2 − z·√(mn(m + n + 1)/12)⌋`, at least 1. `None` where one is empty.
///
/// The m·n differences are never made. A difference of a given rank is found by bisection, counting in one pass those not above,
/// until a few times m + n are left: O((m + n)·log(mn)), and at most 128 passes whatever the values are.
///
/// Source: Hodges and Lehmann 1963, <https://doi.org/10.1214/aoms/1177704172>; interval after Hollander, Wolfe and Chicken 2014,
/// section 4.3.
pub fn hodges_lehmann(first: &[f64], second: &[f64], confidence: f64) -> Option<Shift> {
    let pairs = first.len() as u64 * second.len() as u64;
    if pairs == 0 {
        return None;
    }
    let (m, n, all) = (first.len() as f64, second.len() as f64, pairs as f64);
    let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence));
    let rank = (all / 2.0 - z * (all * (m + n + 1.0) / 12.0).sqrt()).floor().max(1.0) as u64;
    let at = |rank: u64| difference_of_rank(first, second, rank);
    let middle = at(pairs.div_ceil(2));
    let estimate = if pairs % 2 == 1 { middle } else { f64::midpoint(middle, at(pairs / 2 + 1)) };
    Some(Shift { estimate, low: at(rank), high: at(pairs - rank + 1), rank })
}

/// The `rank`-th smallest of all `bⱼ − aᵢ`, from 1.
fn difference_of_rank(first: &[f64], second: &[f64], rank: u64) -> f64 {
    let (mut low, mut high) = bracket(first, second, rank);
    let few = 1_000 + 4 * (first.len() + second.len()) as u64;
    let mut below = not_above(first, second, from_ordered(low - 1));
    let mut up_to = not_above(first, second, from_ordered(high));
    let mut halve_values = true;
    while low < high {
        if up_to - below <= few {
            let mut left = between(first, second, from_ordered(low), from_ordered(high));
            let place = (rank - below - 1) as usize;
            return *left.select_nth_unstable_by(place, f64::total_cmp).1;
        }
        // Halving the values splits the differences most evenly; halving the bits ends even where many are equal.
        let middle = if halve_values {
            ordered(f64::midpoint(from_ordered(low), from_ordered(high))).clamp(low, high - 1)
        } else {
            // Rounds down for negative sums too.
            ((i128::from(low) + i128::from(high)) >> 1) as i64
        };
        halve_values = !halve_values;
        let count = not_above(first, second, from_ordered(middle));
        if count >= rank {
            (high, up_to) = (middle, count);
        } else {
            (low, below) = (middle + 1, count);
        }
    }
    from_ordered(low)
}

/// Values of each sample that are enough for a first guess.
const THIN: usize = 2_048;

/// Ends between which the difference of a rank lies. Large samples are thinned out for a guess, which counting then confirms.
fn bracket(first: &[f64], second: &[f64], rank: u64) -> (i64, i64) {
    let mut low = ordered(second[0] - first[first.len() - 1]);
    let mut high = ordered(second[second.len() - 1] - first[0]);
    if first.len().max(second.len()) > 4 * THIN {
        let thin = |sorted: &[f64]| -> Vec<f64> {
            let step = sorted.len().div_ceil(THIN);
            sorted.iter().skip(step / 2).step_by(step).copied().collect()
        };
        let (thin_first, thin_second) = (thin(first), thin(second));
        let pairs = (thin_first.len() * thin_second.len()) as f64;
        let share = rank as f64 / (first.len() as f64 * second.len() as f64);
        let slack = 4.0 / THIN as f64;
        let guess = |share: f64| {
            let rank = (share * pairs).clamp(1.0, pairs) as u64;
            ordered(difference_of_rank(&thin_first, &thin_second, rank))
        };
        let (from, to) = (guess(share - slack), guess(share + slack));
        if not_above(first, second, from_ordered(from - 1)) < rank {
            low = from;
        }
        if not_above(first, second, from_ordered(to)) >= rank {
            high = to;
        }
    }
    (low, high)
}

/// The differences from `low` to `high`, in no order.
fn between(first: &[f64], second: &[f64], low: f64, high: f64) -> Vec<f64> {
    let mut found = Vec::new();
    let mut start = 0;
    for b in second {
        while start < first.len() && b - first[start] > high {
            start += 1;
        }
        found.extend(first[start..].iter().map(|a| b - a).take_while(|difference| *difference >= low));
    }
    found
}

/// How many differences are not above a limit. Rounding keeps differences in order, so one pass counts them.
fn not_above(first: &[f64], second: &[f64], limit: f64) -> u64 {
    let (mut count, mut start) = (0, 0);
    for b in second {
        while start < first.len() && b - first[start] > limit {
            start += 1;
        }
        count += (first.len() - start) as u64;
    }
    count
}

/// Integers in the order of floats; −0 and 0 are neighbours.
fn ordered(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { i64::MIN.wrapping_sub(bits) - 1 } else { bits }
}

fn from_ordered(key: i64) -> f64 {
    let bits = if key < 0 { i64::MIN.wrapping_sub(key + 1) } else { key };
    f64::from_bits(bits.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_go_there_and_back() {
        for value in [0.0, -0.0, 1.5, -1.5, f64::MIN_POSITIVE, -1e300, 1e300] {
            assert_eq!(from_ordered(ordered(value)).to_bits(), value.to_bits());
        }
        assert!(ordered(-1.0) < ordered(-0.5) && ordered(-0.5) < ordered(-0.0) && ordered(-0.0) < ordered(0.0));
        assert!(ordered(0.0) < ordered(1e-300));
    }

    #[test]
    fn large_samples_are_bracketed_and_counted_right() {
        // Differences of k and 2j for k, j below n: the median of all n² is n/2 by symmetry around it.
        let n = 6 * THIN;
        let first: Vec<f64> = (0..n).map(|k| k as f64).collect();
        let second: Vec<f64> = (0..n).map(|j| 2.0 * j as f64).collect();
        let shift = hodges_lehmann(&first, &second, 0.95).unwrap();
        assert!((shift.estimate - (n as f64 - 1.0) / 2.0).abs() < 1.0, "{}", shift.estimate);
        assert!(not_above(&first, &second, shift.low) >= shift.rank);
        assert!(not_above(&first, &second, shift.low - 0.5) < shift.rank);
        // All differences equal: nothing to bisect.
        let equal = vec![3.0; n];
        assert_eq!(hodges_lehmann(&equal, &equal, 0.95).unwrap().estimate, 0.0);
    }

    proptest! {
        #[test]
        fn every_rank_is_that_of_the_sorted_differences(
            mut first in prop::collection::vec(-4.0..4.0_f64, 1..12),
            mut second in prop::collection::vec(prop_oneof![-4.0..4.0_f64, Just(1.0)], 1..12),
        ) {
            first.sort_by(f64::total_cmp);
            second.sort_by(f64::total_cmp);
            let mut differences: Vec<f64> = second.iter().flat_map(|b| first.iter().map(move |a| b - a)).collect();
            differences.sort_by(f64::total_cmp);
            for (index, want) in differences.iter().enumerate() {
                prop_assert_eq!(difference_of_rank(&first, &second, index as u64 + 1), *want);
            }
        }

        #[test]
        fn a_shifted_sample_is_found_shifted(
            mut first in prop::collection::vec(-4.0..4.0_f64, 2..30), by in -3.0..3.0_f64,
        ) {
            first.sort_by(f64::total_cmp);
            let second: Vec<f64> = first.iter().map(|a| a + by).collect();
            let shift = hodges_lehmann(&first, &second, 0.95).unwrap();
            prop_assert!((shift.estimate - by).abs() < 1e-9 && shift.low <= by + 1e-9 && shift.high >= by - 1e-9);
        }
    }
}
