//! A plan for machines: JSON and CSV.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::answer::{Answer, placed};
use crate::cli::json::{finite, json_line};
use crate::error::Result;
use crate::planning::{Configuration, Failure, Latency, Margin, Outcome, Placement, SloMetric, front};
use crate::report::text::csv_text;
use crate::spec::Deployment;
use crate::workload::LoadKind;

/// The JSON object on stdout; docs/schema/plan.schema.json describes it.
#[derive(Debug, Serialize)]
struct PlanOutput<'a> {
    model: &'a str,
    input_tokens: f64,
    output_tokens: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_rps: Option<f64>,
    slo: SloOutput,
    calibration: Option<&'a Path>,
    configurations: usize,
    elapsed_s: f64,
    options: Vec<OptionRow>,
    failures: Vec<FailureRow>,
    nearest: Option<ConfigurationRow>,
    pareto: Vec<ParetoRow>,
    cautions: Vec<String>,
    files: &'a [PathBuf],
}

#[derive(Debug, Serialize)]
struct SloOutput {
    ttft_ms: Option<f64>,
    ttft_at: &'static str,
    itl_ms: Option<f64>,
    e2e_ms: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
struct PlacementRow {
    hardware: String,
    tensor_parallel: u32,
    weight_precision: String,
    kv_precision: String,
}

#[derive(Debug, Serialize)]
struct ConfigurationRow {
    #[serde(flatten)]
    placement: PlacementRow,
    replicas: u32,
    gpus: u32,
    load_per_replica: f64,
    ttft_at: &'static str,
    ttft_ms: Option<f64>,
    ttft_high_ms: Option<f64>,
    itl_ms: f64,
    itl_high_ms: f64,
    e2e_ms: Option<f64>,
    e2e_high_ms: Option<f64>,
    throughput_tok_s: f64,
    usd_per_hour: Option<f64>,
    usd_per_million_tokens: Option<f64>,
    bound_by: &'static str,
    tightest: TightestRow,
}

#[derive(Debug, Serialize)]
struct TightestRow {
    metric: &'static str,
    used_pct: Option<f64>,
}

#[derive(Debug, Serialize)]
struct OptionRow {
    #[serde(flatten)]
    configuration: ConfigurationRow,
    headroom_pct: Option<f64>,
    from_priors: Vec<&'static str>,
    outside_range: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct FailureRow {
    #[serde(flatten)]
    placement: PlacementRow,
    reason: String,
    at_any_size: bool,
}

#[derive(Debug, Serialize)]
struct ParetoRow {
    #[serde(flatten)]
    placement: PlacementRow,
    replicas: u32,
    gpus: u32,
    usd_per_hour: Option<f64>,
    ttft_ms: Option<f64>,
    itl_ms: f64,
}

fn placement_row(hardware: &str, deployment: &Deployment) -> PlacementRow {
    let [hardware, _, weight_precision, kv_precision] = placed(hardware, deployment);
    PlacementRow { hardware, tensor_parallel: deployment.parallelism.tp(), weight_precision, kv_precision }
}

fn configuration_row(
    answer: &Answer<'_>,
    placement: &Placement,
    c: &Configuration,
    margin: &Margin,
) -> ConfigurationRow {
    let slo = &answer.question.slo;
    let (p, f) = (&c.forecast.prediction, &c.forecast);
    let (ttft, ttft_high) = slo.ttft(f);
    ConfigurationRow {
        placement: placement_row(&placement.hardware, &placement.system.deployment),
        replicas: c.replicas,
        gpus: c.gpus,
        load_per_replica: f.workload.load(),
        ttft_at: slo.statistic.name(),
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
        tightest: TightestRow {
            metric: match margin.metric {
                SloMetric::Ttft => "ttft",
                SloMetric::Itl => "itl",
                SloMetric::EndToEnd => "e2e",
            },
            used_pct: finite(100.0 * margin.used()),
        },
    }
}

fn option_rows(answer: &Answer<'_>) -> Vec<OptionRow> {
    let rows = answer.plan.options.iter().filter_map(|outcome| {
        let fitting = outcome.fitting()?;
        Some(OptionRow {
            configuration: configuration_row(answer, &outcome.placement, &fitting.configuration, &fitting.tightest),
            headroom_pct: fitting.headroom.map(|share| 100.0 * share),
            from_priors: fitting.from_priors.clone(),
            outside_range: fitting.outside.iter().map(|outside| outside.axis).collect(),
        })
    });
    rows.collect()
}

fn pareto(answer: &Answer<'_>) -> Vec<ParetoRow> {
    let all: Vec<&Outcome> = answer.plan.options.iter().chain(&answer.plan.failures).collect();
    let points: Vec<_> = all.iter().flat_map(|outcome| outcome.curve.iter().copied()).collect();
    let owners: Vec<&Outcome> = all.iter().flat_map(|outcome| outcome.curve.iter().map(move |_| *outcome)).collect();
    front(&points, Latency::Itl)
        .into_iter()
        .map(|index| {
            let (point, placement) = (&points[index], &owners[index].placement);
            ParetoRow {
                placement: placement_row(&placement.hardware, &placement.system.deployment),
                replicas: point.replicas,
                gpus: point.gpus,
                usd_per_hour: point.usd_per_hour,
                ttft_ms: finite(point.ttft.as_ms()),
                itl_ms: point.itl.as_ms(),
            }
        })
        .collect()
}

/// One JSON object.
pub fn json(answer: &Answer<'_>, files: &[PathBuf]) -> Result<String> {
    let (demand, slo) = (&answer.question.demand, &answer.question.slo);
    let under = |kind: LoadKind| (demand.kind() == kind).then(|| demand.load());
    let failures = answer.plan.failures.iter().map(|outcome| {
        let (reason, at_any_size) = match &outcome.verdict {
            Err(Failure::Misses(miss)) => (answer.missed(miss), miss.at_any_size),
            Err(Failure::Unusable(reason)) => (reason.clone(), true),
            Ok(_) => (String::new(), false),
        };
        let placement = placement_row(&outcome.placement.hardware, &outcome.placement.system.deployment);
        FailureRow { placement, reason, at_any_size }
    });
    let refused = answer.refused.iter().map(|refused| FailureRow {
        placement: placement_row(&refused.hardware, &refused.deployment),
        reason: refused.reason.clone(),
        at_any_size: true,
    });
    let output = PlanOutput {
        model: &answer.model.name,
        input_tokens: demand.input_tokens(),
        output_tokens: demand.output_tokens(),
        users: under(LoadKind::ClosedLoop),
        rate_rps: under(LoadKind::OpenLoop),
        slo: SloOutput {
            ttft_ms: slo.ttft.map(|limit| limit.as_ms()),
            ttft_at: slo.statistic.name(),
            itl_ms: slo.itl.map(|limit| limit.as_ms()),
            e2e_ms: slo.end_to_end.map(|limit| limit.as_ms()),
        },
        calibration: answer.calibration,
        configurations: answer.plan.configurations(),
        elapsed_s: answer.elapsed_s,
        options: option_rows(answer),
        failures: failures.chain(refused).collect(),
        nearest: answer
            .plan
            .nearest()
            .map(|(placement, miss)| configuration_row(answer, placement, &miss.configuration, &miss.margin)),
        pareto: pareto(answer),
        cautions: answer.cautions(),
        files,
    };
    json_line(&output)
}

/// A column of the CSV: its name, and its cell of an option.
type Column = (&'static str, fn(&OptionRow) -> String);

const COLUMNS: [Column; 19] = [
    ("hardware", |row| row.configuration.placement.hardware.clone()),
    ("tensor_parallel", |row| row.configuration.placement.tensor_parallel.to_string()),
    ("weight_precision", |row| row.configuration.placement.weight_precision.clone()),
    ("kv_precision", |row| row.configuration.placement.kv_precision.clone()),
    ("replicas", |row| row.configuration.replicas.to_string()),
    ("gpus", |row| row.configuration.gpus.to_string()),
    ("load_per_replica", |row| row.configuration.load_per_replica.to_string()),
    ("ttft_ms", |row| optional(row.configuration.ttft_ms)),
    ("ttft_at", |row| row.configuration.ttft_at.to_owned()),
    ("ttft_high_ms", |row| optional(row.configuration.ttft_high_ms)),
    ("itl_ms", |row| row.configuration.itl_ms.to_string()),
    ("itl_high_ms", |row| row.configuration.itl_high_ms.to_string()),
    ("e2e_ms", |row| optional(row.configuration.e2e_ms)),
    ("e2e_high_ms", |row| optional(row.configuration.e2e_high_ms)),
    ("throughput_tok_s", |row| row.configuration.throughput_tok_s.to_string()),
    ("usd_per_hour", |row| optional(row.configuration.usd_per_hour)),
    ("usd_per_million_tokens", |row| optional(row.configuration.usd_per_million_tokens)),
    ("headroom_pct", |row| optional(row.headroom_pct)),
    ("bound_by", |row| row.configuration.bound_by.replace(' ', "_")),
];

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The options as CSV; without one the header alone.
pub fn csv(answer: &Answer<'_>) -> String {
    let rows = option_rows(answer).into_iter().map(|row| COLUMNS.map(|(_, cell)| cell(&row)).to_vec());
    csv_text(&COLUMNS.map(|(name, _)| name), rows)
}
