//! A comparison as JSON.

use std::path::PathBuf;

use serde::Serialize;

use super::machine_predictions::{ModelOutput, PredictionOutput, model, predictions};
use crate::app::ResolvedSystem;
use crate::comparison::{CompareGroup, CompareReport, DimensionStudy, Gate, PairStudy, SampleStudy, Side, Similarity};
use crate::requests::Run;
use crate::stats::BootstrapInterval;

/// The whole report; times in seconds, as in the logs.
#[derive(Debug, Serialize)]
pub struct Output<'a> {
    settings: SettingsOutput,
    load_tests: Vec<LoadTestOutput<'a>>,
    groups: Vec<GroupOutput<'a>>,
    cautions: &'a [String],
    model: Option<ModelOutput<'a>>,
    gate: Option<&'a Gate>,
    files: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct SettingsOutput {
    filter: &'static str,
    quantile_rule: &'static str,
    bootstrap: &'static str,
    resamples: usize,
    seed: u64,
    confidence: f64,
    block: Option<usize>,
    smallest_effect: f64,
}

#[derive(Debug, Serialize)]
struct LoadTestOutput<'a> {
    name: &'a str,
    levels: Vec<LevelOutput>,
}

#[derive(Debug, Serialize)]
struct LevelOutput {
    clients: u32,
    requests: usize,
    error_rate: f64,
    requests_per_minute: Option<f64>,
    answers_per_minute: Option<f64>,
    input_tokens_per_minute: Option<f64>,
    output_tokens_per_minute: Option<f64>,
    good_per_minute: Option<f64>,
}

#[derive(Debug, Serialize)]
struct GroupOutput<'a> {
    clients: Option<u32>,
    sides: Vec<SideOutput<'a>>,
    similarity: Vec<SimilarityOutput<'a>>,
    dimensions: Vec<DimensionOutput<'a>>,
    cautions: &'a [String],
    predictions: Vec<Option<PredictionOutput>>,
}

#[derive(Debug, Serialize)]
struct SideOutput<'a> {
    name: &'a str,
    runs: Vec<RunOutput<'a>>,
    tpot_over_output_tokens_spearman: Option<f64>,
    tpot_over_output_tokens_p: Option<f64>,
}

#[derive(Debug, Serialize)]
struct RunOutput<'a> {
    path: String,
    model: Option<&'a str>,
    endpoint: Option<&'a str>,
    provider: Option<&'a str>,
    llmeter: Option<&'static str>,
    interrupted: bool,
    clients: Option<u32>,
    duration_s: Option<f64>,
    requests_per_minute: Option<f64>,
    answers_per_minute: Option<f64>,
    requests: usize,
    failed: usize,
    failed_midway: usize,
    not_streamed: usize,
    single_token: usize,
    zero_tpot: usize,
    near_zero_tpot: usize,
    reasoning: usize,
}

#[derive(Debug, Serialize)]
struct SimilarityOutput<'a> {
    side: &'a str,
    dimension: &'static str,
    medians: [f64; 2],
    ks_distance: f64,
    ks_p: f64,
    cliffs_delta: f64,
    similar: bool,
}

#[derive(Debug, Serialize)]
struct DimensionOutput<'a> {
    dimension: &'static str,
    unit: &'static str,
    sides: Vec<Option<SampleOutput<'a>>>,
    against_first: Vec<Option<PairOutput<'a>>>,
}

#[derive(Debug, Serialize)]
struct SampleOutput<'a> {
    side: &'a str,
    values: usize,
    unknown: usize,
    zeros_left_out: usize,
    mean: f64,
    standard_deviation: f64,
    min: f64,
    max: f64,
    lag_one: Option<f64>,
    quantiles: Vec<QuantileOutput>,
}

#[derive(Debug, Serialize)]
struct QuantileOutput {
    p: f64,
    value: f64,
    interval: IntervalOutput,
    rank_interval_low: Option<f64>,
    rank_interval_high: Option<f64>,
    rank_interval_coverage: f64,
    reliable: bool,
}

#[derive(Debug, Serialize)]
struct IntervalOutput {
    low: f64,
    high: f64,
    standard_error: f64,
    method: &'static str,
    degenerate: bool,
}

impl From<BootstrapInterval> for IntervalOutput {
    fn from(interval: BootstrapInterval) -> Self {
        let BootstrapInterval { low, high, standard_error, method, degenerate } = interval;
        Self { low, high, standard_error, method: method.name(), degenerate }
    }
}

#[derive(Debug, Serialize)]
struct PairOutput<'a> {
    side: &'a str,
    quantiles: Vec<DifferenceOutput>,
    shift_function: Vec<ShiftOutput>,
    probability_above: f64,
    cliffs_delta: f64,
    mann_whitney_u: f64,
    mann_whitney_p: Option<f64>,
    mann_whitney_p_holm: Option<f64>,
    ks_distance: f64,
    ks_location: f64,
    ks_p: f64,
    brunner_munzel_p: Option<f64>,
    hodges_lehmann: f64,
    hodges_lehmann_low: f64,
    hodges_lehmann_high: f64,
    welch_p: Option<f64>,
    cohen_d: Option<f64>,
    block_length: Option<usize>,
    block_interval: Option<IntervalOutput>,
}

#[derive(Debug, Serialize)]
struct DifferenceOutput {
    p: f64,
    difference: f64,
    interval: IntervalOutput,
    ratio: f64,
    ratio_interval: IntervalOutput,
    p_value: f64,
    p_holm: f64,
    reliable: bool,
    verdict: &'static str,
}

#[derive(Debug, Serialize)]
struct ShiftOutput {
    p: f64,
    difference: f64,
    low: f64,
    high: f64,
}

