//! What a fit minimises: residuals of the data and of priors, at positions of the parameters that move.

use super::identifiability::Knowledge;
use super::problem::Slot;
use super::solution::FitOptions;
use crate::error::{Error, ErrorKind, Result, nearest_hint};
use crate::parameter::Parameter;

/// Scatter of a residual against which a prior is weighed: a parameter one spread away from its prior costs as much as
/// one residual of 5 %. Fits in sample scatter between 4 % (the shipped 70B scenario) and 14 % (the 8B one).
const PRIOR_SCATTER: f64 = 0.05;

/// Residuals of the data by the values of all parameters.
pub type DataResiduals<'a> = dyn Fn(&[f64]) -> Vec<f64> + Sync + 'a;

/// Residuals as a function of positions between the bounds, 0 to 1, of the parameters that move.
pub struct Objective<'a> {
    slots: &'a [Slot],
    residuals: &'a DataResiduals<'a>,
    options: &'a FitOptions,
    /// Values before the fit.
    base: Vec<f64>,
    /// The parameters that move: those that the fit changes, then those that move only to see what their uncertainty means.
    movable: Vec<usize>,
    /// How many of them the fit changes.
    free: usize,
    /// Where they stand by default.
    defaults: Vec<f64>,
}

impl<'a> Objective<'a> {
    /// Of so many rows.
    ///
    /// # Errors
    /// Fewer rows than parameters to fit, or an unknown or impossible held value.
    pub fn new(
        slots: &'a [Slot],
        residuals: &'a DataResiduals<'a>,
        row_count: usize,
        options: &'a FitOptions,
    ) -> Result<Self> {
        let (base, free) = base_values(slots, options)?;
        if row_count < free.len() {
            return Err(Error::input(format!("{row_count} rows cannot fit {} parameters", free.len()))
                .help(fewer_parameters(slots, &free, row_count)));
        }
        let held =
            (0..slots.len()).filter(|index| !free.contains(index) && options.is_uncertain(&slots[*index].parameter));
        let movable: Vec<usize> = free.iter().copied().chain(held).collect();
        let position = |index: &usize| {
            let parameter = &slots[*index].parameter;
            parameter.to_unit(parameter.default)
        };
        let defaults = movable.iter().map(position).collect();
        Ok(Self { slots, residuals, options, base, free: free.len(), movable, defaults })
    }

    /// Values before the fit: held ones as held, others at their defaults.
    pub fn base(&self) -> &[f64] {
        &self.base
    }

    /// Where the parameters that the fit changes stand by default.
    pub fn first(&self) -> &[f64] {
        &self.defaults[..self.free]
    }

    /// Positions of all parameters that move, from those that the fit changes.
    pub fn all_positions(&self, fitted: &[f64]) -> Vec<f64> {
        [fitted, &self.defaults[self.free..]].concat()
    }

    /// Values of all parameters, from positions of the first of those that move.
    pub fn values(&self, positions: &[f64]) -> Vec<f64> {
        let mut values = self.base.clone();
        for ((&index, &position), &default) in self.movable.iter().zip(positions).zip(&self.defaults) {
            // A parameter that stayed where it was keeps its exact value.
            if position.to_bits() != default.to_bits() {
                values[index] = self.slots[index].parameter.from_unit(position);
            }
        }
        values
    }

    /// Residuals of the data.
    pub fn of_data(&self, positions: &[f64]) -> Vec<f64> {
        (self.residuals)(&self.values(positions))
    }

    /// Residuals of the data, then those of priors: what is minimised.
    pub fn with_priors(&self, positions: &[f64]) -> Vec<f64> {
        let mut all = self.of_data(positions);
        for ((&index, &position), &default) in self.movable.iter().zip(positions).zip(self.first()) {
            let parameter = &self.slots[index].parameter;
            if let Some(spread) = self.options.prior(parameter) {
                all.push(PRIOR_SCATTER * (position - default) * parameter.coordinate_slope() / spread);
            }
        }
        all
    }

    /// The parameters that move, each with what is known of it before the fit.
    pub fn knowledge(&self) -> (&[usize], Vec<Knowledge>) {
        let of = |(place, index): (usize, &usize)| {
            let parameter = &self.slots[*index].parameter;
            Knowledge {
                widest: parameter.widest_error(),
                prior: self.options.prior(parameter).map(|spread| spread / parameter.coordinate_slope()),
                fitted: place < self.free,
            }
        };
        (&self.movable, self.movable.iter().enumerate().map(of).collect())
    }
}

/// What to do where rows are too few: the parameters that priors know best may be held there.
fn fewer_parameters(slots: &[Slot], free: &[usize], row_count: usize) -> String {
    let compare = "`perfmodel evaluate --uncalibrated` compares without a fit";
    if row_count == 0 {
        return format!("measure more workloads; {compare}");
    }
    let mut best_known: Vec<&Parameter> = free.iter().map(|index| &slots[*index].parameter).collect();
    let spread = |parameter: &Parameter| parameter.spread.unwrap_or(f64::INFINITY);
    best_known.sort_by(|a, b| spread(a).total_cmp(&spread(b)));
    let held = best_known.into_iter().take(free.len() - row_count);
    let held: Vec<String> = held.map(|parameter| format!("--fix {}={}", parameter.name, parameter.default)).collect();
    format!("measure more workloads, or hold what priors know best: {}; {compare}", held.join(" "))
}

/// An error about a parameter that is not there.
fn no_such_parameter(name: &str, what: &str, slots: &[Slot]) -> Error {
    let mut known: Vec<&str> = slots.iter().map(|slot| slot.parameter.name).collect();
    known.dedup();
    let near = nearest_hint(name, known.iter().copied());
    Error::input(format!("there is no parameter `{name}` to {what}"))
        .of(ErrorKind::UnknownName)
        .help(format!("{near}known: {}", known.join(", ")))
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
