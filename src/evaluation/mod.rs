//! Predictions held against measurements, and the main job: fit, evaluate, validate.

mod errors;
mod study;

pub use errors::{Errors, EvaluatedRow, MetricErrors};
pub use study::{Study, StudyInput, ValidationErrors, run_study};
