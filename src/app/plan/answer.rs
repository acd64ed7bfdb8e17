//! What a plan answers.

use std::path::PathBuf;

use serde::Serialize;

use crate::app::{Status, finite};
use crate::planning::{
    Configuration, Failure, Fitting, Latency, Margin, Outcome, Placement, Plan, Question, SloMetric, TtftStatistic,
    front,
};
use crate::spec::{Deployment, ModelArchitecture, Precision};
use crate::workload::LoadKind;

/// Which configurations meet the limits, and why the others do not; `--format json` prints it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlanAnswer {
    /// Name of the model.
    pub model: String,
    /// Prompt length.
    pub input_tokens: f64,
    /// Answer length.
    pub output_tokens: f64,
    /// Clients of a closed loop, all replicas together; only without `rate_rps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<f64>,
    /// Requests per second of independent users, all replicas together; only without `users`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_rps: Option<f64>,
    /// The limits.
    pub slo: SloAnswer,
    /// Path of the calibration; null: uncalibrated, from documented priors alone.
    pub calibration: Option<PathBuf>,
    /// Placements times numbers of replicas that were considered.
    pub configurations: usize,
    /// Wall time in s.
    pub elapsed_s: f64,
    /// Of each placement that meets the limits its smallest configuration, cheapest first, those without a price last.
    pub options: Vec<PlanOption>,
    /// Placements that do not meet the limits, nearest first.
    pub failures: Vec<PlanFailure>,
    /// Of the failures the configuration that comes nearest to the limits; null where none can serve the demand at all.
    pub nearest: Option<ConfigurationAnswer>,
    /// Configurations that no cheaper one beats in ITL, by rising cost; as predicted, without intervals.
    pub pareto: Vec<ParetoPoint>,
    /// What to try where nothing meets the limits; null where something does.
    pub remedy: Option<String>,
    /// What to know before trusting the numbers.
    pub cautions: Vec<String>,
    /// What names were taken for.
    pub remarks: Vec<String>,
    /// What was read from where.
    pub notes: Vec<String>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// What tables and pages are made from.
    #[serde(skip)]
    pub study: PlanStudy,
}

/// The plan as quantities.
#[derive(Debug)]
pub struct PlanStudy {
    /// The model.
    pub model: ModelArchitecture,
    /// What was asked of every placement.
    pub question: Question,
    /// Where the calibration was read.
    pub calibration: Option<PathBuf>,
    /// What was found.
    pub plan: Plan,
    /// What could not be placed.
    pub refused: Vec<Refused>,
}

/// A placement that is none: the model does not divide, or the device cannot compute so.
#[derive(Debug)]
pub struct Refused {
    /// Id of the device.
    pub hardware: String,
    /// How the model was to be placed.
    pub deployment: Deployment,
    /// What is wrong.
    pub reason: String,
}

/// Limits on latencies; null is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SloAnswer {
    /// Largest time to first token.
    pub ttft_ms: Option<f64>,
    /// What of it is limited.
    pub ttft_at: TtftStatistic,
    /// Largest mean time between later tokens.
    pub itl_ms: Option<f64>,
    /// Largest mean time from request to last token.
    pub e2e_ms: Option<f64>,
}

/// A model on one group of devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlacementAnswer {
    /// Id of the device.
    pub hardware: String,
    /// Devices of one group.
    pub tensor_parallel: u32,
    /// Format of the weights.
    pub weight_precision: Precision,
    /// Format of the KV cache.
    pub kv_precision: Precision,
}

