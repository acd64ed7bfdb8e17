//! Bins that several samples share.

use super::QuantileRule;

/// More bins than this are not drawn.
const MOST_BINS: f64 = 2_000.0;

/// Equal bins from a multiple of their width: bin k holds `start + k·width ≤ x < start + (k + 1)·width`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bins {
    /// Left end of the first bin.
    pub start: f64,
    /// Width.
    pub width: f64,
    /// How many.
    pub count: usize,
}

impl Bins {
    /// At most `most` bins over the values; their width is 1, 2 or 5 times a power of ten. `None` for no values.
    pub fn at_most(sorted: &[f64], most: usize) -> Option<Self> {
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let raw = (high - low) / most.max(1) as f64;
        Some(Self::over(low, high, if raw > 0.0 { round_up(raw) } else { 1.0 }))
    }

    /// Bins of the width of Freedman and Diaconis, `2·IQR·n^(−1/3)`, rounded up to 1, 2 or 5 times a power of ten.
    ///
    /// Source: Freedman and Diaconis 1981, <https://doi.org/10.1007/BF01025868>.
    pub fn freedman_diaconis(sorted: &[f64]) -> Option<Self> {
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let spread = QuantileRule::Linear.of(sorted, 0.75)? - QuantileRule::Linear.of(sorted, 0.25)?;
        let raw = (2.0 * spread * (sorted.len() as f64).powf(-1.0 / 3.0)).max((high - low) / MOST_BINS);
        if raw > 0.0 { Some(Self::over(low, high, round_up(raw))) } else { Self::at_most(sorted, 1) }
    }

    /// Bins of a width over a range.
    pub fn over(low: f64, high: f64, width: f64) -> Self {
        let first = (low / width).floor();
        Self { start: first * width, width, count: ((high / width).floor() - first) as usize + 1 }
    }

    /// How many of the values each bin holds; those outside are left out.
    pub fn counts(&self, values: &[f64]) -> Vec<usize> {
        let mut counts = vec![0; self.count];
        for value in values {
            let place = ((value - self.start) / self.width).floor();
            if place >= 0.0
                && let Some(count) = counts.get_mut(place as usize)
            {
                *count += 1;
            }
        }
        counts
    }

    /// Middles of the bins.
    pub fn middles(&self) -> Vec<f64> {
        (0..self.count).map(|k| self.start + (k as f64 + 0.5) * self.width).collect()
    }
}

/// The next of 1, 2, 5 times a power of ten.
pub fn round_up(value: f64) -> f64 {
    let ten = 10_f64.powf(value.log10().floor());
    // A value that is one of them but for rounding stays.
    [1.0, 2.0, 5.0].into_iter().map(|step| step * ten).find(|step| *step >= value * (1.0 - 1e-12)).unwrap_or(10.0 * ten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_round() {
        for (value, want) in [(11.45, 20.0), (0.0013, 0.002), (0.2, 0.2), (0.51, 1.0), (1.0, 1.0)] {
            assert!((round_up(value) - want).abs() < 1e-12 * want, "{value}");
        }
    }

    #[test]
    fn bins_hold_every_value_and_both_edges() {
        let sorted = [0.0, 1.0, 2.0, 9.99, 10.0];
        let bins = Bins::over(0.0, 10.0, 5.0);
        assert_eq!(bins.counts(&sorted), [3, 1, 1]);
        assert_eq!(bins.middles(), [2.5, 7.5, 12.5]);
        let found = Bins::freedman_diaconis(&sorted).unwrap();
        assert_eq!(found.counts(&sorted).iter().sum::<usize>(), 5);
        assert_eq!(Bins::freedman_diaconis(&[3.0; 4]).unwrap().counts(&[3.0; 4]), [4]);
        assert!(Bins::freedman_diaconis(&[]).is_none());
    }
}
