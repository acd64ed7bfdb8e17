//! The errors of today: a fit as the baseline was fitted, or predictions with its values.

use std::path::PathBuf;

use super::comparison::compare;
use super::limits::WatchedErrors;
use super::{CheckMode, Limits, ScenarioCheck};
use crate::calibration::{CalibrationRecord, FitOptions, FittedScenario, Target, system_outside};
use crate::dataset::RowFilter;
use crate::error::{Error, ErrorKind, Result};
use crate::estimator::Estimator;
use crate::evaluation::run::sorted;
use crate::evaluation::{Errors, StudyInput, StudyMember, run_study};
use crate::forecast::Forecaster;
use crate::parameter::Parameter;

/// What to check: scenarios that are fitted together.
pub struct CheckInput {
    /// The measured systems: those of the baseline if it was fitted to several, else one.
    pub members: Vec<StudyMember>,
    /// Which of them to check, by id, and against which limits.
    pub checked: Vec<(String, Limits)>,
    /// The estimator.
    pub estimator: &'static dyn Estimator,
    /// Where the errors of today come from.
    pub mode: CheckMode,
    /// The calibration to compare with, and where it was read.
    pub baseline: Option<(PathBuf, CalibrationRecord)>,
}

impl CheckInput {
    fn record(&self) -> Option<&CalibrationRecord> {
        self.baseline.as_ref().map(|(_, record)| record)
    }

    /// What the baseline says of a scenario.
    fn recorded(&self, scenario: &str) -> Option<&FittedScenario> {
        self.record()?.scenarios.iter().find(|recorded| recorded.scenario == scenario)
    }

    /// Row filters of the baseline.
    fn filters(&self) -> Result<[Vec<RowFilter>; 2]> {
        let Some((path, record)) = &self.baseline else { return Ok([Vec::new(), Vec::new()]) };
        let parse = |texts: &[String]| -> Result<Vec<RowFilter>> {
            let refused = |error: Error| error.or_at(path).help("fit again; the file was changed by hand");
            texts.iter().map(|text| text.parse().map_err(refused)).collect()
        };
        Ok([parse(&record.rows_kept)?, parse(&record.rows_excluded)?])
    }

    /// Parameters that the estimator has here.
    fn parameters(&self) -> Result<Vec<Parameter>> {
        let mut known: Vec<Parameter> = Vec::new();
        for member in &self.members {
            let predictor = self.estimator.prepare(&member.system, member.load, &[])?;
            for parameter in predictor.parameters() {
                if !known.iter().any(|other| other.name == parameter.name) {
                    known.push(*parameter);
                }
            }
        }
        Ok(known)
    }
}

/// Checks scenarios; `progress` hears of finished folds and their number.
///
/// # Errors
/// The baseline is of another scenario or estimator, or the system or the rows cannot be predicted. A fit that does not
/// converge is no error but a failed check.
pub fn run_check(input: CheckInput, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Vec<ScenarioCheck>> {
    let mut checks = input
        .checked
        .iter()
        .map(|(id, limits)| described(&input, id, limits))
        .collect::<Result<Vec<ScenarioCheck>>>()?;
    let filters = input.filters()?;
    for (id, _) in &input.checked {
        let dataset = &member(&input, id).dataset;
        if dataset.passing(&filters[0], &filters[1]).is_empty() {
            return Err(Error::input("no row is left by the filters of the baseline")
                .at(&dataset.label)
                .help("make a new baseline with `perfmodel fit`, with filters that suit these rows"));
        }
    }
    let found = match input.mode {
        CheckMode::Evaluate => evaluated(&input, filters),
        CheckMode::Refit => {
            let options = refit_options(&input, &mut checks)?;
            refitted(&input, filters, options, progress)
        }
    };
    match found {
        Ok(found) => {
            for ((check, now), (id, limits)) in checks.iter_mut().zip(found).zip(&input.checked) {
                let recorded = input.recorded(id).map(|recorded| WatchedErrors {
                    seen: recorded.errors.fitted,
                    left_out: recorded.errors.leave_one_workload_out,
                });
                check.comparisons = compare(&now, recorded.as_ref(), limits, input.mode);
            }
        }
        Err(error) if error.kind() == ErrorKind::Failed => {
            for check in &mut checks {
                check.failure = Some(error.to_string());
            }
        }
        Err(error) => return Err(error),
    }
    Ok(checks)
}

/// A check before its comparisons: what is compared with what, and what a reader should know.
fn described(input: &CheckInput, id: &str, limits: &Limits) -> Result<ScenarioCheck> {
    let member = member(input, id);
    let mut notes = Vec::new();
    let mut data_changed = None;
    match &input.baseline {
        None => notes.push("no baseline: only limits on the errors themselves apply".to_owned()),
        Some((path, record)) => {
            let Some(recorded) = input.recorded(id) else {
                let names: Vec<&str> = record.scenarios.iter().map(|recorded| recorded.scenario.as_str()).collect();
                return Err(Error::input(format!("the baseline is of {}, not of `{id}`", names.join(", ")))
                    .at(path)
                    .help(
                        "give the calibration.toml of a fit of this scenario; its folder gives it its name, so new measurements of the \
                         same server lie in a folder of the same name",
                    ));
            };
            if record.estimator != input.estimator.name() {
                return Err(Error::input(format!(
                    "the baseline is one of the estimator `{}`, not `{}`",
                    record.estimator,
                    input.estimator.name()
                ))
                .at(path)
                .help(format!("add --estimator {}, or give another baseline", record.estimator)));
            }
            let changed = recorded.measured_sha256 != member.dataset.sha256;
            data_changed = Some(changed);
            if changed {
                notes.push(
                    "the measurements are not those of the baseline; changes may come from them. Once they are wanted, \
                     make a new baseline with `perfmodel fit`"
                        .to_owned(),
                );
            }
            let system = system_outside(std::slice::from_ref(recorded), &target(member));
            if !system.is_empty() {
                let what: Vec<String> = system.into_iter().map(|outside| outside.what).collect();
                notes.push(format!("the system is not that of the baseline: {}", what.join("; ")));
            }
        }
    }
    if input.mode == CheckMode::Evaluate && limits.limits_left_out() {
        notes.push("limits on left-out errors do not apply: mode evaluate fits nothing".to_owned());
    }
    if input.mode == CheckMode::Refit && input.members.len() > 1 {
        let others: Vec<&str> = input.members.iter().map(|m| m.id.as_str()).filter(|other| *other != id).collect();
        notes.push(format!("fitted together with {}, as the baseline was", others.join(", ")));
    }
    Ok(ScenarioCheck {
        scenario: id.to_owned(),
        estimator: input.estimator.name(),
        mode: input.mode,
        baseline: input.baseline.as_ref().map(|(path, _)| path.clone()),
        data_changed,
        comparisons: Vec::new(),
        failure: None,
        notes,
    })
}

fn member<'a>(input: &'a CheckInput, id: &str) -> &'a StudyMember {
    input.members.iter().find(|member| member.id == id).expect("what is checked is among the members")
}

