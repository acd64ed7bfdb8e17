//! The main job as one pure function: measurements in, fitted parameters and all errors out.

use super::errors::{Errors, EvaluatedRow};
use super::study::{GroupErrors, ScenarioStudy, Study, StudyInput, StudyMember, ValidationErrors};
use crate::calibration::{
    CalibrationRecord, Coverage, FitOptions, FittedScenario, GroupKind, LeftOut, Member, RecordedErrors, ScenarioData,
    Uncertainty, coverage_pct, covered, fit, leave_groups_out, validate,
};
use crate::dataset::Measurement;
use crate::error::{Error, Result};
use crate::estimator::Estimator;
use crate::prediction::Prediction;

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
    let StudyInput { id, members, keep, exclude, estimator, options, validate: with_folds, leave_out } = input;
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
    let ids: Vec<&str> = parts.iter().map(|(member, _)| member.id.as_str()).collect();
    let left_out_groups = leave_out
        .iter()
        .map(|kind| group_errors(estimator, &of_fit, &ids, *kind, &options))
        .collect::<Result<Vec<_>>>()?;

    let loss = estimator.loss();
    let (fitted_slots, baseline_slots) = (fit.values(), fit.baseline_values());
    let together = [&baseline_slots, &fitted_slots].map(|slots| {
        let rows: Vec<Measurement> = of_fit.iter().flat_map(|member| member.rows.iter().copied()).collect();
        let predictions: Vec<Prediction> = of_fit
            .iter()
            .enumerate()
            .flat_map(|(index, member)| member.rows.iter().map(move |row| (index, row)))
            .map(|(index, row)| fit.problem.predict(index, row, slots))
            .collect();
        Errors::of(loss, &rows, &predictions)
    });
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
        let spread = fit.member_spread(index);
        let rows = rows
            .iter()
            .zip(fitted)
            .map(|(measured, predicted)| {
                let scales = uncertainty.scales(predictor, &measured.workload, &predicted, &spread);
                let [ttft_interval, itl_interval] = uncertainty.intervals(&predicted, scales);
                EvaluatedRow { measured: *measured, predicted, ttft_interval, itl_interval }
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
    Ok(Study { id, estimator, fit, scenarios, folds, together, left_out: left_out_groups, record })
}

fn group_errors(
    estimator: &dyn Estimator,
    members: &[Member<'_>],
    ids: &[&str],
    kind: GroupKind,
    options: &FitOptions,
) -> Result<GroupErrors> {
    let loss = estimator.loss();
    let (mut all_rows, mut all_predictions, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for group in leave_groups_out(estimator, members, ids, kind, options)? {
        let rows: Vec<Measurement> =
            group.members.iter().flat_map(|(member, _)| members[*member].rows.iter().copied()).collect();
        let predictions: Vec<Prediction> = group.members.into_iter().flat_map(|(_, predictions)| predictions).collect();
        groups.push((group.name, rows.len(), Errors::of(loss, &rows, &predictions)));
        all_rows.extend(rows);
        all_predictions.extend(predictions);
    }
    Ok(GroupErrors { kind, all: Errors::of(loss, &all_rows, &all_predictions), groups })
}
