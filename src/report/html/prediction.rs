//! The page of predicted workloads: curves with their intervals, and what the latencies are made of.

use plotly::common::{DashType, ErrorData, ErrorType, Fill, Line, Mode};
use plotly::layout::Axis;
use plotly::{Plot, Scatter};

use crate::app::{About, ResultKind};
use crate::app::{PredictAnswer, PredictStudy};
use crate::calibration::{Interval, LEVEL};
use crate::forecast::Forecast;
use crate::number::{counted, number, number_or_dash, short, with_end, with_interval};
use crate::report::html::charts::distinct;
use crate::report::html::figure::{Figure, axis, colour, layout, plot, translucent};
use crate::report::html::page::{page, section, table};
use crate::workload::{LoadKind, Workload};

/// With more intervals than these in one chart, filling them hides more than it shows.
const MOST_FILLED: usize = 4;

/// Opacity of intervals, 0.13.
const BAND_OPACITY: u8 = 0x22;

/// A quantity over what varies.
struct Curve {
    id: &'static str,
    name: &'static str,
    axis: &'static str,
    value: fn(&Forecast) -> f64,
    interval: Option<fn(&Forecast) -> Interval>,
}

const CURVES: [Curve; 4] = [
    Curve {
        id: "ttft",
        name: "TTFT",
        axis: "TTFT in ms",
        value: |f| f.prediction.ttft.as_ms(),
        interval: Some(|f| f.ttft),
    },
    Curve { id: "itl", name: "ITL", axis: "ITL in ms", value: |f| f.prediction.itl.as_ms(), interval: Some(|f| f.itl) },
    Curve {
        id: "throughput",
        name: "Throughput",
        axis: "tokens/s",
        value: |f| f.prediction.throughput.get(),
        interval: None,
    },
    Curve {
        id: "end_to_end",
        name: "Time of a request",
        axis: "seconds",
        value: |f| f.end_to_end().get(),
        interval: None,
    },
];

fn label(forecast: &Forecast) -> String {
    format!("{} / {}", short(forecast.workload.input_tokens()), short(forecast.workload.output_tokens()))
}

/// What runs along the horizontal axis, and what makes a line of its own.
struct Across {
    axis: &'static str,
    value: fn(&Workload) -> f64,
    line: fn(&Forecast) -> String,
    line_is: &'static str,
}

impl Across {
    /// The load; under a single load the length that varies.
    fn of(forecasts: &[Forecast]) -> Self {
        let varies = |value: fn(&Workload) -> f64| {
            forecasts.windows(2).any(|pair| value(&pair[0].workload) != value(&pair[1].workload))
        };
        if !varies(Workload::amount) && varies(Workload::input_tokens) {
            return Self {
                axis: "input tokens",
                value: Workload::input_tokens,
                line: |forecast| format!("{} output tokens", short(forecast.workload.output_tokens())),
                line_is: "one answer length",
            };
        }
        if !varies(Workload::amount) && varies(Workload::output_tokens) {
            return Self {
                axis: "output tokens",
                value: Workload::output_tokens,
                line: |forecast| format!("{} input tokens", short(forecast.workload.input_tokens())),
                line_is: "one prompt length",
            };
        }
        Self {
            axis: kind(forecasts).axis(),
            value: Workload::amount,
            line: label,
            line_is: "one pair of lengths (input / output tokens)",
        }
    }

    /// Forecasts of each line with finite latencies, from left to right.
    fn lines<'a>(&self, forecasts: &'a [Forecast]) -> Vec<(String, Vec<&'a Forecast>)> {
        distinct(forecasts.iter().map(self.line))
            .into_iter()
            .map(|name| {
                let mut of: Vec<&Forecast> = forecasts
                    .iter()
                    .filter(|forecast| (self.line)(forecast) == name && forecast.prediction.ttft.get().is_finite())
                    .collect();
                of.sort_by(|a, b| (self.value)(&a.workload).total_cmp(&(self.value)(&b.workload)));
                (name, of)
            })
            .collect()
    }
}

/// The figures of the page: each quantity over what varies, and what a user gets against what the server gives.
pub fn prediction_figures(forecasts: &[Forecast]) -> Vec<Figure> {
    let across = Across::of(forecasts);
    let mut figures: Vec<Figure> = CURVES.iter().map(|curve| over(forecasts, &across, curve)).collect();
    figures.push(trade_off(forecasts, &across));
    figures
}

