//! The main job as one pure function: measurements in, fitted parameters and all errors out.

use super::errors::{Errors, EvaluatedRow};
use super::study::{GroupErrors, ScenarioStudy, Study, StudyInput, StudyMember, ValidationErrors};
use crate::calibration::{
    CalibrationRecord, Coverage, Fit, FitOptions, FittedMember, FittedScenario, GroupKind, LeftOut, LeftOutRows,
    Member, RecordedErrors, ScenarioData, coverage_pct, covered, fit, leave_groups_out, validate,
};
use crate::dataset::{Measurement, RowFilter};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Loss};
use crate::prediction::Prediction;

/// Rows sorted by input tokens, output tokens and load.
pub(super) fn sorted(mut rows: Vec<Measurement>) -> Vec<Measurement> {
    let key = |row: &Measurement| [row.workload.input_tokens(), row.workload.output_tokens(), row.workload.amount()];
    rows.sort_by(|a, b| key(a).partial_cmp(&key(b)).expect("workloads hold no NaN"));
    rows
}

/// A measured system, and those of its rows that are fitted.
struct Part {
    member: StudyMember,
    rows: Vec<Measurement>,
}

impl Part {
    fn of_fit(&self) -> Member<'_> {
        let StudyMember { id, system, load, campaign, .. } = &self.member;
        Member { id, system, load: *load, rows: &self.rows, campaign: *campaign }
    }
}

/// The systems of which rows pass the filters.
fn parts(members: Vec<StudyMember>, keep: &[RowFilter], exclude: &[RowFilter]) -> Result<Vec<Part>> {
    let label = members.first().map(|member| member.dataset.label.clone());
    let parts: Vec<Part> = members
        .into_iter()
        .map(|member| Part { rows: sorted(member.dataset.passing(keep, exclude)), member })
        .filter(|part| !part.rows.is_empty())
        .collect();
    if parts.is_empty() {
        let error = Error::input("no row is left after --rows and --exclude").help("loosen the filters");
        return Err(label.map_or(error.clone(), |label| error.at(label)));
    }
    Ok(parts)
}

