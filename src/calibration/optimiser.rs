//! Bounded least squares with argmin. The only file that names argmin.
//!
//! The solver works on unbounded coordinates z; a parameter lies at the share `(1 + sin z)/2` between its bounds, so a
//! bound can be reached exactly and the transformed problem stays smooth there.

use std::f64::consts::PI;
use std::sync::{Arc, Mutex};

use argmin::core::observers::{Observe, ObserverMode};
use argmin::core::{
    CostFunction, Error, Executor, IterState, Jacobian, KV, Operator, Problem, Solver, State, TerminationReason,
    TerminationStatus,
};
use argmin::solver::neldermead::NelderMead;
use nalgebra::{DMatrix, DVector};

/// Step of the numerical derivatives in z. Predictions are smooth to 1e-13, so errors stay near 1e-7 of a derivative.
const DERIVATIVE_STEP: f64 = 1e-6;

/// A descent has converged when its last [`STALL_WINDOW`] iterations lowered the sum of squares by less than this share.
const TOLERANCE: f64 = 1e-6;
const STALL_WINDOW: usize = 6;

/// A polished minimum has converged when a further round lowers the sum of squares by less than this share.
const POLISH_TOLERANCE: f64 = 1e-6;
const POLISH_ROUNDS: usize = 20;

/// Iterations of a simplex search for each parameter.
const SIMPLEX_ITERATIONS: u64 = 100;

/// Spread of the simplex of a polishing round in z.
const SIMPLEX_SPREAD: f64 = 0.1;

/// Residuals as a function of the positions (0 to 1) of the parameters between their bounds.
pub type Residuals<'a> = dyn Fn(&[f64]) -> Vec<f64> + Sync + 'a;

/// Result of one start.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimum {
    /// Positions of the parameters between their bounds, 0 to 1.
    pub positions: Vec<f64>,
    /// Sum of the squared residuals.
    pub sum_of_squares: f64,
    /// Iterations taken.
    pub iterations: u64,
    /// Whether it stopped because nothing improved any more, not because its iterations ran out.
    pub converged: bool,
    /// Sum of squares after each iteration.
    pub history: Vec<f64>,
}

/// Minimises the sum of squared residuals from one start by Levenberg–Marquardt.
///
/// # Errors
/// argmin's own message if the solver cannot run.
pub fn minimise(residuals: &Residuals<'_>, start: &[f64], max_iterations: u64) -> Result<Minimum, String> {
    if start.is_empty() {
        let sum_of_squares = residuals(start).iter().map(|r| r * r).sum();
        return Ok(Minimum {
            positions: Vec::new(),
            sum_of_squares,
            iterations: 0,
            converged: true,
            history: vec![sum_of_squares],
        });
    }
    // Starts keep off the bounds: the derivative of the transform is zero there.
    let z = DVector::from_iterator(start.len(), start.iter().map(|u| coordinate(u.clamp(0.02, 0.98))));
    descend(residuals, z, max_iterations)
}

/// Improves a minimum until nothing does: rounds of a simplex search, which crosses the kinks that roofs leave in a
/// loss and where a descent stalls, each followed by a descent.
///
/// # Errors
/// argmin's own message if a solver cannot run.
pub fn polish(residuals: &Residuals<'_>, minimum: &Minimum, max_iterations: u64) -> Result<Minimum, String> {
    if minimum.positions.is_empty() {
        return Ok(minimum.clone());
    }
    let mut best = Minimum { converged: false, ..minimum.clone() };
    for _ in 0..POLISH_ROUNDS {
        let before = best.sum_of_squares;
        let centre = DVector::from_iterator(best.positions.len(), best.positions.iter().map(|u| coordinate(*u)));
        let simplex = simplex_search(residuals, &centre, max_iterations)?;
        let found = descend(residuals, simplex, max_iterations)?;
        best.iterations += found.iterations;
        if found.sum_of_squares < best.sum_of_squares {
            best.positions = found.positions;
            best.sum_of_squares = found.sum_of_squares;
            best.history.extend(found.history);
        }
        if before - best.sum_of_squares <= POLISH_TOLERANCE * before {
            best.converged = found.converged;
            break;
        }
    }
    Ok(best)
}

fn descend(residuals: &Residuals<'_>, z: DVector<f64>, max_iterations: u64) -> Result<Minimum, String> {
    let history = Arc::new(Mutex::new(Vec::new()));
    let run = Executor::new(LeastSquares { residuals }, LevenbergMarquardt::default())
        .configure(|state| state.param(z).max_iters(max_iterations))
        .add_observer(History(Arc::clone(&history)), ObserverMode::Always)
        .run()
        .map_err(|error| error.to_string())?;
    let state = run.state();
    let best = state.get_best_param().ok_or("the solver returned no parameters")?;
    let history = history.lock().map_err(|_| "the observer of the loss failed")?.clone();
    Ok(Minimum {
        positions: best.iter().map(|z| position(*z)).collect(),
        sum_of_squares: state.get_best_cost(),
        iterations: state.get_iter(),
        converged: matches!(state.get_termination_reason(), Some(TerminationReason::SolverConverged)),
        history,
    })
}

