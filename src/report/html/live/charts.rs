//! The three panels of a live run: first tokens, decode latency, decode rate.

use plotly::Histogram;
use plotly::Scatter;
use plotly::common::{DashType, Fill, Line, Mode};
use plotly::layout::{BarMode, TraceOrder};
use plotly::traces::histogram::{Bins, HistNorm};

use crate::bench::{DecodePoint, GammaRun, Results, Timing, Variant};
use crate::report::html::figure::{Figure, layout, legend, plain_axis, plot};
use crate::stats::density;

const HEIGHT: usize = 500;
const BINS: usize = 30;
const DENSITY_POINTS: usize = 200;

/// The colour of a variant.
const fn colour(variant: Variant) -> &'static str {
    match variant {
        Variant::Baseline => "#ff7f0e",
        Variant::Hydra => "#1f77b4",
        Variant::Poe => "#2ca02c",
    }
}

/// The same, for areas.
const fn pale(variant: Variant) -> &'static str {
    match variant {
        Variant::Baseline => "rgba(255,127,14,0.2)",
        Variant::Hydra => "rgba(31,119,180,0.2)",
        Variant::Poe => "rgba(44,160,44,0.2)",
    }
}

/// A green for the i-th of n γ, from light to dark: the scale "Greens" of ColorBrewer between 0.4 and 0.9.
fn green(index: usize, count: usize) -> String {
    const GREENS: [[f64; 3]; 9] = [
        [247.0, 252.0, 245.0],
        [229.0, 245.0, 224.0],
        [199.0, 233.0, 192.0],
        [161.0, 217.0, 155.0],
        [116.0, 196.0, 118.0],
        [65.0, 171.0, 93.0],
        [35.0, 139.0, 69.0],
        [0.0, 109.0, 44.0],
        [0.0, 68.0, 27.0],
    ];
    let place = 0.4 + 0.5 * index as f64 / (count.max(2) - 1) as f64;
    // The scale has 256 steps.
    let place = (place * 256.0).floor().min(255.0) / 255.0 * 8.0;
    let below = (place as usize).min(7);
    let share = place - below as f64;
    let mixed = |i: usize| (GREENS[below][i] + share * (GREENS[below + 1][i] - GREENS[below][i])).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mixed(0), mixed(1), mixed(2))
}

/// The panels, left to right.
pub fn live_figures(results: &Results) -> Vec<Figure> {
    let mut figures = Vec::new();
    if Variant::ALL.iter().any(|variant| results.ttft(*variant).is_some()) {
        figures.push(first_tokens(results));
    }
    if Variant::ALL.iter().any(|variant| !results.decode(*variant).is_empty()) || !results.gammas().is_empty() {
        figures.push(decode_latency(results));
        figures.push(decode_rate(results));
    }
    figures
}

