//! Statistics of ranks: which of two samples tends to be larger, and by how much.

use statrs::distribution::{ContinuousCDF, Normal};

use super::moments::two_sided_t;
use super::{Line, Moments};

/// How often values of a second sample are above, and level with, those of a first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dominance {
    /// Pairs with the second above.
    pub above: f64,
    /// Pairs with both equal.
    pub equal: f64,
    /// All pairs.
    pub pairs: f64,
}

impl Dominance {
    /// Counts pairs of two sorted samples, in one pass. `None` where one is empty.
    pub fn of(first: &[f64], second: &[f64]) -> Option<Self> {
        let (mut below, mut not_above) = (0, 0);
        let (mut less, mut level) = (0_u64, 0_u64);
        for value in second {
            while below < first.len() && first[below] < *value {
                below += 1;
            }
            while not_above < first.len() && first[not_above] <= *value {
                not_above += 1;
            }
            less += below as u64;
            level += (not_above - below) as u64;
        }
        let pairs = first.len() as f64 * second.len() as f64;
        (pairs > 0.0).then_some(Self { above: less as f64, equal: level as f64, pairs })
    }

    /// Chance that a value of the second sample is above one of the first.
    pub fn probability_above(&self) -> f64 {
        self.above / self.pairs
    }

    /// Vargha and Delaney's A: `P(b > a) + P(b = a)/2`.
    pub fn vargha_delaney(&self) -> f64 {
        (self.above + self.equal / 2.0) / self.pairs
    }

    /// Cliff's δ: `P(b > a) − P(b < a)`.
    ///
    /// Source: Cliff 1993, <https://doi.org/10.1037/0033-2909.114.3.494>.
    pub fn cliffs_delta(&self) -> f64 {
        2.0 * self.vargha_delaney() - 1.0
    }

    /// Mann and Whitney's U of the first and of the second sample.
    pub fn u(&self) -> (f64, f64) {
        let second = self.above + self.equal / 2.0;
        (self.pairs - second, second)
    }
}

/// Cliff's δ in words, by the limits 0.147, 0.33 and 0.474.
///
/// Source: Romano et al. 2006, Annual meeting of the Florida Association of Institutional Research.
pub fn cliff_words(delta: f64) -> &'static str {
    match delta.abs() {
        size if size < 0.147 => "negligible",
        size if size < 0.33 => "small",
        size if size < 0.474 => "medium",
        _ => "large",
    }
}

/// Two-sided p value of the Mann–Whitney test of two sorted samples, by the normal approximation with corrections for ties and
/// continuity: `z = (|U − mn/2| − ½)/σ`, `σ² = mn/12·(N + 1 − Σ(t³ − t)/(N(N − 1)))` over groups of t equal values. `None` where
/// one is empty or all values are equal.
///
/// Source: Mann and Whitney 1947; Hollander, Wolfe and Chicken 2014, section 4.1.
pub fn mann_whitney_p(first: &[f64], second: &[f64]) -> Option<f64> {
    let dominance = Dominance::of(first, second)?;
    let all = (first.len() + second.len()) as f64;
    let ties: f64 = tied_groups(first, second).map(|t| t * t * t - t).sum();
    let variance = dominance.pairs / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    let (u, _) = dominance.u();
    let distance = ((u - dominance.pairs / 2.0).abs() - 0.5).max(0.0);
    (variance > 0.0).then(|| 2.0 * Normal::standard().cdf(-distance / variance.sqrt()))
}

/// Sizes of the groups of equal values in both samples together.
fn tied_groups(first: &[f64], second: &[f64]) -> impl Iterator<Item = f64> {
    let mut all = [first, second].concat();
    all.sort_by(f64::total_cmp);
    let sizes: Vec<f64> = all.chunk_by(|a, b| a == b).map(|group| group.len() as f64).collect();
    sizes.into_iter()
}

/// Brunner and Munzel's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrunnerMunzel {
    /// Statistic; positive where the second sample tends to be larger.
    pub statistic: f64,
    /// Two-sided p value.
    pub p: f64,
}

