//! A plan on the terminal and as CSV.

use std::fmt::Write;

use super::{csv_text, report_table, table, written_lines};
use crate::app::{PlanAnswer, PlanOption};
use crate::number::{counted, number_or_dash};
use crate::report::plan_options_table;

/// Failures that are printed, one for each device.
const MOST_FAILURES: usize = 12;

/// The tables on the terminal, with the first `top` options.
pub fn text(answer: &PlanAnswer, top: usize) -> String {
    let study = &answer.study;
    let mut text = format!(
        "{}\nlimits: {}\n{}from {}\n{} of {} in {:.2} s; the limits are met by {}\n\n",
        study.title(),
        study.limits(),
        if answer.calibration.is_none() { "UNCALIBRATED, " } else { "" },
        study.basis(),
        counted(answer.configurations, "configuration"),
        counted(study.placements(), "placement"),
        answer.elapsed_s,
        counted(answer.options.len(), "placement")
    );
    if answer.options.is_empty() {
        text += &(nearest(answer) + "\n\n");
    } else {
        text += &options(answer, top);
    }
    text += &failures(answer);
    // Writing to a String cannot fail.
    for caution in &answer.cautions {
        let _ = writeln!(text, "Caution: {caution}");
    }
    if let Some(first) = answer.options.first() {
        let _ = writeln!(text, "\nOption 1 in detail:\n  {}", first.predict);
    }
    text + &written_lines(&answer.files)
}

fn options(answer: &PlanAnswer, top: usize) -> String {
    let mut options = plan_options_table(&answer.study);
    options.rows.truncate(top);
    let mut text = report_table(options, 0..4);
    let more = answer.options.len().saturating_sub(top);
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, " … and {more} more (--top)");
    }
    text + " headroom: how much more demand it takes until a limit is missed or it is overloaded; tightest: the latency nearest to its \
            limit, its pessimistic end as a share of it\n\n"
}

/// What comes nearest where nothing meets the limits, and why it does not do.
pub fn nearest(answer: &PlanAnswer) -> String {
    let nearest = answer.study.plan.nearest().map(|(placement, miss)| (placement.system.title(), &miss.configuration));
    let (Some((title, configuration)), Some(failure)) = (nearest, answer.failures.first()) else {
        return "Nothing meets the limits: no placement can serve the demand at all.".to_owned();
    };
    format!(
        "Nothing meets the limits. Nearest: {} × {title} ({}, {} USD/h)\n  {}",
        configuration.replicas,
        counted(configuration.gpus, "GPU"),
        number_or_dash(configuration.usd_per_hour),
        failure.reason
    )
}

/// For each device without an option the placement that comes nearest, and why it does not do.
fn failures(answer: &PlanAnswer) -> String {
    let fits = |hardware: &str| answer.options.iter().any(|option| option.configuration.placement.hardware == hardware);
    let mut seen: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for failure in &answer.failures {
        let placement = &failure.placement;
        let hardware = placement.hardware.as_str();
        if fits(hardware) || seen.contains(&hardware) {
            continue;
        }
        seen.push(hardware);
        rows.push(vec![
            hardware.to_owned(),
            placement.tensor_parallel.to_string(),
            placement.weight_precision.to_string(),
            placement.kv_precision.to_string(),
            if failure.usable { failure.reason.clone() } else { format!("cannot: {}", failure.reason) },
        ]);
    }
    if rows.is_empty() {
        return String::new();
    }
    let more = rows.len().saturating_sub(MOST_FAILURES);
    rows.truncate(MOST_FAILURES);
    let mut text = "Devices without an option, each with its nearest placement:\n\n".to_owned();
    text += &table(&["hardware", "TP", "weights", "KV", "why not"], rows, 0..0);
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, " … and {more} more (--format json)");
    }
    text + "\n"
}

/// A column of the CSV: its name, and its cell of an option.
type Column = (&'static str, fn(&PlanOption) -> String);

const COLUMNS: [Column; 19] = [
    ("hardware", |row| row.configuration.placement.hardware.clone()),
    ("tensor_parallel", |row| row.configuration.placement.tensor_parallel.to_string()),
    ("weight_precision", |row| row.configuration.placement.weight_precision.to_string()),
    ("kv_precision", |row| row.configuration.placement.kv_precision.to_string()),
    ("replicas", |row| row.configuration.replicas.to_string()),
    ("gpus", |row| row.configuration.gpus.to_string()),
    ("load_per_replica", |row| row.configuration.load_per_replica.to_string()),
    ("ttft_ms", |row| optional(row.configuration.ttft_ms)),
    ("ttft_at", |row| row.configuration.ttft_at.name().to_owned()),
    ("ttft_high_ms", |row| optional(row.configuration.ttft_high_ms)),
    ("itl_ms", |row| row.configuration.itl_ms.to_string()),
    ("itl_high_ms", |row| row.configuration.itl_high_ms.to_string()),
    ("e2e_ms", |row| optional(row.configuration.e2e_ms)),
    ("e2e_high_ms", |row| optional(row.configuration.e2e_high_ms)),
    ("throughput_tok_s", |row| row.configuration.throughput_tok_s.to_string()),
    ("usd_per_hour", |row| optional(row.configuration.usd_per_hour)),
    ("usd_per_million_tokens", |row| optional(row.configuration.usd_per_million_tokens)),
    ("headroom_pct", |row| optional(row.headroom_pct)),
    ("bound_by", |row| row.configuration.bound_by.replace(' ', "_")),
];

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The options as CSV; without one the header alone.
pub fn csv(answer: &PlanAnswer) -> String {
    let rows = answer.options.iter().map(|option| COLUMNS.map(|(_, cell)| cell(option)).to_vec());
    csv_text(&COLUMNS.map(|(name, _)| name), rows)
}
