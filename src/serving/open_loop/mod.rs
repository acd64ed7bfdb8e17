//! The operating point of an open loop: requests of independent users, Poisson arrivals at a rate λ.
//!
//! The engine takes every prompt that has arrived into its next step, beside one token of each running sequence. A step
//! with B sequences and j prompts takes `D(B) + j·P`. From this follow, one effect a file,
//!
//! | file | effect |
//! |---|---|
//! | [`capacity`] | the largest rate λ_max and the batch B* there |
//! | [`batch`] | the mean batch B and ITL |
//! | [`boundary`] | waiting for the step found in progress and behind prompts that came with it |
//! | [`slots`] | waiting for one of the A places |
//! | [`budget`] | waiting for the engine's token budget of a step |
//! | [`distribution`] | how the wait spreads: P50, P90, P99 |
//!
//! and the time to first token
//!
//! ```text
//! TTFT = t_out + own step + further chunks + busy·(boundary + prompts of others + budget) + C·w
//! own step = alone + (1 − e⁻ᴮ)·max(0, P + D(B₁) − alone)        B₁ = B/(1 − e⁻ᴮ)
//! ```
//!
//! The own step of a lone prompt is a step that holds nothing else, `alone` = [`StepCosts::prefill_step`] of one prompt: it
//! reads the weights itself. With the probability 1 − e⁻ᴮ others decode (their number is near Poisson), B₁ of them in the
//! mean; then the step costs `P + D(B₁)` and their step has read the weights. So at rate → 0 a request costs what it
//! costs a single client of the closed loop, and the step of nobody is not counted. For an affine D with
//! alone = P + D(0) the own step is P + D(B) at every rate.
//!
//! Symbols, the same in all files; times in seconds inside formulas, since products of times have no type:
//!
//! | symbol | meaning | unit |
//! |---|---|---|
//! | `λ` | rate of arrivals | 1/s |
//! | `P` | what a prompt adds to a step that decodes anyway | s |
//! | `D(B)` | decode step with B sequences; rises, while D(B)/B falls | s |
//! | `ρ` | λ·P, share of the time spent on prompts | 1 |
//! | `n` | decode steps of a request, O − 1 | 1 |
//! | `A` | requests that may run at once | 1 |
//! | `T` | token budget of a step | tokens |
//!
//! Assumes that requests are alike, that they are served in the order of arrival, and a steady state. Where a formula is
//! not exact its constants were chosen on event-driven simulations. Against such simulations (affine D, A of 85 to 2250;
//! `simulated.rs` repeats some): ITL and B within 3 % up to 90 % of capacity, mean, P50 and P90 of TTFT within 12 %, P99
//! within 20 %, except where waiting for a place just begins (C near 1 %: P99 up to 40 % low). Below 32 places
//! the mean holds as well, P90 is within 25 % and the median of a single place no better than a guess. Weaker for short
//! answers to long prompts, P ≥ 0.1·n·D.

mod batch;
mod boundary;
mod budget;
mod capacity;
mod distribution;
mod normal;
#[cfg(test)]
mod simulated;
mod slots;

use super::model::{RankLoad, ServingModel};
use super::parameters::{Quantity, ServingParameters};
use super::seen::seen_batch;
use crate::engine::StepCosts;
use crate::prediction::{Limit, OpenLoop, Part, Prediction};
use crate::units::{Seconds, TokensPerSec};
use boundary::Boundary;
use budget::Budget;
use capacity::Capacity;
use distribution::{LEVELS, Level, Wait};
use slots::Slots;

/// An engine and its requests as the formulas see them.
struct Engine<D> {
    /// `D(B)`.
    decode_time: D,
    /// `P`.
    prefill: Seconds,
    /// A step that holds one prompt and nothing else.
    alone: Seconds,
    /// `I`, tokens of a prompt.
    input_tokens: f64,
    /// `n`.
    decode_steps: f64,
    /// `A`.
    slots: f64,
    /// `T`, if there is one.
    step_tokens: Option<f64>,
}

/// What a request meets at a rate below capacity, beyond a lone prompt's own step.
struct FirstToken {
    /// The decode step of others in the own step, and steps of further chunks.
    own_step: Seconds,
    /// For the end of the step found in progress.
    boundary: Seconds,
    /// Behind prompts of others.
    prompts: Seconds,
    /// For the token budget and for a place.
    queue: Seconds,
    /// The wait that varies from request to request: all but `own_step`.
    wait: Wait,
}