fn kind(forecasts: &[Forecast]) -> LoadKind {
    forecasts.first().map_or(LoadKind::ClosedLoop, |forecast| forecast.workload.kind())
}

fn over(forecasts: &[Forecast], across: &Across, curve: &Curve) -> Figure {
    let height = 460;
    let finite = || forecasts.iter().filter(|forecast| forecast.prediction.ttft.get().is_finite());
    let mut chart = plot(
        layout(height)
            .x_axis(axis(across.axis, forecasts.iter().map(|forecast| (across.value)(&forecast.workload))))
            .y_axis(axis(curve.axis, finite().map(curve.value))),
    );
    let lines = across.lines(forecasts);
    let filled = lines.len() <= MOST_FILLED;
    for (index, (name, of)) in lines.into_iter().enumerate() {
        let x: Vec<f64> = of.iter().map(|forecast| (across.value)(&forecast.workload)).collect();
        let y = of.iter().map(|forecast| (curve.value)(forecast)).collect();
        let trace = Scatter::new(x.clone(), y)
            .line(Line::new().color(colour(index)).width(2.0))
            .name(&name)
            .legend_group(&name)
            .show_legend(true);
        let trace = match (of.as_slice(), curve.interval) {
            ([only], Some(interval)) => trace.mode(Mode::Markers).error_y(bar((curve.value)(only), interval(only))),
            ([_], None) => trace.mode(Mode::Markers),
            (_, Some(interval)) => {
                band(&mut chart, index, &name, &x, &of, interval, filled);
                trace.mode(Mode::LinesMarkers)
            }
            (_, None) => trace.mode(Mode::LinesMarkers),
        };
        chart.add_trace(trace);
    }
    let caption = match curve.interval {
        Some(_) => format!(
            "One colour is {}; dotted lines, or the bar of a single point, are the {:.0} % interval.",
            across.line_is,
            100.0 * LEVEL
        ),
        None => format!("One colour is {}.", across.line_is),
    };
    Figure {
        id: curve.id.to_owned(),
        title: format!("{} over {}", curve.name, across.axis),
        caption,
        height,
        wide: false,
        plot: chart,
    }
}

/// The interval of a single point, around its value in the unit of the interval.
fn bar(value: f64, interval: Interval) -> ErrorData {
    ErrorData::new(ErrorType::Data)
        .symmetric(false)
        .array(vec![interval.high.as_ms() - value])
        .array_minus(vec![value - interval.low.as_ms()])
}

/// The ends of an interval as dotted lines, with the space between them filled or not.
fn band(
    chart: &mut Plot,
    index: usize,
    name: &str,
    x: &[f64],
    of: &[&Forecast],
    interval: fn(&Forecast) -> Interval,
    filled: bool,
) {
    for upper in [false, true] {
        let y = of.iter().map(|forecast| {
            let interval = interval(forecast);
            if upper { interval.high.as_ms() } else { interval.low.as_ms() }
        });
        let line = Scatter::new(x.to_vec(), y.collect())
            .mode(Mode::Lines)
            .line(Line::new().color(colour(index)).width(1.0).dash(DashType::Dot))
            .name(name)
            .legend_group(name)
            .show_legend(false);
        chart.add_trace(if upper && filled {
            line.fill(Fill::ToNextY).fill_color(translucent(colour(index), BAND_OPACITY))
        } else {
            line
        });
    }
}

/// Time between tokens of a user against tokens per second of the server.
fn trade_off(forecasts: &[Forecast], across: &Across) -> Figure {
    let height = 460;
    let finite = || forecasts.iter().filter(|forecast| forecast.prediction.ttft.get().is_finite());
    let mut chart = plot(
        layout(height)
            .x_axis(axis("throughput, tokens/s", finite().map(|f| f.prediction.throughput.get())))
            .y_axis(Axis::title(axis("tokens/s of one user", finite().map(user_rate)), "tokens/s of one user")),
    );
    for (index, (name, of)) in across.lines(forecasts).into_iter().enumerate() {
        chart.add_trace(
            Scatter::new(
                of.iter().map(|forecast| forecast.prediction.throughput.get()).collect(),
                of.iter().map(|forecast| user_rate(forecast)).collect(),
            )
            .mode(Mode::LinesMarkers)
            .line(Line::new().color(colour(index)))
            .text_array(
                of.iter().map(|forecast| format!("{} {}", across.axis, (across.value)(&forecast.workload))).collect(),
            )
            .name(&name)
            .show_legend(true),
        );
    }
    Figure {
        id: "trade_off".to_owned(),
        title: "What one user gets against what the server gives".to_owned(),
        caption: format!("One colour is {}; points differ in {}.", across.line_is, across.axis),
        height,
        wide: false,
        plot: chart,
    }
}

