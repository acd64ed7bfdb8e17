//! The figures of compared distributions.

use plotly::box_plot::BoxPoints;
use plotly::common::{Fill, HoverInfo, Line, LineShape, Marker, MarkerSymbol, Mode, Orientation};
use plotly::layout::{Axis, AxisType};
use plotly::{BoxPlot, Scatter};

use crate::comparison::{CompareGroup, DimensionStudy, Side};
use crate::number::number;
use crate::report::html::compare::model::{add_upright, mark, predictions};
use crate::report::html::figure::{Figure, colour, dash, layout, plain_axis, plot, symbol, translucent};
use crate::stats::Bins;

/// How the figures are drawn.
#[derive(Debug, Clone, Copy, Default)]
pub struct CompareDrawing {
    /// Whether axes are logarithmic that need not be.
    pub log: bool,
    /// Most bins of a histogram; by Freedman and Diaconis if not given.
    pub bins: Option<usize>,
}

/// Opacity of bands and below outlines, 0.2.
const FILL_OPACITY: u8 = 0x33;

/// Points of a curve or cloud at most; more are thinned out evenly.
pub(super) const MOST_POINTS: usize = 2_000;

/// Every so many of the values that at most [`MOST_POINTS`] are left, the first and the last among them.
pub(super) fn thinned<T: Copy>(values: &[T]) -> Vec<T> {
    if values.len() <= MOST_POINTS {
        return values.to_vec();
    }
    let last = values.len() - 1;
    (0..MOST_POINTS).map(|k| values[k * last / (MOST_POINTS - 1)]).collect()
}

pub(super) fn value_axis(title: &str, log: bool) -> Axis {
    if log { plain_axis(title).type_(AxisType::Log).n_ticks(8) } else { plain_axis(title) }
}

/// The figures of a group, dimension by dimension; ids and titles carry its clients where it is a level of load tests.
pub fn distribution_figures(group: &CompareGroup, drawing: CompareDrawing) -> Vec<Figure> {
    let mut figures = Vec::new();
    for study in &group.comparison.dimensions {
        if study.sides.iter().all(Option::is_none) {
            continue;
        }
        figures.push(boxes(study, group));
        figures.push(histogram(study, group, drawing));
        figures.push(distribution(study, group));
        figures.extend(shift_function(study, group));
    }
    figures
}

pub(super) fn id(group: &CompareGroup, name: &str) -> String {
    group.clients.map_or_else(|| name.to_owned(), |clients| format!("clients_{clients}_{name}"))
}

pub(super) fn title(group: &CompareGroup, text: String) -> String {
    group.clients.map_or_else(|| text.clone(), |clients| format!("{text}, {clients} clients"))
}

/// Sides that have values of a dimension, with their place, and the values in the unit that people read.
fn present<'a>(study: &'a DimensionStudy, group: &'a CompareGroup) -> Vec<(usize, &'a Side, Vec<f64>)> {
    let scale = study.dimension.scale();
    let sides = group.sides.iter().zip(&study.sides).enumerate();
    sides
        .filter_map(|(index, (side, sample))| {
            let values = sample.as_ref()?.sample.sorted.iter().map(|value| value * scale).collect();
            Some((index, side, values))
        })
        .collect()
}

fn boxes(study: &DimensionStudy, group: &CompareGroup) -> Figure {
    let scale = study.dimension.scale();
    let height = 150 + 60 * group.sides.len();
    let positive = present(study, group).iter().all(|(_, _, values)| values[0] > 0.0);
    let category = Axis::new().type_(AxisType::Category).auto_margin(true);
    let mut chart =
        plot(layout(height).x_axis(value_axis(&study.dimension.title(), positive)).y_axis(category).show_legend(false));
    let mut medians = Vec::new();
    // Categories rise from below: the first run is the topmost.
    for (index, side, _) in present(study, group).into_iter().rev() {
        let Some(sample) = &study.sides[index] else { continue };
        let figure = sample.box_figure;
        medians.push((side.name.as_str(), figure.median * scale));
        chart.add_trace(
            BoxPlot::<f64, String>::new(vec![side.name.clone()])
                .q1(vec![figure.q1 * scale])
                .median(vec![figure.median * scale])
                .q3(vec![figure.q3 * scale])
                .lower_fence(vec![figure.lower_whisker * scale])
                .upper_fence(vec![figure.upper_whisker * scale])
                .orientation(Orientation::Horizontal)
                .box_points(BoxPoints::False)
                .name(&side.name)
                .marker(Marker::new().color(colour(index))),
        );
        let outside: Vec<f64> =
            thinned(&figure.outside(&sample.sample.sorted)).into_iter().map(|value| value * scale).collect();
        chart.add_trace(
            Scatter::new(outside.clone(), vec![side.name.clone(); outside.len()])
                .mode(Mode::Markers)
                .marker(Marker::new().color(colour(index)).size(5).symbol(symbol(index)).opacity(0.6))
                .name(format!("{}, outside", side.name)),
        );
    }
    for (index, name, value) in predictions(study, group) {
        chart.add_trace(mark(vec![value], vec![name.clone()], index, &name));
    }
    medians.sort_by(|a, b| a.1.total_cmp(&b.1));
    let label = study.dimension.label();
    Figure {
        id: id(group, &format!("{}_box", study.dimension)),
        title: title(
            group,
            match medians[..] {
                [(lowest, low), .., (highest, high)] if low < high => {
                    format!(
                        "{label}: the median of {lowest} is {} % below that of {highest}",
                        number(100.0 * (1.0 - low / high))
                    )
                }
                _ => format!("{label}: quartiles and whiskers"),
            },
        ),
        caption:
            "Boxes are quartiles, whiskers end at the last value within 1.5 interquartile ranges, points lie beyond; open diamonds are \
             predictions."
                .to_owned(),
        height,
        wide: false,
        plot: chart,
    }
}

