//! AIPerf's `profile_export_aiperf.json` and GenAI-Perf's `profile_export_genai_perf.json`, and the CSVs of both. Source: AIPerf 0.3.0 and
//! 0.13.0 (schema 1.4), perf_analyzer at 263c5f6e.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::imported::Imported;
use super::json::{Summary, capped, finite, load, values};
use super::point::{Facts, Latency, Load, Point};
use super::reader::{CsvReader, Reader};
use super::tool::Tool;
use crate::error::{Error, Result};

/// AIPerf, whose export names its version, or counts its errors as all versions do.
pub const AIPERF: Reader = Reader {
    tool: Tool::Aiperf,
    tells: |keys| keys.time_to_first_token.is_some() && (keys.aiperf_version.is_some() || keys.error_summary.is_some()),
    read: |text, path| read(text, path, Tool::Aiperf),
    csv: Some(CsvReader {
        tells: |text, path| is_csv(text) && !is_of_genai_perf(path),
        read: |text, path| read_csv(text, path, Tool::Aiperf),
    }),
};

/// GenAI-Perf, whose export has the same metrics beside its settings.
pub const GENAI_PERF: Reader = Reader {
    tool: Tool::GenaiPerf,
    tells: |keys| keys.time_to_first_token.is_some() && keys.input_config.is_some(),
    read: |text, path| read(text, path, Tool::GenaiPerf),
    csv: Some(CsvReader {
        tells: |text, path| is_csv(text) && is_of_genai_perf(path),
        read: |text, path| read_csv(text, path, Tool::GenaiPerf),
    }),
};

fn is_csv(text: &[u8]) -> bool {
    text.starts_with(b"Metric,")
}

/// Nothing but its name tells a CSV of GenAI-Perf from one of AIPerf.
fn is_of_genai_perf(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("genai_perf"))
}

/// A metric with its unit.
#[derive(Debug, Clone, Default, Deserialize)]
struct Metric {
    #[serde(default)]
    unit: String,
    #[serde(flatten)]
    summary: Summary,
}

impl Metric {
    /// As a latency in ms.
    fn latency(&self, path: &Path) -> Result<Latency> {
        let to_ms = match self.unit.trim().to_lowercase().as_str() {
            "ms" | "milliseconds" => 1.0,
            "s" | "sec" | "seconds" => 1e3,
            "us" | "µs" | "microseconds" => 1e-3,
            "ns" | "nanoseconds" => 1e-6,
            other => {
                return Err(Error::input(format!("`{other}` is no unit of time"))
                    .at(path)
                    .help("ms, s, us and ns are read; give the file as the tool wrote it"));
            }
        };
        Ok(self.summary.latency(to_ms))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Export {
    time_to_first_token: Option<Metric>,
    inter_token_latency: Option<Metric>,
    input_sequence_length: Option<Metric>,
    output_sequence_length: Option<Metric>,
    output_token_throughput: Option<Metric>,
    request_count: Option<Metric>,
    error_request_count: Option<Metric>,
    input_config: Value,
    was_cancelled: Option<bool>,
}

fn read(text: &[u8], path: &Path, tool: Tool) -> Result<Imported> {
    let mut imported = Imported::of(tool);
    for export in values::<Export>(text, path)? {
        let phase = measured_phase(&export.input_config);
        let settings = phase.unwrap_or(&export.input_config);
        let number = |key: &str| find(settings, key).and_then(Value::as_f64);
        let rate = phase.and_then(|phase| phase["rate"].as_f64()).or_else(|| number("request_rate"));
        let clients = number("concurrency");
        let is_scheduled = phase.is_some_and(|phase| phase["type"] == "fixed_schedule")
            || find(settings, "fixed_schedule").and_then(Value::as_bool) == Some(true)
            || find(settings, "request_intervals").is_some();
        let origin = path.display().to_string();
        if export.was_cancelled == Some(true) {
            imported.warnings.push(format!("{origin}: the run was cancelled"));
        }
        imported.warnings.extend(capped(&origin, clients, rate));
        let mean = |metric: &Option<Metric>| metric.as_ref()?.summary.mean;
        let latency = |metric: &Option<Metric>| metric.as_ref().map_or(Ok(Latency::default()), |m| m.latency(path));
        imported.points.push(Point {
            input_tokens: mean(&export.input_sequence_length),
            output_tokens: mean(&export.output_sequence_length),
            ttft: latency(&export.time_to_first_token)?,
            itl: latency(&export.inter_token_latency)?,
            throughput: mean(&export.output_token_throughput),
            completed: mean(&export.request_count),
            failed: mean(&export.error_request_count),
            ..Point::at(origin, if is_scheduled { Load::Scheduled } else { load(clients, rate, Load::Unknown) })
        });
        imported.add_facts(&Facts { model: model(&export.input_config), ..Facts::default() });
    }
    Ok(imported)
}

/// The phase that was measured: 0.13 lists the phases of a run, before it settings belong to the whole.
fn measured_phase(config: &Value) -> Option<&Value> {
    config["phases"].as_array()?.iter().rfind(|phase| phase["kind"] == "profiling")
}

/// The first value of a key, however deep; versions nest their settings differently.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => {
            let own = fields.get(key).filter(|value| !value.is_null() && !value.is_object());
            own.or_else(|| fields.values().find_map(|value| find(value, key)))
        }
        Value::Array(items) => items.iter().find_map(|item| find(item, key)),
        _ => None,
    }
}

/// The name of the first model.
fn model(config: &Value) -> Option<String> {
    if let Some(name) = config["models"]["items"][0]["name"].as_str() {
        return Some(name.to_owned());
    }
    let names = ["model_names", "model_name", "model"].into_iter().find_map(|key| find(config, key))?;
    let first = names.as_array().map_or(Some(names), |names| names.first())?;
    first.as_str().map(str::to_owned)
}

/// The CSV: `Metric,avg,min,…` with units in the names, then an empty line and `Metric,Value`.
fn read_csv(text: &[u8], path: &Path, tool: Tool) -> Result<Imported> {
    let mut imported = Imported::of(tool);
    let wrong = |error: csv::Error| {
        Error::input(format!("this is no CSV ({error})")).at(path).help("give the file as the tool wrote it")
    };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(text);
    let mut header: Vec<String> = Vec::new();
    let mut metrics: HashMap<String, Metric> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let Some(name) = record.get(0) else { continue };
        if name == "Metric" {
            header = record.iter().map(str::to_lowercase).collect();
            continue;
        }
        let (name, unit) = name.split_once(" (").map_or((name, ""), |(name, unit)| (name, unit.trim_end_matches(')')));
        let cell = |column: &[&str]| -> Option<f64> {
            let at = header.iter().position(|name| column.contains(&name.as_str()))?;
            finite(&record.get(at)?.replace(',', ""))
        };
        let summary = Summary { mean: cell(&["avg", "value"]), median: cell(&["p50"]) };
        metrics.insert(name.to_lowercase(), Metric { unit: unit.to_owned(), summary });
    }
    let mean = |name: &str| metrics.get(name).and_then(|metric| metric.summary.mean);
    let latency = |name: &str| metrics.get(name).map_or(Ok(Latency::default()), |metric| metric.latency(path));
    imported.points.push(Point {
        input_tokens: mean("input sequence length"),
        output_tokens: mean("output sequence length"),
        ttft: latency("time to first token")?,
        itl: latency("inter token latency")?,
        throughput: mean("output token throughput"),
        completed: mean("request count"),
        ..Point::at(path.display().to_string(), Load::Unknown)
    });
    Ok(imported)
}
