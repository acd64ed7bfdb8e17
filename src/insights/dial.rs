//! The rank of latent attention: loss and cache over `down_dim_kv`, and where its cache equals that of other attention.

use super::budget::Quartiles;
use super::slice::Slice;
use super::table::{AttentionType, BenchmarkTable, Run};
use super::{CONFIDENCE, Rule};
use crate::stats::Line;

/// Mean and ends of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Smallest.
    pub low: f64,
    /// Largest.
    pub high: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        (!values.is_empty()).then(|| Self {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// All dense runs of one rank.
#[derive(Debug, Clone, PartialEq)]
pub struct DialPoint {
    /// The rank, `down_dim_kv`.
    pub rank: f64,
    /// Losses; `None` where no run has one.
    pub loss: Option<Spread>,
    /// Caches in MB.
    pub cache: Option<Spread>,
    /// Runs with a loss.
    pub count: usize,
}

/// Medians of dense runs of another kind of attention.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Which.
    pub attention: AttentionType,
    /// Loss.
    pub loss: Option<f64>,
    /// Cache in MB.
    pub cache: Option<f64>,
}

/// The pooled dial, all architectures together.
#[derive(Debug, Clone)]
pub struct Dial {
    /// By rising rank.
    pub points: Vec<DialPoint>,
    /// Multi-head and grouped-query attention.
    pub references: Vec<Reference>,
}

impl Dial {
    /// Of a table; `None` without dense runs of latent attention whose rank is known.
    pub fn of(table: &BenchmarkTable) -> Option<Self> {
        let points = points(table.dense(&AttentionType::Mla));
        let reference = |attention: AttentionType| {
            let median = |value: fn(&Run) -> Option<f64>| {
                Quartiles::of(table.dense(&attention).filter_map(value)).map(|quartiles| quartiles.median)
            };
            Reference { loss: median(|run| run.loss), cache: median(|run| run.cache_mb), attention }
        };
        (!points.is_empty())
            .then(|| Self { points, references: [AttentionType::Mha, AttentionType::Gqa].map(reference).to_vec() })
    }

    /// The rank of the lowest mean loss.
    pub fn best(&self) -> Option<(&DialPoint, Spread)> {
        let with_loss = self.points.iter().filter_map(|point| Some((point, point.loss?)));
        with_loss.min_by(|a, b| a.1.mean.total_cmp(&b.1.mean))
    }

    /// The original's crossing: the largest rank whose mean cache is no larger, whether or not the lines cross.
    pub fn original_crossover(&self, cache_mb: f64) -> Option<f64> {
        let below = self.points.iter().filter(|point| point.cache.is_some_and(|cache| cache.mean <= cache_mb));
        below.map(|point| point.rank).reduce(f64::max)
    }

    /// Where the mean cache meets that of other attention.
    pub fn meets(&self, cache_mb: f64, rule: Rule) -> Vec<f64> {
        match rule {
            Rule::Right => self.crossings(cache_mb),
            Rule::Original => self.original_crossover(cache_mb).into_iter().collect(),
        }
    }

    /// Where the line through the mean caches meets a cache, by linear interpolation.
    pub fn crossings(&self, cache_mb: f64) -> Vec<f64> {
        let line: Vec<(f64, f64)> =
            self.points.iter().filter_map(|point| Some((point.rank, point.cache?.mean))).collect();
        crossings(&line, cache_mb)
    }
}

/// Every x at which a line through points meets a height. A stretch that lies on it counts with its first end.
pub fn crossings(line: &[(f64, f64)], height: f64) -> Vec<f64> {
    let mut found = Vec::new();
    for pair in line.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
        let (d0, d1) = (y0 - height, y1 - height);
        if d0 == 0.0 {
            found.push(x0);
        } else if d0 * d1 < 0.0 {
            found.push(x0 + (x1 - x0) * d0 / (d0 - d1));
        }
    }
    found.extend(line.last().filter(|last| last.1 == height).map(|last| last.0));
    found
}

fn points<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<DialPoint> {
    let mut by_rank: Vec<(f64, Vec<&Run>)> = Vec::new();
    for run in runs {
        let Some(rank) = run.rank else { continue };
        match by_rank.iter_mut().find(|(known, _)| *known == rank) {
            Some((_, runs)) => runs.push(run),
            None => by_rank.push((rank, vec![run])),
        }
    }
    by_rank.sort_by(|a, b| a.0.total_cmp(&b.0));
    let point = |(rank, runs): (f64, Vec<&Run>)| {
        let losses: Vec<f64> = runs.iter().filter_map(|run| run.loss).collect();
        let caches: Vec<f64> = runs.iter().filter_map(|run| run.cache_mb).collect();
        DialPoint { rank, loss: Spread::of(&losses), cache: Spread::of(&caches), count: losses.len() }
    };
    by_rank.into_iter().map(point).collect()
}

