//! Predictions on the terminal and as CSV.

use super::explain::explain;
use super::{caution_lines, csv_text, table, written_lines};
use crate::app::{PredictAnswer, PredictStudy, PredictedWorkload};
use crate::calibration::LEVEL;
use crate::number::{number, number_or_dash, with_interval};
use crate::report::quantile_cells;

/// The system, a line for each workload, and, if wanted, what each latency is made of.
pub fn text(answer: &PredictAnswer, explained: bool) -> String {
    let study = &answer.study;
    let mut text = heading(study) + &predictions_table(study);
    if explained {
        text.extend(study.forecasts.iter().map(explain));
    }
    text + &caution_lines(&answer.cautions) + &written_lines(&answer.files)
}

/// The system, where its parameters come from, and its memory.
fn heading(study: &PredictStudy) -> String {
    let PredictStudy { target, capacity, forecasts, .. } = study;
    let lengths = forecasts.iter().map(|forecast| &forecast.workload);
    let longest = lengths.max_by(|a, b| a.total_tokens().total_cmp(&b.total_tokens()));
    let held = longest.map_or(String::new(), |longest| {
        let of =
            if capacity.has_windows() { format!(" in requests of {}", longest.total_tokens()) } else { String::new() };
        format!(" ({:.0} tokens{of})", capacity.tokens(longest))
    });
    let parallelism = target.system.deployment().parallelism;
    let layout = if parallelism.is_plain() { String::new() } else { format!("{}\n", parallelism.in_words()) };
    format!(
        "{}\n{layout}{}from {}\nmemory {:.1} GiB: weights {:.1}, KV cache {:.1}{held}\n\n",
        target.system.title(),
        if study.is_calibrated { "" } else { "UNCALIBRATED, " },
        target.basis(),
        capacity.memory.as_gib(),
        capacity.weights.as_gib(),
        capacity.kv_cache.as_gib()
    )
}

/// A line for each workload.
fn predictions_table(study: &PredictStudy) -> String {
    let PredictStudy { target, kind, capacity, forecasts, .. } = study;
    let open = forecasts.iter().any(|forecast| forecast.prediction.open_loop.is_some());
    let ttft = format!("TTFT ms ({:.0} %)", 100.0 * LEVEL);
    let itl = format!("ITL ms ({:.0} %)", 100.0 * LEVEL);
    let mut header = vec!["input", "output", kind.axis(), &ttft];
    if open {
        header.extend(["P50", "P90", "P99"]);
    }
    header.extend([
        &itl as &str,
        "e2e s",
        "tok/s",
        "tok/s per GPU",
        "running",
        "KV used %",
        "most clients",
        "bound by",
    ]);
    let gpus = target.system.deployment().gpus();
    let rows = forecasts.iter().map(|forecast| {
        let (workload, p) = (&forecast.workload, &forecast.prediction);
        let mut row = vec![
            workload.input_tokens().to_string(),
            workload.output_tokens().to_string(),
            workload.amount().to_string(),
            with_interval(p.ttft, forecast.ttft.low, forecast.ttft.high),
        ];
        row.extend(quantile_cells(forecast));
        row.extend([
            with_interval(p.itl, forecast.itl.low, forecast.itl.high),
            number_or_dash(Some(forecast.end_to_end().get()).filter(|time| time.is_finite())),
            number(p.throughput.get()),
            number(p.throughput.get() / gpus),
            number(p.running),
            format!("{:.0}", 100.0 * capacity.used(workload, p)),
            format!("{:.0}", capacity.most_clients(workload)),
            forecast.bound().to_owned(),
        ]);
        row
    });
    let numbers = 0..header.len() - 1;
    table(&header, rows, numbers)
}

/// The predictions as CSV: the keys of the answer, without the breakdown.
pub fn csv(answer: &PredictAnswer) -> String {
    let rows: Vec<_> = answer.predictions.iter().map(cells).collect();
    let header: Vec<&str> = rows.first().into_iter().flatten().map(|(name, _)| *name).collect();
    csv_text(&header, rows.into_iter().map(|row| row.into_iter().map(|(_, cell)| cell).collect()))
}

fn cells(row: &PredictedWorkload) -> Vec<(&'static str, String)> {
    let text = |value: f64| value.to_string();
    let optional = |value: Option<f64>| value.map_or_else(String::new, text);
    let loads = [("concurrency", row.concurrency), ("rate_rps", row.rate_rps), ("batch", row.batch)];
    let load = loads.into_iter().find_map(|(axis, load)| Some((axis, text(load?))));
    let mut columns = vec![("input_tokens", text(row.input_tokens)), ("output_tokens", text(row.output_tokens))];
    columns.extend(load);
    columns.extend([
        ("status", row.status.name().to_owned()),
        ("ttft_ms", optional(row.ttft_ms)),
        ("ttft_low_ms", optional(row.ttft_low_ms)),
        ("ttft_high_ms", optional(row.ttft_high_ms)),
        ("itl_ms", text(row.itl_ms)),
        ("itl_low_ms", text(row.itl_low_ms)),
        ("itl_high_ms", text(row.itl_high_ms)),
        ("e2e_ms", optional(row.e2e_ms)),
        ("e2e_low_ms", optional(row.e2e_low_ms)),
        ("e2e_high_ms", optional(row.e2e_high_ms)),
        ("throughput_tok_s", text(row.throughput_tok_s)),
        ("throughput_per_gpu_tok_s", text(row.throughput_per_gpu_tok_s)),
        ("requests_per_s", text(row.requests_per_s)),
        ("running_sequences", text(row.running_sequences)),
        ("kv_cache_used_pct", text(row.kv_cache_used_pct)),
        ("max_concurrency", text(row.max_concurrency)),
        ("roof", row.roof.to_owned()),
        ("limit", row.limit.to_owned()),
    ]);
    if let Some(open) = &row.open_loop {
        columns.extend([
            ("capacity_rps", text(open.capacity_rps)),
            ("utilisation", text(open.utilisation)),
            ("overloaded", open.overloaded.to_string()),
            ("ttft_p50_high_ms", optional(open.ttft_p50_high_ms)),
            ("ttft_p50_low_ms", optional(open.ttft_p50_low_ms)),
            ("ttft_p50_ms", optional(open.ttft_p50_ms)),
            ("ttft_p90_high_ms", optional(open.ttft_p90_high_ms)),
            ("ttft_p90_low_ms", optional(open.ttft_p90_low_ms)),
            ("ttft_p90_ms", optional(open.ttft_p90_ms)),
            ("ttft_p99_high_ms", optional(open.ttft_p99_high_ms)),
            ("ttft_p99_low_ms", optional(open.ttft_p99_low_ms)),
            ("ttft_p99_ms", optional(open.ttft_p99_ms)),
        ]);
    }
    columns
}
