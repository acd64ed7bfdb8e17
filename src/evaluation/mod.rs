//! Predictions held against measurements, and the main job: fit, evaluate, validate; and whether errors got worse.

mod check;
mod errors;
pub mod live;
mod run;
mod study;
mod transfer;

pub use check::{
    CheckConfig, CheckInput, CheckMode, CheckReport, CheckSettings, Comparison, LimitKind, Limits, Metric,
    ScenarioCheck, run_check, signed,
};
pub use errors::{Errors, EvaluatedRow, MetricErrors};
pub use run::run_study;
pub use study::{GroupErrors, ScenarioStudy, Study, StudyInput, StudyMember, ValidationErrors, worst_of};
pub use transfer::{Refit, TransferInput, TransferStudy, Variant, run_transfer};
