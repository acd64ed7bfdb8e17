//! What a roofline answers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::RooflineStudy;
use crate::app::system::SystemAnswer;
use crate::roofline::{Crossing, OperatorPoint, Step, Sweep, machine_balance};
use crate::spec::Precision;
use crate::units::FlopsPerSec;

/// The operators of a system under the roofs of its device; `--format json` prints it. FLOP, bytes and rates are those of one
/// device; the others of a tensor-parallel group do the same at the same time.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RooflineAnswer {
    /// The system and its calibration.
    #[serde(flatten)]
    pub system: SystemAnswer,
    /// Parameters that are taken from documented priors (priors.toml).
    pub from_priors: Vec<&'static str>,
    /// What to know before trusting the numbers.
    pub cautions: Vec<String>,
    /// Sequences of the decode step, prompts of the prefill step.
    pub batch: f64,
    /// Mean context of the decode step, length of the prompts.
    pub context_tokens: f64,
    /// Memory bandwidth.
    pub bandwidth_peak_gb_per_s: f64,
    /// Peak times efficiency.
    pub bandwidth_attainable_gb_per_s: f64,
    /// Arithmetic, the fastest first.
    pub roofs: Vec<RoofAnswer>,
    /// Ceilings of some operators by themselves.
    pub ceilings: Vec<CeilingAnswer>,
    /// Prefill, then decode.
    pub steps: Vec<StepAnswer>,
    /// Prefill, then decode.
    pub sweeps: Vec<SweepAnswer>,
    /// What names were taken for.
    pub remarks: Vec<String>,
    /// What was read from where.
    pub notes: Vec<String>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// What tables and pages are made from.
    #[serde(skip)]
    pub study: RooflineStudy,
}

/// A roof of arithmetic.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RoofAnswer {
    /// Formats of equal peak.
    pub precisions: Vec<Precision>,
    /// Dense.
    pub peak_tflop_per_s: f64,
    /// Peak times the efficiency of matrix products.
    pub attainable_tflop_per_s: f64,
    /// Machine balance: below this intensity memory binds.
    pub peak_balance_flop_per_byte: f64,
    /// The same of what is attainable.
    pub attainable_balance_flop_per_byte: f64,
    /// Whether the system computes in one of the formats.
    pub used: bool,
}

/// A ceiling of some operators.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CeilingAnswer {
    /// What it is of.
    pub name: String,
    /// Its height.
    pub tflop_per_s: f64,
}

/// A step of the engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StepAnswer {
    /// prefill or decode.
    pub phase: &'static str,
    /// In the order of a forward pass.
    pub operators: Vec<OperatorAnswer>,
    /// What the step costs beside its operators: all_reduce, launch, per_sequence, whole_tiles.
    pub others_ms: BTreeMap<&'static str, f64>,
    /// Traffic alone, summed over the operators.
    pub memory_ms: f64,
    /// Arithmetic alone, summed over the operators.
    pub compute_ms: f64,
    /// All operators.
    pub operators_ms: f64,
    /// Operators and others; the decode step is the ITL, and the prefill step the TTFT but its fixed overhead, of perfmodel predict
    /// --batch.
    pub step_ms: f64,
    /// memory or compute.
    pub bound: &'static str,
}

/// An operator of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OperatorAnswer {
    /// What it is.
    pub name: String,
    /// Layers that have it.
    pub layers: u32,
    /// Format in which it computes.
    pub precision: Precision,
    /// Of all layers, without padding.
    pub gflop: f64,
    /// Traffic of all layers.
    pub gb: f64,
    /// FLOP for each byte; null without traffic of its own, or without arithmetic.
    pub intensity_flop_per_byte: Option<f64>,
    /// What the roofs allow.
    pub attainable_tflop_per_s: f64,
    /// What is predicted: padded to tiles, the corner of the roofline round.
    pub attained_tflop_per_s: f64,
    /// Traffic alone.
    pub memory_ms: f64,
    /// Arithmetic alone, padding included.
    pub compute_ms: f64,
    /// Root of the sum of their squares.
    pub time_ms: f64,
    /// memory or compute.
    pub bound: &'static str,
}

/// Steps over batch and context.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SweepAnswer {
    /// prefill or decode.
    pub phase: &'static str,
    /// Rising.
    pub contexts: Vec<SweepContext>,
}

