//! What is answered of compared runs. Times are in seconds, as in the logs.

use std::path::PathBuf;

use serde::Serialize;

use super::model::{HeldModelAnswer, PredictionAnswer, held_model, predictions};
use crate::app::ResolvedSystem;
use crate::comparison::{
    CompareGroup, CompareReport, DimensionStudy, Filter, Gate, LevelFigures, PairStudy, QuantileDifference,
    QuantileEstimate, SampleStudy, Settings, ShiftPoint, Side, Similarity,
};
use crate::requests::{Dimension, LlmeterVersion, Run};
use crate::stats::{BootstrapInterval, IntervalMethod, QuantileRule};

/// Compared runs, or one run summed up; `--format json` prints it. Times are in seconds, as in the logs; differences and ratios are
/// those of a side against the first.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CompareAnswer {
    /// How they were compared.
    pub settings: SettingsAnswer,
    /// Load tests with the rates of their levels; of single runs those whose goodput is asked for.
    pub load_tests: Vec<LoadTestAnswer>,
    /// One for runs, one for each level of load tests that the first and another have.
    pub groups: Vec<GroupAnswer>,
    /// What a reader must know of all of it.
    pub cautions: Vec<String>,
    /// The system that the runs are held against; null where none is named.
    pub model: Option<HeldModelAnswer>,
    /// Whether a latency is slower than is allowed; null where nobody asks.
    pub gate: Option<Gate>,
    /// What names were taken for.
    pub remarks: Vec<String>,
    /// What was read from where.
    pub notes: Vec<String>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// What tables and pages are made from.
    #[serde(skip)]
    pub report: CompareReport,
}

/// How runs were compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SettingsAnswer {
    /// Which values count.
    pub filter: Filter,
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
    /// Requests in a block that is drawn whole; null: requests count as independent.
    pub block: Option<usize>,
    /// Smallest relative change that matters.
    pub smallest_effect: f64,
}

impl From<&Settings> for SettingsAnswer {
    fn from(settings: &Settings) -> Self {
        Self {
            filter: settings.filter,
            quantile_rule: settings.rule,
            bootstrap: settings.method,
            resamples: settings.resamples,
            seed: settings.seed,
            confidence: settings.confidence,
            block: settings.block,
            smallest_effect: settings.smallest_effect,
        }
    }
}

/// A load test.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LoadTestAnswer {
    /// Its name.
    pub name: String,
    /// The rates of its levels.
    pub levels: Vec<LevelFigures>,
}

/// Runs that were compared, or the runs of load tests at one number of clients.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct GroupAnswer {
    /// Clients of a level of load tests; null for runs.
    pub clients: Option<u32>,
    /// What was compared; the first is the base.
    pub sides: Vec<SideAnswer>,
    /// Whether each other side was asked the same as the first: input and output tokens, where they are known.
    pub similarity: Vec<SimilarityAnswer>,
    /// Dimension by dimension.
    pub dimensions: Vec<DimensionAnswer>,
    /// What a reader must know.
    pub cautions: Vec<String>,
    /// What the model predicts for each side, null for one that cannot be predicted; none where no system is named.
    pub predictions: Vec<Option<PredictionAnswer>>,
}

/// A side: one run, or several of the same thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SideAnswer {
    /// Its name.
    pub name: String,
    /// Its runs.
    pub runs: Vec<RunAnswer>,
    /// Spearman's rank correlation of TPOT with the length of the answer; null where it is not known.
    pub tpot_over_output_tokens_spearman: Option<f64>,
    /// Its p value.
    pub tpot_over_output_tokens_p: Option<f64>,
}

/// A run and what its log holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RunAnswer {
    /// Where it was read.
    pub path: String,
    /// Model, as the run names it.
    pub model: Option<String>,
    /// Endpoint that was asked.
    pub endpoint: Option<String>,
    /// Provider of the endpoint.
    pub provider: Option<String>,
    /// Versions of LLMeter that write such folders; null for other logs.
    pub llmeter: Option<&'static str>,
    /// Whether it ended before its time.
    pub interrupted: bool,
    /// Clients.
    pub clients: Option<u32>,
    /// How long it took.
    pub duration_s: Option<f64>,
    /// Requests a minute, failed ones among them.
    pub requests_per_minute: Option<f64>,
    /// Answered requests a minute.
    pub answers_per_minute: Option<f64>,
    /// Requests.
    pub requests: usize,
    /// Failed requests.
    pub failed: usize,
    /// Of these, those that failed after their first token.
    pub failed_midway: usize,
    /// Answers that were not streamed, so that they have no TTFT.
    pub not_streamed: usize,
    /// Answers of one token.
    pub single_token: usize,
    /// Answers whose tokens all arrived at once.
    pub zero_tpot: usize,
    /// Answers whose tokens nearly did.
    pub near_zero_tpot: usize,
    /// Answers that hold tokens of reasoning.
    pub reasoning: usize,
}

