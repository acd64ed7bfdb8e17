//! What a command leaves behind: tables, charts, one self-contained page.
//!
//! ```
//! use perfmodel::app::{self, PredictRequest};
//! use perfmodel::report::write_prediction;
//! use perfmodel::spec::Catalog;
//!
//! let request: PredictRequest = app::from_json(
//!     r#"{"scenario": "llama31_8b_fp8_tp1", "input_tokens": 1000, "output_tokens": 200, "concurrency": [1, 8, 64]}"#,
//! )?;
//! let answer = app::predict(&Catalog::built_in(), &request)?;
//! # let temporary = tempfile::tempdir()?;
//! # let folder = temporary.path();
//! let written = write_prediction(&answer, folder, false)?;
//! let page = std::fs::read_to_string(&written[0])?;
//! assert!(page.contains(&answer.study.target.title) && !page.contains("<script src")); // all in one file
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod csv_files;
mod html;
mod output;
mod png;
mod tables;
pub mod text;

use std::path::{Path, PathBuf};

pub use html::compare::charts::CompareDrawing;
pub use html::plan::plan_options_table;
pub use html::prediction::quantile_cells;
pub use html::probe::words as probe_words;
pub use html::roofline::charts::batch_axis;
pub use output::OutputFolder;
pub use png::browser;
pub use tables::ReportTable;
pub use tables::dial::{dial_cache_title, dial_loss_title, dial_table, equal_table, slice_lines, slice_title};
pub use tables::insights::{
    budget_title, front_table, front_title, matched_table, ratio_title, runs_in_words, speeds_table,
};
pub use tables::roofline::{crossings_table, operators_table, roofs_table, sweep_table};
pub use tables::variants::{batch_sweep_table, linear_lines, serving_basis, serving_table, serving_title, sweep_title};

use crate::app::{
    EvaluateTableAnswer, InsightsAnswer, PlanAnswer, PredictAnswer, ProbeAnswer, ReportAnswer, RooflineAnswer,
    results_folder,
};
use crate::bench::{Results, measured_csv, rows_csv};
use crate::calibration::CalibrationRecord;
use crate::comparison::CompareReport;
use crate::error::Result;
use crate::evaluation::live::LiveStudy;
use crate::evaluation::{Study, TransferStudy};
use crate::number::counted;
use csv_files::TableRows;
use html::figure::Figure;

/// Writes every result of a study into a folder and returns the paths of the files. Files appear only when all of
/// them could be written.
///
/// # Errors
/// The folder cannot be written, or `png` is asked for and no Chromium can be run.
pub fn write_study(study: &Study, folder: &Path, png: bool) -> Result<Vec<PathBuf>> {
    let mut output = OutputFolder::create(folder)?;
    let rows: Vec<TableRows<'_>> = study
        .scenarios
        .iter()
        .map(|scenario| TableRows {
            scenario: &scenario.id,
            load_column: scenario.load.column(),
            rows: &scenario.rows,
            extra: scenario.extra_columns(),
        })
        .collect();
    output.stage("evaluation.csv", &csv_files::evaluation(&rows)?)?;
    output.stage("parameters.csv", &csv_files::parameters(study)?)?;
    output.stage("loss_history.csv", &csv_files::loss_history(study)?)?;
    output.stage("calibration.toml", study.record.to_toml().as_bytes())?;
    let figures = html::study::study_figures(study);
    output.stage("report.html", html::study::study_page(study, &figures).as_bytes())?;
    // Pictures of the same fit still hold.
    if png || !answers_the_same(folder, study) {
        stage_pictures(&mut output, &figures, png)?;
    }
    output.commit()
}

/// Writes every result of a scenario that was predicted from a calibration; `basis` names what that was fitted to.
///
/// # Errors
/// As [`write_study`].
pub fn write_transfer(study: &TransferStudy, basis: &str, folder: &Path, png: bool) -> Result<Vec<PathBuf>> {
    let mut output = OutputFolder::create(folder)?;
    let rows = TableRows {
        scenario: &study.member.id,
        load_column: study.member.load.column(),
        rows: &study.rows,
        extra: Vec::new(),
    };
    output.stage("evaluation.csv", &csv_files::evaluation(&[rows])?)?;
    let figures = html::transfer::transfer_figures(study);
    output.stage("report.html", html::transfer::transfer_page(study, basis, &figures).as_bytes())?;
    stage_pictures(&mut output, &figures, png)?;
    output.commit()
}

/// Writes the page of predicted workloads.
///
/// # Errors
/// As [`write_study`].
pub fn write_prediction(answer: &PredictAnswer, folder: &Path, png: bool) -> Result<Vec<PathBuf>> {
    let figures = html::prediction::prediction_figures(&answer.study.forecasts);
    let page = html::prediction::prediction_page(answer, &figures);
    write_page("prediction.html", &page, &figures, folder, png)
}

/// Writes the page of a plan.
///
/// # Errors
/// As [`write_study`].
pub fn write_plan(answer: &PlanAnswer, folder: &Path, png: bool) -> Result<Vec<PathBuf>> {
    let figures = html::plan::plan_figures(&answer.study);
    write_page("plan.html", &html::plan::plan_page(answer, &figures), &figures, folder, png)
}

/// Writes the page of a roofline.
///
/// # Errors
/// As [`write_study`].
pub fn write_roofline(answer: &RooflineAnswer, folder: &Path, png: bool) -> Result<Vec<PathBuf>> {
    let figures = html::roofline::charts::roofline_figures(&answer.study);
    write_page("roofline.html", &html::roofline::page::roofline_page(answer, &figures), &figures, folder, png)
}

