//! The figures of measured rows with their predictions.

use plotly::common::{Anchor, DashType, Font, Line, Marker, MarkerSymbol, Mode, Orientation, Title};
use plotly::layout::{Axis, AxisType, BarMode, Legend, Margin};
use plotly::{Bar, Plot, Scatter};

use crate::calibration::Solution;
use crate::evaluation::EvaluatedRow;
use crate::number::{number, short};
use crate::prediction::{Part, Parts};
use crate::report::html::error_map::ErrorMap;
use crate::report::html::figure::{Figure, axis, colour, layout, measured_and_predicted, part_colour, plot};
use crate::workload::LoadKind;

/// Ends of the colour scales in percent; the same for every estimator, so that their maps can be compared.
const TTFT_SCALE_PCT: f64 = 100.0;
const ITL_SCALE_PCT: f64 = 50.0;

/// A latency of a row: its name, how to read it, and its parts.
#[derive(Clone, Copy)]
struct Metric {
    id: &'static str,
    name: &'static str,
    measured: fn(&EvaluatedRow) -> f64,
    predicted: fn(&EvaluatedRow) -> f64,
    error_pct: fn(&EvaluatedRow) -> f64,
    parts: fn(&EvaluatedRow) -> Parts,
    scale_pct: f64,
}

const TTFT: Metric = Metric {
    id: "ttft",
    name: "TTFT",
    measured: |row| row.measured.ttft.as_ms(),
    predicted: |row| row.predicted.ttft.as_ms(),
    error_pct: EvaluatedRow::ttft_error_pct,
    parts: |row| row.predicted.ttft_parts,
    scale_pct: TTFT_SCALE_PCT,
};

const ITL: Metric = Metric {
    id: "itl",
    name: "ITL",
    measured: |row| row.measured.itl.as_ms(),
    predicted: |row| row.predicted.itl.as_ms(),
    error_pct: EvaluatedRow::itl_error_pct,
    parts: |row| row.predicted.itl_parts,
    scale_pct: ITL_SCALE_PCT,
};

/// Rows to draw: those of one scenario under one kind of load.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// Before the ids of its figures, where a page draws several scenarios.
    pub prefix: &'a str,
    /// After their titles.
    pub suffix: &'a str,
    /// How it was loaded.
    pub load: LoadKind,
    /// The rows, sorted by input tokens, output tokens and load.
    pub rows: &'a [EvaluatedRow],
}

impl Rows<'_> {
    fn id(&self, metric: &str, figure: &str) -> String {
        let name = if metric.is_empty() { figure.to_owned() } else { format!("{metric}_{figure}") };
        format!("{}{name}", self.prefix)
    }

    fn title(&self, text: String) -> String {
        text + self.suffix
    }
}

/// The figures of one scenario, in the order of the page.
pub fn scenario_figures(rows: Rows<'_>) -> Vec<Figure> {
    let mut figures = Vec::new();
    for metric in [TTFT, ITL] {
        figures.push(error_heatmap(rows, metric));
    }
    for metric in [TTFT, ITL] {
        figures.push(over_load(rows, metric));
    }
    for metric in [TTFT, ITL] {
        figures.push(over_context(rows, metric));
    }
    figures.push(parity(rows));
    for metric in [ITL, TTFT] {
        figures.push(breakdown(rows, metric));
    }
    figures
}

fn workload_label(row: &EvaluatedRow) -> String {
    let workload = &row.measured.workload;
    format!("{} / {}", short(workload.input_tokens()), short(workload.output_tokens()))
}

/// How ids of figures call a load.
const fn load_id(load: LoadKind) -> &'static str {
    match load {
        LoadKind::ClosedLoop => "concurrency",
        LoadKind::OpenLoop => "rate",
        LoadKind::StaticBatch => "batch",
    }
}

/// How legends call a load.
const fn load_symbol(load: LoadKind) -> &'static str {
    match load {
        LoadKind::ClosedLoop => "c",
        LoadKind::OpenLoop => "rate",
        LoadKind::StaticBatch => "batch",
    }
}

/// Distinct values in the order in which they first appear (rows are sorted).
pub(super) fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

fn loads(rows: Rows<'_>) -> Vec<f64> {
    let mut found = distinct(rows.rows.iter().map(|row| row.measured.workload.amount()));
    found.sort_by(f64::total_cmp);
    found
}

