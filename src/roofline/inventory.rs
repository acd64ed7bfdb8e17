//! Every operator of a step under the roofline: its work, its place on the chart, its time, and what binds it.
//!
//! The work of the operators sums to that of [`StepModel`], and so do their times: matrices that the model sums up first
//! have the same ratio of traffic to arithmetic, so the root of the sum of squares ([`OpTime::total`]) of their sum is the
//! sum of their roots. What a step costs beside its operators is in [`Step::others`]; together they make its time,
//! `StepCosts::decode_step` and `StepCosts::prefill_step`, exactly.
//!
//! Work is what the mathematics asks for. Times are those of the model: padded to tiles ([`PADDING_ROWS`]), the corner of
//! the roofline rounded. So `max(work / roof) ≤ time`, and an operator lies below its roof on the chart by what that costs.

use super::operator::{Bound, OperatorKind, OperatorPoint, Phase, attention_name, matrix_name};
use crate::engine::cost::{Cost, OpTime, Roofs};
use crate::engine::ops::linear::PADDING_ROWS;
use crate::engine::ops::matrices::{Matrix, Rates, matrices};
use crate::engine::system::{AttentionOp, Efficiencies, StepModel};
use crate::error::Result;
use crate::prediction::{Part, Parts};
use crate::spec::{Precision, System};
use crate::units::{Bytes, Flops, Seconds};

/// A step with all that it costs.
#[derive(Debug, Clone)]
pub struct Step {
    /// Prompt or answer.
    pub phase: Phase,
    /// Operators in the order of a forward pass.
    pub operators: Vec<OperatorPoint>,
    /// What no roof covers.
    pub others: Vec<(OtherCost, Seconds)>,
}

/// A cost of a step that is no operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherCost {
    /// All-reduces between the devices.
    AllReduce,
    /// Launch and synchronisation of the layers.
    Launch,
    /// Work of the engine for each sequence.
    PerSequence,
    /// Rows that whole tiles of 128 add, for batches between one tile and eight.
    WholeTiles,
}

impl OtherCost {
    /// Name in files.
    pub const fn key(self) -> &'static str {
        match self {
            Self::AllReduce => "all_reduce",
            Self::Launch => "launch",
            Self::PerSequence => "per_sequence",
            Self::WholeTiles => "whole_tiles",
        }
    }

    /// Name in tables and charts.
    pub const fn label(self) -> &'static str {
        match self {
            Self::AllReduce => "all-reduce",
            Self::Launch => "launch",
            Self::PerSequence => "per sequence",
            Self::WholeTiles => "rest of the last tile",
        }
    }
}

impl Step {
    /// Operators by themselves, and what a step takes as a whole.
    fn new(phase: Phase, operators: Vec<OperatorPoint>, parts: &Parts) -> Self {
        let known = [
            (OtherCost::AllReduce, parts.get(Part::Link)),
            (OtherCost::Launch, parts.get(Part::Launch)),
            (OtherCost::PerSequence, parts.get(Part::PerSequence)),
        ];
        let total = parts.total();
        let mut step = Self { phase, operators, others: known.to_vec() };
        let tiles = total - step.total();
        step.others.push((OtherCost::WholeTiles, tiles));
        // What is smaller is rounding.
        step.others.retain(|(_, time)| *time > total * 1e-9);
        step
    }

    /// Work of all operators on one device.
    pub fn work(&self) -> Cost {
        let mut work = Cost::default();
        for operator in &self.operators {
            work += operator.work;
        }
        work
    }

    /// Time of the operators, one after the other.
    pub fn operator_time(&self) -> Seconds {
        self.operators.iter().map(|operator| operator.time.total()).sum()
    }

    /// Time of the step.
    pub fn total(&self) -> Seconds {
        self.operator_time() + self.others.iter().map(|(_, time)| *time).sum()
    }

    /// Traffic and arithmetic of the operators, each by itself.
    pub fn roof_times(&self) -> OpTime {
        roof_times(&self.operators)
    }

