//! `predict`: latencies, throughput and memory of a system under given workloads.

use std::path::PathBuf;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::lengths::LengthList;
use super::numbers::Numbers;
use super::remarks::Remarks;
use super::system::{ResolvedSystem, SystemAnswer, SystemRequest, fit_command};
use super::{Status, finite};
use crate::calibration::Origin;
use crate::error::{Error, Result};
use crate::forecast::{Capacity, Forecast, Forecaster};
use crate::prediction::{OpenLoop, Part, Parts};
use crate::spec::Catalog;
use crate::workload::{LengthDistribution, Lengths, Load, LoadKind, Workload};

/// More workloads than this in one call look like a slip.
const MOST_WORKLOADS: usize = 1_000_000;

/// What is to be predicted: every combination of lengths and loads, or the workloads of a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PredictRequest {
    /// The system.
    #[serde(flatten)]
    pub system: SystemRequest,
    /// Prompt lengths in tokens.
    pub input_tokens: LengthList,
    /// Answer lengths in tokens.
    pub output_tokens: LengthList,
    /// Clients of a closed loop, each of which sends its next request when its last one ends; 1 where no load is given.
    pub concurrency: Numbers,
    /// Requests per second of independent users (Poisson arrivals).
    pub rate: Numbers,
    /// Sequences of static batches, whose prompts start together.
    pub batch: Numbers,
    /// Single workloads, instead of lists of lengths and loads; all of one kind of load.
    pub workloads: Vec<WorkloadRequest>,
}

/// One workload; one of the loads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WorkloadRequest {
    /// Prompt length in tokens.
    pub input_tokens: LengthDistribution,
    /// Answer length in tokens.
    pub output_tokens: LengthDistribution,
    /// Clients of a closed loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<f64>,
    /// Requests per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Sequences of a static batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<f64>,
}

impl From<&Workload> for WorkloadRequest {
    fn from(workload: &Workload) -> Self {
        let under = |kind: LoadKind| (workload.kind() == kind).then(|| workload.amount());
        Self {
            input_tokens: LengthDistribution::Fixed(workload.input_tokens()),
            output_tokens: LengthDistribution::Fixed(workload.output_tokens()),
            concurrency: under(LoadKind::ClosedLoop),
            rate: under(LoadKind::OpenLoop),
            batch: under(LoadKind::StaticBatch),
        }
    }
}

impl WorkloadRequest {
    fn workload(&self) -> Result<Workload> {
        let loads = [
            (LoadKind::ClosedLoop, self.concurrency),
            (LoadKind::OpenLoop, self.rate),
            (LoadKind::StaticBatch, self.batch),
        ];
        let mut given = loads.into_iter().filter_map(|(kind, load)| Some((kind, load?)));
        let (kind, load) = given.next().unwrap_or((LoadKind::ClosedLoop, 1.0));
        match given.next() {
            Some(_) => Err(several_loads()),
            None => workload(self.input_tokens, self.output_tokens, kind, load),
        }
    }
}

fn several_loads() -> Error {
    Error::input("more than one load is given").help("give concurrency, rate or batch")
}

impl PredictRequest {
    fn workloads(&self) -> Result<(LoadKind, Vec<Workload>)> {
        let loads = [
            (LoadKind::ClosedLoop, &self.concurrency),
            (LoadKind::OpenLoop, &self.rate),
            (LoadKind::StaticBatch, &self.batch),
        ];
        let given: Vec<_> = loads.into_iter().filter(|(_, load)| !load.is_empty()).collect();
        let has_lists = !(self.input_tokens.is_empty() && self.output_tokens.is_empty() && given.is_empty());
        if !self.workloads.is_empty() {
            if has_lists {
                return Err(
                    Error::input("both workloads and lists of lengths or loads are given").help("give one of them")
                );
            }
            return single(&self.workloads);
        }
        if self.input_tokens.is_empty() || self.output_tokens.is_empty() {
            return Err(
                Error::input("no workload is given").help("give --input-tokens and --output-tokens, or --workload")
            );
        }
        let one = Numbers::one(1.0);
        let (kind, loads) = match given.as_slice() {
            [] => (LoadKind::ClosedLoop, &one),
            [load] => *load,
            _ => return Err(several_loads()),
        };
        let (inputs, outputs) = (&self.input_tokens, &self.output_tokens);
        let count = inputs.values().len() * outputs.values().len() * loads.values().len();
        if count > MOST_WORKLOADS {
            return Err(Error::input(format!("the lists make {count} workloads"))
                .help(format!("give shorter lists, {MOST_WORKLOADS} workloads at most")));
        }
        let mut workloads = Vec::with_capacity(count);
        for input in inputs.values() {
            for output in outputs.values() {
                for load in loads {
                    workloads.push(workload(*input, *output, kind, load)?);
                }
            }
        }
        Ok((kind, workloads))
    }
}

