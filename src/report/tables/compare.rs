//! Compared runs as tables, for terminals and pages.

use crate::comparison::{CompareGroup, CompareReport, DimensionStudy, Filter, LevelFigures, PairStudy, Settings, Side};
use crate::number::{counted, number, number_or_dash, with_sign};
use crate::report::tables::ReportTable;
use crate::requests::{Dimension, Run};
use crate::stats::{IntervalMethod, cliff_words};

fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn text_or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

/// How the numbers were made.
pub fn how_made(settings: &Settings) -> String {
    format!(
        "Intervals of {} resamples with seed {} ({}), quantiles by the {} rule; values that are {}. * fewer than five requests lie \
         beyond the quantile.",
        settings.resamples,
        settings.seed,
        settings.block.map_or_else(|| "of requests".to_owned(), |length| format!("of blocks of {length} requests")),
        settings.rule.name(),
        match settings.filter {
            Filter::Positive => "known and above 0",
            Filter::NotNull => "known",
        }
    )
}

/// What each run holds and whether it can be trusted.
pub fn validity_table(sides: &[Side]) -> ReportTable {
    let names = [
        "run",
        "requests",
        "failed",
        "midway",
        "not streamed",
        "one token",
        "zero TPOT",
        "clients",
        "duration s",
        "requests/min",
        "answered/min",
        "LLMeter",
    ];
    let row = |side: &Side, run: &Run| {
        let counts = run.log.counts();
        let name = if side.runs.len() > 1 { format!("{}: {}", side.name, run.name) } else { side.name.clone() };
        vec![
            name,
            counts.rows.to_string(),
            counts.failed.to_string(),
            counts.failed_midway.to_string(),
            counts.not_streamed.to_string(),
            counts.single_token.to_string(),
            counts.zero_tpot.to_string(),
            text_or_dash(run.info.clients.map(|clients| clients.to_string())),
            number_or_dash(run.info.duration),
            number_or_dash(run.requests_per_minute()),
            number_or_dash(run.answers_per_minute()),
            text_or_dash(run.info.version.map(|version| version.name().to_owned())),
        ]
    };
    let rows = sides.iter().flat_map(|side| side.runs.iter().map(move |run| row(side, run))).collect();
    ReportTable { header: header(&names), rows }
}

/// Whether each side was asked what the first was.
pub fn workload_table(group: &CompareGroup) -> ReportTable {
    let names = ["against", "tokens", "median of the first", "its own", "ratio", "KS D", "p", "Cliff's δ", "alike"];
    let first = &group.sides[0].name;
    let mut rows = Vec::new();
    for (side, similarity) in group.sides[1..].iter().zip(&group.comparison.similarity) {
        for tokens in similarity {
            rows.push(vec![
                format!("{first} – {}", side.name),
                tokens.dimension.label().to_owned(),
                number(tokens.medians[0]),
                number(tokens.medians[1]),
                format!("{:.3}", tokens.median_ratio()),
                format!("{:.3}", tokens.ks.distance),
                p_value(tokens.ks.p),
                with_sign(tokens.dominance.cliffs_delta(), 3),
                if tokens.is_similar() { "yes" } else { "NO" }.to_owned(),
            ]);
        }
    }
    ReportTable { header: header(&names), rows }
}

/// A p value for people.
pub fn p_value(p: f64) -> String {
    if p >= 0.001 { format!("{p:.3}") } else { format!("{p:.1e}") }
}

fn range(low: f64, high: f64, scale: f64) -> String {
    format!("{} … {}", number(low * scale), number(high * scale))
}

fn percentile(p: f64) -> String {
    format!("p{}", number_without_zeros(100.0 * p))
}

fn number_without_zeros(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Mark of a quantile beyond which fewer than five requests lie.
fn mark(reliable: bool) -> &'static str {
    if reliable { "" } else { " *" }
}

/// Quantiles of one dimension on each side, with both kinds of intervals.
pub fn quantiles_table(study: &DimensionStudy, sides: &[Side], settings: &Settings) -> ReportTable {
    let unit = study.dimension.unit();
    let confidence = number_without_zeros(100.0 * settings.confidence);
    let names = [
        "run".to_owned(),
        "values".to_owned(),
        "mean".to_owned(),
        "quantile".to_owned(),
        if unit.is_empty() { "value".to_owned() } else { unit.to_owned() },
        format!("{confidence} % ({})", method_used(study, settings).name()),
        "by ranks".to_owned(),
    ];
    let scale = study.dimension.scale();
    let mut rows = Vec::new();
    for (side, sample) in sides.iter().zip(&study.sides) {
        let Some(sample) = sample else {
            let mut row = vec!["–".to_owned(); 7];
            row[0].clone_from(&side.name);
            rows.push(row);
            continue;
        };
        for (index, quantile) in sample.quantiles.iter().enumerate() {
            let first = |text: String| if index == 0 { text } else { String::new() };
            let order = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| number(value * scale));
            rows.push(vec![
                first(side.name.clone()),
                first(sample.sample.sorted.len().to_string()),
                first(number(sample.moments.mean * scale)),
                percentile(quantile.p),
                format!("{}{}", number(quantile.value * scale), mark(quantile.reliable)),
                range(quantile.bootstrap.low, quantile.bootstrap.high, scale),
                format!("{} … {}", order(quantile.order.low), order(quantile.order.high)),
            ]);
        }
    }
    ReportTable { header: names.to_vec(), rows }
}