fn error_heatmap(rows: Rows<'_>, metric: Metric) -> Figure {
    let workloads = distinct(rows.rows.iter().map(workload_label));
    let clients = loads(rows);
    let height = 130 + 48 * workloads.len();
    let columns = clients.iter().map(|c| short(*c)).collect();
    let mut map = ErrorMap::new(columns, workloads.clone(), metric.scale_pct);
    for row in rows.rows {
        let label = workload_label(row);
        let at_y = workloads.iter().position(|w| *w == label).expect("every label is listed");
        let at_x = clients.iter().position(|c| *c == row.measured.workload.amount()).expect("every load is listed");
        map.put(at_x, at_y, (metric.error_pct)(row));
    }
    let load = rows.load.axis();
    Figure {
        id: rows.id(metric.id, "error_heatmap"),
        title: rows.title(format!("{} error by workload and {load}", metric.name)),
        caption: format!(
            "Relative error of the prediction in percent; a row is a workload (input / output tokens), red is \
             predicted too slow, blue too fast. Colours end at ±{} %, the same for every estimator.",
            metric.scale_pct
        ),
        height,
        wide: true,
        plot: map.plot(height, load, &format!("input / output %{{y}}<br>{load} %{{x}}")),
    }
}

fn add_series(chart: &mut Plot, metric: Metric, index: usize, name: &str, rows: &[(f64, &EvaluatedRow)]) {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    measured_and_predicted(
        chart,
        index,
        name,
        rows.iter().map(|(x, _)| *x).collect(),
        rows.iter().map(|(_, row)| (metric.measured)(row)).collect(),
        rows.iter().map(|(_, row)| (metric.predicted)(row)).collect(),
    );
}

fn value_axis(rows: Rows<'_>, metric: Metric) -> Axis {
    let values = rows.rows.iter().flat_map(move |row| [(metric.measured)(row), (metric.predicted)(row)]);
    axis(&format!("{} in ms", metric.name), values)
}

fn over_load(rows: Rows<'_>, metric: Metric) -> Figure {
    let height = 460;
    let clients = rows.rows.iter().map(|row| row.measured.workload.amount());
    let mut chart = plot(layout(height).x_axis(axis(rows.load.axis(), clients)).y_axis(value_axis(rows, metric)));
    for (index, label) in distinct(rows.rows.iter().map(workload_label)).iter().enumerate() {
        let series: Vec<(f64, &EvaluatedRow)> = rows
            .rows
            .iter()
            .filter(|row| workload_label(row) == *label)
            .map(|row| (row.measured.workload.amount(), row))
            .collect();
        add_series(&mut chart, metric, index, label, &series);
    }
    Figure {
        id: rows.id(metric.id, &format!("over_{}", load_id(rows.load))),
        title: rows.title(format!("{} over {}", metric.name, rows.load.axis())),
        caption: "One colour is one workload (input / output tokens): points are measured, lines predicted.".to_owned(),
        height,
        wide: false,
        plot: chart,
    }
}

fn over_context(rows: Rows<'_>, metric: Metric) -> Figure {
    let height = 460;
    let context = |row: &EvaluatedRow| row.measured.workload.input_tokens();
    let mut chart = plot(
        layout(height)
            .x_axis(axis("context (input tokens)", rows.rows.iter().map(context)))
            .y_axis(value_axis(rows, metric)),
    );
    for (index, clients) in loads(rows).into_iter().enumerate() {
        let series: Vec<(f64, &EvaluatedRow)> = rows
            .rows
            .iter()
            .filter(|row| row.measured.workload.amount() == clients)
            .map(|row| (context(row), row))
            .collect();
        add_series(&mut chart, metric, index, &format!("{} = {}", load_symbol(rows.load), short(clients)), &series);
    }
    Figure {
        id: rows.id(metric.id, "over_context"),
        title: rows.title(format!("{} over context", metric.name)),
        caption: format!("One colour is one {}: points are measured, lines predicted.", rows.load.axis()),
        height,
        wide: false,
        plot: chart,
    }
}

