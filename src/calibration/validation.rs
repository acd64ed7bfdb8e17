//! Predicting rows that a fit did not see.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::fit::{FitOptions, fit_to};
use crate::dataset::Measurement;
use crate::error::Result;
use crate::estimator::Estimator;
use crate::prediction::Prediction;
use crate::spec::System;

/// Starts of a fold's fit. Folds begin at the defaults like the main fit, never at its optimum, which has seen the
/// held-out rows.
const FOLD_STARTS: usize = 4;

/// Out-of-sample predictions of all rows, in the order of the rows.
#[derive(Debug, Clone)]
pub struct Validation {
    /// Each row predicted by a fit to the other workloads (input and output tokens).
    pub by_workload: Option<Vec<Prediction>>,
    /// Each row predicted by a fit to the other concurrencies.
    pub by_concurrency: Option<Vec<Prediction>>,
    /// Folds whose best start still improved when its rounds ran out; their predictions are a little worse than they
    /// could be.
    pub unsettled_folds: usize,
    /// All folds.
    pub folds: usize,
}

/// Fits once per left-out workload and once per left-out concurrency.
///
/// A kind of fold is `None` when the rows have only one such group or a fold leaves fewer rows than parameters.
///
/// # Errors
/// A fold cannot be fitted at all. One that does not converge is counted, not fatal.
pub fn validate(
    estimator: &dyn Estimator,
    system: &System,
    rows: &[Measurement],
    free_parameters: usize,
    options: &FitOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Validation> {
    let options = FitOptions { starts: options.starts.min(FOLD_STARTS), ..options.clone() };
    let workload = |row: &Measurement| [row.workload.input_tokens().to_bits(), row.workload.output_tokens().to_bits()];
    let concurrency = |row: &Measurement| [row.workload.concurrency().to_bits(), 0];
    let kinds = [groups(rows, workload), groups(rows, concurrency)];
    let usable = kinds.map(|groups| {
        let largest = groups.iter().map(Vec::len).max().unwrap_or(0);
        (groups.len() > 1 && rows.len() - largest >= free_parameters).then_some(groups)
    });
    let folds: Vec<&Vec<usize>> = usable.iter().flatten().flatten().collect();
    let total = folds.len();
    let done = AtomicUsize::new(0);
    let unsettled = AtomicUsize::new(0);
    let predicted: Vec<Vec<Prediction>> = folds
        .par_iter()
        .map(|held_out| {
            let seen: Vec<Measurement> =
                (0..rows.len()).filter(|index| !held_out.contains(index)).map(|index| rows[index]).collect();
            let fitted = fit_to(estimator, system, &seen, &options, false)?;
            if !fitted.converged {
                unsettled.fetch_add(1, Ordering::Relaxed);
            }
            let values = fitted.values();
            // Bounds may depend on the rows, so the fold's own predictor predicts them.
            let predictions =
                held_out.iter().map(|&index| fitted.predictor.predict(&rows[index].workload, &values)).collect();
            progress(1 + done.fetch_add(1, Ordering::Relaxed), total);
            Ok(predictions)
        })
        .collect::<Result<_>>()?;

    let mut predicted = predicted.into_iter();
    let mut collect = |groups: Option<Vec<Vec<usize>>>| {
        groups.map(|groups| {
            let mut by_row: Vec<(usize, Prediction)> = groups
                .into_iter()
                .zip(predicted.by_ref())
                .flat_map(|(rows, found)| rows.into_iter().zip(found))
                .collect();
            by_row.sort_by_key(|(index, _)| *index);
            by_row.into_iter().map(|(_, prediction)| prediction).collect()
        })
    };
    let [by_workload, by_concurrency] = usable;
    Ok(Validation {
        by_workload: collect(by_workload),
        by_concurrency: collect(by_concurrency),
        unsettled_folds: unsettled.into_inner(),
        folds: total,
    })
}

/// Rows with equal keys, in the order in which the keys first appear.
fn groups(rows: &[Measurement], key: impl Fn(&Measurement) -> [u64; 2]) -> Vec<Vec<usize>> {
    let mut found: Vec<([u64; 2], Vec<usize>)> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let key = key(row);
        match found.iter_mut().find(|(known, _)| *known == key) {
            Some((_, members)) => members.push(index),
            None => found.push((key, vec![index])),
        }
    }
    found.into_iter().map(|(_, members)| members).collect()
}
