//! One step of an engine: the operators of a system on its devices, their FLOPs and bytes, and the time that they take.
//!
//! [`ops`] has a file for each physical effect, [`cost`] the roofline of one operator, [`system`] collects the operators of a system,
//! [`step`] sums them up, [`memory`] says what fits.

pub mod cost;
pub mod memory;
pub mod ops;
pub mod step;
pub mod system;

pub use step::{DecodeStep, StepCosts};
pub use system::{Efficiencies, StepModel};
