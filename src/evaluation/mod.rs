//! Predictions held against measurements, and the main job: fit, evaluate, validate.

mod errors;
mod run;
mod study;
mod transfer;

pub use errors::{Errors, EvaluatedRow, MetricErrors};
pub use run::run_study;
pub use study::{GroupErrors, ScenarioStudy, Study, StudyInput, StudyMember, ValidationErrors, worst_of};
pub use transfer::{Refit, TransferInput, TransferStudy, Variant, run_transfer};
