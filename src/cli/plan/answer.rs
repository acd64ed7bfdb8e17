//! A plan with what was asked, and what every format says of it.

use std::fmt::Write;
use std::path::Path;

use super::Refused;
use crate::app::shell_word;
use crate::calibration::LEVEL;
use crate::number::{counted, number};
use crate::planning::{Failure, Miss, Outcome, Plan, Question, SloMetric};
use crate::report::PlanReport;
use crate::spec::{Deployment, ModelArchitecture};
use crate::workload::LoadKind;

/// A plan with what was asked.
pub struct Answer<'a> {
    /// The model.
    pub model: &'a ModelArchitecture,
    /// The flags that name the model to `predict`.
    pub subject: String,
    /// What was asked.
    pub question: &'a Question,
    /// Where the calibration was read.
    pub calibration: Option<&'a Path>,
    /// Says so where the measurements have changed since it was fitted.
    pub changed: Option<&'a str>,
    /// What was found.
    pub plan: &'a Plan,
    /// What could not be placed.
    pub refused: &'a [Refused],
    /// Wall time in s.
    pub elapsed_s: f64,
}

impl Answer<'_> {
    /// Model and demand in one line.
    pub fn title(&self) -> String {
        let demand = &self.question.demand;
        let load = match demand.kind() {
            LoadKind::OpenLoop => format!("{} requests/s of independent users", demand.load()),
            LoadKind::ClosedLoop | LoadKind::StaticBatch => {
                format!("{} in a closed loop", counted(demand.load(), "client"))
            }
        };
        format!(
            "{} for {load}, {} input and {} output tokens",
            self.model.name,
            demand.input_tokens(),
            demand.output_tokens()
        )
    }

    /// Where the parameters come from.
    pub fn basis(&self) -> String {
        match self.calibration {
            Some(path) => path.display().to_string(),
            None => "the priors alone (priors.toml)".to_owned(),
        }
    }

    /// Placements that were asked for, with those that cannot be.
    pub fn placements(&self) -> usize {
        self.plan.options.len() + self.plan.failures.len() + self.refused.len()
    }

    /// The limits in one line.
    pub fn limits(&self) -> String {
        let slo = &self.question.slo;
        let limits: Vec<String> =
            [(SloMetric::Ttft, slo.ttft), (SloMetric::Itl, slo.itl), (SloMetric::EndToEnd, slo.end_to_end)]
                .into_iter()
                .filter_map(|(metric, limit)| Some(format!("{} ≤ {} ms", slo.label(metric), number(limit?.as_ms()))))
                .collect();
        format!("{}, held by the pessimistic end of the {:.0} % interval", limits.join(", "), 100.0 * LEVEL)
    }

    /// What the page shows.
    pub fn report(&self) -> PlanReport<'_> {
        PlanReport {
            title: self.title(),
            basis: self.basis(),
            limits: self.limits(),
            question: self.question,
            plan: self.plan,
            placements: self.placements(),
            cautions: self.cautions(),
        }
    }

    /// What a planner must know before trusting the numbers, one sentence each.
    pub fn cautions(&self) -> Vec<String> {
        let mut cautions = Vec::new();
        if self.calibration.is_none() {
            cautions.push(
                "UNCALIBRATED: these numbers come from documented priors alone; give --calibration FILE of a fit on such \
                 hardware"
                    .to_owned(),
            );
        }
        cautions.extend(self.changed.map(str::to_owned));
        cautions.extend(self.model.beyond_context(self.question.demand.total_tokens()));
        let Some(first) = self.plan.options.first() else { return cautions };
        cautions.extend(first.placement.system.slow_link().map(|link| format!("option 1: {link}")));
        let Some(best) = first.fitting() else { return cautions };
        if self.calibration.is_some() && !best.from_priors.is_empty() {
            cautions.push(format!("option 1 takes from documented priors: {}", best.from_priors.join(", ")));
        }
        for outside in &best.outside {
            cautions.push(format!("option 1 is outside the calibrated range, {}", outside.what));
        }
        let weights = self.plan.options.iter().map(|outcome| outcome.placement.system.deployment.weight_precision);
        if weights.clone().any(|precision| weights.clone().any(|other| other != precision)) {
            cautions.push("narrower weights and caches change what the model answers; check its quality".to_owned());
        }
        cautions
    }

    /// What to try where nothing meets the limits.
    pub fn remedy(&self) -> String {
        let misses = self.plan.failures.iter().filter_map(|outcome| match &outcome.verdict {
            Err(Failure::Misses(miss)) => Some(miss),
            Err(Failure::Unusable(_)) | Ok(_) => None,
        });
        let short_of_size: Vec<_> = misses.filter(|miss| !miss.at_any_size).collect();
        let most = self.question.most_gpus;
        if short_of_size.is_empty() {
            "loosen the limits, or try faster devices, higher tensor-parallel degrees or narrower precisions".to_owned()
        } else if short_of_size.iter().all(|miss| miss.configuration.forecast.may_be_overloaded()) {
            format!("allow more than --max-gpus {most}, or give a lower --rate")
        } else {
            format!("allow more than --max-gpus {most}, or loosen the limits")
        }
    }

    /// Why a configuration is not enough, in words.
    pub fn missed(&self, miss: &Miss) -> String {
        let Miss { configuration, margin, at_any_size } = miss;
        let slo = &self.question.slo;
        let forecast = &configuration.forecast;
        let overloaded = forecast.may_be_overloaded();
        let what = if forecast.prediction.is_overloaded() {
            "overloaded: more requests arrive than it can serve".to_owned()
        } else if overloaded {
            "near its capacity: at the pessimistic end more requests arrive than it can serve".to_owned()
        } else {
            format!(
                "{} {} ms, up to {} (limit {})",
                slo.label(margin.metric),
                number(margin.predicted.as_ms()),
                number(margin.pessimistic.as_ms()),
                number(margin.limit.as_ms())
            )
        };
        let size = match (at_any_size, overloaded) {
            (true, true) => "with next to no load it would miss a limit, too",
            (true, false) => "even with next to no load",
            (false, _) => "more replicas would do it",
        };
        let roof = match margin.metric {
            SloMetric::Ttft if !overloaded => "prefill and waiting",
            SloMetric::Ttft | SloMetric::Itl | SloMetric::EndToEnd => forecast.capacity_bound(),
        };
        format!("{what}; bound by {roof}; {size}")
    }

    /// The command that predicts one replica of an option again.
    pub fn again(&self, outcome: &Outcome) -> String {
        let Some(fitting) = outcome.fitting() else { return String::new() };
        let deployment = &outcome.placement.system.deployment;
        let workload = &fitting.configuration.forecast.workload;
        let mut command = format!(
            "perfmodel predict {} --hardware {} --tp {} --weights {} --kv {}",
            self.subject,
            outcome.placement.hardware,
            deployment.tensor_parallel,
            deployment.weight_precision,
            deployment.kv_precision
        );
        let load = if workload.kind() == LoadKind::OpenLoop { "rate" } else { "concurrency" };
        // Writing to a String cannot fail.
        let _ = write!(
            command,
            "{}{}{}{} --input-tokens {} --output-tokens {} --{load} {} --explain",
            deployment.compute_precision.map_or_else(String::new, |precision| format!(" --compute {precision}")),
            deployment.max_sequences.map_or_else(String::new, |most| format!(" --max-sequences {most}")),
            deployment.max_tokens_per_step.map_or_else(String::new, |most| format!(" --max-tokens-per-step {most}")),
            self.calibration.map_or_else(String::new, |path| format!(" --calibration {}", shell_word(path))),
            workload.input_tokens(),
            workload.output_tokens(),
            workload.load()
        );
        for (name, value) in &self.question.given {
            let _ = write!(command, " --set {name}={value}");
        }
        command
    }
}

/// Device, tensor-parallel degree, precisions of weights and cache.
pub fn placed(hardware: &str, deployment: &Deployment) -> [String; 4] {
    [
        hardware.to_owned(),
        deployment.tensor_parallel.to_string(),
        deployment.weight_precision.to_string(),
        deployment.kv_precision.to_string(),
    ]
}
