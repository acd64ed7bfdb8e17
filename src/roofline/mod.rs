//! From an architecture to times: operators → FLOPs and bytes → the slower of the two roofs.
//!
//! One physical effect is one file: [`linear`] (projections, feed-forward, head), [`attention`], [`moe`],
//! [`activations`], [`collective`], [`power`], [`memory`]; [`system`] collects the operators of a system, [`step`] sums
//! them up for one engine step.

pub mod activations;
pub mod attention;
pub mod collective;
pub mod linear;
pub mod memory;
pub mod moe;
pub mod op;
pub mod power;
pub mod step;
pub mod system;

pub use step::{DecodeStep, StepCosts};
pub use system::{Efficiencies, StepModel};
