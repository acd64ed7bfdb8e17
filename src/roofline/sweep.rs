//! Compute time against memory time of whole steps over batch and context, and where they cross.

use super::step::{operators, roof_times};
use crate::engine::cost::OpTime;
use crate::engine::memory::kv_bytes;
use crate::engine::{Efficiencies, Phase, StepLoad, StepModel};
use crate::spec::System;
use crate::units::Bytes;

/// Doublings of the batch up to which a crossing is looked for: beyond it nothing changes any more.
const DOUBLINGS: i32 = 30;

/// Halvings of the bracket around a crossing: far below what matters in a batch.
const HALVINGS: usize = 40;

/// One step of a sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Sequences that decode, or prompts of one step.
    pub batch: f64,
    /// Traffic and arithmetic of all operators, each by itself, efficiencies included.
    pub time: OpTime,
    /// Whether the KV cache holds all sequences.
    pub fits: bool,
}

impl Cell {
    /// Memory time over compute time; above 1 the step is memory bound.
    pub fn ratio(&self) -> f64 {
        self.time.memory / self.time.compute
    }
}

/// Where compute time overtakes memory time for good as the batch grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Crossing {
    /// Compute time is longer from one sequence on.
    Always,
    /// From this batch on.
    At(f64),
    /// Memory time is longer however large the batch.
    Never,
}

/// One context of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct ContextLine {
    /// Context of each sequence, or length of each prompt.
    pub tokens: f64,
    /// Where the batch becomes compute bound.
    pub crossing: Crossing,
    /// Most sequences of this context that the KV cache holds; may be below 1.
    pub capacity: f64,
    /// A cell for each batch.
    pub cells: Vec<Cell>,
}

/// Steps over batch and context.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// Prompt or answer.
    pub phase: Phase,
    /// Batches, rising.
    pub batches: Vec<f64>,
    /// Contexts or prompt lengths, rising.
    pub contexts: Vec<ContextLine>,
}

impl Sweep {
    /// Sweeps over all pairs of the given values; `kv_cache` is what the sequences share.
    pub fn run(
        system: &System,
        model: &StepModel,
        phase: Phase,
        batches: &[f64],
        contexts: &[f64],
        kv_cache: Bytes,
        efficiencies: &Efficiencies,
    ) -> Self {
        let batches = sorted(batches);
        let line = |tokens| {
            let capacity = kv_cache / kv_bytes(system, tokens);
            let time = |batch| roof_times(&operators(model, &StepLoad { phase, batch, tokens }, efficiencies));
            ContextLine {
                tokens,
                crossing: crossing(|batch| {
                    let OpTime { memory, compute } = time(batch);
                    memory > compute
                }),
                capacity,
                cells: batches
                    .iter()
                    .map(|&batch| Cell { batch, time: time(batch), fits: batch <= capacity })
                    .collect(),
            }
        };
        Self { phase, contexts: sorted(contexts).into_iter().map(line).collect(), batches }
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// The last batch at which memory binds: bracketed by doublings, then halved. (The batches of a mixture of experts touch
/// more experts as they grow, so memory may come to bind before compute does.)
fn crossing(memory_binds: impl Fn(f64) -> bool) -> Crossing {
    let Some(last) = (0..=DOUBLINGS).rev().find(|&doublings| memory_binds(2f64.powi(doublings))) else {
        return Crossing::Always;
    };
    if last == DOUBLINGS {
        return Crossing::Never;
    }
    let (mut low, mut high) = (2f64.powi(last), 2f64.powi(last + 1));
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if memory_binds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Crossing::At(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crossing_is_found_between_doublings_and_beyond_any_sweep() {
        for batch in [1.5, 77.0, 3e6] {
            let Crossing::At(found) = crossing(|b| b < batch) else { panic!("{batch}") };
            assert!((found / batch - 1.0).abs() < 1e-9, "{found} {batch}");
        }
        assert_eq!(crossing(|_| false), Crossing::Always);
        assert_eq!(crossing(|_| true), Crossing::Never);
        // Compute binds at first, then memory, then compute for good.
        let Crossing::At(found) = crossing(|b| (3.0..300.0).contains(&b)) else { panic!("there is a crossing") };
        assert!((found / 300.0 - 1.0).abs() < 1e-9, "{found}");
    }
}
