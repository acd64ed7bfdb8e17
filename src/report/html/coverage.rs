//! How often left-out measurements lie inside the intervals that were predicted for them.

use plotly::Scatter;
use plotly::common::{Anchor, ErrorData, ErrorType, Font, Marker, MarkerSymbol, Mode, Orientation, Title};
use plotly::layout::{Axis, AxisType, Legend, Margin};

use crate::calibration::{CoveredRow, Interval, LEVEL, coverage_pct};
use crate::number::short;
use crate::report::html::figure::{Figure, colour, layout, plot};
use crate::units::Seconds;

/// A latency of a left-out row.
struct Metric {
    name: &'static str,
    id: &'static str,
    of: fn(&CoveredRow) -> (Seconds, Seconds, Interval),
}

const METRICS: [Metric; 2] = [
    Metric { name: "TTFT", id: "ttft_coverage", of: |row| (row.measured.ttft, row.prediction.ttft, row.ttft) },
    Metric { name: "ITL", id: "itl_coverage", of: |row| (row.measured.itl, row.prediction.itl, row.itl) },
];

/// One figure for TTFT and one for ITL: intervals of rows whose workload the fit did not see, and what was measured.
pub fn coverage_figures(prefix: &str, suffix: &str, rows: &[CoveredRow]) -> Vec<Figure> {
    METRICS.iter().zip(coverage_pct(rows)).map(|(metric, share)| figure(prefix, suffix, rows, metric, share)).collect()
}

fn figure(prefix: &str, suffix: &str, rows: &[CoveredRow], metric: &Metric, share: f64) -> Figure {
    let height = 440;
    let labels: Vec<String> = rows
        .iter()
        .map(|row| {
            let workload = &row.measured.workload;
            let [input, output, load] =
                [workload.input_tokens(), workload.output_tokens(), workload.amount()].map(short);
            format!("{input} / {output} · {load}")
        })
        .collect();
    let ratios: Vec<(f64, f64, f64, bool)> = rows
        .iter()
        .map(|row| {
            let (measured, predicted, interval) = (metric.of)(row);
            (measured / predicted, interval.low / predicted, interval.high / predicted, interval.holds(measured))
        })
        .collect();
    let mut chart = plot(
        layout(height)
            .x_axis(
                Axis::new()
                    .type_(AxisType::Category)
                    .title(Title::with_text("input / output tokens · load"))
                    .tick_angle(-60.0)
                    .tick_font(Font::new().size(10))
                    .auto_margin(true),
            )
            .y_axis(
                Axis::new()
                    .title(Title::with_text(format!("{} / predicted", metric.name)))
                    .type_(AxisType::Log)
                    .auto_margin(true),
            )
            .margin(Margin::new().left(64).right(16).top(64).bottom(56))
            .legend(Legend::new().orientation(Orientation::Horizontal).y(1.02).y_anchor(Anchor::Bottom).x(0.0)),
    );
    chart.add_trace(
        Scatter::new(labels.clone(), vec![1.0; rows.len()])
            .mode(Mode::Markers)
            .marker(Marker::new().color("#8A9199").size(3))
            .error_y(
                ErrorData::new(ErrorType::Data)
                    .array(ratios.iter().map(|(_, _, high, _)| high - 1.0).collect())
                    .array_minus(ratios.iter().map(|(_, low, _, _)| 1.0 - low).collect())
                    .symmetric(false)
                    .color("#8A9199")
                    .thickness(2.0)
                    .width(3),
            )
            .name("interval"),
    );
    for (inside, name, index, symbol) in
        [(true, "measured, inside", 0, MarkerSymbol::Circle), (false, "measured, outside", 5, MarkerSymbol::X)]
    {
        let (x, y): (Vec<String>, Vec<f64>) = labels
            .iter()
            .zip(&ratios)
            .filter(|(_, ratio)| ratio.3 == inside)
            .map(|(label, ratio)| (label.clone(), ratio.0))
            .unzip();
        chart.add_trace(
            Scatter::new(x, y)
                .mode(Mode::Markers)
                .marker(Marker::new().color(colour(index)).size(8).symbol(symbol))
                .name(name),
        );
    }
    Figure {
        id: format!("{prefix}{}", metric.id),
        title: format!(
            "{share:.0} % of left-out {} measurements lie inside their {:.0} % intervals{suffix}",
            metric.name,
            100.0 * LEVEL
        ),
        caption:
            "Each row predicted by a fit that saw neither its workload nor the quantile its interval uses. Bars are \
                  the intervals, points the measurements, both relative to the prediction."
                .to_owned(),
        height,
        wide: true,
        plot: chart,
    }
}
