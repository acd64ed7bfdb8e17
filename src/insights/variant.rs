//! Attention variants of a model: the same model with other keys and values.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::slice::{Slice, whole};
use super::table::{AttentionType, Run};
use crate::error::{Error, Result};
use crate::spec::sizes::{MOST_FFN_WIDTH, MOST_HEADS, MOST_WIDTH};
use crate::spec::{Attention, DenseFfn, Ffn, GroupedAttention, LatentAttention, LayerGroup, ModelArchitecture, QkNorm};

/// A kind of attention with what it needs to know; in files a text such as `gqa-8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum VariantKind {
    /// A key/value head for each query head.
    MultiHead,
    /// So many key/value heads.
    Grouped(u32),
    /// One key/value head.
    MultiQuery,
    /// A latent and a rotary key.
    Latent(LatentShape),
}

/// Widths of latent attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatentShape {
    /// Rank of the latent, `down_dim_kv`.
    pub rank: u32,
    /// Width of the rotary key.
    pub rope: u32,
    /// Rank of the query projection; `None`: queries are projected directly.
    pub query_rank: Option<u32>,
}

impl fmt::Display for VariantKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::MultiHead => "MHA".to_owned(),
            Self::Grouped(heads) => format!("GQA-{heads}"),
            Self::MultiQuery => "MQA".to_owned(),
            Self::Latent(LatentShape { rank, rope, query_rank: None }) => format!("MLA-{rank}+{rope}"),
            Self::Latent(LatentShape { rank, rope, query_rank: Some(queries) }) => {
                format!("MLA-{rank}+{rope}/q{queries}")
            }
        })
    }
}

impl From<VariantKind> for String {
    fn from(kind: VariantKind) -> Self {
        kind.to_string()
    }
}

impl TryFrom<String> for VariantKind {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl FromStr for VariantKind {
    type Err = Error;

    /// Reads `mha`, `mqa`, `gqa-8`, `mla-512+64`, `mla-512+64/q1536`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::input(format!("`{text}` is no attention variant")).help(
                "write mha, mqa, gqa-8 (key/value heads) or mla-512+64 (rank of the latent + width of the rotary key)",
            )
        };
        let lower = text.trim().to_lowercase();
        let count = |text: &str| text.parse::<u32>().ok().filter(|count| *count > 0).ok_or_else(wrong);
        match lower.as_str() {
            "mha" => Ok(Self::MultiHead),
            "mqa" => Ok(Self::MultiQuery),
            other => {
                let (kind, size) = other.split_at_checked(3).ok_or_else(wrong)?;
                let size = size.trim_start_matches(['-', ':']);
                match kind {
                    "gqa" => count(size).map(Self::Grouped),
                    "mla" => {
                        let (rank, rest) = size.split_once('+').ok_or_else(wrong)?;
                        let (rope, queries) = rest.split_once("/q").map_or((rest, None), |(rope, q)| (rope, Some(q)));
                        let shape = LatentShape {
                            rank: count(rank)?,
                            rope: count(rope)?,
                            query_rank: queries.map(count).transpose()?,
                        };
                        Ok(Self::Latent(shape))
                    }
                    _ => Err(wrong()),
                }
            }
        }
    }
}

impl VariantKind {
    /// Key/value heads that it has in any model; `None` for multi-head attention, which has those of the queries, and for latent
    /// attention.
    pub fn kv_heads(self) -> Option<u32> {
        match self {
            Self::Grouped(heads) => Some(heads),
            Self::MultiQuery => Some(1),
            Self::MultiHead | Self::Latent(_) => None,
        }
    }

    /// The same by its simplest name for a model: one key/value head is MQA, as many as query heads MHA.
    pub fn simplest(self, model: &ModelArchitecture) -> Self {
        match self {
            Self::Grouped(1) => Self::MultiQuery,
            Self::Grouped(heads) if model.layers.iter().all(|group| group.attention.query_heads() == heads) => {
                Self::MultiHead
            }
            other => other,
        }
    }
}

/// A model with its attention replaced.
#[derive(Debug, Clone)]
pub struct Variant {
    /// By what.
    pub kind: VariantKind,
    /// Whether the model has it of itself.
    pub own: bool,
    /// The model.
    pub model: ModelArchitecture,
}

impl Variant {
    /// The model with other attention in all layers. Sliding windows stay, except under latent attention, which has none.
    ///
    /// # Errors
    /// Key/value heads that do not divide the query heads.
    pub fn of(model: &ModelArchitecture, kind: VariantKind) -> Result<Self> {
        let mut changed = model.clone();
        for group in &mut changed.layers {
            let query = heads(&group.attention).query;
            group.attention = replaced(&group.attention, kind).ok_or_else(|| {
                let kv_heads = kind.kv_heads().unwrap_or(query);
                Error::input(format!(
                    "{kind} has {kv_heads} key/value heads, which do not divide the {query} query heads of {}",
                    model.name
                ))
                .help("choose a number of key/value heads that divides the query heads")
            })?;
        }
        let own = changed.layers == model.layers;
        if !own {
            changed.published_parameters = None;
            changed.extra.clear();
            changed.name = format!("{} with {kind}", model.name);
        }
        Ok(Self { kind, own, model: changed })
    }
}

