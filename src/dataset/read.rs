//! The CSV of measurements: columns named once, header checked before rows, every message with line and column name.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use csv::StringRecord;
use sha2::{Digest, Sha256};

use super::RowFilter;
use crate::error::{Error, Result, did_you_mean};
use crate::spec::SpecFile;
use crate::units::{Seconds, TokensPerSec};
use crate::workload::{LoadKind, Workload};

/// The columns of a closed loop's `measured.csv`, in the order in which we write them.
pub const COLUMNS: [&str; 6] = columns_of(LoadKind::ClosedLoop);

/// The columns of measurements under a kind of load.
pub const fn columns_of(load: LoadKind) -> [&'static str; 6] {
    ["input_tokens", "output_tokens", load.column(), "ttft_ms", "itl_ms", "throughput_tok_s"]
}

/// Spellings of other tools, after lower-casing and turning blanks and brackets into underscores.
const ALIASES: [(&str, &str); 8] = [
    ("isl", "input_tokens"),
    ("osl", "output_tokens"),
    ("batch_size", "batch"),
    ("request_rate", "rate_rps"),
    ("request_rate_rps", "rate_rps"),
    ("throughput_tokens_per_s", "throughput_tok_s"),
    ("tpot_ms", "itl_ms"),
    ("throughput_tokens_s", "throughput_tok_s"),
];

/// Names of the latencies without their unit: ours first.
const LATENCIES: [(&str, &[&str]); 2] = [("ttft_ms", &["ttft"]), ("itl_ms", &["itl", "tpot"])];

/// Units that are not ours, in words.
const OTHER_UNITS: [(&str, &str); 8] = [
    ("s", "seconds"),
    ("sec", "seconds"),
    ("secs", "seconds"),
    ("second", "seconds"),
    ("seconds", "seconds"),
    ("us", "microseconds"),
    ("µs", "microseconds"),
    ("ns", "nanoseconds"),
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
    /// The rows that pass every filter of `keep` and none of `exclude`.
    pub fn passing(&self, keep: &[RowFilter], exclude: &[RowFilter]) -> Vec<Measurement> {
        let passes = |row: &&Measurement| {
            keep.iter().all(|filter| filter.matches(row)) && !exclude.iter().any(|filter| filter.matches(row))
        };
        self.rows.iter().filter(passes).copied().collect()
    }
}

/// Reads and checks a file of measurements under a kind of load. A static batch may also stand under `concurrency`.
///
/// # Errors
/// A missing column, a value that is not a positive number, a row with missing fields, two rows of one workload, or no
/// row at all; each with its line.
pub fn read_measurements(file: &SpecFile, load: LoadKind) -> Result<Dataset> {
    let mut lines = Lines::of(file);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(lines.text.as_bytes());
    let header = reader.headers().map_err(|error| csv_error(file, &error))?.clone();
    let header_line = lines.at(header.position().map_or(0, |position| position.byte() as usize));
    let format = Format::of(file, load, &header, header_line)?;

    let mut rows: Vec<Measurement> = Vec::new();
    let mut seen = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| csv_error(file, &error))?;
        let line = lines.at(record.position().map_or(0, |position| position.byte() as usize));
        let row = format.measurement(&record, line)?;
        if let Some(first) = seen.insert(workload_key(&row.workload), row.line) {
            return Err(second_row(&row, first).at(&file.label));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(Error::input("there is no row below the header").at(&file.label).help("add the measurements"));
    }
    Ok(Dataset { label: file.label.clone(), sha256: sha256(file), rows })
}

