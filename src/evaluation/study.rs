//! The main job as one pure function: measurements in, fitted parameters and all errors out.

use super::errors::{Errors, EvaluatedRow};
use crate::calibration::{
    CalibrationRecord, Coverage, CoveredRow, Fit, FitOptions, FittedScenario, Flag, Interval, LeftOut, Member,
    Provenance, RecordedErrors, ScenarioData, Uncertainty, coverage_pct, covered, fit, regime, validate,
};
use crate::dataset::{Dataset, Measurement, RowFilter};
use crate::error::{Error, Result};
use crate::estimator::Estimator;
use crate::prediction::Prediction;
use crate::spec::System;
use crate::workload::LoadKind;

/// One measured system of a study.
#[derive(Debug, Clone)]
pub struct StudyMember {
    /// Scenario id, or the name of the measured file.
    pub id: String,
    /// Title for reports.
    pub title: String,
    /// The system that was measured.
    pub system: System,
    /// How it was loaded.
    pub load: LoadKind,
    /// All rows of the file.
    pub dataset: Dataset,
    /// Who measured, and how.
    pub provenance: Provenance,
    /// Which campaign measured it; members of one campaign share its parameters.
    pub campaign: usize,
}

/// What to study.
pub struct StudyInput {
    /// Name of the study: that of its scenario, or of the pool.
    pub id: String,
    /// The measured systems.
    pub members: Vec<StudyMember>,
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

/// Out-of-sample errors of a scenario.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValidationErrors {
    /// Each workload predicted by a fit to the others; `None` if the rows do not allow it.
    pub leave_one_workload_out: Option<Errors>,
    /// Each concurrency predicted by a fit to the others; `None` if the rows do not allow it.
    pub leave_one_concurrency_out: Option<Errors>,
}

/// One scenario of a finished study.
pub struct ScenarioStudy {
    /// Scenario id, or the name of the measured file.
    pub id: String,
    /// Title for reports.
    pub title: String,
    /// The system that was measured.
    pub system: System,
    /// How it was loaded.
    pub load: LoadKind,
    /// Errors at the defaults.
    pub baseline: Errors,
    /// Errors of the fit, in sample.
    pub optimized: Errors,
    /// Errors out of sample, if they were asked for.
    pub validation: Option<ValidationErrors>,
    /// Every row with its fitted prediction, sorted by input tokens, output tokens, load.
    pub rows: Vec<EvaluatedRow>,
    /// Every row with the interval that fits to other workloads give it; empty without validation.
    pub covered: Vec<CoveredRow>,
}

/// A finished study.
pub struct Study {
    /// Name of the study.
    pub id: String,
    /// The estimator.
    pub estimator: &'static dyn Estimator,
    /// The fit.
    pub fit: Fit,
    /// Its scenarios, in the order of the fit's members.
    pub scenarios: Vec<ScenarioStudy>,
    /// Folds that did not converge, and all folds; `None` without validation.
    pub folds: Option<(usize, usize)>,
    /// What `calibration.toml` will hold.
    pub record: CalibrationRecord,
}

impl ScenarioStudy {
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

    /// The five rows with the largest TTFT or ITL error, the worst first.
    pub fn worst_rows(&self) -> Vec<&EvaluatedRow> {
        worst_of(&self.rows)
    }
}

/// The five rows with the largest TTFT or ITL error, the worst first.
pub fn worst_of(rows: &[EvaluatedRow]) -> Vec<&EvaluatedRow> {
    let mut rows: Vec<&EvaluatedRow> = rows.iter().collect();
    rows.sort_by(|a, b| b.worst_error_pct().total_cmp(&a.worst_error_pct()));
    rows.truncate(5);
    rows
}