/// Sizes of one group's heads.
struct Heads {
    query: u32,
    width: u32,
}

fn heads(attention: &Attention) -> Heads {
    match attention {
        Attention::Grouped(a) => Heads { query: a.query_heads, width: a.head_dim },
        Attention::Latent(a) => Heads { query: a.query_heads, width: a.qk_nope_head_dim },
    }
}

/// Other attention with the query heads of some; `None` for key/value heads that do not divide them.
fn replaced(attention: &Attention, kind: VariantKind) -> Option<Attention> {
    if let VariantKind::Latent(shape) = kind {
        return Some(latent(attention, shape));
    }
    let Heads { query, width } = heads(attention);
    let kv_heads = kind.kv_heads().unwrap_or(query);
    query.is_multiple_of(kv_heads).then_some(Attention::Grouped(match attention {
        Attention::Grouped(a) => GroupedAttention { kv_heads, ..*a },
        Attention::Latent(_) => GroupedAttention {
            query_heads: query,
            kv_heads,
            head_dim: width,
            qkv_bias: false,
            output_bias: false,
            qk_norm: QkNorm::None,
            sinks: false,
            sliding_window_tokens: None,
        },
    }))
}

fn latent(attention: &Attention, shape: LatentShape) -> Attention {
    match attention {
        Attention::Latent(a) => Attention::Latent(LatentAttention {
            kv_lora_rank: shape.rank,
            qk_rope_head_dim: shape.rope,
            q_lora_rank: shape.query_rank,
            ..*a
        }),
        Attention::Grouped(a) => Attention::Latent(LatentAttention {
            query_heads: a.query_heads,
            q_lora_rank: shape.query_rank,
            kv_lora_rank: shape.rank,
            qk_nope_head_dim: a.head_dim,
            qk_rope_head_dim: shape.rope,
            v_head_dim: a.head_dim,
        }),
    }
}

/// The variants of a model that are compared unless others are named: MHA, GQA as the model has it (else with 8 key/value
/// heads or a quarter of the query heads), MQA, and MLA as the model has it (else in the proportions of DeepSeek-V2: a latent
/// of four heads' width, a rotary key of half a head's, a query rank of twelve where the model is wider than that).
///
/// Source of the proportions: DeepSeek-AI 2024, <https://arxiv.org/abs/2405.04434>, section 3.1.2.
pub fn default_kinds(model: &ModelArchitecture) -> Vec<VariantKind> {
    let attention = model.layers[0].attention;
    let Heads { query, width } = heads(&attention);
    let grouped = match attention {
        Attention::Grouped(a) if a.kv_heads > 1 && a.kv_heads < query => Some(a.kv_heads),
        _ => [8, query / 4, query / 2].into_iter().find(|kv| *kv > 1 && *kv < query && query.is_multiple_of(*kv)),
    };
    let latent = match attention {
        Attention::Latent(a) => {
            LatentShape { rank: a.kv_lora_rank, rope: a.qk_rope_head_dim, query_rank: a.q_lora_rank }
        }
        Attention::Grouped(_) => LatentShape {
            rank: 4 * width,
            rope: (width / 2).max(1),
            query_rank: Some(12 * width).filter(|rank| *rank < model.hidden_size),
        },
    };
    let mut kinds = vec![VariantKind::MultiHead];
    kinds.extend(grouped.map(VariantKind::Grouped));
    if query > 1 {
        kinds.push(VariantKind::MultiQuery);
    }
    kinds.push(VariantKind::Latent(latent));
    kinds
}

/// The variants that the runs of one architecture have: MHA, their numbers of key/value heads, MQA, and of the ranks of
/// latent attention the one of the lowest loss.
pub fn kinds_of_runs(slice: &Slice, runs: &[&Run]) -> Vec<VariantKind> {
    let mut grouped: Vec<u32> = runs
        .iter()
        .filter(|run| run.attention == AttentionType::Gqa)
        .filter_map(|run| whole(run.kv_heads, MOST_HEADS))
        .filter(|heads| *heads > 1 && *heads < slice.heads && slice.heads.is_multiple_of(*heads))
        .collect();
    grouped.sort_unstable();
    grouped.dedup();
    let mut kinds = vec![VariantKind::MultiHead];
    kinds.extend(grouped.into_iter().rev().map(VariantKind::Grouped));
    kinds.push(VariantKind::MultiQuery);
    let loss = |run: &Run| run.loss.unwrap_or(f64::INFINITY);
    let best = runs
        .iter()
        .filter_map(|run| Some((run, whole(run.rank, MOST_WIDTH)?, whole(run.rope_dim(), MOST_HEADS)?)))
        .min_by(|a, b| loss(a.0).total_cmp(&loss(b.0)));
    kinds.extend(best.map(|(_, rank, rope)| VariantKind::Latent(LatentShape { rank, rope, query_rank: None })));
    kinds
}

