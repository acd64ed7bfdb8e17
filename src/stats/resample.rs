//! Quantiles of resampled data.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::Beta;
use rayon::prelude::*;

use super::{Position, QuantileRule};

/// Independent resamples of up to this many values are drawn and counted, larger ones by rank. Both have the same distribution; here
/// both take as long.
pub const COUNTED_UP_TO: usize = 2_000;

/// Resamples that share a stream of random numbers.
const CHUNK: usize = 64;

/// How many resamples, from which random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling {
    /// Resamples.
    pub resamples: usize,
    /// Seed; the same gives the same numbers, whatever the number of threads.
    pub seed: u64,
    /// Tells samples of one seed apart.
    pub sample: u32,
}

/// What is drawn with replacement.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Scheme<'a> {
    /// Single values.
    Independent,
    /// Stretches of neighbours, for values that depend on those before them: moving blocks, the last cut to size.
    Blocks {
        /// For each value in its order in time, its index in the sorted sample.
        order: &'a [u32],
        /// Values in a block.
        length: usize,
    },
    /// Runs first, then as many values of each drawn run as it has.
    Runs(
        /// For each run, the indices of its values in the sorted sample.
        &'a [Vec<u32>],
    ),
}

/// Quantiles of resamples of sorted values, one list for each of `levels`, which rise.
///
/// Up to [`COUNTED_UP_TO`] values, and for blocks and runs, every value is drawn. Larger independent samples are drawn by rank: the
/// k-th smallest of n draws is the value at rank `⌈n·U⌉`, U from Beta(k, n − k + 1), and given it the next higher ones
/// follow as smallest of the rest of the unit interval, so a resample costs a few draws whatever n is.
///
/// Source of ranks: David and Nagaraja 2003, Order Statistics, sections 2.1 and 2.5.
pub fn resampled_quantiles(
    sorted: &[f64],
    levels: &[f64],
    rule: QuantileRule,
    scheme: Scheme<'_>,
    resampling: Resampling,
) -> Vec<Vec<f64>> {
    let chunks: Vec<Vec<Vec<f64>>> = (0..resampling.resamples.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let mut random = ChaCha8Rng::seed_from_u64(resampling.seed);
            random.set_stream((u64::from(resampling.sample) << 32) | chunk as u64);
            let count = CHUNK.min(resampling.resamples - chunk * CHUNK);
            let mut drawn = vec![Vec::with_capacity(count); levels.len()];
            let mut resample = Resample::new(sorted, levels, rule, scheme);
            for _ in 0..count {
                resample.draw(&mut random);
                for (list, place) in drawn.iter_mut().zip(0..) {
                    list.push(resample.quantile(place));
                }
            }
            drawn
        })
        .collect();
    let mut lists = vec![Vec::with_capacity(resampling.resamples); levels.len()];
    for chunk in chunks {
        for (list, part) in lists.iter_mut().zip(chunk) {
            list.extend(part);
        }
    }
    lists
}

/// One resample, drawn again and again into the same memory.
struct Resample<'a> {
    sorted: &'a [f64],
    scheme: Scheme<'a>,
    rule: QuantileRule,
    levels: &'a [f64],
    /// Where the quantiles lie, for a resample of the last size.
    positions: Vec<Position>,
    /// The places of order statistics that they need, from 0, rising, each once, and their values.
    needed: Vec<usize>,
    values: Vec<f64>,
    counts: Vec<u32>,
}

impl<'a> Resample<'a> {
    fn new(sorted: &'a [f64], levels: &'a [f64], rule: QuantileRule, scheme: Scheme<'a>) -> Self {
        let by_rank = scheme == Scheme::Independent && sorted.len() > COUNTED_UP_TO;
        let counts = if by_rank { Vec::new() } else { vec![0; sorted.len()] };
        let mut new = Self {
            sorted,
            scheme,
            rule,
            levels,
            positions: Vec::new(),
            needed: Vec::new(),
            values: Vec::new(),
            counts,
        };
        new.resize(sorted.len());
        new
    }

    fn resize(&mut self, size: usize) {
        self.positions = self.levels.iter().map(|p| self.rule.position(size, *p)).collect();
        let both = |position: &Position| [position.index, (position.index + 1).min(size - 1)];
        self.needed = self.positions.iter().flat_map(both).collect();
        self.needed.sort_unstable();
        self.needed.dedup();
    }

    fn draw(&mut self, random: &mut ChaCha8Rng) {
        let size = self.sorted.len();
        if self.counts.is_empty() {
            self.draw_by_rank(random);
            return;
        }
        self.counts.fill(0);
        match self.scheme {
            Scheme::Independent => {
                for _ in 0..size {
                    self.counts[random.random_range(0..size as u32) as usize] += 1;
                }
            }
            Scheme::Blocks { order, length } => {
                let length = length.clamp(1, size);
                let mut left = size;
                while left > 0 {
                    let start = random.random_range(0..=size - length);
                    let taken = length.min(left);
                    for index in &order[start..start + taken] {
                        self.counts[*index as usize] += 1;
                    }
                    left -= taken;
                }
            }
            Scheme::Runs(runs) => {
                let mut total = 0;
                for _ in runs {
                    let run = &runs[random.random_range(0..runs.len())];
                    for _ in run {
                        self.counts[run[random.random_range(0..run.len())] as usize] += 1;
                    }
                    total += run.len();
                }
                self.resize(total);
            }
        }
        self.read_counts();
    }

