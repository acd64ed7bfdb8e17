//! How far a prediction can be trusted: parameter covariance and the scatter of residuals, by regime.
//!
//! An interval is `exp(±q·s)` around a predicted latency, with `s² = scatter² + gᵀ·C·g`: the scatter of ln(measured /
//! predicted) in the regime of the row, and what the covariance C of the parameters makes of it through the gradient g of
//! the logarithm. The first is what the model cannot explain anywhere, the second grows with the distance from the data.
//! The quantile q is not taken from a normal distribution but from the rows that fits did not see (conformal prediction:
//! Lei, G'Sell, Rinaldo, Tibshirani, Wasserman 2018, <https://doi.org/10.1080/01621459.2017.1307116>, section 2).

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::fit::Fit;
use super::loss::log_ratios;
use super::problem::Member;
use super::validation::LeftOut;
use crate::dataset::Measurement;
use crate::estimator::Predictor;
use crate::prediction::{Limit, Prediction};
use crate::units::Seconds;
use crate::workload::Workload;

/// Share of measurements that an interval is to hold.
pub const LEVEL: f64 = 0.9;

/// Two-sided quantile of a normal distribution at [`LEVEL`], used where no left-out rows say better.
const NORMAL_QUANTILE: f64 = 1.645;

/// Step of the numerical gradient in a parameter's coordinate.
const GRADIENT_STEP: f64 = 1e-4;

/// Rows at the scatter of all rows that a regime's own rows are mixed with, so that a regime of few rows claims little.
const SHARED_ROWS: f64 = 2.0;

/// What makes rows alike in how well they are predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// One request at a time.
    Alone,
    /// Several requests, none waits for admission.
    Shared,
    /// More requests than the engine admits.
    Queued,
}

impl Regime {
    const ALL: [Self; 3] = [Self::Alone, Self::Shared, Self::Queued];

    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Shared => "shared",
            Self::Queued => "queued",
        }
    }
}

/// The regime of a predicted operating point.
pub fn regime(prediction: &Prediction) -> Regime {
    match prediction.limit {
        Limit::KvMemory | Limit::MaxSequences => Regime::Queued,
        Limit::Clients if prediction.running + prediction.waiting <= 1.5 => Regime::Alone,
        Limit::Clients => Regime::Shared,
    }
}

/// A latency with the interval that holds it in [`LEVEL`] of the cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: Seconds,
    /// Upper end.
    pub high: Seconds,
}

impl Interval {
    /// `exp(±half_width)` around a latency.
    pub fn around(latency: Seconds, half_width: f64) -> Self {
        Self { low: latency * (-half_width).exp(), high: latency * half_width.exp() }
    }

    /// Whether it holds a latency.
    pub fn holds(&self, latency: Seconds) -> bool {
        self.low <= latency && latency <= self.high
    }
}

/// Scatter of the residuals ln(measured/predicted) of TTFT and ITL in one regime.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scatter {
    /// Which rows.
    pub regime: Regime,
    /// How many.
    pub rows: usize,
    /// Of TTFT.
    pub ttft: f64,
    /// Of ITL.
    pub itl: f64,
}

/// Scatter by regime, and the quantiles that turn a scale into an interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Uncertainty {
    /// Every regime, also those without rows.
    pub scatter: Vec<Scatter>,
    /// Half width of the interval of TTFT in scales.
    pub ttft_quantile: f64,
    /// The same of ITL.
    pub itl_quantile: f64,
    /// Left-out rows that the quantiles come from; 0: they are those of a normal distribution.
    pub left_out_rows: usize,
}

