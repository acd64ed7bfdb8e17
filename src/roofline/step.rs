//! One engine step: all operators of a decode step and of a prefill, reduced to a few constants.
//!
//! [`StepModel`] holds what follows from the system alone, [`StepCosts`] what follows with efficiencies and a workload.
//! The closed loop then evaluates [`StepCosts::decode_time`] some ten times per prediction.

use super::attention::{
    causal_pairs, decode_flops_per_token, kv_bytes_per_token, prefill_flops_per_pair, visible_tokens,
};
use super::collective::all_reduce_per_layer;
use super::linear::{TILE_ROWS, linear, padded_rows};
use super::moe::touched_experts;
use super::op::{Cost, Roofs, op_time};
use crate::error::{Error, Result};
use crate::prediction::{Part, Parts, Roof};
use crate::spec::{Attention, Ffn, System};
use crate::units::{Bytes, BytesPerSec, Flops, FlopsPerSec, Seconds};
use crate::workload::Workload;

/// Shares of the peaks that a system reaches, and the costs outside the roofs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Efficiencies {
    /// Share of peak memory bandwidth.
    pub memory: f64,
    /// Share of peak arithmetic rate in matrix products.
    pub gemm: f64,
    /// Share of peak arithmetic rate in attention.
    pub attention: f64,
    /// Launch and synchronisation cost of one layer and step.
    pub layer: Seconds,
    /// Cost of one running sequence in one layer and step.
    pub sequence: Seconds,
    /// Latency of one all-reduce.
    pub link_latency: Seconds,
    /// Share of the link bandwidth.
    pub link: f64,
}

/// Dense weights, the head, and two kinds of routed experts. A fixed number keeps [`StepCosts`] free of allocation.
const MAX_WEIGHT_OPS: usize = 4;

/// Weights of equal arithmetic: bytes read once per step, arithmetic per token.
#[derive(Debug, Clone, Copy)]
struct WeightOp {
    /// Arithmetic of one token; traffic of the whole operator.
    cost_per_token: Cost,
    peak: FlopsPerSec,
    /// Whether prompts pass through it (the head sees only their last token).
    in_prefill: bool,
    /// Routed experts: total and active per token.
    experts: Option<(f64, f64)>,
}

/// Attention of equal layers.
#[derive(Debug, Clone, Copy)]
struct AttentionOp {
    layers: f64,
    attention: Attention,
    kv_bytes_per_token: f64,
}

/// A system reduced to the operators of its steps, independent of workload and parameters.
#[derive(Debug, Clone)]
pub struct StepModel {
    weights: Vec<WeightOp>,
    attention: Vec<AttentionOp>,
    layers: f64,
    hidden_size: f64,
    gpus: f64,
    bandwidth: BytesPerSec,
    link: BytesPerSec,
    attention_peak: FlopsPerSec,
}

impl StepModel {
    /// Collects the operators of a system.
    ///
    /// # Errors
    /// A precision that the device has no peak for.
    pub fn new(system: &System) -> Result<Self> {
        let model = &system.model;
        let d = u64::from(model.hidden_size);
        let precision = system.deployment.weight_precision;
        let narrow = system.hardware.peak(system.deployment.linear_precision())?;
        let wide = system.hardware.peak(precision.unquantised())?;

        let mut dense = 0.0;
        let mut weights = Vec::new();
        for group in &model.layers {
            let count = f64::from(group.count);
            dense += count * group.attention.linear_weights(d) as f64;
            match group.ffn {
                Ffn::Dense(_) => dense += count * group.ffn.linear_weights(d) as f64,
                Ffn::Moe(moe) => {
                    let expert = moe.expert_weights(d) as f64;
                    // The router and the shared experts work on every token, like dense weights.
                    dense += count * moe.every_token_weights(d) as f64;
                    let all = linear(count * f64::from(moe.experts) * expert, precision.bytes(), 1.0);
                    let active = f64::from(moe.active_experts) / f64::from(moe.experts);
                    let cost = Cost { flops: all.flops * active, bytes: all.bytes };
                    let experts = Some((f64::from(moe.experts), f64::from(moe.active_experts)));
                    match weights.iter_mut().find(|op: &&mut WeightOp| op.experts == experts) {
                        Some(same) => same.cost_per_token += cost,
                        None => {
                            weights.push(WeightOp { cost_per_token: cost, peak: narrow, in_prefill: true, experts })
                        }
                    }
                }
            }
        }
        weights.push(WeightOp {
            cost_per_token: linear(dense, precision.bytes(), 1.0),
            peak: narrow,
            in_prefill: true,
            experts: None,
        });
        weights.push(WeightOp {
            cost_per_token: linear(model.vocabulary_matrix() as f64, precision.unquantised().bytes(), 1.0),
            peak: wide,
            in_prefill: false,
            experts: None,
        });
        if weights.len() > MAX_WEIGHT_OPS {
            return Err(Error::input(format!("{} mixes more than two kinds of expert layers", model.name))
                .help("describe layers with equal experts as one kind"));
        }
        let attention = model
            .layers
            .iter()
            .map(|group| AttentionOp {
                layers: f64::from(group.count),
                attention: group.attention,
                kv_bytes_per_token: kv_bytes_per_token(&group.attention, &system.deployment),
            })
            .collect();
        Ok(Self {
            weights,
            attention,
            layers: f64::from(model.layer_count()),
            hidden_size: f64::from(model.hidden_size),
            gpus: system.deployment.gpus(),
            bandwidth: system.hardware.bandwidth,
            link: system.hardware.group_link(system.deployment.tensor_parallel).bandwidth,
            attention_peak: wide,
        })
    }

