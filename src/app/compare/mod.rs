//! `compare`: measured runs held against each other and against the model, or one run summed up.

mod answer;
mod model;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

pub use self::answer::{
    CompareAnswer, DimensionAnswer, GroupAnswer, LoadTestAnswer, PairAnswer, QuantileAnswer, RunAnswer, SampleAnswer,
    SettingsAnswer, SideAnswer, SimilarityAnswer,
};
pub use self::model::{HeldModelAnswer, LatencyAnswer, PredictionAnswer};
use super::remarks::Remarks;
use super::system::{ResolvedSystem, SystemRequest};
use crate::comparison::{Filter, Gate, Given, LatencyLimits, Settings};
use crate::error::{Error, Result};
use crate::requests::Dimension;
use crate::spec::Catalog;
use crate::stats::{IntervalMethod, QuantileRule};

/// Fewest and most resamples.
const RESAMPLES: RangeInclusive<usize> = 100..=10_000_000;

/// Fewest and most clients.
const CLIENTS: RangeInclusive<u32> = 1..=1_000_000_000;

/// Below so many blocks an interval of them is too narrow.
const FEWEST_BLOCKS: usize = 10;

/// Which runs are to be compared, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CompareRequest {
    /// Runs or load tests, each compared with the first: `[NAME=]RUN[,RUN]`, where NAME= names a side and commas join several runs
    /// of a side. A RUN is a folder of LLMeter, or a file of requests.
    pub sides: Vec<String>,
    /// What to compare; the three latencies where none is given.
    pub dimension: Vec<Dimension>,
    /// Which values count.
    pub filter: Filter,
    /// Leave out what failed requests measured before they failed.
    pub completed_only: bool,
    /// Percentiles, between 0 and 100.
    pub quantiles: Vec<f64>,
    /// Definition of quantiles.
    pub quantile_rule: QuantileRule,
    /// How intervals are made of resamples.
    pub bootstrap: IntervalMethod,
    /// Resamples.
    pub resamples: usize,
    /// Seed of the resamples.
    pub seed: u64,
    /// Confidence of the intervals, between 0 and 1.
    pub confidence: f64,
    /// Draw blocks of so many requests in the order of sending, for requests that depend on those before them.
    pub block: Option<usize>,
    /// Smallest relative change that matters, between 0 and 1.
    pub sesoi: f64,
    /// Relative change, between 0 and 1, beyond which a latency is too slow; without it nobody asks.
    pub fail_if_slower: Option<f64>,
    /// Percentiles at which that is asked.
    pub fail_at: Vec<f64>,
    /// Longest TTFT of a good answer in ms, for the goodput of load tests.
    pub slo_ttft_ms: Option<f64>,
    /// Longest ITL of a good answer in ms.
    pub slo_itl_ms: Option<f64>,
    /// The system to hold the runs against, if one is named.
    #[serde(flatten)]
    pub system: SystemRequest,
    /// Clients of the runs that do not tell, for the prediction.
    pub concurrency: Option<u32>,
}

impl Default for CompareRequest {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            sides: Vec::new(),
            dimension: Vec::new(),
            filter: settings.filter,
            completed_only: false,
            quantiles: vec![50.0, 90.0, 95.0, 99.0],
            quantile_rule: settings.rule,
            bootstrap: settings.method,
            resamples: settings.resamples,
            seed: settings.seed,
            confidence: settings.confidence,
            block: settings.block,
            sesoi: settings.smallest_effect,
            fail_if_slower: None,
            fail_at: vec![50.0],
            slo_ttft_ms: None,
            slo_itl_ms: None,
            system: SystemRequest::default(),
            concurrency: None,
        }
    }
}

/// Checks a relative change or a probability.
fn share(flag: &str, share: f64) -> Result<f64> {
    if share > 0.0 && share < 1.0 {
        return Ok(share);
    }
    Err(Error::input(format!("{flag} is {share}")).help("write 5% or 0.05; it lies between 0 and 100 %"))
}

/// Percentiles as probabilities.
fn probabilities(flag: &str, percentiles: &[f64]) -> Result<Vec<f64>> {
    match percentiles.iter().find(|percent| !(**percent > 0.0 && **percent < 100.0)) {
        Some(percent) => {
            Err(Error::input(format!("{flag} holds {percent}")).help("a percentile lies between 0 and 100"))
        }
        None => Ok(percentiles.iter().map(|percent| percent / 100.0).collect()),
    }
}

/// Checks a number of clients.
pub(super) fn check_clients(clients: Option<u32>) -> Result<()> {
    match clients {
        Some(clients) if !CLIENTS.contains(&clients) => Err(Error::input(format!("--concurrency is {clients}"))
            .help(format!("give a number from {} to {}", CLIENTS.start(), CLIENTS.end()))),
        _ => Ok(()),
    }
}

/// A limit in seconds.
fn limit(flag: &str, ms: Option<f64>) -> Result<Option<f64>> {
    match ms {
        Some(ms) if !(ms > 0.0 && ms.is_finite()) => {
            Err(Error::input(format!("{flag} is {ms}")).help("a limit is a number of milliseconds above 0"))
        }
        _ => Ok(ms.map(|ms| ms / 1e3)),
    }
}

