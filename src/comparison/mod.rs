//! Measured runs held against each other: distributions of latencies with intervals, effect sizes and tests, and whether the runs
//! may be compared at all.

mod cautions;
mod load_test;
mod model;
mod pair;
mod sample;
mod settings;
mod similarity;
mod study;
mod verdict;

pub use cautions::{cautions, reasoning_caution};
pub use load_test::{LatencyLimits, LevelFigures, level_figures};
pub use model::{Asked, ModelLatencies, Predicted};
pub use pair::{PairStudy, QuantileDifference, ShiftPoint};
pub use sample::{BoxFigure, QuantileEstimate, Sample, SampleStudy};
pub use settings::{Filter, Settings};
pub use similarity::{AdjustedTtft, Similarity};
pub use study::{Comparison, DimensionStudy, Side, compare};
pub use verdict::Verdict;
