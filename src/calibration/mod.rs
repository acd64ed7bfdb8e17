//! Fitting an estimator's parameters to measurements.
//!
//! `loss` turns predictions into residuals, `optimiser` minimises their squares from several starts,
//! `identifiability` says how well the data fix each parameter, `validation` predicts rows that a fit did not see.

mod fit;
mod identifiability;
pub mod loss;
mod optimiser;
mod record;
mod validation;

pub use fit::{Fit, FitOptions, FittedParameter, StartResult, fit};
pub use identifiability::Flag;
pub use record::{CalibrationRecord, ErrorSummary, FittedOn, Provenance, RecordedErrors, RecordedParameter};
pub use validation::{Validation, validate};
