//! The figures of a table of runs: loss against cache, speed at a budget, and the dial of latent attention.

use plotly::common::{DashType, Fill, HoverInfo, Line, LineShape, Marker, MarkerSymbol, Mode, Position, SizeMode};
use plotly::layout::{Axis, AxisType, RangeMode, Shape, ShapeLine, ShapeType, TraceOrder};
use plotly::{Plot, Scatter};

use super::charts::short;
use super::figure::{Figure, INK, colour, dash, layout, legend, plain_axis, plot, translucent};
use super::insights_tables::{
    TABLED_GB, budget_title, dial_cache_title, dial_loss_title, front_title, ratio_title, slice_loss_title, slice_title,
};
use super::number::{number, number_or_dash};
use crate::insights::budget::budgets_mb;
use crate::insights::dial::{Dial, DialPoint, SliceDial, Spread};
use crate::insights::study::TableStudy;
use crate::insights::{AttentionType, CONFIDENCE, Panel, Rule, Run};

const HEIGHT: usize = 520;
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

/// The figures of the page.
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
    if let Some(dial) = &study.dial {
        figures.push(dial_figure(dial, study.rule, Measure::Loss));
        figures.push(dial_figure(dial, study.rule, Measure::Cache));
    }
    if study.rule == Rule::Right {
        for slice in &study.slices {
            figures.push(slice_figure(slice));
            if !slice.losses.is_empty() {
                figures.push(slice_loss(slice));
            }
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
fn banded() -> plotly::Layout {
    layout(HEIGHT).legend(legend().trace_order(TraceOrder::Normal))
}

/// A band between two lines in the colour of a series.
fn band(chart: &mut Plot, x: &[f64], low: Vec<f64>, high: Vec<f64>, index: usize) {
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
        let ratio = |budget: &f64| super::insights_tables::pooled_ratio(study, speed, *budget).unwrap_or(f64::NAN);
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

/// What is drawn over the dial.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    Loss,
    Cache,
}

fn dial_figure(dial: &Dial, rule: Rule, measure: Measure) -> Figure {
    let value = |point: &DialPoint| -> Option<Spread> {
        match measure {
            Measure::Loss => point.loss,
            Measure::Cache => point.cache,
        }
    };
    // A rank without a value is a gap in the line.
    let part = |part: fn(&Spread) -> f64| -> Vec<f64> {
        dial.points.iter().map(|point| value(point).map_or(f64::NAN, |spread| part(&spread))).collect()
    };
    let x: Vec<f64> = dial.points.iter().map(|point| point.rank).collect();
    let (title, axis, share) = match measure {
        Measure::Loss => (dial_loss_title(dial), "validation loss, nats per token", 0.03),
        Measure::Cache => (dial_cache_title(dial, rule), "KV cache of one sequence, MB (32 bit)", 0.15),
    };
    let mut chart =
        plot(layout(HEIGHT).x_axis(scaled("down_dim_kv, rank of the latent", false)).y_axis(scaled(axis, false)));
    // Bands end at gaps.
    for stretch in stretches(&part(|s| s.mean)) {
        let cut = |values: Vec<f64>| values[stretch.clone()].to_vec();
        band(&mut chart, &x[stretch.clone()], cut(part(|s| s.low)), cut(part(|s| s.high)), 0);
    }
    let counts = dial.points.iter().map(|point| format!("n={}", point.count)).collect::<Vec<_>>();
    chart.add_trace(
        Scatter::new(x.clone(), part(|s| s.mean))
            .mode(Mode::LinesMarkersText)
            .connect_gaps(false)
            .line(Line::new().color(colour(0)).width(2.5))
            .marker(Marker::new().color(colour(0)).size(8))
            .text_array(counts)
            .text_position(Position::TopCenter)
            .name("MLA, mean (band: smallest to largest)"),
    );
    let (first, last) = (0.8 * x[0], 1.2 * x[x.len() - 1]);
    for reference in &dial.references {
        let Some(height) = (match measure {
            Measure::Loss => reference.loss,
            Measure::Cache => reference.cache,
        }) else {
            continue;
        };
        let index = place(&reference.attention);
        if rule == Rule::Original {
            let edge = |factor: f64| vec![height * factor; 2];
            band(&mut chart, &[first, last], edge(1.0 - share), edge(1.0 + share), index);
        }
        chart.add_trace(
            Scatter::new(vec![first, last], vec![height; 2])
                .mode(Mode::Lines)
                .line(Line::new().color(colour(index)).width(2.0).dash(dash(index)))
                .name(format!("{}, median", reference.attention)),
        );
        if measure == Measure::Cache {
            let at = dial.meets(height, rule);
            chart.add_trace(crossing_markers(&at, height, index, &reference.attention.to_string()));
        }
    }
    Figure {
        id: if measure == Measure::Loss { "dial_loss" } else { "dial_cache" }.to_owned(),
        title,
        caption: match rule {
            Rule::Right => {
                "All dense runs pooled, so the means mix width, depth, context and the width of the rotary key; within one \
                 architecture see below."
            }
            Rule::Original => "As first published: the crossing is the largest rank whose mean cache is no larger.",
        }
        .to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

/// Ranges of indices without a gap, of two values at least.
fn stretches(values: &[f64]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for (index, value) in values.iter().chain([&f64::NAN]).enumerate() {
        if value.is_nan() {
            if index - start > 1 {
                found.push(start..index);
            }
            start = index + 1;
        }
    }
    found
}

fn crossing_markers(at: &[f64], height: f64, index: usize, name: &str) -> Box<Scatter<f64, f64>> {
    Scatter::new(at.to_vec(), vec![height; at.len()])
        .mode(Mode::MarkersText)
        .marker(Marker::new().color(INK).size(11).symbol(MarkerSymbol::XThin).line(Line::new().color(INK).width(2.0)))
        .text_array(at.iter().map(|at| number(*at)).collect::<Vec<_>>())
        .text_position(Position::BottomRight)
        .name(format!("meets {name}"))
        .legend_group(format!("{index}"))
        .show_legend(false)
}

/// The loss of one architecture over the rank, with a line and its band where there are runs enough.
fn slice_loss(dial: &SliceDial) -> Figure {
    let mut chart = plot(
        banded()
            .x_axis(scaled("down_dim_kv, rank of the latent", false))
            .y_axis(scaled("validation loss, nats per token", false)),
    );
    let (first, last) = dial.losses.iter().fold((f64::MAX, 0.0_f64), |(a, b), p| (a.min(p.0), b.max(p.0)));
    if let Some(line) = dial.loss_line {
        let places: Vec<f64> = (0..=40).map(|k| first + (last - first) * f64::from(k) / 40.0).collect();
        let reach = |x: f64| line.height_reach(x, CONFIDENCE).unwrap_or(f64::NAN);
        let edge = |side: f64| places.iter().map(|x| line.at(*x) + side * reach(*x)).collect::<Vec<_>>();
        band(&mut chart, &places, edge(-1.0), edge(1.0), 0);
        chart.add_trace(
            Scatter::new(places.clone(), places.iter().map(|x| line.at(*x)).collect())
                .mode(Mode::Lines)
                .line(Line::new().color(colour(0)).width(2.0))
                .name(format!("least squares, n = {} (band: 95 %)", line.count)),
        );
    }
    chart.add_trace(
        Scatter::new(dial.losses.iter().map(|p| p.0).collect(), dial.losses.iter().map(|p| p.1).collect())
            .mode(Mode::Markers)
            .marker(Marker::new().color(colour(0)).size(9))
            .name("MLA, a run each"),
    );
    Figure {
        id: format!("loss_d{}_l{}_h{}_s{}", dial.slice.dim, dial.slice.layers, dial.slice.heads, dial.slice.context),
        title: slice_loss_title(dial),
        caption: "Runs of one width, depth, number of heads and context; nothing else is held equal but what the table tells.".to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

/// The cache of one architecture in elements, where the dial is a straight line.
fn slice_figure(dial: &SliceDial) -> Figure {
    let mut chart = plot(
        layout(HEIGHT)
            .x_axis(scaled("down_dim_kv, rank of the latent", false))
            .y_axis(scaled("elements of the cache per token and layer", false).range_mode(RangeMode::ToZero)),
    );
    let with_cache: Vec<(&DialPoint, f64)> =
        dial.points.iter().filter_map(|point| Some((point, dial.slice.elements(point.cache?.mean)))).collect();
    let texts = with_cache.iter().map(|(point, elements)| {
        let loss = point.loss.map_or_else(|| "no loss".to_owned(), |loss| format!("mean loss {:.3}", loss.mean));
        format!("rank {}, {} elements<br>{loss} (n={})", short(point.rank), number(*elements), point.count)
    });
    chart.add_trace(
        Scatter::new(with_cache.iter().map(|p| p.0.rank).collect(), with_cache.iter().map(|p| p.1).collect())
            .mode(Mode::LinesMarkersText)
            .line(Line::new().color(colour(0)).width(2.0))
            .marker(Marker::new().color(colour(0)).size(9))
            .text_array(with_cache.iter().map(|(point, _)| format!("n={}", point.count)).collect::<Vec<_>>())
            .text_position(Position::TopLeft)
            .hover_text_array(texts.collect::<Vec<_>>())
            .hover_info(HoverInfo::Text)
            .name("MLA (n: runs with a loss)"),
    );
    let farthest = dial.equal.iter().filter_map(|equal| equal.rank);
    let last = farthest.chain(with_cache.iter().map(|p| p.0.rank)).fold(0.0, f64::max) * 1.1;
    for (nth, equal) in dial.equal.iter().enumerate() {
        let index = place(&equal.attention);
        let name = format!("{}, {} key/value heads", equal.attention, short(equal.kv_heads));
        chart.add_trace(
            Scatter::new(vec![0.0, last], vec![equal.elements; 2])
                .mode(Mode::Lines)
                .line(Line::new().color(colour(index)).width(2.0).dash(dash(index + nth)))
                .name(&name),
        );
        chart.add_trace(crossing_markers(&equal.crossings, equal.elements, index, &name));
        if let Some(rank) = equal.rank.filter(|_| equal.crossings.is_empty()) {
            chart.add_trace(
                Scatter::new(vec![rank], vec![equal.elements])
                    .mode(Mode::MarkersText)
                    .marker(Marker::new().color(INK).size(10).symbol(MarkerSymbol::CircleOpen))
                    .text_array(vec![format!("{} by algebra", short(rank))])
                    .text_position(Position::BottomLeft)
                    .show_legend(false)
                    .name(&name),
            );
        }
    }
    Figure {
        id: format!("dial_d{}_l{}_h{}_s{}", dial.slice.dim, dial.slice.layers, dial.slice.heads, dial.slice.context),
        title: slice_title(dial),
        caption: "One architecture: caches over layers, context and 4 bytes. Crosses are where the runs meet other attention, by \
                  linear interpolation; open circles where 2·K·h − rope says they would."
            .to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}
