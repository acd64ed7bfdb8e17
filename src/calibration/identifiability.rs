//! How well the data fix each parameter: covariance at the optimum and an honest flag.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use serde::Serialize;

use super::optimiser::Residuals;

/// Step of the numerical derivatives in positions between the bounds.
const DERIVATIVE_STEP: f64 = 1e-6;

/// A parameter this near to the end of its range (as a share of the range) sits on its bound.
const BOUND_MARGIN: f64 = 2e-3;

/// What the data say of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Flag {
    /// Fitted, inside its bounds, determined by the data.
    Free,
    /// Held by the user or by default.
    Fixed,
    /// The fit pushed it to a bound; its error is not defined.
    AtBound,
    /// The data do not determine it: it has no effect, or its standard error is a factor of two (on a linear scale, half
    /// of its range) or more.
    Unidentifiable,
}

impl Flag {
    /// Name in tables and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Fixed => "fixed",
            Self::AtBound => "at_bound",
            Self::Unidentifiable => "unidentifiable",
        }
    }
}

/// What is known of a position before the fit, and when it counts as not determined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knowledge {
    /// Standard error from the data alone from which on they do not determine the parameter.
    pub widest: f64,
    /// Standard deviation of its prior.
    pub prior: Option<f64>,
    /// Whether the fit moved it.
    pub fitted: bool,
}

/// Flags, standard errors and covariance in positions between the bounds, for the given parameters in order.
#[derive(Debug, Clone)]
pub struct Identifiability {
    /// One flag each, from the data alone.
    pub flags: Vec<Flag>,
    /// Standard errors of positions, priors included; `None` where it was not fitted, at a bound, and where nothing is known.
    pub std_errors: Vec<Option<f64>>,
    /// Covariance of positions; rows and columns of parameters of which nothing is known are zero.
    pub covariance: DMatrix<f64>,
}

/// Covariance `(JᵀJ/s² + diag(1/prior²))⁻¹` at the optimum with `s² = Σr²/(n − p)`; `residuals` are those of the data alone.
///
/// It covers the fitted parameters, and of those that are held or sit on a bound the ones with a prior: what is not known of
/// them is not known of the prediction either, except where fitted ones make up for it. Whether a parameter is determined
/// is judged without its own prior, `1/(1/σ² − 1/prior²)`: a prior on an overhead of microseconds may tell it from a share of
/// a bandwidth, but may not vouch for itself.
pub fn identifiability(residuals: &Residuals<'_>, positions: &[f64], knowledge: &[Knowledge]) -> Identifiability {
    let count = positions.len();
    let mut flags = vec![Flag::Fixed; count];
    let mut std_errors = vec![None; count];
    let mut covariance = DMatrix::zeros(count, count);

    let at_optimum = residuals(positions);
    let mut columns = Vec::new();
    // Places of the fitted parameters that the data speak of, and of all that are uncertain.
    let (mut inner, mut uncertain) = (Vec::new(), Vec::new());
    for index in 0..count {
        let moved = |by: f64| {
            let mut moved = positions.to_vec();
            moved[index] += by;
            residuals(&moved)
        };
        let column: Vec<f64> = moved(DERIVATIVE_STEP)
            .iter()
            .zip(moved(-DERIVATIVE_STEP))
            .map(|(above, below)| (above - below) / (2.0 * DERIVATIVE_STEP))
            .collect();
        let idle = column.iter().all(|entry| entry.abs() < 1e-9);
        if knowledge[index].fitted {
            let bounded = positions[index] < BOUND_MARGIN || positions[index] > 1.0 - BOUND_MARGIN;
            flags[index] = match (idle, bounded) {
                (true, _) => Flag::Unidentifiable,
                (false, true) => Flag::AtBound,
                (false, false) => Flag::Free,
            };
        }
        if flags[index] == Flag::Free {
            inner.push(uncertain.len());
        }
        if flags[index] == Flag::Free || knowledge[index].prior.is_some() {
            uncertain.push(index);
            columns.push(DVector::from_vec(column));
        }
    }
    let freedom = at_optimum.len().saturating_sub(inner.len());
    if uncertain.is_empty() || freedom == 0 {
        return Identifiability { flags, std_errors, covariance };
    }
    // Below the rounding of the derivatives a perfect fit would claim to know everything.
    let variance = (at_optimum.iter().map(|r| r * r).sum::<f64>() / freedom as f64).max(1e-16);
    let jacobian = DMatrix::from_columns(&columns);
    let information = jacobian.tr_mul(&jacobian) / variance;
    let prior = |index: usize| knowledge[index].prior.map_or(0.0, |prior| 1.0 / (prior * prior));
    let priors = DVector::from_iterator(uncertain.len(), uncertain.iter().map(|&index| prior(index)));
    let together = inverse(&(information + DMatrix::from_diagonal(&priors)));
    for (row, &i) in uncertain.iter().enumerate() {
        for (column, &j) in uncertain.iter().enumerate() {
            covariance[(i, j)] = together[(row, column)];
        }
        if matches!(flags[i], Flag::Free | Flag::Unidentifiable) {
            std_errors[i] = Some(together[(row, row)].max(0.0).sqrt());
        }
    }
    for &row in &inner {
        let precision = 1.0 / together[(row, row)].max(f64::MIN_POSITIVE) - priors[row];
        if precision < knowledge[uncertain[row]].widest.powi(-2) {
            flags[uncertain[row]] = Flag::Unidentifiable;
        }
    }
    Identifiability { flags, std_errors, covariance }
}

