//! Measured runs against the model, for terminals and pages.

use crate::comparison::{CompareGroup, CompareReport, DimensionStudy, Predicted};
use crate::number::{number, short, with_sign};
use crate::report::tables::ReportTable;

/// Every latency of a group that is both predicted and measured: side, prediction, median and mean in the unit that people read.
fn held(group: &CompareGroup) -> impl Iterator<Item = (usize, &DimensionStudy, Predicted, f64, f64)> {
    group.comparison.dimensions.iter().flat_map(move |study| {
        group.model.iter().enumerate().filter_map(move |(index, model)| {
            let predicted = model.as_ref()?.of(study.dimension)?;
            let sample = study.sides[index].as_ref()?;
            Some((index, study, predicted, sample.box_figure.median, sample.moments.mean))
        })
    })
}

/// Predictions beside measurements, with their errors; `None` where no system is named.
pub fn model_table(report: &CompareReport) -> Option<ReportTable> {
    report.model.as_ref()?;
    let names = [
        "run",
        "clients",
        "median input",
        "mean output",
        "latency",
        "predicted ms",
        "interval",
        "median",
        "error %",
        "mean",
        "error %",
    ];
    let mut rows = Vec::new();
    for group in &report.groups {
        let mut found: Vec<_> = held(group).collect();
        found.sort_by_key(|(index, ..)| *index);
        for (index, study, predicted, median, mean) in found {
            let Some(model) = &group.model[index] else { continue };
            let scale = study.dimension.scale();
            rows.push(vec![
                group.sides[index].name.clone(),
                model.asked.clients.to_string(),
                short(model.asked.input_tokens),
                short(model.asked.output_tokens),
                study.dimension.label().to_owned(),
                number(predicted.value * scale),
                format!("{} … {}", number(predicted.low * scale), number(predicted.high * scale)),
                number(median * scale),
                with_sign(predicted.error_pct(median), 1),
                number(mean * scale),
                with_sign(predicted.error_pct(mean), 1),
            ]);
        }
    }
    Some(ReportTable { header: names.iter().map(|name| (*name).to_owned()).collect(), rows })
}

/// What was held against what, in a sentence.
pub fn model_title(report: &CompareReport) -> Option<String> {
    let model = report.model.as_ref()?;
    Some(format!("Against the model: {}, from {}", model.title, model.basis))
}
