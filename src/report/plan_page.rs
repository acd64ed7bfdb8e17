//! The page of a plan: cost against latency, and the options.

use plotly::Scatter;
use plotly::common::{DashType, Line, LineShape, Marker, MarkerSymbol, Mode};
use plotly::layout::{Shape, ShapeLine, ShapeType};

use super::about::{About, ResultKind};
use super::charts::distinct;
use super::figure::{Figure, axis, colour, layout, plot};
use super::number::{number, number_or_dash};
use super::page::{page, section, table};
use crate::calibration::LEVEL;
use crate::planning::{CurvePoint, Latency, Outcome, Plan, Question, SloMetric, front};
use crate::units::Seconds;

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
pub fn plan_figures(plan: &Plan, question: &Question<'_>) -> Vec<Figure> {
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
            let deployment = &outcome.placement.system.deployment;
            format!(
                "{} × TP {}, {} weights, {} KV",
                point.replicas, deployment.tensor_parallel, deployment.weight_precision, deployment.kv_precision
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
pub fn plan_page(
    title: &str,
    basis: &str,
    question: &Question<'_>,
    plan: &Plan,
    cautions: &[String],
    figures: &[Figure],
) -> String {
    let about = About {
        kind: ResultKind::Plan,
        title: format!("Plan · {title}"),
        below: format!("From {basis}."),
        findings: in_words(plan),
        cautions: cautions.to_vec(),
    };
    let mut body = String::new();
    let slo = &question.slo;
    let rows = plan.options.iter().filter_map(|outcome| {
        let fitting = outcome.fitting()?;
        let c = &fitting.configuration;
        let deployment = &outcome.placement.system.deployment;
        Some(vec![
            outcome.placement.system.hardware.name.clone(),
            format!("{} × TP {}", c.replicas, deployment.tensor_parallel),
            format!("{} / {}", deployment.weight_precision, deployment.kv_precision),
            c.gpus.to_string(),
            number_or_dash(c.usd_per_hour),
            number_or_dash(c.usd_per_million_tokens()),
            format!("{} %", number(100.0 * fitting.tightest.used())),
            slo.label(fitting.tightest.metric).to_owned(),
            c.forecast.bound().to_owned(),
        ])
    });
    let header = [
        "device",
        "replicas",
        "weights / KV",
        "GPUs",
        "USD/h",
        "USD/M output tokens",
        "of the limit",
        "tightest",
        "bound by",
    ];
    if !plan.options.is_empty() {
        body += &section("Options", &table(&header, rows));
    }
    page(&about, &body, figures)
}

fn in_words(plan: &Plan) -> Vec<String> {
    let placements = plan.options.len() + plan.failures.len();
    let Some((outcome, fitting)) = plan.options.first().and_then(|outcome| Some((outcome, outcome.fitting()?))) else {
        return vec![format!("None of {placements} placements meets the limits.")];
    };
    let c = &fitting.configuration;
    vec![format!(
        "{} of {placements} placements meet the limits with enough replicas. The first choice is {} × {} on {} GPUs of {}{}.",
        plan.options.len(),
        c.replicas,
        outcome.placement.system.deployment.tensor_parallel,
        c.gpus,
        outcome.placement.system.hardware.name,
        c.usd_per_hour.map_or_else(String::new, |usd| format!(" for {} US dollars an hour", number(usd)))
    )]
}
