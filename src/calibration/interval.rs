//! How far a prediction can be trusted: parameter covariance and the scatter of residuals, by regime.
//!
//! An interval is `exp(±q·s)` around a predicted latency, with `s² = scatter² + deviation²` on each side: the scatter of
//! ln(measured/predicted) in the regime of the row, and what the covariance of the parameters makes of it
//! ([`super::propagation`]). The first is what the model cannot explain anywhere, the second grows with the distance from
//! the data.
//! The quantile q is not taken from a normal distribution but from the rows that fits did not see (conformal prediction:
//! Lei, G'Sell, Rinaldo, Tibshirani, Wasserman 2018, <https://doi.org/10.1080/01621459.2017.1307116>, section 2).

use serde::{Deserialize, Serialize};

use super::left_out::LeftOut;
use super::loss::log_ratios;
use super::propagation::{Sides, Spread};
use crate::dataset::Measurement;
use crate::estimator::Predictor;
use crate::prediction::{Limit, Part, Prediction};
use crate::units::Seconds;
use crate::workload::{LoadKind, Workload};

/// Share of measurements that an interval is to hold.
pub const LEVEL: f64 = 0.9;

/// Two-sided quantile of a normal distribution at [`LEVEL`], used where no left-out rows ask for more.
const NORMAL_QUANTILE: f64 = 1.645;

/// Rows at the scatter of all rows that a regime's own rows are mixed with, so that a regime of few rows claims little.
const SHARED_ROWS: f64 = 2.0;

/// Above all that a fit can say of its uncertainty; products of two are still finite.
pub(super) const LARGEST: f64 = 1e100;

/// What makes rows alike in how well they are predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Regime {
    /// One request, or one batch, at a time: nothing waits for anything.
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

/// The regime of a workload's predicted operating point.
pub fn regime(workload: &Workload, prediction: &Prediction) -> Regime {
    match prediction.limit {
        Limit::Clients if workload.kind() == LoadKind::StaticBatch => Regime::Alone,
        Limit::KvMemory | Limit::MaxSequences | Limit::TokenBudget => Regime::Queued,
        Limit::Clients if prediction.running + prediction.waiting <= 1.5 => Regime::Alone,
        Limit::Clients => Regime::Shared,
    }
}

