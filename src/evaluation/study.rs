//! The main job as types: what is studied, and what comes out.

use super::errors::{Errors, EvaluatedRow, overloaded};
use crate::calibration::{
    CalibrationRecord, Coverage, CoveredRow, FitOptions, FittedMember, Flag, GroupKind, Provenance, Solution,
};
use crate::dataset::{Dataset, RowFilter};
use crate::estimator::Estimator;
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
    /// What to leave out in turn of all systems together.
    pub leave_out: Vec<GroupKind>,
}

/// Out-of-sample errors of a scenario.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValidationErrors {
    /// Each workload predicted by a fit to the others; `None` if the rows do not allow it.
    pub leave_one_workload_out: Option<Errors>,
    /// Each concurrency predicted by a fit to the others; `None` if the rows do not allow it.
    pub leave_one_concurrency_out: Option<Errors>,
}

/// Errors of systems that fits did not see.
pub struct GroupErrors {
    /// What was left out in turn.
    pub kind: GroupKind,
    /// Of all rows, each predicted by a fit to the other groups.
    pub all: Errors,
    /// Of each group: its name, its rows, their errors.
    pub groups: Vec<(String, usize, Errors)>,
}

impl GroupErrors {
    /// Mean over the groups of the mean absolute errors of TTFT and ITL in percent, every group with the same weight.
    pub fn mean_mape_pct(&self) -> [f64; 2] {
        let count = self.groups.len() as f64;
        let mean = |of: fn(&Errors) -> f64| self.groups.iter().map(|(.., errors)| of(errors)).sum::<f64>() / count;
        [mean(|errors| errors.ttft.mape_pct), mean(|errors| errors.itl.mape_pct)]
    }
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
    /// How many of them lie inside; `None` without validation.
    pub coverage: Option<Coverage>,
    /// Its predictor and values in the fit.
    pub fitted: FittedMember,
}

/// A finished study.
pub struct Study {
    /// Name of the study.
    pub id: String,
    /// The estimator.
    pub estimator: &'static dyn Estimator,
    /// Parameters and what is known of them.
    pub fit: Solution,
    /// What was fitted, in the order in which it was given.
    pub scenarios: Vec<ScenarioStudy>,
    /// Folds that did not converge, and all folds; `None` without validation.
    pub folds: Option<(usize, usize)>,
    /// Errors of all scenarios together: at the defaults, and of the fit in sample.
    pub together: [Errors; 2],
    /// Errors of systems that fits did not see, one for each kind of group that was asked for.
    pub left_out: Vec<GroupErrors>,
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

    /// Columns of `evaluation.csv` that only the estimator has, row by row.
    pub fn extra_columns(&self) -> Vec<Vec<(&'static str, f64)>> {
        let FittedMember { values, .. } = &self.fitted;
        let columns = |row: &EvaluatedRow| self.fitted.predictor().extra_columns(&row.measured, values);
        self.rows.iter().map(columns).collect()
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
            None if self.left_out.is_empty() => {
                cautions.push("the errors are in sample; out of sample they are larger (--no-validate)".to_owned());
            }
            None => {}
        }
        cautions.extend(self.beyond_context());
        cautions.extend(overloaded(self.scenarios.iter().flat_map(|scenario| &scenario.rows)));
        for note in self.scenarios.iter().flat_map(|scenario| scenario.fitted.predictor().notes()) {
            if !cautions.contains(&note) {
                cautions.push(note);
            }
        }
        cautions
    }

    /// How many rows are longer than the context that their models are made for, if any are.
    fn beyond_context(&self) -> Option<String> {
        let (mut rows, mut models) = (0, Vec::new());
        for scenario in &self.scenarios {
            let model = scenario.system.model();
            let context = f64::from(model.max_context_tokens);
            let beyond = scenario.rows.iter().filter(|row| row.measured.workload.total_tokens() > context).count();
            let named = format!("{} ({context})", model.name);
            if beyond > 0 && !models.contains(&named) {
                models.push(named);
            }
            rows += beyond;
        }
        let models = models.join(", ");
        (rows > 0).then(|| {
            format!("{rows} rows are longer than the tokens of context that their model is made for: {models}")
        })
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
}