/// Writes the page of compared runs.
///
/// # Errors
/// As [`write_study`].
pub fn write_comparison(
    report: &CompareReport,
    drawing: CompareDrawing,
    folder: &Path,
    png: bool,
) -> Result<Vec<PathBuf>> {
    let figures = html::compare::page::compare_figures(report, drawing);
    write_page("compare.html", &html::compare::page::compare_page(report, &figures), &figures, folder, png)
}

/// Writes the page of attention insights; `log` makes the axis of caches logarithmic.
///
/// # Errors
/// As [`write_study`].
pub fn write_insights(answer: &InsightsAnswer, log: bool, folder: &Path, png: bool) -> Result<Vec<PathBuf>> {
    let figures = html::insights::page::insights_figures(&answer.study, log);
    write_page("insights.html", &html::insights::page::insights_page(&answer.study, &figures), &figures, folder, png)
}

/// Writes `index.html`, the front page of the results below a folder.
///
/// # Errors
/// As [`write_study`].
pub fn write_front_page(answer: &ReportAnswer, folder: &Path) -> Result<Vec<PathBuf>> {
    let below = format!("{} below {}", counted(answer.results.len(), "result"), folder.display());
    let mut output = OutputFolder::create(folder)?;
    output.stage("index.html", html::front::front_page(&answer.results, &below).as_bytes())?;
    output.commit()
}

/// Writes the rows of a live run: `results.json`, and as CSV. A picture of an earlier run does not stay beside them.
///
/// # Errors
/// As [`write_study`].
pub fn write_live_rows(results: &Results, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut output = OutputFolder::create(folder)?;
    output.stage("results.json", results.to_json().as_bytes())?;
    output.stage("rows.csv", rows_csv(results).as_bytes())?;
    match measured_csv(results) {
        Some(text) => output.stage("measured.csv", text.as_bytes())?,
        None => output.retire("measured.csv"),
    }
    output.retire("graph.html");
    output.retire("graph.png");
    output.commit()
}

/// Writes the page of a live run, and with `png` `graph.png`.
///
/// # Errors
/// As [`write_study`].
pub fn write_live_page(results: &Results, folder: &Path, png: bool) -> Result<Vec<PathBuf>> {
    let mut output = OutputFolder::create(folder)?;
    let figures = html::live::charts::live_figures(results);
    output.stage("graph.html", html::live::page::live_page(results, &figures).as_bytes())?;
    if png {
        let (name, bytes) = png::render_row("graph", &figures)?;
        output.stage(&name, &bytes)?;
    }
    output.commit()
}

/// Writes every result of a fit to live runs.
///
/// # Errors
/// As [`write_study`].
pub fn write_live_study(study: &LiveStudy, folder: &Path, png: bool) -> Result<Vec<PathBuf>> {
    let mut output = OutputFolder::create(folder)?;
    output.stage("evaluation.csv", &csv_files::live_evaluation(study)?)?;
    output.stage("parameters.csv", &csv_files::live_parameters(study)?)?;
    output.stage("calibration.toml", study.record.to_toml().as_bytes())?;
    let figures = html::live::study::live_study_figures(study);
    output.stage("report.html", html::live::study::live_study_page(study, &figures).as_bytes())?;
    stage_pictures(&mut output, &figures, png)?;
    output.commit()
}

/// Writes a probe below a folder: `hardware/<name>.toml`, which comes first in the list of files, and its page under
/// `evaluations_results/probes/<name>`.
///
/// # Errors
/// As [`write_study`].
pub fn write_probe(answer: &ProbeAnswer, folder: &Path, png: bool) -> Result<Vec<PathBuf>> {
    let ProbeAnswer { probe, id, .. } = answer;
    let figures = html::probe::probe_figures(probe);
    let page = html::probe::probe_page(probe, &figures);
    let pages = folder.join(results_folder(&["probes", id]));
    let written = write_page("probe.html", &page, &figures, &pages, png)?;
    let mut output = OutputFolder::create(&folder.join("hardware"))?;
    output.stage(&format!("{id}.toml"), answer.hardware_toml.as_bytes())?;
    Ok([output.commit()?, written].concat())
}

/// Writes the rows of a table with their predictions as `predictions.csv`.
///
/// # Errors
/// As [`write_study`].
pub fn write_evaluated_rows(answer: &EvaluateTableAnswer, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut output = OutputFolder::create(folder)?;
    output.stage("predictions.csv", text::evaluate_table::csv(answer).as_bytes())?;
    output.commit()
}

/// Writes a page that stands alone, and its pictures.
fn write_page(name: &str, page: &str, figures: &[Figure], folder: &Path, png: bool) -> Result<Vec<PathBuf>> {
    let mut output = OutputFolder::create(folder)?;
    output.stage(name, page.as_bytes())?;
    stage_pictures(&mut output, figures, png)?;
    output.commit()
}

/// Pictures of the figures, or none at all: those of an earlier run would contradict the new page.
fn stage_pictures(output: &mut OutputFolder, figures: &[Figure], png: bool) -> Result<()> {
    if png {
        for (name, bytes) in png::render(figures)? {
            output.stage(&name, &bytes)?;
        }
    } else {
        for figure in figures {
            output.retire(&format!("{}.png", figure.id));
        }
    }
    Ok(())
}

/// Whether the results that a folder holds answer the same question as the study.
fn answers_the_same(folder: &Path, study: &Study) -> bool {
    std::fs::read_to_string(folder.join("calibration.toml"))
        .ok()
        .and_then(|text| toml::from_str::<CalibrationRecord>(&text).ok())
        .is_some_and(|earlier| earlier.same_question(&study.record))
}