/// Token counts of a side against those of the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SimilarityAnswer {
    /// The side.
    pub side: String,
    /// Input or output tokens.
    pub dimension: Dimension,
    /// Medians of the first side and of this one.
    pub medians: [f64; 2],
    /// Kolmogorov–Smirnov distance of the distributions.
    pub ks_distance: f64,
    /// Its p value.
    pub ks_p: f64,
    /// Cliff's δ: positive where this side has more.
    pub cliffs_delta: f64,
    /// Whether both may count as the same workload.
    pub similar: bool,
}

/// One dimension on all sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DimensionAnswer {
    /// Which.
    pub dimension: Dimension,
    /// Unit of its values: `s` of latencies, empty of counts.
    pub unit: &'static str,
    /// Each side; null where it has fewer than two values.
    pub sides: Vec<Option<SampleAnswer>>,
    /// Every side but the first, against it; null where one of both has too few values.
    pub against_first: Vec<Option<PairAnswer>>,
}

/// The values of a dimension on one side.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SampleAnswer {
    /// The side.
    pub side: String,
    /// How many values count.
    pub values: usize,
    /// Requests for which it is not known.
    pub unknown: usize,
    /// Zeros that the filter left out.
    pub zeros_left_out: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation.
    pub standard_deviation: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Correlation of neighbours in the order of sending.
    pub lag_one: Option<f64>,
    /// Its quantiles.
    pub quantiles: Vec<QuantileAnswer>,
}

/// A quantile with its intervals.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct QuantileAnswer {
    /// Probability.
    pub p: f64,
    /// Value.
    pub value: f64,
    /// Interval from resamples.
    pub interval: BootstrapInterval,
    /// Lower end of the interval between values of the sample; null where the sample is too small for one.
    pub rank_interval_low: Option<f64>,
    /// Upper end.
    pub rank_interval_high: Option<f64>,
    /// Probability with which that interval holds the quantile.
    pub rank_interval_coverage: f64,
    /// Whether five requests at least lie beyond it.
    pub reliable: bool,
}

impl From<&QuantileEstimate> for QuantileAnswer {
    fn from(quantile: &QuantileEstimate) -> Self {
        Self {
            p: quantile.p,
            value: quantile.value,
            interval: quantile.bootstrap,
            rank_interval_low: quantile.order.low,
            rank_interval_high: quantile.order.high,
            rank_interval_coverage: quantile.order.coverage,
            reliable: quantile.reliable,
        }
    }
}

/// The values of a side against those of the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PairAnswer {
    /// The side.
    pub side: String,
    /// How its quantiles differ.
    pub quantiles: Vec<QuantileDifference>,
    /// Differences from low to high quantiles.
    pub shift_function: Vec<ShiftPoint>,
    /// Probability that a request of this side has more than one of the first; ties count half.
    pub probability_above: f64,
    /// Cliff's δ: positive where this side has more.
    pub cliffs_delta: f64,
    /// Mann–Whitney's U of the first side.
    pub mann_whitney_u: f64,
    /// Its p value; null where all values are equal.
    pub mann_whitney_p: Option<f64>,
    /// The same adjusted by Holm for all dimensions and sides.
    pub mann_whitney_p_holm: Option<f64>,
    /// Kolmogorov–Smirnov distance of the distributions.
    pub ks_distance: f64,
    /// Value at which they are furthest apart.
    pub ks_location: f64,
    /// Its p value.
    pub ks_p: f64,
    /// p value of Brunner–Munzel; null where the samples lie apart or are too small.
    pub brunner_munzel_p: Option<f64>,
    /// Shift by Hodges–Lehmann.
    pub hodges_lehmann: f64,
    /// Lower end of its interval.
    pub hodges_lehmann_low: f64,
    /// Upper end.
    pub hodges_lehmann_high: f64,
    /// p value of Welch's test of the means; null where nothing varies.
    pub welch_p: Option<f64>,
    /// Cohen's d.
    pub cohen_d: Option<f64>,
    /// Requests in a block, were neighbours to depend on each other; null where blocks are not drawn.
    pub block_length: Option<usize>,
    /// Interval of the medians' difference when such blocks are drawn.
    pub block_interval: Option<BootstrapInterval>,
}

impl CompareAnswer {
    pub(super) fn new(report: CompareReport, target: Option<&ResolvedSystem>, gate: Option<Gate>) -> Self {
        let load_tests = report.load_tests.iter();
        Self {
            settings: (&report.settings).into(),
            load_tests: load_tests
                .map(|(name, levels)| LoadTestAnswer { name: name.clone(), levels: levels.clone() })
                .collect(),
            groups: report.groups.iter().map(group).collect(),
            cautions: report.cautions.clone(),
            model: held_model(&report, target),
            gate,
            remarks: Vec::new(),
            notes: target.map_or_else(Vec::new, |target| target.notes.clone()),
            files: Vec::new(),
            report,
        }
    }
}