    /// What binds the operators together.
    pub fn bound(&self) -> Bound {
        Bound::of(self.roof_times())
    }
}

/// Traffic and arithmetic of operators, each by itself.
pub fn roof_times(operators: &[OperatorPoint]) -> OpTime {
    operators.iter().fold(OpTime::default(), |sum, operator| OpTime {
        memory: sum.memory + operator.time.memory,
        compute: sum.compute + operator.time.compute,
    })
}

/// The operators of a system.
#[derive(Debug, Clone)]
pub struct Inventory {
    steps: StepModel,
    matrices: Vec<Matrix>,
    /// Attention of equal kind, with its layers.
    attention: Vec<(u32, AttentionOp)>,
    attention_precision: Precision,
    gated: bool,
    gpus: f64,
    layers: u32,
}

impl Inventory {
    /// Collects the operators of a system.
    ///
    /// # Errors
    /// A precision that the device has no peak for, or more kinds of experts than a step has room for.
    pub fn new(system: &System) -> Result<Self> {
        let steps = StepModel::new(system)?;
        let mut attention: Vec<(u32, AttentionOp)> = Vec::new();
        for (group, op) in system.model.layers.iter().zip(&steps.attention) {
            match attention.iter_mut().find(|(_, known)| known.attention == op.attention) {
                Some((layers, known)) => {
                    *layers += group.count;
                    known.layers += op.layers;
                }
                None => attention.push((group.count, *op)),
            }
        }
        Ok(Self {
            matrices: matrices(system)?,
            attention,
            attention_precision: system.deployment.weight_precision.unquantised(),
            gated: system.model.layers.iter().all(|group| group.ffn.is_gated()),
            gpus: system.deployment.gpus(),
            layers: system.model.layer_count(),
            steps,
        })
    }

    /// A step of `batch` sequences with a mean context of `tokens`, or one that holds nothing but `batch` prompts of
    /// `tokens`.
    pub fn step(&self, phase: Phase, batch: f64, tokens: f64, efficiencies: &Efficiencies) -> Step {
        let costs = self.steps.costs_at(tokens, tokens, efficiencies);
        let parts = match phase {
            Phase::Prefill => costs.prefill_step(batch),
            Phase::Decode => costs.decode_step(batch).parts,
        };
        Step::new(phase, self.operators(phase, batch, tokens, efficiencies), &parts)
    }

    /// Operators of such a step.
    pub fn operators(&self, phase: Phase, batch: f64, tokens: f64, efficiencies: &Efficiencies) -> Vec<OperatorPoint> {
        let rates = self.steps.rates(efficiencies);
        match phase {
            Phase::Prefill => self.prefill(batch, tokens, &rates, efficiencies),
            Phase::Decode => self.decode(batch, tokens, &rates),
        }
    }

    fn decode(&self, batch: f64, context: f64, rates: &Rates) -> Vec<OperatorPoint> {
        let matrices = self.matrices.iter().map(|matrix| {
            let time = matrix.op.times(rates).decode(batch, batch + PADDING_ROWS);
            self.matrix_point(Phase::Decode, matrix, matrix.op.work(batch), time, rates, 1.0)
        });
        let attention = self.attention.iter().map(|(layers, op)| {
            let one = op.decode_work(context);
            let work = Cost { flops: one.flops * batch, bytes: one.bytes * batch };
            self.attention_point(Phase::Decode, *layers, op, work, op.decode_roofs(rates))
        });
        matrices.chain(attention).collect()
    }