fn histogram(study: &DimensionStudy, group: &CompareGroup, drawing: CompareDrawing) -> Figure {
    let height = 400;
    let mut sides = present(study, group);
    let log = drawing.log && sides.iter().all(|(_, _, values)| values[0] > 0.0);
    if log {
        for value in sides.iter_mut().flat_map(|(_, _, values)| values) {
            *value = value.log10();
        }
    }
    let mut pooled: Vec<f64> = sides.iter().flat_map(|(_, _, values)| values.iter().copied()).collect();
    pooled.sort_by(f64::total_cmp);
    let bins = match drawing.bins {
        Some(most) => Bins::at_most(&pooled, most),
        None => Bins::freedman_diaconis(&pooled),
    }
    .expect("a side has values");
    let back = |value: f64| if log { 10_f64.powf(value) } else { value };
    let edges: Vec<f64> = (0..=bins.count).map(|k| back(bins.start + k as f64 * bins.width)).collect();
    let mut chart = plot(
        layout(height)
            .x_axis(value_axis(&study.dimension.title(), log))
            .y_axis(value_axis("share of the requests, %", false)),
    );
    let (mut often, mut tallest) = (Vec::new(), 0.0_f64);
    for (index, side, values) in &sides {
        let share = |count: usize| 100.0 * count as f64 / values.len() as f64;
        let counts = bins.counts(values);
        let fullest = (0..counts.len()).rev().max_by_key(|k| counts[*k]).unwrap_or(0);
        often.push(format!("{} to {} ({})", number(edges[fullest]), number(edges[fullest + 1]), side.name));
        let shares: Vec<f64> = counts.into_iter().map(share).collect();
        tallest = shares.iter().copied().fold(tallest, f64::max);
        chart.add_trace(outline(&edges, shares, *index, false).name(&side.name));
    }
    add_upright(&mut chart, study, group, tallest);
    let width = if log {
        format!("{} bins a decade", number(1.0 / bins.width))
    } else {
        format!("bins of {} {}", number(bins.width), study.dimension.unit())
    };
    Figure {
        id: id(group, &format!("{}_histogram", study.dimension)),
        title: title(group, format!("{}: most often {}", study.dimension.title(), often.join(", "))),
        caption: format!("The same {} for every run; heights are shares of the run's own requests.", width.trim_end()),
        height,
        wide: false,
        plot: chart,
    }
}

fn distribution(study: &DimensionStudy, group: &CompareGroup) -> Figure {
    let height = 400;
    let sides = present(study, group);
    let positive = sides.iter().all(|(_, _, values)| values[0] > 0.0);
    let mut chart = plot(
        layout(height)
            .x_axis(value_axis(&study.dimension.title(), positive))
            .y_axis(value_axis("requests up to this, %", false)),
    );
    for (index, side, values) in sides {
        let steps: Vec<(f64, f64)> = values
            .iter()
            .enumerate()
            .map(|(rank, value)| (*value, 100.0 * (rank as f64 + 1.0) / values.len() as f64))
            .collect();
        let steps = thinned(&steps);
        chart.add_trace(
            Scatter::new(steps.iter().map(|step| step.0).collect(), steps.iter().map(|step| step.1).collect())
                .mode(Mode::Lines)
                .line(Line::new().color(colour(index)).width(2.0).shape(LineShape::Hv).dash(dash(index)))
                .name(&side.name),
        );
    }
    add_upright(&mut chart, study, group, 100.0);
    let apart = study.pairs.iter().flatten().map(|pair| pair.ks.distance).fold(0.0, f64::max);
    Figure {
        id: id(group, &format!("{}_ecdf", study.dimension)),
        title: title(
            group,
            if apart > 0.0 {
                format!(
                    "{}: distributions are up to {:.0} percentage points apart",
                    study.dimension.label(),
                    100.0 * apart
                )
            } else {
                format!("{}: distribution", study.dimension.label())
            },
        ),
        caption: "Share of the requests that took no longer (empirical distribution function).".to_owned(),
        height,
        wide: false,
        plot: chart,
    }
}