fn method_used(study: &DimensionStudy, settings: &Settings) -> IntervalMethod {
    let quantile = study.sides.iter().flatten().find_map(|side| side.quantiles.first());
    quantile.map_or(settings.method, |quantile| quantile.bootstrap.method)
}

/// How each side differs from the first, quantile by quantile; `None` for a single side.
pub fn differences_table(study: &DimensionStudy, sides: &[Side], settings: &Settings) -> Option<ReportTable> {
    let names = ["against", "quantile", "difference", "interval", "change %", "interval", "p", "p (Holm)", "verdict"];
    let scale = study.dimension.scale();
    let mut rows = Vec::new();
    for (side, pair) in sides[1..].iter().zip(&study.pairs) {
        for (index, quantile) in pair.iter().flat_map(|pair| &pair.quantiles).enumerate() {
            let percent = |ratio: f64| with_sign(100.0 * (ratio - 1.0), 1);
            let words = quantile.verdict.words(study.dimension.is_latency(), settings.smallest_effect);
            rows.push(vec![
                if index == 0 { format!("{} – {}", sides[0].name, side.name) } else { String::new() },
                format!("{}{}", percentile(quantile.p), mark(quantile.reliable)),
                signed(quantile.difference * scale),
                format!("{} … {}", signed(quantile.interval.low * scale), signed(quantile.interval.high * scale)),
                percent(quantile.ratio),
                format!("{} … {}", percent(quantile.ratio_interval.low), percent(quantile.ratio_interval.high)),
                p_value(quantile.p_value),
                p_value(quantile.p_holm),
                if quantile.reliable { words } else { "too few requests".to_owned() },
            ]);
        }
    }
    (!rows.is_empty()).then(|| ReportTable { header: header(&names), rows })
}

fn signed(value: f64) -> String {
    if value < 0.0 { number(value) } else { format!("+{}", number(value)) }
}

/// Tests and effect sizes of a pair, a line each.
pub fn effects(study: &DimensionStudy, pair: &PairStudy, names: [&str; 2], settings: &Settings) -> Vec<String> {
    let [first, second] = names;
    let scale = study.dimension.scale();
    let unit = if study.dimension.unit().is_empty() { String::new() } else { format!(" {}", study.dimension.unit()) };
    let delta = pair.dominance.cliffs_delta();
    let confidence = number_without_zeros(100.0 * settings.confidence);
    let mut lines = vec![format!(
        "A request of {second} takes more than one of {first} with probability {:.3} (Cliff's δ {delta:+.3}, {}); shift by \
         Hodges–Lehmann {}{unit} ({confidence} %: {} … {}).",
        pair.dominance.probability_above(),
        cliff_words(delta),
        signed(pair.shift.estimate * scale),
        signed(pair.shift.low * scale),
        signed(pair.shift.high * scale)
    )];
    if !study.dimension.is_latency() {
        lines[0] = lines[0].replacen("takes more than one", "has more than one", 1);
    }
    if let (Some(p), Some(holm)) = (pair.mann_whitney_p, pair.mann_whitney_holm) {
        lines.push(format!(
            "Mann–Whitney p {} ({} by Holm over all dimensions); Kolmogorov–Smirnov D {:.3} at {}{unit}, p {}.",
            p_value(p),
            p_value(holm),
            pair.ks.distance,
            number(pair.ks.location * scale),
            p_value(pair.ks.p)
        ));
    }
    if let Some((length, blocks)) = pair.blocks {
        lines.push(format!(
            "Were neighbouring requests to depend on each other (blocks of {length} in the order of sending), the difference of the medians \
             would lie in {} … {}{unit}.",
            signed(blocks.low * scale),
            signed(blocks.high * scale)
        ));
    }
    lines
}