/// Inverse of a matrix of information; a direction of which nothing is known gets a huge variance, not an infinite one.
fn inverse(information: &DMatrix<f64>) -> DMatrix<f64> {
    let eigen = SymmetricEigen::new(information.clone());
    let floor = (1e-14 * eigen.eigenvalues.max()).max(f64::MIN_POSITIVE);
    let inverse = eigen.eigenvalues.map(|value| 1.0 / value.max(floor));
    &eigen.eigenvectors * DMatrix::from_diagonal(&inverse) * eigen.eigenvectors.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is known beforehand.
    const NOTHING: Knowledge = Knowledge { widest: 0.5, prior: None, fitted: true };

    #[test]
    fn a_prior_counts_like_further_data_and_alone_where_there_are_none() {
        // Three values with s² = 0.04 and a prior of spread 0.1: 1/(3/0.04 + 100). The second parameter has only its prior.
        let data = [0.3, 0.5, 0.7];
        let known = Knowledge { prior: Some(0.1), ..NOTHING };
        let residuals = |u: &[f64]| data.iter().map(|y| y - u[0]).collect::<Vec<f64>>();
        let result = identifiability(&residuals, &[0.5, 0.5], &[known; 2]);
        assert_eq!(result.flags, [Flag::Free, Flag::Unidentifiable]);
        assert!((result.std_errors[0].unwrap() - (1.0f64 / (3.0 / 0.04 + 100.0)).sqrt()).abs() < 1e-6);
        assert!((result.std_errors[1].unwrap() - 0.1).abs() < 1e-6);
    }

    #[test]
    fn what_a_held_parameter_may_be_off_by_is_shared_with_the_one_that_makes_up_for_it() {
        // Only the sum of both matters to the data: it stays as sure as if the second were known, its parts do not.
        let residuals = |u: &[f64]| [0.3, 0.5, 0.7].map(|y| y - u[0] - u[1]).to_vec();
        let held = Knowledge { prior: Some(0.1), fitted: false, ..NOTHING };
        let result = identifiability(&residuals, &[0.4, 0.1], &[NOTHING, held]);
        assert_eq!(result.flags, [Flag::Free, Flag::Fixed]);
        assert_eq!(result.std_errors[1], None);
        let c = &result.covariance;
        assert!((c[(1, 1)] - 0.01).abs() < 1e-6 && (c[(0, 0)] - (0.04 / 3.0 + 0.01)).abs() < 1e-6);
        assert!((c.sum() - 0.04 / 3.0).abs() < 1e-6, "{c}");
    }

    #[test]
    fn the_standard_error_of_a_mean_is_the_textbooks() {
        // r = y − u with y = 0.3, 0.5, 0.7: u = 0.5, s² = 0.08/2, error = s/√3.
        let data = [0.3, 0.5, 0.7];
        let result = identifiability(&|u| data.iter().map(|y| y - u[0]).collect(), &[0.5], &[NOTHING]);
        assert_eq!(result.flags, [Flag::Free]);
        assert!((result.std_errors[0].unwrap() - (0.04f64 / 3.0).sqrt()).abs() < 1e-9);
    }

    #[test]
    fn a_parameter_without_effect_and_one_at_its_bound_are_flagged() {
        let residuals = |u: &[f64]| vec![u[0] - 0.4, u[0] - 0.6, u[2] + 1.0, 0.1];
        let result = identifiability(&residuals, &[0.5, 0.5, 0.0], &[NOTHING; 3]);
        assert_eq!(result.flags, [Flag::Free, Flag::Unidentifiable, Flag::AtBound]);
        assert_eq!(result.std_errors[1], None);
    }

    #[test]
    fn two_parameters_that_only_act_together_are_both_unidentifiable() {
        let residuals = |u: &[f64]| vec![u[0] + u[1] - 0.9, u[0] + u[1] - 1.1, u[0] + u[1] - 1.0];
        assert_eq!(identifiability(&residuals, &[0.5, 0.5], &[NOTHING; 2]).flags, [Flag::Unidentifiable; 2]);
    }
}
