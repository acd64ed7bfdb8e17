//! The operators of a step under the roofs of the device, as on a chart: where each lies, what binds it, and from which batch on a step is
//! compute bound. The operators and their times are those of [`crate::engine`].
//!
//! ```
//! use perfmodel::engine::{Efficiencies, Phase, StepLoad, StepModel};
//! use perfmodel::roofline::{Bound, Step};
//! use perfmodel::spec::Catalog;
//!
//! let catalog = Catalog::built_in();
//! let system = catalog.resolve(&catalog.scenario_folder("llama31_8b_fp8_tp1")?)?.system;
//! let model = StepModel::new(&system)?;
//! let step = |phase| Step::new(&model, &StepLoad { phase, batch: 1.0, tokens: 1000.0 }, &Efficiencies::PEAK);
//! let (decode, prompt) = (step(Phase::Decode), step(Phase::Prefill));
//! for operator in &decode.operators {
//!     println!("{:18} {:.4} ms, {} bound", operator.name, operator.time.total().as_ms(), operator.bound().name());
//! }
//! // One token reads all weights; a thousand tokens read them once.
//! assert_eq!((decode.bound(), prompt.bound()), (Bound::Memory, Bound::Compute));
//! // No step is faster than its bytes: 8·10⁹ weights of one byte over 3350 GB/s.
//! assert!(decode.total().as_ms() > 2.2);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

pub mod operator;
pub mod roofs;
pub mod step;
pub mod sweep;

pub use operator::{Bound, OperatorKind, OperatorPoint};
pub use roofs::{Ceiling, ComputeRoof, DeviceRoofs, machine_balance};
pub use step::{OtherCost, Step};
pub use sweep::{Cell, ContextLine, Crossing, Sweep};