/// The best point that a Nelder–Mead search around `centre` finds.
fn simplex_search(
    residuals: &Residuals<'_>,
    centre: &DVector<f64>,
    max_iterations: u64,
) -> Result<DVector<f64>, String> {
    let count = centre.len();
    let iterations = count as u64 * max_iterations.min(SIMPLEX_ITERATIONS);
    let corners = (0..=count).map(|corner| {
        let mut point = centre.clone();
        if corner < count {
            point[corner] += SIMPLEX_SPREAD;
        }
        point
    });
    let solver = NelderMead::new(corners.collect()).with_sd_tolerance(1e-9).map_err(|error| error.to_string())?;
    let run = Executor::new(LeastSquares { residuals }, solver)
        .configure(|state| state.max_iters(iterations))
        .run()
        .map_err(|error| error.to_string())?;
    run.state().get_best_param().cloned().ok_or_else(|| "the simplex search returned no parameters".to_owned())
}

/// The coordinate z of a position between the bounds.
fn coordinate(position: f64) -> f64 {
    (2.0 * position - 1.0).clamp(-1.0, 1.0).asin()
}

/// Position between the bounds at the coordinate z.
fn position(z: f64) -> f64 {
    (1.0 + z.sin()) / 2.0
}

struct LeastSquares<'a> {
    residuals: &'a Residuals<'a>,
}

impl Operator for LeastSquares<'_> {
    type Param = DVector<f64>;
    type Output = DVector<f64>;

    fn apply(&self, z: &Self::Param) -> Result<Self::Output, Error> {
        let positions: Vec<f64> = z.iter().map(|z| position(*z)).collect();
        // A solver must see a large finite number, never a NaN.
        let finite = |r: f64| if r.is_finite() { r } else { 1e6 };
        Ok(DVector::from_vec((self.residuals)(&positions).into_iter().map(finite).collect()))
    }
}

impl CostFunction for LeastSquares<'_> {
    type Param = DVector<f64>;
    type Output = f64;

    fn cost(&self, z: &Self::Param) -> Result<Self::Output, Error> {
        Ok(self.apply(z)?.norm_squared())
    }
}

impl Jacobian for LeastSquares<'_> {
    type Param = DVector<f64>;
    type Jacobian = DMatrix<f64>;

    fn jacobian(&self, z: &Self::Param) -> Result<Self::Jacobian, Error> {
        let mut columns = Vec::with_capacity(z.len());
        let mut moved = z.clone();
        for index in 0..z.len() {
            moved[index] = z[index] + DERIVATIVE_STEP;
            let above = self.apply(&moved)?;
            moved[index] = z[index] - DERIVATIVE_STEP;
            let below = self.apply(&moved)?;
            moved[index] = z[index];
            columns.push((above - below) / (2.0 * DERIVATIVE_STEP));
        }
        Ok(DMatrix::from_columns(&columns))
    }
}

type LeastSquaresState = IterState<DVector<f64>, (), DMatrix<f64>, (), DVector<f64>, f64>;

/// Levenberg–Marquardt with Marquardt's scaling, as an argmin solver. Source: Marquardt 1963,
/// <https://doi.org/10.1137/0111030>; damping divided by 3 after a success, doubled and doubled again after failures
/// (Madsen, Nielsen, Tingleff 2004, section 3.2).
struct LevenbergMarquardt {
    damping: f64,
    /// Costs of the last iterations, the newest last.
    recent: Vec<f64>,
    stationary: bool,
}

/// Largest change of a coordinate in one step: an eighth of the way from bound to bound.
const LARGEST_STEP: f64 = PI / 8.0;

impl Default for LevenbergMarquardt {
    fn default() -> Self {
        Self { damping: 1e-2, recent: Vec::new(), stationary: false }
    }
}

