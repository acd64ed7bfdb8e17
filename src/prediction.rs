//! What an estimator says of a workload: latencies, throughput, the named parts they are made of, and what binds.
//!
//! ```
//! use perfmodel::prediction::Part;
//! use perfmodel::serving::{ServingModel, ServingParameters};
//! use perfmodel::spec::Catalog;
//! use perfmodel::workload::Workload;
//!
//! let catalog = Catalog::built_in();
//! let scenario = catalog.resolve(&catalog.scenario_folder("llama31_8b_fp8_tp1")?)?;
//! let model = ServingModel::new(&scenario.system)?;
//! let prediction = model.predict(&Workload::new(1000.0, 200.0, 32.0)?, &ServingParameters::default());
//! for part in Part::ALL {
//!     println!("{:24} {:8.3} ms", part.label(), prediction.itl_parts.get(part).as_ms());
//! }
//! assert!((prediction.itl_parts.total() / prediction.itl - 1.0).abs() < 1e-9); // nothing is left over
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

use crate::units::{Seconds, TokensPerSec};

/// A named part of a latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Reading weights from memory.
    Weights,
    /// Reading the KV cache.
    KvReads,
    /// Arithmetic of decode that reading does not hide.
    Compute,
    /// Kernel launches and synchronisation of the layers.
    Launch,
    /// Work the engine does once per layer and running sequence.
    PerSequence,
    /// Collectives between devices.
    Link,
    /// Prompts of other requests processed between two tokens.
    PrefillInterference,
    /// Fixed cost of a request before its first token.
    Overhead,
    /// Linear layers of the own prompt.
    PrefillCompute,
    /// Attention of the own prompt.
    PrefillAttention,
    /// Traffic of the activations of the own prompt.
    PrefillActivations,
    /// Weights moved from host memory because they do not fit the device.
    HostTransfer,
    /// Waiting behind prompts that arrived together.
    Burst,
    /// Waiting for a step to end.
    BoundaryWait,
    /// Waiting to be admitted.
    QueueWait,
}

impl Part {
    /// Every part, in the order of reports.
    pub const ALL: [Self; 15] = [
        Self::Weights,
        Self::KvReads,
        Self::Compute,
        Self::Launch,
        Self::PerSequence,
        Self::Link,
        Self::PrefillInterference,
        Self::Overhead,
        Self::PrefillCompute,
        Self::PrefillAttention,
        Self::PrefillActivations,
        Self::HostTransfer,
        Self::Burst,
        Self::BoundaryWait,
        Self::QueueWait,
    ];

    /// Name in CSV headers and JSON keys, without the unit.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::KvReads => "kv_reads",
            Self::Compute => "compute",
            Self::Launch => "launch",
            Self::PerSequence => "per_sequence",
            Self::Link => "link",
            Self::PrefillInterference => "prefill_interference",
            Self::Overhead => "overhead",
            Self::PrefillCompute => "prefill_compute",
            Self::PrefillAttention => "prefill_attention",
            Self::PrefillActivations => "prefill_activations",
            Self::HostTransfer => "host_transfer",
            Self::Burst => "burst_wait",
            Self::BoundaryWait => "boundary_wait",
            Self::QueueWait => "queue_wait",
        }
    }

    /// Name in charts.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::KvReads => "KV cache reads",
            Self::Compute => "compute",
            Self::Launch => "launch",
            Self::PerSequence => "per sequence",
            Self::Link => "link",
            Self::PrefillInterference => "prefill of others",
            Self::Overhead => "fixed overhead",
            Self::PrefillCompute => "prefill, linear layers",
            Self::PrefillAttention => "prefill, attention",
            Self::PrefillActivations => "prefill, activations",
            Self::HostTransfer => "host transfer",
            Self::Burst => "wait behind a burst",
            Self::BoundaryWait => "wait for a step to end",
            Self::QueueWait => "queue",
        }
    }
}

/// A latency as the sum of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Parts([Seconds; Part::ALL.len()]);

