//! A system prepared for predictions under any load.

use super::admission::admitted;
use super::parameters::{Quantity, ServingParameters};
use super::{closed_loop, open_loop, static_batch};
use crate::engine::memory::{free_bytes, kv_bytes};
use crate::engine::{Efficiencies, StepCosts, StepModel};
use crate::error::{Error, ErrorKind, Result};
use crate::prediction::{Limit, Prediction};
use crate::spec::{Deployment, LinkClass, System};
use crate::units::Bytes;
use crate::workload::{LoadKind, Workload};

/// The load of one of the ranks that have requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankLoad {
    /// Its share of the workload.
    pub workload: Workload,
    /// How many ranks have as much.
    pub ranks: f64,
    /// The share of the ranks of attention that have tokens when one has: less than 1 where there are fewer clients than ranks.
    pub busy: f64,
}

impl RankLoad {
    /// Spreads a workload over the ranks of a deployment: rates over all of them, clients and batches over no more than there are
    /// of them, and first over those of attention.
    pub fn of(workload: &Workload, deployment: &Deployment) -> Self {
        let attention = f64::from(deployment.parallelism.attention_dp());
        let of = |ranks: f64| match workload.kind() {
            LoadKind::ClosedLoop | LoadKind::StaticBatch => ranks.min(workload.amount()),
            LoadKind::OpenLoop => ranks,
        };
        let ranks = of(deployment.ranks());
        Self { workload: workload.share(ranks), ranks, busy: of(attention) / attention }
    }
}

/// A system prepared for predictions.
#[derive(Debug, Clone)]
pub struct ServingModel {
    system: System,
    steps: StepModel,
    /// What the weights leave of the memory of the devices of a rank.
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
            free: free_bytes(system)? * (1.0 / system.deployment().ranks()),
            link: system.hardware().group_link(system.deployment().parallelism.stage_devices()).class,
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
        // A request alone has the memory of all stages of its pipeline.
        let free = self.free * f64::from(self.system.deployment().parallelism.pp());
        if needed > free {
            return Err(Error::input(format!(
                "a request of {} tokens does not fit: its KV cache takes {:.1} GiB, the weights leave {:.1} GiB",
                workload.total_tokens(),
                needed.as_gib(),
                free.as_gib()
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

    /// Costs of the steps of a workload of one rank, where so large a share of the ranks has requests.
    pub fn costs(&self, load: &RankLoad, parameters: &ServingParameters) -> StepCosts {
        self.steps.costs(&load.workload, &self.efficiencies(parameters), load.busy)
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

    /// Predicts the operating point of a workload. Every rank that decodes sequences of its own has an equal share of the load, and
    /// what holds for one holds for all; where there are fewer clients than ranks, the others are idle.
    pub fn predict(&self, workload: &Workload, parameters: &ServingParameters) -> Prediction {
        let load = RankLoad::of(workload, self.system.deployment());
        let of_rank = match workload.kind() {
            LoadKind::ClosedLoop => closed_loop::predict(self, &load, parameters),
            LoadKind::OpenLoop => open_loop::predict(self, &load, parameters),
            LoadKind::StaticBatch => static_batch::predict(self, &load, parameters),
        };
        of_rank.times(load.ranks)
    }
}
