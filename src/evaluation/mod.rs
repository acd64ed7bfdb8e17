//! Predictions held against measurements, and the main job: fit, evaluate, validate.

mod errors;
mod study;
mod transfer;

pub use errors::{Errors, EvaluatedRow, MetricErrors};
pub use study::{ScenarioStudy, Study, StudyInput, StudyMember, ValidationErrors, run_study, worst_of};
pub use transfer::{Refit, TransferInput, TransferStudy, Variant, run_transfer};
