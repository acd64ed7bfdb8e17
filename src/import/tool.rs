//! The tools, and what their numbers mean.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, named};
use crate::workload::LoadKind;

/// A measuring tool whose results are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Tool {
    /// AIPerf.
    Aiperf,
    /// GenAI-Perf.
    GenaiPerf,
    /// `vllm bench serve`.
    Vllm,
    /// SGLang's `bench_serving`.
    Sglang,
    /// GuideLLM.
    Guidellm,
    /// inference-perf of llm-d.
    InferencePerf,
    /// LLMeter.
    Llmeter,
    /// InferenceMAX (InferenceX).
    #[serde(rename = "inferencemax")]
    InferenceMax,
}

impl Tool {
    /// Every tool.
    pub const ALL: [Self; 8] = [
        Self::Aiperf,
        Self::GenaiPerf,
        Self::Vllm,
        Self::Sglang,
        Self::Guidellm,
        Self::InferencePerf,
        Self::Llmeter,
        Self::InferenceMax,
    ];

    /// Its name in flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aiperf => "aiperf",
            Self::GenaiPerf => "genai-perf",
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::Guidellm => "guidellm",
            Self::InferencePerf => "inference-perf",
            Self::Llmeter => "llmeter",
            Self::InferenceMax => "inferencemax",
        }
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Aiperf => "AIPerf",
            Self::GenaiPerf => "GenAI-Perf",
            Self::Vllm => "vLLM bench serve",
            Self::Sglang => "SGLang bench_serving",
            Self::Guidellm => "GuideLLM",
            Self::InferencePerf => "inference-perf",
            Self::Llmeter => "LLMeter",
            Self::InferenceMax => "InferenceMAX",
        }
    }

    /// Whether its results look like those of another, so that one of the two may be said of a file that tells the other.
    pub(super) fn reads_also(self, other: Self) -> bool {
        let family = |tool: Self| match tool {
            Self::Sglang => Self::Vllm,
            Self::GenaiPerf => Self::Aiperf,
            other => other,
        };
        family(self) == family(other)
    }

    /// What of its results was taken for what, one sentence each, where loads of that kind were taken.
    pub fn conversions(self, load: LoadKind) -> impl Iterator<Item = &'static str> {
        self.always_converted().iter().chain(self.load_converted(load)).copied()
    }

    /// What the load was taken from, where a tool writes more than one number.
    const fn load_converted(self, load: LoadKind) -> &'static [&'static str] {
        match (self, load) {
            (Self::Vllm, LoadKind::ClosedLoop) => {
                &["concurrency is max_concurrency; waiting in the client for a free place is not part of TTFT"]
            }
            (Self::Sglang, LoadKind::ClosedLoop) => {
                &["concurrency is max_concurrency, which was asked for; the achieved mean is not used"]
            }
            (Self::Vllm | Self::Sglang, LoadKind::OpenLoop) => &["the rate is request_rate, which was asked for"],
            (Self::InferencePerf, LoadKind::OpenLoop) => &["the rate is the achieved one"],
            (Self::Vllm | Self::Sglang | Self::InferencePerf, _)
            | (Self::Aiperf | Self::GenaiPerf | Self::Guidellm | Self::Llmeter | Self::InferenceMax, _) => &[],
        }
    }

    /// What is so under every load.
    const fn always_converted(self) -> &'static [&'static str] {
        match self {
            Self::Aiperf => &[
                "ITL is inter_token_latency, (request_latency − TTFT)/(output − 1) of each request; inter_chunk_latency is not used",
                "times are converted from the unit that the file names",
                "lengths are those counted: input_sequence_length, output_sequence_length",
            ],
            Self::GenaiPerf => &[
                "ITL is inter_token_latency, (request_latency − TTFT)/(output − 1) of each request",
                "times are converted from the unit that the file names",
                "lengths are those counted: input_sequence_length, output_sequence_length",
            ],
            Self::Vllm => &[
                "ITL is tpot, (E2E − TTFT)/(output − 1) of each request; itl, the gaps between chunks, is not used",
                "lengths are total_input_tokens and total_output_tokens over completed requests",
            ],
            Self::Sglang => &[
                "ITL is tpot, (E2E − TTFT)/(output − 1) of each request; itl, the gaps between chunks, is not used",
                "lengths are total_input_tokens and total_output_tokens over completed requests; random_input_len is an upper bound",
            ],
            Self::Guidellm => &[
                "ITL is inter_token_latency_ms, which leaves out the first token and weights requests by their tokens; \
                 time_per_output_token_ms includes the first token and is not used",
                "only successful requests count",
                "lengths are those counted: prompt_token_count, output_token_count",
            ],
            Self::InferencePerf => &[
                "ITL is time_per_output_token, (E2E − TTFT)/(output − 1) of each request; inter_token_latency, the gaps between \
                 chunks, and normalized_time_per_output_token, which includes the first token, are not used",
                "seconds are converted to milliseconds",
                "lengths are those counted: prompt_tokens (prompt_len before 0.7), output_len",
            ],
            Self::Llmeter => &[
                "ITL is time_per_output_token, (TTLT − TTFT)/(output − 1) of each request; failed requests do not count",
                "seconds are converted to milliseconds",
                "lengths are means of those counted",
            ],
            Self::InferenceMax => &[
                "ITL is tpot, (E2E − TTFT)/(output − 1) of each request",
                "seconds are converted to milliseconds",
                "lengths are those asked for, isl and osl; the file does not tell those counted",
                "throughput is output_tput_per_gpu times the GPUs",
            ],
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Tool {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        named(&Self::ALL, Self::name, text, "unknown tool")
    }
}
