//! Measurements: reading `measured.csv` and choosing rows.

mod filter;
mod read;
mod table;
mod workloads;

pub use filter::RowFilter;
pub use read::{COLUMNS, Dataset, Measurement, columns_of, load_column, read_measurements};
pub use table::{SystemKey, TableGroup, read_table};
pub use workloads::read_workloads;