    fn prefill(&self, prompts: f64, input: f64, rates: &Rates, efficiencies: &Efficiencies) -> Vec<OperatorPoint> {
        let tokens = prompts * input;
        let matrices = self.matrices.iter().map(|matrix| {
            let (passing, slowdown) = if matrix.op.in_prefill { (tokens, rates.slowdown) } else { (prompts, 1.0) };
            let time = matrix.op.times(rates).prefill(prompts, tokens);
            self.matrix_point(Phase::Prefill, matrix, matrix.op.work(passing), time, rates, slowdown)
        });
        let roofs = Roofs { compute: rates.attention, bandwidth: rates.bandwidth };
        let attention = self.attention.iter().map(|(layers, op)| {
            // Its traffic is that of the activations.
            let work = Cost { flops: op.prefill_work(input) * prompts, bytes: Bytes::ZERO };
            self.attention_point(Phase::Prefill, *layers, op, work, roofs)
        });
        let bytes = self.steps.activations(input, efficiencies) * (prompts * self.gpus);
        let work = Cost { flops: Flops::ZERO, bytes };
        let activations = self.on_one_device(OperatorPoint {
            phase: Phase::Prefill,
            kind: OperatorKind::Activations,
            name: "activations".to_owned(),
            layers: self.layers,
            work,
            precision: self.attention_precision,
            roofs,
            time: roofs.times(work),
        });
        matrices.chain(attention).chain([activations]).collect()
    }

    fn matrix_point(
        &self,
        phase: Phase,
        matrix: &Matrix,
        work: Cost,
        time: OpTime,
        rates: &Rates,
        slowdown: f64,
    ) -> OperatorPoint {
        self.on_one_device(OperatorPoint {
            phase,
            kind: OperatorKind::Matrix(matrix.kind),
            name: matrix_name(matrix.kind, self.gated).to_owned(),
            layers: matrix.layers,
            work,
            precision: matrix.op.precision,
            roofs: Roofs { compute: matrix.op.peak * (rates.gemm / slowdown), bandwidth: rates.bandwidth },
            time,
        })
    }

    fn attention_point(&self, phase: Phase, layers: u32, op: &AttentionOp, work: Cost, roofs: Roofs) -> OperatorPoint {
        self.on_one_device(OperatorPoint {
            phase,
            kind: OperatorKind::Attention,
            name: format!("attention, {}", attention_name(&op.attention)),
            layers,
            work,
            precision: self.attention_precision,
            roofs,
            time: roofs.times(work),
        })
    }

