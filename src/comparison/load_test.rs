//! A load test level by level.

use serde::Serialize;

use crate::requests::{Dimension, Run};

/// Latencies within which an answer counts as good.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LatencyLimits {
    /// Longest TTFT in seconds.
    pub ttft: Option<f64>,
    /// Longest ITL in seconds: LLMeter's time per output token.
    pub itl: Option<f64>,
}

impl LatencyLimits {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ttft.is_none() && self.itl.is_none()
    }

    /// Answered requests of a run within the limits. A latency that is limited and not known is not within; an answer of one token
    /// has no ITL to keep.
    pub fn good(&self, run: &Run) -> usize {
        let log = &run.log;
        let within =
            |value: Option<f64>, limit: Option<f64>| limit.is_none_or(|limit| value.is_some_and(|v| v <= limit));
        let ttft = log.dimension(Dimension::TimeToFirstToken);
        let itl = log.dimension(Dimension::TimePerOutputToken);
        let tokens = log.dimension(Dimension::OutputTokens);
        ttft.zip(itl)
            .zip(tokens.zip(log.failed()))
            .filter(|((ttft, itl), (tokens, failed))| {
                !failed && within(*ttft, self.ttft) && (*tokens == Some(1.0) || within(*itl, self.itl))
            })
            .count()
    }
}

/// The rates of one level; those a minute are `None` where the duration is not known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LevelFigures {
    /// Clients.
    pub clients: u32,
    /// Requests.
    pub requests: usize,
    /// Share of failed requests.
    pub error_rate: f64,
    /// Requests a minute, failed ones among them: what LLMeter reports.
    pub requests_per_minute: Option<f64>,
    /// Answered requests a minute.
    pub answers_per_minute: Option<f64>,
    /// Input tokens a minute.
    pub input_tokens_per_minute: Option<f64>,
    /// Output tokens a minute.
    pub output_tokens_per_minute: Option<f64>,
    /// Answered requests within the limits a minute.
    pub good_per_minute: Option<f64>,
}

/// The rates of a level.
pub fn level_figures(clients: u32, run: &Run, limits: LatencyLimits) -> LevelFigures {
    LevelFigures {
        clients,
        requests: run.log.len(),
        requests_per_minute: run.requests_per_minute(),
        answers_per_minute: run.answers_per_minute(),
        error_rate: run.error_rate(),
        input_tokens_per_minute: run.tokens_per_minute(Dimension::InputTokens),
        output_tokens_per_minute: run.tokens_per_minute(Dimension::OutputTokens),
        good_per_minute: if limits.is_empty() { None } else { run.per_minute(limits.good(run) as f64) },
    }
}
