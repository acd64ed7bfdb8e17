//! Requests as a table, a CSV or a Parquet file with LLMeter's field names as columns, read some rows at a time.

use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use polars::prelude::{
    ChunkedArray, CsvReadOptions, DataFrame, DataType, Float64Type, PlSmallStr, SerReader, StringType,
};

use super::log::{Request, RequestLog};
use super::{Dimension, parquet, source};
use crate::error::{Error, Result, nearest_hint};

/// Bytes of a CSV that are parsed at once.
const BATCH: usize = 16 << 20;

/// Columns besides those of numbers.
const TEXTS: [&str; 2] = ["error", "request_time"];

/// Reads a CSV. Columns that it lacks are unknown; `error` holds a text where a request failed, `request_time` an ISO 8601 time.
///
/// # Errors
/// It cannot be read, has no column of a request, or a cell is no number.
pub(super) fn read(path: &Path) -> Result<RequestLog> {
    let mut reader = source::open(path)?;
    let mut rows = Batches::new(&mut reader, path);
    let header = rows.header()?;
    let columns = columns_of(&names_of(&header, path)?, path)?;
    let mut log = RequestLog::default();
    while let Some(batch) = rows.next()? {
        let text = [&header[..], batch].concat();
        // Every cell is a text first, so that types do not change from batch to batch.
        let options = CsvReadOptions::default().with_infer_schema_length(Some(0)).with_columns(Some(columns.clone()));
        let frame =
            options.into_reader_with_file_handle(Cursor::new(text)).finish().map_err(|error| no_csv(&error, path))?;
        append(&mut log, &frame, path)?;
    }
    Ok(log)
}

/// Reads a Parquet file with the same columns.
///
/// # Errors
/// As for a CSV; or this build cannot read Parquet.
pub(super) fn read_parquet(path: &Path) -> Result<RequestLog> {
    let mut file = parquet::open(path)?;
    let columns = columns_of(&file.names()?, path)?;
    let mut log = RequestLog::default();
    while let Some(frame) = file.next(&columns)? {
        append(&mut log, &frame, path)?;
    }
    Ok(log)
}

fn no_csv(error: &dyn std::fmt::Display, path: &Path) -> Error {
    Error::input(format!("this is no CSV ({error})")).at(path).help("write a header and one line for each request")
}

/// The text of a CSV some whole rows at a time.
struct Batches<'a> {
    reader: &'a mut dyn Read,
    path: &'a Path,
    text: Vec<u8>,
    /// Bytes of `text` that were handed out.
    used: usize,
    at_end: bool,
}

impl<'a> Batches<'a> {
    fn new(reader: &'a mut dyn Read, path: &'a Path) -> Self {
        Self { reader, path, text: Vec::new(), used: 0, at_end: false }
    }

    /// Reads until so many bytes are at hand, or all.
    fn fill(&mut self, bytes: usize) -> Result<()> {
        self.text.drain(..self.used);
        self.used = 0;
        let wanted = bytes.saturating_sub(self.text.len()) as u64;
        let read = Read::take(&mut *self.reader, wanted).read_to_end(&mut self.text);
        self.at_end = (read.map_err(|error| source::unreadable(self.path, &error))? as u64) < wanted;
        Ok(())
    }

    /// The first row with its line end.
    fn header(&mut self) -> Result<Vec<u8>> {
        self.fill(BATCH)?;
        if self.text.starts_with(b"\xEF\xBB\xBF") {
            self.text.drain(..3);
        }
        let length = ends_of_rows(&self.text).next().unwrap_or(self.text.len());
        self.used = length;
        let mut header = self.text[..length].to_vec();
        if !header.ends_with(b"\n") {
            header.push(b'\n');
        }
        Ok(header)
    }

    /// The next rows; `None` at the end.
    fn next(&mut self) -> Result<Option<&[u8]>> {
        let mut bytes = BATCH;
        loop {
            self.fill(bytes)?;
            let whole = if self.at_end { self.text.len() } else { ends_of_rows(&self.text).last().unwrap_or(0) };
            if whole > 0 || self.at_end {
                self.used = whole;
                return Ok((whole > 0).then(|| &self.text[..whole]));
            }
            // A row longer than a batch.
            bytes *= 2;
        }
    }
}

/// Where rows end: behind line ends outside of quotes.
fn ends_of_rows(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut quoted = false;
    text.iter().enumerate().filter_map(move |(at, byte)| {
        quoted ^= *byte == b'"';
        (*byte == b'\n' && !quoted).then_some(at + 1)
    })
}

/// The names in a header.
fn names_of(header: &[u8], path: &Path) -> Result<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().from_reader(header);
    let names = reader.headers().map_err(|error| no_csv(&error, path))?;
    Ok(names.iter().map(str::to_owned).collect())
}

