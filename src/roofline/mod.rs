//! From an architecture to times: operators → FLOPs and bytes → the slower of the two roofs.
//!
//! The operators and their times are those of [`crate::engine`]; [`inventory`] lists each [`operator`] by itself, [`roofs`] and
//! [`sweep`] say where they lie.
//!
//! ```
//! use perfmodel::roofline::{Bound, Efficiencies, Inventory, Phase};
//! use perfmodel::spec::Catalog;
//!
//! let catalog = Catalog::built_in();
//! let system = catalog.resolve(&catalog.scenario_folder("llama31_8b_fp8_tp1")?)?.system;
//! let inventory = Inventory::new(&system)?;
//! let decode = inventory.step(Phase::Decode, 1.0, 1000.0, &Efficiencies::PEAK);
//! let prompt = inventory.step(Phase::Prefill, 1.0, 1000.0, &Efficiencies::PEAK);
//! for operator in &decode.operators {
//!     println!("{:18} {:.4} ms, {} bound", operator.name, operator.time.total().as_ms(), operator.bound().name());
//! }
//! // One token reads all weights; a thousand tokens read them once.
//! assert_eq!((decode.bound(), prompt.bound()), (Bound::Memory, Bound::Compute));
//! // No step is faster than its bytes: 8·10⁹ weights of one byte over 3350 GB/s.
//! assert!(decode.total().as_ms() > 2.2);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

pub mod inventory;
pub mod operator;
pub mod roofs;
pub mod sweep;

pub use crate::engine::ops::linear::PADDING_ROWS;
pub use crate::engine::ops::matrices::MatrixKind;
pub use crate::engine::{DecodeStep, Efficiencies, StepCosts, StepModel, memory};
pub use inventory::{Inventory, OtherCost, Step};
pub use operator::{Bound, OperatorKind, OperatorPoint, Phase};
pub use roofs::{Ceiling, ComputeRoof, DeviceRoofs, machine_balance};
pub use sweep::{Cell, ContextLine, Crossing, Sweep};