/// The report for programs.
pub fn output<'a>(
    report: &'a CompareReport,
    target: Option<&'a ResolvedSystem>,
    gate: Option<&'a Gate>,
    files: Vec<PathBuf>,
) -> Output<'a> {
    let settings = &report.settings;
    Output {
        settings: SettingsOutput {
            filter: settings.filter.name(),
            quantile_rule: settings.rule.name(),
            bootstrap: settings.method.name(),
            resamples: settings.resamples,
            seed: settings.seed,
            confidence: settings.confidence,
            block: settings.block,
            smallest_effect: settings.smallest_effect,
        },
        load_tests: report
            .load_tests
            .iter()
            .map(|(name, levels)| LoadTestOutput {
                name,
                levels: levels
                    .iter()
                    .map(|level| LevelOutput {
                        clients: level.clients,
                        requests: level.requests,
                        error_rate: level.error_rate,
                        requests_per_minute: level.requests_per_minute,
                        answers_per_minute: level.answers_per_minute,
                        input_tokens_per_minute: level.input_tokens_per_minute,
                        output_tokens_per_minute: level.output_tokens_per_minute,
                        good_per_minute: level.good_per_minute,
                    })
                    .collect(),
            })
            .collect(),
        groups: report.groups.iter().map(group).collect(),
        cautions: &report.cautions,
        model: model(report, target),
        gate,
        files,
    }
}

fn group(group: &CompareGroup) -> GroupOutput<'_> {
    let comparison = &group.comparison;
    let others = || group.sides[1..].iter();
    GroupOutput {
        clients: group.clients,
        sides: group.sides.iter().zip(&comparison.tpot_over_length).map(|(s, over)| side(s, *over)).collect(),
        similarity: others()
            .zip(&comparison.similarity)
            .flat_map(|(side, tokens)| tokens.iter().map(move |tokens| similarity(side, tokens)))
            .collect(),
        dimensions: comparison.dimensions.iter().map(|study| dimension(study, &group.sides)).collect(),
        cautions: &group.cautions,
        predictions: predictions(group),
    }
}

fn side(side: &Side, over_length: Option<(f64, f64)>) -> SideOutput<'_> {
    SideOutput {
        name: &side.name,
        runs: side.runs.iter().map(run).collect(),
        tpot_over_output_tokens_spearman: over_length.map(|over| over.0),
        tpot_over_output_tokens_p: over_length.map(|over| over.1),
    }
}

fn run(run: &Run) -> RunOutput<'_> {
    let counts = run.log.counts();
    RunOutput {
        path: run.path.display().to_string(),
        model: run.info.model.as_deref(),
        endpoint: run.info.endpoint.as_deref(),
        provider: run.info.provider.as_deref(),
        llmeter: run.info.version.map(crate::requests::LlmeterVersion::name),
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

fn similarity<'a>(side: &'a Side, tokens: &Similarity) -> SimilarityOutput<'a> {
    SimilarityOutput {
        side: &side.name,
        dimension: tokens.dimension.name(),
        medians: tokens.medians,
        ks_distance: tokens.ks.distance,
        ks_p: tokens.ks.p,
        cliffs_delta: tokens.dominance.cliffs_delta(),
        similar: tokens.is_similar(),
    }
}

fn dimension<'a>(study: &DimensionStudy, sides: &'a [Side]) -> DimensionOutput<'a> {
    let named = sides.iter().zip(&study.sides);
    let pairs = sides[1..].iter().zip(&study.pairs);
    DimensionOutput {
        dimension: study.dimension.name(),
        unit: if study.dimension.is_latency() { "s" } else { "" },
        sides: named.map(|(side, sample)| Some(self::sample(side, sample.as_ref()?))).collect(),
        against_first: pairs.map(|(side, pair)| Some(self::pair(side, pair.as_ref()?))).collect(),
    }
}

fn sample<'a>(side: &'a Side, study: &SampleStudy) -> SampleOutput<'a> {
    let sorted = &study.sample.sorted;
    SampleOutput {
        side: &side.name,
        values: sorted.len(),
        unknown: study.sample.unknown,
        zeros_left_out: study.sample.zeros,
        mean: study.moments.mean,
        standard_deviation: study.moments.deviation(),
        min: sorted[0],
        max: sorted[sorted.len() - 1],
        lag_one: study.lag_one,
        quantiles: study
            .quantiles
            .iter()
            .map(|quantile| QuantileOutput {
                p: quantile.p,
                value: quantile.value,
                interval: quantile.bootstrap.into(),
                rank_interval_low: quantile.order.low,
                rank_interval_high: quantile.order.high,
                rank_interval_coverage: quantile.order.coverage,
                reliable: quantile.reliable,
            })
            .collect(),
    }
}

fn pair<'a>(side: &'a Side, pair: &PairStudy) -> PairOutput<'a> {
    PairOutput {
        side: &side.name,
        quantiles: pair
            .quantiles
            .iter()
            .map(|quantile| DifferenceOutput {
                p: quantile.p,
                difference: quantile.difference,
                interval: quantile.interval.into(),
                ratio: quantile.ratio,
                ratio_interval: quantile.ratio_interval.into(),
                p_value: quantile.p_value,
                p_holm: quantile.p_holm,
                reliable: quantile.reliable,
                verdict: quantile.verdict.name(),
            })
            .collect(),
        shift_function: pair
            .shift_function
            .iter()
            .map(|point| ShiftOutput { p: point.p, difference: point.difference, low: point.low, high: point.high })
            .collect(),
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
        block_interval: pair.blocks.map(|blocks| blocks.1.into()),
    }
}