/// SHA-256 of a file in hexadecimal.
pub fn sha256(file: &SpecFile) -> String {
    Sha256::digest(file.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Equal for equal workloads.
pub(super) fn workload_key(workload: &Workload) -> [u64; 3] {
    [workload.input_tokens(), workload.output_tokens(), workload.amount()].map(f64::to_bits)
}

/// Two rows of one workload.
pub(super) fn second_row(row: &Measurement, first: usize) -> Error {
    let workload = &row.workload;
    Error::input(format!(
        "a second row for {} input tokens, {} output tokens, {} {} (the first is in line {first})",
        workload.input_tokens(),
        workload.output_tokens(),
        workload.kind().column(),
        workload.amount(),
    ))
    .line(row.line)
    .help("keep one of them, or write their mean")
}

/// Line numbers of rising byte positions. The csv reader's own count is off after blank lines and Windows line ends.
pub(super) struct Lines<'a> {
    pub text: &'a str,
    byte: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    /// The text of a file without its byte order mark, from its first line on.
    pub fn of(file: &'a SpecFile) -> Self {
        Self { text: file.text.trim_start_matches('\u{feff}'), byte: 0, line: 1 }
    }

    /// Line (from 1) of the first character at or after `byte` that is not a line end.
    pub fn at(&mut self, byte: usize) -> usize {
        let bytes = self.text.as_bytes();
        let start = bytes.iter().skip(byte).position(|b| !matches!(b, b'\r' | b'\n')).map_or(bytes.len(), |n| byte + n);
        // A lone carriage return ends a row too, as old Macs wrote it.
        let ends = |at: &usize| bytes[*at] == b'\n' || (bytes[*at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        self.line += (self.byte..start).filter(ends).count();
        self.byte = start;
        self.line
    }
}

/// A header as we spell it; a unit in brackets is part of it.
pub(super) fn normalised(name: &str) -> String {
    let signs = [' ', '-', '_', '/', '(', ')', '[', ']'];
    let lower = name.to_lowercase();
    let plain = lower.split(signs).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
    ALIASES.iter().find(|(alias, _)| *alias == plain).map_or(plain, |(_, ours)| (*ours).to_owned())
}

/// Refuses a latency that is there in another unit instead of ours.
fn check_units(header: &StringRecord, names: &[String]) -> Result<()> {
    for (ours, spellings) in LATENCIES {
        if names.iter().any(|name| name == ours) {
            continue;
        }
        for (column, name) in header.iter().zip(names) {
            let Some((latency, unit)) = name.rsplit_once('_') else { continue };
            let other = OTHER_UNITS.iter().find(|(short, _)| *short == unit).filter(|_| spellings.contains(&latency));
            if let Some((_, unit)) = other {
                return Err(Error::input(format!("column `{}` is in {unit}", column.trim()))
                    .help(format!("write milliseconds, in a column `{ours}`")));
            }
        }
    }
    Ok(())
}

/// Position of each of [`columns_of`] a load in the header.
fn columns(
    file: &SpecFile,
    load: LoadKind,
    header: &StringRecord,
    line: usize,
) -> Result<[Option<usize>; COLUMNS.len()]> {
    let wanted = columns_of(load);
    let mut names: Vec<String> = header.iter().map(normalised).collect();
    if load == LoadKind::StaticBatch && !names.iter().any(|name| name == "batch") {
        names.iter_mut().filter(|name| *name == "concurrency").for_each(|name| *name = "batch".to_owned());
    }
    check_units(header, &names).map_err(|error| error.at(&file.label).line(line))?;
    let mut places = [None; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(wanted) {
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
        wanted[..REQUIRED].iter().zip(places).filter(|(_, place)| place.is_none()).map(|(name, _)| *name).collect();
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
                wanted[..REQUIRED].join(", ")
            )));
    }
    Ok(places)
}

/// How to read the rows of a file.
pub(super) struct Format<'a> {
    pub file: &'a SpecFile,
    pub load: LoadKind,
    pub places: [Option<usize>; COLUMNS.len()],
}

impl<'a> Format<'a> {
    /// From a header in a line.
    pub fn of(file: &'a SpecFile, load: LoadKind, header: &StringRecord, line: usize) -> Result<Self> {
        Ok(Self { file, load, places: columns(file, load, header, line)? })
    }

