//! A system prepared for predictions under any load.

use super::admission::admitted;
use super::parameters::{Quantity, ServingParameters};
use super::{closed_loop, open_loop, static_batch};
use crate::engine::memory::{free_bytes, kv_bytes};
use crate::engine::{Efficiencies, StepCosts, StepModel};
use crate::error::{Error, ErrorKind, Result};
use crate::prediction::{Limit, Prediction};
use crate::spec::{LinkClass, System};
use crate::units::Bytes;
use crate::workload::{LoadKind, Workload};

/// A system prepared for predictions.
#[derive(Debug, Clone)]
pub struct ServingModel {
    system: System,
    steps: StepModel,
    free: Bytes,
    link: LinkClass,
}

impl ServingModel {
    /// Prepares a system.
    ///
    /// # Errors
    /// The weights do not fit the devices, or a precision has no peak.
    pub fn new(system: &System) -> Result<Self> {
        Ok(Self {
            steps: StepModel::new(system)?,
            free: free_bytes(system)?,
            link: system.hardware().group_link(system.deployment().parallelism.tp()).class,
            system: system.clone(),
        })
    }

    /// The system.
    pub fn system(&self) -> &System {
        &self.system
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
            .of(ErrorKind::DoesNotFit)
            .help("use shorter requests, more or larger devices, or a narrower kv_precision"));
        }
        Ok(())
    }

    /// What the steps of the system reach of its roofs.
    pub fn efficiencies(&self, parameters: &ServingParameters) -> Efficiencies {
        parameters.efficiencies(self.link)
    }

    /// Costs of the steps of a workload.
    pub fn costs(&self, workload: &Workload, parameters: &ServingParameters) -> StepCosts {
        self.steps.costs(workload, &self.efficiencies(parameters))
    }

    /// Requests of a workload that run at once of `clients`, and what limits them.
    pub fn admitted(&self, clients: f64, workload: &Workload, parameters: &ServingParameters) -> (f64, Limit) {
        admitted(
            clients,
            self.free,
            parameters.get(Quantity::KvMemoryShare),
            kv_bytes(&self.system, workload.total_tokens()),
            self.system.deployment().limits.max_sequences,
        )
    }

    /// Decode steps of a request after its first token.
    pub(super) fn decode_steps(&self, workload: &Workload) -> f64 {
        workload.later_tokens() / self.system.deployment().tokens_per_step()
    }

    /// Steps beyond the first that a prompt longer than the engine's token budget takes.
    pub(super) fn extra_chunks(&self, workload: &Workload) -> f64 {
        let budget = self.system.deployment().limits.max_tokens_per_step.map_or(f64::INFINITY, f64::from);
        (workload.input_tokens() / budget - 1.0).max(0.0)
    }

    /// Predicts the operating point of a workload.
    pub fn predict(&self, workload: &Workload, parameters: &ServingParameters) -> Prediction {
        match workload.kind() {
            LoadKind::ClosedLoop => closed_loop::predict(self, workload, parameters),
            LoadKind::OpenLoop => open_loop::predict(self, workload, parameters),
            LoadKind::StaticBatch => static_batch::predict(self, workload, parameters),
        }
    }
}