    /// Values at the needed places of what was counted.
    fn read_counts(&mut self) {
        self.values.clear();
        let mut needed = self.needed.iter().copied().peekable();
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += *count as usize;
            while needed.next_if(|place| *place < seen).is_some() {
                self.values.push(self.sorted[index]);
            }
        }
    }

    fn draw_by_rank(&mut self, random: &mut ChaCha8Rng) {
        let n = self.sorted.len();
        self.values.clear();
        let (mut below, mut at) = (0, 0.0_f64);
        for place in &self.needed {
            // Of the n − below draws above `at`, the (place + 1 − below)-th smallest.
            let rank = (place + 1 - below) as f64;
            let rest = (n - place) as f64;
            let beta = Beta::new(rank, rest).expect("both counts are one at least");
            let share: f64 = random.sample(beta);
            at += (1.0 - at) * share;
            below = place + 1;
            let index = (n as f64 * at).ceil() as usize;
            self.values.push(self.sorted[index.clamp(1, n) - 1]);
        }
    }

    fn quantile(&self, level: usize) -> f64 {
        let position = self.positions[level];
        // Every place of a position is among the needed ones.
        let at = self.needed.partition_point(|place| *place < position.index);
        let lower = self.values[at];
        position.between(lower, self.values.get(at + 1).copied().unwrap_or(lower))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: Resampling = Resampling { resamples: 4_000, seed: 3, sample: 0 };

    fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
    }

    #[test]
    fn ranks_have_the_distribution_of_counted_resamples() {
        // The same values once just below the limit and, each doubled so that shares stay the same, above it with blocks of 1.
        let sorted: Vec<f64> = (0..COUNTED_UP_TO + 1).map(|i| (i as f64 / 100.0).exp()).collect();
        let order: Vec<u32> = (0..sorted.len() as u32).collect();
        let levels = [0.1, 0.5, 0.501, 0.99];
        let ranked = resampled_quantiles(&sorted, &levels, QuantileRule::Linear, Scheme::Independent, DRAWS);
        let single = Scheme::Blocks { order: &order, length: 1 };
        let counted = resampled_quantiles(&sorted, &levels, QuantileRule::Linear, single, DRAWS);
        for (level, (ranked, counted)) in levels.iter().zip(ranked.iter().zip(&counted)) {
            let ((mean, deviation), (want_mean, want_deviation)) =
                (mean_and_deviation(ranked), mean_and_deviation(counted));
            // Means of 4000 draws scatter by 1/63 of a deviation, deviations by 1/89 (normal), here by less than twice that.
            assert!((mean - want_mean).abs() < 0.07 * want_deviation, "mean at {level}: {mean} {want_mean}");
            assert!((deviation / want_deviation - 1.0).abs() < 0.08, "spread at {level}: {deviation} {want_deviation}");
        }
        // Neighbouring quantiles of one resample stay in order.
        assert!(ranked[1].iter().zip(&ranked[2]).all(|(lower, higher)| lower <= higher));
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_sample_others() {
        let sorted: Vec<f64> = (0..50).map(f64::from).collect();
        let draw =
            |resampling| resampled_quantiles(&sorted, &[0.5], QuantileRule::Linear, Scheme::Independent, resampling);
        assert_eq!(draw(DRAWS), draw(DRAWS));
        assert_ne!(draw(DRAWS), draw(Resampling { sample: 1, ..DRAWS }));
        assert_eq!(draw(DRAWS)[0].len(), 4_000);
    }

    #[test]
    fn dependent_values_spread_more_in_blocks() {
        // A slow wave: neighbours are alike, so a block says hardly more than one value.
        let series: Vec<f64> = (0..400).map(|i| (f64::from(i) / 30.0).sin()).collect();
        let mut by_value: Vec<u32> = (0..400).collect();
        by_value.sort_by(|a, b| series[*a as usize].total_cmp(&series[*b as usize]));
        let sorted: Vec<f64> = by_value.iter().map(|i| series[*i as usize]).collect();
        let mut order = vec![0; 400];
        for (rank, index) in by_value.iter().enumerate() {
            order[*index as usize] = rank as u32;
        }
        let spread = |scheme| {
            mean_and_deviation(&resampled_quantiles(&sorted, &[0.5], QuantileRule::Linear, scheme, DRAWS)[0]).1
        };
        assert!(spread(Scheme::Blocks { order: &order, length: 20 }) > 2.0 * spread(Scheme::Independent));
    }

    #[test]
    fn runs_that_differ_spread_the_median_over_them() {
        // Two runs at 1 and 2: half of the resamples hold one run alone.
        let sorted: Vec<f64> = [vec![1.0; 30], vec![2.0; 30]].concat();
        let runs = [(0..30).collect(), (30..60).collect()];
        let medians = resampled_quantiles(&sorted, &[0.5], QuantileRule::Linear, Scheme::Runs(&runs), DRAWS).remove(0);
        let ones = medians.iter().filter(|m| **m == 1.0).count() as f64 / 4_000.0;
        assert!((0.2..0.3).contains(&ones), "{ones}");
    }
}
