//! Measured runs against the model: the marks of predictions in figures.

use plotly::common::{DashType, HoverInfo, Line, Marker, MarkerSymbol, Mode};
use plotly::{Plot, Scatter};

use crate::comparison::{CompareGroup, DimensionStudy};
use crate::number::number;
use crate::report::html::figure::colour;
use crate::requests::Dimension;

/// The predictions of a latency in the unit that people read, with the names of their sides.
pub(super) fn predictions(study: &DimensionStudy, group: &CompareGroup) -> Vec<(usize, String, f64)> {
    let scale = study.dimension.scale();
    let sides = group.model.iter().zip(&group.sides).enumerate();
    sides
        .filter_map(|(index, (model, side))| {
            Some((index, side.name.clone(), model.as_ref()?.of(study.dimension)?.value * scale))
        })
        .collect()
}

/// Upright lines at the predictions of a latency, from 0 to `height`.
pub(super) fn add_upright(chart: &mut Plot, study: &DimensionStudy, group: &CompareGroup, height: f64) {
    for (index, name, value) in predictions(study, group) {
        chart.add_trace(
            Scatter::new(vec![value; 2], vec![0.0, height])
                .mode(Mode::Lines)
                .line(Line::new().color(colour(index)).width(2.5).dash(DashType::LongDashDot))
                .name(format!("{name}, predicted {}", number(value))),
        );
    }
}

/// The predicted TPOT of each side over the lengths of answers, or TTFT over those of prompts.
pub(super) fn add_curves(chart: &mut Plot, group: &CompareGroup, y: Dimension, ends: (f64, f64)) {
    for (index, (model, side)) in group.model.iter().zip(&group.sides).enumerate() {
        let Some(model) = model else { continue };
        let curve = match y {
            Dimension::TimeToFirstToken => model.ttft_over_input.clone(),
            _ => vec![(ends.0, model.tpot.value), (ends.1, model.tpot.value)],
        };
        chart.add_trace(
            Scatter::new(curve.iter().map(|p| p.0).collect(), curve.iter().map(|p| p.1 * y.scale()).collect())
                .mode(Mode::Lines)
                .line(Line::new().color(colour(index)).width(3.0).dash(DashType::LongDashDot))
                .name(format!("{}, predicted", side.name)),
        );
    }
}

/// A mark for a prediction.
pub(super) fn mark<X: serde::Serialize + Clone, Y: serde::Serialize + Clone>(
    x: Vec<X>,
    y: Vec<Y>,
    index: usize,
    name: &str,
) -> Box<Scatter<X, Y>> {
    Scatter::new(x, y)
        .mode(Mode::Markers)
        .marker(
            Marker::new()
                .color("white")
                .size(11)
                .symbol(MarkerSymbol::Diamond)
                .line(Line::new().color(colour(index)).width(2.5)),
        )
        .hover_info(HoverInfo::All)
        .name(format!("{name}, predicted"))
}