/// Other attention of the same architecture, and the rank at which latent attention has its cache.
#[derive(Debug, Clone, PartialEq)]
pub struct EqualCache {
    /// Its kind.
    pub attention: AttentionType,
    /// Key/value heads.
    pub kv_heads: f64,
    /// Elements per token and layer.
    pub elements: f64,
    /// `2·K·h − rope`, where the width of the rotary key is known.
    pub rank: Option<f64>,
    /// Where the measured caches meet it.
    pub crossings: Vec<f64>,
}

/// The dial of one architecture, in which the cache is a straight line.
#[derive(Debug, Clone)]
pub struct SliceDial {
    /// The architecture.
    pub slice: Slice,
    /// By rising rank.
    pub points: Vec<DialPoint>,
    /// Rank and loss of each run.
    pub losses: Vec<(f64, f64)>,
    /// Widths of rotary keys, rising; where there is more than one, caches do not tell ranks.
    pub ropes: Vec<f64>,
    /// Width of the rotary key, where all runs agree.
    pub rope: Option<f64>,
    /// Cache in MB over the rank by least squares.
    pub cache_line: Option<Line>,
    /// Loss over the rank by least squares.
    pub loss_line: Option<Line>,
    /// Against other attention.
    pub equal: Vec<EqualCache>,
}

impl SliceDial {
    /// Of every slice of the dense runs with two ranks or more, the one with most runs first.
    pub fn all(table: &BenchmarkTable) -> Vec<Self> {
        let slices = Slice::all(table.runs.iter().filter(|run| run.is_dense()));
        slices.into_iter().filter_map(|(slice, runs)| Self::of(slice, &runs)).collect()
    }

    fn of(slice: Slice, runs: &[&Run]) -> Option<Self> {
        let latent: Vec<&Run> = runs.iter().copied().filter(|run| run.attention == AttentionType::Mla).collect();
        let points = points(latent.iter().copied());
        if points.len() < 2 {
            return None;
        }
        let line = |value: fn(&Run) -> Option<f64>| {
            let places: Vec<(f64, f64)> = latent.iter().filter_map(|run| Some((run.rank?, value(run)?))).collect();
            Line::through(&places)
        };
        let mut ropes: Vec<f64> = latent.iter().filter_map(|run| run.rope_dim()).collect();
        ropes.sort_by(f64::total_cmp);
        ropes.dedup();
        let rope = if let [only] = ropes[..] { Some(only) } else { None };
        let elements: Vec<(f64, f64)> =
            points.iter().filter_map(|point| Some((point.rank, slice.elements(point.cache?.mean)))).collect();
        let mut equal: Vec<EqualCache> = Vec::new();
        for run in runs.iter().filter(|run| run.attention != AttentionType::Mla) {
            let (Some(wanted), Some(kv_heads)) = (run.expected_elements(), run.kv_heads) else { continue };
            if equal.iter().all(|known| known.kv_heads != kv_heads) {
                equal.push(EqualCache {
                    attention: run.attention.clone(),
                    kv_heads,
                    elements: wanted,
                    rank: rope.map(|rope| wanted - rope),
                    // Runs with other rotary keys make no line.
                    crossings: if ropes.len() > 1 { Vec::new() } else { crossings(&elements, wanted) },
                });
            }
        }
        equal.sort_by(|a, b| b.kv_heads.total_cmp(&a.kv_heads));
        Some(Self {
            losses: latent.iter().filter_map(|run| Some((run.rank?, run.loss?))).collect(),
            slice,
            points,
            rope,
            cache_line: line(|run| run.cache_mb).filter(|_| ropes.len() < 2),
            loss_line: line(|run| run.loss),
            equal,
            ropes,
        })
    }

    /// The line of the loss, and how far its slope may be off either way with 95 % confidence.
    pub fn loss_trend(&self) -> Option<(Line, f64)> {
        let line = self.loss_line?;
        Some((line, line.slope_reach(CONFIDENCE)?))
    }
}

impl Slice {
    /// Elements per token and layer of a cache in MB.
    pub fn elements(&self, cache_mb: f64) -> f64 {
        cache_mb * 1e6 / (f64::from(self.layers) * f64::from(self.context) * super::table::CACHE_BYTES)
    }
}
