//! `perfmodel fit`, the main job.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use serde::Serialize;

use super::Format;
use super::select::MeasuredArgs;
use super::terminal::{error_rows, print, spinner, table, worst_rows};
use crate::calibration::{Coverage, ErrorSummary, FitOptions, Flag, LEVEL};
use crate::dataset::RowFilter;
use crate::error::{Error, Result};
use crate::estimator;
use crate::evaluation::{ScenarioStudy, Study, StudyInput, run_study};
use crate::parameter::Owner;
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
    perfmodel fit --measured runs.csv --model qwen3_32b --hardware h200_sxm_141gb --tp 2 --weights bf16 --kv bf16\n  \
    perfmodel fit --scenario 'llama*'                    share hardware and engine parameters, keep campaigns apart\n  \
    perfmodel fit --table batches.csv --load static_batch --skip-unknown\n\n\
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

    /// Fit a parameter that is held by default, such as link_latency_us; may be repeated, or names with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    free: Vec<String>,

    /// Let the data alone decide; without it priors hold what the data leave open (priors.toml)
    #[arg(long)]
    no_priors: bool,

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

pub(super) fn estimator_names() -> PossibleValuesParser {
    estimator::all().map(|estimator| PossibleValue::new(estimator.name()).help(estimator.summary())).into()
}

pub(super) fn name_and_value(text: &str) -> std::result::Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as burst_factor=0")?;
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
    #[serde(flatten)]
    of: Fitted,
    estimator: &'static str,
    seed: u64,
    parameters: Vec<ParameterOutput>,
    files: Vec<PathBuf>,
    elapsed_s: f64,
}

/// One scenario as ever, or several in a list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Fitted {
    One(Box<ScenarioOutput>),
    Several { scenarios: Vec<ScenarioOutput> },
}

#[derive(Debug, Serialize)]
struct ScenarioOutput {
    scenario: String,
    rows: usize,
    baseline: ErrorSummary,
    optimized: ErrorSummary,
    validation: Option<ValidationOutput>,
    coverage: Option<Coverage>,
}

#[derive(Debug, Serialize)]
struct ValidationOutput {
    leave_one_workload_out: Option<ErrorSummary>,
    leave_one_concurrency_out: Option<ErrorSummary>,
}

#[derive(Debug, Serialize)]
struct ParameterOutput {
    name: &'static str,
    owner: Owner,
    /// The scenario whose own it is; null where all share it.
    scenario: Option<String>,
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
        members: measured.members,
        keep: args.rows,
        exclude: args.exclude,
        estimator,
        options: FitOptions {
            seed: args.seed,
            starts: args.starts,
            max_iterations: args.max_iterations,
            fixed: args.fix,
            freed: args.free,
            priors: !args.no_priors,
        },
        validate: !args.no_validate,
    };

    let bar = spinner("fitting");
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
        Format::Text => {
            let mut text = text(&study);
            if !measured.unknown.is_empty() {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "Left out, unknown here: {}", measured.unknown.join(", "));
            }
            let _ = writeln!(text, "\nWrote in {:.1} s", started.elapsed().as_secs_f64());
            for file in files {
                let _ = writeln!(text, " {}", file.display());
            }
            print(&text)
        }
    }
}

fn output(study: &Study, files: Vec<PathBuf>, elapsed_s: f64) -> FitOutput {
    let mut scenarios: Vec<ScenarioOutput> = study
        .scenarios
        .iter()
        .zip(&study.record.scenarios)
        .map(|(scenario, recorded)| ScenarioOutput {
            scenario: scenario.id.clone(),
            rows: scenario.rows.len(),
            baseline: scenario.baseline.summary(),
            optimized: scenario.optimized.summary(),
            validation: scenario.validation.map(|v| ValidationOutput {
                leave_one_workload_out: v.leave_one_workload_out.map(|errors| errors.summary()),
                leave_one_concurrency_out: v.leave_one_concurrency_out.map(|errors| errors.summary()),
            }),
            coverage: recorded.coverage,
        })
        .collect();
    let several = scenarios.len() > 1;
    FitOutput {
        of: if several { Fitted::Several { scenarios } } else { Fitted::One(Box::new(scenarios.remove(0))) },
        estimator: study.estimator.name(),
        seed: study.record.seed,
        parameters: study
            .fit
            .parameters
            .iter()
            .map(|p| ParameterOutput {
                name: p.parameter.name,
                owner: p.parameter.owner,
                scenario: p.campaign.map(|campaign| study.campaign_name(campaign).to_owned()),
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
fn text(study: &Study) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    match study.scenarios.as_slice() {
        [only] => {
            let _ = writeln!(text, "{} · estimator {}", only.title, study.estimator.name());
            let _ = writeln!(text, "{}, {} rows\n", only.system.title(), only.rows.len());
        }
        several => {
            let rows: usize = several.iter().map(|scenario| scenario.rows.len()).sum();
            let _ = writeln!(
                text,
                "{} scenarios fitted together, {rows} rows · estimator {}",
                several.len(),
                study.estimator.name()
            );
            for scenario in several {
                let _ = writeln!(text, " {}: {}", scenario.id, scenario.system.title());
            }
            text.push('\n');
        }
    }
    text += "Parameters\n";
    let header = ["parameter", "owner", "unit", "bounds", "prior", "fitted", "± error", "flag"];
    text += &table(
        &header,
        study.fit.parameters.iter().map(|p| {
            vec![
                study.parameter_label(p.parameter.name, p.campaign),
                p.parameter.owner.name().to_owned(),
                p.parameter.unit.to_owned(),
                format!("{} – {}", p.parameter.lower, p.parameter.upper),
                number(p.start()),
                number(p.value),
                p.std_error.map_or_else(|| "–".to_owned(), number),
                p.flag.name().replace('_', " "),
            ]
        }),
        4..7,
    );
    for scenario in &study.scenarios {
        let name = if study.scenarios.len() > 1 { format!(" · {}", scenario.id) } else { String::new() };
        let _ = writeln!(text, "\nErrors{name}");
        let header = ["", "metric", "MAPE %", "median %", "RMSE ms, tok/s", "bias %"];
        text += &table(&header, error_rows(&scenario.error_lines()), 2..6);
        text += &coverage(study, scenario);
    }
    if let [only] = study.scenarios.as_slice() {
        text += "\nWorst rows\n";
        text += &worst_rows(&only.worst_rows(), only.load);
    }
    for (index, caution) in study.cautions().iter().enumerate() {
        let _ = writeln!(text, "{}Caution: {caution}", if index == 0 { "\n" } else { "" });
    }
    text
}

/// How well the intervals of left-out rows hold.
fn coverage(study: &Study, scenario: &ScenarioStudy) -> String {
    let recorded = study.record.scenarios.iter().find(|recorded| recorded.scenario == scenario.id);
    recorded.and_then(|recorded| recorded.coverage).map_or_else(String::new, |coverage| {
        format!(
            " {:.0} % intervals of left-out workloads hold {:.1} % of TTFT and {:.1} % of ITL\n",
            100.0 * LEVEL,
            coverage.ttft_pct,
            coverage.itl_pct
        )
    })
}