impl Study {
    /// What a reader must know before trusting the parameters, one sentence each.
    pub fn cautions(&self) -> Vec<String> {
        let flagged = [
            (
                Flag::AtBound,
                "on a bound; a wider one might fit better, or the data cannot tell it from another parameter, whose \
                 error is then too small",
            ),
            (
                Flag::Unidentifiable,
                "not determined by these measurements alone; the value leans on its prior, do not read a meaning into it",
            ),
        ];
        let mut cautions = Vec::new();
        for (flag, what) in flagged {
            let names: Vec<String> = self
                .fit
                .parameters
                .iter()
                .filter(|p| p.flag == flag)
                .map(|p| self.parameter_label(p.parameter.name, p.campaign))
                .collect();
            if !names.is_empty() {
                cautions.push(format!("{}: {what}", names.join(", ")));
            }
        }
        match self.folds {
            Some((unsettled, folds)) => {
                if unsettled > 0 {
                    cautions.push(format!(
                        "{unsettled} of {folds} left-out fits did not converge; their errors may be a little too large"
                    ));
                }
                let validation = self.scenarios[0].validation;
                for (what, missing) in [
                    ("workload", validation.is_some_and(|v| v.leave_one_workload_out.is_none())),
                    ("concurrency", validation.is_some_and(|v| v.leave_one_concurrency_out.is_none())),
                ] {
                    if missing {
                        cautions.push(format!(
                            "no errors with one {what} left out: the rows have only one {what}, or too few rows would \
                             be left for {} parameters",
                            self.fit.free_count()
                        ));
                    }
                }
            }
            None => {
                cautions.push("the errors are in sample; out of sample they are larger (--no-validate)".to_owned());
            }
        }
        for scenario in &self.scenarios {
            let model = &scenario.system.model;
            let context = f64::from(model.max_context_tokens);
            let beyond = scenario.rows.iter().filter(|row| row.measured.workload.total_tokens() > context).count();
            if beyond > 0 {
                cautions.push(format!(
                    "{beyond} rows are longer than the {context} tokens of context that {} is made for",
                    model.name
                ));
            }
        }
        cautions.extend(self.fit.problem.predictor(0).notes());
        cautions
    }

    /// Name of a parameter, with its campaign where there are several.
    pub fn parameter_label(&self, name: &str, campaign: Option<usize>) -> String {
        match campaign {
            Some(campaign) if self.campaign_count() > 1 => format!("{name} [{}]", self.campaign_name(campaign)),
            _ => name.to_owned(),
        }
    }

    fn campaign_count(&self) -> usize {
        self.record.scenarios.iter().map(|scenario| scenario.campaign + 1).max().unwrap_or(0)
    }

    /// Name of a campaign: that of its first scenario.
    pub fn campaign_name(&self, campaign: usize) -> &str {
        self.record
            .scenarios
            .iter()
            .find(|scenario| scenario.campaign == campaign)
            .map_or("", |scenario| scenario.scenario.as_str())
    }

    /// Columns of `evaluation.csv` that only the estimator has, row by row of a scenario.
    pub fn extra_columns(&self, scenario: usize) -> Vec<Vec<(&'static str, f64)>> {
        let values = self.fit.problem.member_values(scenario, &self.fit.values());
        let predictor = self.fit.problem.predictor(scenario);
        self.scenarios[scenario].rows.iter().map(|row| predictor.extra_columns(&row.measured, &values)).collect()
    }
}

/// Rows sorted by input tokens, output tokens and load.
pub(super) fn sorted(mut rows: Vec<Measurement>) -> Vec<Measurement> {
    let key = |row: &Measurement| [row.workload.input_tokens(), row.workload.output_tokens(), row.workload.load()];
    rows.sort_by(|a, b| key(a).partial_cmp(&key(b)).expect("workloads hold no NaN"));
    rows
}

