//! The main job as one pure function: measurements in, fitted parameters and all errors out.

use super::errors::{Errors, EvaluatedRow};
use crate::calibration::{
    CalibrationRecord, Fit, FitOptions, FittedOn, Flag, Provenance, RecordedErrors, fit, validate,
};
use crate::dataset::{Dataset, RowFilter};
use crate::error::Result;
use crate::estimator::Estimator;
use crate::prediction::Prediction;
use crate::spec::System;

/// What to study.
pub struct StudyInput {
    /// Scenario id, or the name of the measured file.
    pub id: String,
    /// Title for reports.
    pub title: String,
    /// The system that was measured.
    pub system: System,
    /// All rows of the file.
    pub dataset: Dataset,
    /// Who measured, and how.
    pub provenance: Provenance,
    /// Rows to keep.
    pub keep: Vec<RowFilter>,
    /// Rows to leave out.
    pub exclude: Vec<RowFilter>,
    /// The estimator to fit.
    pub estimator: &'static dyn Estimator,
    /// How to fit.
    pub options: FitOptions,
    /// Whether to validate out of sample.
    pub validate: bool,
}

/// Out-of-sample errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValidationErrors {
    /// Each workload predicted by a fit to the others; `None` if the rows do not allow it.
    pub leave_one_workload_out: Option<Errors>,
    /// Each concurrency predicted by a fit to the others; `None` if the rows do not allow it.
    pub leave_one_concurrency_out: Option<Errors>,
    /// Folds that did not converge.
    pub unsettled_folds: usize,
    /// All folds.
    pub folds: usize,
}

/// A finished study.
pub struct Study {
    /// Scenario id, or the name of the measured file.
    pub id: String,
    /// Title for reports.
    pub title: String,
    /// The system that was measured.
    pub system: System,
    /// The estimator.
    pub estimator: &'static dyn Estimator,
    /// The fit.
    pub fit: Fit,
    /// Errors at the defaults.
    pub baseline: Errors,
    /// Errors of the fit, in sample.
    pub optimized: Errors,
    /// Errors out of sample, if they were asked for.
    pub validation: Option<ValidationErrors>,
    /// Every row with its fitted prediction, sorted by input tokens, output tokens, concurrency.
    pub rows: Vec<EvaluatedRow>,
    /// What `calibration.toml` will hold.
    pub record: CalibrationRecord,
}

impl Study {
    /// The errors there are, each with what its predictions have seen.
    pub fn error_lines(&self) -> Vec<(&'static str, Errors)> {
        let held_out = self.validation;
        let lines = [
            ("defaults, before the fit", Some(self.baseline)),
            ("fitted, in sample", Some(self.optimized)),
            ("one workload left out", held_out.and_then(|v| v.leave_one_workload_out)),
            ("one concurrency left out", held_out.and_then(|v| v.leave_one_concurrency_out)),
        ];
        lines.into_iter().filter_map(|(name, errors)| Some((name, errors?))).collect()
    }

    /// What a reader must know before trusting the parameters, one sentence each.
    pub fn cautions(&self) -> Vec<String> {
        let flagged = [
            (
                Flag::AtBound,
                "on a bound; a wider one might fit better, or the data cannot tell it from another parameter, whose \
                 error is then too small",
            ),
            (Flag::Unidentifiable, "not determined by these measurements; do not read a meaning into the value"),
        ];
        let mut cautions = Vec::new();
        for (flag, what) in flagged {
            let names: Vec<&str> =
                self.fit.parameters.iter().filter(|p| p.flag == flag).map(|p| p.parameter.name).collect();
            if !names.is_empty() {
                cautions.push(format!("{}: {what}", names.join(", ")));
            }
        }
        if let Some(validation) = &self.validation {
            if validation.unsettled_folds > 0 {
                cautions.push(format!(
                    "{} of {} left-out fits did not converge; their errors may be a little too large",
                    validation.unsettled_folds, validation.folds
                ));
            }
            for (what, errors) in [
                ("workload", &validation.leave_one_workload_out),
                ("concurrency", &validation.leave_one_concurrency_out),
            ] {
                if errors.is_none() {
                    cautions.push(format!(
                        "no errors with one {what} left out: the rows have only one {what}, or too few rows would be \
                         left for {} parameters",
                        self.fit.free_count()
                    ));
                }
            }
        } else {
            cautions.push("the errors are in sample; out of sample they are larger (--no-validate)".to_owned());
        }
        let context = f64::from(self.system.model.max_context_tokens);
        let beyond = self.rows.iter().filter(|row| row.measured.workload.total_tokens() > context).count();
        if beyond > 0 {
            cautions.push(format!(
                "{beyond} rows are longer than the {context} tokens of context that {} is made for",
                self.system.model.name
            ));
        }
        cautions.extend(self.fit.predictor.notes());
        cautions
    }

