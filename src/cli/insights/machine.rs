//! What `perfmodel insights --format json` prints.

use std::path::PathBuf;

use serde::Serialize;

use super::machine_serving::{ServingOutput, SweepOutput, serving, sweep};
use crate::cli::json::json_line;
use crate::error::Result;
use crate::insights::budget::{MatchedRatio, Quartiles, TypeSpeed};
use crate::insights::csv_table::ColumnCount;
use crate::insights::dial::{Dial, DialPoint, EqualCache, SliceDial, Spread};
use crate::insights::slice::Slice;
use crate::insights::study::TableStudy;
use crate::insights::{Panel, Rule, Run};
use crate::report::{InsightsReport, TABLED_GB, pooled_ratio};

/// The JSON object on stdout; docs/schema/insights.schema.json describes it.
#[derive(Debug, Serialize)]
pub struct InsightsOutput<'a> {
    source: Option<&'a str>,
    cautions: Vec<String>,
    table: Option<TableOutput<'a>>,
    sweep: Option<SweepOutput<'a>>,
    serving: Vec<ServingOutput<'a>>,
    files: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct TableOutput<'a> {
    rule: &'static str,
    runs: usize,
    missing: Vec<MissingOutput<'a>>,
    loss_noise: Option<f64>,
    quality: Vec<PanelOutput<'a>>,
    speeds: Vec<SpeedOutput>,
    matched_ratios: Vec<RatioOutput>,
    dial: Option<DialOutput>,
    slices: Vec<SliceOutput>,
}

/// Cells of a column that say nothing.
#[derive(Debug, Serialize)]
pub struct MissingOutput<'a> {
    column: &'a str,
    blank: usize,
    no_value: usize,
    impossible: usize,
    unreadable: usize,
    example: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct PanelOutput<'a> {
    mixtures_of_experts: bool,
    runs: usize,
    front: Vec<FrontRun<'a>>,
    highlighted_rows: Vec<usize>,
    types: Vec<String>,
    staircase: &'a [(f64, f64)],
    reference_point: (f64, f64),
    hypervolume: f64,
}

#[derive(Debug, Serialize)]
struct FrontRun<'a> {
    row: usize,
    run: &'a str,
    r#type: String,
    cache_mb: Option<f64>,
    val_loss: Option<f64>,
    params_m: Option<f64>,
}

#[derive(Debug, Serialize)]
struct QuartilesOutput {
    q25: f64,
    median: f64,
    q75: f64,
}

#[derive(Debug, Serialize)]
struct SpeedOutput {
    r#type: String,
    n: usize,
    tokens_per_s: QuartilesOutput,
    cache_mb: QuartilesOutput,
    tokens_per_s_per_mb: QuartilesOutput,
    totals: Vec<TotalOutput>,
}

#[derive(Debug, Serialize)]
struct TotalOutput {
    cache_gb: f64,
    tokens_per_s: QuartilesOutput,
    ratio_to_mha: Option<f64>,
}

#[derive(Debug, Serialize)]
struct RatioOutput {
    architecture: SliceSizes,
    r#type: String,
    n: usize,
    n_mha: usize,
    ratio_to_mha: f64,
}

#[derive(Debug, Serialize)]
struct SliceSizes {
    dim: u32,
    num_blocks: u32,
    n_heads: u32,
    max_context: u32,
}

#[derive(Debug, Serialize)]
struct DialOutput {
    points: Vec<DialPointOutput>,
    best_down_dim_kv: Option<f64>,
    references: Vec<ReferenceOutput>,
}

#[derive(Debug, Serialize)]
struct DialPointOutput {
    down_dim_kv: f64,
    n: usize,
    val_loss: Option<SpreadOutput>,
    cache_mb: Option<SpreadOutput>,
}

#[derive(Debug, Serialize)]
struct SpreadOutput {
    mean: f64,
    min: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct ReferenceOutput {
    r#type: String,
    median_val_loss: Option<f64>,
    median_cache_mb: Option<f64>,
    crossings: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct SliceOutput {
    architecture: SliceSizes,
    rope_dim: Option<f64>,
    points: Vec<DialPointOutput>,
    cache_mb_per_rank: Option<f64>,
    loss_per_rank: Option<f64>,
    loss_per_rank_95_pct: Option<f64>,
    equal_cache: Vec<EqualOutput>,
}

#[derive(Debug, Serialize)]
struct EqualOutput {
    r#type: String,
    kv_heads: f64,
    elements_per_token_and_layer: f64,
    analytic_rank: Option<f64>,
    crossings: Vec<f64>,
}

/// Everything of a report as one line.
///
/// # Errors
/// It cannot be written as JSON.
pub fn json(report: &InsightsReport, files: Vec<PathBuf>) -> Result<String> {
    let panels = report.table.as_ref().map(TableStudy::panels);
    json_line(&InsightsOutput {
        source: report.source.as_deref(),
        cautions: report.cautions(),
        table: report.table.as_ref().zip(panels.as_ref()).map(|(study, panels)| table(study, panels)),
        sweep: report.sweep.as_ref().map(sweep),
        serving: report.serving.iter().map(serving).collect(),
        files,
    })
}

fn table<'a>(study: &'a TableStudy, panels: &'a [Panel<'a>; 2]) -> TableOutput<'a> {
    TableOutput {
        rule: match study.rule {
            Rule::Right => "right",
            Rule::Original => "original",
        },
        runs: study.table.runs.len(),
        missing: study.table.dirty.iter().map(missing).collect(),
        loss_noise: study.noise.map(|noise| noise.deviation),
        quality: panels.iter().map(panel).collect(),
        speeds: study.speeds.iter().map(|speed| speed_output(study, speed)).collect(),
        matched_ratios: study.ratios.iter().map(ratio).collect(),
        dial: study.dial.as_ref().map(|dial| dial_output(dial, study.rule)),
        slices: study.slices.iter().map(slice).collect(),
    }
}

