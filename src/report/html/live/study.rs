//! The page of a fit to live runs.

use plotly::Scatter;
use plotly::common::{DashType, Line, Marker, MarkerSymbol, Mode, Title};
use plotly::layout::Axis;

use crate::app::About;
use crate::bench::Variant;
use crate::evaluation::live::{KindErrors, LiveMetric, LiveRow, LiveRun, LiveStudy};
use crate::number::{number, number_or_dash, with_sign};
use crate::passes::LiveParameters;
use crate::report::html::error_map::ErrorMap;
use crate::report::html::figure::{Figure, axis, colour, layout, plot};
use crate::report::html::page::{definitions, page, section, table};
use crate::units::Seconds;

/// Ends of the colours of the error map in percent.
const SCALE_PCT: f64 = 30.0;

const HEIGHT: usize = 420;

/// The page.
pub fn live_study_page(study: &LiveStudy, figures: &[Figure]) -> String {
    let about = About { findings: words(study), cautions: study.cautions(), ..About::of_live_fit(&study.record) };
    let mut body = String::new();
    body += &section("Errors by kind of row", &errors(study));
    body += &section("Parameters, shared by all variants", &parameters(study));
    if !study.break_even.is_empty() {
        body += &section("Where product-of-experts decoding breaks even", &break_even(study));
    }
    let record = &study.record;
    let mut lines: Vec<(String, String)> = record
        .runs
        .iter()
        .map(|run| {
            let when = run.timestamp.as_ref().map_or_else(String::new, |timestamp| format!(", {timestamp}"));
            (run.id.clone(), format!("{} on {}, {} rows{when}", run.model, run.device, run.rows))
        })
        .collect();
    lines.push((
        "fit".to_owned(),
        format!("seed {}, {} starts, perfmodel {}", record.seed, record.starts.len(), record.perfmodel_version),
    ));
    body += &section("What it was fitted to", &definitions(&lines));
    page(&about, &body, figures)
}

fn words(study: &LiveStudy) -> Vec<String> {
    let line = |kinds: &[KindErrors]| {
        let parts: Vec<String> = kinds
            .iter()
            .map(|kind| format!("{} {} {:.1} %", kind.variant.name(), kind.metric.name(), kind.errors.mape_pct))
            .collect();
        parts.join(", ")
    };
    let mut words = vec![format!("Mean absolute errors of the fit: {}.", line(&study.after))];
    if let Some(unseen) = study.unseen.first() {
        words.push(format!(
            "Fitted to {}, it predicts what it did not see with errors of {}.",
            unseen.seen,
            line(&unseen.kinds)
        ));
    }
    words
}

fn errors(study: &LiveStudy) -> String {
    let mut lines: Vec<(String, &[KindErrors])> =
        vec![("priors, before the fit".to_owned(), &study.before), ("fitted, in sample".to_owned(), &study.after)];
    lines.extend(
        study.unseen.iter().map(|unseen| (format!("unseen, fitted to {}", unseen.seen), unseen.kinds.as_slice())),
    );
    let rows = lines.iter().flat_map(|(name, kinds)| {
        kinds.iter().map(move |kind| {
            vec![
                name.clone(),
                kind.variant.name().to_owned(),
                kind.metric.name().to_owned(),
                kind.rows.to_string(),
                format!("{:.1}", kind.errors.mape_pct),
                format!("{:.1}", kind.errors.median_ape_pct),
                number(kind.errors.rmse),
                with_sign(kind.errors.bias_pct, 1),
            ]
        })
    });
    table(&["predictions", "variant", "metric", "rows", "MAPE %", "median %", "RMSE ms", "bias %"], rows)
}

fn parameters(study: &LiveStudy) -> String {
    let rows = study.solution.parameters.iter().map(|p| {
        vec![
            p.parameter.name.to_owned(),
            p.parameter.unit.to_owned(),
            number(p.value),
            number_or_dash(p.std_error),
            p.flag.name().replace('_', " "),
            number(p.parameter.default),
            format!("{} – {}", p.parameter.lower, p.parameter.upper),
        ]
    });
    let meanings: Vec<(String, String)> = study
        .solution
        .parameters
        .iter()
        .map(|p| (p.parameter.name.to_owned(), p.parameter.meaning.to_owned()))
        .collect();
    table(&["parameter", "unit", "fitted", "± error", "flag", "prior", "bounds"], rows) + &definitions(&meanings)
}

fn break_even(study: &LiveStudy) -> String {
    let share = |acceptance: Option<f64>| acceptance.map_or_else(|| "never".to_owned(), |a| format!("α ≥ {a:.3}"));
    let rows = study.break_even.iter().map(|point| {
        vec![
            format!("{}, γ = {}", point.run, point.gamma),
            format!("{:.3}", point.acceptance),
            number(point.measured.as_ms()),
            number(point.predicted.as_ms()),
            number(point.at_best.as_ms()),
            share(point.against_naive),
            share(point.against_baseline),
        ]
    });
    let header = [
        "run",
        "acceptance α",
        "ms per token",
        "predicted",
        "predicted at α = 1",
        "no slower than averaging",
        "no slower than the baseline",
    ];
    table(&header, rows)
}

