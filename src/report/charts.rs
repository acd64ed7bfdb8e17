//! The figures of a study.

use plotly::common::{
    Anchor, ColorBar, ColorScale, ColorScaleElement, DashType, Font, Line, Marker, MarkerSymbol, Mode, Orientation,
    Title,
};
use plotly::layout::{Annotation, Axis, AxisType, BarMode, Legend, Margin};
use plotly::{Bar, HeatMap, Plot, Scatter};

use super::figure::{Figure, axis, colour, layout, measured_and_predicted, part_colour, plot};
use super::number::number;
use crate::evaluation::{EvaluatedRow, Study};
use crate::prediction::{Part, Parts};

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

/// Ids of figures must live as long as the page; each metric has its own.
macro_rules! ids {
    ($metric:expr, $ttft:literal, $itl:literal) => {
        if $metric.id == "ttft" { $ttft } else { $itl }
    };
}

/// All figures of a study, in the order of the page.
pub fn all(study: &Study) -> Vec<Figure> {
    let mut figures = Vec::new();
    for metric in [TTFT, ITL] {
        figures.push(error_heatmap(study, metric));
    }
    for metric in [TTFT, ITL] {
        figures.push(over_concurrency(study, metric));
    }
    for metric in [TTFT, ITL] {
        figures.push(over_context(study, metric));
    }
    figures.push(parity(study));
    for metric in [ITL, TTFT] {
        figures.push(breakdown(study, metric));
    }
    figures.push(loss_history(study));
    figures
}

