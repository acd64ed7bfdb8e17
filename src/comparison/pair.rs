//! Two samples of one dimension: the second against the first.

use super::sample::{SampleStudy, fewest};
use super::{Settings, Verdict};
use crate::stats::{
    BootstrapInterval, BrunnerMunzel, Dominance, IntervalMethod, KolmogorovSmirnov, Shift, Welch, acceleration,
    bootstrap_p, brunner_munzel, cohen_d, hodges_lehmann, interval, kolmogorov_smirnov, mann_whitney_p, welch,
};

/// How a quantile differs, second minus first.
#[derive(Debug, Clone, Copy, PartialEq)]
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
#[derive(Debug, Clone, Copy, PartialEq)]
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
    fn differences(self) -> Vec<f64> {
        self.first.iter().zip(self.second).map(|(a, b)| b - a).collect()
    }
}

/// Difference of a quantile with its interval.
fn difference(
    [first, second]: [&SampleStudy; 2],
    p: f64,
    resampled: Resampled<'_>,
    settings: &Settings,
) -> Option<(f64, BootstrapInterval)> {
    let at = |study: &SampleStudy| settings.rule.of(&study.sample.sorted, p);
    let (a, b) = (at(first)?, at(second)?);
    let left_out = [
        first.sample.leave_one_out(p, settings.rule).map(|a| b - a),
        second.sample.leave_one_out(p, settings.rule).map(|b| b - a),
    ];
    let method = method([first, second], settings);
    let accelerated = acceleration(&left_out);
    Some((b - a, interval(&resampled.differences(), b - a, accelerated, settings.confidence, method)))
}

fn method(sides: [&SampleStudy; 2], settings: &Settings) -> IntervalMethod {
    let methods = sides.map(|side| side.sample.method(settings, settings.block));
    if methods.contains(&IntervalMethod::Percentile) { IntervalMethod::Percentile } else { methods[0] }
}

fn quantile(
    sides: [&SampleStudy; 2],
    p: f64,
    resampled: Resampled<'_>,
    settings: &Settings,
) -> Option<QuantileDifference> {
    let [first, second] = sides;
    let (difference, interval_of_difference) = difference(sides, p, resampled, settings)?;
    let a = settings.rule.of(&first.sample.sorted, p)?;
    let b = settings.rule.of(&second.sample.sorted, p)?;
    let ratios: Vec<f64> = resampled.first.iter().zip(resampled.second).map(|(a, b)| b / a).collect();
    // A quantile that may be 0 has no ratio.
    if !ratios.iter().chain([&(b / a)]).all(|ratio| ratio.is_finite()) {
        return None;
    }
    let left_out = [
        first.sample.leave_one_out(p, settings.rule).map(|a| b / a),
        second.sample.leave_one_out(p, settings.rule).map(|b| b / a),
    ];
    let ratio_interval =
        interval(&ratios, b / a, acceleration(&left_out), settings.confidence, method(sides, settings));
    let p_value = bootstrap_p(&resampled.differences(), 0.0);
    let fewer = first.sample.sorted.len().min(second.sample.sorted.len()) as f64;
    Some(QuantileDifference {
        p,
        difference,
        interval: interval_of_difference,
        ratio: b / a,
        ratio_interval,
        p_value,
        p_holm: p_value,
        reliable: fewer >= 5.0 * fewest(p) * (1.0 - 1e-12),
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
        let enough = |p: f64| first.len().min(second.len()) as f64 >= fewest(p) * (1.0 - 1e-12);
        let dominance = Dominance::of(first, second)?;
        let mann_whitney = mann_whitney_p(first, second);
        let shift_function = shifts
            .iter()
            .filter(|(p, _)| enough(*p))
            .map(|(p, resampled)| {
                let (difference, interval) = difference(sides, *p, *resampled, settings)?;
                Some(ShiftPoint { p: *p, difference, low: interval.low, high: interval.high })
            })
            .collect::<Option<Vec<_>>>()?;
        let of_blocks = |(length, resampled): (usize, Resampled<'_>)| {
            let median = |sorted: &[f64]| settings.rule.of(sorted, 0.5);
            let estimate = median(second)? - median(first)?;
            let differences = resampled.differences();
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