    /// The costs of steps that serve `workload` at these efficiencies.
    pub fn costs(&self, workload: &Workload, efficiencies: &Efficiencies) -> StepCosts {
        let bandwidth = self.bandwidth * (self.gpus * efficiencies.memory);
        let attention_peak = self.attention_peak * (self.gpus * efficiencies.attention);
        let (link_fixed, link_per_token) =
            all_reduce_per_layer(self.gpus, self.hidden_size, efficiencies.link_latency, self.link * efficiencies.link);
        let input = workload.input_tokens();

        let mut costs = StepCosts {
            weights: [WeightCost::default(); MAX_WEIGHT_OPS],
            kv_read: Seconds::ZERO,
            attention_compute: Seconds::ZERO,
            launch: efficiencies.layer * self.layers,
            sequence: efficiencies.sequence * self.layers,
            link_fixed: link_fixed * self.layers,
            link_per_sequence: link_per_token * self.layers,
            prefill_linear: Seconds::ZERO,
            prefill_per_token: link_per_token * self.layers,
            prefill_attention: Seconds::ZERO,
            prefill_link: link_per_token * (self.layers * input),
        };
        for (slot, op) in self.weights.iter().enumerate() {
            let cost = WeightCost {
                read: op.cost_per_token.bytes / bandwidth,
                per_token: op.cost_per_token.flops / (op.peak * (self.gpus * efficiencies.gemm)),
                experts: op.experts,
            };
            if op.in_prefill {
                costs.prefill_linear += cost.prefill(input);
                costs.prefill_per_token += cost.per_token;
            }
            costs.weights[slot] = cost;
        }
        for op in &self.attention {
            let seen = visible_tokens(&op.attention, workload.mean_context()) * op.layers;
            let roofs = Roofs { compute: attention_peak, bandwidth };
            let cost = Cost {
                flops: Flops::new(seen * decode_flops_per_token(&op.attention)),
                bytes: Bytes::new(seen * op.kv_bytes_per_token),
            };
            let time = op_time(cost, roofs);
            costs.kv_read += cost.bytes / bandwidth;
            costs.attention_compute += time - cost.bytes / bandwidth;
            let pairs = causal_pairs(&op.attention, input) * op.layers;
            costs.prefill_attention += Flops::new(pairs * prefill_flops_per_pair(&op.attention)) / attention_peak;
        }
        costs.prefill_per_token += costs.prefill_attention / input;
        costs
    }
}

/// Time of one weight operator: reading it, and its arithmetic per token.
#[derive(Debug, Clone, Copy, Default)]
struct WeightCost {
    read: Seconds,
    per_token: Seconds,
    experts: Option<(f64, f64)>,
}

impl WeightCost {
    /// Reading what `tokens` tokens need.
    fn read_time(&self, tokens: f64) -> Seconds {
        match self.experts {
            Some((experts, active)) => self.read * (touched_experts(experts, active, tokens) / experts),
            None => self.read,
        }
    }

    /// Decode of `tokens` sequences, its arithmetic padded to `rows`.
    fn decode(&self, tokens: f64, rows: f64) -> Seconds {
        self.read_time(tokens).max(self.per_token * rows)
    }

    /// What a prompt adds to the decode step that carries it: its arithmetic, or for routed experts the reading of
    /// those that the step would not have touched. (The decode step has read all others.)
    fn prefill(&self, input_tokens: f64) -> Seconds {
        let read = self.read_time(input_tokens + 1.0) - self.read_time(1.0);
        (self.per_token * input_tokens).max(read)
    }
}

