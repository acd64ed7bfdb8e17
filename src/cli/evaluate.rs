//! `perfmodel evaluate`: a scenario predicted by a calibration that never saw it.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::Format;
use super::json::json_line;
use super::measured_args::MeasuredArgs;
use super::system_args::ParametersArgs;
use super::terminal::{notes, print, remarks, spinner};
use crate::app::{self, EvaluateRequest, EvaluateTableRequest, results_folder};
use crate::calibration::FitOptions;
use crate::dataset::RowFilter;
use crate::error::{Error, Result};
use crate::estimator;
use crate::report::text::evaluate::text;
use crate::report::text::evaluate_table;
use crate::report::{browser, write_evaluated_rows, write_transfer};
use crate::spec::Catalog;

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel fit --scenario llama31_8b_fp8_tp1\n  \
    perfmodel evaluate --scenario llama33_70b_fp8_tp2 \\\n      \
        --calibration evaluations_results/llama31_8b_fp8_tp1/serving/calibration.toml\n  \
    perfmodel evaluate --scenario llama33_70b_fp8_tp2 --calibration c.toml --refit link,campaign\n  \
    perfmodel evaluate --scenario llama33_70b_fp8_tp2 --uncalibrated\n  \
    perfmodel evaluate --table fleet.csv --uncalibrated --out fleet        every row of many systems, by cell\n\n\
    Exit codes: 0 done, 1 a refit did not converge, 2 wrong input.")]
#[command(
    mut_arg("scenario", |arg| arg.help("Scenario to predict: its id, see `perfmodel list scenarios`, or its folder")),
    mut_arg("live", |arg| arg.hide(true)),
    mut_arg("model", |arg| arg.help("Model id, one of its other names, or a Hugging Face config.json (with --measured)")),
    mut_arg("hardware", |arg| arg.help("Hardware id or one of its other names (with --measured)")),
    mut_arg("table", |arg| arg.help(
        "CSV of measurements of many systems, each row predicted: columns model, hardware, tensor_parallel, weight_precision and \
         kv_precision say what it ran on, others (attention_dp, moe_ep, pp, gpus, engine, unexplained, ttft_trusted …) more of it"
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

impl EvaluateArgs {
    fn request(&self) -> EvaluateRequest {
        EvaluateRequest {
            measured: self.measured.request(),
            parameters: self.parameters.request(),
            refit: self.refit.clone(),
            estimator: self.estimator.clone(),
            rows: self.rows.clone(),
            exclude: self.exclude.clone(),
            seed: self.seed,
        }
    }
}

impl EvaluateArgs {
    /// What is asked of a table of many systems; `None` without one.
    fn table_request(&self) -> Result<Option<EvaluateTableRequest>> {
        let EvaluateRequest { measured, parameters, refit, estimator, rows, exclude, .. } = self.request();
        let Some(table) = measured.table else { return Ok(None) };
        let unused = [
            ("--refit", !refit.is_empty()),
            ("--rows", !rows.is_empty()),
            ("--exclude", !exclude.is_empty()),
            ("--png", self.png),
        ];
        if let Some((flag, _)) = unused.iter().find(|(_, given)| *given) {
            return Err(Error::input(format!("{flag} has no meaning with --table")).help("leave it out"));
        }
        Ok(Some(EvaluateTableRequest {
            table,
            only: measured.only,
            without: measured.without,
            load: measured.load.unwrap_or_default(),
            parameters,
            estimator,
        }))
    }
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &EvaluateArgs) -> Result<()> {
    let started = Instant::now();
    if args.png {
        browser()?;
    }
    let bar = spinner("evaluating");
    if let Some(request) = args.table_request()? {
        let mut answer = app::evaluate_table(catalog, &request)?;
        if let Some(folder) = &args.out {
            answer.files = write_evaluated_rows(&answer, folder)?;
        }
        bar.finish_and_clear();
        notes(&answer.notes);
        remarks(&answer.remarks);
        answer.elapsed_s = started.elapsed().as_secs_f64();
        return print(&match args.format {
            Format::Json => json_line(&answer)?,
            Format::Table => evaluate_table::text(&answer),
        });
    }
    let mut answer = app::evaluate(catalog, &args.request())?;
    notes(&answer.notes);
    let from = format!("{}_from_{}", answer.estimator, answer.basis);
    let folder = args.out.clone().unwrap_or_else(|| results_folder(&[&answer.scenario, &from]));
    bar.set_message("writing");
    answer.files = write_transfer(&answer.study, &answer.basis, &folder, args.png)?;
    bar.finish_and_clear();
    remarks(&answer.remarks);
    answer.elapsed_s = started.elapsed().as_secs_f64();
    print(&match args.format {
        Format::Json => json_line(&answer)?,
        Format::Table => text(&answer),
    })
}
