//! `perfmodel evaluate`: a scenario predicted by a calibration that never saw it.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::Format;
use super::json::json_line;
use super::select::MeasuredArgs;
use super::system_args::ParametersArgs;
use super::terminal::{print, spinner};
use crate::calibration::{ErrorSummary, FitOptions, LEVEL, Origin};
use crate::dataset::RowFilter;
use crate::error::{Error, Result};
use crate::estimator;
use crate::evaluation::{Refit, TransferInput, TransferStudy, run_transfer, worst_of};
use crate::number::number;
use crate::report::text::{caution_lines, error_rows, table, worst_rows};
use crate::report::{browser, write_transfer};
use crate::spec::Catalog;

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel fit --scenario llama31_8b_fp8_tp1\n  \
    perfmodel evaluate --scenario llama33_70b_fp8_tp2 \\\n      \
        --calibration evaluations_results/llama31_8b_fp8_tp1/serving/calibration.toml\n  \
    perfmodel evaluate --scenario llama33_70b_fp8_tp2 --calibration c.toml --refit link,campaign\n  \
    perfmodel evaluate --scenario llama33_70b_fp8_tp2 --uncalibrated\n\n\
    Exit codes: 0 done, 1 a refit did not converge, 2 wrong input.")]
#[command(
    mut_arg("scenario", |arg| arg.help("Scenario to predict, see `perfmodel list scenarios`")),
    mut_arg("scenario_dir", |arg| arg.help("Folder with scenario.toml and measured.csv")),
    mut_arg("live", |arg| arg.hide(true)),
    mut_arg("model", |arg| arg.help("Model id, one of its other names, or a Hugging Face config.json (with --measured)")),
    mut_arg("hardware", |arg| arg.help("Hardware id or one of its other names (with --measured)")),
    mut_arg("table", |arg| arg.help(
        "CSV of measurements of many systems, of which --only and --without leave one; columns model, hardware, tensor_parallel, \
         weight_precision and kv_precision say what each row ran on"
    )),
    mut_arg("calibration", |arg| arg.help(
        "calibration.toml of a fit, of another system or of this one; needed unless --uncalibrated is given"
    ))
)]
pub struct EvaluateArgs {
    #[command(flatten)]
    measured: MeasuredArgs,

    #[command(flatten)]
    parameters: ParametersArgs,

    /// Fit these again on the scenario and keep all others: campaign, link, hardware, engine or the name of a parameter;
    /// may be repeated, or names with commas
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    refit: Vec<String>,

    /// Which way to predict
    #[arg(long, value_name = "NAME", default_value = estimator::all()[0].name(), value_parser = super::fit::estimator_names())]
    estimator: String,

    /// Use only rows for which this holds, such as 'concurrency<=128'; may be repeated
    #[arg(long, value_name = "EXPR")]
    rows: Vec<RowFilter>,

    /// Leave out rows for which this holds; may be repeated
    #[arg(long, value_name = "EXPR")]
    exclude: Vec<RowFilter>,

    /// Seed of the starts of a refit
    #[arg(long, default_value_t = FitOptions::default().seed)]
    seed: u64,

