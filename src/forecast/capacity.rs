//! Memory of a system: weights, KV cache, and how many requests fit.

use super::Forecaster;
use crate::error::{Error, Result};
use crate::prediction::Prediction;
use crate::roofline::memory::{free_bytes, kv_bytes, weight_bytes};
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
    free: Bytes,
    system: System,
}

impl Capacity {
    /// The memory of a system, with the share that a forecast gives to the cache; all that is free where the load knows no
    /// such share.
    ///
    /// # Errors
    /// The weights do not fit.
    pub fn of(system: &System, forecaster: &Forecaster) -> Result<Self> {
        let free = free_bytes(system)?;
        Ok(Self {
            memory: system.hardware.memory * system.deployment.gpus(),
            weights: weight_bytes(system),
            kv_cache: free * forecaster.value("kv_memory_share").unwrap_or(1.0),
            free,
            system: system.clone(),
        })
    }

    /// Checks that what must run at once fits: one request, or the whole of a static batch.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self, workload: &Workload) -> Result<()> {
        let tokens = workload.total_tokens();
        let (what, count) = match workload.kind() {
            LoadKind::ClosedLoop | LoadKind::OpenLoop => (format!("a request of {tokens} tokens"), 1.0),
            LoadKind::StaticBatch => {
                (format!("a batch of {} requests of {tokens} tokens", workload.load()), workload.load())
            }
        };
        let needed = kv_bytes(&self.system, tokens) * count;
        if needed > self.free {
            return Err(Error::input(format!(
                "{what} does not fit: its KV cache takes {:.1} GiB, the weights leave {:.1} GiB",
                needed.as_gib(),
                self.free.as_gib()
            ))
            .help(match workload.kind() {
                LoadKind::StaticBatch => "use smaller batches, shorter requests, more or larger devices",
                LoadKind::ClosedLoop | LoadKind::OpenLoop => {
                    "use shorter requests, more or larger devices, or a narrower KV precision"
                }
            }));
        }
        Ok(())
    }

    /// Tokens that the cache holds.
    pub fn tokens(&self) -> f64 {
        self.kv_cache / kv_bytes(&self.system, 1.0)
    }

    /// Requests of a workload that run at once: what the cache holds, or the engine's own cap; one always runs.
    pub fn most_clients(&self, workload: &Workload) -> f64 {
        let by_memory = (self.kv_cache / kv_bytes(&self.system, workload.total_tokens())).floor().max(1.0);
        by_memory.min(self.system.deployment.max_sequences.map_or(f64::INFINITY, f64::from))
    }

    /// Share of the cache that a predicted operating point reserves.
    pub fn used(&self, workload: &Workload, prediction: &Prediction) -> f64 {
        let requests = match workload.kind() {
            LoadKind::ClosedLoop | LoadKind::StaticBatch => workload.load(),
            LoadKind::OpenLoop => prediction.running + prediction.waiting,
        };
        (kv_bytes(&self.system, workload.total_tokens()) * requests / self.kv_cache).min(1.0)
    }
}