impl Parts {
    /// Adds time to a part.
    pub fn add(&mut self, part: Part, time: Seconds) {
        self.0[part as usize] += time;
    }

    /// Time of a part.
    pub fn get(&self, part: Part) -> Seconds {
        self.0[part as usize]
    }

    /// The latency.
    pub fn total(&self) -> Seconds {
        self.0.iter().copied().sum()
    }
}

/// The roof under which the decode step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roof {
    /// Memory bandwidth.
    Memory,
    /// Arithmetic rate.
    Compute,
    /// Launches and per-sequence work outside both roofs.
    Overhead,
    /// Collectives between devices.
    Link,
}

impl Roof {
    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Compute => "compute",
            Self::Overhead => "overhead",
            Self::Link => "link",
        }
    }
}

/// What keeps further requests from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Nothing: every client's request is admitted at once.
    Clients,
    /// The KV cache is full.
    KvMemory,
    /// The engine's cap on sequences.
    MaxSequences,
    /// The engine's cap on the tokens of a step.
    TokenBudget,
}

impl Limit {
    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::KvMemory => "kv_memory",
            Self::MaxSequences => "max_sequences",
            Self::TokenBudget => "token_budget",
        }
    }
}

/// What only an open loop has: how near it is to its capacity, and how the times to first token spread.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct OpenLoop {
    /// Largest rate that can be served, in requests per second.
    pub capacity_rps: f64,
    /// Rate as a share of it.
    pub utilisation: f64,
    /// Whether the rate is beyond it; the queue then grows without end.
    pub overloaded: bool,
    /// Median of TTFT; infinite when overloaded.
    pub ttft_p50: Seconds,
    /// 90th percentile of TTFT.
    pub ttft_p90: Seconds,
    /// 99th percentile of TTFT.
    pub ttft_p99: Seconds,
}

impl OpenLoop {
    /// Median, 90th and 99th percentile of TTFT.
    pub fn quantiles(&self) -> [Seconds; 3] {
        [self.ttft_p50, self.ttft_p90, self.ttft_p99]
    }
}

/// A predicted operating point.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Prediction {
    /// Mean time to first token.
    pub ttft: Seconds,
    /// Mean time between later tokens.
    pub itl: Seconds,
    /// Generated tokens per second of all clients.
    pub throughput: TokensPerSec,
    /// Sequences decoding at once, in the mean.
    pub running: f64,
    /// Requests that wait for their first token or for admission, in the mean; with `running` they make up the clients.
    pub waiting: f64,
    /// What TTFT is made of.
    pub ttft_parts: Parts,
    /// What ITL is made of.
    pub itl_parts: Parts,
    /// Roof of the decode step.
    pub roof: Roof,
    /// What limits admission.
    pub limit: Limit,
    /// Capacity and percentiles of an open loop.
    pub open_loop: Option<OpenLoop>,
}

impl Prediction {
    /// Whether requests come faster than they can be served, so that there is no steady state to predict.
    pub fn is_overloaded(&self) -> bool {
        self.open_loop.is_some_and(|open_loop| open_loop.overloaded)
    }

    /// That of so many engines of which each has this one: their requests and tokens add up.
    pub(crate) fn times(self, engines: f64) -> Self {
        Self {
            throughput: self.throughput * engines,
            running: self.running * engines,
            waiting: self.waiting * engines,
            open_loop: self.open_loop.map(|open| OpenLoop { capacity_rps: open.capacity_rps * engines, ..open }),
            ..self
        }
    }

    /// Time from request to last token, TTFT + (O − 1)·ITL.
    pub fn end_to_end(&self, later_tokens: f64) -> Seconds {
        self.ttft + self.itl * later_tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_own_place() {
        let mut parts = Parts::default();
        for (index, part) in Part::ALL.into_iter().enumerate() {
            assert_eq!(part as usize, index);
            parts.add(part, Seconds::new((index + 1) as f64));
        }
        assert_eq!(parts.total().get(), (1..=Part::ALL.len()).sum::<usize>() as f64);
        assert_eq!(parts.get(Part::QueueWait).get(), 15.0);
    }
}
