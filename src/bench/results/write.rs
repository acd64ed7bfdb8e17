//! Writing `results.json`: the original's keys, and ours beside them.

use std::collections::BTreeMap;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::{Counts, GammaRun, Results, Timing, VariantRun};

impl Results {
    /// As JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("results hold only numbers, texts and lists of them") + "\n"
    }
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
