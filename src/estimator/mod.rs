//! Estimators: ways to predict, behind one trait. A new one is a file of this folder and a line in [`all`].
//!
//! ```
//! use perfmodel::estimator;
//! use perfmodel::spec::Catalog;
//! use perfmodel::workload::{LoadKind, Workload};
//!
//! let catalog = Catalog::built_in();
//! let system = catalog.resolve(&catalog.scenario_folder("llama31_8b_fp8_tp1")?)?.system;
//! let workload = Workload::new(1000.0, 200.0, 32.0)?;
//! for estimator in estimator::all() {
//!     let predictor = estimator.prepare(&system, LoadKind::ClosedLoop, &[])?;
//!     let values: Vec<f64> = predictor.parameters().iter().map(|parameter| parameter.default).collect();
//!     let prediction = predictor.predict(&workload, &values);
//!     println!("{}: TTFT {:.0} ms", estimator.name(), prediction.ttft.as_ms());
//!     assert!((prediction.ttft_parts.total() / prediction.ttft - 1.0).abs() < 1e-9);
//! }
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod notebook;
mod serving;

use crate::dataset::Measurement;
use crate::engine::Efficiencies;
use crate::error::{Result, named};
use crate::parameter::Parameter;
use crate::prediction::Prediction;
use crate::spec::System;
use crate::workload::{LoadKind, Workload};

/// What a fit of an estimator minimises.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Loss {
    /// Mean over all residuals r of `2s²(√(1 + (r/s)²) − 1)`, r = ln(predicted/measured) of TTFT and, times a weight,
    /// of ITL. Robust: a row that the physics cannot explain pulls linearly, not squared.
    SoftL1OfLogRatios {
        /// Scale s above which a residual counts linearly.
        scale: f64,
        /// Weight of ITL residuals against TTFT ones.
        itl_weight: f64,
    },
    /// Mean of the squared relative errors of TTFT and ITL together.
    MeanSquaredRelativeError,
}

/// A way to predict TTFT, ITL and throughput.
pub trait Estimator: std::fmt::Debug + Send + Sync {
    /// Name on the command line and in file paths.
    fn name(&self) -> &'static str;

    /// One line on what it is.
    fn summary(&self) -> &'static str;

    /// What a fit minimises.
    fn loss(&self) -> Loss;

    /// Prepares a system under a kind of load; the rows set bounds that depend on the workloads.
    ///
    /// # Errors
    /// The system or a row cannot be predicted (it does not fit the memory, a precision has no peak, the estimator does
    /// not know the load).
    fn prepare(&self, system: &System, load: LoadKind, rows: &[Measurement]) -> Result<Box<dyn Predictor>>;
}

/// An estimator prepared for one system.
pub trait Predictor: Send + Sync {
    /// Its parameters; every vector of values follows this order.
    fn parameters(&self) -> &[Parameter];

    /// Predicts a workload.
    ///
    /// # Panics
    /// `values` has another length than [`Predictor::parameters`].
    fn predict(&self, workload: &Workload, values: &[f64]) -> Prediction;

    /// What the steps reach of the roofs at these values; `None` if the estimator does not put steps together from operators.
    fn efficiencies(&self, _values: &[f64]) -> Option<Efficiencies> {
        None
    }

    /// Columns of `evaluation.csv` that only this estimator has.
    fn extra_columns(&self, row: &Measurement, values: &[f64]) -> Vec<(&'static str, f64)>;

    /// What a reader of its results must know, one sentence each.
    fn notes(&self) -> Vec<String>;
}

/// All estimators, the default first.
pub fn all() -> [&'static dyn Estimator; 2] {
    [&serving::Serving, &notebook::Notebook]
}

/// An estimator by its name.
///
/// # Errors
/// There is none of that name.
pub fn by_name(name: &str) -> Result<&'static dyn Estimator> {
    named(&all(), Estimator::name, name, "there is no estimator")
}
