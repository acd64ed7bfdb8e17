//! One engine step: all operators of a decode step and of a prefill, reduced to a few constants.
//!
//! [`StepModel`](crate::engine::StepModel) holds what follows from the system alone, [`StepCosts`] what follows with efficiencies and a
//! workload. The closed loop then evaluates [`StepCosts::decode_time`] some ten times per prediction.

use crate::engine::cost::OpTime;
use crate::engine::ops::collective::AllReduce;
use crate::engine::ops::linear::{PADDING_ROWS, TILE_ROWS, decode_rows, is_tiled};
use crate::engine::ops::moe::read_share;
use crate::prediction::{Part, Parts, Roof};
use crate::units::Seconds;

/// Largest elasticity d ln D/d ln B that the edge of a tile gives a decode step. At 1 a batch would have no restoring force:
/// an open loop could hold any of a range of batches at one rate.
const LARGEST_ELASTICITY: f64 = 0.8;

/// Dense weights, the head, and two kinds of routed experts. A fixed number keeps [`StepCosts`] free of allocation.
pub(crate) const MAX_WEIGHT_OPS: usize = 4;

/// Time of one weight operator: reading it, and its arithmetic per token.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WeightCost {
    /// Reading all of it.
    pub read: Seconds,
    /// Arithmetic of one decoded token.
    pub per_token: Seconds,
    /// Arithmetic of one token of a prompt; `None` where only the last token passes.
    pub per_prompt_token: Option<Seconds>,
    /// Routed experts: total and active per token.
    pub experts: Option<(f64, f64)>,
}

impl WeightCost {
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
    fn prefill_in_step(&self, input_tokens: f64) -> Seconds {
        self.per_prompt_token.map_or(Seconds::ZERO, |per_token| {
            let read = self.read_time(input_tokens + 1.0) - self.read_time(1.0);
            (per_token * input_tokens).max(read)
        })
    }
}

/// Step costs of a system for one workload.
#[derive(Debug, Clone, Copy)]
pub struct StepCosts {
    pub(crate) weights: [WeightCost; MAX_WEIGHT_OPS],
    /// Of one sequence: reading its cache, and what its attention costs beyond that.
    pub(crate) kv_read: Seconds,
    pub(crate) kv_compute: Seconds,
    pub(crate) launch: Seconds,
    pub(crate) sequence: Seconds,
    pub(crate) all_reduce: AllReduce,
    pub(crate) input_tokens: f64,
    /// Attention of one prompt.
    pub(crate) prefill_attention: Seconds,
    /// Traffic of the activations of one prompt.
    pub(crate) prefill_activations: Seconds,
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
    /// What one prompt adds to a step that decodes anyway, `P(I)`: weights are read and kernels launched for the
    /// decoding sequences already.
    pub fn prefill(&self) -> Seconds {
        let linear: Seconds = self.weights.iter().map(|op| op.prefill_in_step(self.input_tokens)).sum();
        linear + self.prefill_attention + self.prefill_activations + self.all_reduce.per_token() * self.input_tokens
    }

    /// [`StepCosts::prefill`] per token of the prompt, but without the reading of experts. Longer prompts never lower it.
    pub fn prefill_per_token(&self) -> Seconds {
        let linear: Seconds = self.weights.iter().filter_map(|op| op.per_prompt_token).sum();
        linear + (self.prefill_attention + self.prefill_activations) / self.input_tokens + self.all_reduce.per_token()
    }

    /// A step that holds nothing but `prompts` prompts, in parts. With one prompt this is what a request costs on an
    /// idle engine.
    pub fn prefill_step(&self, prompts: f64) -> Parts {
        let tokens = prompts * self.input_tokens;
        let linear: Seconds = self.weights.iter().map(|op| op.prefill(prompts, tokens).total()).sum();
        let mut parts = Parts::default();
        for (part, time) in [
            (Part::PrefillCompute, linear),
            (Part::PrefillAttention, self.prefill_attention * prompts),
            (Part::PrefillActivations, self.prefill_activations * prompts),
            (Part::Link, self.all_reduce.time(tokens)),
            (Part::Launch, self.launch),
            (Part::PerSequence, self.sequence * prompts),
        ] {
            parts.add(part, time);
        }
        parts
    }

    /// Everything of a decode step but the weight operators.
    fn besides_weights(&self, batch: f64) -> Seconds {
        self.launch + self.all_reduce.time(batch) + (self.kv_read + self.kv_compute + self.sequence) * batch
    }

    fn weight_time(&self, batch: f64, rows: f64) -> Seconds {
        self.weights.iter().map(|op| op.decode(batch, rows).total()).sum()
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
        for op in &self.weights {
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
        parts.add(Part::Link, self.all_reduce.time(batch));
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
