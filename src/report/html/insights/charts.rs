//! The figures of a table of runs: loss against cache, and speed at a budget.

use plotly::common::{DashType, Fill, HoverInfo, Line, LineShape, Marker, MarkerSymbol, Mode, SizeMode};
use plotly::layout::{Axis, AxisType, RangeMode, Shape, ShapeLine, ShapeType, TraceOrder};
use plotly::{Plot, Scatter};

use crate::insights::TABLED_GB;
use crate::insights::budget::budgets_mb;
use crate::insights::study::TableStudy;
use crate::insights::{AttentionType, Panel, Rule, Run};
use crate::number::{number, number_or_dash};
use crate::report::html::figure::{Figure, INK, colour, dash, layout, legend, plain_axis, plot, translucent};
use crate::report::tables::insights::{budget_title, front_title, ratio_title};

pub(super) const HEIGHT: usize = 520;
const GREY: &str = "#8A9199";

/// Area of the largest marker and floor of all, in square pixels.
const AREAS: (f64, f64) = (900.0, 80.0);

/// Opacity of runs on the front and off it, 0.90 and 0.33, and of bands, 0.15.
const OPACITIES: (u8, u8) = (0xE6, 0x55);
const BAND_OPACITY: u8 = 0x26;

/// Place of a kind of attention among colours, dashes and markers, the same in every figure.
pub fn place(attention: &AttentionType) -> usize {
    match attention {
        AttentionType::Mla => 0,
        AttentionType::Gqa => 1,
        AttentionType::Mha => 2,
        AttentionType::Other(_) => 3,
    }
}

/// The marker of a kind of attention, open for mixtures of experts.
fn marker_of(attention: &AttentionType, dense: bool) -> MarkerSymbol {
    match (place(attention), dense) {
        (0, true) => MarkerSymbol::Circle,
        (0, false) => MarkerSymbol::CircleOpen,
        (1, true) => MarkerSymbol::Square,
        (1, false) => MarkerSymbol::SquareOpen,
        (2, true) => MarkerSymbol::TriangleUp,
        (2, false) => MarkerSymbol::TriangleUpOpen,
        (_, true) => MarkerSymbol::Cross,
        (_, false) => MarkerSymbol::CrossOpen,
    }
}

/// An axis, logarithmic if asked for.
pub fn scaled(title: &str, log: bool) -> Axis {
    if log { plain_axis(title).type_(AxisType::Log) } else { plain_axis(title) }
}

/// A dashed line across the picture, up at `x`.
pub fn upright(x: f64) -> Shape {
    Shape::new()
        .shape_type(ShapeType::Line)
        .x_ref("x")
        .y_ref("paper")
        .x0(x)
        .x1(x)
        .y0(0.0)
        .y1(1.0)
        .line(ShapeLine::new().color(GREY).width(1.0).dash(DashType::Dot))
}

/// Loss against cache and speed at a budget; `log` makes the axis of caches logarithmic.
pub fn table_figures(study: &TableStudy, log: bool) -> Vec<Figure> {
    let panels = study.panels();
    // The same model has the same size in both panels.
    let largest = panels.iter().flat_map(|panel| &panel.runs).filter_map(|run| run.params_m).fold(0.0, f64::max);
    let mut figures: Vec<Figure> = panels
        .iter()
        .filter(|panel| !panel.runs.is_empty())
        .map(|panel| quality(panel, study.rule, largest, log))
        .collect();
    if !study.speeds.is_empty() {
        figures.push(totals(study));
        if study.speeds.iter().any(|speed| speed.attention == AttentionType::Mha) {
            figures.push(ratios(study));
        }
    }
    figures
}

