//! What a device serves with a variant: sequences that its memory holds, and the decode step at that batch.
//!
//! Work, memory and all-reduces are those of [`crate::engine`]; a step takes
//!
//! `t(B) = max(bytes(B)/β, FLOP(B)/π) + t₀`, total `B/t` tokens/s, each sequence `1/t`
//!
//! | symbol | meaning |
//! |---|---|
//! | `bytes(B)` | weights (of the experts that B tokens touch) and the caches of B sequences |
//! | `FLOP(B)` | all matrices and attention of B tokens |
//! | `β`, `π` | peak bandwidth and peak rate times the shares of [`ServingRates`]; each operator at the peak of its format |
//! | `t₀` | fixed cost of a step; with several devices the all-reduces besides |
//!
//! Speeds measured with one sequence, multiplied by the sequences that fit, are the linear rule; it holds while weights and
//! overhead outweigh the caches.

use crate::engine::cost::OpTime;
use crate::engine::memory::{kv_bytes, weight_bytes};
use crate::engine::ops::collective::Collectives;
use crate::engine::{Efficiencies, Phase, Rates, StepLoad, StepModel};
use crate::error::Result;
use crate::serving::ServingParameters;
use crate::spec::System;
use crate::units::{Bytes, Flops, Seconds};

/// The linear rule has broken where it promises this much more than the step allows.
pub const BROKEN: f64 = 1.1;

/// Shares of the peaks that are reached, and what memory is not there for caches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServingRates {
    /// Share of peak bandwidth.
    pub memory: f64,
    /// Share of peak arithmetic.
    pub compute: f64,
    /// Fixed cost of a step.
    pub overhead: Seconds,
    /// Share of device memory that the engine takes.
    pub usable: f64,
    /// Of that, what weights and caches do not get, on each device.
    pub reserve: Bytes,
}

/// What makes a step as long as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepBound {
    /// Traffic.
    Memory,
    /// Arithmetic.
    Compute,
    /// All-reduces between the devices.
    Link,
    /// The fixed cost of a step.
    Overhead,
}

impl StepBound {
    /// Name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Compute => "compute",
            Self::Link => "link",
            Self::Overhead => "overhead",
        }
    }
}

impl Default for ServingRates {
    fn default() -> Self {
        Self { memory: 0.8, compute: 0.6, overhead: Seconds::from_us(50.0), usable: 0.9, reserve: Bytes::new(1e9) }
    }
}

impl ServingRates {
    /// Memory for caches where `memory` is that of all of `gpus` devices and the weights take their part: 0 where they leave
    /// none.
    pub fn cache_budget(&self, memory: Bytes, weights: Bytes, gpus: f64) -> Bytes {
        (memory * self.usable - weights - self.reserve * gpus).max(Bytes::ZERO)
    }
}

/// What the memory of a curve is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// Caches alone.
    Cache,
    /// Whole devices: weights and reserve come first.
    Devices,
}

/// A batch that is served.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServingPoint {
    /// Sequences that the memory holds.
    pub fits: u64,
    /// Sequences that run: as many, or fewer where each must be fast.
    pub sequences: u64,
    /// The step.
    pub step: Seconds,
    /// What binds it.
    pub bound: StepBound,
    /// FLOP per byte.
    pub intensity: f64,
    /// Tokens/s of each sequence.
    pub per_sequence: f64,
    /// Tokens/s of all.
    pub total: f64,
    /// Tokens/s of all by the linear rule: the speed of a sequence alone times their number.
    pub linear: f64,
}

/// A decode step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Traffic and arithmetic, each by itself.
    pub roofs: OpTime,
    /// FLOP per byte.
    pub intensity: f64,
    /// All-reduces.
    pub link: Seconds,
    /// What it takes.
    pub time: Seconds,
    /// The longest of its parts.
    pub bound: StepBound,
}

/// A system whose decode steps are asked for.
#[derive(Debug, Clone)]
pub struct ServingSystem {
    system: System,
    model: StepModel,
    /// The peaks of a device.
    peaks: Rates,
    /// What the devices exchange, at the priors of the link between them.
    collectives: Collectives,
    rates: ServingRates,
}

impl ServingSystem {
    /// Prepares a system.
    ///
    /// # Errors
    /// A precision that the device has no peak for.
    pub fn new(system: System, rates: ServingRates) -> Result<Self> {
        let class = system.hardware().group_link(system.deployment().parallelism.tp()).class;
        let model = StepModel::new(&system)?;
        Ok(Self {
            peaks: model.rates(&Efficiencies::PEAK),
            collectives: model.collectives(&ServingParameters::default().efficiencies(class), 1.0),
            model,
            system,
            rates,
        })
    }

    /// The system.
    pub fn system(&self) -> &System {
        &self.system
    }

