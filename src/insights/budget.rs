//! Decoded tokens per second at a fixed amount of cache memory, from speeds that were measured with one sequence.
//!
//! Both rules scale those speeds by the sequences that fit. That is an upper bound: no step slows down with its batch
//! ([`super::serving`] says how much it does).

use super::Rule;
use super::slice::Slice;
use super::table::{AttentionType, BenchmarkTable, Run};
use crate::stats::QuantileRule;

/// Budgets in MB (10⁶ bytes): first, last, how many.
const BUDGETS_MB: (f64, f64, u32) = (500.0, 80_000.0, 300);

/// Cache memory in GB (10⁹ bytes) for which totals are tabled.
pub const TABLED_GB: [f64; 3] = [24.0, 40.0, 80.0];

/// Budgets at a constant factor from each other, in MB.
pub fn budgets_mb() -> Vec<f64> {
    let (first, last, count) = BUDGETS_MB;
    let (low, high) = (first.log10(), last.log10());
    (0..count).map(|k| 10_f64.powf(low + (high - low) * f64::from(k) / f64::from(count - 1))).collect()
}

/// Quartiles and median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quartiles {
    /// A quarter lies below.
    pub low: f64,
    /// Half.
    pub median: f64,
    /// Three quarters.
    pub high: f64,
}

impl Quartiles {
    /// Of values (type 7); `None` for none.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |p| QuantileRule::Linear.of(&sorted, p);
        Some(Self { low: at(0.25)?, median: at(0.5)?, high: at(0.75)? })
    }
}

/// Dense runs of one kind of attention.
#[derive(Debug, Clone)]
pub struct TypeSpeed {
    /// Which.
    pub attention: AttentionType,
    /// Cache in MB and tokens/s of each run.
    runs: Vec<(f64, f64)>,
    /// Tokens/s.
    pub speed: Quartiles,
    /// Cache in MB.
    pub cache: Quartiles,
    /// Tokens/s per MB, run by run.
    pub per_mb: Quartiles,
}

fn speeds<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<(f64, f64)> {
    runs.filter_map(|run| Some((run.cache_mb?, run.tokens_per_s?))).collect()
}

impl TypeSpeed {
    /// Every kind of attention with runs that have a speed, in the order of the figures.
    pub fn all(table: &BenchmarkTable) -> Vec<Self> {
        let one = |attention: AttentionType| {
            let runs = speeds(table.dense(&attention));
            Some(Self {
                speed: Quartiles::of(runs.iter().map(|run| run.1))?,
                cache: Quartiles::of(runs.iter().map(|run| run.0))?,
                per_mb: Quartiles::of(runs.iter().map(|run| run.1 / run.0))?,
                attention,
                runs,
            })
        };
        table.types().into_iter().filter_map(one).collect()
    }

    /// How many runs.
    pub fn count(&self) -> usize {
        self.runs.len()
    }

    /// Total tokens/s at a budget. Right: of each run with whole sequences, then quartiles over the runs. Original: the
    /// median budget share times the median speed, and products of opposite quartiles as a band.
    pub fn total(&self, budget_mb: f64, rule: Rule) -> Quartiles {
        match rule {
            Rule::Right => Quartiles::of(self.runs.iter().map(|(cache, speed)| (budget_mb / cache).floor() * speed))
                .expect("it was made of one run at least"),
            Rule::Original => Quartiles {
                low: budget_mb / self.cache.high * self.speed.low,
                median: budget_mb / self.cache.median * self.speed.median,
                high: budget_mb / self.cache.low * self.speed.high,
            },
        }
    }

    /// Sequences that fit a budget at the median cache.
    pub fn sequences(&self, budget_mb: f64) -> f64 {
        budget_mb / self.cache.median
    }
}

/// Speed per memory against multi-head attention, where nothing else differs.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchedRatio {
    /// What the runs share.
    pub slice: Slice,
    /// The kind of attention.
    pub attention: AttentionType,
    /// Its runs.
    pub count: usize,
    /// Runs of multi-head attention.
    pub multi_head: usize,
    /// Median tokens/s per MB over that of multi-head attention.
    pub ratio: f64,
}

/// The ratios of all slices that hold multi-head attention and another kind.
pub fn matched_ratios(table: &BenchmarkTable) -> Vec<MatchedRatio> {
    let per_mb = |runs: &[&Run], attention: &AttentionType| {
        let runs = speeds(runs.iter().copied().filter(|run| run.attention == *attention));
        let median = Quartiles::of(runs.iter().map(|run| run.1 / run.0))?.median;
        Some((runs.len(), median))
    };
    let mut ratios = Vec::new();
    for (slice, runs) in Slice::all(table.runs.iter().filter(|run| run.is_dense())) {
        let Some((multi_head, base)) = per_mb(&runs, &AttentionType::Mha) else { continue };
        for attention in table.types().into_iter().filter(|attention| *attention != AttentionType::Mha) {
            if let Some((count, median)) = per_mb(&runs, &attention) {
                ratios.push(MatchedRatio { slice, attention, count, multi_head, ratio: median / base });
            }
        }
    }
    ratios
}
