//! What is known of each request.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, named};

/// A numeric field of a request, by LLMeter's name. Times are in seconds, counts in tokens or retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dimension {
    /// From sending to the first token.
    #[serde(alias = "TTFT")]
    TimeToFirstToken,
    /// From sending to the last token.
    #[serde(alias = "TTLT")]
    TimeToLastToken,
    /// Mean time between the later tokens, `(TTLT − TTFT)/(output tokens − 1)`.
    #[serde(alias = "TPOT", alias = "ITL")]
    TimePerOutputToken,
    /// Tokens of the prompt.
    #[serde(rename = "num_tokens_input")]
    InputTokens,
    /// Tokens of the answer, those of reasoning among them.
    #[serde(rename = "num_tokens_output")]
    OutputTokens,
    /// Prompt tokens that came from a cache.
    #[serde(rename = "num_tokens_input_cached")]
    CachedInputTokens,
    /// Tokens of reasoning.
    #[serde(rename = "num_tokens_output_reasoning")]
    ReasoningTokens,
    /// Retries by the client library.
    Retries,
}

impl Dimension {
    /// Every dimension, in the order of the log's columns.
    pub const ALL: [Self; 8] = [
        Self::TimeToFirstToken,
        Self::TimeToLastToken,
        Self::TimePerOutputToken,
        Self::InputTokens,
        Self::OutputTokens,
        Self::CachedInputTokens,
        Self::ReasoningTokens,
        Self::Retries,
    ];

    /// The latencies, in the order of reports.
    pub const LATENCIES: [Self; 3] = [Self::TimeToFirstToken, Self::TimePerOutputToken, Self::TimeToLastToken];

    /// Its name in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TimeToFirstToken => "time_to_first_token",
            Self::TimeToLastToken => "time_to_last_token",
            Self::TimePerOutputToken => "time_per_output_token",
            Self::InputTokens => "num_tokens_input",
            Self::OutputTokens => "num_tokens_output",
            Self::CachedInputTokens => "num_tokens_input_cached",
            Self::ReasoningTokens => "num_tokens_output_reasoning",
            Self::Retries => "retries",
        }
    }

    /// Its name in tables and titles.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TimeToFirstToken => "TTFT",
            Self::TimeToLastToken => "TTLT",
            Self::TimePerOutputToken => "TPOT",
            Self::InputTokens => "input tokens",
            Self::OutputTokens => "output tokens",
            Self::CachedInputTokens => "cached input tokens",
            Self::ReasoningTokens => "reasoning tokens",
            Self::Retries => "retries",
        }
    }

    /// The unit in which people read it; empty for counts.
    pub const fn unit(self) -> &'static str {
        if self.is_latency() { "ms" } else { "" }
    }

    /// From the unit of the log to the one people read: 1000 for latencies.
    pub const fn scale(self) -> f64 {
        if self.is_latency() { 1e3 } else { 1.0 }
    }

    /// Whether it is a time.
    pub const fn is_latency(self) -> bool {
        matches!(self, Self::TimeToFirstToken | Self::TimeToLastToken | Self::TimePerOutputToken)
    }

    /// Label and unit, as axes carry them.
    pub fn title(self) -> String {
        if self.is_latency() { format!("{}, ms", self.label()) } else { self.label().to_owned() }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dimension {
    type Err = Error;

    /// By name or, of latencies, by label in any case; ITL is another label of time per output token.
    fn from_str(text: &str) -> Result<Self> {
        if text.eq_ignore_ascii_case("ITL") {
            return Ok(Self::TimePerOutputToken);
        }
        let short = Self::LATENCIES.into_iter().find(|dimension| dimension.label().eq_ignore_ascii_case(text));
        short.map_or_else(|| named(&Self::ALL, Self::name, text, "unknown dimension"), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_read_and_misspellings_helped() {
        for dimension in Dimension::ALL {
            assert_eq!(dimension.name().parse(), Ok(dimension));
            assert_eq!(serde_json::to_value(dimension).unwrap(), dimension.name());
        }
        assert_eq!("tpot".parse(), Ok(Dimension::TimePerOutputToken));
        assert_eq!("ITL".parse(), Ok(Dimension::TimePerOutputToken));
        let error = "time_to_first_tokens".parse::<Dimension>().unwrap_err().to_string();
        assert!(error.contains("did you mean `time_to_first_token`?"), "{error}");
    }
}
