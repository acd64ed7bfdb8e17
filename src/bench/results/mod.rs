//! `results.json`: the original's keys, readable and written, and ours beside them.
//!
//! Here is what a run holds; `metadata` says how it was made, `read` and `write` are the file.

mod metadata;
mod read;
mod write;

use serde::{Deserialize, Serialize};

pub use metadata::{Metadata, ModelDims};

use super::{Timed, Variant};
use crate::poe::{Generation, Ledger};
use crate::stats::{Summary, rounded, without_outliers};

/// Version of the keys that we add. Files of the original have none.
pub const SCHEMA_VERSION: u32 = 1;

/// Timings of one row in ms: all, those without outliers, and the summary of the latter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timing {
    /// Every measured call, in order.
    pub raw_ms: Vec<f64>,
    /// Without outliers.
    pub filtered_ms: Vec<f64>,
    /// Mean.
    pub mean_ms: f64,
    /// Upper median.
    pub median_ms: f64,
    /// Population standard deviation.
    pub std_ms: f64,
    /// Smallest.
    pub min_ms: f64,
    /// Largest.
    pub max_ms: f64,
    /// 20th percentile, a measured value.
    pub p20_ms: f64,
    /// 80th percentile, a measured value.
    pub p80_ms: f64,
    /// How many are in the summary.
    pub n: usize,
    /// Calls that warmed up before the measured ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_calls: Option<usize>,
    /// What the analytic model says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_ms: Option<f64>,
}

/// In ms; above it squares of times would be no numbers.
const LONGEST_MS: f64 = 1e100;

impl Timing {
    /// Of measured calls; `None` for none.
    pub fn new(timed: &Timed) -> Option<Self> {
        let filtered_ms = without_outliers(&timed.raw_ms);
        let Summary { mean, median, std, min, max, p20, p80, count } = Summary::of(&filtered_ms)?;
        Some(Self {
            raw_ms: timed.raw_ms.clone(),
            filtered_ms,
            mean_ms: mean,
            median_ms: median,
            std_ms: std,
            min_ms: min,
            max_ms: max,
            p20_ms: p20,
            p80_ms: p80,
            n: count,
            warmup_calls: Some(timed.warmup_calls),
            predicted_ms: None,
        })
    }

    fn is_sound(&self) -> bool {
        let figures = [self.mean_ms, self.median_ms, self.std_ms, self.min_ms, self.max_ms, self.p20_ms, self.p80_ms];
        let times = self.raw_ms.iter().chain(&self.filtered_ms).chain(&figures).chain(&self.predicted_ms);
        times.clone().all(|ms| (0.0..=LONGEST_MS).contains(ms))
    }
}

/// A decode step at a position.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodePoint {
    /// Tokens in the cache before the step.
    pub position: u64,
    /// Its timings.
    pub timing: Timing,
    /// Tokens per second, `1000/median`.
    pub tps: f64,
}

impl DecodePoint {
    /// At a position.
    pub fn new(position: u64, timing: Timing) -> Self {
        let tps = if timing.median_ms > 0.0 { rounded(1000.0 / timing.median_ms, 2) } else { 0.0 };
        Self { position, timing, tps }
    }
}

/// Baseline, or Hydra with naive averaging.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VariantRun {
    /// Prefill of the prompt and choice of the first token.
    pub ttft: Option<Timing>,
    /// Decode steps by position.
    pub decode: Vec<DecodePoint>,
}

/// PoE with one γ: the timed call is a whole generation.
#[derive(Debug, Clone, PartialEq)]
pub struct GammaRun {
    /// Drafts of a round.
    pub gamma: u64,
    /// Whole calls.
    pub timing: Timing,
    /// Accepted drafts of a call.
    pub avg_accepted_tokens_per_call: f64,
    /// Replaced tokens of all emitted ones; 1 − α.
    pub resample_rate: f64,
    /// Accepted drafts per second of a median call.
    pub effective_tps: f64,
    /// Calls that the counters are of: in our files the measured ones, in the original's all.
    pub n_calls: u64,
    /// What the original does not record.
    pub counts: Option<Counts>,
}

/// Counters of the measured calls of a γ.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counts {
    /// Emitted tokens of a call.
    pub tokens_per_call: f64,
    /// Emitted tokens per second, prefill included: `Σ tokens/Σ time`.
    pub user_tps: f64,
    /// Time of an emitted token without the prefill, `(Σ time − calls·TTFT)/Σ tokens`, in ms; absent where TTFT is not
    /// known. The copy of the prompt's logits to the host, which TTFT leaves out, counts with the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms_per_token: Option<f64>,
    /// What the analytic model says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_ms_per_token: Option<f64>,
    /// Rounds of all calls.
    pub rounds: u64,
    /// Rounds that ended with a rejection.
    pub rejections: u64,
    /// Drafts tested at each place of a round.
    pub tested_by_position: Vec<u64>,
    /// And of them accepted.
    pub accepted_by_position: Vec<u64>,
    /// Passes of all calls.
    pub ledger: Ledger,
}

