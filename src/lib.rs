//! perfmodel
pub mod calibration;
#[cfg(feature = "cli")]
pub mod cli;
pub mod dataset;
pub mod error;
pub mod estimator;
pub mod evaluation;
pub mod prediction;
#[cfg(feature = "report")]
pub mod report;
pub mod roofline;
pub mod serving;
pub mod spec;
pub mod units;
pub mod workload;