/// Lengths under a load.
pub(super) fn workload(
    input: LengthDistribution,
    output: LengthDistribution,
    kind: LoadKind,
    amount: f64,
) -> Result<Workload> {
    Workload::of(Lengths::of(input.moments(), output.moments()), Load::new(kind, amount))
}

/// The workloads of a list, which share one kind of load.
fn single(list: &[WorkloadRequest]) -> Result<(LoadKind, Vec<Workload>)> {
    let workloads = list.iter().map(WorkloadRequest::workload).collect::<Result<Vec<_>>>()?;
    let kind = workloads[0].kind();
    match workloads.iter().find(|workload| workload.kind() != kind) {
        Some(other) => Err(Error::input(format!("workloads of a {kind} and of a {} are mixed", other.kind()))
            .help("predict each kind of load by itself")),
        None => Ok((kind, workloads)),
    }
}

/// What is predicted of each workload; `--format json` prints it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PredictAnswer {
    /// The system and its calibration.
    #[serde(flatten)]
    pub system: SystemAnswer,
    /// Parameters that are taken from documented priors (priors.toml).
    pub from_priors: Vec<&'static str>,
    /// Axes on which the system or a workload leaves what was calibrated.
    pub outside_range: Vec<&'static str>,
    /// Weights in the memory of all devices.
    pub weights_bytes: f64,
    /// Memory of all devices that holds the KV cache.
    pub kv_cache_bytes: f64,
    /// One for each workload.
    pub predictions: Vec<PredictedWorkload>,
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
    pub study: PredictStudy,
}

/// The predictions as quantities.
#[derive(Debug)]
pub struct PredictStudy {
    /// The system.
    pub target: ResolvedSystem,
    /// How requests arrive.
    pub kind: LoadKind,
    /// Memory of the system.
    pub capacity: Capacity,
    /// One for each workload.
    pub forecasts: Vec<Forecast>,
    /// Whether a calibration is behind them.
    pub is_calibrated: bool,
}

/// A predicted workload.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PredictedWorkload {
    /// Prompt length.
    pub input_tokens: f64,
    /// Answer length.
    pub output_tokens: f64,
    /// Clients of a closed loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<f64>,
    /// Requests per second of an open loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_rps: Option<f64>,
    /// Sequences of a static batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<f64>,
    /// `overloaded` where requests come faster than they can be served; what is unbounded then is null.
    pub status: Status,
    /// Mean time to first token.
    pub ttft_ms: Option<f64>,
    /// Lower end of its 90 % interval.
    pub ttft_low_ms: Option<f64>,
    /// Upper end; null where it is unbounded.
    pub ttft_high_ms: Option<f64>,
    /// Mean time between later tokens.
    pub itl_ms: f64,
    /// Lower end of its 90 % interval.
    pub itl_low_ms: f64,
    /// Upper end.
    pub itl_high_ms: f64,
    /// Mean time from request to last token.
    pub e2e_ms: Option<f64>,
    /// Lower end of its 90 % interval.
    pub e2e_low_ms: Option<f64>,
    /// Upper end; null where it is unbounded.
    pub e2e_high_ms: Option<f64>,
    /// Generated tokens per second of all clients.
    pub throughput_tok_s: f64,
    /// The same for each device.
    pub throughput_per_gpu_tok_s: f64,
    /// Finished requests per second.
    pub requests_per_s: f64,
    /// Sequences that decode at once, in the mean.
    pub running_sequences: f64,
    /// Share of the KV cache that is reserved.
    pub kv_cache_used_pct: f64,
    /// Requests of these lengths that run at once at most.
    pub max_concurrency: f64,
    /// Roof of the decode step: memory, compute, overhead or link.
    pub roof: &'static str,
    /// What keeps further requests from running: clients (nothing does), kv_memory, max_sequences or token_budget.
    pub limit: &'static str,
    /// What only an open loop has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_loop: Option<OpenLoopAnswer>,
    /// What TTFT is made of.
    pub ttft_parts_ms: PartsMs,
    /// What ITL is made of.
    pub itl_parts_ms: PartsMs,
}

