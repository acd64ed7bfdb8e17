//! `perfmodel fit --live`: the roofline fitted to runs of real models on one device.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use super::FitArgs;
use crate::calibration::{Flag, Solution};
use crate::cli::Format;
use crate::cli::json::json_line;
use crate::cli::terminal::{print, spinner};
use crate::error::Result;
use crate::evaluation::live::{KindErrors, LiveErrors, LiveRun, LiveStudy, LiveStudyInput, run_live_study};
use crate::number::{number, number_or_dash, with_sign};
use crate::report::text::{caution_lines, table};
use crate::report::{browser, write_live_study};
use crate::spec::Hardware;

/// Runs the fit.
pub fn run(args: &FitArgs, hardware: &Hardware, runs: Vec<LiveRun>, started: Instant) -> Result<()> {
    if args.png {
        browser()?;
    }
    let ids: Vec<&str> = runs.iter().map(|run| run.id.as_str()).collect();
    let folder =
        args.out.clone().unwrap_or_else(|| ["evaluations_results", "live_fits", &ids.join("+")].iter().collect());
    let bar = spinner("fitting");
    let study = run_live_study(LiveStudyInput {
        runs,
        hardware: hardware.name.clone(),
        options: args.options(),
        validate: !args.no_validate,
    })?;
    bar.set_message("writing");
    let files = write_live_study(&study, &folder, args.png)?;
    bar.finish_and_clear();
    match args.format {
        Format::Json => print(&json_line(&Output::new(&study, files, started.elapsed().as_secs_f64()))?),
        Format::Table => {
            let mut text = text(&study);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\nWrote in {:.1} s", started.elapsed().as_secs_f64());
            for file in files {
                let _ = writeln!(text, " {}", file.display());
            }
            print(&text)
        }
    }
}

fn text(study: &LiveStudy) -> String {
    let mut text = String::new();
    for run in &study.runs {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {} on {}, {} rows", run.id, run.model_name, study.hardware, run.rows.len());
    }
    text += "\nParameters, shared by all variants\n";
    text += &parameters(&study.solution);
    text += "\nErrors by kind of row\n";
    text += &errors(study);
    if !study.break_even.is_empty() {
        text += "\nWhere product-of-experts decoding breaks even\n";
        text += &break_even(study);
    }
    text += &caution_lines(&study.cautions());
    text
}

fn parameters(solution: &Solution) -> String {
    let rows = solution.parameters.iter().map(|p| {
        vec![
            p.parameter.name.to_owned(),
            p.parameter.owner.name().to_owned(),
            p.parameter.unit.to_owned(),
            number(p.parameter.default),
            number(p.value),
            number_or_dash(p.std_error),
            p.flag.name().replace('_', " "),
        ]
    });
    table(&["parameter", "owner", "unit", "prior", "fitted", "± error", "flag"], rows, 3..6)
}

fn errors(study: &LiveStudy) -> String {
    let mut lines: Vec<(String, &[KindErrors])> =
        vec![("priors, before the fit".to_owned(), &study.before), ("fitted, in sample".to_owned(), &study.after)];
    lines.extend(
        study.unseen.iter().map(|unseen| (format!("unseen, fitted to {}", unseen.seen), unseen.kinds.as_slice())),
    );
    let rows = lines.iter().flat_map(|(name, kinds)| {
        kinds.iter().enumerate().map(move |(index, kind)| {
            vec![
                if index == 0 { name.clone() } else { String::new() },
                kind.variant.name().to_owned(),
                kind.metric.name().to_owned(),
                kind.rows.to_string(),
                format!("{:.2}", kind.errors.mape_pct),
                number(kind.errors.rmse),
                with_sign(kind.errors.bias_pct, 2),
            ]
        })
    });
    table(&["", "variant", "metric", "rows", "MAPE %", "RMSE ms", "bias %"], rows, 3..7)
}