impl Uncertainty {
    /// Scatter of each member's own rows in a fit, allowing for the parameters that they were fitted with.
    pub fn of_fit(fit: &Fit, members: &[Member<'_>]) -> Vec<Self> {
        let slots = fit.values();
        let residuals = 2.0 * members.iter().map(|member| member.rows.len()).sum::<usize>() as f64;
        let freedom = residuals / (residuals - fit.free_count() as f64).max(1.0);
        members
            .iter()
            .enumerate()
            .map(|(index, member)| {
                let predicted = member.rows.iter().map(|row| (row, fit.problem.predict(index, row, &slots)));
                Self::of_rows(predicted, freedom)
            })
            .collect()
    }

    fn of_rows<'a>(rows: impl Iterator<Item = (&'a Measurement, Prediction)>, freedom: f64) -> Self {
        let mut squares = [[0.0; 2]; Regime::ALL.len()];
        let mut counts = [0.0; Regime::ALL.len()];
        for (row, prediction) in rows {
            let place = regime(&prediction) as usize;
            counts[place] += 1.0;
            for (sum, error) in squares[place].iter_mut().zip(log_ratios(row, &prediction)) {
                *sum += error * error;
            }
        }
        let all: f64 = counts.iter().sum();
        let mean = |metric: usize| squares.iter().map(|square| square[metric]).sum::<f64>() / all;
        let scatter = Regime::ALL
            .into_iter()
            .map(|regime| {
                let (square, count) = (squares[regime as usize], counts[regime as usize]);
                let of = |metric: usize| {
                    (freedom * (square[metric] + SHARED_ROWS * mean(metric)) / (count + SHARED_ROWS)).sqrt()
                };
                Scatter { regime, rows: count as usize, ttft: of(0), itl: of(1) }
            })
            .collect();
        Self { scatter, ttft_quantile: NORMAL_QUANTILE, itl_quantile: NORMAL_QUANTILE, left_out_rows: 0 }
    }

    /// What can be said of a system without any measurement: the scatter of left-out devices of the static batches behind
    /// the priors is 0.06 of ITL; a server adds queues and clients to TTFT. The spread of the priors comes on top.
    pub fn unknown() -> Self {
        let scatter = Regime::ALL.map(|regime| Scatter { regime, rows: 0, ttft: 0.3, itl: 0.06 });
        Self {
            scatter: scatter.to_vec(),
            ttft_quantile: NORMAL_QUANTILE,
            itl_quantile: NORMAL_QUANTILE,
            left_out_rows: 0,
        }
    }

    /// What several scenarios say together of one that is none of them: the mean square of their scatters, the mean of
    /// their quantiles.
    ///
    /// # Panics
    /// There is none.
    pub fn together(all: &[&Self]) -> Self {
        let count = all.len() as f64;
        let mean = |value: &dyn Fn(&Self) -> f64| all.iter().map(|one| value(one)).sum::<f64>() / count;
        let scatter = Regime::ALL
            .into_iter()
            .map(|regime| {
                let of = |one: &Self| one.scatter.iter().find(|scatter| scatter.regime == regime).copied();
                let square = |pick: fn(&Scatter) -> f64| {
                    mean(&|one| of(one).map_or(0.0, |scatter| pick(&scatter).powi(2))).sqrt()
                };
                let rows = all.iter().filter_map(|one| of(one)).map(|scatter| scatter.rows).sum();
                Scatter { regime, rows, ttft: square(|s| s.ttft), itl: square(|s| s.itl) }
            })
            .collect();
        Self {
            scatter,
            ttft_quantile: mean(&|one| one.ttft_quantile),
            itl_quantile: mean(&|one| one.itl_quantile),
            left_out_rows: all.iter().map(|one| one.left_out_rows).sum(),
        }
    }

    /// Whether every number can be what it is said to be.
    pub fn is_sound(&self) -> bool {
        let scatter = self.scatter.iter().flat_map(|scatter| [scatter.ttft, scatter.itl]);
        scatter.chain([self.ttft_quantile, self.itl_quantile]).all(|value| value.is_finite() && value >= 0.0)
    }

    /// With the quantiles of left-out rows, given as (measured, left out).
    pub fn with_left_out(mut self, rows: &[(Measurement, LeftOut)]) -> Self {
        if let Some([ttft, itl]) = quantiles(rows.iter()) {
            (self.ttft_quantile, self.itl_quantile, self.left_out_rows) = (ttft, itl, rows.len());
        }
        self
    }

    /// Scale of the error that is expected of ln TTFT and ln ITL.
    pub fn scale(
        &self,
        predictor: &dyn Predictor,
        workload: &Workload,
        values: &[f64],
        covariance: &DMatrix<f64>,
        regime: Regime,
    ) -> [f64; 2] {
        let known = self.scatter.iter().find(|scatter| scatter.regime == regime);
        let (ttft, itl) = known.map_or((0.0, 0.0), |scatter| (scatter.ttft, scatter.itl));
        let [from_ttft, from_itl] = propagated(predictor, workload, values, covariance);
        [(ttft * ttft + from_ttft).sqrt(), (itl * itl + from_itl).sqrt()]
    }

    /// Half widths of the intervals of ln TTFT and ln ITL at a scale.
    pub fn half_widths(&self, scale: [f64; 2]) -> [f64; 2] {
        [self.ttft_quantile * scale[0], self.itl_quantile * scale[1]]
    }
}

