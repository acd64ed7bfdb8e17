//! How the rows of a run were made.

use serde::{Deserialize, Serialize};

use crate::bench::DataType;

/// Sizes of a model, so that a file can be fitted without its model's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
