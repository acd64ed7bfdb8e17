//! Requests as a table, a CSV or a Parquet file with LLMeter's field names as columns, read some rows at a time.

use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::cell::{ERROR, SENT, no_number, possible};
use super::log::{Request, RequestLog};
use super::{Dimension, parquet, source};
use crate::error::{Error, Result, nearest_hint};

/// Bytes of a CSV that are parsed at once.
const BATCH: usize = 16 << 20;

/// A row of more bytes is none.
const LONGEST_ROW: usize = 64 << 20;

/// Reads a CSV. Columns that it lacks are unknown; `error` holds a text where a request failed, `request_time` an ISO 8601 time.
///
/// # Errors
/// It cannot be read, has no column of a request, or a cell is no number.
pub(super) fn read(path: &Path) -> Result<RequestLog> {
    let mut reader = source::open(path)?;
    let mut rows = Batches::new(&mut reader, path);
    let header = rows.header()?;
    let names = names_of(&header, path)?;
    check_names(&names, path)?;
    let columns = Columns::of(&names);
    let mut log = RequestLog::default();
    let mut lines = lines_in(&header);
    let mut row = ByteRecord::new();
    while let Some(batch) = rows.next()? {
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(batch);
        while reader.read_byte_record(&mut row).map_err(|error| no_csv(&error, path))? {
            let line = lines + row.position().map_or(0, |at| at.line() as usize);
            if row.len() > names.len() {
                let what = format!("a row of {} cells below a header of {}", row.len(), names.len());
                return Err(no_csv(&what, path).line(line));
            }
            let request = columns.request(&row).map_err(|error| error.at(path).line(line))?;
            log.push(&request);
        }
        lines += lines_in(batch);
    }
    Ok(log)
}

/// Reads a Parquet file with the same columns.
///
/// # Errors
/// As for a CSV; or this build cannot read Parquet.
pub(super) fn read_parquet(path: &Path) -> Result<RequestLog> {
    let mut file = parquet::open(path)?;
    let names = file.names()?;
    check_names(&names, path)?;
    let mut log = RequestLog::default();
    file.read(&names, &mut log)?;
    Ok(log)
}

fn no_csv(error: &dyn std::fmt::Display, path: &Path) -> Error {
    Error::input(format!("this is no CSV ({error})")).at(path).help("write a header and one line for each request")
}

fn lines_in(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// The places of the columns that count.
struct Columns {
    numbers: [Option<usize>; Dimension::ALL.len()],
    error: Option<usize>,
    sent: Option<usize>,
}

impl Columns {
    fn of(names: &[String]) -> Self {
        let place = |name: &str| names.iter().position(|own| own == name);
        Self {
            numbers: Dimension::ALL.map(|dimension| place(dimension.name())),
            error: place(ERROR),
            sent: place(SENT),
        }
    }

    /// The request of a row; cells that it lacks at its end are unknown.
    fn request(&self, row: &ByteRecord) -> Result<Request> {
        let cell = |place: Option<usize>| place.and_then(|place| row.get(place)).filter(|cell| !cell.is_empty());
        let mut request = Request::default();
        for (dimension, place) in Dimension::ALL.into_iter().zip(self.numbers) {
            if let Some(cell) = cell(place) {
                request.set(dimension, number(cell, dimension)?);
            }
        }
        request.failed = cell(self.error).is_some();
        request.sent = cell(self.sent).and_then(|time| source::unix_seconds(str::from_utf8(time).ok()?));
        Ok(request.completed())
    }
}

/// A cell as a number.
fn number(cell: &[u8], dimension: Dimension) -> Result<Option<f64>> {
    match str::from_utf8(cell).ok().and_then(|text| text.parse().ok()) {
        Some(value) => possible(value, dimension),
        None => Err(no_number(&String::from_utf8_lossy(cell), dimension)),
    }
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
        let length = match ends_of_rows(&self.text).next() {
            Some(length) => length,
            None if self.at_end => self.text.len(),
            None => return Err(self.endless()),
        };
        self.used = length;
        let mut header = self.text[..length].to_vec();
        if !header.ends_with(b"\n") {
            header.push(b'\n');
        }
        Ok(header)
    }

    fn endless(&self) -> Error {
        Error::input(format!("a row has over {} MB", self.text.len() / 1_000_000))
            .at(self.path)
            .help("write a header and one line for each request; a quote that is opened must be closed")
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
            if bytes >= LONGEST_ROW {
                return Err(self.endless());
            }
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

/// Checks that a table has a column of a request.
fn check_names(names: &[String], path: &Path) -> Result<()> {
    let known = Dimension::ALL.map(Dimension::name);
    if names.iter().any(|name| known.contains(&name.as_str())) {
        return Ok(());
    }
    let near = names.first().map_or_else(String::new, |name| nearest_hint(name, known));
    Err(Error::input("no column is one of a request")
        .at(path)
        .line(1)
        .help(format!("{near}name columns {}; times in seconds", known.join(", "))))
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
