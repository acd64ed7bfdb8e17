//! Memory of a system: weights, KV cache, and how many requests fit.

use super::Forecaster;
use crate::engine::memory::{free_bytes, kv_bytes, places, weight_bytes};
use crate::error::{Error, ErrorKind, Result};
use crate::prediction::Prediction;
use crate::serving::Quantity;
use crate::spec::System;
use crate::units::Bytes;
use crate::workload::{LoadKind, Workload};

/// Memory of a placed model, all devices together.
#[derive(Debug, Clone)]
pub struct Capacity {
    /// Of the devices.
    pub memory: Bytes,
    /// That the weights take.
    pub weights: Bytes,
    /// That the engine gives to the KV cache.
    pub kv_cache: Bytes,
    /// Share of what the weights leave that the engine gives to the cache.
    share: f64,
    system: System,
}

impl Capacity {
    /// The memory of a system, with the share that a forecast gives to the cache; all that is free where the load knows no
    /// such share.
    ///
    /// # Errors
    /// The weights do not fit.
    pub fn of(system: &System, forecaster: &Forecaster) -> Result<Self> {
        let share = forecaster.value(Quantity::KvMemoryShare.parameter().name).unwrap_or(1.0);
        Ok(Self {
            memory: system.hardware().memory * system.deployment().gpus(),
            weights: weight_bytes(system),
            kv_cache: free_bytes(system)? * share,
            share,
            system: system.clone(),
        })
    }

    /// Memory for the cache of one rank that decodes sequences of its own.
    pub fn of_rank(&self) -> Bytes {
        self.kv_cache * (1.0 / self.system.deployment().ranks())
    }

    /// Checks that what must run at once fits, and that the engine runs so many: one request, or the whole of a static batch.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self, workload: &Workload) -> Result<()> {
        if let (LoadKind::StaticBatch, Some(most)) = (workload.kind(), self.system.deployment().limits.max_sequences)
            && workload.amount() > f64::from(most) * self.system.deployment().ranks()
        {
            return Err(Error::input(format!(
                "a batch of {} is more than the {most} sequences that the engine runs at once",
                workload.amount()
            ))
            .help("give smaller batches, or raise max_sequences (--max-sequences)"));
        }
        let tokens = workload.total_tokens();
        let (what, count) = match workload.kind() {
            LoadKind::ClosedLoop | LoadKind::OpenLoop => (format!("a request of {tokens} tokens"), 1.0),
            LoadKind::StaticBatch => {
                (format!("a batch of {} requests of {tokens} tokens", workload.amount()), workload.amount())
            }
        };
        let ranks = f64::from(self.system.deployment().parallelism.attention_dp());
        // A request lies on one rank of attention, a batch on as many as it has requests for.
        let spread = count.min(ranks);
        let needed = kv_bytes(&self.system, tokens) * count;
        if needed > self.kv_cache * (spread / ranks) {
            let (smaller, share) = match workload.kind() {
                LoadKind::StaticBatch => ("smaller batches, ", String::new()),
                LoadKind::ClosedLoop | LoadKind::OpenLoop => (
                    "",
                    format!(
                        " (kv_memory_share {:.2} of what the weights leave; --set gives another, if the engine does)",
                        self.share
                    ),
                ),
            };
            return Err(Error::input(format!(
                "{what} does not fit: its KV cache takes {:.1} GiB, there are {:.1} GiB for it",
                needed.as_gib(),
                (self.kv_cache * (spread / ranks)).as_gib()
            ))
            .of(ErrorKind::DoesNotFit)
            .help(format!(
                "use {smaller}shorter requests, more or larger devices, or a narrower KV precision{share}"
            )));
        }
        Ok(())
    }

    /// Tokens that the cache holds in requests of a workload. Sliding windows keep only the last tokens of a request, so long
    /// requests then fit more of them.
    pub fn tokens(&self, workload: &Workload) -> f64 {
        let tokens = workload.total_tokens();
        self.kv_cache / kv_bytes(&self.system, tokens) * tokens
    }

    /// Whether a request's length decides how many tokens fit.
    pub fn has_windows(&self) -> bool {
        let context = f64::from(self.system.model().max_context_tokens);
        kv_bytes(&self.system, context) < kv_bytes(&self.system, 1.0) * (context * (1.0 - 1e-9))
    }

    /// Requests of a workload that run at once: what the cache holds, or the engine's own cap; one always runs.
    pub fn most_clients(&self, workload: &Workload) -> f64 {
        let ranks = self.system.deployment().ranks();
        let by_memory = places(self.of_rank() / kv_bytes(&self.system, workload.total_tokens())).floor();
        by_memory.min(self.system.deployment().limits.max_sequences.map_or(f64::INFINITY, f64::from)) * ranks
    }

    /// Share of the cache that a predicted operating point reserves.
    pub fn used(&self, workload: &Workload, prediction: &Prediction) -> f64 {
        let requests = match workload.kind() {
            LoadKind::ClosedLoop | LoadKind::StaticBatch => workload.amount(),
            LoadKind::OpenLoop => prediction.running + prediction.waiting,
        };
        (kv_bytes(&self.system, workload.total_tokens()) * requests / self.kv_cache).min(1.0)
    }
}