fn parity(rows: Rows<'_>) -> Figure {
    let height = 480;
    let all = || {
        rows.rows.iter().flat_map(|row| {
            [TTFT, ITL].into_iter().flat_map(|metric| [(metric.measured)(row), (metric.predicted)(row)])
        })
    };
    let (low, high) = all().fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    let mut chart = plot(layout(height).x_axis(axis("measured, ms", all())).y_axis(axis("predicted, ms", all())));
    chart.add_trace(
        Scatter::new(vec![low, high], vec![low, high])
            .mode(Mode::Lines)
            .line(Line::new().color("#8A9199").dash(DashType::Dash).width(1.0))
            .name("equal"),
    );
    for (index, (metric, symbol)) in
        [(TTFT, MarkerSymbol::Circle), (ITL, MarkerSymbol::Diamond)].into_iter().enumerate()
    {
        chart.add_trace(
            Scatter::new(
                rows.rows.iter().map(metric.measured).collect(),
                rows.rows.iter().map(metric.predicted).collect(),
            )
            .mode(Mode::Markers)
            .marker(Marker::new().color(colour(index)).size(7).symbol(symbol))
            .text_array(
                rows.rows
                    .iter()
                    .map(|row| {
                        format!(
                            "{}, {} = {}",
                            workload_label(row),
                            load_symbol(rows.load),
                            short(row.measured.workload.amount())
                        )
                    })
                    .collect(),
            )
            .name(metric.name),
        );
    }
    Figure {
        id: rows.id("", "parity"),
        title: rows.title("Predicted against measured".to_owned()),
        caption: "Every row once for TTFT and once for ITL; on the dashed line both are equal.".to_owned(),
        height,
        wide: false,
        plot: chart,
    }
}

fn breakdown(rows: Rows<'_>, metric: Metric) -> Figure {
    let height = 520;
    let labels: Vec<String> = rows
        .rows
        .iter()
        .map(|row| format!("{} · {}", workload_label(row), short(row.measured.workload.amount())))
        .collect();
    let mut chart = plot(
        layout(height)
            .bar_mode(BarMode::Stack)
            .bar_gap(0.15)
            .x_axis(
                Axis::new()
                    .type_(AxisType::Category)
                    .title(Title::with_text(format!("input / output tokens · {}", rows.load.axis())))
                    .tick_angle(-60.0)
                    .tick_font(Font::new().size(10))
                    .auto_margin(true),
            )
            .y_axis(
                Axis::new().title(Title::with_text(format!("share of predicted {}, %", metric.name))).auto_margin(true),
            )
            .margin(Margin::new().left(64).right(16).top(64).bottom(56))
            .legend(Legend::new().orientation(Orientation::Horizontal).y(1.02).y_anchor(Anchor::Bottom).x(0.0)),
    );
    for part in Part::ALL {
        let shares: Vec<f64> = rows
            .rows
            .iter()
            .map(|row| {
                let parts = (metric.parts)(row);
                100.0 * (parts.get(part) / parts.total())
            })
            .collect();
        if shares.iter().all(|share| *share == 0.0) {
            continue;
        }
        let times =
            rows.rows.iter().map(|row| format!("{} ms", number((metric.parts)(row).get(part).as_ms()))).collect();
        chart.add_trace(
            Bar::new(labels.clone(), shares)
                .name(part.label())
                .marker(Marker::new().color(part_colour(part)))
                .hover_text_array(times)
                .hover_template("%{x}<br>%{y:.1f} %, %{hovertext}"),
        );
    }
    Figure {
        id: rows.id(metric.id, "breakdown"),
        title: rows.title(format!("What {} is made of", metric.name)),
        caption: format!(
            "Shares of the predicted {} by cause, workload by workload with rising {}. The times are in evaluation.csv.",
            metric.name,
            rows.load.axis()
        ),
        height,
        wide: true,
        plot: chart,
    }
}

pub fn loss_history(fit: &Solution) -> Figure {
    let height = 340;
    let history = &fit.history;
    let iterations: Vec<f64> = (1..=history.len()).map(|iteration| iteration as f64).collect();
    let losses = history.iter().copied().chain([fit.baseline_loss]);
    let mut chart = plot(
        layout(height)
            .x_axis(Axis::new().title(Title::with_text("iteration")).auto_margin(true))
            .y_axis(axis("loss", losses)),
    );
    chart.add_trace(
        Scatter::new(iterations, history.clone())
            .mode(Mode::LinesMarkers)
            .line(Line::new().color(colour(0)))
            .name("best start"),
    );
    chart.add_trace(
        Scatter::new(vec![1.0, history.len() as f64], vec![fit.baseline_loss; 2])
            .mode(Mode::Lines)
            .line(Line::new().color(colour(5)).dash(DashType::Dot))
            .name("defaults, before the fit"),
    );
    Figure {
        id: "loss_history".to_owned(),
        title: "Loss of the best start".to_owned(),
        caption: format!(
            "Start {} of {} ended lowest. Jumps mark polishing rounds, which restart from a simplex.",
            fit.best_start + 1,
            fit.starts.len()
        ),
        height,
        wide: false,
        plot: chart,
    }
}
