//! Which devices, how many and how arranged serve a demand within a service-level objective, and at what cost.
//!
//! A placement is a model on a tensor-parallel group of devices at given precisions; a configuration is a number of equal
//! replicas of it that share the demand evenly. [`plan`] searches all of them, [`front`] finds those that no other beats.

mod pareto;
mod search;
mod slo;

pub use pareto::{Latency, front};
pub use search::{
    Configuration, Curve, CurvePoint, Failure, Fitting, Miss, Outcome, Placement, Plan, Question, plan, share,
};
pub use slo::{Margin, Slo, SloMetric, TtftStatistic};
