//! One decoder block of OLMo-2.

use candle_core::{D, DType, Tensor};
use candle_nn::ops::{rms_norm, silu, softmax_last_dim};

use super::ModelShape;
use super::cache::LayerCache;
use super::linear::Linear;
use super::rope::Rope;
use super::weights::{Layer, Weights};
use crate::error::Result;

/// Weights of a block. A sub-layer's output is normed, its input is not; queries and keys are normed over their whole width
/// before they are split into heads.
#[derive(Debug, Clone)]
pub(super) struct Block {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    gate: Linear,
    up: Linear,
    down: Linear,
    query_norm: Tensor,
    key_norm: Tensor,
    attention_norm: Tensor,
    ffn_norm: Tensor,
    heads: Heads,
    eps: f32,
}

#[derive(Debug, Clone, Copy)]
struct Heads {
    query: usize,
    kv: usize,
    width: usize,
}

/// Where the tokens of a pass stand.
pub(super) struct Place<'a> {
    /// Tokens in the cache before them.
    pub cursor: usize,
    /// Angles of all positions.
    pub rope: &'a Rope,
    /// What each row may not see, `[n, cursor + n]` of 0 and −∞; none for one row, which sees everything.
    pub mask: Option<&'a Tensor>,
}

impl Block {
    pub fn new(shape: &ModelShape, weights: &Weights, layer: Layer) -> Result<Self> {
        let (d, f, q, kv) = (shape.hidden, shape.ffn, shape.query_width(), shape.kv_width());
        let linear = |name: &str, out: usize, input: usize| -> Result<Linear> {
            Ok(Linear::new(weights.layer(layer, name, &[out, input])?))
        };
        Ok(Self {
            query: linear("self_attn.q_proj.weight", q, d)?,
            key: linear("self_attn.k_proj.weight", kv, d)?,
            value: linear("self_attn.v_proj.weight", kv, d)?,
            output: linear("self_attn.o_proj.weight", d, q)?,
            gate: linear("mlp.gate_proj.weight", f, d)?,
            up: linear("mlp.up_proj.weight", f, d)?,
            down: linear("mlp.down_proj.weight", d, f)?,
            query_norm: weights.layer(layer, "self_attn.q_norm.weight", &[q])?,
            key_norm: weights.layer(layer, "self_attn.k_norm.weight", &[kv])?,
            attention_norm: weights.layer(layer, "post_attention_layernorm.weight", &[d])?,
            ffn_norm: weights.layer(layer, "post_feedforward_layernorm.weight", &[d])?,
            heads: Heads { query: shape.query_heads, kv: shape.kv_heads, width: shape.head_dim },
            eps: shape.norm_eps as f32,
        })
    }

    /// `x + RMS(attention(x))`, then `h + RMS(ffn(h))`; x is `[1, n, d]`.
    pub fn forward(&self, x: &Tensor, cache: &LayerCache, place: &Place<'_>) -> Result<Tensor> {
        let attended = rms_norm(&self.attention(x, cache, place)?, &self.attention_norm, self.eps)?;
        let h = (x + attended)?;
        let gated = (silu(&self.gate.forward(&h)?)? * self.up.forward(&h)?)?;
        let mixed = rms_norm(&self.down.forward(&gated)?, &self.ffn_norm, self.eps)?;
        Ok((h + mixed)?)
    }

    fn attention(&self, x: &Tensor, cache: &LayerCache, place: &Place<'_>) -> Result<Tensor> {
        let Heads { query, kv, width } = self.heads;
        let (_, tokens, _) = x.dims3()?;
        let split = |x: Tensor, heads: usize| x.reshape((1, tokens, heads, width))?.transpose(1, 2);
        let q = rms_norm(&self.query.forward(x)?, &self.query_norm, self.eps)?;
        let k = rms_norm(&self.key.forward(x)?, &self.key_norm, self.eps)?;
        let q = place.rope.turn(&split(q, query)?, place.cursor)?;
        let k = place.rope.turn(&split(k, kv)?, place.cursor)?;
        let v = split(self.value.forward(x)?, kv)?;
        let (keys, values) = cache.append(place.cursor, &k, &v)?;

        // Query heads that share a key/value head become further rows of it.
        let shared = query / kv;
        let q = (q * (width as f64).powf(-0.5))?.reshape((1, kv, shared * tokens, width))?;
        let scores = q.matmul(&keys.transpose(2, 3)?)?.to_dtype(DType::F32)?;
        let scores = match place.mask {
            Some(mask) => {
                let columns = scores.dim(D::Minus1)?;
                let seen = scores.reshape((1, query, tokens, columns))?.broadcast_add(mask)?;
                seen.reshape((1, kv, shared * tokens, columns))?
            }
            None => scores,
        };
        let mixed = softmax_last_dim(&scores)?.to_dtype(x.dtype())?.matmul(&values)?;
        let joined = mixed.reshape((1, query, tokens, width))?.transpose(1, 2)?.reshape((1, tokens, query * width))?;
        self.output.forward(&joined)
    }
}
