//! The operating point of a closed loop: how many sequences decode, and what each client then sees.

use super::admission::{admitted, queue_wait_share};
use super::arrivals::{Burst, burst_wait};
use super::parameters::ServingParameters;
use crate::error::{Error, Result};
use crate::prediction::{Limit, Part, Parts, Prediction};
use crate::roofline::memory::{free_bytes, kv_bytes};
use crate::roofline::{StepCosts, StepModel};
use crate::spec::System;
use crate::units::{Bytes, Seconds, TokensPerSec};
use crate::workload::Workload;

/// Relative precision of the batch. A fit differentiates predictions numerically, so it is near that of `f64`.
const BATCH_TOLERANCE: f64 = 1e-13;

/// A system prepared for predictions.
#[derive(Debug, Clone)]
pub struct ServingModel {
    system: System,
    steps: StepModel,
    free: Bytes,
}

/// One workload at given parameters; a function of the running batch only.
struct Loop {
    costs: StepCosts,
    prefill: Seconds,
    parameters: ServingParameters,
    output_tokens: f64,
    decode_steps: f64,
    /// Steps beyond the first that a prompt longer than the engine's token budget takes.
    extra_chunks: f64,
}

/// What an admitted request meets when a number of sequences decode.
#[derive(Clone, Copy)]
struct Request {
    interference: Seconds,
    burst: Seconds,
    boundary: Seconds,
    ttft: Seconds,
    itl: Seconds,
}

impl ServingModel {
    /// Prepares a system.
    ///
    /// # Errors
    /// The weights do not fit the devices, or a precision has no peak.
    pub fn new(system: &System) -> Result<Self> {
        Ok(Self { steps: StepModel::new(system)?, free: free_bytes(system)?, system: system.clone() })
    }

    /// Checks that one request of the workload fits the memory that the weights leave.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self, workload: &Workload) -> Result<()> {
        let needed = kv_bytes(&self.system, workload.total_tokens());
        if needed > self.free {
            return Err(Error::input(format!(
                "a request of {} tokens does not fit: its KV cache takes {:.1} GiB, the weights leave {:.1} GiB",
                workload.total_tokens(),
                needed.as_gib(),
                self.free.as_gib()
            ))
            .help("use shorter requests, more or larger devices, or a narrower kv_precision"));
        }
        Ok(())
    }

    /// Predicts the operating point of a workload.
    pub fn predict(&self, workload: &Workload, parameters: &ServingParameters) -> Prediction {
        let costs = self.steps.costs(workload, &parameters.efficiencies);
        let budget = self.system.deployment.max_tokens_per_step.map_or(f64::INFINITY, f64::from);
        let state = Loop {
            prefill: costs.prefill(),
            costs,
            parameters: *parameters,
            output_tokens: workload.output_tokens(),
            decode_steps: workload.decode_steps(),
            extra_chunks: (workload.input_tokens() / budget - 1.0).max(0.0),
        };
        let clients = workload.concurrency();
        let (active, limit) = admitted(
            clients,
            self.free,
            parameters.kv_memory_share,
            kv_bytes(&self.system, workload.total_tokens()),
            self.system.deployment.max_sequences,
        );
        let batch = state.solve(active);
        state.prediction(batch, clients, active, limit)
    }
}

impl Loop {
    /// Latencies of an admitted request when `batch` sequences decode:
    /// `ITL = D + μ·P·B/O`, `TTFT = t₀ + P + burst + k·D·(1 − 1/B) + D·(chunks − 1)`.
    ///
    /// In steady state every step carries B/O prompts that replace finished requests.
    fn request(&self, batch: f64) -> Request {
        let p = &self.parameters;
        let decode = self.costs.decode_time(batch);
        let interference = self.prefill * (p.prefill_interference * batch / self.output_tokens);
        let burst = Burst {
            others: self.prefill * (batch - 1.0),
            token_limit: self.costs.prefill_per_token * p.burst_limit_tokens,
            decode_limit: decode * (self.output_tokens * p.burst_limit_share),
        };
        let burst = burst_wait(p.burst_factor, &burst);
        let others = (1.0 - 1.0 / batch).max(0.0);
        let boundary = decode * (p.boundary_wait_steps * others + self.extra_chunks);
        Request {
            interference,
            burst,
            boundary,
            ttft: p.first_token_overhead + self.prefill + burst + boundary,
            itl: decode + interference,
        }
    }

    /// Little's law: requests in the engine when `batch` of them decode, `B·(1 + TTFT / ((O − 1)·ITL))`.
    fn active(&self, batch: f64, request: &Request) -> f64 {
        batch * (1.0 + request.ttft / (request.itl * self.decode_steps))
    }

    /// How many more than `active` requests a batch takes, relative to them. Rises with the batch: TTFT does not fall
    /// with it, nor does B/ITL.
    fn excess(&self, batch: f64, active: f64) -> f64 {
        self.active(batch, &self.request(batch)) / active - 1.0
    }

    /// The batch that `active` requests keep running: a bracketed search with inverse quadratic interpolation
    /// (Chandrupatla 1997, <https://doi.org/10.1016/S0965-9978(96)00051-8>), about eight evaluations.
    fn solve(&self, active: f64) -> f64 {
        // `excess(active)` is never below 0 and `excess(0)` is -1.
        let (mut a, mut fa) = (active, self.excess(active, active));
        if fa <= 0.0 {
            return active;
        }
        let (mut b, mut fb) = (0.0, -1.0);
        // `t` counts from a to b. First probe: the batch if latencies were those of the full one.
        let mut t = fa / (1.0 + fa);
        for _ in 0..100 {
            let x = a + t * (b - a);
            let fx = self.excess(x, active);
            let (c, fc);
            if (fx > 0.0) == (fa > 0.0) {
                (c, fc) = (a, fa);
            } else {
                (c, fc) = (b, fb);
                (b, fb) = (a, fa);
            }
            (a, fa) = (x, fx);
            let best = if fa.abs() < fb.abs() { a } else { b };
            let smallest = BATCH_TOLERANCE * best / (b - a).abs();
            if fx == 0.0 || smallest >= 0.5 {
                return best;
            }
            let xi = (a - b) / (c - b);
            let phi = (fa - fb) / (fc - fb);
            t = if phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi {
                fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
            } else {
                0.5
            }
            .clamp(smallest, 1.0 - smallest);
        }
        a
    }

    /// The operating point in full, every part named.
    fn prediction(&self, batch: f64, clients: f64, active: f64, limit: Limit) -> Prediction {
        let request = self.request(batch);
        let step = self.costs.decode_step(batch);
        let mut itl_parts = step.parts;
        itl_parts.add(Part::PrefillInterference, request.interference);

        let service = request.ttft + request.itl * self.decode_steps;
        let queue = service * queue_wait_share(clients, active, self.parameters.benchmark_waves);
        let mut ttft_parts = Parts::default();
        for (part, time) in [
            (Part::Overhead, self.parameters.first_token_overhead),
            (Part::PrefillCompute, self.costs.prefill_linear),
            (Part::PrefillAttention, self.costs.prefill_attention),
            (Part::Link, self.costs.prefill_link),
            (Part::Burst, request.burst),
            (Part::BoundaryWait, request.boundary),
            (Part::QueueWait, queue),
        ] {
            ttft_parts.add(part, time);
        }

        Prediction {
            ttft: request.ttft + queue,
            itl: request.itl,
            throughput: TokensPerSec::new(active * self.output_tokens / service.get()),
            running: batch,
            waiting: clients - batch,
            ttft_parts,
            itl_parts,
            roof: step.roof,
            limit,
        }
    }
}
