//! One operator of a step under the roofline: its work, its place on the chart, its time, and what binds it.

use crate::engine::cost::{Cost, OpTime, Roofs};
use crate::engine::ops::matrices::MatrixKind;
use crate::engine::{Operator, Phase, Rates, StepLoad};
use crate::spec::{Attention, GroupedAttention, Precision};
use crate::units::FlopsPerSec;

/// The roof that binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// Traffic takes longer.
    Memory,
    /// Arithmetic takes at least as long.
    Compute,
}

impl Bound {
    /// Name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Compute => "compute",
        }
    }

    /// What binds work that takes these times.
    pub fn of(time: OpTime) -> Self {
        if time.memory > time.compute { Self::Memory } else { Self::Compute }
    }
}

/// What an operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperatorKind {
    /// A matrix product.
    Matrix(MatrixKind),
    /// Scores and weighted values.
    Attention,
    /// Norms, residuals, rotary embedding, gating: traffic alone.
    Activations,
}

/// An operator of a step in all its layers on one device of the group; the others do the same at the same time.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorPoint {
    /// Prompt or answer.
    pub phase: Phase,
    /// What it is.
    pub kind: OperatorKind,
    /// Name in tables and charts.
    pub name: String,
    /// Layers that have it.
    pub layers: u32,
    /// Arithmetic and traffic, without padding.
    pub work: Cost,
    /// Format of the arithmetic.
    pub precision: Precision,
    /// Attainable rates over it.
    pub roofs: Roofs,
    /// Its traffic and its arithmetic as times of the model, padding included.
    pub time: OpTime,
}

impl OperatorPoint {
    /// Of an operator in a step at the rates of a device.
    pub fn new(operator: &Operator, step: &StepLoad, rates: &Rates) -> Self {
        let (kind, name) = match operator {
            Operator::Matrix(matrix) => (OperatorKind::Matrix(matrix.kind), matrix_name(matrix.kind).to_owned()),
            Operator::Attention(op) => {
                (OperatorKind::Attention, format!("attention, {}", attention_name(&op.attention)))
            }
            Operator::Activations(_) => (OperatorKind::Activations, "activations".to_owned()),
        };
        Self {
            phase: step.phase,
            kind,
            name,
            layers: operator.layers(),
            work: operator.work(step, rates),
            precision: operator.precision(),
            roofs: operator.roofs(step.phase, rates),
            time: operator.time(step, rates),
        }
    }

    /// FLOP for a byte of traffic; `None` without traffic or without arithmetic.
    pub fn intensity(&self) -> Option<f64> {
        let (flops, bytes) = (self.work.flops.get(), self.work.bytes.get());
        (flops > 0.0 && bytes > 0.0).then(|| flops / bytes)
    }

    /// Rate that the roofs allow: the work over the longer of the times that each takes by itself.
    pub fn attainable(&self) -> FlopsPerSec {
        let times = self.roofs.times(self.work);
        FlopsPerSec::new(self.work.flops.get() / times.memory.max(times.compute).get())
    }

    /// Rate that the model predicts.
    pub fn attained(&self) -> FlopsPerSec {
        FlopsPerSec::new(self.work.flops.get() / self.time.total().get())
    }

    /// The roof that binds.
    pub fn bound(&self) -> Bound {
        Bound::of(self.time)
    }
}

/// What a matrix is called.
const fn matrix_name(kind: MatrixKind) -> &'static str {
    match kind {
        MatrixKind::Qkv => "QKV projection",
        MatrixKind::AttentionOutput => "attention output",
        MatrixKind::FfnGateUp => "FFN gate and up",
        MatrixKind::FfnUp => "FFN up",
        MatrixKind::FfnDown => "FFN down",
        MatrixKind::Router => "router",
        MatrixKind::RoutedExperts => "routed experts",
        MatrixKind::SharedExperts => "shared experts",
        MatrixKind::Head => "LM head",
    }
}

/// What attention is called.
fn attention_name(attention: &Attention) -> String {
    let a = match attention {
        Attention::Latent(_) => return "MLA".to_owned(),
        Attention::Grouped(a) => a,
    };
    let kind = match a {
        GroupedAttention { kv_heads: 1, .. } => "MQA",
        GroupedAttention { query_heads, kv_heads, .. } if query_heads == kv_heads => "MHA",
        GroupedAttention { .. } => "GQA",
    };
    a.sliding_window_tokens.map_or_else(|| kind.to_owned(), |window| format!("{kind} window {window}"))
}
