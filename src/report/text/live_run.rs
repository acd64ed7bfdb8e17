//! A live run in words and tables.

use std::fmt::Write;
use std::path::PathBuf;

use super::{table, written_lines};
use crate::bench::{Results, Timing, Variant};
use crate::number::{number, number_or_dash};

/// A live run and the files that were written on the terminal.
pub fn text(results: &Results, files: &[PathBuf]) -> String {
    format!("{}\n{}", results_text(results), written_lines(files))
}

/// What was run, latencies, and what PoE gains or loses.
fn results_text(results: &Results) -> String {
    let metadata = &results.metadata;
    let shown = |value: Option<&str>| value.unwrap_or("?").to_owned();
    let mut text = format!(
        "{} on {}, {}\n",
        shown(metadata.size.as_deref()),
        shown(metadata.gpu.as_deref()),
        shown(metadata.dtype.as_deref())
    );
    if metadata.stopped == Some(true) {
        text += "Stopped before its end: the rows below are those that were measured.\n";
    }
    if let Some(requested) = metadata.dtype_requested {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "Note: {} was asked for; this device runs in another format.", requested.name());
    }
    text += "\n";
    text += &latencies(results);
    if !results.gammas().is_empty() {
        text += "\n";
        text += &generations(results);
    }
    if let Some(prediction) = &metadata.prediction {
        let _ = writeln!(text, "\nPredicted from {prediction}");
    }
    text
}

fn spread(timing: &Timing) -> String {
    format!("{} ({}–{})", number(timing.median_ms), number(timing.p20_ms), number(timing.p80_ms))
}

fn latencies(results: &Results) -> String {
    let prompt = results.metadata.prompt_length.map_or_else(|| "?".to_owned(), |tokens| tokens.to_string());
    let ttft = format!("TTFT ms, {prompt} tokens");
    let header = ["", ttft.as_str(), "predicted", "decode ms at", "", "predicted", "at", "", "predicted", "tokens/s"];
    let mut rows = Vec::new();
    for variant in Variant::ALL {
        let (ttft, decode) = (results.ttft(variant), results.decode(variant));
        if ttft.is_none() && decode.is_empty() {
            continue;
        }
        let mut row = vec![variant.name().to_owned()];
        row.push(ttft.map_or_else(|| "–".to_owned(), spread));
        row.push(number_or_dash(ttft.and_then(|timing| timing.predicted_ms)));
        for point in [decode.first(), decode.last().filter(|_| decode.len() > 1)] {
            row.push(point.map_or_else(String::new, |point| point.position.to_string()));
            row.push(point.map_or_else(String::new, |point| spread(&point.timing)));
            row.push(point.map_or_else(String::new, |point| number_or_dash(point.timing.predicted_ms)));
        }
        let rate = decode.iter().map(|point| point.tps).sum::<f64>() / decode.len() as f64;
        row.push(if decode.is_empty() { String::new() } else { number(rate) });
        rows.push(row);
    }
    table(&header, rows, 1..10)
}

fn generations(results: &Results) -> String {
    let naive = results.decode(Variant::Hydra);
    let naive_ms = naive.iter().map(|point| point.timing.median_ms).sum::<f64>() / naive.len() as f64;
    let header =
        ["poe γ", "ms/token", "predicted", "tokens/s with prefill", "accepted %", "tokens/round", "against hydra"];
    let rows = results.gammas().iter().map(|run| {
        let counts = run.counts.as_ref();
        let per_token = counts.and_then(|counts| counts.ms_per_token);
        let per_round = counts
            .filter(|counts| counts.rounds > 0)
            .map(|counts| counts.tokens_per_call * run.n_calls as f64 / counts.rounds as f64);
        let gain = per_token.filter(|ms| naive_ms.is_finite() && *ms > 0.0).map(|ms| format!("{:.2}×", naive_ms / ms));
        vec![
            run.gamma.to_string(),
            number_or_dash(per_token),
            number_or_dash(counts.and_then(|counts| counts.predicted_ms_per_token)),
            number_or_dash(counts.map(|counts| counts.user_tps)),
            format!("{:.1}", 100.0 * run.acceptance()),
            per_round.map_or_else(|| "–".to_owned(), |tokens| format!("{tokens:.2}")),
            gain.unwrap_or_else(|| "–".to_owned()),
        ]
    });
    table(&header, rows, 0..7)
}
