//! One model architecture: layers as groups of an attention and a feed-forward kind.
//! One file under `models/` describes one architecture.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::file::{Problems, SpecFile};
use super::sizes::{MOST_EXPERTS, MOST_FFN_WIDTH, MOST_HEADS, MOST_LAYERS, MOST_NORMS, MOST_VOCABULARY, MOST_WIDTH};
use super::{Precision, Source};
use crate::error::Result;

/// Where attention normalises its queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QkNorm {
    /// Nowhere.
    #[default]
    None,
    /// One head-wide weight each for queries and keys (Qwen3).
    PerHead,
    /// One weight each over the width of all heads (OLMo-2).
    FullWidth,
}

/// Multi-head, grouped-query and multi-query attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupedAttention {
    /// Query heads H.
    pub query_heads: u32,
    /// Key/value heads K.
    pub kv_heads: u32,
    /// Head width h.
    pub head_dim: u32,
    /// Biases on the query, key and value projections.
    #[serde(default)]
    pub qkv_bias: bool,
    /// Bias on the output projection.
    #[serde(default)]
    pub output_bias: bool,
    /// Query/key normalisation.
    #[serde(default)]
    pub qk_norm: QkNorm,
    /// One learned sink per query head.
    #[serde(default)]
    pub sinks: bool,
    /// A token sees at most this many tokens back; `None`: all.
    pub sliding_window_tokens: Option<u32>,
}

/// Multi-head latent attention (DeepSeek): the cache holds one latent and one rotary key per token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatentAttention {
    /// Query heads H.
    pub query_heads: u32,
    /// Rank of the query down-projection; `None`: queries are projected directly.
    pub q_lora_rank: Option<u32>,
    /// Rank of the key/value latent.
    pub kv_lora_rank: u32,
    /// Head width without rotary embedding.
    pub qk_nope_head_dim: u32,
    /// Width of the rotary key, shared by all heads.
    pub qk_rope_head_dim: u32,
    /// Width of a value head.
    pub v_head_dim: u32,
}

/// A kind of attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Attention {
    /// MHA, GQA, MQA.
    Grouped(GroupedAttention),
    /// MLA.
    Latent(LatentAttention),
}

/// One feed-forward block for all tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseFfn {
    /// Width f.
    pub intermediate_size: u32,
    /// Three matrices (gate, up, down) instead of two.
    #[serde(default = "yes")]
    pub gated: bool,
    /// Biases on its matrices.
    #[serde(default)]
    pub bias: bool,
}

/// Mixture of experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoeFfn {
    /// Routed experts E.
    pub experts: u32,
    /// Routed experts a token uses, k.
    pub active_experts: u32,
    /// Experts that every token uses.
    #[serde(default)]
    pub shared_experts: u32,
    /// Width of one routed expert.
    pub intermediate_size: u32,
    /// Width of one shared expert; `None`: as wide as a routed one.
    pub shared_intermediate_size: Option<u32>,
    /// One weight per hidden element scales what the shared experts add (Qwen2-MoE).
    #[serde(default)]
    pub shared_gate: bool,
    /// Three matrices an expert instead of two.
    #[serde(default = "yes")]
    pub gated: bool,
    /// Biases on the matrices of the experts.
    #[serde(default)]
    pub bias: bool,
    /// One bias per expert in the router.
    #[serde(default)]
    pub router_bias: bool,
}

const fn yes() -> bool {
    true
}

/// A kind of feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ffn {
    /// The same weights for every token.
    Dense(DenseFfn),
    /// Routed experts.
    Moe(MoeFfn),
}

/// Equal layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerGroup {
    /// How many.
    pub count: u32,
    /// Their attention.
    pub attention: Attention,
    /// Their feed-forward block.
    pub ffn: Ffn,
}

/// Tensors of the published count that a forward pass does not use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraTensors {
    /// What they are.
    pub what: String,
    /// How many elements.
    pub parameters: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayersFile {
    count: u32,
    attention: String,
    ffn: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    same_shape: Vec<String>,
    family: String,
    hidden_size: u32,
    vocab_size: u32,
    tied_embeddings: bool,
    max_context_tokens: u32,
    norms_per_layer: u32,
    #[serde(default)]
    parallel_blocks: bool,
    stored_precision: Option<Precision>,
    published_parameters: Option<u64>,
    attention: BTreeMap<String, Attention>,
    ffn: BTreeMap<String, Ffn>,
    layers: Vec<LayersFile>,
    #[serde(default)]
    extra: Vec<ExtraTensors>,
    #[serde(default)]
    source: Vec<Source>,
}

