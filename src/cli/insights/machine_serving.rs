//! Sweeps over batches and what devices serve, as JSON.

use serde::Serialize;

use super::machine::{MissingOutput, missing};
use crate::cli::json::finite;
use crate::insights::SweepTable;
use crate::insights::serving::ServingPoint;
use crate::insights::study::{ServingStudy, VariantCurve};
use crate::insights::sweep::{BatchSeries, Growth};

/// Steps over the batch.
#[derive(Debug, Serialize)]
pub struct SweepOutput<'a> {
    rows: usize,
    missing: Vec<MissingOutput<'a>>,
    skipped_rows: usize,
    configurations: Vec<SeriesOutput<'a>>,
}

#[derive(Debug, Serialize)]
struct SeriesOutput<'a> {
    label: &'a str,
    attention: &'a str,
    dtype: &'a str,
    prompt_len: &'a str,
    max_context: Option<f64>,
    points: Vec<StepOutput>,
    out_of_memory: &'a [f64],
    fit: Option<FitOutput>,
}

#[derive(Debug, Serialize)]
struct StepOutput {
    batch: f64,
    step_ms: f64,
}

#[derive(Debug, Serialize)]
struct FitOutput {
    intercept_ms: f64,
    slope_ms: f64,
    slope_low_ms: f64,
    slope_high_ms: f64,
    r_squared: f64,
    cache_gb_per_s: Option<f64>,
    growth: &'static str,
}

/// Variants on a device.
#[derive(Debug, Serialize)]
pub struct ServingOutput<'a> {
    model: &'a str,
    hardware: &'a str,
    tensor_parallel: u32,
    weight_precision: String,
    kv_precision: String,
    min_tokens_per_s_per_sequence: Option<f64>,
    bandwidth_share: f64,
    compute_share: f64,
    overhead_us: f64,
    memory_share: f64,
    reserve_gb: f64,
    contexts: &'a [f64],
    memory_gib: Vec<f64>,
    map_contexts: &'a [f64],
    variants: Vec<VariantOutput<'a>>,
}

#[derive(Debug, Serialize)]
struct VariantOutput<'a> {
    attention: String,
    own: bool,
    weights_gb: f64,
    cache_bytes_per_token: f64,
    linear_rule_until_sequences: Option<u64>,
    fits_device: &'a [u64],
    at_device: Vec<Option<PointOutput>>,
    over_device_memory: Vec<Option<PointOutput>>,
    over_cache_memory: Vec<Option<PointOutput>>,
    map_tokens_per_s: Vec<Vec<Option<f64>>>,
}

#[derive(Debug, Serialize)]
struct PointOutput {
    fits: u64,
    sequences: u64,
    step_ms: f64,
    bound: &'static str,
    flop_per_byte: f64,
    tokens_per_s_per_sequence: f64,
    tokens_per_s: f64,
    linear_rule_tokens_per_s: f64,
}

/// A sweep.
pub fn sweep(sweep: &SweepTable) -> SweepOutput<'_> {
    SweepOutput {
        rows: sweep.rows,
        missing: sweep.dirty.iter().map(missing).collect(),
        skipped_rows: sweep.skipped,
        configurations: sweep.series.iter().map(series).collect(),
    }
}

fn series(series: &BatchSeries) -> SeriesOutput<'_> {
    SeriesOutput {
        label: &series.label,
        attention: &series.attention,
        dtype: &series.dtype,
        prompt_len: &series.prompt,
        max_context: finite(series.context),
        points: series.points.iter().map(|point| StepOutput { batch: point.batch, step_ms: point.step_ms }).collect(),
        out_of_memory: &series.out_of_memory,
        fit: series.fit.map(|fit| FitOutput {
            intercept_ms: fit.line.intercept,
            slope_ms: fit.line.slope,
            slope_low_ms: fit.slope.0,
            slope_high_ms: fit.slope.1,
            r_squared: fit.r_squared(),
            cache_gb_per_s: fit.bandwidth.map(|rate| rate / 1e9),
            growth: match fit.growth {
                Growth::Grows => "grows",
                Growth::Flat => "overhead_bound",
                Growth::Open => "open",
                Growth::Falls => "falls",
            },
        }),
    }
}

/// A study of what devices serve.
pub fn serving(study: &ServingStudy) -> ServingOutput<'_> {
    let rates = study.rates;
    ServingOutput {
        model: &study.model,
        hardware: &study.hardware.name,
        tensor_parallel: study.deployment.parallelism.tp(),
        weight_precision: study.deployment.formats.weights.to_string(),
        kv_precision: study.deployment.formats.kv.to_string(),
        min_tokens_per_s_per_sequence: study.slowest,
        bandwidth_share: rates.memory,
        compute_share: rates.compute,
        overhead_us: rates.overhead.get() * 1e6,
        memory_share: rates.usable,
        reserve_gb: rates.reserve.get() / 1e9,
        contexts: &study.contexts,
        memory_gib: study.memory.iter().map(|memory| memory.as_gib()).collect(),
        map_contexts: &study.map_contexts,
        variants: study.variants.iter().map(variant).collect(),
    }
}

fn variant(variant: &VariantCurve) -> VariantOutput<'_> {
    let points = |points: &[Option<ServingPoint>]| points.iter().map(|found| found.map(point)).collect();
    VariantOutput {
        attention: variant.kind.to_string(),
        own: variant.own,
        weights_gb: variant.weights.get() / 1e9,
        cache_bytes_per_token: variant.token_bytes.get(),
        linear_rule_until_sequences: variant.linear_until,
        fits_device: &variant.fits,
        at_device: points(&variant.at_device),
        over_device_memory: points(&variant.devices),
        over_cache_memory: points(&variant.cache),
        map_tokens_per_s: variant
            .map
            .iter()
            .map(|row| row.iter().map(|found| found.map(|point| point.total)).collect())
            .collect(),
    }
}

fn point(point: ServingPoint) -> PointOutput {
    PointOutput {
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
