//! The figures of measured steps over the batch.

use plotly::common::{DashType, HoverInfo, Line, Marker, Mode};
use plotly::layout::RangeMode;
use plotly::{Plot, Scatter};

use crate::insights::SweepTable;
use crate::insights::sweep::Growth;
use crate::number::{number, short};
use crate::report::html::figure::{Figure, axis, colour, layout, plot, symbol};
use crate::report::html::insights::variants::HEIGHT;
use crate::report::tables::variants::{series_name, sweep_title};

/// Steps of a line beyond what was measured go this factor further.
const BEYOND: f64 = 16.0;

/// Measured steps with their lines, and the totals that follow.
pub fn sweep_figures(sweep: &SweepTable) -> Vec<Figure> {
    let points = || sweep.series.iter().flat_map(|series| &series.points);
    if points().next().is_none() {
        return Vec::new();
    }
    let x = || points().map(|point| point.batch);
    let mut steps = plot(
        layout(HEIGHT)
            .x_axis(axis("sequences", x()))
            .y_axis(axis("decode step, ms", points().map(|point| point.step_ms)).range_mode(RangeMode::ToZero)),
    );
    let totals_y = points().map(|point| 1e3 * point.batch / point.step_ms);
    let mut totals = plot(layout(HEIGHT).x_axis(axis("sequences", x())).y_axis(axis("total tokens/s", totals_y)));
    for (index, series) in sweep.series.iter().enumerate() {
        let name = series_name(series);
        let batches: Vec<f64> = series.points.iter().map(|point| point.batch).collect();
        let measured = |y: Vec<f64>| {
            Scatter::new(batches.clone(), y)
                .mode(Mode::Markers)
                .marker(Marker::new().color(colour(index)).size(8).symbol(symbol(index)))
                .name(&name)
                .legend_group(&name)
        };
        steps.add_trace(measured(series.points.iter().map(|point| point.step_ms).collect()));
        totals.add_trace(measured(series.points.iter().map(|point| 1e3 * point.batch / point.step_ms).collect()));
        let (Some(fit), Some(first), Some(last)) = (series.fit, batches.first(), batches.last()) else { continue };
        // Beyond what was measured, a line that does not grow says nothing.
        let mut parts = vec![(*first, *last, DashType::Solid)];
        if fit.growth == Growth::Grows {
            parts.push((*last, last * BEYOND, DashType::Dot));
        }
        for (from, to, dash) in parts {
            let places: Vec<f64> = (0..=40).map(|k| from * (to / from).powf(f64::from(k) / 40.0)).collect();
            let drawn = |y: Vec<f64>, dash: DashType| {
                Scatter::new(places.clone(), y)
                    .mode(Mode::Lines)
                    .line(Line::new().color(colour(index)).width(1.8).dash(dash))
                    .legend_group(&name)
                    .show_legend(false)
                    .hover_info(HoverInfo::Skip)
            };
            steps.add_trace(drawn(places.iter().map(|batch| fit.line.at(*batch)).collect(), dash.clone()));
            totals.add_trace(drawn(places.iter().map(|batch| 1e3 * batch / fit.line.at(*batch)).collect(), dash));
        }
    }
    let most = sweep
        .series
        .iter()
        .flat_map(|series| series.points.iter().map(move |point| (series, point, 1e3 * point.batch / point.step_ms)))
        .max_by(|a, b| a.2.total_cmp(&b.2));
    let most = most.map_or_else(String::new, |(series, point, total)| {
        format!(
            "Most measured: {} tokens/s, {} with {} sequences",
            number(total),
            series_name(series),
            short(point.batch)
        )
    });
    let figure = |id: &str, title: String, caption: &str, plot: Plot| Figure {
        id: id.to_owned(),
        title,
        caption: caption.to_owned(),
        height: HEIGHT,
        wide: false,
        plot,
    };
    vec![
        figure(
            "sweep_steps",
            sweep_title(sweep),
            "Markers are measured medians, solid lines t(B) = a + b·B by least squares; dotted they go on beyond the measurements, where \
             the slope is told from none with 95 % confidence.",
            steps,
        ),
        figure("sweep_totals", most, "Batch over step; lines as above.", totals),
    ]
}
