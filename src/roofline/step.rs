//! Every operator of a step under the roofline: its work, its place on the chart, its time, and what binds it.
//!
//! The work of the operators sums to that of [`StepModel`], and so do their times: matrices that the model sums up first
//! have the same ratio of traffic to arithmetic, so the root of the sum of squares ([`OpTime::total`]) of their sum is the
//! sum of their roots. What a step costs beside its operators is in [`Step::others`]; together they make its time,
//! `StepCosts::decode_step` and `StepCosts::prefill_step`, exactly.
//!
//! Work is what the mathematics asks for. Times are those of the model: padded to tiles ([`PADDING_ROWS`](crate::engine::ops::linear::PADDING_ROWS)), the corner of
//! the roofline rounded. So `max(work / roof) ≤ time`, and an operator lies below its roof on the chart by what that costs.

use super::operator::{Bound, OperatorPoint};
use crate::engine::cost::{Cost, OpTime};
use crate::engine::{Efficiencies, Phase, StepLoad, StepModel};
use crate::prediction::{Part, Parts};
use crate::units::Seconds;

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
#[non_exhaustive]
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

/// The operators of a step.
pub fn operators(model: &StepModel, step: &StepLoad, efficiencies: &Efficiencies) -> Vec<OperatorPoint> {
    let rates = model.rates(efficiencies);
    let of_step = model.operators().iter().filter(|operator| operator.is_in(step.phase));
    of_step.map(|operator| OperatorPoint::new(operator, step, &rates)).collect()
}

impl Step {
    /// A step with its operators: one of sequences that decode, or one that holds nothing but prompts.
    pub fn new(model: &StepModel, step: &StepLoad, efficiencies: &Efficiencies) -> Self {
        let costs = model.costs_at(step.tokens, step.tokens, efficiencies, 1.0);
        let parts = match step.phase {
            Phase::Prefill => costs.prefill_step(step.batch),
            Phase::Decode => costs.decode_step(step.batch).parts,
        };
        Self::of(step.phase, operators(model, step, efficiencies), &parts)
    }

    /// Operators by themselves, and what a step takes as a whole.
    fn of(phase: Phase, operators: Vec<OperatorPoint>, parts: &Parts) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Operator;
    use crate::engine::memory::weight_bytes;
    use crate::engine::ops::linear::is_tiled;
    use crate::roofline::OperatorKind;
    use crate::spec::{Catalog, Deployment, Formats, Parallelism, Precision, System};
    use crate::units::{Bytes, Flops};

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
        let deployment = Deployment::new(tensor_parallel, weight_precision).unwrap();
        let formats = Formats { kv: weight_precision, ..deployment.formats };
        let deployment = Deployment { formats, ..deployment };
        System::new(catalog.hardware("h100_sxm_80gb").unwrap(), catalog.model(model).unwrap(), deployment).unwrap()
    }

    fn cases() -> impl Iterator<Item = (System, StepLoad)> {
        SYSTEMS.into_iter().flat_map(|(model, gpus, precision)| {
            let system = system(model, gpus, precision);
            Phase::ALL.into_iter().flat_map(move |phase| {
                let system = system.clone();
                [(1.0, 1.0), (1.0, 1000.0), (16.5, 300.0), (150.0, 4000.0), (900.0, 20.0), (2000.0, 500.0)]
                    .map(|(batch, tokens)| (system.clone(), StepLoad { phase, batch, tokens }))
            })
        })
    }

    #[test]
    fn operators_and_what_stands_beside_them_make_the_time_of_the_step() {
        for (system, load) in cases() {
            let model = StepModel::new(&system).unwrap();
            let step = Step::new(&model, &load, &EFFICIENCIES);
            let costs = model.costs_at(load.tokens, load.tokens, &EFFICIENCIES, 1.0);
            let want = match load.phase {
                Phase::Prefill => costs.prefill_step(load.batch).total(),
                Phase::Decode => costs.decode_step(load.batch).parts.total(),
            };
            let name = &system.model().name;
            assert!((step.total() / want - 1.0).abs() < ROUNDING, "{name} {load:?}");
            // Only whole tiles are left to the difference.
            let tiles = step.others.iter().any(|(other, _)| *other == OtherCost::WholeTiles);
            assert!(!tiles || (load.phase == Phase::Decode && is_tiled(load.batch)), "{name} {load:?}");
        }
    }

    #[test]
    fn what_the_devices_do_together_is_the_whole_and_the_copies_of_what_cannot_be_split() {
        for (system, load) in cases() {
            let alone = Deployment { parallelism: Parallelism::SINGLE, ..*system.deployment() };
            let whole = System::new(system.hardware().clone(), system.model().clone(), alone).unwrap();
            let (whole, split) = (StepModel::new(&whole).unwrap(), StepModel::new(&system).unwrap());
            let rates = split.rates(&EFFICIENCIES);
            let gpus = system.deployment().gpus();
            for (whole, split) in whole.operators().iter().zip(split.operators()).filter(|(op, _)| op.is_in(load.phase))
            {
                let (all, one) = (whole.work(&load, &rates), split.work(&load, &rates));
                let (flops, bytes) = (one.flops * gpus / all.flops, one.bytes * gpus / all.bytes);
                let same = |ratio: f64| ratio.is_nan() || (ratio - 1.0).abs() < ROUNDING;
                let copied = match whole {
                    Operator::Matrix(_) => 1.0,
                    // A latent and, where there are fewer than devices, key/value heads lie on several.
                    Operator::Attention(_) => gpus,
                    // Every device holds the hidden state.
                    Operator::Activations(_) => gpus,
                };
                assert!(same(flops), "{} {load:?}: {flops}", system.model().name);
                assert!(
                    same(bytes) || (bytes > 1.0 && bytes <= copied + ROUNDING),
                    "{} {load:?}: {bytes}",
                    system.model().name
                );
            }
        }
    }

    #[test]
    fn a_step_reads_all_dense_weights_but_the_embedding() {
        let system = system("llama31_8b", 1, Precision::Bf16);
        let load = StepLoad { phase: Phase::Decode, batch: 1.0, tokens: 1.0 };
        let points = operators(&StepModel::new(&system).unwrap(), &load, &EFFICIENCIES);
        let matrices = points.iter().filter(|point| point.kind != OperatorKind::Attention);
        let read: Bytes = matrices.map(|point| point.work.bytes).sum();
        let embedding = system.model().vocabulary_matrix() as f64 * 2.0;
        // Norms are left out: 65 vectors of 4096 elements.
        assert!(((read.get() + embedding) / weight_bytes(&system).get() - 1.0).abs() < 1e-4);
    }

    #[test]
    fn no_operator_is_above_its_roof() {
        for (system, load) in cases() {
            for point in operators(&StepModel::new(&system).unwrap(), &load, &EFFICIENCIES) {
                let share = point.attained().get() / point.attainable().get();
                let without_arithmetic = point.work.flops == Flops::ZERO;
                assert!(
                    without_arithmetic || share <= 1.0 + ROUNDING,
                    "{} {}: {share}",
                    system.model().name,
                    point.name
                );
            }
        }
    }
}
