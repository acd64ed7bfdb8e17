//! The default estimator: the closed-loop serving model.

use super::{Estimator, Loss, Parameter, Predictor, Scale};
use crate::dataset::Measurement;
use crate::error::Result;
use crate::prediction::Prediction;
use crate::serving::{SERVING_PARAMETERS, ServingModel, ServingParameters};
use crate::spec::System;
use crate::workload::Workload;

/// See [`crate::serving`].
pub struct Serving;

struct Prepared {
    model: ServingModel,
    parameters: Vec<Parameter>,
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

    fn prepare(&self, system: &System, rows: &[Measurement]) -> Result<Box<dyn Predictor>> {
        let model = ServingModel::new(system)?;
        for row in rows {
            model.check(&row.workload).map_err(|error| error.line(row.line))?;
        }
        let parameters = SERVING_PARAMETERS
            .iter()
            .map(|p| Parameter {
                name: p.name,
                unit: p.unit,
                lower: p.bounds.0,
                upper: p.bounds.1,
                least: p.least,
                default: p.default,
                fitted: true,
                scale: Scale::Log,
                meaning: p.meaning,
            })
            .collect();
        Ok(Box::new(Prepared { model, parameters }))
    }
}

impl Predictor for Prepared {
    fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    fn predict(&self, workload: &Workload, values: &[f64]) -> Prediction {
        let values = values.try_into().expect("one value for each parameter");
        self.model.predict(workload, &ServingParameters::from_vector(values))
    }

    fn extra_columns(&self, _: &Measurement, _: &[f64]) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}
