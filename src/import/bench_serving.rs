//! `vllm bench serve --save-result` and SGLang's `bench_serving`, which descends from it: one object for each run, appended to the
//! file or not; `vllm bench sweep serve` lists its runs. Source: vllm/benchmarks/serve.py at 009e6d4 and sweep/serve.py,
//! sglang/bench_serving.py at 0033168.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::imported::Imported;
use super::json::{NumberOrText, capped, load, objects};
use super::point::{Facts, Latency, Load, Point, drafted, unmodelled};
use super::reader::Reader;
use super::tool::Tool;
use crate::error::Result;

/// SGLang, which writes the keys of vLLM and some of its own.
pub const SGLANG: Reader = Reader {
    tool: Tool::Sglang,
    tells: |keys| {
        let own = [&keys.mean_e2e_latency_ms, &keys.random_input_len, &keys.total_output_tokens_retokenized];
        keys.mean_ttft_ms.is_some() && own.iter().any(|key| key.is_some())
    },
    read: |text, path| read(text, path, Tool::Sglang),
    csv: None,
};

/// vLLM.
pub const VLLM: Reader = Reader {
    tool: Tool::Vllm,
    tells: |keys| keys.mean_ttft_ms.is_some(),
    read: |text, path| read(text, path, Tool::Vllm),
    csv: None,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Run {
    backend: Option<String>,
    model_id: Option<String>,
    request_rate: Option<NumberOrText>,
    ramp_up_strategy: Option<String>,
    max_concurrency: Option<f64>,
    completed: Option<f64>,
    failed: Option<f64>,
    total_input_tokens: Option<f64>,
    total_output_tokens: Option<f64>,
    output_throughput: Option<f64>,
    /// SGLang's own settings, in newer versions.
    server_info: Value,
    /// What a sweep of vLLM set, as are the next three.
    tensor_parallel_size: Value,
    data_parallel_size: Value,
    quantization: Value,
    kv_cache_dtype: Value,
    mean_ttft_ms: Option<f64>,
    median_ttft_ms: Option<f64>,
    mean_tpot_ms: Option<f64>,
    median_tpot_ms: Option<f64>,
    /// Tokens of a step, vLLM.
    spec_decode_acceptance_length: Option<f64>,
    /// The same, SGLang.
    accept_length: Option<f64>,
}

impl Run {
    fn load(&self, rate: Option<f64>) -> Load {
        if self.ramp_up_strategy.is_some() || self.request_rate.as_ref().is_some_and(NumberOrText::is_word) {
            return Load::Scheduled;
        }
        load(self.max_concurrency, rate, Load::Unlimited)
    }

    /// What the file says of the system.
    fn facts(&self) -> Facts {
        let server = &self.server_info;
        let text =
            |value: &Value| value.as_str().filter(|name| !["", "auto", "none"].contains(name)).map(str::to_owned);
        Facts {
            model: self.model_id.clone().or_else(|| text(&server["model_path"])),
            engine: self.backend.as_deref().and_then(engine),
            tensor_parallel: degree(&server["tp_size"]).or_else(|| degree(&self.tensor_parallel_size)),
            precision: text(&server["quantization"])
                .or_else(|| text(&self.quantization))
                .or_else(|| text(&server["dtype"])),
            kv_precision: text(&server["kv_cache_dtype"]).or_else(|| text(&self.kv_cache_dtype)),
            ..Facts::default()
        }
    }

    /// What to beware of.
    fn warnings(&self, origin: &str, rate: Option<f64>) -> Vec<String> {
        let server = &self.server_info;
        let drafts = self.spec_decode_acceptance_length.or(self.accept_length).filter(|tokens| *tokens > 1.0);
        let by = match (server["speculative_algorithm"].as_str(), drafts) {
            (Some(name), _) => Some(name.to_owned()),
            (None, Some(tokens)) => Some(format!("{tokens:.2} tokens a step")),
            (None, None) => None,
        };
        let copies =
            degree(&server["dp_size"]).or_else(|| degree(&self.data_parallel_size)).filter(|copies| *copies > 1);
        let parallel = copies.map(|copies| unmodelled(origin, &format!("data parallelism {copies}")));
        let drafted = by.map(|by| drafted(origin, &by));
        capped(origin, self.max_concurrency, rate).into_iter().chain(parallel).chain(drafted).collect()
    }
}

/// A degree of parallelism, which a sweep may write as a text.
fn degree(value: &Value) -> Option<u32> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    u32::try_from(number).ok().filter(|degree| *degree >= 1)
}

/// The engine of a client's backend; many serve the interface of OpenAI, so that it tells none.
fn engine(backend: &str) -> Option<String> {
    let name = ["-oai-chat", "-oai", "-native", "-chat"].iter().find_map(|kind| backend.strip_suffix(kind));
    let name = name.unwrap_or(backend);
    (!name.is_empty() && !name.starts_with("openai")).then(|| name.to_owned())
}

fn read(text: &[u8], path: &Path, tool: Tool) -> Result<Imported> {
    let mut imported = Imported::of(tool);
    let runs: Vec<Run> = objects(text, path)?;
    let several = runs.len() > 1;
    for (index, run) in runs.into_iter().enumerate() {
        let origin =
            if several { format!("{}, run {}", path.display(), index + 1) } else { path.display().to_string() };
        let rate = run.request_rate.as_ref().and_then(NumberOrText::finite);
        imported.warnings.extend(run.warnings(&origin, rate));
        let each = |total: Option<f64>| Some(total? / run.completed.filter(|completed| *completed > 0.0)?);
        imported.points.push(Point {
            input_tokens: each(run.total_input_tokens),
            output_tokens: each(run.total_output_tokens),
            ttft: Latency { mean: run.mean_ttft_ms, median: run.median_ttft_ms },
            itl: Latency { mean: run.mean_tpot_ms, median: run.median_tpot_ms },
            throughput: run.output_throughput,
            completed: run.completed,
            failed: run.failed,
            facts: run.facts(),
            ..Point::at(origin, run.load(rate))
        });
    }
    Ok(imported)
}
