//! Predictions held against measurements, and the main job: fit, evaluate, validate; and whether errors got worse.
//!
//! ```
//! use perfmodel::calibration::{FitOptions, Provenance};
//! use perfmodel::dataset::read_measurements;
//! use perfmodel::estimator;
//! use perfmodel::evaluation::{StudyInput, StudyMember, run_study};
//! use perfmodel::spec::Catalog;
//! use perfmodel::workload::LoadKind;
//!
//! let catalog = Catalog::built_in();
//! let folder = catalog.scenario_folder("llama31_8b_fp8_tp1")?;
//! let member = StudyMember {
//!     id: folder.id.clone(),
//!     title: "an example".to_owned(),
//!     system: catalog.resolve(&folder)?.system,
//!     load: LoadKind::ClosedLoop,
//!     dataset: read_measurements(&folder.measured, LoadKind::ClosedLoop)?,
//!     provenance: Provenance::default(),
//!     campaign: 0,
//! };
//! let study = run_study(
//!     StudyInput {
//!         id: folder.id,
//!         members: vec![member],
//!         keep: vec!["concurrency<=50".parse()?],
//!         exclude: Vec::new(),
//!         estimator: estimator::by_name("serving")?,
//!         options: FitOptions::default(),
//!         validate: false, // `true` predicts each workload by a fit to the others
//!         leave_out: Vec::new(),
//!     },
//!     &|_done, _all| (),
//! )?;
//! for (what, errors) in study.scenarios[0].error_lines() {
//!     println!("{what}: TTFT {:.1} %, ITL {:.1} %", errors.ttft.mape_pct, errors.itl.mape_pct);
//! }
//! let [before, after] = study.together;
//! assert!(after.loss < before.loss);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

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
