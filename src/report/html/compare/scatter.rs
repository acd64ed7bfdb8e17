//! Latencies over token counts: clouds with the histograms of both axes, and lines through them.

use plotly::Scatter;
use plotly::common::{HoverInfo, Line, Mode, Title};
use plotly::layout::Axis;

use crate::comparison::CompareGroup;
use crate::number::number;
use crate::report::html::compare::charts::{CompareDrawing, cloud_marker, id, outline, thinned, title, value_axis};
use crate::report::html::compare::model::add_curves;
use crate::report::html::figure::{Figure, colour, dash, layout, plot};
use crate::requests::Dimension;
use crate::stats::{Bins, Line as Straight};

/// Bins along each axis at most.
const BINS: usize = 30;

/// Share of the picture that the cloud takes, and where the histograms begin.
const CLOUD: f64 = 0.76;
const MARGIN: f64 = 0.8;

/// TPOT over output tokens and TTFT over input tokens, as far as they are known.
pub fn scatter_figures(group: &CompareGroup, drawing: CompareDrawing) -> Vec<Figure> {
    [(Dimension::OutputTokens, Dimension::TimePerOutputToken), (Dimension::InputTokens, Dimension::TimeToFirstToken)]
        .into_iter()
        .filter_map(|(x, y)| scatter(group, x, y, drawing))
        .collect()
}

/// Points of each side in the units that people read.
fn clouds(group: &CompareGroup, x: Dimension, y: Dimension) -> Vec<Vec<(f64, f64)>> {
    let of_log = |log: &crate::requests::RequestLog| log.pairs(x, y);
    let points = |logs: Vec<&crate::requests::RequestLog>| -> Vec<(f64, f64)> {
        let all = logs.into_iter().flat_map(of_log);
        all.map(|(tokens, time)| (tokens * x.scale(), time * y.scale())).collect()
    };
    group.sides.iter().map(|side| points(side.logs())).collect()
}

fn scatter(group: &CompareGroup, x: Dimension, y: Dimension, drawing: CompareDrawing) -> Option<Figure> {
    let clouds = clouds(group, x, y);
    let height = 620;
    let sorted = |part: fn(&(f64, f64)) -> f64| -> Vec<f64> {
        let mut all: Vec<f64> = clouds.iter().flatten().map(part).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let bins = [Bins::at_most(&sorted(|p| p.0), BINS)?, Bins::at_most(&sorted(|p| p.1), BINS)?];
    let positive = clouds.iter().flatten().all(|point| point.0 > 0.0 && point.1 > 0.0);
    let log = drawing.log && positive;
    let margin = |title: &str| Axis::new().title(Title::with_text(title)).domain(&[MARGIN, 1.0]).grid_color("#E3E6EA");
    let mut chart = plot(
        layout(height)
            .x_axis(value_axis(x.label(), log).domain(&[0.0, CLOUD]))
            .y_axis(value_axis(&y.title(), log).domain(&[0.0, CLOUD]))
            .x_axis2(margin("requests").anchor("y"))
            .y_axis2(margin("requests").anchor("x")),
    );
    let mut slopes = Vec::new();
    for (index, (side, points)) in group.sides.iter().zip(&clouds).enumerate() {
        let shown = thinned(points);
        chart.add_trace(
            Scatter::new(shown.iter().map(|p| p.0).collect(), shown.iter().map(|p| p.1).collect())
                .mode(Mode::Markers)
                .marker(cloud_marker(index))
                .legend_group(&side.name)
                .name(&side.name),
        );
        if let Some(line) = Straight::through(points) {
            let (first, last) = points.iter().fold((f64::MAX, 0.0_f64), |(a, b), p| (a.min(p.0), b.max(p.0)));
            // Enough places that the line is one on logarithmic axes too.
            let places: Vec<f64> = (0..=50).map(|k| first + (last - first) * f64::from(k) / 50.0).collect();
            slopes.push(format!("{} {} µs a token", side.name, number(1e3 * line.slope)));
            chart.add_trace(
                Scatter::new(places.clone(), places.iter().map(|x| line.at(*x)).collect())
                    .mode(Mode::Lines)
                    .line(Line::new().color(colour(index)).width(2.5).dash(dash(index)))
                    .legend_group(&side.name)
                    .show_legend(false)
                    .hover_info(HoverInfo::Skip),
            );
        }
        for (along, bins) in bins.iter().enumerate() {
            let values: Vec<f64> = points.iter().map(|p| if along == 0 { p.0 } else { p.1 }).collect();
            let counts = bins.counts(&values).into_iter().map(|count| count as f64).collect();
            let edges: Vec<f64> = (0..=bins.count).map(|k| bins.start + k as f64 * bins.width).collect();
            let trace = outline(&edges, counts, index, along == 1);
            let trace = if along == 1 { trace.x_axis("x2") } else { trace.y_axis("y2") };
            chart.add_trace(trace.legend_group(&side.name).show_legend(false).name(&side.name));
        }
    }
    let ends = clouds.iter().flatten().fold((f64::MAX, 0.0_f64), |(a, b), p| (a.min(p.0), b.max(p.0)));
    add_curves(&mut chart, group, y, ends);
    let label = format!("{} over {}", y.label(), x.label());
    Some(Figure {
        id: id(group, &format!("{y}_over_{x}")),
        title: title(group, if slopes.is_empty() { label } else { format!("{label}: {}", slopes.join(", ")) }),
        caption: format!(
            "A point is a request that was answered; lines are of least squares. Above and beside are the histograms of {} and {}.",
            x.label(),
            y.label()
        ),
        height,
        wide: true,
        plot: chart,
    })
}
