//! What attention variants cost and buy: multi-head, grouped-query, multi-query and latent attention.
//!
//! [`table`] reads the runs of a training sweep. [`quality`] holds validation loss against cache, [`budget`] serving speed at
//! a fixed amount of memory, [`dial`] the rank of latent attention; each also as it was first published, for comparison
//! ([`Rule::Original`]). [`sweep`] fits measured decode steps over the batch. [`variant`] and [`serving`] answer the question
//! behind them for whole models: what a device serves with each variant, by the operators of [`crate::roofline`].
//!
//! ```
//! use perfmodel::insights::study::{ServingQuestion, ServingStudy};
//! use perfmodel::insights::{ServingRates, VariantKind};
//! use perfmodel::spec::Catalog;
//!
//! let catalog = Catalog::built_in();
//! let system = catalog.resolve(&catalog.scenario_folder("llama31_8b_fp8_tp1")?)?.system;
//! let kinds: Vec<VariantKind> = ["mha", "gqa-8", "mqa"].into_iter().map(str::parse).collect::<Result<_, _>>()?;
//! let study = ServingStudy::run(&ServingQuestion {
//!     hardware: system.hardware(),
//!     model: system.model(),
//!     kinds: &kinds,
//!     deployment: system.deployment(),
//!     contexts: &[4096.0],
//!     slowest: Some(20.0), // tokens/s of each sequence
//!     rates: ServingRates::default(),
//! })?;
//! let [mha, gqa, mqa] = [0, 1, 2].map(|index| &study.variants[index]);
//! assert_eq!(mha.token_bytes / gqa.token_bytes, 4.0); // 32 key/value heads against 8
//! assert!(mha.fits[0] < gqa.fits[0] && gqa.fits[0] < mqa.fits[0]);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

use serde::Serialize;

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

pub use budget::TABLED_GB;
pub use csv_table::ColumnCount;
pub use quality::{Panel, panels};
pub use serving::{ServingPoint, ServingRates, ServingSystem};
pub use sweep::SweepTable;
pub use table::{AttentionType, BenchmarkTable, Run};
pub use variant::{Variant, VariantKind};

/// Of the intervals of slopes and lines.
pub const CONFIDENCE: f64 = 0.95;

/// How a figure is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// As it should be.
    Right,
    /// As the figures that this module succeeds did, mistakes included.
    Original,
}
