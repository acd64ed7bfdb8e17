//! The page of a live run.

use crate::app::About;
use crate::bench::{Results, Timing, Variant};
use crate::number::{number, number_or_dash, with_sign};
use crate::report::html::figure::Figure;
use crate::report::html::page::{definitions, page, section, table};

/// The page.
pub fn live_page(results: &Results, figures: &[Figure]) -> String {
    let mut body = String::new();
    body += &section("Latencies", &latencies(results));
    if !results.gammas().is_empty() {
        body += &section("Product of experts", &generations(results));
    }
    if results.gammas().iter().any(|run| run.counts.is_some()) {
        body += &section("Acceptance by place in the round", &acceptance(results));
    }
    body += &section("How it was measured", &definitions(&conditions(results)));
    page(&About::of_run(results), &body, figures)
}

fn timing_cells(timing: &Timing) -> Vec<String> {
    let error = timing.predicted_ms.map(|predicted| 100.0 * (predicted / timing.median_ms - 1.0));
    vec![
        number(timing.median_ms),
        number(timing.p20_ms),
        number(timing.p80_ms),
        number(timing.mean_ms),
        number(timing.std_ms),
        timing.n.to_string(),
        number_or_dash(timing.predicted_ms),
        error.map_or_else(|| "–".to_owned(), |error| with_sign(error, 1)),
    ]
}

fn latencies(results: &Results) -> String {
    let header = ["row", "median ms", "p20", "p80", "mean", "std", "calls", "predicted ms", "error %"];
    let mut rows = Vec::new();
    for variant in Variant::ALL {
        if let Some(timing) = results.ttft(variant) {
            rows.push([vec![format!("{}, TTFT", variant.label())], timing_cells(timing)].concat());
        }
        for point in results.decode(variant) {
            let name = format!("{}, decode at {}", variant.label(), point.position);
            rows.push([vec![name], timing_cells(&point.timing)].concat());
        }
    }
    for run in results.gammas() {
        rows.push([vec![format!("PoE, generation with γ = {}", run.gamma)], timing_cells(&run.timing)].concat());
    }
    table(&header, rows)
}

fn generations(results: &Results) -> String {
    let header = [
        "γ",
        "ms per token without prefill",
        "predicted",
        "tokens/s with prefill",
        "tokens of a call",
        "accepted of a call",
        "replaced %",
        "tokens of a round",
    ];
    let rows = results.gammas().iter().map(|run| {
        let counts = run.counts.as_ref();
        let per_round = counts
            .filter(|counts| counts.rounds > 0)
            .map(|counts| counts.tokens_per_call * run.n_calls as f64 / counts.rounds as f64);
        vec![
            run.gamma.to_string(),
            number_or_dash(counts.and_then(|counts| counts.ms_per_token)),
            number_or_dash(counts.and_then(|counts| counts.predicted_ms_per_token)),
            number_or_dash(counts.map(|counts| counts.user_tps)),
            number_or_dash(counts.map(|counts| counts.tokens_per_call)),
            number(run.avg_accepted_tokens_per_call),
            format!("{:.2}", 100.0 * run.resample_rate),
            number_or_dash(per_round),
        ]
    });
    table(&header, rows)
}

fn acceptance(results: &Results) -> String {
    let tested = results.gammas().iter().filter_map(|run| Some(run.counts.as_ref()?.tested_by_position.len()));
    let most = tested.max().unwrap_or(0);
    let places: Vec<String> = (1..=most).map(|place| format!("draft {place}")).collect();
    let header: Vec<&str> = std::iter::once("γ").chain(places.iter().map(String::as_str)).collect();
    let rows = results.gammas().iter().map(|run| {
        let mut cells = vec![run.gamma.to_string()];
        for place in 0..most {
            let counts = run.counts.as_ref();
            let share = counts.and_then(|counts| {
                let tested = counts.tested_by_position.get(place).filter(|tested| **tested > 0)?;
                Some(format!(
                    "{:.1} % of {tested}",
                    100.0 * *counts.accepted_by_position.get(place)? as f64 / *tested as f64
                ))
            });
            cells.push(share.unwrap_or_else(|| "–".to_owned()));
        }
        cells
    });
    table(&header, rows)
}

fn conditions(results: &Results) -> Vec<(String, String)> {
    let m = &results.metadata;
    let mut lines = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push((name.to_owned(), value));
        }
    };
    add("device", m.device.clone());
    add("threads", m.threads.map(|n| n.to_string()));
    add(
        "clock",
        m.clock.as_ref().map(|clock| match m.l2_flush_bytes {
            Some(bytes) if bytes > 0 => {
                format!("{clock}; {bytes} bytes overwritten before each call to empty the cache")
            }
            _ => format!("{clock}; the cache is not emptied between calls"),
        }),
    );
    add(
        "weights",
        m.weights.as_ref().map(|kind| match m.perturbation {
            Some(scale) => format!("{kind}, heads by {scale} standard deviations"),
            None => kind.clone(),
        }),
    );
    add("heads", m.n_heads.zip(m.heads_depth).map(|(n, d)| format!("{n} of {d} layers")));
    add("prompt", m.prompt_length.map(|n| format!("{n} tokens, the same for all rows")));
    add(
        "generation",
        m.generation_length.zip(m.decode_step_interval).map(|(n, i)| format!("{n} tokens, every {i}th step timed")),
    );
    add(
        "rule",
        m.rule.as_ref().map(|rule| {
            format!(
                "{rule}; {}; β = {}; {} tokens a generation",
                m.temperature
                    .map_or_else(|| "argmax drafts".to_owned(), |t| format!("drafts sampled at temperature {t}")),
                m.poe_beta.unwrap_or(1.0),
                m.poe_max_new_tokens.unwrap_or(0)
            )
        }),
    );
    add(
        "budgets",
        m.warmup_ms.zip(m.rep_ms).map(|(warmup, rep)| {
            format!("{warmup} ms of warm-up, {rep} ms of measured calls a row, five calls at least")
        }),
    );
    add("rounds", m.rounds.map(|rounds| rounds.to_string()));
    add("seed", m.seed.map(|seed| seed.to_string()));
    add("predicted from", m.prediction.clone());
    add("perfmodel", m.perfmodel_version.clone());
    lines
}
