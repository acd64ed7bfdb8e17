//! Measured runs held against what the model predicts for their workload.

use super::{Filter, Sample, Side};
use crate::requests::Dimension;
use crate::stats::Moments;

/// What a side asked of the server: a closed loop of requests of one shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// Median length of the prompts in tokens.
    pub input_tokens: f64,
    /// Shortest and longest prompt.
    pub input_range: (f64, f64),
    /// Mean length of the answers in tokens.
    pub output_tokens: f64,
    /// Clients.
    pub clients: u32,
}

impl Asked {
    /// Of a side.
    ///
    /// # Errors
    /// What is not known of it.
    pub fn of(side: &Side) -> Result<Self, String> {
        let name = &side.name;
        let clients =
            side.clients().ok_or_else(|| format!("{name}: its clients are not known; give them with --concurrency"))?;
        let tokens = |dimension: Dimension| {
            let sample = Sample::new(side.logs(), dimension, Filter::Positive);
            if sample.sorted.is_empty() {
                return Err(format!("{name}: no request has {}", dimension.label()));
            }
            Ok(sample.sorted)
        };
        let (inputs, outputs) = (tokens(Dimension::InputTokens)?, tokens(Dimension::OutputTokens)?);
        let mean = Moments::of(&outputs).map_or(0.0, |moments| moments.mean);
        Ok(Self {
            input_tokens: crate::stats::QuantileRule::Linear.of(&inputs, 0.5).unwrap_or(0.0),
            input_range: (inputs[0], inputs[inputs.len() - 1]),
            output_tokens: mean,
            clients,
        })
    }
}

/// A predicted latency in seconds with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Predicted {
    /// The prediction.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Predicted {
    /// Error against something measured, in percent of that.
    pub fn error_pct(&self, measured: f64) -> f64 {
        100.0 * (self.value / measured - 1.0)
    }
}

/// The model's answer for a side.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelLatencies {
    /// What was asked.
    pub asked: Asked,
    /// Time to first token.
    pub ttft: Predicted,
    /// Time per output token after the first.
    pub tpot: Predicted,
    /// Time to last token.
    pub ttlt: Predicted,
    /// Time to first token over the length of the prompt, tokens and seconds.
    pub ttft_over_input: Vec<(f64, f64)>,
}

impl ModelLatencies {
    /// The prediction of a dimension; `None` for what the model does not predict.
    pub fn of(&self, dimension: Dimension) -> Option<Predicted> {
        match dimension {
            Dimension::TimeToFirstToken => Some(self.ttft),
            Dimension::TimePerOutputToken => Some(self.tpot),
            Dimension::TimeToLastToken => Some(self.ttlt),
            _ => None,
        }
    }
}