/// Equal groups that share the demand.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ConfigurationAnswer {
    /// Where each group runs.
    #[serde(flatten)]
    pub placement: PlacementAnswer,
    /// How many groups.
    pub replicas: u32,
    /// Devices in all.
    pub gpus: u32,
    /// Clients, rounded up, or requests per second of one replica.
    pub load_per_replica: f64,
    /// `overloaded` where requests come faster than they can be served; what is unbounded then is null.
    pub status: Status,
    /// Which statistic of the time to first token the next two are.
    pub ttft_at: TtftStatistic,
    /// The time to first token that is limited; null where it is unbounded.
    pub ttft_ms: Option<f64>,
    /// Upper end of its 90 % interval.
    pub ttft_high_ms: Option<f64>,
    /// Mean time between later tokens.
    pub itl_ms: f64,
    /// Upper end of its 90 % interval.
    pub itl_high_ms: f64,
    /// Mean time from request to last token; null where it is unbounded.
    pub e2e_ms: Option<f64>,
    /// Upper end: both latencies at their ends at once.
    pub e2e_high_ms: Option<f64>,
    /// Generated tokens per second of all replicas.
    pub throughput_tok_s: f64,
    /// US dollars per hour of all devices; null without a price.
    pub usd_per_hour: Option<f64>,
    /// US dollars for a million generated tokens; null without a price.
    pub usd_per_million_tokens: Option<f64>,
    /// What keeps the operating point from being better: a roof of the decode step, what limits admission, or `overloaded`.
    pub bound_by: &'static str,
    /// The latency nearest to its limit, or furthest above it.
    pub tightest: TightestAnswer,
}

/// A latency against its limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TightestAnswer {
    /// Which latency.
    pub metric: SloMetric,
    /// Its pessimistic end in percent of the limit; null where it is unbounded.
    pub used_pct: Option<f64>,
}

/// A configuration that meets the limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlanOption {
    /// The smallest configuration of its placement that does.
    #[serde(flatten)]
    pub configuration: ConfigurationAnswer,
    /// How much more load it serves within the limits, in percent; null beyond what is looked for.
    pub headroom_pct: Option<f64>,
    /// Parameters that are taken from documented priors (priors.toml).
    pub from_priors: Vec<&'static str>,
    /// Axes on which it leaves what was calibrated.
    pub outside_range: Vec<&'static str>,
    /// The command that predicts one of its replicas.
    pub predict: String,
}

/// A placement that does not meet the limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlanFailure {
    /// Where it would run.
    #[serde(flatten)]
    pub placement: PlacementAnswer,
    /// What binds.
    pub reason: String,
    /// Whether no number of replicas helps.
    pub at_any_size: bool,
    /// Whether it could serve such requests at all, however slowly.
    pub usable: bool,
}

/// A configuration as predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ParetoPoint {
    /// Where each group runs.
    #[serde(flatten)]
    pub placement: PlacementAnswer,
    /// Equal groups that share the demand.
    pub replicas: u32,
    /// Devices in all.
    pub gpus: u32,
    /// US dollars per hour of all devices.
    pub usd_per_hour: f64,
    /// The time to first token that is limited.
    pub ttft_ms: f64,
    /// Mean time between later tokens.
    pub itl_ms: f64,
}

impl PlacementAnswer {
    fn new(hardware: &str, deployment: &Deployment) -> Self {
        Self {
            hardware: hardware.to_owned(),
            tensor_parallel: deployment.parallelism.tp(),
            weight_precision: deployment.formats.weights,
            kv_precision: deployment.formats.kv,
        }
    }

    fn of(placement: &Placement) -> Self {
        Self::new(&placement.hardware, placement.system.deployment())
    }
}

impl PlanStudy {
    /// The answer; `named` are the flags that name the model to `predict`.
    pub(super) fn answer(self, named: &str, changed: Option<String>) -> PlanAnswer {
        let Question { demand, slo, .. } = &self.question;
        let under = |kind: LoadKind| (demand.kind() == kind).then(|| demand.amount());
        let nearest = self.plan.nearest();
        PlanAnswer {
            model: self.model.name.clone(),
            input_tokens: demand.input_tokens(),
            output_tokens: demand.output_tokens(),
            users: under(LoadKind::ClosedLoop),
            rate_rps: under(LoadKind::OpenLoop),
            slo: SloAnswer {
                ttft_ms: slo.ttft.map(|limit| limit.as_ms()),
                ttft_at: slo.statistic,
                itl_ms: slo.itl.map(|limit| limit.as_ms()),
                e2e_ms: slo.end_to_end.map(|limit| limit.as_ms()),
            },
            calibration: self.calibration.clone(),
            configurations: self.plan.configurations(),
            elapsed_s: 0.0,
            options: self.fittings().map(|(outcome, fitting)| self.option(outcome, fitting, named)).collect(),
            failures: self.failures(),
            nearest: nearest.map(|(placement, miss)| self.configuration(placement, &miss.configuration, &miss.margin)),
            pareto: self.pareto(),
            remedy: self.plan.options.is_empty().then(|| self.remedy()),
            cautions: self.cautions(changed),
            remarks: Vec::new(),
            notes: Vec::new(),
            files: Vec::new(),
            study: self,
        }
    }

