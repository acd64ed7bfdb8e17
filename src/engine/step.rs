//! One engine step: all operators of a decode step and of a prefill, reduced to a few constants.
//!
//! [`StepModel`](crate::engine::StepModel) holds what follows from the system alone, [`StepCosts`] what follows with efficiencies and a
//! workload. The closed loop then evaluates [`StepCosts::decode_time`] some ten times per prediction.

use super::ops::collective::Collectives;
use super::ops::linear::{PADDING_ROWS, TILE_ROWS, decode_rows, is_tiled};
use super::ops::matrices::MatrixTimes;
use crate::prediction::{Part, Parts, Roof};
use crate::units::Seconds;

/// Largest elasticity d ln D/d ln B that the edge of a tile gives a decode step. At 1 a batch would have no restoring force:
/// an open loop could hold any of a range of batches at one rate.
const LARGEST_ELASTICITY: f64 = 0.8;

/// Kinds of matrices whose times do not add up: dense ones, the head, and experts of different layers. A fixed number keeps
/// [`StepCosts`] free of allocation.
pub(super) const MOST_MATRICES: usize = 8;

/// Step costs of a system for one workload.
#[derive(Debug, Clone, Copy)]
pub struct StepCosts {
    pub(super) matrices: [MatrixTimes; MOST_MATRICES],
    /// How many of them there are.
    pub(super) kinds: usize,
    /// Of one sequence: reading its cache, and what its attention costs beyond that.
    pub(super) kv_read: Seconds,
    pub(super) kv_compute: Seconds,
    pub(super) launch: Seconds,
    pub(super) sequence: Seconds,
    /// What the devices exchange.
    pub(super) collectives: Collectives,
    pub(super) input_tokens: f64,
    /// Attention of one prompt.
    pub(super) prefill_attention: Seconds,
    /// Traffic of the activations of one prompt.
    pub(super) prefill_activations: Seconds,
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
    fn matrices(&self) -> &[MatrixTimes] {
        &self.matrices[..self.kinds]
    }

    /// What one prompt adds to a step that decodes anyway, `P(I)`: weights are read and kernels launched for the
    /// decoding sequences already.
    pub fn prefill(&self) -> Seconds {
        let linear: Seconds = self.matrices().iter().map(|op| op.prefill_in_step(self.input_tokens)).sum();
        linear + self.prefill_attention + self.prefill_activations + self.collectives.per_token() * self.input_tokens
    }

    /// [`StepCosts::prefill`] per token of the prompt, but without the reading of experts. Longer prompts never lower it.
    pub fn prefill_per_token(&self) -> Seconds {
        let linear: Seconds = self.matrices().iter().filter_map(|op| op.per_prompt_token).sum();
        linear + (self.prefill_attention + self.prefill_activations) / self.input_tokens + self.collectives.per_token()
    }

    /// A step that holds nothing but `prompts` prompts, in parts. With one prompt this is what a request costs on an
    /// idle engine.
    pub fn prefill_step(&self, prompts: f64) -> Parts {
        let tokens = prompts * self.input_tokens;
        let linear: Seconds = self.matrices().iter().map(|op| op.prefill(prompts, tokens).total()).sum();
        let mut parts = Parts::default();
        for (part, time) in [
            (Part::PrefillCompute, linear),
            (Part::PrefillAttention, self.prefill_attention * prompts),
            (Part::PrefillActivations, self.prefill_activations * prompts),
            (Part::Link, self.collectives.time(tokens)),
            (Part::Launch, self.launch),
            (Part::PerSequence, self.sequence * prompts),
        ] {
            parts.add(part, time);
        }
        parts
    }

    /// Everything of a decode step but the weight operators.
    fn besides_weights(&self, batch: f64) -> Seconds {
        self.launch + self.collectives.time(batch) + (self.kv_read + self.kv_compute + self.sequence) * batch
    }

    fn weight_time(&self, batch: f64, rows: f64) -> Seconds {
        self.matrices().iter().map(|op| op.decode(batch, rows).total()).sum()
    }

    /// Time of a decode step with `batch` sequences, `D(B)`; the batch is a mean and need not be whole.
    ///
    /// Matrix products are padded to tiles ([`decode_rows`]), but the jump at a tile's lower edge is drawn out:
    /// `D(B) = min(D with padded rows, D(edge)·(B/edge)^0.8)`. So D is continuous and rises, and D/B falls, which is what
    /// makes both loops have one solution. (The mean batch mixes steps below and above the edge, which smooths the jump in
    /// measurements too.)
    pub fn decode_time(&self, batch: f64) -> Seconds {
        let other = self.besides_weights(batch);
        other + self.tiled_weight_time(batch, other)
    }

    /// Weight operators with padding, held below what the step may cost; `other` is the rest of the step.
    fn tiled_weight_time(&self, batch: f64, other: Seconds) -> Seconds {
        let smooth = self.weight_time(batch, batch + PADDING_ROWS);
        let rows = decode_rows(batch);
        if !is_tiled(batch) || rows <= batch + PADDING_ROWS {
            return smooth;
        }
        let edge = rows - TILE_ROWS;
        let at_edge = self.besides_weights(edge) + self.weight_time(edge, edge + PADDING_ROWS);
        self.weight_time(batch, rows).min(at_edge * (batch / edge).powf(LARGEST_ELASTICITY) - other).max(smooth)
    }

    /// The decode step in parts.
    pub fn decode_step(&self, batch: f64) -> DecodeStep {
        let mut parts = Parts::default();
        for op in self.matrices() {
            let (memory, compute) = op.decode(batch, batch + PADDING_ROWS).shares();
            parts.add(Part::Weights, memory);
            parts.add(Part::Compute, compute);
        }
        let smooth = parts.total();
        parts.add(Part::Compute, self.tiled_weight_time(batch, self.besides_weights(batch)) - smooth);
        parts.add(Part::KvReads, self.kv_read * batch);
        parts.add(Part::Compute, self.kv_compute * batch);
        parts.add(Part::Launch, self.launch);
        parts.add(Part::PerSequence, self.sequence * batch);
        parts.add(Part::Link, self.collectives.time(batch));
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
