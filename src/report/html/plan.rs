//! The page of a plan: cost against latency, and the options.

use plotly::Scatter;
use plotly::common::{DashType, Line, LineShape, Marker, MarkerSymbol, Mode};
use plotly::layout::{Shape, ShapeLine, ShapeType};

use crate::app::{About, ResultKind};
use crate::app::{PlanAnswer, PlanStudy};
use crate::calibration::LEVEL;
use crate::number::{counted, number, number_or_dash, with_end};
use crate::planning::{CurvePoint, Latency, Outcome, Plan, SloMetric, front};
use crate::report::html::charts::distinct;
use crate::report::html::figure::{Figure, axis, colour, layout, plot};
use crate::report::html::page::{html_table, page, section};
use crate::report::tables::ReportTable;
use crate::units::Seconds;
use crate::workload::LoadKind;

/// Neighbouring points of a front whose costs differ by less than this factor are one on the chart.
const NEAR: f64 = 1.04;

/// Configurations that cost more than this many times the cheapest option are not shown.
const DEAREST: f64 = 8.0;

/// Configurations of one device that nothing of the same device beats.
struct DeviceFront<'a> {
    hardware: String,
    points: Vec<(CurvePoint, &'a Outcome)>,
}

impl DeviceFront<'_> {
    /// Whether a point is the smallest configuration of its placement that meets the objective, or a larger one.
    fn meets((point, outcome): &(CurvePoint, &Outcome)) -> bool {
        outcome.fitting().is_some_and(|fitting| point.replicas >= fitting.configuration.replicas)
    }

    /// Leaves out points beside others, and those that cost too much to matter.
    fn thin(&mut self, most: f64) {
        let mut kept: Option<(f64, bool)> = None;
        self.points.retain(|entry| {
            let (cost, meets) = (entry.0.usd_per_hour.unwrap_or(0.0), Self::meets(entry));
            let new = cost <= most && kept.is_none_or(|(before, met)| cost > NEAR * before || met != meets);
            if new {
                kept = Some((cost, meets));
            }
            new
        });
    }
}

fn fronts(plan: &Plan, latency: Latency) -> Vec<DeviceFront<'_>> {
    let outcomes = || plan.options.iter().chain(&plan.failures);
    let cheapest =
        plan.options.first().and_then(Outcome::fitting).and_then(|fitting| fitting.configuration.usd_per_hour);
    let most = cheapest.map_or(f64::INFINITY, |usd| DEAREST * usd);
    let mut devices = distinct(outcomes().map(|outcome| outcome.placement.hardware.clone()));
    devices.sort();
    devices
        .into_iter()
        .filter_map(|hardware| {
            let all: Vec<(CurvePoint, &Outcome)> = outcomes()
                .filter(|outcome| outcome.placement.hardware == hardware)
                .flat_map(|outcome| outcome.curve.iter().map(move |point| (*point, outcome)))
                .collect();
            let points: Vec<CurvePoint> = all.iter().map(|(point, _)| *point).collect();
            let points = front(&points, latency).into_iter().map(|index| all[index]).collect();
            let mut front = DeviceFront { hardware, points };
            front.thin(most);
            (!front.points.is_empty()).then_some(front)
        })
        .collect()
}

/// The figures of the page: one for each limited latency of a single token.
pub fn plan_figures(study: &PlanStudy) -> Vec<Figure> {
    let PlanStudy { question, plan, .. } = study;
    let slo = &question.slo;
    vec![
        trade_off(plan, Latency::Itl, "ITL", slo.itl),
        trade_off(plan, Latency::Ttft, slo.label(SloMetric::Ttft), slo.ttft),
    ]
}

