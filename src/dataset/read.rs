//! The CSV of measurements: columns named once, header checked before rows, every message with line and column name.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use csv::StringRecord;
use sha2::{Digest, Sha256};

use super::RowFilter;
use crate::error::{Error, Result, did_you_mean};
use crate::spec::SpecFile;
use crate::units::{Seconds, TokensPerSec};
use crate::workload::Workload;

/// The columns of `measured.csv`, in the order in which we write them.
pub const COLUMNS: [&str; 6] =
    ["input_tokens", "output_tokens", "concurrency", "ttft_ms", "itl_ms", "throughput_tok_s"];

/// Spellings of other tools, after lower-casing and turning blanks into underscores.
const ALIASES: [(&str, &str); 3] = [
    ("throughput_tokens_per_s", "throughput_tok_s"),
    ("tpot_ms", "itl_ms"),
    ("throughput_tokens_s", "throughput_tok_s"),
];

/// What a measured number can be, in the units of the columns: no latency is under a nanosecond or over 30 years.
const PLAUSIBLE: RangeInclusive<f64> = 1e-6..=1e12;

/// The last column may be missing.
const REQUIRED: usize = 5;

/// One measured operating point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// What was asked of the server.
    pub workload: Workload,
    /// Time to first token.
    pub ttft: Seconds,
    /// Mean time between later tokens.
    pub itl: Seconds,
    /// Generated tokens per second of all clients, if it was recorded.
    pub throughput: Option<TokensPerSec>,
    /// Line of the file, from 1.
    pub line: usize,
}

/// Measurements and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Path, as errors call it.
    pub label: String,
    /// SHA-256 of the file in hexadecimal.
    pub sha256: String,
    /// Rows in the order of the file.
    pub rows: Vec<Measurement>,
}

impl Dataset {
    /// Keeps the rows that pass every filter of `keep` and none of `exclude`.
    ///
    /// # Errors
    /// No row is left.
    pub fn filtered(mut self, keep: &[RowFilter], exclude: &[RowFilter]) -> Result<Self> {
        self.rows.retain(|row| keep.iter().all(|f| f.matches(row)) && !exclude.iter().any(|f| f.matches(row)));
        if self.rows.is_empty() {
            return Err(Error::input("no row is left after --rows and --exclude")
                .at(&self.label)
                .help("loosen the filters"));
        }
        Ok(self)
    }
}

/// Reads and checks a file of measurements.
///
/// # Errors
/// A missing column, a value that is not a positive number, a row with missing fields, two rows of one workload, or no
/// row at all; each with its line.
pub fn read_measurements(file: &SpecFile) -> Result<Dataset> {
    let mut lines = Lines::of(file);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(lines.text.as_bytes());
    let header = reader.headers().map_err(|error| csv_error(file, &error))?.clone();
    let header_line = lines.at(header.position().map_or(0, |position| position.byte() as usize));
    let places = columns(file, &header, header_line)?;

    let mut rows: Vec<Measurement> = Vec::new();
    let mut seen = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| csv_error(file, &error))?;
        let line = lines.at(record.position().map_or(0, |position| position.byte() as usize));
        let row = measurement(file, &record, line, &places)?;
        let workload = row.workload;
        let key = [workload.input_tokens(), workload.output_tokens(), workload.concurrency()].map(f64::to_bits);
        if let Some(first) = seen.insert(key, row.line) {
            return Err(Error::input(format!(
                "a second row for {} input tokens, {} output tokens, concurrency {} (the first is in line {})",
                workload.input_tokens(),
                workload.output_tokens(),
                workload.concurrency(),
                first
            ))
            .at(&file.label)
            .line(row.line)
            .help("keep one of them, or write their mean"));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(Error::input("there is no row below the header").at(&file.label).help("add the measurements"));
    }
    let sha256 = Sha256::digest(file.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Dataset { label: file.label.clone(), sha256, rows })
}

/// Line numbers of rising byte positions. The csv reader's own count is off after blank lines and Windows line ends.
struct Lines<'a> {
    text: &'a str,
    byte: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    /// The text of a file without its byte order mark, from its first line on.
    fn of(file: &'a SpecFile) -> Self {
        Self { text: file.text.trim_start_matches('\u{feff}'), byte: 0, line: 1 }
    }

    /// Line (from 1) of the first character at or after `byte` that is not a line end.
    fn at(&mut self, byte: usize) -> usize {
        let bytes = self.text.as_bytes();
        let start = bytes.iter().skip(byte).position(|b| !matches!(b, b'\r' | b'\n')).map_or(bytes.len(), |n| byte + n);
        self.line += bytes[self.byte..start].iter().filter(|b| **b == b'\n').count();
        self.byte = start;
        self.line
    }
}

fn normalised(name: &str) -> String {
    let plain = name.trim().to_lowercase().replace([' ', '-'], "_");
    ALIASES.iter().find(|(alias, _)| *alias == plain).map_or(plain, |(_, ours)| (*ours).to_owned())
}

