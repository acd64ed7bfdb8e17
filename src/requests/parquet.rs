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

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, ParquetWriter};

    use super::super::{Dimension, table};
    use super::*;

    #[test]
    fn a_file_of_two_batches_is_read_as_the_same_csv() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requests.parquet");
        let rows = BATCH + 5;
        let ttft: Vec<f64> = (0..rows).map(|row| 0.1 + (row % 100) as f64 / 1e3).collect();
        let tokens: Vec<Option<i64>> = (0..rows).map(|row| (row % 7 > 0).then_some(11)).collect();
        let errors: Vec<Option<&str>> = (0..rows).map(|row| (row == BATCH).then_some("boom")).collect();
        let columns = vec![
            Column::new("time_to_first_token".into(), ttft),
            Column::new("note".into(), vec!["not read"; rows]),
            Column::new("num_tokens_output".into(), tokens),
            Column::new("error".into(), errors),
        ];
        let mut frame = DataFrame::new(rows, columns).unwrap();
        ParquetWriter::new(File::create(&path).unwrap()).finish(&mut frame).unwrap();
        let log = table::read_parquet(&path).unwrap();
        assert_eq!(log.len(), rows);
        assert_eq!(
            log.dimension(Dimension::TimeToFirstToken).last().unwrap(),
            Some(0.1 + ((rows - 1) % 100) as f64 / 1e3)
        );
        assert_eq!(log.dimension(Dimension::OutputTokens).take(2).collect::<Vec<_>>(), [None, Some(11.0)]);
        assert_eq!(log.failed().position(|failed| failed), Some(BATCH));
    }

    #[test]
    fn what_is_no_parquet_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no.parquet");
        std::fs::write(&path, "time_to_first_token\n1\n").unwrap();
        let error = table::read_parquet(&path).unwrap_err().to_string();
        assert!(error.contains("no.parquet: this is no Parquet file that can be read"), "{error}");
    }
}
