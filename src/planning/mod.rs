//! Which devices, how many and how arranged serve a demand within a service-level objective, and at what cost.
//!
//! A placement is a model on a tensor-parallel group of devices at given precisions; a configuration is a number of equal
//! replicas of it that share the demand evenly. [`plan`] searches all of them, [`front`] finds those that no other beats.
//!
//! ```
//! use perfmodel::estimator;
//! use perfmodel::planning::{Placement, Question, Slo, plan};
//! use perfmodel::spec::{Catalog, System};
//! use perfmodel::units::Seconds;
//! use perfmodel::workload::Workload;
//!
//! let catalog = Catalog::built_in();
//! let known = catalog.resolve(&catalog.scenario_folder("llama31_8b_fp8_tp1")?)?.system;
//! let mut placements = Vec::new();
//! for id in ["l40s_48gb", "h100_sxm_80gb"] {
//!     let hardware = catalog.hardware(id)?;
//!     let usd_per_gpu_hour = hardware.price.as_ref().map(|price| price.usd_per_gpu_hour);
//!     let system = System::new(hardware, known.model().clone(), *known.deployment())?;
//!     placements.push(Placement { hardware: id.to_owned(), system, usd_per_gpu_hour });
//! }
//! let question = Question {
//!     demand: Workload::new(1000.0, 200.0, 64.0)?,
//!     slo: Slo { ttft: Some(Seconds::from_ms(2000.0)), itl: Some(Seconds::from_ms(40.0)), ..Slo::default() },
//!     replicas: (1..=8).collect(),
//!     most_gpus: 8,
//!     estimator: estimator::by_name("serving")?,
//!     calibration: None,
//!     scenario: None,
//!     campaign: None,
//!     given: Vec::new(),
//! };
//! let plan = plan(placements, &question, &|_, _| ())?;
//! let fittings: Vec<_> = plan.options.iter().filter_map(|option| option.fitting()).collect();
//! assert!(!fittings.is_empty() && fittings.is_sorted_by_key(|fitting| fitting.configuration.usd_per_hour));
//! // The limits hold at the far ends of the intervals.
//! assert!(fittings.iter().all(|fitting| question.slo.is_met(&fitting.configuration.forecast)));
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod pareto;
mod search;
mod slo;

pub use pareto::{Latency, front};
pub use search::{
    Configuration, Curve, CurvePoint, Failure, Fitting, Miss, Outcome, Placement, Plan, Question, plan, share,
};
pub use slo::{Margin, Slo, SloMetric, TtftStatistic};
