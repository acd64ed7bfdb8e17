//! The weight matrices of a system by name: what one device multiplies in a step.

use super::linear::{PADDING_ROWS, linear};
use super::moe::{Experts, read_share};
use crate::engine::cost::{Cost, OpTime};
use crate::engine::rates::Rates;
use crate::engine::sharding::Sharding;
use crate::error::Result;
use crate::spec::{Ffn, LayerGroup, MoeFfn, Parallelism, Precision, System};
use crate::units::{FlopsPerSec, Seconds};

/// A matrix of a layer, or the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MatrixKind {
    /// Queries, keys and values; all projections of latent attention but the last.
    Qkv,
    /// Output projection of attention.
    AttentionOutput,
    /// Gate and up of a dense feed-forward block.
    FfnGateUp,
    /// Up of one without a gate.
    FfnUp,
    /// Down of a dense feed-forward block.
    FfnDown,
    /// Router of a mixture of experts.
    Router,
    /// All routed experts.
    RoutedExperts,
    /// Shared experts.
    SharedExperts,
    /// Output head over the vocabulary.
    Head,
}

/// Which rows of a step pass through a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rows {
    /// All tokens.
    Tokens,
    /// The last token of each sequence: the head makes one answer of a prompt.
    Sequences,
}

/// All matrices of one kind in all their layers, as one device has them.
#[derive(Debug, Clone, Copy)]
pub struct Matrix {
    /// Which.
    pub kind: MatrixKind,
    /// Layers that have it.
    pub layers: u32,
    /// How it lies over the devices.
    pub sharding: Sharding,
    /// Arithmetic of one row on a device; weights that a device reads once per step.
    pub per_row: Cost,
    /// Format of the arithmetic.
    pub precision: Precision,
    /// Its peak.
    pub peak: FlopsPerSec,
    /// What passes through it.
    pub rows: Rows,
    /// Routed experts.
    pub experts: Option<Experts>,
}

impl Matrix {
    /// Whether their times add up to that of their sum: the same bytes and FLOPs for each other at any number of tokens.
    pub fn is_like(&self, other: &Self) -> bool {
        self.experts == other.experts && self.rows == other.rows && self.precision == other.precision
    }

    /// Its times at the rates of a device, where so large a share of the ranks of attention has tokens.
    pub fn times(&self, rates: &Rates, busy: f64) -> MatrixTimes {
        let share = if self.experts.is_some() { busy } else { 1.0 };
        let per_token = self.per_row.flops / (self.peak * rates.gemm) * share;
        MatrixTimes {
            read: self.per_row.bytes / rates.bandwidth,
            per_token,
            per_prompt_token: (self.rows == Rows::Tokens).then_some(per_token * rates.slowdown),
            experts: self.experts.map(|experts| Experts { ranks: experts.ranks * busy, ..experts }),
        }
    }

    /// Work on one device for rows that all pass through it, without padding.
    pub fn work(&self, rows: f64) -> Cost {
        Cost { flops: self.per_row.flops * rows, bytes: self.per_row.bytes * read_share(self.experts, rows) }
    }
}

/// Times of a matrix: reading it, and its arithmetic per token.
#[derive(Debug, Clone, Copy, Default)]
pub struct MatrixTimes {
    /// Reading all of it.
    pub read: Seconds,
    /// Arithmetic of one decoded token.
    pub per_token: Seconds,
    /// Arithmetic of one token of a prompt; `None` where only the last token passes.
    pub per_prompt_token: Option<Seconds>,
    /// Routed experts.
    pub experts: Option<Experts>,
}

impl MatrixTimes {
    /// Reading what `tokens` tokens need.
    fn read_time(&self, tokens: f64) -> Seconds {
        self.read * read_share(self.experts, tokens)
    }

    /// Decode of `tokens` sequences with the arithmetic of `rows`.
    pub fn decode(&self, tokens: f64, rows: f64) -> OpTime {
        OpTime { memory: self.read_time(tokens), compute: self.per_token * rows }
    }

    /// Prefill of `prompts` prompts with `tokens` tokens in all, in a step of their own.
    pub fn prefill(&self, prompts: f64, tokens: f64) -> OpTime {
        match self.per_prompt_token {
            Some(per_token) => OpTime { memory: self.read_time(tokens), compute: per_token * (tokens + PADDING_ROWS) },
            None => self.decode(prompts, prompts + PADDING_ROWS),
        }
    }

