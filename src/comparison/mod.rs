//! Measured runs held against each other: distributions of latencies with intervals, effect sizes and tests, and whether the runs
//! may be compared at all.
//!
//! ```
//! use perfmodel::comparison::{Settings, Side, Verdict, compare};
//! use perfmodel::requests::{Measured, open};
//!
//! # let folder = tempfile::tempdir()?;
//! let mut sides = Vec::new();
//! for (name, factor) in [("before", 1.0), ("after", 1.2)] {
//!     let path = folder.path().join(name).with_extension("csv");
//!     let rows: String = (0..100).map(|n| format!("{}\n", factor * (0.1 + 0.0001 * f64::from(n * 37 % 100)))).collect();
//!     std::fs::write(&path, format!("time_to_first_token\n{rows}"))?;
//!     let Measured::Run(run) = open(&path)? else { panic!("a file holds one run") };
//!     sides.push(Side { name: name.to_owned(), runs: vec![*run] });
//! }
//! let comparison = compare(&sides, &Settings { resamples: 999, ..Settings::default() });
//! let median = comparison.dimensions[0].pairs[0].as_ref().map(|pair| pair.quantiles[0]);
//! assert!(median.is_some_and(|median| (median.ratio - 1.2).abs() < 1e-9 && median.verdict == Verdict::Higher));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cautions;
mod gate;
mod given;
mod load_test;
mod model;
mod pair;
mod report;
mod sample;
mod settings;
mod similarity;
mod study;
mod verdict;

pub use cautions::{cautions, reasoning_caution};
pub use gate::{Checked, Failing, Gate, Outcome, Unmeasured, side_at};
pub use given::Given;
pub use load_test::{LatencyLimits, LevelFigures, level_figures};
pub use model::{Asked, ModelLatencies, Predicted};
pub use pair::{PairStudy, QuantileDifference, ShiftPoint};
pub use report::{CompareGroup, CompareReport, HeldModel};
pub use sample::{BoxFigure, QuantileEstimate, Sample, SampleStudy};
pub use settings::{Filter, Settings};
pub use similarity::{AdjustedTtft, Similarity};
pub use study::{Comparison, DimensionStudy, Side, compare};
pub use verdict::Verdict;
