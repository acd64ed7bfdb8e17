//! What the uncertainty of parameters makes of a prediction.
//!
//! Predictions are not linear in parameters: a queue begins where the KV cache fills, a rate that is served with one
//! value overloads with another, efficiencies end at 1. So nothing is linearised. The covariance is cut into independent
//! axes, and the prediction is repeated [`REACH`] standard deviations away on both sides of each: the sigma points of the
//! unscented transform (Julier, Uhlmann 1997, <https://doi.org/10.1117/12.280797>). A last point as far away lies where
//! they say that the latency changes most, up or down; what the prediction is there ends the interval (the design point
//! of structural reliability: Hasofer, Lind 1974). For a linear prediction that is `√(gᵀ·C·g)` on both sides.

use nalgebra::DMatrix;

use crate::estimator::Predictor;
use crate::parameter::Parameter;
use crate::prediction::Prediction;
use crate::workload::Workload;

/// Standard deviations at which a prediction is repeated: where the ends of a 90 % interval of a normal distribution are.
const REACH: f64 = 1.645;

/// Share of a parameter's variance that is left by the earlier ones only for rounding.
const ROUNDING: f64 = 1e-12;

/// A scale of an error of a logarithm, separately for what lies below a prediction and above it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sides {
    /// How far the logarithm may be lower.
    pub below: f64,
    /// How far it may be higher; infinite where an open loop may be overloaded.
    pub above: f64,
}

impl Sides {
    /// With an independent error of the same scale on both sides.
    pub fn with(self, scatter: f64) -> Self {
        Self { below: self.below.hypot(scatter), above: self.above.hypot(scatter) }
    }

    /// The larger of two on each side.
    pub fn max(self, other: Self) -> Self {
        Self { below: self.below.max(other.below), above: self.above.max(other.above) }
    }

    /// A value that lies at `distance` of the logarithm from the prediction, in scales of its side.
    pub fn score(self, distance: f64) -> f64 {
        distance.abs() / if distance > 0.0 { self.above } else { self.below }
    }
}

/// Values of parameters and independent axes of their uncertainty, as moves of the coordinates by 1.645 standard
/// deviations.
#[derive(Debug, Clone)]
pub struct Spread {
    values: Vec<f64>,
    axes: Vec<Vec<f64>>,
}

/// Latencies of a prediction as logarithms over those of another: TTFT, ITL.
type Change = [f64; 2];

impl Spread {
    /// Around values, for a covariance of their coordinates.
    pub fn new(values: &[f64], covariance: &DMatrix<f64>) -> Self {
        let columns = factor(covariance).into_iter();
        let axes = columns.map(|column| column.into_iter().map(|x| x * REACH).collect());
        Self { values: values.to_vec(), axes: axes.collect() }
    }

    /// Values at a point given by its coordinates on the axes; no parameter leaves what it can be.
    fn at(&self, parameters: &[Parameter], point: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut moves = vec![0.0; self.values.len()];
        for (axis, along) in self.axes.iter().zip(point) {
            for (sum, share) in moves.iter_mut().zip(axis) {
                *sum += along * share;
            }
        }
        let moved = parameters.iter().zip(&self.values).zip(moves);
        moved.map(|((parameter, &value), by)| if by == 0.0 { value } else { parameter.moved(value, by) }).collect()
    }

    /// Standard deviations of ln TTFT and ln ITL that the parameters make around a prediction.
    pub fn deviations(&self, predictor: &dyn Predictor, workload: &Workload, prediction: &Prediction) -> [Sides; 2] {
        let change = |point: &dyn Fn(usize) -> f64| -> Change {
            let values = self.at(predictor.parameters(), (0..self.axes.len()).map(point));
            let moved = predictor.predict(workload, &values);
            [moved.ttft / prediction.ttft, moved.itl / prediction.itl].map(logarithm)
        };
        let unit = |axis: usize, reach: f64| change(&|other| if other == axis { reach } else { 0.0 });
        let pairs: Vec<[Change; 2]> = (0..self.axes.len()).map(|axis| [unit(axis, 1.0), unit(axis, -1.0)]).collect();
        [0, 1].map(|metric| {
            // The farthest change on each axis towards a side, with its sign on the axis.
            let side = |sign: f64| {
                let farthest: Vec<(f64, f64)> = pairs
                    .iter()
                    .map(|pair| {
                        let [forth, back] = pair.map(|change| (sign * change[metric]).max(0.0));
                        if forth >= back { (forth, 1.0) } else { (back, -1.0) }
                    })
                    .collect();
                let most = farthest.iter().map(|(change, _)| *change).fold(0.0, f64::max);
                let length = farthest.iter().map(|(change, _)| change * change).sum::<f64>().sqrt();
                if most == 0.0 || most.is_infinite() {
                    return most;
                }
                let together = change(&|axis| farthest[axis].1 * farthest[axis].0 / length)[metric];
                (sign * together).max(most)
            };
            Sides { below: side(-1.0) / REACH, above: side(1.0) / REACH }
        })
    }
}

