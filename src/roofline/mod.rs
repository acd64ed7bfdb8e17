//! From an architecture to times: operators → FLOPs and bytes → the slower of the two roofs.
//!
//! One physical effect is one file: [`linear`] (projections, feed-forward, head), [`attention`], [`moe`],
//! [`collective`], [`memory`]; [`step`] sums them up for one engine step.

pub mod attention;
pub mod collective;
pub mod linear;
pub mod memory;
pub mod moe;
pub mod op;
pub mod step;

pub use step::{DecodeStep, Efficiencies, StepCosts, StepModel};
