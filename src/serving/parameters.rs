//! The parameters of the serving model: names, units, owners, bounds, meaning. Their priors are in `priors.toml`.

use std::sync::LazyLock;

use super::priors;
use crate::engine::Efficiencies;
use crate::parameter::{Owner, Parameter, Scale};
use crate::spec::{LinkClass, System};
use crate::units::Seconds;
use crate::workload::LoadKind;

/// One calibrated quantity. The order is that of tables and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quantity {
    /// Share of peak memory bandwidth.
    MemoryEfficiency,
    /// Share of the peak arithmetic rate in matrix products.
    GemmEfficiency,
    /// Share of the peak arithmetic rate in attention.
    AttentionEfficiency,
    /// Part of the time of long matrix products that goes with the power demand, π.
    PowerShare,
    /// Reads and writes of a layer's activations in prefill.
    ActivationPasses,
    /// Launch and synchronisation of a layer.
    LayerOverhead,
    /// Work for one running sequence in one layer.
    SequenceOverhead,
    /// Share of free memory that holds the KV cache, κ.
    KvMemoryShare,
    /// Latency of an all-reduce over direct links.
    LinkLatency,
    /// Share of the bandwidth of direct links.
    LinkEfficiency,
    /// Latency of an all-reduce over PCIe.
    PcieLatency,
    /// Share of the bandwidth of PCIe.
    PcieEfficiency,
    /// Fixed part of the prefill of a static batch.
    BatchOverhead,
    /// Fixed part of TTFT, t₀.
    FirstTokenOverhead,
    /// Lock-step of the clients, σ.
    BurstFactor,
    /// Prompt tokens of the largest burst, X₀.
    BurstLimitTokens,
    /// Largest burst as a share of the decode time of one request, ρ₀.
    BurstLimitShare,
    /// Share of bursts that nothing limits, φ.
    BurstTailShare,
    /// Decode steps a prompt waits, k.
    BoundaryWaitSteps,
    /// Requests per client in a run, n_w.
    BenchmarkWaves,
}

/// Number of parameters.
pub const COUNT: usize = 20;

impl Quantity {
    /// Those of the links between devices.
    pub const LINKS: [Self; 4] = [Self::LinkLatency, Self::LinkEfficiency, Self::PcieLatency, Self::PcieEfficiency];

    /// Every parameter, in order.
    pub const ALL: [Self; COUNT] = [
        Self::MemoryEfficiency,
        Self::GemmEfficiency,
        Self::AttentionEfficiency,
        Self::PowerShare,
        Self::ActivationPasses,
        Self::LayerOverhead,
        Self::SequenceOverhead,
        Self::KvMemoryShare,
        Self::LinkLatency,
        Self::LinkEfficiency,
        Self::PcieLatency,
        Self::PcieEfficiency,
        Self::BatchOverhead,
        Self::FirstTokenOverhead,
        Self::BurstFactor,
        Self::BurstLimitTokens,
        Self::BurstLimitShare,
        Self::BurstTailShare,
        Self::BoundaryWaitSteps,
        Self::BenchmarkWaves,
    ];

