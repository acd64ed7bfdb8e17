//! `results.json`: the original's keys, readable and written, and ours beside them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::{DataType, MOST_DRAFTS, Timed, Variant};
use crate::error::{Error, Result};
use crate::poe::{Generation, Ledger};
use crate::spec::SpecFile;
use crate::stats::{Summary, rounded, without_outliers};

/// Version of the keys that we add. Files of the original have none.
pub const SCHEMA_VERSION: u32 = 1;

/// Timings of one row in ms: all, those without outliers, and the summary of the latter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
        times.clone().all(|ms| ms.is_finite() && *ms >= 0.0)
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

/// Sizes of a model, so that a file can be fitted without its model's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelDims {
    /// Hidden width d.
    pub hidden_size: u64,
    /// Feed-forward width F.
    pub intermediate_size: u64,
    /// Layers L.
    pub layers: u64,
    /// Query heads H.
    pub query_heads: u64,
    /// Key/value heads K.
    pub kv_heads: u64,
    /// Head width h.
    pub head_dim: u64,
    /// Vocabulary V.
    pub vocab_size: u64,
}

/// How the rows were made. The first fields are the original's; its files have no others.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// When the run ended: ISO, local, without a zone.
    pub timestamp: Option<String>,
    /// Name of the device, a CPU's too.
    pub gpu: Option<String>,
    /// Model: the original's `1b` and `7b`, or ours.
    pub size: Option<String>,
    /// Number format of the run.
    pub dtype: Option<String>,
    /// Heads N.
    pub n_heads: Option<u64>,
    /// Layers of each.
    pub heads_depth: Option<u64>,
    /// Tokens of the prompt.
    pub prompt_length: Option<u64>,
    /// Tokens generated after it.
    pub generation_length: Option<u64>,
    /// Steps between timed ones.
    pub decode_step_interval: Option<u64>,
    /// One γ of the original.
    pub poe_gamma: Option<u64>,
    /// Exponent β.
    pub poe_beta: Option<f64>,
    /// Tokens of a PoE call.
    pub poe_max_new_tokens: Option<u64>,
    /// Version of the keys below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<u32>,
    /// Version of perfmodel that measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perfmodel_version: Option<String>,
    /// Sizes of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dims: Option<ModelDims>,
    /// `cpu` or `cuda:0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Threads of a CPU run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// What measured: `wall` or `cuda_events`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// Bytes overwritten before each call to empty the cache; 0: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l2_flush_bytes: Option<u64>,
    /// Rounds whose calls are pooled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u64>,
    /// Seed of prompt, weights and acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// `random`, `perturbed` or `real`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// How far heads were perturbed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perturbation: Option<f64>,
    /// Number format that was asked for, where the device has another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype_requested: Option<DataType>,
    /// Rule of acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Temperature of sampled drafts; absent: argmax drafts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The head that drafts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft_head: Option<u64>,
    /// Every γ asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poe_gammas: Option<Vec<u64>>,
    /// Warm-up budget of a row in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_ms: Option<f64>,
    /// Measuring budget of a row in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rep_ms: Option<f64>,
    /// Measuring budget of a PoE row in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poe_rep_ms: Option<f64>,
    /// Whether the run was stopped before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<bool>,
    /// What the predictions beside the measurements stand on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
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
    /// Reads a file, ours or the original's, whole or partial.
    ///
    /// # Errors
    /// It cannot be read, is not such JSON, or holds no row.
    pub fn open(path: &Path) -> Result<Self> {
        let file = SpecFile::open(path)?;
        Self::parse(&file.text).map_err(|error| error.at(path))
    }

    fn parse(text: &str) -> Result<Self> {
        const HELP: &str = "give the results.json of `perfmodel bench`, or of the original benchmark";
        let json: Value = serde_json::from_str(text)
            .map_err(|error| Error::input(format!("is not JSON: {error}")).line(error.line()).help(HELP))?;
        let results = Self::of(&json).map_err(|what| Error::input(what).help(HELP))?;
        if results.rows() == 0 {
            return Err(Error::input("holds no measured row").help(HELP));
        }
        Ok(results)
    }

    fn of(json: &Value) -> std::result::Result<Self, String> {
        let poe = &json["hydra_poe"];
        let hydra_poe = if present(poe) {
            let mut per_gamma = Vec::new();
            for (gamma, value) in numbered(&poe["per_gamma"], "hydra_poe.per_gamma")? {
                let path = format!("hydra_poe.per_gamma.{gamma}");
                let Some(timing) = timing(value, &path)? else { continue };
                let figures: GammaFigures = required(value, &path)?;
                figures.check(gamma).map_err(|what| format!("`{path}`: {what}"))?;
                per_gamma.push(GammaRun {
                    gamma,
                    timing,
                    avg_accepted_tokens_per_call: figures.avg_accepted_tokens_per_call,
                    resample_rate: figures.resample_rate,
                    effective_tps: figures.effective_tps,
                    n_calls: figures.n_calls,
                    counts: optional(&value["counts"], &format!("{path}.counts"))?,
                });
            }
            Some(PoeRun { ttft: timing(&poe["ttft"], "hydra_poe.ttft")?, per_gamma })
        } else {
            None
        };
        Ok(Self {
            baseline: variant(&json["baseline"], "baseline")?,
            hydra_naive: variant(&json["hydra_naive"], "hydra_naive")?,
            hydra_poe,
            metadata: optional(&json["metadata"], "metadata")?.unwrap_or_default(),
        })
    }

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

    /// As JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("results hold only numbers, texts and lists of them") + "\n"
    }
}

