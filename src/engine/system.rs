//! A system reduced to the operators of its steps.

use crate::engine::cost::{Cost, OpTime, Roofs};
use crate::engine::ops::activations::activation_bytes;
use crate::engine::ops::attention::{
    causal_pairs, decode_flops_per_token, decode_tile_share, kv_bytes_per_token, prefill_flops_per_pair, visible_tokens,
};
use crate::engine::ops::collective::{AllReduce, all_reduces_per_layer};
use crate::engine::ops::matrices::{Rates, WeightOp, matrices};
use crate::engine::ops::power::{power_demand, power_slowdown};
use crate::engine::step::{MAX_WEIGHT_OPS, StepCosts, WeightCost};
use crate::error::{Error, Result};
use crate::spec::{Attention, LayerGroup, System};
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

impl Efficiencies {
    /// The peaks themselves, and no cost outside the roofs.
    pub const PEAK: Self = Self {
        memory: 1.0,
        gemm: 1.0,
        attention: 1.0,
        power_share: 0.0,
        activation_passes: 0.0,
        layer: Seconds::ZERO,
        sequence: Seconds::ZERO,
        link_latency: Seconds::ZERO,
        link: 1.0,
    };
}

/// Attention of equal layers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionOp {
    /// How many layers.
    pub layers: f64,
    /// What each does.
    pub attention: Attention,
    kv_bytes_per_token: f64,
}

impl AttentionOp {
    /// Work of one decoding sequence with a context of so many tokens.
    pub fn decode_work(&self, context: f64) -> Cost {
        let seen = visible_tokens(&self.attention, context) * self.layers;
        Cost {
            flops: Flops::new(seen * decode_flops_per_token(&self.attention)),
            bytes: Bytes::new(seen * self.kv_bytes_per_token),
        }
    }

    /// Roofs over the decode of attention.
    pub fn decode_roofs(&self, rates: &Rates) -> Roofs {
        Roofs { compute: rates.attention * decode_tile_share(&self.attention), bandwidth: rates.bandwidth }
    }

    /// Arithmetic of one prompt. Its traffic is that of the activations.
    pub fn prefill_work(&self, input_tokens: f64) -> Flops {
        let pairs = causal_pairs(&self.attention, input_tokens) * self.layers;
        Flops::new(pairs * prefill_flops_per_pair(&self.attention))
    }
}

/// A system reduced to the operators of its steps, independent of workload and parameters.
#[derive(Debug, Clone)]
pub struct StepModel {
    pub(crate) weights: Vec<WeightOp>,
    pub(crate) attention: Vec<AttentionOp>,
    layers: f64,
    /// All-reduces of a step.
    all_reduces: f64,
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
        let mut weights: Vec<WeightOp> = Vec::new();
        for matrix in matrices(system)? {
            match weights.iter_mut().find(|op| op.is_like(&matrix.op)) {
                Some(same) => same.cost_per_token += matrix.op.cost_per_token,
                None => weights.push(matrix.op),
            }
        }
        let width = |group: &LayerGroup| f64::from(group.count) * group.ffn.active_width() as f64;
        let ffn_width: f64 = model.layers.iter().map(width).sum();
        let arithmetic = system.deployment.linear_precision();
        let narrow = system.hardware.peak(arithmetic)?;
        let wide = system.hardware.peak(system.deployment.weight_precision.unquantised())?;
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
            all_reduces: layers * all_reduces_per_layer(model.parallel_blocks),
            hidden_size: f64::from(model.hidden_size),
            ffn_width: ffn_width / layers,
            gpus: system.deployment.gpus(),
            bandwidth: system.hardware.bandwidth,
            link: system.hardware.group_link(system.deployment.tensor_parallel).bandwidth,
            attention_peak: wide,
            power_demand: power_demand(narrow, arithmetic.bytes(), system.hardware.tdp_w),
        })
    }

    /// What the devices reach together at these efficiencies.
    pub(crate) fn rates(&self, efficiencies: &Efficiencies) -> Rates {
        Rates {
            bandwidth: self.bandwidth * (self.gpus * efficiencies.memory),
            gemm: self.gpus * efficiencies.gemm,
            attention: self.attention_peak * (self.gpus * efficiencies.attention),
            slowdown: power_slowdown(efficiencies.power_share, self.power_demand),
        }
    }

    /// Traffic of the activations of one prompt in the memory of one device.
    pub(crate) fn activations(&self, input_tokens: f64, efficiencies: &Efficiencies) -> Bytes {
        let width = self.ffn_width / self.gpus;
        let bytes = activation_bytes(efficiencies.activation_passes, self.layers, self.hidden_size, width);
        Bytes::new(bytes * input_tokens)
    }

    /// The costs of steps that serve `workload` at these efficiencies.
    pub fn costs(&self, workload: &Workload, efficiencies: &Efficiencies) -> StepCosts {
        self.costs_at(workload.input_tokens(), workload.mean_context(), efficiencies)
    }

    /// The costs of steps with prompts of `input` tokens and sequences with a mean context of `context` tokens.
    pub fn costs_at(&self, input: f64, context: f64, efficiencies: &Efficiencies) -> StepCosts {
        let rates = self.rates(efficiencies);
        let all_reduce = AllReduce::new(
            self.gpus,
            self.hidden_size,
            self.all_reduces,
            efficiencies.link_latency,
            self.link * efficiencies.link,
        );

        let mut weights = [WeightCost::default(); MAX_WEIGHT_OPS];
        for (slot, op) in weights.iter_mut().zip(&self.weights) {
            *slot = op.times(&rates);
        }
        let (mut kv_read, mut kv_compute, mut prefill_attention) = (Seconds::ZERO, Seconds::ZERO, Seconds::ZERO);
        for op in &self.attention {
            let time: OpTime = op.decode_roofs(&rates).times(op.decode_work(context));
            let (memory, compute) = time.shares();
            kv_read += memory;
            kv_compute += compute;
            prefill_attention += op.prefill_work(input) / rates.attention;
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
            prefill_activations: self.activations(input, efficiencies) / (self.bandwidth * efficiencies.memory),
        }
    }
}
