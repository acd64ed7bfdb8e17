//! `roofline`: the operators of a system under the roofs of its device, and where steps turn compute bound.

mod answer;

use serde::{Deserialize, Serialize};

pub use answer::{
    CeilingAnswer, OperatorAnswer, RoofAnswer, RooflineAnswer, StepAnswer, SweepAnswer, SweepCell, SweepContext,
};

use super::numbers::Numbers;
use super::predict::cautions;
use super::remarks::Remarks;
use super::system::{ResolvedSystem, SystemRequest};
use crate::calibration::Origin;
use crate::engine::memory::kv_bytes;
use crate::engine::ops::linear::PADDING_ROWS;
use crate::engine::{Phase, StepLoad, StepModel};
use crate::error::{Error, Result};
use crate::forecast::{Capacity, Forecaster};
use crate::number::{counted, number, short};
use crate::parameter::Owner;
use crate::roofline::{Crossing, DeviceRoofs, Step, Sweep};
use crate::spec::Catalog;
use crate::workload::LoadKind;

/// More steps than this in one sweep look like a slip.
const MOST_STEPS: usize = 10_000;

/// Contexts of the sweep unless given; they end where those of the model do.
const CONTEXTS: &str = "128,256..32768";

/// Which steps of which system are shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RooflineRequest {
    /// The system.
    #[serde(flatten)]
    pub system: SystemRequest,
    /// Sequences of the decode step, and prompts of the prefill step.
    pub batch: f64,
    /// Mean context of the decode step, and length of the prompts, in tokens.
    pub context: f64,
    /// Batches of the sweep.
    pub batches: Numbers,
    /// Contexts and prompt lengths of the sweep; none: 128,256..32768, up to the context of the model.
    pub contexts: Numbers,
}

impl RooflineRequest {
    /// Batches of the sweep unless others are given.
    pub const BATCHES: &str = "1,2,4..1024";

    /// Contexts of the sweep.
    fn contexts(&self, target: &ResolvedSystem) -> Vec<f64> {
        if !self.contexts.is_empty() {
            return self.contexts.values().to_vec();
        }
        let most = f64::from(target.system.model().max_context_tokens);
        let all: Numbers = CONTEXTS.parse().expect("this is a list");
        all.into_iter().filter(|tokens| *tokens <= most).collect()
    }

    /// Checks that every batch and context can be one.
    fn check(&self, contexts: &[f64]) -> Result<()> {
        let one = |name: &'static str, value: f64| (name, vec![value]);
        for (name, values) in [
            one("--batch", self.batch),
            one("--context", self.context),
            ("--batches", self.batches.values().to_vec()),
            ("--contexts", contexts.to_vec()),
        ] {
            if let Some(value) = values.iter().find(|value| !(1.0..=1e9).contains(*value)) {
                return Err(Error::input(format!("{name} is {value}")).help("give a number from 1 to 1e9"));
            }
        }
        let steps = self.batches.values().len() * contexts.len();
        if steps > MOST_STEPS {
            return Err(Error::input(format!("the lists make {steps} steps"))
                .help(format!("give shorter --batches and --contexts, {MOST_STEPS} steps at most")));
        }
        Ok(())
    }
}

impl Default for RooflineRequest {
    fn default() -> Self {
        Self {
            system: SystemRequest::default(),
            batch: 1.0,
            context: 1000.0,
            batches: Self::BATCHES.parse().expect("this is a list"),
            contexts: Numbers::default(),
        }
    }
}

/// The steps as quantities.
#[derive(Debug)]
pub struct RooflineStudy {
    /// The system.
    pub target: ResolvedSystem,
    /// Whether a calibration is behind it.
    pub is_calibrated: bool,
    /// Sequences of the steps.
    pub batch: f64,
    /// Their context, or the length of their prompts.
    pub tokens: f64,
    /// Roofs of one device.
    pub roofs: DeviceRoofs,
    /// A prefill and a decode step.
    pub steps: [Step; 2],
    /// Both over batch and context.
    pub sweeps: [Sweep; 2],
}

impl RooflineStudy {
    /// What a step does, in words.
    pub fn step_title(&self, step: &Step) -> String {
        let (batch, tokens) = (short(self.batch), short(self.tokens));
        match step.phase {
            Phase::Prefill => format!("Prefill of {} of {tokens} tokens in one step", counted(batch, "prompt")),
            Phase::Decode => {
                format!("Decode step of {} with a mean context of {tokens} tokens", counted(batch, "sequence"))
            }
        }
    }

    /// Whose work the tables show, where that is a question.
    pub fn scope(&self) -> Option<String> {
        let gpus = self.target.system.deployment().parallelism.devices();
        let ranks = self.target.system.deployment().ranks();
        let of_rank = if ranks > 1.0 { format!("; batches are those of one of {ranks} ranks") } else { String::new() };
        (gpus > 1).then(|| {
            format!("FLOP, bytes and rates of one of {gpus} devices; each does the same at the same time{of_rank}")
        })
    }

