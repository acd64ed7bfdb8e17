//! Fitting an estimator's parameters to measurements, and carrying them to systems that were not measured.
//!
//! `problem` says which parameters several systems share, `loss` turns predictions into residuals, `optimiser` minimises
//! their squares from several starts, `identifiability` says how well the data fix each parameter, `validation` predicts
//! rows that a fit did not see and `groups` systems, `propagation` and `interval` say how far a prediction can be trusted, `record` is what remains of a fit,
//! and `transfer` what it says of another system.

mod errors;
mod fit;
mod groups;
mod identifiability;
mod interval;
pub mod loss;
mod optimiser;
mod problem;
mod propagation;
mod record;
mod solve;
mod transfer;
mod validation;

pub use errors::{ErrorSummary, RecordedErrors};
pub use fit::{Fit, fit};
pub use groups::{GroupKind, LeftOutGroup, leave_groups_out};
pub use identifiability::Flag;
pub use interval::{CoveredRow, Interval, LEVEL, Regime, Scatter, Uncertainty, coverage_pct, covered, regime};
pub use problem::{Member, Problem, Slot};
pub use propagation::{Sides, Spread};
pub use record::{CalibrationRecord, Coverage, FittedScenario, Provenance, RecordedParameter, ScenarioData};
pub use solve::{FitOptions, FittedParameter, Solution, StartResult, solve};
pub use transfer::{Origin, Outside, Target, Transferred, nearest_inside, system_outside, workload_outside};
pub use validation::{LeftOut, Validation, validate};
