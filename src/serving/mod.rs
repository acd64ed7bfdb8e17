//! A continuously batching server under a closed loop of clients.
//!
//! [`parameters`] names what is calibrated, [`admission`] says how many requests may run, [`arrivals`] how long a
//! prompt waits behind those that came with it, [`closed_loop`] solves for the operating point.

pub mod admission;
pub mod arrivals;
pub mod closed_loop;
pub mod parameters;

pub use closed_loop::ServingModel;
pub use parameters::{SERVING_PARAMETERS, ServingParameter, ServingParameters};
