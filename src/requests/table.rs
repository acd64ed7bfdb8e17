//! Requests as a table: a CSV with LLMeter's field names as columns.

use std::io::Read;
use std::path::Path;

use polars::prelude::{ChunkedArray, CsvReadOptions, DataFrame, DataType, Float64Type, SerReader, StringType};

use super::Dimension;
use super::log::{Request, RequestLog};
use super::source;
use crate::error::{Error, Result, nearest_hint};

/// Reads a CSV. Columns that it lacks are unknown; `error` holds a text where a request failed, `request_time` an ISO 8601 time.
///
/// # Errors
/// It cannot be read, has no column of a request, or a cell is no number.
pub(super) fn read(path: &Path) -> Result<RequestLog> {
    let mut text = Vec::new();
    source::open(path)?.read_to_end(&mut text).map_err(|error| source::unreadable(path, &error))?;
    // Types follow from all rows, so that a word far below does not end the reading.
    let options = CsvReadOptions::default().with_infer_schema_length(None);
    let frame = options.into_reader_with_file_handle(std::io::Cursor::new(text)).finish().map_err(|error| {
        Error::input(format!("this is no CSV ({error})")).at(path).help("write a header and one line for each request")
    })?;
    let names: Vec<&str> = frame.get_column_names().into_iter().map(|name| name.as_str()).collect();
    if !Dimension::ALL.iter().any(|dimension| names.contains(&dimension.name())) {
        let known: Vec<&str> = Dimension::ALL.iter().map(|dimension| dimension.name()).collect();
        let near = names.first().map_or_else(String::new, |name| nearest_hint(name, known.iter().copied()));
        return Err(Error::input("no column is one of a request")
            .at(path)
            .line(1)
            .help(format!("{near}name columns {}; times in seconds", known.join(", "))));
    }
    let numbers = Dimension::ALL.map(|dimension| numbers(&frame, dimension.name(), path));
    let [errors, times] = ["error", "request_time"].map(|name| texts(&frame, name));
    let mut columns = Vec::new();
    for column in numbers {
        columns.push(column?);
    }
    let mut log = RequestLog::default();
    for row in 0..frame.height() {
        let mut request = Request::default();
        for (dimension, column) in Dimension::ALL.into_iter().zip(&columns) {
            let value = column.as_ref().and_then(|column| column.get(row)).filter(|value| !value.is_nan());
            if let Some(value) = value.filter(|value| *value < 0.0 || value.is_infinite()) {
                return Err(Error::input(format!("{value} is no time or count"))
                    .column_named(dimension.name())
                    .at(path)
                    .line(row + 2)
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
    Ok(log)
}

/// A column of numbers; `None` where there is none of that name.
fn numbers(frame: &DataFrame, name: &str, path: &Path) -> Result<Option<ChunkedArray<Float64Type>>> {
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
            .line(row + 2)
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