fn trade_off(plan: &Plan, latency: Latency, name: &str, limit: Option<Seconds>) -> Figure {
    let height = 520;
    let fronts = fronts(plan, latency);
    let every = || fronts.iter().flat_map(|front| front.points.iter());
    let costs = every().map(|(point, _)| point.usd_per_hour.unwrap_or(0.0));
    let latencies = every().map(|(point, _)| latency.of(point).as_ms()).chain(limit.map(Seconds::as_ms));
    let mut look = layout(height)
        .x_axis(axis("US dollars per hour", costs.collect::<Vec<_>>().into_iter()))
        .y_axis(axis(&format!("{name} in ms"), latencies.collect::<Vec<_>>().into_iter()));
    if let Some(limit) = limit {
        look.add_shape(
            Shape::new()
                .shape_type(ShapeType::Line)
                .x_ref("paper")
                .x0(0.0)
                .x1(1.0)
                .y0(limit.as_ms())
                .y1(limit.as_ms())
                .line(ShapeLine::new().color("#C0392B").width(1.5).dash(DashType::Dash)),
        );
    }
    let mut chart = plot(look);
    for (index, front) in fronts.iter().enumerate() {
        let text = |(point, outcome): &(CurvePoint, &Outcome)| {
            let deployment = outcome.placement.system.deployment();
            format!(
                "{} × TP {}, {} weights, {} KV",
                point.replicas,
                deployment.parallelism.tp(),
                deployment.formats.weights,
                deployment.formats.kv
            )
        };
        let fill = front.points.iter().map(|entry| if DeviceFront::meets(entry) { colour(index) } else { "#FFFFFF" });
        // Colours come again after eight devices.
        let symbol = if index < 8 { MarkerSymbol::Circle } else { MarkerSymbol::Square };
        chart.add_trace(
            Scatter::new(
                front.points.iter().map(|(point, _)| point.usd_per_hour.unwrap_or(0.0)).collect(),
                front.points.iter().map(|(point, _)| latency.of(point).as_ms()).collect(),
            )
            .mode(Mode::LinesMarkers)
            .line(Line::new().color(colour(index)).width(1.0).shape(LineShape::Hv))
            .marker(
                Marker::new()
                    .color_array(fill.collect())
                    .size(8)
                    .symbol(symbol)
                    .line(Line::new().color(colour(index)).width(1.5)),
            )
            .text_array(front.points.iter().map(text).collect())
            .name(&front.hardware),
        );
    }
    let limit = if limit.is_some() { " The dashed line is the limit." } else { "" };
    Figure {
        id: match latency {
            Latency::Itl => "cost_itl",
            Latency::Ttft => "cost_ttft",
        }
        .to_owned(),
        title: format!("Cost against {name}"),
        caption: format!(
            "For each device the placements and numbers of replicas that no cheaper one of it beats, as predicted. Filled: \
             all limits hold at the pessimistic end of the {:.0} % interval.{limit} Left out: devices without a price, and \
             what costs more than {DEAREST} times the first option.",
            100.0 * LEVEL
        ),
        height,
        wide: false,
        plot: chart,
    }
}

/// The page of a plan.
pub fn plan_page(answer: &PlanAnswer, figures: &[Figure]) -> String {
    let study = &answer.study;
    let about = About {
        kind: ResultKind::Plan,
        title: format!("Plan · {}", study.title()),
        below: format!("From {}.", study.basis()),
        findings: in_words(study),
        cautions: answer.cautions.clone(),
    };
    let mut body = String::new();
    if !answer.options.is_empty() {
        body += &section("Options", &html_table(plan_options_table(study)));
    }
    page(&about, &body, figures)
}

/// Every option, for the terminal and the page.
pub fn plan_options_table(study: &PlanStudy) -> ReportTable {
    let PlanStudy { question, plan, .. } = study;
    let slo = &question.slo;
    let load = match question.demand.kind() {
        LoadKind::OpenLoop => "req/s each",
        LoadKind::ClosedLoop | LoadKind::StaticBatch => "clients each",
    };
    let ttft = format!("{} ms", slo.label(SloMetric::Ttft));
    let header = [
        "#",
        "GPUs",
        "USD/h",
        "USD/M output tokens",
        "hardware",
        "TP",
        "weights",
        "KV",
        "replicas",
        load,
        &ttft,
        "ITL ms",
        "tok/s",
        "headroom",
        "tightest",
        "bound by",
    ];
    let rows = plan.options.iter().enumerate().filter_map(|(index, outcome)| {
        let fitting = outcome.fitting()?;
        let c = &fitting.configuration;
        let deployment = outcome.placement.system.deployment();
        let (ttft, ttft_high) = slo.ttft(&c.forecast);
        Some(vec![
            (index + 1).to_string(),
            c.gpus.to_string(),
            number_or_dash(c.usd_per_hour),
            number_or_dash(c.usd_per_million_tokens()),
            outcome.placement.hardware.clone(),
            deployment.parallelism.tp().to_string(),
            deployment.formats.weights.to_string(),
            deployment.formats.kv.to_string(),
            c.replicas.to_string(),
            number(c.forecast.workload.amount()),
            with_end(ttft, ttft_high),
            with_end(c.forecast.prediction.itl, c.forecast.itl.high),
            number(c.throughput.get()),
            headroom(fitting.headroom),
            format!("{} {:.0} %", slo.label(fitting.tightest.metric), 100.0 * fitting.tightest.used()),
            c.forecast.bound().to_owned(),
        ])
    });
    ReportTable { header: header.map(str::to_owned).to_vec(), rows: rows.collect() }
}

fn headroom(value: Option<f64>) -> String {
    value.map_or_else(|| "> 6300 %".to_owned(), |share| format!("{:.0} %", 100.0 * share))
}

fn in_words(study: &PlanStudy) -> Vec<String> {
    let placements = study.placements();
    let limits = format!("Limits: {}.", study.limits());
    let Some((outcome, fitting)) = study.plan.options.first().and_then(|outcome| Some((outcome, outcome.fitting()?)))
    else {
        return vec![format!("None of {} meets the limits.", counted(placements, "placement")), limits];
    };
    let c = &fitting.configuration;
    let found = format!(
        "{} of {} meet the limits with enough replicas. The first choice is {} of {} each, {}{}.",
        study.plan.options.len(),
        counted(placements, "placement"),
        counted(c.replicas, "replica"),
        counted(outcome.placement.system.deployment().parallelism.tp(), "GPU"),
        outcome.placement.system.hardware().name,
        c.usd_per_hour.map_or_else(String::new, |usd| format!(", for {} US dollars an hour", number(usd)))
    );
    vec![found, limits]
}
