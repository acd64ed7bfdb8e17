//! GuideLLM's JSON and CSV, 0.8.1 and layouts before it down to 0.3.1, told by their keys.

use std::path::Path;

use serde::Deserialize;

use super::imported::Imported;
use super::json::{Summary, finite, values};
use super::point::{Facts, Latency, Load, Point};
use super::reader::{CsvReader, Reader};
use super::tool::Tool;
use crate::error::{Error, Result};

/// GuideLLM.
pub const READER: Reader = Reader {
    tool: Tool::Guidellm,
    tells: |keys| keys.benchmarks.is_some(),
    read,
    csv: Some(CsvReader {
        tells: |text, _| text.starts_with(b"Run Info,") || text.starts_with(b"Type,Run Id,"),
        read: read_csv,
    }),
};

#[derive(Debug, Deserialize)]
struct Report {
    benchmarks: Vec<Benchmark>,
    #[serde(default)]
    config: Config,
    #[serde(default)]
    args: OldArguments,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    backend: Backend,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Backend {
    model: Option<String>,
}

/// Where versions before 0.8 keep the model.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OldArguments {
    model: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Benchmark {
    /// `args` before 0.6.
    #[serde(alias = "args")]
    config: BenchmarkConfig,
    metrics: Metrics,
}

#[derive(Debug, Deserialize)]
struct BenchmarkConfig {
    strategy: Strategy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Strategy {
    type_: String,
    streams: Option<f64>,
    rate: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metrics {
    request_totals: Totals,
    time_to_first_token_ms: Split,
    inter_token_latency_ms: Split,
    prompt_token_count: Split,
    output_token_count: Split,
    output_tokens_per_second: Split,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Totals {
    successful: Option<f64>,
    errored: Option<f64>,
    incomplete: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Split {
    successful: Summary,
}

/// The load of a strategy.
fn load(kind: &str, streams: Option<f64>, rate: Option<f64>) -> Load {
    match (kind, streams, rate) {
        ("synchronous", ..) => Load::Clients(1.0),
        ("concurrent", Some(streams), _) => Load::Clients(streams),
        ("constant" | "poisson" | "async", _, Some(rate)) => Load::Rate(rate),
        ("throughput", ..) => Load::Unlimited,
        _ => Load::Unknown,
    }
}

fn read(text: &[u8], path: &Path) -> Result<Imported> {
    let mut imported = Imported::of(Tool::Guidellm);
    for report in values::<Report>(text, path)? {
        for (index, benchmark) in report.benchmarks.into_iter().enumerate() {
            let origin = format!("{}, benchmark {}", path.display(), index + 1);
            let Strategy { type_, streams, rate } = benchmark.config.strategy;
            let metrics = benchmark.metrics;
            if let Some(incomplete) = metrics.request_totals.incomplete.filter(|count| *count > 0.0) {
                imported
                    .warnings
                    .push(format!("{origin}: {incomplete} requests were cut off at the end and do not count"));
            }
            imported.points.push(Point {
                input_tokens: metrics.prompt_token_count.successful.mean,
                output_tokens: metrics.output_token_count.successful.mean,
                ttft: metrics.time_to_first_token_ms.successful.latency(1.0),
                itl: metrics.inter_token_latency_ms.successful.latency(1.0),
                throughput: metrics.output_tokens_per_second.successful.mean,
                completed: metrics.request_totals.successful,
                failed: metrics.request_totals.errored,
                ..Point::at(origin, load(&type_, streams, rate))
            });
        }
        imported
            .add_facts(&Facts { model: report.config.spec.backend.model.or(report.args.model), ..Facts::default() });
    }
    Ok(imported)
}

/// The settings of a run in a CSV of 0.5, with the strategy of every row.
#[derive(Debug, Deserialize)]
struct Profile {
    completed_strategies: Vec<Strategy>,
}

/// Rows of the header: group, status with unit, statistic.
const HEADER_ROWS: usize = 3;

/// Columns of the one row of header that versions before 0.4 write, and where they stand under three.
const ONE_ROW: [(&str, [&str; HEADER_ROWS]); 10] = [
    ("Name", ["Benchmark", "Strategy", ""]),
    ("Successful Requests", ["Request Counts", "Successful", ""]),
    ("Errored Requests", ["Request Counts", "Errored", ""]),
    ("Successful Prompt token count mean", ["Token Metrics", "Successful Input", "Mean"]),
    ("Successful Output token count mean", ["Token Metrics", "Successful Output", "Mean"]),
    ("Successful Time to first token ms mean", ["Time to First Token", "Successful", "Mean"]),
    ("Successful Time to first token ms median", ["Time to First Token", "Successful", "Median"]),
    ("Successful Inter token latency ms mean", ["Inter Token Latency", "Successful", "Mean"]),
    ("Successful Inter token latency ms median", ["Inter Token Latency", "Successful", "Median"]),
    ("Successful Output tokens per second mean", ["Token Throughput", "Successful Output", "Mean"]),
];

/// The three rows of header of a CSV and the rows below them.
fn below_header(mut records: Vec<csv::StringRecord>) -> Option<(Vec<csv::StringRecord>, Vec<csv::StringRecord>)> {
    let is_one_row = records.first()?.get(0).is_some_and(|name| name.trim_start_matches('\u{feff}') == "Type");
    let height = if is_one_row { 1 } else { HEADER_ROWS };
    if records.len() <= height {
        return None;
    }
    let rows = records.split_off(height);
    let header = if is_one_row {
        let place =
            |name: &str| ONE_ROW.iter().find(|(own, _)| *own == name).map_or([""; HEADER_ROWS], |(_, place)| *place);
        (0..HEADER_ROWS).map(|level| records[0].iter().map(|name| place(name)[level]).collect()).collect()
    } else {
        records
    };
    Some((header, rows))
}

/// The CSV: a header of three rows, of one before 0.4, then a row for each benchmark.
fn read_csv(text: &[u8], path: &Path) -> Result<Imported> {
    let mut imported = Imported::of(Tool::Guidellm);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(text);
    let records: Vec<csv::StringRecord> = reader.records().collect::<csv::Result<_>>().map_err(|error| {
        Error::input(format!("this is no CSV ({error})")).at(path).help("give the file as the tool wrote it")
    })?;
    let Some((header, rows)) = below_header(records) else {
        return Err(Error::input("there is no benchmark below the header")
            .at(path)
            .help("give the file as the tool wrote it"));
    };
    for (index, row) in rows.iter().enumerate() {
        let cell = |group: &str, what: &str, statistic: &str| {
            let at = (0..row.len()).find(|&at| {
                let is = |level: usize, text: &str| header[level].get(at).is_some_and(|cell| cell.starts_with(text));
                is(0, group) && is(1, what) && is(2, statistic)
            })?;
            row.get(at)
        };
        let number = |group: &str, what: &str, statistic: &str| finite(cell(group, what, statistic)?);
        let both = |group: &str| Latency {
            mean: number(group, "Successful", "Mean"),
            median: number(group, "Successful", "Median"),
        };
        let (kind, asked) = strategy(cell("Benchmark", "Strategy", "").unwrap_or(""));
        let listed = cell("Run Info", "Profile", "").and_then(|profile| serde_json::from_str::<Profile>(profile).ok());
        let Strategy { streams, rate, .. } = match (asked, listed) {
            (None, Some(mut profile)) if index < profile.completed_strategies.len() => {
                profile.completed_strategies.swap_remove(index)
            }
            (number, _) => Strategy { streams: number, rate: number, ..Strategy::default() },
        };
        imported.points.push(Point {
            input_tokens: number("Token Metrics", "Successful Input", "Mean")
                .or_else(|| number("Text Tokens", "Successful Input", "Mean")),
            output_tokens: number("Token Metrics", "Successful Output", "Mean")
                .or_else(|| number("Text Tokens", "Successful Output", "Mean")),
            ttft: both("Time to First Token"),
            itl: both("Inter Token Latency"),
            throughput: number("Token Throughput", "Successful Output", "Mean"),
            completed: number("Request Counts", "Successful", ""),
            failed: number("Request Counts", "Errored", ""),
            ..Point::at(format!("{}, benchmark {}", path.display(), index + 1), load(kind, streams, rate))
        });
    }
    Ok(imported)
}

/// A strategy as the CSV names it: `concurrent@4`, without its number in 0.5.
fn strategy(text: &str) -> (&str, Option<f64>) {
    match text.split_once('@') {
        Some((kind, number)) => (kind, finite(number)),
        None => (text, None),
    }
}
