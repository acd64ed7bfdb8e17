//! A system reduced to the operators of its steps on one device.

use super::operator::Operator;
use super::ops::activations::Activations;
use super::ops::attention::AttentionOp;
use super::ops::collective::{AllReduce, Collectives, Exchange, ExpertRanks, all_reduces_per_layer};
use super::ops::matrices::{Matrix, MatrixTimes, matrices};
use super::ops::power::{power_demand, power_slowdown};
use super::rates::{Efficiencies, Rates};
use super::step::{MOST_MATRICES, StepCosts};
use crate::error::{Error, Result};
use crate::spec::{Ffn, Parallelism, System};
use crate::units::{BytesPerSec, FlopsPerSec, Seconds};
use crate::workload::Workload;

/// The operators of a system on one device of its group, independent of workload and parameters. The devices work at the same
/// time, so a step takes as long as on one of them; what they exchange comes on top.
#[derive(Debug, Clone)]
pub struct StepModel {
    operators: Vec<Operator>,
    /// The matrices, those summed up whose times add up to that of their sum.
    matrices: Vec<Matrix>,
    attention: Vec<AttentionOp>,
    activations: Activations,
    layers: u32,
    /// All-reduces of a step.
    all_reduces: f64,
    /// Layers with experts, by the experts that a token uses.
    expert_layers: Vec<(f64, f64)>,
    hidden_size: f64,
    parallelism: Parallelism,
    bandwidth: BytesPerSec,
    /// Link of the devices that share matrices, of a stage, and between stages.
    links: [BytesPerSec; 3],
    attention_peak: FlopsPerSec,
    power_demand: f64,
}

impl StepModel {
    /// Collects the operators of a system.
    ///
    /// # Errors
    /// A layout that is not modelled yet, a precision that the device has no peak for, or more kinds of experts than a step has room for.
    pub fn new(system: &System) -> Result<Self> {
        let (model, deployment, hardware) = (system.model(), system.deployment(), system.hardware());
        deployment.check_modelled()?;
        let single = matrices(system)?;
        let mut summed: Vec<Matrix> = Vec::new();
        for matrix in &single {
            match summed.iter_mut().find(|known| known.is_like(matrix)) {
                Some(known) => known.per_row += matrix.per_row,
                None => summed.push(*matrix),
            }
        }
        if summed.len() > MOST_MATRICES {
            return Err(Error::input(format!("{} mixes too many kinds of expert layers", model.name))
                .help("describe layers with equal experts as one kind"));
        }
        let attention: Vec<AttentionOp> =
            model.layers.iter().map(|group| AttentionOp::new(group, deployment)).collect();
        let mut kinds: Vec<AttentionOp> = Vec::new();
        for op in &attention {
            match kinds.iter_mut().find(|known| known.attention == op.attention) {
                Some(known) => known.layers += op.layers,
                None => kinds.push(*op),
            }
        }
        let activations = Activations::of(model, deployment);
        let operators = single.into_iter().map(Operator::Matrix);
        let operators = operators.chain(kinds.into_iter().map(Operator::Attention));
        let arithmetic = deployment.formats.linear();
        let layers = model.layer_count();
        let parallelism = deployment.parallelism;
        let expert_layers: Vec<(f64, f64)> = model
            .layers
            .iter()
            .filter_map(|group| match group.ffn {
                Ffn::Moe(moe) => Some((f64::from(group.count), f64::from(moe.active_experts))),
                Ffn::Dense(_) => None,
            })
            .collect();
        // Where ranks have sequences of their own, the exchange with the experts takes the place of one all-reduce.
        let exchanged: f64 = if parallelism.attention_dp() > 1 {
            expert_layers.iter().map(|(layers, _)| layers * (all_reduces_per_layer(model.parallel_blocks) - 1.0)).sum()
        } else {
            0.0
        };
        Ok(Self {
            operators: operators.chain([Operator::Activations(activations)]).collect(),
            matrices: summed,
            attention,
            activations,
            layers,
            all_reduces: f64::from(layers) * all_reduces_per_layer(model.parallel_blocks) - exchanged,
            expert_layers,
            hidden_size: f64::from(model.hidden_size),
            parallelism,
            bandwidth: hardware.bandwidth,
            links: [parallelism.tp(), parallelism.stage_devices(), parallelism.devices()]
                .map(|devices| hardware.group_link(devices).bandwidth),
            attention_peak: hardware.peak(deployment.formats.wide())?,
            power_demand: power_demand(hardware.peak(arithmetic)?, arithmetic.bytes(), hardware.tdp_w),
        })
    }