    /// A row as a measurement.
    pub fn measurement(&self, record: &StringRecord, line: usize) -> Result<Measurement> {
        let wanted = columns_of(self.load);
        let mut values = [None; COLUMNS.len()];
        for ((value, place), column) in values.iter_mut().zip(self.places).zip(wanted) {
            let Some(place) = place else { continue };
            let text = record.get(place).unwrap_or("");
            if text.is_empty() && column == wanted[REQUIRED] {
                continue;
            }
            let fault = |message: String| Error::input(message).at(&self.file.label).line(line);
            let number: f64 = text.parse().map_err(|_| {
                fault(format!("column `{column}`: cannot read `{text}` as a number"))
                    .help("write a number with a decimal point, or delete the row if it was not measured")
            })?;
            if !(number.is_finite() && number > 0.0) {
                let why = if number.is_finite() { "not above 0" } else { "no finite number" };
                return Err(fault(format!("column `{column}`: {text} is {why}"))
                    .help("write the measured value, or delete the row if it was not measured"));
            }
            if !PLAUSIBLE.contains(&number) {
                return Err(fault(format!("column `{column}`: {text} cannot be a measurement"))
                    .help("check the unit: latencies are in ms, throughput in tokens/s"));
            }
            *value = Some(number);
        }
        // The required columns have a place, and a place either gave a number or returned above.
        let [Some(input), Some(output), Some(load), Some(ttft), Some(itl), throughput] = values else {
            unreachable!("a required column without a value")
        };
        let workload =
            Workload::under(self.load, input, output, load).map_err(|error| error.at(&self.file.label).line(line))?;
        Ok(Measurement {
            workload,
            ttft: Seconds::from_ms(ttft),
            itl: Seconds::from_ms(itl),
            throughput: throughput.map(TokensPerSec::new),
            line,
        })
    }
}

/// What the csv reader says, in our words.
pub(super) fn csv_error(file: &SpecFile, error: &csv::Error) -> Error {
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
        read_measurements(&SpecFile { label: "m.csv".into(), text: text.into() }, LoadKind::ClosedLoop)
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
    fn each_load_has_its_column_and_a_batch_may_stand_under_concurrency() {
        for (load, column) in [
            (LoadKind::OpenLoop, "rate_rps"),
            (LoadKind::OpenLoop, "request_rate"),
            (LoadKind::StaticBatch, "batch"),
            (LoadKind::StaticBatch, "concurrency"),
        ] {
            let text = format!("input_tokens,output_tokens,{column},ttft_ms,itl_ms\n200,200,4,10.26,4.63\n");
            let file = SpecFile { label: "m.csv".into(), text };
            let workload = read_measurements(&file, load).unwrap().rows[0].workload;
            assert_eq!((workload.kind(), workload.amount()), (load, 4.0), "{column}");
        }
        let message = read_measurements(
            &SpecFile { label: "m.csv".into(), text: "input_tokens,output_tokens,concurrency,ttft_ms,itl_ms\n".into() },
            LoadKind::OpenLoop,
        );
        assert!(message.unwrap_err().to_string().starts_with("m.csv:1: missing column `rate_rps`"));
    }

    #[test]
    fn a_unit_in_brackets_is_part_of_a_name_and_another_unit_is_refused() {
        for header in [
            "Input Tokens,Output Tokens,Concurrency,TTFT (ms),ITL (ms),Throughput (tok/s)",
            "input-tokens, output tokens ,CONCURRENCY,ttft[ms],TPOT (ms),throughput (tokens/s)",
        ] {
            let row = read(&format!("{header}\n200,100,1,10.26,4.63,214.56\n")).unwrap().rows[0];
            assert_eq!(row.workload, Workload::new(200.0, 100.0, 1.0).unwrap(), "{header}");
            assert_eq!((row.ttft, row.itl), (Seconds::from_ms(10.26), Seconds::from_ms(4.63)), "{header}");
            assert_eq!(row.throughput, Some(TokensPerSec::new(214.56)), "{header}");
        }
        for (latencies, want) in [
            ("TTFT (s),ITL (ms)", "column `TTFT (s)` is in seconds\n  help: write milliseconds, in a column `ttft_ms`"),
            (
                "ttft_ms,tpot_seconds",
                "column `tpot_seconds` is in seconds\n  help: write milliseconds, in a column `itl_ms`",
            ),
            (
                "ttft_ms,ITL [µs]",
                "column `ITL [µs]` is in microseconds\n  help: write milliseconds, in a column `itl_ms`",
            ),
        ] {
            let message =
                read(&format!("input_tokens,output_tokens,concurrency,{latencies}\n")).unwrap_err().to_string();
            assert_eq!(message, format!("m.csv:1: {want}"));
        }
        let both = read("input_tokens,output_tokens,concurrency,ttft_s,ttft_ms,itl_ms\n200,100,1,0.01,10.26,4.63\n");
        assert_eq!(both.unwrap().rows[0].ttft, Seconds::from_ms(10.26));
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
        let text = "\u{feff}input_tokens,output_tokens,concurrency,ttft_ms,itl_ms\r\n200,200,1,10.26,4.63\r\n";
        assert_eq!(read(text).unwrap().rows.len(), 1);
    }
}