impl FirstToken {
    fn total(&self) -> Seconds {
        self.own_step + self.boundary + self.prompts + self.queue
    }

    /// Quantile of the time beyond a lone prompt's own step.
    fn quantile(&self, level: Level) -> Seconds {
        self.own_step + self.wait.quantile(level)
    }
}

impl<D: Fn(f64) -> Seconds> Engine<D> {
    /// `D(B)` in seconds.
    fn decode(&self, batch: f64) -> f64 {
        (self.decode_time)(batch).get()
    }

    /// Time to first token at a rate below capacity and the batch there, less what a lone prompt takes.
    fn first_token(&self, rate: f64, batch: f64, capacity: &Capacity) -> FirstToken {
        // Share of the time with a decoding sequence, and the mean number of them then.
        let decoding = -(-batch).exp_m1();
        let shared = self.decode(batch / decoding);
        let budget = Budget::of(self, rate, batch);
        let beside_others = (self.prefill.get() + shared - self.alone.get()).max(0.0);
        let slots = Slots::of(self, rate, batch, capacity);
        let boundary = Boundary::of(rate, self.prefill.get(), shared, batch, slots.step_variance);
        let half_step = 0.5 * shared;
        FirstToken {
            own_step: Seconds::new(decoding * beside_others + shared * budget.extra_chunks),
            boundary: Seconds::new(boundary.busy * half_step),
            prompts: Seconds::new(boundary.busy * (boundary.mean - half_step)),
            queue: Seconds::new(boundary.busy * budget.mean + slots.probability * slots.wait),
            wait: Wait::new(rate, shared, &boundary, &budget, &slots),
        }
    }
}

/// Predicts the operating point of an open loop. At and beyond the capacity it is the one of the capacity, and the time to
/// first token is infinite: the queue grows for as long as the load lasts.
pub fn predict(model: &ServingModel, load: &RankLoad, parameters: &ServingParameters) -> Prediction {
    let workload = &load.workload;
    let costs: StepCosts = model.costs(load, parameters);
    let overhead = Seconds::from_ms(parameters.get(Quantity::FirstTokenOverhead));
    let mut ttft_parts = costs.prefill_step(1.0);
    let (slots, full) = model.admitted(f64::INFINITY, workload, parameters);
    let engine = Engine {
        decode_time: |batch| costs.decode_time(batch),
        prefill: costs.prefill(),
        alone: ttft_parts.total(),
        input_tokens: workload.input_tokens(),
        decode_steps: model.decode_steps(workload),
        slots,
        step_tokens: model.system().deployment().limits.max_tokens_per_step.map(f64::from),
    };
    ttft_parts.add(Part::Overhead, overhead);
    let floor = ttft_parts.total();

    let rate = workload.amount();
    let capacity = Capacity::of(&engine);
    let overloaded = rate >= capacity.rate;
    let served = rate.min(capacity.rate);
    let batch = if overloaded { capacity.batch } else { batch::mean_batch(&engine, rate, &capacity) };
    let infinite = Seconds::new(f64::INFINITY);
    let mut quantiles = [infinite; 3];
    let mut limit = capacity.limit(full);
    if overloaded {
        ttft_parts.add(Part::QueueWait, infinite);
    } else {
        let first = engine.first_token(rate, batch, &capacity);
        quantiles = LEVELS.map(|level| floor + first.quantile(level));
        ttft_parts.add(Part::BoundaryWait, first.own_step + first.boundary);
        ttft_parts.add(Part::Burst, first.prompts);
        ttft_parts.add(Part::QueueWait, first.queue);
        if first.queue * 2.0 < floor + first.total() {
            limit = Limit::Clients;
        }
    }

    let step = costs.decode_step(seen_batch(batch, capacity.batch));
    let itl = Seconds::new(batch / (served * model.decode_steps(workload))).max(step.parts.total());
    let mut itl_parts = step.parts;
    itl_parts.add(Part::PrefillInterference, itl - step.parts.total());
    let ttft = ttft_parts.total();
    let [ttft_p50, ttft_p90, ttft_p99] = quantiles;
    Prediction {
        ttft,
        itl: itl_parts.total(),
        throughput: TokensPerSec::new(served * workload.output_tokens()),
        running: batch,
        waiting: rate * ttft.get(),
        ttft_parts,
        itl_parts,
        roof: step.roof,
        limit,
        open_loop: Some(OpenLoop {
            capacity_rps: capacity.rate,
            utilisation: rate / capacity.rate,
            overloaded,
            ttft_p50,
            ttft_p90,
            ttft_p99,
        }),
    }
}