/// Capacity and percentiles of an open loop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OpenLoopAnswer {
    /// Largest rate that can be served.
    pub capacity_rps: f64,
    /// Rate as a share of it.
    pub utilisation: f64,
    /// Whether the rate is beyond it.
    pub overloaded: bool,
    /// Upper end of the interval of the median.
    pub ttft_p50_high_ms: Option<f64>,
    /// Lower end.
    pub ttft_p50_low_ms: Option<f64>,
    /// Median of TTFT.
    pub ttft_p50_ms: Option<f64>,
    /// Upper end of the interval of the 90th percentile.
    pub ttft_p90_high_ms: Option<f64>,
    /// Lower end.
    pub ttft_p90_low_ms: Option<f64>,
    /// 90th percentile of TTFT.
    pub ttft_p90_ms: Option<f64>,
    /// Upper end of the interval of the 99th percentile.
    pub ttft_p99_high_ms: Option<f64>,
    /// Lower end.
    pub ttft_p99_low_ms: Option<f64>,
    /// 99th percentile of TTFT.
    pub ttft_p99_ms: Option<f64>,
}

impl OpenLoopAnswer {
    fn new(forecast: &Forecast, open_loop: &OpenLoop) -> Self {
        let [p50, p90, p99] = open_loop.quantiles().map(|quantile| {
            let interval = forecast.ttft_interval(quantile);
            [interval.high, interval.low, quantile].map(|time| finite(time.as_ms()))
        });
        Self {
            capacity_rps: open_loop.capacity_rps,
            utilisation: open_loop.utilisation,
            overloaded: open_loop.overloaded,
            ttft_p50_high_ms: p50[0],
            ttft_p50_low_ms: p50[1],
            ttft_p50_ms: p50[2],
            ttft_p90_high_ms: p90[0],
            ttft_p90_low_ms: p90[1],
            ttft_p90_ms: p90[2],
            ttft_p99_high_ms: p99[0],
            ttft_p99_low_ms: p99[1],
            ttft_p99_ms: p99[2],
        }
    }
}

/// The parts of a latency that are not 0, in ms by name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartsMs(pub Parts);

impl Serialize for PartsMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut parts: Vec<(&str, f64)> = Part::ALL.map(|part| (part.key(), self.0.get(part).as_ms())).to_vec();
        parts.retain(|(_, time)| *time != 0.0 && time.is_finite());
        parts.sort_unstable_by_key(|(name, _)| *name);
        let mut map = serializer.serialize_map(Some(parts.len()))?;
        for (name, time) in parts {
            map.serialize_entry(name, &time)?;
        }
        map.end()
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for PartsMs {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PartsMs".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeMap::<String, f64>::json_schema(generator)
    }
}