/// The findings in words, one line for each latency and side.
pub fn findings(group: &CompareGroup, settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let first = &group.sides[0].name;
    for study in &group.comparison.dimensions {
        for (side, pair) in group.sides[1..].iter().zip(&study.pairs) {
            let Some(pair) = pair else { continue };
            let parts: Vec<String> = pair
                .quantiles
                .iter()
                .filter(|quantile| quantile.reliable)
                .map(|quantile| {
                    format!(
                        "{} {} % ({})",
                        percentile(quantile.p),
                        with_sign(100.0 * (quantile.ratio - 1.0), 1),
                        quantile.verdict.words(study.dimension.is_latency(), settings.smallest_effect)
                    )
                })
                .collect();
            if !parts.is_empty() {
                lines.push(format!(
                    "{} of {} against {first}: {}.",
                    study.dimension.label(),
                    side.name,
                    parts.join(", ")
                ));
            }
        }
        if let ([side], [Some(sample)]) = (&group.sides[..], &study.sides[..]) {
            let quantiles: Vec<String> = sample
                .quantiles
                .iter()
                .map(|q| format!("{} {}", percentile(q.p), number(q.value * study.dimension.scale())))
                .collect();
            let unit = study.dimension.unit();
            lines.push(format!("{} of {}: {} {unit}.", study.dimension.label(), side.name, quantiles.join(", ")));
        }
    }
    lines
}

/// TTFT at the same prompt length, where the sides were asked for different ones.
pub fn adjusted(group: &CompareGroup) -> Vec<String> {
    let compares_ttft = group.comparison.dimensions.iter().any(|study| study.dimension == Dimension::TimeToFirstToken);
    let others = group.sides[1..].iter().zip(&group.comparison.adjusted_ttft).zip(&group.comparison.similarity);
    others
        .filter_map(|((side, adjusted), similarity)| {
            let unlike =
                similarity.iter().any(|tokens| tokens.dimension == Dimension::InputTokens && !tokens.is_similar());
            let adjusted = adjusted.filter(|_| compares_ttft && unlike)?;
            let line = |index: usize| {
                let line = adjusted.lines[index];
                format!("{} ms + {} µs a token", number(1e3 * line.intercept), number(1e6 * line.slope))
            };
            Some(format!(
                "At the same {} input tokens TTFT of {} differs by {} ms from that of {} (straight lines: {} and {}).",
                number(adjusted.input_tokens),
                side.name,
                signed(1e3 * adjusted.difference()),
                group.sides[0].name,
                line(1),
                line(0)
            ))
        })
        .collect()
}

/// Rates of load tests, level by level.
pub fn levels_table(load_tests: &[(String, Vec<LevelFigures>)]) -> ReportTable {
    let good = load_tests.iter().any(|(_, levels)| levels.iter().any(|level| level.good_per_minute.is_some()));
    let mut names = header(&[
        "load test",
        "clients",
        "requests",
        "failed %",
        "requests/min",
        "answered/min",
        "input tokens/min",
        "output tokens/min",
    ]);
    names.extend(good.then(|| "good/min".to_owned()));
    let mut rows = Vec::new();
    for (name, levels) in load_tests {
        for (index, level) in levels.iter().enumerate() {
            let mut row = vec![
                if index == 0 { name.clone() } else { String::new() },
                level.clients.to_string(),
                level.requests.to_string(),
                format!("{:.1}", 100.0 * level.error_rate),
                number_or_dash(level.requests_per_minute),
                number_or_dash(level.answers_per_minute),
                number_or_dash(level.input_tokens_per_minute),
                number_or_dash(level.output_tokens_per_minute),
            ];
            row.extend(good.then(|| number_or_dash(level.good_per_minute)));
            rows.push(row);
        }
    }
    ReportTable { header: names, rows }
}

/// Median and 90th percentile of each dimension at each level of a single load test.
pub fn level_quantiles_table(report: &CompareReport) -> ReportTable {
    const PERCENTILES: [f64; 2] = [0.5, 0.9];
    let mut names = vec!["clients".to_owned()];
    for dimension in &report.settings.dimensions {
        let unit = if dimension.unit().is_empty() { String::new() } else { format!(" {}", dimension.unit()) };
        names.extend(PERCENTILES.map(|p| format!("{} {}{unit}", dimension.label(), percentile(p))));
    }
    let row = |group: &CompareGroup| {
        let mut row = vec![text_or_dash(group.clients.map(|clients| clients.to_string()))];
        for study in &group.comparison.dimensions {
            let sorted = study.sides[0].as_ref().map(|side| side.sample.sorted.as_slice()).unwrap_or_default();
            let at = |p| report.settings.rule.of(sorted, p).map(|value| value * study.dimension.scale());
            row.extend(PERCENTILES.map(|p| number_or_dash(at(p))));
        }
        row
    };
    ReportTable { header: names, rows: report.groups.iter().map(row).collect() }
}

/// The cautions of a group; those of a level of load tests begin with its clients.
pub fn cautions_at_level(group: &CompareGroup) -> Vec<String> {
    let clients = group.clients.map_or_else(String::new, |clients| counted(clients, "client") + ", ");
    group.cautions.iter().map(|caution| format!("{clients}{caution}")).collect()
}
