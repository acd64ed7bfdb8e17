//! The solver: several starts, the best of them, and what is known of its parameters. It knows residuals, not where they
//! come from.

use nalgebra::DMatrix;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::identifiability::{Flag, Knowledge, identifiability};
use super::loss::mean_square;
use super::optimiser::{Minimum, minimise, polish};
use super::problem::Slot;
use crate::error::{Error, Result, nearest_hint};
use crate::parameter::Parameter;

/// How many of the best starts are polished.
const POLISHED_STARTS: usize = 3;

/// Scatter of a residual against which a prior is weighed: a parameter one spread away from its prior costs as much as
/// one residual of 5 %. Fits in sample scatter between 4 % (the shipped 70B scenario) and 14 % (the 8B one).
const PRIOR_SCATTER: f64 = 0.05;

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
    /// Parameters to fit that are held by default.
    pub freed: Vec<String>,
    /// Whether priors hold what the data leave open. Without them the data alone decide.
    pub priors: bool,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { seed: 0, starts: 12, max_iterations: 300, fixed: Vec::new(), freed: Vec::new(), priors: true }
    }
}

impl FitOptions {
    /// Spread of a parameter's prior, if priors count.
    fn prior(&self, parameter: &Parameter) -> Option<f64> {
        parameter.spread.filter(|_| self.priors)
    }

    /// Whether a parameter that is not fitted may differ from its default: it has a prior, and the user did not set it.
    fn is_uncertain(&self, parameter: &Parameter) -> bool {
        self.prior(parameter).is_some() && self.fixed.iter().all(|(name, _)| name != parameter.name)
    }
}

/// A parameter after a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FittedParameter {
    /// Which one.
    pub parameter: Parameter,
    /// The campaign that it belongs to; `None`: all scenarios share it.
    pub campaign: Option<usize>,
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
    /// Loss at its end, priors included.
    pub loss: f64,
    /// Iterations taken.
    pub iterations: u64,
    /// Whether it converged.
    pub converged: bool,
}

/// The values that fit best, and what is known of them.
#[derive(Debug, Clone)]
pub struct Solution {
    /// Every parameter: those that all members share in the estimator's order, then those of further campaigns.
    pub parameters: Vec<FittedParameter>,
    /// Covariance of the coordinates (logarithms, or values on a linear scale); zero where undefined.
    pub covariance: DMatrix<f64>,
    /// Loss before the fit, at the defaults and the held values.
    pub baseline_loss: f64,
    /// Loss of the best start.
    pub loss: f64,
    /// Every start, in order.
    pub starts: Vec<StartResult>,
    /// Which start was the best.
    pub best_start: usize,
    /// Loss of the best start after each iteration, priors included.
    pub history: Vec<f64>,
    /// Whether the best start converged.
    pub converged: bool,
}

impl Solution {
    /// The fitted values in the order of [`Solution::parameters`].
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

    /// Correlation of two parameters; 0 where undefined.
    pub fn correlation(&self, a: usize, b: usize) -> f64 {
        let scale = (self.covariance[(a, a)] * self.covariance[(b, b)]).sqrt();
        if a == b {
            1.0
        } else if scale > 0.0 {
            self.covariance[(a, b)] / scale
        } else {
            0.0
        }
    }
}

/// What to do where rows are too few: the parameters that priors know best may be held there.
fn fewer_parameters(table: &[Parameter], free: &[usize], row_count: usize) -> String {
    let compare = "`perfmodel evaluate --uncalibrated` compares without a fit";
    if row_count == 0 {
        return format!("measure more workloads; {compare}");
    }
    let mut best_known: Vec<&Parameter> = free.iter().map(|index| &table[*index]).collect();
    let spread = |parameter: &Parameter| parameter.spread.unwrap_or(f64::INFINITY);
    best_known.sort_by(|a, b| spread(a).total_cmp(&spread(b)));
    let held = best_known.into_iter().take(free.len() - row_count);
    let held: Vec<String> = held.map(|parameter| format!("--fix {}={}", parameter.name, parameter.default)).collect();
    format!("measure more workloads, or hold what priors know best: {}; {compare}", held.join(" "))
}