/// Position of each of [`COLUMNS`] in the header.
fn columns(file: &SpecFile, header: &StringRecord, line: usize) -> Result<[Option<usize>; COLUMNS.len()]> {
    let names: Vec<String> = header.iter().map(normalised).collect();
    let mut places = [None; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let mut found = names.iter().enumerate().filter(|(_, name)| *name == column);
        *place = found.next().map(|(index, _)| index);
        if found.next().is_some() {
            return Err(Error::input(format!("column `{column}` is there twice"))
                .at(&file.label)
                .line(line)
                .help("keep one of them"));
        }
    }
    let missing: Vec<&str> =
        COLUMNS[..REQUIRED].iter().zip(places).filter(|(_, place)| place.is_none()).map(|(name, _)| *name).collect();
    if let Some(first) = missing.first() {
        let near = did_you_mean(first, names.iter().map(String::as_str));
        let hint = match (names.as_slice(), near) {
            ([only], _) if only.contains([';', '\t']) => "separate the columns by commas; ".to_owned(),
            (_, Some(near)) => format!("`{near}` looks like `{first}`; "),
            (_, None) => String::new(),
        };
        return Err(Error::input(format!("missing column `{}`", missing.join("`, `")))
            .at(&file.label)
            .line(line)
            .help(format!(
                "{hint}the header must name {}; further columns are ignored",
                COLUMNS[..REQUIRED].join(", ")
            )));
    }
    Ok(places)
}

fn measurement(
    file: &SpecFile,
    record: &StringRecord,
    line: usize,
    places: &[Option<usize>; COLUMNS.len()],
) -> Result<Measurement> {
    let mut values = [None; COLUMNS.len()];
    for ((value, place), column) in values.iter_mut().zip(places).zip(COLUMNS) {
        let Some(place) = place else { continue };
        let text = record.get(*place).unwrap_or("");
        if text.is_empty() && column == COLUMNS[REQUIRED] {
            continue;
        }
        let number: f64 = text.parse().map_err(|_| {
            Error::input(format!("column `{column}`: cannot read `{text}` as a number"))
                .at(&file.label)
                .line(line)
                .help("write a number with a decimal point, or delete the row if it was not measured")
        })?;
        if !(number.is_finite() && number > 0.0) {
            return Err(Error::input(format!("column `{column}`: {text} is not above 0"))
                .at(&file.label)
                .line(line)
                .help("write the measured value, or delete the row if it was not measured"));
        }
        if !PLAUSIBLE.contains(&number) {
            return Err(Error::input(format!("column `{column}`: {text} cannot be a measurement"))
                .at(&file.label)
                .line(line)
                .help("check the unit: latencies are in ms, throughput in tokens/s"));
        }
        *value = Some(number);
    }
    // The required columns have a place, and a place either gave a number or returned above.
    let [Some(input), Some(output), Some(clients), Some(ttft), Some(itl), throughput] = values else {
        unreachable!("a required column without a value")
    };
    let workload = Workload::new(input, output, clients).map_err(|error| error.at(&file.label).line(line))?;
    Ok(Measurement {
        workload,
        ttft: Seconds::from_ms(ttft),
        itl: Seconds::from_ms(itl),
        throughput: throughput.map(TokensPerSec::new),
        line,
    })
}

fn csv_error(file: &SpecFile, error: &csv::Error) -> Error {
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the row has {len} fields, the header has {expected_len}")
        }
        _ => format!("cannot read the row ({error})"),
    };
    let own = Error::input(message).at(&file.label);
    let own = match error.position() {
        Some(position) => own.line(Lines::of(file).at(position.byte() as usize)),
        None => own,
    };
    own.help("separate fields by commas; a field that holds a comma goes into double quotes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Dataset> {
        read_measurements(&SpecFile { label: "m.csv".into(), text: text.into() })
    }

    #[test]
    fn it_reads_our_header_and_both_published_spellings() {
        let ours = read("input_tokens,output_tokens,concurrency,ttft_ms,itl_ms\n200,200,1,10.26,4.63\n").unwrap();
        for header in [
            "version,hardware,hardware_count,data_type,input_tokens,output_tokens,concurrency,TTFT_ms,ITL_ms,Throughput_tokens_per_s",
            "version,hardware,hardware count,data_type,input_tokens,output_tokens,concurrency,TTFT_ms,ITL_ms,Throughput_tokens_per_s",
        ] {
            let theirs = read(&format!("{header}\n1.8.0,H100_80G,1,fp8 TP1,200,200,1,10.26,4.63,214.56\n")).unwrap();
            assert_eq!(theirs.rows[0].workload, ours.rows[0].workload);
            assert_eq!(theirs.rows[0].ttft, Seconds::from_ms(10.26));
            assert_eq!(theirs.rows[0].throughput, Some(TokensPerSec::new(214.56)));
        }
        assert_eq!(ours.rows[0].throughput, None);
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
        let text = "\u{feff}input_tokens,output_tokens,concurrency,ttft_ms,itl_ms\r\n200,200,1,10.26,4.63\r\n";
        assert_eq!(read(text).unwrap().rows.len(), 1);
    }
}
