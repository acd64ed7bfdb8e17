//! What LLMeter writes of a run beside its requests.

use std::path::Path;

use serde_json::Value;

use super::{json, source};
use crate::error::Result;

/// Which versions of LLMeter write such requests, told by the fields they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LlmeterVersion {
    /// 0.1.4 and before.
    UpTo0_1_4,
    /// 0.1.5 to 0.1.9.
    From0_1_5,
    /// 0.1.10 to 0.1.12.
    From0_1_10,
    /// 0.2.0 and later.
    From0_2_0,
}

impl LlmeterVersion {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpTo0_1_4 => "≤ 0.1.4",
            Self::From0_1_5 => "0.1.5 – 0.1.9",
            Self::From0_1_10 => "0.1.10 – 0.1.12",
            Self::From0_2_0 => "≥ 0.2.0",
        }
    }

    /// Of a request's fields.
    fn of(request: &Value) -> Self {
        if request.get("annotations").is_some() {
            Self::From0_2_0
        } else if request.get("request_time").is_some() {
            Self::From0_1_10
        } else if request.get("retries").is_some() {
            Self::From0_1_5
        } else {
            Self::UpTo0_1_4
        }
    }
}

/// What is known of a run as a whole. Paths that LLMeter recorded are not: they go stale when a folder is moved.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunInfo {
    /// Name that the run was given.
    pub name: Option<String>,
    /// Description that it was given.
    pub description: Option<String>,
    /// Model that was asked.
    pub model: Option<String>,
    /// Endpoint that was asked.
    pub endpoint: Option<String>,
    /// Who serves it.
    pub provider: Option<String>,
    /// Clients in a closed loop.
    pub clients: Option<u32>,
    /// Requests that the run counts.
    pub total_requests: Option<usize>,
    /// Duration in seconds, from the start to the last answer.
    pub duration: Option<f64>,
    /// Version that wrote it.
    pub version: Option<LlmeterVersion>,
    /// Whether it has no summary, or one without a duration.
    pub interrupted: bool,
}

impl RunInfo {
    /// Of the files in a run's folder: summary.json, or run_config.json where there is none.
    ///
    /// # Errors
    /// A file cannot be read or is no JSON object.
    pub(super) fn read(folder: &Path, responses: &Path) -> Result<Self> {
        let version = first_request(responses)?.as_ref().map(LlmeterVersion::of);
        if let Some(summary) = object(folder, "summary.json")? {
            let info = Self { version, ..Self::of(&summary, &summary) };
            return Ok(Self { interrupted: info.duration.is_none(), ..info });
        }
        let config = object(folder, "run_config.json")?.unwrap_or_default();
        let endpoint = &config["endpoint"];
        // From 0.2.0 on the endpoint's fields lie one level deeper.
        let state = endpoint.get("__llmeter_state__").unwrap_or(endpoint);
        Ok(Self { version, interrupted: true, ..Self::of(&config, state) })
    }

    fn of(run: &Value, endpoint: &Value) -> Self {
        let text = |of: &Value, key: &str| of[key].as_str().map(str::to_owned);
        Self {
            name: text(run, "run_name"),
            description: text(run, "run_description"),
            model: text(endpoint, "model_id"),
            endpoint: text(endpoint, "endpoint_name"),
            provider: text(endpoint, "provider"),
            clients: clients(run["clients"].as_f64()),
            total_requests: run["total_requests"].as_u64().filter(|total| *total > 0).map(|total| total as usize),
            duration: duration(run["total_test_time"].as_f64()),
            ..Self::default()
        }
    }
}

/// Clients of a closed loop, as a tool states them; it has none where it states less than one.
pub(super) fn clients(stated: Option<f64>) -> Option<u32> {
    stated.filter(|clients| *clients >= 1.0).map(|clients| clients as u32)
}

/// A duration in seconds, as a tool states it; 0 stands for one that it does not know.
pub(super) fn duration(stated: Option<f64>) -> Option<f64> {
    stated.filter(|seconds| *seconds != 0.0)
}

/// A JSON object beside the requests; `None` where there is no such file.
fn object(folder: &Path, name: &str) -> Result<Option<Value>> {
    let Some(path) = source::find(folder, name) else { return Ok(None) };
    let value = json::lenient(&source::read_bytes(&path)?);
    value
        .map(Some)
        .map_err(|error| json::wrong(&error, &path, "JSON").help("delete the file to read the run without it"))
}

/// The first request of a file, for its fields. A cut line has none.
fn first_request(responses: &Path) -> Result<Option<Value>> {
    let mut reader = std::io::BufReader::new(source::open(responses)?);
    let mut line = Vec::new();
    std::io::BufRead::read_until(&mut reader, b'\n', &mut line)
        .map_err(|error| source::unreadable(responses, &error))?;
    Ok(json::lenient(line.trim_ascii()).ok())
}
