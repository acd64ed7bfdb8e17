//! What a table of runs shows, as it is printed.

use serde::Serialize;

use crate::insights::budget::{MatchedRatio, Quartiles, TypeSpeed};
use crate::insights::csv_table::ColumnCount;
use crate::insights::dial::{Dial, DialPoint, EqualCache, SliceDial, Spread};
use crate::insights::slice::Slice;
use crate::insights::study::TableStudy;
use crate::insights::{Panel, Rule, Run, TABLED_GB};

/// A table of training runs: loss against cache, speed at a budget of cache, and the rank of latent attention. MB and GB are
/// 10⁶ and 10⁹ bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct InsightsTableAnswer {
    /// How the figures are computed.
    pub rule: Rule,
    /// Rows of the table.
    pub runs: usize,
    /// What columns lack.
    pub missing: Vec<MissingAnswer>,
    /// Standard deviation of the losses of equal models; null: no model was trained twice.
    pub loss_noise: Option<f64>,
    /// Loss against cache: dense models, and all.
    pub quality: Vec<PanelAnswer>,
    /// Speeds by kind of attention.
    pub speeds: Vec<SpeedAnswer>,
    /// Ratios to multi-head attention where nothing else differs.
    pub matched_ratios: Vec<RatioAnswer>,
    /// The rank of latent attention over all architectures; null: no run has it.
    pub dial: Option<DialAnswer>,
    /// The rank within each architecture.
    pub slices: Vec<SliceAnswer>,
}

/// Cells of a column that hold no number.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MissingAnswer {
    /// Name of the column.
    pub column: String,
    /// Empty cells.
    pub blank: usize,
    /// Cells such as `nan`.
    pub no_value: usize,
    /// Numbers that cannot be.
    pub impossible: usize,
    /// Other texts.
    pub unreadable: usize,
    /// One of those that cannot be or be read.
    pub example: Option<String>,
}

/// Loss against cache.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PanelAnswer {
    /// Whether mixtures of experts are among the runs.
    pub mixtures_of_experts: bool,
    /// Runs with a cache, a loss and a size.
    pub runs: usize,
    /// Runs than which none has both a lower loss and a smaller cache.
    pub front: Vec<FrontRunAnswer>,
    /// Rows that are drawn as on the front.
    pub highlighted_rows: Vec<usize>,
    /// Kinds of attention.
    pub types: Vec<String>,
    /// Corners of the front: cache in MB, loss.
    pub staircase: Vec<(f64, f64)>,
    /// Cache in MB and loss from which the hypervolume is taken.
    pub reference_point: (f64, f64),
    /// Area between the front and the reference point, in MB·nats.
    pub hypervolume: f64,
}

/// A run on the front.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FrontRunAnswer {
    /// Row, from 0 below the header.
    pub row: usize,
    /// Name.
    pub run: String,
    /// Kind of attention.
    pub r#type: String,
    /// Cache of one sequence of the longest context, 32 bit.
    pub cache_mb: Option<f64>,
    /// Validation loss in nats a token.
    pub val_loss: Option<f64>,
    /// Parameters in millions.
    pub params_m: Option<f64>,
}

/// Quartiles and median.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct QuartilesAnswer {
    /// A quarter lies below.
    pub q25: f64,
    /// Half lies below.
    pub median: f64,
    /// Three quarters lie below.
    pub q75: f64,
}

/// Speed of the dense runs of a kind of attention.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SpeedAnswer {
    /// Kind of attention.
    pub r#type: String,
    /// Runs.
    pub n: usize,
    /// Of one sequence alone.
    pub tokens_per_s: QuartilesAnswer,
    /// Cache of a sequence.
    pub cache_mb: QuartilesAnswer,
    /// Speed by cache.
    pub tokens_per_s_per_mb: QuartilesAnswer,
    /// Of all sequences that fit a budget.
    pub totals: Vec<TotalAnswer>,
}

/// What a budget of cache holds, at the speed of one sequence alone: an upper bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TotalAnswer {
    /// The budget.
    pub cache_gb: f64,
    /// Of all sequences that fit.
    pub tokens_per_s: QuartilesAnswer,
    /// Of medians; null: no run of multi-head attention has a speed.
    pub ratio_to_mha: Option<f64>,
}

