//! Which architectures are known, and what each takes for granted.

use super::object::Object;
use crate::error::{Error, Result};
use crate::spec::QkNorm;

/// A family of architectures, as transformers names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    Llama,
    Mistral,
    Mixtral,
    Qwen2,
    Qwen2Moe,
    Qwen3,
    Qwen3Moe,
    Olmo2,
    GptOss,
    MinimaxM2,
    Gemma2,
    Gemma3,
    DeepseekV2,
    DeepseekV3,
}

/// Biases of the attention projections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bias {
    /// There are none.
    Never,
    /// On all four if `attention_bias`; the value is for an absent key.
    All(bool),
    /// On query, key and value.
    Qkv,
    /// On query, key and value unless `qkv_bias` is false.
    QkvSwitch,
}

/// Layers that see a window only, where `layer_types` does not list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Windows {
    /// All, if `sliding_window` is given.
    All,
    /// Every other layer, the first one included.
    Alternate,
    /// All but every n-th, n being `sliding_window_pattern`.
    Pattern,
    /// With `use_sliding_window`, those from `max_window_layers` on.
    Upper,
    /// With `use_sliding_window`, every other one below `max_window_layers`.
    AlternateLower,
    /// With `use_sliding_window`, all.
    Switched,
}

/// Layers that have experts, and the keys that describe these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Experts {
    /// None.
    Nowhere,
    /// All; `intermediate_size` is the width of one.
    Everywhere {
        /// Biases on experts and router.
        bias: bool,
        /// The router has a correction bias: `use_routing_bias`, if absent.
        corrected: bool,
    },
    /// Every `decoder_sparse_step`-th one that `mlp_only_layers` does not list.
    Stepped {
        /// One shared expert behind a gate, of `shared_expert_intermediate_size`.
        shared: bool,
    },
    /// Every `moe_layer_freq`-th one from `first_k_dense_replace` on, with `n_shared_experts`.
    AfterDense {
        /// `first_k_dense_replace`, if absent.
        dense: u32,
        /// The router has a correction bias: `topk_method` is `noaux_tc`, if absent.
        corrected: bool,
    },
}

/// What a family takes for granted, and what it takes for a key that a file leaves out.
#[derive(Debug, Clone, Copy)]
pub struct Traits {
    /// Latent attention; the next seven are of grouped attention.
    pub latent: bool,
    /// `num_key_value_heads`; `None`: as many as query heads.
    pub kv_heads: Option<u32>,
    /// `head_dim`; `None`: `hidden_size / num_attention_heads`.
    pub head_dim: Option<u32>,
    /// `sliding_window`; `None`: no window.
    pub window: Option<u32>,
    /// Which layers see the window only.
    pub windows: Windows,
    /// Biases of the projections.
    pub bias: Bias,
    /// Norms of queries and keys.
    pub qk_norm: QkNorm,
    /// One sink per query head.
    pub sinks: bool,
    /// Which layers have experts.
    pub experts: Experts,
    /// Dense feed-forward blocks have biases if `mlp_bias`.
    pub mlp_bias: bool,
    /// Hidden-wide norms of one layer.
    pub norms_per_layer: u32,
    /// `tie_word_embeddings`.
    pub tied_embeddings: bool,
    /// Sizes that published files leave out; `None`: they have them all, and a missing one is an error.
    pub sizes: Option<Sizes>,
}

/// Sizes for absent keys.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// `vocab_size`.
    pub vocabulary: u32,
    /// `max_position_embeddings`.
    pub context: u32,
    /// `num_attention_heads`.
    pub query_heads: u32,
}

impl Family {
    const ALL: [Self; 14] = [
        Self::Llama,
        Self::Mistral,
        Self::Mixtral,
        Self::Qwen2,
        Self::Qwen2Moe,
        Self::Qwen3,
        Self::Qwen3Moe,
        Self::Olmo2,
        Self::GptOss,
        Self::MinimaxM2,
        Self::Gemma2,
        Self::Gemma3,
        Self::DeepseekV2,
        Self::DeepseekV3,
    ];

