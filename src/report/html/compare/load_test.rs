//! The figures of load tests over clients.

use plotly::box_plot::BoxPoints;
use plotly::common::{DashType, Line, Marker, Mode, Title};
use plotly::layout::{Axis, AxisType, BoxMode};
use plotly::{BoxPlot, Scatter};

use crate::comparison::{BoxFigure, CompareReport, Filter, LevelFigures, Sample};
use crate::number::number;
use crate::report::html::compare::charts::{thinned, value_axis};
use crate::report::html::compare::model::mark;
use crate::report::html::figure::{Figure, axis, colour, dash, layout, plot, symbol};
use crate::requests::Dimension;

const HEIGHT: usize = 420;

/// A rate over clients.
#[derive(Clone, Copy)]
struct Rate {
    id: &'static str,
    name: &'static str,
    unit: &'static str,
    of: fn(&LevelFigures) -> Option<f64>,
}

const RATES: [Rate; 5] = [
    Rate {
        id: "answers_per_minute",
        name: "answered requests",
        unit: "a minute",
        of: |level| level.answers_per_minute,
    },
    Rate { id: "error_rate", name: "failed requests", unit: "%", of: |level| Some(100.0 * level.error_rate) },
    Rate {
        id: "input_tokens_per_minute",
        name: "input tokens",
        unit: "a minute",
        of: |level| level.input_tokens_per_minute,
    },
    Rate {
        id: "output_tokens_per_minute",
        name: "output tokens",
        unit: "a minute",
        of: |level| level.output_tokens_per_minute,
    },
    Rate { id: "goodput", name: "answers within the limits", unit: "a minute", of: |level| level.good_per_minute },
];

/// The figures: TTFT and TTLT as boxes, then the rates. None for runs.
pub fn load_test_figures(report: &CompareReport) -> Vec<Figure> {
    let levels = report.load_tests.iter().map(|(_, levels)| levels.len()).max().unwrap_or(0);
    if levels < 2 {
        return Vec::new();
    }
    let boxes = [Dimension::TimeToFirstToken, Dimension::TimeToLastToken];
    let boxes = boxes.into_iter().map(|dimension| latency_boxes(report, dimension));
    boxes.chain(RATES.into_iter().filter_map(|rate| rate_over_clients(report, rate))).collect()
}

/// A latency of one level.
struct LevelBox {
    clients: String,
    figure: BoxFigure,
    /// Values beyond the whiskers, as many as are drawn.
    outside: Vec<f64>,
}

