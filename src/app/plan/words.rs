//! A plan in words.

use std::fmt::Write;

use super::answer::PlanStudy;
use crate::app::system::shell_word;
use crate::calibration::LEVEL;
use crate::number::{counted, number};
use crate::planning::{Failure, Fitting, Miss, Placement, SloMetric};
use crate::workload::LoadKind;

impl PlanStudy {
    /// Model and demand in one line.
    pub fn title(&self) -> String {
        let demand = &self.question.demand;
        let load = match demand.kind() {
            LoadKind::OpenLoop => format!("{} requests/s of independent users", demand.amount()),
            LoadKind::ClosedLoop | LoadKind::StaticBatch => {
                format!("{} in a closed loop", counted(demand.amount(), "client"))
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
        match &self.calibration {
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

    /// What a planner must know before trusting the numbers, one sentence each; `changed` says that measurements are not those of
    /// the fit.
    pub(super) fn cautions(&self, changed: Option<String>) -> Vec<String> {
        let mut cautions = Vec::new();
        if self.calibration.is_none() {
            cautions.push(
                "UNCALIBRATED: these numbers come from documented priors alone; give --calibration FILE of a fit on such \
                 hardware"
                    .to_owned(),
            );
        }
        cautions.extend(changed);
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
        let weights = self.plan.options.iter().map(|outcome| outcome.placement.system.deployment().formats.weights);
        if weights.clone().any(|precision| weights.clone().any(|other| other != precision)) {
            cautions.push("narrower weights and caches change what the model answers; check its quality".to_owned());
        }
        cautions
    }

    /// What to try where nothing meets the limits.
    pub(super) fn remedy(&self) -> String {
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

    /// Why a configuration is not enough.
    pub(super) fn missed(&self, miss: &Miss) -> String {
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

    /// The command that predicts one replica of an option; `named` are the flags that name the model.
    pub(super) fn predict_command(&self, placement: &Placement, fitting: &Fitting, named: &str) -> String {
        let deployment = placement.system.deployment();
        let workload = &fitting.configuration.forecast.workload;
        let mut command = format!(
            "perfmodel predict {named} --hardware {} --tp {} --weights {} --kv {}",
            placement.hardware,
            deployment.parallelism.tp(),
            deployment.formats.weights,
            deployment.formats.kv
        );
        let load = if workload.kind() == LoadKind::OpenLoop { "rate" } else { "concurrency" };
        // Writing to a String cannot fail.
        let _ = write!(
            command,
            "{}{}{}{} --input-tokens {} --output-tokens {} --{load} {} --explain",
            deployment.formats.compute.map_or_else(String::new, |precision| format!(" --compute {precision}")),
            deployment.limits.max_sequences.map_or_else(String::new, |most| format!(" --max-sequences {most}")),
            deployment
                .limits
                .max_tokens_per_step
                .map_or_else(String::new, |most| format!(" --max-tokens-per-step {most}")),
            self.calibration.as_ref().map_or_else(String::new, |path| format!(" --calibration {}", shell_word(path))),
            workload.input_tokens(),
            workload.output_tokens(),
            workload.amount()
        );
        for (name, value) in &self.question.given {
            let _ = write!(command, " --set {name}={value}");
        }
        command
    }
}
