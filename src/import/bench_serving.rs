//! `vllm bench serve --save-result` and SGLang's `bench_serving`, which descends from it: one object for each run, appended to the
//! file or not. Source: vllm/benchmarks/serve.py at 009e6d4, sglang/bench_serving.py at 0033168.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::json::{NumberOrText, load, values};
use super::point::{Facts, Latency, Point};
use super::read::Imported;
use super::tool::Tool;
use crate::error::Result;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Run {
    backend: Option<String>,
    model_id: Option<String>,
    request_rate: Option<NumberOrText>,
    max_concurrency: Option<f64>,
    completed: Option<f64>,
    failed: Option<f64>,
    total_input_tokens: Option<f64>,
    total_output_tokens: Option<f64>,
    output_throughput: Option<f64>,
    /// SGLang's own settings, in newer versions.
    server_info: Value,
    mean_ttft_ms: Option<f64>,
    median_ttft_ms: Option<f64>,
    mean_tpot_ms: Option<f64>,
    median_tpot_ms: Option<f64>,
}

pub fn read(text: &[u8], path: &Path, tool: Tool) -> Result<Imported> {
    let mut imported = Imported::of(tool);
    let runs: Vec<Run> = values(text, path)?;
    let several = runs.len() > 1;
    for (index, run) in runs.into_iter().enumerate() {
        let origin =
            if several { format!("{}, run {}", path.display(), index + 1) } else { path.display().to_string() };
        let rate = run.request_rate.as_ref().and_then(NumberOrText::finite);
        if let (Some(rate), Some(clients)) = (rate, run.max_concurrency) {
            imported.warnings.push(format!(
                "{origin}: {rate} requests a second, but no more than {clients} at once; taken for an open loop, which it is only while \
                 fewer run"
            ));
        }
        let each = |total: Option<f64>| Some(total? / run.completed.filter(|completed| *completed > 0.0)?);
        imported.points.push(Point {
            input_tokens: each(run.total_input_tokens),
            output_tokens: each(run.total_output_tokens),
            ttft: Latency { mean: run.mean_ttft_ms, median: run.median_ttft_ms },
            itl: Latency { mean: run.mean_tpot_ms, median: run.median_tpot_ms },
            throughput: run.output_throughput,
            completed: run.completed,
            failed: run.failed,
            ..Point::at(origin, load(run.max_concurrency, rate))
        });
        let server = &run.server_info;
        imported.add_facts(&Facts {
            model: run.model_id.or_else(|| server["model_path"].as_str().map(str::to_owned)),
            engine: run.backend,
            tensor_parallel: server["tp_size"].as_u64().and_then(|degree| u32::try_from(degree).ok()),
            ..Facts::default()
        });
    }
    Ok(imported)
}
