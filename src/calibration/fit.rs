//! One fit of an estimator: the solution, and the members with their values.

use std::ops::Deref;

use nalgebra::DMatrix;

use super::interval::Uncertainty;
use super::problem::{Member, Prepared, Problem};
use super::propagation::{Sides, Spread};
use super::solution::{FitOptions, Solution};
use super::solve::solve;
use crate::error::Result;
use crate::estimator::{Estimator, Predictor};
use crate::prediction::Prediction;
use crate::workload::Workload;

/// The result of a fit: its solution, whose parameters are those that all members share in the estimator's order, then those of
/// further campaigns.
pub struct Fit {
    /// The values and what is known of them.
    pub solution: Solution,
    /// The members in their order.
    pub members: Vec<FittedMember>,
}

impl Deref for Fit {
    type Target = Solution;

    fn deref(&self) -> &Solution {
        &self.solution
    }
}

/// A member of a fit with its values, in the order of its predictor.
pub struct FittedMember {
    predictor: Box<dyn Predictor>,
    /// Fitted and held values.
    pub values: Vec<f64>,
    /// Values before the fit: held ones as held, others at their defaults.
    pub before: Vec<f64>,
    /// Covariance of the coordinates.
    pub covariance: DMatrix<f64>,
    /// Scatter of its own rows.
    pub scatter: Uncertainty,
    spread: Spread,
}

impl FittedMember {
    /// `freedom`: rows of the whole fit for each that its parameters leave free.
    fn new(prepared: Prepared, member: &Member<'_>, solution: &Solution, freedom: f64) -> Self {
        let [values, before] = [solution.values(), solution.baseline_values()].map(|slots| prepared.values(&slots));
        let Prepared { predictor, slots } = prepared;
        let covariance =
            DMatrix::from_fn(slots.len(), slots.len(), |row, column| solution.covariance[(slots[row], slots[column])]);
        let predicted = member.rows.iter().map(|row| (row, predictor.predict(&row.workload, &values)));
        let scatter = Uncertainty::of_rows(predicted, freedom);
        let spread = Spread::new(&values, &covariance);
        Self { predictor, values, before, covariance, scatter, spread }
    }

    /// Its predictor.
    pub fn predictor(&self) -> &dyn Predictor {
        self.predictor.as_ref()
    }

    /// A workload as the fit predicts it.
    pub fn predict(&self, workload: &Workload) -> Prediction {
        self.predictor.predict(workload, &self.values)
    }

    /// A workload as it was predicted before the fit.
    pub fn predict_before(&self, workload: &Workload) -> Prediction {
        self.predictor.predict(workload, &self.before)
    }

    /// Scales of the errors that are expected of ln TTFT and ln ITL of a prediction.
    pub fn scales(&self, workload: &Workload, prediction: &Prediction) -> [Sides; 2] {
        self.scatter.scales(self.predictor(), workload, prediction, &self.spread)
    }
}

/// Fits an estimator to measurements of one or several systems. What belongs to the hardware and the engine is shared,
/// what belongs to a campaign is not.
///
/// # Errors
/// A row cannot be predicted, fewer rows than parameters, an unknown or impossible held value, or no start that
/// converged.
pub fn fit(estimator: &dyn Estimator, members: &[Member<'_>], options: &FitOptions) -> Result<Fit> {
    fit_to(estimator, members, options, true)
}

/// As [`fit`]; without `must_converge` a fit whose best start still improves is returned with
/// [`Solution::converged`] false.
pub(super) fn fit_to(
    estimator: &dyn Estimator,
    members: &[Member<'_>],
    options: &FitOptions,
    must_converge: bool,
) -> Result<Fit> {
    let problem = Problem::new(estimator, members)?;
    let rows: usize = members.iter().map(|member| member.rows.len()).sum();
    let residuals = |values: &[f64]| problem.residuals(members, values);
    let solution = solve(&problem.slots, &residuals, rows, options, must_converge)?;
    let residual_count = 2.0 * rows as f64;
    let freedom = residual_count / (residual_count - solution.free_count() as f64).max(1.0);
    let members = problem
        .members
        .into_iter()
        .zip(members)
        .map(|(prepared, member)| FittedMember::new(prepared, member, &solution, freedom))
        .collect();
    Ok(Fit { solution, members })
}
