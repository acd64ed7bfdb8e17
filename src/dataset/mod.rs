//! Measurements: reading `measured.csv` and choosing rows.

mod filter;
mod read;

pub use filter::RowFilter;
pub use read::{COLUMNS, Dataset, Measurement, read_measurements};
