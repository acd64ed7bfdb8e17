//! A continuously batching server under a load.
//!
//! [`parameters`] names what is calibrated and [`priors`] what is known of it beforehand, [`admission`] says how many
//! requests may run, [`arrivals`] how long a prompt waits behind those that came with it; `closed_loop`, `open_loop` and
//! `static_batch` solve for the operating point under the three loads, [`ServingModel`] chooses among them.
//!
//! ```
//! use perfmodel::serving::{Quantity, ServingModel, ServingParameters};
//! use perfmodel::spec::Catalog;
//! use perfmodel::workload::Workload;
//!
//! let catalog = Catalog::built_in();
//! let system = catalog.resolve(&catalog.scenario_folder("llama31_8b_fp8_tp1")?)?.system;
//! let parameters = ServingParameters::default().with(Quantity::MemoryEfficiency, 0.9);
//! let workload = Workload::new(1000.0, 200.0, 32.0)?;
//! let prediction = ServingModel::new(&system)?.predict(&workload, &parameters);
//! println!("TTFT {:.1} ms, ITL {:.2} ms", prediction.ttft.as_ms(), prediction.itl.as_ms());
//! // Little's law: each of 32 clients gets 200 tokens every time a request takes from its start to its end.
//! let by_little = 32.0 * 200.0 / prediction.end_to_end(workload.later_tokens()).get();
//! assert!((prediction.throughput.get() / by_little - 1.0).abs() < 1e-6);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

pub mod admission;
pub mod arrivals;
mod closed_loop;
mod model;
mod open_loop;
pub mod parameters;
pub mod priors;
mod root;
mod seen;
mod static_batch;

pub use model::ServingModel;
pub use parameters::{Quantity, ServingParameters};