/// Brunner and Munzel's test that neither of two sorted samples tends to be larger; unlike Mann–Whitney it does not take them to
/// be equally shaped. `None` where a sample has fewer than two values or both lie apart.
///
/// With ranks R in both samples and r in their own, `d = R − r − mean`, `s² = Σd²/(n − 1)`:
/// `W = n₁n₂(R̄₂ − R̄₁)/(N·√(n₁s₁² + n₂s₂²))`, against Student's t.
///
/// Source: Brunner and Munzel 2000, Biometrical Journal 42:17.
pub fn brunner_munzel(first: &[f64], second: &[f64]) -> Option<BrunnerMunzel> {
    let (n1, n2) = (first.len() as f64, second.len() as f64);
    // A value's rank among both less its rank in its own sample is how many of the other are below, ties by half.
    let places = |of: &[f64], other: &[f64]| {
        let placed: Vec<f64> = of
            .iter()
            .map(|x| (other.partition_point(|y| y < x) + other.partition_point(|y| y <= x)) as f64 / 2.0)
            .collect();
        Moments::of(&placed)
    };
    let (one, two) = (places(first, second)?, places(second, first)?);
    let (v1, v2) = (n1 * one.variance, n2 * two.variance);
    // Mean ranks among both are those places plus the mean rank in the own sample.
    let difference = two.mean - one.mean + (n2 - n1) / 2.0;
    let statistic = n1 * n2 * difference / ((n1 + n2) * (v1 + v2).sqrt());
    let degrees = (v1 + v2).powi(2) / (v1 * v1 / (n1 - 1.0) + v2 * v2 / (n2 - 1.0));
    Some(BrunnerMunzel { statistic, p: two_sided_t(statistic, degrees)? })
}

/// Spearman's rank correlation of points and its two-sided p value by Student's t. `None` for fewer than three points or where a
/// coordinate does not vary.
///
/// Source: Spearman 1904, American Journal of Psychology 15:72.
pub fn spearman(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let x = mean_ranks(points.iter().map(|point| point.0));
    let y = mean_ranks(points.iter().map(|point| point.1));
    if y.iter().all(|rank| *rank == y[0]) {
        return None;
    }
    let line = Line::through(&x.into_iter().zip(y).collect::<Vec<_>>())?;
    let (rho, degrees) = (line.correlation, points.len() as f64 - 2.0);
    let p = if rho.abs() < 1.0 { two_sided_t(rho * (degrees / (1.0 - rho * rho)).sqrt(), degrees)? } else { 0.0 };
    Some((rho, p))
}

/// Ranks from 1; equal values share the mean of theirs.
fn mean_ranks(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut order: Vec<(f64, usize)> = values.enumerate().map(|(index, value)| (value, index)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut ranks = vec![0.0; order.len()];
    let mut before = 0;
    for group in order.chunk_by(|a, b| a.0 == b.0) {
        let rank = before as f64 + (group.len() as f64 + 1.0) / 2.0;
        for (_, index) in group {
            ranks[*index] = rank;
        }
        before += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_by_hand() {
        // Of 6 pairs of (1, 2, 2) and (2, 3): 1 < 2, 1 < 3, 2 < 3 twice are above; 2 = 2 twice.
        let got = Dominance::of(&[1.0, 2.0, 2.0], &[2.0, 3.0]).unwrap();
        assert_eq!((got.above, got.equal, got.pairs, got.u()), (4.0, 2.0, 6.0, (1.0, 5.0)));
        assert!((got.cliffs_delta() - 4.0 / 6.0).abs() < 1e-12);
        assert!(Dominance::of(&[], &[1.0]).is_none());
    }

    #[test]
    fn samples_swapped_have_the_same_p_and_the_opposite_effect() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.5], [2.5, 4.5, 5.0, 7.0]);
        assert!((mann_whitney_p(&a, &b).unwrap() - mann_whitney_p(&b, &a).unwrap()).abs() < 1e-15);
        let (one, two) = (brunner_munzel(&a, &b).unwrap(), brunner_munzel(&b, &a).unwrap());
        assert!((one.statistic + two.statistic).abs() < 1e-12 && one.statistic > 0.0);
    }

    #[test]
    fn equal_samples_are_no_evidence() {
        assert!(mann_whitney_p(&[1.0, 1.0], &[1.0, 1.0]).is_none());
        assert!(mann_whitney_p(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]).unwrap() > 0.99);
        assert_eq!(cliff_words(0.2), "small");
    }

    #[test]
    fn a_rising_curve_has_the_full_rank_correlation() {
        let points: Vec<(f64, f64)> = (1..20).map(|i| (f64::from(i), f64::from(i).exp())).collect();
        let (rho, p) = spearman(&points).unwrap();
        assert!((rho - 1.0).abs() < 1e-12 && p < 1e-6);
        assert!(spearman(&[(1.0, 2.0), (2.0, 2.0), (3.0, 2.0)]).is_none());
    }
}