/// A checked architecture.
#[derive(Debug, Clone)]
pub struct ModelArchitecture {
    /// File name without its ending.
    pub id: String,
    /// Name of the model.
    pub name: String,
    /// Other names under which people and tools know it.
    pub aliases: Vec<String>,
    /// Other models that have its shape, such as distilled ones.
    pub same_shape: Vec<String>,
    /// Architecture family.
    pub family: String,
    /// Hidden width d.
    pub hidden_size: u32,
    /// Vocabulary V.
    pub vocab_size: u32,
    /// Embedding and head share one matrix.
    pub tied_embeddings: bool,
    /// Longest context in tokens.
    pub max_context_tokens: u32,
    /// Hidden-wide norm weights of one layer.
    pub norms_per_layer: u32,
    /// Attention and the feed-forward block of a layer run side by side, and their outputs are added up together.
    pub parallel_blocks: bool,
    /// Number format of the weights as they are published: a suggestion for the deployment.
    pub stored_precision: Option<Precision>,
    /// A quantisation of the published weights that is none of ours, as its file has it.
    pub unknown_format: Option<String>,
    /// Parameter count as published, if the file gives one.
    pub published_parameters: Option<u64>,
    /// Groups of equal layers; their order in the stack does not matter to the cost.
    pub layers: Vec<LayerGroup>,
    /// Tensors of the published count that a forward pass does not use.
    pub extra: Vec<ExtraTensors>,
    /// Where the figures come from.
    pub sources: Vec<Source>,
}

impl ModelArchitecture {
    /// Says so where a request of so many tokens is longer than the context that the model is made for.
    pub fn beyond_context(&self, tokens: f64) -> Option<String> {
        let context = self.max_context_tokens;
        (tokens > f64::from(context))
            .then(|| format!("{tokens} tokens are more than the {context} of context that {} is made for", self.name))
    }

    /// Reads and checks a model file; `id` is the name by which scenarios call it.
    ///
    /// # Errors
    /// Broken TOML, unknown keys, counts of zero, layers that name no known kind, key/value heads that do not divide
    /// the query heads, or weights that do not add up to `published_parameters`.
    pub fn read(id: &str, file: &SpecFile) -> Result<Self> {
        let raw: ModelFile = file.parse()?;
        let mut problems = file.problems();
        for (key, value, most) in [
            ("hidden_size", raw.hidden_size, MOST_WIDTH),
            ("vocab_size", raw.vocab_size, MOST_VOCABULARY),
            ("max_context_tokens", raw.max_context_tokens, u32::MAX),
            ("norms_per_layer", raw.norms_per_layer, MOST_NORMS),
        ] {
            problems.require_count_to(key, value.into(), most);
        }
        for (name, attention) in &raw.attention {
            check_attention(&mut problems, &format!("attention.{name}"), attention);
        }
        for (name, ffn) in &raw.ffn {
            check_ffn(&mut problems, &format!("ffn.{name}"), ffn);
        }
        let mut layers = Vec::new();
        if raw.layers.is_empty() {
            problems.note("layers", "is empty; give at least one group of layers");
        }
        let together: u64 = raw.layers.iter().map(|group| u64::from(group.count)).sum();
        if together > MOST_LAYERS.into() {
            problems.note("layers", format!("are {together} together; there must be at most {MOST_LAYERS}"));
        }
        for group in &raw.layers {
            problems.require_count("layers", group.count.into());
            match (raw.attention.get(&group.attention), raw.ffn.get(&group.ffn)) {
                (Some(attention), Some(ffn)) => {
                    layers.push(LayerGroup { count: group.count, attention: *attention, ffn: *ffn });
                }
                (None, _) => {
                    problems.note("layers", format!("names attention `{}`, which is not here", group.attention))
                }
                (_, None) => problems.note("layers", format!("names ffn `{}`, which is not here", group.ffn)),
            }
        }
        problems.require_sources(&raw.source);
        problems.finish()?;

        let model = Self {
            id: id.to_owned(),
            name: raw.name,
            aliases: raw.aliases,
            same_shape: raw.same_shape,
            family: raw.family,
            hidden_size: raw.hidden_size,
            vocab_size: raw.vocab_size,
            tied_embeddings: raw.tied_embeddings,
            max_context_tokens: raw.max_context_tokens,
            norms_per_layer: raw.norms_per_layer,
            parallel_blocks: raw.parallel_blocks,
            stored_precision: raw.stored_precision,
            unknown_format: None,
            published_parameters: raw.published_parameters,
            layers,
            extra: raw.extra,
            sources: raw.source,
        };
        let extra: u128 = model.extra.iter().map(|extra| u128::from(extra.parameters)).sum();
        let counted = u128::from(model.parameters()) + extra;
        let mut problems = file.problems();
        if let Some(published) = model.published_parameters
            && u128::from(published) != counted
        {
            problems.note(
                "published_parameters",
                format!("is {published}, but the layers, embeddings and extras of this file hold {counted}"),
            );
        }
        problems.finish()?;
        Ok(model)
    }

