//! The attention of each layer.

use super::family::{Bias, Traits, Windows};
use super::keys::{
    HEAD_DIM, KV_HEADS, KV_LORA_RANK, Keys, MAX_WINDOW_LAYERS, Q_LORA_RANK, QK_NOPE_HEAD_DIM, QK_ROPE_HEAD_DIM,
    QUERY_HEADS, V_HEAD_DIM, WINDOW, WINDOW_PATTERN,
};
use crate::spec::{Attention, GroupedAttention, LatentAttention};

/// Reads the attention of every layer, the first layer first.
pub fn read_attention(keys: &mut Keys<'_>, traits: &Traits, hidden_size: u32, layers: u32) -> Vec<Attention> {
    let query_heads = keys.size(&QUERY_HEADS, traits.sizes.map(|sizes| sizes.query_heads));
    if traits.latent {
        return vec![Attention::Latent(latent(keys, query_heads)); layers as usize];
    }
    let full = grouped(keys, traits, hidden_size, query_heads);
    let (sliding, window) = windows(keys, traits, layers);
    let windowed = GroupedAttention { sliding_window_tokens: window, ..full };
    sliding.into_iter().map(|sliding| Attention::Grouped(if sliding { windowed } else { full })).collect()
}

fn grouped(keys: &mut Keys<'_>, traits: &Traits, hidden_size: u32, query_heads: u32) -> GroupedAttention {
    let kv_heads = keys.count_or(&KV_HEADS, traits.kv_heads).unwrap_or(query_heads);
    keys.require(query_heads.is_multiple_of(kv_heads), KV_HEADS.name(), || {
        format!("is {kv_heads}, which does not divide the {query_heads} query heads of `num_attention_heads`")
    });
    // A head dimension of 0 does not get out: the heads do not divide the hidden size then.
    let head_dim = keys.count_or(&HEAD_DIM, traits.head_dim).unwrap_or_else(|| {
        keys.require(hidden_size.is_multiple_of(query_heads), QUERY_HEADS.name(), || {
            format!("is {query_heads}, which does not divide the `hidden_size` {hidden_size}; give `head_dim`")
        });
        hidden_size / query_heads
    });
    let (qkv_bias, output_bias) = match traits.bias {
        Bias::Never => (false, false),
        Bias::All(absent) => {
            let bias = keys.flag_or("attention_bias", absent);
            (bias, bias)
        }
        Bias::Qkv => (true, false),
        Bias::QkvSwitch => (keys.flag_or("qkv_bias", true), false),
    };
    GroupedAttention {
        query_heads,
        kv_heads,
        head_dim,
        qkv_bias,
        output_bias,
        qk_norm: traits.qk_norm,
        sinks: traits.sinks,
        sliding_window_tokens: None,
    }
}

/// Which layers see a window only, and how wide it is.
fn windows(keys: &mut Keys<'_>, traits: &Traits, layers: u32) -> (Vec<bool>, Option<u32>) {
    let switched_off = match traits.windows {
        Windows::All | Windows::Alternate | Windows::Pattern => false,
        Windows::Upper | Windows::AlternateLower | Windows::Switched => !keys.flag_or("use_sliding_window", false),
    };
    // A file that switches windows off may still name one of any width.
    let window = if switched_off { None } else { keys.count_or(&WINDOW, traits.window) };
    if let Some(listed) = listed_windows(keys, layers) {
        keys.require(window.is_some() || !listed.contains(&true), "layer_types", || {
            "lists sliding_attention, but there is no `sliding_window`; give its tokens".to_owned()
        });
        return (listed, window);
    }
    if window.is_none() {
        return (vec![false; layers as usize], None);
    }
    let sliding = match traits.windows {
        Windows::All | Windows::Switched => vec![true; layers as usize],
        Windows::Alternate => (0..layers).map(|layer| layer % 2 == 0).collect(),
        Windows::Pattern => {
            let pattern = keys.count_or(&WINDOW_PATTERN, None).unwrap_or(6);
            (1..=layers).map(|number| !number.is_multiple_of(pattern)).collect()
        }
        Windows::Upper => {
            let limit = keys.count_or(&MAX_WINDOW_LAYERS, None).unwrap_or(28);
            (0..layers).map(|layer| layer >= limit).collect()
        }
        Windows::AlternateLower => {
            let limit = keys.count_or(&MAX_WINDOW_LAYERS, None).unwrap_or(28);
            (0..layers).map(|layer| layer % 2 == 0 && layer < limit).collect()
        }
    };
    (sliding, window)
}

/// What `layer_types` says, if it is there.
fn listed_windows(keys: &mut Keys<'_>, layers: u32) -> Option<Vec<bool>> {
    let listed = keys.texts("layer_types")?;
    keys.require(listed.len() == layers as usize, "layer_types", || {
        format!("lists {} layers, but `num_hidden_layers` is {layers}", listed.len())
    });
    let other = listed.iter().find(|kind| !["full_attention", "sliding_attention"].contains(&kind.as_str()));
    if let Some(other) = other {
        keys.note("layer_types", &format!("lists {other:?}; known are full_attention and sliding_attention"));
    }
    Some(listed.iter().map(|kind| kind == "sliding_attention").collect())
}

fn latent(keys: &mut Keys<'_>, query_heads: u32) -> LatentAttention {
    if keys.flag_or("attention_bias", false) {
        keys.note("attention_bias", "is true; latent attention is known without biases only");
    }
    LatentAttention {
        query_heads,
        // 1536 is what transformers takes if the key is absent; DeepSeek-V2-Lite has null.
        q_lora_rank: keys.count_or(&Q_LORA_RANK, Some(1536)),
        kv_lora_rank: keys.required(&KV_LORA_RANK),
        qk_nope_head_dim: keys.required(&QK_NOPE_HEAD_DIM),
        qk_rope_head_dim: keys.required(&QK_ROPE_HEAD_DIM),
        v_head_dim: keys.required(&V_HEAD_DIM),
    }
}
