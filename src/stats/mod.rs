//! Statistics of repeated timings: outlier filter, summary, density. Plain functions of numbers; the unit of what goes in
//! is that of what comes out.

mod density;
mod outliers;
mod summary;

pub use density::{density, scott_bandwidth};
pub use outliers::{Quartiles, quartiles, without_outliers};
pub use summary::{Summary, median, rounded};
