//! Sides with their runs, dimension by dimension.

use rayon::prelude::*;

use super::pair::Resampled;
use super::similarity::tpot_over_length;
use super::{AdjustedTtft, PairStudy, Sample, SampleStudy, Settings, Similarity};
use crate::requests::{Counts, Dimension, RequestLog, Run};
use crate::stats::holm;

/// Probabilities of the shift function, in percent.
const SHIFT_PERCENT: [u32; 21] = [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 97, 99];

/// Blocks are drawn beside independent requests up to this many values; each costs a step for each resample.
const MOST_FOR_BLOCKS: usize = 5_000;

/// What is compared: one run, or several of the same thing.
#[derive(Debug, Clone)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// Its runs, one at least.
    pub runs: Vec<Run>,
}

impl Side {
    /// The logs of its runs.
    pub fn logs(&self) -> Vec<&RequestLog> {
        self.runs.iter().map(|run| &run.log).collect()
    }

    /// Clients of its runs, if all have the same number.
    pub fn clients(&self) -> Option<u32> {
        let first = self.runs.first()?.info.clients?;
        self.runs.iter().all(|run| run.info.clients == Some(first)).then_some(first)
    }

    /// How many of its requests failed, and of how many.
    pub fn failed(&self) -> (usize, usize) {
        let failed = |run: &Run| run.log.failed().filter(|failed| *failed).count();
        self.runs.iter().fold((0, 0), |(sum, of), run| (sum + failed(run), of + run.log.len()))
    }

    /// What its logs hold, together.
    pub fn counts(&self) -> Counts {
        self.runs.iter().map(|run| run.log.counts()).fold(Counts::default(), |sum, counts| Counts {
            rows: sum.rows + counts.rows,
            failed: sum.failed + counts.failed,
            failed_midway: sum.failed_midway + counts.failed_midway,
            not_streamed: sum.not_streamed + counts.not_streamed,
            backwards: sum.backwards + counts.backwards,
            single_token: sum.single_token + counts.single_token,
            zero_tpot: sum.zero_tpot + counts.zero_tpot,
            near_zero_tpot: sum.near_zero_tpot + counts.near_zero_tpot,
            reasoning: sum.reasoning + counts.reasoning,
        })
    }
}

/// One dimension on all sides.
#[derive(Debug, Clone)]
pub struct DimensionStudy {
    /// Which.
    pub dimension: Dimension,
    /// Each side; `None` where it has fewer than two values.
    pub sides: Vec<Option<SampleStudy>>,
    /// Every side but the first, against it; `None` where one of both has too few values.
    pub pairs: Vec<Option<PairStudy>>,
}

/// Sides compared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Dimension by dimension, in the order of the settings.
    pub dimensions: Vec<DimensionStudy>,
    /// For every side but the first, whether it was asked the same: input and output tokens, where they are known.
    pub similarity: Vec<Vec<Similarity>>,
    /// For every side but the first, TTFT at the same prompt length.
    pub adjusted_ttft: Vec<Option<AdjustedTtft>>,
    /// Of each side, rank correlation of TPOT with the length of the answer and its p value.
    pub tpot_over_length: Vec<Option<(f64, f64)>>,
}

/// Compares every side with the first.
pub fn compare(sides: &[Side], settings: &Settings) -> Comparison {
    let mut dimensions: Vec<DimensionStudy> =
        settings.dimensions.par_iter().map(|dimension| study(*dimension, sides, settings)).collect();
    adjust(&mut dimensions);
    let first = &sides[0];
    let tokens = [Dimension::InputTokens, Dimension::OutputTokens];
    let samples = |side: &Side| tokens.map(|dimension| Sample::new(side.logs(), dimension, super::Filter::NotNull));
    let asked = samples(first);
    let similar = |side: &Side| {
        let other = samples(side);
        let pairs = tokens.into_iter().zip(asked.iter().zip(&other));
        pairs.filter_map(|(dimension, (first, second))| Similarity::of(dimension, first, second)).collect()
    };
    Comparison {
        dimensions,
        similarity: sides[1..].iter().map(similar).collect(),
        adjusted_ttft: sides[1..].iter().map(|side| AdjustedTtft::of([&first.logs(), &side.logs()])).collect(),
        tpot_over_length: sides.iter().map(|side| tpot_over_length(&side.logs())).collect(),
    }
}

