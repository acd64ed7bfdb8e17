//! Lists on the terminal.

use std::fmt::Write;

use super::table;
use crate::app::{HardwareListed, ListAnswer, ModelListed, ScenarioListed};
use crate::spec::Precision;
use crate::units::Bytes;

/// A table for each kind.
pub fn text(answer: &ListAnswer) -> String {
    let tables = [
        answer.scenarios.as_deref().map(|listed| ("scenarios", scenarios(listed))),
        answer.hardware.as_deref().map(|listed| ("hardware", hardware(listed))),
        answer.models.as_deref().map(|listed| ("models", models(listed))),
    ];
    let mut text = String::new();
    for (index, (heading, table)) in tables.into_iter().flatten().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}{heading}\n{table}", if index > 0 { "\n" } else { "" });
    }
    text
}

fn scenarios(listed: &[ScenarioListed]) -> String {
    let rows = listed.iter().map(|it| vec![it.id.clone(), it.rows.to_string(), it.engine.clone(), it.title.clone()]);
    table(&["id", "rows", "engine", "title"], rows, 1..2)
}

fn hardware(listed: &[HardwareListed]) -> String {
    let rows = listed.iter().map(|it| {
        let rounded =
            |value: Option<f64>, none: &str| value.map_or_else(|| none.to_owned(), |value| format!("{value:.0}"));
        let peak = |precision: Precision| rounded(it.peak_tflop_per_s.get(precision.name()).copied(), "–");
        vec![
            it.id.clone(),
            format!("{:.1}", Bytes::new(it.memory_bytes).as_gib()),
            format!("{:.0}", it.memory_bandwidth_gb_per_s),
            peak(Precision::Bf16),
            peak(Precision::Fp8),
            rounded(it.interconnect_gb_per_s, "PCIe"),
            it.name.clone(),
        ]
    });
    table(&["id", "GiB", "GB/s", "bf16 TFLOP/s", "fp8 TFLOP/s", "link GB/s", "name"], rows, 1..6)
}

fn models(listed: &[ModelListed]) -> String {
    let rows = listed.iter().map(|it| {
        vec![
            it.id.clone(),
            format!("{:.2}", it.parameters as f64 / 1e9),
            it.layers.to_string(),
            it.hidden_size.to_string(),
            it.max_context_tokens.to_string(),
            it.name.clone(),
        ]
    });
    table(&["id", "10⁹ parameters", "layers", "hidden", "context", "name"], rows, 1..5)
}