    /// Outcomes that meet the limits, each with its configuration.
    fn fittings(&self) -> impl Iterator<Item = (&Outcome, &Fitting)> {
        self.plan.options.iter().filter_map(|outcome| Some((outcome, outcome.fitting()?)))
    }

    fn option(&self, outcome: &Outcome, fitting: &Fitting, named: &str) -> PlanOption {
        PlanOption {
            configuration: self.configuration(&outcome.placement, &fitting.configuration, &fitting.tightest),
            headroom_pct: fitting.headroom.map(|share| 100.0 * share),
            from_priors: fitting.from_priors.clone(),
            outside_range: fitting.outside.iter().map(|outside| outside.axis).collect(),
            predict: self.predict_command(&outcome.placement, fitting, named),
        }
    }

    fn configuration(&self, placement: &Placement, c: &Configuration, margin: &Margin) -> ConfigurationAnswer {
        let slo = &self.question.slo;
        let (p, f) = (&c.forecast.prediction, &c.forecast);
        let (ttft, ttft_high) = slo.ttft(f);
        ConfigurationAnswer {
            placement: PlacementAnswer::of(placement),
            replicas: c.replicas,
            gpus: c.gpus,
            load_per_replica: f.workload.amount(),
            status: Status::of(f),
            ttft_at: slo.statistic,
            ttft_ms: finite(ttft.as_ms()),
            ttft_high_ms: finite(ttft_high.as_ms()),
            itl_ms: p.itl.as_ms(),
            itl_high_ms: f.itl.high.as_ms(),
            e2e_ms: finite(f.end_to_end().as_ms()),
            e2e_high_ms: finite(f.end_to_end_interval().high.as_ms()),
            throughput_tok_s: c.throughput.get(),
            usd_per_hour: c.usd_per_hour,
            usd_per_million_tokens: c.usd_per_million_tokens(),
            bound_by: f.bound(),
            tightest: TightestAnswer { metric: margin.metric, used_pct: finite(100.0 * margin.used()) },
        }
    }

    fn failures(&self) -> Vec<PlanFailure> {
        let missed = self.plan.failures.iter().filter_map(|outcome| {
            let (reason, at_any_size, usable) = match outcome.verdict.as_ref().err()? {
                Failure::Misses(miss) => (self.missed(miss), miss.at_any_size, true),
                Failure::Unusable(reason) => (reason.clone(), true, false),
            };
            Some(PlanFailure { placement: PlacementAnswer::of(&outcome.placement), reason, at_any_size, usable })
        });
        let refused = self.refused.iter().map(|refused| PlanFailure {
            placement: PlacementAnswer::new(&refused.hardware, &refused.deployment),
            reason: refused.reason.clone(),
            at_any_size: true,
            usable: false,
        });
        missed.chain(refused).collect()
    }

    fn pareto(&self) -> Vec<ParetoPoint> {
        let outcomes = || self.plan.options.iter().chain(&self.plan.failures);
        let (owners, points): (Vec<&Outcome>, Vec<_>) =
            outcomes().flat_map(|outcome| outcome.curve.iter().map(move |point| (outcome, *point))).unzip();
        front(&points, Latency::Itl)
            .into_iter()
            .filter_map(|index| {
                let point = &points[index];
                Some(ParetoPoint {
                    placement: PlacementAnswer::of(&owners[index].placement),
                    replicas: point.replicas,
                    gpus: point.gpus,
                    usd_per_hour: point.usd_per_hour?,
                    ttft_ms: point.ttft.as_ms(),
                    itl_ms: point.itl.as_ms(),
                })
            })
            .collect()
    }
}