/// Figures of all runs; with several runs their ids carry the run's number.
pub fn live_study_figures(study: &LiveStudy) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (index, (run, predicted)) in study.runs.iter().zip(&study.predicted).enumerate() {
        let (prefix, suffix) = if study.runs.len() > 1 {
            (format!("r{}_", index + 1), format!(" · {}", run.id))
        } else {
            Default::default()
        };
        let rows: Vec<(&LiveRow, Seconds)> = run.rows.iter().zip(predicted.iter().copied()).collect();
        let mut add = |mut figure: Figure| {
            figure.id = format!("{prefix}{}", figure.id);
            figure.title += &suffix;
            figures.push(figure);
        };
        add(heatmap(&rows));
        if rows.iter().any(|(row, _)| row.metric == LiveMetric::Decode) {
            add(decode(run, &rows, study));
        }
        if rows.iter().any(|(row, _)| row.metric == LiveMetric::PoeToken) {
            add(acceptance(run, study));
        }
    }
    figures.push(parity(study));
    figures
}

/// A configuration: a variant, and of PoE a γ.
fn configuration(row: &LiveRow) -> String {
    match row.metric {
        LiveMetric::PoeToken => format!("poe γ={}", row.gamma),
        LiveMetric::Ttft | LiveMetric::Decode => row.variant.name().to_owned(),
    }
}

/// Where a row stands on the position axis.
fn place(row: &LiveRow) -> String {
    match row.metric {
        LiveMetric::Ttft => "TTFT".to_owned(),
        LiveMetric::Decode => format!("at {}", row.tokens),
        LiveMetric::PoeToken => "per token".to_owned(),
    }
}

fn heatmap(rows: &[(&LiveRow, Seconds)]) -> Figure {
    let mut places: Vec<String> = Vec::new();
    let mut configurations: Vec<String> = Vec::new();
    for (row, _) in rows {
        for (list, name) in [(&mut places, place(row)), (&mut configurations, configuration(row))] {
            if !list.contains(&name) {
                list.push(name);
            }
        }
    }
    // TTFT first, then the positions as numbers, PoE tokens last.
    let position = |name: &str| name.strip_prefix("at ")?.parse::<u64>().ok();
    places.sort_by_key(|name| (name == "per token", name != "TTFT", position(name)));
    let height = 150 + 40 * configurations.len();
    let mut map = ErrorMap::new(places.clone(), configurations.clone(), SCALE_PCT);
    for (row, predicted) in rows {
        let x = places.iter().position(|name| *name == place(row)).expect("every place is listed");
        let y = configurations.iter().position(|name| *name == configuration(row)).expect("every one is listed");
        map.put(x, y, 100.0 * (*predicted / row.measured - 1.0));
    }
    Figure {
        id: "error_heatmap".to_owned(),
        title: "Error by position and configuration".to_owned(),
        caption: format!(
            "Relative error of the prediction in percent: red is predicted too slow, blue too fast. Columns are the first token, \
             decode steps by tokens in the cache, and emitted tokens of PoE. Colours end at ±{SCALE_PCT} %."
        ),
        height,
        wide: true,
        plot: map.plot(height, "position", "%{y}, %{x}"),
    }
}