/// Columns of the lower triangular factor L of a covariance, `C = L·Lᵀ`, without those that are zero: what is not known of
/// one parameter, and what that means for the later ones. (The factor of Cholesky; a covariance may be singular. Unlike
/// eigenvectors it does not turn where two variances are equal.)
fn factor(covariance: &DMatrix<f64>) -> Vec<Vec<f64>> {
    let size = covariance.nrows();
    let mut rest = covariance.clone();
    let mut columns = Vec::new();
    for pivot in 0..size {
        let variance = rest[(pivot, pivot)];
        if variance <= ROUNDING * covariance[(pivot, pivot)] {
            continue;
        }
        let column: Vec<f64> =
            (0..size).map(|row| if row < pivot { 0.0 } else { rest[(row, pivot)] / variance.sqrt() }).collect();
        for (row, a) in column.iter().enumerate() {
            for (other, b) in column.iter().enumerate() {
                rest[(row, other)] -= a * b;
            }
        }
        columns.push(column);
    }
    columns
}

/// Logarithm of a ratio of latencies; 0 for an overload compared with itself.
fn logarithm(ratio: f64) -> f64 {
    if ratio.is_nan() { 0.0 } else { ratio.ln() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimator;
    use crate::spec::Catalog;
    use crate::workload::LoadKind;

    /// The serving estimator on the shipped 8B scenario at its priors, and the spread of variances of some parameters.
    fn spread(load: LoadKind, variances: &[(&str, f64)]) -> (Box<dyn Predictor>, Vec<f64>, Spread) {
        let catalog = Catalog::built_in();
        let scenario = catalog.resolve(&catalog.scenario_folder("llama31_8b_fp8_tp1").unwrap()).unwrap();
        let predictor = estimator::by_name("serving").unwrap().prepare(&scenario.system, load, &[]).unwrap();
        let values: Vec<f64> = predictor.parameters().iter().map(|p| p.default).collect();
        let mut covariance = DMatrix::zeros(values.len(), values.len());
        for (name, variance) in variances {
            let place = predictor.parameters().iter().position(|p| p.name == *name).unwrap();
            covariance[(place, place)] = *variance;
        }
        let spread = Spread::new(&values, &covariance);
        (predictor, values, spread)
    }

    #[test]
    fn the_factor_multiplies_back_to_the_covariance_even_if_that_is_singular() {
        // The third parameter is the sum of the first two, the fourth is known.
        let full = DMatrix::from_row_slice(3, 2, &[2.0, 0.0, -1.0, 3.0, 1.0, 3.0]);
        let mut covariance = DMatrix::zeros(4, 4);
        covariance.view_mut((0, 0), (3, 3)).copy_from(&(&full * full.transpose()));
        let columns = factor(&covariance);
        assert_eq!(columns.len(), 2);
        let back = columns.iter().fold(DMatrix::zeros(4, 4), |sum, column| {
            let column = nalgebra::DVector::from_column_slice(column);
            sum + &column * column.transpose()
        });
        assert!((back - covariance).abs().max() < 1e-12);
    }

    #[test]
    fn where_a_prediction_is_nearly_linear_the_deviation_is_the_gradients() {
        let name = "layer_overhead_us";
        let (predictor, values, spread) = spread(LoadKind::ClosedLoop, &[(name, 1e-6)]);
        let workload = Workload::new(1000.0, 1000.0, 8.0).unwrap();
        let prediction = predictor.predict(&workload, &values);
        let [_, itl] = spread.deviations(predictor.as_ref(), &workload, &prediction);
        let mut moved = values.clone();
        let place = predictor.parameters().iter().position(|p| p.name == name).unwrap();
        moved[place] *= 1.0 + 1e-6;
        let gradient = (predictor.predict(&workload, &moved).itl / prediction.itl).ln() / 1e-6;
        for side in [itl.below, itl.above] {
            assert!((side / (gradient * 1e-3) - 1.0).abs() < 1e-2, "{itl:?} {gradient}");
        }
    }

    #[test]
    fn near_the_capacity_an_open_loop_may_be_overloaded_but_never_faster_than_without_a_queue() {
        let (predictor, values, spread) = spread(
            LoadKind::OpenLoop,
            &[("memory_efficiency", 0.01), ("gemm_efficiency", 0.01), ("layer_overhead_us", 0.04)],
        );
        let at = |rate| Workload::under(LoadKind::OpenLoop, 1000.0, 200.0, rate).unwrap();
        let capacity = predictor.predict(&at(1.0), &values).open_loop.unwrap().capacity_rps;
        for (share, may_overload) in [(0.5, false), (0.999, true)] {
            let workload = at(share * capacity);
            let prediction = predictor.predict(&workload, &values);
            let [ttft, itl] = spread.deviations(predictor.as_ref(), &workload, &prediction);
            assert_eq!(ttft.above.is_infinite(), may_overload);
            assert!(itl.above < 1.0, "{itl:?}");
            let unloaded = predictor.predict(&at(1e-6), &values).ttft;
            assert!(prediction.ttft * (-REACH * ttft.below).exp() > unloaded * 0.9, "{ttft:?}");
        }
    }

    #[test]
    fn below_the_last_place_a_queue_is_only_a_danger() {
        // More clients than fit with a smaller cache, fewer than fit with the expected one.
        let (predictor, values, spread) = spread(LoadKind::ClosedLoop, &[("kv_memory_share", 0.01)]);
        let clients = |clients| Workload::new(5000.0, 500.0, clients).unwrap();
        let prediction = predictor.predict(&clients(1e4), &values);
        let places = prediction.running.ceil();
        let workload = clients(0.95 * places);
        let [ttft, _] = spread.deviations(predictor.as_ref(), &workload, &predictor.predict(&workload, &values));
        assert!(ttft.above > 0.1 && ttft.below < 1e-6, "{ttft:?}");
    }
}