/// Fits, evaluates and validates; `progress` hears of finished folds and their number.
///
/// # Errors
/// No row passes the filters, the system or the rows do not allow a fit, or a fit does not converge.
pub fn run_study(input: StudyInput, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Study> {
    let StudyInput { id, members, keep, exclude, estimator, options, validate: with_folds } = input;
    let labels: Vec<String> = members.iter().map(|member| member.dataset.label.clone()).collect();
    let parts: Vec<(StudyMember, Vec<Measurement>)> = members
        .into_iter()
        .map(|member| {
            let rows = sorted(member.dataset.passing(&keep, &exclude));
            (member, rows)
        })
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    if parts.is_empty() {
        let error = Error::input("no row is left after --rows and --exclude").help("loosen the filters");
        return Err(labels.first().map_or(error.clone(), |label| error.at(label)));
    }
    let of_fit: Vec<Member<'_>> = parts
        .iter()
        .map(|(member, rows)| Member { system: &member.system, load: member.load, rows, campaign: member.campaign })
        .collect();

    let fit = fit(estimator, &of_fit, &options)
        .map_err(|error| if error.has_line() { error.or_at(&labels[0]) } else { error })?;
    let found = with_folds.then(|| validate(estimator, &of_fit, fit.free_count(), &options, progress)).transpose()?;
    let by_workload = found.as_ref().and_then(|found| found.by_workload.as_ref());
    let left_out = |member: usize| -> Vec<(Measurement, LeftOut)> {
        let rows = by_workload.map_or(&[][..], |left_out| left_out[member].as_slice());
        parts[member].1.iter().copied().zip(rows.iter().copied()).collect()
    };
    let in_sample = Uncertainty::of_fit(&fit, &of_fit);

    let loss = estimator.loss();
    let (fitted_slots, baseline_slots) = (fit.values(), fit.baseline_values());
    let mut scenarios = Vec::new();
    let mut recorded = Vec::new();
    for (index, (member, rows)) in parts.iter().enumerate() {
        let predict = |slots: &[f64]| -> Vec<Prediction> {
            rows.iter().map(|row| fit.problem.predict(index, row, slots)).collect()
        };
        let fitted = predict(&fitted_slots);
        let (baseline, optimized) =
            (Errors::of(loss, rows, &predict(&baseline_slots)), Errors::of(loss, rows, &fitted));
        let errors = |kind: Option<&Vec<Vec<LeftOut>>>| {
            let predictions: Vec<Prediction> = kind?[index].iter().map(|row| row.prediction).collect();
            Some(Errors::of(loss, rows, &predictions))
        };
        let validation = found.as_ref().map(|found| ValidationErrors {
            leave_one_workload_out: errors(found.by_workload.as_ref()),
            leave_one_concurrency_out: errors(found.by_load.as_ref()),
        });
        let left_out = left_out(index);
        let uncertainty = in_sample[index].clone().with_left_out(&left_out);
        let covered_rows = covered(&left_out);
        let coverage = (!covered_rows.is_empty()).then(|| {
            let [ttft_pct, itl_pct] = coverage_pct(&covered_rows);
            Coverage { rows: covered_rows.len(), ttft_pct, itl_pct }
        });
        let held_out = |pick: fn(&ValidationErrors) -> Option<Errors>| Some(pick(validation.as_ref()?)?.summary());
        recorded.push(FittedScenario::new(
            &ScenarioData {
                id: &member.id,
                system: &member.system,
                load: member.load,
                campaign: member.campaign,
                rows,
                measured_sha256: &member.dataset.sha256,
                provenance: &member.provenance,
            },
            RecordedErrors {
                baseline: baseline.summary(),
                fitted: optimized.summary(),
                leave_one_workload_out: held_out(|v| v.leave_one_workload_out),
                leave_one_concurrency_out: held_out(|v| v.leave_one_concurrency_out),
            },
            coverage,
            uncertainty.clone(),
        ));
        let predictor = fit.problem.predictor(index);
        let values = fit.problem.member_values(index, &fitted_slots);
        let covariance = fit.member_covariance(index);
        let rows = rows
            .iter()
            .zip(fitted)
            .map(|(measured, predicted)| {
                let scale = uncertainty.scale(predictor, &measured.workload, &values, &covariance, regime(&predicted));
                let [ttft, itl] = uncertainty.half_widths(scale);
                EvaluatedRow {
                    measured: *measured,
                    predicted,
                    ttft_interval: Interval::around(predicted.ttft, ttft),
                    itl_interval: Interval::around(predicted.itl, itl),
                }
            })
            .collect();
        scenarios.push(ScenarioStudy {
            id: member.id.clone(),
            title: member.title.clone(),
            system: member.system.clone(),
            load: member.load,
            baseline,
            optimized,
            validation,
            rows,
            covered: covered_rows,
        });
    }
    let mut record = CalibrationRecord::new(estimator.name(), &options, recorded, &fit);
    record.rows_kept = keep.iter().map(ToString::to_string).collect();
    record.rows_excluded = exclude.iter().map(ToString::to_string).collect();
    let folds = found.map(|found| (found.unsettled_folds, found.folds));
    Ok(Study { id, estimator, fit, scenarios, folds, record })
}