    /// What a prompt adds to a decode step that carries it: its arithmetic, or for routed experts the reading of those
    /// that the step would not have touched. (The decode step has read all others.)
    pub fn prefill_in_step(&self, input_tokens: f64) -> Seconds {
        self.per_prompt_token.map_or(Seconds::ZERO, |per_token| {
            let read = self.read_time(input_tokens + 1.0) - self.read_time(1.0);
            (per_token * input_tokens).max(read)
        })
    }
}

/// The matrices of a system in the order of a forward pass.
///
/// # Errors
/// A precision that the device has no peak for.
pub fn matrices(system: &System) -> Result<Vec<Matrix>> {
    let model = system.model();
    let d = u64::from(model.hidden_size);
    let stored = system.deployment().formats.weights;
    let narrow = system.deployment().formats.linear();
    let narrow_peak = system.hardware().peak(narrow)?;
    let wide = stored.unquantised();
    let parallelism = system.deployment().parallelism;
    let sharding = Sharding::Split(parallelism.tp());
    let dense = |kind: MatrixKind, layers: u32, weights: u64| Matrix {
        kind,
        layers,
        sharding,
        per_row: linear(f64::from(layers) * weights as f64, stored.bytes(), 1.0) * sharding.share(),
        precision: narrow,
        peak: narrow_peak,
        rows: Rows::Tokens,
        experts: None,
    };
    let mut found: Vec<Matrix> = Vec::new();
    for group in &model.layers {
        for (kind, weights) in every_token(group, d).into_iter().filter(|(_, weights)| *weights > 0) {
            add(&mut found, dense(kind, group.count, weights));
        }
        if let Ffn::Moe(moe) = group.ffn {
            let all = dense(MatrixKind::RoutedExperts, group.count, moe.routed_weights(d));
            add(&mut found, routed(&moe, all, parallelism));
        }
    }
    found.push(Matrix {
        kind: MatrixKind::Head,
        layers: 1,
        sharding,
        per_row: linear(model.vocabulary_matrix() as f64, wide.bytes(), 1.0) * sharding.share(),
        precision: wide,
        peak: system.hardware().peak(wide)?,
        rows: Rows::Sequences,
        experts: None,
    });
    Ok(found)
}

/// Matrices of one layer that work on every token, with their elements.
fn every_token(group: &LayerGroup, d: u64) -> Vec<(MatrixKind, u64)> {
    let attention = [
        (MatrixKind::Qkv, group.attention.qkv_weights(d)),
        (MatrixKind::AttentionOutput, group.attention.output_weights(d)),
    ];
    let ffn = match group.ffn {
        Ffn::Dense(ffn) => {
            let up = if ffn.gated { MatrixKind::FfnGateUp } else { MatrixKind::FfnUp };
            [(up, ffn.up_weights(d)), (MatrixKind::FfnDown, ffn.down_weights(d))]
        }
        Ffn::Moe(moe) => {
            [(MatrixKind::Router, moe.router_weights(d)), (MatrixKind::SharedExperts, moe.shared_weights(d))]
        }
    };
    [attention, ffn].concat()
}

/// Routed experts: they lie on all devices of a stage, whole ones on the ranks of expert parallelism, those split in so many parts
/// that every device has as much. A token meets a few of them, wherever it comes from. Tokens are taken to spread evenly.
fn routed(moe: &MoeFfn, all: Matrix, parallelism: Parallelism) -> Matrix {
    let ranks = f64::from(parallelism.attention_dp());
    let experts = Experts { total: f64::from(moe.experts), active: f64::from(moe.active_experts), ranks };
    // A row of each rank makes so many rows in experts that are spread over so many times more devices.
    let per_row =
        Cost { flops: all.per_row.flops * (experts.active / experts.total), bytes: all.per_row.bytes * (1.0 / ranks) };
    Matrix { per_row, sharding: Sharding::Split(parallelism.stage_devices()), experts: Some(experts), ..all }
}

/// Adds to the matrix of the same kind, if there is one.
fn add(found: &mut Vec<Matrix>, matrix: Matrix) {
    match found.iter_mut().find(|known| known.kind == matrix.kind && known.is_like(&matrix)) {
        Some(known) => {
            known.layers += matrix.layers;
            known.per_row += matrix.per_row;
        }
        None => found.push(matrix),
    }
}
