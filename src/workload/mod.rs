//! What clients ask of a server: prompt length, answer length, and how many ask at once or how often.
//!
//! ```
//! use perfmodel::workload::{LoadKind, Workload};
//!
//! let clients = Workload::new(1000.0, 200.0, 32.0)?; // 32 of them, each with one request at a time
//! assert_eq!(clients.mean_context(), 1100.0); // the prompt and half of the answer
//! let users = Workload::under(LoadKind::OpenLoop, 1000.0, 200.0, 2.5)?; // 2.5 requests a second
//! assert_eq!(users.decode_steps(), 199.0); // the first token comes with the prompt
//! assert!(Workload::new(1000.0, 1.0, 32.0).is_err()); // one token has no time between tokens
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, named};

/// How requests reach the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LoadKind {
    /// A number of clients, each of which sends its next request when its last one ends.
    #[default]
    ClosedLoop,
    /// Independent users: Poisson arrivals at a rate.
    OpenLoop,
    /// One fixed batch run to the end without a server: TTFT is the prefill of the whole batch.
    StaticBatch,
}

impl LoadKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::ClosedLoop, Self::OpenLoop, Self::StaticBatch];

    /// Name in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClosedLoop => "closed_loop",
            Self::OpenLoop => "open_loop",
            Self::StaticBatch => "static_batch",
        }
    }

    /// Name of the quantity that sets the load, in tables and charts.
    pub const fn axis(self) -> &'static str {
        match self {
            Self::ClosedLoop => "concurrency",
            Self::OpenLoop => "requests/s",
            Self::StaticBatch => "batch",
        }
    }
}

impl fmt::Display for LoadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for LoadKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        named(&Self::ALL, Self::name, text, "unknown load")
    }
}

/// Requests of one shape under one load. Lengths are means and may be fractional.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    input_tokens: f64,
    output_tokens: f64,
    kind: LoadKind,
    load: f64,
}

impl Workload {
    /// A closed loop of `concurrency` clients.
    ///
    /// # Errors
    /// Less than one input token or client, less than two output tokens (a request of one token has no inter-token
    /// latency), or a value above 10⁹ or not finite.
    pub fn new(input_tokens: f64, output_tokens: f64, concurrency: f64) -> Result<Self> {
        Self::under(LoadKind::ClosedLoop, input_tokens, output_tokens, concurrency)
    }

    /// A load of any kind: clients, requests per second, or sequences of the batch.
    ///
    /// # Errors
    /// As [`Workload::new`]; a rate may be as low as 10⁻⁶ per second.
    pub fn under(kind: LoadKind, input_tokens: f64, output_tokens: f64, load: f64) -> Result<Self> {
        let (name, least) = match kind {
            LoadKind::ClosedLoop => ("concurrency", 1.0),
            LoadKind::OpenLoop => ("rate_rps", 1e-6),
            LoadKind::StaticBatch => ("batch", 1.0),
        };
        for (name, value, least) in
            [("input_tokens", input_tokens, 1.0), ("output_tokens", output_tokens, 2.0), (name, load, least)]
        {
            if !(value >= least && value <= 1e9) {
                // 1e300 is written as such, not with its 300 zeros.
                let shown = if value.abs() < 1e15 { value.to_string() } else { format!("{value:e}") };
                return Err(
                    Error::input(format!("{name} is {shown}")).help(format!("give a number from {least} to 1e9"))
                );
            }
        }
        Ok(Self { input_tokens, output_tokens, kind, load })
    }

    /// Prompt length I in tokens.
    pub fn input_tokens(&self) -> f64 {
        self.input_tokens
    }

    /// Generated tokens O of a request, at least 2.
    pub fn output_tokens(&self) -> f64 {
        self.output_tokens
    }

    /// How requests arrive.
    pub fn kind(&self) -> LoadKind {
        self.kind
    }

    /// Clients c of a closed loop, requests per second of an open one, sequences of a static batch.
    pub fn load(&self) -> f64 {
        self.load
    }

    /// Decode steps of a request after its first token, O − 1.
    pub fn decode_steps(&self) -> f64 {
        self.output_tokens - 1.0
    }

    /// Mean context of a running sequence, I + O/2 tokens.
    pub fn mean_context(&self) -> f64 {
        self.input_tokens + self.output_tokens / 2.0
    }

    /// Tokens of a finished request, I + O; an engine reserves cache for all of them.
    pub fn total_tokens(&self) -> f64 {
        self.input_tokens + self.output_tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_refuses_what_has_no_meaning() {
        for (input, output, clients) in
            [(0.0, 2.0, 1.0), (1.0, 1.0, 1.0), (1.0, 2.0, 0.5), (f64::NAN, 2.0, 1.0), (1.0, f64::INFINITY, 1.0)]
        {
            assert!(Workload::new(input, output, clients).is_err(), "{input} {output} {clients}");
        }
        assert!(Workload::new(1.0, 2.0, 1.0).is_ok());
        assert!(Workload::under(LoadKind::OpenLoop, 1.0, 2.0, 0.01).is_ok());
        let message = Workload::under(LoadKind::StaticBatch, 1.0, 2.0, 0.5).unwrap_err().to_string();
        assert!(message.starts_with("batch is 0.5"), "{message}");
    }

    #[test]
    fn every_kind_of_load_reads_back_and_a_misspelt_one_gets_the_nearest() {
        for kind in LoadKind::ALL {
            assert_eq!(kind.name().parse::<LoadKind>().unwrap(), kind);
        }
        let message = "static-batch".parse::<LoadKind>().unwrap_err().to_string();
        assert!(message.contains("did you mean `static_batch`?"), "{message}");
    }
}