    /// Folder for the results [default: evaluations_results/<scenario>/<estimator>_from_<calibrated scenarios>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Also write every figure as PNG (needs a Chromium on PATH)
    #[arg(long)]
    png: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// The JSON object on stdout; docs/schema/evaluate.schema.json describes it.
#[derive(Debug, Serialize)]
struct EvaluateOutput {
    scenario: String,
    estimator: &'static str,
    calibration: Option<PathBuf>,
    rows: usize,
    refit: Vec<String>,
    errors: ErrorSummary,
    interval_coverage: CoverageOutput,
    variants: Vec<VariantOutput>,
    outside_range: Vec<&'static str>,
    from_priors: Vec<&'static str>,
    parameters: Vec<ParameterOutput>,
    files: Vec<PathBuf>,
    elapsed_s: f64,
}

#[derive(Debug, Serialize)]
struct VariantOutput {
    refit: Vec<String>,
    errors: ErrorSummary,
}

#[derive(Debug, Serialize)]
struct CoverageOutput {
    ttft_pct: f64,
    itl_pct: f64,
}

#[derive(Debug, Serialize)]
struct ParameterOutput {
    name: &'static str,
    unit: &'static str,
    value: f64,
    origin: Origin,
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: EvaluateArgs) -> Result<()> {
    let started = Instant::now();
    let estimator = estimator::by_name(&args.estimator)?;
    let member = args.measured.resolve_one(catalog)?;
    let parameters = args.parameters.request();
    let opened = parameters.open(None, estimator)?.calibration;
    if opened.is_none() && !parameters.uncalibrated {
        return Err(Error::input("no calibration is named").help(
            "give --calibration FILE, the calibration.toml that `perfmodel fit` writes; or --uncalibrated for the priors alone",
        ));
    }
    if args.png {
        browser()?;
    }
    let basis = opened.as_ref().map_or_else(
        || "priors".to_owned(),
        |(_, record)| record.scenarios.iter().map(|s| s.scenario.as_str()).collect::<Vec<_>>().join("+"),
    );
    let folder = args.out.unwrap_or_else(|| {
        ["evaluations_results", &member.id, &format!("{}_from_{basis}", estimator.name())].iter().collect()
    });
    let mut refit: Vec<Refit> = Vec::new();
    for one in args.refit.iter().map(|text| Refit::parse(text)) {
        if !refit.contains(&one) {
            refit.push(one);
        }
    }
    let bar = spinner("evaluating");
    let study = run_transfer(TransferInput {
        member,
        keep: args.rows,
        exclude: args.exclude,
        estimator,
        calibration: opened.as_ref().map(|(_, record)| record),
        given: parameters.set.to_vec(),
        refit,
        options: FitOptions { seed: args.seed, ..FitOptions::default() },
    })?;
    bar.set_message("writing");
    let files = write_transfer(&study, &basis, &folder, args.png)?;
    bar.finish_and_clear();
    let calibration = opened.map(|(path, _)| path);
    match args.format {
        Format::Json => {
            let output = output(&study, calibration, files, started.elapsed().as_secs_f64());
            print(&json_line(&output)?)
        }
        Format::Table => {
            let mut text = text(&study, calibration.as_deref().map(|path| path.display().to_string()));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\nWrote in {:.1} s", started.elapsed().as_secs_f64());
            for file in files {
                let _ = writeln!(text, " {}", file.display());
            }
            print(&text)
        }
    }
}

fn output(study: &TransferStudy, calibration: Option<PathBuf>, files: Vec<PathBuf>, elapsed_s: f64) -> EvaluateOutput {
    let asked = study.asked();
    let forecaster = &asked.forecaster;
    let [ttft_pct, itl_pct] = study.interval_coverage_pct();
    EvaluateOutput {
        scenario: study.member.id.clone(),
        estimator: study.estimator.name(),
        calibration,
        rows: study.rows.len(),
        refit: asked.refit.clone(),
        errors: asked.errors.summary(),
        interval_coverage: CoverageOutput { ttft_pct, itl_pct },
        variants: study
            .variants
            .iter()
            .map(|variant| VariantOutput { refit: variant.refit.clone(), errors: variant.errors.summary() })
            .collect(),
        outside_range: study.outside.iter().map(|outside| outside.axis).collect(),
        from_priors: forecaster.from_origin(Origin::Prior),
        parameters: forecaster
            .parameters()
            .iter()
            .zip(&forecaster.carried().values)
            .zip(&forecaster.carried().origins)
            .map(|((p, value), origin)| ParameterOutput { name: p.name, unit: p.unit, value: *value, origin: *origin })
            .collect(),
        files,
        elapsed_s,
    }
}

/// The report on the terminal.
fn text(study: &TransferStudy, calibration: Option<String>) -> String {
    let mut text = String::new();
    let asked = study.asked();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} · estimator {}", study.member.title, study.estimator.name());
    let _ = writeln!(text, "{}, {} rows", study.member.system.title(), study.rows.len());
    let _ = match calibration {
        Some(path) => writeln!(text, "predicted by {path}\n"),
        None if asked.forecaster.has_priors() => {
            writeln!(text, "UNCALIBRATED: predicted by the priors alone (priors.toml)\n")
        }
        None => writeln!(text, "UNCALIBRATED: predicted by the formulas alone\n"),
    };
    let _ = writeln!(text, "Parameters · {}", asked.name());
    let forecaster = &asked.forecaster;
    let carried = forecaster.carried();
    text += &table(
        &["parameter", "owner", "unit", "value", "± %", "from"],
        forecaster.parameters().iter().enumerate().map(|(index, p)| {
            vec![
                p.name.to_owned(),
                p.owner.name().to_owned(),
                p.unit.to_owned(),
                number(carried.values[index]),
                format!("{:.0}", 100.0 * carried.covariance[(index, index)].sqrt()),
                carried.origins[index].name().to_owned(),
            ]
        }),
        3..5,
    );
    text += "\nErrors\n";
    let names: Vec<String> = study.variants.iter().map(|variant| variant.name()).collect();
    let lines: Vec<_> =
        names.iter().zip(&study.variants).map(|(name, variant)| (name.as_str(), variant.errors)).collect();
    text += &table(&["", "metric", "MAPE %", "median %", "RMSE ms, tok/s", "bias %"], error_rows(&lines), 2..6);
    if study.variants.len() > 1 {
        text += " What was refitted has seen these rows: errors after a refit are in sample\n";
    }
    let [ttft, itl] = study.interval_coverage_pct();
    let _ = writeln!(
        text,
        " {:.0} % intervals ({}) hold {ttft:.1} % of TTFT and {itl:.1} % of ITL",
        100.0 * LEVEL,
        asked.name()
    );
    let _ = writeln!(text, "\nWorst rows · {}", asked.name());
    text += &worst_rows(&worst_of(&study.rows), study.member.load);
    text += &caution_lines(&study.cautions());
    text
}
