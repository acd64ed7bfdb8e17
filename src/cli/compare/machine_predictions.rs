//! The system that runs are held against and what it predicts, as JSON.

use serde::Serialize;

use crate::app::{ResolvedSystem, SystemAnswer};
use crate::comparison::{CompareGroup, CompareReport, ModelLatencies};
use crate::requests::Dimension;

/// The system that the runs are held against.
#[derive(Debug, Serialize)]
pub struct ModelOutput<'a> {
    #[serde(flatten)]
    target: SystemAnswer,
    cautions: &'a [String],
}

/// What the model predicts for a side.
#[derive(Debug, Serialize)]
pub struct PredictionOutput {
    side: String,
    clients: u32,
    input_tokens: f64,
    output_tokens: f64,
    latencies: Vec<LatencyOutput>,
}

#[derive(Debug, Serialize)]
struct LatencyOutput {
    dimension: &'static str,
    predicted: f64,
    low: f64,
    high: f64,
    median_error_pct: Option<f64>,
    mean_error_pct: Option<f64>,
}

/// The system of a report that has one.
pub fn model<'a>(report: &'a CompareReport, target: Option<&'a ResolvedSystem>) -> Option<ModelOutput<'a>> {
    let model = report.model.as_ref()?;
    Some(ModelOutput { target: target?.answer(), cautions: &model.cautions })
}

/// What the model predicts for each side of a group.
pub fn predictions(group: &CompareGroup) -> Vec<Option<PredictionOutput>> {
    let of_side = |(index, model): (usize, &Option<ModelLatencies>)| {
        let model = model.as_ref()?;
        let latencies = Dimension::LATENCIES.iter().filter_map(|dimension| {
            let predicted = model.of(*dimension)?;
            let study = group.comparison.dimensions.iter().find(|study| study.dimension == *dimension);
            let sample = study.and_then(|study| study.sides[index].as_ref());
            Some(LatencyOutput {
                dimension: dimension.name(),
                predicted: predicted.value,
                low: predicted.low,
                high: predicted.high,
                median_error_pct: sample.map(|sample| predicted.error_pct(sample.box_figure.median)),
                mean_error_pct: sample.map(|sample| predicted.error_pct(sample.moments.mean)),
            })
        });
        Some(PredictionOutput {
            side: group.sides[index].name.clone(),
            clients: model.asked.clients,
            input_tokens: model.asked.input_tokens,
            output_tokens: model.asked.output_tokens,
            latencies: latencies.collect(),
        })
    };
    group.model.iter().enumerate().map(of_side).collect()
}