fn latency_boxes(report: &CompareReport, dimension: Dimension) -> Figure {
    let scale = dimension.scale();
    let mut chart = plot(
        layout(HEIGHT)
            .box_mode(BoxMode::Group)
            .x_axis(Axis::new().type_(AxisType::Category).title(Title::with_text("clients")).auto_margin(true))
            .y_axis(value_axis(&dimension.title(), true)),
    );
    let mut found = String::new();
    for (index, (name, levels)) in report.load_tests.iter().enumerate() {
        let boxes: Vec<LevelBox> = levels
            .iter()
            .filter_map(|level| {
                let group = report.groups.iter().find(|group| group.clients == Some(level.clients))?;
                let side = group.sides.iter().find(|side| side.name == *name)?;
                let sorted = Sample::new(side.logs(), dimension, Filter::Positive).sorted;
                let figure = BoxFigure::of(&sorted)?;
                Some(LevelBox {
                    clients: level.clients.to_string(),
                    figure,
                    outside: thinned(&figure.outside(&sorted)),
                })
            })
            .collect();
        if let (Some(first), Some(last)) = (boxes.first(), boxes.last()) {
            found = format!(
                "{} to {} ms in the median from {} to {} clients",
                number(first.figure.median * scale),
                number(last.figure.median * scale),
                first.clients,
                last.clients
            );
        }
        let predicted: Vec<(String, f64)> = report
            .groups
            .iter()
            .filter_map(|group| {
                let side = group.sides.iter().position(|side| side.name == *name)?;
                let latency = group.model.get(side)?.as_ref()?.of(dimension)?;
                Some((group.clients?.to_string(), latency.value * scale))
            })
            .collect();
        let of = |part: fn(&BoxFigure) -> f64| -> Vec<f64> { boxes.iter().map(|b| part(&b.figure) * scale).collect() };
        chart.add_trace(
            BoxPlot::<String, f64>::new_xy(boxes.iter().map(|b| b.clients.clone()).collect(), Vec::new())
                .q1(of(|b| b.q1))
                .median(of(|b| b.median))
                .q3(of(|b| b.q3))
                .lower_fence(of(|b| b.lower_whisker))
                .upper_fence(of(|b| b.upper_whisker))
                .box_points(BoxPoints::False)
                .name(name)
                .marker(Marker::new().color(colour(index))),
        );
        // After the boxes, which set the order of the clients.
        chart.add_trace(outside(&boxes, scale, index, name));
        if !predicted.is_empty() {
            let (x, y) = predicted.into_iter().unzip();
            chart.add_trace(mark::<String, f64>(x, y, index, name));
        }
    }
    let label = dimension.label();
    Figure {
        id: format!("load_{dimension}"),
        title: if report.load_tests.len() == 1 { format!("{label}: {found}") } else { format!("{label} over clients") },
        caption: "Boxes are quartiles, whiskers end at the last value within 1.5 interquartile ranges, points lie beyond; open diamonds are \
                  predictions."
            .to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

/// The values beyond the whiskers of a load test's boxes.
fn outside(boxes: &[LevelBox], scale: f64, index: usize, name: &str) -> Box<Scatter<String, f64>> {
    let points = boxes.iter().flat_map(|b| b.outside.iter().map(|value| (b.clients.clone(), value * scale)));
    let (clients, values) = points.unzip();
    Scatter::new(clients, values)
        .mode(Mode::Markers)
        .marker(Marker::new().color(colour(index)).size(5).symbol(symbol(index)).opacity(0.6))
        .name(format!("{name}, outside"))
        .show_legend(false)
}

/// A rate over clients; `None` where no level has it.
fn rate_over_clients(report: &CompareReport, rate: Rate) -> Option<Figure> {
    let lines: Vec<(&str, Vec<(f64, f64)>)> = report
        .load_tests
        .iter()
        .map(|(name, levels)| {
            let points = levels.iter().filter_map(|level| Some((f64::from(level.clients), (rate.of)(level)?)));
            (name.as_str(), points.collect())
        })
        .collect();
    let points = || lines.iter().flat_map(|(_, points)| points);
    points().next()?;
    let mut chart = plot(
        layout(HEIGHT)
            .x_axis(axis("clients", points().map(|point| point.0)).tick_values(points().map(|point| point.0).collect()))
            .y_axis(axis(&format!("{}, {}", rate.name, rate.unit), points().map(|point| point.1))),
    );
    for (index, (name, points)) in lines.iter().enumerate() {
        chart.add_trace(line(points, index, name, dash(index)));
        // What LLMeter calls requests a minute counts fast refusals too.
        if rate.id == "answers_per_minute" {
            let levels = &report.load_tests[index].1;
            let sent: Vec<(f64, f64)> = levels
                .iter()
                .filter_map(|level| Some((f64::from(level.clients), level.requests_per_minute?)))
                .collect();
            chart.add_trace(line(&sent, index, &format!("{name}, failed ones too"), DashType::Dot));
        }
    }
    let most = points().max_by(|a, b| a.1.total_cmp(&b.1)).copied()?;
    let name = capitalised(rate.name);
    let title = if most.1 == 0.0 {
        format!("No {} at any number of clients", rate.name)
    } else {
        format!("{name}: most at {} clients, {} {}", most.0, number(most.1), rate.unit)
    };
    Some(Figure {
        id: format!("load_{}", rate.id),
        title,
        caption: match rate.id {
            "answers_per_minute" => {
                "Answered requests over the duration of the level; dotted, failed ones counted too, as LLMeter does."
                    .to_owned()
            }
            "goodput" => "Answered requests that kept every limit, over the duration of the level.".to_owned(),
            _ => format!("{name} of each level."),
        },
        height: HEIGHT,
        wide: false,
        plot: chart,
    })
}

fn line(points: &[(f64, f64)], index: usize, name: &str, dash: DashType) -> Box<Scatter<f64, f64>> {
    Scatter::new(points.iter().map(|p| p.0).collect(), points.iter().map(|p| p.1).collect())
        .mode(Mode::LinesMarkers)
        .line(Line::new().color(colour(index)).width(2.0).dash(dash))
        .marker(Marker::new().color(colour(index)).size(8).symbol(symbol(index)))
        .name(name)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