/// Levels of a resample: the settings' quantiles, those of the shift function, and the median; rising, each once.
fn levels(settings: &Settings) -> Vec<f64> {
    let shifts = SHIFT_PERCENT.map(|percent| f64::from(percent) / 100.0);
    let mut levels: Vec<f64> = settings.quantiles.iter().copied().chain(shifts).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels
}

fn study(dimension: Dimension, sides: &[Side], settings: &Settings) -> DimensionStudy {
    let levels = levels(settings);
    let at = |level: f64| levels.iter().position(|known| *known == level).expect("every level is listed");
    // A number for each sample that is drawn from, so that none shares its random numbers.
    let stream = |side: usize, purpose: u32| (dimension as u32 * sides.len() as u32 + side as u32) * 2 + purpose;
    let mut resampled = Vec::new();
    let mut studies = Vec::new();
    for (index, side) in sides.iter().enumerate() {
        let sample = Sample::new(side.logs(), dimension, settings.filter);
        if sample.sorted.len() < 2 {
            resampled.push(Vec::new());
            studies.push(None);
            continue;
        }
        let drawn = sample.resampled(&levels, settings, settings.block, stream(index, 0));
        let quantiles: Vec<Vec<f64>> = settings.quantiles.iter().map(|p| drawn[at(*p)].clone()).collect();
        studies.push(SampleStudy::new(sample, settings, &quantiles));
        resampled.push(drawn);
    }
    let block = block_length(sides, &studies);
    let medians = |index: usize| -> Option<Vec<f64>> {
        let study = studies[index].as_ref().filter(|study| study.sample.sorted.len() <= MOST_FOR_BLOCKS)?;
        Some(study.sample.resampled(&[0.5], settings, Some(block?), stream(index, 1)).remove(0))
    };
    let blocks: Vec<Option<Vec<f64>>> =
        (0..sides.len()).map(|index| if sides.len() > 1 { medians(index) } else { None }).collect();
    let pairs = (1..sides.len())
        .map(|index| {
            let pair = [studies[0].as_ref()?, studies[index].as_ref()?];
            let both = |level: f64| Resampled { first: &resampled[0][at(level)], second: &resampled[index][at(level)] };
            let quantiles: Vec<_> = settings.quantiles.iter().map(|p| both(*p)).collect();
            let shifts: Vec<_> = SHIFT_PERCENT.map(|percent| f64::from(percent) / 100.0).map(|p| (p, both(p))).to_vec();
            let blocks = blocks[0].as_ref().zip(blocks[index].as_ref());
            let blocks = block.zip(blocks.map(|(first, second)| Resampled { first, second }));
            PairStudy::new(pair, settings, &quantiles, &shifts, blocks)
        })
        .collect();
    DimensionStudy { dimension, sides: studies, pairs }
}

/// Requests in a block: as many as run at once, or the third root of their number if that is more. `None` where a side has
/// several runs, which are drawn instead.
fn block_length(sides: &[Side], studies: &[Option<SampleStudy>]) -> Option<usize> {
    let single = sides.iter().all(|side| side.runs.len() == 1);
    let clients = sides.iter().filter_map(Side::clients).max().unwrap_or(1) as usize;
    let longest = studies.iter().flatten().map(|study| study.sample.sorted.len()).max()?;
    single.then(|| clients.max((longest as f64).cbrt().ceil() as usize))
}

/// Adjusts p values by Holm: those of quantiles over all dimensions, sides and quantiles, those of Mann–Whitney over all dimensions and
/// sides.
fn adjust(dimensions: &mut [DimensionStudy]) {
    let pairs = || dimensions.iter().flat_map(|study| study.pairs.iter().flatten());
    let quantiles: Vec<f64> = pairs().flat_map(|pair| pair.quantiles.iter().map(|q| q.p_value)).collect();
    let tests: Vec<f64> = pairs().filter_map(|pair| pair.mann_whitney_p).collect();
    let (mut quantiles, mut tests) = (holm(&quantiles).into_iter(), holm(&tests).into_iter());
    for pair in dimensions.iter_mut().flat_map(|study| study.pairs.iter_mut().flatten()) {
        for (quantile, p) in pair.quantiles.iter_mut().zip(quantiles.by_ref()) {
            quantile.p_holm = p;
        }
        if pair.mann_whitney_p.is_some() {
            pair.mann_whitney_holm = tests.next();
        }
    }
}
