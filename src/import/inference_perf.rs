//! inference-perf of llm-d, 0.3.0 to 0.7.0: `stage_N_lifecycle_metrics.json`. All times are in seconds.

use std::path::Path;

use serde::Deserialize;

use super::imported::Imported;
use super::json::{Summary, values};
use super::point::{Load, Point};
use super::reader::Reader;
use super::tool::Tool;
use crate::error::Result;

/// inference-perf.
pub const READER: Reader =
    Reader { tool: Tool::InferencePerf, tells: |keys| keys.load_summary.is_some(), read, csv: None };

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stage {
    load_summary: LoadSummary,
    successes: Successes,
    failures: Failures,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadSummary {
    requested_rate: Option<f64>,
    achieved_rate: Option<f64>,
    concurrency: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Successes {
    count: Option<f64>,
    latency: Latencies,
    throughput: Throughput,
    /// `prompt_len` before 0.7.
    prompt_tokens: Option<Summary>,
    prompt_len: Option<Summary>,
    output_len: Summary,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Latencies {
    time_to_first_token: Option<Summary>,
    time_per_output_token: Option<Summary>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Throughput {
    output_tokens_per_sec: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Failures {
    count: Option<f64>,
}

/// A server that answers more slowly than this share of what it was asked is behind.
const BEHIND: f64 = 0.95;

/// What the layout before 0.7 leaves open; 0.3.0 against a server that sends a closing chunk is low by this much.
const CLOSING_CHUNK: &str = "inference-perf before 0.7 takes the chunk that closes an answer for a token: where the server sends one, \
                             ITL is low by one part in the number of output tokens";

fn read(text: &[u8], path: &Path) -> Result<Imported> {
    let mut imported = Imported::of(Tool::InferencePerf);
    for stage in values::<Stage>(text, path)? {
        let origin = path.display().to_string();
        let LoadSummary { requested_rate, achieved_rate, concurrency } = stage.load_summary;
        if let (Some(requested), Some(achieved), None) = (requested_rate, achieved_rate, concurrency)
            && achieved < BEHIND * requested
        {
            imported.warnings.push(format!(
                "{origin}: {achieved:.2} requests a second were sent where {requested} were wanted; the achieved rate is taken"
            ));
        }
        let load = match (concurrency, achieved_rate.or(requested_rate)) {
            (Some(clients), _) => Load::Clients(clients),
            (None, Some(rate)) => Load::Rate(rate),
            (None, None) => Load::Unknown,
        };
        let successes = stage.successes;
        if successes.prompt_tokens.is_none() && !imported.warnings.iter().any(|warning| warning == CLOSING_CHUNK) {
            imported.warnings.push(CLOSING_CHUNK.to_owned());
        }
        let ms = |summary: Option<Summary>| summary.unwrap_or_default().latency(1e3);
        imported.points.push(Point {
            input_tokens: successes.prompt_tokens.or(successes.prompt_len).and_then(|lengths| lengths.mean),
            output_tokens: successes.output_len.mean,
            ttft: ms(successes.latency.time_to_first_token),
            itl: ms(successes.latency.time_per_output_token),
            throughput: successes.throughput.output_tokens_per_sec,
            completed: successes.count,
            failed: stage.failures.count,
            ..Point::at(origin, load)
        });
    }
    Ok(imported)
}
