//! The operators of a step, of whatever kind, on one device.

use super::cost::{Cost, OpTime, Roofs};
use super::ops::activations::Activations;
use super::ops::attention::AttentionOp;
use super::ops::linear::PADDING_ROWS;
use super::ops::matrices::{Matrix, Rows};
use super::rates::Rates;
use crate::spec::Precision;
use crate::units::{Bytes, Flops};

/// Prompt or answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// All tokens of the prompts at once.
    Prefill,
    /// One token of each running sequence.
    Decode,
}

impl Phase {
    /// Both, in the order of a request.
    pub const ALL: [Self; 2] = [Self::Prefill, Self::Decode];

    /// Name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }
}

/// What a step holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepLoad {
    /// Prompts, or decoding sequences.
    pub phase: Phase,
    /// How many.
    pub batch: f64,
    /// Tokens of each prompt, or mean context of each sequence.
    pub tokens: f64,
}

impl StepLoad {
    /// Rows that pass through a matrix.
    fn rows(&self, rows: Rows) -> f64 {
        match (self.phase, rows) {
            (Phase::Prefill, Rows::Tokens) => self.batch * self.tokens,
            (Phase::Prefill, Rows::Sequences) | (Phase::Decode, _) => self.batch,
        }
    }
}

/// An operator of a step in all its layers, as one device does it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Operator {
    /// A matrix product.
    Matrix(Matrix),
    /// Scores and weighted values.
    Attention(AttentionOp),
    /// Norms, residuals, rotary embedding, gating of prompts: traffic alone. Those of decode stay in the second-level cache.
    Activations(Activations),
}

impl Operator {
    /// Layers that have it.
    pub fn layers(&self) -> u32 {
        match self {
            Self::Matrix(matrix) => matrix.layers,
            Self::Attention(op) => op.layers,
            Self::Activations(activations) => activations.layers,
        }
    }

    /// Format of the arithmetic.
    pub fn precision(&self) -> Precision {
        match self {
            Self::Matrix(matrix) => matrix.precision,
            Self::Attention(op) => op.precision,
            Self::Activations(activations) => activations.precision,
        }
    }

    /// Whether steps of a phase have it.
    pub fn is_in(&self, phase: Phase) -> bool {
        !matches!((self, phase), (Self::Activations(_), Phase::Decode))
    }

    /// Arithmetic and traffic of a step, without padding.
    pub fn work(&self, step: &StepLoad, rates: &Rates) -> Cost {
        match (self, step.phase) {
            (Self::Matrix(matrix), _) => matrix.work(step.rows(matrix.rows)),
            (Self::Attention(op), Phase::Prefill) => {
                Cost { flops: op.prefill_work(step.tokens) * step.batch, bytes: Bytes::ZERO }
            }
            (Self::Attention(op), Phase::Decode) => op.decode_work(step.tokens) * step.batch,
            (Self::Activations(activations), _) => Cost {
                flops: Flops::ZERO,
                bytes: activations.bytes(rates.activation_passes) * (step.batch * step.tokens),
            },
        }
    }

    /// Attainable rates over it.
    pub fn roofs(&self, phase: Phase, rates: &Rates) -> Roofs {
        match (self, phase) {
            (Self::Matrix(matrix), _) => {
                let is_long = phase == Phase::Prefill && matrix.rows == Rows::Tokens;
                let slowdown = if is_long { rates.slowdown } else { 1.0 };
                Roofs { compute: matrix.peak * (rates.gemm / slowdown), bandwidth: rates.bandwidth }
            }
            (Self::Attention(op), Phase::Decode) => op.decode_roofs(rates),
            (Self::Attention(_) | Self::Activations(_), _) => {
                Roofs { compute: rates.attention, bandwidth: rates.bandwidth }
            }
        }
    }

    /// Traffic and arithmetic of a step as times of the model, padding included.
    pub fn time(&self, step: &StepLoad, rates: &Rates) -> OpTime {
        match (self, step.phase) {
            (Self::Matrix(matrix), Phase::Prefill) => {
                matrix.times(rates, 1.0).prefill(step.batch, step.batch * step.tokens)
            }
            (Self::Matrix(matrix), Phase::Decode) => {
                matrix.times(rates, 1.0).decode(step.batch, step.batch + PADDING_ROWS)
            }
            (Self::Attention(_) | Self::Activations(_), phase) => {
                self.roofs(phase, rates).times(self.work(step, rates))
            }
        }
    }
}