fn group(group: &CompareGroup) -> GroupAnswer {
    let comparison = &group.comparison;
    let others = || group.sides[1..].iter();
    GroupAnswer {
        clients: group.clients,
        sides: group.sides.iter().zip(&comparison.tpot_over_length).map(|(s, over)| side(s, *over)).collect(),
        similarity: others()
            .zip(&comparison.similarity)
            .flat_map(|(side, tokens)| tokens.iter().map(move |tokens| similarity(side, tokens)))
            .collect(),
        dimensions: comparison.dimensions.iter().map(|study| dimension(study, &group.sides)).collect(),
        cautions: group.cautions.clone(),
        predictions: predictions(group),
    }
}

fn side(side: &Side, over_length: Option<(f64, f64)>) -> SideAnswer {
    SideAnswer {
        name: side.name.clone(),
        runs: side.runs.iter().map(run).collect(),
        tpot_over_output_tokens_spearman: over_length.map(|over| over.0),
        tpot_over_output_tokens_p: over_length.map(|over| over.1),
    }
}

fn run(run: &Run) -> RunAnswer {
    let counts = run.log.counts();
    RunAnswer {
        path: run.path.display().to_string(),
        model: run.info.model.clone(),
        endpoint: run.info.endpoint.clone(),
        provider: run.info.provider.clone(),
        llmeter: run.info.version.map(LlmeterVersion::name),
        interrupted: run.info.interrupted,
        clients: run.info.clients,
        duration_s: run.info.duration,
        requests_per_minute: run.requests_per_minute(),
        answers_per_minute: run.answers_per_minute(),
        requests: counts.rows,
        failed: counts.failed,
        failed_midway: counts.failed_midway,
        not_streamed: counts.not_streamed,
        single_token: counts.single_token,
        zero_tpot: counts.zero_tpot,
        near_zero_tpot: counts.near_zero_tpot,
        reasoning: counts.reasoning,
    }
}

fn similarity(side: &Side, tokens: &Similarity) -> SimilarityAnswer {
    SimilarityAnswer {
        side: side.name.clone(),
        dimension: tokens.dimension,
        medians: tokens.medians,
        ks_distance: tokens.ks.distance,
        ks_p: tokens.ks.p,
        cliffs_delta: tokens.dominance.cliffs_delta(),
        similar: tokens.is_similar(),
    }
}

fn dimension(study: &DimensionStudy, sides: &[Side]) -> DimensionAnswer {
    let named = sides.iter().zip(&study.sides);
    let pairs = sides[1..].iter().zip(&study.pairs);
    DimensionAnswer {
        dimension: study.dimension,
        unit: if study.dimension.is_latency() { "s" } else { "" },
        sides: named.map(|(side, sample)| Some(self::sample(side, sample.as_ref()?))).collect(),
        against_first: pairs.map(|(side, pair)| Some(self::pair(side, pair.as_ref()?))).collect(),
    }
}

fn sample(side: &Side, study: &SampleStudy) -> SampleAnswer {
    let sorted = &study.sample.sorted;
    SampleAnswer {
        side: side.name.clone(),
        values: sorted.len(),
        unknown: study.sample.unknown,
        zeros_left_out: study.sample.zeros,
        mean: study.moments.mean,
        standard_deviation: study.moments.deviation(),
        min: sorted[0],
        max: sorted[sorted.len() - 1],
        lag_one: study.lag_one,
        quantiles: study.quantiles.iter().map(QuantileAnswer::from).collect(),
    }
}

fn pair(side: &Side, pair: &PairStudy) -> PairAnswer {
    PairAnswer {
        side: side.name.clone(),
        quantiles: pair.quantiles.clone(),
        shift_function: pair.shift_function.clone(),
        probability_above: pair.dominance.probability_above(),
        cliffs_delta: pair.dominance.cliffs_delta(),
        mann_whitney_u: pair.dominance.u().0,
        mann_whitney_p: pair.mann_whitney_p,
        mann_whitney_p_holm: pair.mann_whitney_holm,
        ks_distance: pair.ks.distance,
        ks_location: pair.ks.location,
        ks_p: pair.ks.p,
        brunner_munzel_p: pair.brunner_munzel.map(|test| test.p),
        hodges_lehmann: pair.shift.estimate,
        hodges_lehmann_low: pair.shift.low,
        hodges_lehmann_high: pair.shift.high,
        welch_p: pair.welch.map(|test| test.p),
        cohen_d: pair.cohen_d,
        block_length: pair.blocks.map(|blocks| blocks.0),
        block_interval: pair.blocks.map(|blocks| blocks.1),
    }
}
