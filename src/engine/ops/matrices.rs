//! The weight matrices of a system by name: what a step multiplies, and from which [`StepModel`](crate::engine::StepModel) takes its sums.

use crate::engine::cost::Cost;
use crate::engine::ops::linear::linear;
use crate::engine::ops::moe::read_share;
use crate::engine::step::WeightCost;
use crate::error::Result;
use crate::spec::{Ffn, LayerGroup, MoeFfn, Precision, System};
use crate::units::{BytesPerSec, FlopsPerSec};

/// A matrix of a layer, or the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatrixKind {
    /// Queries, keys and values; all projections of latent attention but the last.
    Qkv,
    /// Output projection of attention.
    AttentionOutput,
    /// Gate and up of a dense feed-forward block, or up alone.
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

/// Weights of equal arithmetic: bytes read once per step, arithmetic per token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WeightOp {
    /// Arithmetic of one token; traffic of the whole operator.
    pub cost_per_token: Cost,
    /// Format of the arithmetic.
    pub precision: Precision,
    /// Its peak on one device.
    pub peak: FlopsPerSec,
    /// Whether every token of a prompt passes through it (the head sees only the last).
    pub in_prefill: bool,
    /// Routed experts: total and active per token.
    pub experts: Option<(f64, f64)>,
}

/// What the devices of a group reach together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    /// Memory bandwidth.
    pub bandwidth: BytesPerSec,
    /// Factor from the peak of one device to the attainable rate of matrix products.
    pub gemm: f64,
    /// Attainable rate of attention.
    pub attention: FlopsPerSec,
    /// Factor by which long matrix products run slower.
    pub slowdown: f64,
}

impl WeightOp {
    /// Whether their times add up to that of their sum: the same bytes and FLOPs for each other at any number of tokens.
    pub fn is_like(&self, other: &Self) -> bool {
        self.experts == other.experts && self.in_prefill == other.in_prefill && self.precision == other.precision
    }

    /// Its times at attainable rates.
    pub fn times(&self, rates: &Rates) -> WeightCost {
        let per_token = self.cost_per_token.flops / (self.peak * rates.gemm);
        WeightCost {
            read: self.cost_per_token.bytes / rates.bandwidth,
            per_token,
            per_prompt_token: self.in_prefill.then_some(per_token * rates.slowdown),
            experts: self.experts,
        }
    }

    /// Work for tokens that all pass through it, without padding.
    pub fn work(&self, tokens: f64) -> Cost {
        Cost {
            flops: self.cost_per_token.flops * tokens,
            bytes: self.cost_per_token.bytes * read_share(self.experts, tokens),
        }
    }
}

/// All matrices of one kind, summed over their layers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix {
    /// Which.
    pub kind: MatrixKind,
    /// Layers that have it.
    pub layers: u32,
    /// Their work.
    pub op: WeightOp,
}

/// The matrices of a system in the order of a forward pass.
///
/// # Errors
/// A precision that the device has no peak for.
pub(crate) fn matrices(system: &System) -> Result<Vec<Matrix>> {
    let model = &system.model;
    let d = u64::from(model.hidden_size);
    let stored = system.deployment.weight_precision;
    let narrow = system.deployment.linear_precision();
    let narrow_peak = system.hardware.peak(narrow)?;
    let wide = stored.unquantised();
    let dense = |layers: u32, weights: u64| WeightOp {
        cost_per_token: linear(f64::from(layers) * weights as f64, stored.bytes(), 1.0),
        precision: narrow,
        peak: narrow_peak,
        in_prefill: true,
        experts: None,
    };
    let mut found: Vec<Matrix> = Vec::new();
    for group in &model.layers {
        for (kind, weights) in every_token(group, d).into_iter().filter(|(_, weights)| *weights > 0) {
            add(&mut found, Matrix { kind, layers: group.count, op: dense(group.count, weights) });
        }
        if let Ffn::Moe(moe) = group.ffn {
            let all = dense(group.count, u64::from(moe.experts) * moe.expert_weights(d));
            let op = routed(&moe, all);
            add(&mut found, Matrix { kind: MatrixKind::RoutedExperts, layers: group.count, op });
        }
    }
    let head = WeightOp {
        cost_per_token: linear(model.vocabulary_matrix() as f64, wide.bytes(), 1.0),
        precision: wide,
        peak: system.hardware.peak(wide)?,
        in_prefill: false,
        experts: None,
    };
    found.push(Matrix { kind: MatrixKind::Head, layers: 1, op: head });
    Ok(found)
}

/// Matrices of one layer that work on every token, with their elements.
fn every_token(group: &LayerGroup, d: u64) -> Vec<(MatrixKind, u64)> {
    let attention = [
        (MatrixKind::Qkv, group.attention.qkv_weights(d)),
        (MatrixKind::AttentionOutput, group.attention.output_weights(d)),
    ];
    let ffn = match group.ffn {
        Ffn::Dense(ffn) => [(MatrixKind::FfnUp, ffn.up_weights(d)), (MatrixKind::FfnDown, ffn.down_weights(d))],
        Ffn::Moe(moe) => {
            [(MatrixKind::Router, moe.router_weights(d)), (MatrixKind::SharedExperts, moe.shared_weights(d))]
        }
    };
    [attention, ffn].concat()
}

/// Routed experts: all may be read, a token computes with the active ones.
fn routed(moe: &MoeFfn, all: WeightOp) -> WeightOp {
    let (experts, active) = (f64::from(moe.experts), f64::from(moe.active_experts));
    let cost = Cost { flops: all.cost_per_token.flops * (active / experts), bytes: all.cost_per_token.bytes };
    WeightOp { cost_per_token: cost, experts: Some((experts, active)), ..all }
}

/// Adds to the matrix of the same kind, if there is one.
fn add(found: &mut Vec<Matrix>, matrix: Matrix) {
    match found.iter_mut().find(|known| known.kind == matrix.kind && known.op.is_like(&matrix.op)) {
        Some(known) => {
            known.layers += matrix.layers;
            known.op.cost_per_token += matrix.op.cost_per_token;
        }
        None => found.push(matrix),
    }
}
