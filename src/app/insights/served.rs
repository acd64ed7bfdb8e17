//! Steps over the batch, and what devices serve with each variant, as they are printed.

use serde::Serialize;

use super::answer::MissingAnswer;
use crate::app::finite;
use crate::insights::study::{ServingStudy, VariantCurve};
use crate::insights::sweep::{BatchSeries, Growth};
use crate::insights::{ServingPoint, SweepTable};
use crate::spec::Precision;

/// Measured decode steps over the batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BatchSweepAnswer {
    /// Rows of the file.
    pub rows: usize,
    /// What columns lack.
    pub missing: Vec<MissingAnswer>,
    /// Rows that say nothing of a step.
    pub skipped_rows: usize,
    /// What was measured at several batches.
    pub configurations: Vec<BatchSeriesAnswer>,
}

/// Steps of one configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BatchSeriesAnswer {
    /// Name in the file.
    pub label: String,
    /// Kind of attention.
    pub attention: String,
    /// Number format.
    pub dtype: String,
    /// Length of the prompts, as the file has it.
    pub prompt_len: String,
    /// Longest context in tokens.
    pub max_context: Option<f64>,
    /// Median steps.
    pub points: Vec<BatchStepAnswer>,
    /// Batches that did not fit memory.
    pub out_of_memory: Vec<f64>,
    /// The line `t(B) = a + b·B`; null: too few batches.
    pub fit: Option<BatchLineAnswer>,
}

/// A step at a batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BatchStepAnswer {
    /// Sequences.
    pub batch: f64,
    /// Median step.
    pub step_ms: f64,
}

/// A line through steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BatchLineAnswer {
    /// What a step takes without sequences.
    pub intercept_ms: f64,
    /// What a sequence adds.
    pub slope_ms: f64,
    /// Lower end of the 95 % interval of the slope.
    pub slope_low_ms: f64,
    /// Upper end of the 95 % interval of the slope.
    pub slope_high_ms: f64,
    /// Share of the variance that the line explains.
    pub r_squared: f64,
    /// Rate at which caches are read, if the slope is their reading.
    pub cache_gb_per_s: Option<f64>,
    /// What the slope says.
    pub growth: Growth,
}

/// What devices serve with each variant of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct VariantsAnswer {
    /// Name of the model.
    pub model: String,
    /// Name of the device.
    pub hardware: String,
    /// Devices among which every layer is split.
    pub tensor_parallel: u32,
    /// Format of the weights.
    pub weight_precision: Precision,
    /// Format of the KV cache.
    pub kv_precision: Precision,
    /// What every sequence must make; null: nothing is asked.
    pub min_tokens_per_s_per_sequence: Option<f64>,
    /// Share of peak bandwidth that is reached.
    pub bandwidth_share: f64,
    /// Share of peak arithmetic that is reached.
    pub compute_share: f64,
    /// Fixed cost of a step.
    pub overhead_us: f64,
    /// Share of device memory that the engine takes.
    pub memory_share: f64,
    /// What neither weights nor caches get on each device.
    pub reserve_gb: f64,
    /// Contexts of all sequences in tokens; curves are of the first.
    pub contexts: Vec<f64>,
    /// Memory of all devices along the curves.
    pub memory_gib: Vec<f64>,
    /// Contexts of the map in tokens.
    pub map_contexts: Vec<f64>,
    /// The variants.
    pub variants: Vec<VariantCurveAnswer>,
}

/// What is served with a variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct VariantCurveAnswer {
    /// The variant.
    pub attention: String,
    /// Whether the model has it of itself.
    pub own: bool,
    /// On all devices.
    pub weights_gb: f64,
    /// All layers and devices.
    pub cache_bytes_per_token: f64,
    /// Most sequences for which the speed of one may be multiplied; null: however many.
    pub linear_rule_until_sequences: Option<u64>,
    /// Sequences that fit, for each context.
    pub fits_device: Vec<u64>,
    /// What is served, for each context; null: nothing fits, or every sequence is too slow.
    pub at_device: Vec<Option<VariantPointAnswer>>,
    /// What is served along `memory_gib`.
    pub over_device_memory: Vec<Option<VariantPointAnswer>>,
    /// What is served along `memory_gib` of caches alone.
    pub over_cache_memory: Vec<Option<VariantPointAnswer>>,
    /// For each of `map_contexts`, along `memory_gib`.
    pub map_tokens_per_s: Vec<Vec<Option<f64>>>,
}

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct VariantPointAnswer {
    /// Sequences that fit.
    pub fits: u64,
    /// Sequences that run: fewer where each would be too slow.
    pub sequences: u64,
    /// A decode step.
    pub step_ms: f64,
    /// What binds it.
    pub bound: &'static str,
    /// Arithmetic intensity of the step.
    pub flop_per_byte: f64,
    /// Of one sequence.
    pub tokens_per_s_per_sequence: f64,
    /// Of all.
    pub tokens_per_s: f64,
    /// What the speed of one sequence alone, multiplied, would promise.
    pub linear_rule_tokens_per_s: f64,
}