/// A model of the architecture that runs share. Whatever of the median of their parameters is not attention counts as
/// feed-forward weights, the vocabulary too, whose size the table does not tell.
///
/// # Errors
/// No run tells its parameters, or the heads do not divide the width.
pub fn architecture(slice: &Slice, runs: &[&Run]) -> Result<ModelArchitecture> {
    if slice.heads == 0 || !slice.dim.is_multiple_of(slice.heads) {
        return Err(Error::input(format!("{} heads do not divide a width of {}", slice.heads, slice.dim))
            .help("mend `n_heads` or `dim`"));
    }
    let head_dim = slice.dim / slice.heads;
    let (d, layers) = (u64::from(slice.dim), u64::from(slice.layers));
    let attention = Attention::Grouped(GroupedAttention {
        query_heads: slice.heads,
        kv_heads: slice.heads,
        head_dim,
        qkv_bias: false,
        output_bias: false,
        qk_norm: QkNorm::None,
        sinks: false,
        sliding_window_tokens: None,
    });
    let of_run = |run: &&Run| -> Option<u64> {
        let kind = match run.attention {
            AttentionType::Mha => VariantKind::MultiHead,
            AttentionType::Gqa => VariantKind::Grouped(whole(run.kv_heads, MOST_HEADS)?),
            AttentionType::Mla => VariantKind::Latent(LatentShape {
                rank: whole(run.rank, MOST_WIDTH)?,
                rope: whole(run.rope_dim(), MOST_HEADS)?,
                query_rank: None,
            }),
            AttentionType::Other(_) => return None,
        };
        let own = replaced(&attention, kind)?;
        let others = (run.params_m? * 1e6) - (layers * own.linear_weights(d)) as f64;
        (others > 0.0).then(|| (others / (3 * d * layers) as f64).round() as u64)
    };
    let mut widths: Vec<u64> = runs.iter().filter_map(of_run).filter(|width| *width > 0).collect();
    widths.sort_unstable();
    let Some(width) = widths
        .get(widths.len() / 2)
        .and_then(|width| u32::try_from(*width).ok())
        .filter(|width| *width <= MOST_FFN_WIDTH)
    else {
        return Err(Error::input(format!(
            "no dense run of {} tells, with `params_m` and its attention, how wide its feed-forward blocks are",
            slice.label()
        ))
        .help("fill in `params_m`, more than the attention alone has, or name a model with --model"));
    };
    Ok(ModelArchitecture {
        id: format!("d{}_l{}_h{}_s{}", slice.dim, slice.layers, slice.heads, slice.context),
        name: format!("the model of {}", slice.label()),
        aliases: Vec::new(),
        same_shape: Vec::new(),
        family: "benchmark table".to_owned(),
        hidden_size: slice.dim,
        vocab_size: 1,
        tied_embeddings: true,
        max_context_tokens: slice.context,
        norms_per_layer: 2,
        parallel_blocks: false,
        stored_precision: None,
        unknown_format: None,
        published_parameters: None,
        layers: vec![LayerGroup {
            count: slice.layers,
            attention,
            ffn: Ffn::Dense(DenseFfn { intermediate_size: width, gated: true, bias: false }),
        }],
        extra: Vec::new(),
        sources: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Catalog;

    #[test]
    fn names_read_back() {
        for text in ["MHA", "MQA", "GQA-8", "MLA-512+64", "MLA-512+64/q1536"] {
            assert_eq!(text.parse::<VariantKind>().unwrap().to_string(), text);
        }
        assert_eq!("gqa8".parse::<VariantKind>().unwrap(), VariantKind::Grouped(8));
        for text in ["", "gqa", "gqa-0", "mla-512", "mla512+", "mla-512+64/q", "xha", "é"] {
            let error = text.parse::<VariantKind>().unwrap_err().to_string();
            assert!(error.contains("is no attention variant"), "{error}");
        }
    }

    #[test]
    fn a_models_own_variant_is_known_and_unchanged() {
        for (id, own) in
            [("llama31_8b", "GQA-8"), ("olmo2_7b", "MHA"), ("deepseek_v3", "MLA-512+64/q1536"), ("qwen25_7b", "GQA-4")]
        {
            let model = Catalog::built_in().model(id).unwrap();
            let kinds = default_kinds(&model);
            let variants: Vec<Variant> = kinds.iter().map(|kind| Variant::of(&model, *kind).unwrap()).collect();
            let found: Vec<String> =
                variants.iter().filter(|variant| variant.own).map(|variant| variant.kind.to_string()).collect();
            assert_eq!(found, [own], "{id}");
            assert!(variants.iter().all(|variant| variant.own == (variant.model.parameters() == model.parameters())));
        }
    }
}