/// The outline of a histogram: from 0 to each height, which holds from its edge to the next, and down to 0 at the last. The values run along the horizontal axis or,
/// upright, along the vertical one.
pub(super) fn outline(edges: &[f64], mut heights: Vec<f64>, index: usize, upright: bool) -> Box<Scatter<f64, f64>> {
    heights.push(0.0);
    heights.insert(0, 0.0);
    let edges = [&edges[..1], edges].concat();
    let trace = if upright { Scatter::new(heights, edges) } else { Scatter::new(edges, heights) };
    let shape = if upright { LineShape::Vh } else { LineShape::Hv };
    trace
        .mode(Mode::Lines)
        .line(Line::new().color(colour(index)).width(1.5).shape(shape).dash(dash(index)))
        .fill(if upright { Fill::ToZeroX } else { Fill::ToZeroY })
        .fill_color(translucent(colour(index), FILL_OPACITY))
}

/// Differences over quantiles with their band; `None` where there is no pair.
fn shift_function(study: &DimensionStudy, group: &CompareGroup) -> Option<Figure> {
    let height = 400;
    let scale = study.dimension.scale();
    let unit = study.dimension.unit();
    let axis_title = if unit.is_empty() { "difference".to_owned() } else { format!("difference, {unit}") };
    let mut chart = plot(layout(height).x_axis(value_axis("percentile", false)).y_axis(value_axis(&axis_title, false)));
    let (mut higher, mut lower, mut all) = (0, 0, 0);
    for (index, (side, pair)) in group.sides[1..].iter().zip(&study.pairs).enumerate() {
        let Some(pair) = pair else { continue };
        let ink = colour(index + 1);
        let percent: Vec<f64> = pair.shift_function.iter().map(|point| 100.0 * point.p).collect();
        let values = |of: fn(&crate::comparison::ShiftPoint) -> f64| -> Vec<f64> {
            pair.shift_function.iter().map(|point| of(point) * scale).collect()
        };
        all += pair.shift_function.len();
        higher += pair.shift_function.iter().filter(|point| point.low > 0.0).count();
        lower += pair.shift_function.iter().filter(|point| point.high < 0.0).count();
        let edge = |y: Vec<f64>| {
            Scatter::new(percent.clone(), y)
                .mode(Mode::Lines)
                .line(Line::new().color(ink).width(0.5))
                .legend_group(&side.name)
                .show_legend(false)
                .hover_info(HoverInfo::Skip)
        };
        chart.add_trace(edge(values(|point| point.low)));
        chart
            .add_trace(edge(values(|point| point.high)).fill(Fill::ToNextY).fill_color(translucent(ink, FILL_OPACITY)));
        chart.add_trace(
            Scatter::new(percent.clone(), values(|point| point.difference))
                .mode(Mode::LinesMarkers)
                .line(Line::new().color(ink).width(2.0).dash(dash(index + 1)))
                .marker(Marker::new().color(ink).size(6).symbol(symbol(index + 1)))
                .legend_group(&side.name)
                .name(format!("{} – {}", side.name, group.sides[0].name)),
        );
    }
    if all == 0 {
        return None;
    }
    chart.add_trace(
        Scatter::new(vec![5.0, 99.0], vec![0.0, 0.0])
            .mode(Mode::Lines)
            .line(Line::new().color("#8A9199").width(1.0))
            .show_legend(false)
            .hover_info(HoverInfo::Skip),
    );
    let (up, down) = if study.dimension.is_latency() { ("slower", "faster") } else { ("higher", "lower") };
    let label = study.dimension.label();
    let found = match (lower, higher) {
        (0, 0) => format!("{label}: no quantile differs with confidence"),
        (_, 0) => format!("{label}: {down} at {lower} of {all} quantiles, {up} at none"),
        (0, _) => format!("{label}: {up} at {higher} of {all} quantiles, {down} at none"),
        _ => format!("{label}: {down} at {lower} of {all} quantiles, {up} at {higher}"),
    };
    Some(Figure {
        id: id(group, &format!("{}_shift", study.dimension)),
        title: title(group, found),
        caption: format!(
            "Difference of each quantile from that of {}, with its interval; where the band keeps off 0, the quantile differs. Bands hold \
             for each quantile by itself.",
            group.sides[0].name
        ),
        height,
        wide: false,
        plot: chart,
    })
}

/// A cloud's symbol, which tells runs apart without colour.
pub(super) fn cloud_marker(index: usize) -> Marker {
    let open =
        [MarkerSymbol::CircleOpen, MarkerSymbol::DiamondOpen, MarkerSymbol::TriangleUpOpen, MarkerSymbol::SquareOpen];
    Marker::new().color(colour(index)).size(5).symbol(open[index % open.len()].clone()).opacity(0.7)
}