/// What a column lacks.
pub fn missing(count: &ColumnCount) -> MissingOutput<'_> {
    MissingOutput {
        column: &count.column,
        blank: count.blank,
        no_value: count.no_value,
        impossible: count.impossible,
        unreadable: count.unreadable,
        example: count.example.as_deref(),
    }
}

fn panel<'a>(panel: &'a Panel<'a>) -> PanelOutput<'a> {
    let front = |run: &&'a Run| FrontRun {
        row: run.row,
        run: &run.name,
        r#type: run.attention.to_string(),
        cache_mb: run.cache_mb,
        val_loss: run.loss,
        params_m: run.params_m,
    };
    PanelOutput {
        mixtures_of_experts: panel.with_moe,
        runs: panel.runs.len(),
        front: panel.front.iter().map(front).collect(),
        highlighted_rows: panel.painted.iter().map(|run| run.row).collect(),
        types: panel.types.iter().map(ToString::to_string).collect(),
        staircase: &panel.stairs,
        reference_point: panel.reference,
        hypervolume: panel.hypervolume,
    }
}

fn quartiles(of: Quartiles) -> QuartilesOutput {
    QuartilesOutput { q25: of.low, median: of.median, q75: of.high }
}

fn speed_output(study: &TableStudy, speed: &TypeSpeed) -> SpeedOutput {
    let total = |gb: f64| TotalOutput {
        cache_gb: gb,
        tokens_per_s: quartiles(speed.total(1e3 * gb, study.rule)),
        ratio_to_mha: pooled_ratio(study, speed, 1e3 * gb),
    };
    SpeedOutput {
        r#type: speed.attention.to_string(),
        n: speed.count(),
        tokens_per_s: quartiles(speed.speed),
        cache_mb: quartiles(speed.cache),
        tokens_per_s_per_mb: quartiles(speed.per_mb),
        totals: TABLED_GB.map(total).into_iter().collect(),
    }
}

fn sizes(slice: &Slice) -> SliceSizes {
    SliceSizes { dim: slice.dim, num_blocks: slice.layers, n_heads: slice.heads, max_context: slice.context }
}

fn ratio(ratio: &MatchedRatio) -> RatioOutput {
    RatioOutput {
        architecture: sizes(&ratio.slice),
        r#type: ratio.attention.to_string(),
        n: ratio.count,
        n_mha: ratio.multi_head,
        ratio_to_mha: ratio.ratio,
    }
}

fn spread(spread: Spread) -> SpreadOutput {
    SpreadOutput { mean: spread.mean, min: spread.low, max: spread.high }
}

fn dial_point(point: &DialPoint) -> DialPointOutput {
    DialPointOutput {
        down_dim_kv: point.rank,
        n: point.count,
        val_loss: point.loss.map(spread),
        cache_mb: point.cache.map(spread),
    }
}

fn dial_output(dial: &Dial, rule: Rule) -> DialOutput {
    let references = dial.references.iter().map(|reference| ReferenceOutput {
        r#type: reference.attention.to_string(),
        median_val_loss: reference.loss,
        median_cache_mb: reference.cache,
        crossings: reference.cache.map_or_else(Vec::new, |cache| dial.meets(cache, rule)),
    });
    DialOutput {
        points: dial.points.iter().map(dial_point).collect(),
        best_down_dim_kv: dial.best().map(|(point, _)| point.rank),
        references: references.collect(),
    }
}

fn slice(dial: &SliceDial) -> SliceOutput {
    let equal = |equal: &EqualCache| EqualOutput {
        r#type: equal.attention.to_string(),
        kv_heads: equal.kv_heads,
        elements_per_token_and_layer: equal.elements,
        analytic_rank: equal.rank,
        crossings: equal.crossings.clone(),
    };
    SliceOutput {
        architecture: sizes(&dial.slice),
        rope_dim: dial.rope,
        points: dial.points.iter().map(dial_point).collect(),
        cache_mb_per_rank: dial.cache_line.map(|line| line.slope),
        loss_per_rank: dial.loss_line.map(|line| line.slope),
        loss_per_rank_95_pct: dial.loss_trend().map(|(_, reach)| reach),
        equal_cache: dial.equal.iter().map(equal).collect(),
    }
}
