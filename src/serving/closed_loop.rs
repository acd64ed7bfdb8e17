//! The operating point of a closed loop: how many sequences decode, and what each client then sees.
//!
//! The engine is work-conserving: while A requests are admitted it is always busy, either with prompts or with decode
//! steps. In the time T of one request each of the A clients has one prompt processed, and the request needs its O − 1
//! decode steps, so
//!
//! ```text
//! T    = t_out + A·P + (O − 1 + k)·D(B₁)
//! TTFT = t_out + P + burst + k·ITL        ITL = D(B₁) + ((A − 1)·P − burst) / (O − 1 + k)
//! ```
//!
//! | symbol | meaning | unit |
//! |---|---|---|
//! | `t_out` | what a request costs outside the shared work: client and tokeniser t₀, and what its own step costs an idle engine beyond P | s |
//! | `P` | what a prompt adds to a step that decodes anyway | s |
//! | `D(B)` | a decode step with B sequences | s |
//! | `B₁` | the batch that a decoding sequence sees, itself included, `1 + (1 − 1/A)·B` | 1 |
//! | `k` | decode steps that a prompt waits while others run, no more than they have, chunks of its own prompt included | 1 |
//!
//! A prompt of another request that a request does not meet in a burst lengthens one of its steps, those that it waits for
//! before its first token included. Sequences that decode,
//! B in the mean, are the admitted ones less those that wait outside: `B·(1 + (k + t_out/D(B₁))/(O − 1)) = A`, where the
//! left side rises with B. One of them sees the A − 1 others as often as they decode, and itself in every step. With a token
//! budget of a step no more run than make every step full, which serves the largest rate that the open loop keeps up with
//! ([`super::open_loop`]); the other clients wait to be admitted.

use super::admission::{batch_of_full_steps, queue_wait_share};
use super::arrivals::{Burst, burst_wait};
use super::model::{RankLoad, ServingModel};
use super::parameters::{Quantity, ServingParameters};
use super::root::{BATCH_TOLERANCE, bracketed};
use super::seen::seen_batch;
use crate::engine::StepCosts;
use crate::prediction::{Limit, Part, Prediction};
use crate::units::{Seconds, TokensPerSec};

/// One workload at given parameters; a function of the decoding batch only.
struct Loop {
    costs: StepCosts,
    outside: Seconds,
    wait_steps: f64,
    extra_chunks: f64,
    decode_steps: f64,
    /// The batch at which every step has as many tokens as the engine's budget allows.
    full_steps: f64,
}

