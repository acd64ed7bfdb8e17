//! The default estimator: the serving model.

use super::{Estimator, Loss, Predictor};
use crate::dataset::Measurement;
use crate::engine::Efficiencies;
use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::prediction::{Part, Prediction};
use crate::serving::{Quantity, ServingModel, ServingParameters};
use crate::spec::System;
use crate::workload::{LoadKind, Workload};

/// See [`crate::serving`].
#[derive(Debug)]
pub struct Serving;

/// An ITL shorter than this share of the time in which the weights are read once needs more than one token a step.
const NEEDS_DRAFTS: f64 = 0.8;

/// An ITL so many times longer than the priors have it is no measurement of the system.
const UNLIKELY: f64 = 300.0;

/// A latency shorter than this share of it is no measurement of the system: no draft is so long.
const IMPOSSIBLE: f64 = 0.02;

struct Prepared {
    model: ServingModel,
    quantities: Vec<Quantity>,
    parameters: Vec<Parameter>,
    notes: Vec<String>,
}

impl Estimator for Serving {
    fn name(&self) -> &'static str {
        "serving"
    }

    fn summary(&self) -> &'static str {
        "roofline inside a closed-loop model of a continuously batching server"
    }

    fn loss(&self) -> Loss {
        Loss::SoftL1OfLogRatios { scale: 0.1, itl_weight: 2.0 }
    }

    fn prepare(&self, system: &System, load: LoadKind, rows: &[Measurement]) -> Result<Box<dyn Predictor>> {
        let model = ServingModel::new(system)?;
        let mut faster = 0;
        for row in rows {
            model.check(&row.workload).map_err(|error| error.line(row.line))?;
            let share = share_of_reading(&model, row)?;
            faster += usize::from(share < NEEDS_DRAFTS);
        }
        let notes = (faster > 0).then(|| {
            format!(
                "in {faster} of {} rows of {} the ITL is shorter than reading the weights once: speculative decoding, which the model \
                 does not know, or not the system that is named",
                rows.len(),
                system.title()
            )
        });
        let quantities = Quantity::relevant(system, load);
        let parameters = quantities.iter().map(|quantity| *quantity.parameter()).collect();
        Ok(Box::new(Prepared { model, quantities, parameters, notes: notes.into_iter().collect() }))
    }
}

/// A measured ITL over the time in which a step reads the weights, as the priors have it.
///
/// # Errors
/// It cannot have been measured.
fn share_of_reading(model: &ServingModel, row: &Measurement) -> Result<f64> {
    let expected = model.predict(&row.workload, &ServingParameters::default());
    let reading = expected.itl_parts.get(Part::Weights);
    for (what, latency) in [("an ITL", row.itl), ("a TTFT", row.ttft)] {
        if latency / reading < IMPOSSIBLE {
            return Err(Error::input(format!(
                "{what} of {:.3e} ms is {:.0} times shorter than reading the weights once, {:.3} ms",
                latency.as_ms(),
                reading / latency,
                reading.as_ms()
            ))
            .line(row.line)
            .help("are times in seconds? they must be in ms; else check model, hardware and precision"));
        }
    }
    if row.itl / expected.itl > UNLIKELY {
        return Err(Error::input(format!(
            "an ITL of {:.3e} ms is {:.0} times longer than the priors have it, {:.3} ms",
            row.itl.as_ms(),
            row.itl / expected.itl,
            expected.itl.as_ms()
        ))
        .line(row.line)
        .help("are times in microseconds? they must be in ms; else check model, hardware and precision"));
    }
    Ok(row.itl / reading)
}

impl Prepared {
    fn named(&self, values: &[f64]) -> ServingParameters {
        assert_eq!(values.len(), self.quantities.len(), "one value for each parameter");
        let mut parameters = ServingParameters::default();
        for (&quantity, &value) in self.quantities.iter().zip(values) {
            parameters.set(quantity, value);
        }
        parameters
    }
}

impl Predictor for Prepared {
    fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    fn predict(&self, workload: &Workload, values: &[f64]) -> Prediction {
        self.model.predict(workload, &self.named(values))
    }

    fn efficiencies(&self, values: &[f64]) -> Option<Efficiencies> {
        Some(self.model.efficiencies(&self.named(values)))
    }

    fn extra_columns(&self, _: &Measurement, _: &[f64]) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
