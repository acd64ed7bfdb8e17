//! One fit: several starts, the best of them, and what is known of its parameters.

use nalgebra::DMatrix;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::identifiability::{Flag, identifiability};
use super::loss::{mean_square, residuals};
use super::optimiser::{Minimum, minimise, polish};
use crate::dataset::Measurement;
use crate::error::{Error, Result, did_you_mean};
use crate::estimator::{Estimator, Parameter, Predictor};
use crate::spec::System;

/// How many of the best starts are polished.
const POLISHED_STARTS: usize = 3;

/// How to fit.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// Seed of the starts. The same seed, machine and build give the same bits, whatever the number of threads.
    pub seed: u64,
    /// Starts: the first from the defaults, the others random.
    pub starts: usize,
    /// Iterations of one start.
    pub max_iterations: u64,
    /// Parameters held at a value.
    pub fixed: Vec<(String, f64)>,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { seed: 0, starts: 12, max_iterations: 300, fixed: Vec::new() }
    }
}

/// A parameter after a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FittedParameter {
    /// Which one.
    pub parameter: Parameter,
    /// Its value.
    pub value: f64,
    /// Its standard error in its own unit, where it is defined.
    pub std_error: Option<f64>,
    /// What the data say of it.
    pub flag: Flag,
}

impl FittedParameter {
    /// Value before the fit: the default, or the value at which it was held.
    pub fn start(&self) -> f64 {
        if self.flag == Flag::Fixed { self.value } else { self.parameter.default }
    }
}

/// How one start ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StartResult {
    /// Loss at its end.
    pub loss: f64,
    /// Iterations taken.
    pub iterations: u64,
    /// Whether it converged.
    pub converged: bool,
}

/// The result of a fit.
pub struct Fit {
    /// Parameters in the estimator's order.
    pub parameters: Vec<FittedParameter>,
    /// Correlations of all parameters; 0 where undefined, 1 on the diagonal.
    pub correlations: DMatrix<f64>,
    /// Loss before the fit, at the defaults and the held values.
    pub baseline_loss: f64,
    /// Loss of the best start.
    pub loss: f64,
    /// Every start, in order.
    pub starts: Vec<StartResult>,
    /// Which start was the best.
    pub best_start: usize,
    /// Loss of the best start after each iteration.
    pub history: Vec<f64>,
    /// Whether the best start converged.
    pub converged: bool,
    /// The estimator prepared for the system.
    pub predictor: Box<dyn Predictor>,
}

impl Fit {
    /// The fitted values in the estimator's order.
    pub fn values(&self) -> Vec<f64> {
        self.parameters.iter().map(|p| p.value).collect()
    }

    /// The values before the fit: held ones as held, others at their defaults.
    pub fn baseline_values(&self) -> Vec<f64> {
        self.parameters.iter().map(FittedParameter::start).collect()
    }

    /// Number of parameters that the fit changed.
    pub fn free_count(&self) -> usize {
        self.parameters.iter().filter(|p| p.flag != Flag::Fixed).count()
    }
}

/// Fits an estimator to measurements of a system.
///
/// # Errors
/// Input: the system cannot be predicted, fewer rows than free parameters, an unknown or impossible held value.
/// Failed: no start converged.
pub fn fit(estimator: &dyn Estimator, system: &System, rows: &[Measurement], options: &FitOptions) -> Result<Fit> {
    fit_to(estimator, system, rows, options, true)
}

