//! Compared runs held against the model.

use serde::Serialize;

use crate::app::predict::cautions;
use crate::app::{ResolvedSystem, SystemAnswer};
use crate::calibration::Interval;
use crate::comparison::{Asked, CompareGroup, CompareReport, HeldModel, ModelLatencies, Predicted};
use crate::error::Result;
use crate::forecast::{Capacity, Forecast, Forecaster};
use crate::requests::Dimension;
use crate::units::Seconds;
use crate::workload::{LoadKind, Workload};

/// Lengths of prompts at which TTFT is predicted for the scatter.
const LENGTHS: u32 = 24;

/// The system that the runs are held against.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HeldModelAnswer {
    /// The system and its calibration.
    #[serde(flatten)]
    pub system: SystemAnswer,
    /// What a reader must know of the predictions.
    pub cautions: Vec<String>,
}

/// What the model predicts for a side.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PredictionAnswer {
    /// The side.
    pub side: String,
    /// Clients under which it is predicted.
    pub clients: u32,
    /// Median length of its prompts.
    pub input_tokens: f64,
    /// Mean length of its answers.
    pub output_tokens: f64,
    /// Its latencies.
    pub latencies: Vec<LatencyAnswer>,
}

/// A predicted latency.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LatencyAnswer {
    /// Which.
    pub dimension: Dimension,
    /// The prediction.
    pub predicted: f64,
    /// Lower end of its 90 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Its error against the measured median; null where nothing was measured.
    pub median_error_pct: Option<f64>,
    /// Its error against the measured mean.
    pub mean_error_pct: Option<f64>,
}

/// The system of a report that has one.
pub(super) fn held_model(report: &CompareReport, target: Option<&ResolvedSystem>) -> Option<HeldModelAnswer> {
    let model = report.model.as_ref()?;
    Some(HeldModelAnswer { system: target?.answer(), cautions: model.cautions.clone() })
}

/// What the model predicts for each side of a group.
pub(super) fn predictions(group: &CompareGroup) -> Vec<Option<PredictionAnswer>> {
    let of_side = |(index, model): (usize, &Option<ModelLatencies>)| {
        let model = model.as_ref()?;
        let latencies = Dimension::LATENCIES.iter().filter_map(|dimension| {
            let predicted = model.of(*dimension)?;
            let study = group.comparison.dimensions.iter().find(|study| study.dimension == *dimension);
            let sample = study.and_then(|study| study.sides[index].as_ref());
            Some(LatencyAnswer {
                dimension: *dimension,
                predicted: predicted.value,
                low: predicted.low,
                high: predicted.high,
                median_error_pct: sample.map(|sample| predicted.error_pct(sample.box_figure.median)),
                mean_error_pct: sample.map(|sample| predicted.error_pct(sample.moments.mean)),
            })
        });
        Some(PredictionAnswer {
            side: group.sides[index].name.clone(),
            clients: model.asked.clients,
            input_tokens: model.asked.input_tokens,
            output_tokens: model.asked.output_tokens,
            latencies: latencies.collect(),
        })
    };
    group.model.iter().enumerate().map(of_side).collect()
}

/// Predicts every side of a report under its own workload; a side that cannot be is a caution.
///
/// # Errors
/// The system cannot be predicted.
pub(super) fn hold(report: &mut CompareReport, target: &ResolvedSystem) -> Result<()> {
    let forecaster = target.forecaster(LoadKind::ClosedLoop)?;
    let capacity = Capacity::of(&target.system, &forecaster)?;
    let mut workloads = Vec::new();
    let mut unheld = Vec::new();
    for group in &mut report.groups {
        for side in &group.sides {
            let predicted = Asked::of(side).and_then(|asked| {
                predict(&forecaster, &capacity, asked, &mut workloads)
                    .map_err(|error| format!("{}: {}", side.name, error.message()))
            });
            if let Err(why) = &predicted {
                unheld.push(format!("not held against the model, {why}"));
            }
            group.model.push(predicted.ok());
        }
    }
    unheld.extend(cautions(target, &forecaster, &workloads));
    report.model = Some(HeldModel { title: target.title.clone(), basis: target.basis(), cautions: unheld });
    Ok(())
}

fn predict(
    forecaster: &Forecaster,
    capacity: &Capacity,
    asked: Asked,
    workloads: &mut Vec<Workload>,
) -> Result<ModelLatencies> {
    let at = |input: f64| Workload::new(input, asked.output_tokens, f64::from(asked.clients));
    let workload = at(asked.input_tokens)?;
    capacity.check(&workload)?;
    workloads.push(workload);
    let forecast: Forecast = forecaster.forecast(&workload);
    let (first, last) = asked.input_range;
    let mut ttft_over_input = Vec::new();
    for k in 0..LENGTHS {
        let input = first + (last - first) * f64::from(k) / f64::from(LENGTHS - 1);
        ttft_over_input.push((input, forecaster.forecast(&at(input)?).prediction.ttft.get()));
    }
    let ends = |value: Seconds, interval: Interval| Predicted {
        value: value.get(),
        low: interval.low.get(),
        high: interval.high.get(),
    };
    Ok(ModelLatencies {
        asked,
        ttft: ends(forecast.prediction.ttft, forecast.ttft),
        tpot: ends(forecast.prediction.itl, forecast.itl),
        ttlt: ends(forecast.end_to_end(), forecast.end_to_end_interval()),
        ttft_over_input,
    })
}
