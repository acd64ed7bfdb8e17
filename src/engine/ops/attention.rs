//! Attention: KV cache traffic of decode, arithmetic of prefill and decode. MHA/GQA/MQA, sliding windows and MLA.

use crate::spec::{Attention, Deployment, GroupedAttention, LatentAttention};

/// KV cache of one layer for one token in bytes, summed over all devices of the tensor-parallel group.
///
/// GQA: `2·K·h·b`; with more devices than key/value heads every device still holds one head, so K counts as
/// `g·⌈K/g⌉`. MLA: `(kv_lora_rank + rope)·b` on every device, because the latent cannot be split by heads.
pub fn kv_bytes_per_token(attention: &Attention, deployment: &Deployment) -> f64 {
    let bytes = deployment.kv_precision.bytes();
    let gpus = deployment.tensor_parallel;
    match attention {
        Attention::Grouped(a) => {
            let heads = f64::from(gpus * a.kv_heads.div_ceil(gpus));
            2.0 * heads * f64::from(a.head_dim) * bytes
        }
        Attention::Latent(a) => f64::from(a.kv_lora_rank + a.qk_rope_head_dim) * bytes * f64::from(gpus),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Precision, QkNorm};

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

    fn deployment(tensor_parallel: u32) -> Deployment {
        Deployment::new(tensor_parallel, Precision::Bf16)
    }

    #[test]
    fn kv_heads_are_replicated_only_beyond_their_number() {
        // Llama-3.1-8B, bf16: 2 * 8 * 128 * 2 = 4096 bytes a layer (131072 over its 32 layers).
        for (gpus, want) in [(1, 4096.0), (8, 4096.0), (16, 8192.0), (32, 16384.0)] {
            assert_eq!(kv_bytes_per_token(&grouped(8, None), &deployment(gpus)), want, "{gpus} GPUs");
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
        assert_eq!(kv_bytes_per_token(&latent, &deployment(1)), 1152.0);
        assert_eq!(kv_bytes_per_token(&latent, &deployment(8)), 9216.0);
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
