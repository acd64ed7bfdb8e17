//! Two samples of one dimension: the second against the first.

use serde::Serialize;

use super::sample::{SampleStudy, has, is_reliable};
use super::{Settings, Verdict};
use crate::stats::{
    BootstrapInterval, BrunnerMunzel, Dominance, IntervalMethod, KolmogorovSmirnov, Shift, Welch, acceleration,
    bootstrap_p, brunner_munzel, cohen_d, hodges_lehmann, interval, kolmogorov_smirnov, mann_whitney_p, welch,
};

/// How a quantile differs, second minus first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QuantileDifference {
    /// Probability.
    pub p: f64,
    /// Difference.
    pub difference: f64,
    /// Its interval.
    pub interval: BootstrapInterval,
    /// Ratio, second to first.
    pub ratio: f64,
    /// Its interval.
    pub ratio_interval: BootstrapInterval,
    /// p value of "no difference".
    pub p_value: f64,
    /// The same adjusted for all quantiles and dimensions.
    pub p_holm: f64,
    /// Whether both samples are large enough for it.
    pub reliable: bool,
    /// What the ratio's interval says.
    pub verdict: Verdict,
}

/// A point of the shift function.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShiftPoint {
    /// Probability.
    pub p: f64,
    /// Difference of the quantiles, second minus first.
    pub difference: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The second sample against the first.
#[derive(Debug, Clone, PartialEq)]
pub struct PairStudy {
    /// Its quantiles.
    pub quantiles: Vec<QuantileDifference>,
    /// Differences from low to high quantiles.
    pub shift_function: Vec<ShiftPoint>,
    /// Which sample tends to be larger.
    pub dominance: Dominance,
    /// Mann–Whitney; `None` where all values are equal.
    pub mann_whitney_p: Option<f64>,
    /// The same adjusted for all dimensions.
    pub mann_whitney_holm: Option<f64>,
    /// Kolmogorov–Smirnov.
    pub ks: KolmogorovSmirnov,
    /// Brunner–Munzel; `None` where the samples lie apart or are too small.
    pub brunner_munzel: Option<BrunnerMunzel>,
    /// Hodges–Lehmann.
    pub shift: Shift,
    /// Welch's test of the means; `None` where nothing varies.
    pub welch: Option<Welch>,
    /// Cohen's d.
    pub cohen_d: Option<f64>,
    /// Requests in a block, and the interval of the medians' difference when blocks of neighbours are drawn instead of requests.
    pub blocks: Option<(usize, BootstrapInterval)>,
}

/// Resampled quantiles of both samples at one level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resampled<'a> {
    pub first: &'a [f64],
    pub second: &'a [f64],
}

impl Resampled<'_> {
    fn map(self, statistic: Statistic) -> Vec<f64> {
        self.first.iter().zip(self.second).map(|(a, b)| statistic(*a, *b)).collect()
    }
}

/// A statistic of a quantile of the first sample and of the second.
type Statistic = fn(f64, f64) -> f64;

const DIFFERENCE: Statistic = |a, b| b - a;
const RATIO: Statistic = |a, b| b / a;

/// A statistic of a quantile, the value that it takes on each resample, and its interval. `None` where one of them is not finite: a
/// quantile that may be 0 has no ratio.
fn estimate(
    sides: [&SampleStudy; 2],
    p: f64,
    resampled: Resampled<'_>,
    statistic: Statistic,
    settings: &Settings,
) -> Option<(f64, Vec<f64>, BootstrapInterval)> {
    let [first, second] = sides.map(|study| &study.sample);
    let (a, b) = (settings.rule.of(&first.sorted, p)?, settings.rule.of(&second.sorted, p)?);
    let value = statistic(a, b);
    let resamples = resampled.map(statistic);
    if !value.is_finite() || !resamples.iter().all(|value| value.is_finite()) {
        return None;
    }
    let left_out = [
        first.leave_one_out(p, settings.rule).map(|a| statistic(a, b)),
        second.leave_one_out(p, settings.rule).map(|b| statistic(a, b)),
    ];
    let methods = [first, second].map(|sample| sample.method(settings, settings.block));
    let method = if methods.contains(&IntervalMethod::Percentile) { IntervalMethod::Percentile } else { methods[0] };
    let found = interval(&resamples, value, acceleration(&left_out), settings.confidence, method);
    Some((value, resamples, found))
}

fn quantile(
    sides: [&SampleStudy; 2],
    p: f64,
    resampled: Resampled<'_>,
    settings: &Settings,
) -> Option<QuantileDifference> {
    let (difference, differences, interval) = estimate(sides, p, resampled, DIFFERENCE, settings)?;
    let (ratio, _, ratio_interval) = estimate(sides, p, resampled, RATIO, settings)?;
    let p_value = bootstrap_p(&differences, 0.0);
    Some(QuantileDifference {
        p,
        difference,
        interval,
        ratio,
        ratio_interval,
        p_value,
        p_holm: p_value,
        reliable: sides.iter().all(|side| is_reliable(side.sample.sorted.len(), p)),
        verdict: Verdict::of(ratio_interval.low, ratio_interval.high, settings.smallest_effect),
    })
}

impl PairStudy {
    /// Of two studied samples; the resamples are those at the settings' quantiles, then at the levels of the shift function, and,
    /// where the order of requests is kept, of the medians of blocks.
    pub(super) fn new(
        sides: [&SampleStudy; 2],
        settings: &Settings,
        quantiles: &[Resampled<'_>],
        shifts: &[(f64, Resampled<'_>)],
        blocks: Option<(usize, Resampled<'_>)>,
    ) -> Option<Self> {
        let [first, second] = sides.map(|study| study.sample.sorted.as_slice());
        let enough = |p: f64| has(first.len().min(second.len()), p);
        let dominance = Dominance::of(first, second)?;
        let mann_whitney = mann_whitney_p(first, second);
        let shift_function = shifts
            .iter()
            .filter(|(p, _)| enough(*p))
            .map(|(p, resampled)| {
                let (difference, _, interval) = estimate(sides, *p, *resampled, DIFFERENCE, settings)?;
                Some(ShiftPoint { p: *p, difference, low: interval.low, high: interval.high })
            })
            .collect::<Option<Vec<_>>>()?;
        let of_blocks = |(length, resampled): (usize, Resampled<'_>)| {
            let median = |sorted: &[f64]| settings.rule.of(sorted, 0.5);
            let estimate = median(second)? - median(first)?;
            let differences = resampled.map(DIFFERENCE);
            Some((length, interval(&differences, estimate, 0.0, settings.confidence, IntervalMethod::Percentile)))
        };
        Some(Self {
            quantiles: settings
                .quantiles
                .iter()
                .zip(quantiles)
                .filter(|(p, _)| enough(**p))
                .filter_map(|(p, resampled)| quantile(sides, *p, *resampled, settings))
                .collect(),
            shift_function,
            dominance,
            mann_whitney_p: mann_whitney,
            mann_whitney_holm: mann_whitney,
            ks: kolmogorov_smirnov(first, second)?,
            brunner_munzel: brunner_munzel(first, second),
            shift: hodges_lehmann(first, second, settings.confidence)?,
            welch: welch(&sides[0].moments, &sides[1].moments),
            cohen_d: cohen_d(&sides[0].moments, &sides[1].moments),
            blocks: blocks.and_then(of_blocks),
        })
    }
}
