//! What the JSON of several tools has in common.

use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::point::{Latency, Load};
use crate::error::{Error, Result};
use crate::requests::json;

/// Every value of a text: one, or one after another, as tools write that append.
///
/// # Errors
/// It is no JSON, or lacks what `T` needs.
pub fn values<T: DeserializeOwned>(text: &[u8], path: &Path) -> Result<Vec<T>> {
    let found = json::values(text)
        .map_err(|error| json::wrong(&error, path, "result of that tool").help("give the file as the tool wrote it"))?;
    if found.is_empty() {
        return Err(Error::input("this file is empty").at(path).help("give a result file"));
    }
    Ok(found)
}

/// As [`values`], where a value may also be a list of them.
///
/// # Errors
/// As [`values`].
pub fn objects<T: DeserializeOwned>(text: &[u8], path: &Path) -> Result<Vec<T>> {
    if json::is_list(text) {
        return Ok(values::<Vec<T>>(text, path)?.into_iter().flatten().collect());
    }
    values(text, path)
}

/// A number, or a text where a number would be (`"inf"`).
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum NumberOrText {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl NumberOrText {
    /// Whether it is a text that is no number, not even an endless one.
    pub fn is_word(&self) -> bool {
        matches!(self, Self::Text(text) if text.trim().parse::<f64>().is_err())
    }

    /// The number, `None` for anything endless.
    pub fn finite(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => finite(text.trim()),
        }
    }
}

/// The number that a text is; `None` for anything endless, which Rust reads too (`inf`, `nan`).
pub fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The load of a client with a cap on running requests and a rate: a closed loop where nothing else holds requests back, and
/// `neither` where it has neither.
pub fn load(clients: Option<f64>, rate: Option<f64>, neither: Load) -> Load {
    match (clients, rate) {
        (Some(clients), None) => Load::Clients(clients),
        (_, Some(rate)) => Load::Rate(rate),
        (None, None) => neither,
    }
}

/// What to beware of where a client has both.
pub fn capped(origin: &str, clients: Option<f64>, rate: Option<f64>) -> Option<String> {
    let (clients, rate) = (clients?, rate?);
    Some(format!(
        "{origin}: {rate} requests a second, but no more than {clients} at once; taken for an open loop, which it is only while fewer \
         run"
    ))
}

/// Mean and median of a metric, as several tools name them.
#[derive(Debug, Clone, Copy, Deserialize, Default)]
pub struct Summary {
    /// Arithmetic mean.
    #[serde(default, alias = "avg")]
    pub mean: Option<f64>,
    /// Median.
    #[serde(default, alias = "p50")]
    pub median: Option<f64>,
}

impl Summary {
    /// As a latency in ms.
    pub fn latency(self, to_ms: f64) -> Latency {
        Latency { mean: self.mean, median: self.median }.scaled(to_ms)
    }
}

/// The keys by which a value tells its tool.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Telling {
    /// AIPerf, not before it had a schema.
    pub aiperf_version: Option<IgnoredAny>,
    /// AIPerf of every version.
    pub error_summary: Option<IgnoredAny>,
    /// AIPerf and GenAI-Perf.
    pub time_to_first_token: Option<IgnoredAny>,
    /// AIPerf and GenAI-Perf.
    pub input_config: Option<IgnoredAny>,
    /// GuideLLM.
    pub benchmarks: Option<IgnoredAny>,
    /// inference-perf.
    pub load_summary: Option<IgnoredAny>,
    /// AIPerf's requests one by one.
    pub metadata: Option<IgnoredAny>,
    /// AIPerf's requests one by one.
    pub metrics: Option<IgnoredAny>,
    /// InferenceMAX.
    pub tput_per_gpu: Option<IgnoredAny>,
    /// vLLM and SGLang.
    pub mean_ttft_ms: Option<IgnoredAny>,
    /// SGLang.
    pub mean_e2e_latency_ms: Option<IgnoredAny>,
    /// SGLang.
    pub random_input_len: Option<IgnoredAny>,
    /// SGLang.
    pub total_output_tokens_retokenized: Option<IgnoredAny>,
}