/// Speed by cache against multi-head attention within an architecture.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RatioAnswer {
    /// What the runs share.
    pub architecture: ArchitectureAnswer,
    /// Kind of attention.
    pub r#type: String,
    /// Runs.
    pub n: usize,
    /// Runs of multi-head attention.
    pub n_mha: usize,
    /// Of medians.
    pub ratio_to_mha: f64,
}

/// Sizes that runs share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ArchitectureAnswer {
    /// Hidden width.
    pub dim: u32,
    /// Layers.
    pub num_blocks: u32,
    /// Query heads.
    pub n_heads: u32,
    /// Longest context in tokens.
    pub max_context: u32,
}

/// The rank of latent attention over all architectures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DialAnswer {
    /// By rank.
    pub points: Vec<DialPointAnswer>,
    /// The rank of the lowest mean loss.
    pub best_down_dim_kv: Option<f64>,
    /// Other attention to compare with.
    pub references: Vec<ReferenceAnswer>,
}

/// Runs of one rank.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DialPointAnswer {
    /// The rank.
    pub down_dim_kv: f64,
    /// Runs.
    pub n: usize,
    /// Validation losses in nats a token.
    pub val_loss: Option<SpreadAnswer>,
    /// Caches.
    pub cache_mb: Option<SpreadAnswer>,
}

/// Mean and ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SpreadAnswer {
    /// Mean.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// Other attention beside the dial.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ReferenceAnswer {
    /// Kind of attention.
    pub r#type: String,
    /// Median loss of its runs.
    pub median_val_loss: Option<f64>,
    /// Median cache of its runs.
    pub median_cache_mb: Option<f64>,
    /// Ranks at which the mean cache of latent attention meets it.
    pub crossings: Vec<f64>,
}

/// The rank within one architecture.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SliceAnswer {
    /// What the runs share.
    pub architecture: ArchitectureAnswer,
    /// Width of the rotary key; null: the runs do not agree on one.
    pub rope_dim: Option<f64>,
    /// By rank.
    pub points: Vec<DialPointAnswer>,
    /// Slope of the line through the caches.
    pub cache_mb_per_rank: Option<f64>,
    /// Slope of the line through the losses.
    pub loss_per_rank: Option<f64>,
    /// Half the 95 % interval of that slope.
    pub loss_per_rank_95_pct: Option<f64>,
    /// Ranks of equal cache.
    pub equal_cache: Vec<EqualCacheAnswer>,
}

/// Where latent attention caches as much as other attention.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct EqualCacheAnswer {
    /// Kind of attention.
    pub r#type: String,
    /// Its key/value heads.
    pub kv_heads: f64,
    /// Elements that it caches for a token in a layer.
    pub elements_per_token_and_layer: f64,
    /// By algebra, `2·K·h − rope`.
    pub analytic_rank: Option<f64>,
    /// By the runs.
    pub crossings: Vec<f64>,
}

impl From<&TableStudy> for InsightsTableAnswer {
    fn from(study: &TableStudy) -> Self {
        Self {
            rule: study.rule,
            runs: study.table.runs.len(),
            missing: study.table.dirty.iter().map(MissingAnswer::from).collect(),
            loss_noise: study.noise.map(|noise| noise.deviation),
            quality: study.panels().iter().map(PanelAnswer::from).collect(),
            speeds: study.speeds.iter().map(|speed| speed_answer(study, speed)).collect(),
            matched_ratios: study.ratios.iter().map(RatioAnswer::from).collect(),
            dial: study.dial.as_ref().map(|dial| dial_answer(dial, study.rule)),
            slices: study.slices.iter().map(SliceAnswer::from).collect(),
        }
    }
}

impl From<&ColumnCount> for MissingAnswer {
    fn from(count: &ColumnCount) -> Self {
        Self {
            column: count.column.clone(),
            blank: count.blank,
            no_value: count.no_value,
            impossible: count.impossible,
            unreadable: count.unreadable,
            example: count.example.clone(),
        }
    }
}

