//! The parameters of the serving model: names, units, bounds, defaults, meaning. The vector that an optimiser sees
//! exists only between [`ServingParameters::from_vector`] and [`ServingParameters::to_vector`].

use crate::roofline::Efficiencies;
use crate::units::Seconds;

/// Latency of one all-reduce over NVLink and the share of the link's bandwidth that it reaches. Both are held: one
/// scenario cannot tell them from the launch cost of a layer. Fitted on static batches of TensorRT-LLM 0.9.0 on seven
/// GPUs with tensor parallelism 1 to 8.
const LINK_LATENCY: Seconds = Seconds::from_us(16.0);
const LINK_EFFICIENCY: f64 = 0.5;

/// One calibrated quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServingParameter {
    /// Name in files, flags and tables.
    pub name: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// Smallest and largest value a fit may give it.
    pub bounds: (f64, f64),
    /// Smallest value at which a user may hold it.
    pub least: f64,
    /// Value before any fit.
    pub default: f64,
    /// What it is.
    pub meaning: &'static str,
}

/// Number of parameters.
pub const COUNT: usize = 13;

/// The table. Defaults of the first five come from static batches (no server) of TensorRT-LLM 0.9.0 on seven GPUs, the
/// others are typical of an engine and a client that nothing is known of; the defaults were not fitted to any shipped
/// scenario.
pub const SERVING_PARAMETERS: [ServingParameter; COUNT] = [
    ServingParameter {
        name: "memory_efficiency",
        unit: "1",
        bounds: (0.4, 1.0),
        least: 0.4,
        default: 0.72,
        meaning: "share of peak memory bandwidth that a decode step reaches",
    },
    ServingParameter {
        name: "gemm_efficiency",
        unit: "1",
        bounds: (0.2, 0.95),
        least: 0.2,
        default: 0.57,
        meaning: "share of the peak arithmetic rate in matrix products",
    },
    ServingParameter {
        name: "attention_efficiency",
        unit: "1",
        bounds: (0.1, 0.95),
        least: 0.1,
        default: 0.32,
        meaning: "share of the peak arithmetic rate in attention",
    },
    ServingParameter {
        name: "layer_overhead_us",
        unit: "us",
        bounds: (5.0, 200.0),
        least: 0.0,
        default: 51.0,
        meaning: "launch and synchronisation of one layer in one step",
    },
    ServingParameter {
        name: "sequence_overhead_us",
        unit: "us",
        bounds: (0.02, 5.0),
        least: 0.0,
        default: 0.34,
        meaning: "work for one running sequence in one layer of one step",
    },
    ServingParameter {
        name: "kv_memory_share",
        unit: "1",
        bounds: (0.5, 0.98),
        least: 0.5,
        default: 0.8,
        meaning: "share of the memory besides the weights that holds the KV cache",
    },
    ServingParameter {
        name: "prefill_interference",
        unit: "1",
        bounds: (0.3, 1.2),
        least: 0.0,
        default: 0.9,
        meaning: "share of prefill work that decoding sequences wait for",
    },
    ServingParameter {
        name: "first_token_overhead_ms",
        unit: "ms",
        bounds: (0.1, 200.0),
        least: 0.0,
        default: 5.0,
        meaning: "time of a request outside queue and prefill: client, tokeniser, first decode step",
    },
    ServingParameter {
        name: "burst_factor",
        unit: "1",
        bounds: (0.001, 2.5),
        least: 0.0,
        default: 0.5,
        meaning: "how far clients are in lock-step: 0 independent, 1 each waits behind half of all others' prompts",
    },
    ServingParameter {
        name: "burst_limit_tokens",
        unit: "tokens",
        bounds: (1e3, 1e7),
        least: 1e3,
        default: 1e5,
        meaning: "prompt tokens of the largest burst",
    },
    ServingParameter {
        name: "burst_limit_share",
        unit: "1",
        bounds: (0.01, 10.0),
        least: 0.01,
        default: 0.3,
        meaning: "largest burst as a share of the decode time of one request",
    },
    ServingParameter {
        name: "boundary_wait_steps",
        unit: "steps",
        bounds: (0.001, 10.0),
        least: 0.0,
        default: 1.0,
        meaning: "decode steps that a prompt waits for when others run",
    },
    ServingParameter {
        name: "benchmark_waves",
        unit: "1",
        bounds: (1.0, 100.0),
        least: 1.0,
        default: 5.0,
        meaning: "requests per client in one measuring run; a short run ends before its queue is in steady state",
    },
];

/// Checked values of [`SERVING_PARAMETERS`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServingParameters {
    /// Efficiencies of the steps.
    pub efficiencies: Efficiencies,
    /// Share of free memory that holds the KV cache, κ.
    pub kv_memory_share: f64,
    /// Share of prefill work that decoding sequences wait for, μ.
    pub prefill_interference: f64,
    /// Fixed part of TTFT, t₀.
    pub first_token_overhead: Seconds,
    /// Lock-step of the clients, σ.
    pub burst_factor: f64,
    /// Prompt tokens of the largest burst, X₀.
    pub burst_limit_tokens: f64,
    /// Largest burst as a share of the decode time of one request, ρ₀.
    pub burst_limit_share: f64,
    /// Decode steps a prompt waits, k.
    pub boundary_wait_steps: f64,
    /// Requests per client in a run, n_w.
    pub benchmark_waves: f64,
}

impl ServingParameters {
    /// From the values in the order of [`SERVING_PARAMETERS`].
    pub fn from_vector(values: &[f64; COUNT]) -> Self {
        let [
            memory,
            gemm,
            attention,
            layer,
            sequence,
            share,
            interference,
            first,
            factor,
            limit_tokens,
            limit_share,
            steps,
            waves,
        ] = *values;
        Self {
            efficiencies: Efficiencies {
                memory,
                gemm,
                attention,
                layer: Seconds::from_us(layer),
                sequence: Seconds::from_us(sequence),
                link_latency: LINK_LATENCY,
                link: LINK_EFFICIENCY,
            },
            kv_memory_share: share,
            prefill_interference: interference,
            first_token_overhead: Seconds::from_ms(first),
            burst_factor: factor,
            burst_limit_tokens: limit_tokens,
            burst_limit_share: limit_share,
            boundary_wait_steps: steps,
            benchmark_waves: waves,
        }
    }

    /// The values in the order of [`SERVING_PARAMETERS`].
    pub fn to_vector(&self) -> [f64; COUNT] {
        [
            self.efficiencies.memory,
            self.efficiencies.gemm,
            self.efficiencies.attention,
            self.efficiencies.layer.get() * 1e6,
            self.efficiencies.sequence.get() * 1e6,
            self.kv_memory_share,
            self.prefill_interference,
            self.first_token_overhead.as_ms(),
            self.burst_factor,
            self.burst_limit_tokens,
            self.burst_limit_share,
            self.boundary_wait_steps,
            self.benchmark_waves,
        ]
    }
}

impl Default for ServingParameters {
    fn default() -> Self {
        Self::from_vector(&SERVING_PARAMETERS.map(|parameter| parameter.default))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_round_trips() {
        let values = SERVING_PARAMETERS.map(|parameter| parameter.default);
        for (back, value) in ServingParameters::from_vector(&values).to_vector().iter().zip(values) {
            assert!((back - value).abs() <= 1e-12 * value, "{back} {value}");
        }
    }

    #[test]
    fn defaults_lie_inside_their_bounds() {
        for p in SERVING_PARAMETERS {
            assert!(p.bounds.0 < p.default && p.default < p.bounds.1, "{}", p.name);
        }
    }
}
