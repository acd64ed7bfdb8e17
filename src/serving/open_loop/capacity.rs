//! The largest rate that an engine keeps up with.

use super::super::admission::batch_of_full_steps;
use super::Engine;
use crate::prediction::Limit;
use crate::units::Seconds;

/// Largest rate and the batch there, `1/λ_max = P + n·D(B*)/B*`.
///
/// An engine that is never idle spends `P` and a share of n steps on each request. Of the O steps during which a request
/// holds one of the A places it decodes in n, so `B* = A·n/O`. With a token budget a full step carries T tokens, n of each
/// request's I + n, so `B* = min(A·n/O, T·n/(I + n))`. Since D(B)/B falls, more places never lower the capacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// `λ_max`.
    pub rate: f64,
    /// `B*`.
    pub batch: f64,
    /// `λ_max` of the places alone, without a token budget.
    pub slots_rate: f64,
    /// `B*` of the places alone.
    pub slots_batch: f64,
}

impl Capacity {
    /// Capacity of an engine.
    pub fn of<D: Fn(f64) -> Seconds>(engine: &Engine<D>) -> Self {
        let n = engine.decode_steps;
        let rate = |batch: f64| 1.0 / (engine.prefill.get() + n * engine.decode(batch) / batch);
        let slots_batch = engine.slots * n / (n + 1.0);
        let slots_rate = rate(slots_batch);
        let budget = batch_of_full_steps(engine.step_tokens, engine.input_tokens, n);
        if budget < slots_batch {
            Self { rate: rate(budget).min(slots_rate), batch: budget, slots_rate, slots_batch }
        } else {
            Self { rate: slots_rate, batch: slots_batch, slots_rate, slots_batch }
        }
    }

    /// What sets it: what limits the places, or the engine's token budget.
    pub fn limit(&self, places: Limit) -> Limit {
        if self.batch < self.slots_batch { Limit::TokenBudget } else { places }
    }
}