    /// The memory roof, and how to read the others.
    pub fn roofs_in_words(&self) -> String {
        let (peak, attainable) = (self.roofs.bandwidth, self.roofs.attainable_bandwidth);
        format!(
            "Memory of one device: {} GB/s at peak, {} attainable ({:.0} %). Attainable is the peak times its efficiency; \
             below the balance, in FLOP/byte, memory binds.",
            number(peak.get() / 1e9),
            number(attainable.get() / 1e9),
            100.0 * (attainable / peak)
        )
    }
}

/// Lays the steps of a system under the roofs of its device.
///
/// # Errors
/// The system is not known or cannot be, or a batch or context cannot be one.
pub fn roofline(catalog: &Catalog, request: &RooflineRequest) -> Result<RooflineAnswer> {
    let target = request.system.resolve(catalog)?;
    let contexts = request.contexts(&target);
    request.check(&contexts)?;
    let forecaster = target.forecaster(load(&target))?;
    let system = &target.system;
    let (batch, tokens) = (request.batch, request.context);
    let efficiencies = forecaster.efficiencies().expect("the default estimator puts steps together from operators");
    let capacity = Capacity::of(system, &forecaster)?;
    let model = StepModel::new(system)?;
    let steps = Phase::ALL.map(|phase| Step::new(&model, &StepLoad { phase, batch, tokens }, &efficiencies));
    let sweeps = Phase::ALL.map(|phase| {
        let batches = request.batches.values();
        Sweep::run(system, &model, phase, batches, &contexts, capacity.of_rank(), &efficiencies)
    });
    let study = RooflineStudy {
        is_calibrated: forecaster.is_calibrated(),
        batch,
        tokens,
        roofs: DeviceRoofs::new(system, &efficiencies, &steps),
        steps,
        sweeps,
        target,
    };
    let cautions = all_cautions(&study, &forecaster, &capacity, &contexts);
    let mut answer = study.answer(from_priors(&forecaster), cautions);
    answer.remarks = Remarks::new(catalog).system(&request.system).said();
    Ok(answer)
}

/// The load of the calibration: the operators do not depend on it, their parameters do.
fn load(target: &ResolvedSystem) -> LoadKind {
    let fitted = target.calibration.as_ref().and_then(|(_, record)| record.scenarios.first());
    fitted.map_or(LoadKind::ClosedLoop, |scenario| scenario.load)
}

/// Parameters of the steps that no calibration knows; those of a measuring campaign have no part in a roofline.
fn from_priors(forecaster: &Forecaster) -> Vec<&'static str> {
    let of_campaigns = |name: &str| {
        forecaster.parameters().iter().any(|parameter| parameter.name == name && parameter.owner == Owner::Campaign)
    };
    forecaster.from_origin(Origin::Prior).into_iter().filter(|name| !of_campaigns(name)).collect()
}

/// What a reader must know before trusting the numbers, one sentence each.
fn all_cautions(study: &RooflineStudy, forecaster: &Forecaster, capacity: &Capacity, contexts: &[f64]) -> Vec<String> {
    let RooflineStudy { target, batch, tokens, sweeps, .. } = study;
    let system = &target.system;
    let mut cautions = cautions(target, forecaster, &[]);
    let bounded = forecaster.from_origin(Origin::OnBound);
    if !bounded.is_empty() {
        cautions.push(format!("at a bound of their fit, so not measured: {}", bounded.join(", ")));
    }
    let longest = contexts.iter().copied().fold(*tokens, f64::max);
    cautions.extend(system.model().beyond_context(longest));
    let [_, decode] = sweeps;
    if decode.contexts.iter().any(|line| line.crossing == Crossing::Always) {
        cautions.push(format!(
            "decode is compute bound from one sequence on because kernels are taken to compute whole tiles, {PADDING_ROWS} rows more \
             than sequences run; kernels for narrow weights with smaller tiles stay memory bound"
        ));
    }
    let cache = kv_bytes(system, *tokens) * *batch;
    let room = capacity.of_rank();
    if cache > room {
        cautions.push(format!(
            "a decode step of {batch} at {tokens} tokens cannot be: their KV cache takes {:.1} GiB, there are {:.1} GiB for it",
            cache.as_gib(),
            room.as_gib()
        ));
    }
    let prompts = batch * tokens;
    if let Some(budget) = system.deployment().limits.max_tokens_per_step.filter(|budget| prompts > f64::from(*budget)) {
        cautions
            .push(format!("the prefill of {prompts} tokens is shown as one step; the engine takes {budget} at once"));
    }
    cautions
}