/// Variances of ln TTFT and ln ITL that the covariance of the parameters makes, `gᵀ·C·g`.
fn propagated(predictor: &dyn Predictor, workload: &Workload, values: &[f64], covariance: &DMatrix<f64>) -> [f64; 2] {
    let mut gradients = [DVector::zeros(values.len()), DVector::zeros(values.len())];
    let mut moved = values.to_vec();
    for (index, parameter) in predictor.parameters().iter().enumerate() {
        if covariance[(index, index)] <= 0.0 {
            continue;
        }
        let mut at = |by: f64| {
            moved[index] = parameter.shifted(values[index], by);
            predictor.predict(workload, &moved)
        };
        let (above, below) = (at(GRADIENT_STEP), at(-GRADIENT_STEP));
        moved[index] = values[index];
        gradients[0][index] = (above.ttft / below.ttft).ln() / (2.0 * GRADIENT_STEP);
        gradients[1][index] = (above.itl / below.itl).ln() / (2.0 * GRADIENT_STEP);
    }
    gradients.map(|gradient| gradient.dot(&(covariance * &gradient)).max(0.0))
}

/// The smallest half widths in scales that hold [`LEVEL`] of the rows, `⌈(n + 1)·level⌉`-th of n.
fn quantiles<'a>(rows: impl Iterator<Item = &'a (Measurement, LeftOut)>) -> Option<[f64; 2]> {
    let mut scores = [Vec::new(), Vec::new()];
    for (row, left_out) in rows {
        let errors = log_ratios(row, &left_out.prediction);
        for metric in 0..2 {
            scores[metric].push(errors[metric].abs() / left_out.scale[metric]);
        }
    }
    let count = scores[0].len();
    if count == 0 {
        return None;
    }
    let rank = (((count + 1) as f64 * LEVEL).ceil() as usize).min(count);
    Some(scores.map(|mut scores| {
        scores.sort_by(f64::total_cmp);
        scores[rank - 1]
    }))
}

/// A left-out row with the interval that the other folds give it.
#[derive(Debug, Clone, Copy)]
pub struct CoveredRow {
    /// What was measured.
    pub measured: Measurement,
    /// What a fit that did not see it predicts.
    pub prediction: Prediction,
    /// Interval of TTFT.
    pub ttft: Interval,
    /// Interval of ITL.
    pub itl: Interval,
}

/// Intervals of left-out rows: their scales from the fold that left them out, the quantiles from all other folds.
pub fn covered(rows: &[(Measurement, LeftOut)]) -> Vec<CoveredRow> {
    rows.iter()
        .map(|(measured, left_out)| {
            let others = rows.iter().filter(|(_, other)| other.fold != left_out.fold);
            let quantiles = quantiles(others).unwrap_or([NORMAL_QUANTILE; 2]);
            let prediction = left_out.prediction;
            CoveredRow {
                measured: *measured,
                prediction,
                ttft: Interval::around(prediction.ttft, quantiles[0] * left_out.scale[0]),
                itl: Interval::around(prediction.itl, quantiles[1] * left_out.scale[1]),
            }
        })
        .collect()
}

/// Share of rows whose TTFT and ITL lie inside their intervals, in percent.
pub fn coverage_pct(rows: &[CoveredRow]) -> [f64; 2] {
    let share = |inside: fn(&CoveredRow) -> bool| {
        100.0 * rows.iter().filter(|row| inside(row)).count() as f64 / rows.len().max(1) as f64
    };
    [share(|row| row.ttft.holds(row.measured.ttft)), share(|row| row.itl.holds(row.measured.itl))]
}
