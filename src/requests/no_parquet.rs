//! Parquet in a build without it.

use std::path::Path;

use super::log::RequestLog;
use crate::error::{Error, Result};

/// A file that cannot be.
pub(super) enum ParquetFile {}

/// Says what is missing.
///
/// # Errors
/// Always.
pub(super) fn open(path: &Path) -> Result<ParquetFile> {
    Err(Error::input("this build does not read Parquet")
        .at(path)
        .help("build with `cargo build --release --features frames`, or write the table as CSV"))
}

impl ParquetFile {
    /// The names of its columns.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        match *self {}
    }

    /// Adds its rows to a log.
    pub(super) fn read(&mut self, _: &[String], _: &mut RequestLog) -> Result<()> {
        match *self {}
    }
}