/// Predicts workloads.
///
/// # Errors
/// The system or a workload is not known or cannot be, or a request does not fit the memory.
pub fn predict(catalog: &Catalog, request: &PredictRequest) -> Result<PredictAnswer> {
    let target = request.system.resolve(catalog)?;
    let (kind, workloads) = request.workloads()?;
    let forecaster = target.forecaster(kind)?;
    let capacity = Capacity::of(&target.system, &forecaster)?;
    for workload in &workloads {
        capacity.check(workload)?;
    }
    let forecasts: Vec<Forecast> = workloads.iter().map(|workload| forecaster.forecast(workload)).collect();
    let outside = forecaster.outside(workloads.iter());
    Ok(PredictAnswer {
        system: target.answer(),
        from_priors: forecaster.from_origin(Origin::Prior),
        outside_range: outside.iter().map(|outside| outside.axis).collect(),
        weights_bytes: capacity.weights.get(),
        kv_cache_bytes: capacity.kv_cache.get(),
        predictions: forecasts.iter().map(|forecast| predicted(forecast, &capacity, &target)).collect(),
        cautions: cautions(&target, &forecaster, &workloads),
        remarks: Remarks::new(catalog).system(&request.system).said(),
        notes: target.notes.clone(),
        files: Vec::new(),
        study: PredictStudy { target, kind, capacity, forecasts, is_calibrated: forecaster.is_calibrated() },
    })
}

fn predicted(forecast: &Forecast, capacity: &Capacity, target: &ResolvedSystem) -> PredictedWorkload {
    let (workload, p) = (&forecast.workload, &forecast.prediction);
    let under = |kind: LoadKind| (workload.kind() == kind).then(|| workload.amount());
    let e2e = forecast.end_to_end_interval();
    PredictedWorkload {
        input_tokens: workload.input_tokens(),
        output_tokens: workload.output_tokens(),
        concurrency: under(LoadKind::ClosedLoop),
        rate_rps: under(LoadKind::OpenLoop),
        batch: under(LoadKind::StaticBatch),
        status: Status::of(forecast),
        ttft_ms: finite(p.ttft.as_ms()),
        ttft_low_ms: finite(forecast.ttft.low.as_ms()),
        ttft_high_ms: finite(forecast.ttft.high.as_ms()),
        itl_ms: p.itl.as_ms(),
        itl_low_ms: forecast.itl.low.as_ms(),
        itl_high_ms: forecast.itl.high.as_ms(),
        e2e_ms: finite(forecast.end_to_end().as_ms()),
        e2e_low_ms: finite(e2e.low.as_ms()),
        e2e_high_ms: finite(e2e.high.as_ms()),
        throughput_tok_s: p.throughput.get(),
        throughput_per_gpu_tok_s: p.throughput.get() / target.system.deployment().gpus(),
        requests_per_s: p.throughput.get() / workload.output_tokens(),
        running_sequences: p.running,
        kv_cache_used_pct: 100.0 * capacity.used(workload, p),
        max_concurrency: capacity.most_clients(workload),
        roof: p.roof.name(),
        limit: p.limit.name(),
        open_loop: p.open_loop.map(|open_loop| OpenLoopAnswer::new(forecast, &open_loop)),
        ttft_parts_ms: PartsMs(p.ttft_parts),
        itl_parts_ms: PartsMs(p.itl_parts),
    }
}

/// What a planner must know before trusting the numbers, one sentence each.
pub fn cautions(target: &ResolvedSystem, forecaster: &Forecaster, workloads: &[Workload]) -> Vec<String> {
    let mut cautions = Vec::new();
    if forecaster.is_calibrated() {
        cautions.extend(forecaster.priors_in_words());
    } else {
        let remedy = match &target.scenario {
            Some(id) => format!("{} calibrates it", fit_command(id, target.folder.as_deref())),
            None => "give --calibration FILE of a fit on such hardware".to_owned(),
        };
        cautions.push(format!("UNCALIBRATED: these numbers come from documented priors alone; {remedy}"));
    }
    cautions.extend(target.changed.clone());
    if let (None, Some(id)) = (&target.scenario, forecaster.scenario_of(&target.system)) {
        cautions.push(format!(
            "the calibration measured this system as `{id}`, but who measures yours is not known: the intervals are as wide as \
             for a system that nobody measured; predict `{id}` itself for those of that campaign"
        ));
    }
    for outside in forecaster.outside(workloads.iter()) {
        cautions.push(format!("outside the calibrated range, {}", outside.what));
    }
    cautions.extend(target.system.slow_link());
    let longest = workloads.iter().map(Workload::total_tokens).fold(0.0, f64::max);
    cautions.extend(target.system.model().beyond_context(longest));
    cautions
}
