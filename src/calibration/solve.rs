//! The solver: several starts, the best of them, and what is known of its parameters. It knows residuals, not where they
//! come from.

use nalgebra::DMatrix;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::identifiability::{Flag, identifiability};
use super::loss::mean_square;
use super::objective::{DataResiduals, Objective};
use super::optimiser::{Minimum, minimise, polish};
use super::problem::Slot;
use super::solution::{FitOptions, FittedParameter, Solution, StartResult};
use crate::error::{Error, Result};

/// How many of the best starts are polished.
const POLISHED_STARTS: usize = 3;

/// Finds the values of parameters at which residuals are smallest; the loss is the mean of their squares.
///
/// Without `must_converge` a solution whose best start still improves is returned with [`Solution::converged`] false.
///
/// # Errors
/// Fewer rows than parameters, an unknown or impossible held value, or no start that converged.
pub fn solve(
    slots: &[Slot],
    residuals: &DataResiduals<'_>,
    row_count: usize,
    options: &FitOptions,
    must_converge: bool,
) -> Result<Solution> {
    let objective = Objective::new(slots, residuals, row_count, options)?;
    let minima = minima(&objective, options)?;
    let best_start = (0..minima.len())
        .min_by(|&a, &b| minima[a].sum_of_squares.total_cmp(&minima[b].sum_of_squares))
        .expect("there is at least one start");
    let best = &minima[best_start];
    if !best.converged && must_converge {
        return Err(Error::failed(format!(
            "the fit did not converge: the best of {} starts still improves after {} iterations",
            minima.len(),
            options.max_iterations
        ))
        .help("allow more iterations with --max-iterations, or more starts with --starts"));
    }
    let best = without_idle_moves(best, &objective);
    let (parameters, covariance) = known(slots, &objective, &best.positions);
    let at_base = residuals(objective.base());
    let residual_count = at_base.len() as f64;
    let start = |minimum: &Minimum| StartResult {
        loss: minimum.sum_of_squares / residual_count,
        iterations: minimum.iterations,
        converged: minimum.converged,
    };
    Ok(Solution {
        parameters,
        covariance,
        baseline_loss: mean_square(&at_base),
        loss: mean_square(&objective.of_data(&best.positions)),
        starts: minima.iter().map(start).collect(),
        best_start,
        history: best.history.iter().map(|sum| sum / residual_count).collect(),
        converged: best.converged,
    })
}

/// Where each start ends; the best of them are polished.
fn minima(objective: &Objective<'_>, options: &FitOptions) -> Result<Vec<Minimum>> {
    let stopped = |message: String| Error::failed(format!("the solver stopped: {message}"));
    let at_positions = |positions: &[f64]| objective.with_priors(positions);
    let mut minima: Vec<Minimum> = (0..options.starts.max(1))
        .into_par_iter()
        .map(|start| {
            let from = start_positions(start, objective.first(), options.seed);
            minimise(&at_positions, &from, options.max_iterations)
        })
        .collect::<std::result::Result<_, String>>()
        .map_err(stopped)?;
    let mut ranked: Vec<usize> = (0..minima.len()).collect();
    ranked.sort_by(|&a, &b| minima[a].sum_of_squares.total_cmp(&minima[b].sum_of_squares));
    ranked.truncate(POLISHED_STARTS);
    let polished: Vec<(usize, Minimum)> = ranked
        .into_par_iter()
        .map(|start| Ok((start, polish(&at_positions, &minima[start], options.max_iterations)?)))
        .collect::<std::result::Result<_, String>>()
        .map_err(stopped)?;
    for (start, minimum) in polished {
        minima[start] = minimum;
    }
    Ok(minima)
}

/// What the data say of the parameters at positions of those that the fit changed, and the covariance of their coordinates.
fn known(slots: &[Slot], objective: &Objective<'_>, fitted: &[f64]) -> (Vec<FittedParameter>, DMatrix<f64>) {
    let values = objective.values(fitted);
    let mut parameters: Vec<FittedParameter> = slots
        .iter()
        .zip(values)
        .map(|(Slot { parameter, campaign }, value)| FittedParameter {
            parameter: *parameter,
            campaign: *campaign,
            value,
            std_error: None,
            flag: Flag::Fixed,
        })
        .collect();
    let (movable, knowledge) = objective.knowledge();
    let of_data = |positions: &[f64]| objective.of_data(positions);
    let known = identifiability(&of_data, &objective.all_positions(fitted), &knowledge);
    let coordinate_slope = |index: usize| slots[index].parameter.coordinate_slope();
    let mut covariance = DMatrix::zeros(slots.len(), slots.len());
    for (row, &i) in movable.iter().enumerate() {
        let fitted = &mut parameters[i];
        fitted.flag = known.flags[row];
        let slope = fitted.parameter.coordinate_slope() * fitted.parameter.value_slope(fitted.value);
        fitted.std_error = known.std_errors[row].map(|error| error * slope);
        for (column, &j) in movable.iter().enumerate() {
            covariance[(i, j)] = known.covariance[(row, column)] * coordinate_slope(i) * coordinate_slope(j);
        }
    }
    (parameters, covariance)
}

/// The minimum with every parameter that does not matter put back to where it started: a value that a random start
/// gave it would look like a result.
fn without_idle_moves(best: &Minimum, objective: &Objective<'_>) -> Minimum {
    let mut calm = best.clone();
    for (index, default) in objective.first().iter().enumerate() {
        let mut moved = calm.positions.clone();
        moved[index] = *default;
        let sum: f64 = objective.with_priors(&moved).iter().map(|r| r * r).sum();
        if sum <= calm.sum_of_squares * (1.0 + 1e-12) {
            calm.positions = moved;
        }
    }
    calm
}

/// Start 0 is the defaults; each further one is drawn by its own generator, so that the number of threads cannot
/// change it.
fn start_positions(start: usize, first: &[f64], seed: u64) -> Vec<f64> {
    if start == 0 {
        return first.to_vec();
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(start as u64);
    first.iter().map(|_| random.random_range(0.05..0.95)).collect()
}