/// Step costs of a system for one workload.
#[derive(Debug, Clone, Copy)]
pub struct StepCosts {
    weights: [WeightCost; MAX_WEIGHT_OPS],
    kv_read: Seconds,
    attention_compute: Seconds,
    launch: Seconds,
    sequence: Seconds,
    link_fixed: Seconds,
    link_per_sequence: Seconds,
    /// Linear layers of one prompt.
    pub prefill_linear: Seconds,
    /// Arithmetic and collectives of one token of a prompt: what it would cost without reading experts. Longer
    /// prompts never lower it.
    pub prefill_per_token: Seconds,
    /// Attention of one prompt.
    pub prefill_attention: Seconds,
    /// Collectives of one prompt.
    pub prefill_link: Seconds,
}

/// A decode step in parts.
#[derive(Debug, Clone, Copy)]
pub struct DecodeStep {
    /// Named parts; they sum to the step.
    pub parts: Parts,
    /// What the largest part hangs on.
    pub roof: Roof,
}

impl StepCosts {
    /// What one prompt adds to the engine's work, `P(I)`.
    pub fn prefill(&self) -> Seconds {
        self.prefill_linear + self.prefill_attention + self.prefill_link
    }

    /// Everything of a decode step but the weight operators.
    fn besides_weights(&self, batch: f64) -> Seconds {
        self.launch
            + self.link_fixed
            + (self.kv_read + self.attention_compute + self.sequence + self.link_per_sequence) * batch
    }

    fn weight_time(&self, batch: f64, rows: f64) -> Seconds {
        self.weights.iter().map(|op| op.decode(batch, rows)).sum()
    }

    /// Time of a decode step with `batch` sequences, `D(B)`; the batch is a mean and need not be whole.
    ///
    /// Matrix products are padded to tiles ([`padded_rows`]), but a step never costs more per sequence than at the
    /// tile's lower edge: `D(B) = min(D with padded rows, D(edge)·B/edge)`. So D is continuous and rises, and D/B
    /// falls, which is what makes the closed loop have one solution. (The mean batch mixes steps below and above the
    /// edge, which smooths the jump in measurements too.)
    pub fn decode_time(&self, batch: f64) -> Seconds {
        let other = self.besides_weights(batch);
        let rows = padded_rows(batch);
        if rows == batch {
            return other + self.weight_time(batch, batch);
        }
        other + self.padded_weight_time(batch, rows, other)
    }

    /// Weight operators above a tile edge, held below what the step may cost.
    fn padded_weight_time(&self, batch: f64, rows: f64, other: Seconds) -> Seconds {
        let edge = rows - TILE_ROWS;
        let at_edge = self.besides_weights(edge) + self.weight_time(edge, edge);
        self.weight_time(batch, rows).min(at_edge * (batch / edge) - other).max(self.weight_time(batch, batch))
    }

    /// The decode step in parts.
    pub fn decode_step(&self, batch: f64) -> DecodeStep {
        let mut parts = Parts::default();
        let mut read = Seconds::ZERO;
        for op in &self.weights {
            let reading = op.read_time(batch);
            let arithmetic = op.per_token * batch;
            if arithmetic.get() > reading.get() {
                parts.add(Part::Compute, arithmetic);
            } else {
                read += reading;
            }
        }
        parts.add(Part::Weights, read);
        let rows = padded_rows(batch);
        if rows != batch {
            let unpadded = self.weight_time(batch, batch);
            let padded = self.padded_weight_time(batch, rows, self.besides_weights(batch));
            // With padding an operator may turn from reading to arithmetic; the whole of it then counts as arithmetic.
            let turned: Seconds = self
                .weights
                .iter()
                .filter(|op| {
                    let reading = op.read_time(batch).get();
                    op.per_token.get() * batch <= reading && op.per_token.get() * rows > reading
                })
                .map(|op| op.read_time(batch))
                .sum();
            if padded.get() > unpadded.get() {
                parts.add(Part::Weights, turned * -1.0);
                parts.add(Part::Compute, turned + padded - unpadded);
            }
        }
        parts.add(Part::KvReads, self.kv_read * batch);
        parts.add(Part::Compute, self.attention_compute * batch);
        parts.add(Part::Launch, self.launch);
        parts.add(Part::PerSequence, self.sequence * batch);
        parts.add(Part::Link, self.link_fixed + self.link_per_sequence * batch);
        let candidates = [
            (parts.get(Part::Weights) + parts.get(Part::KvReads), Roof::Memory),
            (parts.get(Part::Compute), Roof::Compute),
            (parts.get(Part::Launch) + parts.get(Part::PerSequence), Roof::Overhead),
            (parts.get(Part::Link), Roof::Link),
        ];
        let roof = candidates
            .into_iter()
            .fold(candidates[0], |best, next| if next.0.get() > best.0.get() { next } else { best })
            .1;
        DecodeStep { parts, roof }
    }
}
