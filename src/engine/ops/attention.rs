//! Attention: KV cache traffic of decode, arithmetic of prefill and decode. MHA/GQA/MQA, sliding windows and MLA.

use crate::engine::cost::{Cost, Roofs};
use crate::engine::rates::Rates;
use crate::engine::sharding::Sharding;
use crate::spec::{Attention, Deployment, GroupedAttention, LatentAttention, LayerGroup, Precision};
use crate::units::{Bytes, Flops};

/// KV cache of one layer for one token in bytes, on one of so many devices.
///
/// GQA: `2·⌈K/g⌉·h·b`; with more devices than key/value heads every device still holds one head. MLA: `(kv_lora_rank + rope)·b`,
/// because the latent cannot be split by heads.
pub fn kv_bytes_per_token(attention: &Attention, kv_precision: Precision, devices: u32) -> f64 {
    let elements = match attention {
        Attention::Grouped(a) => {
            let heads = Sharding::Split(devices).whole_parts(a.kv_heads);
            2.0 * f64::from(heads) * f64::from(a.head_dim)
        }
        Attention::Latent(a) => f64::from(a.kv_lora_rank + a.qk_rope_head_dim),
    };
    elements * kv_precision.bytes()
}

/// Tokens of a context that a layer keeps and reads.
pub fn visible_tokens(attention: &Attention, context: f64) -> f64 {
    match attention {
        Attention::Grouped(GroupedAttention { sliding_window_tokens: Some(window), .. }) => {
            context.min(f64::from(*window))
        }
        Attention::Grouped(_) | Attention::Latent(_) => context,
    }
}

/// Pairs of a query and a key that causal attention over a prompt of I tokens computes: `I²/2`, and with a window w
/// shorter than the prompt `w·I − w²/2`.
pub fn causal_pairs(attention: &Attention, input_tokens: f64) -> f64 {
    let window = visible_tokens(attention, input_tokens);
    window * input_tokens - window * window / 2.0
}

/// FLOP of one query–key pair in prefill, scores and weighted values, all heads: `4·H·h`; MLA `2·H·(qk + v)`.
pub fn prefill_flops_per_pair(attention: &Attention) -> f64 {
    match attention {
        Attention::Grouped(a) => 4.0 * f64::from(a.query_heads) * f64::from(a.head_dim),
        Attention::Latent(LatentAttention { query_heads, qk_nope_head_dim, qk_rope_head_dim, v_head_dim, .. }) => {
            2.0 * f64::from(*query_heads) * f64::from(qk_nope_head_dim + qk_rope_head_dim + v_head_dim)
        }
    }
}

/// Rows of the smallest matrix tile. The queries of one sequence that share a key/value head make up the rows of its
/// decode attention; where they are fewer, the rest of the tile computes nothing.
const QUERY_ROWS: f64 = 16.0;

/// Share of a tile that decode attention fills: query heads per key/value head, of 16 rows.
///
/// This is why multi-head decode attention runs far from its roof and latent attention near it. On static batches of
/// seven GPUs it predicts left-out ITL better than one efficiency for all models, without a parameter.
pub fn decode_tile_share(attention: &Attention) -> f64 {
    let shared_by = match attention {
        Attention::Grouped(a) => f64::from(a.query_heads) / f64::from(a.kv_heads),
        Attention::Latent(a) => f64::from(a.query_heads),
    };
    (shared_by / QUERY_ROWS).min(1.0)
}

/// FLOP of one decode token per cached token it reads. MLA decodes in the latent space (projections absorbed):
/// `2·H·(rank + rope) + 2·H·rank`.
pub fn decode_flops_per_token(attention: &Attention) -> f64 {
    match attention {
        Attention::Grouped(_) => prefill_flops_per_pair(attention),
        Attention::Latent(a) => {
            2.0 * f64::from(a.query_heads) * (2.0 * f64::from(a.kv_lora_rank) + f64::from(a.qk_rope_head_dim))
        }
    }
}

/// Causal attention of one layer over n new tokens behind c cached ones: `4·q·(n·c + n·(n+1)/2)` FLOP; it reads `2·k·b·(c + n)`
/// bytes and writes `2·k·b·n`.
///
/// | symbol | meaning | unit |
/// |---|---|---|
/// | `q` | width of all query heads, `query_width` | 1 |
/// | `k` | width of all key heads, `kv_width` | 1 |
/// | `b` | `bytes` of an element | byte |
/// | `n`, `c` | `new` and `cached` tokens | tokens |
pub fn causal_with_cache(query_width: f64, kv_width: f64, bytes: f64, new: f64, cached: f64) -> Cost {
    Cost {
        flops: Flops::new(4.0 * query_width * (new * cached + new * (new + 1.0) / 2.0)),
        bytes: Bytes::new(2.0 * kv_width * bytes * (cached + 2.0 * new)),
    }
}

