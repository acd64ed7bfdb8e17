//! The figures of the rank of latent attention, over all architectures and within each.

use plotly::Scatter;
use plotly::common::{HoverInfo, Line, Marker, MarkerSymbol, Mode, Position};
use plotly::layout::RangeMode;

use crate::insights::dial::{Dial, DialPoint, SliceDial, Spread};
use crate::insights::study::TableStudy;
use crate::insights::{CONFIDENCE, Rule};
use crate::number::{number, short};
use crate::report::html::figure::{Figure, INK, colour, dash, layout, plot};
use crate::report::html::insights::charts::{HEIGHT, band, banded, place, scaled};
use crate::report::tables::dial::{dial_cache_title, dial_loss_title, slice_loss_title, slice_title};

/// The pooled dial, and that of each architecture.
pub fn dial_figures(study: &TableStudy) -> Vec<Figure> {
    let mut figures = Vec::new();
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