#[derive(Deserialize)]
struct GammaFigures {
    avg_accepted_tokens_per_call: f64,
    resample_rate: f64,
    effective_tps: f64,
    n_calls: u64,
}

impl GammaFigures {
    fn check(&self, gamma: u64) -> std::result::Result<(), String> {
        if !(1..=MOST_DRAFTS as u64).contains(&gamma) {
            return Err(format!("γ must be from 1 to {MOST_DRAFTS}"));
        }
        if !(0.0..=1.0).contains(&self.resample_rate) {
            return Err(format!("resample_rate is {}, and a share is from 0 to 1", self.resample_rate));
        }
        let counted = [self.avg_accepted_tokens_per_call, self.effective_tps];
        if counted.iter().all(|value| value.is_finite() && *value >= 0.0) {
            Ok(())
        } else {
            Err("a mean or a rate is not a number from 0 up".to_owned())
        }
    }
}

/// Sections may be missing, null or empty.
fn present(value: &Value) -> bool {
    !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty())
}

fn required<T: DeserializeOwned>(value: &Value, path: &str) -> std::result::Result<T, String> {
    T::deserialize(value).map_err(|error| format!("`{path}`: {error}"))
}

fn optional<T: DeserializeOwned>(value: &Value, path: &str) -> std::result::Result<Option<T>, String> {
    if present(value) { required(value, path).map(Some) } else { Ok(None) }
}

fn timing(value: &Value, path: &str) -> std::result::Result<Option<Timing>, String> {
    let timing: Option<Timing> = optional(value, path)?;
    match timing {
        Some(timing) if !timing.is_sound() => Err(format!("`{path}`: a time is not a number from 0 up")),
        timing => Ok(timing),
    }
}

/// Entries of an object whose keys are numbers, in their order.
fn numbered<'a>(value: &'a Value, path: &str) -> std::result::Result<BTreeMap<u64, &'a Value>, String> {
    let entries = value.as_object().into_iter().flatten();
    entries
        .map(|(key, value)| {
            key.parse().map(|number| (number, value)).map_err(|_| format!("`{path}`: `{key}` is not a whole number"))
        })
        .collect()
}

fn variant(value: &Value, path: &str) -> std::result::Result<Option<VariantRun>, String> {
    if !present(value) {
        return Ok(None);
    }
    let mut decode = Vec::new();
    for (position, value) in numbered(&value["decode"]["per_position"], &format!("{path}.decode.per_position"))? {
        let path = format!("{path}.decode.per_position.{position}");
        if let Some(timing) = timing(value, &path)? {
            let tps = value["tps"]
                .as_f64()
                .filter(|tps| *tps >= 0.0)
                .ok_or_else(|| format!("`{path}`: `tps` is missing, or not a number from 0 up"))?;
            decode.push(DecodePoint { position, timing, tps });
        }
    }
    Ok(Some(VariantRun { ttft: timing(&value["ttft"], &format!("{path}.ttft"))?, decode }))
}

