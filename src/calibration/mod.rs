//! Fitting an estimator's parameters to measurements, and carrying them to systems that were not measured.
//!
//! `problem` says which parameters several systems share, `loss` turns predictions into residuals, `objective` adds those of
//! priors, `optimiser` minimises their squares from one start, and `solve` from several; `identifiability` says how well the data
//! fix each parameter. `validation` predicts rows that a fit did not see, and `groups` systems; `propagation` and `interval` say
//! how far a prediction can be trusted. `record` is what remains of a fit, and `transfer` what it says of another system.
//!
//! ```
//! use perfmodel::calibration::{FitOptions, Member, fit};
//! use perfmodel::dataset::read_measurements;
//! use perfmodel::estimator;
//! use perfmodel::spec::Catalog;
//! use perfmodel::workload::LoadKind;
//!
//! let catalog = Catalog::built_in();
//! let folder = catalog.scenario_folder("llama31_8b_fp8_tp1")?;
//! let (scenario, data) = (catalog.resolve(&folder)?, read_measurements(&folder.measured, LoadKind::ClosedLoop)?);
//! let (system, load) = (&scenario.system, LoadKind::ClosedLoop);
//! let member = Member { id: &scenario.id, system, load, rows: &data.rows, campaign: 0 };
//! let fitted = fit(estimator::by_name("serving")?, &[member], &FitOptions::default())?;
//! for p in &fitted.parameters {
//!     println!("{:24} {:10.4} {}", p.parameter.name, p.value, p.flag.name());
//! }
//! assert!(fitted.converged && fitted.loss < fitted.baseline_loss); // better than the priors
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod errors;
mod fit;
mod groups;
mod identifiability;
mod interval;
mod left_out;
pub mod loss;
mod objective;
mod optimiser;
mod problem;
mod propagation;
mod record;
mod solution;
mod solve;
mod transfer;
mod validation;

pub use errors::{ErrorSummary, RecordedErrors};
pub use fit::{Fit, FittedMember, fit};
pub use groups::{GroupKind, LeftOutGroup, leave_groups_out};
pub use identifiability::Flag;
pub use interval::{CoveredRow, Interval, LEVEL, Regime, Scatter, Uncertainty, coverage_pct, covered, regime};
pub use left_out::{LeftOut, LeftOutRows};
pub use problem::{Member, Slot};
pub use propagation::{Sides, Spread};
pub use record::{CalibrationRecord, Coverage, FittedScenario, Provenance, RecordedParameter, ScenarioData};
pub use solution::{FitOptions, FittedParameter, Solution, StartResult};
pub use solve::solve;
pub use transfer::{Origin, Outside, Target, Transferred, nearest_inside, system_outside, workload_outside};
pub use validation::{Validation, validate};
