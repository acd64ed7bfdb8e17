//! Measurements: reading `measured.csv` and choosing rows.
//!
//! ```
//! use perfmodel::dataset::read_measurements;
//! use perfmodel::spec::SpecFile;
//! use perfmodel::workload::LoadKind;
//!
//! let text = "input_tokens,output_tokens,concurrency,ttft_ms,itl_ms\n200,200,1,10.3,4.6\n200,200,25,36.3,5.2\n";
//! let file = SpecFile { label: "measured.csv".to_owned(), text: text.to_owned() };
//! let data = read_measurements(&file, LoadKind::ClosedLoop)?;
//! let busy = data.passing(&["concurrency>=10".parse()?], &[]);
//! assert_eq!((data.rows.len(), busy.len()), (2, 1));
//! assert_eq!(busy[0].line, 3); // where the file has it
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod filter;
mod read;
mod table;
mod workloads;

pub use filter::RowFilter;
pub use read::{COLUMNS, Dataset, Measurement, columns_of, read_measurements, sha256};
pub use table::{RowTrust, SystemKey, Table, TableGroup, read_table};
pub use workloads::read_workloads;