/// Predicts the operating point of a closed loop.
pub fn predict(model: &ServingModel, load: &RankLoad, parameters: &ServingParameters) -> Prediction {
    let workload = &load.workload;
    let costs = model.costs(load, parameters);
    let prefill = costs.prefill();
    let alone = costs.prefill_step(1.0);
    let overhead = Seconds::from_ms(parameters.get(Quantity::FirstTokenOverhead));
    let state = Loop {
        outside: overhead + alone.total() - prefill,
        costs,
        // The others decode no longer than that.
        wait_steps: parameters.get(Quantity::BoundaryWaitSteps).min(model.decode_steps(workload)),
        extra_chunks: model.extra_chunks(workload),
        decode_steps: model.decode_steps(workload),
        full_steps: batch_of_full_steps(
            model.system().deployment().limits.max_tokens_per_step.map(f64::from),
            workload.input_tokens(),
            model.decode_steps(workload),
        ),
    };
    let clients = workload.amount();
    let (admitted, limit) = model.admitted(clients, workload, parameters);
    let active = state.within_budget(admitted);
    let limit = if active < admitted { Limit::TokenBudget } else { limit };
    let decoding = state.solve(active);
    let batch = seen_batch(decoding, active);

    let step = costs.decode_step(batch);
    let decode = step.parts.total();
    let others = prefill * (active - 1.0);
    let burst = burst_wait(
        parameters.get(Quantity::BurstFactor),
        parameters.get(Quantity::BurstTailShare),
        &Burst {
            others,
            token_limit: costs.prefill_per_token() * parameters.get(Quantity::BurstLimitTokens),
            decode_limit: decode * (workload.output_tokens() * parameters.get(Quantity::BurstLimitShare)),
        },
    );
    let mut ttft_parts = alone;
    ttft_parts.add(Part::Overhead, overhead);
    ttft_parts.add(Part::Burst, burst);
    let waited = state.waited_steps(decoding);
    let interference = (others - burst) / (state.decode_steps + waited);
    ttft_parts.add(Part::BoundaryWait, (decode + interference) * waited);
    let mut itl_parts = step.parts;
    itl_parts.add(Part::PrefillInterference, interference);

    let itl = itl_parts.total();
    let service = ttft_parts.total() + itl * state.decode_steps;
    let waves = parameters.get(Quantity::BenchmarkWaves);
    // Those for whom a step has no room keep their places and wait as long as full steps take to serve all of them.
    let all_served = service * (admitted / active);
    ttft_parts.add(Part::QueueWait, all_served - service + all_served * queue_wait_share(clients, admitted, waves));
    let running = active * (itl * state.decode_steps / service);
    Prediction {
        ttft: ttft_parts.total(),
        itl,
        throughput: TokensPerSec::new(active * workload.output_tokens() / service.get()),
        running,
        waiting: clients - running,
        ttft_parts,
        itl_parts,
        roof: step.roof,
        limit,
        open_loop: None,
    }
}

impl Loop {
    /// Decode steps that a prompt waits: for a free place while others run, and between chunks of its own.
    fn waited_steps(&self, batch: f64) -> f64 {
        self.wait_steps * (1.0 - 1.0 / batch).max(0.0) + self.extra_chunks
    }

    /// How many more than `active` requests a batch takes, relative to them. Rises with the batch: B/D(B) does not fall.
    fn excess(&self, batch: f64, active: f64) -> f64 {
        let seen = seen_batch(batch, active);
        let outside = self.waited_steps(batch) + self.outside / self.costs.decode_time(seen);
        batch * (1.0 + outside / self.decode_steps) / active - 1.0
    }

    /// Time of a request where so many run at once.
    fn request_time(&self, active: f64) -> Seconds {
        let batch = self.solve(active);
        let step = self.costs.decode_time(seen_batch(batch, active));
        self.outside + self.costs.prefill() * active + step * (self.decode_steps + self.waited_steps(batch))
    }

    /// Requests that run at once of `admitted` ones where no step may have more tokens than the engine's budget: as many as make
    /// its steps full, `A/T(A) = λ_max`; the others wait. One always runs.
    fn within_budget(&self, admitted: f64) -> f64 {
        let full = self.full_steps;
        if full >= admitted {
            return admitted;
        }
        let each = self.costs.prefill() + self.costs.decode_time(full) * (self.decode_steps / full);
        // Above 0 where more run than full steps serve.
        let beyond = |active: f64| each * active / self.request_time(active) - 1.0;
        let least = admitted.min(1.0);
        let (at_least, at_all) = (beyond(least), beyond(admitted));
        if at_all <= 0.0 {
            return admitted;
        }
        if at_least >= 0.0 {
            return least;
        }
        bracketed(beyond, (admitted, at_all), (least, at_least), 0.5, BATCH_TOLERANCE)
    }

    /// The batch that `active` requests keep running.
    fn solve(&self, active: f64) -> f64 {
        // `excess(active)` is never below 0 and `excess(0)` is -1.
        let full = self.excess(active, active);
        if full <= 0.0 {
            return active;
        }
        // First probe: the batch if steps took as long as those of the full one.
        let first = full / (1.0 + full);
        bracketed(|batch| self.excess(batch, active), (active, full), (0.0, -1.0), first, BATCH_TOLERANCE)
    }
}