/// Number without trailing zeros.
fn short(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn workload_label(row: &EvaluatedRow) -> String {
    let workload = &row.measured.workload;
    format!("{} / {}", short(workload.input_tokens()), short(workload.output_tokens()))
}

/// Distinct values in the order in which they first appear (rows are sorted).
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

fn concurrencies(study: &Study) -> Vec<f64> {
    let mut found = distinct(study.rows.iter().map(|row| row.measured.workload.concurrency()));
    found.sort_by(f64::total_cmp);
    found
}

fn error_heatmap(study: &Study, metric: Metric) -> Figure {
    let workloads = distinct(study.rows.iter().map(workload_label));
    let clients = concurrencies(study);
    let x: Vec<String> = clients.iter().map(|c| short(*c)).collect();
    let mut cells = vec![vec![None; clients.len()]; workloads.len()];
    let mut annotations = Vec::new();
    for row in &study.rows {
        let label = workload_label(row);
        let error = (metric.error_pct)(row);
        let at_y = workloads.iter().position(|w| *w == label).expect("every label is listed");
        let at_x = clients
            .iter()
            .position(|c| *c == row.measured.workload.concurrency())
            .expect("every concurrency is listed");
        cells[at_y][at_x] = Some(error);
        let ink = if error.abs() > 0.6 * metric.scale_pct { "white" } else { "#1B1F24" };
        annotations.push(
            Annotation::new()
                // On a category axis a number is the position of a category; a text that looks like a number is not.
                .x(at_x)
                .y(at_y)
                .text(format!("{error:+.1}"))
                .show_arrow(false)
                .font(Font::new().size(11).color(ink)),
        );
    }
    let stops = [(0.0, "#2166AC"), (0.25, "#92C5DE"), (0.5, "#F7F7F7"), (0.75, "#F4A582"), (1.0, "#B2182B")];
    let scale = ColorScale::Vector(stops.map(|(at, colour)| ColorScaleElement(at, colour.to_owned())).to_vec());
    let map = HeatMap::new(x, workloads.clone(), cells)
        .color_scale(scale)
        .zmin(-metric.scale_pct)
        .zmax(metric.scale_pct)
        .x_gap(2)
        .y_gap(2)
        .color_bar(ColorBar::new().title("error %").thickness(12))
        .hover_template("input / output %{y}<br>concurrency %{x}<br>error %{z:+.1f} %<extra></extra>");
    let height = 130 + 48 * workloads.len();
    let category = || Axis::new().type_(AxisType::Category).auto_margin(true);
    let mut chart = plot(
        layout(height)
            .x_axis(category().title(Title::with_text("concurrency")))
            .y_axis(category())
            .annotations(annotations),
    );
    chart.add_trace(map);
    Figure {
        id: ids!(metric, "ttft_error_heatmap", "itl_error_heatmap"),
        title: format!("{} error by workload and concurrency", metric.name),
        caption: format!(
            "Relative error of the fitted prediction in percent; a row is a workload (input / output tokens), red is \
             predicted too slow, blue too fast. Colours end at ±{} %, the same for every estimator.",
            metric.scale_pct
        ),
        height,
        wide: true,
        plot: chart,
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

fn value_axis(study: &Study, metric: Metric) -> Axis {
    let values = study.rows.iter().flat_map(move |row| [(metric.measured)(row), (metric.predicted)(row)]);
    axis(&format!("{} in ms", metric.name), values)
}

fn over_concurrency(study: &Study, metric: Metric) -> Figure {
    let height = 460;
    let clients = study.rows.iter().map(|row| row.measured.workload.concurrency());
    let mut chart = plot(layout(height).x_axis(axis("concurrency", clients)).y_axis(value_axis(study, metric)));
    for (index, label) in distinct(study.rows.iter().map(workload_label)).iter().enumerate() {
        let rows: Vec<(f64, &EvaluatedRow)> = study
            .rows
            .iter()
            .filter(|row| workload_label(row) == *label)
            .map(|row| (row.measured.workload.concurrency(), row))
            .collect();
        add_series(&mut chart, metric, index, label, &rows);
    }
    Figure {
        id: ids!(metric, "ttft_over_concurrency", "itl_over_concurrency"),
        title: format!("{} over concurrency", metric.name),
        caption: "One colour is one workload (input / output tokens): points are measured, lines predicted.".to_owned(),
        height,
        wide: false,
        plot: chart,
    }
}

fn over_context(study: &Study, metric: Metric) -> Figure {
    let height = 460;
    let context = |row: &EvaluatedRow| row.measured.workload.input_tokens();
    let mut chart = plot(
        layout(height)
            .x_axis(axis("context (input tokens)", study.rows.iter().map(context)))
            .y_axis(value_axis(study, metric)),
    );
    for (index, clients) in concurrencies(study).into_iter().enumerate() {
        let rows: Vec<(f64, &EvaluatedRow)> = study
            .rows
            .iter()
            .filter(|row| row.measured.workload.concurrency() == clients)
            .map(|row| (context(row), row))
            .collect();
        add_series(&mut chart, metric, index, &format!("c = {}", short(clients)), &rows);
    }
    Figure {
        id: ids!(metric, "ttft_over_context", "itl_over_context"),
        title: format!("{} over context", metric.name),
        caption: "One colour is one concurrency: points are measured, lines predicted.".to_owned(),
        height,
        wide: false,
        plot: chart,
    }
}

fn parity(study: &Study) -> Figure {
    let height = 480;
    let all = || {
        study.rows.iter().flat_map(|row| {
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
                study.rows.iter().map(metric.measured).collect(),
                study.rows.iter().map(metric.predicted).collect(),
            )
            .mode(Mode::Markers)
            .marker(Marker::new().color(colour(index)).size(7).symbol(symbol))
            .text_array(
                study
                    .rows
                    .iter()
                    .map(|row| format!("{}, c = {}", workload_label(row), short(row.measured.workload.concurrency())))
                    .collect(),
            )
            .name(metric.name),
        );
    }
    Figure {
        id: "parity",
        title: "Predicted against measured".to_owned(),
        caption: "Every row once for TTFT and once for ITL; on the dashed line both are equal.".to_owned(),
        height,
        wide: false,
        plot: chart,
    }
}

fn breakdown(study: &Study, metric: Metric) -> Figure {
    let height = 520;
    let labels: Vec<String> = study
        .rows
        .iter()
        .map(|row| format!("{} · {}", workload_label(row), short(row.measured.workload.concurrency())))
        .collect();
    let mut chart = plot(
        layout(height)
            .bar_mode(BarMode::Stack)
            .bar_gap(0.15)
            .x_axis(
                Axis::new()
                    .type_(AxisType::Category)
                    .title(Title::with_text("input / output tokens · concurrency"))
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
        let shares: Vec<f64> = study
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
            study.rows.iter().map(|row| format!("{} ms", number((metric.parts)(row).get(part).as_ms()))).collect();
        chart.add_trace(
            Bar::new(labels.clone(), shares)
                .name(part.label())
                .marker(Marker::new().color(part_colour(part)))
                .hover_text_array(times)
                .hover_template("%{x}<br>%{y:.1f} %, %{hovertext}"),
        );
    }
    Figure {
        id: ids!(metric, "ttft_breakdown", "itl_breakdown"),
        title: format!("What {} is made of", metric.name),
        caption: format!(
            "Shares of the predicted {} by cause, workload by workload with rising concurrency. The times are in \
             evaluation.csv.",
            metric.name
        ),
        height,
        wide: true,
        plot: chart,
    }
}

fn loss_history(study: &Study) -> Figure {
    let height = 340;
    let history = &study.fit.history;
    let iterations: Vec<f64> = (1..=history.len()).map(|iteration| iteration as f64).collect();
    let losses = history.iter().copied().chain([study.fit.baseline_loss]);
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
        Scatter::new(vec![1.0, history.len() as f64], vec![study.fit.baseline_loss; 2])
            .mode(Mode::Lines)
            .line(Line::new().color(colour(5)).dash(DashType::Dot))
            .name("defaults, before the fit"),
    );
    Figure {
        id: "loss_history",
        title: "Loss of the best start".to_owned(),
        caption: format!(
            "Start {} of {} ended lowest. Jumps mark polishing rounds, which restart from a simplex.",
            study.fit.best_start + 1,
            study.fit.starts.len()
        ),
        height,
        wide: false,
        plot: chart,
    }
}
