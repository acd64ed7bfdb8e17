//! Predicting rows that a fit did not see.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::fit::fit_to;
use super::left_out::{LeftOut, LeftOutRows};
use super::problem::Member;
use super::solution::FitOptions;
use crate::dataset::Measurement;
use crate::error::Result;
use crate::estimator::Estimator;

/// Starts of a fold's fit. Folds begin at the defaults like the main fit, never at its optimum, which has seen the
/// held-out rows.
const FOLD_STARTS: usize = 4;

/// Out-of-sample predictions of all rows.
#[derive(Debug, Clone)]
pub struct Validation {
    /// Those of each member, in the order of the members.
    pub members: Vec<LeftOutRows>,
    /// Folds whose best start still improved when its rounds ran out; their predictions are a little worse than they
    /// could be.
    pub unsettled_folds: usize,
    /// All folds.
    pub folds: usize,
}

/// Fits once per left-out workload and once per left-out load. A workload is left out of every member at once.
///
/// A kind of fold is `None` when the rows have only one such group or a fold leaves fewer rows than parameters, or no
/// row of a member.
///
/// # Errors
/// A fold cannot be fitted at all. One that does not converge is counted, not fatal.
pub fn validate(
    estimator: &dyn Estimator,
    members: &[Member<'_>],
    free_parameters: usize,
    options: &FitOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Validation> {
    let options = FitOptions { starts: options.starts.min(FOLD_STARTS), ..options.clone() };
    let workload = |row: &Measurement| [row.workload.input_tokens().to_bits(), row.workload.output_tokens().to_bits()];
    let load = |row: &Measurement| [row.workload.amount().to_bits(), 0];
    let kinds = [groups(members, workload), groups(members, load)];
    let usable = kinds.map(|groups| {
        let fits = |group: &Group| {
            let left: Vec<usize> =
                members.iter().zip(group).map(|(member, out)| member.rows.len() - out.len()).collect();
            left.iter().all(|&rows| rows > 0) && left.iter().sum::<usize>() >= free_parameters
        };
        (groups.len() > 1 && groups.iter().all(fits)).then_some(groups)
    });
    let folds: Vec<&Group> = usable.iter().flatten().flatten().collect();
    let total = folds.len();
    let done = AtomicUsize::new(0);
    let unsettled = AtomicUsize::new(0);
    let predicted: Vec<Vec<Vec<LeftOut>>> = folds
        .par_iter()
        .enumerate()
        .map(|(fold, held_out)| {
            let seen: Vec<Vec<Measurement>> = members
                .iter()
                .zip(*held_out)
                .map(|(member, out)| {
                    (0..member.rows.len()).filter(|row| !out.contains(row)).map(|row| member.rows[row]).collect()
                })
                .collect();
            let seen: Vec<Member<'_>> =
                members.iter().zip(&seen).map(|(member, rows)| Member { rows, ..*member }).collect();
            let fitted = fit_to(estimator, &seen, &options, false)?;
            if !fitted.converged {
                unsettled.fetch_add(1, Ordering::Relaxed);
            }
            // Bounds may depend on the rows, so the fold's own predictor predicts them.
            let left_out = fitted
                .members
                .iter()
                .zip(members)
                .zip(*held_out)
                .map(|((fitted, member), rows)| {
                    let left_out = |row: &usize| {
                        let measured = member.rows[*row];
                        let prediction = fitted.predict(&measured.workload);
                        let scales = fitted.scales(&measured.workload, &prediction);
                        LeftOut { measured, prediction, scales, fold }
                    };
                    rows.iter().map(left_out).collect()
                })
                .collect();
            progress(1 + done.fetch_add(1, Ordering::Relaxed), total);
            Ok(left_out)
        })
        .collect::<Result<_>>()?;

    let mut predicted = predicted.into_iter();
    let of_members = |groups: Option<Vec<Group>>| -> Vec<Option<Vec<LeftOut>>> {
        let Some(groups) = groups else { return vec![None; members.len()] };
        let mut by_row: Vec<Vec<(usize, LeftOut)>> = vec![Vec::new(); members.len()];
        for (group, found) in groups.into_iter().zip(predicted.by_ref()) {
            for ((rows, found), all) in group.into_iter().zip(found).zip(&mut by_row) {
                all.extend(rows.into_iter().zip(found));
            }
        }
        let in_order = |mut rows: Vec<(usize, LeftOut)>| {
            rows.sort_by_key(|(index, _)| *index);
            Some(rows.into_iter().map(|(_, left_out)| left_out).collect())
        };
        by_row.into_iter().map(in_order).collect()
    };
    let [by_workload, by_load] = usable.map(of_members);
    let members = by_workload.into_iter().zip(by_load);
    Ok(Validation {
        members: members.map(|(by_workload, by_load)| LeftOutRows { by_workload, by_load }).collect(),
        unsettled_folds: unsettled.into_inner(),
        folds: total,
    })
}

/// Rows that are left out together: for each member their indices.
type Group = Vec<Vec<usize>>;

/// Rows with equal keys over all members, in the order in which the keys first appear.
fn groups(members: &[Member<'_>], key: impl Fn(&Measurement) -> [u64; 2]) -> Vec<Group> {
    let mut found: Vec<([u64; 2], Group)> = Vec::new();
    for (member, Member { rows, .. }) in members.iter().enumerate() {
        for (index, row) in rows.iter().enumerate() {
            let key = key(row);
            let place = found.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
                found.push((key, vec![Vec::new(); members.len()]));
                found.len() - 1
            });
            found[place].1[member].push(index);
        }
    }
    found.into_iter().map(|(_, members)| members).collect()
}