impl From<&SweepTable> for BatchSweepAnswer {
    fn from(sweep: &SweepTable) -> Self {
        Self {
            rows: sweep.rows,
            missing: sweep.dirty.iter().map(MissingAnswer::from).collect(),
            skipped_rows: sweep.skipped,
            configurations: sweep.series.iter().map(BatchSeriesAnswer::from).collect(),
        }
    }
}

impl From<&BatchSeries> for BatchSeriesAnswer {
    fn from(series: &BatchSeries) -> Self {
        let steps = series.points.iter();
        Self {
            label: series.label.clone(),
            attention: series.attention.clone(),
            dtype: series.dtype.clone(),
            prompt_len: series.prompt.clone(),
            max_context: finite(series.context),
            points: steps.map(|point| BatchStepAnswer { batch: point.batch, step_ms: point.step_ms }).collect(),
            out_of_memory: series.out_of_memory.clone(),
            fit: series.fit.map(|fit| BatchLineAnswer {
                intercept_ms: fit.line.intercept,
                slope_ms: fit.line.slope,
                slope_low_ms: fit.slope.0,
                slope_high_ms: fit.slope.1,
                r_squared: fit.r_squared(),
                cache_gb_per_s: fit.bandwidth.map(|rate| rate / 1e9),
                growth: fit.growth,
            }),
        }
    }
}

impl From<&ServingStudy> for VariantsAnswer {
    fn from(study: &ServingStudy) -> Self {
        let rates = study.rates;
        Self {
            model: study.model.clone(),
            hardware: study.hardware.name.clone(),
            tensor_parallel: study.deployment.parallelism.tp(),
            weight_precision: study.deployment.formats.weights,
            kv_precision: study.deployment.formats.kv,
            min_tokens_per_s_per_sequence: study.slowest,
            bandwidth_share: rates.memory,
            compute_share: rates.compute,
            overhead_us: rates.overhead.get() * 1e6,
            memory_share: rates.usable,
            reserve_gb: rates.reserve.get() / 1e9,
            contexts: study.contexts.clone(),
            memory_gib: study.memory.iter().map(|memory| memory.as_gib()).collect(),
            map_contexts: study.map_contexts.clone(),
            variants: study.variants.iter().map(VariantCurveAnswer::from).collect(),
        }
    }
}

impl From<&VariantCurve> for VariantCurveAnswer {
    fn from(variant: &VariantCurve) -> Self {
        let points = |points: &[Option<ServingPoint>]| {
            points.iter().map(|found| found.map(VariantPointAnswer::from)).collect::<Vec<_>>()
        };
        let totals = |row: &Vec<Option<ServingPoint>>| row.iter().map(|found| found.map(|point| point.total)).collect();
        Self {
            attention: variant.kind.to_string(),
            own: variant.own,
            weights_gb: variant.weights.get() / 1e9,
            cache_bytes_per_token: variant.token_bytes.get(),
            linear_rule_until_sequences: variant.linear_until,
            fits_device: variant.fits.clone(),
            at_device: points(&variant.at_device),
            over_device_memory: points(&variant.devices),
            over_cache_memory: points(&variant.cache),
            map_tokens_per_s: variant.map.iter().map(totals).collect(),
        }
    }
}

impl From<ServingPoint> for VariantPointAnswer {
    fn from(point: ServingPoint) -> Self {
        Self {
            fits: point.fits,
            sequences: point.sequences,
            step_ms: point.step.as_ms(),
            bound: point.bound.name(),
            flop_per_byte: point.intensity,
            tokens_per_s_per_sequence: point.per_sequence,
            tokens_per_s: point.total,
            linear_rule_tokens_per_s: point.linear,
        }
    }
}