fn break_even(study: &LiveStudy) -> String {
    let share = |acceptance: Option<f64>| acceptance.map_or_else(|| "never".to_owned(), |a| format!("α ≥ {a:.3}"));
    let several = study.runs.len() > 1;
    let rows = study.break_even.iter().map(|point| {
        let gamma = point.gamma.to_string();
        vec![
            if several { format!("{} γ {gamma}", point.run) } else { gamma },
            format!("{:.3}", point.acceptance),
            number(point.measured.as_ms()),
            number(point.predicted.as_ms()),
            number(point.at_best.as_ms()),
            share(point.against_naive),
            share(point.against_baseline),
        ]
    });
    let header = [
        "γ",
        "acceptance α",
        "ms/token",
        "predicted",
        "predicted at α = 1",
        "no slower than hydra",
        "than the baseline",
    ];
    table(&header, rows, 0..5)
}

/// The JSON object on stdout; docs/schema/fit_live.schema.json describes it.
#[derive(Debug, Serialize)]
struct Output<'a> {
    hardware: &'a str,
    seed: u64,
    runs: Vec<RunOutput<'a>>,
    parameters: Vec<ParameterOutput>,
    before: Vec<LiveErrors>,
    after: Vec<LiveErrors>,
    unseen: Vec<UnseenOutput<'a>>,
    break_even: Vec<BreakEvenOutput<'a>>,
    cautions: Vec<String>,
    files: Vec<PathBuf>,
    elapsed_s: f64,
}

#[derive(Debug, Serialize)]
struct RunOutput<'a> {
    id: &'a str,
    model: &'a str,
    rows: usize,
}

#[derive(Debug, Serialize)]
struct ParameterOutput {
    name: &'static str,
    unit: &'static str,
    start: f64,
    value: f64,
    std_error: Option<f64>,
    flag: Flag,
}

#[derive(Debug, Serialize)]
struct UnseenOutput<'a> {
    seen: &'a str,
    errors: Vec<LiveErrors>,
}

#[derive(Debug, Serialize)]
struct BreakEvenOutput<'a> {
    run: &'a str,
    gamma: usize,
    acceptance: f64,
    measured_ms: f64,
    predicted_ms: f64,
    predicted_at_best_ms: f64,
    against_hydra: Option<f64>,
    against_baseline: Option<f64>,
}

impl<'a> Output<'a> {
    fn new(study: &'a LiveStudy, files: Vec<PathBuf>, elapsed_s: f64) -> Self {
        let recorded = |kinds: &[KindErrors]| kinds.iter().map(LiveErrors::new).collect::<Vec<_>>();
        Self {
            hardware: &study.hardware,
            seed: study.record.seed,
            runs: study
                .runs
                .iter()
                .map(|run| RunOutput { id: &run.id, model: &run.model_name, rows: run.rows.len() })
                .collect(),
            parameters: study
                .solution
                .parameters
                .iter()
                .map(|p| ParameterOutput {
                    name: p.parameter.name,
                    unit: p.parameter.unit,
                    start: p.start(),
                    value: p.value,
                    std_error: p.std_error,
                    flag: p.flag,
                })
                .collect(),
            before: recorded(&study.before),
            after: recorded(&study.after),
            unseen: study
                .unseen
                .iter()
                .map(|unseen| UnseenOutput { seen: &unseen.seen, errors: recorded(&unseen.kinds) })
                .collect(),
            break_even: study
                .break_even
                .iter()
                .map(|point| BreakEvenOutput {
                    run: &point.run,
                    gamma: point.gamma,
                    acceptance: point.acceptance,
                    measured_ms: point.measured.as_ms(),
                    predicted_ms: point.predicted.as_ms(),
                    predicted_at_best_ms: point.at_best.as_ms(),
                    against_hydra: point.against_naive,
                    against_baseline: point.against_baseline,
                })
                .collect(),
            cautions: study.cautions(),
            files,
            elapsed_s,
        }
    }
}