fn first_tokens(results: &Results) -> Figure {
    let timed: Vec<(Variant, &Timing)> =
        Variant::ALL.into_iter().filter_map(|variant| Some((variant, results.ttft(variant)?))).collect();
    let curves: Vec<Option<(Vec<f64>, Vec<f64>)>> = timed.iter().map(|(_, timing)| curve(timing)).collect();
    let top = curves.iter().flatten().flat_map(|(_, y)| y.iter().copied()).fold(0.0, f64::max);
    let top = if top > 0.0 { top } else { 1.0 };
    let mut chart = plot(
        layout(HEIGHT).bar_mode(BarMode::Overlay).x_axis(plain_axis("Latency (ms)")).y_axis(plain_axis("Density")),
    );
    for ((variant, timing), curve) in timed.iter().zip(curves) {
        let label = match variant {
            Variant::Poe => "Hydra + PoE (prefill)",
            Variant::Baseline | Variant::Hydra => variant.label(),
        };
        let line = |dash: DashType| Line::new().color(colour(*variant)).width(2.0).dash(dash);
        match curve {
            Some((x, y)) => {
                let (low, high) = (x[0], x[x.len() - 1]);
                // A bin excludes its end; the largest time belongs to the last one.
                let width = (high - low) * (1.0 + 1e-9) / BINS as f64;
                chart.add_trace(
                    Histogram::new(timing.filtered_ms.clone())
                        .x_bins(Bins::new(low, low + width * BINS as f64, width))
                        .hist_norm(HistNorm::ProbabilityDensity)
                        .opacity(0.3)
                        .marker(plotly::common::Marker::new().color(colour(*variant)))
                        .name(format!("{label} hist")),
                );
                chart.add_trace(
                    Scatter::new(x, y).mode(Mode::Lines).line(line(DashType::Solid)).name(format!("{label} KDE")),
                );
            }
            // Equal times, or one: a place without a spread.
            None => chart.add_trace(
                Scatter::new(vec![timing.median_ms; 2], vec![0.0, top])
                    .mode(Mode::Lines)
                    .line(line(DashType::Solid))
                    .name(label),
            ),
        }
        if let Some(predicted) = timing.predicted_ms {
            chart.add_trace(
                Scatter::new(vec![predicted; 2], vec![0.0, top])
                    .mode(Mode::Lines)
                    .line(line(DashType::Dot))
                    .name(format!("{label} predicted")),
            );
        }
    }
    Figure {
        id: "ttft".to_owned(),
        title: "TTFT Distribution".to_owned(),
        caption:
            "Time to first token of repeated calls without outliers, as histogram and as density. Dotted: predicted."
                .to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

/// Density between the smallest and the largest time; `None` where they do not spread.
fn curve(timing: &Timing) -> Option<(Vec<f64>, Vec<f64>)> {
    let values = &timing.filtered_ms;
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let step = (high - low) / (DENSITY_POINTS - 1) as f64;
    let x: Vec<f64> = (0..DENSITY_POINTS).map(|i| low + step * i as f64).collect();
    density(values, &x).map(|y| (x, y))
}

/// Time of a PoE token: without the prefill where it is known, else as the original has it, a call over its accepted tokens.
fn poe_token_ms(run: &GammaRun) -> f64 {
    let own = run.counts.as_ref().and_then(|counts| counts.ms_per_token);
    own.unwrap_or_else(|| {
        let accepted = run.avg_accepted_tokens_per_call;
        if accepted > 0.0 { run.timing.median_ms / accepted } else { 0.0 }
    })
}

fn poe_rate(run: &GammaRun) -> f64 {
    let own = run.counts.as_ref().and_then(|counts| counts.ms_per_token).filter(|ms| *ms > 0.0);
    own.map_or(run.effective_tps, |ms| 1000.0 / ms)
}

/// Ends of the position axis.
fn positions(results: &Results) -> [f64; 2] {
    let all = Variant::ALL.into_iter().flat_map(|variant| results.decode(variant)).map(|point| point.position as f64);
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let prompt = results.metadata.prompt_length.unwrap_or(0) as f64;
    let tokens = results.metadata.poe_max_new_tokens.unwrap_or(1) as f64;
    if low < high { [low, high] } else { [prompt, prompt + tokens] }
}

fn decode_latency(results: &Results) -> Figure {
    // Areas turn the order of a legend round unless it is given.
    let layout = layout(HEIGHT).legend(legend().trace_order(TraceOrder::Normal));
    let mut chart = plot(layout.x_axis(plain_axis("KV Cache Position")).y_axis(plain_axis("Latency (ms)")));
    for variant in Variant::ALL {
        let points = results.decode(variant);
        let x: Vec<f64> = points.iter().map(|point| point.position as f64).collect();
        if x.is_empty() {
            continue;
        }
        let ys = |of: fn(&DecodePoint) -> f64| points.iter().map(of).collect::<Vec<f64>>();
        let edge = |y: Vec<f64>| {
            Scatter::new(x.clone(), y)
                .mode(Mode::Lines)
                .line(Line::new().width(0.0).color(colour(variant)))
                .show_legend(false)
                .hover_info(plotly::common::HoverInfo::Skip)
        };
        chart.add_trace(edge(ys(|point| point.timing.p20_ms)));
        chart.add_trace(edge(ys(|point| point.timing.p80_ms)).fill(Fill::ToNextY).fill_color(pale(variant)));
        chart.add_trace(
            Scatter::new(x.clone(), ys(|point| point.timing.median_ms))
                .mode(Mode::Lines)
                .line(Line::new().color(colour(variant)).width(2.0))
                .name(variant.label()),
        );
        let predicted: Vec<(f64, f64)> =
            points.iter().filter_map(|p| Some((p.position as f64, p.timing.predicted_ms?))).collect();
        add_predicted(&mut chart, variant, &predicted);
    }
    let ends = positions(results);
    let gammas = results.gammas();
    for (index, run) in gammas.iter().enumerate() {
        let y = poe_token_ms(run);
        chart.add_trace(
            Scatter::new(ends.to_vec(), vec![y; 2])
                .mode(Mode::Lines)
                .line(Line::new().color(green(index, gammas.len())).dash(DashType::Dash).width(1.5))
                .name(format!("PoE γ={} ({y:.1} ms/tok)", run.gamma)),
        );
    }
    Figure {
        id: "decode_latency".to_owned(),
        title: "Decode Latency vs Position".to_owned(),
        caption: format!(
            "Median of a decode step with so many tokens in the cache, and the band from the 20th to the 80th percentile. \
             Dotted: predicted. Dashed: {}.",
            poe_caption(gammas)
        ),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

fn poe_caption(gammas: &[GammaRun]) -> &'static str {
    if gammas.iter().any(|run| run.counts.is_some()) {
        "PoE per emitted token, without the prefill"
    } else {
        "PoE as the original counts it: a whole call, prefill included, over its accepted tokens"
    }
}

fn add_predicted(chart: &mut plotly::Plot, variant: Variant, points: &[(f64, f64)]) {
    if points.is_empty() {
        return;
    }
    let (x, y) = points.iter().copied().unzip();
    chart.add_trace(
        Scatter::new(x, y)
            .mode(Mode::Lines)
            .line(Line::new().color(colour(variant)).width(1.5).dash(DashType::Dot))
            .name(format!("{} predicted", variant.label())),
    );
}

fn decode_rate(results: &Results) -> Figure {
    let mut chart = plot(layout(HEIGHT).x_axis(plain_axis("KV Cache Position")).y_axis(plain_axis("Tokens/sec")));
    for variant in Variant::ALL {
        let points = results.decode(variant);
        if points.is_empty() {
            continue;
        }
        let x = points.iter().map(|point| point.position as f64).collect::<Vec<f64>>();
        chart.add_trace(
            Scatter::new(x, points.iter().map(|point| point.tps).collect::<Vec<f64>>())
                .mode(Mode::Lines)
                .line(Line::new().color(colour(variant)).width(2.0))
                .name(variant.label()),
        );
        let rate = |point: &DecodePoint| {
            let ms = point.timing.predicted_ms.filter(|ms| *ms > 0.0)?;
            Some((point.position as f64, 1000.0 / ms))
        };
        add_predicted(&mut chart, variant, &points.iter().filter_map(rate).collect::<Vec<_>>());
    }
    let ends = positions(results);
    let gammas = results.gammas();
    for (index, run) in gammas.iter().enumerate() {
        let y = poe_rate(run);
        chart.add_trace(
            Scatter::new(ends.to_vec(), vec![y; 2])
                .mode(Mode::Lines)
                .line(Line::new().color(green(index, gammas.len())).dash(DashType::Dash).width(1.5))
                .name(format!("PoE γ={} ({y:.1} tok/s, resample={:.2})", run.gamma, run.resample_rate)),
        );
    }
    Figure {
        id: "decode_rate".to_owned(),
        title: "TPS vs Position".to_owned(),
        caption: format!("Tokens per second of the medians. Dotted: predicted. Dashed: {}.", poe_caption(gammas)),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greens_are_those_of_the_original() {
        for (count, want) in [
            (4, vec!["#98d594", "#58b668", "#278f48", "#006428"]),
            (3, vec!["#98d594", "#3ba458", "#006428"]),
            (1, vec!["#98d594"]),
        ] {
            let got: Vec<String> = (0..count).map(|index| green(index, count)).collect();
            assert_eq!(got, want);
        }
    }
}