/// How much a predicted operating point is of each regime; the shares sum to 1 and change without a step.
///
/// It is queued by the part of TTFT that waits for admission. The rest is shared by `1 − 1/n` where n requests are there at
/// once.
fn regime_shares(workload: &Workload, prediction: &Prediction) -> [f64; Regime::ALL.len()] {
    if workload.kind() == LoadKind::StaticBatch {
        return [1.0, 0.0, 0.0];
    }
    let wait = prediction.ttft_parts.get(Part::QueueWait);
    let queued = if wait.get().is_finite() { wait / prediction.ttft } else { 1.0 };
    let alone = 1.0 / (prediction.running + prediction.waiting).max(1.0);
    [(1.0 - queued) * alone, (1.0 - queued) * (1.0 - alone), queued]
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
    /// `exp(−q·below)` to `exp(q·above)` times a latency; one that has no end is all there is to say.
    pub fn around(latency: Seconds, quantile: f64, scale: Sides) -> Self {
        if latency.get().is_infinite() {
            return Self { low: latency, high: latency };
        }
        Self { low: latency * (-quantile * scale.below).exp(), high: latency * (quantile * scale.above).exp() }
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
    /// Scatter of the rows of a member of a fit; `freedom` allows for the parameters that they were fitted with.
    pub(super) fn of_rows<'a>(rows: impl Iterator<Item = (&'a Measurement, Prediction)>, freedom: f64) -> Self {
        let mut squares = [[0.0; 2]; Regime::ALL.len()];
        let mut counts = [0.0; Regime::ALL.len()];
        for (row, prediction) in rows {
            let place = regime(&row.workload, &prediction) as usize;
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

    /// What can be said of a system without any measurement of it: left out of the static batches behind the priors, devices,
    /// degrees and precisions scatter by 0.06 in ITL and 0.1 in the TTFT of prompts that meet nobody; a server adds queues
    /// and clients to TTFT. The spread of parameters comes on top.
    pub fn unknown() -> Self {
        let scatter = Regime::ALL.map(|regime| {
            let ttft = if regime == Regime::Alone { 0.1 } else { 0.3 };
            Scatter { regime, rows: 0, ttft, itl: 0.06 }
        });
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

    /// For a system that was not measured: no less scatter than of one of which nothing is known.
    pub fn of_stranger(mut self) -> Self {
        for (scatter, unknown) in self.scatter.iter_mut().zip(Self::unknown().scatter) {
            scatter.ttft = scatter.ttft.max(unknown.ttft);
            scatter.itl = scatter.itl.max(unknown.itl);
        }
        self
    }

    /// Whether every number can be what it is said to be, and is so small that its square is one, too.
    pub fn is_sound(&self) -> bool {
        let scatter = self.scatter.iter().flat_map(|scatter| [scatter.ttft, scatter.itl]);
        scatter.chain([self.ttft_quantile, self.itl_quantile]).all(|value| (0.0..=LARGEST).contains(&value))
    }

    /// With the quantiles of left-out rows.
    pub fn with_left_out(mut self, rows: &[LeftOut]) -> Self {
        if let Some([ttft, itl]) = quantiles(rows.iter()) {
            (self.ttft_quantile, self.itl_quantile, self.left_out_rows) = (ttft, itl, rows.len());
        }
        self
    }

    /// Scales of the errors that are expected of ln TTFT and ln ITL.
    pub fn scales(
        &self,
        predictor: &dyn Predictor,
        workload: &Workload,
        prediction: &Prediction,
        spread: &Spread,
    ) -> [Sides; 2] {
        let shares = regime_shares(workload, prediction);
        let scatter = |pick: fn(&Scatter) -> f64| {
            self.scatter
                .iter()
                .map(|scatter| shares[scatter.regime as usize] * pick(scatter).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        let [ttft, itl] = spread.deviations(predictor, workload, prediction);
        [ttft.with(scatter(|s| s.ttft)), itl.with(scatter(|s| s.itl))]
    }

    /// Intervals of TTFT and ITL of a prediction with the given scales.
    pub fn intervals(&self, prediction: &Prediction, [ttft, itl]: [Sides; 2]) -> [Interval; 2] {
        [
            Interval::around(prediction.ttft, self.ttft_quantile, ttft),
            Interval::around(prediction.itl, self.itl_quantile, itl),
        ]
    }
}

/// The smallest half widths in scales that hold [`LEVEL`] of the rows, `⌈(n + 1)·level⌉`-th of n, and no less than a normal
/// distribution of that scale has: a few folds that came out well are no reason to claim more than the scales do.
fn quantiles<'a>(rows: impl Iterator<Item = &'a LeftOut>) -> Option<[f64; 2]> {
    let mut scores = [Vec::new(), Vec::new()];
    for left_out in rows {
        let ratios = log_ratios(&left_out.measured, &left_out.prediction);
        for metric in 0..2 {
            scores[metric].push(left_out.scales[metric].score(-ratios[metric]));
        }
    }
    let count = scores[0].len();
    if count == 0 {
        return None;
    }
    let rank = (((count + 1) as f64 * LEVEL).ceil() as usize).min(count);
    Some(scores.map(|mut scores| {
        scores.sort_by(f64::total_cmp);
        scores[rank - 1].max(NORMAL_QUANTILE)
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
pub fn covered(rows: &[LeftOut]) -> Vec<CoveredRow> {
    rows.iter()
        .map(|left_out| {
            let others = rows.iter().filter(|other| other.fold != left_out.fold);
            let quantiles = quantiles(others).unwrap_or([NORMAL_QUANTILE; 2]);
            let prediction = left_out.prediction;
            CoveredRow {
                measured: left_out.measured,
                prediction,
                ttft: Interval::around(prediction.ttft, quantiles[0], left_out.scales[0]),
                itl: Interval::around(prediction.itl, quantiles[1], left_out.scales[1]),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimator;
    use crate::spec::Catalog;

    /// Twenty left-out rows that were measured at a multiple of their prediction.
    fn left_out(times: f64, scales: Sides) -> Vec<LeftOut> {
        let catalog = Catalog::built_in();
        let scenario = catalog.resolve(&catalog.scenario_folder("llama31_8b_fp8_tp1").unwrap()).unwrap();
        let predictor =
            estimator::by_name("serving").unwrap().prepare(&scenario.system, LoadKind::ClosedLoop, &[]).unwrap();
        let values: Vec<f64> = predictor.parameters().iter().map(|p| p.default).collect();
        let row = |clients: u32| {
            let workload = Workload::new(1000.0, 1000.0, f64::from(clients)).unwrap();
            let prediction = predictor.predict(&workload, &values);
            let measured = Measurement {
                workload,
                ttft: prediction.ttft * times,
                itl: prediction.itl * times,
                throughput: None,
                line: 1,
            };
            LeftOut { measured, prediction, scales: [scales; 2], fold: clients as usize }
        };
        (1..=20).map(row).collect()
    }

    #[test]
    fn what_was_measured_above_its_prediction_counts_in_scales_of_that_side() {
        let scales = Sides { below: 0.01, above: 0.1 };
        let quantile = |times: f64| quantiles(left_out(times, scales).iter()).unwrap()[0];
        assert!((quantile(0.3f64.exp()) - 3.0).abs() < 1e-9);
        assert!((quantile((-0.3f64).exp()) - 30.0).abs() < 1e-9);
        assert_eq!(coverage_pct(&covered(&left_out(0.3f64.exp(), scales))), [100.0; 2]);
    }

    #[test]
    fn folds_that_came_out_well_do_not_narrow_an_interval() {
        let rows = left_out(1.001, Sides { below: 0.1, above: 0.1 });
        assert_eq!(quantiles(rows.iter()), Some([NORMAL_QUANTILE; 2]));
    }
}
