//! One fit of an estimator: the solution, and the members prepared for prediction.

use std::ops::Deref;

use nalgebra::DMatrix;

use super::problem::{Member, Problem};
use super::propagation::Spread;
use super::solution::{FitOptions, Solution};
use super::solve::solve;
use crate::error::Result;
use crate::estimator::Estimator;

/// The result of a fit: its solution, whose parameters are those that all members share in the estimator's order, then those of
/// further campaigns.
pub struct Fit {
    /// The values and what is known of them.
    pub solution: Solution,
    /// The members prepared for prediction.
    pub problem: Problem,
}

impl Deref for Fit {
    type Target = Solution;

    fn deref(&self) -> &Solution {
        &self.solution
    }
}

impl Fit {
    /// Covariance of the coordinates of a member's parameters, in the order of its predictor.
    pub fn member_covariance(&self, member: usize) -> DMatrix<f64> {
        let places = self.problem.member_slots(member);
        DMatrix::from_fn(places.len(), places.len(), |row, column| self.covariance[(places[row], places[column])])
    }

    /// A member's values and how uncertain they are.
    pub fn member_spread(&self, member: usize) -> Spread {
        let values = self.problem.member_values(member, &self.values());
        Spread::new(&values, &self.member_covariance(member))
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
    Ok(Fit { solution, problem })
}