impl From<&Panel<'_>> for PanelAnswer {
    fn from(panel: &Panel<'_>) -> Self {
        let front = |run: &&Run| FrontRunAnswer {
            row: run.row,
            run: run.name.clone(),
            r#type: run.attention.to_string(),
            cache_mb: run.cache_mb,
            val_loss: run.loss,
            params_m: run.params_m,
        };
        Self {
            mixtures_of_experts: panel.with_moe,
            runs: panel.runs.len(),
            front: panel.front.iter().map(front).collect(),
            highlighted_rows: panel.painted.iter().map(|run| run.row).collect(),
            types: panel.types.iter().map(ToString::to_string).collect(),
            staircase: panel.stairs.clone(),
            reference_point: panel.reference,
            hypervolume: panel.hypervolume,
        }
    }
}

impl From<Quartiles> for QuartilesAnswer {
    fn from(of: Quartiles) -> Self {
        Self { q25: of.low, median: of.median, q75: of.high }
    }
}

fn speed_answer(study: &TableStudy, speed: &TypeSpeed) -> SpeedAnswer {
    let total = |gb: f64| TotalAnswer {
        cache_gb: gb,
        tokens_per_s: speed.total(1e3 * gb, study.rule).into(),
        ratio_to_mha: study.pooled_ratio(speed, 1e3 * gb),
    };
    SpeedAnswer {
        r#type: speed.attention.to_string(),
        n: speed.count(),
        tokens_per_s: speed.speed.into(),
        cache_mb: speed.cache.into(),
        tokens_per_s_per_mb: speed.per_mb.into(),
        totals: TABLED_GB.map(total).into(),
    }
}

impl From<&Slice> for ArchitectureAnswer {
    fn from(slice: &Slice) -> Self {
        Self { dim: slice.dim, num_blocks: slice.layers, n_heads: slice.heads, max_context: slice.context }
    }
}

impl From<&MatchedRatio> for RatioAnswer {
    fn from(ratio: &MatchedRatio) -> Self {
        Self {
            architecture: (&ratio.slice).into(),
            r#type: ratio.attention.to_string(),
            n: ratio.count,
            n_mha: ratio.multi_head,
            ratio_to_mha: ratio.ratio,
        }
    }
}

impl From<Spread> for SpreadAnswer {
    fn from(spread: Spread) -> Self {
        Self { mean: spread.mean, min: spread.low, max: spread.high }
    }
}

impl From<&DialPoint> for DialPointAnswer {
    fn from(point: &DialPoint) -> Self {
        Self {
            down_dim_kv: point.rank,
            n: point.count,
            val_loss: point.loss.map(SpreadAnswer::from),
            cache_mb: point.cache.map(SpreadAnswer::from),
        }
    }
}

fn dial_answer(dial: &Dial, rule: Rule) -> DialAnswer {
    let references = dial.references.iter().map(|reference| ReferenceAnswer {
        r#type: reference.attention.to_string(),
        median_val_loss: reference.loss,
        median_cache_mb: reference.cache,
        crossings: reference.cache.map_or_else(Vec::new, |cache| dial.meets(cache, rule)),
    });
    DialAnswer {
        points: dial.points.iter().map(DialPointAnswer::from).collect(),
        best_down_dim_kv: dial.best().map(|(point, _)| point.rank),
        references: references.collect(),
    }
}

impl From<&EqualCache> for EqualCacheAnswer {
    fn from(equal: &EqualCache) -> Self {
        Self {
            r#type: equal.attention.to_string(),
            kv_heads: equal.kv_heads,
            elements_per_token_and_layer: equal.elements,
            analytic_rank: equal.rank,
            crossings: equal.crossings.clone(),
        }
    }
}

impl From<&SliceDial> for SliceAnswer {
    fn from(dial: &SliceDial) -> Self {
        Self {
            architecture: (&dial.slice).into(),
            rope_dim: dial.rope,
            points: dial.points.iter().map(DialPointAnswer::from).collect(),
            cache_mb_per_rank: dial.cache_line.map(|line| line.slope),
            loss_per_rank: dial.loss_line.map(|line| line.slope),
            loss_per_rank_95_pct: dial.loss_trend().map(|(_, reach)| reach),
            equal_cache: dial.equal.iter().map(EqualCacheAnswer::from).collect(),
        }
    }
}