    /// Weights in memory, all devices.
    pub fn weights(&self) -> Bytes {
        weight_bytes(&self.system)
    }

    /// Cache of one sequence, all devices.
    pub fn sequence_bytes(&self, context: f64) -> Bytes {
        kv_bytes(&self.system, context)
    }

    /// Memory for caches out of so much memory.
    pub fn cache_budget(&self, memory: Bytes, counted: Memory) -> Bytes {
        match counted {
            Memory::Cache => memory,
            Memory::Devices => self.rates.cache_budget(memory, self.weights(), self.system.deployment().gpus()),
        }
    }

    /// Whole sequences that a cache holds.
    pub fn fits(&self, cache: Bytes, context: f64) -> u64 {
        // Saturates where the cache is beyond counting.
        (cache / self.sequence_bytes(context)).floor() as u64
    }

    /// A decode step of `batch` sequences.
    pub fn step(&self, batch: f64, context: f64) -> Step {
        let step = StepLoad { phase: Phase::Decode, batch, tokens: context };
        let (mut bytes, mut flops, mut compute) = (Bytes::ZERO, Flops::ZERO, Seconds::ZERO);
        for operator in self.model.operators().iter().filter(|operator| operator.is_in(step.phase)) {
            let work = operator.work(&step, &self.peaks);
            bytes += work.bytes;
            flops += work.flops;
            // The roofs of operators know tiles; here every format reaches the same share of its peak.
            let peak = self.system.hardware().peak(operator.precision()).expect("the model has asked for it before");
            compute += work.flops / (peak * self.rates.compute);
        }
        let link = self.collectives.time(batch);
        let roofs = OpTime { memory: bytes / (self.system.hardware().bandwidth * self.rates.memory), compute };
        let parts = [
            (StepBound::Memory, roofs.memory),
            (StepBound::Compute, roofs.compute),
            (StepBound::Link, link),
            (StepBound::Overhead, self.rates.overhead),
        ];
        let longest = parts.into_iter().fold(parts[0], |most, part| if part.1 > most.1 { part } else { most });
        Step {
            roofs,
            intensity: flops.get() / bytes.get(),
            link,
            time: roofs.memory.max(roofs.compute) + link + self.rates.overhead,
            bound: longest.0,
        }
    }

    /// What runs where `fits` sequences fit and each must make `slowest` tokens/s; `None` where that leaves none.
    pub fn point(&self, fits: u64, context: f64, slowest: Option<f64>) -> Option<ServingPoint> {
        let sequences = slowest.map_or(fits, |slowest| self.most_within(fits, context, slowest));
        if sequences == 0 {
            return None;
        }
        let step = self.step(sequences as f64, context);
        let alone = self.step(1.0, context).time.get();
        Some(ServingPoint {
            fits,
            sequences,
            step: step.time,
            bound: step.bound,
            intensity: step.intensity,
            per_sequence: 1.0 / step.time.get(),
            total: sequences as f64 / step.time.get(),
            linear: sequences as f64 / alone,
        })
    }

    /// The most sequences, up to `fits`, of which each makes `slowest` tokens/s. Steps only grow with their batch.
    pub fn most_within(&self, fits: u64, context: f64, slowest: f64) -> u64 {
        last_true(fits, |batch| 1.0 / self.step(batch as f64, context).time.get() >= slowest)
    }

    /// The most sequences for which the linear rule promises no more than [`BROKEN`] times what the step allows; `None` where
    /// it never does.
    pub fn linear_until(&self, context: f64) -> Option<u64> {
        let alone = self.step(1.0, context).time;
        let most = last_true(MOST_SEQUENCES, |batch| self.step(batch as f64, context).time <= alone * BROKEN);
        (most < MOST_SEQUENCES).then_some(most)
    }

    /// Memory of all devices that just holds so many sequences.
    pub fn memory_for(&self, sequences: u64, context: f64) -> Bytes {
        let caches = self.sequence_bytes(context) * sequences as f64;
        (caches + self.weights() + self.rates.reserve * self.system.deployment().gpus()) / self.rates.usable
    }
}

/// Sequences beyond which nobody asks.
const MOST_SEQUENCES: u64 = 1 << 40;

/// The largest number from 0 to `most` for which `holds`, which is true up to some number and false from then on; 0 is taken
/// to hold.
fn last_true(most: u64, holds: impl Fn(u64) -> bool) -> u64 {
    if most > 0 && holds(most) {
        return most;
    }
    let (mut yes, mut no) = (0, most);
    while no - yes > 1 {
        let middle = u64::midpoint(yes, no);
        if holds(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    yes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_holds_is_found() {
        for (most, limit) in [(0, 5), (1, 0), (1, 1), (7, 7), (7, 3), (1 << 40, 12_345_678)] {
            assert_eq!(last_true(most, |n| n <= limit), most.min(limit), "{most} {limit}");
        }
    }
}