/// As [`fit`]; without `must_converge` a fit whose best start still improves is returned with
/// [`Fit::converged`] false.
pub(super) fn fit_to(
    estimator: &dyn Estimator,
    system: &System,
    rows: &[Measurement],
    options: &FitOptions,
    must_converge: bool,
) -> Result<Fit> {
    let predictor = estimator.prepare(system, rows)?;
    let table = predictor.parameters().to_vec();
    let (base, free) = base_values(&table, &options.fixed)?;
    if rows.len() < free.len() {
        return Err(Error::input(format!("{} rows cannot fit {} parameters", rows.len(), free.len()))
            .help("measure more workloads, or hold parameters with --fix NAME=VALUE"));
    }

    let first: Vec<f64> = free.iter().map(|&index| table[index].to_unit(table[index].default)).collect();
    let values_at = |positions: &[f64]| {
        let mut values = base.clone();
        for ((&index, &position), &default) in free.iter().zip(positions).zip(&first) {
            // A parameter that stayed where it was keeps its exact value.
            if position.to_bits() != default.to_bits() {
                values[index] = table[index].from_unit(position);
            }
        }
        values
    };
    let all_residuals = |values: &[f64]| -> Vec<f64> {
        rows.iter()
            .flat_map(|row| residuals(estimator.loss(), row, &predictor.predict(&row.workload, values)))
            .collect()
    };
    let at_positions = |positions: &[f64]| all_residuals(&values_at(positions));

    let minima: Vec<Minimum> = (0..options.starts.max(1))
        .into_par_iter()
        .map(|start| minimise(&at_positions, &start_positions(start, &first, options.seed), options.max_iterations))
        .collect::<std::result::Result<_, String>>()
        .map_err(|message| Error::failed(format!("the solver stopped: {message}")))?;
    let mut ranked: Vec<usize> = (0..minima.len()).collect();
    ranked.sort_by(|&a, &b| minima[a].sum_of_squares.total_cmp(&minima[b].sum_of_squares));
    ranked.truncate(POLISHED_STARTS);
    let polished: Vec<(usize, Minimum)> = ranked
        .into_par_iter()
        .map(|start| Ok((start, polish(&at_positions, &minima[start], options.max_iterations)?)))
        .collect::<std::result::Result<_, String>>()
        .map_err(|message| Error::failed(format!("the solver stopped: {message}")))?;
    let mut minima = minima;
    for (start, minimum) in polished {
        minima[start] = minimum;
    }
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

    let residual_count = (2 * rows.len()) as f64;
    let best = without_idle_moves(best, &first, &at_positions);
    let widest: Vec<f64> = free.iter().map(|&index| table[index].widest_error()).collect();
    let known = identifiability(&at_positions, &best.positions, &widest);
    let values = values_at(&best.positions);
    let mut parameters: Vec<FittedParameter> = table
        .iter()
        .zip(&values)
        .map(|(parameter, &value)| FittedParameter { parameter: *parameter, value, std_error: None, flag: Flag::Fixed })
        .collect();
    let mut correlations = DMatrix::identity(table.len(), table.len());
    for (row, &i) in free.iter().enumerate() {
        let fitted = &mut parameters[i];
        fitted.flag = known.flags[row];
        fitted.std_error = known.std_errors[row].map(|error| error * fitted.parameter.slope(fitted.value));
        for (column, &j) in free.iter().enumerate() {
            if let (Some(a), Some(b)) = (known.std_errors[row], known.std_errors[column])
                && i != j
            {
                correlations[(i, j)] = known.covariance[(row, column)] / (a * b);
            }
        }
    }
    Ok(Fit {
        parameters,
        correlations,
        baseline_loss: mean_square(&all_residuals(&base)),
        loss: best.sum_of_squares / residual_count,
        starts: minima
            .iter()
            .map(|m| StartResult {
                loss: m.sum_of_squares / residual_count,
                iterations: m.iterations,
                converged: m.converged,
            })
            .collect(),
        best_start,
        history: best.history.iter().map(|sum| sum / residual_count).collect(),
        converged: best.converged,
        predictor,
    })
}

/// The minimum with every parameter that does not matter put back to where it started: a value that a random start
/// gave it would look like a result.
fn without_idle_moves(best: &Minimum, first: &[f64], at_positions: &dyn Fn(&[f64]) -> Vec<f64>) -> Minimum {
    let mut calm = best.clone();
    for index in 0..first.len() {
        let mut moved = calm.positions.clone();
        moved[index] = first[index];
        let sum: f64 = at_positions(&moved).iter().map(|r| r * r).sum();
        if sum <= calm.sum_of_squares * (1.0 + 1e-12) {
            calm.positions = moved;
        }
    }
    calm
}

/// Values before the fit, and which of them it changes.
fn base_values(table: &[Parameter], fixed: &[(String, f64)]) -> Result<(Vec<f64>, Vec<usize>)> {
    let mut values: Vec<f64> = table.iter().map(|parameter| parameter.default).collect();
    let mut is_free: Vec<bool> = table.iter().map(|parameter| parameter.fitted).collect();
    for (name, value) in fixed {
        let Some(index) = table.iter().position(|parameter| parameter.name == *name) else {
            let near = did_you_mean(name, table.iter().map(|parameter| parameter.name));
            let known: Vec<&str> = table.iter().map(|parameter| parameter.name).collect();
            let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
            return Err(Error::input(format!("there is no parameter `{name}` to hold"))
                .help(format!("{near}known: {}", known.join(", "))));
        };
        let parameter = &table[index];
        if !(parameter.least..=parameter.upper).contains(value) {
            return Err(Error::input(format!("`{name}` cannot be held at {value}")).help(format!(
                "give a value from {} to {} (unit: {})",
                parameter.least, parameter.upper, parameter.unit
            )));
        }
        if fixed.iter().filter(|(other, _)| other == name).count() > 1 {
            return Err(Error::input(format!("`{name}` is held twice")).help("give one value for each parameter"));
        }
        values[index] = *value;
        is_free[index] = false;
    }
    let free = (0..table.len()).filter(|&index| is_free[index]).collect();
    Ok((values, free))
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
