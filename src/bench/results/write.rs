//! Writing `results.json`: the original's keys, and ours beside them.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{Counts, GammaRun, Metadata, Results, Timing, VariantRun};

impl Results {
    /// As JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("results hold only numbers, texts and lists of them") + "\n"
    }
}

/// The form of the file. Files of the original lack our keys: `schema_version` and what follows it in `metadata`, `counts`, and what
/// is predicted.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct ResultsView<'a> {
    /// Plain OLMo-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<VariantView<'a>>,
    /// Hydra, its heads averaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    hydra_naive: Option<VariantView<'a>>,
    /// Product of experts.
    #[serde(skip_serializing_if = "Option::is_none")]
    hydra_poe: Option<PoeView<'a>>,
    /// How the rows were made.
    metadata: &'a Metadata,
}

impl Serialize for Results {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let prompt = self.metadata.prompt_length.unwrap_or(0);
        ResultsView {
            baseline: self.baseline.as_ref().map(|run| VariantView::new(run, prompt)),
            hydra_naive: self.hydra_naive.as_ref().map(|run| VariantView::new(run, prompt)),
            hydra_poe: self.hydra_poe.as_ref().map(|run| PoeView {
                ttft: run.ttft.as_ref(),
                per_gamma: run.per_gamma.iter().map(|run| (run.gamma, GammaView::new(run))).collect(),
            }),
            metadata: &self.metadata,
        }
        .serialize(serializer)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Results {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Results".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        ResultsView::json_schema(generator)
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct VariantView<'a> {
    /// Prefill of the prompt and choice of the first token.
    ttft: Option<&'a Timing>,
    /// Decode steps.
    decode: DecodeView<'a>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct DecodeView<'a> {
    /// Tokens generated before each timed step.
    positions: Vec<u64>,
    /// By tokens in the cache before the step.
    per_position: BTreeMap<u64, PointView<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct PointView<'a> {
    /// Its timings.
    #[serde(flatten)]
    timing: &'a Timing,
    /// Tokens per second, `1000/median`.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct PoeView<'a> {
    /// Prefill by all heads.
    ttft: Option<&'a Timing>,
    /// By drafts of a round; the timed call is a whole generation.
    per_gamma: BTreeMap<u64, GammaView<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct GammaView<'a> {
    /// Whole calls.
    #[serde(flatten)]
    timing: &'a Timing,
    /// Accepted drafts of a call.
    avg_accepted_tokens_per_call: f64,
    /// Replaced tokens of all emitted ones.
    resample_rate: f64,
    /// Accepted drafts per second of a median call.
    effective_tps: f64,
    /// Calls that the counters are of.
    n_calls: u64,
    /// What the original does not record.
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
