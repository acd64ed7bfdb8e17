//! What attention variants cost and buy: multi-head, grouped-query, multi-query and latent attention.
//!
//! [`table`] reads the runs of a training sweep. [`quality`] holds validation loss against cache, [`budget`] serving speed at
//! a fixed amount of memory, [`dial`] the rank of latent attention; each also as it was first published, for comparison
//! ([`Rule::Original`]). [`sweep`] fits measured decode steps over the batch. [`variant`] and [`serving`] answer the question
//! behind them for whole models: what a device serves with each variant, by the operators of [`crate::roofline`].

pub mod budget;
pub mod csv_table;
pub mod dial;
pub mod pareto;
pub mod quality;
pub mod serving;
pub mod slice;
pub mod study;
pub mod sweep;
pub mod table;
pub mod variant;

pub use csv_table::ColumnCount;
pub use quality::{Panel, panels};
pub use serving::{ServingPoint, ServingRates, ServingSystem};
pub use sweep::SweepTable;
pub use table::{AttentionType, BenchmarkTable, Run};
pub use variant::{Variant, VariantKind};

/// Of the intervals of slopes and lines.
pub const CONFIDENCE: f64 = 0.95;

/// How a figure is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// As it should be.
    Right,
    /// As the figures that this module succeeds did, mistakes included.
    Original,
}