/// Those of a table's columns that count.
fn columns_of(names: &[String], path: &Path) -> Result<Arc<[PlSmallStr]>> {
    let known = Dimension::ALL.map(Dimension::name);
    if !names.iter().any(|name| known.contains(&name.as_str())) {
        let near = names.first().map_or_else(String::new, |name| nearest_hint(name, known));
        return Err(Error::input("no column is one of a request")
            .at(path)
            .line(1)
            .help(format!("{near}name columns {}; times in seconds", known.join(", "))));
    }
    Ok(known
        .into_iter()
        .chain(TEXTS)
        .filter(|name| names.iter().any(|own| own == name))
        .map(PlSmallStr::from)
        .collect())
}

/// Adds the rows of a frame to a log.
fn append(log: &mut RequestLog, frame: &DataFrame, path: &Path) -> Result<()> {
    let before = log.len();
    let line = |row: usize| before + row + 2;
    let columns: Vec<_> = Dimension::ALL
        .into_iter()
        .map(|dimension| numbers(frame, dimension.name(), path, &line))
        .collect::<Result<_>>()?;
    let [errors, times] = TEXTS.map(|name| texts(frame, name));
    for row in 0..frame.height() {
        let mut request = Request::default();
        for (dimension, column) in Dimension::ALL.into_iter().zip(&columns) {
            let value = column.as_ref().and_then(|column| column.get(row)).filter(|value| !value.is_nan());
            if let Some(value) = value.filter(|value| *value < 0.0 || value.is_infinite()) {
                return Err(Error::input(format!("{value} is no time or count"))
                    .column_named(dimension.name())
                    .at(path)
                    .line(line(row))
                    .help("leave the cell empty if it was not measured"));
            }
            request.set(dimension, value);
        }
        let text = |column: &Option<ChunkedArray<StringType>>| {
            column.as_ref().and_then(|column| column.get(row)).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        request.failed = text(&errors).is_some();
        request.sent = text(&times).and_then(|time| source::unix_seconds(&time));
        log.push(&request.completed());
    }
    Ok(())
}

/// A column of numbers; `None` where there is none of that name.
fn numbers(
    frame: &DataFrame,
    name: &str,
    path: &Path,
    line: &dyn Fn(usize) -> usize,
) -> Result<Option<ChunkedArray<Float64Type>>> {
    let Ok(column) = frame.column(name) else { return Ok(None) };
    let cast = column.cast(&DataType::Float64).ok();
    let numbers = cast.as_ref().and_then(|column| column.f64().ok()).cloned();
    let lost = numbers.as_ref().is_none_or(|numbers| numbers.null_count() != column.null_count());
    if lost {
        let text = column.cast(&DataType::String).ok();
        let text = text.as_ref().and_then(|column| column.str().ok());
        let no_number = |row: usize| {
            let cell = text?.get(row)?;
            cell.parse::<f64>().is_err().then(|| (row, cell.to_owned()))
        };
        let (row, cell) = (0..frame.height()).find_map(no_number).unwrap_or_default();
        return Err(Error::input(format!("cannot read `{cell}` as a number"))
            .column_named(name)
            .at(path)
            .line(line(row))
            .help("leave the cell empty if it was not measured"));
    }
    Ok(numbers)
}

/// A column as texts, whatever it holds.
fn texts(frame: &DataFrame, name: &str) -> Option<ChunkedArray<StringType>> {
    let column = frame.column(name).ok()?.cast(&DataType::String).ok()?;
    column.str().ok().cloned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_text(text: &str) -> Result<RequestLog> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requests.csv");
        fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn columns_are_fields_of_requests() {
        let log = read_text(
            "time_to_first_token,time_to_last_token,num_tokens_output,error,request_time,extra\n\
             0.5,1.5,11,,2026-11-21T20:56:55Z,x\n,,,boom,,y\n",
        )
        .unwrap();
        let tpot: Vec<_> = log.dimension(Dimension::TimePerOutputToken).collect();
        assert_eq!(tpot, [Some(0.1), None]);
        assert_eq!(log.failed().collect::<Vec<_>>(), [false, true]);
        assert_eq!(log.sent().next(), Some(Some(1_795_294_615.0)));
    }

    #[test]
    fn a_cell_that_is_no_number_is_named_with_its_line() {
        for (text, want) in [
            ("time_to_first_token\n0.5\nN/A\n", ":3: column `time_to_first_token`: cannot read `N/A` as a number"),
            ("time_to_first_token\n0.5\n-1\n", ":3: column `time_to_first_token`: -1 is no time or count"),
            ("ttft\n1\n", ":1: no column is one of a request"),
        ] {
            let error = read_text(text).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