    /// Its description with the shipped prior.
    pub fn parameter(self) -> &'static Parameter {
        &TABLE[self as usize]
    }

    /// Name, unit, owner, bounds, smallest held value, whether fits change it, meaning.
    const fn definition(self) -> Definition {
        use Owner::{Campaign, Engine, Hardware};
        match self {
            Self::MemoryEfficiency => Definition {
                name: "memory_efficiency",
                unit: "1",
                owner: Hardware,
                bounds: (0.4, 1.0),
                least: 0.4,
                fitted: true,
                meaning: "share of peak memory bandwidth that a step reaches",
            },
            Self::GemmEfficiency => Definition {
                name: "gemm_efficiency",
                unit: "1",
                owner: Hardware,
                bounds: (0.2, 0.98),
                least: 0.2,
                fitted: true,
                meaning: "share of the peak arithmetic rate in matrix products, on a board with the power of an H100 SXM",
            },
            Self::AttentionEfficiency => Definition {
                name: "attention_efficiency",
                unit: "1",
                owner: Hardware,
                bounds: (0.05, 0.95),
                least: 0.05,
                fitted: true,
                meaning: "share of the peak arithmetic rate in attention",
            },
            Self::PowerShare => Definition {
                name: "power_share",
                unit: "1",
                owner: Hardware,
                bounds: (0.01, 0.9),
                least: 0.0,
                fitted: false,
                meaning: "part of the time of long matrix products that goes with FLOP/s per watt",
            },
            Self::ActivationPasses => Definition {
                name: "activation_passes",
                unit: "1",
                owner: Engine,
                bounds: (1.0, 40.0),
                least: 0.0,
                fitted: false,
                meaning: "reads and writes of the activations of a layer in prefill",
            },
            Self::LayerOverhead => Definition {
                name: "layer_overhead_us",
                unit: "us",
                owner: Engine,
                bounds: (5.0, 250.0),
                least: 0.0,
                fitted: true,
                meaning: "launch and synchronisation of one layer in one step",
            },
            Self::SequenceOverhead => Definition {
                name: "sequence_overhead_us",
                unit: "us",
                owner: Engine,
                bounds: (0.01, 10.0),
                least: 0.0,
                fitted: true,
                meaning: "work for one running sequence in one layer of one step",
            },
            Self::KvMemoryShare => Definition {
                name: "kv_memory_share",
                unit: "1",
                owner: Engine,
                bounds: (0.4, 0.99),
                least: 0.1,
                fitted: true,
                meaning: "share of the memory besides the weights that holds the KV cache",
            },
            Self::LinkLatency => Definition {
                name: "link_latency_us",
                unit: "us",
                owner: Engine,
                bounds: (1.0, 100.0),
                least: 0.0,
                fitted: false,
                meaning: "latency of one all-reduce over NVLink or the like",
            },
            Self::LinkEfficiency => Definition {
                name: "link_efficiency",
                unit: "1",
                owner: Engine,
                bounds: (0.1, 1.0),
                least: 0.1,
                fitted: false,
                meaning: "share of the bandwidth of NVLink or the like in all-reduces",
            },
            Self::PcieLatency => Definition {
                name: "pcie_latency_us",
                unit: "us",
                owner: Engine,
                bounds: (1.0, 300.0),
                least: 0.0,
                fitted: false,
                meaning: "latency of one all-reduce over PCIe",
            },
            Self::PcieEfficiency => Definition {
                name: "pcie_efficiency",
                unit: "1",
                owner: Engine,
                bounds: (0.1, 1.0),
                least: 0.1,
                fitted: false,
                meaning: "share of the bandwidth of PCIe in all-reduces",
            },
            Self::BatchOverhead => Definition {
                name: "batch_overhead_ms",
                unit: "ms",
                owner: Engine,
                bounds: (0.01, 100.0),
                least: 0.0,
                fitted: true,
                meaning: "fixed time of a static batch before its first tokens: the engine's own part, without a server",
            },
            Self::FirstTokenOverhead => Definition {
                name: "first_token_overhead_ms",
                unit: "ms",
                owner: Campaign,
                bounds: (0.05, 500.0),
                least: 0.0,
                fitted: true,
                meaning: "time of a request outside engine and queue: client, network, tokeniser",
            },
            Self::BurstFactor => Definition {
                name: "burst_factor",
                unit: "1",
                owner: Campaign,
                bounds: (0.001, 2.0),
                least: 0.0,
                fitted: true,
                meaning: "lock-step of the clients: 0 independent, 1 each waits behind half of the others' prompts, 2 behind all",
            },
            Self::BurstLimitTokens => Definition {
                name: "burst_limit_tokens",
                unit: "tokens",
                owner: Campaign,
                bounds: (1e3, 1e7),
                least: 1e3,
                fitted: true,
                meaning: "prompt tokens of the largest burst",
            },
            Self::BurstLimitShare => Definition {
                name: "burst_limit_share",
                unit: "1",
                owner: Campaign,
                bounds: (0.01, 10.0),
                least: 0.01,
                fitted: true,
                meaning: "largest burst as a share of the decode time of one request",
            },
            Self::BurstTailShare => Definition {
                name: "burst_tail_share",
                unit: "1",
                owner: Campaign,
                bounds: (0.001, 1.0),
                least: 0.0,
                fitted: true,
                meaning: "share of the bursts that nothing limits, such as the first of a run",
            },
            Self::BoundaryWaitSteps => Definition {
                name: "boundary_wait_steps",
                unit: "steps",
                owner: Campaign,
                bounds: (0.01, 20.0),
                least: 0.0,
                fitted: true,
                meaning: "decode steps that a prompt waits for when others run",
            },
            Self::BenchmarkWaves => Definition {
                name: "benchmark_waves",
                unit: "1",
                owner: Campaign,
                bounds: (1.0, 100.0),
                least: 1.0,
                fitted: true,
                meaning: "requests per client in one measuring run; a short run ends before its queue is in steady state",
            },
        }
    }

    /// Whether predictions of a system under a load depend on it.
    fn matters(self, system: &System, load: LoadKind) -> bool {
        let parallelism = system.deployment().parallelism;
        let link = (parallelism.devices() > 1).then(|| system.hardware().group_link(parallelism.stage_devices()).class);
        match self {
            Self::LinkLatency | Self::LinkEfficiency => link == Some(LinkClass::Direct),
            Self::PcieLatency | Self::PcieEfficiency => link == Some(LinkClass::Pcie),
            Self::KvMemoryShare | Self::FirstTokenOverhead => load != LoadKind::StaticBatch,
            Self::BatchOverhead => load == LoadKind::StaticBatch,
            Self::BurstFactor
            | Self::BurstLimitTokens
            | Self::BurstLimitShare
            | Self::BurstTailShare
            | Self::BoundaryWaitSteps
            | Self::BenchmarkWaves => load == LoadKind::ClosedLoop,
            _ => true,
        }
    }

    /// Parameters on which predictions of a system under a load depend, in order.
    pub fn relevant(system: &System, load: LoadKind) -> Vec<Self> {
        Self::ALL.into_iter().filter(|quantity| quantity.matters(system, load)).collect()
    }
}

