//! What `perfmodel roofline --format json` prints.

use std::path::PathBuf;

use serde::Serialize;

use crate::app::{ResolvedSystem, SystemAnswer};
use crate::calibration::Origin;
use crate::forecast::Forecaster;
use crate::parameter::Owner;
use crate::report::RooflineReport;
use crate::roofline::{Crossing, OperatorPoint, Step, Sweep, machine_balance};
use crate::units::FlopsPerSec;

/// The JSON object on stdout; docs/schema/roofline.schema.json describes it.
#[derive(Debug, Serialize)]
pub struct RooflineOutput<'a> {
    #[serde(flatten)]
    target: SystemAnswer,
    from_priors: Vec<&'static str>,
    cautions: &'a [String],
    batch: f64,
    context_tokens: f64,
    bandwidth_peak_gb_per_s: f64,
    bandwidth_attainable_gb_per_s: f64,
    roofs: Vec<RoofRow>,
    ceilings: Vec<CeilingRow<'a>>,
    steps: Vec<StepRow<'a>>,
    sweeps: Vec<SweepRow>,
    files: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct RoofRow {
    precisions: Vec<String>,
    peak_tflop_per_s: f64,
    attainable_tflop_per_s: f64,
    peak_balance_flop_per_byte: f64,
    attainable_balance_flop_per_byte: f64,
    used: bool,
}

#[derive(Debug, Serialize)]
struct CeilingRow<'a> {
    name: &'a str,
    tflop_per_s: f64,
}

#[derive(Debug, Serialize)]
struct StepRow<'a> {
    phase: &'static str,
    operators: Vec<OperatorRow<'a>>,
    others_ms: serde_json::Map<String, serde_json::Value>,
    memory_ms: f64,
    compute_ms: f64,
    operators_ms: f64,
    step_ms: f64,
    bound: &'static str,
}

#[derive(Debug, Serialize)]
struct OperatorRow<'a> {
    name: &'a str,
    layers: u32,
    precision: String,
    gflop: f64,
    gb: f64,
    intensity_flop_per_byte: Option<f64>,
    attainable_tflop_per_s: f64,
    attained_tflop_per_s: f64,
    memory_ms: f64,
    compute_ms: f64,
    time_ms: f64,
    bound: &'static str,
}

#[derive(Debug, Serialize)]
struct SweepRow {
    phase: &'static str,
    contexts: Vec<ContextRow>,
}

#[derive(Debug, Serialize)]
struct ContextRow {
    context_tokens: f64,
    compute_bound_from_batch: Option<f64>,
    kv_cache_sequences: f64,
    cells: Vec<CellRow>,
}

#[derive(Debug, Serialize)]
struct CellRow {
    batch: f64,
    memory_ms: f64,
    compute_ms: f64,
    memory_over_compute: f64,
    fits: bool,
}

fn tera(rate: FlopsPerSec) -> f64 {
    rate.get() / 1e12
}

/// Everything of a report and where its numbers come from.
pub fn output<'a>(
    target: &'a ResolvedSystem,
    forecaster: &Forecaster,
    report: &'a RooflineReport,
    files: Vec<PathBuf>,
) -> RooflineOutput<'a> {
    let roofs = &report.roofs;
    RooflineOutput {
        target: target.answer(),
        from_priors: from_priors(forecaster),
        cautions: &report.cautions,
        batch: report.batch,
        context_tokens: report.tokens,
        bandwidth_peak_gb_per_s: roofs.bandwidth.get() / 1e9,
        bandwidth_attainable_gb_per_s: roofs.attainable_bandwidth.get() / 1e9,
        roofs: roofs
            .compute
            .iter()
            .map(|roof| RoofRow {
                precisions: roof.precisions.iter().map(ToString::to_string).collect(),
                peak_tflop_per_s: tera(roof.peak),
                attainable_tflop_per_s: tera(roof.attainable),
                peak_balance_flop_per_byte: machine_balance(roof.peak, roofs.bandwidth),
                attainable_balance_flop_per_byte: machine_balance(roof.attainable, roofs.attainable_bandwidth),
                used: roof.used,
            })
            .collect(),
        ceilings: roofs.ceilings.iter().map(|c| CeilingRow { name: &c.name, tflop_per_s: tera(c.rate) }).collect(),
        steps: report.steps.iter().map(step_row).collect(),
        sweeps: report.sweeps.iter().map(sweep_row).collect(),
        files,
    }
}

/// Parameters of the steps that no calibration knows; those of a measuring campaign have no part in a roofline.
fn from_priors(forecaster: &Forecaster) -> Vec<&'static str> {
    let of_campaigns = |name: &str| {
        forecaster.parameters().iter().any(|parameter| parameter.name == name && parameter.owner == Owner::Campaign)
    };
    forecaster.from_origin(Origin::Prior).into_iter().filter(|name| !of_campaigns(name)).collect()
}

fn step_row(step: &Step) -> StepRow<'_> {
    let each = step.roof_times();
    StepRow {
        phase: step.phase.name(),
        operators: step.operators.iter().map(operator_row).collect(),
        others_ms: step.others.iter().map(|(other, time)| (other.key().to_owned(), time.as_ms().into())).collect(),
        memory_ms: each.memory.as_ms(),
        compute_ms: each.compute.as_ms(),
        operators_ms: step.operator_time().as_ms(),
        step_ms: step.total().as_ms(),
        bound: step.bound().name(),
    }
}

fn operator_row(operator: &OperatorPoint) -> OperatorRow<'_> {
    OperatorRow {
        name: &operator.name,
        layers: operator.layers,
        precision: operator.precision.to_string(),
        gflop: operator.work.flops.get() / 1e9,
        gb: operator.work.bytes.get() / 1e9,
        intensity_flop_per_byte: operator.intensity(),
        attainable_tflop_per_s: tera(operator.attainable()),
        attained_tflop_per_s: tera(operator.attained()),
        memory_ms: operator.time.memory.as_ms(),
        compute_ms: operator.time.compute.as_ms(),
        time_ms: operator.time.total().as_ms(),
        bound: operator.bound().name(),
    }
}

fn sweep_row(sweep: &Sweep) -> SweepRow {
    let contexts = sweep.contexts.iter().map(|line| ContextRow {
        context_tokens: line.tokens,
        compute_bound_from_batch: match line.crossing {
            Crossing::Always => Some(1.0),
            Crossing::At(batch) => Some(batch),
            Crossing::Never => None,
        },
        kv_cache_sequences: line.capacity,
        cells: line
            .cells
            .iter()
            .map(|cell| CellRow {
                batch: cell.batch,
                memory_ms: cell.time.memory.as_ms(),
                compute_ms: cell.time.compute.as_ms(),
                memory_over_compute: cell.ratio(),
                fits: cell.fits,
            })
            .collect(),
    });
    SweepRow { phase: sweep.phase.name(), contexts: contexts.collect() }
}