    /// The five rows with the largest TTFT or ITL error, the worst first.
    pub fn worst_rows(&self) -> Vec<&EvaluatedRow> {
        let mut rows: Vec<&EvaluatedRow> = self.rows.iter().collect();
        rows.sort_by(|a, b| b.worst_error_pct().total_cmp(&a.worst_error_pct()));
        rows.truncate(5);
        rows
    }

    /// Columns of `evaluation.csv` that only the estimator has, row by row.
    pub fn extra_columns(&self) -> Vec<Vec<(&'static str, f64)>> {
        let values = self.fit.values();
        self.rows.iter().map(|row| self.fit.predictor.extra_columns(&row.measured, &values)).collect()
    }
}

/// Fits, evaluates and validates; `progress` hears of finished folds and their number.
///
/// # Errors
/// No row passes the filters, the system or the rows do not allow a fit, or a fit does not converge.
pub fn run_study(input: StudyInput, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Study> {
    let StudyInput { id, title, system, dataset, provenance, keep, exclude, estimator, options, validate: with_folds } =
        input;
    let dataset = dataset.filtered(&keep, &exclude)?;
    let mut measured = dataset.rows;
    measured.sort_by(|a, b| {
        let key = |row: &crate::dataset::Measurement| {
            [row.workload.input_tokens(), row.workload.output_tokens(), row.workload.concurrency()]
        };
        key(a).partial_cmp(&key(b)).expect("workloads hold no NaN")
    });

    let fit = fit(estimator, &system, &measured, &options)
        .map_err(|error| if error.has_line() { error.or_at(&dataset.label) } else { error })?;
    let predict = |values: &[f64]| -> Vec<Prediction> {
        measured.iter().map(|row| fit.predictor.predict(&row.workload, values)).collect()
    };
    let loss = estimator.loss();
    let fitted = predict(&fit.values());
    let baseline = Errors::of(loss, &measured, &predict(&fit.baseline_values()));
    let optimized = Errors::of(loss, &measured, &fitted);
    let validation = if with_folds {
        let found = validate(estimator, &system, &measured, fit.free_count(), &options, progress)?;
        let errors = |predictions: Option<Vec<Prediction>>| predictions.map(|p| Errors::of(loss, &measured, &p));
        Some(ValidationErrors {
            leave_one_workload_out: errors(found.by_workload),
            leave_one_concurrency_out: errors(found.by_concurrency),
            unsettled_folds: found.unsettled_folds,
            folds: found.folds,
        })
    } else {
        None
    };

    let mut fitted_on = FittedOn::new(&id, &system, &measured, &dataset.sha256);
    fitted_on.provenance = provenance;
    fitted_on.rows_kept = keep.iter().map(ToString::to_string).collect();
    fitted_on.rows_excluded = exclude.iter().map(ToString::to_string).collect();
    let held_out = |pick: fn(&ValidationErrors) -> Option<Errors>| Some(pick(validation.as_ref()?)?.summary());
    let errors = RecordedErrors {
        baseline: baseline.summary(),
        fitted: optimized.summary(),
        leave_one_workload_out: held_out(|v| v.leave_one_workload_out),
        leave_one_concurrency_out: held_out(|v| v.leave_one_concurrency_out),
    };
    let record = CalibrationRecord::new(estimator.name(), &options, fitted_on, errors, &fit);
    let rows =
        measured.into_iter().zip(fitted).map(|(measured, predicted)| EvaluatedRow { measured, predicted }).collect();
    Ok(Study { id, title, system, estimator, fit, baseline, optimized, validation, rows, record })
}
