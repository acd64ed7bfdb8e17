//! The tables of a plan on the terminal.

use std::fmt::Write;
use std::path::PathBuf;

use super::answer::{Answer, placed};
use crate::number::{counted, number_or_dash};
use crate::planning::{Failure, Miss};
use crate::report::plan_options_table;
use crate::report::text::{report_table, table, written_lines};

/// Failures that are printed, one for each device.
const MOST_FAILURES: usize = 12;

/// The tables on the terminal.
pub fn text(answer: &Answer<'_>, top: usize, files: &[PathBuf]) -> String {
    let plan = answer.plan;
    let mut text = format!(
        "{}\nlimits: {}\n{}from {}\n{} of {} in {:.2} s; the limits are met by {}\n\n",
        answer.title(),
        answer.limits(),
        if answer.calibration.is_none() { "UNCALIBRATED, " } else { "" },
        answer.basis(),
        counted(plan.configurations(), "configuration"),
        counted(answer.placements(), "placement"),
        answer.elapsed_s,
        counted(plan.options.len(), "placement")
    );
    if plan.options.is_empty() {
        text += &(nearest(answer) + "\n\n");
    } else {
        text += &options(answer, top);
    }
    text += &failures(answer);
    // Writing to a String cannot fail.
    for caution in answer.cautions() {
        let _ = writeln!(text, "Caution: {caution}");
    }
    if let Some(outcome) = plan.options.first() {
        let _ = writeln!(text, "\nOption 1 in detail:\n  {}", answer.again(outcome));
    }
    text + &written_lines(files)
}

fn options(answer: &Answer<'_>, top: usize) -> String {
    let mut options = plan_options_table(answer.question, answer.plan);
    options.rows.truncate(top);
    let mut text = report_table(options, 0..4);
    let more = answer.plan.options.len().saturating_sub(top);
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, " … and {more} more (--top)");
    }
    text + " headroom: how much more demand it takes until a limit is missed or it is overloaded; tightest: the latency nearest to its \
            limit, its pessimistic end as a share of it\n\n"
}

/// What comes nearest where nothing meets the limits, and why it does not do.
pub fn nearest(answer: &Answer<'_>) -> String {
    let Some((placement, miss)) = answer.plan.nearest() else {
        return "Nothing meets the limits: no placement can serve the demand at all.".to_owned();
    };
    let Miss { configuration, .. } = miss;
    format!(
        "Nothing meets the limits. Nearest: {} × {} ({}, {} USD/h)\n  {}",
        configuration.replicas,
        placement.system.title(),
        counted(configuration.gpus, "GPU"),
        number_or_dash(configuration.usd_per_hour),
        answer.missed(miss)
    )
}

/// For each device without an option the placement that comes nearest, and why it does not do.
fn failures(answer: &Answer<'_>) -> String {
    let fits = |hardware: &str| answer.plan.options.iter().any(|outcome| outcome.placement.hardware == hardware);
    let mut seen: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    let unusable = |reason: &str| format!("cannot: {reason}");
    let from_plan = answer.plan.failures.iter().map(|outcome| {
        let why = match &outcome.verdict {
            Err(Failure::Misses(miss)) => answer.missed(miss),
            Err(Failure::Unusable(reason)) => unusable(reason),
            Ok(_) => String::new(),
        };
        (outcome.placement.hardware.as_str(), &outcome.placement.system.deployment, why)
    });
    let from_refused = answer
        .refused
        .iter()
        .map(|refused| (refused.hardware.as_str(), &refused.deployment, unusable(&refused.reason)));
    for (hardware, deployment, why) in from_plan.chain(from_refused) {
        if fits(hardware) || seen.contains(&hardware) {
            continue;
        }
        seen.push(hardware);
        let mut row = placed(hardware, deployment).to_vec();
        row.push(why);
        rows.push(row);
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
