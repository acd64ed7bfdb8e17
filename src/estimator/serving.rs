//! The default estimator: the serving model.

use super::{Estimator, Loss, Predictor};
use crate::dataset::Measurement;
use crate::error::Result;
use crate::parameter::Parameter;
use crate::prediction::Prediction;
use crate::roofline::Efficiencies;
use crate::serving::{Quantity, ServingModel, ServingParameters};
use crate::spec::System;
use crate::workload::{LoadKind, Workload};

/// See [`crate::serving`].
pub struct Serving;

struct Prepared {
    model: ServingModel,
    quantities: Vec<Quantity>,
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

    fn prepare(&self, system: &System, load: LoadKind, rows: &[Measurement]) -> Result<Box<dyn Predictor>> {
        let model = ServingModel::new(system)?;
        for row in rows {
            model.check(&row.workload).map_err(|error| error.line(row.line))?;
        }
        let quantities = Quantity::relevant(system, load);
        let parameters = quantities.iter().map(|quantity| *quantity.parameter()).collect();
        Ok(Box::new(Prepared { model, quantities, parameters }))
    }
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
        Vec::new()
    }
}