/// One context of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SweepContext {
    /// Context of each sequence, or length of each prompt.
    pub context_tokens: f64,
    /// Batch from which compute time is longer, whatever the batches of the sweep; null: it never is.
    pub compute_bound_from_batch: Option<f64>,
    /// Sequences of this context that the KV cache holds.
    pub kv_cache_sequences: f64,
    /// One for each batch.
    pub cells: Vec<SweepCell>,
}

/// One step of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SweepCell {
    /// Sequences that decode, or prompts of one step.
    pub batch: f64,
    /// Traffic alone, summed over the operators.
    pub memory_ms: f64,
    /// Arithmetic alone, summed over the operators.
    pub compute_ms: f64,
    /// Above 1 the step is memory bound.
    pub memory_over_compute: f64,
    /// Whether the KV cache holds the sequences.
    pub fits: bool,
}

fn tera(rate: FlopsPerSec) -> f64 {
    rate.get() / 1e12
}

impl RooflineStudy {
    /// The answer.
    pub(super) fn answer(self, from_priors: Vec<&'static str>, cautions: Vec<String>) -> RooflineAnswer {
        let roofs = &self.roofs;
        RooflineAnswer {
            system: self.target.answer(),
            from_priors,
            cautions,
            batch: self.batch,
            context_tokens: self.tokens,
            bandwidth_peak_gb_per_s: roofs.bandwidth.get() / 1e9,
            bandwidth_attainable_gb_per_s: roofs.attainable_bandwidth.get() / 1e9,
            roofs: roofs
                .compute
                .iter()
                .map(|roof| RoofAnswer {
                    precisions: roof.precisions.clone(),
                    peak_tflop_per_s: tera(roof.peak),
                    attainable_tflop_per_s: tera(roof.attainable),
                    peak_balance_flop_per_byte: machine_balance(roof.peak, roofs.bandwidth),
                    attainable_balance_flop_per_byte: machine_balance(roof.attainable, roofs.attainable_bandwidth),
                    used: roof.used,
                })
                .collect(),
            ceilings: roofs
                .ceilings
                .iter()
                .map(|ceiling| CeilingAnswer { name: ceiling.name.clone(), tflop_per_s: tera(ceiling.rate) })
                .collect(),
            steps: self.steps.iter().map(StepAnswer::from).collect(),
            sweeps: self.sweeps.iter().map(SweepAnswer::from).collect(),
            remarks: Vec::new(),
            notes: self.target.notes.clone(),
            files: Vec::new(),
            study: self,
        }
    }
}

impl From<&Step> for StepAnswer {
    fn from(step: &Step) -> Self {
        let each = step.roof_times();
        Self {
            phase: step.phase.name(),
            operators: step.operators.iter().map(OperatorAnswer::from).collect(),
            others_ms: step.others.iter().map(|(other, time)| (other.key(), time.as_ms())).collect(),
            memory_ms: each.memory.as_ms(),
            compute_ms: each.compute.as_ms(),
            operators_ms: step.operator_time().as_ms(),
            step_ms: step.total().as_ms(),
            bound: step.bound().name(),
        }
    }
}

impl From<&OperatorPoint> for OperatorAnswer {
    fn from(operator: &OperatorPoint) -> Self {
        Self {
            name: operator.name.clone(),
            layers: operator.layers,
            precision: operator.precision,
            gflop: operator.work.flops.get() / 1e9,
            gb: operator.work.bytes.get() / 1e9,
            intensity_flop_per_byte: operator.intensity(),
            attainable_tflop_per_s: tera(operator.attainable()),
            attained_tflop_per_s: tera(operator.attained()),
            memory_ms: operator.time.memory.as_ms(),
            compute_ms: operator.time.compute.as_ms(),
            time_ms: operator.time.total().as_ms(),
            bound: operator.bound().name(),
        }
    }
}

impl From<&Sweep> for SweepAnswer {
    fn from(sweep: &Sweep) -> Self {
        let contexts = sweep.contexts.iter().map(|line| SweepContext {
            context_tokens: line.tokens,
            compute_bound_from_batch: match line.crossing {
                Crossing::Always => Some(1.0),
                Crossing::At(batch) => Some(batch),
                Crossing::Never => None,
            },
            kv_cache_sequences: line.capacity,
            cells: line
                .cells
                .iter()
                .map(|cell| SweepCell {
                    batch: cell.batch,
                    memory_ms: cell.time.memory.as_ms(),
                    compute_ms: cell.time.compute.as_ms(),
                    memory_over_compute: cell.ratio(),
                    fits: cell.fits,
                })
                .collect(),
        });
        Self { phase: sweep.phase.name(), contexts: contexts.collect() }
    }
}