fn quality(panel: &Panel<'_>, rule: Rule, largest: f64, log: bool) -> Figure {
    let mut chart = plot(
        layout(HEIGHT)
            .x_axis(scaled("KV cache of one sequence of the longest context, MB (32 bit)", log))
            .y_axis(scaled("validation loss, nats per token", false)),
    );
    let line = |points: Vec<(f64, f64)>, dash: DashType| {
        Scatter::new(points.iter().map(|p| p.0).collect(), points.iter().map(|p| p.1).collect())
            .mode(Mode::Lines)
            .line(Line::new().color(INK).width(1.5).dash(dash))
            .hover_info(HoverInfo::Skip)
    };
    chart.add_trace(line(panel.stairs.clone(), DashType::Solid).name("front"));
    // What no run reaches goes on up at the first and right at the last.
    if let (Some(first), Some(last), Rule::Right) = (panel.stairs.first(), panel.stairs.last(), rule) {
        let ends = [(first.0, panel.reference.1), *first, (f64::NAN, f64::NAN), *last, (panel.reference.0, last.1)];
        chart.add_trace(line(ends.to_vec(), DashType::Dot).show_legend(false).connect_gaps(false));
    }
    let mut kinds: Vec<(&AttentionType, bool)> =
        panel.runs.iter().map(|run| (&run.attention, run.is_dense())).collect();
    kinds.sort_by(|a, b| a.0.cmp(b.0).then(b.1.cmp(&a.1)));
    kinds.dedup();
    for (attention, dense) in kinds {
        let runs: Vec<&Run> =
            panel.runs.iter().copied().filter(|run| run.attention == *attention && run.is_dense() == dense).collect();
        let painted = |run: &&Run| panel.painted.iter().any(|member| member.row == run.row);
        let sizes = runs.iter().map(|run| diameter(run.params_m, largest)).collect();
        let ink = colour(place(attention));
        let inks = runs.iter().map(|run| translucent(ink, if painted(run) { OPACITIES.0 } else { OPACITIES.1 }));
        let name = if dense { attention.to_string() } else { format!("{attention}, experts") };
        chart.add_trace(
            Scatter::new(
                runs.iter().filter_map(|run| run.cache_mb).collect(),
                runs.iter().filter_map(|run| run.loss).collect(),
            )
            .mode(Mode::Markers)
            .marker(
                Marker::new()
                    .color_array(inks.collect())
                    .symbol(marker_of(attention, dense))
                    .size_mode(SizeMode::Diameter)
                    .size_array(sizes),
            )
            .text_array(runs.iter().map(|run| hover(run)).collect::<Vec<_>>())
            .hover_info(HoverInfo::Text)
            .name(name),
        );
    }
    Figure {
        id: if panel.with_moe { "quality_all" } else { "quality_dense" }.to_owned(),
        title: front_title(panel),
        caption: match rule {
            Rule::Right => {
                "A run is on the front if no other has as small a cache and as low a loss and less of one; those are drawn dark. \
                 Areas are parameters. Dotted, where the front goes on without runs."
            }
            Rule::Original => {
                "As first published: runs sorted by cache alone, and dark markers that are not those of the front."
            }
        }
        .to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

/// Pixels across a marker whose area is in proportion to the parameters.
fn diameter(params_m: Option<f64>, largest: f64) -> usize {
    let area = (params_m.unwrap_or(0.0) / largest * AREAS.0).max(AREAS.1);
    area.sqrt().round() as usize
}

fn hover(run: &Run) -> String {
    format!(
        "<b>{}</b><br>{}, {} M parameters<br>cache {} MB, loss {}",
        run.name,
        run.attention,
        number_or_dash(run.params_m),
        number_or_dash(run.cache_mb),
        number_or_dash(run.loss)
    )
}

/// The layout of figures with bands, which would turn the legend round.
pub(super) fn banded() -> plotly::Layout {
    layout(HEIGHT).legend(legend().trace_order(TraceOrder::Normal))
}

/// A band between two lines in the colour of a series.
pub(super) fn band(chart: &mut Plot, x: &[f64], low: Vec<f64>, high: Vec<f64>, index: usize) {
    let edge = |y: Vec<f64>| {
        Scatter::new(x.to_vec(), y)
            .mode(Mode::Lines)
            .line(Line::new().width(0.0).color(colour(index)).shape(LineShape::Linear))
            .show_legend(false)
            .hover_info(HoverInfo::Skip)
    };
    chart.add_trace(edge(low));
    chart.add_trace(edge(high).fill(Fill::ToNextY).fill_color(translucent(colour(index), BAND_OPACITY)));
}

/// The unit of budgets and how many MB it has. MB are 10⁶ bytes; the original divides them by 1024 and calls that GB.
const fn budget_unit(rule: Rule) -> (&'static str, f64) {
    match rule {
        Rule::Right => ("GB (10⁹ bytes)", 1000.0),
        Rule::Original => ("MB / 1024", 1024.0),
    }
}

fn totals(study: &TableStudy) -> Figure {
    let budgets = budgets_mb();
    let (unit, divisor) = budget_unit(study.rule);
    let x: Vec<f64> = budgets.iter().map(|budget| budget / divisor).collect();
    let mut chart = plot(
        banded()
            .x_axis(scaled(&format!("memory for KV caches, {unit}"), true))
            .y_axis(scaled("total k tokens/s if no step slows down", study.rule == Rule::Right))
            .shapes(TABLED_GB.map(upright).to_vec()),
    );
    for speed in &study.speeds {
        let index = place(&speed.attention);
        let totals: Vec<_> = budgets.iter().map(|budget| speed.total(*budget, study.rule)).collect();
        let of = |part: fn(&crate::insights::budget::Quartiles) -> f64| -> Vec<f64> {
            totals.iter().map(|total| part(total) / 1e3).collect()
        };
        band(&mut chart, &x, of(|t| t.low), of(|t| t.high), index);
        chart.add_trace(
            Scatter::new(x.clone(), of(|t| t.median))
                .mode(Mode::Lines)
                .line(Line::new().color(colour(index)).width(2.5).dash(dash(index)))
                .name(format!("{} (n = {})", speed.attention, speed.count())),
        );
    }
    Figure {
        id: "budget_total".to_owned(),
        title: budget_title(study),
        caption: match study.rule {
            Rule::Right => {
                "Median over the dense runs of whole sequences that fit times the speed of one alone; bands are quartiles over the \
                 runs. An upper bound: steps slow down with their batch. Dotted lines at 24, 40 and 80 GB of cache, not of device \
                 memory."
            }
            Rule::Original => {
                "As first published: median cache into the budget, times the median speed; bands multiply opposite quartiles."
            }
        }
        .to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

fn ratios(study: &TableStudy) -> Figure {
    let budgets = budgets_mb();
    let divisor = budget_unit(study.rule).1;
    let x: Vec<f64> = budgets.iter().map(|budget| budget / divisor).collect();
    let mut chart = plot(
        layout(HEIGHT)
            .x_axis(scaled(&format!("memory for KV caches, {}", budget_unit(study.rule).0), true))
            .y_axis(scaled("total tokens/s, as a multiple of MHA", false).range_mode(RangeMode::ToZero))
            .shapes(TABLED_GB.map(upright).to_vec()),
    );
    for speed in &study.speeds {
        let index = place(&speed.attention);
        let ratio = |budget: &f64| study.pooled_ratio(speed, *budget).unwrap_or(f64::NAN);
        chart.add_trace(
            Scatter::new(x.clone(), budgets.iter().map(ratio).collect())
                .mode(Mode::Lines)
                .line(Line::new().color(colour(index)).width(2.5).dash(dash(index)))
                .name(speed.attention.to_string()),
        );
        let matched: Vec<_> = study.ratios.iter().filter(|ratio| ratio.attention == speed.attention).collect();
        if study.rule == Rule::Right && !matched.is_empty() {
            // At the right edge, where they can be compared with the lines.
            chart.add_trace(
                Scatter::new(vec![x[x.len() - 1] * 1.15; matched.len()], matched.iter().map(|m| m.ratio).collect())
                    .mode(Mode::Markers)
                    .marker(Marker::new().color(colour(index)).size(9).symbol(marker_of(&speed.attention, true)))
                    .text_array(
                        matched
                            .iter()
                            .map(|m| format!("{}: {}×", m.slice.label(), number(m.ratio)))
                            .collect::<Vec<_>>(),
                    )
                    .hover_info(HoverInfo::Text)
                    .name(format!("{}, equal otherwise", speed.attention)),
            );
        }
    }
    Figure {
        id: "budget_ratio".to_owned(),
        title: ratio_title(study),
        caption: match study.rule {
            Rule::Right => {
                "Ratios of the totals. Where nearly everything is linear the ratio hardly depends on the budget. Markers at the right \
                 edge are ratios within one architecture (width, layers, heads, context), ranks and numbers of key/value heads pooled."
            }
            Rule::Original => "As first published; the ratio of two straight lines is one number.",
        }
        .to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}