fn target(member: &StudyMember) -> Target<'_> {
    Target {
        scenario: Some(&member.id),
        system: &member.system,
        load: member.load,
        campaign: member.provenance.campaign.as_ref(),
    }
}

/// How to fit as the baseline was fitted; what it held and what the estimator no longer has become notes.
fn refit_options(input: &CheckInput, checks: &mut [ScenarioCheck]) -> Result<FitOptions> {
    let Some(record) = input.record() else { return Ok(FitOptions::default()) };
    let known = input.parameters()?;
    let options = record.options(&known);
    let mut gone: Vec<&str> = record
        .parameters
        .iter()
        .map(|recorded| recorded.name.as_str())
        .filter(|name| !known.iter().any(|parameter| parameter.name == *name))
        .collect();
    gone.dedup();
    let held: Vec<String> = options.fixed.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    for check in checks {
        if !held.is_empty() {
            check.notes.push(format!("held as in the baseline: {}", held.join(", ")));
        }
        if !gone.is_empty() {
            check.notes.push(format!("parameters of the baseline that are not here: {}", gone.join(", ")));
        }
    }
    Ok(options)
}

fn refitted(
    input: &CheckInput,
    [keep, exclude]: [Vec<RowFilter>; 2],
    options: FitOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<WatchedErrors>> {
    let leaves_out = |(id, limits): &(String, Limits)| {
        let recorded = input.recorded(id).is_some_and(|recorded| recorded.errors.leave_one_workload_out.is_some());
        recorded || limits.limits_left_out()
    };
    let label = member(input, &input.checked[0].0).dataset.label.clone();
    let study = run_study(
        StudyInput {
            id: input.checked[0].0.clone(),
            members: input.members.clone(),
            keep,
            exclude,
            estimator: input.estimator,
            options,
            validate: input.checked.iter().any(leaves_out),
            leave_out: Vec::new(),
        },
        progress,
    )
    .map_err(|error| if error.kind() == ErrorKind::Failed { error } else { error.or_at(&label) })?;
    let errors = input.checked.iter().map(|(id, _)| {
        let scenario =
            study.scenarios.iter().find(|scenario| scenario.id == *id).expect("it has rows, so it was fitted");
        let left_out = scenario.validation.and_then(|validation| validation.leave_one_workload_out);
        WatchedErrors { seen: scenario.optimized.summary(), left_out: left_out.map(|errors| errors.summary()) }
    });
    Ok(errors.collect())
}

fn evaluated(input: &CheckInput, [keep, exclude]: [Vec<RowFilter>; 2]) -> Result<Vec<WatchedErrors>> {
    input
        .checked
        .iter()
        .map(|(id, _)| {
            let member = member(input, id);
            let rows = sorted(member.dataset.passing(&keep, &exclude));
            // Rows that cannot be predicted are named with their lines.
            input.estimator.prepare(&member.system, member.load, &rows).map_err(|error| {
                if error.place().line.is_some() { error.or_at(&member.dataset.label) } else { error }
            })?;
            let forecaster = Forecaster::new(input.estimator, &target(member), input.record())?;
            let predicted: Vec<_> = rows.iter().map(|row| (*row, forecaster.predict(&row.workload))).collect();
            let errors = Errors::of(input.estimator.loss(), &predicted);
            Ok(WatchedErrors { seen: errors.summary(), left_out: None })
        })
        .collect()
}
