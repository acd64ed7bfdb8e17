//! Requests as JSON lines, streamed and parsed in parallel.

use std::io::Read;
use std::path::Path;

use rayon::prelude::*;

use super::log::{Request, RequestLog};
use super::row::BadRow;
use super::{foreign, row, source};
use crate::error::{Error, Result};

/// Bytes that are parsed at once; a file needs this much memory besides its columns.
const BATCH: usize = 16 << 20;

/// A line of more bytes is no request.
const LONGEST_LINE: usize = 256 << 20;

/// Reads a file of requests; what it lacks at its end comes as a warning.
///
/// # Errors
/// It cannot be read, or a line is no request. The last line may be cut off.
pub(super) fn read(path: &Path) -> Result<(RequestLog, Vec<String>)> {
    let mut reader = source::open(path)?;
    let mut log = RequestLog::default();
    let mut warnings = Vec::new();
    let mut batch = Vec::new();
    let mut line = 1;
    let mut parse: fn(&[u8]) -> std::result::Result<Option<Request>, BadRow> = |line| row::parse(line).map(Some);
    loop {
        let had = batch.len();
        let read = reader
            .by_ref()
            .take((BATCH.max(2 * had) - had) as u64)
            .read_to_end(&mut batch)
            .map_err(|error| source::unreadable(path, &error))?;
        if line == 1 && batch.starts_with(b"\xEF\xBB\xBF") {
            batch.drain(..3);
        }
        if line == 1 && foreign::is_aiperf(batch.split(|byte| *byte == b'\n').next().unwrap_or(&[])) {
            parse = foreign::aiperf;
        }
        let at_end = read == 0;
        if !at_end && batch.len() > LONGEST_LINE && !batch.contains(&b'\n') {
            return Err(Error::input(format!("a line has over {} MB", LONGEST_LINE / 1_000_000))
                .at(path)
                .line(line)
                .help("a line is one JSON object"));
        }
        let whole =
            if at_end { batch.len() } else { batch.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) };
        let lines: Vec<&[u8]> = batch[..whole].split_inclusive(|byte| *byte == b'\n').collect();
        let rows: Vec<std::result::Result<Option<Request>, BadRow>> = lines
            .par_iter()
            .map(|line| match line.trim_ascii() {
                [] => Ok(None),
                // A list would be taken for the fields in their order.
                [b'[', ..] => Err(BadRow { message: "this is a list".to_owned(), column: Some(1) }),
                line => parse(line),
            })
            .collect();
        for (text, row) in lines.iter().zip(rows) {
            match row {
                Ok(Some(request)) => log.push(&request),
                Err(_) if at_end && !text.ends_with(b"\n") => warnings.push(format!(
                    "{}:{line}: the last line is cut off and left out; the run was interrupted while it wrote",
                    path.display()
                )),
                Err(bad) => return Err(wrong(path, line, &bad)),
                Ok(None) => {}
            }
            line += 1;
        }
        if at_end {
            return Ok((log, warnings));
        }
        batch.drain(..whole);
    }
}

fn wrong(path: &Path, line: usize, bad: &BadRow) -> Error {
    let error = Error::input(bad.message.clone()).at(path).line(line);
    let error = if let Some(column) = bad.column { error.column(column) } else { error };
    error.help("a line is one JSON object with the fields of LLMeter's responses.jsonl; mend or delete it")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_text(text: &[u8]) -> Result<(RequestLog, Vec<String>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn blank_lines_line_ends_of_windows_and_a_byte_order_mark_are_fine() {
        let (log, warnings) = read_text(b"\xEF\xBB\xBF{\"retries\": 1}\r\n\r\n  \n{\"retries\": 2}").unwrap();
        assert_eq!((log.len(), warnings.len()), (2, 0));
    }

    #[test]
    fn a_cut_last_line_is_left_out_and_a_broken_one_before_it_is_an_error() {
        let (log, warnings) = read_text(b"{\"retries\": 1}\n{\"retri").unwrap();
        assert_eq!(log.len(), 1);
        assert!(warnings[0].contains(":2: the last line is cut off"), "{warnings:?}");
        let error = read_text(b"{}\n{\"retri\n{}\n").unwrap_err().to_string();
        assert!(error.contains(":2:7: EOF while parsing a string"), "{error}");
    }

    #[test]
    fn lines_longer_than_a_batch_are_read() {
        let long = format!("{{\"response_text\": \"{}\", \"retries\": 3}}\n", "x".repeat(BATCH + 10));
        let (log, _) = read_text(long.repeat(2).as_bytes()).unwrap();
        assert_eq!(log.total(super::super::Dimension::Retries), 6.0);
    }
}