    /// The share of one device in what the group does together. The times are the same.
    fn on_one_device(&self, group: OperatorPoint) -> OperatorPoint {
        OperatorPoint {
            work: Cost { flops: group.work.flops / self.gpus, bytes: group.work.bytes / self.gpus },
            roofs: Roofs { compute: group.roofs.compute / self.gpus, bandwidth: group.roofs.bandwidth / self.gpus },
            ..group
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::memory::weight_bytes;
    use crate::engine::ops::linear::is_tiled;
    use crate::spec::{Catalog, Deployment};

    /// Sums of the same terms in another order.
    const ROUNDING: f64 = 1e-12;

    /// Every kind of layer: dense, windowed, mixtures of experts with and without shared ones, latent attention.
    const SYSTEMS: [(&str, u32, Precision); 6] = [
        ("llama31_8b", 1, Precision::Fp8),
        ("llama33_70b", 2, Precision::Bf16),
        ("mixtral_8x7b", 2, Precision::Bf16),
        ("gpt_oss_120b", 8, Precision::Bf16),
        ("qwen3_30b_a3b", 2, Precision::Bf16),
        ("deepseek_v3", 16, Precision::Fp8),
    ];

    const EFFICIENCIES: Efficiencies = Efficiencies {
        memory: 0.8,
        gemm: 0.7,
        attention: 0.3,
        power_share: 0.3,
        activation_passes: 9.0,
        layer: Seconds::from_us(20.0),
        sequence: Seconds::from_us(0.1),
        link_latency: Seconds::from_us(10.0),
        link: 0.7,
    };

    fn system(model: &str, tensor_parallel: u32, weight_precision: Precision) -> System {
        let catalog = Catalog::built_in();
        let deployment =
            Deployment { kv_precision: weight_precision, ..Deployment::new(tensor_parallel, weight_precision) };
        System::new(catalog.hardware("h100_sxm_80gb").unwrap(), catalog.model(model).unwrap(), deployment).unwrap()
    }

    fn cases() -> impl Iterator<Item = (System, Phase, f64, f64)> {
        SYSTEMS.into_iter().flat_map(|(model, gpus, precision)| {
            let system = system(model, gpus, precision);
            Phase::ALL.into_iter().flat_map(move |phase| {
                let system = system.clone();
                [(1.0, 1.0), (1.0, 1000.0), (16.5, 300.0), (150.0, 4000.0), (900.0, 20.0), (2000.0, 500.0)]
                    .map(|(batch, tokens)| (system.clone(), phase, batch, tokens))
            })
        })
    }

    #[test]
    fn operators_and_what_stands_beside_them_make_the_time_of_the_step() {
        for (system, phase, batch, tokens) in cases() {
            let step = Inventory::new(&system).unwrap().step(phase, batch, tokens, &EFFICIENCIES);
            let costs = StepModel::new(&system).unwrap().costs_at(tokens, tokens, &EFFICIENCIES);
            let want = match phase {
                Phase::Prefill => costs.prefill_step(batch).total(),
                Phase::Decode => costs.decode_step(batch).parts.total(),
            };
            let name = &system.model.name;
            assert!((step.total() / want - 1.0).abs() < ROUNDING, "{name} {phase:?} {batch} {tokens}");
            // Only whole tiles are left to the difference.
            let tiles = step.others.iter().any(|(other, _)| *other == OtherCost::WholeTiles);
            assert!(!tiles || (phase == Phase::Decode && is_tiled(batch)), "{name} {phase:?} {batch} {tokens}");
        }
    }

    #[test]
    fn matrices_and_attention_sum_to_the_work_of_the_step_model() {
        for (system, phase, batch, tokens) in cases() {
            let inventory = Inventory::new(&system).unwrap();
            let steps = StepModel::new(&system).unwrap();
            let mut want = Cost::default();
            for op in &steps.weights {
                want += op.work(if phase == Phase::Prefill && op.in_prefill { batch * tokens } else { batch });
            }
            for op in &steps.attention {
                match phase {
                    Phase::Prefill => want.flops += op.prefill_work(tokens) * batch,
                    Phase::Decode => {
                        want.flops += op.decode_work(tokens).flops * batch;
                        want.bytes += op.decode_work(tokens).bytes * batch;
                    }
                }
            }
            if phase == Phase::Prefill {
                want.bytes += steps.activations(tokens, &EFFICIENCIES) * (batch * system.deployment.gpus());
            }
            let found = inventory.step(phase, batch, tokens, &EFFICIENCIES).work();
            let gpus = system.deployment.gpus();
            for (found, want) in
                [(found.flops.get(), want.flops.get() / gpus), (found.bytes.get(), want.bytes.get() / gpus)]
            {
                assert!((found / want - 1.0).abs() < ROUNDING, "{} {phase:?}: {found} {want}", system.model.name);
            }
        }
    }

    #[test]
    fn a_step_reads_all_dense_weights_but_the_embedding() {
        let system = system("llama31_8b", 1, Precision::Bf16);
        let points = Inventory::new(&system).unwrap().operators(Phase::Decode, 1.0, 1.0, &EFFICIENCIES);
        let matrices = points.iter().filter(|point| point.kind != OperatorKind::Attention);
        let read: Bytes = matrices.map(|point| point.work.bytes).sum();
        let embedding = system.model.vocabulary_matrix() as f64 * 2.0;
        // Norms are left out: 65 vectors of 4096 elements.
        assert!(((read.get() + embedding) / weight_bytes(&system).get() - 1.0).abs() < 1e-4);
    }

    #[test]
    fn no_operator_is_above_its_roof() {
        for (system, phase, batch, tokens) in cases() {
            for point in Inventory::new(&system).unwrap().operators(phase, batch, tokens, &EFFICIENCIES) {
                let share = point.attained().get() / point.attainable().get();
                let without_arithmetic = point.work.flops == Flops::ZERO;
                assert!(without_arithmetic || share <= 1.0 + ROUNDING, "{} {}: {share}", system.model.name, point.name);
            }
        }
    }
}