    /// Number of layers L.
    pub fn layer_count(&self) -> u32 {
        self.layers.iter().map(|group| group.count).sum()
    }

    /// Elements of one vocabulary matrix, V·d.
    pub fn vocabulary_matrix(&self) -> u64 {
        u64::from(self.vocab_size) * u64::from(self.hidden_size)
    }
}

fn check_attention(problems: &mut Problems<'_>, key: &str, attention: &Attention) {
    let counts = match attention {
        Attention::Grouped(a) => {
            if a.kv_heads > 0 && !a.query_heads.is_multiple_of(a.kv_heads) {
                problems.note(
                    &format!("{key}.kv_heads"),
                    format!("is {}, which does not divide {} query heads", a.kv_heads, a.query_heads),
                );
            }
            vec![
                ("query_heads", a.query_heads, MOST_HEADS),
                ("kv_heads", a.kv_heads, MOST_HEADS),
                ("head_dim", a.head_dim, MOST_HEADS),
                ("sliding_window_tokens", a.sliding_window_tokens.unwrap_or(1), u32::MAX),
            ]
        }
        Attention::Latent(a) => vec![
            ("query_heads", a.query_heads, MOST_HEADS),
            ("q_lora_rank", a.q_lora_rank.unwrap_or(1), MOST_WIDTH),
            ("kv_lora_rank", a.kv_lora_rank, MOST_WIDTH),
            ("qk_nope_head_dim", a.qk_nope_head_dim, MOST_HEADS),
            ("qk_rope_head_dim", a.qk_rope_head_dim, MOST_HEADS),
            ("v_head_dim", a.v_head_dim, MOST_HEADS),
        ],
    };
    for (name, value, most) in counts {
        problems.require_count_to(&format!("{key}.{name}"), value.into(), most);
    }
}

fn check_ffn(problems: &mut Problems<'_>, key: &str, ffn: &Ffn) {
    match ffn {
        Ffn::Dense(ffn) => {
            problems.require_count_to(
                &format!("{key}.intermediate_size"),
                ffn.intermediate_size.into(),
                MOST_FFN_WIDTH,
            );
        }
        Ffn::Moe(moe) => {
            for (name, value, most) in [
                ("experts", moe.experts, MOST_EXPERTS),
                ("active_experts", moe.active_experts, MOST_EXPERTS),
                ("intermediate_size", moe.intermediate_size, MOST_FFN_WIDTH),
                ("shared_intermediate_size", moe.shared_intermediate_size.unwrap_or(1), MOST_FFN_WIDTH),
            ] {
                problems.require_count_to(&format!("{key}.{name}"), value.into(), most);
            }
            problems.require_at_most(&format!("{key}.shared_experts"), moe.shared_experts.into(), MOST_EXPERTS);
            if moe.active_experts > moe.experts {
                problems.note(
                    &format!("{key}.active_experts"),
                    format!("is {}, more than the {} experts", moe.active_experts, moe.experts),
                );
            }
            if moe.shared_experts == 0 && (moe.shared_gate || moe.shared_intermediate_size.is_some()) {
                problems.note(&format!("{key}.shared_experts"), "is 0, but shared experts have a width or a gate");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_of_shared_experts_that_are_not_there_is_a_problem() {
        let text = "[ffn.moe]\ntype = \"moe\"\nexperts = 8\nactive_experts = 2\nshared_intermediate_size = 0\n";
        let file = SpecFile { label: "x.toml".into(), text: text.into() };
        let moe = MoeFfn {
            experts: 8,
            active_experts: 2,
            shared_experts: 0,
            intermediate_size: 1,
            shared_intermediate_size: Some(0),
            shared_gate: false,
            gated: true,
            bias: false,
            router_bias: false,
        };
        let mut problems = file.problems();
        check_ffn(&mut problems, "ffn.moe", &Ffn::Moe(moe));
        assert_eq!(
            problems.finish().unwrap_err().to_string(),
            "x.toml:5: `ffn.moe.shared_intermediate_size` is 0; it must be at least 1\n  help: mend the value in this \
             file; 1 more: `ffn.moe.shared_experts` is 0, but shared experts have a width or a gate"
        );
    }
}