impl Serialize for Results {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let prompt = self.metadata.prompt_length.unwrap_or(0);
        let mut out = serializer.serialize_struct("Results", 4)?;
        if let Some(run) = &self.baseline {
            out.serialize_field("baseline", &VariantView::new(run, prompt))?;
        }
        if let Some(run) = &self.hydra_naive {
            out.serialize_field("hydra_naive", &VariantView::new(run, prompt))?;
        }
        if let Some(run) = &self.hydra_poe {
            let per_gamma = run.per_gamma.iter().map(|run| (run.gamma, GammaView::new(run))).collect();
            out.serialize_field("hydra_poe", &PoeView { ttft: run.ttft.as_ref(), per_gamma })?;
        }
        out.serialize_field("metadata", &self.metadata)?;
        out.end()
    }
}

#[derive(Serialize)]
struct VariantView<'a> {
    ttft: Option<&'a Timing>,
    decode: DecodeView<'a>,
}

#[derive(Serialize)]
struct DecodeView<'a> {
    positions: Vec<u64>,
    per_position: BTreeMap<u64, PointView<'a>>,
}

#[derive(Serialize)]
struct PointView<'a> {
    #[serde(flatten)]
    timing: &'a Timing,
    tps: f64,
}

impl<'a> VariantView<'a> {
    fn new(run: &'a VariantRun, prompt: u64) -> Self {
        Self {
            ttft: run.ttft.as_ref(),
            decode: DecodeView {
                positions: run.decode.iter().map(|point| point.position.saturating_sub(prompt)).collect(),
                per_position: run
                    .decode
                    .iter()
                    .map(|point| (point.position, PointView { timing: &point.timing, tps: point.tps }))
                    .collect(),
            },
        }
    }
}

#[derive(Serialize)]
struct PoeView<'a> {
    ttft: Option<&'a Timing>,
    per_gamma: BTreeMap<u64, GammaView<'a>>,
}

#[derive(Serialize)]
struct GammaView<'a> {
    #[serde(flatten)]
    timing: &'a Timing,
    avg_accepted_tokens_per_call: f64,
    resample_rate: f64,
    effective_tps: f64,
    n_calls: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<&'a Counts>,
}

