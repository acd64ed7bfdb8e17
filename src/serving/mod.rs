//! A continuously batching server under a load.
//!
//! [`parameters`] names what is calibrated and [`priors`] what is known of it beforehand, [`admission`] says how many
//! requests may run, [`arrivals`] how long a prompt waits behind those that came with it; `closed_loop`, `open_loop` and
//! `static_batch` solve for the operating point under the three loads, [`ServingModel`] chooses among them.

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
