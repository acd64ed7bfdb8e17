//! The operators of a pass: matrices and attention of its blocks, and the output layer, batch 1.

use super::{LiveModel, Pass};
use crate::engine::cost::Cost;
use crate::engine::ops::attention::causal_with_cache;
use crate::engine::ops::linear::linear;
use crate::units::Bytes;

/// An operator of a pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PassOperator {
    /// What it is.
    pub kind: PassOperatorKind,
    /// How often the pass has it.
    pub count: f64,
    /// Work of one of them.
    pub work: Cost,
}

/// What an operator of a pass is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PassOperatorKind {
    /// A product with weights over so many rows.
    Product {
        /// Rows.
        rows: f64,
    },
    /// Scores and weighted values.
    Attention,
}

/// The operators of a pass, in the order in which it runs them.
pub(super) fn operators(model: &LiveModel, pass: &Pass) -> impl Iterator<Item = PassOperator> {
    let product = |rows, count, work| PassOperator { kind: PassOperatorKind::Product { rows }, count, work };
    let attention = PassOperator {
        kind: PassOperatorKind::Attention,
        count: pass.blocks,
        work: block_attention(model, pass.tokens, pass.cached),
    };
    let output = (pass.rows > 0.0).then(|| product(pass.rows, 1.0, output_layer(model, pass.rows, true)));
    [product(pass.tokens, pass.blocks, block_weights(model, pass.tokens)), attention].into_iter().chain(output)
}

/// Matrices of one block over n new tokens, and its norms: `2·M·n` FLOP, `b·(M + gains)` bytes.
///
/// | symbol | meaning |
/// |---|---|
/// | M | elements of the matrices, `2·d·q + 2·d·k + 3·d·F` (q, k: width of the query and of the key heads; 4·d² + 3·d·F without sharing) |
/// | b | bytes of an element |
///
/// Activations are left out: some n·(d or F)·b, which fused kernels do not move.
pub(super) fn block_weights(model: &LiveModel, tokens: f64) -> Cost {
    let mut cost = linear(model.block_matrices(), model.bytes, tokens);
    cost.bytes += Bytes::new(model.bytes * model.block_gains());
    cost
}

/// Attention of one block over new tokens behind cached ones.
pub(super) fn block_attention(model: &LiveModel, tokens: f64, cached: f64) -> Cost {
    causal_with_cache(model.query_width, model.kv_width, model.bytes, tokens, cached)
}

/// The shared norm and output matrix over r rows: `2·d·V·r` FLOP, `b·(V·d + d)` bytes, and with `write_logits` another `b·V·r`.
pub(super) fn output_layer(model: &LiveModel, rows: f64, write_logits: bool) -> Cost {
    let mut cost = linear(model.hidden * model.vocabulary, model.bytes, rows);
    cost.bytes += Bytes::new(model.bytes * model.hidden);
    if write_logits {
        cost.bytes += Bytes::new(model.bytes * model.vocabulary * rows);
    }
    cost
}