impl<O> Solver<O, LeastSquaresState> for LevenbergMarquardt
where
    O: Operator<Param = DVector<f64>, Output = DVector<f64>> + Jacobian<Param = DVector<f64>, Jacobian = DMatrix<f64>>,
{
    fn name(&self) -> &str {
        "Levenberg-Marquardt"
    }

    fn init(
        &mut self,
        problem: &mut Problem<O>,
        mut state: LeastSquaresState,
    ) -> Result<(LeastSquaresState, Option<KV>), Error> {
        let z = state.take_param().ok_or_else(|| Error::msg("no start"))?;
        let residuals = problem.apply(&z)?;
        let cost = residuals.norm_squared();
        Ok((state.param(z).residuals(residuals).cost(cost), None))
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<O>,
        mut state: LeastSquaresState,
    ) -> Result<(LeastSquaresState, Option<KV>), Error> {
        let z = state.take_param().ok_or_else(|| Error::msg("no parameters"))?;
        let residuals = state.take_residuals().ok_or_else(|| Error::msg("no residuals"))?;
        let cost = residuals.norm_squared();
        let jacobian = problem.jacobian(&z)?;
        let normal = jacobian.tr_mul(&jacobian);
        let gradient = jacobian.tr_mul(&residuals);
        let floor = 1e-12 * normal.diagonal().max().max(f64::MIN_POSITIVE);

        let mut growth = 2.0;
        for _ in 0..24 {
            let mut damped = normal.clone();
            for index in 0..z.len() {
                damped[(index, index)] += self.damping * normal[(index, index)].max(floor);
            }
            if let Some(cholesky) = damped.cholesky() {
                let mut step = cholesky.solve(&gradient);
                let longest = step.amax();
                if longest > LARGEST_STEP {
                    step *= LARGEST_STEP / longest;
                }
                let candidate = &z - step;
                let new_residuals = problem.apply(&candidate)?;
                let new_cost = new_residuals.norm_squared();
                if new_cost < cost {
                    self.damping = (self.damping / 3.0).max(1e-12);
                    self.recent.push(new_cost);
                    return Ok((state.param(candidate).residuals(new_residuals).cost(new_cost), None));
                }
            }
            self.damping *= growth;
            growth *= 2.0;
            if self.damping > 1e15 {
                break;
            }
        }
        // No step of any length lowers the cost: a stationary point.
        self.stationary = true;
        Ok((state.param(z).residuals(residuals).cost(cost), None))
    }

    fn terminate(&mut self, _: &LeastSquaresState) -> TerminationStatus {
        let stalled = self.recent.len() > STALL_WINDOW && {
            let (before, now) = (self.recent[self.recent.len() - 1 - STALL_WINDOW], self.recent[self.recent.len() - 1]);
            before - now <= TOLERANCE * before
        };
        if self.stationary || stalled {
            TerminationStatus::Terminated(TerminationReason::SolverConverged)
        } else {
            TerminationStatus::NotTerminated
        }
    }
}

/// Records the cost of every iteration.
struct History(Arc<Mutex<Vec<f64>>>);

impl Observe<LeastSquaresState> for History {
    fn observe_iter(&mut self, state: &LeastSquaresState, _: &KV) -> Result<(), Error> {
        if let Ok(mut history) = self.0.lock() {
            history.push(state.get_cost());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's function on [-2, 2]², minimum at (1, 1), positions 0.75.
    fn rosenbrock(u: &[f64]) -> Vec<f64> {
        let (x, y) = (4.0 * u[0] - 2.0, 4.0 * u[1] - 2.0);
        vec![1.0 - x, 10.0 * (y - x * x)]
    }

    #[test]
    fn it_finds_a_minimum_inside_the_bounds() {
        let minimum = minimise(&rosenbrock, &[0.2, 0.75], 200).unwrap();
        assert!(minimum.converged && minimum.sum_of_squares < 1e-12, "{minimum:?}");
        assert!((minimum.positions[0] - 0.75).abs() < 1e-6);
        assert!(minimum.history.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn it_reaches_a_minimum_on_a_bound() {
        // Minimum of (u + 0.5)² and (v − 0.3)² on the unit square: (0, 0.3).
        let minimum = minimise(&|u| vec![u[0] + 0.5, u[1] - 0.3], &[0.5, 0.9], 200).unwrap();
        assert!(minimum.positions[0] < 1e-8, "{minimum:?}");
        assert!((minimum.positions[1] - 0.3).abs() < 1e-6);
    }

    #[test]
    fn polishing_crosses_a_kink_where_the_descent_stalls() {
        // max(u, v) has its kink along u = v, and the minimum lies on it.
        let residuals = |u: &[f64]| vec![u[0].max(u[1]), u[0] - 0.5, u[1] - 0.5];
        let stalled = minimise(&residuals, &[0.9, 0.2], 100).unwrap();
        let polished = polish(&residuals, &stalled, 100).unwrap();
        assert!(polished.converged);
        let best = 1.0 / 6.0; // u = v = 1/3: 1/9 + 2/36
        assert!((polished.sum_of_squares - best).abs() < 1e-6, "{polished:?}");
    }

    #[test]
    fn running_out_of_iterations_is_not_convergence() {
        assert!(!minimise(&rosenbrock, &[0.05, 0.9], 2).unwrap().converged);
    }
}
