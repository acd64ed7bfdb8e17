//! What data say of themselves whose page was not made or not kept.

use super::about::{About, ResultKind};
use crate::bench::{DecodePoint, Results, Variant};
use crate::calibration::{CalibrationRecord, ErrorSummary};
use crate::evaluation::live::LiveRecord;
use crate::number::{number, percent};

impl About {
    /// What is known of a fit from its record alone.
    pub fn of_fit(record: &CalibrationRecord) -> Self {
        let names: Vec<&str> = record.scenarios.iter().map(|scenario| scenario.scenario.as_str()).collect();
        let findings = record.scenarios.iter().map(|scenario| {
            let both = |errors: &ErrorSummary| {
                format!("TTFT {}, ITL {}", percent(errors.ttft_mape_pct), percent(errors.itl_mape_pct))
            };
            let held_out = scenario
                .errors
                .leave_one_workload_out
                .as_ref()
                .map_or_else(String::new, |errors| format!("; workloads that a fit did not see: {}", both(errors)));
            let name = if names.len() > 1 { format!("{}: ", scenario.scenario) } else { String::new() };
            format!(
                "{name}Mean absolute relative errors of {} rows: {} in sample{held_out}.",
                scenario.rows,
                both(&scenario.errors.fitted)
            )
        });
        let systems: Vec<String> = record
            .scenarios
            .iter()
            .map(|scenario| {
                format!("{} on {}x {}", scenario.model, scenario.deployment.tensor_parallel, scenario.hardware)
            })
            .collect();
        Self {
            kind: ResultKind::Fit,
            title: format!("{} · {}", names.join(" + "), record.estimator),
            below: systems.join("; "),
            findings: findings.collect(),
            cautions: Vec::new(),
        }
    }

    /// What is known of a fit to live runs from its record alone.
    pub fn of_live_fit(record: &LiveRecord) -> Self {
        let ids: Vec<&str> = record.runs.iter().map(|run| run.id.as_str()).collect();
        let errors = record.after.iter().map(|kind| format!("{} {} {:.1} %", kind.variant, kind.metric, kind.mape_pct));
        Self {
            kind: ResultKind::LiveFit,
            title: format!("{} · fit to live runs", ids.join(" + ")),
            below: format!("on {}", record.hardware),
            findings: vec![format!("Mean absolute errors of the fit: {}.", errors.collect::<Vec<_>>().join(", "))],
            cautions: Vec::new(),
        }
    }

    /// What a run says of itself.
    pub fn of_run(results: &Results) -> Self {
        let metadata = &results.metadata;
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        let when = metadata
            .timestamp
            .as_ref()
            .map_or_else(String::new, |timestamp| format!(" · {}", to_the_minute(timestamp)));
        Self {
            kind: ResultKind::LiveRun,
            title: format!("{} on {} · live run", known(&metadata.size), known(&metadata.gpu)),
            below: format!("{}{when}", known(&metadata.dtype)),
            findings: words(results),
            cautions: cautions(results),
        }
    }
}

/// A time of ISO 8601 without its seconds; any other text as it is.
fn to_the_minute(timestamp: &str) -> String {
    let suits = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        19 => byte == b'.',
        _ => byte.is_ascii_digit(),
    };
    if timestamp.len() >= 19 && timestamp.bytes().enumerate().all(suits) {
        timestamp[..16].replace('T', " ")
    } else {
        timestamp.to_owned()
    }
}

fn mean_ms(points: &[DecodePoint]) -> Option<f64> {
    (!points.is_empty()).then(|| points.iter().map(|p| p.timing.median_ms).sum::<f64>() / points.len() as f64)
}

/// What the data show, computed.
fn words(results: &Results) -> Vec<String> {
    let mut words = Vec::new();
    let [baseline, naive] = [Variant::Baseline, Variant::Hydra].map(|variant| mean_ms(results.decode(variant)));
    if let Some(ms) = baseline {
        words.push(format!(
            "A decode step of the baseline takes {} ms, {} tokens per second.",
            number(ms),
            number(1e3 / ms)
        ));
    }
    if let (Some(baseline), Some(naive)) = (baseline, naive) {
        words.push(format!(
            "Averaging all heads takes {} ms a step, {:.2} times the baseline.",
            number(naive),
            naive / baseline
        ));
    }
    let best = results
        .gammas()
        .iter()
        .filter_map(|run| Some((run, run.counts.as_ref()?.ms_per_token?)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((run, ms)) = best {
        let against = |what: &str, other: Option<f64>| {
            other.map_or_else(String::new, |other| format!(", {:.2} times {what}", ms / other))
        };
        words.push(format!(
            "PoE is fastest with γ = {}: {} ms per token at an acceptance of {:.1} %{}{}.",
            run.gamma,
            number(ms),
            100.0 * run.acceptance(),
            against("the baseline", baseline),
            against("averaging", naive)
        ));
    }
    words
}

fn cautions(results: &Results) -> Vec<String> {
    let metadata = &results.metadata;
    let mut cautions = Vec::new();
    if metadata.stopped == Some(true) {
        cautions.push("the run was stopped before its end; rows are missing.".to_owned());
    }
    if metadata.schema_version.is_none() {
        cautions.push(
            "a file of the original benchmark: its rows may be of different models, and its counters include warm-up calls."
                .to_owned(),
        );
    }
    if let Some(requested) = metadata.dtype_requested {
        cautions.push(format!("{} was asked for; the device ran in another format.", requested.name()));
    }
    cautions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lose_their_seconds_and_other_texts_nothing() {
        for (text, want) in [
            ("2026-11-20T12:34:56", "2026-11-20 12:34"),
            ("2026-11-20T12:34:56.789012", "2026-11-20 12:34"),
            ("2026-11-20T12:34:56+00:00", "2026-11-20T12:34:56+00:00"),
            ("2026-11-20T12:34", "2026-11-20T12:34"),
            ("größtenteils gestern", "größtenteils gestern"),
            ("", ""),
        ] {
            assert_eq!(to_the_minute(text), want);
        }
    }
}
