//! Parquet in a build without it.

use std::path::Path;
use std::sync::Arc;

use polars::prelude::{DataFrame, PlSmallStr};

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
        .help("build with `cargo build --release --features parquet`, or write the table as CSV"))
}

impl ParquetFile {
    /// The names of its columns.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        match *self {}
    }

    /// The next rows.
    pub(super) fn next(&mut self, _: &Arc<[PlSmallStr]>) -> Result<Option<DataFrame>> {
        match *self {}
    }
}
