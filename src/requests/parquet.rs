//! Parquet files, some rows at a time.

use std::fs::File;
use std::path::{Path, PathBuf};

use polars_core::prelude::{DataFrame, DataType, Float64Chunked, StringChunked};
use polars_io::SerReader;
use polars_io::parquet::read::ParquetReader;

use super::cell::{ERROR, SENT, no_number, possible};
use super::log::{Request, RequestLog};
use super::{Dimension, source};
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

    /// Adds its rows to a log.
    ///
    /// # Errors
    /// They cannot be read, or a cell is no number.
    pub(super) fn read(&mut self, names: &[String], log: &mut RequestLog) -> Result<()> {
        let known = Dimension::ALL.map(Dimension::name).into_iter().chain([ERROR, SENT]);
        let columns: Vec<String> =
            known.filter(|name| names.iter().any(|own| own == name)).map(str::to_owned).collect();
        while self.read < self.rows {
            let reader = self.reader()?.with_columns(Some(columns.clone())).with_slice(Some((self.read, BATCH)));
            let frame = reader.finish().map_err(|error| self.wrong(&error))?;
            append(log, &frame).map_err(|error| error.at(&self.path))?;
            self.read += BATCH;
        }
        Ok(())
    }
}

/// Adds the rows of a frame to a log.
fn append(log: &mut RequestLog, frame: &DataFrame) -> Result<()> {
    // As in the same table as CSV, below a header.
    let line = |row: usize| log.len() + row + 2;
    let numbers = Dimension::ALL.map(|dimension| numbers(frame, dimension));
    let mut columns = Vec::new();
    for column in numbers {
        columns.push(column.map_err(|(row, error)| error.line(line(row)))?);
    }
    let [errors, times] = [ERROR, SENT].map(|name| texts(frame, name));
    for row in 0..frame.height() {
        let mut request = Request::default();
        for (dimension, column) in Dimension::ALL.into_iter().zip(&columns) {
            if let Some(value) = column.as_ref().and_then(|column| column.get(row)) {
                request.set(dimension, possible(value, dimension).map_err(|error| error.line(log.len() + 2))?);
            }
        }
        request.failed = text(&errors, row).is_some();
        request.sent = text(&times, row).and_then(source::unix_seconds);
        log.push(&request.completed());
    }
    Ok(())
}

/// A column of numbers; `None` where there is none of that name. An error comes with the row of the cell that is no number.
fn numbers(frame: &DataFrame, dimension: Dimension) -> std::result::Result<Option<Float64Chunked>, (usize, Error)> {
    let Ok(column) = frame.column(dimension.name()) else { return Ok(None) };
    let cast = column.cast(&DataType::Float64).ok();
    match cast.as_ref().and_then(|column| column.f64().ok()) {
        Some(numbers) if numbers.null_count() == column.null_count() => Ok(Some(numbers.clone())),
        _ => {
            let cells = texts(frame, dimension.name());
            let no_number_at = |row| Some((row, text(&cells, row).filter(|cell| cell.parse::<f64>().is_err())?));
            let (row, cell) = (0..frame.height()).find_map(no_number_at).unwrap_or_default();
            Err((row, no_number(cell, dimension)))
        }
    }
}

/// A column as texts, whatever it holds.
fn texts(frame: &DataFrame, name: &str) -> Option<StringChunked> {
    let column = frame.column(name).ok()?.cast(&DataType::String).ok()?;
    column.str().ok().cloned()
}

/// A cell that is not empty.
fn text(column: &Option<StringChunked>, row: usize) -> Option<&str> {
    column.as_ref().and_then(|column| column.get(row)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use polars_core::prelude::Column;
    use polars_io::parquet::write::ParquetWriter;

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
