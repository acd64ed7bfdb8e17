//! The table of `perfmodel predict` on the terminal.

use crate::calibration::LEVEL;
use crate::cli::target::ResolvedTarget;
use crate::cli::terminal::table;
use crate::forecast::{Capacity, Forecast};
use crate::number::{number, number_or_dash, with_interval};
use crate::report::quantile_cells;
use crate::workload::LoadKind;

/// The system, where its parameters come from, and its memory.
pub fn heading(target: &ResolvedTarget, capacity: &Capacity, forecasts: &[Forecast], calibrated: bool) -> String {
    let lengths = forecasts.iter().map(|forecast| &forecast.workload);
    let longest = lengths.max_by(|a, b| a.total_tokens().total_cmp(&b.total_tokens()));
    let held = longest.map_or(String::new(), |longest| {
        let of =
            if capacity.has_windows() { format!(" in requests of {}", longest.total_tokens()) } else { String::new() };
        format!(" ({:.0} tokens{of})", capacity.tokens(longest))
    });
    format!(
        "{}\n{}from {}\nmemory {:.1} GiB: weights {:.1}, KV cache {:.1}{held}\n\n",
        target.system.title(),
        if calibrated { "" } else { "UNCALIBRATED, " },
        target.basis(),
        capacity.memory.as_gib(),
        capacity.weights.as_gib(),
        capacity.kv_cache.as_gib()
    )
}

/// A line for each workload.
pub fn predictions_table(
    forecasts: &[Forecast],
    capacity: &Capacity,
    target: &ResolvedTarget,
    kind: LoadKind,
) -> String {
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
    let gpus = target.system.deployment.gpus();
    let rows = forecasts.iter().map(|forecast| {
        let (workload, p) = (&forecast.workload, &forecast.prediction);
        let mut row = vec![
            workload.input_tokens().to_string(),
            workload.output_tokens().to_string(),
            workload.load().to_string(),
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
