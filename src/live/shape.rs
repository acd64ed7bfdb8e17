//! The shape of an OLMo-2 model.

use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::spec::{Attention, Ffn, ModelArchitecture, QkNorm};

/// `rms_norm_eps` and `rope_theta` of every published OLMo-2.
const NORM_EPS: f64 = 1e-6;
const ROPE_THETA: f64 = 500_000.0;

/// Sizes and constants of an OLMo-2 model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelShape {
    /// Name in outputs.
    pub name: String,
    /// Hidden width d.
    pub hidden: usize,
    /// Feed-forward width F.
    pub ffn: usize,
    /// Layers L.
    pub layers: usize,
    /// Query heads H.
    pub query_heads: usize,
    /// Key/value heads K.
    pub kv_heads: usize,
    /// Head width h.
    pub head_dim: usize,
    /// Vocabulary V.
    pub vocabulary: usize,
    /// Longest context in tokens.
    pub context: usize,
    /// Added to the mean square in every norm.
    pub norm_eps: f64,
    /// Base of the rotary angles.
    pub rope_theta: f64,
    /// The id that ends a text, if the configuration names one.
    pub eos: Option<u32>,
}

impl ModelShape {
    /// The shape of an architecture.
    ///
    /// # Errors
    /// It is not of the OLMo-2 family: another attention, feed-forward block or order of norms.
    pub fn new(model: &ModelArchitecture) -> Result<Self> {
        let wrong = |what: &str| {
            Error::input(format!("{} cannot be run here: {what}", model.name)).help(
                "give a model of the OLMo-2 family, such as olmo2_tiny, olmo2_190m or olmo2_1b (`perfmodel list models`)",
            )
        };
        if model.family != "olmo2" {
            return Err(wrong(&format!("its family is {}", model.family)));
        }
        let [group] = model.layers.as_slice() else { return Err(wrong("its layers differ from each other")) };
        let Attention::Grouped(attention) = group.attention else { return Err(wrong("its attention is latent")) };
        if attention.qk_norm != QkNorm::FullWidth {
            return Err(wrong("its queries and keys have no norm over the full width"));
        }
        if attention.qkv_bias || attention.output_bias || attention.sinks || attention.sliding_window_tokens.is_some() {
            return Err(wrong("its attention has biases, sinks or a window"));
        }
        let Ffn::Dense(ffn) = group.ffn else { return Err(wrong("it has experts")) };
        if !ffn.gated || ffn.bias || model.tied_embeddings {
            return Err(wrong("its feed-forward block has no gate or has biases, or its embeddings are tied"));
        }
        if !attention.head_dim.is_multiple_of(2) {
            return Err(wrong("its heads have an odd width, which has no rotary halves"));
        }
        Ok(Self {
            name: model.name.clone(),
            hidden: model.hidden_size as usize,
            ffn: ffn.intermediate_size as usize,
            layers: group.count as usize,
            query_heads: attention.query_heads as usize,
            kv_heads: attention.kv_heads as usize,
            head_dim: attention.head_dim as usize,
            vocabulary: model.vocab_size as usize,
            context: model.max_context_tokens as usize,
            norm_eps: NORM_EPS,
            rope_theta: ROPE_THETA,
            eos: None,
        })
    }

    /// With the constants that a `config.json` of Hugging Face gives: `rms_norm_eps`, `eos_token_id`, and `rope_theta` at the top
    /// (transformers 4) or in `rope_parameters` (5).
    ///
    /// # Errors
    /// The file cannot be read, is no JSON, or scales its rotary angles, which is not done here.
    pub fn with_constants_of(mut self, config: &Path) -> Result<Self> {
        let json: Value = super::read_json(config, "JSON")?;
        let rope = &json["rope_parameters"];
        let scaled = [&json["rope_scaling"], &rope["rope_type"]]
            .into_iter()
            .find(|value| !value.is_null() && value.as_str() != Some("default"));
        if let Some(scaled) = scaled {
            return Err(Error::input(format!("rotary angles are scaled ({scaled})"))
                .at(config)
                .help("only the default rotary embedding can be run here"));
        }
        if let Some(theta) = json["rope_theta"].as_f64().or(rope["rope_theta"].as_f64()) {
            self.rope_theta = theta;
        }
        if let Some(eps) = json["rms_norm_eps"].as_f64() {
            self.norm_eps = eps;
        }
        let eos = &json["eos_token_id"];
        self.eos = eos.as_u64().or(eos[0].as_u64()).and_then(|id| u32::try_from(id).ok());
        Ok(self)
    }

    /// Width of all key/value heads, K·h.
    pub const fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Width of all query heads, H·h.
    pub const fn query_width(&self) -> usize {
        self.query_heads * self.head_dim
    }

    /// Elements of one layer: four attention matrices, three of the feed-forward block, four norms.
    pub const fn layer_parameters(&self) -> u64 {
        let (d, q, kv) = (self.hidden as u64, self.query_width() as u64, self.kv_width() as u64);
        2 * d * q + 2 * d * kv + 3 * d * self.ffn as u64 + q + kv + 2 * d
    }

    /// Elements of a model of so many layer instances: layers, embedding, output matrix, final norm.
    pub const fn parameters(&self, layer_instances: usize) -> u64 {
        let d = self.hidden as u64;
        layer_instances as u64 * self.layer_parameters() + 2 * self.vocabulary as u64 * d + d
    }
}