/// Fits, evaluates and validates; `progress` hears of finished folds and their number.
///
/// # Errors
/// No row passes the filters, the system or the rows do not allow a fit, or a fit does not converge.
pub fn run_study(input: StudyInput, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Study> {
    let StudyInput { id, members, keep, exclude, estimator, options, validate: with_folds, leave_out } = input;
    let label = members.first().map_or_else(String::new, |member| member.dataset.label.clone());
    let parts = parts(members, &keep, &exclude)?;
    let of_fit: Vec<Member<'_>> = parts.iter().map(Part::of_fit).collect();
    let Fit { solution, members } = fit(estimator, &of_fit, &options)
        .map_err(|error| if error.place().line.is_some() { error.or_at(&label) } else { error })?;
    let validation =
        with_folds.then(|| validate(estimator, &of_fit, solution.free_count(), &options, progress)).transpose()?;
    let left_out =
        leave_out.iter().map(|kind| group_errors(estimator, &of_fit, *kind, &options)).collect::<Result<Vec<_>>>()?;

    let folds = validation.as_ref().map(|found| (found.unsettled_folds, found.folds));
    let mut left_out_rows = validation.into_iter().flat_map(|found| found.members);
    let evaluated: Vec<Evaluated> = parts
        .into_iter()
        .zip(members)
        .map(|(part, fitted)| Evaluated::new(part, fitted, left_out_rows.next()))
        .collect();
    let loss = estimator.loss();
    let together = [
        evaluated.iter().flat_map(|one| one.before.iter().copied()).collect::<Vec<_>>(),
        evaluated.iter().flat_map(|one| one.after.iter().copied()).collect(),
    ]
    .map(|rows| Errors::of(loss, &rows));
    let (scenarios, recorded) = evaluated.into_iter().map(|one| one.with_errors(loss)).unzip();
    let mut record = CalibrationRecord::new(estimator.name(), &options, recorded, &solution);
    record.rows_kept = keep.iter().map(ToString::to_string).collect();
    record.rows_excluded = exclude.iter().map(ToString::to_string).collect();
    Ok(Study { id, estimator, fit: solution, scenarios, folds, together, left_out, record })
}

/// A part with its rows as they are predicted.
struct Evaluated {
    part: Part,
    fitted: FittedMember,
    /// Before the fit.
    before: Vec<(Measurement, Prediction)>,
    /// By the fit.
    after: Vec<(Measurement, Prediction)>,
    /// By fits that did not see them; `None` without validation.
    left_out: Option<LeftOutRows>,
}

impl Evaluated {
    fn new(part: Part, fitted: FittedMember, left_out: Option<LeftOutRows>) -> Self {
        let before = part.rows.iter().map(|row| (*row, fitted.predict_before(&row.workload))).collect();
        let after = part.rows.iter().map(|row| (*row, fitted.predict(&row.workload))).collect();
        Self { part, fitted, before, after, left_out }
    }

    /// Its errors and intervals, and what the calibration keeps of it.
    fn with_errors(self, loss: Loss) -> (ScenarioStudy, FittedScenario) {
        let Self { part: Part { member, rows }, fitted, before, after, left_out } = self;
        let (baseline, optimized) = (Errors::of(loss, &before), Errors::of(loss, &after));
        let held_out = |rows: Option<&Vec<LeftOut>>| {
            let rows: Vec<_> = rows?.iter().map(|row| (row.measured, row.prediction)).collect();
            Some(Errors::of(loss, &rows))
        };
        let validation = left_out.as_ref().map(|left_out| ValidationErrors {
            leave_one_workload_out: held_out(left_out.by_workload.as_ref()),
            leave_one_concurrency_out: held_out(left_out.by_load.as_ref()),
        });
        let by_workload = left_out.and_then(|left_out| left_out.by_workload).unwrap_or_default();
        let uncertainty = fitted.scatter.clone().with_left_out(&by_workload);
        let covered_rows = covered(&by_workload);
        let coverage = (!covered_rows.is_empty()).then(|| {
            let [ttft_pct, itl_pct] = coverage_pct(&covered_rows);
            Coverage { rows: covered_rows.len(), ttft_pct, itl_pct }
        });
        let summary = |pick: fn(&ValidationErrors) -> Option<Errors>| Some(pick(validation.as_ref()?)?.summary());
        let recorded = FittedScenario::new(
            &ScenarioData {
                id: &member.id,
                system: &member.system,
                load: member.load,
                campaign: member.campaign,
                rows: &rows,
                measured_sha256: &member.dataset.sha256,
                provenance: &member.provenance,
            },
            RecordedErrors {
                baseline: baseline.summary(),
                fitted: optimized.summary(),
                leave_one_workload_out: summary(|v| v.leave_one_workload_out),
                leave_one_concurrency_out: summary(|v| v.leave_one_concurrency_out),
            },
            coverage,
            uncertainty.clone(),
        );
        let with_intervals = |(measured, predicted): (Measurement, Prediction)| {
            let scales = fitted.scales(&measured.workload, &predicted);
            let [ttft_interval, itl_interval] = uncertainty.intervals(&predicted, scales);
            EvaluatedRow { measured, predicted, ttft_interval, itl_interval }
        };
        let scenario = ScenarioStudy {
            rows: after.into_iter().map(with_intervals).collect(),
            id: member.id,
            title: member.title,
            system: member.system,
            load: member.load,
            baseline,
            optimized,
            validation,
            covered: covered_rows,
            coverage,
            fitted,
        };
        (scenario, recorded)
    }
}

fn group_errors(
    estimator: &dyn Estimator,
    members: &[Member<'_>],
    kind: GroupKind,
    options: &FitOptions,
) -> Result<GroupErrors> {
    let loss = estimator.loss();
    let left_out = leave_groups_out(estimator, members, kind, options)?;
    let all: Vec<_> = left_out.iter().flat_map(|group| group.rows.iter().copied()).collect();
    let groups =
        left_out.into_iter().map(|group| (group.name, group.rows.len(), Errors::of(loss, &group.rows))).collect();
    Ok(GroupErrors { kind, all: Errors::of(loss, &all), groups })
}
