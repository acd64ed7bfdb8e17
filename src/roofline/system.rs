//! A system reduced to the operators of its steps.

use super::activations::activation_bytes;
use super::attention::{
    causal_pairs, decode_flops_per_token, decode_tile_share, kv_bytes_per_token, prefill_flops_per_pair, visible_tokens,
};
use super::collective::AllReduce;
use super::linear::linear;
use super::op::{Cost, OpTime, Roofs};
use super::power::{power_demand, power_slowdown};
use super::step::{MAX_WEIGHT_OPS, StepCosts, WeightCost};
use crate::error::{Error, Result};
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
    /// Share of the time of long matrix products that goes with the power demand of the device.
    pub power_share: f64,
    /// Reads and writes of a layer's activations in prefill.
    pub activation_passes: f64,
    /// Launch and synchronisation cost of one layer and step.
    pub layer: Seconds,
    /// Cost of one running sequence in one layer and step.
    pub sequence: Seconds,
    /// Latency of one all-reduce.
    pub link_latency: Seconds,
    /// Share of the link bandwidth.
    pub link: f64,
}

/// Weights of equal arithmetic: bytes read once per step, arithmetic per token.
#[derive(Debug, Clone, Copy)]
struct WeightOp {
    /// Arithmetic of one token; traffic of the whole operator.
    cost_per_token: Cost,
    peak: FlopsPerSec,
    /// Whether every token of a prompt passes through it (the head sees only the last).
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
    /// Mean over the layers of the feed-forward width that one token passes through.
    ffn_width: f64,
    gpus: f64,
    bandwidth: BytesPerSec,
    link: BytesPerSec,
    attention_peak: FlopsPerSec,
    power_demand: f64,
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
        let arithmetic = system.deployment.linear_precision();
        let narrow = system.hardware.peak(arithmetic)?;
        let wide = system.hardware.peak(precision.unquantised())?;

        let mut dense = 0.0;
        let mut weights = Vec::new();
        let mut ffn_width = 0.0;
        for group in &model.layers {
            let count = f64::from(group.count);
            dense += count * group.attention.linear_weights(d) as f64;
            ffn_width += count * group.ffn.active_width() as f64;
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
        let layers = f64::from(model.layer_count());
        Ok(Self {
            weights,
            attention,
            layers,
            hidden_size: f64::from(model.hidden_size),
            ffn_width: ffn_width / layers,
            gpus: system.deployment.gpus(),
            bandwidth: system.hardware.bandwidth,
            link: system.hardware.group_link(system.deployment.tensor_parallel).bandwidth,
            attention_peak: wide,
            power_demand: power_demand(narrow, arithmetic.bytes(), system.hardware.tdp_w),
        })
    }

    /// The costs of steps that serve `workload` at these efficiencies.
    pub fn costs(&self, workload: &Workload, efficiencies: &Efficiencies) -> StepCosts {
        let bandwidth = self.bandwidth * (self.gpus * efficiencies.memory);
        let attention_peak = self.attention_peak * (self.gpus * efficiencies.attention);
        let slowdown = power_slowdown(efficiencies.power_share, self.power_demand);
        let all_reduce = AllReduce::new(
            self.gpus,
            self.hidden_size,
            self.layers,
            efficiencies.link_latency,
            self.link * efficiencies.link,
        );
        let input = workload.input_tokens();
        let activations =
            activation_bytes(efficiencies.activation_passes, self.layers, self.hidden_size, self.ffn_width / self.gpus);

        let mut weights = [WeightCost::default(); MAX_WEIGHT_OPS];
        for (slot, op) in weights.iter_mut().zip(&self.weights) {
            let per_token = op.cost_per_token.flops / (op.peak * (self.gpus * efficiencies.gemm));
            *slot = WeightCost {
                read: op.cost_per_token.bytes / bandwidth,
                per_token,
                per_prompt_token: op.in_prefill.then_some(per_token * slowdown),
                experts: op.experts,
            };
        }
        let (mut kv_read, mut kv_compute, mut prefill_attention) = (Seconds::ZERO, Seconds::ZERO, Seconds::ZERO);
        for op in &self.attention {
            let seen = visible_tokens(&op.attention, workload.mean_context()) * op.layers;
            let roofs = Roofs { compute: attention_peak * decode_tile_share(&op.attention), bandwidth };
            let time: OpTime = roofs.times(Cost {
                flops: Flops::new(seen * decode_flops_per_token(&op.attention)),
                bytes: Bytes::new(seen * op.kv_bytes_per_token),
            });
            let (memory, compute) = time.shares();
            kv_read += memory;
            kv_compute += compute;
            let pairs = causal_pairs(&op.attention, input) * op.layers;
            prefill_attention += Flops::new(pairs * prefill_flops_per_pair(&op.attention)) / attention_peak;
        }
        StepCosts {
            weights,
            kv_read,
            kv_compute,
            launch: efficiencies.layer * self.layers,
            sequence: efficiencies.sequence * self.layers,
            all_reduce,
            input_tokens: input,
            prefill_attention,
            // A device moves the activations of its own copy of the hidden state; the group does so at the same time.
            prefill_activations: Bytes::new(activations * input) / (self.bandwidth * efficiencies.memory),
        }
    }
}