struct Definition {
    name: &'static str,
    unit: &'static str,
    owner: Owner,
    bounds: (f64, f64),
    least: f64,
    fitted: bool,
    meaning: &'static str,
}

static TABLE: LazyLock<[Parameter; COUNT]> = LazyLock::new(|| {
    Quantity::ALL.map(|quantity| {
        let Definition { name, unit, owner, bounds, least, fitted, meaning } = quantity.definition();
        let prior = priors::of(name);
        Parameter {
            name,
            unit,
            owner,
            lower: bounds.0,
            upper: bounds.1,
            least,
            default: prior.value,
            spread: Some(prior.spread),
            fitted,
            scale: Scale::Log,
            meaning,
        }
    })
});

/// Values of all parameters, each in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServingParameters([f64; COUNT]);

impl ServingParameters {
    /// Value of a parameter.
    pub fn get(&self, quantity: Quantity) -> f64 {
        self.0[quantity as usize]
    }

    /// Sets a parameter.
    pub fn set(&mut self, quantity: Quantity, value: f64) {
        self.0[quantity as usize] = value;
    }

    /// With another value of a parameter.
    pub fn with(mut self, quantity: Quantity, value: f64) -> Self {
        self.set(quantity, value);
        self
    }

    /// What the steps of a system need; its class of links says which link parameters count.
    pub fn efficiencies(&self, link: LinkClass) -> Efficiencies {
        let (latency, share) = match link {
            LinkClass::Direct => (Quantity::LinkLatency, Quantity::LinkEfficiency),
            LinkClass::Pcie => (Quantity::PcieLatency, Quantity::PcieEfficiency),
        };
        Efficiencies {
            memory: self.get(Quantity::MemoryEfficiency),
            gemm: self.get(Quantity::GemmEfficiency),
            attention: self.get(Quantity::AttentionEfficiency),
            power_share: self.get(Quantity::PowerShare),
            activation_passes: self.get(Quantity::ActivationPasses),
            layer: Seconds::from_us(self.get(Quantity::LayerOverhead)),
            sequence: Seconds::from_us(self.get(Quantity::SequenceOverhead)),
            link_latency: Seconds::from_us(self.get(latency)),
            link: self.get(share),
        }
    }
}

impl Default for ServingParameters {
    /// The medians of the priors.
    fn default() -> Self {
        Self(Quantity::ALL.map(|quantity| quantity.parameter().default))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_its_place_and_its_prior_and_every_prior_its_parameter() {
        for (index, quantity) in Quantity::ALL.into_iter().enumerate() {
            assert_eq!(quantity as usize, index);
        }
        assert_eq!(priors::built_in().len(), COUNT);
        let names: Vec<&str> = priors::built_in().iter().map(|prior| prior.parameter.as_str()).collect();
        for quantity in Quantity::ALL {
            assert!(names.contains(&quantity.parameter().name), "{quantity:?}");
        }
    }

    #[test]
    fn priors_lie_inside_the_bounds() {
        for p in Quantity::ALL.map(Quantity::parameter) {
            assert!(p.lower < p.default && p.default < p.upper && p.least <= p.lower, "{}", p.name);
        }
    }

    #[test]
    fn a_value_that_is_set_is_got() {
        let parameters = ServingParameters::default().with(Quantity::BurstFactor, 0.0);
        assert_eq!(parameters.get(Quantity::BurstFactor), 0.0);
        assert_eq!(parameters.get(Quantity::BurstTailShare), Quantity::BurstTailShare.parameter().default);
    }
}
