//! `perfmodel fit`, the main job.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Format;
use super::select::MeasuredArgs;
use super::terminal::{print, table};
use crate::calibration::{ErrorSummary, FitOptions, Flag};
use crate::dataset::RowFilter;
use crate::error::{Error, Result};
use crate::estimator;
use crate::evaluation::{Study, StudyInput, run_study};
use crate::report::{browser, number, write_study};
use crate::spec::Catalog;

/// More starts than this never helped and look like a slip.
const MOST_STARTS: usize = 10_000;

/// Arguments of `fit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel fit --scenario llama31_8b_fp8_tp1\n  \
    perfmodel fit --scenario llama33_70b_fp8_tp2 --estimator roofline --fix t_min=0\n  \
    perfmodel fit --scenario llama31_8b_fp8_tp1 --exclude 'concurrency>128' --out low --png\n  \
    perfmodel fit --measured runs.csv --model qwen3_32b --hardware h200_sxm_141gb --tp 2 --weights bf16 --kv bf16\n\n\
    Exit codes: 0 done, 1 the fit did not converge, 2 wrong input.")]
pub struct FitArgs {
    #[command(flatten)]
    measured: MeasuredArgs,

    /// Which way to predict
    #[arg(long, value_name = "NAME", default_value = estimator::all()[0].name(), value_parser = estimator_names())]
    estimator: String,

    /// Hold a parameter at a value; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    fix: Vec<(String, f64)>,

    /// Fit only rows for which this holds, such as 'concurrency<=128'; may be repeated
    #[arg(long, value_name = "EXPR")]
    rows: Vec<RowFilter>,

    /// Leave out rows for which this holds; may be repeated
    #[arg(long, value_name = "EXPR")]
    exclude: Vec<RowFilter>,

    /// Seed of the random starts
    #[arg(long, default_value_t = FitOptions::default().seed)]
    seed: u64,

    /// Starts of the optimiser, the first from the defaults
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().starts, value_parser = at_least_one)]
    starts: usize,

    /// Iterations of one start
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().max_iterations)]
    max_iterations: u64,

    /// Skip the out-of-sample errors
    #[arg(long)]
    no_validate: bool,

    /// Folder for the results [default: evaluations_results/<scenario>/<estimator>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Also write every figure as PNG (needs a Chromium on PATH)
    #[arg(long)]
    png: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

fn estimator_names() -> PossibleValuesParser {
    estimator::all().map(|estimator| PossibleValue::new(estimator.name()).help(estimator.summary())).into()
}

fn name_and_value(text: &str) -> std::result::Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as t_min=0")?;
    let value = value.trim().parse().map_err(|_| format!("`{value}` is not a number"))?;
    Ok((name.trim().to_owned(), value))
}

fn at_least_one(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=MOST_STARTS) => Ok(count),
        _ => Err(format!("give a whole number from 1 to {MOST_STARTS}")),
    }
}

/// The JSON object on stdout; docs/schema/fit.schema.json describes it.
#[derive(Debug, Serialize)]
struct FitOutput {
    scenario: String,
    estimator: &'static str,
    seed: u64,
    rows: usize,
    baseline: ErrorSummary,
    optimized: ErrorSummary,
    validation: Option<ValidationOutput>,
    parameters: Vec<ParameterOutput>,
    files: Vec<PathBuf>,
    elapsed_s: f64,
}

#[derive(Debug, Serialize)]
struct ValidationOutput {
    leave_one_workload_out: Option<ErrorSummary>,
    leave_one_concurrency_out: Option<ErrorSummary>,
}

#[derive(Debug, Serialize)]
struct ParameterOutput {
    name: &'static str,
    unit: &'static str,
    lower: f64,
    upper: f64,
    start: f64,
    value: f64,
    std_error: Option<f64>,
    flag: Flag,
}