    /// Every operator, in the order of a forward pass.
    pub fn operators(&self) -> &[Operator] {
        &self.operators
    }

    /// Layers of the model.
    pub fn layers(&self) -> u32 {
        self.layers
    }

    /// What a device reaches at these efficiencies.
    pub fn rates(&self, efficiencies: &Efficiencies) -> Rates {
        Rates {
            bandwidth: self.bandwidth * efficiencies.memory,
            gemm: efficiencies.gemm,
            attention: self.attention_peak * efficiencies.attention,
            slowdown: power_slowdown(efficiencies.power_share, self.power_demand),
            activation_passes: efficiencies.activation_passes,
        }
    }

    /// What the devices exchange at these efficiencies, where so large a share of the ranks has tokens.
    pub fn collectives(&self, efficiencies: &Efficiencies, busy: f64) -> Collectives {
        let [shared, stage, all] = self.links.map(|link| link * efficiencies.link);
        let latency = efficiencies.link_latency;
        let tp = f64::from(self.parallelism.tp());
        let mut exchange = Exchange::default();
        let ranks = ExpertRanks {
            devices: f64::from(self.parallelism.stage_devices()),
            attention: f64::from(self.parallelism.attention_dp()) * busy,
            experts: f64::from(self.parallelism.moe_ep()),
        };
        for (layers, active) in &self.expert_layers {
            exchange.add(ranks, *active, self.hidden_size, *layers, (latency, stage));
        }
        let mut collectives = Collectives {
            all_reduce: AllReduce::new(tp, self.hidden_size, self.all_reduces, latency, shared),
            exchange,
            ..Collectives::default()
        };
        collectives.add_hops(f64::from(self.parallelism.pp()), self.hidden_size, latency, all);
        collectives
    }

    /// The costs of steps that serve `workload` at these efficiencies, where so large a share of the ranks has requests.
    pub fn costs(&self, workload: &Workload, efficiencies: &Efficiencies, busy: f64) -> StepCosts {
        self.costs_at(workload.input_tokens(), workload.mean_context(), efficiencies, busy)
    }

    /// The costs of steps with prompts of `input` tokens and sequences with a mean context of `context` tokens. Tokens and
    /// sequences of the costs are those of one rank; `busy` is the share of the ranks that have some.
    pub fn costs_at(&self, input: f64, context: f64, efficiencies: &Efficiencies, busy: f64) -> StepCosts {
        let rates = self.rates(efficiencies);
        let mut matrices = [MatrixTimes::default(); MOST_MATRICES];
        for (slot, matrix) in matrices.iter_mut().zip(&self.matrices) {
            *slot = matrix.times(&rates, busy);
        }
        let (mut kv_read, mut kv_compute, mut prefill_attention) = (Seconds::ZERO, Seconds::ZERO, Seconds::ZERO);
        for op in &self.attention {
            let (memory, compute) = op.decode_roofs(&rates).times(op.decode_work(context)).shares();
            kv_read += memory;
            kv_compute += compute;
            prefill_attention += op.prefill_work(input) / rates.attention;
        }
        StepCosts {
            matrices,
            kinds: self.matrices.len(),
            kv_read,
            kv_compute,
            launch: efficiencies.layer * f64::from(self.layers),
            sequence: efficiencies.sequence * f64::from(self.layers),
            collectives: self.collectives(efficiencies, busy),
            input_tokens: input,
            prefill_attention,
            prefill_activations: self.activations.bytes(rates.activation_passes) * input / rates.bandwidth,
        }
    }
}