    /// The family's name: its `model_type`.
    pub const fn name(self) -> &'static str {
        self.names().0
    }

    /// `model_type`, and the begin of the class name in `architectures`.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Llama => ("llama", "Llama"),
            Self::Mistral => ("mistral", "Mistral"),
            Self::Mixtral => ("mixtral", "Mixtral"),
            Self::Qwen2 => ("qwen2", "Qwen2"),
            Self::Qwen2Moe => ("qwen2_moe", "Qwen2Moe"),
            Self::Qwen3 => ("qwen3", "Qwen3"),
            Self::Qwen3Moe => ("qwen3_moe", "Qwen3Moe"),
            Self::Olmo2 => ("olmo2", "Olmo2"),
            Self::GptOss => ("gpt_oss", "GptOss"),
            Self::MinimaxM2 => ("minimax_m2", "MiniMaxM2"),
            Self::Gemma2 => ("gemma2", "Gemma2"),
            Self::Gemma3 => ("gemma3", "Gemma3"),
            Self::DeepseekV2 => ("deepseek_v2", "DeepseekV2"),
            Self::DeepseekV3 => ("deepseek_v3", "DeepseekV3"),
        }
    }

    fn of_model_type(model_type: &str) -> Option<Self> {
        // The text model of a multimodal Gemma-3 has a type of its own.
        let model_type = if model_type == "gemma3_text" { "gemma3" } else { model_type };
        Self::ALL.into_iter().find(|family| family.names().0 == model_type)
    }

    fn of_class(class: &str) -> Option<Self> {
        let begin = class.strip_suffix("ForCausalLM").or(class.strip_suffix("ForConditionalGeneration"))?;
        Self::ALL.into_iter().find(|family| family.names().1 == begin)
    }

    /// The family of a configuration: by `model_type`, else by the first of `architectures`. The latter also tells a
    /// model that has a type of its own and the weights of a known class, such as Kimi-K2 those of DeepSeek-V3.
    ///
    /// `objects` are the text model, if it is nested, and the whole file.
    ///
    /// # Errors
    /// Neither key names a known family, or neither is there.
    pub fn of(objects: &[&Object<'_>]) -> Result<Self> {
        let mut given = Vec::new();
        for object in objects {
            if let Some(model_type) = object.value("model_type").as_str() {
                if let Some(family) = Self::of_model_type(model_type) {
                    return Ok(family);
                }
                given.push((*object, "model_type", model_type.to_owned()));
            }
            if let Some(class) = object.value("architectures")[0].as_str() {
                if let Some(family) = Self::of_class(class) {
                    return Ok(family);
                }
                given.push((*object, "architectures", class.to_owned()));
            }
        }
        Err(unknown(objects, &given))
    }

    /// What the family takes for granted.
    ///
    /// Source: the configuration and model classes of transformers, `src/transformers/models/*` of
    /// <https://github.com/huggingface/transformers>.
    pub const fn traits(self) -> Traits {
        const PLAIN: Traits = Traits {
            latent: false,
            kv_heads: None,
            head_dim: None,
            window: None,
            windows: Windows::All,
            bias: Bias::All(false),
            qk_norm: QkNorm::None,
            sinks: false,
            experts: Experts::Nowhere,
            mlp_bias: false,
            norms_per_layer: 2,
            tied_embeddings: false,
            sizes: None,
        };
        const QWEN2: Traits = Traits { window: Some(4096), windows: Windows::Upper, bias: Bias::Qkv, ..PLAIN };
        const QWEN3: Traits = Traits { bias: Bias::All(false), qk_norm: QkNorm::PerHead, ..QWEN2 };
        const GEMMA: Traits = Traits {
            kv_heads: Some(4),
            head_dim: Some(256),
            window: Some(4096),
            norms_per_layer: 4,
            tied_embeddings: true,
            ..PLAIN
        };
        match self {
            Self::Llama => Traits { mlp_bias: true, ..PLAIN },
            Self::Mistral => Traits { kv_heads: Some(8), window: Some(4096), bias: Bias::Never, ..PLAIN },
            Self::Mixtral => Traits {
                kv_heads: Some(8),
                bias: Bias::Never,
                experts: Experts::Everywhere { bias: false, corrected: false },
                ..PLAIN
            },
            Self::Qwen2 => Traits { kv_heads: Some(32), ..QWEN2 },
            Self::Qwen2Moe => Traits {
                kv_heads: Some(16),
                windows: Windows::AlternateLower,
                bias: Bias::QkvSwitch,
                experts: Experts::Stepped { shared: true },
                ..QWEN2
            },
            Self::Qwen3 => Traits { kv_heads: Some(32), head_dim: Some(128), ..QWEN3 },
            Self::Qwen3Moe => Traits {
                kv_heads: Some(4),
                windows: Windows::Switched,
                experts: Experts::Stepped { shared: false },
                ..QWEN3
            },
            Self::Olmo2 => Traits { qk_norm: QkNorm::FullWidth, ..PLAIN },
            Self::GptOss => Traits {
                kv_heads: Some(8),
                head_dim: Some(64),
                window: Some(128),
                windows: Windows::Alternate,
                bias: Bias::All(true),
                sinks: true,
                experts: Experts::Everywhere { bias: true, corrected: false },
                ..PLAIN
            },
            Self::MinimaxM2 => Traits {
                kv_heads: Some(8),
                bias: Bias::Never,
                qk_norm: QkNorm::FullWidth,
                experts: Experts::Everywhere { bias: false, corrected: true },
                ..PLAIN
            },
            Self::Gemma2 => Traits { windows: Windows::Alternate, ..GEMMA },
            Self::Gemma3 => Traits {
                windows: Windows::Pattern,
                qk_norm: QkNorm::PerHead,
                sizes: Some(Sizes { vocabulary: 262_208, context: 131_072, query_heads: 8 }),
                ..GEMMA
            },
            Self::DeepseekV2 => {
                Traits { latent: true, experts: Experts::AfterDense { dense: 0, corrected: false }, ..PLAIN }
            }
            Self::DeepseekV3 => {
                Traits { latent: true, experts: Experts::AfterDense { dense: 3, corrected: true }, ..PLAIN }
            }
        }
    }
}

/// Says which architecture it is, which are known, and what describes another one.
fn unknown(objects: &[&Object<'_>], given: &[(&Object<'_>, &str, String)]) -> Error {
    let known = Family::ALL.map(Family::name).join(", ");
    let Some((object, key, _)) = given.first() else {
        let error = Error::input("neither `model_type` nor `architectures` says which architecture this is")
            .help(format!("give the config.json that came with the model; known values of `model_type`: {known}"));
        return objects.iter().fold(error, |error, object| error.or_at(&object.file().label));
    };
    let names: Vec<String> =
        given.iter().map(|(object, key, name)| format!("`{}` is {name:?}", object.path(key))).collect();
    let mut error = Error::input(format!("unknown architecture: {}", names.join(", "))).at(&object.file().label);
    if let Some((line, column)) = object.place(key).map(|offset| object.file().place(offset)) {
        error = error.line(line).column(column);
    }
    error.help(format!(
        "known values of `model_type`: {known}; describe another architecture in a file like models/llama31_8b.toml: \
         hidden_size, vocab_size, norms_per_layer, and for each kind of layer its attention (query_heads, kv_heads, \
         head_dim, sliding_window_tokens) and its feed-forward block (intermediate_size, experts, active_experts)"
    ))
}