fn decode(run: &LiveRun, rows: &[(&LiveRow, Seconds)], study: &LiveStudy) -> Figure {
    let of = |variant: Variant| {
        rows.iter().filter(move |(row, _)| row.metric == LiveMetric::Decode && row.variant == variant)
    };
    let all = || rows.iter().filter(|(row, _)| row.metric == LiveMetric::Decode).map(|(row, _)| row.measured.as_ms());
    let mut chart = plot(
        layout(HEIGHT)
            .x_axis(Axis::new().title(Title::with_text("tokens in the cache")).auto_margin(true).grid_color("#E3E6EA"))
            .y_axis(axis("decode step, ms", all().chain([0.0]))),
    );
    let timer = run.timer(LiveParameters::from_values(&study.solution.values()));
    for (index, variant) in [Variant::Baseline, Variant::Hydra].into_iter().enumerate() {
        let x: Vec<f64> = of(variant).map(|(row, _)| row.tokens).collect();
        if x.is_empty() {
            continue;
        }
        let measured: Vec<f64> = of(variant).map(|(row, _)| row.measured.as_ms()).collect();
        let (low, high) = (x[0], x[x.len() - 1]);
        let dense: Vec<f64> = (0..=40).map(|i| low + (high - low) * f64::from(i) / 40.0).collect();
        let curve: Vec<f64> = dense
            .iter()
            .map(|&cached| {
                let pass = match variant {
                    Variant::Baseline => run.model.baseline_decode(cached),
                    Variant::Hydra | Variant::Poe => run.model.hydra_decode(cached),
                };
                timer.pass(pass).as_ms()
            })
            .collect();
        chart.add_trace(
            Scatter::new(x, measured)
                .mode(Mode::Markers)
                .marker(Marker::new().color(colour(index)).size(8))
                .name(format!("{}, measured", variant.name())),
        );
        chart.add_trace(
            Scatter::new(dense, curve)
                .mode(Mode::Lines)
                .line(Line::new().color(colour(index)).width(2.0))
                .name(format!("{}, predicted", variant.name())),
        );
    }
    Figure {
        id: "decode".to_owned(),
        title: "Decode steps, measured and predicted".to_owned(),
        caption: "Medians as points, predictions of the fit as lines.".to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

fn acceptance(run: &LiveRun, study: &LiveStudy) -> Figure {
    let timer = run.timer(LiveParameters::from_values(&study.solution.values()));
    let context = run.poe_context();
    let alphas: Vec<f64> = (0..=100).map(|i| f64::from(i) / 100.0).collect();
    let mut chart = plot(
        layout(HEIGHT)
            .x_axis(Axis::new().title(Title::with_text("acceptance α")).auto_margin(true).grid_color("#E3E6EA"))
            .y_axis(
                Axis::new().title(Title::with_text("ms per emitted token")).auto_margin(true).grid_color("#E3E6EA"),
            ),
    );
    for (name, pass) in
        [("averaging all heads", run.model.hydra_decode(context)), ("baseline", run.model.baseline_decode(context))]
    {
        let ms = timer.pass(pass).as_ms();
        chart.add_trace(
            Scatter::new(vec![0.0, 1.0], vec![ms; 2])
                .mode(Mode::Lines)
                .line(Line::new().color("#5C5C5C").width(1.5).dash(if name == "baseline" {
                    DashType::Dot
                } else {
                    DashType::Dash
                }))
                .name(name),
        );
    }
    for (index, row) in run.rows.iter().filter(|row| row.metric == LiveMetric::PoeToken).enumerate() {
        let times = timer.round(row.gamma, context);
        let curve: Vec<f64> = alphas.iter().map(|alpha| times.per_token(*alpha).as_ms()).collect();
        chart.add_trace(
            Scatter::new(alphas.clone(), curve)
                .mode(Mode::Lines)
                .line(Line::new().color(colour(index)).width(2.0))
                .name(format!("γ = {}, predicted", row.gamma)),
        );
        chart.add_trace(
            Scatter::new(vec![row.acceptance], vec![row.measured.as_ms()])
                .mode(Mode::Markers)
                .marker(Marker::new().color(colour(index)).size(10).symbol(MarkerSymbol::Diamond))
                .name(format!("γ = {}, measured", row.gamma)),
        );
    }
    Figure {
        id: "break_even".to_owned(),
        title: "PoE over acceptance".to_owned(),
        caption: "Time of an emitted token by the share of drafts that the jury accepts. Where a curve lies below the dashed line, PoE \
                  is faster than averaging all heads."
            .to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

fn parity(study: &LiveStudy) -> Figure {
    let pairs: Vec<(&LiveRow, f64, f64)> = study
        .runs
        .iter()
        .zip(&study.predicted)
        .flat_map(|(run, predicted)| run.rows.iter().zip(predicted))
        .map(|(row, predicted)| (row, row.measured.as_ms(), predicted.as_ms()))
        .collect();
    let values = || pairs.iter().flat_map(|(_, measured, predicted)| [*measured, *predicted]);
    let (low, high) = values().fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    let mut chart = plot(layout(HEIGHT).x_axis(axis("measured, ms", values())).y_axis(axis("predicted, ms", values())));
    chart.add_trace(
        Scatter::new(vec![low, high], vec![low, high])
            .mode(Mode::Lines)
            .line(Line::new().color("#8A9199").dash(DashType::Dash).width(1.0))
            .name("equal"),
    );
    let symbols = [MarkerSymbol::Circle, MarkerSymbol::Diamond, MarkerSymbol::Square];
    for (metric, symbol) in LiveMetric::ALL.into_iter().zip(symbols) {
        for (index, variant) in Variant::ALL.into_iter().enumerate() {
            let (x, y): (Vec<f64>, Vec<f64>) = pairs
                .iter()
                .filter(|(row, ..)| (row.metric, row.variant) == (metric, variant))
                .map(|(_, measured, predicted)| (*measured, *predicted))
                .unzip();
            if !x.is_empty() {
                chart.add_trace(
                    Scatter::new(x, y)
                        .mode(Mode::Markers)
                        .marker(Marker::new().color(colour(index)).size(8).symbol(symbol.clone()))
                        .name(format!("{} {}", variant.name(), metric.name())),
                );
            }
        }
    }
    Figure {
        id: "parity".to_owned(),
        title: "Predicted against measured".to_owned(),
        caption: "Every row once; on the dashed line both are equal.".to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}