/// Runs the main job.
pub fn run(catalog: &Catalog, args: FitArgs) -> Result<()> {
    let started = Instant::now();
    let estimator = estimator::by_name(&args.estimator)?;
    let measured = args.measured.resolve(catalog)?;
    if args.png {
        // Better now than after the fit.
        browser()?;
    }
    let folder = args.out.unwrap_or_else(|| ["evaluations_results", &measured.id, estimator.name()].iter().collect());
    let input = StudyInput {
        id: measured.id,
        title: measured.title,
        system: measured.system,
        dataset: measured.dataset,
        provenance: measured.provenance,
        keep: args.rows,
        exclude: args.exclude,
        estimator,
        options: FitOptions {
            seed: args.seed,
            starts: args.starts,
            max_iterations: args.max_iterations,
            fixed: args.fix,
        },
        validate: !args.no_validate,
    };

    let bar = ProgressBar::new_spinner().with_style(spinner());
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar.set_message("fitting");
    let study = run_study(input, &|done, total| bar.set_message(format!("validating, fold {done} of {total}")))?;
    bar.set_message("writing");
    let files = write_study(&study, &folder, args.png)?;
    bar.finish_and_clear();

    match args.format {
        Format::Json => {
            let output = output(&study, files, started.elapsed().as_secs_f64());
            let text = serde_json::to_string(&output)
                .map_err(|error| Error::failed(format!("cannot write the result as JSON ({error})")))?;
            print(&format!("{text}\n"))
        }
        Format::Text => print(&text(&study, &files, started.elapsed().as_secs_f64())),
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg} ({elapsed})").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn output(study: &Study, files: Vec<PathBuf>, elapsed_s: f64) -> FitOutput {
    FitOutput {
        scenario: study.id.clone(),
        estimator: study.estimator.name(),
        seed: study.record.seed,
        rows: study.rows.len(),
        baseline: study.baseline.summary(),
        optimized: study.optimized.summary(),
        validation: study.validation.map(|v| ValidationOutput {
            leave_one_workload_out: v.leave_one_workload_out.map(|errors| errors.summary()),
            leave_one_concurrency_out: v.leave_one_concurrency_out.map(|errors| errors.summary()),
        }),
        parameters: study
            .fit
            .parameters
            .iter()
            .map(|p| ParameterOutput {
                name: p.parameter.name,
                unit: p.parameter.unit,
                lower: p.parameter.lower,
                upper: p.parameter.upper,
                start: p.start(),
                value: p.value,
                std_error: p.std_error,
                flag: p.flag,
            })
            .collect(),
        files,
        elapsed_s,
    }
}

/// The report on the terminal.
fn text(study: &Study, files: &[PathBuf], elapsed_s: f64) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} · estimator {}", study.title, study.estimator.name());
    let _ = writeln!(text, "{}, {} rows\n", study.system.title(), study.rows.len());

    text += "Parameters\n";
    let header = ["parameter", "unit", "bounds", "start", "fitted", "± error", "flag"];
    text += &table(
        &header,
        study.fit.parameters.iter().map(|p| {
            vec![
                p.parameter.name.to_owned(),
                p.parameter.unit.to_owned(),
                format!("{} – {}", p.parameter.lower, p.parameter.upper),
                number(p.start()),
                number(p.value),
                p.std_error.map_or_else(|| "–".to_owned(), number),
                p.flag.name().replace('_', " "),
            ]
        }),
        3..6,
    );

    text += "\nErrors\n";
    text += &error_table(study);

    text += "\nWorst rows\n";
    let header =
        ["input", "output", "concurrency", "TTFT ms", "predicted", "error %", "ITL ms", "predicted", "error %"];
    text += &table(
        &header,
        study.worst_rows().into_iter().map(|row| {
            let workload = &row.measured.workload;
            vec![
                workload.input_tokens().to_string(),
                workload.output_tokens().to_string(),
                workload.concurrency().to_string(),
                number(row.measured.ttft.as_ms()),
                number(row.predicted.ttft.as_ms()),
                format!("{:+.1}", row.ttft_error_pct()),
                number(row.measured.itl.as_ms()),
                number(row.predicted.itl.as_ms()),
                format!("{:+.1}", row.itl_error_pct()),
            ]
        }),
        0..9,
    );

    for (index, caution) in study.cautions().iter().enumerate() {
        let _ = writeln!(text, "{}Caution: {caution}", if index == 0 { "\n" } else { "" });
    }
    let _ = writeln!(text, "\nWrote in {elapsed_s:.1} s");
    for file in files {
        let _ = writeln!(text, " {}", file.display());
    }
    text
}

fn error_table(study: &Study) -> String {
    let rows = study.error_lines().into_iter().flat_map(|(name, errors)| {
        let metrics = [("TTFT", Some(errors.ttft)), ("ITL", Some(errors.itl)), ("throughput", errors.throughput)];
        metrics.into_iter().enumerate().filter_map(move |(index, (metric, errors))| {
            let errors = errors?;
            Some(vec![
                if index == 0 { name.to_owned() } else { String::new() },
                metric.to_owned(),
                format!("{:.2}", errors.mape_pct),
                format!("{:.2}", errors.median_ape_pct),
                number(errors.rmse),
                format!("{:+.2}", errors.bias_pct),
            ])
        })
    });
    let header = ["", "metric", "MAPE %", "median %", "RMSE ms, tok/s", "bias %"];
    table(&header, rows, 2..6)
}