/// Attention of equal layers, as one device has it.
#[derive(Debug, Clone, Copy)]
pub struct AttentionOp {
    /// What each layer does.
    pub attention: Attention,
    /// How many layers.
    pub layers: u32,
    /// How the query heads lie over the devices.
    pub sharding: Sharding,
    /// Format of the arithmetic.
    pub precision: Precision,
    /// Cache of one layer for one token on a device.
    kv_bytes_per_token: f64,
}

impl AttentionOp {
    /// Of a group of equal layers.
    pub fn new(group: &LayerGroup, deployment: &Deployment) -> Self {
        let devices = deployment.parallelism.tp();
        Self {
            attention: group.attention,
            layers: group.count,
            sharding: Sharding::Split(devices),
            precision: deployment.formats.wide(),
            kv_bytes_per_token: kv_bytes_per_token(&group.attention, deployment.formats.kv, devices),
        }
    }

    /// Work on one device for one decoding sequence with a context of so many tokens.
    pub fn decode_work(&self, context: f64) -> Cost {
        let seen = visible_tokens(&self.attention, context) * f64::from(self.layers);
        Cost {
            flops: Flops::new(seen * decode_flops_per_token(&self.attention) * self.sharding.share()),
            bytes: Bytes::new(seen * self.kv_bytes_per_token),
        }
    }

    /// Roofs over the decode of attention.
    pub fn decode_roofs(&self, rates: &Rates) -> Roofs {
        Roofs { compute: rates.attention * decode_tile_share(&self.attention), bandwidth: rates.bandwidth }
    }

    /// Arithmetic on one device for one prompt. Its traffic is that of the activations.
    pub fn prefill_work(&self, input_tokens: f64) -> Flops {
        let pairs = causal_pairs(&self.attention, input_tokens) * f64::from(self.layers);
        Flops::new(pairs * prefill_flops_per_pair(&self.attention) * self.sharding.share())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::QkNorm;

    fn grouped(kv_heads: u32, window: Option<u32>) -> Attention {
        Attention::Grouped(GroupedAttention {
            query_heads: 32,
            kv_heads,
            head_dim: 128,
            qkv_bias: false,
            output_bias: false,
            qk_norm: QkNorm::None,
            sinks: false,
            sliding_window_tokens: window,
        })
    }

    #[test]
    fn kv_heads_are_replicated_only_beyond_their_number() {
        // Llama-3.1-8B, bf16: 2 * 8 * 128 * 2 = 4096 bytes a layer (131072 over its 32 layers).
        for (gpus, want) in [(1, 4096.0), (8, 512.0), (16, 512.0), (32, 512.0)] {
            assert_eq!(kv_bytes_per_token(&grouped(8, None), Precision::Bf16, gpus), want, "{gpus} GPUs");
        }
    }

    #[test]
    fn the_latent_is_held_by_every_device() {
        let latent = Attention::Latent(LatentAttention {
            query_heads: 128,
            q_lora_rank: Some(1536),
            kv_lora_rank: 512,
            qk_nope_head_dim: 128,
            qk_rope_head_dim: 64,
            v_head_dim: 128,
        });
        for gpus in [1, 8] {
            assert_eq!(kv_bytes_per_token(&latent, Precision::Bf16, gpus), 1152.0);
        }
    }

    #[test]
    fn grouped_queries_fill_a_tile_better_than_single_ones() {
        for (kv_heads, share) in [(32, 1.0 / 16.0), (8, 0.25), (1, 1.0)] {
            assert_eq!(decode_tile_share(&grouped(kv_heads, None)), share);
        }
    }

    #[test]
    fn a_window_bounds_cache_and_pairs_and_a_wide_one_changes_nothing() {
        let windowed = grouped(8, Some(128));
        assert_eq!(visible_tokens(&windowed, 1000.0), 128.0);
        assert_eq!(causal_pairs(&windowed, 1000.0), 128.0 * 1000.0 - 8192.0);
        assert_eq!(causal_pairs(&grouped(8, Some(5000)), 1000.0), causal_pairs(&grouped(8, None), 1000.0));
        assert_eq!(causal_pairs(&grouped(8, None), 1000.0), 500_000.0);
    }
}