impl<'a> GammaView<'a> {
    const fn new(run: &'a GammaRun) -> Self {
        Self {
            timing: &run.timing,
            avg_accepted_tokens_per_call: run.avg_accepted_tokens_per_call,
            resample_rate: run.resample_rate,
            effective_tps: run.effective_tps,
            n_calls: run.n_calls,
            counts: run.counts.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing_of(raw_ms: &[f64]) -> Timing {
        Timing::new(&Timed { raw_ms: raw_ms.to_vec(), warmup_calls: 3, calls: 20, stopped: false }).unwrap()
    }

    /// The example of the specification of the original's file, with its holes.
    const ORIGINAL: &str = r#"{"baseline": {"ttft": {"raw_ms": [41.3127, 41.0291], "filtered_ms": [41.3127, 41.0291],
        "mean_ms": 41.1709, "median_ms": 41.3127, "std_ms": 0.1418, "min_ms": 41.0291, "max_ms": 41.3127,
        "p20_ms": 41.0291, "p80_ms": 41.3127, "n": 2},
       "decode": {"positions": [0, 8], "per_position": {
          "520": {"raw_ms": [6.5], "filtered_ms": [6.5], "mean_ms": 6.5, "median_ms": 6.5, "std_ms": 0.0, "min_ms": 6.5,
                  "max_ms": 6.5, "p20_ms": 6.5, "p80_ms": 6.5, "n": 1, "tps": 153.85},
          "1024": {}, "99": {"raw_ms": [6.5], "filtered_ms": [6.5], "mean_ms": 6.5, "median_ms": 6.5, "std_ms": 0.0,
                  "min_ms": 6.5, "max_ms": 6.5, "p20_ms": 6.5, "p80_ms": 6.5, "n": 1, "tps": 153.85}}}},
     "hydra_naive": {"ttft": {}, "decode": {}},
     "hydra_poe": {"per_gamma": {"4": {"raw_ms": [902.1], "filtered_ms": [902.1], "mean_ms": 902.1,
          "median_ms": 902.1, "std_ms": 0.0, "min_ms": 902.1, "max_ms": 902.1, "p20_ms": 902.1, "p80_ms": 902.1, "n": 1,
          "avg_accepted_tokens_per_call": 57.5, "resample_rate": 0.1154, "effective_tps": 63.74, "n_calls": 8}}},
     "metadata": {"timestamp": "2026-05-01T12:00:00.000001", "gpu": "Some GPU", "size": "7b", "dtype": "bfloat16",
          "n_heads": 9, "heads_depth": 3, "prompt_length": 512, "generation_length": 128, "decode_step_interval": 8,
          "poe_gamma": 4, "poe_beta": 1.0, "poe_max_new_tokens": 64}}"#;

    #[test]
    fn the_original_s_file_is_read_with_what_it_has() {
        let results = Results::parse(ORIGINAL).unwrap();
        assert_eq!(results.ttft(Variant::Baseline).unwrap().median_ms, 41.3127);
        let positions: Vec<u64> = results.decode(Variant::Baseline).iter().map(|point| point.position).collect();
        assert_eq!(positions, [99, 520], "in numeric order, without the empty one");
        assert!(results.ttft(Variant::Hydra).is_none() && results.decode(Variant::Hydra).is_empty());
        assert!(results.ttft(Variant::Poe).is_none());
        assert_eq!((results.gammas()[0].n_calls, results.gammas()[0].counts.is_none()), (8, true));
        assert!((results.gammas()[0].acceptance() - 0.8846).abs() < 1e-12);
        assert_eq!((results.metadata.size.as_deref(), results.metadata.schema_version), (Some("7b"), None));
        assert_eq!(results.rows(), 4);
    }

    #[test]
    fn what_is_written_reads_back() {
        let results = Results::parse(ORIGINAL).unwrap();
        assert_eq!(Results::parse(&results.to_json()).unwrap(), results);
        let mut timing = timing_of(&[5.0, 5.1, 5.2, 5.3, 50.0, 5.2]);
        timing.predicted_ms = Some(4.9);
        let metadata = Metadata { schema_version: Some(1), prompt_length: Some(16), ..Metadata::default() };
        let run = VariantRun { ttft: Some(timing.clone()), decode: vec![DecodePoint::new(24, timing)] };
        let ours = Results { baseline: Some(run), metadata, ..Results::default() };
        let text = ours.to_json();
        assert_eq!(Results::parse(&text).unwrap(), ours);
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["baseline"]["decode"]["positions"], serde_json::json!([8]));
        assert_eq!(json["baseline"]["decode"]["per_position"]["24"]["tps"], 192.31);
    }

    #[test]
    fn the_summary_is_of_the_filtered_times() {
        let timing = timing_of(&[5.0, 5.1, 5.2, 5.3, 50.0, 5.2]);
        assert_eq!((timing.raw_ms.len(), timing.n, timing.max_ms, timing.median_ms), (6, 5, 5.3, 5.2));
        assert!(Timing::new(&Timed::default()).is_none());
    }

    #[test]
    fn a_broken_file_names_the_section() {
        for (text, want) in [
            ("{", "is not JSON: EOF while parsing"),
            ("{}", "holds no measured row"),
            ("[1]", "holds no measured row"),
            (r#"{"baseline": {"ttft": {"raw_ms": [1]}}}"#, "`baseline.ttft`: missing field `filtered_ms`"),
            (&ORIGINAL.replace("\"520\"", "\"x\""), "`baseline.decode.per_position`: `x` is not a whole number"),
            (&ORIGINAL.replacen("902.1", "-1.0", 1), "`hydra_poe.per_gamma.4`: a time is not a number from 0 up"),
            (&ORIGINAL.replace("\"n_calls\": 8", "\"n_calls\": \"8\""), "`hydra_poe.per_gamma.4`: invalid type"),
            (&ORIGINAL.replace(", \"tps\": 153.85", ""), "`baseline.decode.per_position.99`: `tps` is missing"),
            (
                &ORIGINAL.replace("\"4\": {", "\"4000000000\": {"),
                "`hydra_poe.per_gamma.4000000000`: γ must be from 1 to 4096",
            ),
            (
                &ORIGINAL.replace("\"resample_rate\": 0.1154", "\"resample_rate\": 5"),
                "resample_rate is 5, and a share is from 0 to 1",
            ),
        ] {
            let message = Results::parse(text).unwrap_err().to_string();
            assert!(message.contains(want) && message.contains("help: "), "{want}: {message}");
        }
    }
}
