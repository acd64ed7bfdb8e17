//! `plan`: which devices, how many and how arranged serve a demand within latency limits.

mod answer;
mod request;
mod words;

use std::time::Instant;

pub use answer::{
    ConfigurationAnswer, ParetoPoint, PlacementAnswer, PlanAnswer, PlanFailure, PlanOption, PlanStudy, Refused,
    SloAnswer, TightestAnswer,
};
pub use request::PlanRequest;

use super::remarks::Remarks;
use super::system::{SystemRequest, default_estimator};
use crate::error::Result;
use crate::planning::{self, Question};
use crate::spec::{Catalog, Kind};

/// Searches all placements and numbers of replicas; `progress` is called when a placement is done, with how many are, and of how
/// many. That nothing meets the limits is an answer, too.
///
/// # Errors
/// The model, a device or the demand is not known or cannot be, nothing is limited, or the calibration does not suit.
pub fn plan(catalog: &Catalog, request: &PlanRequest, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<PlanAnswer> {
    let started = Instant::now();
    let subject = request.subject(catalog)?;
    let (placements, refused) = request.placements(catalog, &subject)?;
    let (path, record) = subject.opened.calibration.unzip();
    let question = Question {
        demand: request.demand()?,
        slo: request.slo()?,
        replicas: request.counts()?,
        most_gpus: request.max_gpus,
        estimator: default_estimator(),
        calibration: record,
        scenario: subject.scenario,
        campaign: subject.campaign,
        given: request.parameters.set.to_vec(),
    };
    let plan = planning::plan(placements, &question, progress)?;
    let named = request.named(catalog, &subject.model);
    let study = PlanStudy { model: subject.model, question, calibration: path, plan, refused };
    let mut answer = study.answer(&named, subject.changed);
    answer.remarks = remarks(catalog, request);
    answer.notes = subject.opened.notes;
    answer.elapsed_s = started.elapsed().as_secs_f64();
    Ok(answer)
}

/// What the names in a request are taken for.
fn remarks(catalog: &Catalog, request: &PlanRequest) -> Vec<String> {
    let PlanRequest { scenario, model, .. } = request;
    let system = SystemRequest { scenario: scenario.clone(), model: model.clone(), ..SystemRequest::default() };
    let devices = request.hardware.iter().filter(|name| !name.contains(['*', '?']));
    let priced = request.prices.iter().map(|(name, _)| name).filter(|name| *name != PlanRequest::ALL);
    Remarks::new(catalog).system(&system).names(Kind::Hardware, devices.chain(priced)).said()
}
