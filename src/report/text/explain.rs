//! A predicted latency as a waterfall, in words and numbers.

use std::fmt::Write;

use super::table;
use crate::forecast::Forecast;
use crate::number::number;
use crate::prediction::{Limit, Part, Parts, Roof};
use crate::workload::LoadKind;

/// Width of the bar of a whole latency in characters.
const BAR: f64 = 32.0;

/// Parts below this share of the latency are not shown.
const VISIBLE: f64 = 1e-5;

/// The waterfall of TTFT and ITL of one workload.
pub fn explain(forecast: &Forecast) -> String {
    let (workload, p) = (&forecast.workload, &forecast.prediction);
    let mut text = format!(
        "\n{} input, {} output tokens, {} {}\n",
        workload.input_tokens(),
        workload.output_tokens(),
        workload.kind().axis(),
        workload.amount()
    );
    for (name, parts, words) in
        [("TTFT", &p.ttft_parts, first_token_in_words(forecast)), ("ITL", &p.itl_parts, step_in_words(forecast))]
    {
        let total = parts.total();
        if total.get().is_finite() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n{name} {} ms: {words}", number(total.as_ms()));
            text += &waterfall(parts);
        } else {
            let _ = writeln!(text, "\n{name}: {words}");
        }
    }
    text
}

/// Each part below the one before it, indented to where that one ends.
fn waterfall(parts: &Parts) -> String {
    let total = parts.total();
    let mut before = 0.0;
    let rows = Part::ALL.into_iter().filter(|part| parts.get(*part) > total * VISIBLE).map(|part| {
        let time = parts.get(part);
        let (start, end) = (before / total.get(), (before + time.get()) / total.get());
        before += time.get();
        let (start, end) = ((start * BAR).round() as usize, (end * BAR).round() as usize);
        let bar = if end > start { "█".repeat(end - start) } else { "▏".to_owned() };
        vec![
            part.label().to_owned(),
            format!("{} ms", number(time.as_ms())),
            format!("{:.1} %", 100.0 * (time / total)),
            format!("{}{bar}", " ".repeat(start)),
        ]
    });
    table(&["", "", "", ""], rows, 1..3).lines().skip(1).fold(String::new(), |text, line| text + line + "\n")
}

fn first_token_in_words(forecast: &Forecast) -> String {
    let (workload, p) = (&forecast.workload, &forecast.prediction);
    let largest = largest(&p.ttft_parts);
    if p.is_overloaded() {
        return "overloaded: requests come faster than they can be served, and the queue grows without end".to_owned();
    }
    let own = [
        Part::PrefillCompute,
        Part::PrefillAttention,
        Part::PrefillActivations,
        Part::Launch,
        Part::PerSequence,
        Part::Link,
    ];
    let own: f64 = own.into_iter().map(|part| p.ttft_parts.get(part).as_ms()).sum();
    let prompts = match workload.kind() {
        LoadKind::StaticBatch => {
            format!("the prompts of the batch, {} of {} tokens, take", workload.amount(), workload.input_tokens())
        }
        LoadKind::ClosedLoop | LoadKind::OpenLoop => {
            format!("the own prompt of {} tokens takes", workload.input_tokens())
        }
    };
    let mut words = format!("{prompts} {} ms; the largest part is `{}`", number(own), largest.label());
    if p.ttft_parts.get(Part::QueueWait).get() > 0.0 && p.limit != Limit::Clients {
        let what = match p.limit {
            Limit::MaxSequences => "the engine runs no more sequences",
            Limit::TokenBudget => "a step takes no more tokens",
            Limit::KvMemory | Limit::Clients => "the KV cache is full",
        };
        let _ = write!(words, "; requests queue because {what}");
    }
    words
}

fn step_in_words(forecast: &Forecast) -> String {
    let p = &forecast.prediction;
    let binds = match p.roof {
        Roof::Memory => "memory bandwidth binds",
        Roof::Compute => "arithmetic binds",
        Roof::Overhead => "launches and per-sequence work bind, neither roof does",
        Roof::Link => "the link between devices binds",
    };
    let mut words = format!("{} sequences decode at once, {binds}", number(p.running));
    let stalls = p.itl_parts.get(Part::PrefillInterference) / p.itl_parts.total();
    if stalls > 0.05 {
        let whose =
            if forecast.workload.kind() == LoadKind::OpenLoop { "arriving prompts" } else { "prompts of others" };
        let _ = write!(words, "; {whose} take {:.0} % of the time", 100.0 * stalls);
    }
    words
}

fn largest(parts: &Parts) -> Part {
    Part::ALL.into_iter().max_by(|a, b| parts.get(*a).get().total_cmp(&parts.get(*b).get())).unwrap_or(Part::Overhead)
}
