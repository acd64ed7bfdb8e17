//! Parquet files, some rows at a time.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::prelude::{DataFrame, ParquetReader, PlSmallStr, SerReader};

use super::source;
use crate::error::{Error, Result};

/// Rows that are read at once.
const BATCH: usize = 1 << 18;

/// A file of which rows are read.
pub(super) struct ParquetFile {
    path: PathBuf,
    file: File,
    rows: usize,
    read: usize,
}

/// Opens a file.
///
/// # Errors
/// It cannot be read, or is no Parquet.
pub(super) fn open(path: &Path) -> Result<ParquetFile> {
    let file = File::open(path).map_err(|error| source::unreadable(path, &error))?;
    let mut opened = ParquetFile { path: path.to_owned(), file, rows: 0, read: 0 };
    opened.rows = opened.reader()?.num_rows().map_err(|error| opened.wrong(&error))?;
    Ok(opened)
}

impl ParquetFile {
    fn reader(&self) -> Result<ParquetReader<File>> {
        let file = self.file.try_clone().map_err(|error| source::unreadable(&self.path, &error))?;
        Ok(ParquetReader::new(file))
    }

    fn wrong(&self, error: &dyn std::fmt::Display) -> Error {
        Error::input(format!("this is no Parquet file that can be read ({error})"))
            .at(&self.path)
            .help("write it again, or as CSV")
    }

    /// The names of its columns.
    ///
    /// # Errors
    /// Its schema is broken.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let schema = self.reader()?.schema().map_err(|error| self.wrong(&error))?;
        Ok(schema.iter_names().map(ToString::to_string).collect())
    }

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) fn next(&mut self, columns: &Arc<[PlSmallStr]>) -> Result<Option<DataFrame>> {
        if self.read >= self.rows {
            return Ok(None);
        }
        let names = columns.iter().map(ToString::to_string).collect();
        let reader = self.reader()?.with_columns(Some(names)).with_slice(Some((self.read, BATCH)));
        let frame = reader.finish().map_err(|error| self.wrong(&error))?;
        self.read += BATCH;
        Ok(Some(frame))
    }
}
