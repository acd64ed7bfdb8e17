//! From an architecture to times: operators → FLOPs and bytes → the slower of the two roofs.
//!
//! One physical effect is one file: [`linear`] (projections, feed-forward, head), [`attention`], [`moe`],
//! [`activations`], [`collective`], [`power`], [`memory`]; [`matrices`] names the matrices of a system, [`system`] collects
//! its operators, [`step`] sums them up for one engine step. [`inventory`] lists each [`operator`] by itself, [`roofs`]
//! and [`sweep`] say where they lie.

pub mod activations;
pub mod attention;
pub mod collective;
pub mod inventory;
pub mod linear;
pub mod matrices;
pub mod memory;
pub mod moe;
pub mod op;
pub mod operator;
pub mod power;
pub mod roofs;
pub mod step;
pub mod sweep;
pub mod system;

pub use inventory::{Inventory, OtherCost, Step};
pub use matrices::MatrixKind;
pub use operator::{Bound, OperatorKind, OperatorPoint, Phase};
pub use roofs::{Ceiling, ComputeRoof, DeviceRoofs, machine_balance};
pub use step::{DecodeStep, StepCosts};
pub use sweep::{Cell, ContextLine, Crossing, Sweep};
pub use system::{Efficiencies, StepModel};