impl GammaRun {
    /// From the measured calls and what each of them generated.
    pub fn new(gamma: usize, timing: Timing, generations: &[Generation], ttft_ms: Option<f64>) -> Self {
        let calls = generations.len() as f64;
        let accepted: usize = generations.iter().map(Generation::accepted).sum();
        let tokens: usize = generations.iter().map(|generation| generation.tokens.len()).sum();
        let mut counts =
            Counts { tested_by_position: vec![0; gamma], accepted_by_position: vec![0; gamma], ..Counts::default() };
        for round in generations.iter().flat_map(|generation| &generation.rounds) {
            counts.rounds += 1;
            counts.rejections += u64::from(round.resampled.is_some());
            for (place, test) in round.tests.iter().enumerate() {
                counts.tested_by_position[place] += 1;
                counts.accepted_by_position[place] += u64::from(test.accepted);
            }
        }
        generations.iter().for_each(|generation| counts.ledger += generation.ledger);
        let spent: f64 = timing.raw_ms.iter().sum();
        counts.tokens_per_call = rounded(tokens as f64 / calls, 2);
        counts.user_tps = rounded(1000.0 * tokens as f64 / spent, 2);
        counts.ms_per_token = ttft_ms.map(|ttft| rounded((spent - calls * ttft) / tokens as f64, 4));
        let mean_accepted = accepted as f64 / calls;
        Self {
            gamma: gamma as u64,
            avg_accepted_tokens_per_call: rounded(mean_accepted, 2),
            resample_rate: rounded((tokens - accepted) as f64 / (tokens as f64).max(1.0), 4),
            effective_tps: if timing.median_ms > 0.0 {
                rounded(1000.0 * mean_accepted / timing.median_ms, 2)
            } else {
                0.0
            },
            n_calls: generations.len() as u64,
            counts: Some(counts),
            timing,
        }
    }

    /// Share of the rejections behind which all heads ran; 1 where it was not counted.
    pub fn refilled(&self) -> f64 {
        let counts = self.counts.as_ref().filter(|counts| counts.rejections > 0);
        counts.map_or(1.0, |counts| counts.ledger.refill.lm_head_passes as f64 / counts.rejections as f64).min(1.0)
    }

    /// Share of emitted tokens that were accepted drafts, α.
    pub fn acceptance(&self) -> f64 {
        1.0 - self.resample_rate
    }
}

/// PoE.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PoeRun {
    /// Prefill by all heads.
    pub ttft: Option<Timing>,
    /// Generations by γ.
    pub per_gamma: Vec<GammaRun>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Results {
    /// Plain OLMo-2.
    pub baseline: Option<VariantRun>,
    /// All heads, averaged.
    pub hydra_naive: Option<VariantRun>,
    /// Product of experts.
    pub hydra_poe: Option<PoeRun>,
    /// How it was made.
    pub metadata: Metadata,
}

impl Results {
    /// Number of timed rows.
    pub fn rows(&self) -> usize {
        let variant =
            |run: &Option<VariantRun>| run.as_ref().map_or(0, |run| usize::from(run.ttft.is_some()) + run.decode.len());
        let poe = self.hydra_poe.as_ref().map_or(0, |run| usize::from(run.ttft.is_some()) + run.per_gamma.len());
        variant(&self.baseline) + variant(&self.hydra_naive) + poe
    }

    /// TTFT of a variant.
    pub fn ttft(&self, variant: Variant) -> Option<&Timing> {
        match variant {
            Variant::Baseline => self.baseline.as_ref()?.ttft.as_ref(),
            Variant::Hydra => self.hydra_naive.as_ref()?.ttft.as_ref(),
            Variant::Poe => self.hydra_poe.as_ref()?.ttft.as_ref(),
        }
    }

    /// Decode steps of a variant; PoE has none.
    pub fn decode(&self, variant: Variant) -> &[DecodePoint] {
        let run = match variant {
            Variant::Baseline => self.baseline.as_ref(),
            Variant::Hydra => self.hydra_naive.as_ref(),
            Variant::Poe => None,
        };
        run.map_or(&[], |run| &run.decode)
    }

    /// Generations by γ.
    pub fn gammas(&self) -> &[GammaRun] {
        self.hydra_poe.as_ref().map_or(&[], |run| &run.per_gamma)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing_of(raw_ms: &[f64]) -> Timing {
        Timing::new(&Timed { raw_ms: raw_ms.to_vec(), warmup_calls: 3, calls: 20, stopped: false }).unwrap()
    }

    #[test]
    fn the_summary_is_of_the_filtered_times() {
        let timing = timing_of(&[5.0, 5.1, 5.2, 5.3, 50.0, 5.2]);
        assert_eq!((timing.raw_ms.len(), timing.n, timing.max_ms, timing.median_ms), (6, 5, 5.3, 5.2));
        assert!(Timing::new(&Timed::default()).is_none());
    }
}
