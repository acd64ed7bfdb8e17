//! One step of an engine: the operators of a system on one device, their FLOPs and bytes, and the time that they take.
//!
//! [`ops`] has a file for each physical effect, [`cost`] the roofline of one operator, [`sharding`] how an operator lies over the
//! devices. [`system`] collects the operators of a system, [`step`] sums them up, [`memory`] says what fits. Predictions under load
//! ([`crate::serving`]), the chart of operators ([`crate::roofline`]) and what attention variants serve ([`crate::insights`]) all take
//! their times from here.
//!
//! ```
//! use perfmodel::engine::{Efficiencies, Phase, StepLoad, StepModel};
//! use perfmodel::spec::Catalog;
//!
//! let catalog = Catalog::built_in();
//! let system = catalog.resolve(&catalog.scenario_folder("llama31_8b_fp8_tp1")?)?.system;
//! let model = StepModel::new(&system)?;
//! let rates = model.rates(&Efficiencies::PEAK);
//! let step = StepLoad { phase: Phase::Decode, batch: 1.0, tokens: 1000.0 };
//! let operators = model.operators().iter().filter(|operator| operator.is_in(step.phase));
//! let bytes: f64 = operators.map(|operator| operator.work(&step, &rates).bytes.get()).sum();
//! assert!(bytes > 8e9); // 8·10⁹ weights of one byte, and the cache of a thousand tokens
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

pub mod cost;
pub mod memory;
pub mod operator;
pub mod ops;
pub mod rates;
pub mod sharding;
pub mod step;
pub mod system;

pub use operator::{Operator, Phase, StepLoad};
pub use rates::{Efficiencies, Rates};
pub use sharding::Sharding;
pub use step::{DecodeStep, StepCosts};
pub use system::StepModel;