fn user_rate(forecast: &Forecast) -> f64 {
    1.0 / forecast.prediction.itl.get()
}

/// The page of predictions.
pub fn prediction_page(answer: &PredictAnswer, figures: &[Figure]) -> String {
    let PredictStudy { target, forecasts, .. } = &answer.study;
    let about = About {
        kind: ResultKind::Prediction,
        title: format!("{} · predicted", target.title),
        below: format!("From {}.", target.basis()),
        findings: in_words(forecasts),
        cautions: answer.cautions.clone(),
    };
    let body = section("Predictions", &predictions(forecasts));
    page(&about, &body, figures)
}

fn predictions(forecasts: &[Forecast]) -> String {
    let rows = forecasts.iter().map(|forecast| {
        let p = &forecast.prediction;
        let mut row = vec![
            label(forecast),
            forecast.workload.amount().to_string(),
            with_interval(p.ttft, forecast.ttft.low, forecast.ttft.high),
        ];
        row.extend(quantile_cells(forecast));
        row.extend([
            with_interval(p.itl, forecast.itl.low, forecast.itl.high),
            number_or_dash(Some(forecast.end_to_end().get()).filter(|time| time.is_finite())),
            number(p.throughput.get()),
            number(p.running),
            forecast.bound().to_owned(),
        ]);
        row
    });
    let kind = kind(forecasts);
    let interval = format!("({:.0} %)", 100.0 * LEVEL);
    let (ttft, itl) = (format!("TTFT ms {interval}"), format!("ITL ms {interval}"));
    let mut header = vec!["input / output", kind.axis(), &ttft];
    if kind == LoadKind::OpenLoop {
        header.extend(["P50", "P90", "P99"]);
    }
    header.extend([&itl, "e2e s", "tokens/s", "running", "bound by"]);
    table(&header, rows)
}

/// Percentiles of TTFT with the upper ends of their intervals; none where they are not predicted.
pub fn quantile_cells(forecast: &Forecast) -> Vec<String> {
    let quantiles = forecast.prediction.open_loop.map(|open_loop| open_loop.quantiles());
    let cell = |quantile| with_end(quantile, forecast.ttft_interval(quantile).high);
    quantiles.into_iter().flatten().map(cell).collect()
}

/// What the forecasts say, in plain words. A queue that grows without end is no operating point.
fn in_words(forecasts: &[Forecast]) -> Vec<String> {
    let served = || forecasts.iter().filter(|forecast| !forecast.prediction.is_overloaded());
    let best = served().max_by(|a, b| a.prediction.throughput.get().total_cmp(&b.prediction.throughput.get()));
    let queued = served().filter(|f| f.prediction.waiting > f.prediction.running).count();
    let mut words = Vec::new();
    if let Some(best) = best {
        words.push(format!(
            "Peak: {} tokens/s, at {} input / output tokens and {}, with {} ms between a user's tokens.",
            number(best.prediction.throughput.get()),
            label(best),
            load_in_words(&best.workload),
            number(best.prediction.itl.as_ms())
        ));
    }
    if queued > 0 {
        words.push(format!("In {queued} of {} workloads more requests wait than run.", forecasts.len()));
    }
    words.extend(overloaded_in_words(forecasts));
    words
}

fn load_in_words(workload: &Workload) -> String {
    let load = workload.amount();
    match workload.kind() {
        LoadKind::ClosedLoop => counted(load, "client"),
        LoadKind::OpenLoop => format!("{load} requests/s"),
        LoadKind::StaticBatch => format!("a batch of {load}"),
    }
}

/// From which rate on it is overloaded, if it is.
fn overloaded_in_words(forecasts: &[Forecast]) -> Option<String> {
    let overloaded = || forecasts.iter().filter(|forecast| forecast.prediction.is_overloaded());
    let first = overloaded().min_by(|a, b| a.workload.amount().total_cmp(&b.workload.amount()))?;
    let rate = load_in_words(&first.workload);
    Some(if distinct(forecasts.iter().map(label)).len() == 1 {
        format!("At {rate} and more it is overloaded: the queue grows without end.")
    } else {
        format!(
            "{} of {} workloads are overloaded: their queue grows without end. The least rate of them is {rate}, at {} input / \
             output tokens.",
            overloaded().count(),
            forecasts.len(),
            label(first)
        )
    })
}
