//! Work of one block and of the output layer, batch 1.

use super::LiveModel;
use crate::engine::cost::Cost;
use crate::engine::ops::linear::linear;
use crate::units::{Bytes, Flops};

/// Matrices of one block over n new tokens, and its norms: `2·M·n` FLOP, `b·(M + gains)` bytes.
///
/// | symbol | meaning |
/// |---|---|
/// | M | elements of the matrices, `2·d·q + 2·d·k + 3·d·F` (q, k: width of the query and of the key heads; 4·d² + 3·d·F without sharing) |
/// | b | bytes of an element |
///
/// Activations are left out: some n·(d or F)·b, which fused kernels do not move.
pub fn block_weights(model: &LiveModel, tokens: f64) -> Cost {
    let mut cost = linear(model.block_matrices(), model.bytes, tokens);
    cost.bytes += Bytes::new(model.bytes * model.block_gains());
    cost
}

/// Attention of one block over n new tokens behind c cached ones, causal: `4·q·(n·c + n·(n+1)/2)` FLOP; it reads `2·k·b·(c + n)` bytes
/// and writes `2·k·b·n`.
pub fn block_attention(model: &LiveModel, tokens: f64, cached: f64) -> Cost {
    let (n, c) = (tokens, cached);
    Cost {
        flops: Flops::new(4.0 * model.query_width * (n * c + n * (n + 1.0) / 2.0)),
        bytes: Bytes::new(2.0 * model.kv_width * model.bytes * (c + 2.0 * n)),
    }
}

/// The shared norm and output matrix over r rows: `2·d·V·r` FLOP, `b·(V·d + d)` bytes, and with `write_logits` another `b·V·r`.
pub fn output_layer(model: &LiveModel, rows: f64, write_logits: bool) -> Cost {
    let mut cost = linear(model.hidden * model.vocabulary, model.bytes, rows);
    cost.bytes += Bytes::new(model.bytes * model.hidden);
    if write_logits {
        cost.bytes += Bytes::new(model.bytes * model.vocabulary * rows);
    }
    cost
}