/// Finds the values of parameters at which residuals are smallest; the loss is the mean of their squares.
///
/// Without `must_converge` a solution whose best start still improves is returned with [`Solution::converged`] false.
///
/// # Errors
/// Fewer rows than parameters, an unknown or impossible held value, or no start that converged.
pub fn solve(
    slots: &[Slot],
    residuals: &(dyn Fn(&[f64]) -> Vec<f64> + Sync),
    row_count: usize,
    options: &FitOptions,
    must_converge: bool,
) -> Result<Solution> {
    let table: Vec<Parameter> = slots.iter().map(|slot| slot.parameter).collect();
    let (base, free) = base_values(slots, options)?;
    if row_count < free.len() {
        return Err(Error::input(format!("{row_count} rows cannot fit {} parameters", free.len()))
            .help(fewer_parameters(&table, &free, row_count)));
    }

    // Held parameters move only to see what their uncertainty means.
    let held = (0..table.len()).filter(|&index| !free.contains(&index) && options.is_uncertain(&table[index]));
    let movable: Vec<usize> = free.iter().copied().chain(held).collect();
    let all_first: Vec<f64> = movable.iter().map(|&index| table[index].to_unit(table[index].default)).collect();
    let first = &all_first[..free.len()];
    let values_at = |positions: &[f64]| {
        let mut values = base.clone();
        for ((&index, &position), &default) in movable.iter().zip(positions).zip(&all_first) {
            // A parameter that stayed where it was keeps its exact value.
            if position.to_bits() != default.to_bits() {
                values[index] = table[index].from_unit(position);
            }
        }
        values
    };
    let data_residuals = |positions: &[f64]| residuals(&values_at(positions));
    let at_positions = |positions: &[f64]| {
        let mut all = data_residuals(positions);
        for ((&index, &position), &default) in free.iter().zip(positions).zip(first) {
            if let Some(spread) = options.prior(&table[index]) {
                all.push(PRIOR_SCATTER * (position - default) * table[index].coordinate_slope() / spread);
            }
        }
        all
    };

    let minima: Vec<Minimum> = (0..options.starts.max(1))
        .into_par_iter()
        .map(|start| minimise(&at_positions, &start_positions(start, first, options.seed), options.max_iterations))
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

    let residual_count = residuals(&base).len() as f64;
    let best = without_idle_moves(best, first, &at_positions);
    let knowledge: Vec<Knowledge> = movable
        .iter()
        .enumerate()
        .map(|(place, &index)| Knowledge {
            widest: table[index].widest_error(),
            prior: options.prior(&table[index]).map(|spread| spread / table[index].coordinate_slope()),
            fitted: place < free.len(),
        })
        .collect();
    let positions = [&best.positions, &all_first[free.len()..]].concat();
    let known = identifiability(&data_residuals, &positions, &knowledge);
    let values = values_at(&best.positions);
    let mut parameters: Vec<FittedParameter> = slots
        .iter()
        .zip(&values)
        .map(|(Slot { parameter, campaign }, &value)| FittedParameter {
            parameter: *parameter,
            campaign: *campaign,
            value,
            std_error: None,
            flag: Flag::Fixed,
        })
        .collect();
    let mut covariance = DMatrix::zeros(table.len(), table.len());
    for (row, &i) in movable.iter().enumerate() {
        let fitted = &mut parameters[i];
        fitted.flag = known.flags[row];
        let slope = fitted.parameter.coordinate_slope() * fitted.parameter.value_slope(fitted.value);
        fitted.std_error = known.std_errors[row].map(|error| error * slope);
        for (column, &j) in movable.iter().enumerate() {
            covariance[(i, j)] =
                known.covariance[(row, column)] * table[i].coordinate_slope() * table[j].coordinate_slope();
        }
    }
    Ok(Solution {
        parameters,
        covariance,
        baseline_loss: mean_square(&residuals(&base)),
        loss: mean_square(&residuals(&values)),
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

/// An error about a parameter that is not there.
fn no_such_parameter(name: &str, what: &str, slots: &[Slot]) -> Error {
    let mut known: Vec<&str> = slots.iter().map(|slot| slot.parameter.name).collect();
    known.dedup();
    let near = nearest_hint(name, known.iter().copied());
    Error::input(format!("there is no parameter `{name}` to {what}")).help(format!("{near}known: {}", known.join(", ")))
}

/// Values before the fit, and which of them it changes. A name counts for every campaign that has it.
fn base_values(slots: &[Slot], options: &FitOptions) -> Result<(Vec<f64>, Vec<usize>)> {
    let mut values: Vec<f64> = slots.iter().map(|slot| slot.parameter.default).collect();
    let mut is_free: Vec<bool> = slots.iter().map(|slot| slot.parameter.fitted).collect();
    let places =
        |name: &str| -> Vec<usize> { (0..slots.len()).filter(|&index| slots[index].parameter.name == name).collect() };
    for name in &options.freed {
        let places = places(name);
        if places.is_empty() {
            return Err(no_such_parameter(name, "free", slots));
        }
        places.into_iter().for_each(|index| is_free[index] = true);
    }
    for (name, value) in &options.fixed {
        let places = places(name);
        let Some(parameter) = places.first().map(|&index| &slots[index].parameter) else {
            return Err(no_such_parameter(name, "hold", slots));
        };
        if !(parameter.least..=parameter.upper).contains(value) {
            return Err(Error::input(format!("`{name}` cannot be held at {value}")).help(format!(
                "give a value from {} to {} (unit: {})",
                parameter.least, parameter.upper, parameter.unit
            )));
        }
        if options.fixed.iter().filter(|(other, _)| other == name).count() > 1 {
            return Err(Error::input(format!("`{name}` is held twice")).help("give one value for each parameter"));
        }
        for index in places {
            values[index] = *value;
            is_free[index] = false;
        }
    }
    let free = (0..slots.len()).filter(|&index| is_free[index]).collect();
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