impl CompareRequest {
    fn settings(&self) -> Result<Settings> {
        if !RESAMPLES.contains(&self.resamples) {
            return Err(Error::input(format!("--resamples is {}", self.resamples)).help(format!(
                "give a number from {} to {}",
                RESAMPLES.start(),
                RESAMPLES.end()
            )));
        }
        if self.block == Some(0) {
            return Err(Error::input("--block is 0").help("a block holds one request at least"));
        }
        let mut quantiles = probabilities("--quantiles", &self.quantiles)?;
        if self.fail_if_slower.is_some() {
            quantiles.extend(probabilities("--fail-at", &self.fail_at)?);
        }
        quantiles.sort_by(f64::total_cmp);
        quantiles.dedup();
        // In the order given, each once.
        let mut dimensions = Vec::new();
        for dimension in &self.dimension {
            if !dimensions.contains(dimension) {
                dimensions.push(*dimension);
            }
        }
        if dimensions.is_empty() {
            dimensions = Settings::default().dimensions;
        }
        Ok(Settings {
            dimensions,
            filter: self.filter,
            quantiles,
            rule: self.quantile_rule,
            method: self.bootstrap,
            resamples: self.resamples,
            seed: self.seed,
            confidence: share("--confidence", self.confidence)?,
            block: self.block,
            smallest_effect: share("--sesoi", self.sesoi)?,
        })
    }

    fn limits(&self) -> Result<LatencyLimits> {
        Ok(LatencyLimits {
            ttft: limit("--slo-ttft-ms", self.slo_ttft_ms)?,
            itl: limit("--slo-itl-ms", self.slo_itl_ms)?,
        })
    }

    /// The system that is named; `None` where none is.
    fn target(&self, catalog: &Catalog) -> Result<Option<ResolvedSystem>> {
        check_clients(self.concurrency)?;
        if self.system.is_named() {
            return self.system.resolve(catalog).map(Some);
        }
        self.system.check_unused()?;
        match self.concurrency {
            Some(_) => Err(Error::input("--concurrency is for predictions, and no system is named")
                .help("give --scenario ID, or --model and --hardware")),
            None => Ok(None),
        }
    }

    /// Checks that blocks can be drawn of what is given.
    fn check_blocks(&self, given: &Given) -> Result<()> {
        let Some(block) = self.block else { return Ok(()) };
        if given.has_joined_runs() {
            return Err(Error::input(
                "--block and several runs a side exclude each other: there, whole runs are drawn first",
            )
            .help("leave --block out, or give one run a side"));
        }
        match given.fewest_requests() {
            Some((name, requests)) if requests < FEWEST_BLOCKS * block => Err(Error::input(format!(
                "--block is {block}, and {name} has {requests} requests: fewer than {FEWEST_BLOCKS} blocks do not show how they vary"
            ))
            .help(format!("give blocks of at most {} requests", (requests / FEWEST_BLOCKS).max(1)))),
            _ => Ok(()),
        }
    }
}

/// Compares runs. Whether they pass `fail_if_slower` is said by [`Gate::result`] of the answer.
///
/// # Errors
/// A run that cannot be read, runs that cannot be compared, or a system that cannot be predicted.
pub fn compare(catalog: &Catalog, request: &CompareRequest) -> Result<CompareAnswer> {
    let (settings, limits) = (request.settings()?, request.limits()?);
    let slowest = request.fail_if_slower.map(|slowest| share("--fail-if-slower", slowest)).transpose()?;
    let target = request.target(catalog)?;
    let mut given = Given::open(&request.sides, request.completed_only)?;
    if let Some(clients) = request.concurrency {
        given.assume_clients(clients);
    }
    request.check_blocks(&given)?;
    if slowest.is_some() && given.count() < 2 {
        return Err(Error::input("--fail-if-slower needs two runs").help("give the run that is the base first"));
    }
    let mut report = given.compare(&settings, limits)?;
    if let Some(target) = &target {
        model::hold(&mut report, target)?;
    }
    let gate = slowest
        .map(|slowest| Gate::of(&report, slowest, &probabilities("--fail-at", &request.fail_at)?))
        .transpose()?;
    let remarks = Remarks::new(catalog).system(&request.system).said();
    Ok(CompareAnswer { remarks, ..CompareAnswer::new(report, target.as_ref(), gate) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::from_json;

    #[test]
    fn names_in_json_are_those_of_flags() {
        fn same<T: Copy + Serialize>(all: &[T], name: fn(T) -> &'static str) {
            for value in all {
                assert_eq!(serde_json::to_value(value).unwrap(), name(*value));
            }
        }
        same(&Dimension::ALL, Dimension::name);
        same(&Filter::ALL, Filter::name);
        same(&QuantileRule::ALL, QuantileRule::name);
        same(&IntervalMethod::ALL, IntervalMethod::name);
    }

    #[test]
    fn what_no_flag_could_say_is_refused_too() {
        for (json, message) in [
            (r#"{}"#, "no run is given"),
            (r#"{"quantiles": [50, 100]}"#, "--quantiles holds 100"),
            (r#"{"fail_if_slower": 0.1, "fail_at": [0]}"#, "--fail-at holds 0"),
            (r#"{"confidence": 95}"#, "--confidence is 95"),
            (r#"{"sesoi": 0}"#, "--sesoi is 0"),
            (r#"{"slo_ttft_ms": -1}"#, "--slo-ttft-ms is -1"),
            (r#"{"concurrency": 0}"#, "--concurrency is 0"),
            (r#"{"tp": 2}"#, "--tp describes a system, and none is named"),
        ] {
            let request: CompareRequest = from_json(json).unwrap();
            assert_eq!(compare(&Catalog::built_in(), &request).unwrap_err().message(), message);
        }
        let message = from_json::<CompareRequest>(r#"{"side": ["a"]}"#).unwrap_err().to_string();
        assert!(message.contains("did you mean `sides`?"), "{message}");
    }
}
